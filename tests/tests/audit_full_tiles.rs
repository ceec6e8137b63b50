//! Tiles that one bundle fills are verified by parallel workers. Whatever somebody who owns the tables changes in one of them, or
//! stores beside it, is found all the same, and named to the event.

use hftok_tests::answer::one;
use hftok_tests::audit::{global_token, settled, without_writer};
use hftok_tests::cluster::Cluster;
use postgres::Client;

/// Many reveals in one round, so that most bundles fill a tile.
const MANY: i32 = 20_000;

/// A database with such a log, and the number of the last event of a tile in its middle that one bundle fills.
fn log(cluster: &Cluster, name: &str) -> (Client, i64) {
    let mut client = cluster.database(name);
    global_token(&mut client);
    let sql = "SELECT count(hftok.resolve_hf_token('user ' || n)) FROM generate_series(1, $1) n";
    assert_eq!(one::<i64>(&mut client, sql, &[&MANY]), i64::from(MANY));
    settled(&mut client);
    without_writer(cluster);
    let sql = "SELECT last_id FROM hftok_private.audit_bundles WHERE count = 256 AND last_id % 256 = 0
        AND last_id > 9000 ORDER BY last_id LIMIT 1";
    let last = one(&mut client, sql, &[]);
    let full: i64 =
        one(&mut client, "SELECT count(*) FROM hftok_private.audit_bundles WHERE count = 256", &[]);
    assert!(full > 60, "{full} bundles are full");
    (client, last)
}

/// What verify_audit() answers for a part of the log.
fn verify(client: &mut Client, part: &str) -> (i64, i64, bool, Option<i64>, String) {
    let sql = format!(
        "SELECT checked, unprotected, ok, first_bad, coalesce(reason, '') FROM hftok.verify_audit({part})"
    );
    let row = client.query_one(&sql, &[]).expect("verify_audit()");
    (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4))
}

#[test]
fn workers_and_none_count_the_same() {
    let cluster = Cluster::start_default();
    let (mut client, last) = log(&cluster, "counted");
    let size: i64 = one(&mut client, "SELECT max(size) FROM hftok_private.audit_checkpoints", &[]);
    for (part, checked) in [
        (format!("1, {size}"), size),
        (format!("{}, {last}", last - 255), 256),
        (format!("{}, {}", last - 256, last + 1), 258),
        (format!("{}, {}", last - 254, last - 1), 254),
        (format!("{}, {}", last - 1000, last + 1000), 2001),
    ] {
        for workers in [0, 2] {
            let set = format!("SET max_parallel_workers_per_gather = {workers}");
            client.batch_execute(&set).expect("a setting");
            let expected = (checked, 0, true, None, String::new());
            assert_eq!(verify(&mut client, &part), expected, "{part}, {workers} workers");
        }
    }
    // Whoever verifies has set nothing of it, and finds nothing set.
    assert_eq!(one::<String>(&mut client, "SHOW parallel_setup_cost", &[]), "1000");
}

#[test]
fn parallel_workers_hash_the_events() {
    let cluster = Cluster::start_default();
    let (mut client, _) = log(&cluster, "shared");
    // As autovacuum does it before long.
    let plans = "ANALYZE hftok_private.audit_bundles; LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on;
        SET auto_explain.log_nested_statements = on";
    client.batch_execute(plans).expect("auto_explain");
    assert!(verify(&mut client, "").2);
    let log = cluster.log();
    let plan = log.split("tile_of_bundle(b.body)").nth(1).expect("the statement's plan");
    assert!(plan.contains("Workers Launched: 2"), "{}", plan.get(..900).unwrap_or(plan));
}

