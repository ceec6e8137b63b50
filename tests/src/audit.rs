//! The audit of a database, as a DBA looks at it: by its tables, because whoever asks hftok itself also makes it work.

use postgres::Client;
use uuid::Uuid;

use crate::answer::{column, one};
use crate::cluster::Cluster;
use crate::process::titled;
use crate::wait_until;

/// The title of every writer.
pub const WRITER: &str = "hftok audit writer for database";

/// The token that [`global_token`] stores.
pub const TOKEN: &str = "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH";

/// Stores a token that everybody's walk ends with, and gives its id once all of that is in the audit.
#[track_caller]
pub fn global_token(client: &mut Client) -> Uuid {
    let id = one(client, "SELECT (hftok.save_hf_token($1, p_global => true)).secret_id", &[&TOKEN]);
    settled(client);
    id
}

/// Resolves the token for a user of the application, whose name is then in the event.
pub fn resolve(client: &mut Client, user: &str) -> Result<(), postgres::Error> {
    let token: Option<String> = client.query_one("SELECT hftok.resolve_hf_token($1)", &[&user])?.get(0);
    assert_eq!(token.as_deref(), Some(TOKEN));
    Ok(())
}

/// Waits until nothing waits any more to be written, in memory or in its table.
#[track_caller]
pub fn settled(client: &mut Client) {
    wait_until("the audit is written", 20, || waiting(client) == 0);
}

/// Number of events that wait.
#[track_caller]
pub fn waiting(client: &mut Client) -> i64 {
    one(client, "SELECT audit_waiting FROM hftok.status()", &[])
}

/// Number of events that the condition holds for; an event that stands for several counts as several.
#[track_caller]
pub fn count(client: &mut Client, condition: &str) -> i64 {
    let sql =
        format!("SELECT coalesce(sum(count), 0)::bigint FROM hftok_private.audit_rows WHERE {condition}");
    one(client, &sql, &[])
}

/// Number of rows that the condition holds for.
#[track_caller]
pub fn rows(client: &mut Client, condition: &str) -> i64 {
    one(client, &format!("SELECT count(*) FROM hftok_private.audit_rows WHERE {condition}"), &[])
}

/// The users of the application that values were revealed for, in the order of the log.
#[track_caller]
pub fn revealed_to(client: &mut Client) -> Vec<String> {
    column(client, "SELECT actor_user FROM hftok_private.audit_rows WHERE kind = 'reveal' ORDER BY id")
}

/// Verifies the log, which must fit as a whole, and gives the number of its events.
#[track_caller]
pub fn verified(client: &mut Client) -> i64 {
    let row = client
        .query_one("SELECT checked, ok, first_bad, reason FROM hftok.verify_audit()", &[])
        .expect("verify_audit()");
    let (first_bad, reason): (Option<i64>, Option<String>) = (row.get(2), row.get(3));
    assert!(row.get::<_, bool>(1), "event {first_bad:?}: {reason:?}");
    row.get(0)
}

/// The writer of the only database that has one.
pub fn writer(cluster: &Cluster) -> Option<u32> {
    titled(cluster, WRITER)
}

/// Waits until there is no writer.
#[track_caller]
pub fn without_writer(cluster: &Cluster) {
    wait_until("the writer leaves", 10, || writer(cluster).is_none());
}

/// The events that the server's log has, one a line, as JSON.
pub fn lines(cluster: &Cluster) -> Vec<String> {
    let log = cluster.log();
    log.lines().filter_map(|line| line.find("{\"hftok_audit\"").map(|at| line[at..].to_owned())).collect()
}
