//! Every way in which the keyring may be missing: Postgres starts, hftok says why it is sealed, and nothing is written
//! that could not be read back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use hftok_tests::answer::{create, every_field, get, one, refused, row_counts, sealed_reason};
use hftok_tests::cluster::{Cluster, Stop};
use hftok_tests::root_key::{RootKey, hex};
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

const LOADING: &str = "the keyring is still being loaded";

/// Waits for the end of loading, and gives what status() says is the matter.
fn reason(client: &mut Client) -> Option<String> {
    let mut last = None;
    wait_until("the keyring was tried", 20, || {
        let (sealed, reason) = sealed_reason(client);
        assert!(!sealed || reason.is_some(), "sealed without a reason");
        last = reason;
        last.as_deref() != Some(LOADING)
    });
    last
}

/// Everything that needs a key is refused with one SQLSTATE and this in its DETAIL, and no row of any table comes or
/// goes. The database has a secret named `kept`.
fn assert_shut(client: &mut Client, detail: &str) {
    let before = row_counts(client);
    for sql in [
        "SELECT hftok.create_secret('x')",
        "SELECT hftok.create_secret('x', 'new')",
        "SELECT hftok.put_secret('new', 'x')",
        "SELECT hftok.put_secret('kept', 'x')",
        "SELECT hftok.update_secret((SELECT id FROM hftok.secrets), 'x')",
        "SELECT hftok.update_secret((SELECT id FROM hftok.secrets), new_name => 'other')",
        "SELECT hftok.restore_secret((SELECT id FROM hftok.secrets), 1)",
        "SELECT hftok.get_secret('kept')",
        "SELECT hftok.get_secret('kept', 1)",
        "SELECT decrypted_secret FROM hftok.decrypted_secrets",
        "SELECT * FROM hftok.find_secret('x')",
    ] {
        let error = refused(client.query(sql, &[]), "53HF1");
        let text = error.detail().unwrap_or_default();
        assert!(text.to_lowercase().contains(&detail.to_lowercase()), "{sql}: {text:?} lacks {detail:?}");
    }
    // Metadata needs no key.
    assert_eq!(one::<String>(client, "SELECT name FROM hftok.secrets", &[]), "kept");
    assert_eq!(one::<i32>(client, "SELECT max(version) FROM hftok.secrets", &[]), 2);
    assert_eq!(one::<i64>(client, "SELECT count(*) FROM hftok.decrypted_secrets", &[]), 1);
    let history = "SELECT count(*) FROM hftok.secrets s, hftok.secret_history(s.id)";
    assert_eq!(one::<i64>(client, history, &[]), 2);
    assert_eq!(row_counts(client), before);
}

fn with_a_secret(cluster: &Cluster) -> Client {
    let mut client = cluster.database("app");
    create(&mut client, "kept", "old value");
    client.query("SELECT hftok.put_secret('kept', 'value')", &[]).expect("a second version");
    client
}

/// Restarts with these settings and gives a session.
fn restarted_with(cluster: &Cluster, settings: &str) -> Client {
    cluster.configure(settings);
    cluster.restart();
    cluster.client("postgres", "app")
}

#[test]
fn without_preload_the_extension_can_be_created_and_says_what_is_missing() {
    let cluster = Cluster::start_default();
    drop(with_a_secret(&cluster));
    let mut client = restarted_with(&cluster, "shared_preload_libraries = ''");
    let not_loaded = "hftok was not loaded when the server started";
    let assert_not_loaded = |client: &mut Client| {
        let (sealed, reason) = sealed_reason(client);
        assert!(sealed && reason.as_ref().is_some_and(|reason| reason.starts_with(not_loaded)), "{reason:?}");
    };
    assert_not_loaded(&mut client);
    assert_shut(&mut client, not_loaded);
    let error = refused(client.query("SELECT hftok.unseal()", &[]), "53HF1");
    assert!(error.hint().is_some_and(|hint| hint.contains("shared_preload_libraries")), "{error:?}");
    refused(client.query("SELECT hftok.seal()", &[]), "53HF1");

    // A shadow database, as migration tools and CI make it.
    let mut shadow = cluster.database("shadow");
    for view in ["secrets", "decrypted_secrets"] {
        assert!(shadow.query(&format!("SELECT * FROM hftok.{view}"), &[]).expect(view).is_empty());
    }
    assert_not_loaded(&mut shadow);
    refused(shadow.query("SELECT hftok.create_secret('x')", &[]), "53HF1");
    shadow.batch_execute("DROP EXTENSION hftok; CREATE EXTENSION hftok").expect("again");

    let mut client = restarted_with(&cluster, "shared_preload_libraries = 'hftok'");
    assert_eq!(get(&mut client, "kept").expect("opens again"), "value");
}

