//! CREATE EXTENSION and DROP EXTENSION, and loading the library without preload.

use std::sync::OnceLock;

use hftok_tests::answer::{column, create, get, one, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::{Setup, installed};
use postgres::Client;

const CREATE: &str = "CREATE EXTENSION hftok";

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start_default)
}

/// The extension must not be created, and nothing of it must be left.
fn assert_stopped(client: &mut Client, sqlstate: &str) {
    let error = refused(client.batch_execute(CREATE), sqlstate);
    assert!(!error.message().is_empty());
    let left: i64 =
        one(client, "SELECT count(*) FROM pg_proc WHERE proname IN ('create_secret', 'whoami')", &[]);
    assert_eq!(left, 0);
}

/// Roles belong to the whole server: one test, one server.
#[test]
fn roles_that_somebody_prepared_stop_the_installation() {
    let cluster = Cluster::start_default();
    let mut client = cluster.empty_database("app");
    client.batch_execute("CREATE ROLE plain; CREATE ROLE hftok_owner NOLOGIN").expect("roles");
    for (trap, remedy) in [
        ("ALTER ROLE hftok_owner LOGIN", "ALTER ROLE hftok_owner NOLOGIN"),
        ("ALTER ROLE hftok_owner SUPERUSER", "ALTER ROLE hftok_owner NOSUPERUSER"),
        ("ALTER ROLE hftok_owner BYPASSRLS", "ALTER ROLE hftok_owner NOBYPASSRLS"),
        ("ALTER ROLE hftok_owner CREATEROLE", "ALTER ROLE hftok_owner NOCREATEROLE"),
        ("ALTER ROLE hftok_owner CREATEDB", "ALTER ROLE hftok_owner NOCREATEDB"),
        ("ALTER ROLE hftok_owner REPLICATION", "ALTER ROLE hftok_owner NOREPLICATION"),
        ("GRANT hftok_owner TO plain", "REVOKE hftok_owner FROM plain"),
        ("GRANT plain TO hftok_owner", "REVOKE plain FROM hftok_owner"),
        ("CREATE ROLE hftok_admin LOGIN", "DROP ROLE hftok_admin"),
        ("CREATE ROLE hftok_service NOLOGIN SUPERUSER", "DROP ROLE hftok_service"),
        ("CREATE ROLE hftok_user LOGIN", "DROP ROLE hftok_user"),
        ("CREATE ROLE hftok_auditor LOGIN", "DROP ROLE hftok_auditor"),
    ] {
        client.batch_execute(trap).expect(trap);
        assert_stopped(&mut client, "42501");
        client.batch_execute(remedy).expect(remedy);
    }
    client.batch_execute(CREATE).expect("harmless roles are no hindrance");
    let risky: Vec<String> = column(
        &mut client,
        "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'hftok%'
         AND (rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)",
    );
    assert_eq!(risky, Vec::<String>::new());
}

#[test]
fn schemas_that_somebody_prepared_stop_the_installation() {
    cluster().client("postgres", "postgres").batch_execute("CREATE ROLE schemer").expect("role");
    let mut client = cluster().empty_database("schemer");
    client.batch_execute("CREATE SCHEMA hftok AUTHORIZATION schemer").expect("schema");
    assert_stopped(&mut client, "42501");
    client
        .batch_execute("DROP SCHEMA hftok; CREATE SCHEMA hftok_private AUTHORIZATION schemer")
        .expect("schema");
    assert_stopped(&mut client, "42P06");
    client.batch_execute("DROP SCHEMA hftok_private; CREATE SCHEMA hftok_private").expect("schema");
    assert_stopped(&mut client, "42P06");
    // pg_dump leaves the schema like this.
    client.batch_execute("DROP SCHEMA hftok_private; CREATE SCHEMA hftok").expect("schema");
    client.batch_execute(CREATE).expect("a superuser's schema is no hindrance");
    create(&mut client, "name", "value");
}

#[test]
fn the_extension_can_be_dropped_and_created_again() {
    let mut client = cluster().database("again");
    create(&mut client, "name", "first life");
    client.batch_execute("DROP EXTENSION hftok").expect("drop");
    let left: i64 = one(
        &mut client,
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname LIKE 'hftok%'",
        &[],
    );
    assert_eq!(left, 0);
    client.batch_execute(CREATE).expect("again");
    // This session still has plans and keys of the first life.
    refused(get(&mut client, "name"), "PT404");
    create(&mut client, "name", "second life");
    for mut session in [client, cluster().client("postgres", "again")] {
        assert_eq!(get(&mut session, "name").expect("opens"), "second life");
        assert_eq!(one::<Option<i64>>(&mut session, "SELECT failed FROM hftok.verify()", &[]), Some(0));
    }
    cluster()
        .client("postgres", "again")
        .batch_execute("BEGIN; DROP EXTENSION hftok; ROLLBACK")
        .expect("undone");
    assert_eq!(get(&mut cluster().client("postgres", "again"), "name").expect("opens"), "second life");
}

