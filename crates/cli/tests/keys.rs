//! `hftok keygen`, `hftok keyring` and `hftok rotate`.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::thread;

use command::{Said, hftok, hftok_on, said};
use hftok_tests::answer::{create, get, one};
use hftok_tests::cluster::Cluster;
use hftok_tests::root_key::RootKey;
use hftok_tests::rotation::{active, faults};
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use tempfile::TempDir;

/// Runs it without a server.
fn alone(arguments: &[&str]) -> Said {
    said(hftok(arguments).env("PGHOST", "/nowhere"), "")
}

/// Runs it as a superuser of database `app`.
fn on(cluster: &Cluster, arguments: &[&str]) -> Said {
    said(&mut hftok_on(cluster, "postgres", "app", arguments), "")
}

/// What it answered as JSON.
fn json(said: &Said) -> serde_json::Value {
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

/// The 64 digits of each key in a keyring.
fn digits(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a keyring");
    let keys = text.lines().filter_map(|line| line.split_once(':')).filter(|(_, key)| key.len() == 64);
    keys.map(|(_, key)| key.to_owned()).collect()
}

/// That no key of a keyring was shown.
fn shows_no_key(said: &Said, path: &Path) {
    let keys = digits(path);
    assert!(!keys.is_empty());
    for key in keys {
        let shown = |text: &str| text.to_lowercase().contains(&key.to_lowercase());
        assert!(!shown(&said.out) && !shown(&said.err), "a key is shown");
    }
}

/// The names in a folder.
fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).expect("a folder").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_keyring_is_made_once_for_its_owner_alone() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("keyring");
    let path_text = path.display().to_string();
    let made = alone(&["keygen", &path_text, "--installation", "prod"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    shows_no_key(&made, &path);
    assert_eq!(fs::metadata(&path).expect("it").mode() & 0o7777, 0o600);
    let text = fs::read_to_string(&path).expect("text");
    assert!(text.starts_with("installation: prod\n1:"), "another text");
    let again = alone(&["keygen", &path_text]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("never overwritten") && again.err.contains("hftok keyring add"), "{again:?}");
    assert_eq!(fs::read_to_string(&path).expect("text"), text);
    assert_eq!(names(&folder), ["keyring"], "nothing else is left");

    let named = alone(&["keygen", &path_text, "--installation", "two words"]);
    assert_eq!(named.code, Some(2));
    let other = folder.path().join("other").display().to_string();
    let drawn = json(&alone(&["keygen", &other, "--owner", "0:0", "--json"]));
    let name = drawn["installation"].as_str().expect("a name").to_owned();
    assert!(name.starts_with("hftok-") && name.len() == 18, "{name}");
    assert_ne!(digits(&path), digits(Path::new(&other)));
}

#[test]
fn of_many_who_make_a_keyring_one_does() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("keyring").display().to_string();
    let made = thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| alone(&["keygen", &path]).code)).collect();
        all.into_iter().map(|one| one.join().expect("it ends")).collect::<Vec<_>>()
    });
    assert_eq!(made.iter().filter(|code| **code == Some(0)).count(), 1, "{made:?}");
    assert_eq!(made.iter().filter(|code| **code == Some(1)).count(), 7, "{made:?}");
    assert_eq!(names(&folder), ["keyring"]);
}

#[test]
fn added_keys_lose_nothing_of_a_keyring() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("keyring");
    let first = RootKey::random(7);
    let text = format!("# ours\ninstallation: prod\n{}", RootKey::keyring(&[first]).trim_end());
    fs::write(&path, &text).expect("write");
    let link = folder.path().join("link");
    symlink(&path, &link).expect("a link");
    let link = link.display().to_string();

    let open = alone(&["keyring", "add", &link]);
    assert_eq!(open.code, Some(1));
    assert!(open.err.contains("chmod 600"), "{open:?}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");

    let added: Vec<Said> = thread::scope(|scope| {
        let all: Vec<_> =
            (0..6).map(|_| scope.spawn(|| alone(&["keyring", "add", &link, "--json"]))).collect();
        all.into_iter().map(|one| one.join().expect("it ends")).collect()
    });
    let mut ids: Vec<i64> =
        added.iter().map(|one| json(one)["added"][0]["id"].as_i64().expect("an id")).collect();
    ids.sort_unstable();
    assert_eq!(ids, [8, 9, 10, 11, 12, 13], "none was lost");
    added.iter().for_each(|one| shows_no_key(one, &path));
    let now = fs::read_to_string(&path).expect("text");
    assert!(now.starts_with(&text), "what was there stays");
    assert_eq!(digits(&path).len(), 7);
    assert_eq!(fs::metadata(&path).expect("it").mode() & 0o7777, 0o600);
    assert!(fs::symlink_metadata(&link).expect("it").is_symlink(), "the link stays");

    let taken = alone(&["keyring", "add", &link, "--id", "9"]);
    assert_eq!(taken.code, Some(2), "{taken:?}");
    let listed = alone(&["keyring", "list", &link, "--json"]);
    let keys = json(&listed);
    assert_eq!(keys.as_array().map(Vec::len), Some(7));
    assert_eq!((&keys[6]["is_primary"], &keys[0]["is_primary"]), (&true.into(), &false.into()));
    shows_no_key(&listed, &path);
}

