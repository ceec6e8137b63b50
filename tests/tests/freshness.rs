//! A stale answer is worse than a slow one: what a session remembers never outlives the truth, whatever transaction it is in.

use std::sync::OnceLock;

use hftok_tests::cluster::Cluster;
use hftok_tests::question::{NAMED, NOTHING, SAVE, WALK, ask, run};
use hftok_tests::setup::Setup;
use postgres::Client;

const MEMBERS: &str = "SELECT hftok.add_member('acme', 'boss', 'owner'), hftok.add_member('acme', 'alice')";

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Setup::default().start())
}

/// Something that makes another answer true.
struct Change {
    before: &'static [&'static str],
    question: &'static str,
    old: &'static str,
    change: &'static str,
    new: &'static str,
    /// The change waits until nobody else has looked at the table in their transaction.
    is_alone: bool,
}

const fn walk(
    before: &'static [&'static str],
    old: &'static str,
    change: &'static str,
    new: &'static str,
) -> Change {
    Change { before, question: WALK, old, change, new, is_alone: false }
}

impl Change {
    const fn asking(self, question: &'static str) -> Self {
        Self { question, ..self }
    }

    const fn alone(self) -> Self {
        Self { is_alone: true, ..self }
    }
}

const FIRST_OF_THEIR_KIND: &[Change] = &[
    walk(&[], NOTHING, SAVE, "{one}"),
    walk(&[SAVE], "{one}", "SELECT hftok.save_hf_token('{two}', 'model', 'alice')", "{two}"),
    walk(&[MEMBERS], NOTHING, "SELECT hftok.save_hf_token('{one}', p_org_id => 'acme')", "{one}"),
    walk(
        &[MEMBERS, SAVE],
        "{one}",
        "SELECT hftok.save_hf_token('{two}', 'model', p_org_id => 'acme')",
        "{two}",
    ),
    walk(&[], NOTHING, "SELECT hftok.save_hf_token('{one}', p_global => true)", "{one}"),
    walk(
        &["SELECT hftok.save_hf_token('{one}', p_global => true)"],
        "{one}",
        "SELECT hftok.save_hf_token('{two}', 'model', p_global => true)",
        "{two}",
    ),
    walk(
        &[],
        NOTHING,
        r#"SELECT hftok.save_credentials('[{"provider": "huggingface", "secret": "{one}", "user_id": "alice"}]')"#,
        "{one}",
    ),
];

const KEPT: &[&str] = &[
    SAVE,
    "COPY (SELECT * FROM hftok_private.secrets) TO '{folder}/row'",
    "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT * FROM hftok_private.secrets",
    "DELETE FROM hftok_private.secrets",
];
const BEHIND_ITS_BACK: &[Change] = &[
    walk(KEPT, NOTHING, "COPY hftok_private.secrets FROM '{folder}/row'", "{one}"),
    walk(KEPT, NOTHING, "INSERT INTO hftok_private.secrets SELECT * FROM kept", "{one}"),
    // As a subscriber of logical replication writes.
    walk(
        KEPT,
        NOTHING,
        "SET session_replication_role = replica; INSERT INTO hftok_private.secrets SELECT * FROM kept;
         RESET session_replication_role",
        "{one}",
    ),
    walk(&[SAVE], "{one}", "UPDATE hftok_private.secrets SET enabled = false", "PT422 disabled"),
    walk(&[SAVE], "{one}", "UPDATE hftok_private.secrets SET version = 7", "PT422 decrypt_failed"),
    walk(&[SAVE], "{one}", "DELETE FROM hftok_private.secrets", NOTHING),
    walk(&[SAVE], "{one}", "TRUNCATE hftok_private.secrets CASCADE", NOTHING).alone(),
    walk(
        &[SAVE],
        "{one}",
        "CREATE POLICY strict ON hftok_private.secrets AS RESTRICTIVE USING (scope_id <> 'alice')",
        NOTHING,
    )
    .alone(),
    walk(
        &[SAVE, "CREATE POLICY strict ON hftok_private.secrets AS RESTRICTIVE USING (scope_id <> 'alice')"],
        NOTHING,
        "DROP POLICY strict ON hftok_private.secrets",
        "{one}",
    )
    .alone(),
    walk(
        &[SAVE],
        "{one}",
        "ALTER POLICY hftok ON hftok_private.secrets USING (scope_id <> 'alice')",
        NOTHING,
    )
    .alone(),
];

