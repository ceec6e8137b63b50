//! Integrations: the credentials that users bring for an application's connections. Read by the backend only.
//!
//! What must stay true: an end user is always who the JWT says, whatever `p_user_id` says; a backend that names a user
//! reaches what is theirs, their organisations' or shared with them, and nothing else; what is not reached is answered like what is not there. A
//! backend names somebody, unless the operator allowed otherwise (`hftok.require_user`).

use std::ops::Deref;

use hftok_core::audit::event;
use hftok_core::binding::{Binding, Scope};
use hftok_core::plaintext::Plaintext;
use hftok_core::provider::{Checked, Provider, may_be_masked, merge};
use pgrx::datum::Uuid;

use zeroize::Zeroizing;

use super::input::{admit_plaintext, json_string, name, required, reserved, secret, short_json};
use super::owner::{Actor, identifier};
use super::remark::said;
use crate::audit::{self, reveals};
use crate::error::{Error, Object};
use crate::pg::call::entry::export;
use crate::pg::call::json::{self, Jsonb};
use crate::pg::call::statement;
use crate::pg::rows::new_row::Rival;
use crate::pg::server::guc::RequireUser;
use crate::pg::server::memory::copy_of_text;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::settings;
use crate::store::integrations::{self, Integration};
use crate::store::quotas::Counted;
use crate::store::secrets::Secret;
use crate::store::{members, owner_lock, providers};

export!(
    create_integration,
    integration_credentials,
    update_integration,
    update_integration_credentials,
    update_integration_status,
    delete_integration,
    share_integration,
    unshare_integration
);

/// Makes an integration of a user or an organisation, with its credentials.
fn create_integration(
    p_name: Option<&str>,
    p_type: Option<&str>,
    p_credentials: Option<&str>,
    p_config: Option<Jsonb>,
    p_user_id: Option<&str>,
    p_org_id: Option<&str>,
) -> Result<Uuid, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let org = p_org_id.map(identifier).transpose()?;
    let user = acting_user(&caller, p_user_id, org.is_some())?;
    let p_config = short_json(p_config, CONFIG)?;
    let name =
        required(Some(name(p_name)?).filter(|name| !name.is_empty()), "p_name must not be null or empty")?;
    let kind = required(p_type, "p_type must not be null")?;
    let given = required(p_credentials, "p_credentials must not be null")?;
    let _owner = AsOwner::switch(&caller)?;
    if let (Some(org), Some(user)) = (&org, &user) {
        admit_for_org(org, user, Error::NotFound(Object::Owner))?;
    }
    let (scope, owner) = match (org, user.clone()) {
        (Some(org), _) => (Scope::OrgIntegration, org),
        (None, user) => (Scope::Integration, required(user, NO_USER)?),
    };
    let provider = providers::to_save(kind)?;
    let checked = checked(&provider, given)?;
    let binding = Binding { scope, scope_id: &owner, provider: kind, model: "", name: "", slot: "" };
    let mut new = Secret::new(&binding)?;
    new.warnings = checked.warnings.iter().map(ToString::to_string).collect();
    let counted = Counted::to_save(scope, &owner)?;
    // Whoever waited may have been removed meanwhile, or the organisation forgotten.
    if let (Scope::OrgIntegration, Some(user)) = (scope, &user) {
        admit_for_org(&owner, user, Error::NotFound(Object::Owner))?;
    }
    counted.admit_secret()?;
    new.set_value(&secret(checked.value)?)?;
    counted.admit_bytes(new.row.size())?;
    if !new.insert(Rival::Unlikely)? {
        return Err(Error::Internal("a new integration's binding is taken"));
    }
    integrations::insert(scope, &owner, name, kind, p_config, new.row.id)
}

/// Fails unless a user may write what is an organisation's. `unseen` is the answer to those who are to see nothing of it.
fn admit_for_org(org: &str, user: &str, unseen: Error) -> Result<(), Error> {
    match members::role(org, user)? {
        Some(role) if role.may_write() => Ok(()),
        Some(_) => {
            Err(Error::NotAllowed("only owners and admins of an organisation change its integrations"))
        }
        None => Err(unseen),
    }
}

/// The credentials: an object as it was given, a key as a string.
fn integration_credentials(
    p_integration_id: Option<Uuid>,
    p_user_id: Option<&str>,
    p_recipient: Option<&str>,
) -> Result<Jsonb, Error> {
    admit_plaintext()?;
    reserved(p_recipient, "p_recipient is reserved: values cannot be sealed to a recipient yet")?;
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let user = named(p_user_id)?;
    let reached = integrations::reach(required(p_integration_id, NO_ID)?, user.as_deref())?;
    let found = reached.read_credentials()?;
    reached.admit_use()?;
    // What is described otherwise, or no longer, decides nothing here.
    if let Err(error @ Error::ProviderOff { .. }) = providers::in_use(&reached.provider) {
        return Err(error);
    }
    let value = found.row.open()?;
    let answer = json::parse(&as_json(&value)?).map_err(|error| match error {
        Error::NotJson => found.row.damaged(),
        error => error,
    })?;
    let secret = found.row.id.to_string();
    let told = event::Object { version: Some(found.row.version), subject: Some(&secret), ..reached.object() };
    reveals::record(told, user.as_deref())?;
    Ok(answer)
}

