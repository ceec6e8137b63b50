//! An application moves in while it runs, as docs/moving-in.md has it: nothing of it fails, nothing is lost, and nothing of the old
//! plaintext stays.

#[path = "moving_in/backend.rs"]
mod backend;
#[path = "moving_in/old_app.rs"]
mod old_app;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use backend::{Backend, Release};
use hftok_tests::answer::{self, every_field, one};
use hftok_tests::cluster::Cluster;
use hftok_tests::files::files_with;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use old_app::{BUSY, NEW, OLD, SEALED, Usable, token};
use postgres::Client;
use postgres::error::SqlState;

/// The application's columns, and how each is moved.
const SOURCES: [(&str, &str, &str); 6] = [
    ("users", "huggingface_token", "'huggingface'"),
    ("organizations", "huggingface_token", "'huggingface', p_owner => 'org'"),
    ("models", "huggingface_token", "'huggingface', p_owner => 'global', p_model_column => 'name'"),
    ("system_settings", "huggingface_token", "'huggingface', p_owner => 'global'"),
    (
        "llm_models",
        "api_key_encrypted",
        "p_provider_column => 'provider', p_owner => 'global', p_model_column => 'model_id',
         p_open => 'pgp_sym_decrypt(api_key_encrypted, current_setting(''app.password''))'",
    ),
    ("user_api_keys", "api_key", "p_provider_column => 'service', p_owner_column => 'user_id'"),
];

fn import(table: &str, column: &str, how: &str) -> String {
    format!("CALL hftok.import_column('{table}', '{column}', 'id', {how})")
}

fn discard(table: &str, column: &str) -> String {
    format!(
        "CALL hftok.blank_column('{table}', '{column}', 'id', p_discard => '{{rejected,duplicate,skipped}}')"
    )
}

fn blank(table: &str, column: &str) -> String {
    format!("CALL hftok.blank_column('{table}', '{column}', 'id')")
}

fn call(cluster: &Cluster, sql: &str) {
    let mut migrator = cluster.client("migrator", "app");
    migrator.batch_execute("SET app.password = 'the password'").expect("set");
    migrator.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// Calls, and kills the server process that works on it as soon as so many lines of the report on users say this.
#[track_caller]
fn kill_in_the_middle(cluster: &Cluster, sql: &str, outcomes: &str, lines: i64) {
    let mut migrator = cluster.client("migrator", "app");
    let process: i32 = one(&mut migrator, "SELECT pg_backend_pid()", &[]);
    let mut watcher = cluster.client("postgres", "app");
    std::thread::scope(|scope| {
        let runs = scope.spawn(|| migrator.batch_execute(sql));
        wait_until("the middle of the work", 120, || {
            assert!(!runs.is_finished(), "it was over before it could be killed: {sql}");
            let count = "SELECT count(*) FROM hftok.import_report
                WHERE source = 'public.users.huggingface_token' AND outcome = ANY ($1::text::text[]) AND NOT dry_run";
            one::<i64>(&mut watcher, count, &[&outcomes]) >= lines
        });
        cluster.kill_process(process.unsigned_abs());
        assert!(runs.join().expect("joined").is_err(), "it was over before it was killed: {sql}");
    });
}

/// Moves integrations in that the application has in the open, and empties their column.
#[track_caller]
fn move_integrations(cluster: &Cluster) {
    let mut client = cluster.client("postgres", "app");
    client
        .batch_execute(
            "CREATE TABLE integrations (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), owner int, name text, type text, credentials text);
             GRANT SELECT, UPDATE ON integrations TO migrator",
        )
        .expect("a table");
    let held: Vec<String> = (60_000..60_300).map(|n| token(OLD, n)).collect();
    let insert = "INSERT INTO integrations (owner, name, type, credentials)
        SELECT 1 + n % 100, 'integration', 'huggingface', CASE n % 2 WHEN 0 THEN value ELSE format('{\"token\": \"%s\"}', value) END
        FROM unnest($1::text[]) WITH ORDINALITY AS v (value, n)";
    client.execute(insert, &[&held]).expect("rows");
    call(
        cluster,
        "CALL hftok.import_integrations('integrations', 'id', 'owner', 'name', 'type', 'credentials')",
    );
    let told: Vec<String> = answer::column(
        &mut client,
        "SELECT DISTINCT outcome FROM hftok.import_report WHERE source = 'public.integrations.credentials' AND key IS NOT NULL",
    );
    assert_eq!(told, ["imported"]);
    let same = "SELECT count(*) FROM integrations a JOIN hftok.integrations i USING (id), hftok.get_integration_credentials(id, i.user_id) c
        WHERE credentials IN (c #>> '{}', c::text)";
    assert_eq!(one::<i64>(&mut client, same, &[]), 300);
    call(cluster, &blank("integrations", "credentials"));
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM integrations WHERE credentials <> ''", &[]), 0);
}

#[track_caller]
fn assert_resolves(client: &mut Client, all: &Usable) {
    let part = |at: fn(&(String, String, String, String)) -> &String| -> Vec<&str> {
        all.keys().map(|key| at(key).as_str()).collect()
    };
    let (providers, users) = (part(|key| &key.0), part(|key| &key.1));
    let (orgs, models) = (part(|key| &key.2), part(|key| &key.3));
    let sql = "SELECT (hftok.resolve_token(a.provider, nullif(a.usr, ''), nullif(a.org, ''), nullif(a.model, ''), p_levels => ARRAY[CASE
            WHEN a.usr <> '' THEN 'user' WHEN a.org <> '' THEN 'org' WHEN a.model <> '' THEN 'global_model' ELSE 'global' END])).token
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS a (provider, usr, org, model, at) ORDER BY a.at";
    let rows = client.query(sql, &[&providers, &users, &orgs, &models]).expect("resolved");
    for (row, (owner, value)) in rows.iter().zip(all) {
        assert_eq!(row.get::<_, Option<&str>>(0), Some(value.as_str()), "{owner:?}");
    }
    assert_eq!(rows.len(), all.len());
}

