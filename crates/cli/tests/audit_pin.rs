//! `hftok audit pin`: checkpoints in a file, a folder or a git repository, each proven to continue the one before.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use command::{Running, Said, hftok, hftok_on, said};
use hftok_tests::answer::create;
use hftok_tests::audit::settled;
use hftok_tests::cluster::{Cluster, Stop};
use hftok_tests::wait_until;
use postgres::Client;
use serde_json::Value;

/// Adds an event.
fn event(client: &mut Client, name: &str) {
    create(client, name, "a value");
    settled(client);
}

/// Runs `hftok audit …` as somebody who may read the audit.
fn audit(cluster: &Cluster, database: &str, arguments: &[&str]) -> Said {
    let mut command = hftok_on(cluster, "postgres", database, &[&["audit"], arguments].concat());
    said(command.env("PGPASSWORD", "a-password").env("HFTOK_JWT", "a-jwt"), "")
}

/// What a command said, as JSON.
#[track_caller]
fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"))
}

/// The sorts of what a command found.
#[track_caller]
fn sorts(said: &Said) -> Vec<String> {
    let found = json(said)["findings"].as_array().unwrap_or_else(|| panic!("{said:?}")).clone();
    found.iter().map(|one| one["finding"].as_str().expect("a sort").to_owned()).collect()
}