#[test]
fn the_server_reads_a_key_that_was_added_and_wraps_by_it() {
    let cluster = Setup::default().keys(&[RootKey::random(1)]).start();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    let ring = cluster.keyring();
    let owner = fs::metadata(&ring).expect("it").uid();
    let ring_text = ring.display().to_string();
    let check = |arguments: &[&str]| on(&cluster, &[&["keyring", "check", &ring_text], arguments].concat());
    let fine = check(&[]);
    assert_eq!((fine.code, fine.err.as_str()), (Some(0), ""), "{fine:?}");

    let offline = on(&cluster, &["keyring", "add", &ring_text, "--offline"]);
    assert_eq!(offline.code, Some(0), "{offline:?}");
    let unread = check(&["--json"]);
    assert_eq!(unread.code, Some(1));
    assert_eq!(json(&unread)["faults"][0]["remedy"], "SELECT pg_reload_conf()", "{unread:?}");
    let added = on(&cluster, &["keyring", "add", &ring_text, "--json"]);
    assert_eq!((added.code, &json(&added)["server"]), (Some(0), &"taken".into()), "{added:?}");
    assert_eq!(fs::metadata(&ring).expect("it").uid(), owner, "it stays the server's");
    assert_eq!(check(&[]).code, Some(0));

    let rotated = json(&on(&cluster, &["rotate", "root", "--json"]));
    assert!(rotated["wrapped"].as_i64().is_some_and(|count| count > 0), "{rotated}");
    let keys = json(&on(&cluster, &["keyring", "list", "--json"]));
    let primary = &keys[2];
    assert_eq!((&primary["id"], &primary["is_primary"]), (&3.into(), &true.into()), "{keys}");
    assert_eq!(keys[0]["data_keys"], 0);

    // A backup has the key that got lost.
    let backup = cluster.write_file("backup", fs::read(&ring).expect("it"), 0o600).display().to_string();
    let text = fs::read_to_string(&ring).expect("text");
    let without: String =
        text.lines().filter(|line| !line.starts_with("3:")).map(|line| format!("{line}\n")).collect();
    cluster.write_file("keyring", without, 0o600);
    let lacking = check(&["--json"]);
    assert_eq!(lacking.code, Some(1));
    let remedy = json(&lacking)["faults"][0]["remedy"].as_str().expect("a remedy").to_owned();
    assert_eq!(remedy, format!("hftok keyring add {ring_text} --from BACKUP_OF_THE_KEYRING --id 3"));
    let back = on(&cluster, &["keyring", "add", &ring_text, "--from", &backup, "--id", "3"]);
    assert_eq!(back.code, Some(0), "{back:?}");
    assert_eq!(digits(&ring).len(), 3);
    assert_eq!(
        json(&alone(&["keyring", "list", &ring_text, "--json"]))[2]["id"],
        2,
        "the primary stays the last"
    );
    let other =
        cluster.write_file("other", RootKey::keyring(&[RootKey::random(3)]), 0o600).display().to_string();
    let another = on(&cluster, &["keyring", "add", &ring_text, "--from", &other]);
    assert_eq!(another.code, Some(1));
    assert!(another.err.contains("another root key 3"), "{another:?}");
    assert_eq!(get(&mut client, "kept").expect("it opens"), "value");
}

#[test]
fn a_rotation_is_waited_for_and_says_what_it_waits_for() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    let former = active(&mut client);
    let done = on(&cluster, &["rotate", "data", "--json"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    let rotation = json(&done);
    assert_eq!((&rotation["key_id"], &rotation["state"]), (&former.into(), &"finished".into()));
    assert_ne!(active(&mut client), former);

    // A transaction that may have sealed with the key keeps it.
    let mut busy = cluster.client("postgres", "app");
    let mut open = busy.transaction().expect("a transaction");
    open.query("SELECT hftok.create_secret('other', 'more')", &[]).expect("saved");
    let unended = on(&cluster, &["rotate", "data", "--timeout", "0"]);
    assert_eq!(unended.code, Some(1), "{unended:?}");
    assert!(unended.err.contains("hftok rotate progress --wait"), "{unended:?}");
    wait_until("it says what it waits for", 20, || {
        json(&on(&cluster, &["rotate", "progress", "--json"]))[0]["waits_for"].is_string()
    });
    let waiting = on(&cluster, &["rotate", "progress", "--wait", "--timeout", "0"]);
    assert_eq!(waiting.code, Some(1), "{waiting:?}");
    assert!(waiting.err.contains("waits for"), "{waiting:?}");
    open.commit().expect("commit");
    let ended = on(&cluster, &["rotate", "progress", "--wait"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("is destroyed"), "{ended:?}");

    let detached = json(&on(&cluster, &["rotate", "data", "--detach", "--json"]));
    assert!(detached["key_id"].is_number(), "{detached}");
    let ended = json(&on(&cluster, &["rotate", "progress", "--wait", "--json"]));
    assert_eq!(ended["state"], "finished");
    assert_eq!(json(&on(&cluster, &["rotate", "progress", "--json"])).as_array().map(Vec::len), Some(3));
    assert_eq!(faults(&mut client), 0);
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM hftok.secrets", &[]), 2);

    client.batch_execute("SELECT hftok.seal()").expect("seal");
    let sealed = on(&cluster, &["rotate", "data"]);
    assert_eq!(sealed.code, Some(4), "{sealed:?}");
    let nobody = alone(&["rotate", "root"]);
    assert_eq!(nobody.code, Some(4), "{nobody:?}");
}
