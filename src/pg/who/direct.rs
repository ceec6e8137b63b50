//! Roles that stand for themselves, as `role:<name>`: a name passes on to whoever makes a role of it, so the role's oid is kept
//! beside what is somebody's by name (the trigger `note_role`), and compared whenever a role claims to be that one.

use pgrx::pg_sys;

use super::as_owner::AsOwner;
use super::caller::Caller;
use crate::error::Error;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;

/// Whether what is kept under this role's name is that of another one, which is gone.
pub(in crate::pg) fn is_another(caller: &Caller, name: &str) -> Result<bool, Error> {
    let _owner = AsOwner::switch(caller)?;
    let known: Option<pg_sys::Oid> = FIND_ROLE.read_one(&[name.into()], |row| row.next())?;
    Ok(known.is_some_and(|known| known != caller.role()))
}

statement! {
    /// The role that has stood for itself under a name.
    FIND_ROLE(TEXT) = "SELECT r.role FROM hftok_private.direct_roles r WHERE r.name = $1";
}
