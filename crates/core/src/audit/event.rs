//! One event, and the bytes it becomes: in the queue, and under the hash that ties it into the chain.
//!
//! What must stay true: two different events never have the same bytes (every text carries its length, absent is not
//! empty, numbers have a fixed width), and what is decoded is exactly what was encoded. No field holds a value of a
//! secret, a preview, or an argument in which somebody could have put one.

use sha2::{Digest, Sha256};

/// The longest text that a field holds; what is longer is cut, at a letter.
pub const MAX_TEXT: usize = 4096;
/// The length that says that there is no text.
const ABSENT: u16 = u16::MAX;

/// The thing that was done, or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A value was handed out.
    Reveal,
    /// Something stored was changed.
    Change,
    /// A call was refused.
    Refusal,
    /// Something was done with keys.
    Key,
    /// Something was done with the audit itself.
    Audit,
}

impl Kind {
    /// For finding a kind by its byte or its word.
    const ALL: [Self; 5] = [Self::Reveal, Self::Change, Self::Refusal, Self::Key, Self::Audit];

    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reveal => "reveal",
            Self::Change => "change",
            Self::Refusal => "refusal",
            Self::Key => "key",
            Self::Audit => "audit",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Stored bytes: a number that was given once is never given to another kind.
    fn byte(self) -> u8 {
        match self {
            Self::Reveal => 1,
            Self::Change => 2,
            Self::Refusal => 3,
            Self::Key => 4,
            Self::Audit => 5,
        }
    }

    /// None for a byte that no version has written.
    fn of_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.byte() == byte)
    }
}

/// The actor, and the place that the call came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Who<'a> {
    /// The role in whose name the call was made.
    pub role: Option<&'a str>,
    /// The role that began the call: not that of a function in between that runs as its owner.
    pub outer: Option<&'a str>,
    /// The role that logged in.
    pub login: Option<&'a str>,
    /// The user of the application: the JWT's, or the one that the backend named.
    pub user: Option<&'a str>,
    /// The address of the client.
    pub address: Option<&'a str>,
    /// The name that the client gives itself.
    pub application: Option<&'a str>,
    /// The id of the HTTP request.
    pub request: Option<&'a str>,
}

/// To whom or what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Object<'a> {
    /// The secret, or another object with an id.
    pub id: Option<[u8; 16]>,
    /// Its version.
    pub version: Option<i32>,
    /// After a change: a digest of the object's new state. For an event about several objects: a digest of their ids.
    pub digest: Option<&'a [u8]>,
    /// The kind of owner it has.
    pub scope: Option<&'a str>,
    /// The id of the owner.
    pub owner: Option<&'a str>,
    /// The provider.
    pub provider: Option<&'a str>,
    /// The level of the walk it was found at; the role of a member.
    pub level: Option<&'a str>,
    /// The user that a membership is about; of an integration that was read, its secret.
    pub subject: Option<&'a str>,
}

impl<'a> Object<'a> {
    /// The secret that was used when this was read.
    pub fn used(&self) -> Option<[u8; 16]> {
        self.subject.and_then(crate::uuid).or(self.id)
    }

    /// The object that belongs to this owner and is for this provider. An empty name is none.
    pub fn owned(scope: &'a str, owner: &'a str, provider: &'a str) -> Self {
        let named = |name: &'a str| Some(name).filter(|name| !name.is_empty());
        Self { scope: named(scope), owner: named(owner), provider: named(provider), ..Self::default() }
    }
}

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Event<'a> {
    /// When, in microseconds since 2000-01-01 UTC.
    pub at: i64,
    /// The kind of event.
    pub kind: Kind,
    /// Whether hftok had a key to protect the event with until it was chained. Without protection, somebody who can write
    /// to the tables may have made the event up.
    pub is_protected: bool,
    /// The function, view or operation.
    pub action: &'a str,
    /// The result, as one word.
    pub outcome: &'a str,
    /// The number of equal events that this one stands for.
    pub count: i64,
    /// The actor.
    pub who: Who<'a>,
    /// The object that it was done to.
    pub object: Object<'a>,
}

