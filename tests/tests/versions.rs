//! Versions: history and its cap, compare-and-set, many writers at once, and what a reader sees who came earlier.

use std::sync::OnceLock;

use hftok_tests::answer::{column, create, get, one, put, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::race::race;
use hftok_tests::setup::Setup;
use postgres::Client;
use uuid::Uuid;

/// Keeps three previous versions.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Setup::default().setting("hftok.version_history = 3").start())
}

fn version(client: &mut Client, name: &str, version: i32) -> Result<String, postgres::Error> {
    client.query_one("SELECT hftok.get_secret($1, $2)", &[&name, &version]).map(|row| row.get(0))
}

fn history(client: &mut Client, id: Uuid) -> Vec<i32> {
    column(client, &format!("SELECT version FROM hftok.secret_history('{id}')"))
}

fn put_expecting(
    client: &mut Client,
    name: &str,
    value: &str,
    expected: i32,
) -> Result<Uuid, postgres::Error> {
    client
        .query_one(
            "SELECT hftok.put_secret(p_name => $1, p_secret => $2, p_expected_version => $3)",
            &[&name, &value, &expected],
        )
        .map(|row| row.get(0))
}

#[test]
fn as_many_previous_versions_are_kept_as_are_configured() {
    let mut client = cluster().database("cap");
    let id = create(&mut client, "name", "value 1");
    for number in 2..=6 {
        assert_eq!(put(&mut client, "name", &format!("value {number}")), id);
    }
    assert_eq!(history(&mut client, id), [6, 5, 4, 3]);
    assert_eq!(get(&mut client, "name").expect("the current one"), "value 6");
    for number in 3..=6 {
        assert_eq!(version(&mut client, "name", number).expect("a kept one"), format!("value {number}"));
    }
    for number in [2, 7, 0, -1] {
        let error = refused(version(&mut client, "name", number), "PT404");
        assert_eq!(error.message(), "Not Found", "the HTTP status line");
    }
    assert_eq!(one::<i32>(&mut client, "SELECT hftok.restore_secret($1, 3)", &[&id]), 7);
    assert_eq!(get(&mut client, "name").expect("restored"), "value 3");
    assert_eq!(history(&mut client, id), [7, 6, 5, 4]);
    refused(client.query("SELECT hftok.restore_secret($1, 3)", &[&id]), "PT404");
    let current: Vec<i32> =
        column(&mut client, &format!("SELECT version FROM hftok.secret_history('{id}') WHERE is_current"));
    assert_eq!(current, [7]);
    assert!(one::<bool>(&mut client, "SELECT hftok.delete_secret($1)", &[&id]));
    assert!(!one::<bool>(&mut client, "SELECT hftok.delete_secret($1)", &[&id]));
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM hftok_private.secret_versions", &[]), 0);
    refused(client.query("SELECT * FROM hftok.secret_history($1)", &[&id]), "PT404");
}

#[test]
fn compare_and_set_where_zero_means_must_not_exist() {
    let mut client = cluster().database("cas");
    let error = refused(put_expecting(&mut client, "new", "x", 1), "PT409");
    assert_eq!(error.message(), "Conflict", "the HTTP status line");
    refused(get(&mut client, "new"), "PT404");
    let id = put_expecting(&mut client, "new", "first", 0).expect("it did not exist");
    refused(put_expecting(&mut client, "new", "x", 0), "PT409");
    assert_eq!(put_expecting(&mut client, "new", "second", 1).expect("the current version"), id);
    for wrong in [1, 3] {
        refused(put_expecting(&mut client, "new", "x", wrong), "PT409");
    }
    assert_eq!(get(&mut client, "new").expect("opens"), "second");
    assert_eq!(history(&mut client, id), [2, 1]);
    // Any version, if there is one.
    refused(put_expecting(&mut client, "another", "x", -1), "PT409");
    assert_eq!(put_expecting(&mut client, "new", "third", -1).expect("it exists"), id);
    assert_eq!(history(&mut client, id), [3, 2, 1]);
}

