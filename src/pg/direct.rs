//! Roles that stand for themselves, as `role:<name>`: a name passes on to whoever makes a role of it, so the role's oid is kept
//! beside what is somebody's by name (the trigger `note_role`), and compared whenever a role claims to be that one.

use std::ffi::CStr;

use pgrx::pg_sys::{self, TEXTOID};

use super::caller::Caller;
use super::owner::AsOwner;
use super::sql::{Run, Statement};
use crate::error::Error;

/// The role that has stood for itself under a name.
const FIND: &CStr = c"SELECT r.role FROM hftok_private.direct_roles r WHERE r.name = $1";

thread_local! {
    static FIND_ROLE: Statement = const { Statement::new(FIND, &[TEXTOID]) };
}

/// Whether what is kept under this role's name is that of another one, which is gone.
pub(super) fn is_another(caller: &Caller, name: &str) -> Result<bool, Error> {
    let _owner = AsOwner::switch(caller)?;
    let known: Vec<pg_sys::Oid> = FIND_ROLE.read(&[name.into()], |row| row.must(1))?;
    Ok(known.first().is_some_and(|known| *known != caller.role()))
}
