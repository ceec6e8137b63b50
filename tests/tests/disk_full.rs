//! The disk is full while values are sealed anew: everybody is told so, what is there can be read, and the rotation goes on when there is
//! room.

use hftok_tests::answer::{get, one, put, refused};
use hftok_tests::disk::Disk;
use hftok_tests::rotation::{destroyed, faults, rotate, rows_of, state};
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;

const SECRETS: i64 = 5000;

#[test]
fn a_rotation_waits_for_room_on_the_disk() {
    let cluster = Setup::default().setting("hftok.reseal_rate = 2000").setting("autovacuum = off").start();
    let Some(disk) = Disk::make(&cluster, "small", 64) else { return };
    let mut operator = cluster.client("postgres", "postgres");
    operator
        .batch_execute(&format!("CREATE TABLESPACE small LOCATION '{}'", disk.folder().display()))
        .expect("a tablespace");
    operator.batch_execute("CREATE DATABASE app TABLESPACE small").expect("a database");
    let mut client = cluster.client("postgres", "app");
    client
        .batch_execute(&format!(
            "CREATE EXTENSION hftok; SELECT hftok.create_secret('v' || n, 's' || n) FROM generate_series(1, {SECRETS}) n"
        ))
        .expect("secrets");

    let former = rotate(&mut client);
    wait_until("some rows are done", 20, || (1..SECRETS).contains(&rows_of(&mut client, former)));
    disk.fill();
    let waits = "SELECT waits_for ~ 'could not extend file' FROM hftok.rotation_progress WHERE key_id = $1";
    wait_until("the rotation says what it waits for", 60, || {
        one::<Option<bool>>(&mut client, waits, &[&former]) == Some(true)
    });
    assert!(cluster.log().contains("is held up and tried again: could not extend file"), "{}", cluster.log());
    assert_eq!(state(&mut client, former), "waiting");

    // What is there is read, and what there is no room for is refused, and leaves nothing.
    for n in [1, 77, SECRETS] {
        assert_eq!(get(&mut client, &format!("s{n}")).expect("opens"), format!("v{n}"));
    }
    let many = "SELECT hftok.create_secret(repeat('x', 1000), 'more' || n) FROM generate_series(1, 5000) n";
    refused(client.batch_execute(many), "53100");
    let count = "SELECT count(*) FROM hftok.secrets";
    assert_eq!(one::<i64>(&mut client, count, &[]), SECRETS);

    disk.empty();
    wait_until("everything is sealed anew", 90, || rows_of(&mut client, former) == 0);
    destroyed(&mut client, former);
    let done: i64 =
        one(&mut client, "SELECT done FROM hftok.rotation_progress WHERE key_id = $1", &[&former]);
    assert_eq!(done, SECRETS, "each row is counted once");
    assert_eq!(faults(&mut client), 0);
    put(&mut client, "s1", "next");
    assert_eq!(get(&mut client, "s1").expect("opens"), "next");
}
