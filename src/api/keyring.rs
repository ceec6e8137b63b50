//! The operator's hand on the keyring.

use hftok_core::audit::event::{Kind, Object};
use serde_json::json;

use crate::audit;
use crate::keys;
use crate::keys::state::State;
use crate::pg::entry::entry;
use crate::pg::key_pages;

entry! {
    /// Forgets all keys, now and over a restart.
    fn seal() -> () {
        keys::seal()?;
        audit::record(Kind::Key, "done", Object::default())
    }

    /// Reads the keyring again, also when not sealed.
    fn read_keyring() -> () {
        keys::unseal()?;
        audit::record(Kind::Key, "done", Object::default())
    }

    /// The state of the keyring as JSON: open or not and why not, ids and fingerprints. Never a key, a path or a
    /// command. About this moment: nothing is waited for.
    fn keyring_state() -> String {
        let state = keys::state();
        let reason = match state {
            State::Open { trouble } => trouble.map(|reason| reason.text()),
            State::Loading => Some(keys::state::Reason::Loading.text()),
            State::Sealed(reason) => Some(reason.text()),
        };
        let keys: Vec<_> = key_pages::look(|_, pages| {
            pages.keyring.iter().map(|key| json!({"id": key.id().get(), "fingerprint": key.fingerprint().to_string()})).collect()
        })
        .unwrap_or_default();
        Ok(json!({
            "open": matches!(state, State::Open { .. }),
            "reason": reason,
            "primary": keys.last().map(|key| key["id"].clone()),
            "keys": keys,
        })
        .to_string())
    }
}