#[test]
fn each_fault_of_the_key_file_has_a_reason_of_its_own() {
    const CANARY: &str = "c0ffee5ec7e7c0ffee5ec7e7";
    let good = RootKey::random(1);
    let cluster = Setup::default().keys(std::slice::from_ref(&good)).start();
    drop(with_a_secret(&cluster));
    let path = |name: &str| cluster.folder().join(name);

    let secluded = path("secluded");
    fs::create_dir(&secluded).expect("folder");
    fs::write(secluded.join("keyring"), RootKey::keyring(std::slice::from_ref(&good))).expect("write");
    // A test that runs as root keeps the folder for root. Otherwise not even the folder's owner may enter.
    fs::set_permissions(
        &secluded,
        fs::Permissions::from_mode(if hftok_tests::account::is_root() { 0o700 } else { 0 }),
    )
    .expect("chmod");
    fs::create_dir(path("a folder")).expect("folder");
    let text = RootKey::keyring(std::slice::from_ref(&good));
    cluster.write_file("group", &text, 0o640);
    cluster.write_file("world", &text, 0o644);
    cluster.write_file("writable", &text, 0o620);
    cluster.write_file("malformed", format!("{text}2:{CANARY}\n"), 0o600);
    cluster.write_file("repeated", format!("{text}1:{}\n# {CANARY}", good.hex()), 0o600);
    cluster.write_file("bare", good.hex(), 0o600);
    cluster.write_file("empty", format!("# {CANARY}\n"), 0o600);
    cluster.write_file("binary", b"1:\xff\xfe", 0o600);

    let open = "the key file can be read or changed by others than its owner";
    for (file, expected) in [
        ("", "no keyring is configured"),
        ("missing", "the key file cannot be read: No such file or directory"),
        ("secluded/keyring", "the key file cannot be read: Permission denied"),
        ("group", open),
        ("world", open),
        ("writable", open),
        ("a folder", "the key file is not a regular file"),
        ("malformed", "line 2 of the keyring is not"),
        ("repeated", "line 2 of the keyring repeats an id"),
        ("bare", "line 1 of the keyring is not"),
        ("empty", "the keyring holds no key"),
        ("binary", "the keyring is not text"),
    ] {
        let setting = if file.is_empty() { String::new() } else { path(file).display().to_string() };
        let mut client = restarted_with(&cluster, &format!("hftok.key_file = '{setting}'"));
        let found = reason(&mut client).expect("sealed");
        assert!(found.contains(expected), "{file}: {found}");
        assert_shut(&mut client, expected);
        let error = refused(client.query("SELECT hftok.unseal()", &[]), "53HF1");
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "a remedy: {error:?}");
        let log = cluster.log();
        assert!(log.contains(&format!("hftok is sealed: {found}")), "{file}: not in the log");
        let said = format!("{} {found} {log}", every_field(&error));
        assert!(
            !said.contains(CANARY) && !said.contains(&good.hex()),
            "{file}: the text of the file got out"
        );
    }

    // A wrong setting can be put right without a restart.
    cluster.configure(&format!("hftok.key_file = '{}'", cluster.keyring().display()));
    cluster.reload();
    let mut client = cluster.client("postgres", "app");
    wait_until("a reload brings the keyring", 10, || !sealed_reason(&mut client).0);
    assert_eq!(get(&mut client, "kept").expect("opens again"), "value");
}

#[test]
fn each_fault_of_the_key_command_has_a_reason_of_its_own() {
    let cluster = Cluster::start_default();
    drop(with_a_secret(&cluster));
    let print = format!("cat {}", cluster.keyring().display());
    cluster.configure("hftok.key_file = ''");
    for (command, expected) in [
        (print.clone(), None),
        (format!("{print}; exit 3"), Some("the key command ended with status 3")),
        (format!("{print}; kill -9 $$"), Some("the key command was ended by signal 9")),
        (
            format!("{print}; head -c 100000 /dev/zero"),
            Some("the key command printed more than a keyring can be"),
        ),
        ("/no/such/command".into(), Some("the key command ended with status 127")),
        ("echo what is this >&2; echo no key".into(), Some("line 1 of the keyring is not")),
        (":".into(), Some("the keyring holds no key")),
    ] {
        let mut client = restarted_with(&cluster, &format!("hftok.key_command = '{command}'"));
        let found = reason(&mut client);
        match expected {
            None => assert_eq!(get(&mut client, "kept").expect("opens"), "value"),
            Some(expected) => {
                assert!(found.as_ref().is_some_and(|found| found.contains(expected)), "{command}: {found:?}");
                assert_shut(&mut client, expected);
            }
        }
    }
    assert!(
        !cluster.log().contains("what is this"),
        "the error output of the command may quote what it failed on"
    );
    // The file counts when both are set.
    let keyring = cluster.keyring();
    let mut client = restarted_with(&cluster, &format!("hftok.key_file = '{}'", keyring.display()));
    assert_eq!(get(&mut client, "kept").expect("opens"), "value");
}

