//! Copies of a database, by template and by base backup: nothing opens in one until a superuser made it a database of its own,
//! and nothing that one has made fits in its original.

use hftok_tests::answer::{adopt, column, create, get, one, put, refused, row_counts, sealed_reason};
use hftok_tests::audit::{count, settled, verified, without_writer};
use hftok_tests::cluster::Cluster;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use postgres::Client;

/// A login that can write every table of hftok, and has EXECUTE on nothing of it.
const DBA: &str = "CREATE ROLE dba LOGIN BYPASSRLS IN ROLE pg_read_all_data, pg_write_all_data";

fn start(installation: &str, keys: &[RootKey]) -> Cluster {
    let cluster = Setup::default().keys(keys).setting("hftok.audit_retention = 0").start();
    cluster.write_file("keyring", named(installation, keys), 0o600);
    let mut client = cluster.client("postgres", "postgres");
    client.batch_execute(DBA).expect("role");
    cluster.database("first").batch_execute("SELECT hftok.unseal()").expect("unseal");
    cluster
}

fn named(installation: &str, keys: &[RootKey]) -> String {
    format!("installation: {installation}\n{}", RootKey::keyring(keys))
}

/// A copy of a database by Postgres' own means, which nobody may be connected to.
fn copied(cluster: &Cluster, original: &str, copy: &str) -> Client {
    without_writer(cluster);
    cluster
        .client("postgres", "postgres")
        .batch_execute(&format!("CREATE DATABASE {copy} TEMPLATE {original}"))
        .expect("a copy");
    cluster.client("postgres", copy)
}

/// The rows of a table of hftok, in a form in which they can be put into another database.
fn rows(client: &mut Client, table: &str, condition: &str) -> Vec<String> {
    column(client, &format!("SELECT r::text FROM hftok_private.{table} r WHERE {condition}"))
}

fn transplant(client: &mut Client, table: &str, rows: &[String]) {
    let sql = format!(
        "INSERT INTO hftok_private.{table} SELECT (r::hftok_private.{table}).* FROM unnest($1::text[]) r"
    );
    let count = client.execute(&sql, &[&rows]).unwrap_or_else(|error| panic!("{table}: {error:?}"));
    assert_eq!(usize::try_from(count).expect("a count"), rows.len());
}

/// The answer of verify_audit(): whether all is well, and the reason if not.
fn verdict(client: &mut Client, head: Option<&str>) -> (bool, Option<String>) {
    let row = client.query_one("SELECT ok, reason FROM hftok.verify_audit(p_head => $1)", &[&head]);
    let row = row.expect("verify_audit()");
    (row.get(0), row.get(1))
}

fn head(client: &mut Client) -> String {
    one(client, "SELECT hftok.audit_head()", &[])
}

const NEEDS_A_KEY: [&str; 8] = [
    "SELECT hftok.get_secret('kept')",
    "SELECT decrypted_secret FROM hftok.decrypted_secrets",
    "SELECT hftok.create_secret('x')",
    "SELECT hftok.put_secret('kept', 'x')",
    "SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH')",
    "SELECT * FROM hftok.find_secret('x')",
    "SELECT * FROM hftok.verify()",
    "SELECT * FROM hftok.verify_audit()",
];

