//! Root keys: they come from outside the database and only wrap data keys.

use std::fmt;

use aes_gcm::aead::KeyInit;
use subtle::ConstantTimeEq;
use xaes_256_gcm::Xaes256Gcm;
use zeroize::Zeroize;

use crate::canonical::Canonical;
use crate::data_key::{DataKey, DataKeyId, Purpose, hmac};
use crate::envelope::{self, Envelope, FORMAT, OpenError, SealError};
use crate::identity::Identity;
use crate::org_key::OrgWrap;
use crate::plaintext::{Plaintext, PlaintextRef};
use crate::trace::without_trace;

/// The number a root key goes by in the keyring: 1 to 2^31-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RootKeyId(i32);

impl RootKeyId {
    /// A number that can be a root key's id.
    pub fn new(id: i32) -> Option<Self> {
        (id > 0).then_some(Self(id))
    }

    /// As it is stored in a column.
    pub fn get(self) -> i32 {
        self.0
    }

    /// For formats that store numbers without a sign. A number read from a keyring is never negative.
    fn to_u32(self) -> u32 {
        self.0.unsigned_abs()
    }
}

/// Recognises a root key without revealing it, so that a wrong one is noticed before anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootFingerprint([u8; 8]);

impl RootFingerprint {
    /// As it is stored.
    pub fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// Reads a stored fingerprint.
    pub fn of_stored(stored: &[u8]) -> Option<Self> {
        stored.try_into().ok().map(Self)
    }

    /// Whether this is the key that a stored fingerprint means.
    pub fn fits(&self, stored: &[u8]) -> bool {
        self.0.as_slice().ct_eq(stored).into()
    }
}

impl fmt::Display for RootFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::hex(&self.0))
    }
}

/// A key that wraps data keys. Plain bytes that are filled in and wiped where they lie.
pub struct RootKey {
    /// Stands beside each data key that it wraps.
    pub(crate) id: RootKeyId,
    /// Wiped on drop.
    pub(crate) bytes: [u8; 32],
}

impl RootKey {
    /// The place of a key before one is loaded.
    pub(crate) const EMPTY: Self = Self { id: RootKeyId(0), bytes: [0; 32] };

    /// The key's number.
    pub fn id(&self) -> RootKeyId {
        self.id
    }

    /// The fingerprint that the key is recognised by.
    pub fn fingerprint(&self) -> RootFingerprint {
        let mac = without_trace(|| hmac(&self.bytes, b"hftok:root-fingerprint"));
        let mut fingerprint = [0; 8];
        fingerprint.copy_from_slice(&mac[..8]);
        RootFingerprint(fingerprint)
    }

    /// Wraps a data key, bound to its id, its purpose, its owner and a database.
    pub fn wrap(&self, key: &DataKey, org: &str, database: &Identity) -> Result<Vec<u8>, SealError> {
        self.seal(&key.bytes, &self.associated_data(key.id, key.purpose, org, database))
    }

    /// Wraps a data key of an organisation that a key of its own has wrapped already.
    pub fn wrap_again(
        &self,
        wrap: &OrgWrap,
        id: DataKeyId,
        org: &str,
        database: &Identity,
    ) -> Result<Vec<u8>, SealError> {
        self.seal(wrap.as_bytes(), &self.associated_data(id, Purpose::Values, org, database))
    }

    /// Unwraps a data key that was wrapped by this key, for this id, purpose, owner and database, into the place where it is to lie.
    pub fn unwrap(
        &self,
        wrapped: &[u8],
        id: DataKeyId,
        purpose: Purpose,
        org: &str,
        database: &Identity,
        place: &mut DataKey,
    ) -> Result<(), OpenError> {
        let opened = self.open(wrapped, &self.associated_data(id, purpose, org, database))?;
        place.fill(id, purpose, database, opened.expose())
    }

    /// Unwraps a data key of an organisation that a key of its own has wrapped too: what is left is for that key.
    pub fn unwrap_again(
        &self,
        wrapped: &[u8],
        id: DataKeyId,
        org: &str,
        database: &Identity,
    ) -> Result<OrgWrap, OpenError> {
        let opened = self.open(wrapped, &self.associated_data(id, Purpose::Values, org, database))?;
        OrgWrap::parse(opened.expose()).ok_or(OpenError::Malformed)
    }

    /// Seals bytes of a key.
    pub(crate) fn seal(&self, bytes: &[u8], associated: &[u8]) -> Result<Vec<u8>, SealError> {
        let bytes = PlaintextRef::from_bytes(bytes);
        without_trace(|| envelope::seal(&self.cipher(), self.id.to_u32(), &bytes, associated))
    }

    /// Opens what this key has sealed.
    pub(crate) fn open(&self, sealed: &[u8], associated: &[u8]) -> Result<Plaintext, OpenError> {
        let envelope = Envelope::parse(sealed)?;
        if envelope.key_id() != self.id.to_u32() {
            return Err(OpenError::Refused);
        }
        without_trace(|| envelope.open(&self.cipher(), associated))
    }

    /// Whether an envelope says that this key has sealed it.
    pub(crate) fn has_sealed(&self, sealed: &[u8]) -> bool {
        Envelope::parse(sealed).is_ok_and(|envelope| envelope.key_id() == self.id.to_u32())
    }

    /// Made for each use, and wiped after it.
    fn cipher(&self) -> Xaes256Gcm {
        Xaes256Gcm::new((&self.bytes).into())
    }

    /// A wrapped key opens only under its own number, purpose, owner and database: rows cannot be exchanged. The owner is an
    /// organisation, or empty for the installation.
    fn associated_data(&self, id: DataKeyId, purpose: Purpose, org: &str, database: &Identity) -> Vec<u8> {
        Canonical::new("hftok:data-key")
            .byte(FORMAT)
            .u32(self.id.to_u32())
            .u32(id.to_u32())
            .field(purpose.as_str())
            .field(org)
            .fixed(database)
            .finish()
    }
}

impl Drop for RootKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey({}, ..)", self.id.0)
    }
}
