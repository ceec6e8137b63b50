//! Copies of a database, and what is carried from one to the other.

use postgres::Client;

use crate::answer::{column, refused, row_counts, sealed_reason};
use crate::audit::without_writer;
use crate::cluster::Cluster;
use crate::root_key::RootKey;
use crate::setup::Setup;

/// A login that can write every table of hftok, and has EXECUTE on nothing of it.
pub const DBA: &str = "CREATE ROLE dba LOGIN BYPASSRLS IN ROLE pg_read_all_data, pg_write_all_data";

/// A server with this keyring of this installation, with a database `first` and a role `dba`.
#[track_caller]
pub fn start(installation: &str, keys: &[RootKey]) -> Cluster {
    let cluster = Setup::default().keys(keys).setting("hftok.audit_retention = 0").start();
    cluster.write_file("keyring", named(installation, keys), 0o600);
    let mut client = cluster.client("postgres", "postgres");
    client.batch_execute(DBA).expect("role");
    cluster.database("first").batch_execute("SELECT hftok.unseal()").expect("unseal");
    cluster
}

/// The text of the keyring of an installation.
pub fn named(installation: &str, keys: &[RootKey]) -> String {
    format!("installation: {installation}\n{}", RootKey::keyring(keys))
}

/// A copy of a database by Postgres' own means, which nobody may be connected to.
#[track_caller]
pub fn copied(cluster: &Cluster, original: &str, copy: &str) -> Client {
    without_writer(cluster);
    cluster
        .client("postgres", "postgres")
        .batch_execute(&format!("CREATE DATABASE {copy} TEMPLATE {original}"))
        .expect("a copy");
    cluster.client("postgres", copy)
}

/// The rows of a table of hftok, in a form in which they can be put into another database.
pub fn rows(client: &mut Client, table: &str, condition: &str) -> Vec<String> {
    column(client, &format!("SELECT r::text FROM hftok_private.{table} r WHERE {condition}"))
}

/// Puts rows into a table.
#[track_caller]
pub fn transplant(client: &mut Client, table: &str, rows: &[String]) {
    let sql = format!(
        "INSERT INTO hftok_private.{table} SELECT (r::hftok_private.{table}).* FROM unnest($1::text[]) r"
    );
    let count = client.execute(&sql, &[&rows]).unwrap_or_else(|error| panic!("{table}: {error:?}"));
    assert_eq!(usize::try_from(count).expect("a count"), rows.len());
}

/// Statements that need a key.
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
#[track_caller]
pub fn assert_is_copy(client: &mut Client, original: &str) {
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
