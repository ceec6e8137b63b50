//! A rotation of data keys is stopped in the middle, in every way, and goes on.

use std::time::{Duration, Instant};

use hftok_tests::answer::{get, one, refused, sealed_reason};
use hftok_tests::cluster::{Cluster, Stop, signal};
use hftok_tests::rotation::{destroyed, faults, resealer, rotate, rows_of, state};
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

const SECRETS: i64 = 400;

/// A server that seals as many values anew in a second.
fn throttled(rate: u32) -> (Cluster, Client) {
    let cluster = Setup::default().setting(&format!("hftok.reseal_rate = {rate}")).start();
    let mut client = cluster.database("app");
    client
        .execute(
            "SELECT hftok.create_secret('v' || n, 's' || n) FROM generate_series(1, $1::bigint) n",
            &[&SECRETS],
        )
        .expect("saved");
    (cluster, client)
}

/// Waits until some rows are done, and not all.
#[track_caller]
fn in_the_middle(client: &mut Client, former: i32) {
    wait_until("some rows are done", 20, || (1..SECRETS).contains(&rows_of(client, former)));
}

/// The rotation goes on as fast as it can, and everything is there in the end.
#[track_caller]
fn goes_on(cluster: &Cluster, client: &mut Client, former: i32) {
    cluster.configure("hftok.reseal_rate = 0");
    cluster.reload();
    destroyed(client, former);
    let done: i64 = one(client, "SELECT done FROM hftok.rotation_progress WHERE key_id = $1", &[&former]);
    assert_eq!(done, SECRETS, "each row is counted once");
    assert_eq!(faults(client), 0);
    assert_eq!(get(client, "s7").expect("opens"), "v7");
}

#[test]
fn the_rate_is_kept_and_follows_the_configuration() {
    let (cluster, mut client) = throttled(100);
    let begun = Instant::now();
    let former = rotate(&mut client);
    in_the_middle(&mut client, former);
    // After the first batch alone the rate that is shown may be anything.
    wait_until("a second has passed, with more than two batches", 20, || {
        begun.elapsed() > Duration::from_secs(1) && SECRETS - rows_of(&mut client, former) > 40
    });
    let done = SECRETS - rows_of(&mut client, former);
    let elapsed = begun.elapsed();
    // A batch is ahead of its time.
    let most = 100.0 * elapsed.as_secs_f64() + 40.0;
    assert!(done > 0 && (done as f64) < most, "{done} after {elapsed:?}");
    let row = client
        .query_one(
            "SELECT state, rate, eta > now(), eta < now() + '1 minute' FROM hftok.rotation_progress",
            &[],
        )
        .expect("progress");
    assert_eq!(row.get::<_, String>(0), "running");
    assert!(row.get::<_, Option<f64>>(1).is_none_or(|rate| rate < 250.0));
    goes_on(&cluster, &mut client, former);
}

#[test]
fn a_resealer_that_is_ended_is_followed_by_another() {
    let (cluster, mut client) = throttled(50);
    let former = rotate(&mut client);
    in_the_middle(&mut client, former);
    let first = resealer(&cluster).expect("a resealer");
    signal(first, "TERM");
    wait_until("another one comes", 20, || resealer(&cluster).is_some_and(|now| now != first));
    goes_on(&cluster, &mut client, former);
}

#[test]
fn a_resealer_that_is_killed_is_followed_by_another() {
    let (cluster, mut client) = throttled(50);
    let former = rotate(&mut client);
    in_the_middle(&mut client, former);
    cluster.kill_process(resealer(&cluster).expect("a resealer"));
    let mut client = cluster.client("postgres", "app");
    wait_until("another one comes", 20, || resealer(&cluster).is_some());
    goes_on(&cluster, &mut client, former);
}

#[test]
fn a_restart_and_a_crash_are_survived() {
    let (cluster, mut client) = throttled(50);
    let former = rotate(&mut client);
    in_the_middle(&mut client, former);
    for how in [Stop::Fast, Stop::Immediate] {
        cluster.stop(how);
        cluster.start();
        let mut client = cluster.client("postgres", "app");
        wait_until("a resealer comes", 20, || resealer(&cluster).is_some());
        assert!(rows_of(&mut client, former) < SECRETS);
    }
    goes_on(&cluster, &mut cluster.client("postgres", "app"), former);
}

#[test]
fn it_waits_while_hftok_is_sealed() {
    let (cluster, mut client) = throttled(50);
    let former = rotate(&mut client);
    in_the_middle(&mut client, former);
    client.batch_execute("SELECT hftok.seal()").expect("seal");
    wait_until("the resealer leaves", 20, || resealer(&cluster).is_none());
    let left = rows_of(&mut client, former);
    assert_eq!(state(&mut client, former), "sealed");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((rows_of(&mut client, former), resealer(&cluster)), (left, None));
    refused(client.query("SELECT hftok.rotate_data_key()", &[]), "53HF1");
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    assert!(sealed_reason(&mut client).0);
    assert_eq!((rows_of(&mut client, former), resealer(&cluster)), (left, None));
    client.batch_execute("SELECT hftok.unseal()").expect("unseal");
    goes_on(&cluster, &mut client, former);
    assert!(!cluster.log().contains("held up"), "to be sealed is no fault");
}

