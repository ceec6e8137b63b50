//! Keys that organisations hold themselves: a command prints them when it is asked with an organisation's id, and what they wrap opens
//! only as long as it does.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use hftok_tests::answer::{adopt, one, refused};
use hftok_tests::audit::settled;
use hftok_tests::cluster::Cluster;
use hftok_tests::copies::copied;
use hftok_tests::process::{has_ended, regions_with, titled};
use hftok_tests::root_key::RootKey;
use hftok_tests::rotation::{destroyed, faults};
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

const TOKEN: &str = "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH";

/// The service that keeps the keys of organisations: a folder with a file for each, and a command that prints one and notes that it was
/// asked. A file that is executable is run.
struct Service(PathBuf);

impl Service {
    /// The command of a server, which answers within the lifetime that is set.
    fn of(cluster: &Cluster, lifetime: &str) -> Self {
        let service = Self(cluster.folder().join("organisations"));
        fs::create_dir(&service.0).expect("a folder");
        let folder = service.0.display();
        service.write(
            "command",
            &format!("#!/bin/sh\necho \"$#:$1\" >> {folder}/asked\n[ -x {folder}/$1 ] && exec {folder}/$1\nexec cat {folder}/$1\n"),
            0o755,
        );
        fs::write(service.0.join("asked"), "").expect("a file");
        fs::set_permissions(&service.0, Permissions::from_mode(0o777)).expect("a folder");
        fs::set_permissions(service.0.join("asked"), Permissions::from_mode(0o666)).expect("a file");
        let mut client = cluster.client("postgres", "postgres");
        for (name, value) in [
            ("hftok.key_command", format!("{folder}/command")),
            ("hftok.org_key_lifetime", lifetime.to_owned()),
        ] {
            client.batch_execute(&format!("ALTER SYSTEM SET {name} = '{value}'")).expect(name);
        }
        client.batch_execute("SELECT pg_reload_conf()").expect("reloaded");
        wait_until("the command is known", 10, || {
            !one::<String>(&mut cluster.client("postgres", "postgres"), "SHOW hftok.key_command", &[])
                .is_empty()
        });
        service
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.0.join(name);
        // Not in place: what is being run cannot be written.
        let _ = fs::remove_file(&path);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("a file");
    }

    /// Has an organisation hold these keys.
    fn holds(&self, org: &str, keys: &[RootKey]) {
        self.write(org, &format!("organisation: {org}\n{}", RootKey::keyring(keys)), 0o644);
    }

    /// Runs a script where an organisation's key is asked for.
    fn answers(&self, org: &str, script: &str) {
        self.write(org, &format!("#!/bin/sh\n{script}\n"), 0o755);
    }

    fn takes_away(&self, org: &str) {
        fs::remove_file(self.0.join(org)).expect("a file");
    }

    /// The questions so far.
    fn asked(&self) -> Vec<String> {
        fs::read_to_string(self.0.join("asked")).expect("a file").lines().map(str::to_owned).collect()
    }
}

fn resolve(org: &str) -> String {
    format!("SELECT token FROM hftok.resolve_token('huggingface', p_org_id => '{org}')")
}

fn token(client: &mut Client, org: &str) -> String {
    one(client, &resolve(org), &[])
}

/// The sentence of the step that stops the walk of an organisation.
fn reason(client: &mut Client, org: &str) -> String {
    let detail = refused(client.query(&resolve(org), &[]), "PT422").detail().expect("a detail").to_owned();
    assert!(detail.contains("\"sealed\""), "{detail}");
    one(
        client,
        "SELECT detail FROM hftok.explain_token('huggingface', p_org_id => $1) WHERE outcome = 'sealed'",
        &[&org],
    )
}

/// Whether a process was started with these words.
fn is_running(words: &[u8]) -> bool {
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    processes
        .map(|process| fs::read(process.path().join("cmdline")).unwrap_or_default())
        .any(|line| line.starts_with(words))
}

/// A database with organisations that have a token each.
fn database(cluster: &Cluster, orgs: &str) -> Client {
    let mut client = cluster.database("app");
    client
        .batch_execute(&format!(
            "SELECT hftok.save_hf_token('{TOKEN}', p_org_id => org) FROM unnest('{{{orgs}}}'::text[]) org"
        ))
        .expect("organisations");
    client
}

fn save(client: &mut Client, org: &str) -> Result<(), postgres::Error> {
    client.batch_execute(&format!("SELECT hftok.save_hf_token('{TOKEN}', p_org_id => '{org}')"))
}

