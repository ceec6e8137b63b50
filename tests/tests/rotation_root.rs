//! The root key is rotated while the server runs, and the former one leaves the keyring.

use hftok_tests::answer::{column, create, get, one, put, refused, sealed_reason};
use hftok_tests::cluster::Cluster;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

/// A server whose database "app" has a secret and keys that the first root key wraps; its keyring has the second one too by now.
fn with_two_roots() -> (Cluster, Client, [RootKey; 2]) {
    let keys = [RootKey::random(1), RootKey::random(2)];
    let cluster = Setup::default().keys(&keys[..1]).start();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    cluster.write_keyring(&keys);
    client.batch_execute("SELECT hftok.unseal()").expect("the keyring has one key more");
    (cluster, client, keys)
}

fn rotate(client: &mut Client) -> i32 {
    one(client, "SELECT hftok.rotate_root_key()", &[])
}

fn removable(client: &mut Client) -> Vec<i32> {
    one(client, "SELECT removable_root_key_ids FROM hftok.status()", &[])
}

/// The keyring is another one from now on, by a reload.
#[track_caller]
fn reload_with(cluster: &Cluster, client: &mut Client, keys: &[RootKey], expected: &[i32]) {
    cluster.write_keyring(keys);
    cluster.reload();
    wait_until("the keyring is taken", 20, || {
        one::<Vec<i32>>(client, "SELECT root_key_ids FROM hftok.status()", &[]) == expected
    });
}

#[test]
fn the_former_root_key_leaves_the_keyring_without_a_restart() {
    let (cluster, mut client, keys) = with_two_roots();
    let mut other = cluster.client("postgres", "app");
    assert_eq!(get(&mut other, "kept").expect("opens"), "value");
    assert!(removable(&mut client).is_empty());
    let count: i64 = one(&mut client, "SELECT count(*) FROM hftok_private.data_keys", &[]);
    assert_eq!(i64::from(rotate(&mut client)), count);
    assert_eq!(removable(&mut client), [1]);
    assert_eq!(rotate(&mut client), 0, "there is nothing left to do");

    reload_with(&cluster, &mut client, &keys[1..], &[2]);
    assert_eq!(sealed_reason(&mut client), (false, None));
    for client in [&mut client, &mut other, &mut cluster.client("postgres", "app")] {
        assert_eq!(get(client, "kept").expect("opens"), "value");
        put(client, "kept", "value");
    }
    client.batch_execute("SELECT hftok.seal(); SELECT hftok.unseal()").expect("sealed and open again");
    assert_eq!(get(&mut client, "kept").expect("opens"), "value");
    assert_eq!(
        one::<Option<i64>>(&mut client, "SELECT failed FROM hftok.verify() WHERE kind = 'total'", &[]),
        Some(0)
    );
    cluster.restart();
    assert_eq!(get(&mut cluster.client("postgres", "app"), "kept").expect("opens"), "value");
}

#[test]
fn a_root_key_that_something_needs_does_not_leave() {
    let (cluster, mut client, keys) = with_two_roots();
    let mut other = cluster.database("other");
    create(&mut other, "kept", "value of the other");
    cluster.write_keyring(&[keys[1].clone(), keys[0].clone()]);
    other.batch_execute("SELECT hftok.unseal()").expect("the first is the primary one");
    let mut third = cluster.database("third");
    create(&mut third, "kept", "value of the third");
    cluster.write_keyring(&keys);
    other.batch_execute("SELECT hftok.unseal()").expect("the second is");

    let lacks = |client: &mut Client| {
        let error = refused(client.query("SELECT hftok.unseal()", &[]), "53HF1");
        assert!(error.detail().is_some_and(|detail| detail.contains("lacks root key 1")), "{error:?}");
    };
    cluster.write_keyring(&keys[1..]);
    lacks(&mut client);
    // What is rolled back has rotated nothing.
    let mut rolled_back = client.transaction().expect("begin");
    assert!(one::<i32>(&mut rolled_back, "SELECT hftok.rotate_root_key()", &[]) > 0);
    assert_eq!(get(&mut rolled_back, "kept").expect("opens"), "value");
    drop(rolled_back);
    lacks(&mut client);
    // Neither has a part that is, in a transaction that goes on and is committed.
    client
        .batch_execute("BEGIN; SAVEPOINT s; SELECT hftok.rotate_root_key(); ROLLBACK TO s; COMMIT")
        .expect("rolled back in part");
    lacks(&mut client);
    assert!(rotate(&mut client) > 0);
    // One database is not all.
    lacks(&mut client);
    assert_eq!(rotate(&mut other), 0, "its keys were made with the second one");
    lacks(&mut client);
    assert!(rotate(&mut third) > 0);
    client.batch_execute("SELECT hftok.unseal()").expect("nothing needs it any more");
    for client in [&mut client, &mut other, &mut third] {
        assert!(get(client, "kept").expect("opens").starts_with("value"));
    }
}

/// A database that is dropped takes its need along.
#[test]
fn the_need_of_a_dropped_database_ends_with_it() {
    let (cluster, mut client, keys) = with_two_roots();
    let mut other = cluster.database("other");
    create(&mut other, "kept", "value");
    drop(other);
    assert!(rotate(&mut client) > 0);
    cluster.write_keyring(&keys[1..]);
    client.batch_execute("DROP DATABASE other WITH (FORCE)").expect("dropped");
    wait_until("the keyring is taken", 30, || client.batch_execute("SELECT hftok.unseal()").is_ok());
}

