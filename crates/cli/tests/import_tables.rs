//! `hftok import column|integrations|vault`: tried first, stopped and done again, and never a value on the way.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::process::{Child, Stdio};

use command::{Said, hftok_on, said};
use hftok_tests::answer::one;
use hftok_tests::cluster::{Cluster, signal};
use hftok_tests::wait_until;
use postgres::Client;

/// Stands in every value.
const CANARY: &str = "importCanary";
/// So many users that an import can be met in its middle.
const MANY: i64 = 2500;

const TABLES: &str = "
    CREATE ROLE migrator LOGIN IN ROLE hftok_admin;
    CREATE TABLE users (id bigint PRIMARY KEY, token text);
    CREATE TABLE models (id int PRIMARY KEY, name text, provider text, sealed bytea);
    CREATE TABLE integrations (id uuid PRIMARY KEY, owner bigint, name text, type text, config jsonb, api_key text);
    CREATE EXTENSION pgcrypto;
    GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO migrator";

fn token(number: i64) -> String {
    format!("hf_{CANARY}{number:0>22}")
}

fn with_tables() -> (Cluster, Client) {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client.batch_execute(TABLES).expect("tables");
    (cluster, client)
}

fn with_many() -> (Cluster, Client) {
    let (cluster, mut client) = with_tables();
    let insert = "INSERT INTO users SELECT n, 'hf_importCanary' || lpad(n::text, 22, '0') FROM generate_series(1, $1::bigint) n";
    client.execute(insert, &[&MANY]).expect("rows");
    client.batch_execute("ANALYZE users").expect("analyzed");
    (cluster, client)
}

#[track_caller]
fn import(cluster: &Cluster, arguments: &[&str], input: &str) -> Said {
    let said = said(&mut hftok_on(cluster, "migrator", "app", &[&["import"], arguments].concat()), input);
    assert!(!said.out.contains(CANARY) && !said.err.contains(CANARY), "{said:?}");
    said
}

const USERS: [&str; 8] =
    ["column", "users", "token", "--key", "id", "--provider", "huggingface", "--batch=100"];

/// Two thousandths of a second a row: a server that was built for release would be through before anybody could stop it.
const SLOWLY: [&str; 2] = ["--open", "(SELECT token FROM pg_catalog.pg_sleep(0.002))"];

fn saved(client: &mut Client) -> i64 {
    one(client, "SELECT count(*) FROM hftok.credentials", &[])
}

#[test]
fn a_column_is_tried_and_then_imported() {
    let (cluster, mut client) = with_tables();
    let insert = "INSERT INTO users VALUES (1, $1), (2, 'Bearer ' || $2), (3, 'changeme'), (4, '')";
    client.execute(insert, &[&token(1), &token(2)]).expect("rows");

    let tried = import(&cluster, &[&USERS[..], &["--dry-run", "--json"]].concat(), "");
    let report: serde_json::Value = serde_json::from_str(&tried.out).expect("JSON");
    assert_eq!(
        (tried.code, report["dry_run"].as_bool(), report["rows"].as_i64()),
        (Some(1), Some(true), Some(4))
    );
    assert_eq!(report["turned_down"][0]["key"], "3");
    assert_eq!(saved(&mut client), 0);

    let refused = import(&cluster, &USERS, "");
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("--yes"), "{refused:?}");

    let done = import(&cluster, &[&USERS[..], &["--yes"]].concat(), "");
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.out.contains("public.users.token: 2 of 4 rows imported"), "{done:?}");
    assert!(done.out.contains("3    rejected") && done.err.contains("blank_column()"), "{done:?}");
    assert_eq!(saved(&mut client), 2);
    let resolved: String = one(&mut client, "SELECT hftok.resolve_hf_token('2')", &[]);
    assert!(resolved == token(2));

    let wrong =
        import(&cluster, &["column", "users", "nothing", "--key=id", "--provider=openai", "--yes"], "");
    assert_eq!(wrong.code, Some(3), "{wrong:?}");
}

