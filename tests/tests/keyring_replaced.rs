//! A keyring that is well-formed and not the right one, while the right one is in use; and data keys that are no longer to
//! be used.

use hftok_tests::answer::{adopt, create, get, one, refused, sealed_reason};
use hftok_tests::audit::without_writer;
use hftok_tests::cluster::Cluster;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

fn with_a_secret(key: &RootKey) -> (Cluster, Client) {
    let cluster = Setup::default().keys(std::slice::from_ref(key)).start();
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    (cluster, client)
}

/// Number of times that the server's log has a text.
fn logged(cluster: &Cluster, text: &str) -> usize {
    cluster.log().matches(text).count()
}

#[test]
fn a_keyring_that_lacks_a_key_in_use_replaces_nothing() {
    let own = RootKey::random(1);
    let (cluster, mut client) = with_a_secret(&own);
    assert_eq!(logged(&cluster, "hftok: keyring loaded: no installation named; root keys 1 ("), 1);
    for (keys, said) in [
        (vec![RootKey::random(1)], "the keyring has another root key 1"),
        (vec![RootKey::random(2)], "the keyring lacks root key 1"),
    ] {
        cluster.write_keyring(&keys);
        cluster.reload();
        let mut told = None;
        wait_until("status() says so", 10, || {
            told = sealed_reason(&mut client).1;
            told.as_ref().is_some_and(|reason| reason.contains(said))
        });
        assert!(!sealed_reason(&mut client).0, "the former keys stay");
        assert_eq!(get(&mut client, "kept").expect("opens"), "value");
        // Nothing is wrapped by a key that is not going to stay.
        let mut fresh = cluster.database(&format!("fresh_{}", keys[0].id));
        create(&mut fresh, "new", "value");
        assert_eq!(one::<i32>(&mut fresh, "SELECT max(root_key_id) FROM hftok_private.data_keys", &[]), 1);
        let error = refused(client.query("SELECT hftok.unseal()", &[]), "53HF1");
        assert!(error.detail().is_some_and(|detail| detail.contains(&said["the ".len()..])), "{error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("p_replace => true")), "{error:?}");
        assert_eq!(logged(&cluster, &format!("hftok: {said}")), 1, "said once");
    }
    // After a seal such a keyring is refused as well.
    client.batch_execute("SELECT hftok.seal()").expect("seal");
    refused(client.query("SELECT hftok.unseal()", &[]), "53HF1");
    let (sealed, reason) = sealed_reason(&mut client);
    assert!(sealed && reason.is_some_and(|reason| reason.contains("lacks root key 1")));
    // A keyring that has more is none of these.
    cluster.write_keyring(&[own.clone(), RootKey::random(2)]);
    client.batch_execute("SELECT hftok.unseal()").expect("unseal");
    assert_eq!(get(&mut client, "kept").expect("opens"), "value");
    assert_eq!(sealed_reason(&mut client), (false, None));

    let other = RootKey::random(1);
    cluster.write_keyring(std::slice::from_ref(&other));
    client.batch_execute("SELECT hftok.unseal(p_replace => true)").expect("an operator insists");
    let error = refused(get(&mut client, "kept"), "53HF1");
    assert!(error.message().contains("lacks the root key"), "{error:?}");
    // The keyring that the operator insisted on is in use from now on.
    create(&mut cluster.database("after"), "new", "value");
    cluster.write_keyring(&[own]);
    refused(client.query("SELECT hftok.unseal()", &[]), "53HF1");
    assert!(logged(&cluster, "hftok: keyring loaded: ") >= 3, "every load is told");
}

#[test]
fn a_name_that_changes_is_noticed_and_makes_a_copy_when_insisted_on() {
    let key = RootKey::random(1);
    let (cluster, mut client) = with_a_secret(&key);
    let named =
        |name: &str| format!("installation: {name}\n{}", RootKey::keyring(std::slice::from_ref(&key)));
    cluster.write_file("keyring", named("prod"), 0o600);
    let error = refused(client.query("SELECT hftok.unseal()", &[]), "53HF1");
    assert!(error.detail().is_some_and(|detail| detail.contains("names an installation")), "{error:?}");
    assert_eq!(get(&mut client, "kept").expect("opens"), "value");
    client.batch_execute("SELECT hftok.unseal(true)").expect("insisted");
    assert_eq!(refused(get(&mut client, "kept"), "53HF1").message(), "this is a copy");
    adopt(&mut client);
    assert_eq!(get(&mut client, "kept").expect("opens"), "value");
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    assert_eq!(get(&mut client, "kept").expect("opens"), "value");
    cluster.write_file("keyring", named("other"), 0o600);
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    let error = refused(get(&mut client, "kept"), "53HF1");
    assert!(error.detail().is_some_and(|detail| detail.contains("installation \"prod\"")), "{error:?}");
}

#[test]
fn a_destroyed_key_opens_nothing_in_sessions_that_used_it() {
    let (cluster, mut client) = with_a_secret(&RootKey::random(1));
    let standby = Setup::standby_of(&cluster);
    let mut readers = [cluster.client("postgres", "app"), standby.client("postgres", "app")];
    for reader in &mut readers {
        assert_eq!(get(reader, "kept").expect("opens"), "value");
    }
    let mut editor = client.transaction().expect("begin");
    editor
        .batch_execute(
            "UPDATE hftok_private.data_keys SET state = 'destroyed', wrapped = NULL WHERE purpose = 'values'",
        )
        .expect("destroyed");
    let mut part = editor.savepoint("part").expect("savepoint");
    refused(get(&mut part, "kept"), "53HF1");
    part.rollback().expect("rolled back");
    assert_eq!(get(&mut readers[0], "kept").expect("not yet"), "value");
    editor.commit().expect("commit");
    let error = refused(get(&mut readers[0], "kept"), "53HF1");
    assert!(error.message().contains("missing"), "{error:?}");
    let shown: Option<String> =
        one(&mut readers[0], "SELECT decrypted_secret FROM hftok.decrypted_secrets", &[]);
    assert_eq!(shown, None, "a value that is lost");
    wait_until("the standby knows", 20, || get(&mut readers[1], "kept").is_err());
}

#[test]
fn nothing_is_kept_of_a_database_that_was_dropped() {
    let (cluster, client) = with_a_secret(&RootKey::random(1));
    let mut other = cluster.database("other");
    let kept = |client: &mut Client| {
        one::<i32>(client, "SELECT (hftok_private.keyring_state()::json ->> 'data_keys_kept')::int", &[])
    };
    wait_until("the writer has its keys", 20, || kept(&mut other) == 4);
    drop(client);
    without_writer(&cluster);
    other.batch_execute("DROP DATABASE app").expect("drop");
    wait_until("its keys are forgotten", 30, || kept(&mut other) == 0);
}
