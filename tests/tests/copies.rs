//! Copies of a database, by template and by base backup: nothing opens in one until a superuser made it a database of its own,
//! and nothing that one has made fits in its original.

use hftok_tests::answer::{adopt, column, create, get, one, put, refused, sealed_reason};
use hftok_tests::audit::{count, settled, verified, without_writer};
use hftok_tests::copies::{DBA, assert_is_copy, copied, named, rows, start, transplant};
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use postgres::Client;

#[test]
fn a_copy_by_template_opens_nothing_until_a_superuser_adopts_it() {
    let cluster = start("prod", &[RootKey::random(1)]);
    let mut operator = cluster.client("postgres", "postgres");
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    verified(&mut client);
    operator
        .batch_execute(
            "CREATE ROLE dbo LOGIN CREATEDB IN ROLE hftok_service; ALTER DATABASE app OWNER TO dbo",
        )
        .expect("a role as platforms give it to their customers");
    drop(client);

    without_writer(&cluster);
    cluster
        .client("dbo", "postgres")
        .batch_execute("CREATE DATABASE copy TEMPLATE app")
        .expect("as owner and with CREATEDB");
    let mut dbo = cluster.client("dbo", "copy");
    let error = refused(get(&mut dbo, "kept"), "53HF1");
    assert_eq!(error.message(), "this is a copy");
    refused(dbo.query("SELECT hftok.adopt_database()", &[]), "42501");
    let mut copy = cluster.client("postgres", "copy");
    copy.batch_execute("GRANT EXECUTE ON FUNCTION hftok.adopt_database TO hftok_service").expect("grant");
    let error = refused(dbo.query("SELECT hftok.adopt_database()", &[]), "42501");
    assert!(error.message().contains("superusers"), "{error:?}");
    assert_is_copy(&mut copy, "database \"app\"");

    // A role that can write the tables of a copy cannot adopt it either: the keys are wrapped for its original.
    let oid = "(SELECT oid::bigint FROM pg_database WHERE datname = current_database())";
    let edit = format!("UPDATE hftok_private.database_identity SET database_oid = {oid}");
    cluster.client("dba", "copy").batch_execute(&edit).expect("edited");
    let error = refused(get(&mut copy, "kept"), "53HF1");
    assert!(error.message().contains("does not unwrap"), "{error:?}");
    let undo = edit.replace(oid, "(SELECT oid::bigint FROM pg_database WHERE datname = 'app')");
    cluster.client("dba", "copy").batch_execute(&undo).expect("undone");

    // An adoption counts only once it is committed.
    copy.batch_execute("BEGIN; SELECT hftok.adopt_database()").expect("adopt_database()");
    refused(get(&mut copy, "kept"), "53HF1");
    assert_eq!(refused(get(&mut dbo, "kept"), "53HF1").message(), "this is a copy");
    copy.batch_execute("ROLLBACK").expect("rolled back");
    assert_is_copy(&mut copy, "database \"app\"");

    adopt(&mut copy);
    assert_eq!(get(&mut copy, "kept").expect("opens"), "value");
    assert_eq!(get(&mut dbo, "kept").expect("opens"), "value");
    assert_eq!(sealed_reason(&mut copy), (false, None));
    put(&mut copy, "kept", "value of the copy");
    assert_eq!(one::<i64>(&mut copy, "SELECT max(failed) FROM hftok.verify()", &[]), 0);
    refused(copy.query("SELECT hftok.adopt_database()", &[]), "22023");
    assert_eq!(get(&mut cluster.client("postgres", "app"), "kept").expect("opens"), "value");
}

#[test]
fn an_attempt_to_adopt_that_failed_leaves_nothing_in_its_session() {
    let cluster = start("prod", &[RootKey::random(1)]);
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    drop(client);
    let mut copy = copied(&cluster, "app", "copy");
    let is_copy = |copy: &mut Client| {
        let error = refused(get(copy, "kept"), "53HF1");
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains("SELECT hftok.adopt_database()"), "{error:?}");
    };
    let rename = |from, to| format!("ALTER TABLE hftok_private.{from} RENAME TO {to}");
    copy.batch_execute(&rename("audit_pending", "elsewhere")).expect("renamed");
    refused(copy.query("SELECT hftok.adopt_database()", &[]), "42P01");
    copy.batch_execute(&rename("elsewhere", "audit_pending")).expect("renamed back");
    is_copy(&mut copy);
    // A part of a transaction that is taken back was no adoption either.
    copy.batch_execute("BEGIN; SAVEPOINT s; SELECT hftok.adopt_database(); ROLLBACK TO s")
        .expect("taken back");
    is_copy(&mut copy);
    copy.batch_execute("ROLLBACK; BEGIN; SAVEPOINT s; SELECT hftok.adopt_database(); RELEASE s")
        .expect("kept");
    let error = refused(get(&mut copy, "kept"), "53HF1");
    assert_eq!(error.hint(), Some("Commit it first."), "{error:?}");
    copy.batch_execute("ROLLBACK").expect("taken back");
    is_copy(&mut copy);

    // Then another session adopts it, and nobody has used a key yet.
    adopt(&mut cluster.client("postgres", "copy"));
    assert_eq!(get(&mut copy, "kept").expect("adopted"), "value");
}

