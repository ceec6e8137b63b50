//! Backup and restore with Postgres' own tools, and copies of databases.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use hftok_tests::answer::{adopt, column, create, get, one, put, refused, row_counts};
use hftok_tests::cluster::Cluster;
use hftok_tests::root_key::{RootKey, hex};
use hftok_tests::setup::{Setup, run};
use postgres::{Client, SimpleQueryMessage};

struct Servers {
    key: RootKey,
    source: Cluster,
    target: Cluster,
}

/// Two servers with one keyring; the first has a database `app` with everything that can be in one.
fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| {
        let key = RootKey::random(4);
        let source = Setup::default().keys(std::slice::from_ref(&key)).start();
        let target = Setup::default().keys(std::slice::from_ref(&key)).start();
        let mut client = source.database("app");
        fill(&mut client);
        for cluster in [&source, &target] {
            // Roles are no part of a dump of one database.
            cluster
                .client("postgres", "postgres")
                .batch_execute(
                    "CREATE ROLE reader LOGIN; CREATE ROLE backup LOGIN BYPASSRLS; GRANT pg_read_all_data TO backup;
                     CREATE ROLE careless LOGIN; GRANT pg_read_all_data TO careless",
                )
                .expect("roles");
        }
        client
            .batch_execute(
                "GRANT USAGE ON SCHEMA hftok TO reader; GRANT EXECUTE ON FUNCTION hftok.get_secret TO reader",
            )
            .expect("grants");
        Servers { key, source, target }
    })
}

fn fill(client: &mut Client) {
    create(client, "plain", "value");
    create(client, "empty", "");
    create(client, "it's \"quoted\" \\ and\ttabbed", "line\nbreak 'quote' \\. \u{1F511} é");
    create(client, "long", &"0123456789abcdef".repeat(65536));
    client.query("SELECT hftok.create_secret('nameless', NULL, 'a description')", &[]).expect("create");
    for number in 1..=3 {
        put(client, "versions", &format!("value {number}"));
    }
    let renamed = create(client, "before", "the same");
    put(client, "before", "value 2");
    client.query("SELECT hftok.update_secret($1, new_name => 'after')", &[&renamed]).expect("rename");
    client.batch_execute("SELECT hftok.install_vault_schema()").expect("the vault schema");
    client.batch_execute(CREDENTIALS).expect("credentials");
}

/// Credentials of every kind of owner, in several versions, and what belongs to them.
const CREDENTIALS: &str = "
    SELECT hftok.save_credential('openai', 'sk-proj-abcdefghijklmnopqrstuvwxyz' || n, p_user_id => 'alice')
    FROM generate_series(1, 3) n;
    SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_user_id => 'alice', p_model => 'org/model');
    SELECT hftok.add_member('acme', 'alice', 'owner'), hftok.grant_administrator('alice');
    SELECT hftok.save_credential('groq', 'gsk_abcdefghijklmnopqrst', p_org_id => 'acme', p_allowed_hosts => '{api.groq.com}',
        p_expires_at => '2099-01-01');
    SELECT hftok.save_hf_token('hf_ABCDEFGHabcdefghijklmnopqrstuvwxyz', p_global => true);
    SELECT hftok.record_usage(secret_id, 2, 3, 0.5) FROM hftok.credentials;
    SELECT hftok.register_provider('{\"id\": \"ours\", \"label\": \"Ours\", \"fields\": [{\"name\": \"api_key\", \"secret\": true}]}');
    SELECT hftok.share_integration(hftok.create_integration_with_vault('models', 'openai',
        'sk-proj-0123456789abcdefghijkl', p_user_id => 'alice'), 'acme', 'alice')";

/// Resolves each credential.
const RESOLVED: &str = "SELECT (hftok.resolve_token('openai', 'alice')).token
    UNION ALL SELECT (hftok.resolve_token('huggingface', 'alice', p_model => 'org/model')).token
    UNION ALL SELECT (hftok.resolve_token('groq', 'alice', 'acme', p_host => 'api.groq.com')).token
    UNION ALL SELECT (hftok.resolve_token('huggingface', 'bob', p_levels => '{global}')).token
    UNION ALL SELECT hftok.get_integration_credentials(i.id, 'alice') #>> '{}' FROM hftok.integrations i
    UNION ALL SELECT k.api_key FROM hftok.user_api_keys k";

/// Everything that a reader of named secrets can see, previous versions included.
fn everything(client: &mut Client) -> Vec<Vec<Option<String>>> {
    let sql = "SELECT s.*, h.version, h.preview, h.created_at, h.superseded_at,
            CASE WHEN s.name <> '' THEN hftok.get_secret(s.name, h.version) END
        FROM hftok.decrypted_secrets s, hftok.secret_history(s.id) h ORDER BY s.id, h.version";
    let messages = client.simple_query(sql).expect("everything");
    let rows: Vec<Vec<Option<String>>> = messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
            }
            _ => None,
        })
        .collect();
    assert!(rows.len() >= 10, "fewer versions than there are");
    rows
}