/// Runs an import on a terminal, where `typed` answers its question.
#[track_caller]
fn on_a_terminal(cluster: &Cluster, typed: &str) -> Said {
    let line = [&[command::PROGRAM, "import"], &USERS[..]].concat().join(" ");
    // What a terminal would do is done by util-linux' `script`; it is given nothing but its arguments, and the server.
    let mut terminal = std::process::Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    for (name, value) in hftok_on(cluster, "migrator", "app", &[]).get_envs() {
        terminal.env(name, value.expect("a value"));
    }
    let said = said(&mut terminal, typed);
    assert!(!said.out.contains(CANARY) && !said.err.contains(CANARY), "{said:?}");
    said
}

#[test]
fn somebody_at_a_terminal_is_asked() {
    let (cluster, mut client) = with_tables();
    client.execute("INSERT INTO users VALUES (1, $1), (2, '')", &[&token(1)]).expect("rows");
    let no = on_a_terminal(&cluster, "n\n");
    assert!(
        no.out.contains("1 of 2 rows would be imported") && no.out.contains("Import 1 row? [y/N]"),
        "{no:?}"
    );
    assert_eq!((no.code, saved(&mut client)), (Some(1), 0), "{no:?}");
    let yes = on_a_terminal(&cluster, "y\n");
    assert_eq!((yes.code, saved(&mut client)), (Some(0), 1), "{yes:?}");
    assert!(yes.out.contains("public.users.token: 1 of 2 rows imported"), "{yes:?}");
    assert!(!yes.out.contains("\\u{1b}"), "{yes:?}");
}

#[test]
fn an_expression_reads_its_key_from_a_setting() {
    let (cluster, mut client) = with_tables();
    let insert = "INSERT INTO models VALUES (1, 'gpt', 'openai', pgp_sym_encrypt($1, $2))";
    let (value, key) = (format!("sk-proj-{CANARY}00000000000000"), format!("{CANARY} key"));
    client.execute(insert, &[&value, &key]).expect("a row");
    let arguments = [
        "column",
        "models",
        "sealed",
        "--key=id",
        "--provider-column=provider",
        "--owner=global",
        "--model-column=name",
        "--open=pgp_sym_decrypt(sealed, current_setting('app.password'))",
        "--setting=app.password",
        "--yes",
    ];
    let done = import(&cluster, &arguments, &format!("{key}\n"));
    assert_eq!(done.code, Some(0), "{done:?}");
    let held: String = one(
        &mut client,
        "SELECT (hftok.resolve_token('openai', p_model => 'gpt', p_levels => '{global_model}')).token",
        &[],
    );
    assert!(held == value);
}

#[test]
fn integrations_keep_their_ids() {
    let (cluster, mut client) = with_tables();
    let insert = "INSERT INTO integrations VALUES ('1f3e0d1c-0000-4000-8000-000000000001', 2, 'my GPT', 'openai', '{}', $1)";
    client.execute(insert, &[&format!("sk-proj-{CANARY}00000000000000")]).expect("a row");
    let arguments = [
        "integrations",
        "integrations",
        "--key=id",
        "--column=api_key",
        "--owner-column=owner",
        "--name-column=name",
        "--type-column=type",
        "--config-column=config",
    ];
    let tried = import(&cluster, &[&arguments[..], &["--dry-run"]].concat(), "");
    assert_eq!(
        (tried.code, one::<i64>(&mut client, "SELECT count(*) FROM hftok.integrations", &[])),
        (Some(0), 0)
    );
    let done = import(&cluster, &[&arguments[..], &["--yes"]].concat(), "");
    assert_eq!(done.code, Some(0), "{done:?}");
    let id: String = one(&mut client, "SELECT id::text FROM hftok.integrations WHERE name = 'my GPT'", &[]);
    assert_eq!(id, "1f3e0d1c-0000-4000-8000-000000000001");
}

