//! Many values at once: an event each, also beyond the hundred that have a record each in the queue, and none without.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hftok_tests::answer::{column, one};
use hftok_tests::audit::{TOKEN, count, global_token, resolve, rows, settled, verified};
use hftok_tests::cluster::Cluster;
use hftok_tests::question::run;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

const VALUES: &str = "SELECT decrypted_secret FROM hftok.decrypted_secrets";
const REVEALS: &str = "kind = 'reveal' AND outcome = 'used'";

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start_default)
}

/// A database with so many named secrets.
fn with_secrets(name: &str, secrets: i32) -> Client {
    let mut client = cluster().database(name);
    let create =
        "SELECT count(hftok.create_secret('value ' || n, 'name ' || n)) FROM generate_series(1, $1) n";
    assert_eq!(one::<i64>(&mut client, create, &[&secrets]), i64::from(secrets));
    settled(&mut client);
    client
}

#[test]
fn a_statement_that_reveals_many_has_an_event_for_each() {
    let mut client = with_secrets("many", 2250);
    assert_eq!(column::<String>(&mut client, VALUES).len(), 2250);
    settled(&mut client);
    assert_eq!(rows(&mut client, REVEALS), 2250);
    assert_eq!(count(&mut client, REVEALS), 2250, "each stands for one");
    let others = "SELECT count(*) FROM hftok.secrets s FULL JOIN (
            SELECT object_id, version FROM hftok_private.audit_rows WHERE kind = 'reveal' AND outcome = 'used'
        ) a ON a.object_id = s.id
        WHERE s.id IS NULL OR a.object_id IS NULL";
    assert_eq!(one::<i64>(&mut client, others, &[]), 0, "and names its secret");
    verified(&mut client);
}

/// A place that keeps nothing but their number counts the first ones as every other place does.
#[test]
fn a_call_for_each_row_has_an_event_for_each() {
    let mut client = with_secrets("called", 150);
    let calls = "SELECT count(hftok.get_secret('name ' || n)) FROM generate_series(1, 150) n";
    for statement in 1..=2_i64 {
        assert_eq!(one::<i64>(&mut client, calls, &[]), 150);
        settled(&mut client);
        assert_eq!(count(&mut client, REVEALS), 150 * statement);
        let named = format!("{REVEALS} AND object_id IS NOT NULL");
        assert_eq!(rows(&mut client, &named), 150 * statement);
    }
    verified(&mut client);
}

#[test]
fn sync_tells_of_the_many_before_the_first_of_them() {
    let mut client = with_secrets("many_sync", 150);
    client.batch_execute("SET hftok.audit = 'sync'").expect("SET");
    let mut cursor = client.transaction().expect("BEGIN");
    cursor.batch_execute(&format!("DECLARE c CURSOR FOR {VALUES}")).expect("DECLARE");
    assert_eq!(column::<String>(&mut cursor, "FETCH 101 FROM c").len(), 101);
    let mut other = cluster().client("postgres", "many_sync");
    // The last one's own event may wait for the flush interval, and under load that is over by now.
    let told = count(&mut other, REVEALS);
    assert!((100..=101).contains(&told), "{told}");
    assert_eq!(rows(&mut other, "outcome = 'many_follow'"), 1, "it is on disk when the value is there");
}

/// A cursor may stay open for hours, or for ever, when the server is killed.
#[test]
fn what_a_cursor_revealed_is_told_in_time() {
    let mut client = with_secrets("cursor", 150);
    let mut other = cluster().client("postgres", "cursor");
    let mut cursor = client.transaction().expect("BEGIN");
    cursor.batch_execute(&format!("DECLARE c CURSOR FOR {VALUES}")).expect("DECLARE");
    assert_eq!(column::<String>(&mut cursor, "FETCH 140 FROM c").len(), 140);
    wait_until("the flush interval is over", 10, || count(&mut other, REVEALS) == 140);
}

#[test]
fn what_a_loop_revealed_is_told_in_time() {
    let mut client = with_secrets("loop", 1);
    global_token(&mut client);
    let mut other = cluster().client("postgres", "loop");
    let mut transaction = client.transaction().expect("BEGIN");
    transaction
        .batch_execute(
            "DO $$ DECLARE token text; BEGIN
                FOR n IN 1..140 LOOP token := hftok.resolve_hf_token('user ' || n); END LOOP;
            END $$",
        )
        .expect("DO");
    wait_until("the flush interval is over", 10, || count(&mut other, REVEALS) == 140);
}

/// A statement that fails, or is cancelled, after it revealed something has told of it.
#[test]
fn what_a_failing_statement_revealed_is_told() {
    let mut client = with_secrets("failing", 150);
    for end in [
        "SELECT 1 / (150 - count(decrypted_secret)) FROM hftok.decrypted_secrets",
        "SET statement_timeout = '500ms'; SELECT max(decrypted_secret), pg_sleep(100) FROM hftok.decrypted_secrets",
    ] {
        let before = count(&mut client, REVEALS);
        client.batch_execute(end).expect_err("fails");
        client.batch_execute("RESET statement_timeout").expect("RESET");
        settled(&mut client);
        assert_eq!(count(&mut client, REVEALS) - before, 150, "{end}");
    }
    let id: i32 = one(&mut client, "SELECT pg_backend_pid()", &[]);
    let mut other = cluster().client("postgres", "failing");
    let before = count(&mut other, REVEALS);
    let mut cursor = client.transaction().expect("BEGIN");
    cursor.batch_execute(&format!("DECLARE c CURSOR FOR {VALUES}")).expect("DECLARE");
    assert_eq!(column::<String>(&mut cursor, "FETCH 140 FROM c").len(), 140);
    assert!(one::<bool>(&mut other, "SELECT pg_terminate_backend($1, 5000)", &[&id]));
    settled(&mut other);
    assert_eq!(count(&mut other, REVEALS) - before, 140);
}