impl<'a> Event<'a> {
    /// As many bytes as most have.
    pub const USUAL: usize = 384;

    /// The bytes of the event.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode_into(&mut bytes);
        bytes
    }

    /// Adds them to others.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(Self::USUAL);
        bytes.extend_from_slice(&self.at.to_be_bytes());
        bytes.push(self.kind.byte());
        bytes.push(self.is_protected.into());
        bytes.extend_from_slice(&self.count.to_be_bytes());
        put(bytes, self.object.id.as_ref().map(<[u8; 16]>::as_slice));
        put(bytes, self.object.version.map(i32::to_be_bytes).as_ref().map(<[u8; 4]>::as_slice));
        put(bytes, self.object.digest);
        for text in self.texts() {
            put(bytes, text.map(|text| cut(text).as_bytes()));
        }
    }

    /// The event that these bytes are; `None` when they are none.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let at = i64::from_be_bytes(*rest.take::<8>()?);
        let kind = Kind::of_byte(rest.take::<1>()?[0])?;
        let is_protected = match rest.take::<1>()?[0] {
            0 => false,
            1 => true,
            _ => return None,
        };
        let count = i64::from_be_bytes(*rest.take::<8>()?);
        let id = rest.field()?.map(<[u8; 16]>::try_from).transpose().ok()?;
        let version = rest.field()?.map(<[u8; 4]>::try_from).transpose().ok()?.map(i32::from_be_bytes);
        let digest = rest.field()?;
        let action = rest.text()??;
        let outcome = rest.text()??;
        let event = Self {
            at,
            kind,
            is_protected,
            action,
            outcome,
            count,
            object: Object {
                id,
                version,
                digest,
                scope: rest.text()?,
                owner: rest.text()?,
                provider: rest.text()?,
                level: rest.text()?,
                subject: rest.text()?,
            },
            who: Who {
                role: rest.text()?,
                outer: rest.text()?,
                login: rest.text()?,
                user: rest.text()?,
                address: rest.text()?,
                application: rest.text()?,
                request: rest.text()?,
            },
        };
        rest.0.is_empty().then_some(event)
    }

    /// Every text, in the order of the encoding.
    fn texts(&self) -> [Option<&'a str>; 14] {
        let Self { object, who, .. } = self;
        [
            Some(self.action),
            Some(self.outcome),
            object.scope,
            object.owner,
            object.provider,
            object.level,
            object.subject,
            who.role,
            who.outer,
            who.login,
            who.user,
            who.address,
            who.application,
            who.request,
        ]
    }
}

/// A digest that stands for several objects in one event: SHA-256 over the sorted ids, so that membership can be checked
/// later.
pub fn digest_of(ids: &mut [[u8; 16]]) -> [u8; 32] {
    ids.sort_unstable();
    Sha256::digest(ids.as_flattened()).into()
}

/// Cuts at the end of a character: the table takes text only in whole characters.
fn cut(text: &str) -> &str {
    let mut end = MAX_TEXT.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A length before each field keeps two different events from having the same bytes.
pub(super) fn put(bytes: &mut Vec<u8>, field: Option<&[u8]>) {
    // Texts are cut before, ids and digests are short: a length always fits.
    let fits = |field: &&[u8]| u16::try_from(field.len()).is_ok_and(|length| length != ABSENT);
    let field = field.filter(fits);
    let length = field.map_or(ABSENT, |field| u16::try_from(field.len()).unwrap_or(ABSENT));
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(field.unwrap_or_default());
}

/// Reads in the order in which [`put`] wrote; None once the bytes do not fit.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// Bytes of a fixed number.
    pub(super) fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    /// A field, which may be absent.
    pub(super) fn field(&mut self) -> Option<Option<&'a [u8]>> {
        let length = u16::from_be_bytes(*self.take::<2>()?);
        if length == ABSENT {
            return Some(None);
        }
        let (field, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        Some(Some(field))
    }

    /// A field that must be text.
    pub(super) fn text(&mut self) -> Option<Option<&'a str>> {
        self.field()?.map(std::str::from_utf8).transpose().ok()
    }
}
