//! The memory of a session about levels, the seal and roles, where several sessions change them.

use std::sync::OnceLock;
use std::thread::spawn;

use hftok_tests::answer::one;
use hftok_tests::cluster::Cluster;
use hftok_tests::question::{NAMED, NOTHING, SAVE, WALK, ask, run};
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Setup::default().setting("max_prepared_transactions = 5").start())
}

/// A session that saw a level lose its last row still calls it full, and sessions that came later call it empty.
#[test]
fn a_level_is_seen_that_is_filled_again_by_whoever_knew_it_full() {
    let mut first = cluster().database("again");
    run(&mut first, SAVE);
    assert_eq!(ask(&mut first, WALK), "{one}");
    run(&mut first, "SELECT hftok.delete_credential('huggingface', p_user_id => 'alice')");
    assert_eq!(ask(&mut first, WALK), NOTHING);
    let mut late = cluster().client("postgres", "again");
    assert_eq!(ask(&mut late, WALK), NOTHING);
    run(&mut first, SAVE);
    assert_eq!(ask(&mut first, WALK), "{one}");
    assert_eq!(ask(&mut late, WALK), "{one}", "filled again");
}

/// The same, with a row that others never saw: the first one's transaction was rolled back, the second one's was not.
#[test]
fn of_two_first_ones_at_a_time_either_is_seen() {
    let mut reader = cluster().database("two_first");
    // The first secret of all makes keys, for which others wait.
    run(&mut reader, "SELECT hftok.put_secret('name', 'value')");
    let (mut one, mut two) =
        (cluster().client("postgres", "two_first"), cluster().client("postgres", "two_first"));
    for (first_ends, second_ends) in [("ROLLBACK", "COMMIT"), ("COMMIT", "ROLLBACK")] {
        run(&mut reader, "TRUNCATE hftok_private.secrets, hftok_private.kinds CASCADE");
        [&mut reader, &mut one, &mut two]
            .into_iter()
            .for_each(|client| assert_eq!(ask(client, WALK), NOTHING));
        one.batch_execute("BEGIN").expect("BEGIN");
        run(&mut one, SAVE);
        two.batch_execute("BEGIN").expect("BEGIN");
        run(&mut two, "SELECT hftok.save_hf_token('{two}', p_user_id => 'bob')");
        one.batch_execute(first_ends).expect(first_ends);
        two.batch_execute(second_ends).expect(second_ends);
        let both = "SELECT concat_ws(' ', coalesce(hftok.resolve_hf_token('alice'), '-'),
            coalesce(hftok.resolve_hf_token('bob'), '-'))";
        let expected = if first_ends == "COMMIT" { "{one} -" } else { "- {two}" };
        [&mut reader, &mut one, &mut two]
            .into_iter()
            .for_each(|client| assert_eq!(ask(client, both), expected));
    }
}

/// A look-up in the middle of a statement is not remembered with the state that the statement began with.
#[test]
fn a_statement_that_began_before_leaves_nothing_old_behind() {
    let mut writer = cluster().database("long");
    let mut reader = cluster().client("postgres", "long");
    let mut gate = cluster().client("postgres", "long");
    gate.batch_execute("SELECT pg_advisory_lock(1)").expect("a lock");
    let asking = spawn(move || {
        let slow = "SELECT coalesce(hftok.resolve_hf_token('alice'), '-')
            FROM (SELECT pg_advisory_xact_lock(1) OFFSET 0) s";
        let answer = ask(&mut reader, slow);
        (answer, ask(&mut reader, WALK))
    });
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    wait_until("the statement has begun", 20, || one::<bool>(&mut gate, waits, &[]));
    run(&mut writer, SAVE);
    gate.batch_execute("SELECT pg_advisory_unlock(1)").expect("unlocked");
    assert_eq!(asking.join().expect("the reader"), ("{one}".to_owned(), "{one}".to_owned()));
}

