//! `hftok export`, and what opens what it wrote: the command itself without a server, and the age tool.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use command::{Said, hftok, hftok_on, said};
use hftok_tests::cluster::Cluster;
use hftok_tests::wait_until;
use tempfile::TempDir;

const TOKEN: &str = "hf_aliceAliceAliceAliceAliceAlice0001";
const SPARE: &str = "hf_aliceAliceAliceAliceAliceAlice0002";
/// A pair that age-keygen made.
const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33\n";
const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

fn filled() -> (Cluster, TempDir) {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client
        .batch_execute(&format!(
            "SELECT hftok.save_hf_token('{TOKEN}', p_user_id => 'alice');
             SELECT hftok.save_credential('huggingface', '{SPARE}', p_user_id => 'alice', p_slot => 'spare', p_position => 1);
             SELECT hftok.save_hf_token('hf_globalGlobalGlobalGlobalGlobal', p_global => true, p_model => 'a/b');
             SELECT hftok.save_credential('groq', 'gsk_abcdefghijklmnopqrst', p_org_id => 'acme', p_allowed_hosts => '{{api.groq.com}}');
             SELECT hftok.put_secret('smtp', 'a password', 'of the mail server');
             SELECT hftok.create_integration_with_vault('mine', 'openai', 'sk-proj-abcdefghijklmnopqrstuvwxyz', '{{\"a\": 1}}',
                 p_user_id => 'bob')"
        ))
        .expect("filled");
    (cluster, tempfile::tempdir().expect("a folder"))
}

fn private(folder: &TempDir, name: &str, content: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, content).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
    path.display().to_string()
}

/// The command on a machine without Postgres.
fn alone(arguments: &[&str]) -> Said {
    said(hftok(arguments).env("PATH", "/nowhere"), "")
}

fn lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn an_export_opens_without_postgres_and_by_the_age_tool() {
    let (cluster, folder) = filled();
    let output = folder.path().join("backup.age").display().to_string();
    let identity = private(&folder, "key.txt", IDENTITY);
    let export = ["export", "--to", RECIPIENT, "--output", &output];
    let exported = said(&mut hftok_on(&cluster, "postgres", "app", &export), "");
    assert_eq!(exported.code, Some(0), "{exported:?}");
    assert!(
        exported.out.contains("1 named secrets, 4 credentials, 1 integrations; 0 left out"),
        "{exported:?}"
    );
    assert!(!format!("{exported:?}").contains("Alice"), "a value is shown");
    assert_eq!(fs::metadata(&output).expect("a file").permissions().mode() & 0o777, 0o600);
    let again = said(&mut hftok_on(&cluster, "postgres", "app", &export), "");
    assert!(again.code == Some(1) && again.err.contains("--force"), "{again:?}");

    // Each reveal by itself, when the writer had its turn.
    let mut client = cluster.client("postgres", "app");
    let count = "SELECT count(DISTINCT object_id) FROM hftok.audit_events
        WHERE action IN ('resolve_token', 'read_secret', 'get_integration_credentials', 'get_secret', 'decrypted_secrets')";
    wait_until("six reveals are in the audit", 10, || {
        client.query_one(count, &[]).expect("the audit").get::<_, i64>(0) == 6
    });
    drop(client);
    drop(cluster);

    let shown = alone(&["open", &output, "--identity", &identity]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.out.contains("user alice") && shown.out.contains("smtp"), "{shown:?}");
    assert!(!format!("{shown:?}").contains(TOKEN), "values are shown unasked");
    let revealed = alone(&["open", &output, "--identity", &identity, "--reveal"]);
    let values = lines(&revealed.out);
    let value_of = |slot: &str| {
        let one = values.iter().find(|line| line["user_id"] == "alice" && line["slot"] == slot);
        one.expect("a line")["value"].as_str().expect("text").to_owned()
    };
    assert_eq!((value_of("").as_str(), value_of("spare").as_str()), (TOKEN, SPARE));
    assert!(values.iter().any(|line| line["name"] == "smtp" && line["value"] == "a password"), "{values:?}");
    assert!(values.iter().any(|line| line["model"] == "a/b" && line["global"] == true), "{values:?}");
    assert!(values.iter().any(|line| line["user_id"] == "bob" && line["config"]["a"] == 1), "{values:?}");

    let Some(age) = std::env::var_os("HFTOK_AGE") else {
        println!("skipped: the age tool, which HFTOK_AGE names");
        return;
    };
    let mut tool = Command::new(age);
    let opened = tool.args(["--decrypt", "--identity", &identity, &output]).output().expect("age runs");
    assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
    let opened = lines(&String::from_utf8(opened.stdout).expect("text"));
    assert_eq!(opened.first().expect("a head")["hftok_export"], 1);
    assert_eq!(opened.last().expect("a tail")["credentials"], 4);
    assert_eq!(opened[1..7], values, "the tool reads the same");
}

