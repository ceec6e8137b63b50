//! The chain: each event is tied to the one before it by a keyed hash over the hash before, the number and the event.
//!
//! Somebody who can write to the table but has no key can change, remove, insert or move a row, and cannot make the hashes
//! fit again. Each hash names its key, so a chain goes on over a change of keys; and each is made over the identity of the
//! database, so nothing that a copy has chained fits in its original. Cutting off the newest rows leaves a chain
//! that fits: that is noticed only against a [`Head`] that was kept elsewhere.

use subtle::ConstantTimeEq;

use super::event::Event;
use crate::canonical::Canonical;
use crate::data_key::{DataKey, DataKeyId, hmac};
use crate::identity::Identity;
use crate::trace::without_trace;
use crate::{NoRandomness, fill_random};

/// The id of the key that made the link, then an HMAC-SHA256.
pub type Link = [u8; 36];

/// The link that the first event is tied to.
pub const START: Link = [0; 36];

/// The key that made a link, if it can be one.
pub fn key_of(link: &Link) -> Option<DataKeyId> {
    let [a, b, c, d, ..] = *link;
    DataKeyId::new(i32::from_be_bytes([a, b, c, d]))
}

/// A key that ties events together, in the database that it was unwrapped for.
pub struct AuditKey<'a> {
    /// Signs every link; its number stands in each signature.
    key: &'a DataKey,
    /// Goes into every signature: a link of another database, or of this one before it was copied, does not verify
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

    /// The link of the event with this number, after the one before.
    pub fn link(&self, before: &Link, number: i64, event: &Event<'_>) -> Link {
        self.sign(self.over("hftok audit event").fixed(before).i64(number).field(event.encode()))
    }

    /// The protection of an event that waits in a table: it covers the event and the transaction that put it there, so it
    /// is not valid in the row of another transaction.
    pub fn protect(&self, transaction: u64, event: &[u8]) -> Link {
        self.sign(self.over("hftok audit pending").u64(transaction).field(event))
    }

    /// The stub that replaces all events up to this number, once they were removed.
    pub fn stub(&self, number: i64, link: &Link) -> Link {
        self.sign(self.over("hftok audit stub").i64(number).fixed(link))
    }

    /// Begins every signed content alike, so that a signature of one kind never passes as another.
    fn over(&self, label: &str) -> Canonical {
        Canonical::new(label).fixed(&self.database)
    }

    /// The number and the signature together: verifying needs to know by which key.
    pub(super) fn sign(&self, content: Canonical) -> Link {
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
    /// The id of this key in a link. No data key has the id.
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
    pub fn protect(&self, database: u32, transaction: u64, event: &[u8]) -> Option<Link> {
        let bytes =
            Canonical::new("hftok audit pending in this run").u32(database).u64(transaction).field(event);
        self.is_drawn.then(|| signed(Self::ID, &self.bytes, &bytes.finish()))
    }

    /// A digest by which a name of a kind is known while the server runs. Nobody without the key can find another name
    /// with the same digest. `None` when there is no key.
    pub fn digest_of_name(&self, kind: &str, name: &str) -> Option<[u8; 8]> {
        let mac =
            hmac(&self.bytes, &Canonical::new("hftok name in this run").field(kind).field(name).finish());
        let mut digest = [0; 8];
        digest.copy_from_slice(&mac[..8]);
        self.is_drawn.then_some(digest)
    }

    /// Whether a link names this key, or that of another run.
    pub fn is_named_by(link: &Link) -> bool {
        link[..4] == Self::ID.to_be_bytes()
    }
}

/// One layout for the keys that are stored and the one that is not: number first, then the MAC.
fn signed(id: u32, key: &[u8; 32], bytes: &[u8]) -> Link {
    let mac = without_trace(|| hmac(key, bytes));
    let mut link = [0; 36];
    link[..4].copy_from_slice(&id.to_be_bytes());
    link[4..].copy_from_slice(&mac);
    link
}

/// Whether two links are the same.
pub fn same(one: &Link, other: &Link) -> bool {
    one.ct_eq(other).into()
}

/// The end of the chain, as a text to keep outside the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the last event; 0 when there is none.
    pub number: i64,
    /// Its link.
    pub link: Link,
}

impl Head {
    /// Reads the text.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix("hftok-audit-1:")?;
        let (number, hex) = rest.split_once(':')?;
        let number = number.parse().ok().filter(|number| *number >= 0)?;
        let mut link = START;
        hex::decode_to_slice(hex, &mut link).ok()?;
        Some(Self { number, link })
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "hftok-audit-1:{}:", self.number)?;
        self.link.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