#[test]
fn a_key_is_asked_for_when_it_is_needed_and_kept_for_its_time() {
    let roots = [RootKey::random(1), RootKey::random(2)];
    let cluster = Setup::default().keys(&roots[..1]).start();
    let service = Service::of(&cluster, "1h");
    let (first, second) = (RootKey::random(1), RootKey::random(2));
    service.holds("acme", std::slice::from_ref(&first));
    let mut client = database(&cluster, "acme,other");
    let key: i32 = one(&mut client, "SELECT hftok.give_org_key('acme', p_own => true)", &[]);
    let by_org = "SELECT by_org FROM hftok_private.data_keys WHERE id = $1";
    assert!(one::<bool>(&mut client, by_org, &[&key]));
    // A transaction of the writer that began before the key was there would have it forgotten, and it would be asked for once more.
    settled(&mut client);
    assert_eq!(token(&mut client, "acme"), TOKEN);
    assert_eq!(
        service.asked(),
        ["1:acme", "1:acme"],
        "to wrap it, and to use it; with the id as the only argument"
    );
    save(&mut client, "acme").expect("saved");
    let mut session = cluster.client("postgres", "app");
    assert_eq!((token(&mut session, "acme"), token(&mut session, "other")), (TOKEN.into(), TOKEN.into()));
    assert_eq!(service.asked().len(), 2, "kept");

    // A restart, and a key that the organisation has added.
    service.holds("acme", &[first.clone(), second.clone()]);
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    let many = "SELECT count(hftok.resolve_hf_token(p_org_id => 'acme')) FROM generate_series(1, 50)";
    assert_eq!(one::<i64>(&mut client, many, &[]), 50);
    assert_eq!(service.asked().len(), 3);
    // The former one leaves once nothing needs it.
    client.batch_execute("SELECT hftok.rotate_data_key('acme')").expect("rotated");
    destroyed(&mut client, key);
    service.holds("acme", &[second]);
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    assert_eq!(token(&mut client, "acme"), TOKEN);
    assert_eq!(faults(&mut client), 0);

    // Another root key wraps what the organisation has wrapped, without asking.
    let asked = service.asked().len();
    cluster.write_keyring(&roots);
    assert!(one::<i32>(&mut client, "SELECT hftok.rotate_root_key() FROM hftok.unseal()", &[]) > 1);
    assert_eq!(service.asked().len(), asked);
    assert_eq!(token(&mut client, "acme"), TOKEN);
}

#[test]
fn an_organisation_that_takes_its_key_away_seals_what_is_its_own() {
    let cluster = Cluster::start_default();
    let service = Service::of(&cluster, "1s");
    let key = [RootKey::random(1)];
    service.holds("acme", &key);
    let mut client = database(&cluster, "acme,other");
    client.batch_execute("SELECT hftok.give_org_key('acme', true)").expect("given");
    assert_eq!(token(&mut client, "acme"), TOKEN);
    service.takes_away("acme");
    wait_until("the key is forgotten", 10, || client.query(&resolve("acme"), &[]).is_err());
    let told = reason(&mut client, "acme");
    assert!(told.contains("not there (the key command ended with status 1)"), "{told}");
    let report = refused(save(&mut client, "acme"), "53HF1");
    assert!(report.detail().expect("a detail").contains("\"acme\""));
    assert_eq!(token(&mut client, "other"), TOKEN);
    let fault = "SELECT reason FROM hftok.verify() WHERE kind = 'secret'";
    assert!(one::<String>(&mut client, fault, &[]).contains("holds a key to it"));
    // A failure is known for a while, and everybody's.
    let asked = service.asked().len();
    let many = "SELECT count(*) FROM generate_series(1, 50),
        LATERAL hftok.explain_token('huggingface', p_org_id => 'acme') WHERE outcome = 'sealed'";
    assert_eq!(one::<i64>(&mut client, many, &[]), 50);
    assert!(service.asked().len() <= asked + 1);

    service.holds("acme", &key);
    wait_until("it is asked for again", 20, || client.query(&resolve("acme"), &[]).is_ok());
    // Nobody uses it, and yet it is wiped.
    let kept = "SELECT (hftok_private.keyring_state()::jsonb ->> 'data_keys_kept')::int";
    let before: i32 = one(&mut client, kept, &[]);
    wait_until("it is wiped", 30, || one::<i32>(&mut client, kept, &[]) == before - 1);
}

