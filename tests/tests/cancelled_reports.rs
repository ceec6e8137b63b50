//! Postgres looks for a cancel whenever it has reported something: a line of the log, a NOTICE. One that comes while a value is
//! on its way leaves nothing of the value behind, and nobody's name for the next call.

use hftok_tests::answer::{column, one, refused};
use hftok_tests::audit::{count, lines, settled};
use hftok_tests::cluster::Cluster;
use hftok_tests::process::regions_with;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

/// The value that must not stay.
const TOKEN: &str = "hf_theTokenThatMustNotStayInMemoryAtAll";

/// A session cancels itself; what comes next in the same list is called with the cancel pending, because nothing between the two
/// looks for one.
const CANCEL: &str = "pg_cancel_backend(pg_backend_pid())";

/// A primary with a token of alice's that can be used, one that cannot, and one of bob's.
fn primary() -> (Cluster, Client) {
    let cluster = Setup::default().setting("shared_buffers = 1MB").start();
    let mut client = cluster.database("app");
    client
        .batch_execute(&format!(
            "CREATE ROLE backend LOGIN IN ROLE hftok_service;
             SELECT hftok.save_hf_token('{TOKEN}', p_user_id => 'alice');
             SELECT hftok.save_credential('openai', 'sk-proj-alice000000000000001', p_user_id => 'alice');
             UPDATE hftok.credentials SET enabled = false WHERE provider = 'openai';
             SELECT hftok.save_hf_token('hf_anotherTokenForTheFirstCallOfSessions', p_user_id => 'bob')"
        ))
        .expect("credentials");
    settled(&mut client);
    (cluster, client)
}

/// The regions of a session's memory that have the value; `None` when we may not look.
fn kept_by(client: &mut Client) -> Option<Vec<String>> {
    let process: i32 = one(client, "SELECT pg_backend_pid()", &[]);
    let process = u32::try_from(process).expect("a process");
    match regions_with(process, &[TOKEN.as_bytes().to_vec()]) {
        Ok(found) => Some(found.into_iter().map(|region| region.line).collect()),
        Err(error) => {
            eprintln!("skipped: the memory of the server's processes cannot be read here ({error}); be root");
            None
        }
    }
}

/// The value is nowhere in the session that was cancelled, and is found in one that got it.
#[track_caller]
fn nothing_is_kept(cancelled: &mut Client, other: &mut Client) {
    let token: String = one(other, "SELECT hftok.resolve_hf_token('alice')", &[]);
    assert_eq!(token, TOKEN);
    let Some(kept) = kept_by(cancelled) else { return };
    assert_eq!(kept, Vec::<String>::new());
    assert!(!kept_by(other).expect("readable a moment ago").is_empty(), "finding nothing proves nothing");
}

#[test]
fn a_cancel_at_a_line_of_the_log_leaves_nothing() {
    let (primary, mut client) = primary();
    let standby = Setup::standby_of(&primary);
    let written: String = one(&mut client, "SELECT pg_current_wal_flush_lsn()::text", &[]);
    let mut session = standby.client("backend", "app");
    wait_until("the standby has it", 20, || {
        one(&mut session, &format!("SELECT pg_last_wal_replay_lsn() >= '{written}'"), &[])
    });
    // The first call of a session runs SQL, which looks for cancels itself.
    session.batch_execute("SELECT hftok.resolve_hf_token('bob')").expect("bob's");
    let cancelled = session.batch_execute(&format!("SELECT {CANCEL}, hftok.resolve_hf_token('alice')"));
    refused(cancelled, "57014");
    let told = lines(&standby);
    assert!(
        told.last().is_some_and(|line| line.contains("\"alice\"")),
        "cancelled before the line: {told:?}"
    );
    refused(session.batch_execute("SELECT hftok.seal()"), "42501");
    let told = lines(&standby);
    let last = told.last().expect("a line");
    assert!(last.contains("\"action\":\"seal\""), "{last}");
    assert!(last.contains("\"actor_user\":\"role:backend\""), "{last}");
    nothing_is_kept(&mut session, &mut standby.client("backend", "app"));
}

#[test]
fn a_cancel_at_a_notice_leaves_nothing() {
    let (cluster, mut client) = primary();
    let (mut session, notices) = cluster.client_noting("backend", "app");
    session.batch_execute("SELECT hftok.runner_env(p_user_id => 'bob')").expect("bob's");
    let cancelled =
        session.batch_execute(&format!("SELECT {CANCEL}, hftok.runner_env(p_user_id => 'alice')"));
    refused(cancelled, "57014");
    let noted: Vec<_> =
        notices.lock().expect("lock").iter().map(|notice| notice.message().to_owned()).collect();
    assert!(noted.iter().any(|notice| notice.contains("openai")), "cancelled before the notice: {noted:?}");
    refused(session.batch_execute("SELECT hftok.purge_audit(now())"), "42501");
    settled(&mut client);
    let opened = count(&mut client, "action = 'runner_env' AND outcome = 'used' AND owner_id = 'alice'");
    assert!(opened > 0, "no value had been opened yet");
    let actors: Vec<String> =
        column(&mut client, "SELECT actor_user FROM hftok_private.audit_rows WHERE action = 'purge_audit'");
    assert_eq!(actors, ["role:backend"]);
    nothing_is_kept(&mut session, &mut cluster.client("backend", "app"));
}

/// A handler of PL/pgSQL goes on after a call that was cancelled: it is not taken for a part of it.
#[test]
fn a_handler_that_goes_on_after_a_cancel_acts_for_itself() {
    let (cluster, mut client) = primary();
    let mut session = cluster.client("backend", "app");
    session.batch_execute("SELECT hftok.runner_env(p_user_id => 'bob')").expect("bob's");
    session
        .batch_execute(&format!(
            "DO $$ BEGIN
                PERFORM {CANCEL}, hftok.runner_env(p_user_id => 'alice');
            EXCEPTION WHEN query_canceled THEN
                PERFORM hftok.report_credential(secret_id, 'verified') FROM hftok.credentials WHERE scope_id = 'bob';
            END $$"
        ))
        .expect("goes on");
    settled(&mut client);
    let opened = count(&mut client, "action = 'runner_env' AND outcome = 'used' AND owner_id = 'alice'");
    assert!(opened > 0, "cancelled before a value was opened");
    let actors: Vec<String> = column(
        &mut client,
        "SELECT actor_user FROM hftok_private.audit_rows WHERE action = 'report_credential'",
    );
    assert_eq!(actors, ["role:backend"]);
}
