//! Listeners are told of every committed change, and of nothing else; and the audit is part of a backup.

use std::time::Duration;

use hftok_tests::answer::{adopt, column, create, one, put, refused};
use hftok_tests::audit::{count, global_token, resolve, revealed_to, settled, verified};
use hftok_tests::cluster::Cluster;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::{Setup, run};
use hftok_tests::wait_until;
use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;
use uuid::Uuid;

fn listener(cluster: &Cluster) -> Client {
    let mut client = cluster.client("postgres", "app");
    client.batch_execute("LISTEN hftok").expect("LISTEN");
    client
}

/// Notifications until none came for a second; for each of the `least` that must come, the listener has more patience.
fn heard(listener: &mut Client, least: usize) -> Vec<String> {
    let mut notifications = listener.notifications();
    let mut heard = Vec::new();
    loop {
        let patience = Duration::from_secs(if heard.len() < least { 20 } else { 1 });
        let next = notifications.timeout_iter(patience).next().expect("a session");
        let Some(notification) = next else { return heard };
        assert_eq!(notification.channel(), "hftok");
        // JSON is the same with spaces; what is in it has none.
        heard.push(notification.payload().replace(' ', ""));
    }
}

/// The payload as it must be, without anything besides.
fn news(event: &str, secret_id: Uuid, version: i32) -> String {
    format!(r#"{{"event":"{event}","secret_id":"{secret_id}","version":{version}}}"#)
}

#[test]
fn committed_changes_are_heard_and_nothing_else() {
    let cluster = Setup::default().setting("max_prepared_transactions = 5").start();
    let mut client = cluster.database("app");
    // A listener that came after the token might hear of it or not.
    let mut listener = listener(&cluster);
    let token = global_token(&mut client);
    let id = create(&mut client, "name", "value one");
    put(&mut client, "name", "value two");
    client
        .batch_execute("SELECT hftok.update_secret(id, new_name => 'other') FROM hftok.secrets")
        .expect("rename");
    assert!(one::<bool>(&mut client, "SELECT hftok.delete_secret($1)", &[&id]));
    let saved: Uuid = one(
        &mut client,
        "SELECT (hftok.save_credential('openai', 'sk-proj-abcdefghijklmnopqrstuvwxyz', p_user_id => 'alice')).secret_id",
        &[],
    );
    let mut expected = vec![
        news("create_secret", id, 1),
        news("put_secret", id, 2),
        news("delete_secret", id, 2),
        news("save_credential", saved, 1),
        news("save_credential", token, 1),
    ];
    settled(&mut client);
    // The renaming is heard of as well.
    let mut got = heard(&mut listener, expected.len() + 1);
    // Renaming seals the value anew, and whether that is another version is not for here.
    got.retain(|payload| !payload.contains("\"event\":\"update_secret\""));
    if !got.contains(&expected[2]) {
        expected[2] = news("delete_secret", id, 3);
    }
    got.sort();
    expected.sort();
    assert_eq!(got, expected);

    // No notification tells of changes that are rolled back, or may still be, in whole or in part; nor of reads, refusals, or
    // members.
    client
        .batch_execute(
            "BEGIN; SELECT hftok.create_secret('v', 'rolled back'); ROLLBACK;
             BEGIN; SAVEPOINT a; SELECT hftok.create_secret('v', 'partly'); ROLLBACK TO a; COMMIT;
             BEGIN; SELECT hftok.create_secret('v', 'prepared'); PREPARE TRANSACTION 'prepared';
             SELECT hftok.add_member('acme', 'alice', 'owner')",
        )
        .expect("no changes");
    resolve(&mut client, "alice").expect("resolves");
    refused(client.query("SELECT hftok.get_secret('no such name')", &[]), "PT404");
    settled(&mut client);
    assert_eq!(heard(&mut listener, 0), Vec::<String>::new());
    client.batch_execute("COMMIT PREPARED 'prepared'").expect("COMMIT PREPARED");
    resolve(&mut client, "alice").expect("resolves");
    let id: Uuid = one(&mut client, "SELECT id FROM hftok.secrets WHERE name = 'prepared'", &[]);
    assert_eq!(heard(&mut listener, 1), [news("create_secret", id, 1)]);
}

#[test]
fn each_of_many_changes_is_heard_once() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let mut listener = listener(&cluster);
    let token = global_token(&mut client);
    let create = "SELECT count(hftok.create_secret('value', 'name ' || n)) FROM generate_series(1, 3000) n";
    assert_eq!(one::<i64>(&mut client, create, &[]), 3000);
    settled(&mut client);
    let mut got = heard(&mut listener, 3001);
    let ids: Vec<Uuid> = column(&mut client, "SELECT id FROM hftok.secrets");
    let mut expected: Vec<String> = ids.into_iter().map(|id| news("create_secret", id, 1)).collect();
    expected.push(news("save_credential", token, 1));
    expected.sort();
    got.sort();
    assert_eq!(got.len(), expected.len());
    assert_eq!(got, expected);
}