/// Every row of every source has one line, and whatever is not in hftok is there with a reason, or is blank.
#[track_caller]
fn assert_reported(client: &mut Client) {
    for (table, name, _) in SOURCES {
        let source = format!("public.{table}.{name}");
        let rows: i64 = one(client, &format!("SELECT count(*) FROM {table}"), &[]);
        let lines: BTreeSet<String> = client
            .query("SELECT key FROM hftok.import_report WHERE source = $1 AND key IS NOT NULL", &[&source])
            .expect("lines")
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert_eq!(lines.len() as i64, rows, "{source}");
    }
    let unexplained: Vec<String> = answer::column(
        client,
        "SELECT format('%s %s %s', source, key, outcome) FROM hftok.import_report
         WHERE outcome NOT IN ('imported', 'unchanged', 'blank', 'blanked') AND reason IS NULL",
    );
    assert_eq!(unexplained, Vec::<String>::new());
}

#[test]
fn an_application_moves_in_while_it_runs_and_is_killed_in_the_middle() {
    // Files of a killed process that were left half done stay to be looked at. Statistics are so small that Postgres does not
    // compress them, for a value in them would not be found. An ANALYZE of autovacuum's holds a snapshot, for which VACUUM FULL keeps
    // dead rows of pg_statistic.
    let cluster = Setup::default()
        .setting("autovacuum = off")
        .setting("default_statistics_target = 10")
        .setting("remove_temp_files_after_crash = off")
        .setting("work_mem = 64kB")
        .setting("wal_recycle = off")
        .setting("min_wal_size = 32MB")
        .start();
    let mut client = cluster.database("app");
    let mut all = old_app::build(&mut client);
    drop(client);
    let import_users = import(SOURCES[0].0, SOURCES[0].1, SOURCES[0].2);
    let backend = Backend::begin(&cluster, "app");

    // Nothing reads hftok yet. Twice it ends in the middle, and goes on where it was.
    call(&cluster, &format!("{}, p_dry_run => true)", import_users.trim_end_matches(')')));
    let mut client = cluster.client("postgres", "app");
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM hftok.credentials", &[]), 0, "a dry run");
    drop(client);
    kill_in_the_middle(&cluster, &import_users, "{imported}", 1000);
    kill_in_the_middle(&cluster, &import_users, "{imported,unchanged}", 3000);
    for (table, column, how) in SOURCES {
        call(&cluster, &import(table, column, how));
    }
    let mut client = cluster.client("postgres", "app");
    let again: i64 = one(
        &mut client,
        "SELECT count(*) FROM hftok.credentials WHERE version > 1 AND scope_id NOT IN (SELECT id::text FROM users WHERE id BETWEEN $1 AND $2)",
        &[&BUSY.start, &(BUSY.end - 1)],
    );
    assert_eq!(again, 0, "nothing was imported twice");
    drop(client);

    // The release writes to both. Values that were written before it, and after the last import, are taken in now.
    backend.deploy(Release::Both);
    call(&cluster, &import_users);
    backend.deploy(Release::New);
    for (table, column, how) in SOURCES {
        call(&cluster, &import(table, column, how));
    }

    move_integrations(&cluster);

    // The column is emptied, and ends in the middle once more.
    kill_in_the_middle(&cluster, &blank(SOURCES[0].0, SOURCES[0].1), "{blanked}", 1000);
    for (table, column, _) in SOURCES {
        call(&cluster, &blank(table, column));
    }
    let mut client = cluster.client("postgres", "app");
    assert_reported(&mut client);
    backend.deploy(Release::New);
    let came = backend.end();
    assert_eq!(came.faults, Vec::<String>::new());
    assert!(came.rounds > 500 && came.tokens.len() == BUSY.count(), "{} rounds", came.rounds);
    assert!(came.longest < Duration::from_secs(5), "{:?}", came.longest);
    for (user, token) in &came.tokens {
        assert!(token.contains(NEW), "user {user} was not written to by the new release");
        all.insert(("huggingface".into(), user.to_string(), String::new(), String::new()), token.clone());
    }
    assert_resolves(&mut client, &all);

    // Values that are left in the source were looked at, and go too; then the traces that Postgres keeps of them.
    for (table, column, how) in SOURCES {
        call(&cluster, &discard(table, column));
        if how.contains("p_open") {
            // Nobody has looked at what did not open.
            let closed: Vec<String> = answer::column(
                &mut client,
                &format!("SELECT id::text FROM {table} WHERE {column} IS NOT NULL ORDER BY 1"),
            );
            let told = format!(
                "SELECT key FROM hftok.import_report WHERE source = 'public.{table}.{column}' AND reason ~ 'p_open fails' ORDER BY 1"
            );
            assert!(!closed.is_empty());
            assert_eq!(closed, answer::column::<String>(&mut client, &told));
            client.batch_execute(&format!("UPDATE {table} SET {column} = NULL")).expect("by hand");
        }
        let empty = if table == "organizations" { "''" } else { "NULL" };
        client
            .batch_execute(&format!("UPDATE {table} SET {column} = {empty} WHERE {column}::text ~ '^\\s+$'"))
            .expect("white space, by hand");
        let left: i64 = one(
            &mut client,
            &format!("SELECT count(*) FROM {table} WHERE nullif({column}, '') IS NOT NULL"),
            &[],
        );
        assert_eq!(left, 0, "{table}.{column} is blank");
    }
    assert_resolves(&mut client, &all);
    let failed: Vec<Option<i64>> = answer::column(&mut client, "SELECT failed FROM hftok.verify()");
    assert_eq!(failed, [Some(0)]);
    drop(client);
    let tables = SOURCES.map(|(table, _, _)| format!("VACUUM (FULL, ANALYZE) {table};")).concat()
        + "VACUUM (FULL, ANALYZE) integrations;";
    let drill = cluster.write_file(
        "drill.sql",
        format!(
            "{tables} VACUUM FULL pg_catalog.pg_statistic; CHECKPOINT; SELECT pg_switch_wal(); CHECKPOINT;"
        ),
        0o644,
    );
    cluster.psql("app", &["-f", drill.to_str().expect("a path")]);
    let needles = [OLD, SEALED, NEW];
    assert_eq!(files_with(&cluster.data().join("base"), &needles), Vec::<PathBuf>::new());
    assert_eq!(files_with(&cluster.data().join("pg_wal"), &needles), Vec::<PathBuf>::new());
    for needle in needles {
        assert!(!cluster.log().contains(needle), "{needle} is in the server's log");
    }
}

