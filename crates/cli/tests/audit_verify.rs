//! A pinned log whose events somebody cuts off, replaces or forks: `hftok audit verify` finds each, with the public key alone.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::fs;
use std::path::Path;

use command::{Said, hftok, hftok_on, said};
use hftok_tests::answer::{create, one};
use hftok_tests::audit::{global_token, settled, without_writer};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use postgres::Client;
use serde_json::Value;

/// Adds reveals, which lie many in a row, and a change, which has one of its own.
fn events(client: &mut Client, name: &str, many: i32) {
    let sql = format!("SELECT count(hftok.resolve_hf_token('{name} ' || n)) FROM generate_series(1, $1) n");
    assert_eq!(one::<i64>(client, &sql, &[&many]), i64::from(many));
    create(client, name, "a value");
    settled(client);
}

/// The number of events.
fn size(client: &mut Client) -> i64 {
    one(client, "SELECT max(size) FROM hftok_private.audit_checkpoints", &[])
}

/// Runs `hftok audit …` as somebody who may read the audit.
#[track_caller]
fn audit(cluster: &Cluster, arguments: &[&str]) -> Said {
    said(&mut hftok_on(cluster, "postgres", "app", &[&["audit"], arguments].concat()), "")
}

/// Runs it, and it must succeed.
#[track_caller]
fn done(cluster: &Cluster, arguments: &[&str]) -> String {
    let said = audit(cluster, arguments);
    assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
    said.out
}

/// What a verification found, as sort and event; its exit code must say the same.
#[track_caller]
fn findings(said: &Said) -> Vec<(String, Option<i64>)> {
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    let found = report["findings"].as_array().expect("findings").iter();
    let found: Vec<_> = found
        .map(|one| (one["finding"].as_str().expect("a sort").to_owned(), one["event"].as_i64()))
        .collect();
    assert_eq!(
        (report["ok"].as_bool(), said.code),
        (Some(found.is_empty()), Some(i32::from(!found.is_empty()))),
        "{said:?}"
    );
    found
}

/// What is found over the server, and then with an export, without any server: the same.
#[track_caller]
fn verified(cluster: &Cluster, folder: &Path, pins: &str) -> Vec<(String, Option<i64>)> {
    let online = audit(cluster, &["verify", "--folder", pins, "--json"]);
    let log = folder.join("log");
    let _ = fs::remove_dir_all(&log);
    let log = log.to_str().expect("a path");
    let exported = audit(cluster, &["export", log]);
    if exported.code == Some(0) {
        let offline = said(&mut hftok(&["audit", "verify", "--log", log, "--folder", pins, "--json"]), "");
        assert_eq!(findings(&offline), findings(&online), "{offline:?}");
    }
    findings(&online)
}

/// Takes the log back to an older checkpoint, as somebody does who rules the database: nothing that is left tells of what was there.
fn take_back(client: &mut Client, to: i64) {
    client
        .batch_execute(&format!(
            "BEGIN; DELETE FROM hftok_private.audit WHERE id > {to}; DELETE FROM hftok_private.audit_bundles WHERE last_id > {to};
             DELETE FROM hftok_private.audit_nodes WHERE (number + 1) << height > {to};
             DELETE FROM hftok_private.audit_checkpoints WHERE size > {to};
             INSERT INTO hftok_private.audit_checkpoints SELECT * FROM older WHERE size = {to} ON CONFLICT DO NOTHING; COMMIT"
        ))
        .expect("taken back");
}

