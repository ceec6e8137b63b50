//! The place where a row was found last saves the way through the index, and is never believed: whatever happens to rows and
//! their places, the answer is what is stored now.

use std::collections::BTreeMap;

use hftok_tests::answer::one;
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

fn token(user: &str, version: usize) -> String {
    let mark: String = user.bytes().map(|byte| char::from(b'a' + byte % 26)).collect();
    format!("hf_{mark:x<24}{version:0>10}")
}

fn save(client: &mut Client, user: &str, version: usize) {
    let sql = "SELECT hftok.save_hf_token($1, p_user_id => $2)";
    client.execute(sql, &[&token(user, version), &user]).expect("saved");
}

fn resolve(client: &mut Client, user: &str) -> Option<String> {
    one(client, "SELECT hftok.resolve_hf_token($1, p_levels => '{user}')", &[&user])
}

/// Every user twice, because it is the second time that there is a shortcut.
#[track_caller]
fn assert_all(clients: &mut [Client], expected: &BTreeMap<String, Option<usize>>) {
    for _ in 0..2 {
        for client in &mut *clients {
            for (user, version) in expected {
                assert_eq!(resolve(client, user), version.map(|version| token(user, version)), "{user}");
            }
        }
    }
}

fn scans(client: &mut Client) -> i64 {
    let sql = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'secrets_binding_key_key'";
    one(client, sql, &[])
}

#[test]
fn the_second_look_does_without_the_index_and_a_changed_row_is_found_from_there() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    save(&mut client, "alice", 1);
    assert_eq!(resolve(&mut client, "alice"), Some(token("alice", 1)));
    // A session reports its scans when it is idle.
    wait_until("the first look is told", 5, || scans(&mut client) > 0);
    let mut other = cluster.client("postgres", "app");
    let before = scans(&mut other);
    for _ in 0..100 {
        assert_eq!(resolve(&mut client, "alice"), Some(token("alice", 1)));
    }
    // In the same page, without a new entry in an index.
    client
        .execute("UPDATE hftok_private.secrets SET updated_at = now() WHERE scope_id = 'alice'", &[])
        .expect("updated");
    for _ in 0..100 {
        assert_eq!(resolve(&mut client, "alice"), Some(token("alice", 1)));
    }
    drop(client);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    // One look of 256 goes by way of the index all the same.
    let scans = scans(&mut other) - before;
    assert!(scans <= 1, "{scans} looks into the index");
}

#[test]
fn whatever_becomes_of_rows_and_their_places() {
    // Much memory, so little that many users have to share it, and none at all.
    for memory in ["32MB", "64kB", "0"] {
        let cluster = Setup::default().setting(&format!("hftok.shortcut_memory = '{memory}'")).start();
        let mut admin = cluster.database("app");
        let mut clients = [cluster.client("postgres", "app"), cluster.client("postgres", "app")];
        let users: Vec<String> = (0..300).map(|number| format!("user {number}")).collect();
        let mut expected = BTreeMap::new();
        for user in &users {
            save(&mut admin, user, 1);
            expected.insert(user.clone(), Some(1));
        }
        assert_all(&mut clients, &expected);
        // Every other row gets another version, most in another place; some go.
        for (number, user) in users.iter().enumerate() {
            if number % 2 == 0 {
                save(&mut admin, user, 2);
                expected.insert(user.clone(), Some(2));
            } else if number % 5 == 0 {
                admin
                    .execute("SELECT hftok.delete_credential('huggingface', p_user_id => $1)", &[user])
                    .expect("deleted");
                expected.insert(user.clone(), None);
            }
        }
        assert_all(&mut clients, &expected);
        // Rows that were deleted leave their places to others.
        admin.batch_execute("VACUUM hftok_private.secrets").expect("VACUUM");
        for number in 0..100 {
            let user = format!("later {number}");
            save(&mut admin, &user, 1);
            expected.insert(user, Some(1));
        }
        assert_all(&mut clients, &expected);
        for sql in [
            "VACUUM FULL hftok_private.secrets",
            "CLUSTER hftok_private.secrets USING secrets_pkey",
            "REINDEX TABLE hftok_private.secrets",
        ] {
            admin.batch_execute(sql).expect(sql);
            assert_all(&mut clients, &expected);
        }
        // Rolled back, within a transaction, and for others meanwhile.
        let mut transaction = admin.transaction().expect("BEGIN");
        let change = "SELECT hftok.save_hf_token($1, p_user_id => $2)";
        transaction.execute(change, &[&token("user 1", 3), &"user 1"]).expect("saved");
        let own: Option<String> =
            transaction.query_one("SELECT hftok.resolve_hf_token('user 1')", &[]).expect("resolved").get(0);
        assert_eq!(own, Some(token("user 1", 3)));
        assert_all(&mut clients, &expected);
        transaction.rollback().expect("ROLLBACK");
        assert_all(&mut clients, &expected);
        admin.batch_execute("DELETE FROM hftok_private.secrets").expect("DELETE");
        admin.batch_execute("VACUUM hftok_private.secrets").expect("VACUUM");
        expected.values_mut().for_each(|version| *version = None);
        assert_all(&mut clients, &expected);
    }
}

#[test]
fn two_databases_have_the_same_users() {
    let cluster = Cluster::start_default();
    let mut databases = [cluster.database("one"), cluster.database("two")];
    for (at, client) in databases.iter_mut().enumerate() {
        for number in 0..50 {
            save(client, &format!("user {number}"), at + 1);
        }
    }
    for _ in 0..3 {
        for (at, client) in databases.iter_mut().enumerate() {
            for number in 0..50 {
                let user = format!("user {number}");
                assert_eq!(resolve(client, &user), Some(token(&user, at + 1)));
            }
        }
    }
}
