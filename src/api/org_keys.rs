//! Data keys of organisations, for those who run the server, and for the organisation's owners.

use hftok_core::audit::event::{Kind, Object};
use hftok_core::binding::Scope;
use hftok_core::data_key::DataKeyId;

use super::input::required;
use super::owner::identifier;
use crate::audit::changes;
use crate::error::{self, Error};
use crate::keys::org_keys::{self, Given};
use crate::pg::call::entry::export;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::store::members::{self, Role};
use crate::store::{org_values, owner_lock, rotations};

export!(give_org_key, seal_org, unseal_org, destroy_org_key);

/// The complaint when an organisation is to be named.
const NO_ORG: &str = "p_org_id must not be null";

/// Gives an organisation a data key of its own, and seals all that it has with it. One that has such a key, and is to hold a key itself
/// that wraps it, is given another one.
fn give_org_key(p_org_id: Option<&str>, p_own: Option<bool>) -> Result<i32, Error> {
    let org = identifier(required(p_org_id, NO_ORG)?)?;
    let is_by_org = required(p_own, "p_own must not be null")?;
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    org_keys::begin()?;
    owner_lock::lock(Scope::Org, &org)?;
    let id = match org_keys::give(&org, is_by_org)? {
        Given::New(id) => {
            org_values::seal_anew(&org)?;
            id
        }
        // In the background, as for every rotation.
        Given::Had { is_by_org: false } if is_by_org => rotations::rotate(&org, true, None)?,
        Given::Had { .. } => return Err(Error::OrgHasKey { org }),
    };
    record("give_org_key", &org, Some(id))?;
    Ok(id.get())
}

/// Keeps an organisation's values from being opened.
fn seal_org(p_org_id: Option<&str>) -> Result<(), Error> {
    set_shut(p_org_id, true)
}

/// Lets them be opened again.
fn unseal_org(p_org_id: Option<&str>) -> Result<(), Error> {
    set_shut(p_org_id, false)
}

/// Destroys the keys of an organisation that is forgotten, in the same transaction.
fn destroy_org_key(p_org_id: Option<&str>) -> Result<(), Error> {
    let org = required(p_org_id, NO_ORG)?;
    if org_keys::destroy(org)? { record("destroy_org_key", org, None) } else { Ok(()) }
}

/// Does it for the operator, or for an owner of the organisation.
fn set_shut(org: Option<&str>, is_shut: bool) -> Result<(), Error> {
    let org = identifier(required(org, NO_ORG)?)?;
    let caller = Caller::current();
    let user = if caller.is_in("hftok_admin") { None } else { Some(caller.identity()?) };
    let _owner = AsOwner::switch(&caller)?;
    match user.map(|user| members::role(&org, &user)).transpose()? {
        None | Some(Some(Role::Owner)) => {}
        Some(Some(_)) => {
            return Err(Error::NotAllowed("only owners of an organisation seal and unseal it"));
        }
        Some(None) => return Err(Error::NotFound(error::Object::Owner)),
    }
    // Without the lock on the owner: nobody who is saving for the organisation keeps its owners from stopping it.
    if !org_keys::set_shut(&org, is_shut)? {
        return Err(Error::BadInput("this organisation has no data key of its own: see give_org_key()"));
    }
    record(if is_shut { "seal_org" } else { "unseal_org" }, &org, None)
}

/// Records what was done with an organisation's key.
fn record(action: &str, org: &str, id: Option<DataKeyId>) -> Result<(), Error> {
    let object = Object { version: id.map(DataKeyId::get), ..Object::owned(Scope::Org.as_str(), org, "") };
    changes::record_as(Kind::Key, action, 1, object)
}