#[test]
fn each_database_has_keys_of_its_own() {
    let mut west = cluster().database("west");
    let mut east = cluster().database("east");
    for (client, value) in [(&mut west, "west's"), (&mut east, "east's")] {
        create(client, "name", value);
    }
    assert_eq!(get(&mut west, "name").expect("opens"), "west's");
    assert_eq!(get(&mut east, "name").expect("opens"), "east's");
    let keys = "SELECT id || ':' || encode(wrapped, 'hex') FROM hftok_private.data_keys";
    let of_west: Vec<String> = column(&mut west, keys);
    assert!(!column::<String>(&mut east, keys).iter().any(|key| of_west.contains(key)));
    // A row carried over whole, but for its key, does not open.
    let row = west
        .query_one("SELECT id, binding_key, preview, fingerprint, sealed FROM hftok_private.secrets", &[])
        .expect("the row");
    let (id, binding_key): (uuid::Uuid, uuid::Uuid) = (row.get(0), row.get(1));
    let (preview, fingerprint, sealed): (String, Vec<u8>, Vec<u8>) = (row.get(2), row.get(3), row.get(4));
    east.batch_execute("DELETE FROM hftok_private.secrets").expect("room");
    east
        .execute(
            "INSERT INTO hftok_private.secrets (id, binding_key, scope, name, version, preview, fingerprint, sealed)
             VALUES ($1, $2, 'vault', 'name', 1, $3, $4, $5)",
            &[&id, &binding_key, &preview, &fingerprint, &sealed],
        )
        .expect("carried over");
    refused(get(&mut east, "name"), "53HF1");
    assert_eq!(
        one::<Option<String>>(&mut east, "SELECT decrypted_secret FROM hftok.decrypted_secrets", &[]),
        None
    );
}

#[test]
fn databases_of_another_encoding_are_refused() {
    for encoding in ["SQL_ASCII", "LATIN1"] {
        let name = encoding.to_lowercase();
        cluster()
            .client("postgres", "postgres")
            .batch_execute(&format!("CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0"))
            .expect("database");
        assert_stopped(&mut cluster().client("postgres", &name), "0A000");
    }
}

#[test]
fn only_a_superuser_may_create_the_extension() {
    let mut superuser = cluster().empty_database("modest");
    superuser.batch_execute("CREATE ROLE modest LOGIN; ALTER DATABASE modest OWNER TO modest").expect("role");
    assert_stopped(&mut cluster().client("modest", "modest"), "42501");
}

/// As pg_upgrade checks that every library of the old server can be loaded by the new one.
#[test]
fn loading_the_library_without_preload_defines_nothing_and_harms_nobody() {
    let cluster = Setup::default().without_preload().start();
    let (mut client, notices) = cluster.client_noting("postgres", "postgres");
    client.batch_execute("LOAD 'hftok'").expect("LOAD");
    assert_eq!(one::<i32>(&mut client, "SELECT 1", &[]), 1, "the session goes on");
    let defined = "SELECT name FROM pg_settings WHERE name LIKE 'hftok.%'";
    assert_eq!(column::<String>(&mut client, defined), Vec::<String>::new());
    client.batch_execute("LOAD 'hftok'").expect("a second time");
    client.batch_execute("SET hftok.anything = 'a placeholder like any other'").expect("set");
    assert!(notices.lock().expect("lock").is_empty(), "{notices:?}");
    let workers = cluster.processes().len();
    assert!(
        hftok_tests::process::titled(&cluster, "hftok keyring").is_none(),
        "no worker among {workers} processes"
    );
}

/// An operator who may not write to the server's own folders puts extensions elsewhere: the library where
/// `dynamic_library_path` says, and on 18 and later its control file where `extension_control_path` says.
#[test]
fn it_is_installed_under_a_prefix() {
    const CONTROL: &str =
        "comment = 'under a prefix'\ndefault_version = '0.2.0'\nschema = 'hftok'\nrelocatable = false\n";
    let cluster = Setup::default().without_preload().make();
    let prefix = cluster.folder().join("prefix");
    let extension = prefix.join("extension");
    std::fs::create_dir_all(&extension).expect("a folder");
    let library = prefix.join("hftok.so");
    std::fs::copy(installed("--pkglibdir").join("hftok.so"), &library).expect("a copy of the library");
    let shipped = installed("--sharedir").join("extension");
    let control = std::fs::read_to_string(shipped.join("hftok.control")).expect("a control file");
    let module = control.lines().find(|line| line.starts_with("module_pathname")).expect("a library");
    std::fs::write(extension.join("hftok.control"), format!("{CONTROL}{module}\n")).expect("a control file");
    std::fs::copy(shipped.join("hftok--0.2.0.sql"), extension.join("hftok--0.2.0.sql")).expect("a script");
    cluster.configure(&format!("dynamic_library_path = '{}:$libdir'", prefix.display()));
    cluster.configure("shared_preload_libraries = 'hftok'");
    cluster.start();
    let mut client = cluster.empty_database("app");
    let finds_control_files: bool =
        one(&mut client, "SELECT current_setting('server_version_num')::int >= 180000", &[]);
    if finds_control_files {
        let set = format!("ALTER SYSTEM SET extension_control_path = '{}:$system'", prefix.display());
        client.batch_execute(&set).expect("a path");
        cluster.restart();
        client = cluster.client("postgres", "app");
        let comment: String =
            one(&mut client, "SELECT comment FROM pg_available_extensions WHERE name = 'hftok'", &[]);
        assert_eq!(comment, "under a prefix");
    }
    client.batch_execute(CREATE).expect("the extension");
    create(&mut client, "name", "a value");
    assert_eq!(get(&mut client, "name").expect("the value"), "a value");
    let process: i32 = one(&mut client, "SELECT pg_backend_pid()", &[]);
    let mapped = std::fs::read_to_string(format!("/proc/{process}/maps")).expect("a process");
    let loaded: Vec<&str> = mapped
        .lines()
        .filter(|line| line.contains("hftok.so"))
        .filter_map(|line| line.split(' ').next_back())
        .collect();
    assert!(!loaded.is_empty() && loaded.iter().all(|path| *path == library.to_string_lossy()), "{loaded:?}");
}
