//! Data keys are rotated: everything is sealed anew in the background, and the former keys are destroyed.

use hftok_tests::answer::{create, get, one, put, refused, texts};
use hftok_tests::audit::{count, settled};
use hftok_tests::cluster::Cluster;
use hftok_tests::rotation::{active, destroyed, faults, rotate, rows_of, state};
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

/// A database with secrets of each kind, some with previous versions.
fn filled(cluster: &Cluster) -> Client {
    let mut client = cluster.database("app");
    for number in 0..20 {
        let name = format!("secret {number}");
        create(&mut client, &name, "first");
        put(&mut client, &name, &format!("value {number}"));
    }
    client
        .batch_execute(
            "SELECT hftok.save_credential('openai', 'sk-proj-0a7Bc9Dd2Ee4Ff6Gg8Hh', p_user_id => 'alice');
             SELECT hftok.save_credential('openai', 'sk-proj-1a7Bc9Dd2Ee4Ff6Gg8Hh', p_user_id => 'alice');
             SELECT hftok.save_credential('openai', 'sk-proj-2a7Bc9Dd2Ee4Ff6Gg8Hh', p_org_id => 'acme');
             SELECT hftok.create_integration_with_vault('i', 'openai', 'sk-proj-3a7Bc9Dd2Ee4Ff6Gg8Hh', p_user_id => 'alice')",
        )
        .expect("saved");
    client
}

#[test]
fn everything_is_sealed_anew_and_the_former_keys_are_destroyed() {
    let cluster = Cluster::start_default();
    let mut client = filled(&cluster);
    let before = "SELECT string_agg(concat_ws(' ', id, version, updated_at, sealed_at, preview,
        encode(hftok_private.state_of(s), 'hex')), ',' ORDER BY id) FROM hftok_private.secrets s";
    let stayed: String = one(&mut client, before, &[]);
    let rows = 20 * 2 + 4;
    let former = active(&mut client);
    assert_eq!(rows_of(&mut client, former), rows);
    assert_eq!(rotate(&mut client), former);
    destroyed(&mut client, former);
    // In memory too, before anybody uses a key again: this session has sealed with the former ones.
    let kept = "SELECT (hftok_private.keyring_state()::jsonb ->> 'data_keys_kept')::int";
    wait_until("the former keys are wiped", 5, || one::<i32>(&mut client, kept, &[]) == 4);
    let new = active(&mut client);
    assert_eq!((rows_of(&mut client, former), rows_of(&mut client, new)), (0, rows));
    assert_eq!(one::<String>(&mut client, before, &[]), stayed);
    for number in 0..20 {
        let name = format!("secret {number}");
        assert_eq!(get(&mut client, &name).expect("opens"), format!("value {number}"));
        assert_eq!(one::<String>(&mut client, "SELECT hftok.get_secret($1, 1)", &[&name]), "first");
    }
    let token: String = one(&mut client, "SELECT (hftok.resolve_token('openai', 'alice')).token", &[]);
    assert_eq!(token, "sk-proj-1a7Bc9Dd2Ee4Ff6Gg8Hh");
    assert_eq!(faults(&mut client), 0);
    // Fingerprints too: a value is found as before, in previous versions as well.
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM hftok.find_secret('first')", &[]), 20);
    let kept =
        "SELECT count(*) FILTER (WHERE state = 'retiring'), count(*) FILTER (WHERE state = 'destroyed')
        FROM hftok_private.data_keys";
    assert_eq!(texts(&mut client, kept), [Some("0".into()), Some("2".into())]);
    let progress = "SELECT total, done, failed, org_id, finished_at >= started_at, rate > 0, eta, waits_for FROM hftok.rotation_progress";
    let expected = [Some("44"), Some("44"), Some("0"), None, Some("t"), Some("t"), None, None];
    assert_eq!(texts(&mut client, progress), expected.map(|text| text.map(str::to_owned)));
    settled(&mut client);
    for (action, events) in [("rotate_data_key", 1), ("create_data_key", 6), ("destroy_data_key", 2)] {
        assert_eq!(
            count(&mut client, &format!("action = '{action}' AND kind = 'key' AND protected")),
            events,
            "{action}"
        );
    }
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    assert_eq!(get(&mut client, "secret 7").expect("opens"), "value 7");
    assert_eq!(faults(&mut client), 0);
    let log = cluster.log();
    assert!(!log.contains("held up"), "{log}");
}