#[test]
fn a_full_tile_that_was_changed_is_named() {
    let cluster = Cluster::start_default();
    let (mut client, last) = log(&cluster, "changed");
    let first = last - 255;
    let of_tile = format!("WHERE last_id = {last}");
    let set = |column: &str, value: &str| {
        format!("UPDATE hftok_private.audit_bundles SET {column} = {value} {of_tile}")
    };
    let flipped = |column: &str, at: i32| {
        set(column, &format!("set_byte({column}, {at}, get_byte({column}, {at}) # 1)"))
    };
    let copy = |id: &str, count: &str| {
        format!(
            "INSERT INTO hftok_private.audit_bundles SELECT {id}, {count}, first_at, last_at, filter_key, filter, body, body_hash, mac
             FROM hftok_private.audit_bundles {of_tile}"
        )
    };
    let row = "INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash)
        VALUES ($, now(), 'audit', 'status', 'used', 1, true, sha256('x'))";
    let free = "ALTER TABLE hftok_private.audit_bundles ALTER COLUMN count DROP NOT NULL;
        CREATE TABLE hftok_private.heir () INHERITS (hftok_private.audit_bundles)";
    client.batch_execute(free).expect("NULL may be stored, and a number twice");
    let twice =
        format!("INSERT INTO hftok_private.heir SELECT * FROM ONLY hftok_private.audit_bundles {of_tile}");
    let in_the_one_that_is_read_first = flipped("body", 9000).replace("UPDATE", "UPDATE ONLY");
    let function = format!(
        "CREATE OR REPLACE FUNCTION hftok_private.tile_of_bundle(p_body bytea) RETURNS bytea
             LANGUAGE sql STABLE PARALLEL SAFE AS $$
             SELECT hash || '\\x0000' FROM hftok_private.audit_nodes WHERE height = 8 AND number = {}
         $$; ",
        last / 256 - 1
    );
    for (what, deed) in [
        ("an event", flipped("body", 9000)),
        ("the first byte", flipped("body", 0)),
        ("what stands behind the events", set("body", "body || '\\x00'")),
        ("no event", set("body", "''")),
        ("the hash of the body", flipped("body_hash", 3)),
        ("the hash over the row", flipped("mac", 30)),
        ("the key that made it", flipped("mac", 0)),
        ("the filter", flipped("filter", 8)),
        ("the key of the filter", flipped("filter_key", 0)),
        ("a time", set("first_at", "first_at - interval '1 s'")),
        ("the number of events", set("count", "255")),
        ("its place", set("last_id", "last_id - 1")),
        ("its removal", format!("DELETE FROM hftok_private.audit_bundles {of_tile}")),
        ("a bundle within it", copy("last_id - 100", "3")),
        ("a bundle across its beginning", copy("last_id - 200", "256")),
        ("a bundle that says NULL events", copy("last_id - 7", "NULL")),
        ("the same bundle twice", twice.clone()),
        ("a changed one beside it", format!("{twice}; {in_the_one_that_is_read_first}")),
        ("an event, and the function that hashes it", function + &flipped("body", 9000)),
        ("a row within it", row.replace('$', &(last - 7).to_string())),
        ("a row at its end", row.replace('$', &last.to_string())),
        ("the stored hash", {
            let tile = last / 256 - 1;
            format!(
                "UPDATE hftok_private.audit_nodes SET hash = sha256('x') WHERE height = 8 AND number = {tile}"
            )
        }),
    ] {
        client.batch_execute("BEGIN").expect("a transaction");
        client.batch_execute(&deed).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let (_, _, ok, bad, reason) = verify(&mut client, "");
        let bad = bad.unwrap_or_else(|| panic!("{what}: nothing is found"));
        assert!(!ok && (first..=last).contains(&bad) && !reason.is_empty(), "{what}: {bad}, {reason}");
        client.batch_execute("ROLLBACK").expect("as it was");
    }
    assert!(verify(&mut client, "").2, "as it was, all is well");
}

#[test]
fn two_full_tiles_in_one_anothers_place_are_found() {
    let cluster = Cluster::start_default();
    let (mut client, last) = log(&cluster, "swapped");
    let swap = format!(
        "UPDATE hftok_private.audit_bundles SET last_id = -last_id WHERE last_id IN ({last}, {last} + 256);
         UPDATE hftok_private.audit_bundles SET last_id = 2 * {last} + 256 + last_id WHERE last_id < 0"
    );
    client.batch_execute(&swap).expect("exchanged");
    let (_, _, ok, bad, _) = verify(&mut client, "");
    assert_eq!((ok, bad), (false, Some(last - 255)));
}
