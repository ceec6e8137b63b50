//! Versions that were released, brought to the present one: updated where they are, and restored from a dump. `tools/freeze.sh` made
//! the files that they are made from.

use std::path::PathBuf;
use std::process::Command;

use hftok_tests::answer::{adopt, column, create, get, one, refused};
use hftok_tests::audit::settled;
use hftok_tests::catalog;
use hftok_tests::cluster::Cluster;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::{Setup, run};
use hftok_tests::wait_until;
use postgres::Client;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn released() -> PathBuf {
    PathBuf::from(SOURCES).join("sql/released")
}

/// The names of files in a folder of sql/.
fn names(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(PathBuf::from(SOURCES).join("sql").join(folder)).expect("a folder");
    entries.flatten().map(|entry| entry.file_name().into_string().expect("a name")).collect()
}

/// Every version that was released.
fn versions() -> Vec<String> {
    let scripts = names("released");
    let version = |name: &String| Some(name.strip_prefix("hftok--")?.strip_suffix(".sql")?.to_owned());
    let versions: Vec<String> = scripts.iter().filter_map(version).collect();
    assert!(versions.iter().any(|version| version == "0.1.0"), "{versions:?}");
    versions
}

/// A server with the root key of the released databases, that knows every version, and a database that was just installed.
fn server() -> (Cluster, Client) {
    let cluster = Setup::default().own_extensions().keys(&[RootKey { id: 1, bytes: [0x11; 32] }]).make();
    catalog::compose(&cluster, None);
    for version in versions() {
        catalog::put_script(&cluster, &released().join(format!("hftok--{version}.sql")));
    }
    cluster.start();
    // With the number that the original has: so it is no copy, which it would be by another one.
    let mut client = cluster.client("postgres", "postgres");
    client.batch_execute("CREATE DATABASE updated OID = 16384").expect("the first of a server");
    let mut fresh = cluster.database("fresh");
    fresh
        .batch_execute(
            "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA hftok TO reader;
             GRANT EXECUTE ON FUNCTION hftok.get_secret TO reader",
        )
        .expect("as sql/released/fill.sql grants it");
    (cluster, fresh)
}

/// The released database, as a dump has it; of that version, or of the present one.
fn restore(cluster: &Cluster, version: &str, is_updated: bool) -> Client {
    let database = if is_updated { "updated" } else { "restored" };
    let dump = std::fs::read_to_string(released().join(format!("hftok--{version}.data"))).expect("a dump");
    let create = "CREATE EXTENSION IF NOT EXISTS hftok WITH SCHEMA hftok;";
    assert!(dump.contains(create));
    let older = format!("CREATE EXTENSION hftok WITH SCHEMA hftok VERSION '{version}';");
    let dump = if is_updated { dump.replace(create, &older) } else { dump };
    let file = cluster.write_file("restore.sql", dump, 0o644);
    let client =
        if is_updated { cluster.client("postgres", database) } else { cluster.empty_database(database) };
    cluster.psql(database, &["--single-transaction", "--file", file.to_str().expect("a path")]);
    client
}

#[test]
fn a_database_of_a_released_version_is_updated_where_it_is() {
    for version in versions() {
        let (cluster, mut fresh) = server();
        let mut client = restore(&cluster, &version, true);
        ends_no_server(&mut client);
        client.batch_execute("ALTER EXTENSION hftok UPDATE").expect("an update");
        let mut client = cluster.client("postgres", "updated");
        is_as_installed(&cluster, &mut client, &mut fresh, "updated");
        is_all_there(&cluster, client, "updated");
    }
}

#[test]
fn a_dump_of_a_released_version_is_restored_into_the_present_one() {
    for version in versions() {
        let (cluster, mut fresh) = server();
        let mut client = restore(&cluster, &version, false);
        refused(client.query("SELECT hftok.get_secret('versions')", &[]), "53HF1");
        adopt(&mut client);
        is_as_installed(&cluster, &mut client, &mut fresh, "restored");
        is_all_there(&cluster, client, "restored");
    }
}

fn is_as_installed(cluster: &Cluster, client: &mut Client, fresh: &mut Client, database: &str) {
    let wanted = catalog::of(cluster, fresh, "fresh");
    assert!(wanted.iter().any(|line| line.contains("reader=EXECUTE")), "a grant of the application's own");
    catalog::assert_same(&catalog::of(cluster, client, database), &wanted);
}

/// The library comes first, the update later: meanwhile calls may fail, and do no harm.
fn ends_no_server(client: &mut Client) {
    let calls: Vec<String> = column(
        client,
        "SELECT format('SELECT %s(%s)', p.oid::regproc,
            (SELECT string_agg(format('NULL::%s', format_type(t, NULL)), ', ' ORDER BY at) FROM unnest(p.proargtypes) WITH ORDINALITY a (t, at)))
         FROM pg_proc p WHERE p.pronamespace = 'hftok'::regnamespace AND p.prokind = 'f' AND p.proname NOT IN ('seal', 'disable_rpc')
         AND p.prorettype <> 'trigger'::regtype",
    );
    assert!(calls.len() > 50, "{calls:?}");
    for call in calls {
        let mut undone = client.transaction().expect("the server is there");
        if let Err(error) = undone.batch_execute(&call) {
            assert!(!error.is_closed(), "{call}: {error:?}");
        }
        undone.rollback().expect("the server is there");
    }
}

