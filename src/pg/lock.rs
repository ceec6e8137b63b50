//! Locks on things that are no rows.

use pgrx::pg_sys;

use super::relations::Relation;

/// So many things of a relation are told apart: the server has room for so many locks only, and a bulk would need one each.
const DRAWERS: u32 = 1024;

/// Locks two tables for adding and deleting rows. Holds neither while it waits for the other, so that nobody waits for both.
pub fn hold_for_rows(one: Relation, other: Relation) {
    let mode = i32::try_from(pg_sys::RowExclusiveLock).unwrap_or_default();
    // SAFETY: inside a transaction, which lets go of the locks at its end; only locks that this function has just taken, and
    // under which nothing was done, are released before. The relations may be gone: whoever opens them finds out.
    unsafe {
        loop {
            pg_sys::LockRelationOid(one.0, mode);
            if pg_sys::ConditionalLockRelationOid(other.0, mode) {
                break;
            }
            pg_sys::UnlockRelationOid(one.0, mode);
            pg_sys::LockRelationOid(other.0, mode);
            pg_sys::UnlockRelationOid(other.0, mode);
        }
    }
}

/// Waits until nobody else holds what this name stands for, and holds it until the transaction ends. Unlike an advisory
/// lock, nobody who only has SQL can take it.
pub fn hold(relation: Relation, name: &str) {
    let hash = name.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    let mode = i32::try_from(pg_sys::ExclusiveLock).unwrap_or_default();
    // SAFETY: only a tag is locked, one that Postgres itself never uses: it stands for rows of catalogs, and this is none.
    unsafe { pg_sys::LockDatabaseObject(relation.0, pg_sys::Oid::from(hash % DRAWERS), 0, mode) };
}