/// An expression that fails quotes the value it fails on; nothing of that is told, and nothing of the expression itself.
#[test]
fn nothing_that_is_told_has_a_value_in_it() {
    let cluster = Setup::default().setting("log_min_messages = debug1").start();
    let mut client = cluster.database("app");
    client
        .batch_execute(
            "CREATE TABLE keys (id int PRIMARY KEY, api_key text NOT NULL CHECK (api_key <> ''), more text);
             INSERT INTO keys VALUES (1, 'quoted-canary-1', ''), (2, 'sk-proj-quotedcanary000000002', ''),
                 (3, 'hf_quotedcanary', ''), (4, '{\"api_key\": \"quoted-canary-4\"}', ''), (5, 'Bearer quoted canary', '');
             CREATE FUNCTION open(text) RETURNS text LANGUAGE plpgsql AS
                 $$ BEGIN IF $1 LIKE '%1' THEN RAISE EXCEPTION 'cannot open %', $1 USING DETAIL = $1, HINT = $1; END IF; RETURN $1; END $$",
        )
        .expect("keys");
    drop(client);
    let (mut client, notices) = cluster.client_noting("postgres", "app");
    let calls = [
        "CALL hftok.import_column('keys', 'api_key', 'id', 'openai', p_owner => 'org', p_open => 'open(api_key)')",
        "CALL hftok.import_column('keys', 'api_key', 'id', 'openai', p_owner => 'org', p_open => '(api_key::int)::text')",
        "CALL hftok.import_column('keys', 'api_key', 'id', 'openai', p_open => '''quoted canary''::int::text')",
        "CALL hftok.import_column('keys', 'api_key', 'id', 'openai', p_open => 'open(''quoted canary''')",
        "CALL hftok.import_column('keys', 'api_key', 'id', 'openai', p_open => 'unheard_of(''quoted canary'')')",
        "CALL hftok.import_column('keys', 'api_key', 'id', 'openai')",
        "CALL hftok.import_integrations('keys', 'id', 'more', 'more', 'more', 'api_key', p_open => 'open(api_key)')",
        "CALL hftok.import_integrations('keys', 'id', 'more', 'more', 'more', 'api_key', p_open => '(api_key::int)::text')",
        "CALL hftok.import_integrations('keys', 'id', 'more', 'more', 'more', 'api_key', p_open => '''quoted canary''::int::text')",
        "CALL hftok.import_integrations('keys', 'id', 'more', 'more', 'more', 'api_key')",
        "CALL hftok.blank_column('keys', 'api_key', 'id')",
    ];
    let (mut told, mut report) = (String::new(), Vec::new());
    for sql in calls {
        if let Err(error) = client.batch_execute(sql) {
            told += &every_field(error.as_db_error().expect("an error of the server"));
        }
        report
            .extend(answer::column::<String>(&mut client, "SELECT r::text FROM hftok_private.import_rows r"));
    }
    for notice in notices.lock().expect("lock").iter() {
        told += &every_field(notice);
    }
    let fails = |state: &str| {
        report.iter().any(|line| line.contains(&format!("p_open fails for it (SQLSTATE {state})")))
    };
    assert!(fails("P0001") && fails("22P02"), "{report:?}");
    let kept: i64 = one(&mut client, "SELECT count(*) FROM keys WHERE api_key LIKE 'sk-proj-%'", &[]);
    assert_eq!(kept, 1, "a constraint keeps what was imported, and says so");
    for text in [told, report.concat()] {
        assert!(!text.to_lowercase().contains("canary"), "{text}");
    }
    // The statements that failed are the caller's own.
    let log = cluster.log();
    let rest = log.lines().filter(|line| !line.contains("STATEMENT:")).collect::<String>();
    assert!(!rest.to_lowercase().contains("canary"), "{rest}");
}