const CHANGES: &[Change] = &[
    walk(&[SAVE], "{one}", "SELECT hftok.save_hf_token('{two}', p_user_id => 'alice')", "{two}"),
    walk(&[SAVE], "{one}", "SELECT hftok.delete_credential('huggingface', p_user_id => 'alice')", NOTHING),
    walk(&[SAVE], "{one}", "DELETE FROM hftok.credentials", NOTHING),
    walk(&[SAVE], "{one}", "SELECT hftok.forget_user('alice')", NOTHING),
    walk(
        &[SAVE, "SELECT hftok.save_hf_token('{two}', p_global => true)"],
        "{one}",
        "SELECT hftok.delete_credential('huggingface', p_user_id => 'alice')",
        "{two}",
    ),
    walk(&[SAVE], "{one}", "UPDATE hftok.credentials SET expires_at = '2000-01-01'", "PT422 expired"),
    walk(&[SAVE], "{one}", "UPDATE hftok.credentials SET enabled = false", "PT422 disabled"),
    walk(
        &[SAVE, "UPDATE hftok.credentials SET enabled = false"],
        "PT422 disabled",
        "UPDATE hftok.credentials SET enabled = true",
        "{one}",
    ),
    walk(
        &[
            SAVE,
            "UPDATE hftok.credentials SET enabled = false",
            "SELECT hftok.save_hf_token('{two}', p_global => true)",
        ],
        "PT422 disabled",
        "UPDATE hftok.credentials SET on_unusable = 'continue' WHERE scope = 'user'",
        "{two}",
    ),
    walk(&[SAVE], "{one}", "UPDATE hftok.credentials SET allowed_hosts = '{a.example}'", "PT422 host_refused"),
    walk(
        &[SAVE],
        "{one}",
        "SELECT hftok.report_credential(secret_id, 'invalid') FROM hftok.credentials",
        "PT422 invalid",
    ),
    // Another owner: for the former nothing is left.
    walk(
        &[SAVE],
        "{one} -",
        "SELECT hftok.delete_credential('huggingface', p_user_id => 'alice');
         SELECT hftok.save_hf_token('{one}', p_user_id => 'bob')",
        "- {one}",
    )
    .asking(
        "SELECT concat_ws(' ', coalesce(hftok.resolve_hf_token('alice'), '-'),
            coalesce(hftok.resolve_hf_token('bob'), '-'))",
    ),
    walk(
        &["SELECT hftok.save_hf_token('{one}', p_org_id => 'acme')"],
        "PT422 not_member",
        "SELECT hftok.add_member('acme', 'boss', 'owner'), hftok.add_member('acme', 'alice')",
        "{one}",
    ),
    walk(
        &[MEMBERS, "SELECT hftok.save_hf_token('{one}', p_org_id => 'acme')"],
        "{one}",
        "SELECT hftok.remove_member('acme', 'alice')",
        "PT422 not_member",
    ),
    walk(&[], "22023", REGISTER, "none").asking("SELECT (hftok.resolve_token('fresh', 'alice')).source"),
    walk(&[REGISTER], "none", "DELETE FROM hftok_private.providers", "22023")
        .asking("SELECT (hftok.resolve_token('fresh', 'alice')).source"),
    walk(
        &[REGISTER, "SELECT hftok.save_credential('fresh', 'key-of-fresh', p_user_id => 'alice')"],
        "PT422 host_refused",
        r#"SELECT hftok.register_provider('{"id": "fresh", "label": "Fresh", "hosts": ["a.example", "b.example"],
            "fields": [{"name": "key", "secret": true}]}')"#,
        "key-of-fresh",
    )
    .asking("SELECT (hftok.resolve_token('fresh', 'alice', p_host => 'b.example')).token"),
    walk(&[], "PT404", "SELECT hftok.put_secret('name', 'first')", "first").asking(NAMED),
    walk(
        &["SELECT hftok.put_secret('name', 'first')"],
        "first",
        "SELECT hftok.put_secret('name', 'next')",
        "next",
    )
    .asking(NAMED),
    walk(
        &["SELECT hftok.put_secret('name', 'first')"],
        "first",
        "SELECT hftok.delete_secret(id) FROM hftok.secrets",
        "PT404",
    )
    .asking(NAMED),
];
const REGISTER: &str = r#"SELECT hftok.register_provider('{"id": "fresh", "label": "Fresh", "hosts": ["a.example"],
    "fields": [{"name": "key", "secret": true}]}')"#;

fn in_folder(sql: &str) -> String {
    sql.replace("{folder}", &cluster().folder().display().to_string())
}

