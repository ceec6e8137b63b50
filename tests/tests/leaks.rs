//! No value reaches the disk in the clear, or an error.

use std::path::PathBuf;

use hftok_tests::answer::{create, every_field, get, one, put, refused};
use hftok_tests::cluster::Stop;
use hftok_tests::files::files_with;
use hftok_tests::setup::Setup;
use postgres::Client;
use postgres::types::ToSql;

#[test]
fn no_value_is_on_disk_in_the_clear() {
    // Logical decoding puts more into WAL than anything else; everything goes to disk.
    let cluster =
        Setup::default().durable().setting("wal_level = logical").setting("work_mem = 64kB").start();
    let mut client = cluster.database("app");
    client.batch_execute("CHECKPOINT").expect("checkpoint");
    let secret = "cleartext-canary-f3a9c1";
    let long = format!("{secret} ").repeat(3000);
    let id = one::<uuid::Uuid>(
        &mut client,
        "SELECT hftok.create_secret($1, 'created', 'described-canary-77b1')",
        &[&secret],
    );
    client.query("SELECT hftok.update_secret($1, $2)", &[&id, &format!("{secret}-updated")]).expect("update");
    client.query("SELECT hftok.update_secret($1, new_name => 'renamed')", &[&id]).expect("rename");
    put(&mut client, "put", &format!("{secret}-put"));
    put(&mut client, "put", &long);
    put(&mut client, "put", secret);
    let put = put(&mut client, "put", "harmless");
    client.query("SELECT hftok.restore_secret($1, 2)", &[&put]).expect("restore");
    client.batch_execute("BEGIN").expect("begin");
    create(&mut client, "undone", &long);
    client.batch_execute("ROLLBACK").expect("rollback");
    refused(client.query("SELECT hftok.create_secret($1, 'renamed')", &[&long]), "23505");
    client.query("SELECT hftok.find_secret($1)", &[&secret]).expect("find");
    assert_eq!(get(&mut client, "put").expect("opens"), long);
    report(&mut client, secret);
    client
        .query("SELECT hftok.create_secret($1) FROM generate_series(1, 300)", &[&long])
        .expect("many, more than work_mem");
    client.query("SELECT * FROM hftok.save_credentials($1::text::jsonb)", &[&bulk(secret)]).expect("a bulk");
    for step in ["VACUUM", "ANALYZE", "CHECKPOINT"] {
        client.batch_execute(step).expect("everything to disk");
    }
    drop(client);
    // Live files first: temporary ones are gone after the end.
    let needles = [secret, &hftok_tests::root_key::hex(secret.as_bytes())];
    assert_eq!(files_with(&cluster.data(), &needles), Vec::<PathBuf>::new());
    cluster.stop(Stop::Fast);
    assert_eq!(files_with(&cluster.data(), &needles), Vec::<PathBuf>::new());

    let described = files_with(&cluster.data(), &["described-canary-77b1"]);
    for place in ["pg_wal", "base"] {
        let folder = cluster.data().join(place);
        assert!(
            described.iter().any(|path| path.starts_with(&folder)),
            "what is not sealed is in {place}: {described:?}"
        );
    }
}

