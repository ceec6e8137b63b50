//! Answers of a server, and how tests ask for them.

use std::collections::BTreeMap;

use postgres::error::DbError;
use postgres::types::{FromSqlOwned, ToSql};
use postgres::{Client, GenericClient, SimpleQueryMessage};

/// The error of a call that must fail with exactly this SQLSTATE.
#[track_caller]
pub fn refused<T>(result: Result<T, postgres::Error>, sqlstate: &str) -> DbError {
    let Err(error) = result else { panic!("expected {sqlstate}, but the call succeeded") };
    let Some(error) = error.as_db_error() else { panic!("expected {sqlstate}, got {error:?}") };
    assert_eq!(error.code().code(), sqlstate, "{error:?}");
    error.clone()
}

/// Everything that an error says, in one text.
pub fn every_field(error: &DbError) -> String {
    format!(
        "{error:?}\n{error}\n{}\n{}\n{}\n{}",
        error.message(),
        or(error.detail()),
        or(error.hint()),
        or(error.where_())
    )
}

fn or(field: Option<&str>) -> &str {
    field.unwrap_or_default()
}

/// The value of the only column of the only row.
#[track_caller]
pub fn one<T: FromSqlOwned>(
    client: &mut impl GenericClient,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> T {
    match client.query_one(sql, parameters) {
        Ok(row) => row.get(0),
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

/// The first column of every row.
#[track_caller]
pub fn column<T: FromSqlOwned>(client: &mut impl GenericClient, sql: &str) -> Vec<T> {
    match client.query(sql, &[]) {
        Ok(rows) => rows.iter().map(|row| row.get(0)).collect(),
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

/// The values of the only row, as text, whatever their types.
#[track_caller]
pub fn texts(client: &mut Client, sql: &str) -> Vec<Option<String>> {
    let messages = client.simple_query(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.unwrap_or_else(|| panic!("{sql}: no row"));
    (0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()
}

/// Number of rows in each table of hftok, but for tables that the server writes in the background: the audit, counts, kinds.
pub fn row_counts(client: &mut Client) -> BTreeMap<String, i64> {
    let tables: Vec<String> = column(
        client,
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'hftok_private' AND c.relkind IN ('r', 'p') AND c.relname <> 'kinds'
         AND c.relname NOT IN ('audit', 'audit_bundles', 'audit_nodes', 'audit_checkpoints', 'audit_pending')
         AND c.relname NOT IN ('use_counts', 'secret_usage')",
    );
    assert!(tables.len() >= 3, "the tables of hftok were not found: {tables:?}");
    tables
        .into_iter()
        .map(|table| {
            let count = one(client, &format!("SELECT count(*) FROM {table}"), &[]);
            (table, count)
        })
        .collect()
}

/// Stores a secret under a name.
#[track_caller]
pub fn create(client: &mut Client, name: &str, value: &str) -> uuid::Uuid {
    one(client, "SELECT hftok.create_secret($1, $2)", &[&value, &name])
}

/// Gives the secret of a name its next value.
#[track_caller]
pub fn put(client: &mut Client, name: &str, value: &str) -> uuid::Uuid {
    one(client, "SELECT hftok.put_secret($1, $2)", &[&name, &value])
}

/// The value of a named secret, or the error.
pub fn get(client: &mut impl GenericClient, name: &str) -> Result<String, postgres::Error> {
    client.query_one("SELECT hftok.get_secret($1)", &[&name]).map(|row| row.get(0))
}

/// Makes a copy a database of its own, as a superuser.
#[track_caller]
pub fn adopt(client: &mut Client) {
    client.batch_execute("SELECT hftok.adopt_database()").expect("adopt_database()");
}

/// Whether hftok is sealed, and what is the matter.
#[track_caller]
pub fn sealed_reason(client: &mut Client) -> (bool, Option<String>) {
    let row =
        client.query_one("SELECT sealed, reason FROM hftok.status()", &[]).expect("status() always answers");
    (row.get(0), row.get(1))
}
