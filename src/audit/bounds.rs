//! Where the log begins, and what stands before its beginning.

use std::ffi::CStr;

use crate::error::Error;
use crate::pg::rows::sql::{Run, Statement};

/// Finds the first event.
const FIRST: &CStr = c"SELECT least((SELECT min(a.id) FROM hftok_private.audit a WHERE a.id > 0),
    (SELECT b.last_id - b.count + 1 FROM hftok_private.audit_bundles b WHERE b.last_id > 0 ORDER BY b.last_id LIMIT 1))";
/// Finds an event whose number no event of ours has.
const BELOW_ONE: &CStr = c"SELECT least((SELECT min(a.id) FROM hftok_private.audit a WHERE a.id < 1),
    (SELECT min(b.last_id) FROM hftok_private.audit_bundles b WHERE b.last_id < 1))";

thread_local! {
    static FIND_FIRST: Statement = const { Statement::new(FIRST, &[]) };
    static FIND_BELOW_ONE: Statement = const { Statement::new(BELOW_ONE, &[]) };
}

/// The first event that is there.
pub fn first() -> Result<Option<i64>, Error> {
    Ok(FIND_FIRST.read(&[], |row| Ok(row.get(1)))?.pop().flatten())
}

/// An event whose number is less than that of the first one can be.
pub fn below_one() -> Result<Option<i64>, Error> {
    Ok(FIND_BELOW_ONE.read(&[], |row| Ok(row.get(1)))?.pop().flatten())
}
