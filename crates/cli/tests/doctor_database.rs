//! `hftok doctor` in databases that were broken by statements: each is found, and mended by its remedy.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;
#[path = "ward/mod.rs"]
mod ward;

use std::sync::OnceLock;

use command::{hftok, hftok_on, said};
use hftok_tests::cluster::Cluster;
use ward::Severity::{Critical, Warning};
use ward::{as_written, broken_and_mended, doctor, found, healthy, nothing_is_wrong, setup, treat};

/// One for set-ups that come one after the other.
fn patient() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| healthy(setup().setting("max_prepared_transactions = 5")))
}

const RELOAD: &str = "SELECT pg_reload_conf()";

#[test]
fn what_is_set_up_wrongly_is_found_and_mended() {
    let cluster = patient();
    let wrong = |name, severity, statements: &[&str]| broken_and_mended(cluster, name, severity, statements);
    wrong("sealed.by_hand", Critical, &["SELECT hftok.seal()"]);

    wrong("logging.values", Warning, &["ALTER SYSTEM SET log_statement = 'all'", RELOAD]);
    wrong("logging.values", Warning, &["ALTER SYSTEM SET log_parameter_max_length_on_error = -1", RELOAD]);
    wrong("logging.values", Warning, &["ALTER SYSTEM SET log_min_error_statement = 'error'", RELOAD]);
    wrong(
        "logging.values",
        Warning,
        &["CREATE ROLE \"a \"\"b\"", "ALTER ROLE \"a \"\"b\" SET log_statement = 'mod'"],
    );
    wrong("logging.values", Warning, &["ALTER DATABASE app SET log_min_duration_statement = 0"]);
    wrong("logging.values", Warning, &["ALTER ROLE \"a \"\"b\" IN DATABASE app SET debug_print_plan = on"]);

    wrong(
        "roles.cannot_dump",
        Warning,
        &[
            "CREATE ROLE dumper LOGIN",
            "GRANT USAGE ON SCHEMA hftok_private TO dumper",
            "GRANT SELECT ON ALL TABLES IN SCHEMA hftok_private TO dumper",
        ],
    );
    wrong(
        "roles.server_files",
        Warning,
        &["CREATE ROLE readers ROLE dumper", "GRANT pg_read_server_files TO readers"],
    );
    wrong("roles.owner", Critical, &["GRANT hftok_owner TO dumper"]);
    wrong("roles.attributes", Critical, &["ALTER ROLE hftok_admin LOGIN"]);
    wrong("roles.granters", Warning, &["GRANT hftok_service TO dumper WITH ADMIN OPTION"]);
    wrong("privileges.public", Critical, &["GRANT EXECUTE ON FUNCTION hftok.resolve_hf_token TO PUBLIC"]);
    wrong("privileges.public", Critical, &["GRANT SELECT ON hftok_private.secrets TO PUBLIC"]);
    wrong("privileges.create", Critical, &["GRANT CREATE ON SCHEMA hftok TO dumper"]);
    wrong("privileges.tables", Critical, &["GRANT UPDATE, DELETE ON hftok_private.secrets TO dumper"]);

    wrong("rpc.not_enabled", Warning, &["SELECT hftok.disable_rpc()"]);
    wrong("rpc.incomplete", Warning, &["REVOKE EXECUTE ON FUNCTION hftok.save_hf_token FROM authenticated"]);
    wrong("rpc.not_listed", Warning, &["ALTER SYSTEM SET hftok.gateways = ''", RELOAD]);
    wrong(
        "rpc.unknown_gateway",
        Warning,
        &["ALTER SYSTEM SET hftok.gateways = 'authenticator, nobody'", RELOAD],
    );
    let token = "'hf_aliceAliceAliceAliceAliceAlice0001'";
    let ends = "p_expires_at => now() + interval '1 day'";
    for whose in ["p_user_id => 'al ice'", "p_org_id => 'acme'", "p_global => true"] {
        let save = format!(
            "SELECT hftok.save_credential('huggingface', {token}, {whose}, p_model => 'a/b', {ends})"
        );
        wrong("credentials.ending", Warning, &[&save]);
    }
    let aged = "UPDATE hftok_private.data_keys SET created_at = created_at - interval '400 days'";
    wrong("keys.too_old", Warning, &[aged]);
    wrong("rpc.gateway_is_superuser", Critical, &["ALTER ROLE authenticator SUPERUSER"]);
}