#[test]
fn what_is_not_given_out_is_named_and_left_out() {
    let (cluster, folder) = filled();
    cluster
        .client("postgres", "app")
        .batch_execute("UPDATE hftok.credentials SET enabled = false WHERE slot = 'spare'")
        .expect("disabled");
    let passphrase = private(&folder, "passphrase", "correct horse\n");
    let export = ["export", "--passphrase-file", &passphrase, "--armor", "--only", "credentials"];
    let exported = said(&mut hftok_on(&cluster, "postgres", "app", &export), "");
    assert_eq!(exported.code, Some(1), "{exported:?}");
    assert!(exported.err.contains("left out: credential of user alice huggingface spare"), "{exported:?}");
    assert!(exported.err.contains("disabled"), "{exported:?}");

    let file = private(&folder, "backup.age", &exported.out);
    let opened = alone(&["open", &file, "--passphrase-file", &passphrase, "--reveal"]);
    assert!(opened.code == Some(0) && opened.out.contains(TOKEN), "{opened:?}");
    assert!(!opened.out.contains(SPARE) && opened.err.contains("1 left out"), "{opened:?}");

    let wrong = private(&folder, "wrong", "another horse\n");
    let refused = alone(&["open", &file, "--passphrase-file", &wrong, "--reveal"]);
    assert!(refused.code == Some(1) && refused.out.is_empty(), "{refused:?}");
    let half = private(&folder, "half.age", &exported.out[..exported.out.len() / 2]);
    let refused = alone(&["open", &half, "--passphrase-file", &passphrase]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
}

#[test]
fn nothing_is_revealed_before_it_is_clear_for_whom() {
    let (cluster, folder) = filled();
    let output = folder.path().join("backup.age").display().to_string();
    let export = |user: &str, arguments: &[&str]| {
        let arguments = [&["export", "--output", &output], arguments].concat();
        said(&mut hftok_on(&cluster, user, "app", &arguments), "")
    };
    assert_eq!(export("postgres", &[]).code, Some(2), "for nobody");
    let identity = export("postgres", &["--to", IDENTITY.trim()]);
    assert_eq!(identity.code, Some(2));
    assert!(!identity.err.contains("1GQ9778"), "an identity is shown: {identity:?}");
    let lower = export("postgres", &["--to", &IDENTITY.trim().to_ascii_lowercase()]);
    assert!(lower.code == Some(2) && !lower.err.contains("1gq9778"), "{lower:?}");
    assert_eq!(export("postgres", &["--to", "ssh-ed25519 AAAA"]).code, Some(2));
    cluster.client("postgres", "postgres").batch_execute("CREATE ROLE nobody LOGIN").expect("a role");
    assert_eq!(export("nobody", &["--to", RECIPIENT]).code, Some(3), "without rights");
    assert!(fs::read_dir(folder.path()).expect("a folder").next().is_none(), "a file was left");

    let closed = hftok_on(&cluster, "postgres", "app", &["export", "--to", RECIPIENT])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert_eq!(closed.expect("it runs").code(), Some(0), "bytes go anywhere but to a terminal");
}