/// Counting follows the events, and a listener of nobody's counts is not needed for it.
#[test]
fn each_use_is_counted_once() {
    let mut client = with_secrets("counted", 1);
    let id = global_token(&mut client);
    for number in 0..25 {
        resolve(&mut client, &format!("user {number}")).expect("resolves");
    }
    let counted = "SELECT use_count FROM hftok.credentials WHERE secret_id = $1";
    wait_until("all are counted", 10, || one::<i64>(&mut client, counted, &[&id]) == 25);
    let last =
        "SELECT last_used_at BETWEEN now() - interval '20 s' AND clock_timestamp() FROM hftok.credentials
        WHERE secret_id = $1";
    assert!(one::<bool>(&mut client, last, &[&id]));
    assert!(!TOKEN.is_empty());
}

/// What a round and a count cost does not grow with the tables: what is looked for is found by the index, and no plan is kept that was
/// made while they were small. Only old checkpoints are sought among all of them, once a minute and when the writer leaves.
#[test]
fn a_writer_finds_rows_by_their_indexes() {
    const SECRETS: i32 = 3000;
    let mut client = with_secrets("by_index", SECRETS);
    let counted = |client: &mut Client, uses: i64| {
        // The one that is counted last.
        let first = "SELECT coalesce(sum(u.use_count), 0)::bigint FROM hftok_private.counted_uses u
            WHERE u.secret_id = (SELECT s.id FROM hftok_private.secrets s ORDER BY s.id LIMIT 1)";
        wait_until("all are counted", 20, || one::<i64>(client, first, &[]) == uses);
    };
    run(&mut client, "SET enable_seqscan = off");
    column::<String>(&mut client, &format!("{VALUES} ORDER BY id LIMIT 1"));
    counted(&mut client, 1);
    run(&mut client, "VACUUM ANALYZE hftok_private.use_counts");
    run(&mut client, "VACUUM ANALYZE hftok_private.audit_checkpoints");
    // More often than Postgres makes a plan for the parameters of a statement.
    for uses in 2..=8_i64 {
        assert_eq!(column::<String>(&mut client, VALUES).len(), 3000);
        counted(&mut client, uses);
    }
    run(&mut client, "SET hftok.audit = 'sync'");
    for _round in 0..300 {
        run(&mut client, "SELECT hftok.get_secret('name 1')");
    }
    let mut told = |table: &str, what: &str| {
        let sql =
            format!("SELECT {what} FROM pg_stat_all_tables WHERE relid = 'hftok_private.{table}'::regclass");
        one::<i64>(&mut client, &sql, &[])
    };
    // The writer tells what it has read now and then, and when it leaves.
    wait_until("it has told", 20, || told("audit_checkpoints", "n_tup_ins") >= 300);
    let read = told("use_counts", "seq_tup_read + idx_tup_fetch");
    assert!(read < 7 * i64::from(SECRETS) / 2, "{read} rows for 7 times {SECRETS} uses");
    let read = told("audit_checkpoints", "seq_tup_read");
    assert!(read < 10 * 300, "{read} checkpoints read as a whole in 300 rounds");
}

/// The writer gathers uses, but does not wait for a reader to pause, and counts what it has when the server stops.
#[test]
fn uses_are_counted_while_others_come_and_when_the_server_stops() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let id = global_token(&mut client);
    let counted = "SELECT use_count FROM hftok.credentials WHERE secret_id = $1";
    let is_over = AtomicBool::new(false);
    let begin = Instant::now();
    let in_time = || begin.elapsed() < Duration::from_secs(120);
    let (reads, seen) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reader = cluster.client("postgres", "app");
            let mut reads = 0_i64;
            while !is_over.load(Ordering::Relaxed) && in_time() {
                resolve(&mut reader, &format!("user {reads}")).expect("resolves");
                reads += 1;
            }
            reads
        });
        let mut seen = BTreeSet::new();
        while seen.len() < 4 && in_time() {
            seen.insert(one::<i64>(&mut client, counted, &[&id]));
            sleep(Duration::from_millis(20));
        }
        is_over.store(true, Ordering::Relaxed);
        (reader.join().expect("a reader"), seen)
    });
    assert_eq!(seen.len(), 4, "{reads} reads, and counted were {seen:?}");
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    assert_eq!(one::<i64>(&mut client, counted, &[&id]), reads);
}

/// The same when its process is killed meanwhile: what reached a client longer ago than the flush interval is not forgotten.
#[test]
fn what_a_cursor_revealed_outlives_a_crash() {
    let cluster = Setup::default().durable().start();
    let mut client = cluster.database("app");
    let create =
        "SELECT count(hftok.create_secret('value ' || n, 'name ' || n)) FROM generate_series(1, 150) n";
    assert_eq!(one::<i64>(&mut client, create, &[]), 150);
    settled(&mut client);
    let id: i32 = one(&mut client, "SELECT pg_backend_pid()", &[]);
    let mut other = cluster.client("postgres", "app");
    let mut cursor = client.transaction().expect("BEGIN");
    cursor.batch_execute(&format!("DECLARE c CURSOR FOR {VALUES}")).expect("DECLARE");
    assert_eq!(column::<String>(&mut cursor, "FETCH 140 FROM c").len(), 140);
    wait_until("the flush interval is over", 10, || count(&mut other, REVEALS) == 140);
    cluster.kill_process(id.unsigned_abs());
    let mut again = cluster.client("postgres", "app");
    settled(&mut again);
    assert_eq!(count(&mut again, REVEALS), 140);
}
