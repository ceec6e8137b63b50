//! Whatever keeps a writer from its tables: locks that somebody holds, and indexes that somebody added.

use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::server::worker_transaction;

/// The text that names it, with the remedies, for a writer that is in no transaction; `None` when nothing is found.
pub fn named() -> Option<String> {
    let process = i32::try_from(std::process::id()).unwrap_or_default();
    let find = || NAME_TROUBLE.read_one(&[process.into()], |row| row.next());
    worker_transaction::run(find).ok().flatten()?
}

statement! {
    /// Names it.
    NAME_TROUBLE(INT4) = "SELECT hftok_private.audit_trouble($1)";
}