#[test]
fn a_prepared_rotation_counts_once_it_is_committed() {
    let keys = [RootKey::random(1), RootKey::random(2)];
    let cluster = Setup::default().keys(&keys[..1]).setting("max_prepared_transactions = 4").start();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    cluster.write_keyring(&keys);
    client
        .batch_execute(
            "SELECT hftok.unseal(); BEGIN; SELECT hftok.rotate_root_key(); PREPARE TRANSACTION 'r'",
        )
        .expect("prepared");
    cluster.write_keyring(&keys[1..]);
    let mut other = cluster.client("postgres", "app");
    assert_eq!(get(&mut other, "kept").expect("opens"), "value");
    refused(client.query("SELECT hftok.unseal()", &[]), "53HF1");
    other.batch_execute("COMMIT PREPARED 'r'").expect("committed");
    // The next use of a key tells the server.
    assert_eq!(get(&mut other, "kept").expect("opens"), "value");
    client.batch_execute("SELECT hftok.unseal()").expect("nothing needs it any more");
    assert_eq!(get(&mut client, "kept").expect("opens"), "value");
}

/// A standby has a keyring of its own, and is told by the rows that it gets.
#[test]
fn a_standby_follows() {
    let (primary, mut client, keys) = with_two_roots();
    let standby = Setup::standby_of(&primary);
    standby.write_file("keyring", RootKey::keyring(&keys), 0o600);
    standby.configure(&format!("hftok.key_file = '{}'", standby.folder().join("keyring").display()));
    standby.restart();
    let mut reader = standby.client("postgres", "app");
    assert_eq!(get(&mut reader, "kept").expect("opens"), "value");
    assert!(rotate(&mut client) > 0);
    wait_until("the standby has the new wraps", 20, || removable(&mut reader) == [1]);
    assert_eq!(get(&mut reader, "kept").expect("opens"), "value");
    reload_with(&standby, &mut reader, &keys[1..], &[2]);
    reader.batch_execute("SELECT hftok.seal(); SELECT hftok.unseal()").expect("sealed and open again");
    assert_eq!(get(&mut reader, "kept").expect("opens"), "value");
    refused(reader.query("SELECT hftok.rotate_root_key()", &[]), "25006");
}

#[test]
fn the_view_of_root_keys_says_which_backups_need_which() {
    let (cluster, mut client, keys) = with_two_roots();
    let rows = "SELECT concat_ws(' ', id, in_keyring, is_primary, data_keys, needed_by_backups_from IS NOT NULL,
        CASE needed_by_backups_before WHEN 'infinity' THEN 'for ever' ELSE
            (needed_by_backups_before <= clock_timestamp() AND needed_by_backups_before > needed_by_backups_from)::text END)
        FROM hftok.root_keys ORDER BY id";
    let count: i64 = one(&mut client, "SELECT count(*) FROM hftok_private.data_keys", &[]);
    assert_eq!(
        column::<String>(&mut client, rows),
        [format!("1 t f {count} t for ever"), "2 t t 0 f".to_owned()]
    );
    rotate(&mut client);
    assert_eq!(
        column::<String>(&mut client, rows),
        ["1 t f 0 t true".to_owned(), format!("2 t t {count} t for ever")]
    );
    // Rotated back: all backups may need either.
    reload_with(&cluster, &mut client, &[keys[1].clone(), keys[0].clone()], &[2, 1]);
    rotate(&mut client);
    assert_eq!(
        column::<String>(&mut client, rows),
        [format!("1 t t {count} t for ever"), "2 t f 0 t true".to_owned()]
    );
    reload_with(&cluster, &mut client, &keys[..1], &[1]);
    assert_eq!(column::<String>(&mut client, rows)[1], "2 f f 0 t true");
    let fingerprints =
        "SELECT count(DISTINCT fingerprint) FROM hftok.root_keys WHERE fingerprint ~ '^[0-9a-f]{16}$'";
    assert_eq!(one::<i64>(&mut client, fingerprints, &[]), 2);
    for role in ["hftok_admin", "hftok_auditor"] {
        client.batch_execute(&format!("SET ROLE {role}")).expect("role");
        assert_eq!(column::<String>(&mut client, rows).len(), 2);
    }
    refused(client.query("SELECT hftok_private.keyring_state()", &[]), "42501");
}

/// A damaged key that no value is sealed with any more keeps nobody from leaving a root key that somebody else has got.
#[test]
fn a_key_that_does_not_unwrap_is_left_and_named() {
    let (cluster, mut client, _) = with_two_roots();
    let (mut noting, notices) = cluster.client_noting("postgres", "app");
    let damage =
        "UPDATE hftok_private.data_keys SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1)";
    client.batch_execute(&format!("{damage} WHERE purpose = 'values'")).expect("damaged");
    refused(noting.query("SELECT hftok.rotate_root_key()", &[]), "53HF1");
    client
        .batch_execute("UPDATE hftok_private.data_keys SET state = 'retiring' WHERE purpose = 'values'")
        .expect("retired");
    let left: i32 = one(&mut client, "SELECT id FROM hftok_private.data_keys WHERE purpose = 'values'", &[]);
    assert!(rotate(&mut noting) > 0);
    let warned =
        notices.lock().expect("lock").iter().any(|notice| notice.message().contains(&left.to_string()));
    assert!(warned, "{notices:?}");
    assert!(removable(&mut client).is_empty(), "it may yet be mended");
}