/// Changes what is given, all of it or nothing.
fn update_integration(
    p_integration_id: Option<Uuid>,
    p_name: Option<&str>,
    p_config: Option<Jsonb>,
    p_enabled: Option<bool>,
    p_user_id: Option<&str>,
    p_credentials: Option<&str>,
) -> Result<(), Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let user = user_of(&caller, p_user_id)?;
    let p_name = p_name.map(|new| name(Some(new))).transpose()?;
    if p_name.is_some_and(str::is_empty) {
        return Err(Error::BadInput("p_name must not be empty"));
    }
    let p_config = short_json(p_config, CONFIG)?;
    let is_only_credentials = p_name.is_none() && p_config.is_none() && p_enabled.is_none();
    let reached = match p_credentials {
        Some(given) => replace(p_integration_id, user.as_deref(), given)?,
        None => own(p_integration_id, user.as_deref())?,
    };
    if p_credentials.is_some() && is_only_credentials {
        return Ok(());
    }
    reached.update(p_name, p_config, p_enabled)
}

/// Replaces the credentials. A field that holds the mask keeps what is stored.
fn update_integration_credentials(
    p_integration_id: Option<Uuid>,
    p_credentials: Option<&str>,
    p_user_id: Option<&str>,
) -> Result<(), Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let given = required(p_credentials, "p_credentials must not be null")?;
    let _owner = AsOwner::switch(&caller)?;
    let user = user_of(&caller, p_user_id)?;
    replace(p_integration_id, user.as_deref(), given).map(|_| ())
}

/// Replaces the credentials of an integration that a user may change, unless they are the mask of those that are stored.
fn replace(id: Option<Uuid>, user: Option<&str>, given: &str) -> Result<Integration, Error> {
    let reached = own(id, user)?;
    let counted = Counted::to_save(reached.scope, &reached.owner)?;
    // Whoever waited may have been removed from the organisation meanwhile.
    own(id, user)?;
    let mut found = reached.credentials()?;
    let former = found.row.version;
    let merged;
    // The stored value is opened only where some of it is to stay, so that damaged credentials can be replaced.
    let given = if may_be_masked(given) && given != found.preview() {
        merged = merge(given, found.row.open()?.expose()).map_err(Error::Rejected)?;
        merged.as_ref().map(|merged| merged.as_str())
    } else {
        Some(given).filter(|given| *given != found.preview())
    };
    let Some(given) = given else { return Ok(reached) };
    let provider = providers::to_save(&reached.provider)?;
    let checked = checked(&provider, given)?;
    found.warnings = checked.warnings.iter().map(ToString::to_string).collect();
    found.set_value(&secret(checked.value)?)?;
    counted.admit_bytes(found.row.size())?;
    found.update(former)?;
    reached.renew()?;
    Ok(reached)
}

/// Keeps what the backend found of the connection, unless it is about credentials that are no longer the current ones.
fn update_integration_status(
    p_integration_id: Option<Uuid>,
    p_status: Option<&str>,
    p_error_message: Option<&str>,
    p_user_id: Option<&str>,
    p_version: Option<i32>,
) -> Result<(), Error> {
    let status = required(p_status, "p_status must not be null")?;
    if !["pending", "verifying", "connected", "error", "disabled"].contains(&status) {
        return Err(Error::BadInput("p_status must be pending, verifying, connected, error or disabled"));
    }
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let user = named(p_user_id)?;
    let reached = integrations::reach(required(p_integration_id, NO_ID)?, user.as_deref())?;
    // Locked until the status is kept, so that nobody replaces them in between.
    if let Some(version) = p_version
        && reached.credentials()?.row.version != version
    {
        return Ok(());
    }
    let message = said(p_error_message, || reached.read_credentials().map(Some))?;
    reached.set_status(status, message.as_deref())
}

