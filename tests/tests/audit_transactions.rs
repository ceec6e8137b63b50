//! Events of a transaction: a reveal stays in the audit whatever becomes of the transaction, a change is told with its
//! outcome.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hftok_tests::answer::{column, create, get, one, put, refused};
use hftok_tests::audit::{
    TOKEN, count, global_token, resolve, revealed_to, rows, settled, verified, waiting,
};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Setup::default().setting("max_prepared_transactions = 5").start())
}

fn with_token(name: &str) -> Client {
    let mut client = cluster().database(name);
    global_token(&mut client);
    client
}

#[test]
fn a_rolled_back_read_leaves_its_event() {
    let mut client = with_token("rolled_back_read");
    let mut transaction = client.transaction().expect("BEGIN");
    let token: String = one(&mut transaction, "SELECT hftok.resolve_hf_token('alice')", &[]);
    assert_eq!(token, TOKEN);
    transaction.batch_execute("SAVEPOINT a").expect("SAVEPOINT");
    one::<String>(&mut transaction, "SELECT hftok.resolve_hf_token('bob')", &[]);
    transaction.batch_execute("ROLLBACK TO a").expect("ROLLBACK TO");
    let error = transaction.query("SELECT 1 / (length(hftok.resolve_hf_token('carol')) - 37)", &[]);
    refused(error, "22012");
    transaction.rollback().expect("ROLLBACK");
    settled(&mut client);
    assert_eq!(revealed_to(&mut client), ["alice", "bob", "carol"]);
    verified(&mut client);
}

#[test]
fn a_session_that_is_ended_in_its_transaction_leaves_its_event() {
    let mut client = with_token("ended");
    let mut other = cluster().client("postgres", "ended");
    let id: i32 = one(&mut other, "SELECT pg_backend_pid()", &[]);
    let mut transaction = other.transaction().expect("BEGIN");
    one::<String>(&mut transaction, "SELECT hftok.resolve_hf_token('alice')", &[]);
    assert!(one::<bool>(&mut client, "SELECT pg_terminate_backend($1, 5000)", &[&id]));
    settled(&mut client);
    assert_eq!(revealed_to(&mut client), ["alice"]);
}

#[test]
fn a_refused_call_leaves_its_event() {
    let mut client = with_token("refusals");
    client
        .batch_execute(
            "CREATE ROLE backend LOGIN IN ROLE hftok_service; CREATE ROLE nobody LOGIN;
             GRANT USAGE ON SCHEMA hftok TO nobody;
             SELECT hftok.save_credential('openai', 'sk-proj-abcdefghijklmnopqrstuvwxyz', p_user_id => 'alice',
                 p_expires_at => '2000-01-01')",
        )
        .expect("roles and an expired credential");
    let mut backend = cluster().client("backend", "refusals");
    refused(get(&mut backend, "no such name"), "PT404");
    refused(backend.query("SELECT hftok.resolve_token('openai', 'alice')", &[]), "PT422");
    refused(backend.query("SELECT hftok.seal()", &[]), "42501");
    let mut nobody = cluster().client("nobody", "refusals");
    let mut transaction = nobody.transaction().expect("BEGIN");
    refused(transaction.query("SELECT hftok.resolve_hf_token('alice')", &[]), "42501");
    transaction.rollback().expect("ROLLBACK");
    settled(&mut client);
    let told = "SELECT concat_ws(' ', login_role, action, outcome, level) FROM hftok_private.audit_rows
        WHERE kind = 'refusal' ORDER BY id";
    assert_eq!(
        column::<String>(&mut client, told),
        [
            "backend get_secret not_found",
            "backend resolve_token expired user",
            "backend seal not_allowed",
            "nobody resolve_hf_token not_allowed",
        ]
    );
    assert_eq!(count(&mut client, "kind = 'reveal'"), 0);
    verified(&mut client);
}

