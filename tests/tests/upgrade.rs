//! An upgrade runs its own steps and then all of sql/again: over a database in use that gives what a fresh install gives.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use hftok_tests::answer::{create, get, one};
use hftok_tests::audit::settled;
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::{Setup, run};
use postgres::Client;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The files that sql/order names, in its order.
fn order() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(SOURCES).join("sql/order")).expect("sql/order");
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// Every object with its owner, privileges, comment and definition, as the regression test pins them.
fn catalog(cluster: &Cluster, client: &mut Client, database: &str) -> BTreeSet<String> {
    let pin =
        std::fs::read_to_string(Path::new(SOURCES).join("tests/sql/sql/10_objects.sql")).expect("the pin");
    // Its rules take ten seconds, and say nothing that the list before them does not.
    let (list, _) = pin.split_once("\n-- The rules.").expect("rules behind the list");
    let list = cluster.write_file("list.sql", list, 0o644);
    let objects = cluster.psql(database, &["-f", list.to_str().expect("a path")]);
    let bodies: String = one(
        client,
        "SELECT string_agg(concat_ws(' ', p.oid::regprocedure, md5(pg_get_functiondef(p.oid))), E'\n')
         FROM pg_proc p WHERE p.pronamespace::regnamespace::text ~ '^hftok'",
        &[],
    );
    let views: String = one(
        client,
        "SELECT string_agg(concat_ws(' ', c.oid::regclass, md5(pg_get_viewdef(c.oid))), E'\n')
         FROM pg_class c WHERE c.relnamespace::regnamespace::text ~ '^hftok' AND c.relkind = 'v'",
        &[],
    );
    let comments: String = one(
        client,
        "SELECT string_agg(concat_ws(' ', o.type, o.identity, d.description), E'\n')
         FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) o
         WHERE concat_ws(' ', o.schema, o.identity) ~ 'hftok'",
        &[],
    );
    [objects, bodies, views, comments].iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
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

/// Composes the scripts by the Makefile, and puts them and an older version where the server looks for extensions.
fn compose(cluster: &Cluster) {
    let (steps, built) = (cluster.folder().join("steps"), cluster.folder().join("built"));
    std::fs::create_dir(&steps).expect("a folder");
    for (name, text) in STEPS {
        std::fs::write(steps.join(name), format!("{text}\n")).expect("a step");
    }
    let mut make = Command::new("make");
    make.args(["--no-print-directory", "-C", SOURCES, "scripts"]);
    make.arg(format!("UPGRADES={}", steps.display())).arg(format!("CARGO_TARGET_DIR={}", built.display()));
    // A make that runs the tests would hand its own variables on.
    run(make.env_remove("MAKEFLAGS").env_remove("MAKEOVERRIDES"));
    let scripts = built.join("extension");
    let install = std::fs::read_to_string(scripts.join("hftok--0.2.0.sql")).expect("the install script");
    std::fs::write(scripts.join("hftok--0.0.8.sql"), install + OLDER).expect("an older version");
    for script in std::fs::read_dir(scripts).expect("a folder").flatten() {
        let path = cluster.extensions().join(script.file_name());
        let _ = std::fs::remove_file(&path);
        std::fs::copy(script.path(), path).expect("a script");
    }
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

    let wanted = catalog(&cluster, &mut fresh, "fresh");
    let before = catalog(&cluster, &mut client, "app");
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
    let after = catalog(&cluster, &mut client, "app");
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        one.difference(other).cloned().collect()
    };
    assert_eq!((only(&wanted, &after), only(&after, &wanted)), (Vec::new(), Vec::new()));
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