#[test]
fn what_is_cut_off_or_forked_is_found_with_the_public_key_alone() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let folder = tempfile::tempdir().expect("a folder");
    let pins = folder.path().join("pins");
    fs::create_dir(&pins).expect("a folder");
    let pins = pins.to_str().expect("a path");
    global_token(&mut client);
    events(&mut client, "first", 300);
    done(&cluster, &["pin", "--folder", pins]);
    let first = size(&mut client);
    client.batch_execute("CREATE TABLE older AS TABLE hftok_private.audit_checkpoints").expect("kept");
    assert_eq!(verified(&cluster, folder.path(), pins), []);

    events(&mut client, "second", 300);
    done(&cluster, &["pin", "--folder", pins]);
    let second = size(&mut client);
    assert!(second > first + 300);
    assert_eq!(verified(&cluster, folder.path(), pins), []);

    settled(&mut client);
    without_writer(&cluster);
    take_back(&mut client, first);
    assert_eq!(verified(&cluster, folder.path(), pins), [("cut_off".to_owned(), Some(first + 1))]);
    let refused = audit(&cluster, &["pin", "--folder", pins]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.out.contains(&format!("events {} to {second} are missing", first + 1)), "{refused:?}");

    // After a restart no memory tells how long the log was. The server itself finds nothing wrong, and signs what follows.
    drop(client);
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    events(&mut client, "other", 500);
    assert!(size(&mut client) > second);
    assert!(
        one::<bool>(&mut client, "SELECT ok FROM hftok.verify_audit()", &[]),
        "the server believes itself"
    );
    settled(&mut client);
    assert_eq!(verified(&cluster, folder.path(), pins), [("forked".to_owned(), Some(first + 1))]);
    let refused = audit(&cluster, &["pin", "--folder", pins]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.out.contains("forked"), "{refused:?}");
    // Without pins the fork is a log like any other: it is they that find it.
    let key = format!("{pins}/key");
    assert_eq!(findings(&audit(&cluster, &["verify", "--key", &key, "--json"])), []);
    assert_eq!(fs::read_dir(pins).expect("pins").count(), 3, "two pins and the key");
}

/// Edits of a change, of bundles, of nodes and of the newest checkpoint, and what is found of each, and where.
const EDITS: [(&str, &str, At); 9] = [
    ("UPDATE hftok_private.audit SET owner_id = 'mallory' WHERE id = $", "replaced", At::ChangesTile),
    ("UPDATE hftok_private.audit SET at = at + interval '1 us' WHERE id = $", "replaced", At::ChangesTile),
    ("DELETE FROM hftok_private.audit WHERE id = $", "missing", At::ChangesTile),
    ("UPDATE hftok_private.audit SET id = 900000 WHERE id = $", "missing", At::ChangesTile),
    (
        "UPDATE hftok_private.audit_bundles SET body = set_byte(body, length(body) - 1, 77),
         body_hash = sha256(set_byte(body, length(body) - 1, 77)) WHERE last_id = 256",
        "replaced",
        At::First,
    ),
    (
        "UPDATE hftok_private.audit_nodes SET hash = sha256(hash) WHERE number = 0 AND height = 8",
        "replaced",
        At::First,
    ),
    ("UPDATE hftok_private.audit_checkpoints SET root = sha256(root)", "not_signed", At::Nowhere),
    (
        "UPDATE hftok_private.audit_checkpoints SET signature = set_byte(signature, 40, get_byte(signature, 40) # 1)",
        "not_signed",
        At::Nowhere,
    ),
    ("DELETE FROM hftok_private.audit_checkpoints", "cut_off", At::First),
];

/// The event that a finding names.
enum At {
    /// The first event.
    First,
    /// The first event of the 256 that the change lies in.
    ChangesTile,
    /// None.
    Nowhere,
}