#[test]
fn neither_a_data_key_nor_a_value_can_be_brought_from_another_database() {
    let cluster = start("prod", &[RootKey::random(1)]);
    let (mut a, mut b) = (cluster.database("a"), cluster.database("b"));
    create(&mut a, "own", "value");
    create(&mut b, "k", "chosen");
    let mut dba = cluster.client("dba", "a");
    let keys: Vec<String> = rows(&mut b, "data_keys", "r.purpose NOT IN ('audit', 'checkpoints')")
        .iter()
        .map(|row| row.replace(",active,", ",retiring,"))
        .collect();
    transplant(&mut dba, "data_keys", &keys);
    // The conditions of this table may only be evaluated by roles that have EXECUTE on them. So a superuser adds the rows.
    let mut superuser = cluster.client("postgres", "a");
    superuser.batch_execute("SET session_replication_role = replica").expect("set");
    transplant(&mut superuser, "secrets", &rows(&mut b, "secrets", "true"));
    let error = refused(get(&mut a, "k"), "53HF1");
    assert!(error.message().contains("does not unwrap"), "{error:?}");
    let faults: Vec<String> = column(&mut a, "SELECT kind FROM hftok.verify() WHERE reason LIKE '%unwrap%'");
    assert_eq!(faults, ["data key", "data key", "secret"]);
    assert_eq!(get(&mut a, "own").expect("opens"), "value");

    // An adopted copy has the keys of its original. It seals new values with another key.
    let mut app = cluster.database("app");
    create(&mut app, "kept", "value");
    drop(app);
    let mut copy = copied(&cluster, "app", "staging");
    adopt(&mut copy);
    put(&mut copy, "kept", "chosen");
    let value: Vec<u8> = one(&mut copy, "SELECT sealed FROM hftok_private.secrets", &[]);
    let mut app = cluster.client("postgres", "app");
    let mut superuser = cluster.client("postgres", "app");
    superuser.batch_execute("SET session_replication_role = replica").expect("set");
    superuser
        .execute("UPDATE hftok_private.secrets SET version = 2, sealed = $1", &[&value])
        .expect("edited");
    let error = refused(get(&mut app, "kept"), "53HF1");
    assert!(error.message().contains("missing"), "{error:?}");
}

/// Has transaction ids given out until the next one is this.
fn burn(client: &mut Client, next: i64) {
    let sql = format!(
        "DO $$ BEGIN
            WHILE pg_snapshot_xmax(pg_current_snapshot())::text::bigint < {next} LOOP
                PERFORM pg_current_xact_id();
                COMMIT;
            END LOOP;
        END $$"
    );
    client.batch_execute(&sql).expect("burnt");
}

#[test]
fn a_protected_change_cannot_be_forged_in_a_clone() {
    let keys = [RootKey::random(1)];
    let cluster = Setup::default().keys(&keys).setting("autovacuum = off").start();
    cluster.client("postgres", "postgres").batch_execute(DBA).expect("role");
    let mut app = cluster.database("app");
    let id = create(&mut app, "kept", "value");
    verified(&mut app);
    settled(&mut app);
    without_writer(&cluster);
    let clone = Setup::clone_of(&cluster, &named("staging", &keys));
    let mut there = clone.client("postgres", "app");
    assert_is_copy(&mut there, "an installation without a name");
    adopt(&mut there);
    verified(&mut there);
    settled(&mut there);
    without_writer(&clone);

    // In the clone the secret is deleted, in a transaction with a number that is still to come in the original.
    let now = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
    let later = one::<i64>(&mut there, now, &[]).max(one::<i64>(&mut app, now, &[])) + 200;
    burn(&mut there, later);
    let mut transaction = there.transaction().expect("begin");
    assert!(one::<bool>(&mut transaction, "SELECT hftok.delete_secret($1)", &[&id]));
    assert_eq!(one::<i64>(&mut transaction, "SELECT pg_current_xact_id()::text::bigint", &[]), later);
    let waiting = "SELECT event, protection FROM hftok_private.audit_pending";
    let row = transaction.query_one(waiting, &[]).expect("the change waits");
    let (event, protection): (Vec<u8>, Vec<u8>) = (row.get(0), row.get(1));
    transaction.rollback().expect("rolled back");

    let mut dba = cluster.client("dba", "app");
    burn(&mut dba, later);
    let mut forged = dba.transaction().expect("begin");
    let insert = "INSERT INTO hftok_private.audit_pending (event, protection) VALUES ($1, $2)";
    forged.execute(insert, &[&event, &protection]).expect("inserted");
    forged.execute("DELETE FROM hftok_private.secrets WHERE id = $1", &[&id]).expect("deleted");
    assert_eq!(one::<i64>(&mut forged, "SELECT pg_current_xact_id()::text::bigint", &[]), later);
    forged.commit().expect("commit");
    verified(&mut app);
    assert_eq!(count(&mut app, "action = 'delete_secret' AND protected"), 0);
    assert_eq!(count(&mut app, "action = 'delete_secret' AND NOT protected"), 1);
}

/// SECURITY.md says that such a clone cannot be told from its original.
#[test]
fn a_clone_with_the_very_same_keyring_is_not_noticed() {
    let keys = [RootKey::random(1)];
    let cluster = start("prod", &keys);
    let mut app = cluster.database("app");
    create(&mut app, "kept", "value");
    settled(&mut app);
    let clone = Setup::clone_of(&cluster, &named("prod", &keys));
    assert_eq!(get(&mut clone.client("postgres", "app"), "kept").expect("opens"), "value");
    let other = Setup::clone_of(&cluster, &named("other", &keys));
    assert_is_copy(&mut other.client("postgres", "app"), "installation \"prod\"");
}
