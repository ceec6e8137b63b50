//! Locks on things that are no rows.
//!
//! What must stay true: nobody can choose a name that shares the lock of another, so names are hashed with a key that the server
//! draws when it starts; and no transaction takes so many locks that the server has none left for others.

use std::cell::Cell;

use hftok_core::audit::chain::RunKey;
use pgrx::pg_sys;

use super::key_pages;
use super::relations::Relation;

/// So many names a transaction locks one by one. Of what comes then it locks the drawer, of which there are 1024.
const NAMES_MAX: usize = 500;

thread_local! {
    // The transaction, by its start, the names it has locked, and the last of them.
    static LOCKED: Cell<(pg_sys::TimestampTz, usize, [u8; 8])> = const { Cell::new((0, 0, [0; 8])) };
}

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
    // Without preload no process has a key, and nothing can be saved.
    let digest = key_pages::run_key().unwrap_or(&RunKey::EMPTY).digest_of_name(name);
    let [a, b, c, d, e, f, g, h] = digest;
    let fine = Tag { object: u32::from_be_bytes([a, b, c, d]), part: u16::from_be_bytes([e, f]) | 1 };
    let drawer = Tag { object: u32::from(u16::from_be_bytes([g, h]) % 1024), part: 0 };
    // SAFETY: reads a variable of this process.
    let transaction = unsafe { pg_sys::GetCurrentTransactionStartTimestamp() };
    let (of, count, last) = LOCKED.get();
    let count = if of == transaction { count } else { 0 };
    // Locked again all the same: a part of the transaction that was rolled back may have let go of it.
    let is_last = count > 0 && last == digest;
    if is_last || count < NAMES_MAX {
        drawer.lock(relation, pg_sys::AccessShareLock);
        fine.lock(relation, pg_sys::ExclusiveLock);
        LOCKED.set((transaction, count + usize::from(!is_last), digest));
    } else {
        drawer.lock(relation, pg_sys::AccessExclusiveLock);
    }
}

/// What a lock is known by. Names have an odd part, drawers have none.
struct Tag {
    /// Bytes of the name's digest, or the drawer's number.
    object: u32,
    /// More of the digest, and odd; zero for a drawer.
    part: u16,
}

impl Tag {
    /// Until the transaction ends.
    fn lock(&self, relation: Relation, mode: u32) {
        let mode = i32::try_from(mode).unwrap_or_default();
        // SAFETY: only a tag is locked, one that Postgres itself never uses: it stands for rows of catalogs, and this is none.
        unsafe { pg_sys::LockDatabaseObject(relation.0, pg_sys::Oid::from(self.object), self.part, mode) };
    }
}