/// Listeners hear of each end once, also over restarts.
#[test]
fn a_credential_about_to_expire_is_heard_of_once() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    global_token(&mut client);
    let save = |user: &str, days: i32| {
        format!(
            "SELECT (hftok.save_credential('openai', 'sk-proj-abcdefghijklmnopqrstuvwxyz', p_user_id => '{user}',
                p_expires_at => now() + interval '{days} days')).secret_id"
        )
    };
    let soon: Uuid = one(&mut client, &save("soon", 10), &[]);
    let _later: Uuid = one(&mut client, &save("later", 100), &[]);
    let _over: Uuid = one(&mut client, &save("over", -1), &[]);
    settled(&mut client);
    let mut told = Vec::new();
    for least in [1, 0] {
        // The writer looks for such credentials once an hour, and first after a start.
        cluster.restart();
        let mut listener = listener(&cluster);
        let mut client = cluster.client("postgres", "app");
        resolve(&mut client, "alice").expect("resolves");
        settled(&mut client);
        told.push(heard(&mut listener, least));
    }
    assert_eq!(told, [vec![news("expiring", soon, 1)], Vec::new()]);
    // A new end is heard of again.
    let mut client = cluster.client("postgres", "app");
    let prolong = "UPDATE hftok.credentials SET expires_at = now() + interval '20 days' WHERE secret_id = $1";
    assert_eq!(client.execute(prolong, &[&soon]).expect("UPDATE"), 1);
    settled(&mut client);
    cluster.restart();
    let mut listener = listener(&cluster);
    resolve(&mut cluster.client("postgres", "app"), "alice").expect("resolves");
    assert_eq!(heard(&mut listener, 1), [news("expiring", soon, 1)]);
}

#[test]
fn a_restored_audit_verifies_and_goes_on() {
    let key = RootKey::random(1);
    let source = Setup::default().keys(std::slice::from_ref(&key)).start();
    let target = Setup::default().keys(std::slice::from_ref(&key)).start();
    let mut client = source.database("app");
    global_token(&mut client);
    for number in 0..50 {
        put(&mut client, "name", &format!("value {number}"));
        resolve(&mut client, &format!("user {number}")).expect("resolves");
    }
    settled(&mut client);
    let uses = "SELECT coalesce(sum(use_count), 0)::bigint FROM hftok_private.counted_uses";
    wait_until("all uses are counted", 10, || one::<i64>(&mut client, uses, &[]) == 50);
    let events = verified(&mut client);
    let head: String = one(&mut client, "SELECT hftok.audit_head()", &[]);
    let archive = source.folder().join("app.dump");
    run(source.client_program("pg_dump", "postgres", "app").arg("-Fc").arg("-f").arg(&archive));
    // Two databases of one number, of servers with one keyring text, are one to hftok.
    drop(target.empty_database("another"));
    drop(target.empty_database("app"));
    run(target
        .client_program("pg_restore", "postgres", "app")
        .args(["--exit-on-error", "-d", "app"])
        .arg(&archive));
    let mut restored = target.client("postgres", "app");
    adopt(&mut restored);
    assert!(verified(&mut restored) >= events);
    let pinned = "SELECT ok FROM hftok.verify_audit(p_head => $1)";
    assert!(one::<bool>(&mut restored, pinned, &[&head]), "what was pinned at the source fits");
    assert_eq!(column::<Option<i64>>(&mut restored, "SELECT failed FROM hftok.verify()"), [Some(0)]);
    resolve(&mut restored, "after").expect("resolves");
    put(&mut restored, "name", "next");
    settled(&mut restored);
    assert!(verified(&mut restored) > events, "the same chain goes on");
    assert_eq!(revealed_to(&mut restored).last().map(String::as_str), Some("after"));
    assert!(one::<bool>(&mut restored, pinned, &[&head]));
    assert_eq!(count(&mut restored, "action = 'put_secret' AND outcome = 'committed'"), 51);
    wait_until("all uses are counted", 10, || one::<i64>(&mut restored, uses, &[]) == 51);
}