#[test]
fn what_is_replaced_is_found_where_it_is() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let folder = tempfile::tempdir().expect("a folder");
    let pins = folder.path().to_str().expect("a path");
    global_token(&mut client);
    events(&mut client, "first", 600);
    done(&cluster, &["pin", "--folder", pins]);
    settled(&mut client);
    without_writer(&cluster);
    let change: i64 = one(&mut client, "SELECT max(id) FROM hftok_private.audit WHERE kind = 'change'", &[]);
    client
        .batch_execute(
            "SET session_replication_role = replica;
             CREATE TABLE kept AS TABLE hftok_private.audit; CREATE TABLE kept_bundles AS TABLE hftok_private.audit_bundles;
             CREATE TABLE kept_nodes AS TABLE hftok_private.audit_nodes;
             CREATE TABLE kept_checkpoints AS TABLE hftok_private.audit_checkpoints",
        )
        .expect("kept");
    for (edit, sort, at) in EDITS {
        client.batch_execute(&edit.replace('$', &change.to_string())).expect("edited");
        let found = audit(&cluster, &["verify", "--folder", pins, "--json"]);
        let event = match at {
            At::First => Some(1),
            At::ChangesTile => Some((change - 1) / 256 * 256 + 1),
            At::Nowhere => None,
        };
        assert_eq!(findings(&found), [(sort.to_owned(), event)], "{edit}: {found:?}");
        client
            .batch_execute(
                "TRUNCATE hftok_private.audit, hftok_private.audit_bundles, hftok_private.audit_nodes, hftok_private.audit_checkpoints;
                 INSERT INTO hftok_private.audit TABLE kept; INSERT INTO hftok_private.audit_bundles TABLE kept_bundles;
                 INSERT INTO hftok_private.audit_nodes TABLE kept_nodes;
                 INSERT INTO hftok_private.audit_checkpoints TABLE kept_checkpoints",
            )
            .expect("undone");
    }
    let verified = || audit(&cluster, &["verify", "--folder", pins, "--json"]);
    assert_eq!(findings(&verified()), []);

    // hftok itself finds a change, and goes on: the log says so for ever.
    client.batch_execute("UPDATE hftok_private.audit_checkpoints SET root = sha256(root)").expect("edited");
    events(&mut cluster.client("postgres", "app"), "later", 1);
    let found = findings(&verified());
    assert!(found.iter().any(|(sort, _)| sort == "damaged"), "{found:?}");
}

#[test]
fn an_export_that_somebody_has_changed_is_refused() {
    let cluster = Setup::default().setting("hftok.audit_retention = 0").start();
    let mut client = cluster.database("app");
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let (log, pin) = (place("log"), place("pin"));
    global_token(&mut client);
    events(&mut client, "first", 400);
    done(&cluster, &["pin", "--file", &pin]);
    events(&mut client, "second", 400);
    done(&cluster, &["export", &log]);
    let verify = || said(&mut hftok(&["audit", "verify", "--log", &log, "--file", &pin, "--json"]), "");
    assert_eq!(findings(&verify()), []);
    let mut files = Vec::new();
    let mut folders = vec![Path::new(&log).to_owned()];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).expect("a folder") {
            let path = file.expect("a file").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    assert!(files.len() >= 9, "{files:?}");
    for path in &files {
        let whole = fs::read(path).expect("a file");
        for at in [0, 40, whole.len() / 2, whole.len() - 2] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(path, &bytes).expect("write");
            let said = verify();
            assert_ne!(said.code, Some(0), "byte {at} of {}: {said:?}", path.display());
        }
        fs::remove_file(path).expect("removed");
        assert_ne!(verify().code, Some(0), "without {}", path.display());
        fs::write(path, &whole).expect("write");
    }
    assert_eq!(findings(&verify()), []);

    let other = place("other.key");
    fs::write(&other, fs::read_to_string(format!("{pin}.key")).expect("a key").replace('+', "x+"))
        .expect("write");
    let said = said(&mut hftok(&["audit", "verify", "--log", &log, "--key", &other]), "");
    assert_eq!(said.code, Some(2), "no key: {said:?}");

    // What was purged is missed by nobody, and the pin from before holds.
    client.batch_execute("CREATE ROLE purger LOGIN SUPERUSER").expect("a role");
    let mut purger = cluster.client("purger", "app");
    let removed: i64 = one(&mut purger, "SELECT hftok.purge_audit(now() + interval '1 minute')", &[]);
    assert!(removed > 512, "{removed}");
    settled(&mut client);
    let purged = place("purged");
    done(&cluster, &["export", &purged]);
    assert!(!Path::new(&purged).join("tile/entries/000").exists());
    let report =
        command::said(&mut hftok(&["audit", "verify", "--log", &purged, "--file", &pin, "--json"]), "");
    assert_eq!(findings(&report), []);
    let report: Value = serde_json::from_str(&report.out).expect("JSON");
    assert_eq!(report["first"].as_i64(), Some(removed + 1));
}
