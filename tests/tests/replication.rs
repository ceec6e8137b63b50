//! Logical replication into another database with hftok and the same keyring, as for an upgrade to another major version.

use hftok_tests::answer::{adopt, column, create, get, one, put, refused};
use hftok_tests::copies::{rows, transplant};
use hftok_tests::question::ask;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

/// Tables that are replicated. The audit is not: it has one writer and one chain in each database.
const TABLES: &str = "hftok_private.data_keys, hftok_private.database_identity, hftok_private.secrets, hftok_private.secret_versions,
    hftok_private.user_api_keys, hftok_private.members, hftok_private.administrators, hftok_private.integrations,
    hftok_private.integration_shares, hftok_private.providers";

fn resolved(client: &mut Client, user: &str) -> Option<String> {
    one(client, "SELECT hftok.resolve_hf_token($1)", &[&user])
}

fn save(client: &mut Client, user: &str, token: &str) {
    let sql = "SELECT (hftok.save_hf_token($1, p_user_id => $2)).version";
    one::<i32>(client, sql, &[&token, &user]);
}

/// Sends the tables from one database of a server to another one.
fn replicate(here: &mut Client, there: &mut Client) {
    here.batch_execute(&format!("CREATE PUBLICATION hftok FOR TABLE {TABLES}")).expect("publication");
    here.batch_execute("SELECT pg_create_logical_replication_slot('hftok', 'pgoutput')").expect("slot");
    let version: i32 = one(here, "SELECT current_setting('server_version_num')::int", &[]);
    let as_owner = if version >= 160_000 { ", run_as_owner = true" } else { "" };
    let socket: String = one(here, "SELECT current_setting('unix_socket_directories')", &[]);
    let port: String = one(here, "SELECT current_setting('port')", &[]);
    there
        .batch_execute(&format!(
            "CREATE SUBSCRIPTION hftok CONNECTION 'host={socket} port={port} dbname=here user=postgres'
             PUBLICATION hftok WITH (create_slot = false, slot_name = 'hftok' {as_owner})"
        ))
        .expect("subscription");
    wait_until("the copy is there", 60, || {
        column::<i64>(there, "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'") == [0]
    });
}

#[test]
fn a_logical_replica_opens_what_it_was_sent() {
    let cluster =
        Setup::default().setting("wal_level = logical").setting("max_worker_processes = 16").start();
    let mut here = cluster.database("here");
    let mut there = cluster.database("there");
    create(&mut here, "name", "before");
    save(&mut here, "alice", "hf_aliceAliceAliceAliceAliceAlice0001");
    here.batch_execute("SELECT hftok.add_member('acme', 'alice', 'owner')").expect("add_member");
    // The session there now remembers that no level has a row.
    assert_eq!(resolved(&mut there, "alice"), None);

    replicate(&mut here, &mut there);
    assert_eq!(refused(get(&mut there, "name"), "53HF1").message(), "this is a copy");
    adopt(&mut there);
    assert_eq!(get(&mut there, "name").expect("opens there"), "before");
    assert_eq!(resolved(&mut there, "alice").as_deref(), Some("hf_aliceAliceAliceAliceAliceAlice0001"));
    assert_eq!(one::<String>(&mut there, "SELECT user_id FROM hftok.members", &[]), "alice");
    a_session_is_told_of_providers(&mut here, &mut there);

    put(&mut here, "name", "after");
    save(&mut here, "bob", "hf_bobBobBobBobBobBobBobBobBobBob0001");
    save(&mut here, "alice", "hf_aliceAliceAliceAliceAliceAlice0002");
    wait_until("changes are there", 30, || {
        resolved(&mut there, "alice").as_deref() == Some("hf_aliceAliceAliceAliceAliceAlice0002")
    });
    assert_eq!(get(&mut there, "name").expect("opens there"), "after");
    assert_eq!(resolved(&mut there, "bob").as_deref(), Some("hf_bobBobBobBobBobBobBobBobBobBob0001"));
    let masks: Vec<String> = column(&mut there, "SELECT api_key FROM hftok.user_api_keys ORDER BY user_id");
    assert!(masks.len() == 2 && masks.iter().all(|mask| mask.contains('•')), "{masks:?}");
    // All opens; but the audit there tells of nothing that was done here.
    let reasons: Vec<Option<String>> =
        column(&mut there, "SELECT DISTINCT reason FROM hftok.verify() WHERE kind = 'secret'");
    assert_eq!(reasons, [Some("the audit tells of no such secret".into())]);

    there.batch_execute("DROP SUBSCRIPTION hftok").expect("DROP SUBSCRIPTION");
    save(&mut there, "alice", "hf_aliceAliceAliceAliceAliceAlice0003");
    assert_eq!(resolved(&mut there, "alice").as_deref(), Some("hf_aliceAliceAliceAliceAliceAlice0003"));
}