fn dump(cluster: &Cluster, user: &str, database: &str) -> PathBuf {
    let file = cluster.folder().join(format!("{database}-{user}.sql"));
    run(cluster.client_program("pg_dump", user, database).arg("--file").arg(&file));
    file
}

/// Restores in one transaction into a new database, as a superuser. The new database is a copy until it is adopted.
fn restore(cluster: &Cluster, file: &std::path::Path, database: &str) -> Client {
    let client = cluster.empty_database(database);
    cluster.psql(database, &["--single-transaction", "--file", file.to_str().expect("a path")]);
    client
}

/// Number of rows in each table, but for tables that an adoption or the audit's writer adds to.
fn carried(client: &mut Client) -> BTreeMap<String, i64> {
    let mut counts = row_counts(client);
    counts.retain(|table, _| {
        ![".data_keys", ".root_keys", ".database_identity", ".usage_daily"]
            .iter()
            .any(|name| table.ends_with(name))
    });
    counts
}

fn assert_same(original: &mut Client, copy: &mut Client) {
    assert_eq!(everything(copy), everything(original));
    let (resolved, expected) = (column::<String>(copy, RESOLVED), column::<String>(original, RESOLVED));
    assert_eq!(expected.len(), 6);
    assert_eq!(resolved, expected);
    assert_eq!(carried(copy), carried(original));
    let failed: Vec<Option<i64>> = column(copy, "SELECT failed FROM hftok.verify()");
    assert_eq!(failed, [Some(0)]);
}

/// New secrets join the old ones under the keys that came with them.
fn assert_goes_on(copy: &mut Client) {
    let keys = "SELECT count(*) FROM hftok_private.data_keys";
    let before: i64 = one(copy, keys, &[]);
    create(copy, "made after the restore", "new value");
    put(copy, "versions", "value 4");
    assert_eq!(get(copy, "made after the restore").expect("opens"), "new value");
    assert_eq!(one::<String>(copy, "SELECT hftok.get_secret('versions', 3)", &[]), "value 3");
    assert_eq!(one::<i64>(copy, keys, &[]), before, "no second key for a purpose");
    assert!(one::<bool>(copy, "SELECT hftok.delete_secret(id) FROM hftok.secrets WHERE name = 'plain'", &[]));
}

#[test]
fn a_dump_restored_on_another_server_with_the_same_keyring_has_everything() {
    let Servers { source, target, .. } = servers();
    for (user, database) in [("postgres", "by_superuser"), ("backup", "by_backup")] {
        let file = dump(source, user, "app");
        let text = std::fs::read_to_string(&file).expect("the dump");
        assert!(!text.contains("line\\nbreak"), "the dump holds no plaintext");
        let mut copy = restore(target, &file, database);
        adopt(&mut copy);
        assert_same(&mut source.client("postgres", "app"), &mut copy);

        // Privileges that a DBA gave, and no others.
        let mut reader = target.client("reader", database);
        assert_eq!(get(&mut reader, "plain").expect("the grant came along"), "value");
        refused(reader.query("SELECT hftok.create_secret('x')", &[]), "42501");
        refused(reader.query("SELECT * FROM hftok.decrypted_secrets", &[]), "42501");
        // The schema made for code that was written for Supabase Vault.
        let values =
            |view: &str| format!("SELECT decrypted_secret FROM {view}.decrypted_secrets ORDER BY id");
        let through_vault: Vec<String> = column(&mut copy, &values("vault"));
        assert_eq!(through_vault, column::<String>(&mut copy, &values("hftok")));
        let id: uuid::Uuid = one(&mut copy, "SELECT vault.create_secret('by vault', 'by vault')", &[]);
        copy.query("SELECT vault.update_secret($1, 'updated')", &[&id]).expect("vault.update_secret");
        assert_eq!(get(&mut copy, "by vault").expect("opens"), "updated");
        refused(reader.query("SELECT * FROM vault.decrypted_secrets", &[]), "42501");
        let owners = "SELECT DISTINCT r.rolname::text FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
            WHERE c.relnamespace IN ('vault'::regnamespace, 'hftok'::regnamespace)";
        assert_eq!(column::<String>(&mut copy, owners), ["hftok_owner"]);
        assert_goes_on(&mut copy);
    }
}

#[test]
fn a_dump_restored_beside_its_origin_lives_its_own_life() {
    let Servers { source, .. } = servers();
    let file = dump(source, "postgres", "app");
    let mut copy = restore(source, &file, "beside");
    adopt(&mut copy);
    let mut original = source.client("postgres", "app");
    assert_same(&mut original, &mut copy);
    assert_goes_on(&mut copy);
    assert_eq!(get(&mut original, "plain").expect("the original keeps what the copy deleted"), "value");
}

