//! docs/drills.md: recovery to a moment, a logical subscriber, and the root keys that a dump needs.

use hftok_tests::answer::{create, get, one, put, refused};
use hftok_tests::audit::{TOKEN, global_token, settled, verified};
use hftok_tests::drill::{Drill, blocks};
use hftok_tests::files::files_with;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

#[test]
fn a_recovery_to_a_moment_opens_what_there_was_then() {
    let keys = [RootKey::random(1), RootKey::random(2)];
    let cluster = Setup::default().keys(&keys[..1]).make();
    let lines = blocks("drills.md", "Point in time", "conf").concat();
    let folder = cluster.make_folder("drill");
    cluster.make_folder("drill/archive");
    cluster.configure(&lines.replace("$DRILL", &folder.display().to_string()));
    cluster.start();
    let mut client = cluster.database("app");
    create(&mut client, "name", "the former value");
    global_token(&mut client);
    client.batch_execute(ORGANISATION).expect("an organisation");
    let mut drill = Drill::of(&cluster, "drills.md", "Point in time");
    drill.step();
    drill.step();
    put(&mut client, "name", "the later value");
    cluster.write_keyring(&keys);
    client.batch_execute("SELECT hftok.unseal()").expect("unsealed");
    client.batch_execute("SELECT hftok.rotate_root_key()").expect("rotated");
    client.batch_execute("SELECT hftok.give_org_key('acme')").expect("a key of its own");
    // Nothing is sealed anew for as long as somebody may still seal with the former key.
    let mut holder = cluster.client("postgres", "app");
    holder.batch_execute("BEGIN").expect("begin");
    create(&mut holder, "held", "until it commits");
    client.batch_execute("SELECT hftok.rotate_data_key()").expect("rotated");
    client.batch_execute("SELECT pg_create_restore_point('meanwhile')").expect("a moment");
    holder.batch_execute("COMMIT").expect("commit");
    finished(&mut client);
    settled(&mut client);
    drill.step();
    create(&mut client, "too late", "for all");
    client.batch_execute("SELECT hftok.forget_org('acme')").expect("forgotten");
    let answer = drill.step_and("recover meanwhile 5435");
    assert_eq!(answer.matches("|      0\n").count(), 3, "nothing fails: {answer}");
    finished(&mut drill.client(5435, "postgres"));
    for (port, value) in [(5433, "the former value"), (5434, "the later value"), (5435, "the later value")] {
        let mut recovered = drill.client(port, "postgres");
        assert_eq!(get(&mut recovered, "name").expect("opens"), value);
        refused(get(&mut recovered, "too late"), "PT404");
        // docs/keys.md says so: what was destroyed today opens from the backup of yesterday.
        let resolve = "SELECT (hftok.resolve_token('openai', 'alice', 'acme')).token";
        assert_eq!(one::<String>(&mut recovered, resolve, &[]), "sk-proj-ofacme000000000000000000");
        put(&mut recovered, "name", "goes on");
        verified(&mut recovered);
    }
    // The keyring of some later day, without the former root key.
    let keyring = drill.folder().join("keyring");
    std::fs::write(keyring, RootKey::keyring(&keys[1..])).expect("the keyring of both servers");
    for (port, missing) in [(5433, Some("root key 1 with fingerprint")), (5434, None), (5435, None)] {
        let mut recovered = drill.client(port, "postgres");
        recovered.batch_execute("SELECT hftok.unseal(p_replace => true)").expect("unsealed");
        match missing {
            None => assert_eq!(get(&mut recovered, "name").expect("opens"), "goes on"),
            Some(key) => {
                let error = refused(get(&mut recovered, "name"), "53HF1");
                assert!(error.detail().is_some_and(|detail| detail.contains(key)), "{error:?}");
            }
        }
    }
    drill.end();
}