#[test]
fn whatever_the_command_does_others_go_on() {
    let cluster = Cluster::start_default();
    let service = Service::of(&cluster, "1h");
    let key = [RootKey::random(1)];
    let orgs = ["silent", "keyring", "wrong", "another", "loud", "killed", "hanging"];
    for org in orgs {
        service.holds(org, &key);
    }
    let mut client = database(&cluster, &format!("other,{}", orgs.join(",")));
    for org in orgs {
        client.batch_execute(&format!("SELECT hftok.give_org_key('{org}', true)")).expect(org);
    }
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    service.answers("silent", "true");
    service.answers("keyring", &format!("cat {}", cluster.keyring().display()));
    service.answers("wrong", &format!("cat {}/silent.key", service.0.display()));
    service.write("silent.key", &format!("organisation: silent\n{}", RootKey::keyring(&key)), 0o644);
    service.holds("another", &[RootKey::random(1)]);
    service.answers("loud", "yes 'organisation: loud'");
    service.answers("killed", "kill -9 $$");
    service.answers("hanging", "sleep 987 & sleep 987");
    for (org, text) in [
        ("silent", "no line of it is `organisation: <id>`"),
        ("keyring", "no line of it is `organisation: <id>`"),
        ("wrong", "it names another organisation"),
        ("another", "the key that the key command gave is another one"),
        ("loud", "the key command printed more than a keyring can be"),
        ("killed", "the key command ended with status 137"),
    ] {
        let told = reason(&mut client, org);
        assert!(told.contains(text), "{org}: {told}");
    }
    // While one hangs others are asked for, and who needs none waits for nobody.
    service.holds("another", &key);
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| reason(&mut cluster.client("postgres", "app"), "hanging"));
        wait_until("it is asked for", 10, || {
            service.asked().last().is_some_and(|asked| asked == "1:hanging")
        });
        client.batch_execute("SET statement_timeout = '3s'").expect("a limit");
        assert_eq!(token(&mut client, "other"), TOKEN);
        assert!(!hanging.is_finished());
        assert!(hanging.join().expect("a session").contains("took too long"));
    });
    wait_until("killed with all that it started", 3, || !is_running(b"sleep\x00987"));
    wait_until("it is asked for again", 20, || client.query(&resolve("another"), &[]).is_ok());
    // A session that gives up waiting leaves nothing behind.
    wait_until("it is asked for again", 30, || {
        client
            .query(&resolve("hanging"), &[])
            .is_err_and(|error| error.code().is_some_and(|code| code.code() == "57014"))
    });
    assert_eq!(token(&mut client, "other"), TOKEN);
}

#[test]
fn only_ids_that_are_safe_as_an_argument_may_hold_a_key() {
    let cluster = Cluster::start_default();
    let service = Service::of(&cluster, "1h");
    let mut client = database(&cluster, "acme");
    for org in ["-rf", "../etc", "a b", "$(touch /tmp/x)", "a'b", "zoë"] {
        refused(client.query("SELECT hftok.give_org_key($1, true)", &[&org]), "22023");
    }
    assert!(service.asked().is_empty());
    refused(client.query("SELECT hftok.give_org_key('acme', NULL)", &[]), "22023");
    refused(client.query("SELECT hftok.give_org_key('acme', true)", &[]), "53HF1");
    let left = "SELECT count(*) FROM hftok_private.data_keys WHERE org_id > ''";
    assert_eq!(one::<i64>(&mut client, left, &[]), 0, "none is given that could not be wrapped");

    // One that has a key of the server's gets another, which it wraps.
    client.batch_execute("SELECT hftok.give_org_key('acme')").expect("given");
    let former: i32 = one(&mut client, "SELECT id FROM hftok_private.data_keys WHERE org_id = 'acme'", &[]);
    service.holds("acme", &[RootKey::random(1)]);
    client.batch_execute("SELECT hftok.give_org_key('acme', true)").expect("given");
    destroyed(&mut client, former);
    refused(client.query("SELECT hftok.give_org_key('acme')", &[]), "23505");
    refused(client.query("SELECT hftok.give_org_key('acme', true)", &[]), "23505");
    assert_eq!((token(&mut client, "acme"), faults(&mut client)), (TOKEN.to_owned(), 0));
    // Behind this the id would be a command.
    client.batch_execute("ALTER SYSTEM SET hftok.key_command = 'true ;'").expect("a command");
    client.batch_execute("SELECT pg_reload_conf()").expect("reloaded");
    wait_until("the command is known", 10, || {
        client.batch_execute("SELECT hftok.seal(); SELECT hftok.unseal()").expect("no key is kept");
        client.query(&resolve("acme"), &[]).is_err()
    });
    assert!(reason(&mut client, "acme").contains("no argument can follow it"));
}

