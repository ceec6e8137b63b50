//! The caller, for functions that must know it.
//!
//! Such functions are SECURITY INVOKER and read the *current* user on entry. The outer user is not an answer: an
//! index expression or a cascading trigger runs with the attacker as current user and a superuser as outer one, when
//! it is ANALYZE or a foreign key that runs it.

use pgrx::pg_sys;

use super::roles;
use crate::error::Error;
use crate::pg::bare;

/// The role that a call is made by. There is one only outside security-restricted operations.
pub struct Caller {
    /// The role at the call, before any definer of ours.
    role: pg_sys::Oid,
}

impl Caller {
    /// The caller of the function that is being entered.
    pub fn current() -> Self {
        Self { role: roles::current() }
    }

    /// The role's id.
    pub fn role(&self) -> pg_sys::Oid {
        self.role
    }

    /// Whether the caller has, or may take on, the rights of a group role, by whatever way.
    pub fn is_in(&self, group: &str) -> bool {
        roles::id(group).is_some_and(|group| roles::has_rights_of(self.role, group))
    }

    /// Whether the role is a superuser.
    pub fn is_superuser(&self) -> bool {
        // SAFETY: looks a role up in the catalog.
        unsafe { pg_sys::superuser_arg(self.role) }
    }
}

/// Fails where code of somebody else than the current user's choice may be running.
pub fn refuse_in_restricted_operation() -> Result<(), Error> {
    // SAFETY: reads a variable of this process.
    if unsafe { bare::InSecurityRestrictedOperation() } { Err(Error::RestrictedOperation) } else { Ok(()) }
}
