//! An upgrade runs its own steps and then all of sql/again: over a database in use that gives what a fresh install gives.

use std::path::Path;

use hftok_tests::answer::{create, get, one};
use hftok_tests::audit::settled;
use hftok_tests::catalog;
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use postgres::Client;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The files that sql/order names, in its order.
fn order() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(SOURCES).join("sql/order")).expect("sql/order");
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// Makes of a fresh install the database of an older version. The first two lines are for sql/again, as those below the function
/// that the last step drops; the index and the column are for the first step.
const OLDER: &str = "
    DROP VIEW hftok.import_report;
    DROP FUNCTION hftok.audit_head;
    DROP INDEX hftok_private.import_rows_address;
    ALTER TABLE hftok_private.import_sources DROP COLUMN at;
    CREATE FUNCTION hftok.gone() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE OR REPLACE FUNCTION hftok.whoami() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'nobody' $$;
    COMMENT ON FUNCTION hftok.verify_audit IS 'Other words.';
    GRANT EXECUTE ON FUNCTION hftok.verify TO hftok_user;
    REVOKE EXECUTE ON FUNCTION hftok.verify_audit FROM hftok_auditor;
";

/// Two steps, so that the first one is seen to run before the tables are such as sql/again wants them.
const STEPS: [(&str, &str); 2] = [
    (
        "hftok--0.0.8--0.0.9.sql",
        "CREATE INDEX import_rows_address ON hftok_private.import_rows (scope, scope_id, provider, model);
         ALTER TABLE hftok_private.import_sources ADD COLUMN at timestamptz NOT NULL DEFAULT pg_catalog.now();
         COMMENT ON COLUMN hftok_private.import_sources.at IS 'Since when.';",
    ),
    (
        "hftok--0.0.9--0.2.0.sql",
        "DROP FUNCTION hftok.gone(); REVOKE EXECUTE ON FUNCTION hftok.verify FROM hftok_user;",
    ),
];

/// Puts the scripts with these steps, and an older version, where the server looks for extensions.
fn compose(cluster: &Cluster) {
    let steps = cluster.folder().join("steps");
    std::fs::create_dir(&steps).expect("a folder");
    for (name, text) in STEPS {
        std::fs::write(steps.join(name), format!("{text}\n")).expect("a step");
    }
    catalog::compose(cluster, Some(&steps));
    let scripts = cluster.extensions();
    let install = std::fs::read_to_string(scripts.join("hftok--0.2.0.sql")).expect("the install script");
    std::fs::write(scripts.join("hftok--0.0.8.sql"), install + OLDER).expect("an older version");
}

/// An application that uses hftok, and has granted things itself.
fn use_it(client: &mut Client) -> uuid::Uuid {
    client
        .batch_execute(
            "SELECT hftok.enable_rpc(); GRANT EXECUTE ON FUNCTION hftok.token_provided TO reporter;
             GRANT USAGE ON SCHEMA hftok TO reporter",
        )
        .expect("an application");
    create(client, "name", "a value");
    let integration = one(
        client,
        "SELECT hftok.create_integration_with_vault('ours', 'openai', 'sk-proj-ours000000000000000000', p_user_id => 'alice')",
        &[],
    );
    settled(client);
    integration
}

#[test]
fn an_upgrade_makes_of_a_database_in_use_what_an_install_makes() {
    let cluster = Setup::default().own_extensions().make();
    compose(&cluster);
    cluster.start();
    let mut fresh = cluster.database("fresh");
    fresh
        .batch_execute(
            "CREATE ROLE authenticator LOGIN NOINHERIT; CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role;
             GRANT anon, authenticated, service_role TO authenticator; CREATE ROLE reporter",
        )
        .expect("roles");
    use_it(&mut fresh);
    let mut client = cluster.empty_database("app");
    client.batch_execute("CREATE EXTENSION hftok VERSION '0.0.8'").expect("an older version");
    let integration = use_it(&mut client);

    let wanted = catalog::of(&cluster, &mut fresh, "fresh");
    let before = catalog::of(&cluster, &mut client, "app");
    for word in ["gone", "import_rows_address", "import_report", "Other words."] {
        let differs = |line: &&String| line.contains(word);
        assert!(before.symmetric_difference(&wanted).any(|line| differs(&line)), "{word}");
    }
    for granted in ["reporter", "authenticator", "authenticated"] {
        assert!(wanted.iter().any(|line| line.contains(granted)), "{granted}");
    }
    client.batch_execute("ALTER EXTENSION hftok UPDATE TO '0.2.0'").expect("an upgrade");
    let mut client = cluster.client("postgres", "app");
    // On 15 the roles of PostgREST have each object by itself: docs/how-to.md.
    client.batch_execute("SELECT hftok.disable_rpc(), hftok.enable_rpc()").expect("once more");
    let after = catalog::of(&cluster, &mut client, "app");
    catalog::assert_same(&after, &wanted);
    still_works(&mut client, integration);
}

/// A name that was saved before the upgrade is there, and another can be saved after it.
fn still_works(client: &mut Client, integration: uuid::Uuid) {
    assert_eq!(get(client, "name").expect("the value"), "a value");
    create(client, "another", "another value");
    let opened: String =
        one(client, "SELECT hftok.get_integration_credentials($1, 'alice')::text", &[&integration]);
    assert!(opened.contains("sk-proj-ours"));
    settled(client);
    let faults: i64 = one(client, "SELECT count(*) FROM hftok.verify() WHERE kind <> 'total'", &[]);
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