/// An integration that has moved in, as the document shows it.
const INTEGRATION: &str = "\n1f3e0d1c-0000-4000-8000-000000000001|connected|t|2024-02-03\n";

/// The document's statements, in its order and by psql, because CALL commits.
#[test]
fn every_statement_of_the_document_runs() {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/moving-in.md");
    let text = fs::read_to_string(document).expect("the document");
    let blocks = text.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next());
    let script: String = blocks.map(|block| block.to_owned() + "\\echo --\n").collect();
    let cluster = Cluster::start_default();
    drop(cluster.empty_database("app"));
    let file = cluster.write_file("document.sql", script, 0o644);
    let told = cluster.psql("app", &["-f", file.to_str().expect("a path")]);
    for shown in [
        "\n3|rejected|it is a placeholder\n",
        "\n0\n0\n--\n",
        "\n2\n--\n",
        "\n2|0|0|0\n",
        "\n1|whsec_2\n",
        "\n1 owner, 2 member|1\n",
        INTEGRATION,
    ] {
        assert!(told.contains(shown), "{shown:?} in:\n{told}");
    }
    let mut client = cluster.client("postgres", "app");
    // An integration that the application deletes is gone in hftok, and so is what referred to it.
    client.batch_execute("DELETE FROM integrations").expect("integrations");
    let left: i64 = one(
        &mut client,
        "SELECT (SELECT count(*) FROM hftok.integrations) + (SELECT count(*) FROM integration_runs)",
        &[],
    );
    assert_eq!(left, 0, "integrations and their runs");
    // The tables are followed to the end.
    client.batch_execute("DELETE FROM users WHERE id = 1; INSERT INTO memberships VALUES ('acme', 3, 'Admin') ON CONFLICT (org, user_id) DO UPDATE SET role = excluded.role").expect("users");
    let members: Vec<String> =
        answer::column(&mut client, "SELECT user_id || role FROM hftok.members ORDER BY 1");
    assert_eq!(members, ["2member", "3admin"]);
    // A role without any right in hftok writes the rows that refer to it.
    client
        .batch_execute("CREATE ROLE clerk; GRANT INSERT, UPDATE ON webhooks TO clerk; SET ROLE clerk")
        .expect("clerk");
    client
        .batch_execute("INSERT INTO webhooks VALUES (2, '0f3e0d1c-0000-4000-8000-000000000001'), (3, NULL)")
        .expect("what is there, and nothing");
    let strange = "'0f3e0d1c-0000-4000-8000-000000000003'";
    for sql in [
        format!("INSERT INTO webhooks VALUES (-1, {strange})"),
        format!("UPDATE webhooks SET secret_id = {strange}"),
    ] {
        let refused = client.batch_execute(&sql).expect_err(&sql);
        assert_eq!(refused.code(), Some(&SqlState::FOREIGN_KEY_VIOLATION), "{sql}");
    }
}
