//! Where the log begins, and what stands before its beginning.

use crate::error::Error;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;

/// The first event that is there.
pub fn first() -> Result<Option<i64>, Error> {
    FIND_FIRST.read_single(&[], |row| row.next())
}

/// An event whose number is less than that of the first one can be.
pub fn below_one() -> Result<Option<i64>, Error> {
    FIND_BELOW_ONE.read_single(&[], |row| row.next())
}

statement! {
    /// Finds the first event.
    FIND_FIRST() =
        "SELECT least((SELECT min(a.id) FROM hftok_private.audit a WHERE a.id > 0),
        (SELECT b.last_id - b.count + 1 FROM hftok_private.audit_bundles b WHERE b.last_id > 0 ORDER BY b.last_id LIMIT 1))";

    /// Finds an event whose number no event of ours has.
    FIND_BELOW_ONE() =
        "SELECT least((SELECT min(a.id) FROM hftok_private.audit a WHERE a.id < 1),
        (SELECT min(b.last_id) FROM hftok_private.audit_bundles b WHERE b.last_id < 1))";
}
