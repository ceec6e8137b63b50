//! Roles, by their ids and names, as this session remembers them. Postgres tells every session when a role was made, renamed or
//! dropped, and the session then forgets all it knows.

use std::cell::{Cell, RefCell};

use pgrx::{pg_guard, pg_sys};

use super::caller::{role_id, role_name};
use crate::pg::bare;

thread_local! {
    static TOLD: Cell<Option<Told>> = const { Cell::new(None) };
    static OWNER: Cell<Option<pg_sys::Oid>> = const { Cell::new(None) };
    static NAMES: RefCell<Vec<(pg_sys::Oid, String)>> = const { RefCell::new(Vec::new()) };
}

/// So many names are kept: a session has to do with few roles.
const NAMES_MAX: usize = 64;

/// How often Postgres has told of a change.
#[derive(Clone, Copy)]
struct Told {
    /// Of a role.
    roles: u64,
    /// Of a role, a membership or a function.
    all: u64,
}

/// Moves when what is remembered of a role may no longer be so.
fn generation() -> u64 {
    told().roles
}

/// Moves when a role, a membership or the privileges on a function may have changed.
pub(in crate::pg) fn catalog_generation() -> u64 {
    told().all
}

/// Asks to be told, the first time.
fn told() -> Told {
    TOLD.get().unwrap_or_else(|| {
        let none = Told { roles: 0, all: 0 };
        TOLD.set(Some(none));
        let caches = [
            pg_sys::SysCacheIdentifier::AUTHOID,
            pg_sys::SysCacheIdentifier::AUTHMEMMEMROLE,
            pg_sys::SysCacheIdentifier::PROCOID,
        ];
        for cache in caches.into_iter().filter_map(|cache| i32::try_from(cache).ok()) {
            // SAFETY: registered once in a process; the function is there as long as the library is, which is never unloaded.
            unsafe {
                pg_sys::CacheRegisterSyscacheCallback(cache, Some(on_change), pg_sys::Datum::from(0_usize));
            }
        }
        none
    })
}

#[pg_guard]
unsafe extern "C-unwind" fn on_change(_argument: pg_sys::Datum, cache: i32, _hash: u32) {
    let is_role = i32::try_from(pg_sys::SysCacheIdentifier::AUTHOID) == Ok(cache);
    TOLD.set(TOLD.get().map(|told| Told { roles: told.roles + u64::from(is_role), all: told.all + 1 }));
    if is_role {
        OWNER.set(None);
        // Nothing calls Postgres while it has the names in hand.
        let _ = NAMES.try_with(|names| names.try_borrow_mut().map(|mut names| names.clear()));
    }
}

/// The role whose privileges count at this moment.
pub(in crate::pg) fn current() -> pg_sys::Oid {
    // SAFETY: reads a variable of this process.
    unsafe { bare::GetUserId() }
}

/// The role hftok_owner.
pub(in crate::pg) fn owner() -> Option<pg_sys::Oid> {
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
pub fn name(role: pg_sys::Oid) -> Option<String> {
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
pub(in crate::pg) fn remembered(role: pg_sys::Oid) -> Option<String> {
    NAMES.with_borrow(|names| names.iter().find(|(id, _)| *id == role).map(|(_, name)| name.clone()))
}
