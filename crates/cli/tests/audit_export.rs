//! `hftok audit export`: what it writes is believed by a script in another language, and stays one log.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::fs;
use std::path::{Path, PathBuf};

use command::{Said, hftok_on, said};
use hftok_tests::answer::one;
use hftok_tests::audit::{global_token, settled};
use hftok_tests::cluster::Cluster;
use hftok_tests::verifier::verify;
use postgres::Client;
use serde_json::Value;

/// Adds reveals.
fn reveal(client: &mut Client, many: i32) {
    let sql = "SELECT count(hftok.resolve_hf_token('user ' || n)) FROM generate_series(1, $1) n";
    assert_eq!(one::<i64>(client, sql, &[&many]), i64::from(many));
    settled(client);
}

/// Exports the log of a database.
fn export(cluster: &Cluster, database: &str, folder: &Path) -> Said {
    let folder = folder.to_str().expect("a path");
    said(&mut hftok_on(cluster, "postgres", database, &["audit", "export", folder, "--json"]), "")
}

/// Every file of a folder, by its path within.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(inner) = folders.pop() {
        for file in fs::read_dir(inner).expect("a folder") {
            let path = file.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder).expect("within").to_owned());
            }
        }
    }
    files.sort();
    files
}

#[test]
fn an_export_is_brought_up_to_date_and_never_becomes_another_log() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    global_token(&mut client);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut before = 0;
    for many in [1, 100, 300, 0, 700] {
        reveal(&mut client, many);
        let exported = export(&cluster, "app", &log);
        assert_eq!((exported.code, exported.err.as_str()), (Some(0), ""), "{exported:?}");
        let told: Value = serde_json::from_str(&exported.out).expect("JSON");
        assert_eq!(told["before"].as_i64(), Some(before), "{told}");
        before = told["events"].as_i64().expect("a size");
        let key: String = one(&mut client, "SELECT hftok.audit_public_key()", &[]);
        assert_eq!(verify(&log, &key, None), Ok(format!("OK: {before} events")));
        // As if all of it had been exported at once: nothing outgrown is left, and nothing is missing.
        let whole = folder.path().join(format!("whole {before}"));
        assert_eq!(export(&cluster, "app", &whole).code, Some(0));
        assert_eq!(files(&log), files(&whole));
        assert!(files(&log).iter().all(|path| {
            fs::read(log.join(path)).expect("a file") == fs::read(whole.join(path)).expect("a file")
        }));
    }

    // What an export left that was broken off is no part of the log.
    fs::create_dir_all(log.join(".incoming/tile/0")).expect("a folder");
    fs::write(log.join(".incoming/tile/0/000"), "half").expect("write");
    assert_eq!(export(&cluster, "app", &log).code, Some(0));
    assert!(!log.join(".incoming").exists());

    // The log of another database, and files that say something else than they did.
    let mut other = cluster.database("other");
    global_token(&mut other);
    let foreign = export(&cluster, "other", &log);
    assert!(foreign.code == Some(2) && foreign.err.contains("another log"), "{foreign:?}");
    let tile = log.join("tile/0/000");
    let mut bytes = fs::read(&tile).expect("a file");
    bytes[7] ^= 1;
    fs::write(&tile, bytes).expect("write");
    reveal(&mut client, 1);
    let checkpoint = fs::read(log.join("checkpoint")).expect("a checkpoint");
    // The hashes of a whole tile are known by the one above them, which is right: only who verifies the events sees it.
    assert_eq!(export(&cluster, "app", &log).code, Some(0));
    let above = files(&log.join("tile/1")).pop().expect("a file");
    let above = log.join("tile/1").join(above);
    let mut bytes = fs::read(&above).expect("a file");
    bytes[7] ^= 1;
    fs::write(&above, bytes).expect("write");
    reveal(&mut client, 1);
    let refused = export(&cluster, "app", &log);
    assert!(refused.code == Some(1) && refused.out.contains("replaced"), "{refused:?}");
    assert_ne!(fs::read(log.join("checkpoint")).expect("a checkpoint"), checkpoint);
}
