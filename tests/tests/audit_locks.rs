//! Transactions that are left open and hold what others need: no reveal and no audit waits for them.

use std::time::{Duration, Instant};

use hftok_tests::answer::{create, one, put};
use hftok_tests::audit::{count, global_token, resolve, rows, settled, verified};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;
use uuid::Uuid;

/// The time for which a lock is held; a minute would show nothing else.
const WHILE_HELD: Duration = Duration::from_secs(4);

/// Reads in both modes and reports usage for a while, and sees each of it told in time; gives how many reads that were.
#[track_caller]
fn work(cluster: &Cluster, client: &mut Client, credential: Uuid) -> i64 {
    let mut reader = cluster.client("postgres", "app");
    let mut reads = 0;
    let end = Instant::now() + WHILE_HELD;
    while Instant::now() < end {
        for mode in ["async", "sync"] {
            let user = format!("{mode} {reads}");
            let begin = Instant::now();
            reader.batch_execute(&format!("SET hftok.audit = '{mode}'")).expect("SET");
            resolve(&mut reader, &user).expect("resolves");
            one::<String>(&mut reader, "SELECT hftok.record_usage($1, 1, 10)::text", &[&credential]);
            assert!(begin.elapsed() < Duration::from_secs(3), "{user} took {:?}", begin.elapsed());
            let told = format!("kind = 'reveal' AND actor_user = '{user}'");
            wait_until("the use is told", 2, || rows(client, &told) == 1);
            reads += 1;
        }
    }
    reads
}

/// Waits until all is counted.
#[track_caller]
fn counted(client: &mut Client, credential: Uuid, reads: i64) {
    wait_until("every use is counted", 10, || {
        let uses =
            "SELECT coalesce(sum(use_count), 0)::bigint FROM hftok_private.counted_uses WHERE secret_id = $1";
        let reports =
            "SELECT coalesce(sum(requests), 0)::bigint FROM hftok_private.usage_daily WHERE secret_id = $1";
        (one::<i64>(client, uses, &[&credential]), one::<i64>(client, reports, &[&credential]))
            == (reads, reads)
    });
    settled(client);
    verified(client);
}

fn with_token() -> (Cluster, Client, Uuid) {
    let cluster = Setup::default().start();
    let mut client = cluster.database("app");
    let id = global_token(&mut client);
    put(&mut client, "name", "value");
    settled(&mut client);
    (cluster, client, id)
}

#[test]
fn who_holds_every_secret_stops_nobody() {
    let (cluster, mut client, id) = with_token();
    let mut holder = cluster.client("postgres", "app");
    let mut held = holder.transaction().expect("BEGIN");
    held.batch_execute(
        "SELECT FROM hftok_private.secrets FOR UPDATE; SELECT FROM hftok_private.data_keys FOR UPDATE",
    )
    .expect("FOR UPDATE");
    let reads = work(&cluster, &mut client, id);
    create(&mut client, "another", "value");
    let told = "action = 'create_secret' AND outcome = 'committed'";
    wait_until("a change elsewhere is told", 2, || rows(&mut client, told) == 1);
    counted(&mut client, id, reads);
    held.commit().expect("COMMIT");
}

#[test]
fn who_holds_the_counters_stops_nobody_and_counts_arrive_after() {
    let (cluster, mut client, id) = with_token();
    resolve(&mut client, "first").expect("resolves");
    one::<String>(&mut client, "SELECT hftok.record_usage($1, 1, 10)::text", &[&id]);
    counted(&mut client, id, 1);
    let mut holder = cluster.client("postgres", "app");
    let mut held = holder.transaction().expect("BEGIN");
    held.batch_execute(
        "SELECT FROM hftok_private.use_counts FOR UPDATE; SELECT FROM hftok_private.usage_daily FOR UPDATE",
    )
    .expect("FOR UPDATE");
    let reads = work(&cluster, &mut client, id);
    held.rollback().expect("ROLLBACK");
    counted(&mut client, id, reads + 1);
}

