//! Questions about a large log are shared out among parallel workers: they see what one process sees, and a user what is theirs.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use hftok_tests::answer::{column, one};
use hftok_tests::audit::{global_token, resolve, settled, without_writer};
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
    let [alone, shared] = plans(&mut client, FOUND);
    assert!(!alone.contains("Workers Planned"), "{alone}");
    assert!(shared.contains("Workers Planned"), "{shared}");
}

/// Events of a user, as the function for auditors finds them.
const FOUND: &str = "hftok_private.events_found(NULL, NULL, 'user 77', NULL, NULL, NULL)";

/// Plans of hftok's own role, which the functions work as: of one process, and of it with workers.
fn plans(client: &mut Client, function: &str) -> [String; 2] {
    client.batch_execute("SET ROLE hftok_owner").expect("a role");
    let plans = both(client, |client| {
        column::<String>(client, &format!("EXPLAIN (COSTS off) SELECT r.* FROM {function} r")).join("\n")
    });
    client.batch_execute("RESET ROLE").expect("a superuser");
    plans
}

/// A DBA may add policies to the tables. What such a policy calls is not made for workers unless it says so.
#[test]
fn a_policy_that_is_not_made_for_workers_keeps_its_table_from_them() {
    let cluster = Cluster::start_default();
    let mut client = log(&cluster);
    let ask = "SELECT e::text FROM hftok.find_audit_events(p_user => 'user 77') e ORDER BY 1";
    let before = column::<String>(&mut client, ask);
    client
        .batch_execute(
            "CREATE SCHEMA dba; GRANT USAGE ON SCHEMA dba TO hftok_owner;
            CREATE FUNCTION dba.is_shown() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
                IF EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid() AND backend_type = 'parallel worker')
                THEN RAISE 'called by a worker'; END IF;
                RETURN true;
            END $$;
            CREATE POLICY dba ON hftok_private.audit_bundles AS RESTRICTIVE USING (dba.is_shown());
            CREATE POLICY dba ON hftok_private.audit AS RESTRICTIVE USING (dba.is_shown())",
        )
        .expect("policies");
    let answers = both(&mut client, |client| column::<String>(client, ask));
    assert!(answers.iter().all(|answer| *answer == before), "{answers:?}");
    let [_, shared] = plans(&mut client, FOUND);
    assert!(shared.contains("is_shown") && !shared.contains("Workers Planned"), "{shared}");
    client.batch_execute("ALTER FUNCTION dba.is_shown PARALLEL SAFE").expect("a promise");
    assert!(plans(&mut client, FOUND)[1].contains("Workers Planned"));
}

#[test]
fn a_user_sees_their_own_with_workers_and_nothing_else() {
    let cluster = Setup::default().setting("hftok.gateways = 'authenticator'").start();
    let mut superuser = log(&cluster);
    let [_, shared] = plans(&mut superuser, "hftok_private.audit_events_of('user 77')");
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

/// Workers that read and the audit's writers come out of the same places, of which there is one here. Without a writer events wait, and
/// with events that have waited too long nobody reads a credential.
#[test]
fn readers_leave_the_audits_writer_its_place() {
    let cluster =
        Setup::default().setting("max_worker_processes = 4").setting("max_connections = 40").start();
    let mut client = log(&cluster);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut reader = cluster.client("postgres", "app");
                reader.batch_execute(SHARE).expect("settings");
                while !is_over.load(SeqCst) {
                    let found = column::<i64>(
                        &mut reader,
                        "SELECT count(*) FROM hftok.find_audit_events(p_role => 'nobody')",
                    );
                    assert_eq!(found, [0]);
                }
            });
        }
        let _over = Over(&is_over);
        for _ in 0..5 {
            without_writer(&cluster);
            let begun = Instant::now();
            resolve(&mut client, "user 5").expect("a credential");
            settled(&mut client);
            let time = begun.elapsed();
            assert!(time < Duration::from_secs(3), "{time:?}");
        }
    });
}

/// Ends what others do for as long as this lives, also when a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}
