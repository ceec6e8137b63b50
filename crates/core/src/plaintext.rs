//! Secrets in the clear. Two types, because there are two places where one can be: in memory that somebody else
//! owns (an argument of the call that brings it), or in memory of ours (after opening).
//!
//! What must stay true: neither has `Display`, `Clone` or `Serialize`; `Debug` prints nothing of the value or its
//! length; memory of ours is wiped when it is dropped.

use std::fmt;

use zeroize::Zeroizing;

/// The character that stands for what is hidden of a secret.
pub const MASK: char = '•';

/// A secret on its way in, in memory that belongs to the caller.
pub struct PlaintextRef<'a>(&'a [u8]);

impl<'a> PlaintextRef<'a> {
    /// Marks text as a secret.
    pub fn new(text: &'a str) -> Self {
        Self(text.as_bytes())
    }

    /// Bytes that are text already, as the server handed them over.
    pub(crate) fn from_bytes(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes, for sealing, fingerprinting or comparing.
    pub fn expose(&self) -> &'a [u8] {
        self.0
    }
}

/// A secret that was opened, in memory that is wiped on drop.
pub struct Plaintext(Zeroizing<Vec<u8>>);

impl Plaintext {
    /// Takes a buffer over without copying it: a copy would be one more to wipe.
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The value of a variable of this process' environment, without white space around it, if there is one.
    pub fn of_environment(name: &str) -> Option<Self> {
        let value = Zeroizing::new(std::env::var(name).ok()?);
        let value = value.trim();
        (!value.is_empty()).then(|| Self(Zeroizing::new(value.as_bytes().to_vec())))
    }

    /// The bytes, for returning them to the caller.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The same secret on its way back in, for sealing it anew.
    pub fn as_ref(&self) -> PlaintextRef<'_> {
        PlaintextRef(&self.0)
    }
}

impl fmt::Debug for PlaintextRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlaintextRef(..)")
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plaintext(..)")
    }
}
