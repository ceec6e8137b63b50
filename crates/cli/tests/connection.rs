//! How the command reaches Postgres: libpq's variables and files, passwords, several hosts.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;
#[path = "command/terminal.rs"]
mod terminal;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use command::{Said, hftok, said};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use tempfile::TempDir;
use terminal::Terminal;

const PASSWORD: &str = "correct horse:battery\\staple";

/// A server that asks `alice` for a password, and nobody else.
static SERVER: LazyLock<Cluster> = LazyLock::new(|| {
    let cluster = Setup::default().setting("log_connections = on").make();
    let rules = "local all alice scram-sha-256\nlocal all all trust\n";
    let rules = cluster.write_file("rules", rules, 0o600);
    cluster.configure(&format!("hba_file = '{}'", rules.display()));
    cluster.start();
    let mut client = cluster.database("app");
    client.batch_execute("CREATE ROLE alice LOGIN; GRANT hftok_user TO alice").expect("a role");
    // Hashed here would be better, and tells nothing more.
    client.batch_execute(&format!("ALTER ROLE alice PASSWORD '{PASSWORD}'")).expect("a password");
    cluster
});

/// `hftok list` with these variables and a home of its own.
fn list(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let line: Vec<&str> = ["list"].into_iter().chain(arguments.iter().copied()).collect();
    let mut command = hftok(&line);
    command.env("HOME", home).envs(variables.iter().copied());
    command
}

/// What it says, and never the password.
fn says(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let said = said(&mut list(home, arguments, variables), "");
    assert!(!said.err.contains("battery") && !said.out.contains("battery"), "{said:?}");
    said
}

fn folder() -> &'static str {
    SERVER.folder().to_str().expect("text")
}

fn home() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
}

fn connects(said: &Said) {
    assert_eq!((said.code, said.err.as_str()), (Some(0), "no credentials\n"), "{said:?}");
}

fn fails(said: &Said, code: i32, words: &str) {
    assert_eq!(said.code, Some(code), "{said:?}");
    assert!(said.err.contains(words), "{words}: {said:?}");
}

#[test]
fn the_connection_string_is_before_the_service_file_and_that_before_variables() {
    let home = home();
    let file = home.path().join("services");
    write(&file, &format!("[app]\nhost={}\nuser=postgres\ndbname=nowhere\n", folder()), 0o644);
    let file = file.to_str().expect("text");
    let variables = [
        ("PGSERVICEFILE", file),
        ("PGSERVICE", "app"),
        ("PGHOST", "/nowhere"),
        ("PGUSER", "nobody"),
        ("PGAPPNAME", "ci-job"),
    ];
    connects(&says(home.path(), &["-d", "dbname=app"], &variables));
    assert!(SERVER.log().contains("user=postgres database=app application_name=ci-job"), "{}", SERVER.log());
    fails(&says(home.path(), &[], &variables), 3, "\"nowhere\"");
    fails(
        &says(home.path(), &["-d", "service=other"], &variables),
        2,
        "no service file has a service \"other\"",
    );

    // The same file in its usual place, by a URL.
    fs::copy(file, home.path().join(".pg_service.conf")).expect("copied");
    connects(&says(home.path(), &["-d", "postgresql:///app?service=app"], &[]));
    assert!(SERVER.log().contains("user=postgres database=app application_name=hftok"), "{}", SERVER.log());
}

