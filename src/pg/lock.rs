//! Locks on things that are no rows.

use pgrx::pg_sys;

use super::relations::Relation;

/// So many things of a relation are told apart: the server has room for so many locks only, and a bulk would need one each.
const DRAWERS: u32 = 1024;

/// Waits until nobody else holds what this name stands for, and holds it until the transaction ends. Unlike an advisory
/// lock, nobody who only has SQL can take it.
pub fn hold(relation: Relation, name: &str) {
    let hash = name.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    let mode = i32::try_from(pg_sys::ExclusiveLock).unwrap_or_default();
    // SAFETY: only a tag is locked, one that Postgres itself never uses: it stands for rows of catalogs, and this is none.
    unsafe { pg_sys::LockDatabaseObject(relation.0, pg_sys::Oid::from(hash % DRAWERS), 0, mode) };
}
