//! Whatever keeps a writer from its tables: locks that somebody holds, and indexes that somebody added.

use std::ffi::CStr;

use pgrx::pg_sys::INT4OID;

use crate::pg::rows::sql::{Run, Statement};
use crate::pg::server::worker_transaction;

/// Names it.
const NAME: &CStr = c"SELECT hftok_private.audit_trouble($1)";

thread_local! {
    static NAME_TROUBLE: Statement = const { Statement::new(NAME, &[INT4OID]) };
}

/// The text that names it, with the remedies, for a writer that is in no transaction; `None` when nothing is found.
pub fn named() -> Option<String> {
    let process = i32::try_from(std::process::id()).unwrap_or_default();
    let find = || Ok(NAME_TROUBLE.read(&[process.into()], |row| Ok(row.get(1)))?.pop().flatten());
    worker_transaction::run(find).ok().flatten()
}
