//! The rules of hftok that need no database: how a secret is sealed and opened, what is sealed with it, how keys
//! wrap keys, how a value is recognised and shown without giving it away.
//!
//! Nothing here reads a file, a clock or a setting, and nothing here knows Postgres. The only thing taken from
//! outside is randomness. Layers, each built on the ones before it:
//!
//! | module | what it knows |
//! |---|---|
//! | [`plaintext`] | a secret in the clear: wiped when dropped, never printed |
//! | [`canonical`] | the one way in which fields become bytes before they are authenticated or hashed |
//! | [`envelope`] | the stored form: format, key id, nonce, ciphertext, tag |
//! | [`binding`] | who a secret belongs to and what it is for, and the hash that finds it |
//! | [`data_key`] | keys that seal values and fingerprint them |
//! | [`identity`] | which database keys and links belong to |
//! | [`root_key`], [`keyring`] | keys that only wrap data keys, and the file they come in |
//! | [`org_key`], [`org_questions`] | keys that organisations hold themselves, and asking for them |
//! | [`keyring_state`] | whether there are root keys, every reason why not, and what of a keyring is in use |
//! | [`audit`] | events, the chain that ties them together, the queue they wait in |
//! | [`walk`] | which credential a request may use |
//! | [`provider`] | what keys of which provider look like, and where they may be sent |
//! | [`preview`] | what may be shown of a secret |
//! | [`pace`] | how often something may be done |
//! | [`runner_token`] | what a worker shows in order to be given its environment |
//! | [`spread`] | how keys share a table that many processes look into |
//! | [`trace`] | work with keys, and what is cleared after it |
//! | [`visits`] | which database a worker is to visit, and when |
//! | [`remark`] | what others say of a credential, without it |
//!
//! The byte formats are written down in `docs/sealed-format.md`, exactly enough to open a value in another language.

pub mod audit;
pub mod binding;
pub mod canonical;
pub mod data_key;
pub mod envelope;
pub mod identity;
pub mod keyring;
pub mod keyring_state;
pub mod moving_in;
pub mod org_key;
pub mod org_questions;
pub mod pace;
pub mod plaintext;
pub mod preview;
pub mod provider;
pub mod remark;
pub mod root_key;
pub mod runner_token;
pub mod spread;
pub mod trace;
pub mod visits;
pub mod walk;

use rand::TryRng;
use rand::rngs::SysRng;

/// The operating system gave no random bytes. Nothing can be sealed without them, and nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

/// Fills a buffer with random bytes from the operating system.
///
/// Not from a generator that is seeded once: Postgres forks a process for each session, every one would have a copy of the
/// generator's state, and two sessions would draw the same nonce.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    SysRng.try_fill_bytes(bytes).map_err(|_| NoRandomness)
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    fill_random(&mut bytes)?;
    Ok(bytes)
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

/// Whether a text is a UUID in its usual form, in either case.
pub fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The bytes of a UUID, if it is one.
pub fn uuid(value: &str) -> Option<[u8; 16]> {
    let digits: String = is_uuid(value).then(|| value.chars().filter(|letter| *letter != '-').collect())?;
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}
