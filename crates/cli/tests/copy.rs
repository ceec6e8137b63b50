//! `hftok copy`: between two databases, and from an export.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use command::{Said, hftok, hftok_on, said};
use hftok_tests::answer::one;
use hftok_tests::cluster::{Cluster, signal};
use hftok_tests::wait_until;
use postgres::Client;

const TOKEN: &str = "hf_aliceAliceAliceAliceAliceAlice0001";
const THEIRS: &str = "hf_carolCarolCarolCarolCarolCarol0001";
/// A pair that age-keygen made.
const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33\n";
const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

fn fill(client: &mut Client) {
    client
        .batch_execute(&format!(
            "SELECT hftok.save_credential('huggingface', '{TOKEN}', p_user_id => 'alice', p_label => 'mine', p_expires_at => '2099-01-01');
             SELECT hftok.save_hf_token('{THEIRS}', p_user_id => 'carol');
             SELECT hftok.save_credential('groq', 'gsk_abcdefghijklmnopqrst', p_org_id => 'acme', p_allowed_hosts => '{{api.groq.com}}');
             SELECT hftok.put_secret('smtp', 'a password', 'of the mail server'), hftok.create_secret('nameless');
             SELECT hftok.create_integration_with_vault('mine', 'openai', 'sk-proj-abcdefghijklmnopqrstuvwxyz', '{{\"a\": 1}}',
                 p_user_id => 'bob');
             SELECT hftok.add_member('acme', 'alice', 'owner'), hftok.add_member('acme', 'bob'), hftok.grant_administrator('alice')"
        ))
        .expect("filled");
}

fn copy(cluster: &Cluster, arguments: &[&str]) -> Said {
    let to = format!("host={} port=5432 user=postgres dbname=target", cluster.folder().display());
    let arguments = [&["copy", "--to", &to, "--yes"], arguments].concat();
    said(&mut hftok_on(cluster, "postgres", "source", &arguments), "")
}

fn token(client: &mut Client, user: &str) -> Option<String> {
    let query = "SELECT hftok.resolve_hf_token(p_user_id => $1)";
    client.query_one(query, &[&user]).expect("resolved").get(0)
}

#[test]
fn a_copy_brings_what_is_not_there_and_does_nothing_twice() {
    let cluster = Cluster::start_default();
    fill(&mut cluster.database("source"));
    let mut target = cluster.database("target");
    let kept = "hf_otherOtherOtherOtherOtherOther0001";
    target.execute("SELECT hftok.save_hf_token($1, p_user_id => 'carol')", &[&kept]).expect("saved");

    let looked = copy(&cluster, &["--dry-run", "--people"]);
    assert!(
        looked.code == Some(0) && looked.err.contains("5 of 6 values, 2 members, 1 administrators"),
        "{looked:?}"
    );
    assert_eq!(token(&mut target, "alice"), None, "a dry run copies");

    let copied = copy(&cluster, &["--people"]);
    assert_eq!(copied.code, Some(1), "the nameless one is left out: {copied:?}");
    assert!(copied.err.contains("left out: secret of vault: it has no name"), "{copied:?}");
    let told = "copied 1 named secrets, 2 credentials, 1 integrations, 2 members, 1 administrators; 1 were there, 1 left out";
    assert!(copied.out.contains(told), "{copied:?}");
    assert!(!format!("{copied:?}").contains(TOKEN), "a value is shown");
    assert_eq!(token(&mut target, "alice").as_deref(), Some(TOKEN));
    assert_eq!(token(&mut target, "carol").as_deref(), Some(kept), "what was there was replaced");
    let secret: String = one(&mut target, "SELECT hftok.get_secret('smtp')", &[]);
    assert_eq!(secret, "a password");
    let row = "SELECT label || to_char(expires_at AT TIME ZONE 'UTC', ' YYYY-MM-DD') FROM hftok.credentials WHERE scope_id = 'alice'";
    assert_eq!(one::<String>(&mut target, row, &[]), "mine 2099-01-01");
    let hosts = "SELECT allowed_hosts FROM hftok.credentials WHERE scope_id = 'acme'";
    assert_eq!(one::<Vec<String>>(&mut target, hosts, &[]), ["api.groq.com"]);
    let key = "SELECT hftok.get_integration_credentials(i.id, 'bob') #>> '{}' FROM hftok.integrations i";
    assert_eq!(one::<String>(&mut target, key, &[]), "sk-proj-abcdefghijklmnopqrstuvwxyz");
    let role = "SELECT role FROM hftok.members WHERE org_id = 'acme' AND user_id = 'alice'";
    assert_eq!(one::<String>(&mut target, role, &[]), "owner");

    let versions =
        "SELECT string_agg(secret_id || version::text, ',' ORDER BY secret_id) FROM hftok.credentials";
    let before: String = one(&mut target, versions, &[]);
    let again = copy(&cluster, &["--people"]);
    let told = "copied 0 named secrets, 0 credentials, 0 integrations, 0 members, 0 administrators; 8 were there, 1 left out";
    assert!(again.out.contains(told), "{again:?}");
    assert_eq!(one::<String>(&mut target, versions, &[]), before);
}