#[test]
fn a_password_comes_from_where_libpq_takes_it_and_not_from_an_argument() {
    let home = home();
    let to = [("PGHOST", folder()), ("PGDATABASE", "app"), ("PGUSER", "alice")];
    let with = |more: &[(&'static str, &str)]| -> Said {
        let variables: Vec<(&str, &str)> = to.iter().chain(more).copied().collect();
        says(home.path(), &[], &variables)
    };
    fails(&with(&[]), 3, "asks for a password");
    fails(&with(&[("PGPASSWORD", "wrong")]), 3, "password authentication failed");
    connects(&with(&[("PGPASSWORD", PASSWORD)]));

    let kept = home.path().join(".pgpass");
    let line = format!(
        "#*:*:*:*:no\nother:*:*:*:no\n{}:5432:app:alice:{}\n",
        folder(),
        PASSWORD.replace('\\', "\\\\")
    );
    write(&kept, &line, 0o644);
    let open_to_all = with(&[]);
    fails(&open_to_all, 3, "asks for a password");
    assert!(open_to_all.err.contains("chmod 0600"), "{open_to_all:?}");
    write(&kept, &line, 0o600);
    connects(&with(&[]));
    let elsewhere = home.path().join("passwords");
    fs::rename(&kept, &elsewhere).expect("moved");
    connects(&with(&[("PGPASSFILE", elsewhere.to_str().expect("text"))]));

    let encoded = "correct%20horse%3Abattery%5Cstaple";
    let url = format!("postgresql://alice:{encoded}@/app?host={}", folder());
    connects(&says(home.path(), &[], &[("HFTOK_DATABASE_URL", &url)]));
    for argument in [url.as_str(), &format!("user=alice password='battery' host={}", folder())] {
        fails(&says(home.path(), &["-d", argument], &[]), 2, "a password has no place in an argument");
    }
}

#[test]
fn somebody_at_a_terminal_is_asked_for_the_password() {
    let home = home();
    let variables = [("PGHOST", folder()), ("PGDATABASE", "app"), ("PGUSER", "alice")];
    let mut terminal = Terminal::start(&list(home.path(), &[], &variables));
    terminal.wait_for("Password of alice for Postgres at ");
    terminal.type_in(&format!("{PASSWORD}\r"));
    let (status, shown) = terminal.end();
    assert!(status.success() && shown.contains("no credentials") && !shown.contains("battery"), "{shown}");
}

#[test]
fn of_several_hosts_the_first_that_will_do() {
    let home = home();
    let hosts = format!("/nowhere,{}", folder());
    let on = |session: &str| {
        says(
            home.path(),
            &[],
            &[
                ("PGHOST", &hosts),
                ("PGDATABASE", "app"),
                ("PGUSER", "postgres"),
                ("PGTARGETSESSIONATTRS", session),
            ],
        )
    };
    for session in ["any", "read-write", "primary", "prefer-standby"] {
        connects(&on(session));
    }
    fails(&on("standby"), 4, "it is not standby");
    fails(&on("read-only"), 4, "it is not read-only");
    fails(&on("best"), 2, "target_session_attrs");
    fails(
        &says(home.path(), &["-d", "host=/nowhere"], &[]),
        4,
        "cannot reach Postgres at /nowhere/.s.PGSQL.5432",
    );
    // A server that refuses is not passed over.
    fails(&says(home.path(), &["-d", &format!("host={},/nowhere user=nobody", folder())], &[]), 3, "nobody");
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let home = home();
    for (given, words) in [
        ("requirepeer=postgres", "requirepeer"),
        ("sslcrl=list", "sslcrl"),
        ("gssencmode=require", "gssencmode"),
        ("colour=blue", "\"colour\""),
        ("sslmode=never", "sslmode is one of"),
        ("sslmode=require sslrootcert=system", "verify-full"),
    ] {
        fails(&says(home.path(), &["-d", &format!("host={} {given}", folder())], &[]), 2, words);
    }
    let two = [("HFTOK_DATABASE_URL", "dbname=app"), ("HFTOK_API_URL", "http://127.0.0.1:1")];
    fails(&says(home.path(), &[], &two), 2, "both set");
    fails(&says(home.path(), &["--api", "http://127.0.0.1:1"], &two), 4, "http://127.0.0.1:1");
}

#[test]
fn a_database_without_hftok_is_told_so() {
    let home = home();
    let said =
        says(home.path(), &[], &[("PGHOST", folder()), ("PGDATABASE", "postgres"), ("PGUSER", "postgres")]);
    fails(&said, 3, "CREATE EXTENSION hftok;");
}