/// A read changes nothing, and needs nothing that a replica could not give.
#[test]
fn a_read_assigns_no_transaction_id_and_works_read_only() {
    let mut client = with_token("read_only");
    let written = "SELECT pg_current_xact_id_if_assigned() IS NULL";
    for begin in ["BEGIN READ ONLY", "BEGIN", "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE"] {
        client.batch_execute(begin).expect("BEGIN");
        resolve(&mut client, begin).expect("resolves");
        assert!(one::<bool>(&mut client, written, &[]), "{begin}: no transaction id");
        client.batch_execute("COMMIT").expect("COMMIT");
    }
    // As PostgREST serves GET and functions that are STABLE, and as a whole session of a replica's pool may be set.
    client.batch_execute("SET default_transaction_read_only = on; SET hftok.audit = 'sync'").expect("SET");
    resolve(&mut client, "sync").expect("resolves, and its event is written by somebody else");
    refused(
        client.query("SELECT hftok.resolve_token('openai', 'x', p_levels => '{nonsense}')", &[]),
        "22023",
    );
    settled(&mut client);
    assert_eq!(count(&mut client, "kind = 'reveal'"), 4);
    verified(&mut client);
}

#[test]
fn a_change_is_told_as_what_it_came_to() {
    let mut client = with_token("changes");
    let before = verified(&mut client);
    let mut transaction = client.transaction().expect("BEGIN");
    transaction
        .batch_execute(
            "SELECT hftok.create_secret('v', 'stays');
             SAVEPOINT a; SELECT hftok.create_secret('v', 'goes'); ROLLBACK TO a;
             SAVEPOINT b; SELECT hftok.create_secret('v', 'stays, too'); RELEASE b",
        )
        .expect("changes");
    transaction.commit().expect("COMMIT");
    let mut transaction = client.transaction().expect("BEGIN");
    transaction
        .batch_execute(
            "SAVEPOINT a; SELECT hftok.put_secret('stays', 'w'); RELEASE a;
             DELETE FROM hftok.decrypted_secrets WHERE name = 'stays, too'",
        )
        .expect("changes");
    transaction.rollback().expect("ROLLBACK");
    settled(&mut client);
    let told = "SELECT concat_ws(' ', action, version, outcome) FROM hftok_private.audit_rows
        WHERE kind = 'change' AND action NOT LIKE 'save%' ORDER BY id";
    let mut told: Vec<String> = column(&mut client, told);
    // Between the one that went and those that were committed the order is that of the moments they were told.
    told[..3].sort();
    assert_eq!(
        told,
        [
            "create_secret 1 committed",
            "create_secret 1 committed",
            "create_secret 1 rolled_back",
            "put_secret 2 rolled_back",
            "delete_secret 1 rolled_back",
        ]
    );
    assert!(verified(&mut client) > before);
    assert_eq!(column::<Option<i64>>(&mut client, "SELECT failed FROM hftok.verify()"), [Some(0)]);
}

#[test]
fn two_phases_are_told_when_the_second_came() {
    let mut client = with_token("two_phases");
    create(&mut client, "name", "value");
    settled(&mut client);
    for (name, end, expected) in [("kept", "COMMIT PREPARED", 1), ("dropped", "ROLLBACK PREPARED", 0)] {
        client
            .batch_execute(&format!(
                "BEGIN; SELECT hftok.create_secret('v', '{name}'); PREPARE TRANSACTION '{name}'"
            ))
            .expect("PREPARE TRANSACTION");
        resolve(&mut client, name).expect("resolves");
        settled(&mut client);
        let all = "action = 'create_secret' AND outcome = 'committed'";
        let told = format!("{all} AND object_id IN (SELECT id FROM hftok.secrets WHERE name = '{name}')");
        let before = rows(&mut client, all);
        assert_eq!(rows(&mut client, &told), 0, "nothing is told of what may still go either way");
        let last =
            "SELECT outcome FROM hftok.audit_events WHERE action = 'create_secret' ORDER BY id DESC LIMIT 1";
        assert_eq!(column::<String>(&mut client, last), ["prepared"], "but that it was prepared");
        let mut other = cluster().client("postgres", "two_phases");
        other.batch_execute(&format!("{end} '{name}'")).expect(end);
        // The session that ended the transaction made no change: the next event of anybody takes this one along.
        resolve(&mut other, name).expect("resolves");
        wait_until("the event is there", 5, || rows(&mut client, all) == before + expected);
        assert_eq!(rows(&mut client, &told), expected);
        verified(&mut client);
        assert_eq!(column::<Option<i64>>(&mut client, "SELECT failed FROM hftok.verify()"), [Some(0)]);
    }
}