/// Whoever may read a table of the audit and write to it can hold its rows: the writer passes over what waits, and adds a checkpoint
/// instead of changing one.
#[test]
fn who_holds_what_waits_and_the_newest_checkpoint_stops_nobody() {
    let (cluster, mut client, id) = with_token();
    client.batch_execute("SELECT hftok.seal()").expect("seal");
    resolve(&mut client, "nobody").expect_err("sealed");
    wait_until("an event waits", 10, || {
        one::<i64>(&mut client, "SELECT count(*) FROM hftok_private.audit_pending", &[]) > 0
    });
    let (mut holder, mut other) = (cluster.client("postgres", "app"), cluster.client("postgres", "app"));
    let mut held = holder.transaction().expect("BEGIN");
    let pending = "SELECT event FROM hftok_private.audit_pending FOR UPDATE";
    assert!(!held.query(pending, &[]).expect("FOR UPDATE").is_empty());
    client.batch_execute("SELECT hftok.unseal()").expect("unseal");
    let mut kept = other.transaction().expect("BEGIN");
    let newest = "SELECT size FROM hftok_private.audit_checkpoints ORDER BY size DESC LIMIT 1 FOR UPDATE";
    let size: i64 = one(&mut kept, newest, &[]);
    let reads = work(&cluster, &mut client, id);
    let lag =
        "SELECT extract(epoch FROM clock_timestamp() - max(at))::float8 FROM hftok_private.audit_checkpoints";
    put(&mut client, "name", "another");
    wait_until("a change is told", 2, || rows(&mut client, "action = 'put_secret' AND version = 2") == 1);
    assert!(one::<f64>(&mut client, lag, &[]) < 2.0, "the newest checkpoint is of now");
    let there = format!("SELECT count(*) FROM hftok_private.audit_checkpoints WHERE size = {size}");
    assert_eq!(one::<i64>(&mut client, &there, &[]), 1, "what is held stays");
    verified(&mut client);
    kept.commit().expect("COMMIT");
    held.commit().expect("COMMIT");
    counted(&mut client, id, reads);
    assert_eq!(
        rows(&mut client, "kind = 'refusal' AND outcome = 'sealed'"),
        1,
        "what was held is told after"
    );
}

/// pg_dump holds all tables like this for as long as it takes.
#[test]
fn who_reads_every_table_stops_nobody() {
    let (cluster, mut client, id) = with_token();
    let mut holder = cluster.client("postgres", "app");
    let mut held = holder.transaction().expect("BEGIN");
    held.batch_execute(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
         LOCK hftok_private.secrets, hftok_private.audit, hftok_private.audit_pending, hftok_private.use_counts,
            hftok_private.usage_daily, hftok_private.data_keys, hftok_private.members IN ACCESS SHARE MODE;
         SELECT count(*) FROM hftok_private.audit",
    )
    .expect("LOCK");
    let reads = work(&cluster, &mut client, id);
    counted(&mut client, id, reads);
    held.commit().expect("COMMIT");
}

/// The keys of the first secret are in a transaction that nobody sees; events of others wait in a table.
#[test]
fn the_first_secret_of_a_database_held_open_stops_nobody() {
    let cluster = Setup::default().environment("HF_TOKEN", hftok_tests::audit::TOKEN).start();
    let mut client = cluster.database("app");
    let mut holder = cluster.client("postgres", "app");
    let mut held = holder.transaction().expect("BEGIN");
    one::<Uuid>(&mut held, "SELECT hftok.create_secret('value', 'name')", &[]);
    let mut reader = cluster.client("postgres", "app");
    for number in 0..10 {
        reader.batch_execute("SET hftok.audit = 'sync'").expect("SET");
        let begin = Instant::now();
        resolve(&mut reader, &format!("user {number}")).expect("the environment's token");
        assert!(begin.elapsed() < Duration::from_secs(2), "it took {:?}", begin.elapsed());
        let pending: i64 = one(&mut client, "SELECT count(*) FROM hftok_private.audit_pending", &[]);
        assert_eq!(pending, number + 1, "on disk");
    }
    assert_eq!(count(&mut client, "true"), 0, "there is no key to chain with");
    held.commit().expect("COMMIT");
    wait_until("all of it is chained", 10, || {
        count(&mut client, "kind = 'reveal'") == 10 && rows(&mut client, "action = 'create_secret'") == 1
    });
    settled(&mut client);
    verified(&mut client);
    let failed: Vec<Option<i64>> = client
        .query("SELECT failed FROM hftok.verify()", &[])
        .expect("verify()")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(failed, [Some(0)]);
}
