//! Sealing by hand, unsealing, keys that come while the server runs, and processes that die.

use std::time::{Duration, Instant};

use hftok_tests::answer::{column, create, get, one, refused, row_counts, sealed_reason};
use hftok_tests::cluster::{Cluster, signal};
use hftok_tests::process::titled;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

fn by_hand() -> (bool, Option<String>) {
    (true, Some("sealed by hand".into()))
}

fn kept(cluster: &Cluster, database: &str) -> Result<String, postgres::Error> {
    get(&mut cluster.client("postgres", database), "kept")
}

#[test]
fn sealed_by_hand_is_sealed_everywhere_at_once_and_stays_so() {
    let cluster = Setup::default().durable().start();
    let mut here = cluster.database("here");
    let mut there = cluster.database("there");
    for client in [&mut here, &mut there] {
        create(client, "kept", "value");
        create(client, "given up", "value");
        assert_eq!(get(client, "kept").expect("opens"), "value");
    }
    let counts = row_counts(&mut there);
    here.batch_execute("SELECT hftok.seal()").expect("seal");
    for client in [&mut here, &mut there, &mut cluster.client("postgres", "there")] {
        let error = refused(get(client, "kept"), "53HF1");
        assert_eq!(error.detail(), Some("Sealed by hand."));
        refused(client.query("SELECT decrypted_secret FROM hftok.decrypted_secrets", &[]), "53HF1");
        refused(client.query("SELECT hftok.create_secret('x')", &[]), "53HF1");
        assert_eq!(sealed_reason(client), by_hand());
    }
    assert_eq!(row_counts(&mut there), counts);
    let delete = "DELETE FROM hftok.decrypted_secrets WHERE name = 'given up'";
    refused(here.query(&format!("{delete} RETURNING decrypted_secret"), &[]), "53HF1");
    assert_eq!(here.execute(delete, &[]).expect("what is deleted is not opened"), 1);

    cluster.reload();
    // Nothing is to happen: there is nothing to wait for but time.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(sealed_reason(&mut here), by_hand(), "a reload does not unseal");

    let stays = |cluster: &Cluster, after: &str| {
        let mut client = cluster.client("postgres", "here");
        wait_until("the keyring was looked at", 10, || {
            let (sealed, reason) = sealed_reason(&mut client);
            assert!(sealed, "open after {after}");
            reason == by_hand().1
        });
        refused(get(&mut client, "kept"), "53HF1");
    };
    cluster.restart();
    stays(&cluster, "a restart");
    cluster.kill_postmaster();
    cluster.start();
    stays(&cluster, "the death of the server");
    kill_a_backend(&cluster);
    stays(&cluster, "the death of a session");

    let mut client = cluster.client("postgres", "here");
    let ids: Vec<i32> = one(&mut client, "SELECT key_ids FROM hftok.unseal()", &[]);
    assert_eq!(ids, [1]);
    assert_eq!(get(&mut client, "kept").expect("opens again"), "value");
    assert_eq!(kept(&cluster, "there").expect("opens again"), "value");
    cluster.restart();
    assert_eq!(kept(&cluster, "here").expect("unsealed stays over a restart, too"), "value");
}

/// Kills the process of a session.
fn kill_a_backend(cluster: &Cluster) {
    let mut victim = cluster.client("postgres", "postgres");
    let id: i32 = one(&mut victim, "SELECT pg_backend_pid()", &[]);
    cluster.kill_process(id.unsigned_abs());
}

#[test]
fn after_a_session_died_values_open_again() {
    let cluster = Setup::default().durable().start();
    create(&mut cluster.database("app"), "kept", "value");
    for _ in 0..2 {
        kill_a_backend(&cluster);
        assert_eq!(kept(&cluster, "app").expect("opens again"), "value");
        cluster
            .client("postgres", "app")
            .batch_execute("SELECT hftok.unseal()")
            .expect("the worker is there");
    }
}