#[test]
fn a_rotation_that_is_rolled_back_was_none() {
    let cluster = Cluster::start_default();
    let mut client = filled(&cluster);
    let former = active(&mut client);
    let mut rolled_back = client.transaction().expect("begin");
    let new: i32 = one(&mut rolled_back, "SELECT hftok.rotate_data_key()", &[]);
    one::<uuid::Uuid>(&mut rolled_back, "SELECT hftok.put_secret('secret 1', 'gone')", &[]);
    assert_eq!(one::<String>(&mut rolled_back, "SELECT hftok.get_secret('secret 1')", &[]), "gone");
    drop(rolled_back);
    assert_eq!(active(&mut client), former);
    assert_eq!(get(&mut client, "secret 1").expect("opens"), "value 1");
    let new_rows: i64 =
        one(&mut client, "SELECT count(*) FROM hftok_private.data_keys WHERE id = $1", &[&new]);
    assert_eq!(new_rows, 0);
    put(&mut client, "secret 1", "value");
    assert_eq!(faults(&mut client), 0);
}

#[test]
fn a_database_without_keys_has_them_afterwards() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let first: i32 = one(&mut client, "SELECT hftok.rotate_data_key()", &[]);
    assert_ne!(active(&mut client), 0);
    create(&mut client, "a", "value");
    assert_eq!(active(&mut client), first);
    refused(client.query("SELECT hftok.rotate_data_key('acme')", &[]), "22023");
}

/// One after the other, without waiting: each is resumed by the next.
#[test]
fn rotations_may_follow_one_another_at_once() {
    let cluster = Cluster::start_default();
    let mut client = filled(&cluster);
    let former: Vec<i32> = (0..5).map(|_| rotate(&mut client)).collect();
    for key in former {
        destroyed(&mut client, key);
    }
    assert_eq!(faults(&mut client), 0);
    assert_eq!(get(&mut client, "secret 3").expect("opens"), "value 3");
}

#[test]
fn a_value_that_does_not_open_is_named_once_and_keeps_its_key() {
    let cluster = Cluster::start_default();
    let mut client = filled(&cluster);
    client
        .batch_execute(
            "UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE name = 'secret 5';
             UPDATE hftok_private.secret_versions SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE name = 'secret 6'",
        )
        .expect("damaged");
    let former = rotate(&mut client);
    wait_until("the rotation comes to its end", 30, || state(&mut client, former) == "kept");
    let progress =
        "SELECT total, done, failed, finished_at IS NOT NULL, waits_for FROM hftok.rotation_progress";
    let told = [Some("44"), Some("42"), Some("2"), Some("t"), Some("values that do not open: see verify()")];
    assert_eq!(texts(&mut client, progress), told.map(|text| text.map(str::to_owned)));
    assert_eq!(rows_of(&mut client, former), 2);
    assert_eq!(faults(&mut client), 2);
    // Looked at again, and not told again.
    rotate(&mut client);
    wait_until("the other one comes to its end", 30, || {
        one::<i64>(&mut client, "SELECT count(*) FROM hftok.rotation_progress WHERE state = 'finished'", &[])
            == 1
    });
    settled(&mut client);
    assert_eq!(count(&mut client, "action = 'reseal_failed' AND level = 'decrypt_failed'"), 2);
    let id: uuid::Uuid = one(&mut client, "SELECT id FROM hftok.secrets WHERE name = 'secret 5'", &[]);
    assert_eq!(cluster.log().matches(&format!("version 2 of secret {id} in database")).count(), 1);
    assert!(!cluster.log().contains("held up"));
    // What was mended or replaced lets the key go.
    client
        .batch_execute(
            "SELECT hftok.put_secret('secret 5', 'new'), hftok.delete_secret(id) FROM hftok.secrets WHERE name = 'secret 6';
             UPDATE hftok_private.secret_versions SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE name = 'secret 5' AND version = 2",
        )
        .expect("mended");
    cluster.reload();
    destroyed(&mut client, former);
    assert_eq!(faults(&mut client), 0);
    let failures: i64 = one(&mut client, "SELECT count(*) FROM hftok_private.reseal_failures", &[]);
    assert_eq!(failures, 1, "that of the row that was deleted");
    assert_eq!(one::<String>(&mut client, "SELECT hftok.get_secret('secret 5', 2)", &[]), "value 5");
}

/// By its settings: a key that is too old is rotated without being asked for.
#[test]
fn a_key_that_is_too_old_is_rotated_by_itself() {
    let cluster = Setup::default().setting("hftok.data_key_max_age = 0").start();
    let mut client = filled(&cluster);
    let former = active(&mut client);
    client
        .batch_execute("UPDATE hftok_private.data_keys SET created_at = created_at - interval '2 days'")
        .expect("aged");
    cluster.configure("hftok.data_key_max_age = '1d'");
    cluster.reload();
    destroyed(&mut client, former);
    settled(&mut client);
    assert_eq!(count(&mut client, "action = 'rotate_data_key' AND level = 'max_age' AND protected"), 1);
    assert_eq!(faults(&mut client), 0);
    let new = active(&mut client);
    cluster.reload();
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    assert_eq!(get(&mut client, "secret 1").expect("opens"), "value 1");
    assert_eq!(active(&mut client), new, "once is enough");
}

