//! What a backend passes on of an upstream's words.

use hftok_core::remark::without_credentials;

use crate::error::Error;
use crate::keys::{self, state::State};
use crate::store::providers;
use crate::store::secrets::Secret;

/// The words as they may be kept: upstreams quote the key that they refuse. The credential they are about is looked for by its
/// value where it opens, and by its shape also while hftok is sealed.
pub fn said(
    words: Option<&str>,
    about: impl FnOnce() -> Result<Option<Secret>, Error>,
) -> Result<Option<String>, Error> {
    let Some(words) = words.filter(|words| !words.is_empty()) else { return Ok(words.map(str::to_owned)) };
    let found = match keys::state() {
        // Whatever is wrong with it is for others to tell.
        State::Open { .. } => about().ok().flatten(),
        _ => None,
    };
    let Some(found) = found else { return Ok(Some(without_credentials(words, None))) };
    let provider = providers::find(&found.row.provider).ok();
    Ok(Some(match found.row.open() {
        Ok(value) => without_credentials(words, Some((&value.as_ref(), provider.as_deref()))),
        Err(_) => without_credentials(words, None),
    }))
}
