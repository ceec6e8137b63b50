//! The keyring is damaged while the server runs: the former keys stay in use, status() says the reason, nothing is written
//! under another key, and the repaired keyring is taken without a restart. tests/tests/keyring.rs has the same faults at the start.

use std::fs;
use std::time::{Duration, Instant};

use hftok_tests::answer::{create, get, one, put, refused, sealed_reason};
use hftok_tests::cluster::Cluster;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

/// A way to damage the keyring, and a part of the reason that status() then tells.
struct Fault {
    does: fn(&Cluster, &str),
    reason: &'static str,
}

const FILE_FAULTS: [Fault; 7] = [
    Fault {
        does: |cluster, _| fs::remove_file(cluster.keyring()).expect("removed"),
        reason: "the key file cannot be read: No such file",
    },
    Fault { does: |cluster, _| write(cluster, ""), reason: "the keyring holds no key" },
    // Within the key itself.
    Fault {
        does: |cluster, text| write(cluster, &text[..text.len() / 2]),
        reason: "line 1 of the keyring is not",
    },
    // One digit is missing at the end.
    Fault {
        does: |cluster, text| write(cluster, &text.trim_end()[..text.trim_end().len() - 1]),
        reason: "line 1 of the keyring is not",
    },
    Fault {
        does: |cluster, _| write(cluster, &RootKey::keyring(&[RootKey::random(1)])),
        reason: "the keyring has another root key 1",
    },
    Fault {
        does: |cluster, _| write(cluster, &RootKey::keyring(&[RootKey::random(2)])),
        reason: "the keyring lacks root key 1",
    },
    Fault {
        does: |cluster, text| {
            cluster.write_file("keyring", text, 0o640);
        },
        reason: "the key file can be read or changed by others",
    },
];

fn write(cluster: &Cluster, text: &str) {
    cluster.write_file("keyring", text, 0o600);
}

/// A server with a secret, and the text of its keyring.
fn with_a_secret() -> (Cluster, Client, String) {
    let key = RootKey::random(1);
    let cluster = Setup::default().keys(std::slice::from_ref(&key)).start();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    (cluster, client, RootKey::keyring(&[key]))
}

/// Waits until status() tells of a trouble, while the keys stay in use.
#[track_caller]
fn troubled(client: &mut Client, reason: &str) {
    let mut told = None;
    wait_until(&format!("status() says {reason:?}"), 40, || {
        told = sealed_reason(client).1;
        told.as_ref().is_some_and(|told| told.contains(reason))
    });
    assert!(!sealed_reason(client).0, "the former keys stay in use: {told:?}");
}

/// Waits until nothing is the matter any more.
#[track_caller]
fn recovered(client: &mut Client) {
    wait_until("the repaired keyring is in use", 40, || sealed_reason(client) == (false, None));
}

/// Reads and writes go on under the keys that were in use, in this session, in a new one and in a database without data keys, and
/// what is wrapped meanwhile is wrapped by the former root key.
#[track_caller]
fn works_as_before(cluster: &Cluster, client: &mut Client, fresh: &str, value: &str) {
    put(client, "kept", value);
    let mut other = cluster.client("postgres", "app");
    assert_eq!(get(&mut other, "kept").expect("opens"), value);
    let mut fresh = cluster.database(fresh);
    create(&mut fresh, "new", value);
    for client in [client, &mut fresh] {
        client.query("SELECT hftok.rotate_root_key()", &[]).expect("wrapped by the primary key of now");
        let wrapped_by = "SELECT string_agg(DISTINCT root_key_id::text, ' ') FROM hftok_private.data_keys";
        assert_eq!(one::<String>(client, wrapped_by, &[]), "1");
        assert_eq!(one::<i64>(client, "SELECT failed FROM hftok.verify() WHERE kind = 'total'", &[]), 0);
    }
}

#[test]
fn a_key_file_that_is_damaged_while_the_server_runs_changes_nothing_until_it_is_repaired() {
    let (cluster, mut client, text) = with_a_secret();
    for (number, fault) in FILE_FAULTS.iter().enumerate() {
        (fault.does)(&cluster, &text);
        cluster.reload();
        troubled(&mut client, fault.reason);
        let error = refused(client.query("SELECT hftok.unseal()", &[]), "53HF1");
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "a remedy: {error:?}");
        works_as_before(&cluster, &mut client, &format!("fresh_{number}"), &format!("value {number}"));
        write(&cluster, &text);
        cluster.reload();
        recovered(&mut client);
        // The keys of the repaired file open what was written meanwhile.
        let mut later = cluster.client("postgres", "app");
        client.batch_execute("SELECT hftok.seal(); SELECT hftok.unseal()").expect("read anew");
        assert_eq!(get(&mut later, "kept").expect("opens"), format!("value {number}"));
    }
}

#[test]
fn a_damaged_key_file_at_the_start_is_repaired_without_a_restart() {
    let (cluster, client, text) = with_a_secret();
    drop(client);
    for fault in &FILE_FAULTS {
        (fault.does)(&cluster, &text);
        cluster.restart();
        let mut client = cluster.client("postgres", "app");
        // A key that is well-formed and not the right one is noticed where a data key is to be unwrapped.
        refused(get(&mut client, "kept"), "53HF1");
        let before: i64 = one(&mut client, "SELECT count(*) FROM hftok_private.secrets", &[]);
        refused(client.query("SELECT hftok.create_secret('x', 'other')", &[]), "53HF1");
        refused(client.query("SELECT hftok.rotate_root_key()", &[]), "53HF1");
        refused(client.query("SELECT hftok.rotate_data_key()", &[]), "53HF1");
        assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM hftok_private.secrets", &[]), before);
        write(&cluster, &text);
        cluster.reload();
        wait_until("the repaired keyring is in use", 40, || get(&mut client, "kept").is_ok());
        assert_eq!(sealed_reason(&mut client), (false, None));
        assert_eq!(get(&mut client, "kept").expect("opens"), "value");
    }
}

#[test]
fn a_key_command_that_fails_or_hangs_while_the_server_runs_keeps_nobody_waiting() {
    let (cluster, mut client, text) = with_a_secret();
    let good = cluster.write_file("printed", &text, 0o600);
    cluster.configure("hftok.key_file = ''");
    for (number, (command, reason)) in [
        ("exit 3", "the key command ended with status 3"),
        ("kill -9 $$", "the key command was ended by signal 9"),
        (":", "the keyring holds no key"),
        ("echo 2:00", "line 1 of the keyring is not"),
        // The limit is 30 seconds.
        ("sleep 1000 & sleep 1000", "the key command took too long"),
    ]
    .into_iter()
    .enumerate()
    {
        cluster.configure(&format!("hftok.key_command = '{command}'"));
        cluster.reload();
        let begin = Instant::now();
        assert_eq!(
            get(&mut client, "kept").map_err(|error| error.to_string()).as_deref().map(str::is_empty),
            Ok(false)
        );
        assert!(begin.elapsed() < Duration::from_secs(5), "{command}: an answer took {:?}", begin.elapsed());
        troubled(&mut client, reason);
        works_as_before(&cluster, &mut client, &format!("fresh_{number}"), &format!("value {number}"));
        cluster.configure(&format!("hftok.key_command = 'cat {}'", good.display()));
        cluster.reload();
        recovered(&mut client);
        assert_eq!(get(&mut client, "kept").expect("opens"), format!("value {number}"));
    }
}
