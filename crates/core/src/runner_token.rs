//! Runner tokens: what a worker shows in order to be given the environment that its token stands for.
//!
//! What must stay true: a token has 256 bits of randomness and is stored as its SHA-256 only, so that a slow hash would add
//! nothing, and nobody who reads the table can show one.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::plaintext::Plaintext;
use crate::{NoRandomness, fill_random};

/// What every token begins with: people and scanners of leaked secrets recognise it by that.
pub const PREFIX: &str = "hftok_runner_";

/// The length of a token: the prefix, and 32 bytes in base64url without padding.
const LENGTH: usize = PREFIX.len() + 43;

/// SHA-256 of a token, as it is stored.
pub type TokenHash = [u8; 32];

/// Draws a token.
pub fn draw() -> Result<(Plaintext, TokenHash), NoRandomness> {
    let mut random = Zeroizing::new([0; 32]);
    fill_random(random.as_mut_slice())?;
    let mut letters = Zeroizing::new([0; 43]);
    let mut token = Zeroizing::new(Vec::with_capacity(LENGTH));
    token.extend_from_slice(PREFIX.as_bytes());
    // 43 letters are exactly what 32 bytes need.
    if let Ok(text) = Base64UrlUnpadded::encode(random.as_slice(), letters.as_mut_slice()) {
        token.extend_from_slice(text.as_bytes());
    }
    let hash = Sha256::digest(token.as_slice()).into();
    Ok((Plaintext::new(token), hash))
}

/// The hash of what is shown as a token; `None` for what cannot be one.
pub fn hash_of(shown: &str) -> Option<TokenHash> {
    let letters = shown.strip_prefix(PREFIX)?;
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_token = shown.len() == LENGTH && letters.bytes().all(is_letter);
    is_token.then(|| Sha256::digest(shown.as_bytes()).into())
}

/// A text that is another one when what a runner would be given is: a hash over the facts that decide it.
pub fn state_of(facts: &str) -> String {
    crate::hex(&Sha256::digest(facts.as_bytes()))
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may fail")]
mod tests {
    use super::{LENGTH, draw, hash_of};

    #[test]
    fn a_token_is_known_by_its_hash_and_no_two_are_alike() {
        let (token, hash) = draw().expect("randomness");
        let shown = str::from_utf8(token.expose()).expect("text");
        assert_eq!(shown.len(), LENGTH);
        assert_eq!(hash_of(shown), Some(hash));
        let (_, other) = draw().expect("randomness");
        assert_ne!(hash, other);
    }

    #[test]
    fn what_has_not_the_form_of_a_token_is_none() {
        let letters = "A".repeat(43);
        assert!(hash_of(&format!("hftok_runner_{letters}")).is_some());
        for wrong in [
            String::new(),
            format!("hftok_runner_{letters}A"),
            format!("hftok_runner_{}", &letters[1..]),
            format!("HFTOK_runner_{letters}"),
            format!("hftok_runner_{}=", &letters[1..]),
            format!("hftok_runner_{} ", &letters[1..]),
        ] {
            assert!(hash_of(&wrong).is_none(), "{wrong}");
        }
    }
}
