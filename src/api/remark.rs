//! The part of an upstream's words that a backend passes on.

use hftok_core::keyring_state::State;
use hftok_core::remark::without_credentials;

use crate::error::Error;
use crate::keys;
use crate::store::secrets::Secret;
use crate::store::{providers, versions};

/// The words as they may be kept: upstreams quote the key that they refuse. The credential they are about, and the one before it
/// because words come late, are looked for by their values where these open, and others by their shape, also while hftok is
/// sealed.
pub fn said(
    words: Option<&str>,
    about: impl FnOnce() -> Result<Option<Secret>, Error>,
) -> Result<Option<String>, Error> {
    let Some(words) = words.filter(|words| !words.is_empty()) else { return Ok(words.map(str::to_owned)) };
    let found = match keys::state() {
        // Other functions report what is wrong with the credential.
        State::Open { .. } => about().ok().flatten(),
        _ => None,
    };
    let Some(found) = found else { return Ok(Some(without_credentials(words, None))) };
    let provider = providers::find(&found.row.provider).ok();
    let before = versions::find(found.row.id, found.row.version - 1).ok();
    let mut kept = None::<String>;
    for row in [Some(found.row), before].into_iter().flatten() {
        if let Ok(value) = row.open() {
            let words = kept.as_deref().unwrap_or(words);
            kept = Some(without_credentials(words, Some((&value.as_ref(), provider.as_deref()))));
        }
    }
    Ok(Some(kept.unwrap_or_else(|| without_credentials(words, None))))
}