/// Nothing that needs a key is answered, and nothing is written.
fn assert_is_copy(client: &mut Client, original: &str) {
    let before = row_counts(client);
    for sql in NEEDS_A_KEY {
        let error = refused(client.query(sql, &[]), "53HF1");
        assert_eq!(error.message(), "this is a copy", "{sql}");
        assert!(error.detail().is_some_and(|detail| detail.contains(original)), "{sql}: {error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("adopt_database()")), "{sql}: {error:?}");
    }
    assert_eq!(row_counts(client), before);
    let (sealed, reason) = sealed_reason(client);
    assert!(!sealed && reason.as_ref().is_some_and(|reason| reason.contains("this is a copy")), "{reason:?}");
}

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
fn the_chain_of_an_adopted_copy_says_whose_it_continues() {
    let cluster = start("prod", &[RootKey::random(1)]);
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    let pinned = head(&mut client);
    let last: i64 = one(&mut client, "SELECT max(id) FROM hftok_private.audit", &[]);
    drop(client);
    let mut copy = copied(&cluster, "app", "copy");
    adopt(&mut copy);
    let (ok, reason) = verdict(&mut copy, Some(&pinned));
    assert!(ok, "{reason:?}");
    let told = reason.expect("it says so");
    assert!(told.contains(&format!("up to event {last}")) && told.contains("\"app\""), "{told}");
    let event =
        "SELECT format('%s %s %s %s', kind, outcome, owner_id, digest) FROM hftok.audit_events WHERE id = ";
    let said: String = one(&mut copy, &format!("{event} {}", last + 1), &[]);
    assert!(said.starts_with("audit committed database \"app\""), "{said}");
    let continued = pinned.rsplit(':').next().expect("a hash");
    assert!(said.ends_with(continued), "{said}: the head that it continues");

    // The copy does not verify without the event, or cut off before it.
    for from in [last + 1, last] {
        settled(&mut copy);
        without_writer(&cluster);
        let cut = format!("BEGIN; DELETE FROM hftok_private.audit WHERE id >= {from}");
        copy.batch_execute(&cut).expect("cut off");
        let (ok, reason) = verdict(&mut copy, None);
        assert!(!ok && reason.is_some_and(|reason| reason.contains("adopt_database()")), "cut at {from}");
        copy.batch_execute("ROLLBACK").expect("undone");
    }
    // A copy of the copy.
    drop(copy);
    let mut again = copied(&cluster, "copy", "again");
    assert_is_copy(&mut again, "database \"copy\"");
    adopt(&mut again);
    let (ok, reason) = verdict(&mut again, Some(&pinned));
    assert!(ok && reason.is_some_and(|told| told.contains("\"app\"") && told.contains("\"copy\"")));
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
fn the_newest_events_cannot_be_replaced_by_those_of_a_copy() {
    let cluster = start("prod", &[RootKey::random(1)]);
    let mut app = cluster.database("app");
    create(&mut app, "kept", "value");
    let pinned = head(&mut app);
    let last: i64 = one(&mut app, "SELECT max(id) FROM hftok_private.audit", &[]);
    drop(app);
    let mut copy = copied(&cluster, "app", "staging");
    adopt(&mut copy);
    let mut app = cluster.client("postgres", "app");
    app.batch_execute("SET application_name = 'mallory'").expect("set");
    for client in [&mut app, &mut copy] {
        for _ in 0..3 {
            get(client, "kept").expect("opens");
        }
        settled(client);
    }
    without_writer(&cluster);
    let mut dba = cluster.client("dba", "app");
    let later = format!("id > {last}");
    let suffix = rows(&mut copy, "audit", &later);
    assert_eq!(count(&mut app, "application_name = 'mallory'"), 3);
    dba.batch_execute(&format!("DELETE FROM hftok_private.audit WHERE {later}")).expect("deleted");
    transplant(&mut dba, "audit", &suffix);
    let (ok, reason) = verdict(&mut app, Some(&pinned));
    assert!(!ok, "the suffix of a copy passes for one's own: {reason:?}");

    // A copy does not verify with the history of its original either, although it has the original's key.
    let mine = rows(&mut app, "audit", &format!("id <= {last}"));
    let mut dba = cluster.client("dba", "staging");
    dba.batch_execute("DELETE FROM hftok_private.audit").expect("deleted");
    transplant(&mut dba, "audit", &mine);
    assert!(!verdict(&mut copy, None).0, "the history of the original passes for one's own");
}

#[test]
fn a_stub_of_a_copy_is_no_beginning() {
    let cluster = start("prod", &[RootKey::random(1)]);
    let mut app = cluster.database("app");
    create(&mut app, "kept", "value");
    verified(&mut app);
    drop(app);
    let mut copy = copied(&cluster, "app", "staging");
    adopt(&mut copy);
    let last: i64 =
        one(&mut copy, "SELECT max(id) FROM hftok_private.audit WHERE action <> 'adopt_database'", &[]);
    let purge =
        "SELECT hftok.purge_audit((SELECT a.at FROM hftok.audit_events a WHERE a.action = 'adopt_database'))";
    assert!(one::<i64>(&mut copy, purge, &[]) > 0);
    settled(&mut copy);
    assert!(verdict(&mut copy, None).0, "it is one in the copy");
    let stub = rows(&mut copy, "audit_stub", "true");

    let mut app = cluster.client("postgres", "app");
    get(&mut app, "kept").expect("opens");
    settled(&mut app);
    let mut dba = cluster.client("dba", "app");
    let told = "UPDATE hftok_private.audit SET kind = 'audit', action = 'purge_audit', outcome = 'committed',
        digest = (SELECT b.chain_hash FROM hftok_private.audit_stub b) WHERE id = (SELECT max(id) FROM hftok_private.audit)";
    dba.batch_execute(&format!("DELETE FROM hftok_private.audit WHERE id <= {last}")).expect("deleted");
    transplant(&mut dba, "audit_stub", &stub);
    dba.batch_execute(told).expect("as if it were told");
    let (ok, reason) = verdict(&mut app, None);
    assert!(
        !ok && reason.as_ref().is_some_and(|reason| reason.contains("where the audit begins")),
        "{reason:?}"
    );
}

#[test]
fn neither_a_data_key_nor_a_value_can_be_brought_from_another_database() {
    let cluster = start("prod", &[RootKey::random(1)]);
    let (mut a, mut b) = (cluster.database("a"), cluster.database("b"));
    create(&mut a, "own", "value");
    create(&mut b, "k", "chosen");
    let mut dba = cluster.client("dba", "a");
    let keys: Vec<String> = rows(&mut b, "data_keys", "r.purpose <> 'audit'")
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
