//! `hftok doctor` on servers whose keyring, library or settings are wrong: each is found, and mended by its remedy.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;
#[path = "ward/mod.rs"]
mod ward;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

use hftok_tests::account::is_root;
use hftok_tests::answer::{create, get};
use hftok_tests::catalog;
use hftok_tests::cluster::Cluster;
use hftok_tests::root_key::RootKey;
use ward::Severity::{Critical, Warning};
use ward::{as_written, found, healthy, keyring, nothing_is_wrong, setup, treat};

/// That it is found, and mended as it says.
#[track_caller]
fn mended(cluster: &Cluster, name: &str, severity: ward::Severity, by_hand: &dyn Fn(&str) -> String) {
    let finding = found(cluster, "app", name, severity);
    println!("{name}: {}", finding["remedy"]);
    treat(cluster, "app", &finding, by_hand);
    nothing_is_wrong(cluster, "app");
    assert_eq!(get(&mut cluster.client("postgres", "app"), "kept").expect("it opens"), "value");
}

/// Has the server read its settings and its keyring again.
fn reload(cluster: &Cluster) {
    cluster.client("postgres", "app").batch_execute("SELECT pg_reload_conf()").expect("a reload");
}

#[test]
fn a_keyring_that_is_wrong_is_found_and_mended() {
    let cluster = healthy(setup());
    let path = cluster.keyring();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
    reload(&cluster);
    mended(&cluster, "keyring.rights", Critical, &as_written);

    if is_root() {
        chown(&path, Some(12345), Some(12345)).expect("chown");
        cluster.restart();
        mended(
            &cluster,
            if cfg!(target_os = "linux") { "keyring.unreadable" } else { "keyring.owner" },
            Critical,
            &as_written,
        );
    }

    fs::rename(&path, cluster.folder().join("away")).expect("it moves");
    cluster.restart();
    let finding = found(&cluster, "app", "keyring.unreadable", Critical);
    fs::rename(cluster.folder().join("away"), &path).expect("by hand: put back from its backup");
    treat(&cluster, "app", &finding, &as_written);
    nothing_is_wrong(&cluster, "app");

    // Another keyring, with a key of another number: before and after a restart.
    for (id, restarts) in [(2, false), (3, true)] {
        let text = fs::read_to_string(&path).expect("it");
        let backup = cluster.write_file("backup", text, 0o600).display().to_string();
        cluster.write_file("keyring", keyring(&[RootKey::random(id)]), 0o600);
        if restarts {
            cluster.restart()
        } else {
            reload(&cluster)
        }
        let finding = found(&cluster, "app", "keyring.lacks_key", Critical);
        treat(&cluster, "app", &finding, &|line| line.replace("BACKUP_OF_THE_KEYRING", &backup));
        // The key that was in it already is the primary now, and wraps nothing yet.
        mended(&cluster, "keyring.former_in_use", Warning, &as_written);
    }
}

#[test]
fn a_keyring_in_the_data_directory_or_without_a_name_is_found_and_mended() {
    let cluster = healthy(setup());
    let text = fs::read_to_string(cluster.keyring()).expect("it");
    cluster.write_file("data/keyring", &text, 0o600);
    cluster.configure("hftok.key_file = 'keyring'");
    reload(&cluster);
    mended(&cluster, "keyring.in_backups", Warning, &as_written);

    let unnamed: String = text.lines().skip(1).map(|line| format!("{line}\n")).collect();
    fs::write(cluster.folder().join("etc/keyring"), unnamed).expect("without its name");
    let mut client = cluster.client("postgres", "app");
    client
        .batch_execute("SELECT hftok.unseal(p_replace => true); SELECT hftok.adopt_database()")
        .expect("the keyring");
    mended(&cluster, "keyring.unnamed", Warning, &as_written);

    cluster.configure("hftok.key_file = ''");
    cluster.client("postgres", "app").batch_execute("ALTER SYSTEM RESET hftok.key_file").expect("reset");
    let moved = cluster.folder().join("etc/keyring").display().to_string();
    cluster.restart();
    let finding = found(&cluster, "app", "keyring.not_configured", Critical);
    let told = finding["remedy"][0]["line"].as_str().expect("a line").to_owned();
    assert!(told.contains("root key 1"), "{told}");
    cluster.configure(&format!("hftok.key_file = '{moved}'"));
    treat(&cluster, "app", &finding, &as_written);
    nothing_is_wrong(&cluster, "app");
}

#[test]
fn a_server_that_never_had_a_keyring_gets_one() {
    let cluster = setup().setting("hftok.key_file = ''").setting("hftok.gateways = ''").start();
    drop(cluster.database("app"));
    let finding = found(&cluster, "app", "keyring.not_configured", Critical);
    treat(&cluster, "app", &finding, &as_written);
    nothing_is_wrong(&cluster, "app");
    let mut client = cluster.client("postgres", "app");
    create(&mut client, "kept", "value");
    assert_eq!(get(&mut client, "kept").expect("it opens"), "value");
}

#[test]
fn a_server_without_the_library_is_found_and_mended() {
    let cluster = setup().without_preload().setting("hftok.gateways = ''").make();
    cluster.write_file("keyring", keyring(&[RootKey::random(1)]), 0o600);
    cluster.configure("shared_preload_libraries = 'auto_explain'");
    cluster.start();
    drop(cluster.empty_database("app"));
    let finding = found(&cluster, "app", "library.not_preloaded", Critical);
    let line = &finding["remedy"][0]["line"];
    assert_eq!(line, "ALTER SYSTEM SET shared_preload_libraries = 'auto_explain', 'hftok'");
    treat(&cluster, "app", &finding, &as_written);
    let finding = found(&cluster, "app", "extension.absent", Critical);
    treat(&cluster, "app", &finding, &as_written);
    nothing_is_wrong(&cluster, "app");
    create(&mut cluster.client("postgres", "app"), "kept", "value");

    let mut client = cluster.client("postgres", "app");
    client.batch_execute("ALTER SYSTEM SET shared_preload_libraries = 'auto_explain'").expect("set");
    drop(client);
    cluster.restart();
    mended(&cluster, "library.not_preloaded", Critical, &as_written);
}

#[test]
fn an_extension_that_was_left_behind_is_found_and_updated() {
    let cluster = setup().own_extensions().setting("hftok.gateways = ''").make();
    cluster.write_file("keyring", keyring(&[RootKey::random(1)]), 0o600);
    catalog::compose(&cluster, None);
    let released = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sql/released/hftok--0.1.0.sql");
    catalog::put_script(&cluster, released.as_ref());
    cluster.start();
    let mut client = cluster.empty_database("app");
    client.batch_execute("CREATE EXTENSION hftok VERSION '0.1.0'").expect("an older one");
    drop(client);
    let finding = found(&cluster, "app", "extension.version", Warning);
    treat(&cluster, "app", &finding, &as_written);
    nothing_is_wrong(&cluster, "app");
}

#[test]
fn a_server_that_answers_on_a_network_without_tls_gets_it() {
    let cluster = healthy(setup());
    cluster.configure("listen_addresses = '0.0.0.0'");
    cluster.restart();
    mended(&cluster, "transport.open", Warning, &as_written);
}