#[test]
fn under_another_keyring_every_read_names_the_root_key_that_is_missing() {
    let Servers { key, source, .. } = servers();
    let other = RootKey::random(9);
    let elsewhere = Setup::default().keys(std::slice::from_ref(&other)).start();
    elsewhere.client("postgres", "postgres").batch_execute("CREATE ROLE reader").expect("role");
    let mut copy = restore(&elsewhere, &dump(source, "postgres", "app"), "app");
    let fingerprint: Vec<u8> =
        one(&mut copy, "SELECT DISTINCT root_fingerprint FROM hftok_private.data_keys", &[]);
    let missing = format!("root key 4 with fingerprint {}", hex(&fingerprint));
    let counts = row_counts(&mut copy);
    for sql in [
        "SELECT hftok.get_secret('plain')",
        "SELECT hftok.get_secret('versions', 1)",
        "SELECT decrypted_secret FROM hftok.decrypted_secrets",
        "SELECT decrypted_secret FROM vault.decrypted_secrets",
        "SELECT hftok.create_secret('x')",
        "SELECT hftok.put_secret('plain', 'x')",
    ] {
        let error = refused(copy.query(sql, &[]), "53HF1");
        assert!(error.detail().is_some_and(|detail| detail.contains(&missing)), "{sql}: {error:?}");
    }
    assert_eq!(row_counts(&mut copy), counts);
    let named: i64 =
        one(&mut copy, "SELECT count(*) FROM hftok.verify() WHERE reason LIKE '%' || $1 || '%'", &[&missing]);
    let holds_something_sealed = ["data_keys", "secrets", "secret_versions", "providers"]
        .map(|table| format!("hftok_private.{table}"));
    let sealed: i64 = holds_something_sealed.iter().map(|table| counts[table]).sum();
    assert_eq!(named, sealed, "verify() says so of every row that is sealed or signed");

    elsewhere.write_keyring(&[key.clone(), other]);
    copy.batch_execute("SELECT hftok.unseal()").expect("unseal");
    adopt(&mut copy);
    assert_same(&mut source.client("postgres", "app"), &mut copy);
    assert_goes_on(&mut copy);
}

#[test]
fn a_backup_role_that_is_subject_to_row_security_fails_and_is_named_with_a_remedy() {
    let Servers { source, .. } = servers();
    let output = source.client_program("pg_dump", "careless", "app").output().expect("pg_dump runs");
    assert!(!output.status.success(), "pg_dump must not succeed with half of the rows");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.contains("row-level security"), "{complaint}");
    let mut client = source.client("postgres", "app");
    let risky: Vec<String> =
        column(&mut client, "SELECT subject FROM hftok.logging_risks() WHERE remedy LIKE '%BYPASSRLS%'");
    assert_eq!(risky, ["careless"]);
    let remedy: String =
        one(&mut client, "SELECT remedy FROM hftok.logging_risks() WHERE subject = 'careless'", &[]);
    let mut alter = source.client("postgres", "app");
    alter.batch_execute(remedy.split(',').next().expect("a statement")).expect("the remedy is a statement");
    dump(source, "careless", "app");
    alter.batch_execute("ALTER ROLE careless NOBYPASSRLS").expect("undone");
}

/// A role that makes backups carries ciphertext from here to there, and needs no more.
#[test]
fn a_backup_role_reads_no_value() {
    let Servers { source, .. } = servers();
    let mut backup = source.client("backup", "app");
    assert!(
        one::<i64>(&mut backup, "SELECT count(*) FROM hftok_private.secrets", &[]) > 0,
        "it can make backups"
    );
    refused(get(&mut backup, "plain"), "42501");
    for schema in ["hftok", "vault"] {
        let view = format!("SELECT decrypted_secret FROM {schema}.decrypted_secrets");
        let result = backup.query(&view, &[]);
        assert!(result.is_err(), "pg_read_all_data opens every value: {view}");
        refused(result, "42501");
    }
}

#[test]
fn a_database_with_secrets_can_be_a_template_and_be_dropped_at_once() {
    // Alone: a session of another test in the template would be in the way.
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    fill(&mut client);
    let original = everything(&mut client);
    drop(client);
    let mut operator = cluster.client("postgres", "postgres");
    operator.batch_execute("CREATE DATABASE copy TEMPLATE app").expect("nothing of hftok stays connected");
    let mut copy = cluster.client("postgres", "copy");
    adopt(&mut copy);
    assert_eq!(everything(&mut copy), original);
    assert_goes_on(&mut copy);
    drop(copy);
    operator.batch_execute("ALTER DATABASE copy RENAME TO moved").expect("rename");
    assert_eq!(get(&mut cluster.client("postgres", "moved"), "versions").expect("opens"), "value 4");
    operator.batch_execute("DROP DATABASE moved").expect("drop");
    assert_eq!(everything(&mut cluster.client("postgres", "app")), original);
    operator.batch_execute("DROP DATABASE app").expect("drop");
}
