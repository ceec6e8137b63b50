//! Rotation of keys, for those who run the server.

use hftok_core::audit::event::{Kind, Object};
use hftok_core::keyring_state::State;
use hftok_core::root_key::RootKey;
use serde_json::{Value, json};

use super::owner::identifier;
use crate::audit::changes;
use crate::error::Error;
use crate::keys::{self, rotation};
use crate::pg::call::entry::export;
use crate::pg::server::{key_pages, visits};
use crate::pg::who::acl;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::pg::who::session;
use crate::store::rotations;

export!(rotate_root_key, rotate_data_key, loaded_root_keys, resealing_state);

/// Wraps every data key by the primary root key, and gives the number of those that another one wrapped.
fn rotate_root_key() -> Result<i32, Error> {
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let rewrapped = rotation::rewrap_all()?;
    let object = Object { version: Some(rewrapped.root), ..Object::default() };
    changes::record_as(Kind::Key, "rotate_root_key", 1, object)?;
    Ok(rewrapped.count)
}

/// Draws new data keys, of the installation or of an organisation, and gives the id of the one that seals values from now on.
fn rotate_data_key(p_org_id: Option<&str>) -> Result<i32, Error> {
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let org = p_org_id.map(identifier).transpose()?.unwrap_or_default();
    Ok(rotations::rotate(&org, false, None)?.get())
}

/// The state of what is done in the background, for the view that shows it.
fn resealing_state() -> Result<&'static str, Error> {
    if !acl::may_select_any(&Caller::current(), "hftok", "rotation_progress") {
        return Err(Error::NotAllowed(
            "rotations are told to those who were granted the view that shows them",
        ));
    }
    Ok(match keys::state() {
        State::Open { .. } if session::is_standby() => "standby",
        State::Open { .. } if visits::is_visited(session::database()) => "running",
        State::Open { .. } => "waiting",
        State::Loading | State::Sealed(_) => "sealed",
    })
}

/// The root keys of the keyring as JSON, by number and fingerprint, for the view that shows them.
fn loaded_root_keys() -> Result<String, Error> {
    if !acl::may_select_any(&Caller::current(), "hftok", "root_keys") {
        return Err(Error::NotAllowed(
            "root keys are told to those who were granted the view that shows them",
        ));
    }
    let keys = key_pages::look(|_, pages| {
        let primary = pages.keyring.primary().map(|key| key.id());
        let told = |key: &RootKey| {
            let fingerprint = key.fingerprint().to_string();
            json!({"id": key.id().get(), "fingerprint": fingerprint, "is_primary": Some(key.id()) == primary})
        };
        pages.keyring.iter().map(told).collect::<Vec<_>>()
    });
    Ok(Value::from(keys.unwrap_or_default()).to_string())
}
