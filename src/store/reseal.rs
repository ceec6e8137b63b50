//! Sealing anew what a rotated key had sealed: some rows of a table, in one transaction.
//!
//! What must stay true: a row keeps its version, its state and what is said of it; nobody waits for a row longer than one batch takes; and
//! a value that does not open is left as it is, named once, and keeps its key from being destroyed.

use std::collections::BTreeMap;

use hftok_core::audit::event::{Kind, Object};
use pgrx::datum::Uuid;

use super::row::{SealedRow, sealed_row};
use crate::audit::changes;
use crate::error::Error;
use crate::keys::data_keys;
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::server::server_log;
use crate::pg::who::session::database;

/// The bytes of sealed values that a batch goes through at most, but for the last value.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// The tables that have sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Current versions.
    Secrets,
    /// Previous versions.
    Versions,
}

/// A part of a table.
pub struct Part<'a> {
    /// The table.
    pub table: Table,
    /// The place of the last row before it.
    pub after: &'a str,
    /// The place of the first row behind it.
    pub before: &'a str,
}

/// The outcome of a batch.
#[derive(Default)]
pub struct Batch {
    /// Rows that were looked at.
    pub rows: u32,
    /// Rows that were sealed anew.
    pub done: u32,
    /// Rows that stay as they are as long as their organisation keeps them from being opened.
    pub shut: u32,
    /// The last row that was looked at.
    pub last: Option<String>,
    /// Whether there may be more in the same part.
    pub is_cut: bool,
    /// The bytes of their values.
    bytes: usize,
    /// The rows as they are to be.
    anew: Anew,
    /// Rows by the key that they had.
    by_key: BTreeMap<i32, i64>,
}

/// Rows as they are to be, a column each.
#[derive(Default)]
struct Anew {
    /// The secrets.
    ids: Vec<Uuid>,
    /// Their versions.
    versions: Vec<i32>,
    /// The values.
    sealed: Vec<Vec<u8>>,
    /// Their fingerprints.
    fingerprints: Vec<Vec<u8>>,
}

/// The ids of keys as they stand in sealed values and fingerprints.
pub fn as_stored(keys: &[i32]) -> Vec<Vec<u8>> {
    keys.iter().map(|key| key.to_be_bytes().to_vec()).collect()
}

/// The id of a key that stands so in one.
pub fn of_stored(key: &[u8]) -> Result<i32, Error> {
    key.try_into().map(i32::from_be_bytes).map_err(|_| Error::Internal("the id of a key has four bytes"))
}

/// The number of pages of a table.
pub fn pages(table: Table) -> Result<i64, Error> {
    let name = match table {
        Table::Secrets => "hftok_private.secrets",
        Table::Versions => "hftok_private.secret_versions",
    };
    ASK_PAGES.read_single(&[name.into()], |row| row.next())
}

/// Seals the rows anew that these keys have sealed or fingerprinted, but for those that somebody else has locked; at most so many.
pub fn batch(part: &Part<'_>, keys: &[i32], most: u32) -> Result<Batch, Error> {
    let (take, put) = match part.table {
        Table::Secrets => (&TAKE_SECRETS, &PUT_SECRETS),
        Table::Versions => (&TAKE_VERSIONS, &PUT_VERSIONS),
    };
    let mut batch = Batch::default();
    let parameters = [part.after.into(), part.before.into(), as_stored(keys).into(), i64::from(most).into()];
    let found = take.write(&parameters, |row| if batch.is_cut { Ok(()) } else { batch.seal(row) })?.len();
    batch.is_cut |= u32::try_from(found).is_ok_and(|found| found >= most);
    if !batch.anew.ids.is_empty() {
        let Anew { ids, versions, sealed, fingerprints } = std::mem::take(&mut batch.anew);
        FORGET_FAILURES.execute(&[ids.clone().into(), versions.clone().into()])?;
        let put = put.execute(&[ids.into(), versions.into(), sealed.into(), fingerprints.into()])?;
        // Otherwise the same rows would be found again and again.
        if put != u64::from(batch.done) {
            return Err(Error::BadInput("a trigger on a table of hftok keeps rows from being sealed anew"));
        }
        for (key, done) in &batch.by_key {
            NOTE_PROGRESS.execute(&[(*key).into(), (*done).into()])?;
        }
    }
    Ok(batch)
}

