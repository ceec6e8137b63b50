//! Keyed hashes over what the audit keeps in tables: events that wait, bundles, and marks on rows that decide who gets a value.
//!
//! Somebody who can write to the tables but has no key cannot make one. Each names its key, so nothing is made anew when keys change;
//! and each is made over the identity of the database, so nothing that a copy has made fits in its original.

use subtle::ConstantTimeEq;

use super::filter::FilterKey;
use super::leaf::Hash;
use crate::canonical::Canonical;
use crate::data_key::{DataKey, DataKeyId, hmac};
use crate::identity::Identity;
use crate::trace::without_trace;
use crate::{NoRandomness, fill_random};

/// The id of the key that made it, then an HMAC-SHA256.
pub type Mac = [u8; 36];

/// The key that made a hash, if it can be one.
pub fn key_of(mac: &Mac) -> Option<DataKeyId> {
    let [a, b, c, d, ..] = *mac;
    DataKeyId::new(i32::from_be_bytes([a, b, c, d]))
}

/// The columns of a bundle that its hash covers.
#[derive(Debug, Clone, Copy)]
pub struct Sealed<'a> {
    /// The number of its last event.
    pub last: i64,
    /// Number of events.
    pub count: i32,
    /// The earliest time of an event, in microseconds since 2000-01-01 UTC.
    pub first_at: i64,
    /// The latest.
    pub last_at: i64,
    /// The key of the filter.
    pub filter_key: &'a FilterKey,
    /// The filter.
    pub filter: &'a [u8],
    /// SHA-256 of the body.
    pub body_hash: &'a Hash,
}

/// A key for hashes in the database that it was unwrapped for.
pub struct AuditKey<'a> {
    /// Its number stands in each hash.
    key: &'a DataKey,
    /// Goes into every hash: one of another database, or of this one before it was copied, does not verify
    /// here.
    database: Identity,
}

impl<'a> AuditKey<'a> {
    /// Signs for the database that the key was made for.
    pub(crate) fn new(key: &'a DataKey) -> Self {
        Self { key, database: key.identity }
    }

    /// The same key, to verify what was made while the database had another identity.
    #[must_use]
    pub fn under(self, database: Identity) -> Self {
        Self { database, ..self }
    }

    /// The identity of the database.
    pub fn database(&self) -> Identity {
        self.database
    }

    /// The protection of an event that waits in a table: it covers the event and the transaction that put it there, so it
    /// is not valid in the row of another transaction.
    pub fn protect(&self, transaction: u64, event: &[u8]) -> Mac {
        self.sign(self.over("hftok audit pending").u64(transaction).field(event))
    }

    /// The hash over a bundle as it is stored: the body by its own hash.
    pub fn bundle(&self, bundle: &Sealed<'_>) -> Mac {
        let Sealed { last, count, first_at, last_at, filter_key, filter, body_hash } = bundle;
        let content =
            self.over("hftok audit bundle").i64(*last).i64((*count).into()).i64(*first_at).i64(*last_at);
        self.sign(content.fixed(filter_key).field(filter).fixed(body_hash))
    }

    /// Begins every signed content alike, so that a signature of one kind never passes as another.
    fn over(&self, label: &str) -> Canonical {
        Canonical::new(label).fixed(&self.database)
    }

    /// The number and the signature together: verifying needs to know by which key.
    pub(super) fn sign(&self, content: Canonical) -> Mac {
        signed(self.key.id.to_u32(), &self.key.bytes, &content.finish())
    }
}

/// A key of the server's present run: drawn when it starts, stored nowhere, and gone when it stops. It opens nothing, so a
/// seal leaves it where it is, and it protects what is put down while there is no other key.
pub struct RunKey {
    /// Drawn by [`RunKey::draw`]; zeroes before.
    bytes: [u8; 32],
    /// False until then: nothing may be signed with zeroes.
    is_drawn: bool,
}

impl RunKey {
    /// A place for the key.
    pub const EMPTY: Self = Self { bytes: [0; 32], is_drawn: false };
    /// The id of this key in a hash. No data key has the id.
    const ID: u32 = 0;

    /// Draws the key, once.
    pub fn draw(&mut self) -> Result<(), NoRandomness> {
        if !self.is_drawn {
            fill_random(&mut self.bytes)?;
            self.is_drawn = true;
        }
        Ok(())
    }

    /// The protection of an event of a database that waits in a table, as [`AuditKey::protect`] makes it.
    pub fn protect(&self, database: u32, transaction: u64, event: &[u8]) -> Option<Mac> {
        let bytes =
            Canonical::new("hftok audit pending in this run").u32(database).u64(transaction).field(event);
        self.is_drawn.then(|| signed(Self::ID, &self.bytes, &bytes.finish()))
    }

    /// A digest by which a name of a kind is known while the server runs. Nobody without the key can find another name
    /// with the same digest. `None` when there is no key.
    pub fn digest_of_name(&self, kind: &str, name: &str) -> Option<[u8; 8]> {
        let bytes = Canonical::new("hftok name in this run").field(kind).field(name).finish();
        let mac = without_trace(|| hmac(&self.bytes, &bytes));
        let mut digest = [0; 8];
        digest.copy_from_slice(&mac[..8]);
        self.is_drawn.then_some(digest)
    }

    /// Whether a hash names this key, or that of another run.
    pub fn is_named_by(mac: &Mac) -> bool {
        mac[..4] == Self::ID.to_be_bytes()
    }
}

/// One layout for the keys that are stored and the one that is not: number first, then the MAC.
fn signed(id: u32, key: &[u8; 32], bytes: &[u8]) -> Mac {
    let hash = without_trace(|| hmac(key, bytes));
    let mut mac = [0; 36];
    mac[..4].copy_from_slice(&id.to_be_bytes());
    mac[4..].copy_from_slice(&hash);
    mac
}

/// Whether two are the same.
pub fn same(one: &Mac, other: &Mac) -> bool {
    one.ct_eq(other).into()
}