#[test]
fn a_vault_is_imported_as_a_whole() {
    let (cluster, mut client) = with_tables();
    client
        .batch_execute(
            "CREATE SCHEMA vault;
             CREATE TABLE vault.secrets (id uuid PRIMARY KEY, name text UNIQUE, description text, secret text);
             CREATE VIEW vault.decrypted_secrets AS SELECT id, name, description, secret AS decrypted_secret FROM vault.secrets;
             GRANT USAGE ON SCHEMA vault TO migrator;
             GRANT SELECT ON ALL TABLES IN SCHEMA vault TO migrator;
             INSERT INTO vault.secrets VALUES ('0f3e0d1c-0000-4000-8000-000000000001', 'stripe', '', 'importCanary 1'),
                ('0f3e0d1c-0000-4000-8000-000000000002', NULL, '', 'importCanary 2')",
        )
        .expect("a Vault");
    let count = "SELECT count(*) FROM hftok.secrets";
    let tried = import(&cluster, &["vault", "--dry-run"], "");
    assert_eq!((tried.code, one::<i64>(&mut client, count, &[])), (Some(0), 0), "{tried:?}");
    assert!(tried.out.contains("2 of 2 rows would be imported"), "{tried:?}");
    let done = import(&cluster, &["vault", "--yes"], "");
    assert_eq!((done.code, one::<i64>(&mut client, count, &[])), (Some(0), 2), "{done:?}");
    let again = import(&cluster, &["vault", "--yes"], "");
    assert!(again.out.contains("unchanged  2"), "{again:?}");
}

/// Starts the import of many users, and waits until it is in its middle.
#[track_caller]
fn started(cluster: &Cluster, client: &mut Client, before: i64) -> Child {
    let arguments = [&["import"], &USERS[..], &SLOWLY, &["--yes"]].concat();
    let mut command = hftok_on(cluster, "migrator", "app", &arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    wait_until("the middle of the import", 60, || {
        assert!(child.try_wait().expect("waited").is_none(), "it was over before it could be stopped");
        saved(client) >= before + 200
    });
    child
}

#[track_caller]
fn wait_for_the_server(client: &mut Client) {
    wait_until("the end of the server's work", 30, || {
        let working = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'migrator' AND state = 'active'";
        one::<i64>(client, working, &[]) == 0
    });
}

#[test]
fn an_import_goes_on_where_it_was_killed_or_stopped() {
    let (cluster, mut client) = with_many();

    let mut killed = started(&cluster, &mut client, 0);
    killed.kill().expect("killed");
    killed.wait().expect("gone");
    wait_for_the_server(&mut client);
    let after_kill = saved(&mut client);
    assert!((200..MANY).contains(&after_kill), "{after_kill}");

    let stopped = started(&cluster, &mut client, after_kill);
    signal(stopped.id(), "INT");
    let output = stopped.wait_with_output().expect("gone");
    let words = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(130), "{words}");
    assert!(words.contains("what was imported stays") && !words.contains(CANARY), "{words}");
    wait_for_the_server(&mut client);
    let after_stop = saved(&mut client);
    assert!((after_kill + 200..MANY).contains(&after_stop), "{after_stop}");

    let done = import(&cluster, &[&USERS[..], &SLOWLY, &["--yes", "--json"]].concat(), "");
    assert_eq!(done.code, Some(0), "{done:?}");
    let report: serde_json::Value = serde_json::from_str(&done.out).expect("JSON");
    let count = |outcome: &str| {
        let outcomes = report["outcomes"].as_array().expect("outcomes").iter();
        outcomes
            .filter(|one| one["outcome"] == outcome)
            .map(|one| one["rows"].as_i64().expect("a number"))
            .sum::<i64>()
    };
    assert_eq!((count("unchanged"), count("imported")), (after_stop, MANY - after_stop), "{report}");
    assert_eq!(saved(&mut client), MANY);
}
