//! The log of a copy goes on from that of its original, and nothing of either passes for the other's.

use hftok_tests::answer::{adopt, create, get, one, put};
use hftok_tests::audit::{count, settled, verified, without_writer};
use hftok_tests::copies::{assert_is_copy, copied, rows, start, transplant};
use hftok_tests::root_key::RootKey;
use postgres::Client;

/// The tables that a log lies in, with the number of the last event that a row of each covers.
const LOG: [(&str, &str); 3] =
    [("audit", "r.id"), ("audit_bundles", "r.last_id"), ("audit_checkpoints", "r.size")];

/// A log up to an event, or after it: what `transplant_log` takes.
fn log(client: &mut Client, condition: &str) -> Vec<Vec<String>> {
    LOG.map(|(table, number)| rows(client, table, &format!("{number} {condition}"))).to_vec()
}

fn transplant_log(client: &mut Client, log: &[Vec<String>]) {
    for ((table, _), rows) in LOG.iter().zip(log) {
        transplant(client, table, rows);
    }
}

/// Cuts off a log.
fn cut(client: &mut Client, condition: &str) {
    for (table, number) in LOG {
        let sql = format!("DELETE FROM hftok_private.{table} r WHERE {number} {condition}");
        client.batch_execute(&sql).expect("deleted");
    }
}

/// The number of the last event.
fn last(client: &mut Client) -> i64 {
    one(client, "SELECT max(size) FROM hftok_private.audit_checkpoints", &[])
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

#[test]
fn the_log_of_an_adopted_copy_says_whose_it_continues() {
    let cluster = start("prod", &[RootKey::random(1)]);
    let mut client = cluster.database("app");
    create(&mut client, "kept", "value");
    let pinned = head(&mut client);
    let last = last(&mut client);
    let original = log(&mut client, &format!("<= {last}"));
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
    let root = "SELECT encode(decode(split_part($1, chr(10), 3), 'base64'), 'hex')";
    let continued: String = one(&mut copy, root, &[&pinned]);
    assert!(continued.len() == 64 && said.ends_with(&continued), "{said}: the head that it continues");

    // The copy does not verify without the event, or cut off before it, also with what its original had signed.
    for from in [last + 1, last] {
        settled(&mut copy);
        without_writer(&cluster);
        copy.batch_execute("BEGIN").expect("BEGIN");
        cut(&mut copy, "> 0");
        transplant_log(&mut copy, &original);
        for (table, number) in &LOG[..2] {
            let sql = format!("DELETE FROM hftok_private.{table} r WHERE {number} >= {from}");
            copy.batch_execute(&sql).expect("cut off");
        }
        let (ok, reason) = verdict(&mut copy, None);
        let reason = reason.expect("a reason");
        assert!(!ok && reason.contains("the newest events are missing"), "cut at {from}: {reason}");
        assert!(from == last || reason.contains("adopt_database()"), "cut at {from}: {reason}");
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
fn the_newest_events_cannot_be_replaced_by_those_of_a_copy() {
    let cluster = start("prod", &[RootKey::random(1)]);
    let mut app = cluster.database("app");
    create(&mut app, "kept", "value");
    let pinned = head(&mut app);
    let last = last(&mut app);
    let mine = log(&mut app, &format!("<= {last}"));
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
    let later = format!("> {last}");
    let suffix = log(&mut copy, &later);
    assert!(suffix.iter().all(|rows| !rows.is_empty()), "rows, bundles and checkpoints");
    assert_eq!(count(&mut app, "application_name = 'mallory'"), 3);
    cut(&mut dba, &later);
    transplant_log(&mut dba, &suffix);
    let (ok, reason) = verdict(&mut app, Some(&pinned));
    assert!(!ok, "the suffix of a copy passes for one's own: {reason:?}");

    // A copy does not verify with the history of its original either, although it has the original's key.
    let mut dba = cluster.client("dba", "staging");
    cut(&mut dba, "> 0");
    transplant_log(&mut dba, &mine);
    assert!(!verdict(&mut copy, None).0, "the history of the original passes for one's own");
}

#[test]
fn the_purge_of_a_copy_is_no_beginning() {
    let cluster = start("prod", &[RootKey::random(1)]);
    let mut app = cluster.database("app");
    let many = "SELECT count(hftok.create_secret('value', 'name ' || n)) FROM generate_series(1, 300) n";
    assert_eq!(one::<i64>(&mut app, many, &[]), 300);
    verified(&mut app);
    drop(app);
    let mut copy = copied(&cluster, "app", "staging");
    adopt(&mut copy);
    let purge =
        "SELECT hftok.purge_audit((SELECT a.at FROM hftok.audit_events a WHERE a.action = 'adopt_database'))";
    assert_eq!(one::<i64>(&mut copy, purge, &[]), 256);
    settled(&mut copy);
    assert!(verdict(&mut copy, None).0, "it is one in the copy");
    let told = rows(&mut copy, "audit", "r.action = 'purge_audit'");

    let mut app = cluster.client("postgres", "app");
    put(&mut app, "name 1", "next");
    settled(&mut app);
    without_writer(&cluster);
    let newest: i64 = one(&mut app, "SELECT max(id) FROM hftok_private.audit", &[]);
    assert_eq!(newest, last(&mut app), "the newest event has a row");
    // As if it were told: the row of the copy's purge, under the number of a row.
    let (_, rest) = told[0].split_once(',').expect("columns");
    let mut dba = cluster.client("dba", "app");
    dba.batch_execute("DELETE FROM hftok_private.audit WHERE id <= 256").expect("deleted");
    dba.batch_execute("DELETE FROM hftok_private.audit_bundles WHERE last_id <= 256").expect("deleted");
    let reason = verdict(&mut app, None).1.expect("a reason");
    assert!(reason.contains("tells of no purge"), "{reason}");
    settled(&mut app);
    dba.execute("DELETE FROM hftok_private.audit WHERE id = $1", &[&newest]).expect("deleted");
    transplant(&mut dba, "audit", &[format!("({newest},{rest}")]);
    let (ok, reason) = verdict(&mut app, None);
    assert!(
        !ok && reason.as_ref().is_some_and(|reason| reason.contains("is not what was signed")),
        "{reason:?}"
    );
}
