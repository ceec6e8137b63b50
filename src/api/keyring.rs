//! The operator's hand on the keyring.

use hftok_core::audit::event::{Kind, Object};
use hftok_core::keyring_state::State;
use serde_json::json;

use crate::audit::{self, adopt};
use crate::error::Error;
use crate::keys;
use crate::pg::call::entry::export;
use crate::pg::server::key_pages;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;

export!(seal, read_keyring, adopt_database, keyring_state);

/// Forgets all keys, now and over a restart.
fn seal() -> Result<(), Error> {
    keys::seal()?;
    audit::record(Kind::Key, "done", Object::default())
}

/// Reads the keyring again, also when not sealed.
fn read_keyring(p_replace: Option<bool>) -> Result<(), Error> {
    let insists = p_replace.unwrap_or(false);
    keys::unseal(insists)?;
    audit::record(Kind::Key, "done", Object { level: insists.then_some("replace"), ..Object::default() })
}

/// Makes a copy a database of its own.
fn adopt_database() -> Result<(), Error> {
    let caller = Caller::current();
    if !caller.is_superuser() {
        return Err(Error::NotAllowed("adopt_database() is for superusers"));
    }
    let _owner = AsOwner::switch(&caller)?;
    adopt::adopt()
}

/// The state of the keyring as JSON: open or not and why not, ids and fingerprints. Never a key, a path or a
/// command. About this moment: nothing is waited for.
fn keyring_state() -> Result<String, Error> {
    let state = keys::state();
    let reason = match state {
        State::Open { trouble } => trouble.map(|reason| reason.text()),
        State::Loading => Some(hftok_core::keyring_state::Reason::Loading.text()),
        State::Sealed(reason) => Some(reason.text()),
    };
    let (keys, installation, kept) = key_pages::look(|_, pages| {
        let keys = pages.keyring.iter();
        let keys =
            keys.map(|key| json!({"id": key.id().get(), "fingerprint": key.fingerprint().to_string()}));
        let name = pages.keyring.installation().as_str().to_owned();
        (keys.collect::<Vec<_>>(), name, pages.databases().count())
    })
    .unwrap_or_default();
    Ok(json!({
        "open": matches!(state, State::Open { .. }),
        "reason": reason,
        "primary": keys.last().map(|key| key["id"].clone()),
        "keys": keys,
        "installation": installation,
        "data_keys_kept": kept,
        "is_in_data_directory": keys::source::is_in_data_directory(),
    })
    .to_string())
}
