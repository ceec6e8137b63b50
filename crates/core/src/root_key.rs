//! Root keys: they come from outside the database and only wrap data keys.

use std::fmt;

use aes_gcm::aead::KeyInit;
use subtle::ConstantTimeEq;
use xaes_256_gcm::Xaes256Gcm;
use zeroize::Zeroizing;

use crate::canonical::Canonical;
use crate::data_key::{DataKeyId, KeyMaterial, Purpose, hmac};
use crate::envelope::{self, Envelope, FORMAT, OpenError, SealError};
use crate::plaintext::PlaintextRef;

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

    fn to_u32(self) -> u32 {
        self.0.unsigned_abs()
    }
}

/// Recognises a root key without revealing it, so that a wrong one is noticed before anything is written.
#[derive(Clone, Copy)]
pub struct RootFingerprint([u8; 8]);

impl RootFingerprint {
    /// As it is stored.
    pub fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// Whether this is the key that a stored fingerprint means.
    pub fn fits(&self, stored: &[u8]) -> bool {
        self.0.as_slice().ct_eq(stored).into()
    }
}

impl fmt::Display for RootFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A key that wraps data keys. Plain memory without pointers: it may lie in shared memory and is wiped on drop.
pub struct RootKey {
    id: RootKeyId,
    bytes: Zeroizing<[u8; 32]>,
}

impl RootKey {
    /// A key as it was read from a keyring.
    pub fn new(id: RootKeyId, bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { id, bytes }
    }

    /// The key's number.
    pub fn id(&self) -> RootKeyId {
        self.id
    }

    /// What the key is recognised by.
    pub fn fingerprint(&self) -> RootFingerprint {
        let mac = hmac(&self.bytes, b"hftok:root-fingerprint");
        let mut fingerprint = [0; 8];
        fingerprint.copy_from_slice(&mac[..8]);
        RootFingerprint(fingerprint)
    }

    /// Wraps a data key, bound to its id and purpose.
    pub fn wrap(
        &self,
        material: &KeyMaterial,
        id: DataKeyId,
        purpose: Purpose,
    ) -> Result<Vec<u8>, SealError> {
        let key = PlaintextRef::from_bytes(material.0.as_slice());
        envelope::seal(&self.cipher(), self.id.to_u32(), &key, &self.associated_data(id, purpose))
    }

    /// Unwraps a data key that was wrapped by this key, for this id and purpose.
    pub fn unwrap(&self, wrapped: &[u8], id: DataKeyId, purpose: Purpose) -> Result<KeyMaterial, OpenError> {
        let envelope = Envelope::parse(wrapped)?;
        if envelope.key_id() != self.id.to_u32() {
            return Err(OpenError::Refused);
        }
        let opened = envelope.open(&self.cipher(), &self.associated_data(id, purpose))?;
        let mut material = Zeroizing::new([0; 32]);
        if opened.expose().len() != material.len() {
            return Err(OpenError::Malformed);
        }
        material.copy_from_slice(opened.expose());
        Ok(KeyMaterial(material))
    }

    fn cipher(&self) -> Xaes256Gcm {
        Xaes256Gcm::new((&*self.bytes).into())
    }

    fn associated_data(&self, id: DataKeyId, purpose: Purpose) -> Vec<u8> {
        Canonical::new("hftok:data-key")
            .byte(FORMAT)
            .u32(self.id.to_u32())
            .u32(id.to_u32())
            .field(purpose.as_str())
            .finish()
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey({}, ..)", self.id.get())
    }
}