#[test]
fn twenty_sessions_that_put_one_new_name_make_one_row_of_twenty_versions() {
    let mut client = cluster().database("herd");
    let outcomes = race(cluster(), "herd", 20, |number, client| {
        let row = client.query_one("SELECT hftok.put_secret('shared', $1)", &[&format!("value {number}")])?;
        Ok::<Uuid, postgres::Error>(row.get(0))
    });
    let ids: Vec<Uuid> =
        outcomes.into_iter().map(|outcome| outcome.expect("no error, no deadlock")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "one id for all: {ids:?}");
    assert_eq!(column::<i32>(&mut client, "SELECT version FROM hftok.secrets"), [20]);
    assert_eq!(history(&mut client, ids[0]), [20, 19, 18, 17]);
    assert!(get(&mut client, "shared").expect("opens").starts_with("value "));
    assert_eq!(column::<Option<i64>>(&mut client, "SELECT failed FROM hftok.verify()"), [Some(0)]);
}

#[test]
fn with_an_expected_version_no_update_is_lost() {
    let mut client = cluster().database("counter");
    create(&mut client, "counter", "0");
    race(cluster(), "counter", 4, |_, client| {
        let mut done = 0;
        while done < 10 {
            let seen: i32 = one(client, "SELECT version FROM hftok.secrets WHERE name = 'counter'", &[]);
            // Somebody's next value may be there already, and its version then is no longer the one seen.
            let Ok(value) = version(client, "counter", seen) else { continue };
            let next = value.parse::<u32>().expect("a number") + 1;
            match put_expecting(client, "counter", &next.to_string(), seen) {
                Ok(_) => done += 1,
                Err(error) => drop(refused::<()>(Err(error), "PT409")),
            }
        }
    });
    assert_eq!(get(&mut client, "counter").expect("opens"), "40");
    assert_eq!(column::<i32>(&mut client, "SELECT version FROM hftok.secrets"), [41]);
}

/// A revoked secret must not live on in a transaction that began earlier.
#[test]
fn an_old_snapshot_is_not_served_an_old_value() {
    let mut writer = cluster().database("snapshots");
    for with_transaction_id in [false, true] {
        let id = create(&mut writer, "revoked", "old");
        let mut reader = cluster().client("postgres", "snapshots");
        let mut reader = reader.transaction().expect("begin");
        reader.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").expect("set");
        if with_transaction_id {
            reader.batch_execute("SELECT pg_current_xact_id()").expect("a transaction id");
        }
        assert_eq!(get(&mut reader, "revoked").expect("opens"), "old");
        put(&mut writer, "revoked", "new");
        assert_eq!(get(&mut reader, "revoked").expect("opens"), "new");
        assert_eq!(
            one::<String>(&mut reader, "SELECT hftok.get_secret('revoked', 1)", &[]),
            "old",
            "a version that became previous meanwhile"
        );
        assert!(one::<bool>(&mut writer, "SELECT hftok.delete_secret($1)", &[&id]));
        refused(get(&mut reader, "revoked"), "PT404");
    }
}

#[test]
fn reading_writes_nothing() {
    let mut client = cluster().database("reading");
    create(&mut client, "name", "value");
    let reads = [
        "SELECT hftok.get_secret('name')",
        "SELECT decrypted_secret FROM hftok.decrypted_secrets",
        "SELECT * FROM hftok.status()",
        "SELECT * FROM hftok.verify()",
        "SELECT * FROM hftok.find_secret('value')",
    ];
    // A fresh session, so that nothing was prepared or unwrapped by an earlier call.
    let mut client = cluster().client("postgres", "reading");
    for read in reads {
        let mut transaction = client.transaction().expect("begin");
        assert_eq!(transaction.query(read, &[]).unwrap_or_else(|error| panic!("{read}: {error:?}")).len(), 1);
        let assigned: Option<String> =
            one(&mut transaction, "SELECT pg_current_xact_id_if_assigned()::text", &[]);
        assert_eq!(assigned, None, "{read} assigned a transaction id");
        transaction.rollback().expect("rollback");
        let mut transaction = client.build_transaction().read_only(true).start().expect("begin");
        assert_eq!(transaction.query(read, &[]).unwrap_or_else(|error| panic!("{read}: {error:?}")).len(), 1);
    }
    let mut transaction = client.build_transaction().read_only(true).start().expect("begin");
    refused(transaction.query("SELECT hftok.create_secret('x')", &[]), "25006");
}
