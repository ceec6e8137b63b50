//! Roles, by their ids and names, as this session remembers them. Postgres tells every session when a role was made, renamed or
//! dropped, and the session then forgets all it knows.

use std::cell::{Cell, RefCell};

use pgrx::{pg_guard, pg_sys};

use super::bare;
use super::caller::{role_id, role_name};

thread_local! {
    static GENERATION: Cell<Option<u64>> = const { Cell::new(None) };
    static OWNER: Cell<Option<pg_sys::Oid>> = const { Cell::new(None) };
    static NAMES: RefCell<Vec<(pg_sys::Oid, String)>> = const { RefCell::new(Vec::new()) };
}

/// So many names are kept: a session has to do with few roles.
const NAMES_MAX: usize = 64;

/// Moves when what is remembered of a role may no longer be so.
pub(super) fn generation() -> u64 {
    GENERATION.get().unwrap_or_else(|| {
        GENERATION.set(Some(0));
        let cache = i32::try_from(pg_sys::SysCacheIdentifier::AUTHOID).unwrap_or_default();
        // SAFETY: registered once in a process; the function is there as long as the library is, which is never unloaded.
        unsafe {
            pg_sys::CacheRegisterSyscacheCallback(cache, Some(on_change), pg_sys::Datum::from(0_usize));
        }
        0
    })
}

#[pg_guard]
unsafe extern "C-unwind" fn on_change(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    GENERATION.set(GENERATION.get().map(|generation| generation + 1));
    OWNER.set(None);
    // Nothing calls Postgres while it has the names in hand.
    let _ = NAMES.try_with(|names| names.try_borrow_mut().map(|mut names| names.clear()));
}

/// The role whose privileges count at this moment.
pub(super) fn current() -> pg_sys::Oid {
    // SAFETY: reads a variable of this process.
    unsafe { bare::GetUserId() }
}

/// The role hftok_owner.
pub(super) fn owner() -> Option<pg_sys::Oid> {
    OWNER.get().or_else(|| {
        let before = generation();
        let found = role_id("hftok_owner");
        if generation() == before {
            OWNER.set(found);
        }
        found
    })
}

/// The name of a role, asked of the catalog if need be.
pub(super) fn name(role: pg_sys::Oid) -> Option<String> {
    remembered(role).or_else(|| {
        let before = generation();
        let found = role_name(role)?;
        NAMES.with_borrow_mut(|names| {
            if generation() == before && names.len() < NAMES_MAX {
                names.push((role, found.clone()));
            }
        });
        Some(found)
    })
}

/// The name of a role where the catalog cannot be asked.
pub(super) fn remembered(role: pg_sys::Oid) -> Option<String> {
    NAMES.with_borrow(|names| names.iter().find(|(id, _)| *id == role).map(|(_, name)| name.clone()))
}
