//! Questions about a large log are shared out among parallel workers: they see what one process sees, and a user what is theirs.

use hftok_tests::answer::{column, one};
use hftok_tests::audit::{global_token, settled};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use postgres::Client;

/// So that workers help with a log that is small.
const SHARE: &str =
    "SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0";

/// A database with reveals for many users, some of them by the key of an organisation whose owner is `user 77`.
fn log(cluster: &Cluster) -> Client {
    let mut client = cluster.database("app");
    client
        .batch_execute(
            "CREATE ROLE authenticated; CREATE ROLE service_role; CREATE ROLE authenticator LOGIN NOINHERIT;
            GRANT authenticated, service_role TO authenticator; SELECT hftok.enable_rpc();
            SELECT hftok.add_member('org', 'user 77', 'owner'), hftok.add_member('org', 'user 3', 'member');
            SELECT hftok.save_hf_token('hf_' || repeat('a', 34), p_org_id => 'org');
            SELECT hftok.save_hf_token('hf_' || repeat('b', 34), p_user_id => 'user 77')",
        )
        .expect("roles and an organisation");
    global_token(&mut client);
    let resolve =
        "SELECT count(hftok.resolve_hf_token('user ' || n % 100, CASE WHEN n % 100 = 3 THEN 'org' END))
        FROM generate_series(1, 5000) n";
    assert_eq!(one::<i64>(&mut client, resolve, &[]), 5000);
    settled(&mut client);
    let bundles: i64 = one(&mut client, "SELECT count(*) FROM hftok_private.audit_bundles", &[]);
    assert!(bundles > 10, "{bundles} bundles");
    client
}

/// Answers of one process, and of it with workers.
fn both<T>(client: &mut Client, ask: impl Fn(&mut Client) -> T) -> [T; 2] {
    client.batch_execute(SHARE).expect("settings");
    [0, 2].map(|workers| {
        client.batch_execute(&format!("SET max_parallel_workers_per_gather = {workers}")).expect("workers");
        ask(client)
    })
}

#[test]
fn who_sees_all_is_answered_alike_with_workers() {
    let cluster = Cluster::start_default();
    let mut client = log(&cluster);
    for (question, rows) in [
        ("hftok.find_audit_events(p_user => 'user 77')", 52),
        ("hftok.find_audit_events(p_user => 'org')", 53),
        ("hftok.find_audit_events(p_kind => 'reveal')", 5000),
        ("hftok.find_audit_events(p_role => 'nobody')", 0),
        ("hftok.audit_activity('2020-01-01', p_seconds => 1000000000, p_user => 'user 5')", 1),
    ] {
        let sql = format!("SELECT e::text FROM {question} e ORDER BY 1");
        let [alone, shared] = both(&mut client, |client| column::<String>(client, &sql));
        assert_eq!(alone, shared, "{question}");
        assert_eq!(alone.len(), rows, "{question}");
    }
    let plan = "EXPLAIN (COSTS off) SELECT r.* FROM hftok_private.events_found(NULL, NULL, 'user 77', NULL, NULL, NULL) r";
    let [alone, shared] = both(&mut client, |client| column::<String>(client, plan).join("\n"));
    assert!(!alone.contains("Workers Planned"), "{alone}");
    assert!(shared.contains("Workers Planned"), "{shared}");
}

#[test]
fn a_user_sees_their_own_with_workers_and_nothing_else() {
    let cluster = Setup::default().setting("hftok.gateways = 'authenticator'").start();
    let mut superuser = log(&cluster);
    let plan = "EXPLAIN (COSTS off) SELECT r.* FROM hftok_private.audit_events_of('user 77') r";
    let [_, shared] = both(&mut superuser, |client| column::<String>(client, plan).join("\n"));
    // Bundles are looked through once, for the user and all their organisations.
    assert_eq!(shared.matches("Parallel Seq Scan on audit_bundles").count(), 1, "{shared}");

    let mut gateway = cluster.client("authenticator", "app");
    gateway.batch_execute("SET ROLE authenticated").expect("a role");
    for (user, own, of_org) in [("user 77", 52, 52), ("user 3", 51, 0), ("user 5", 50, 0), ("org", 0, 0)] {
        gateway
            .execute(
                "SELECT set_config('request.jwt.claims', json_build_object('sub', $1::text)::text, false)",
                &[&user],
            )
            .expect("claims");
        let [alone, shared] = both(&mut gateway, |client| {
            column::<String>(client, "SELECT e::text FROM hftok.audit_events e ORDER BY 1")
        });
        assert_eq!(alone, shared, "{user}");
        let of_others = |text: &&String| !text.contains(&format!(",\"{user}\""));
        let others = alone.iter().filter(of_others).count();
        assert_eq!((alone.len() - others, others), (own, of_org), "{user}: {alone:?}");
    }
}