#[test]
fn the_second_phase_of_another_is_seen() {
    let mut writer = cluster().database("second_phase");
    let mut reader = cluster().client("postgres", "second_phase");
    assert_eq!(ask(&mut reader, WALK), NOTHING);
    writer.batch_execute("BEGIN").expect("BEGIN");
    run(&mut writer, SAVE);
    writer.batch_execute("PREPARE TRANSACTION 'first of all'").expect("PREPARE TRANSACTION");
    assert_eq!(ask(&mut reader, WALK), NOTHING);
    assert_eq!(ask(&mut writer, WALK), NOTHING);
    let mut other = cluster().client("postgres", "second_phase");
    assert_eq!(ask(&mut other, WALK), NOTHING);
    other.batch_execute("COMMIT PREPARED 'first of all'").expect("COMMIT PREPARED");
    for client in [&mut reader, &mut writer, &mut other] {
        assert_eq!(ask(client, WALK), "{one}");
    }
}

/// The end counts also within a transaction, for which now() stands still.
#[test]
fn a_credential_ends_when_its_time_is_over() {
    let mut client = cluster().database("ending");
    run(
        &mut client,
        "SELECT hftok.save_credential('huggingface', '{one}', p_user_id => 'alice',
            p_expires_at => clock_timestamp() + interval '4 seconds')",
    );
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").expect("BEGIN");
    assert_eq!(ask(&mut client, WALK), "{one}");
    wait_until("it ends", 20, || ask(&mut client, WALK) == "PT422 expired");
    client.batch_execute("COMMIT").expect("COMMIT");
}

/// One server for all databases, so one of its own.
#[test]
fn a_seal_is_seen_at_once() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    run(&mut client, SAVE);
    run(&mut client, "SELECT hftok.put_secret('name', 'first')");
    let mut other = cluster.client("postgres", "app");
    other.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").expect("BEGIN");
    for _ in 0..3 {
        assert_eq!((ask(&mut client, WALK), ask(&mut other, WALK)), ("{one}".into(), "{one}".into()));
        assert_eq!(ask(&mut other, NAMED), "first");
        run(&mut client, "SELECT hftok.seal()");
        for question in [WALK, NAMED] {
            assert_eq!(
                (ask(&mut client, question), ask(&mut other, question)),
                ("53HF1".into(), "53HF1".into())
            );
        }
        run(&mut client, "SELECT hftok.unseal()");
    }
    assert_eq!(ask(&mut other, WALK), "{one}");
}

/// Roles are switched within a transaction. Postgres looks at grants itself, and is told of them where a transaction begins.
#[test]
fn whoever_is_no_longer_allowed_is_refused_at_once() {
    let mut client = cluster().database("roles");
    run(&mut client, SAVE);
    run(
        &mut client,
        "CREATE ROLE server LOGIN; CREATE ROLE guest; GRANT USAGE ON SCHEMA hftok TO guest, server",
    );
    run(&mut client, "GRANT hftok_service TO server; GRANT guest TO server");
    let mut server = cluster().client("server", "roles");
    server.batch_execute("PREPARE ask AS SELECT hftok.resolve_hf_token('alice')").expect("PREPARE");
    for question in [WALK, "EXECUTE ask", WALK, "EXECUTE ask"] {
        server.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").expect("BEGIN");
        assert_eq!(ask(&mut server, question), "{one}");
        for (role, expected) in [("guest", "42501"), ("hftok_service", "{one}"), ("guest", "42501")] {
            server.batch_execute(&format!("SET LOCAL ROLE {role}")).expect("SET ROLE");
            assert_eq!(ask(&mut server, question), expected, "as {role}");
        }
        server.batch_execute("RESET ROLE").expect("RESET ROLE");
        assert_eq!(ask(&mut server, question), "{one}");
        server.batch_execute("COMMIT").expect("COMMIT");
        run(&mut client, "REVOKE hftok_service FROM server");
        assert_eq!(ask(&mut server, question), "42501");
        run(&mut client, "GRANT hftok_service TO server");
        assert_eq!(ask(&mut server, question), "{one}");
    }
}