#[test]
fn a_copy_that_was_stopped_goes_on() {
    let cluster = Cluster::start_default();
    fill(&mut cluster.database("source"));
    let mut target = cluster.database("target");
    let to = format!("host={} port=5432 user=postgres dbname=target", cluster.folder().display());
    let mut command = hftok_on(&cluster, "postgres", "source", &["copy", "--to", &to, "--yes"]);
    target.batch_execute("BEGIN; LOCK TABLE hftok_private.secrets IN EXCLUSIVE MODE").expect("locked");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("it starts");
    let mut other = cluster.client("postgres", "target");
    wait_until("it waits for the lock", 20, || {
        one(&mut other, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)", &[])
    });
    signal(child.id(), "INT");
    target.batch_execute("COMMIT").expect("unlocked");
    let stopped = child.wait_with_output().expect("it ends");
    assert_eq!(stopped.status.code(), Some(130), "{stopped:?}");
    assert!(String::from_utf8_lossy(&stopped.stderr).contains("the same command goes on"), "{stopped:?}");
    let count = "SELECT count(*) FROM hftok.secrets";
    assert_eq!(one::<i64>(&mut target, count, &[]), 1, "what was under way is done");
    let copied = copy(&cluster, &[]);
    assert!(copied.out.contains("0 members, 0 administrators"), "nobody was asked for: {copied:?}");
    assert!(copied.out.contains("copied 0 named secrets, 3 credentials, 1 integrations"), "{copied:?}");
}

#[test]
fn an_export_is_copied_into_another_database() {
    let cluster = Cluster::start_default();
    fill(&mut cluster.database("source"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("key.txt"), IDENTITY).expect("written");
    fs::set_permissions(path("key.txt"), fs::Permissions::from_mode(0o600)).expect("chmod");
    let (backup, key) = (path("backup.age"), path("key.txt"));
    let export = ["export", "--to", RECIPIENT, "--output", &backup];
    let exported = said(&mut hftok_on(&cluster, "postgres", "source", &export), "");
    assert_eq!(exported.code, Some(0), "{exported:?}");

    let mut target = cluster.database("target");
    let copied = copy(&cluster, &["--from-export", &backup, "--identity", &key]);
    let told = "copied 1 named secrets, 3 credentials, 1 integrations, 0 members, 0 administrators; 0 were there, 1 left out";
    assert!(copied.code == Some(1) && copied.out.contains(told), "{copied:?}");
    assert_eq!(token(&mut target, "alice").as_deref(), Some(TOKEN));
    let again =
        copy(&cluster, &["--from-export", &backup, "--identity", &key, "--only", "credentials", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&again.out).expect("JSON");
    assert_eq!((again.code, &json["there_already"]), (Some(0), &serde_json::json!(3)), "{again:?}");
}

#[test]
fn nobody_is_asked_and_no_password_is_taken_from_the_line() {
    let asked = said(&mut hftok(&["copy", "--to", "postgresql://u:secret@nowhere/app"]), "");
    assert_eq!(asked.code, Some(2), "{asked:?}");
    assert!(!asked.err.contains("secret@"), "{asked:?}");
}