#[test]
fn a_standby_asks_for_itself_and_a_copy_when_it_is_adopted() {
    let primary = Cluster::start_default();
    let service = Service::of(&primary, "1h");
    let key = [RootKey::random(1)];
    service.holds("acme", &key);
    service.holds("away", &key);
    let mut client = database(&primary, "acme,away");
    client
        .batch_execute("SELECT hftok.give_org_key('acme', true), hftok.give_org_key('away', true)")
        .expect("given");
    let standby = Setup::standby_of(&primary);
    let mut reader = standby.client("postgres", "app");
    wait_until("the standby has it", 20, || reader.query(&resolve("acme"), &[]).is_ok());
    drop(reader);
    service.takes_away("away");
    drop(client);
    let mut copy = copied(&primary, "app", "copy");
    let former = "SELECT id FROM hftok_private.data_keys WHERE org_id = $1 AND state = 'active'";
    let before: Vec<i32> = ["acme", "away"].iter().map(|org| one(&mut copy, former, &[org])).collect();
    adopt(&mut copy);
    let after: Vec<i32> = ["acme", "away"].iter().map(|org| one(&mut copy, former, &[org])).collect();
    assert!(before[0] != after[0] && before[1] == after[1], "kept where it could not be asked for");
    assert_eq!(token(&mut copy, "acme"), TOKEN);
    service.holds("away", &key);
    wait_until("it is asked for again", 20, || copy.query(&resolve("away"), &[]).is_ok());
    save(&mut copy, "away").expect("saved");
    assert_eq!(faults(&mut copy), 0);
}

/// As docs/keys.md has whoever sets it up try it.
#[test]
fn the_command_is_tried_by_hand_as_it_stands_in_the_page() {
    let cluster = Cluster::start_default();
    let service = Service::of(&cluster, "1h");
    service.holds("acme", &[RootKey::random(1)]);
    let page = include_str!("../../docs/keys.md");
    let line = page.lines().find(|line| line.starts_with("sh -c \"$KEY_COMMAND")).expect("the line");
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env("KEY_COMMAND", service.0.join("command"));
    assert_eq!(String::from_utf8_lossy(&shell.output().expect("a shell").stdout), "1\n");
    assert_eq!(service.asked(), ["1:acme"]);
}

/// A worker that has asked for it has ended by then.
#[test]
fn no_process_holds_an_organisations_key_and_sealing_comes_before_a_late_answer() {
    let root = [RootKey::random(1)];
    let cluster = Setup::default().keys(&root).setting("shared_buffers = 1MB").start();
    let service = Service::of(&cluster, "1h");
    let key = [RootKey::random(1)];
    service.holds("acme", &key);
    let mut client = database(&cluster, "acme");
    client.batch_execute("SELECT hftok.give_org_key('acme', true)").expect("given");
    assert_eq!(token(&mut client, "acme"), TOKEN);
    let is_asking = || titled(&cluster, "hftok organisation key").is_some();
    wait_until("nobody asks", 10, || !is_asking());
    let needles = [key[0].bytes.to_vec(), key[0].hex().into_bytes()];
    for process in cluster.processes() {
        match regions_with(process, &needles) {
            Ok(found) => {
                assert!(found.is_empty(), "{found:#?}");
                let control = regions_with(process, &[root[0].bytes.to_vec()]);
                if control.is_ok_and(|found| found.is_empty()) {
                    // One that is ending has let go of its memory already; any other would have the root key.
                    wait_until("a process without the root key ends", 5, || {
                        !cluster.processes().contains(&process)
                    });
                }
            }
            Err(error) if has_ended(&error) => {}
            Err(error) => {
                eprintln!("skipped: the memory of the server's processes cannot be read here ({error})")
            }
        }
    }

    service.write("acme.key", &format!("organisation: acme\n{}", RootKey::keyring(&key)), 0o644);
    service.answers("acme", &format!("sleep 2; cat {}/acme.key", service.0.display()));
    client.batch_execute("SELECT hftok.seal(); SELECT hftok.unseal()").expect("no key is kept");
    let asked = service.asked().len();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut session = cluster.client("postgres", "app");
            refused(session.query(&resolve("acme"), &[]), "53HF1");
        });
        wait_until("it is asked for", 10, || service.asked().len() > asked);
        client.batch_execute("SELECT hftok.seal()").expect("sealed");
        reading.join().expect("a session");
    });
    wait_until("the answer has come", 10, || !is_asking());
    let kept = "SELECT (hftok_private.keyring_state()::jsonb ->> 'data_keys_kept')::int";
    assert_eq!(one::<i32>(&mut client, kept, &[]), 0);
}