const MANY: i64 = 20_000;
const SAVE_MANY: &str = "SELECT count(*) FROM (
    SELECT hftok.save_credential('openai', 'sk-proj-abcdefghijklmnopqrstuvwxyz', p_user_id => 'user ' || n)
    FROM generate_series(1, 20000) n OFFSET 0) s";

#[test]
fn a_bulk_of_changes_is_chained_completely() {
    let mut client = with_token("bulk");
    assert_eq!(one::<i64>(&mut client, SAVE_MANY, &[]), MANY);
    // While that is written, others go on.
    let mut other = cluster().client("postgres", "bulk");
    other.batch_execute("SET hftok.audit = 'sync'").expect("SET");
    for number in 0..20 {
        // Each within hftok.audit_timeout, or it would be refused.
        resolve(&mut other, &format!("reader {number}")).expect("resolves meanwhile");
    }
    wait_until("all of it is chained", 60, || waiting(&mut client) == 0);
    let told = "SELECT count(DISTINCT object_id) FROM hftok_private.audit_rows
        WHERE action = 'save_credential' AND owner_scope = 'user' AND outcome = 'committed'";
    assert_eq!(one::<i64>(&mut client, told, &[]), MANY);
    assert_eq!(rows(&mut client, "action = 'save_credential' AND owner_scope = 'user'"), MANY, "each once");
    assert!(verified(&mut client) > MANY);
    assert_eq!(
        column::<Option<i64>>(&mut client, "SELECT failed FROM hftok.verify()"),
        [Some(0)],
        "what is stored is what the audit tells"
    );
}

#[test]
fn a_rolled_back_bulk_is_counted_and_stops_nobody() {
    let mut client = with_token("rolled_back_bulk");
    let mut transaction = client.transaction().expect("BEGIN");
    assert_eq!(one::<i64>(&mut transaction, SAVE_MANY, &[]), MANY);
    let begin = Instant::now();
    transaction.rollback().expect("ROLLBACK");
    assert!(begin.elapsed() < Duration::from_secs(2), "ROLLBACK took {:?}", begin.elapsed());
    resolve(&mut client, "alice").expect("resolves");
    settled(&mut client);
    let undone = "action = 'save_credential' AND outcome = 'rolled_back'";
    assert_eq!(count(&mut client, undone), MANY);
    assert!(rows(&mut client, undone) < 200, "not an event each");
    assert_eq!(count(&mut client, "outcome = 'committed' AND owner_scope = 'user'"), 0);
    verified(&mut client);
}

/// A part that is rolled back tells as much as a whole transaction.
#[test]
fn a_rolled_back_part_is_counted_completely() {
    let mut client = with_token("rolled_back_part");
    put(&mut client, "name", "value");
    let mut transaction = client.transaction().expect("BEGIN");
    transaction.batch_execute("SAVEPOINT a").expect("SAVEPOINT");
    let many = SAVE_MANY.replace("20000", "150");
    assert_eq!(one::<i64>(&mut transaction, &many, &[]), 150);
    transaction.batch_execute("ROLLBACK TO a; SELECT hftok.put_secret('name', 'next')").expect("ROLLBACK TO");
    transaction.commit().expect("COMMIT");
    settled(&mut client);
    assert_eq!(count(&mut client, "action = 'save_credential' AND outcome = 'rolled_back'"), 150);
    assert_eq!(count(&mut client, "action = 'put_secret' AND outcome = 'committed'"), 2);
    assert_eq!(count(&mut client, "action = 'put_secret' AND outcome = 'rolled_back'"), 0);
}