#[test]
fn the_end_of_the_worker_loses_nothing() {
    const WORKER: &str = "hftok keyring";
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    for by in ["TERM", "pg_terminate_backend"] {
        let before = titled(&cluster, WORKER).expect("the worker runs");
        match by {
            "TERM" => signal(before, by),
            // Postgres may know no such session, since the worker has no database: then nothing happens.
            _ => drop(
                client.query("SELECT pg_terminate_backend($1)", &[&i32::try_from(before).expect("an id")]),
            ),
        }
        assert_eq!(get(&mut client, "kept").expect("keys are still there"), "value");
        assert_eq!(kept(&cluster, "app").expect("for others, too"), "value");
        if by == "TERM" {
            wait_until("the worker was started again", 10, || {
                titled(&cluster, WORKER).is_some_and(|now| now != before)
            });
        }
        wait_until("a worker is there", 10, || titled(&cluster, WORKER).is_some());
        // The new one is the one that requests wake.
        let call = Instant::now();
        client.batch_execute("SELECT hftok.unseal()").expect("unseal");
        assert!(call.elapsed() < Duration::from_secs(5), "unseal() took {:?}", call.elapsed());
        assert_eq!(get(&mut client, "kept").expect("opens"), "value");
    }
    client.batch_execute("SELECT hftok.seal()").expect("seal");
    signal(titled(&cluster, WORKER).expect("the worker runs"), "TERM");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(sealed_reason(&mut client), by_hand(), "the new worker keeps the seal");
}

#[test]
fn a_broken_keyring_does_not_take_away_the_keys_that_are_there() {
    let key = RootKey::random(1);
    let cluster = Setup::default().keys(std::slice::from_ref(&key)).start();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    for (content, mode, complaint) in [
        ("1:nonsense".to_owned(), 0o600, "ine 1 of the keyring"),
        (RootKey::keyring(std::slice::from_ref(&key)), 0o644, "by others than its owner"),
    ] {
        cluster.write_file("keyring", content, mode);
        let error = refused(client.query("SELECT hftok.unseal()", &[]), "53HF1");
        assert!(error.detail().is_some_and(|detail| detail.contains(complaint)), "{error:?}");
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{error:?}");
        let (sealed, reason) = sealed_reason(&mut client);
        assert!(
            !sealed && reason.as_ref().is_some_and(|reason| reason.contains(complaint)),
            "{sealed} {reason:?}"
        );
        assert_eq!(get(&mut client, "kept").expect("the keys stay in use"), "value");
        create(&mut client, &format!("under {complaint}"), "value");
    }
    std::fs::remove_file(cluster.keyring()).expect("remove");
    let error = refused(client.query("SELECT hftok.unseal()", &[]), "53HF1");
    assert!(error.hint().is_some_and(|hint| hint.contains("hftok.key_file")), "{error:?}");
    assert_eq!(kept(&cluster, "app").expect("the keys stay in use"), "value");

    cluster.write_keyring(&[key]);
    client.batch_execute("SELECT hftok.unseal()").expect("mended");
    assert_eq!(sealed_reason(&mut client), (false, None));
}

#[test]
fn a_second_root_key_becomes_the_primary_by_a_reload() {
    let (old, new) = (RootKey::random(5), RootKey::random(3));
    let cluster = Setup::default().keys(std::slice::from_ref(&old)).start();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    cluster.write_keyring(&[old, new]);
    cluster.reload();
    let primary = |client: &mut Client| {
        one::<Option<i32>>(client, "SELECT primary_root_key_id FROM hftok.status()", &[])
    };
    wait_until("the primary changed", 10, || primary(&mut client) == Some(3));
    assert_eq!(one::<Vec<i32>>(&mut client, "SELECT root_key_ids FROM hftok.status()", &[]), [5, 3]);
    // This database still needs the former root key; a database without keys needs neither.
    let removable = "SELECT removable_root_key_ids FROM hftok.status()";
    assert_eq!(one::<Vec<i32>>(&mut client, removable, &[]), Vec::<i32>::new());
    assert_eq!(get(&mut client, "kept").expect("old values open"), "value");
    create(&mut client, "later", "value");
    let wrapped_by = "SELECT DISTINCT root_key_id FROM hftok_private.data_keys";
    assert_eq!(column::<i32>(&mut client, wrapped_by), [5]);
    let mut fresh = cluster.database("fresh");
    create(&mut fresh, "first", "value");
    assert_eq!(column::<i32>(&mut fresh, wrapped_by), [3], "new data keys are wrapped by the primary");
    assert_eq!(one::<Vec<i32>>(&mut fresh, removable, &[]), [5]);
}

#[test]
fn a_keyring_that_appears_late_is_found_without_help() {
    let key = RootKey::random(1);
    let cluster = Setup::default().keys(std::slice::from_ref(&key)).make();
    std::fs::remove_file(cluster.keyring()).expect("remove");
    cluster.start();
    let mut client = cluster.database("app");
    refused(client.query("SELECT hftok.create_secret('x')", &[]), "53HF1");
    cluster.write_keyring(&[key]);
    wait_until("the keyring was found", 15, || !sealed_reason(&mut client).0);
    create(&mut client, "kept", "value");
}