/// The rows of a bulk that is longer than work_mem, each with a key that quotes the secret.
fn bulk(secret: &str) -> String {
    let row = |n: usize| {
        format!(r#"{{"provider":"openai","secret":"sk-{n}-{secret}-{}","user_id":"u{n}"}}"#, "a".repeat(2000))
    };
    format!("[{}]", (0..200).map(row).collect::<Vec<_>>().join(","))
}

/// Reports what an upstream says of a credential and of an integration: it quotes them.
fn report(client: &mut Client, secret: &str) {
    let words = format!("401: the key {secret} is wrong");
    let save = "SELECT secret_id FROM hftok.save_credential('openai', $1, p_user_id => 'u')";
    let credential = one::<uuid::Uuid>(client, save, &[&secret]);
    let invalid = "SELECT hftok.report_credential($1, 'invalid', $2)";
    client.query(invalid, &[&credential, &words]).expect("report");
    let make = "SELECT hftok.create_integration_with_vault('i', 'openai', $1, p_user_id => 'u')";
    let integration = one::<uuid::Uuid>(client, make, &[&secret]);
    let fail = "SELECT hftok.update_integration_status($1, 'error', $2, 'u')";
    client.query(fail, &[&integration, &words]).expect("status");
    for shown in [
        "SELECT verdict_message FROM hftok.credentials WHERE scope_id = 'u'",
        "SELECT error_message FROM hftok.integrations WHERE user_id = 'u'",
    ] {
        let shown = one::<String>(client, shown, &[]);
        assert!(shown.starts_with("401: the key •") && shown.ends_with(" is wrong"), "{shown}");
    }
}

/// Rows that do not fit into work_mem go to a file, which is gone when the statement ends: Postgres logs that there was one.
#[test]
fn saving_many_leaves_no_value_in_a_temporary_file() {
    let cluster = Setup::default().setting("work_mem = 64kB").setting("log_temp_files = 0").start();
    let mut client = cluster.database("app");
    let rows = |length: usize| -> String {
        let row = |n: usize| {
            let key = format!("sk-{n}{}", "a".repeat(length));
            format!(
                r#"{{"provider":"openai","secret":"{key}","user_id":"u{n}","allowed_hosts":["api.openai.com"]}}"#
            )
        };
        format!("[{}]", (0..300_000 / length).map(row).collect::<Vec<_>>().join(","))
    };
    let files = || cluster.log().matches("temporary file: path").count();
    client
        .query(
            "SELECT count(*) FROM (SELECT repeat('x', n) FROM generate_series(1, 3000) n ORDER BY 1) s",
            &[],
        )
        .expect("sort");
    let before = files();
    assert!(before > 0, "Postgres does not say when it makes a temporary file");
    for length in [5000, 60_000] {
        client
            .query("SELECT * FROM hftok.save_credentials($1::text::jsonb)", &[&rows(length)])
            .expect("many at once");
    }
    assert_eq!(files(), before, "{}", cluster.log());
}

/// Postgres' own doing, as SECURITY.md says: what a client's statement is to keep or to sort is written as it was read.
#[test]
fn what_a_statement_keeps_is_on_disk_in_the_clear_and_one_value_is_not() {
    let cluster = Setup::default().setting("work_mem = 64kB").start();
    let mut client = cluster.database("app");
    let secret = "kept-canary-9b3e";
    let long = format!("{secret} ").repeat(200);
    client.query("SELECT hftok.create_secret($1) FROM generate_series(1, 200)", &[&long]).expect("many");
    create(&mut client, "one", &long);
    let files = || files_with(&cluster.data().join("base/pgsql_tmp"), &[secret]).len();
    assert_eq!(get(&mut client, "one").expect("opens"), long);
    client
        .batch_execute("DO $$BEGIN FOR n IN 1..300 LOOP PERFORM hftok.get_secret('one'); END LOOP; END$$")
        .expect("one by one");
    assert_eq!(files(), 0);
    client
        .batch_execute(
            "BEGIN; DECLARE kept CURSOR WITH HOLD FOR SELECT decrypted_secret FROM hftok.decrypted_secrets; COMMIT",
        )
        .expect("a cursor");
    assert!(files() > 0);
    client.batch_execute("CLOSE kept").expect("closed");
    assert_eq!(files(), 0);
}

#[test]
fn no_field_of_an_error_quotes_the_value() {
    let secret = "quoted-canary-5d20";
    let cluster = Setup::default().setting("hftok.max_secret_size = 1024").start();
    let mut client = cluster.database("app");
    create(&mut client, "taken", "value");
    let long = format!("{secret} ").repeat(100);
    let unknown = uuid::Uuid::nil();
    let taken = one::<uuid::Uuid>(&mut client, "SELECT id FROM hftok.secrets", &[]);
    let other = create(&mut client, "other", secret);

    let complain = |client: &mut Client, sqlstate: &str, sql: &str, parameters: &[&(dyn ToSql + Sync)]| {
        let error = refused(client.query(sql, parameters), sqlstate);
        assert!(!every_field(&error).contains("quoted-canary"), "{sql}: {error:?}");
    };
    let calls: [(&str, &str, &[&(dyn ToSql + Sync)]); 14] = [
        ("23505", "SELECT hftok.create_secret($1, 'taken')", &[&secret]),
        ("22023", "SELECT hftok.create_secret(NULL, $1, $1)", &[&secret]),
        ("22023", "SELECT hftok.put_secret($1, NULL)", &[&secret]),
        ("22023", "SELECT hftok.put_secret(NULL, $1)", &[&secret]),
        ("22023", "SELECT hftok.put_secret('', $1)", &[&secret]),
        ("PT409", "SELECT hftok.put_secret('taken', $1, NULL, 7)", &[&secret]),
        ("PT404", "SELECT hftok.update_secret($2, $1)", &[&secret, &unknown]),
        ("22023", "SELECT hftok.update_secret(NULL, $1)", &[&secret]),
        ("23505", "SELECT hftok.update_secret($2, $1, 'other')", &[&secret, &taken]),
        ("23505", "SELECT hftok.update_secret($1, new_name => 'taken')", &[&other]),
        ("PT413", "SELECT hftok.create_secret($1)", &[&long]),
        ("PT413", "SELECT hftok.put_secret('taken', $1)", &[&long]),
        ("PT413", "SELECT hftok.update_secret($2, $1)", &[&long, &taken]),
        ("22023", "SELECT hftok.get_secret('other', NULL, $1)", &[&secret]),
    ];
    for (sqlstate, sql, parameters) in calls {
        complain(&mut client, sqlstate, sql, parameters);
    }
    client.batch_execute("SET request.method = 'GET'").expect("set");
    complain(&mut client, "PT405", "SELECT hftok.put_secret('taken', $1)", &[&secret]);
    client.batch_execute("RESET request.method").expect("reset");
    client.batch_execute("BEGIN READ ONLY").expect("begin");
    complain(&mut client, "25006", "SELECT hftok.put_secret('taken', $1)", &[&secret]);
    client.batch_execute("ROLLBACK").expect("rollback");
    client.batch_execute("SET statement_timeout = '300ms'").expect("set");
    let mut holder = cluster.client("postgres", "app");
    let mut holder = holder.transaction().expect("begin");
    holder.query("SELECT hftok.put_secret('taken', 'x')", &[]).expect("put");
    complain(&mut client, "57014", "SELECT hftok.put_secret('taken', $1)", &[&secret]);
    drop(holder);
    client.batch_execute("RESET statement_timeout").expect("set");
    // The error of a DBA's own trigger quotes the row.
    client
        .batch_execute(
            "CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'row: %', NEW; END $$;
             CREATE TRIGGER complain BEFORE INSERT OR UPDATE ON hftok_private.secrets
             FOR EACH ROW EXECUTE FUNCTION complain()",
        )
        .expect("trigger");
    complain(&mut client, "P0001", "SELECT hftok.create_secret($1)", &[&secret]);
    complain(&mut client, "P0001", "SELECT hftok.put_secret('taken', $1)", &[&secret]);
    client.batch_execute("DROP FUNCTION complain CASCADE; SELECT hftok.seal()").expect("seal");
    complain(&mut client, "53HF1", "SELECT hftok.create_secret($1)", &[&secret]);
    complain(&mut client, "53HF1", "SELECT hftok.put_secret('taken', $1)", &[&secret]);
    complain(&mut client, "53HF1", "SELECT * FROM hftok.find_secret($1)", &[&secret]);
}

fn assert_no_backtrace(text: &str) {
    for sign in ["stack backtrace", "Backtrace", "   0:", "   1:", "RUST_BACKTRACE"] {
        assert!(!text.contains(sign), "{sign:?} in {text}");
    }
}

/// A DETAIL or a log with a backtrace shows what is nobody's business; pgrx makes one when it is told to.
#[test]
fn no_error_carries_a_backtrace() {
    let cluster = Setup::default()
        .environment("RUST_BACKTRACE", "full")
        .environment("RUST_LIB_BACKTRACE", "1")
        .setting("log_min_messages = debug1")
        .start();
    let mut client = cluster.database("app");
    let fails = |client: &mut Client, sqlstate: &str, sql: &str| {
        let error = refused(client.query(sql, &[]), sqlstate);
        assert_no_backtrace(&every_field(&error));
    };
    let ours = |client: &mut Client| {
        fails(client, "22023", "SELECT hftok.create_secret(NULL)");
        fails(client, "22012", "SELECT hftok.create_secret((1/(SELECT 0))::text)");
        fails(client, "22012", "SELECT 1/0 FROM (SELECT hftok.create_secret('x') OFFSET 0) made");
        fails(client, "PT404", "SELECT hftok.get_secret('none')");
        fails(client, "PT404", "SELECT hftok.update_secret(gen_random_uuid(), 'x')");
    };
    ours(&mut client);
    // Errors of Postgres that pass through our frames.
    client
        .batch_execute(
            "CREATE FUNCTION trip() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF NEW.name = 'zero' THEN PERFORM 1/0; ELSE EXECUTE 'SELEC nothing'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER trip BEFORE INSERT ON hftok_private.secrets FOR EACH ROW EXECUTE FUNCTION trip()",
        )
        .expect("trigger");
    fails(&mut client, "22012", "SELECT hftok.create_secret('x', 'zero')");
    fails(&mut client, "42601", "SELECT hftok.put_secret('syntax', 'x')");
    client.batch_execute("DROP FUNCTION trip CASCADE").expect("drop");
    // The session is none the worse for it.
    create(&mut client, "zero", "value");
    assert_eq!(get(&mut client, "zero").expect("opens"), "value");
    // Errors that have nothing to do with us.
    fails(&mut client, "22012", "SELECT 1/0");
    fails(&mut client, "42601", "SELEC");

    cluster.configure("shared_preload_libraries = ''");
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    fails(&mut client, "53HF1", "SELECT hftok.create_secret('x')");
    fails(&mut client, "53HF1", "SELECT hftok.get_secret('zero')");
    fails(&mut client, "53HF1", "SELECT hftok.unseal()");
    fails(&mut client, "22012", "SELECT 1/0");
    fails(&mut client, "42601", "SELEC");
    assert_no_backtrace(&cluster.log());
}
