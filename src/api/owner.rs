//! The actor of a call, and the owner of the credential that is meant.
//!
//! What must stay true: a service may name anybody, and then has that one's rights and no more; an end user is always
//! who the JWT says, and what is not theirs is answered like what is not there.

use hftok_core::binding::{Binding, Scope};

use crate::error::{Error, Object};
use crate::pg::who::caller::Caller;
use crate::pg::who::identity::canonical_id;
use crate::store::members;

/// The actor of a call.
pub enum Actor {
    /// The trusted backend or the operator: may write for whoever they name.
    Trusted,
    /// An end user, by their identity.
    User(String),
}

/// The owner of a credential.
pub struct Owner {
    /// The kind of owner.
    pub scope: Scope,
    /// The owner's id.
    pub id: String,
}

impl Actor {
    /// The actor behind a caller.
    pub fn of(caller: &Caller) -> Result<Self, Error> {
        if caller.is_in("hftok_service") || caller.is_in("hftok_admin") {
            return Ok(Self::Trusted);
        }
        Ok(Self::User(caller.identity()?))
    }
}

impl Owner {
    /// The owner that the three parameters name; the caller when they name none.
    pub fn named(
        caller: &Caller,
        user_id: Option<&str>,
        org_id: Option<&str>,
        global: Option<bool>,
    ) -> Result<Self, Error> {
        let (scope, id) = match (user_id, org_id, global.unwrap_or(false)) {
            (Some(id), None, false) => (Scope::User, identifier(id)?),
            (None, Some(id), false) => (Scope::Org, identifier(id)?),
            (None, None, true) => (Scope::Global, String::new()),
            (None, None, false) => {
                let nobody =
                    |_| Error::BadInput("name a user, an organisation or p_global: the caller is no user");
                (Scope::User, caller.identity().map_err(nobody)?)
            }
            _ => return Err(Error::BadInput("p_user_id, p_org_id and p_global exclude each other")),
        };
        Ok(Self { scope, id })
    }

    /// Whether it is a role of the database that calls by itself.
    pub fn is_role(&self) -> bool {
        self.scope == Scope::User && self.id.starts_with("role:")
    }

    /// Fails unless the actor may write this owner's credentials.
    pub fn admit_writer(&self, actor: &Actor) -> Result<(), Error> {
        let Actor::User(user) = actor else { return Ok(()) };
        match self.scope {
            Scope::User if self.id == *user => Ok(()),
            Scope::Org => match members::role(&self.id, user)? {
                Some(role) if role.may_write() => Ok(()),
                Some(_) => {
                    Err(Error::NotAllowed("only owners and admins of an organisation write its credentials"))
                }
                None => Err(Error::NotFound(Object::Owner)),
            },
            Scope::Global if members::is_administrator(user)? => Ok(()),
            Scope::Global => Err(Error::NotAllowed("only administrators write global credentials")),
            Scope::User | Scope::Vault | Scope::Integration | Scope::OrgIntegration => {
                Err(Error::NotFound(Object::Owner))
            }
        }
    }

    /// The binding of this owner's credential for a provider, and for a model if one is named.
    pub fn binding<'a>(&'a self, provider: &'a str, model: &'a str) -> Binding<'a> {
        Binding { scope: self.scope, scope_id: &self.id, provider, model, name: "", slot: "" }
    }
}

/// An identifier of a user or an organisation: text, not empty; a UUID in lower case.
pub fn identifier(id: &str) -> Result<String, Error> {
    if id.trim().is_empty() || id.len() > 1024 || id.chars().any(char::is_control) {
        return Err(Error::BadInput(
            "an identifier must not be blank, have control characters or more than 1024 bytes",
        ));
    }
    Ok(canonical_id(id))
}
