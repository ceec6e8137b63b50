//! The identity of a caller: whom hftok keeps things for.

use hftok_core::is_uuid;
use pgrx::pg_sys;

use super::caller::Caller;
use super::{direct, gateway, request, roles};
use crate::error::{Error, Standing};

impl Caller {
    /// The identity that hftok gives this caller: the `sub` of a JWT under a gateway, `role:<name>` elsewhere.
    pub fn identity(&self) -> Result<String, Error> {
        match (request::claims(), gateway::standing(self.role())) {
            (Some(claims), Standing::Gateway) => subject(&claims),
            (Some(_), standing) => Err(Error::ClaimsWithoutGateway {
                // SAFETY: reads a variable of this process.
                login: roles::shown_name(unsafe { pg_sys::GetSessionUserId() }).ok_or(Error::NoIdentity)?,
                role: roles::shown_name(self.role()).ok_or(Error::NoIdentity)?,
                standing,
            }),
            // Under a gateway a role is everybody's.
            (None, Standing::Gateway | Standing::ForeignRole) => Err(Error::NoIdentity),
            (None, Standing::NotListed | Standing::NotRecorded) => self.own_identity(),
        }
    }

    /// The identity of a role that stands for itself. A name that is not UTF-8 cannot be told from others like it.
    fn own_identity(&self) -> Result<String, Error> {
        let name = roles::name_bytes(self.role())
            .and_then(|name| String::from_utf8(name).ok())
            .ok_or(Error::NoIdentity)?;
        if direct::is_another(self, &name)? {
            Err(Error::AnotherRole { name })
        } else {
            Ok(format!("role:{name}"))
        }
    }
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