/// Two sessions that know nothing yet, in a database in which nothing is but what the change needs.
fn sessions(database: &str, change: &Change) -> (Client, Client) {
    let mut client = cluster().client("postgres", database);
    client
        .batch_execute(
            "TRUNCATE hftok_private.secrets, hftok_private.kinds, hftok_private.members, hftok_private.providers CASCADE;
             DROP POLICY IF EXISTS strict ON hftok_private.secrets;
             ALTER POLICY hftok ON hftok_private.secrets USING (true)",
        )
        .expect("an empty vault");
    change.before.iter().for_each(|sql| run(&mut client, &in_folder(sql)));
    (cluster().client("postgres", database), cluster().client("postgres", database))
}

/// A lock that nobody gives up ends the test instead of stopping it.
const BRIEFLY: &str = "SET lock_timeout = '5s'";

fn each(database: &str, changes: &[Change]) {
    cluster().database(database);
    for change in changes {
        one_by_one(database, change);
        for level in ["READ COMMITTED", "REPEATABLE READ"] {
            within_a_transaction(database, change, level);
            beside_a_transaction(database, change, level);
        }
    }
}

fn one_by_one(database: &str, case: &Change) {
    let (mut client, mut other) = sessions(database, case);
    let what = case.change;
    assert_eq!(ask(&mut client, case.question), case.old, "before {what}");
    assert_eq!(ask(&mut other, case.question), case.old, "before {what}, another");
    run(&mut client, &in_folder(what));
    assert_eq!(ask(&mut client, case.question), case.new, "after {what}");
    assert_eq!(ask(&mut other, case.question), case.new, "after {what}, another");
}

fn within_a_transaction(database: &str, case: &Change, level: &str) {
    let (mut client, mut other) = sessions(database, case);
    let (what, question) = (case.change, case.question);
    assert_eq!(ask(&mut other, question), case.old);
    client.batch_execute(&format!("{BRIEFLY}; BEGIN ISOLATION LEVEL {level}")).expect("BEGIN");
    assert_eq!(ask(&mut client, question), case.old, "{level}: before {what}");
    client.batch_execute("SAVEPOINT part").expect("SAVEPOINT");
    run(&mut client, &in_folder(what));
    assert_eq!(ask(&mut client, question), case.new, "{level}: within, after {what}");
    client.batch_execute("ROLLBACK TO part").expect("ROLLBACK TO");
    assert_eq!(ask(&mut client, question), case.old, "{level}: a part rolled back, {what}");
    run(&mut client, &in_folder(what));
    assert_eq!(ask(&mut client, question), case.new, "{level}: within again, after {what}");
    client.batch_execute("ROLLBACK").expect("ROLLBACK");
    assert_eq!(ask(&mut client, question), case.old, "{level}: rolled back, {what}");
    assert_eq!(ask(&mut other, question), case.old, "{level}: rolled back, {what}, another");
    client.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}")).expect("BEGIN");
    run(&mut client, &in_folder(what));
    client.batch_execute("COMMIT").expect("COMMIT");
    assert_eq!(ask(&mut client, question), case.new, "{level}: committed, {what}");
    assert_eq!(ask(&mut other, question), case.new, "{level}: committed, {what}, another");
}

fn beside_a_transaction(database: &str, case: &Change, level: &str) {
    if case.is_alone {
        return;
    }
    let (mut writer, mut reader) = sessions(database, case);
    let (what, question) = (case.change, case.question);
    reader.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}; TABLE pg_database")).expect("BEGIN");
    assert_eq!(ask(&mut reader, question), case.old, "{level}: before {what}");
    writer.batch_execute(&format!("{BRIEFLY}; BEGIN")).expect("BEGIN");
    run(&mut writer, &in_folder(what));
    assert_eq!(ask(&mut reader, question), case.old, "{level}: beside {what}");
    writer.batch_execute("ROLLBACK").expect("ROLLBACK");
    assert_eq!(ask(&mut reader, question), case.old, "{level}: beside {what}, rolled back");
    run(&mut writer, &in_folder(what));
    assert_eq!(ask(&mut reader, question), case.new, "{level}: beside {what}, committed");
    reader.batch_execute("COMMIT").expect("COMMIT");
    assert_eq!(ask(&mut reader, question), case.new, "{level}: after {what}");
}

#[test]
fn the_first_of_a_kind_is_seen_at_once() {
    each("first", FIRST_OF_THEIR_KIND);
}

#[test]
fn every_change_is_seen_at_once() {
    each("changes", CHANGES);
}

#[test]
fn what_is_done_to_the_table_itself_is_seen_at_once() {
    each("direct", BEHIND_ITS_BACK);
}
