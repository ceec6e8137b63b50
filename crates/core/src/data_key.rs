//! Data keys: they seal values and fingerprint them. Made by hftok, stored wrapped by a root key, never shown.
//!
//! What must stay true: a key made for one purpose cannot be used for another (each use has a type), and a key is
//! plain bytes that are filled in and wiped where they lie, so that it can lie in shared memory and leaves no copy on
//! a stack. For the same reason no expanded cipher is kept. A cipher has one of two forms, AES-NI or portable, and
//! RustCrypto remembers for each process which form it is. A process that has not yet asked reads one form as the other,
//! and seals values that nobody can open.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use xaes_256_gcm::Xaes256Gcm;
use zeroize::{Zeroize, Zeroizing};

use crate::audit::checkpoint::CheckpointKey;
use crate::audit::mac::AuditKey;
use crate::binding::Context;
use crate::envelope::{self, Envelope, FORMAT, OpenError, SealError};
use crate::identity::{Identity, NOBODY};
use crate::plaintext::{Plaintext, PlaintextRef};
use crate::trace::without_trace;
use crate::{NoRandomness, fill_random, random};

/// The id of a data key: random, positive, never used again in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DataKeyId(i32);

impl DataKeyId {
    /// The id of an empty place.
    pub(crate) const NONE: Self = Self(0);

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

    /// The place in a table of `size` places at which a search for this id begins. Ids are random, so they scatter by
    /// themselves.
    pub fn place(self, size: usize) -> usize {
        usize::try_from(self.0).unwrap_or_default() % size.max(1)
    }

    /// As it is stored in an envelope.
    pub(crate) fn to_u32(self) -> u32 {
        self.0.unsigned_abs()
    }
}

/// The purpose of a data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Sealing values.
    Values,
    /// Recognising a value without opening anything.
    Fingerprints,
    /// Protecting what the audit keeps in tables.
    Audit,
    /// Signing the audit's checkpoints.
    Checkpoints,
}

impl Purpose {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Values => "values",
            Self::Fingerprints => "fingerprints",
            Self::Audit => "audit",
            Self::Checkpoints => "checkpoints",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "values" => Some(Self::Values),
            "fingerprints" => Some(Self::Fingerprints),
            "audit" => Some(Self::Audit),
            "checkpoints" => Some(Self::Checkpoints),
            _ => None,
        }
    }
}

/// A data key, unwrapped.
pub struct DataKey {
    /// Stands in front of each value that is sealed with it.
    pub(crate) id: DataKeyId,
    /// Each key serves one purpose: `for_…` hands out nothing for another.
    pub(crate) purpose: Purpose,
    /// The database that it was unwrapped for.
    pub(crate) identity: Identity,
    /// Wiped on drop; never copied out of the pages but into the registers of the cipher.
    pub(crate) bytes: [u8; 32],
}

impl DataKey {
    /// A place for a key.
    pub const EMPTY: Self =
        Self { id: DataKeyId::NONE, purpose: Purpose::Values, identity: NOBODY, bytes: [0; 32] };

    /// Draws a new key.
    pub fn random(id: DataKeyId, purpose: Purpose) -> Result<Box<Self>, NoRandomness> {
        let mut key = Box::new(Self { id, purpose, ..Self::EMPTY });
        fill_random(&mut key.bytes)?;
        Ok(key)
    }

    /// Fills a place with an unwrapped key.
    pub(crate) fn fill(
        &mut self,
        id: DataKeyId,
        purpose: Purpose,
        identity: &Identity,
        bytes: &[u8],
    ) -> Result<(), OpenError> {
        if bytes.len() != self.bytes.len() {
            return Err(OpenError::Malformed);
        }
        self.bytes.copy_from_slice(bytes);
        (self.id, self.purpose, self.identity) = (id, purpose, *identity);
        Ok(())
    }

    /// Fills another place with the same key.
    pub(crate) fn copy_to(&self, other: &mut Self) {
        other.bytes.copy_from_slice(&self.bytes);
        (other.id, other.purpose, other.identity) = (self.id, self.purpose, self.identity);
    }

    /// The key's id; that of an empty place is no key's.
    pub fn id(&self) -> DataKeyId {
        self.id
    }

    /// The identity of the database that it was unwrapped for; nobody's, for one that was just drawn.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The key, if it is one for values.
    pub fn for_values(&self) -> Option<ValueKey<'_>> {
        (self.purpose == Purpose::Values).then_some(ValueKey(self))
    }

    /// The key, if it is one for fingerprints.
    pub fn for_fingerprints(&self) -> Option<FingerprintKey<'_>> {
        (self.purpose == Purpose::Fingerprints).then_some(FingerprintKey(self))
    }

    /// The key, if it is one for the audit.
    pub fn for_audit(&self) -> Option<AuditKey<'_>> {
        (self.purpose == Purpose::Audit).then(|| AuditKey::new(self))
    }

    /// The key, if it is one for checkpoints.
    pub fn for_checkpoints(&self) -> Option<CheckpointKey<'_>> {
        (self.purpose == Purpose::Checkpoints).then_some(CheckpointKey(self))
    }
}

/// A key that seals values and opens them.
pub struct ValueKey<'a>(&'a DataKey);

impl ValueKey<'_> {
    /// Seals a value and binds it to its context.
    pub fn seal(&self, value: &PlaintextRef<'_>, context: &Context<'_>) -> Result<Vec<u8>, SealError> {
        let id = self.0.id.to_u32();
        let associated = context.associated_data(FORMAT, id);
        without_trace(|| envelope::seal(&self.cipher(), id, value, &associated))
    }

    /// Opens a value where it belongs, and nowhere else.
    pub fn open(&self, envelope: &Envelope<'_>, context: &Context<'_>) -> Result<Plaintext, OpenError> {
        let id = self.0.id.to_u32();
        if envelope.key_id() != id {
            return Err(OpenError::Refused);
        }
        let associated = context.associated_data(FORMAT, id);
        without_trace(|| envelope.open(&self.cipher(), &associated))
    }

    /// Made for each use, and wiped after it.
    fn cipher(&self) -> Xaes256Gcm {
        Xaes256Gcm::new((&self.0.bytes).into())
    }
}

/// A key that turns a value into a fingerprint, equal for equal values, useless without the key.
pub struct FingerprintKey<'a>(&'a DataKey);

/// The id of the key that made the fingerprint, then half of an HMAC-SHA256.
pub type Fingerprint = [u8; 20];

impl FingerprintKey<'_> {
    /// The fingerprint of a value.
    pub fn fingerprint(&self, value: &PlaintextRef<'_>) -> Fingerprint {
        let mac = without_trace(|| hmac(&self.0.bytes, value.expose()));
        let mut fingerprint = Fingerprint::default();
        fingerprint[..4].copy_from_slice(&self.0.id.to_u32().to_be_bytes());
        fingerprint[4..].copy_from_slice(&mac[..16]);
        fingerprint
    }

    /// Whether a stored fingerprint is that of the value.
    pub fn fits(&self, stored: &[u8], value: &PlaintextRef<'_>) -> bool {
        self.fingerprint(value).ct_eq(stored).into()
    }
}

/// HMAC-SHA-256 whose padded key is wiped.
pub(crate) fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // HMAC takes a key as long as the hash's block; a shorter one counts as filled up with zeroes.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    <Hmac<Sha256> as KeyInit>::new((&*block).into()).chain_update(message).finalize().into_bytes().into()
}

impl Drop for DataKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({}, ..)", self.id.0)
    }
}
