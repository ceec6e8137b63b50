//! Remedies that an operator is told about the keyring and hftok's state, and the roles that are told.

use std::os::unix::fs::symlink;

use hftok_tests::answer::{column, create, get, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

fn hint(client: &mut Client) -> String {
    let error = refused(get(client, "kept"), "53HF1");
    error.hint().expect("a hint").to_owned()
}

#[test]
fn who_can_mend_it_is_told_how_and_others_whom_to_ask() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    client
        .batch_execute(
            "CREATE ROLE service LOGIN IN ROLE hftok_service; CREATE ROLE operator LOGIN IN ROLE hftok_admin;
             SELECT hftok.seal()",
        )
        .expect("roles");
    let session = |user: &str| cluster.client(user, "app");
    for user in ["postgres", "operator"] {
        assert_eq!(hint(&mut session(user)), "Call hftok.unseal().", "{user}");
    }
    let ask = "An operator finds the reason in hftok.status()";
    assert!(hint(&mut session("service")).starts_with(ask));
    // The hint is that of the service, also where a superuser has logged in.
    client.batch_execute("SET ROLE service").expect("SET ROLE");
    assert!(hint(&mut client).starts_with(ask));
    client.batch_execute("RESET ROLE; SELECT hftok.unseal()").expect("unseal");

    cluster.configure("shared_preload_libraries = ''");
    cluster.restart();
    let error = refused(get(&mut session("postgres"), "kept"), "53HF1");
    let detail = error.detail().expect("a detail");
    assert!(detail.starts_with("hftok was not loaded when the server started"), "{detail}");
    assert!(error.hint().is_some_and(|hint| hint.contains("shared_preload_libraries")), "{error:?}");
}

#[test]
fn a_key_file_in_the_data_directory_is_a_risk_however_it_is_named() {
    let key = RootKey::random(1);
    let cluster = Setup::default().keys(std::slice::from_ref(&key)).start();
    let mut client = cluster.database("app");
    let text = RootKey::keyring(&[key]);
    cluster.write_file("data/keyring", &text, 0o600);
    symlink("../data", cluster.data().join("around")).expect("a link");
    symlink(cluster.keyring(), cluster.data().join("elsewhere")).expect("a link");
    let inside = cluster.data().join("keyring").display().to_string();
    let risks = "SELECT subject FROM hftok.logging_risks() WHERE risk LIKE '%data directory%'";
    assert_eq!(column::<String>(&mut client, risks), [""; 0]);
    for (path, is_risk) in [
        ("keyring", true),
        ("around/keyring", true),
        (inside.as_str(), true),
        ("elsewhere", false),
        ("../keyring", false),
    ] {
        cluster.configure(&format!("hftok.key_file = '{path}'"));
        cluster.reload();
        let set = "SELECT setting FROM pg_settings WHERE name = 'hftok.key_file'";
        wait_until("it is set", 10, || column::<String>(&mut client, set) == [path]);
        let expected = if is_risk { vec!["hftok.key_file"] } else { Vec::new() };
        assert_eq!(column::<String>(&mut client, risks), expected, "{path}");
    }
}

#[test]
fn a_keyring_without_a_name_says_what_it_costs() {
    let key = RootKey::random(1);
    let cluster = Setup::default().keys(std::slice::from_ref(&key)).start();
    let mut client = cluster.database("app");
    let risks = "SELECT subject FROM hftok.logging_risks() WHERE remedy LIKE '%installation: <name>%'";
    let name = "SELECT installation FROM hftok.status()";
    assert_eq!(column::<String>(&mut client, risks), ["installation"]);
    assert_eq!(column::<Option<String>>(&mut client, name), [None]);
    cluster.write_file("keyring", format!("{}installation: prod\n", RootKey::keyring(&[key])), 0o600);
    client.batch_execute("SELECT hftok.unseal()").expect("no key was used yet");
    assert_eq!(column::<String>(&mut client, risks), [""; 0]);
    assert_eq!(column::<Option<String>>(&mut client, name), [Some("prod".to_owned())]);
}
