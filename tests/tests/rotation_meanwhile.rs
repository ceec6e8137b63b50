//! A data key is rotated while others read and write: nobody notices, and no key goes that anybody may still need.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hftok_tests::answer::{create, get, one, put};
use hftok_tests::cluster::Cluster;
use hftok_tests::rotation::{active, destroyed, faults, rotate, rows_of, state};
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::{Client, IsolationLevel};

fn waits_for(client: &mut Client, key: i32) -> Option<String> {
    one(client, "SELECT waits_for FROM hftok.rotation_progress WHERE key_id = $1", &[&key])
}

/// The key waits for this, and is not destroyed however long it is looked at.
#[track_caller]
fn waits(client: &mut Client, key: i32, what: &str) {
    wait_until(&format!("the rotation waits for {what}"), 30, || {
        waits_for(client, key).is_some_and(|waits| waits.starts_with(what))
    });
    thread::sleep(Duration::from_secs(3));
    assert_ne!(state(client, key), "finished");
}

#[test]
fn a_transaction_that_sealed_with_the_former_key_is_waited_for() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    let mut other = cluster.client("postgres", "app");
    let mut open = other.transaction().expect("begin");
    one::<uuid::Uuid>(&mut open, "SELECT hftok.create_secret('late', 'late')", &[]);
    let former = rotate(&mut client);
    waits(&mut client, former, "transactions");
    // It knows of the rotation by now.
    one::<uuid::Uuid>(&mut open, "SELECT hftok.create_secret('later', 'later')", &[]);
    open.commit().expect("commit");
    destroyed(&mut client, former);
    for (name, value) in [("kept", "value"), ("late", "late"), ("later", "later")] {
        assert_eq!(get(&mut client, name).expect("opens"), value);
    }
    assert_eq!(faults(&mut client), 0);
}

#[test]
fn a_prepared_transaction_that_sealed_with_the_former_key_is_waited_for() {
    let cluster = Setup::default().setting("max_prepared_transactions = 4").start();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    client
        .batch_execute("BEGIN; SELECT hftok.create_secret('late', 'late'); SELECT hftok.put_secret('kept', 'newer'); PREPARE TRANSACTION 'p'")
        .expect("prepared");
    let former = rotate(&mut client);
    // It holds a row, too.
    waits(&mut client, former, "rows that other transactions");
    client.batch_execute("COMMIT PREPARED 'p'").expect("committed");
    destroyed(&mut client, former);
    client
        .batch_execute("BEGIN; SELECT hftok.create_secret('another', 'another'); PREPARE TRANSACTION 'q'")
        .expect("prepared");
    let former = rotate(&mut client);
    waits(&mut client, former, "transactions");
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    waits(&mut client, former, "transactions");
    client.batch_execute("COMMIT PREPARED 'q'").expect("committed");
    destroyed(&mut client, former);
    for (name, value) in [("kept", "newer"), ("late", "late"), ("another", "another")] {
        assert_eq!(get(&mut client, name).expect("opens"), value);
    }
    assert_eq!(one::<String>(&mut client, "SELECT hftok.get_secret('kept', 1)", &[]), "value");
    assert_eq!(faults(&mut client), 0);
}

/// A view shows what the snapshot of its statement shows: the rows as they were, which only the former key opens.
#[test]
fn a_reader_with_an_old_snapshot_is_waited_for() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    client.batch_execute("CREATE ROLE reader LOGIN IN ROLE hftok_service").expect("role");
    let mut other = cluster.client("reader", "app");
    let mut old =
        other.build_transaction().isolation_level(IsolationLevel::RepeatableRead).start().expect("begin");
    assert_eq!(one::<i64>(&mut old, "SELECT count(*) FROM hftok.secrets", &[]), 1);
    let former = rotate(&mut client);
    waits(&mut client, former, "snapshots");
    assert_eq!(rows_of(&mut client, former), 0);
    let opened = "SELECT decrypted_secret FROM hftok.decrypted_secrets";
    assert_eq!(one::<Option<String>>(&mut old, opened, &[]).as_deref(), Some("value"));
    old.commit().expect("commit");
    destroyed(&mut client, former);
    assert_eq!(one::<Option<String>>(&mut other, opened, &[]).as_deref(), Some("value"));
}