/// Deletes an integration with its credentials; says whether there was one that the caller may delete.
fn delete_integration(p_integration_id: Option<Uuid>, p_user_id: Option<&str>) -> Result<bool, Error> {
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let reach = |user: Option<String>| {
        let reached = own(p_integration_id, user.as_deref())?;
        owner_lock::lock(reached.scope, &reached.owner)?;
        own(p_integration_id, user.as_deref())
    };
    match user_of(&caller, p_user_id).and_then(reach) {
        Ok(reached) => reached.delete(),
        // Answered, and yet a refusal.
        Err(error @ Error::NotFound(_)) => {
            audit::refused(&error);
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Lets the members of an organisation use it.
fn share_integration(
    p_integration_id: Option<Uuid>,
    p_org_id: Option<&str>,
    p_user_id: Option<&str>,
) -> Result<(), Error> {
    with_own(p_integration_id, p_org_id, p_user_id, |own, org| {
        if own.scope.is_of_org() {
            return Err(Error::NotAllowed(
                "an organisation's integration is for its own members, and shared with nobody",
            ));
        }
        // An owner who leaves meanwhile would not take along what is shared only then.
        owner_lock::lock(Scope::Org, org)?;
        match members::role(org, &own.owner)? {
            Some(_) => own.share(org),
            None => Err(Error::NotAllowed("the integration's owner does not belong to this organisation")),
        }
    })
}

/// No longer lets them.
fn unshare_integration(
    p_integration_id: Option<Uuid>,
    p_org_id: Option<&str>,
    p_user_id: Option<&str>,
) -> Result<(), Error> {
    with_own(p_integration_id, p_org_id, p_user_id, Integration::unshare)
}

/// Does something with an integration of the caller and an organisation.
fn with_own(
    id: Option<Uuid>,
    org: Option<&str>,
    user: Option<&str>,
    work: impl FnOnce(&Integration, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    let (caller, org) = (Caller::current(), identifier(required(org, "p_org_id must not be null")?)?);
    let _owner = AsOwner::switch(&caller)?;
    let user = user_of(&caller, user)?;
    work(&own(id, user.as_deref())?, &org)
}

/// Named in errors that a configuration raises.
const CONFIG: &str = "The configuration of an integration";
/// The complaint when no integration is named.
const NO_ID: &str = "p_integration_id must not be null";
/// The complaint when a backend names nobody.
const NO_USER: &str = "p_user_id must name the user on whose behalf this is done";

/// The user on whose behalf something is made: the caller, or whom a backend names. It must name somebody: a client that
/// leaves out what is undefined would otherwise reach everybody's. For an organisation it need not.
fn acting_user(caller: &Caller, named: Option<&str>, is_for_org: bool) -> Result<Option<String>, Error> {
    let user = match Actor::of(caller)? {
        Actor::User(own) => own,
        Actor::Trusted if named.is_none() && is_for_org => return Ok(None),
        Actor::Trusted => identifier(required(named, NO_USER)?)?,
    };
    statement::act_for(&user);
    Ok(Some(user))
}

/// The user on whose behalf something is done with an integration: the caller, or whom a backend names.
fn user_of(caller: &Caller, user: Option<&str>) -> Result<Option<String>, Error> {
    match Actor::of(caller)? {
        Actor::User(own) => {
            statement::act_for(&own);
            Ok(Some(own))
        }
        Actor::Trusted => named(user),
    }
}

/// The user that a backend names. With `hftok.require_user = never` it may name nobody, and reaches the integration as its owner
/// does; the audit then names no user, because nobody did.
pub fn named(user: Option<&str>) -> Result<Option<String>, Error> {
    if user.is_none() && settings::require_user() == RequireUser::Never {
        return Ok(None);
    }
    identifier(required(user, NO_USER)?).inspect(|user| statement::act_for(user)).map(Some)
}

/// The integration, if the user may change it: sharing it lets others use it, not change it. Without a user it is the backend that
/// changes it.
fn own(id: Option<Uuid>, user: Option<&str>) -> Result<Integration, Error> {
    let reached = integrations::reach(required(id, NO_ID)?, user)?;
    let Some(user) = user else { return Ok(reached) };
    let unseen = Error::NotFound(Object::Integration(reached.id));
    match reached.scope {
        Scope::OrgIntegration => admit_for_org(&reached.owner, user, unseen)?,
        _ if reached.owner == user => {}
        _ => return Err(unseen),
    }
    Ok(reached)
}

/// Credentials that can be a provider's, and that can be given back as JSON.
pub fn checked<'a>(provider: &Provider, given: &'a str) -> Result<Checked<'a>, Error> {
    let others = providers::usable()?;
    let checked = provider.check_document(given, others.iter().map(Deref::deref)).map_err(Error::Rejected)?;
    if checked.value.starts_with('{') {
        json::parse(checked.value)?;
    }
    Ok(checked)
}

/// An object as it is, anything else as a JSON string.
fn as_json(value: &Plaintext) -> Result<Zeroizing<String>, Error> {
    let text = std::str::from_utf8(value.expose()).unwrap_or_default();
    if text.starts_with('{') { Ok(Zeroizing::new(copy_of_text(text)?)) } else { json_string(text) }
}