/// A standby starts no resealer; after its promotion it goes on where the primary was.
#[test]
fn a_standby_goes_on_after_its_promotion() {
    let (primary, mut client) = throttled(50);
    let standby = Setup::standby_of(&primary);
    let former = rotate(&mut client);
    in_the_middle(&mut client, former);
    let mut reader = standby.client("postgres", "app");
    wait_until("the standby has the rotation", 20, || state(&mut reader, former) == "standby");
    assert_eq!(get(&mut reader, "s7").expect("opens"), "v7");
    assert!(resealer(&standby).is_none());
    primary.stop(Stop::Immediate);
    assert!(one::<bool>(&mut reader, "SELECT pg_promote()", &[]));
    wait_until("a resealer comes", 20, || resealer(&standby).is_some());
    goes_on(&standby, &mut reader, former);
    let former = rotate(&mut reader);
    destroyed(&mut reader, former);
    assert_eq!(get(&mut reader, "s8").expect("opens"), "v8");
}

/// Many databases, and one of them is dropped in the middle.
#[test]
fn a_database_with_a_resealer_in_it_can_be_dropped_by_force() {
    let (cluster, mut client) = throttled(20);
    let mut others: Vec<(Client, i32)> = ["one", "two", "three"]
        .map(|name| {
            let mut other = cluster.database(name);
            one::<uuid::Uuid>(&mut other, "SELECT hftok.create_secret('v7', 's7')", &[]);
            let former = rotate(&mut other);
            (other, former)
        })
        .into();
    for (other, former) in &mut others {
        destroyed(other, *former);
    }
    let former = rotate(&mut client);
    in_the_middle(&mut client, former);
    drop(client);
    others[0].0.batch_execute("DROP DATABASE app WITH (FORCE)").expect("dropped");
    wait_until("no resealer is left", 20, || resealer(&cluster).is_none());
    let (other, _) = &mut others[1];
    let former = rotate(other);
    destroyed(other, former);
    assert_eq!(get(other, "s7").expect("opens"), "v7");
}

/// A copy has the rotations of its original, and no keys before it is adopted.
#[test]
fn a_copy_waits_to_be_adopted() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client
        .batch_execute(
            "SELECT hftok.create_secret('v7', 's7'), hftok.create_secret('v8', 's8');
             UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE name = 's8'",
        )
        .expect("saved");
    let former = rotate(&mut client);
    wait_until("the rotation comes to its end", 30, || state(&mut client, former) == "kept");
    drop(client);
    wait_until("nobody is in the database", 30, || {
        cluster.client("postgres", "postgres").batch_execute("CREATE DATABASE copy TEMPLATE app").is_ok()
    });
    let mut copy = cluster.client("postgres", "copy");
    cluster.reload();
    let waits = "SELECT waits_for = 'this is a copy' FROM hftok.rotation_progress";
    wait_until("it says so", 30, || one::<bool>(&mut copy, waits, &[]));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(cluster.log().matches("held up and tried again: this is a copy").count(), 1);
    hftok_tests::answer::adopt(&mut copy);
    copy.batch_execute("UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE name = 's8'")
        .expect("mended");
    cluster.reload();
    destroyed(&mut copy, former);
    for (name, value) in [("s7", "v7"), ("s8", "v8")] {
        assert_eq!(get(&mut copy, name).expect("opens"), value);
    }
}

/// The tables are a DBA's as well. What keeps rows from being written is named, and tried again at longer and longer intervals.
#[test]
fn a_trigger_that_keeps_rows_as_they_are_is_named() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client
        .batch_execute(
            "SELECT hftok.create_secret('v7', 's7');
             CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER keep BEFORE UPDATE ON hftok_private.secrets FOR EACH ROW EXECUTE FUNCTION keep()",
        )
        .expect("a trigger");
    let former = rotate(&mut client);
    let waits = "SELECT waits_for LIKE 'a trigger on a table of hftok%' FROM hftok.rotation_progress";
    wait_until("it says so", 30, || one::<Option<bool>>(&mut client, waits, &[]) == Some(true));
    std::thread::sleep(Duration::from_secs(4));
    assert!(cluster.log().matches("held up").count() < 6, "{}", cluster.log());
    assert_eq!(get(&mut client, "s7").expect("opens"), "v7");
    client.batch_execute("DROP TRIGGER keep ON hftok_private.secrets").expect("dropped");
    cluster.reload();
    destroyed(&mut client, former);
    assert_eq!(get(&mut client, "s7").expect("opens"), "v7");
}
