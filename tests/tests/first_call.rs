//! The first calls: of a session, of a database, of a plan. Things that are made lazily must come out the same for everybody.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use hftok_tests::answer::{column, create, get, one, row_counts};
use hftok_tests::cluster::Cluster;
use hftok_tests::race::race;

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start_default)
}

/// A process that never unwrapped a data key itself uses one that another process left in shared memory.
#[test]
fn what_the_first_call_of_a_session_seals_opens_in_every_other() {
    let mut first = cluster().database("sessions");
    create(&mut first, "by the session that made the keys", "value 0");
    for number in 1..=5 {
        // Its first call seals, without having opened anything.
        let mut fresh = cluster().client("postgres", "sessions");
        let name = format!("by fresh session {number}");
        create(&mut fresh, &name, "another value");
        for mut reader in [fresh, cluster().client("postgres", "sessions")] {
            assert_eq!(get(&mut reader, &name).expect("opens"), "another value");
            assert_eq!(get(&mut reader, "by the session that made the keys").expect("opens"), "value 0");
        }
        assert_eq!(get(&mut first, &name).expect("opens where the keys were made"), "another value");
    }
    let failed: Vec<Option<i64>> = column(&mut first, "SELECT failed FROM hftok.verify()");
    assert_eq!(failed, [Some(0)], "verify() has a last row and no other");
}

/// The faults of a nonce that is folded into a cached plan, evaluated once for a whole statement, or counted by each
/// session for itself.
#[test]
fn plan_cached_statements_never_repeat_a_nonce() {
    let mut client = cluster().database("nonces");
    race(cluster(), "nonces", 4, |_, client| {
        client.batch_execute("SET plan_cache_mode = force_generic_plan").expect("set");
        let single = client.prepare("SELECT hftok.create_secret($1)").expect("prepare");
        let many = client
            .prepare("SELECT count(hftok.create_secret($1)) FROM generate_series(1, 1000)")
            .expect("prepare");
        for _ in 0..500 {
            client.query_one(&single, &[&"the same value"]).expect("create");
        }
        for _ in 0..2 {
            client.query_one(&many, &[&"the same value"]).expect("create");
        }
    });
    let row = client
        .query_one(
            "SELECT count(*), count(DISTINCT nonce), count(DISTINCT secret),
                count(*) FILTER (WHERE decrypted_secret = 'the same value'), min(length(nonce))
             FROM hftok.decrypted_secrets",
            &[],
        )
        .expect("the view");
    let counts: [i64; 4] = std::array::from_fn(|at| row.get(at));
    assert_eq!(counts, [10_000; 4], "rows, nonces, ciphertexts, values that open");
    assert_eq!(row.get::<_, i32>(4), 24);
}

#[test]
fn eight_sessions_creating_the_first_secret_make_one_key_for_each_purpose() {
    let mut client = cluster().database("race");
    let outcomes = race(cluster(), "race", 8, |number, client| {
        client.query_one(
            "SELECT hftok.create_secret($1, $2)",
            &[&format!("value {number}"), &format!("name {number}")],
        )
    });
    for outcome in outcomes {
        outcome.expect("every session creates its secret");
    }
    let active: BTreeMap<String, i64> = client
        .query(
            "SELECT purpose, count(*) FROM hftok_private.data_keys WHERE state = 'active' GROUP BY purpose",
            &[],
        )
        .expect("keys")
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let purposes = ["audit", "checkpoints", "fingerprints", "values"];
    assert_eq!(active, purposes.map(|purpose| (purpose.to_owned(), 1)).into());
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM hftok_private.data_keys", &[]), 4);
    for number in 0..8 {
        assert_eq!(get(&mut client, &format!("name {number}")).expect("opens"), format!("value {number}"));
    }
}

/// The key that was rolled back may still lie in shared memory: nothing may ever be sealed with it.
#[test]
fn a_first_creation_that_is_rolled_back_leaves_nothing() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("undone");
    for undo in ["ROLLBACK", "ROLLBACK TO SAVEPOINT before; COMMIT"] {
        client.batch_execute("BEGIN; SAVEPOINT before").expect("begin");
        create(&mut client, "a", "never");
        assert_eq!(get(&mut client, "a").expect("opens before the end of the transaction"), "never");
        client.batch_execute(undo).expect("undo");
        let mut left = row_counts(&mut client);
        // The audit's keys may be there, the root key that wraps them, and the identity that they are bound to: what was undone is told.
        let keys: i64 = one(
            &mut client,
            "SELECT count(*) FROM hftok_private.data_keys WHERE purpose NOT IN ('audit', 'checkpoints')",
            &[],
        );
        left.insert("hftok_private.data_keys".into(), keys);
        left.remove("hftok_private.database_identity");
        left.remove("hftok_private.root_keys");
        assert!(left.values().all(|count| *count == 0), "{undo}: {left:?}");
    }
    // From the session that saw the key, and from one that didn't.
    create(&mut client, "a", "first");
    create(&mut cluster.client("postgres", "undone"), "b", "second");
    cluster.restart();
    let mut client = cluster.client("postgres", "undone");
    assert_eq!(get(&mut client, "a").expect("opens after a restart"), "first");
    assert_eq!(get(&mut client, "b").expect("opens after a restart"), "second");
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM hftok_private.data_keys", &[]), 4);
}
