//! Servers for the doctor: a healthy one, what it finds there after something was broken, and its remedies, done as written.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, dead_code, missing_docs)]

use std::path::Path;
use std::process::Command;

use hftok_tests::answer::create;
use hftok_tests::cluster::Cluster;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use serde_json::Value;

use crate::command::{PROGRAM, Said, hftok_on, said};

/// A value for whoever asks for one.
const TOKEN: &str = "hf_wardWardWardWardWardWardWardWard01";

/// A server with nothing wrong that is not running yet; its keyring has a name.
pub fn setup() -> Setup {
    Setup::default().setting("log_min_error_statement = panic")
}

/// The keyring of a healthy server.
pub fn keyring(keys: &[RootKey]) -> String {
    format!("installation: ward\n{}", RootKey::keyring(keys))
}

/// A server and a database `app` with nothing wrong.
pub fn healthy(setup: Setup) -> Cluster {
    let cluster = setup.make();
    cluster.write_file("keyring", keyring(&[RootKey::random(1)]), 0o600);
    cluster.start();
    let mut client = cluster.database("app");
    client
        .batch_execute(
            "CREATE ROLE authenticator LOGIN NOINHERIT; CREATE ROLE authenticated NOINHERIT; CREATE ROLE service_role NOINHERIT;
             SELECT hftok.enable_rpc()",
        )
        .expect("a database");
    create(&mut client, "kept", "value");
    nothing_is_wrong(&cluster, "app");
    cluster
}

/// Where remedies put a keyring.
fn new_keyring(cluster: &Cluster) -> String {
    cluster.folder().join("etc/keyring").display().to_string()
}

/// What the doctor says of a database.
pub fn doctor(cluster: &Cluster, database: &str, arguments: &[&str]) -> Said {
    let keyring = new_keyring(cluster);
    let all = [&["doctor", "--keyring", &keyring], arguments].concat();
    said(&mut hftok_on(cluster, "postgres", database, &all), "")
}

/// What it finds, and the exit code.
pub fn findings(cluster: &Cluster, database: &str) -> (Vec<Value>, Option<i32>) {
    let said = doctor(cluster, database, &["--json"]);
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    (report["findings"].as_array().expect("findings").clone(), said.code)
}

/// That the doctor finds nothing, perhaps in a moment: a reload takes one.
#[track_caller]
pub fn nothing_is_wrong(cluster: &Cluster, database: &str) {
    let mut found = Vec::new();
    for _ in 0..100 {
        let code;
        (found, code) = findings(cluster, database);
        if found.is_empty() {
            assert_eq!(code, Some(0));
            assert_eq!(doctor(cluster, database, &[]).err, "", "a superuser sees everything");
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("still wrong: {found:#?}");
}

/// How bad something is.
#[derive(Clone, Copy)]
pub enum Severity {
    Warning,
    Critical,
}

/// Waits until the doctor finds this, perhaps among others, and gives it.
#[track_caller]
pub fn found(cluster: &Cluster, database: &str, name: &str, severity: Severity) -> Value {
    let (word, code) = match severity {
        Severity::Warning => ("warning", 1),
        Severity::Critical => ("critical", 2),
    };
    let mut last = (Vec::new(), None);
    let mut finding = None;
    wait_until(&format!("{name} is found"), 10, || {
        last = findings(cluster, database);
        finding = last.0.iter().find(|one| one["name"] == name).cloned();
        finding.is_some()
    });
    let finding = finding.expect("it was found");
    assert_eq!(finding["severity"], word, "{finding:#}");
    assert!(last.1 >= Some(code), "{last:?}");
    finding
}

/// Does each step of a remedy as it is written. `by_hand` says what stands for what nobody can know, and does what no line does.
#[track_caller]
pub fn treat(cluster: &Cluster, database: &str, finding: &Value, by_hand: &dyn Fn(&str) -> String) {
    let steps = finding["remedy"].as_array().expect("a remedy");
    assert!(!steps.is_empty(), "{finding:#}");
    for step in steps {
        let line = by_hand(step["line"].as_str().expect("a line"));
        match step["by"].as_str().expect("by") {
            "sql" => {
                cluster
                    .client("postgres", database)
                    .batch_execute(&line)
                    .unwrap_or_else(|error| panic!("{line}: {error:?}"));
            }
            "shell" => shell(cluster, database, &line),
            "restart" => cluster.restart(),
            "hand" => {}
            other => panic!("{other}"),
        }
    }
}

/// Runs a line on the machine of the server.
fn shell(cluster: &Cluster, database: &str, line: &str) {
    let folder = Path::new(PROGRAM).parent().expect("a folder").display();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("/bin/sh");
    shell.args(["-euc", line]).current_dir("/").env("PATH", path);
    shell
        .env("PGHOST", cluster.folder())
        .env("PGPORT", "5432")
        .env("PGUSER", "postgres")
        .env("PGDATABASE", database);
    // For a line that asks for a value.
    let done = said(&mut shell, TOKEN);
    assert_eq!(done.code, Some(0), "{line}: {}", done.err);
}

/// Nothing stands for anything.
pub fn as_written(line: &str) -> String {
    line.to_owned()
}

/// Breaks a healthy database by statements, has it found, treated as written, and healthy again.
#[track_caller]
pub fn broken_and_mended(cluster: &Cluster, name: &str, severity: Severity, statements: &[&str]) {
    let mut client = cluster.client("postgres", "app");
    for statement in statements {
        client.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    drop(client);
    let finding = found(cluster, "app", name, severity);
    println!("{name}: {}", finding["remedy"]);
    // What was broken may show in more than one place.
    for finding in findings(cluster, "app").0 {
        treat(cluster, "app", &finding, &as_written);
    }
    nothing_is_wrong(cluster, "app");
}