#[test]
fn what_holds_it_up_is_found_and_ended() {
    let cluster = healthy(setup().setting("max_prepared_transactions = 5"));
    let mut client = cluster.client("postgres", "app");

    let mut other = cluster.client("postgres", "app");
    other
        .batch_execute("BEGIN; LOCK TABLE hftok_private.audit_bundles IN ACCESS EXCLUSIVE MODE")
        .expect("a lock");
    client.batch_execute("SELECT hftok.put_secret('held', 'value')").expect("saved");
    let finding = found(&cluster, "app", "audit.held_up", Critical);
    treat(&cluster, "app", &finding, &as_written);
    nothing_is_wrong(&cluster, "app");

    let mut other = cluster.client("postgres", "app");
    other.batch_execute("BEGIN; LOCK TABLE hftok_private.secrets IN ACCESS EXCLUSIVE MODE").expect("a lock");
    let finding = found(&cluster, "app", "database.locked", Critical);
    treat(&cluster, "app", &finding, &as_written);
    nothing_is_wrong(&cluster, "app");

    client
        .batch_execute(
            "BEGIN; LOCK TABLE hftok_private.audit_bundles IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'left behind'",
        )
        .expect("prepared");
    client.batch_execute("SELECT hftok.put_secret('held', 'value')").expect("saved");
    let finding = found(&cluster, "app", "audit.held_up", Critical);
    treat(&cluster, "app", &finding, &as_written);
    nothing_is_wrong(&cluster, "app");
}

#[test]
fn databases_without_hftok_and_copies_are_found_and_mended() {
    let cluster = healthy(setup());
    drop(cluster.empty_database("fresh"));
    let finding = found(&cluster, "fresh", "extension.absent", Critical);
    treat(&cluster, "fresh", &finding, &as_written);
    let finding = found(&cluster, "fresh", "rpc.not_enabled", Warning);
    treat(&cluster, "fresh", &finding, &as_written);
    nothing_is_wrong(&cluster, "fresh");

    hftok_tests::wait_until("nobody is in it", 20, || {
        let copied =
            cluster.client("postgres", "postgres").batch_execute("CREATE DATABASE copy TEMPLATE app");
        copied.is_ok()
    });
    let finding = found(&cluster, "copy", "database.copy", Critical);
    treat(&cluster, "copy", &finding, &as_written);
    nothing_is_wrong(&cluster, "copy");
}

#[test]
fn who_watches_sees_metrics_and_exit_codes() {
    let cluster = healthy(setup());
    let page = doctor(&cluster, "app", &["--prometheus"]);
    assert_eq!(page.code, Some(0), "{page:?}");
    assert!(page.out.contains("hftok_doctor_up{database=\"app\"} 1\n"), "{page:?}");
    assert!(
        page.out.contains("hftok_doctor_findings{database=\"app\",severity=\"critical\"} 0\n"),
        "{page:?}"
    );
    let name = "od\"d\\\n} 1";
    cluster
        .client("postgres", "app")
        .batch_execute(&format!(
            "CREATE ROLE \"{}\"; GRANT hftok_owner TO \"{}\"",
            name.replace('"', "\"\""),
            name.replace('"', "\"\"")
        ))
        .expect("a role");
    let page = doctor(&cluster, "app", &["--prometheus"]);
    assert_eq!(page.code, Some(2), "{page:?}");
    let object = r#"object="od\"d\\\n} 1"} 1"#;
    assert!(page.out.lines().any(|line| line.ends_with(object)), "{page:?}");
    for line in page.out.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok());
        assert!(line.starts_with("hftok_doctor_") && value.is_some(), "{line}");
    }

    cluster
        .client("postgres", "app")
        .batch_execute(
            "CREATE ROLE monitor LOGIN; GRANT hftok_auditor TO monitor; CREATE ROLE stranger LOGIN",
        )
        .expect("roles");
    let seen = said(&mut hftok_on(&cluster, "monitor", "app", &["doctor", "--json"]), "");
    assert_eq!(seen.code, Some(2), "{seen:?}");
    assert!(seen.err.contains("not seen: paths of the server"), "{seen:?}");
    let stranger = said(&mut hftok_on(&cluster, "stranger", "app", &["doctor", "--prometheus"]), "");
    assert_eq!(stranger.code, Some(3), "{stranger:?}");
    assert!(stranger.out.ends_with("\nhftok_doctor_up 0\n"), "{stranger:?}");
    let nobody = said(hftok(&["doctor"]).env("PGHOST", "/nowhere"), "");
    assert_eq!(nobody.code, Some(3), "{nobody:?}");
}