const ORGANISATION: &str = "SELECT hftok.add_member('acme', 'alice', 'owner');
    SELECT hftok.save_credential('openai', 'sk-proj-ofacme000000000000000000', p_org_id => 'acme')";

/// Waits until what was retired is destroyed.
#[track_caller]
fn finished(client: &mut Client) {
    let sql = "SELECT count(*) FROM hftok.rotation_progress WHERE state = 'finished'";
    wait_until("the rotation is finished", 60, || one::<i64>(client, sql, &[]) == 1);
}

const TOKENS: &str = "SELECT hftok.save_hf_token('hf_aliceAliceAliceAliceAliceAlice' || lpad(n::text, 4, '0'), p_user_id => 'user ' || n)
    FROM generate_series(1, 20) n";
const SEALED: &str = "SELECT md5(string_agg(sealed, '' ORDER BY id)) FROM hftok_private.secrets";

#[test]
fn a_logical_subscriber_gets_ciphertext_and_opens_nothing() {
    let publisher = Setup::default().setting("wal_level = logical").start();
    let mut client = publisher.database("app");
    create(&mut client, "name", "a value of the publisher");
    client.batch_execute(TOKENS).expect("saved");
    let subscriber = Setup::default().keys(&[RootKey::random(1)]).start();
    let mut beyond = subscriber.empty_database("app");
    let mut drill = Drill::of(&publisher, "drills.md", "Logical subscriber");
    let address = format!("host={} port=5432 dbname=app user=postgres", subscriber.folder().display());
    drill.set("SUBSCRIBER", &address);
    drill.step();
    drill.step();
    wait_until("the rows are there", 30, || {
        one::<i64>(&mut beyond, "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'", &[]) == 0
    });
    put(&mut client, "name", "a later value of the publisher");
    let sealed: String = one(&mut client, SEALED, &[]);
    wait_until("the change is there", 20, || one::<String>(&mut beyond, SEALED, &[]) == sealed);
    let answer = drill.step();
    assert!(answer.contains(&sealed), "the same ciphertext: {answer}");
    assert!(answer.contains("root key 1 with fingerprint"), "{answer}");
    refused(get(&mut beyond, "name"), "53HF1");
    refused(beyond.query("SELECT hftok.resolve_hf_token('user 7')", &[]), "53HF1");
    assert!(one::<bool>(
        &mut beyond,
        "SELECT failed >= checked FROM hftok.verify() WHERE kind = 'total'",
        &[]
    ));
    beyond.batch_execute("CHECKPOINT; ALTER SUBSCRIPTION hftok DISABLE").expect("disabled");
    let values = ["a value of the publisher", "a later value", "hf_aliceAlice"];
    assert_eq!(files_with(subscriber.folder(), &values), Vec::<std::path::PathBuf>::new());
    drill.end();
}

#[test]
fn a_dump_says_which_root_keys_it_needs() {
    let keys = [RootKey::random(7), RootKey::random(12)];
    let cluster = Setup::default().keys(&keys).start();
    let mut client = cluster.database("app");
    create(&mut client, "name", TOKEN);
    let mut drill = Drill::of(&cluster, "drills.md", "Which root keys a dump needs");
    let needed: String = one(
        &mut client,
        "SELECT format('%s root key %s, fingerprint %s', count(*), root_key_id, encode(root_fingerprint, 'hex'))
         FROM hftok_private.data_keys GROUP BY root_key_id, root_fingerprint",
        &[],
    );
    let answer = drill.step();
    let lines: Vec<&str> = answer.lines().map(str::trim).collect();
    assert_eq!(lines, [&needed, &needed], "in plain text, and in another format");
    let keyring = drill.step();
    let (_, key) = needed.split_once(' ').expect("a count");
    assert!(keyring.lines().any(|line| line == key), "{key} is one of {keyring}");
    assert_eq!(keyring.lines().count(), 2);
    assert!(keys.iter().all(|key| !keyring.contains(&key.hex())), "no key is shown");
    drill.end();
}
