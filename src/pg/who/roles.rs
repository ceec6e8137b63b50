//! Roles, by their ids and names, as this session remembers them. Postgres tells every session when a role was made, renamed or
//! dropped, and the session then forgets all it knows.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString};

use pgrx::{pg_guard, pg_sys};

use crate::pg::bare;

thread_local! {
    static TOLD: Cell<Option<Told>> = const { Cell::new(None) };
    static OWNER: Cell<Option<pg_sys::Oid>> = const { Cell::new(None) };
    static NAMES: RefCell<Vec<(pg_sys::Oid, String)>> = const { RefCell::new(Vec::new()) };
}

/// The number of names that are kept: a session has to do with few roles.
const NAMES_MAX: usize = 64;

/// The number of times that Postgres told of a change.
#[derive(Clone, Copy)]
struct Told {
    /// Changes of a role.
    roles: u64,
    /// Changes of a role, a membership or a function.
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
        let found = id("hftok_owner");
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
        let found = shown_name(role)?;
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

/// The name of a role as it is shown. A name that was given in a database of another encoding and is not UTF-8 is shown with
/// its bytes escaped, so that two of them do not look like one.
pub(in crate::pg) fn shown_name(role: pg_sys::Oid) -> Option<String> {
    let name = name_bytes(role)?;
    Some(String::from_utf8(name).unwrap_or_else(|error| error.as_bytes().escape_ascii().to_string()))
}

/// Bytes, since a name need not be in the encoding of this database.
pub(in crate::pg) fn name_bytes(role: pg_sys::Oid) -> Option<Vec<u8>> {
    // SAFETY: gives a C string in the current memory context, or null when there is no such role.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_bytes().to_vec())
    }
}

/// The id of a role, if it exists.
pub(in crate::pg) fn id(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: looks up a valid C string in the catalog.
    let role = unsafe { pg_sys::get_role_oid(name.as_ptr(), true) };
    (role != pg_sys::InvalidOid).then_some(role)
}

/// On 15 a member of a role may also become it, and Supabase's roles have what they have by nothing else.
#[cfg(feature = "pg15")]
pub(in crate::pg) fn has_rights_of(role: pg_sys::Oid, group: pg_sys::Oid) -> bool {
    // SAFETY: looks up memberships of two roles in the catalog.
    unsafe { pg_sys::is_member_of_role(role, group) }
}

/// Since 16 a membership can be without either: a mark, or the right to make others members.
#[cfg(not(feature = "pg15"))]
pub(in crate::pg) fn has_rights_of(role: pg_sys::Oid, group: pg_sys::Oid) -> bool {
    // SAFETY: looks up memberships of two roles in the catalog.
    unsafe { pg_sys::has_privs_of_role(role, group) || pg_sys::member_can_set_role(role, group) }
}

/// Whether SET ROLE would let a login become this role.
pub(in crate::pg) fn can_become(login: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    // SAFETY: looks up memberships of two roles in the catalog.
    #[cfg(feature = "pg15")]
    return unsafe { pg_sys::is_member_of_role(login, role) };
    // SAFETY: looks up memberships of two roles in the catalog, which need not be there.
    #[cfg(not(feature = "pg15"))]
    return unsafe { pg_sys::member_can_set_role(login, role) };
}

/// Whether whoever began the call runs the server or looks after hftok, and so is told of settings and remedies. For nothing
/// else: a function that runs as its owner may have been called on somebody else's behalf.
pub fn is_operator() -> bool {
    let is_in = |role, group| {
        // SAFETY: looks up memberships of two roles in the catalog.
        id(group).is_some_and(|group| unsafe { pg_sys::is_member_of_role(role, group) })
    };
    // SAFETY: reads a variable of this process, and looks a role up in the catalog.
    unsafe {
        let role = pg_sys::GetOuterUserId();
        pg_sys::superuser_arg(role) || is_in(role, "hftok_admin") || is_in(role, "hftok_auditor")
    }
}
