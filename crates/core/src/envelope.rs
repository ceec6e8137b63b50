//! The stored form of anything sealed: a format byte, the id of the key, a nonce, the ciphertext and its tag.
//!
//! What must stay true: parsing is total (every byte string is an envelope or an error), nonces are random and
//! never chosen by a caller, and a plaintext is copied once, into the buffer where it becomes ciphertext.

use aes_gcm::aead::AeadInOut;
use xaes_256_gcm::{Nonce, Tag, Xaes256Gcm};
use zeroize::Zeroizing;

use crate::plaintext::{Plaintext, PlaintextRef};
use crate::{NoRandomness, random};

/// The only format there is: XAES-256-GCM with a nonce of 192 bits and a tag of 128.
pub const FORMAT: u8 = 1;
/// XAES-256-GCM's: long enough to be drawn at random for ever.
const NONCE: usize = 24;
/// GCM's whole tag: none is ever cut.
const TAG: usize = 16;
/// Format, number of the key, nonce.
const HEADER: usize = 1 + 4 + NONCE;

/// Why a value could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No nonce could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// There is no memory for it.
    #[error("there is no memory for the value")]
    NoMemory,
    /// Beyond what AES-GCM can seal in one message (64 GiB).
    #[error("the value is too large to be sealed")]
    TooLarge,
}

/// Why a value could not be opened. Says nothing of what is inside, nor where it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not an envelope: cut short, or of a format that this version doesn't know.
    #[error("the stored bytes are not a sealed value")]
    Malformed,
    /// There is no memory for the value.
    #[error("there is no memory for the value")]
    NoMemory,
    /// Sealed by another key, or changed, or moved to where it doesn't belong.
    #[error("the stored value does not open: it, or what it is bound to, was changed")]
    Refused,
}

/// A stored value, taken apart but not opened.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The key that opens it, not yet looked for.
    key_id: u32,
    /// As it was drawn when the value was sealed.
    nonce: &'a [u8; NONCE],
    /// As long as the value.
    ciphertext: &'a [u8],
    /// Covers the associated data as well, so that a value opens only under its binding.
    tag: &'a [u8; TAG],
}

impl<'a> Envelope<'a> {
    /// Takes stored bytes apart.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, OpenError> {
        let (format, rest) = bytes.split_first().ok_or(OpenError::Malformed)?;
        let (key_id, rest) = rest.split_first_chunk().ok_or(OpenError::Malformed)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or(OpenError::Malformed)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(OpenError::Malformed)?;
        if *format != FORMAT {
            return Err(OpenError::Malformed);
        }
        Ok(Self { key_id: u32::from_be_bytes(*key_id), nonce, ciphertext, tag })
    }

    /// The id of the key that sealed this.
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// Nothing of the value is given out before the tag was checked.
    pub(crate) fn open(&self, cipher: &Xaes256Gcm, associated: &[u8]) -> Result<Plaintext, OpenError> {
        let mut buffer = Zeroizing::new(Vec::new());
        // Running out of memory here would abort the process, and with it the server.
        buffer.try_reserve_exact(self.ciphertext.len()).map_err(|_| OpenError::NoMemory)?;
        buffer.extend_from_slice(self.ciphertext);
        cipher
            .decrypt_inout_detached(
                &Nonce::from(*self.nonce),
                associated,
                buffer.as_mut_slice().into(),
                &Tag::from(*self.tag),
            )
            .map_err(|_| OpenError::Refused)?;
        Ok(Plaintext::new(buffer))
    }
}

/// A fresh nonce for each value: the same value sealed twice looks different.
pub(crate) fn seal(
    cipher: &Xaes256Gcm,
    key_id: u32,
    plaintext: &PlaintextRef<'_>,
    associated: &[u8],
) -> Result<Vec<u8>, SealError> {
    let nonce: [u8; NONCE] = random()?;
    let mut bytes = Zeroizing::new(Vec::new());
    bytes.try_reserve_exact(HEADER + plaintext.expose().len() + TAG).map_err(|_| SealError::NoMemory)?;
    bytes.push(FORMAT);
    bytes.extend_from_slice(&key_id.to_be_bytes());
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(plaintext.expose());
    let tag = cipher
        .encrypt_inout_detached(&Nonce::from(nonce), associated, (&mut bytes[HEADER..]).into())
        .map_err(|_| SealError::TooLarge)?;
    bytes.extend_from_slice(&tag);
    Ok(std::mem::take(&mut *bytes))
}