/// What sql/released/fill.sql gives, as it can be asked for.
const ASKED: [(&str, &str); 11] = [
    ("hftok.get_secret('versions')", "value 3"),
    ("hftok.get_secret('versions', 1)", "value 1"),
    ("hftok.get_secret('after')", "value 2"),
    ("hftok.get_secret('after', 1)", "the same"),
    ("hftok.get_secret('it''s \\ \"quoted\"')", "the same"),
    ("(hftok.resolve_token('openai', 'alice')).token", "sk-proj-released0000000000003"),
    ("hftok.resolve_hf_token('alice', p_model => 'org/model')", "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH"),
    (
        "(hftok.resolve_token('groq', 'alice', 'acme', p_host => 'api.groq.com')).token",
        "gsk_abcdefghijklmnopqrst",
    ),
    ("hftok.resolve_hf_token('zoe')", "hf_ABCDEFGHabcdefghijklmnopqrstuvwxyz"),
    ("(hftok.resolve_token('openai', 'dora')).token", "sk-proj-released0000000000000d"),
    (
        "(SELECT hftok.get_integration_credentials(i.id, 'alice') #>> '{}' FROM hftok.integrations i)",
        "sk-proj-released0000000000000i",
    ),
];

/// Everything opens and is told of as before, and the database goes on.
fn is_all_there(cluster: &Cluster, mut client: Client, database: &str) {
    for (asked, wanted) in ASKED {
        assert_eq!(one::<String>(&mut client, &format!("SELECT {asked}"), &[]), wanted, "{asked}");
    }
    refused(client.query("SELECT hftok.resolve_token('openai', 'bob')", &[]), "PT422");
    let uses = "SELECT use_count FROM hftok.credentials WHERE provider = 'openai' AND scope_id = 'alice'";
    wait_until("former uses are added to the one above", 20, || one::<i64>(&mut client, uses, &[]) == 301);
    for (count, wanted) in [
        ("hftok.credentials WHERE scope_id = 'carol'", 0),
        (
            "hftok.credentials WHERE label = 'of acme' AND on_unusable = 'continue' AND expires_at IS NOT NULL",
            1,
        ),
        ("hftok.credentials WHERE status = 'invalid' AND scope_id = 'bob'", 1),
        ("hftok.user_api_keys WHERE user_id IN ('alice', 'bob')", 2),
        ("hftok.import_report", 3),
        ("hftok.members WHERE org_id = 'acme' AND user_id = 'alice' AND role = 'owner'", 1),
        ("hftok.administrators WHERE user_id = 'alice'", 1),
        ("hftok_private.integration_shares WHERE org_id = 'acme'", 1),
        ("hftok.providers WHERE name = 'ours'", 1),
        ("hftok.verify_audit() WHERE ok AND checked >= 340", 1),
        ("hftok.verify() WHERE kind = 'total' AND failed = 0", 1),
    ] {
        let number: i64 = one(&mut client, &format!("SELECT count(*) FROM {count}"), &[]);
        assert_eq!(number, wanted, "{count}");
    }
    let mut reader = cluster.client("reader", database);
    assert_eq!(get(&mut reader, "versions").expect("its grant came along"), "value 3");
    refused(reader.query("SELECT hftok.status()", &[]), "42501");
    create(&mut client, "another", "another value");
    for change in [
        "SELECT hftok.put_secret('versions', 'value 4')",
        "SELECT hftok.save_credential('openai', 'sk-proj-released0000000000004', p_user_id => 'alice')",
        "SELECT hftok.rotate_root_key()",
        "SELECT hftok.give_org_key('acme')",
        "SELECT * FROM hftok.forget_org('acme')",
    ] {
        client.batch_execute(change).expect(change);
    }
    assert_eq!(one::<String>(&mut client, "SELECT hftok.get_secret('versions', 3)", &[]), "value 3");
    settled(&mut client);
    let faults: Vec<Option<i64>> = column(&mut client, "SELECT failed FROM hftok.verify()");
    assert_eq!(faults, [Some(0)]);
    assert!(one::<bool>(&mut client, "SELECT ok FROM hftok.verify_audit()", &[]));
}

/// A version that somebody runs is what it was when they installed it.
#[test]
fn a_file_that_was_released_stays_as_it_is() {
    let mut check = Command::new("sha256sum");
    run(check.current_dir(SOURCES).args(["--check", "--strict", "--quiet", "sql/released/SHA256SUMS"]));
    let sums = std::fs::read_to_string(released().join("SHA256SUMS")).expect("sums");
    let has_sum = |path: &str| sums.lines().any(|line| line.ends_with(&format!("  {path}")));
    for name in names("released") {
        let path = format!("sql/released/{name}");
        assert!(["SHA256SUMS", "fill.sql"].contains(&name.as_str()) || has_sum(&path), "{path}");
    }
    for version in versions() {
        assert!(has_sum(&format!("sql/released/hftok--{version}.data")), "{version}");
        for step in names("upgrade").iter().filter(|name| name.ends_with(&format!("--{version}.sql"))) {
            assert!(has_sum(&format!("sql/upgrade/{step}")), "{step}");
        }
    }
}