/// The key of an organisation is rotated by itself. While its owners have sealed it nobody opens its values, the resealer included.
#[test]
fn the_key_of_an_organisation_is_rotated_by_itself_and_not_while_it_is_sealed() {
    let cluster = Cluster::start_default();
    let mut client = filled(&cluster);
    let own: i32 = one(&mut client, "SELECT hftok.give_org_key('acme')", &[]);
    assert_eq!(rows_of(&mut client, own), 1);
    let new: i32 = one(&mut client, "SELECT hftok.rotate_data_key('acme')", &[]);
    destroyed(&mut client, own);
    assert_eq!((rows_of(&mut client, own), rows_of(&mut client, new)), (0, 1));
    let progress = "SELECT org_id, total, done FROM hftok.rotation_progress";
    assert_eq!(texts(&mut client, progress), ["acme", "1", "1"].map(|text| Some(text.to_owned())));
    let token = "SELECT (hftok.resolve_token('openai', p_org_id => 'acme')).token";
    assert_eq!(one::<String>(&mut client, token, &[]), "sk-proj-2a7Bc9Dd2Ee4Ff6Gg8Hh");
    client.batch_execute("SELECT hftok.seal_org('acme')").expect("sealed");
    refused(client.query("SELECT hftok.rotate_data_key('acme')", &[]), "53HF1");
    // Its fingerprint cannot be made anew.
    let former = rotate(&mut client);
    destroyed(&mut client, former);
    let waits = "SELECT count(*) FROM hftok_private.rotations WHERE waits_for = 'values that their organisations have sealed'";
    wait_until("the fingerprint waits", 30, || one::<i64>(&mut client, waits, &[]) == 1);
    assert!(!cluster.log().contains("held up"));
    client.batch_execute("SELECT hftok.unseal_org('acme')").expect("unsealed");
    cluster.reload();
    let retiring = "SELECT count(*) FROM hftok_private.data_keys WHERE state = 'retiring'";
    wait_until("nothing is left", 30, || one::<i64>(&mut client, retiring, &[]) == 0);
    assert_eq!(one::<String>(&mut client, token, &[]), "sk-proj-2a7Bc9Dd2Ee4Ff6Gg8Hh");
    assert_eq!(faults(&mut client), 0);
}

/// What a column held is recognised by its fingerprint, which cannot be made anew: that key stays, and opens nothing.
#[test]
fn an_import_recognises_after_a_rotation_what_it_has_moved_in() {
    let cluster = Cluster::start_default();
    let mut client = filled(&cluster);
    client
        .batch_execute(
            "CREATE TABLE keys (id int PRIMARY KEY, owner text, key text);
             INSERT INTO keys VALUES (1, 'bob', 'sk-proj-4a7Bc9Dd2Ee4Ff6Gg8Hh'), (2, 'carol', 'sk-proj-5a7Bc9Dd2Ee4Ff6Gg8Hh')",
        )
        .expect("a table");
    let import = "CALL hftok.import_column('keys', 'key', 'id', 'openai', p_owner_column => 'owner')";
    client.batch_execute(import).expect("imported");
    let former = rotate(&mut client);
    destroyed(&mut client, former);
    let waits = "SELECT waits_for FROM hftok_private.rotations WHERE purpose = 'fingerprints'";
    wait_until("the key for fingerprints stays", 30, || {
        one::<Option<String>>(&mut client, waits, &[]).is_some_and(|waits| waits.starts_with("imports"))
    });
    client.batch_execute(import).expect("imported again");
    let unchanged = "SELECT count(*) FROM hftok.import_report WHERE outcome = 'unchanged'";
    assert_eq!(one::<i64>(&mut client, unchanged, &[]), 2);
    client.batch_execute("CALL hftok.blank_column('keys', 'key', 'id')").expect("emptied");
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM keys WHERE key IS NOT NULL AND key <> ''", &[]),
        0
    );
    // Nothing is recognised by it any more.
    cluster.reload();
    let retiring = "SELECT count(*) FROM hftok_private.data_keys WHERE state = 'retiring'";
    wait_until("it goes", 30, || one::<i64>(&mut client, retiring, &[]) == 0);
    assert_eq!(faults(&mut client), 0);
}
