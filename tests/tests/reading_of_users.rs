//! The cost of a user's reading of their own rows where others have a hundred thousand times as many: in pages, not seconds,
//! so that it does not depend on the machine.

use hftok_tests::answer::{column, one};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use postgres::Client;

/// More than index probes, their rows and the catalog need; a hundredth of what there is.
const FEW_PAGES: i64 = 150;
/// Rows of other users.
const MANY: i32 = 300_000;

/// A server where a user has ten of each among many others, and a session of theirs.
fn crowded() -> (Cluster, Client, Client) {
    let cluster = Setup::default().setting("autovacuum = off").start();
    let mut client = cluster.database("app");
    let crowd = format!(
        "CREATE ROLE reader LOGIN; GRANT hftok_user TO reader;
         SET session_replication_role = replica;
         CREATE TEMP TABLE crowd AS
            SELECT gen_random_uuid() AS id, CASE WHEN n <= 10 THEN 'role:reader' ELSE 'user ' || n / 10 END AS name, n
            FROM generate_series(1, {MANY}) n;
         INSERT INTO hftok_private.secrets (id, binding_key, scope, scope_id, provider, version, preview, fingerprint, sealed)
            SELECT id, gen_random_uuid(), 'user', name, 'p' || n % 10, 1, 'hf_•••••••••••••EFGH', '', '' FROM crowd;
         INSERT INTO hftok_private.user_api_keys (id, user_id, service, api_key)
            SELECT id, name, 'p' || n % 10, 'hf_•••••••••••••EFGH' FROM crowd;
         INSERT INTO hftok_private.integrations (user_id, name, type, secret_id) SELECT name, 'n', 'openai', id FROM crowd;
         INSERT INTO hftok_private.members (org_id, user_id, role) SELECT 'org ' || name, name || n % 10, 'member' FROM crowd;
         INSERT INTO hftok_private.members (org_id, user_id, role) VALUES ('org role:reader', 'role:reader', 'member');
         INSERT INTO hftok_private.usage_daily (day, secret_id, currency, provider, scope, scope_id)
            SELECT current_date, id, 'USD', 'openai', 'user', name FROM crowd;
         INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, actor_user, owner_scope, owner_id, chain_hash)
            SELECT n, now(), 'change', 'save_credential', 'committed', 1, true, name, 'user', name, '' FROM crowd;
         RESET session_replication_role"
    );
    client.batch_execute(&crowd).expect("the crowd");
    let reader = cluster.client("reader", "app");
    (cluster, client, reader)
}

/// The plan of a statement that was run, and its cost.
struct Explained {
    plan: String,
    rows: i64,
    pages: i64,
}

/// Runs a statement. Its rows and pages stand at the top of its plan, those of functions included.
fn explain(client: &mut Client, statement: &str) -> Explained {
    let statement = format!("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) {statement}");
    let lines: Vec<String> = column(client, &statement);
    let number = |line: &str, name: &str| {
        let digits = line.split(name).nth(1).unwrap_or("0");
        digits.split(|c: char| !c.is_ascii_digit()).next().and_then(|it| it.parse().ok()).unwrap_or(0)
    };
    let buffers = lines.iter().find(|line| line.contains("Buffers: ")).map_or("", String::as_str);
    Explained {
        rows: number(&lines[0], "(actual rows="),
        pages: number(buffers, "hit=") + number(buffers, "read="),
        plan: lines.join("\n"),
    }
}

/// The same for each view, with the reader's own conditions on it.
fn reads_little(client: &mut Client, when: &str) {
    for (view, condition, own) in [
        ("credentials", "", 10),
        ("credentials", "WHERE scope_id = 'user 77'", 0),
        ("credentials", "WHERE label LIKE 'x%' ORDER BY created_at DESC LIMIT 3", 0),
        ("expiring_credentials", "", 0),
        ("provider_secrets", "", 10),
        ("provider_secrets", "WHERE user_id = 'user 77'", 0),
        ("provider_overview", "WHERE is_configured", 0),
        ("user_api_keys", "", 10),
        ("user_api_keys", "WHERE user_id = 'user 77'", 0),
        ("user_api_keys", "WHERE service = 'p1' ORDER BY updated_at", 1),
        ("user_api_keys", "WHERE api_key >= 'zz'", 0),
        ("integrations", "", 10),
        ("integration_shares", "", 0),
        ("members", "", 11),
        ("usage_daily", "", 10),
    ] {
        let statement = format!("SELECT * FROM hftok.{view} {condition}");
        client.query(&statement, &[]).expect("once before, for what a session looks up only once");
        let Explained { plan, rows, pages } = explain(client, &statement);
        assert_eq!(rows, own, "{when}: {statement}\n{plan}");
        assert!(
            (pages > 0 || own == 0) && pages < FEW_PAGES,
            "{when}: {statement} took {pages} pages\n{plan}"
        );
    }
}

#[test]
fn ten_among_many_are_found_by_an_index() {
    let (_cluster, mut client, mut reader) = crowded();
    reads_little(&mut reader, "without statistics");
    client.batch_execute("VACUUM ANALYZE").expect("statistics");
    reads_little(&mut reader, "with statistics");
    // Often enough that plans are no longer made for each.
    for _ in 0..8 {
        reads_little(&mut reader, "with a kept plan");
    }
}

#[test]
fn of_the_audit_the_newest_events_are_looked_through_and_changes_are_found() {
    let (_cluster, mut client, mut reader) = crowded();
    client.batch_execute("VACUUM ANALYZE").expect("statistics");
    let of_audit =
        "SELECT (pg_relation_size('hftok_private.audit') / current_setting('block_size')::int)::bigint";
    let all: i64 = one(&mut client, of_audit, &[]);
    let statement = "SELECT * FROM hftok.audit_events";
    reader.query(statement, &[]).expect("once before");
    let Explained { plan, rows, pages } = explain(&mut reader, statement);
    assert_eq!(rows, 10, "the reader's ten are changes, and lie before the newest\n{plan}");
    assert!(pages < all / 2 && all > 3000, "{pages} of {all} pages\n{plan}");
}
