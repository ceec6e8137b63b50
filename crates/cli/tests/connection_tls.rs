//! TLS to Postgres, as libpq's sslmode asks for it: what is believed, and what is not.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/certificates.rs"]
mod certificates;
#[path = "command/mod.rs"]
mod command;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use certificates::Certificates;
use command::{Said, hftok, said};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use tempfile::TempDir;

/// A server on an address of loopback that no other test has.
fn server(address: &str, certificates: &Certificates, name: &str) -> Cluster {
    let cluster = Setup::default().setting("log_connections = on").setting("ssl = on").make();
    let rules = "local all all trust\nhostssl all clerk all cert\nhost all postgres all trust\n";
    let rules = cluster.write_file("rules", rules, 0o600);
    let copied = |file: &str| {
        let text = fs::read(certificates.file(file)).expect("made");
        cluster.write_file(file, text, 0o600).display().to_string()
    };
    for (setting, value) in [
        ("hba_file", rules.display().to_string()),
        ("listen_addresses", address.to_owned()),
        ("ssl_cert_file", copied(&format!("{name}.crt"))),
        ("ssl_key_file", copied(&format!("{name}.key"))),
        ("ssl_ca_file", copied("ca.crt")),
    ] {
        cluster.configure(&format!("{setting} = '{value}'"));
    }
    cluster.start();
    cluster
        .database("app")
        .batch_execute("CREATE ROLE clerk LOGIN; GRANT hftok_user TO clerk")
        .expect("a role");
    cluster
}

/// An address of loopback by the number of this process and of the test.
fn address(test: u8) -> String {
    let process = std::process::id();
    format!("127.{}.{}.{}", 1 + process % 250, (process / 250) % 250, test)
}

fn list(home: &Path, connection: &str, variables: &[(&str, &str)]) -> Said {
    let mut command = hftok(&["list", "-d", connection]);
    command
        .env("HOME", home)
        .env("PGUSER", "postgres")
        .env("PGDATABASE", "app")
        .envs(variables.iter().copied());
    said(&mut command, "")
}

/// The folder and its certificates; none, with a word, where they cannot be made.
fn certificates(address: &str) -> Option<(TempDir, Certificates)> {
    let folder = tempfile::tempdir().expect("a folder");
    let made = Certificates::make(folder.path(), &format!("DNS:db.test,IP:{address}"));
    if made.is_none() {
        println!("skipped: there is no openssl");
    }
    Some((folder, made?))
}

#[test]
fn each_mode_believes_what_it_says() {
    let address = address(1);
    let Some((folder, made)) = certificates(&address) else { return };
    let cluster = server(&address, &made, "server");
    let (home, ca, other) = (folder.path(), made.file("ca.crt"), made.file("other.crt"));
    let by_name = format!("host=db.test hostaddr={address}");
    let by_other_name = format!("host=elsewhere.test hostaddr={address}");
    let by_address = format!("host={address}");
    let connects = |connection: &str| {
        let said = list(home, connection, &[]);
        assert_eq!(said.code, Some(0), "{connection}: {said:?}");
    };
    let fails = |connection: &str, code: i32, words: &str| {
        let said = list(home, connection, &[]);
        assert!(said.code == Some(code) && said.err.contains(words), "{connection}: {said:?}");
    };
    connects(&format!("{by_name} sslmode=verify-full sslrootcert={ca}"));
    connects(&format!("{by_address} sslmode=verify-full sslrootcert={ca}"));
    fails(&format!("{by_other_name} sslmode=verify-full sslrootcert={ca}"), 4, "not valid for name");
    fails(&format!("{by_name} sslmode=verify-full sslrootcert={other}"), 4, "UnknownIssuer");
    fails(&format!("{by_name} sslmode=verify-full"), 2, "sslrootcert");
    connects(&format!("{by_other_name} sslmode=verify-ca sslrootcert={ca}"));
    fails(&format!("{by_name} sslmode=verify-ca sslrootcert={other}"), 4, "UnknownIssuer");
    connects(&format!("{by_other_name} sslmode=require"));
    // A file of authorities makes it more than that, as for libpq.
    fails(&format!("{by_name} sslmode=require sslrootcert={other}"), 4, "UnknownIssuer");
    assert!(!cluster.log().contains("SSL enabled") || cluster.log().contains("TLSv1.3"), "{}", cluster.log());

    let sessions = |mode: &str| {
        let before = cluster.log().len();
        connects(&format!("{by_address} {mode}"));
        let log = cluster.log();
        let authorized = log[before..].lines().find(|line| line.contains("application_name=hftok"));
        authorized.expect("a session").contains("SSL enabled")
    };
    assert!(sessions("") && sessions("sslmode=prefer") && sessions("sslmode=allow"));
    assert!(!sessions("sslmode=disable"));

    // The authorities of the machine, which are this one.
    fails(&format!("{by_name} sslrootcert=system"), 4, "UnknownIssuer");
    let said = list(home, &format!("{by_name} sslrootcert=system"), &[("SSL_CERT_FILE", &ca)]);
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn a_client_shows_its_certificate_and_keeps_its_key_to_itself() {
    let address = address(2);
    let Some((folder, made)) = certificates(&address) else { return };
    let _cluster = server(&address, &made, "server");
    let own = folder.path().join(".postgresql");
    fs::create_dir(&own).expect("a folder");
    let connection =
        format!("host={address} user=clerk sslmode=verify-full sslrootcert={}", made.file("ca.crt"));
    let without = list(folder.path(), &connection, &[]);
    assert_eq!(without.code, Some(3), "{without:?}");

    let (certificate, key) = (own.join("postgresql.crt"), own.join("postgresql.key"));
    fs::copy(made.file("clerk.crt"), certificate).expect("copied");
    fs::copy(made.file("clerk.key"), &key).expect("copied");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("chmod");
    let open_to_all = list(folder.path(), &connection, &[]);
    assert!(open_to_all.code == Some(2) && open_to_all.err.contains("chmod 0600"), "{open_to_all:?}");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("chmod");
    let with = list(folder.path(), &connection, &[]);
    assert_eq!(with.code, Some(0), "{with:?}");
}

#[test]
fn a_server_that_signed_itself_is_believed_where_its_certificate_is_named() {
    let address = address(3);
    let Some((folder, made)) = certificates(&address) else { return };
    let _cluster = server(&address, &made, "alone");
    let list = |given: String| list(folder.path(), &given, &[]);
    let alone = made.file("alone.crt");
    let full = list(format!("host={address} sslmode=verify-full sslrootcert={alone}"));
    assert_eq!(full.code, Some(0), "{full:?}");
    let wrong_name =
        list(format!("host=elsewhere.test hostaddr={address} sslmode=verify-full sslrootcert={alone}"));
    assert_eq!(wrong_name.code, Some(4), "{wrong_name:?}");
    let other = list(format!("host={address} sslmode=verify-ca sslrootcert={}", made.file("ca.crt")));
    assert_eq!(other.code, Some(4), "{other:?}");
}