/// Sessions remember which key is active, and keep plans and shortcuts.
#[test]
fn sessions_older_than_the_rotation_go_on() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    for number in 0..200 {
        create(&mut client, &format!("s{number}"), &format!("v{number}"));
    }
    client
        .batch_execute("SELECT hftok.save_credential('openai', 'sk-proj-a7Bc9Dd2Ee4Ff6Gg8Hh0', p_user_id => 'u' || n) FROM generate_series(1, 200) n")
        .expect("saved");
    let mut old: Vec<Client> = (0..4).map(|_| cluster.client("postgres", "app")).collect();
    let plans: Vec<_> = old
        .iter_mut()
        .map(|session| {
            let read = session.prepare("SELECT hftok.get_secret($1)").expect("prepared");
            let walk = session.prepare("SELECT (hftok.resolve_token('openai', $1)).token").expect("prepared");
            let write = session.prepare("SELECT hftok.put_secret($1, $2)").expect("prepared");
            for number in 0..200 {
                session.query_one(&read, &[&format!("s{number}")]).expect("reads");
                session.query_one(&walk, &[&format!("u{}", number + 1)]).expect("resolves");
            }
            session.query_one(&write, &[&"s0", &"v0"]).expect("writes");
            (read, walk, write)
        })
        .collect();
    let former = rotate(&mut client);
    destroyed(&mut client, former);
    for (session, (read, walk, write)) in old.iter_mut().zip(plans) {
        for number in 0..200 {
            let value: String = session.query_one(&read, &[&format!("s{number}")]).expect("reads").get(0);
            assert_eq!(value, format!("v{number}"));
            session.query_one(&walk, &[&format!("u{}", number + 1)]).expect("resolves");
        }
        session.query_one(&write, &[&"s1", &"v1"]).expect("writes");
    }
    assert_eq!(rows_of(&mut client, former), 0);
    assert_eq!(faults(&mut client), 0);
}

/// Readers and writers go on through several rotations. No call fails, every answer is one that was written, and what was written last
/// is there in the end.
#[test]
fn readers_and_writers_notice_nothing() {
    const SECRETS: usize = 300;
    let cluster = Setup::default().setting("max_wal_size = 1GB").start();
    let mut client = cluster.database("app");
    for number in 0..SECRETS {
        create(&mut client, &format!("s{number}"), &format!("{number}/0"));
    }
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for reader in 0..3 {
            let (cluster, is_over) = (&cluster, &is_over);
            scope.spawn(move || {
                let mut session = cluster.client("postgres", "app");
                let mut number = reader;
                while !is_over.load(Ordering::Relaxed) {
                    number = (number + 7) % SECRETS;
                    let value = get(&mut session, &format!("s{number}")).expect("reads");
                    assert!(value.starts_with(&format!("{number}/")), "{number}: {value}");
                    let all: i64 = one(
                        &mut session,
                        "SELECT count(*) FROM hftok.decrypted_secrets WHERE decrypted_secret IS NULL",
                        &[],
                    );
                    assert_eq!(all, 0, "a row did not open");
                }
            });
        }
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let (cluster, is_over) = (&cluster, &is_over);
                scope.spawn(move || {
                    let mut session = cluster.client("postgres", "app");
                    let mut written = vec![0; SECRETS];
                    let mut number = writer;
                    while !is_over.load(Ordering::Relaxed) {
                        written[number] += 1;
                        put(&mut session, &format!("s{number}"), &format!("{number}/{}", written[number]));
                        number = (number + 2) % SECRETS;
                    }
                    written
                })
            })
            .collect();
        for _ in 0..4 {
            let former = rotate(&mut client);
            destroyed(&mut client, former);
        }
        is_over.store(true, Ordering::Relaxed);
        for (writer, written) in writers.into_iter().enumerate() {
            let written = written.join().expect("a writer");
            for number in (writer..SECRETS).step_by(2) {
                let value = get(&mut client, &format!("s{number}")).expect("reads");
                assert_eq!(value, format!("{number}/{}", written[number]));
            }
        }
    });
    assert_eq!(faults(&mut client), 0);
    let live: i64 =
        one(&mut client, "SELECT count(*) FROM hftok_private.data_keys WHERE state <> 'destroyed'", &[]);
    assert_eq!(live, 4, "one for each purpose");
    assert_ne!(active(&mut client), 0);
}

/// What a rolled-back part of a transaction held is nothing that is kept.
#[test]
fn parts_of_transactions_that_are_rolled_back_hold_nothing() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    let mut other = cluster.client("postgres", "app");
    let mut open = other.transaction().expect("begin");
    let mut part = open.transaction().expect("savepoint");
    one::<uuid::Uuid>(&mut part, "SELECT hftok.create_secret('gone', 'gone')", &[]);
    part.rollback().expect("rolled back");
    let former = rotate(&mut client);
    // Its own id is older than the horizon, so that snapshots are said to be.
    wait_until("nothing is left but that", 30, || {
        waits_for(&mut client, former).is_some_and(|waits| waits.starts_with("snapshots"))
            || state(&mut client, former) == "finished"
    });
    one::<uuid::Uuid>(&mut open, "SELECT hftok.put_secret('kept', 'newer')", &[]);
    open.commit().expect("commit");
    destroyed(&mut client, former);
    assert_eq!(get(&mut client, "kept").expect("opens"), "newer");
    assert_eq!(faults(&mut client), 0);
}
