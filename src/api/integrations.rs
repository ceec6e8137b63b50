//! Integrations: the credentials that users bring for an application's connections. Read by the backend only.
//!
//! What must stay true: an end user is always who the JWT says, whatever `p_user_id` says; a backend that names a user
//! reaches what is theirs or shared with them, and nothing else; what is not reached is answered like what is not there.

use hftok_core::binding::{Binding, Scope};
use hftok_core::plaintext::Plaintext;
use hftok_core::provider::merge;
use pgrx::JsonB;
use pgrx::datum::Uuid;

use super::input::{admit_plaintext, required, reserved, secret};
use super::owner::{Actor, identifier};
use super::reveal::RevealedText;
use crate::error::{Error, Object};
use crate::pg::caller::Caller;
use crate::pg::entry::entry;
use crate::pg::owner::AsOwner;
use crate::store::integrations::{self, Integration};
use crate::store::secrets::Secret;
use crate::store::{owners, providers};

entry! {
    /// Makes an integration with its credentials.
    fn create_integration(
        p_name: &str,
        p_type: &str,
        p_credentials: &str,
        p_config: JsonB,
        p_user_id: &str,
    ) -> Uuid {
        admit_plaintext()?;
        let caller = Caller::current();
        let user = acting_user(&caller, p_user_id)?
            .ok_or(Error::BadInput("p_user_id must name the owner: the caller is no user"))?;
        let name = required(p_name.filter(|name| !name.is_empty()), "p_name must not be null or empty")?;
        let kind = required(p_type, "p_type must not be null")?;
        let given = required(p_credentials, "p_credentials must not be null")?;
        let _owner = AsOwner::switch(&caller)?;
        let provider = providers::find(kind)?;
        let checked = provider.check_document(given, &providers::all()?).map_err(Error::Rejected)?;
        let binding =
            Binding { scope: Scope::Integration, scope_id: &user, provider: kind, model: "", name: "" };
        let mut new = Secret::new(&binding)?;
        new.warnings = checked.warnings.iter().map(ToString::to_string).collect();
        new.set_value(&secret(checked.value)?)?;
        if !new.insert()? {
            return Err(Error::Internal("a new integration's binding is taken"));
        }
        integrations::insert(&user, name, kind, p_config, new.row.id)
    }

    /// The credentials as JSON text: an object as it was given, a key as a JSON string.
    fn integration_credentials(p_integration_id: Uuid, p_user_id: &str, p_recipient: &str) -> RevealedText {
        admit_plaintext()?;
        reserved(p_recipient, "p_recipient is reserved: values cannot be sealed to a recipient yet")?;
        let user = p_user_id.map(identifier).transpose()?;
        let reached = integrations::reach(required(p_integration_id, NO_ID)?, user.as_deref())?;
        let value = stored(&reached)?.row.open()?;
        Ok(RevealedText(as_json(&value)))
    }

    /// Changes what is given.
    fn update_integration(
        p_integration_id: Uuid,
        p_name: &str,
        p_config: JsonB,
        p_enabled: bool,
        p_user_id: &str,
    ) -> () {
        let caller = Caller::current();
        let user = acting_user(&caller, p_user_id)?;
        let _owner = AsOwner::switch(&caller)?;
        own(p_integration_id, user.as_deref())?.update(p_name, p_config, p_enabled)
    }

    /// Replaces the credentials. A field that holds the mask keeps what is stored.
    fn update_integration_credentials(p_integration_id: Uuid, p_credentials: &str, p_user_id: &str) -> () {
        admit_plaintext()?;
        let caller = Caller::current();
        let user = acting_user(&caller, p_user_id)?;
        let given = required(p_credentials, "p_credentials must not be null")?;
        let _owner = AsOwner::switch(&caller)?;
        let reached = own(p_integration_id, user.as_deref())?;
        let mut found = Secret::lock_id(reached.secret_id)?.ok_or(Error::NotFound(Object::Integration(reached.id)))?;
        let former = found.row.version;
        let before = found.row.open()?;
        let Some(merged) = merge(given, before.expose()) else { return Ok(()) };
        let provider = providers::find(&reached.provider)?;
        let checked = provider.check_document(&merged, &providers::all()?).map_err(Error::Rejected)?;
        found.warnings = checked.warnings.iter().map(ToString::to_string).collect();
        found.set_value(&secret(checked.value)?)?;
        found.update(former)?;
        reached.set_status("pending", None)
    }

    /// Keeps what the backend found of the connection.
    fn update_integration_status(
        p_integration_id: Uuid,
        p_status: &str,
        p_error_message: &str,
        p_user_id: &str,
    ) -> () {
        let status = required(p_status, "p_status must not be null")?;
        if !["pending", "verifying", "connected", "error", "disabled"].contains(&status) {
            return Err(Error::BadInput("p_status must be pending, verifying, connected, error or disabled"));
        }
        let user = p_user_id.map(identifier).transpose()?;
        integrations::reach(required(p_integration_id, NO_ID)?, user.as_deref())?.set_status(status, p_error_message)
    }

    /// Deletes an integration with its credentials; says whether there was one that the caller may delete.
    fn delete_integration(p_integration_id: Uuid, p_user_id: &str) -> bool {
        let caller = Caller::current();
        let user = acting_user(&caller, p_user_id)?;
        let _owner = AsOwner::switch(&caller)?;
        match own(p_integration_id, user.as_deref()) {
            Ok(reached) => reached.delete(),
            Err(Error::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lets the members of an organisation use it.
    fn share_integration(p_integration_id: Uuid, p_org_id: &str, p_user_id: &str) -> () {
        let (caller, org) = (Caller::current(), identifier(required(p_org_id, "p_org_id must not be null")?)?);
        let user = acting_user(&caller, p_user_id)?;
        let _owner = AsOwner::switch(&caller)?;
        let reached = own(p_integration_id, user.as_deref())?;
        match user {
            Some(user) if owners::role(&org, &user)?.is_none() => Err(Error::NotFound(Object::Owner)),
            _ => reached.share(&org),
        }
    }

    /// No longer lets them.
    fn unshare_integration(p_integration_id: Uuid, p_org_id: &str, p_user_id: &str) -> () {
        let (caller, org) = (Caller::current(), identifier(required(p_org_id, "p_org_id must not be null")?)?);
        let user = acting_user(&caller, p_user_id)?;
        let _owner = AsOwner::switch(&caller)?;
        own(p_integration_id, user.as_deref())?.unshare(&org)
    }
}

const NO_ID: &str = "p_integration_id must not be null";

/// The user on whose behalf a call is made: the caller, or whom a backend names; nobody when it names none.
fn acting_user(caller: &Caller, named: Option<&str>) -> Result<Option<String>, Error> {
    match Actor::of(caller)? {
        Actor::User(own) => Ok(Some(own)),
        Actor::Trusted => named.map(identifier).transpose(),
    }
}

/// The integration, if it is the user's own: sharing it lets others use it, not change it.
fn own(id: Option<Uuid>, user: Option<&str>) -> Result<Integration, Error> {
    let reached = integrations::reach(required(id, NO_ID)?, user)?;
    if reached.is_own { Ok(reached) } else { Err(Error::NotFound(Object::Integration(reached.id))) }
}

fn stored(reached: &Integration) -> Result<Secret, Error> {
    Secret::find_id(reached.secret_id)?.ok_or(Error::NotFound(Object::Integration(reached.id)))
}

/// An object as it is, anything else as a JSON string.
fn as_json(value: &Plaintext) -> zeroize::Zeroizing<String> {
    let text = std::str::from_utf8(value.expose()).unwrap_or_default();
    if hftok_core::provider::members(text).is_some() {
        return zeroize::Zeroizing::new(text.to_owned());
    }
    zeroize::Zeroizing::new(serde_json::json!(text).to_string())
}
