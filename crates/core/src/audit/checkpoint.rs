//! Checkpoints: the size and the root of the tree, signed, as a text that anybody can check with the public key.
//!
//! The text is a C2SP signed note (`signed-note`, `tlog-checkpoint`): origin, size and root, then a signature with Ed25519. So public tools
//! for transparency logs read it, and witnesses can sign beside us.

use base64ct::{Base64, Encoding};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::leaf::Hash;
use crate::data_key::DataKey;
use crate::trace::without_trace;

/// The kind of signature in a verifier key: Ed25519.
const ED25519: u8 = 1;
/// A signature line begins with this.
const DASH: &str = "\u{2014} ";
/// The longest note that is read: a checkpoint with many cosignatures.
const MAX_NOTE: usize = 64 * 1024;

/// A signature of a checkpoint.
pub type Signed = [u8; 64];

/// The size and the root of a log's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// The number of events.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}

/// A checkpoint as a text, with the signatures that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The bytes that were signed.
    text: String,
    /// The name, key hash and signature of each line that is as long as one of ours.
    signatures: Vec<(String, [u8; 4], Signed)>,
}

/// The public key of a log, under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    /// The name of the log.
    origin: String,
    /// The key.
    key: [u8; 32],
}

/// A key that signs checkpoints.
pub struct CheckpointKey<'a>(pub(crate) &'a DataKey);

/// Whether a text can be the name of a log: as a key's name it has neither white space nor a plus sign.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|letter| !letter.is_whitespace() && letter != '+' && !letter.is_control())
}

impl CheckpointKey<'_> {
    /// Signs a checkpoint.
    pub fn sign(&self, checkpoint: &Checkpoint) -> Signed {
        without_trace(|| self.key().sign(checkpoint.text().as_bytes()).to_bytes())
    }

    /// The public key, under the name of a log.
    pub fn verifier(&self, origin: &str) -> VerifierKey {
        VerifierKey {
            origin: origin.to_owned(),
            key: without_trace(|| self.key().verifying_key().to_bytes()),
        }
    }

    /// Made for each use, and wiped after it.
    fn key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.0.bytes)
    }
}

impl Checkpoint {
    /// The bytes that are signed.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, Base64::encode_string(&self.root))
    }

    /// The checkpoint with a signature, as a text.
    pub fn note(&self, signature: &Signed, key: &VerifierKey) -> String {
        let signature = Base64::encode_string(&[&key.hash()[..], signature].concat());
        format!("{}\n{DASH}{} {signature}\n", self.text(), key.origin)
    }
}

impl Note {
    /// Reads a signed note that is a checkpoint. Lines after the root are extensions, which are signed as well; signatures of
    /// other kinds are passed over.
    pub fn parse(note: &str) -> Option<Self> {
        if note.len() > MAX_NOTE || note.chars().any(|letter| letter.is_control() && letter != '\n') {
            return None;
        }
        // The blank line is the last one: an extension is never empty, and neither is a signature.
        let split = note.rfind("\n\n")?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let mut fields = text.lines();
        let origin = fields.next().filter(|origin| !origin.is_empty())?;
        let size = number(fields.next()?)?;
        let root = Base64::decode_vec(fields.next()?).ok()?.try_into().ok()?;
        if fields.any(str::is_empty) || !lines.ends_with('\n') {
            return None;
        }
        let mut signatures = Vec::new();
        for line in lines.lines() {
            let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
            let bytes = Base64::decode_vec(signature).ok().filter(|_| is_name(name))?;
            let (hash, signature) = bytes.split_first_chunk::<4>()?;
            if let Ok(signature) = signature.try_into() {
                signatures.push((name.to_owned(), *hash, signature));
            }
        }
        let checkpoint = Checkpoint { origin: origin.to_owned(), size, root };
        Some(Self { checkpoint, text: text.to_owned(), signatures })
    }

    /// Whether the log with this key has signed it, under its own name. Signatures of others are passed over; a wrong one of the
    /// log's own is not, beside a right one either.
    pub fn is_signed_by(&self, key: &VerifierKey) -> bool {
        let is_theirs =
            |(name, hash, _): &&(String, [u8; 4], Signed)| *name == key.origin && *hash == key.hash();
        let mut theirs = self.signatures.iter().filter(is_theirs).peekable();
        self.checkpoint.origin == key.origin
            && theirs.peek().is_some()
            && theirs.all(|(_, _, signature)| key.fits(self.text.as_bytes(), signature))
    }
}

/// A decimal number in its only form.
pub(super) fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

impl VerifierKey {
    /// Reads a key: name, hash, and the key in base64 after a byte for its kind.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, '+');
        let (origin, hash, key) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes = Base64::decode_vec(key).ok()?;
        let (kind, key) = bytes.split_first()?;
        let key = Self { origin: origin.to_owned(), key: key.try_into().ok()? };
        (is_name(origin) && *kind == ED25519 && hex::encode(key.hash()) == hash).then_some(key)
    }

    /// The name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Four bytes by which a signature names its key.
    fn hash(&self) -> [u8; 4] {
        let hash: Hash = Sha256::new()
            .chain_update(&self.origin)
            .chain_update([b'\n', ED25519])
            .chain_update(self.key)
            .finalize()
            .into();
        let [a, b, c, d, ..] = hash;
        [a, b, c, d]
    }

    /// Whether a checkpoint has a fitting signature.
    pub fn has_signed(&self, checkpoint: &Checkpoint, signature: &Signed) -> bool {
        checkpoint.origin == self.origin && self.fits(checkpoint.text().as_bytes(), signature)
    }

    /// Whether a signature is one of these bytes. Strict: a signature has one form, and a key of small order signs nothing.
    fn fits(&self, bytes: &[u8], signature: &Signed) -> bool {
        let key = VerifyingKey::from_bytes(&self.key);
        key.is_ok_and(|key| key.verify_strict(bytes, &Signature::from_bytes(signature)).is_ok())
    }
}

impl std::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = Base64::encode_string(&[&[ED25519][..], &self.key].concat());
        write!(f, "{}+{}+{key}", self.origin, hex::encode(self.hash()))
    }
}
