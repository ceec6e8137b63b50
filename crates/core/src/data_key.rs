//! Data keys: they seal values and fingerprint them. Made by hftok, stored wrapped by a root key, never shown.
//!
//! What must stay true: a key made for one purpose cannot be used for another (each purpose has a type), and all
//! types here are plain bytes, so that they may lie in shared memory and be wiped there. That is why no expanded
//! cipher is kept: which of its two forms it is in, AES-NI or portable, RustCrypto remembers for each process, and
//! a process that has not yet asked reads the one as the other and seals what nobody can open.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use xaes_256_gcm::Xaes256Gcm;
use zeroize::Zeroizing;

use crate::binding::Context;
use crate::envelope::{self, Envelope, FORMAT, OpenError, SealError};
use crate::plaintext::{Plaintext, PlaintextRef};
use crate::{NoRandomness, random};

/// The id of a data key: random, positive, never used again in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DataKeyId(i32);

impl DataKeyId {
    /// Draws an id. Whether it is free is for the caller to check.
    pub fn random() -> Result<Self, NoRandomness> {
        // Cleared sign bit, and never zero.
        Ok(Self((i32::from_be_bytes(random()?) & i32::MAX).max(1)))
    }

    /// An id as it is stored, if it can be one.
    pub fn new(id: i32) -> Option<Self> {
        (id > 0).then_some(Self(id))
    }

    /// The id of the key that sealed a value.
    pub fn of(envelope: &Envelope<'_>) -> Option<Self> {
        i32::try_from(envelope.key_id()).ok().and_then(Self::new)
    }

    /// As it is stored in a column.
    pub fn get(self) -> i32 {
        self.0
    }

    /// Where a table of `size` places begins to look for this id, which is random and so scatters by itself.
    pub fn place(self, size: usize) -> usize {
        usize::try_from(self.0).unwrap_or_default() % size.max(1)
    }

    /// As it is stored in an envelope.
    pub(crate) fn to_u32(self) -> u32 {
        self.0.unsigned_abs()
    }
}

/// What a data key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Sealing values.
    Values,
    /// Recognising a value without opening anything.
    Fingerprints,
}

impl Purpose {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Values => "values",
            Self::Fingerprints => "fingerprints",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "values" => Some(Self::Values),
            "fingerprints" => Some(Self::Fingerprints),
            _ => None,
        }
    }
}

/// The 256 bits of a data key before they are put to a purpose: what a root key wraps.
pub struct KeyMaterial(pub(crate) Zeroizing<[u8; 32]>);

impl KeyMaterial {
    /// Draws a new key.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| NoRandomness)?;
        Ok(Self(bytes))
    }
}

/// A data key ready for use.
pub enum DataKey {
    /// Seals and opens.
    Values(ValueKey),
    /// Fingerprints.
    Fingerprints(FingerprintKey),
}

impl DataKey {
    /// Puts key material to its purpose.
    pub fn new(id: DataKeyId, purpose: Purpose, material: &KeyMaterial) -> Self {
        let bytes = Zeroizing::new(*material.0);
        match purpose {
            Purpose::Values => Self::Values(ValueKey { id, bytes }),
            Purpose::Fingerprints => Self::Fingerprints(FingerprintKey { id, bytes }),
        }
    }

    /// The key's id.
    pub fn id(&self) -> DataKeyId {
        match self {
            Self::Values(key) => key.id,
            Self::Fingerprints(key) => key.id,
        }
    }
}

/// A key that seals values and opens them.
pub struct ValueKey {
    id: DataKeyId,
    bytes: Zeroizing<[u8; 32]>,
}

impl ValueKey {
    /// Seals a value and binds it to its context.
    pub fn seal(&self, value: &PlaintextRef<'_>, context: &Context<'_>) -> Result<Vec<u8>, SealError> {
        let id = self.id.to_u32();
        envelope::seal(&self.cipher(), id, value, &context.associated_data(FORMAT, id))
    }

    /// Opens a value where it belongs, and nowhere else.
    pub fn open(&self, envelope: &Envelope<'_>, context: &Context<'_>) -> Result<Plaintext, OpenError> {
        if envelope.key_id() != self.id.to_u32() {
            return Err(OpenError::Refused);
        }
        envelope.open(&self.cipher(), &context.associated_data(FORMAT, self.id.to_u32()))
    }

    fn cipher(&self) -> Xaes256Gcm {
        Xaes256Gcm::new((&*self.bytes).into())
    }
}

/// A key that turns a value into a fingerprint, equal for equal values, useless without the key.
pub struct FingerprintKey {
    id: DataKeyId,
    bytes: Zeroizing<[u8; 32]>,
}

/// Which key made it, then half of an HMAC-SHA256.
pub type Fingerprint = [u8; 20];

impl FingerprintKey {
    /// The fingerprint of a value.
    pub fn fingerprint(&self, value: &PlaintextRef<'_>) -> Fingerprint {
        let mac = hmac(&self.bytes, value.expose());
        let mut fingerprint = Fingerprint::default();
        fingerprint[..4].copy_from_slice(&self.id.to_u32().to_be_bytes());
        fingerprint[4..].copy_from_slice(&mac[..16]);
        fingerprint
    }

    /// Whether a stored fingerprint is that of the value.
    pub fn fits(&self, stored: &[u8], value: &PlaintextRef<'_>) -> bool {
        self.fingerprint(value).ct_eq(stored).into()
    }
}

pub(crate) fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // HMAC takes a key as long as the hash's block; a shorter one counts as filled up with zeroes.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    <Hmac<Sha256> as KeyInit>::new((&*block).into()).chain_update(message).finalize().into_bytes().into()
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMaterial(..)")
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({}, ..)", self.id().get())
    }
}
