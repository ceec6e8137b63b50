//! Roles that stand for themselves, as `role:<name>`: a name passes on to whoever makes a role of it, so the role's oid is kept
//! beside what is somebody's by name (the trigger `note_role`), and compared whenever a role claims to be that one.

use std::ffi::CStr;

use pgrx::pg_sys::{self, TEXTOID};

use super::as_owner::AsOwner;
use super::caller::Caller;
use crate::error::Error;
use crate::pg::rows::sql::{Run, Statement};

/// The role that has stood for itself under a name.
const FIND: &CStr = c"SELECT r.role FROM hftok_private.direct_roles r WHERE r.name = $1";

thread_local! {
    static FIND_ROLE: Statement = const { Statement::new(FIND, &[TEXTOID]) };
}

/// Whether what is kept under this role's name is that of another one, which is gone.
pub(in crate::pg) fn is_another(caller: &Caller, name: &str) -> Result<bool, Error> {
    let _owner = AsOwner::switch(caller)?;
    let known: Vec<pg_sys::Oid> = FIND_ROLE.read(&[name.into()], |row| row.must(1))?;
    Ok(known.first().is_some_and(|known| *known != caller.role()))
}