/// A session that was open before learns where tokens may no longer go: without that it would release them to the former host.
fn a_session_is_told_of_providers(here: &mut Client, there: &mut Client) {
    let hosts = |hosts: &str| {
        format!(
            r#"SELECT hftok.register_provider('{{"name": "acme", "label": "Acme", "hosts": [{hosts}],
                "fields": [{{"name": "key", "secret": true}}]}}')"#
        )
    };
    here.batch_execute(&hosts(r#""old.acme.example", "acme.example""#)).expect("registered");
    here.batch_execute("SELECT hftok.save_credential('acme', 'key-of-acme', p_global => true)")
        .expect("saved");
    let old = "SELECT (hftok.resolve_token('acme', 'alice', p_host => 'old.acme.example')).token";
    wait_until("the session there knows the provider", 30, || ask(there, old) == "key-of-acme");
    here.batch_execute(&hosts(r#""acme.example""#)).expect("narrowed");
    wait_until("the session there is told", 30, || ask(there, old) == "PT422 host_refused");
    // An edit of the subscriber's own, told to others there by the trigger for TRUNCATE.
    there.batch_execute("TRUNCATE hftok_private.providers").expect("emptied");
    assert_eq!(ask(there, old), "22023");
}

/// A key that is wrapped anew comes as the publisher wrapped it: for its own database.
#[test]
fn a_rotation_here_makes_the_replica_a_copy_until_it_is_adopted_again() {
    let keys = [RootKey::random(1), RootKey::random(2)];
    let setup = Setup::default().keys(&keys[..1]).setting("wal_level = logical");
    let cluster = setup.setting("max_worker_processes = 16").start();
    let (mut here, mut there) = (cluster.database("here"), cluster.database("there"));
    create(&mut here, "name", "value");
    replicate(&mut here, &mut there);
    adopt(&mut there);
    assert_eq!(get(&mut there, "name").expect("opens there"), "value");

    cluster.write_keyring(&keys);
    here.batch_execute("SELECT hftok.unseal()").expect("unsealed");
    here.batch_execute("SELECT hftok.rotate_root_key()").expect("rotated");
    let wrapped = "SELECT 2 IN (SELECT root_key_id FROM hftok_private.data_keys)";
    wait_until("the wraps are there", 30, || one::<bool>(&mut there, wrapped, &[]));
    put(&mut here, "name", "a later value");
    let sealed = "SELECT md5(sealed) FROM hftok_private.secrets";
    let wanted: String = one(&mut here, sealed, &[]);
    wait_until("the value is there", 30, || one::<String>(&mut there, sealed, &[]) == wanted);
    let error = refused(get(&mut there, "name"), "53HF1");
    assert!(error.hint().is_some_and(|hint| hint.contains("adopt_database()")), "{error:?}");
    adopt(&mut there);
    assert_eq!(get(&mut there, "name").expect("opens there"), "a later value");
    assert_eq!(get(&mut here, "name").expect("opens here"), "a later value");
    // The data keys of a replica are not its own to be destroyed.
    let error = refused(there.query("SELECT hftok.rotate_data_key()", &[]), "22023");
    assert!(error.message().contains("logical replication"), "{error:?}");
    here.batch_execute("SELECT hftok.rotate_data_key()").expect("rotated");
    let destroyed = "SELECT count(*) FROM hftok_private.data_keys WHERE state = 'destroyed'";
    wait_until("the former keys are destroyed there too", 60, || one::<i64>(&mut there, destroyed, &[]) == 2);
    refused(get(&mut there, "name"), "53HF1");
    adopt(&mut there);
    assert_eq!(get(&mut there, "name").expect("opens there"), "a later value");
    put(&mut here, "name", "the last value");
    wait_until("the value is there", 30, || {
        get(&mut there, "name").is_ok_and(|value| value == "the last value")
    });
    there.batch_execute("DROP SUBSCRIPTION hftok").expect("dropped");
    there.batch_execute("SELECT hftok.rotate_data_key()").expect("a database of its own");
    assert_eq!(get(&mut there, "name").expect("opens there"), "the last value");
}

/// An organisation's key of its own goes to the subscriber with its values, and is destroyed there with them.
#[test]
fn what_an_organisation_has_forgotten_opens_at_no_subscriber() {
    let cluster =
        Setup::default().setting("wal_level = logical").setting("max_worker_processes = 16").start();
    let (mut here, mut there) = (cluster.database("here"), cluster.database("there"));
    here.batch_execute("SELECT hftok.add_member('acme', 'alice', 'owner'), hftok.give_org_key('acme')")
        .expect("an organisation");
    let saved = "SELECT hftok.save_hf_token('hf_acmeAcmeAcmeAcmeAcmeAcmeAcmeAcme01', p_org_id => 'acme')";
    here.batch_execute(saved).expect("saved");
    replicate(&mut here, &mut there);
    adopt(&mut there);
    let resolve = "SELECT hftok.resolve_hf_token('alice', 'acme')";
    let token: Option<String> = one(&mut there, resolve, &[]);
    assert_eq!(token.as_deref(), Some("hf_acmeAcmeAcmeAcmeAcmeAcmeAcmeAcme01"));
    let row = rows(&mut there, "secrets", "scope = 'org'");
    let key: i32 = one(&mut here, "SELECT id FROM hftok_private.data_keys WHERE org_id = 'acme'", &[]);

    here.batch_execute("SELECT hftok.seal_org('acme')").expect("sealed");
    wait_until("it is sealed there", 20, || {
        column::<bool>(
            &mut there,
            "SELECT shut_at IS NOT NULL FROM hftok_private.data_keys WHERE org_id <> ''",
        )
        .contains(&true)
    });
    refused(there.query(resolve, &[]), "PT422");
    here.batch_execute("SELECT hftok.unseal_org('acme'); SELECT hftok.forget_org('acme')")
        .expect("forgotten");
    let destroyed =
        "SELECT state = 'destroyed' AND wrapped IS NULL FROM hftok_private.data_keys WHERE id = $1";
    wait_until("the key is destroyed there", 20, || one::<bool>(&mut there, destroyed, &[&key]));
    assert_eq!(one::<Option<String>>(&mut there, resolve, &[]), None);
    // From a backup of the table, say.
    there.batch_execute("SET session_replication_role = replica").expect("set");
    transplant(&mut there, "secrets", &row);
    transplant(&mut there, "members", &["(acme,alice,member,now)".into()]);
    let error = refused(there.query(resolve, &[]), "PT422");
    assert!(error.detail().is_some_and(|detail| detail.contains("decrypt_failed")), "{error:?}");
}