impl Batch {
    /// Opens a row, and seals it with the key that is active.
    fn seal(&mut self, row: &Row<'_>) -> Result<(), Error> {
        let mut sealed = SealedRow::read(row)?;
        let place: String = row.next()?;
        let key = of_stored(&row.next::<Vec<u8>>()?)?;
        self.rows += 1;
        self.last = Some(place);
        self.bytes += sealed.sealed.len();
        self.is_cut = self.bytes > BYTES_MAX;
        let value = match sealed.open() {
            Ok(value) => value,
            Err(Error::Damaged { .. } | Error::DataKeyMissing { .. } | Error::DataKeyDamaged { .. }) => {
                return fail(&sealed, key);
            }
            // The organisation lets it be opened again one day.
            Err(Error::OrgSealed { .. } | Error::OrgKeyAway { .. }) => {
                self.shut += 1;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let fingerprint = data_keys::fingerprinting(|key| key.fingerprint(&value.as_ref()))?;
        match sealed.seal(&value.as_ref()) {
            // Its key was another one, and opened it: the organisation's own is shut.
            Err(Error::OrgSealed { .. } | Error::OrgKeyAway { .. }) => {
                self.shut += 1;
                return Ok(());
            }
            sealed => sealed?,
        }
        self.done += 1;
        *self.by_key.entry(key).or_default() += 1;
        self.anew.ids.push(sealed.id);
        self.anew.versions.push(sealed.version);
        self.anew.sealed.push(sealed.sealed);
        self.anew.fingerprints.push(fingerprint.to_vec());
        Ok(())
    }
}

/// Names a row that does not open, unless it was named before.
fn fail(row: &SealedRow, key: i32) -> Result<(), Error> {
    if NOTE_FAILURE.execute(&[row.id.into(), row.version.into(), key.into()])? == 0 {
        return Ok(());
    }
    changes::record_as(
        Kind::Key,
        "reseal_failed",
        1,
        Object { level: Some("decrypt_failed"), ..row.object() },
    )?;
    server_log::write(&format!(
        "hftok: version {} of secret {} in database {} does not open, and stays sealed with data key {key}",
        row.version,
        row.id,
        database()
    ));
    Ok(())
}

/// The key that a row counts for: the one that sealed it, or, where that one stays, the one that made its fingerprint.
macro_rules! take {
    ($id:literal, $table:literal) => {
        concat!(
            "SELECT ",
            sealed_row!("s", $id),
            ", s.ctid::text, CASE WHEN k.sealing = ANY ($3) THEN k.sealing ELSE k.marking END
            FROM hftok_private.",
            $table,
            " s, LATERAL (SELECT pg_catalog.substr(s.sealed, 2, 4) AS sealing, pg_catalog.substr(s.fingerprint, 1, 4) AS marking) k
            WHERE s.ctid > $1::pg_catalog.tid AND s.ctid < $2::pg_catalog.tid AND (k.sealing = ANY ($3) OR k.marking = ANY ($3))
            LIMIT $4 FOR NO KEY UPDATE OF s SKIP LOCKED"
        )
    };
}

/// The rows are locked, so that each is as it was read.
macro_rules! put {
    ($id:literal, $table:literal) => {
        concat!(
            "UPDATE hftok_private.",
            $table,
            " s SET sealed = n.sealed, fingerprint = n.fingerprint
            FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))
                AS n (id, version, sealed, fingerprint)
            WHERE s.",
            $id,
            " = n.id AND s.version = n.version"
        )
    };
}

statement! {
    /// In the order in which they lie.
    TAKE_SECRETS(TEXT, TEXT, BYTEAARRAY, INT8) = take!("id", "secrets");

    /// The same of previous versions.
    TAKE_VERSIONS(TEXT, TEXT, BYTEAARRAY, INT8) = take!("secret_id", "secret_versions");

    /// All at once.
    PUT_SECRETS(UUIDARRAY, INT4ARRAY, BYTEAARRAY, BYTEAARRAY) = put!("id", "secrets");

    /// The same of previous versions.
    PUT_VERSIONS(UUIDARRAY, INT4ARRAY, BYTEAARRAY, BYTEAARRAY) = put!("secret_id", "secret_versions");

    /// As many as there are now.
    ASK_PAGES(TEXT) =
        "SELECT pg_catalog.pg_relation_size($1::pg_catalog.regclass) / pg_catalog.current_setting('block_size')::pg_catalog.int8";

    /// With the rows themselves, so that a crash makes no difference between the two.
    NOTE_PROGRESS(INT4, INT8) =
        "UPDATE hftok_private.rotations r SET done = r.done + $2, last_at = pg_catalog.clock_timestamp(), waits_for = NULL
        WHERE r.key_id = $1";

    /// Named once, also when it is tried again.
    NOTE_FAILURE(UUID, INT4, INT4) =
        "INSERT INTO hftok_private.reseal_failures (secret_id, version, key_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

    /// Somebody has mended them.
    FORGET_FAILURES(UUIDARRAY, INT4ARRAY) =
        "DELETE FROM hftok_private.reseal_failures f
        USING ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS n (id, version)
        WHERE f.secret_id = n.id AND f.version = n.version";
}