/// Runs git in a folder.
#[track_caller]
fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().expect("git runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A repository with a remote, and with a hook that tells of its environment.
fn repository(folder: &Path) {
    let (repository, remote) = (folder.join("git"), folder.join("remote"));
    git(folder, &["init", "--quiet", "--bare", remote.to_str().expect("a path")]);
    git(folder, &["init", "--quiet", repository.to_str().expect("a path")]);
    for (name, value) in [
        ("user.name", "auditor"),
        ("user.email", "auditor@example.com"),
        ("push.autoSetupRemote", "true"),
        ("commit.gpgSign", "false"),
    ] {
        git(&repository, &["config", name, value]);
    }
    git(&repository, &["remote", "add", "origin", remote.to_str().expect("a path")]);
    let hook = repository.join(".git/hooks/post-commit");
    fs::write(&hook, format!("#!/bin/sh\nenv > {}\n", folder.join("environment").display())).expect("a hook");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("a mode");
    // The pins of one database are a folder of the repository.
    fs::create_dir(repository.join("production")).expect("a folder");
}

#[test]
fn every_place_keeps_pins_that_continue_each_other() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    repository(folder.path());
    fs::create_dir(path("worm")).expect("a folder");
    let places = [("--file", path("pin")), ("--folder", path("worm")), ("--git", path("git/production"))];
    for (option, place) in &places {
        let mut sizes = Vec::new();
        for round in 0..3 {
            event(&mut client, &format!("{option} {round}"));
            let mut arguments = vec!["pin", option, place, "--json"];
            if *option == "--git" {
                arguments.push("--push");
            }
            let pinned = audit(&cluster, "app", &arguments);
            assert_eq!(pinned.code, Some(0), "{pinned:?}");
            assert_eq!(pinned.err.contains("trusted from now on"), round == 0, "{pinned:?}");
            let pinned = json(&pinned);
            assert_eq!(pinned["continues"].as_i64(), sizes.last().copied(), "{pinned}");
            sizes.push(pinned["events"].as_i64().expect("a size"));
        }
        assert!(sizes.is_sorted() && sizes[0] < sizes[2], "{sizes:?}");
        let verified = audit(&cluster, "app", &["verify", option, place, "--every", "1h", "--json"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
        let kept = if *option == "--file" { 1 } else { 3 };
        assert_eq!(json(&verified)["pins"].as_i64(), Some(kept), "{verified:?}");
    }
    for file in fs::read_dir(path("worm")).expect("a folder") {
        let mode = file.expect("a file").metadata().expect("a mode").permissions().mode();
        assert_eq!(mode & 0o222, 0, "nobody writes to it");
    }
    let repository = folder.path().join("git");
    assert_eq!(git(&repository, &["log", "--format=%s"]).lines().count(), 3);
    assert_eq!(git(&folder.path().join("remote"), &["log", "--all", "--format=%s"]).lines().count(), 3);
    assert_eq!(git(&repository, &["status", "--porcelain"]), "");
    let environment = fs::read_to_string(path("environment")).expect("the hook ran");
    assert!(!environment.contains("a-password") && !environment.contains("a-jwt"), "{environment}");

    // A log that did not grow is pinned again: somebody was there and looked.
    for _ in 0..2 {
        let again = audit(&cluster, "app", &["pin", "--git", &path("git/production")]);
        assert_eq!(again.code, Some(0), "{again:?}");
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
    assert_eq!(git(&repository, &["log", "--format=%s"]).lines().count(), 5);

    // A pin that somebody wrote, in the place of ours; and the log of another database.
    let _other = cluster.database("other");
    let foreign = audit(&cluster, "other", &["pin", "--file", &path("pin"), "--json"]);
    assert_eq!((foreign.code, sorts(&foreign)), (Some(1), vec!["not_signed".to_owned()]), "{foreign:?}");
    let pin = fs::read_to_string(path("pin")).expect("a pin");
    fs::write(path("pin"), pin.replacen(pin.lines().nth(1).expect("a size"), "4", 1)).expect("write");
    for command in ["pin", "verify"] {
        let forged = audit(&cluster, "app", &[command, "--file", &path("pin"), "--json"]);
        assert_eq!((forged.code, sorts(&forged)), (Some(1), vec!["not_signed".to_owned()]), "{forged:?}");
    }
}

#[test]
fn a_pin_that_is_missing_is_found() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().to_str().expect("a path");
    event(&mut client, "first");
    let pin = audit(&cluster, "app", &["pin", "--folder", place]);
    assert_eq!(pin.code, Some(0), "{pin:?}");
    let verify = |more: &[&str]| {
        audit(&cluster, "app", &[&["verify", "--folder", place, "--every", "1h", "--json"], more].concat())
    };
    assert_eq!(sorts(&verify(&[])), Vec::<String>::new());
    let pins = || {
        let names = fs::read_dir(place).expect("a folder").map(|file| file.expect("a file").path());
        names.filter(|path| path.extension().is_some()).collect::<Vec<_>>()
    };
    let [newest] = &pins()[..] else { panic!("one pin") };
    let size = newest.to_str().expect("a path").rsplit('-').next().expect("a size").to_owned();
    fs::rename(newest, folder.path().join(format!("2026-01-01T000000Z-{size}"))).expect("renamed");
    let late = verify(&[]);
    assert_eq!((late.code, sorts(&late)), (Some(1), vec!["pin_missing".to_owned()]), "{late:?}");
    let noted = audit(&cluster, "app", &["pin", "--folder", place]);
    assert!(noted.code == Some(0) && !noted.err.contains("missing"), "nobody said how often: {noted:?}");
    let gap = verify(&[]);
    assert!(
        sorts(&gap) == ["pin_missing"] && gap.out.contains("none from 2026-01-01T00:00:00Z on"),
        "{gap:?}"
    );
    assert_eq!(sorts(&verify(&["--pins-since", "1h"])), Vec::<String>::new());

    // Without pins, without a key, without a place.
    let empty = tempfile::tempdir().expect("a folder");
    let empty = empty.path().to_str().expect("a path");
    let key = folder.path().join("key");
    let key = key.to_str().expect("a path");
    let none =
        audit(&cluster, "app", &["verify", "--folder", empty, "--key", key, "--every", "1h", "--json"]);
    assert_eq!(sorts(&none), ["pin_missing"], "{none:?}");
    assert_eq!(audit(&cluster, "app", &["verify", "--folder", empty]).code, Some(2), "no key");
    assert_eq!(audit(&cluster, "app", &["pin"]).code, Some(2), "no place");
}

#[test]
fn pinning_goes_on_while_the_server_is_away_and_ends_when_somebody_changes_the_place() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    event(&mut client, "first");
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().to_str().expect("a path");
    let mut command = hftok_on(
        &cluster,
        "postgres",
        "app",
        &["audit", "pin", "--folder", place, "--every", "1s", "--json"],
    );
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut running = Running(child.expect("it starts"));
    let pins = || {
        let names = fs::read_dir(place).expect("a folder").map(|file| file.expect("a file").path());
        let mut names: Vec<_> =
            names.filter(|path| path.extension().is_some_and(|end| end == "checkpoint")).collect();
        names.sort();
        names
    };
    wait_until("two pins", 20, || pins().len() >= 2);
    drop(client);
    cluster.stop(Stop::Fast);
    std::thread::sleep(std::time::Duration::from_secs(2));
    let before = pins().len();
    cluster.start();
    wait_until("a pin after the server is back", 30, || pins().len() > before);
    assert_eq!(running.0.try_wait().expect("it runs"), None);
    // Somebody takes the newest pin away between two rounds; it may have been the last but one when it went.
    wait_until("it ends", 20, || {
        pins().pop().map(fs::remove_file);
        running.0.try_wait().expect("asked").is_some()
    });
    assert_eq!(running.0.wait().expect("ended").code(), Some(1));
    let offline = said(&mut hftok(&["audit", "pin", "--folder", place]), "");
    assert_eq!(offline.code, Some(4), "{offline:?}");
}
