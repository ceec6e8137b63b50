//! A real streaming standby: what is handed out there is told in its log, and it learns of everything that its primary learns.

use hftok_tests::answer::{column, create, every_field, get, one, put, refused};
use hftok_tests::audit::{TOKEN, count, global_token, lines, resolve, revealed_to, settled, verified};
use hftok_tests::cluster::Cluster;
use hftok_tests::question::{NOTHING, WALK, ask, run};
use hftok_tests::setup::{Setup, run as run_program};
use hftok_tests::wait_until;
use postgres::Client;

/// Waits until the standby has replayed what the primary has written.
#[track_caller]
fn replayed(primary: &mut Client, standby: &mut Client) {
    let written: String = one(primary, "SELECT pg_current_wal_flush_lsn()::text", &[]);
    let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
    wait_until("the standby has it", 20, || one(standby, &sql, &[]));
}

fn with_token() -> (Cluster, Client, Cluster) {
    let primary = Cluster::start_default();
    let mut client = primary.database("app");
    global_token(&mut client);
    put(&mut client, "name", "a value of its own");
    client.batch_execute("CREATE ROLE backend LOGIN IN ROLE hftok_service").expect("CREATE ROLE");
    settled(&mut client);
    let standby = Setup::standby_of(&primary);
    let mut reader = standby.client("postgres", "app");
    replayed(&mut client, &mut reader);
    (primary, client, standby)
}

#[test]
fn a_use_on_a_standby_is_a_line_of_its_log() {
    let (_primary, mut client, standby) = with_token();
    let mut reader = standby.client("backend", "app");
    let id: uuid::Uuid = one(&mut client, "SELECT secret_id FROM hftok.credentials", &[]);
    reader.batch_execute("SET application_name = 'its backend'").expect("SET");
    let answer: String = one(&mut reader, "SELECT hftok.resolve_hf_token('alice')", &[]);
    assert_eq!(answer, TOKEN);
    let told = lines(&standby);
    assert_eq!(told.len(), 1, "{told:?}");
    let field = |name: &str| -> Option<String> {
        let event: Option<String> = client
            .query_one("SELECT $1::text::jsonb -> 'hftok_audit' ->> $2", &[&told[0], &name])
            .expect("JSON")
            .get(0);
        event
    };
    let mut field = field;
    for (name, value) in [
        ("kind", "reveal"),
        ("action", "resolve_hf_token"),
        ("outcome", "used"),
        ("count", "1"),
        ("object_id", &id.to_string()),
        ("version", "1"),
        ("owner_scope", "global"),
        ("provider", "huggingface"),
        ("level", "global"),
        ("protected", "true"),
        ("role_name", "backend"),
        ("outer_role", "backend"),
        ("login_role", "backend"),
        ("actor_user", "alice"),
        ("application_name", "its backend"),
    ] {
        assert_eq!(field(name).as_deref(), Some(value), "{name}");
    }
    // The columns of the table that a row has besides its place in the chain.
    let columns: Vec<String> = column(
        &mut client,
        "SELECT attname::text FROM pg_attribute WHERE attrelid = 'hftok_private.audit'::regclass AND attnum > 0
         AND attname NOT IN ('id', 'chain_hash')",
    );
    columns.iter().for_each(|name| assert!(told[0].contains(&format!("\"{name}\":")), "{name}: {}", told[0]));
    let at = "SELECT ($1::text::jsonb -> 'hftok_audit' ->> 'at')::timestamptz > now() - interval '1 minute'";
    assert!(one::<bool>(&mut client, at, &[&told[0]]));

    // A refusal, with a literal in the statement that the server would log with an error, and not with our line.
    assert_eq!(get(&mut reader, "name").expect("opens"), "a value of its own");
    let literal = "SELECT hftok.get_secret('name'), 'a literal of the client'";
    reader.batch_execute(literal).expect("opens");
    refused(reader.query("SELECT hftok.get_secret('no such name')", &[]), "PT404");
    let told = lines(&standby);
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(
        told[3].contains("\"kind\":\"refusal\"") && told[3].contains("\"outcome\":\"not_found\""),
        "{}",
        told[3]
    );
    let log = standby.log();
    for secret in [TOKEN, "a value of its own", "a literal of the client"] {
        assert!(!log.contains(secret), "{secret:?} is in the log");
    }
    let after =
        log.split("{\"hftok_audit\"").nth(1).expect("the first line").lines().nth(1).unwrap_or_default();
    assert!(!after.contains("STATEMENT"), "{after}");

    assert_eq!(
        column::<Option<i64>>(&mut standby.client("postgres", "app"), "SELECT failed FROM hftok.verify()"),
        [Some(0)]
    );
    assert!(verified(&mut standby.client("postgres", "app")) > 0);
}

