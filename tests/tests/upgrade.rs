//! An upgrade runs all of sql/again once more: over a database in use that changes nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hftok_tests::answer::{create, get, one};
use hftok_tests::audit::settled;
use hftok_tests::cluster::Cluster;
use postgres::Client;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The files that sql/order names, in its order.
fn order() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(SOURCES).join("sql/order")).expect("sql/order");
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

fn file(name: &str) -> PathBuf {
    Path::new(SOURCES).join(format!("sql/{name}.sql"))
}

/// The part that an upgrade runs after its own script, as Postgres runs a script of an extension.
fn again() -> String {
    let files = order().into_iter().filter(|name| name.starts_with("again/"));
    let text: String = files.map(|name| std::fs::read_to_string(file(&name)).expect("a file")).collect();
    format!("SET search_path = hftok, pg_temp; {}", text.replace("MODULE_PATHNAME", "hftok"))
}

/// Every object with its owner, privileges, comment and definition, as the regression test pins them.
fn catalog(cluster: &Cluster, client: &mut Client) -> BTreeSet<String> {
    let pin = Path::new(SOURCES).join("tests/sql/sql/10_objects.sql");
    let objects = cluster.psql("app", &["-f", pin.to_str().expect("a path")]);
    let acls: String = one(
        client,
        "SELECT string_agg(format('%s %s', p.oid::regprocedure, p.proacl), E'\n' ORDER BY p.oid::regprocedure::text)
         FROM pg_proc p WHERE p.pronamespace IN ('hftok'::regnamespace, 'hftok_private'::regnamespace)",
        &[],
    );
    (objects + &acls).lines().map(str::to_owned).collect()
}

#[test]
fn what_an_upgrade_runs_again_changes_nothing() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client
        .batch_execute(
            "CREATE ROLE authenticator LOGIN NOINHERIT; CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role;
             GRANT anon, authenticated, service_role TO authenticator; CREATE ROLE reporter;
             SELECT hftok.enable_rpc(); GRANT EXECUTE ON FUNCTION hftok.status TO reporter; GRANT USAGE ON SCHEMA hftok TO reporter",
        )
        .expect("an application");
    create(&mut client, "name", "a value");
    let integration: uuid::Uuid = one(
        &mut client,
        "SELECT hftok.create_integration_with_vault('ours', 'openai', 'sk-proj-ours000000000000000000', p_user_id => 'alice')",
        &[],
    );
    settled(&mut client);
    let before = catalog(&cluster, &mut client);
    for granted in ["reporter", "authenticator", "authenticated"] {
        assert!(before.iter().any(|line| line.contains(granted)), "{granted}");
    }
    client.batch_execute(&format!("BEGIN; {}; COMMIT", again())).expect("all of sql/again");
    let mut client = cluster.client("postgres", "app");
    let after = catalog(&cluster, &mut client);
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        one.difference(other).cloned().collect()
    };
    assert_eq!((only(&before, &after), only(&after, &before)), (Vec::new(), Vec::new()));
    assert_eq!(get(&mut client, "name").expect("the value"), "a value");
    create(&mut client, "another", "another value");
    let opened: String =
        one(&mut client, "SELECT hftok.get_integration_credentials($1, 'alice')::text", &[&integration]);
    assert!(opened.contains("sk-proj-ours"));
    settled(&mut client);
    let faults: i64 = one(&mut client, "SELECT count(*) FROM hftok.verify() WHERE kind <> 'total'", &[]);
    assert_eq!(faults, 0);
}

/// A file that the order does not name would be missing from the install script.
#[test]
fn the_order_names_every_file_once() {
    let mut named = order();
    for room in ["once", "again"] {
        for entry in std::fs::read_dir(Path::new(SOURCES).join("sql").join(room)).expect("a folder").flatten()
        {
            let name = entry.file_name().into_string().expect("a name");
            let at = named.iter().position(|one| format!("{one}.sql") == format!("{room}/{name}"));
            named.remove(at.unwrap_or_else(|| panic!("sql/order does not name {room}/{name}")));
        }
    }
    assert_eq!(named, Vec::<String>::new());
}
