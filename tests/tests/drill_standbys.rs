//! docs/drills.md: a base backup that is restored, and a standby that takes over.

use hftok_tests::answer::{create, get, one, refused};
use hftok_tests::audit::{TOKEN, count, global_token, settled, verified};
use hftok_tests::cluster::Cluster;
use hftok_tests::drill::Drill;
use hftok_tests::files::files_with;
use postgres::Client;

const RESOLVE: &str = "SELECT hftok.resolve_hf_token('alice')";
const VALUE: &str = "a value that is in no backup";

/// A server with a database `app`, whose checkpoints have everything that was saved.
fn with_secrets() -> (Cluster, Client) {
    let primary = Cluster::start_default();
    let mut client = primary.database("app");
    create(&mut client, "name", VALUE);
    global_token(&mut client);
    client.batch_execute("CREATE ROLE backend LOGIN IN ROLE hftok_service").expect("a role");
    (primary, client)
}

#[test]
fn a_base_backup_opens_with_the_keyring_and_not_without() {
    let (primary, _client) = with_secrets();
    let mut drill = Drill::of(&primary, "drills.md", "Base backup");
    let answer = drill.step();
    assert!(answer.contains(" t      | the key file cannot be read"), "sealed, and why: {answer}");
    let mut restored = drill.client(5433, "backend");
    refused(get(&mut restored, "name"), "53HF1");
    assert_eq!(files_with(drill.folder(), &[VALUE, TOKEN]), Vec::<std::path::PathBuf>::new());
    let keyring = std::fs::read_to_string(primary.keyring()).expect("the keyring");
    let key = keyring.trim().split_once(':').expect("a key").1;
    assert_eq!(files_with(drill.folder(), &[key]), Vec::<std::path::PathBuf>::new());
    let answer = drill.step();
    assert!(answer.contains("|      0\n"), "nothing fails: {answer}");
    assert_eq!(get(&mut restored, "name").expect("opens"), VALUE);
    assert_eq!(one::<String>(&mut restored, RESOLVE, &[]), TOKEN);
    drill.end();
}

#[test]
fn a_standby_resolves_and_takes_over() {
    let (primary, mut client) = with_secrets();
    let events = verified(&mut client);
    let mut drill = Drill::of(&primary, "drills.md", "Standby and failover");
    let answer = drill.step();
    assert!(answer.contains("t                 | f      |") && answer.contains("|      0\n"), "{answer}");
    let mut standby = drill.client(5433, "backend");
    assert_eq!(one::<String>(&mut standby, RESOLVE, &[]), TOKEN);
    refused(standby.query("SELECT hftok.put_secret('name', 'x')", &[]), "25006");

    drill.step();
    assert_eq!(one::<String>(&mut standby, RESOLVE, &[]), TOKEN);
    let answer = drill.step();
    assert!(answer.contains("t  |"), "the audit verifies: {answer}");
    let mut promoted = drill.client(5433, "postgres");
    settled(&mut promoted);
    assert_eq!(count(&mut promoted, "action = 'delete_secret' AND outcome = 'committed'"), 1);
    assert!(verified(&mut promoted) > events, "the same chain goes on");
    assert_eq!(get(&mut promoted, "name").expect("opens"), VALUE);
    let answer = drill.step();
    assert!(answer.contains("| finished\n"), "the former data key is destroyed: {answer}");
    assert!(answer.ends_with("|      0\n(1 row)\n\n"), "nothing fails: {answer}");
    let roots = "SELECT DISTINCT root_key_id FROM hftok_private.data_keys WHERE state <> 'destroyed'";
    assert_eq!(one::<i32>(&mut promoted, roots, &[]), 9999);
    assert_eq!(one::<String>(&mut standby, RESOLVE, &[]), TOKEN, "a session from before");
    assert_eq!(get(&mut promoted, "name").expect("opens"), VALUE);
    drill.end();
}