#[test]
fn where_nothing_can_be_told_nothing_is_handed_out() {
    let (_primary, _client, standby) = with_token();
    let mut reader = standby.client("postgres", "app");
    for (setting, reset) in [
        ("SET log_min_messages = fatal", "RESET log_min_messages"),
        ("SET log_min_messages = panic", "RESET log_min_messages"),
        ("SET hftok.audit = 'sync'", "RESET hftok.audit"),
    ] {
        reader.batch_execute(setting).expect(setting);
        for question in [
            "SELECT hftok.resolve_hf_token('alice')",
            "SELECT token FROM hftok.resolve_token('huggingface')",
            "SELECT hftok.get_secret('name')",
            "SELECT decrypted_secret FROM hftok.decrypted_secrets",
        ] {
            let error = refused(reader.query(question, &[]), "53HF2");
            assert!(!every_field(&error).contains(TOKEN), "{error:?}");
        }
        reader.batch_execute(reset).expect(reset);
        resolve(&mut reader, "again").expect("resolves");
    }
    // PostgREST on a standby reads in transactions that are read-only.
    reader.batch_execute("BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ").expect("BEGIN");
    resolve(&mut reader, "read only").expect("resolves");
    reader.batch_execute("COMMIT").expect("COMMIT");
    assert_eq!(lines(&standby).iter().filter(|line| line.contains("\"reveal\"")).count(), 4);
}

const BOB: &str = "SELECT hftok.resolve_hf_token('bob', 'acme', 'model')";

/// A session there remembers which levels are empty, and is told through replication.
#[test]
fn what_is_saved_on_the_primary_is_seen_as_soon_as_it_is_replayed() {
    let primary = Cluster::start_default();
    let mut writer = primary.database("app");
    create(&mut writer, "name", "value");
    let standby = Setup::standby_of(&primary);
    let mut reader = standby.client("postgres", "app");
    let mut within = standby.client("postgres", "app");
    within.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; TABLE pg_database").expect("BEGIN");
    assert_eq!(ask(&mut within, WALK), NOTHING);
    assert_eq!(ask(&mut reader, WALK), NOTHING);
    for (change, question, answer) in [
        ("SELECT hftok.save_hf_token('{two}', p_global => true)", WALK, "{two}"),
        (
            "SELECT hftok.add_member('acme', 'boss', 'owner'), hftok.add_member('acme', 'alice')",
            WALK,
            "{two}",
        ),
        ("SELECT hftok.save_hf_token('{one}', p_org_id => 'acme')", WALK, "{one}"),
        ("SELECT hftok.save_hf_token('{two}', p_user_id => 'alice')", WALK, "{two}"),
        ("SELECT hftok.save_hf_token('{one}', 'model', p_global => true)", BOB, "{one}"),
        ("SELECT hftok.save_hf_token('{two}', 'model', p_org_id => 'acme')", BOB, "PT422 not_member"),
        ("SELECT hftok.add_member('acme', 'bob')", BOB, "{two}"),
        ("SELECT hftok.save_hf_token('{one}', 'model', 'bob')", BOB, "{one}"),
        ("UPDATE hftok.credentials SET enabled = false WHERE scope_id = 'bob'", BOB, "PT422 disabled"),
        ("SELECT hftok.delete_credential('huggingface', 'model', 'bob')", BOB, "{two}"),
        (
            r#"SELECT hftok.register_provider('{"id": "fresh", "label": "Fresh", "hosts": ["a.example"],
                "fields": [{"name": "key", "secret": true}]}')"#,
            "SELECT (hftok.resolve_token('fresh', 'alice')).source",
            "none",
        ),
    ] {
        run(&mut writer, change);
        replayed(&mut writer, &mut standby.client("postgres", "app"));
        assert_eq!(ask(&mut within, question), answer, "within a transaction, after {change}");
        assert_eq!(ask(&mut reader, question), answer, "after {change}");
    }
}

#[test]
fn a_standby_that_is_promoted_goes_on_with_rows() {
    let (primary, mut client, standby) = with_token();
    let mut reader = standby.client("postgres", "app");
    resolve(&mut reader, "before").expect("resolves");
    let events = verified(&mut client);
    drop(primary);
    run_program(standby.program("pg_ctl").args(["promote", "-w", "-D"]).arg(standby.data()));
    wait_until("it is promoted", 20, || !one::<bool>(&mut reader, "SELECT pg_is_in_recovery()", &[]));
    resolve(&mut reader, "after").expect("resolves");
    reader.batch_execute("SET hftok.audit = 'sync'").expect("SET");
    resolve(&mut reader, "sync").expect("resolves");
    put(&mut reader, "name", "next");
    settled(&mut reader);
    assert_eq!(revealed_to(&mut reader), ["after", "sync"]);
    assert_eq!(count(&mut reader, "action = 'put_secret' AND outcome = 'committed'"), 2);
    assert!(verified(&mut reader) > events, "the same chain goes on");
    assert_eq!(lines(&standby).len(), 1, "only what was before");
    assert_eq!(column::<Option<i64>>(&mut reader, "SELECT failed FROM hftok.verify()"), [Some(0)]);
}