/// The one slow test: the limit is 30 seconds.
#[test]
fn a_hanging_key_command_is_killed_with_its_children_and_nobody_waits_for_it() {
    // Its own argument tells these processes from all others of this machine.
    let seconds = format!("10{}", std::process::id());
    let sleepers = || sleeping(&seconds);
    let cluster = Cluster::start_default();
    drop(with_a_secret(&cluster));
    let start = Instant::now();
    let mut client = restarted_with(
        &cluster,
        &format!("hftok.key_file = ''\nhftok.key_command = 'sleep {seconds} & sleep {seconds}; true'"),
    );
    assert_eq!(sealed_reason(&mut client), (true, Some(LOADING.into())));
    wait_until("the command runs", 5, || sleepers().len() == 2);
    let first = sleepers();
    let call = Instant::now();
    let error = refused(get(&mut client, "kept"), "53HF1");
    assert!(error.detail().is_some_and(|detail| detail.to_lowercase().contains(LOADING)), "{error:?}");
    assert!(call.elapsed() < Duration::from_secs(7), "an answer took {:?}", call.elapsed());
    let before = row_counts(&mut client);
    refused(client.query("SELECT hftok.create_secret('x')", &[]), "53HF1");
    assert_eq!(row_counts(&mut client), before);

    wait_until("the command is given up", 40, || {
        sealed_reason(&mut client).1.as_deref() == Some("the key command took too long")
    });
    let waited = start.elapsed();
    assert!(waited >= Duration::from_secs(29), "given up after {waited:?}");
    wait_until("the command is gone with its children", 3, || {
        !sleepers().iter().any(|id| first.contains(id))
    });

    // The worker tries the command again by itself. The end of the server does not wait for the command, and leaves no process
    // of it.
    wait_until("the command is tried again", 15, || sleepers().len() == 2);
    let call = Instant::now();
    cluster.stop(Stop::Fast);
    assert!(call.elapsed() < Duration::from_secs(5), "stopping took {:?}", call.elapsed());
    wait_until("the command ended with the server", 3, || sleepers().is_empty());
}

/// The processes that sleep for so many seconds.
fn sleeping(seconds: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let sleeps = |entry: &fs::DirEntry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line == format!("sleep\0{seconds}\0").into_bytes()
    };
    processes.filter(sleeps).filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[test]
fn a_server_that_dies_while_the_key_command_hangs_can_be_started_at_once() {
    let seconds = format!("20{}", std::process::id());
    let cluster = Setup::default().setting("hftok.key_file = ''");
    let cluster =
        cluster.setting(&format!("hftok.key_command = 'sleep {seconds} & sleep {seconds}; true'")).start();
    wait_until("the command runs", 5, || sleeping(&seconds).len() == 2);
    let call = Instant::now();
    // Waits until all its processes are gone.
    cluster.kill_postmaster();
    assert!(call.elapsed() < Duration::from_secs(10), "its processes took {:?} to end", call.elapsed());
    wait_until("the command ended with the server", 3, || sleeping(&seconds).is_empty());
    cluster.start();
}

#[test]
fn a_keyring_of_another_database_is_noticed_before_anything_is_written() {
    let own = RootKey::random(1);
    let cluster = Setup::default().keys(std::slice::from_ref(&own)).start();
    let mut client = with_a_secret(&cluster);
    let fingerprint: Vec<u8> =
        one(&mut client, "SELECT DISTINCT root_fingerprint FROM hftok_private.data_keys", &[]);
    drop(client);
    for (keys, expected) in [
        (vec![RootKey::random(1)], "the keyring's key 1 is another one"),
        (vec![RootKey::random(2)], "which the keyring does not have"),
        (vec![RootKey::random(1), RootKey::random(2)], "the keyring's key 1 is another one"),
    ] {
        cluster.write_keyring(&keys);
        cluster.restart();
        let mut client = cluster.client("postgres", "app");
        let needed = format!("root key 1 with fingerprint {}", hex(&fingerprint));
        let found = reason(&mut client).expect("status() says what is missing");
        assert!(found.contains(&needed), "{found}");
        assert_shut(&mut client, expected);
        assert_shut(&mut client, &needed);
        // A database without keys has no wrong one.
        let fresh = format!("fresh_{}_{}", keys.len(), keys[0].id);
        create(&mut cluster.database(&fresh), "new", "value");
    }
    cluster.write_keyring(&[RootKey::random(7), own]);
    // The fresh database used the key that goes.
    cluster
        .client("postgres", "app")
        .batch_execute("SELECT hftok.unseal(p_replace => true)")
        .expect("unseal");
    assert_eq!(get(&mut cluster.client("postgres", "app"), "kept").expect("opens again"), "value");
}
