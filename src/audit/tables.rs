//! The tables of the audit, by name, and locking them.

use std::ffi::CStr;

use pgrx::datum::TimestampWithTimeZone;

use crate::error::Error;
use crate::pg::rows::declared::statement;
use crate::pg::rows::lock;
use crate::pg::rows::relations::{self, Relation};
use crate::pg::rows::sql::Run;

/// The tables that the writer writes to.
const TABLES: [&CStr; 5] =
    [c"audit", c"audit_bundles", c"audit_nodes", c"audit_checkpoints", c"audit_pending"];

/// Whether this database still has the extension.
pub fn is_installed() -> Result<bool, Error> {
    Ok(FIND_EXTENSION.read_one(&[], |_| Ok(()))?.is_some())
}

/// Locks the tables of the audit against statements that rebuild or index them, and waits for such a statement as long as this
/// process waits for a lock.
pub fn hold() -> Result<(), Error> {
    let tables = TABLES.into_iter().map(table).collect::<Result<Vec<_>, _>>()?;
    lock::hold_for_rows(&tables);
    Ok(())
}

/// Keeps the writer out until the transaction ends, and waits for the round that it is in.
pub fn hold_alone() -> Result<(), Error> {
    LOCK_CHECKPOINTS.execute(&[]).map(|_| ())
}

/// The id of a table that exists for as long as the extension does.
pub fn table(name: &CStr) -> Result<Relation, Error> {
    relations::named(name).ok_or(Error::Internal("a table of the audit does not exist"))
}

/// Postgres' time, from the microseconds of the queue.
pub fn time(at: i64) -> Result<TimestampWithTimeZone, Error> {
    TimestampWithTimeZone::try_from(at).map_err(|_| Error::Internal("an event has no time"))
}

/// The SQL that reads a bytea of no more than so many bytes. Of a longer one, which hftok has not written, nothing is read: not even
/// to learn its length.
macro_rules! bounded {
    ($column:literal, $most:expr) => {
        concat!(
            "CASE WHEN pg_catalog.octet_length(",
            $column,
            ") > ",
            $most,
            " THEN '' ELSE ",
            $column,
            " END"
        )
    };
}
pub(super) use bounded;

statement! {
    /// Only who adds to the log or removes from it writes there.
    LOCK_CHECKPOINTS() = "LOCK TABLE hftok_private.audit_checkpoints IN SHARE ROW EXCLUSIVE MODE";

    /// Asks for the extension: a database may have been created from one that had hftok, or have dropped it.
    FIND_EXTENSION() = "SELECT 1 FROM pg_catalog.pg_extension e WHERE e.extname = 'hftok'";
}
