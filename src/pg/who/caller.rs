//! Who is calling, for functions that must know it.
//!
//! Such functions are SECURITY INVOKER and read the *current* user on entry. The outer user is not an answer: an
//! index expression or a cascading trigger runs with the attacker as current user and a superuser as outer one, when
//! it is ANALYZE or a foreign key that runs it.

use std::ffi::{CStr, CString};

use hftok_core::is_uuid;
use pgrx::pg_sys;

use super::gateway::{self, Standing};
use super::{direct, request, roles};
use crate::error::Error;

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
        role_id(group).is_some_and(|group| has_rights_of(self.role, group))
    }

    /// Whether the role is a superuser.
    pub fn is_superuser(&self) -> bool {
        // SAFETY: looks a role up in the catalog.
        unsafe { pg_sys::superuser_arg(self.role) }
    }

    /// The identity that hftok gives this caller: the `sub` of a JWT under a gateway, `role:<name>` elsewhere.
    pub fn identity(&self) -> Result<String, Error> {
        match (request::claims(), gateway::standing(self.role)) {
            (Some(claims), Standing::Gateway) => subject(&claims),
            (Some(_), standing) => Err(Error::ClaimsWithoutGateway {
                // SAFETY: reads a variable of this process.
                login: role_name(unsafe { pg_sys::GetSessionUserId() }).ok_or(Error::NoIdentity)?,
                role: role_name(self.role).ok_or(Error::NoIdentity)?,
                standing,
            }),
            // Under a gateway a role is everybody's.
            (None, Standing::Gateway | Standing::ForeignRole) => Err(Error::NoIdentity),
            (None, Standing::NotListed | Standing::NotRecorded) => self.own_identity(),
        }
    }

    /// The identity of a role that stands for itself. A name that is not UTF-8 cannot be told from others like it.
    fn own_identity(&self) -> Result<String, Error> {
        let name =
            name_bytes(self.role).and_then(|name| String::from_utf8(name).ok()).ok_or(Error::NoIdentity)?;
        if direct::is_another(self, &name)? {
            Err(Error::AnotherRole { name })
        } else {
            Ok(format!("role:{name}"))
        }
    }
}

/// On 15 a member of a role may also become it, and Supabase's roles have what they have by nothing else.
#[cfg(feature = "pg15")]
fn has_rights_of(role: pg_sys::Oid, group: pg_sys::Oid) -> bool {
    // SAFETY: looks up memberships of two roles in the catalog.
    unsafe { pg_sys::is_member_of_role(role, group) }
}

/// Since 16 a membership can be without either: a mark, or the right to make others members.
#[cfg(not(feature = "pg15"))]
fn has_rights_of(role: pg_sys::Oid, group: pg_sys::Oid) -> bool {
    // SAFETY: looks up memberships of two roles in the catalog.
    unsafe { pg_sys::has_privs_of_role(role, group) || pg_sys::member_can_set_role(role, group) }
}

/// Whether SET ROLE would let a login become this role.
pub(in crate::pg) fn can_become(login: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    // SAFETY: looks up memberships of two roles in the catalog.
    #[cfg(feature = "pg15")]
    return unsafe { pg_sys::is_member_of_role(login, role) };
    // SAFETY: as above.
    #[cfg(not(feature = "pg15"))]
    return unsafe { pg_sys::member_can_set_role(login, role) };
}

/// Whether whoever began the call runs the server or looks after hftok, and so is told of settings and remedies. For nothing
/// else: a function that runs as its owner may have been called on somebody else's behalf.
pub fn is_operator() -> bool {
    let is_in = |role, group| {
        // SAFETY: looks up memberships of two roles in the catalog.
        role_id(group).is_some_and(|group| unsafe { pg_sys::is_member_of_role(role, group) })
    };
    // SAFETY: reads a variable of this process, and looks a role up in the catalog.
    unsafe {
        let role = pg_sys::GetOuterUserId();
        pg_sys::superuser_arg(role) || is_in(role, "hftok_admin") || is_in(role, "hftok_auditor")
    }
}

/// Fails where code of somebody else than the current user's choice may be running.
pub fn refuse_in_restricted_operation() -> Result<(), Error> {
    // SAFETY: reads a variable of this process.
    if unsafe { pg_sys::InSecurityRestrictedOperation() } { Err(Error::RestrictedOperation) } else { Ok(()) }
}

/// The user that claims name, in the form in which they are stored.
pub(in crate::pg) fn subject(claims: &str) -> Result<String, Error> {
    let claims: serde_json::Value = serde_json::from_str(claims).map_err(|_| Error::NoIdentity)?;
    let subject = claims.get("sub").and_then(serde_json::Value::as_str).unwrap_or_default();
    let is_plain =
        !subject.trim().is_empty() && subject.len() <= 1024 && !subject.chars().any(char::is_control);
    if !is_plain || subject.starts_with("role:") {
        return Err(Error::NoIdentity);
    }
    Ok(canonical_id(subject))
}

/// Identifiers are text; a UUID is stored lower-case, in whatever case it comes.
pub fn canonical_id(id: &str) -> String {
    if is_uuid(id) { id.to_ascii_lowercase() } else { id.to_owned() }
}

/// The name of a role as it is shown. A name that was given in a database of another encoding and is not UTF-8 is shown with
/// its bytes escaped, so that two of them do not look like one.
pub(in crate::pg) fn role_name(role: pg_sys::Oid) -> Option<String> {
    let name = name_bytes(role)?;
    Some(String::from_utf8(name).unwrap_or_else(|error| error.as_bytes().escape_ascii().to_string()))
}

/// Bytes, since a name need not be in the encoding of this database.
fn name_bytes(role: pg_sys::Oid) -> Option<Vec<u8>> {
    // SAFETY: gives a C string in the current memory context, or null when there is no such role.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_bytes().to_vec())
    }
}

/// The id of a role, if it exists.
pub(in crate::pg) fn role_id(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: looks up a valid C string in the catalog.
    let role = unsafe { pg_sys::get_role_oid(name.as_ptr(), true) };
    (role != pg_sys::InvalidOid).then_some(role)
}

#[cfg(test)]
mod tests {
    use super::canonical_id;

    #[test]
    fn only_uuids_lose_their_case() {
        assert_eq!(
            canonical_id("6F9619FF-8B86-D011-B42D-00C04FC964FF"),
            "6f9619ff-8b86-d011-b42d-00c04fc964ff"
        );
        for id in ["Alice", "6F9619FF8B86D011B42D00C04FC964FF", "6F9619FF-8B86-D011-B42D-00C04FC964FG", "É"]
        {
            assert_eq!(canonical_id(id), id);
        }
    }
}
