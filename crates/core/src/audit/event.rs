//! One event of the audit.
//!
//! Must stay true: no field holds a value of a secret, a preview, or an argument in which somebody could have put one.

use std::ops::Range;

use sha2::{Digest, Sha256};

/// The longest text that a field holds; what is longer is cut, at a letter. Identifiers have no more, and an index takes no more than
/// twice as much.
pub const MAX_TEXT: usize = 1024;
/// The longest digest that a field holds.
pub const MAX_DIGEST: usize = 64;

/// The number of texts in an event.
const TEXTS: usize = 14;
/// The times that an event can have, in microseconds since 2000: from 1970 to 9999. Postgres has others, infinite ones among them, but
/// no server's clock does.
const TIMES: Range<i64> = -946_684_800_000_000..252_455_616_000_000_000;

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
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Reveal => 1,
            Self::Change => 2,
            Self::Refusal => 3,
            Self::Key => 4,
            Self::Audit => 5,
        }
    }

    /// None for a byte that no version has written.
    pub(super) fn of_byte(byte: u8) -> Option<Self> {
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
    /// Whether a record can hold the event as it is. Live events are cut to that; a row of a table may hold more, and then somebody else
    /// has written it.
    pub fn fits(&self) -> bool {
        let are_short = self.texts().into_iter().flatten().all(|text| text.len() <= MAX_TEXT);
        are_short && self.object.digest.is_none_or(|digest| digest.len() <= MAX_DIGEST)
    }

    /// Whether hftok can have written it. Somebody who can write to a table can make up a time or a text that Postgres itself would not
    /// take.
    pub fn is_plausible(&self) -> bool {
        let is_text = |text: &str| !text.contains('\0');
        TIMES.contains(&self.at) && self.count > 0 && self.texts().into_iter().flatten().all(is_text)
    }

    /// Every text.
    fn texts(&self) -> [Option<&'a str>; TEXTS] {
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

/// An event that is kept, to see whether others differ from it in more than their times and the ids and versions of their objects.
#[derive(Debug)]
pub struct Alike {
    /// The kind of event.
    kind: Kind,
    /// Whether it was protected.
    is_protected: bool,
    /// The number of events that it stood for.
    count: i64,
    /// The digest.
    digest: Option<Vec<u8>>,
    /// All texts, as a record holds them.
    texts: [Option<String>; TEXTS],
}

impl Alike {
    /// Keeps an event.
    pub fn of(event: &Event<'_>) -> Self {
        Self {
            kind: event.kind,
            is_protected: event.is_protected,
            count: event.count,
            digest: event.object.digest.map(<[u8]>::to_vec),
            texts: event.texts().map(|text| text.map(|text| cut(text).to_owned())),
        }
    }

    /// Whether another one is like it.
    pub fn is_like(&self, event: &Event<'_>) -> bool {
        let Self { kind, is_protected, count, digest, texts } = self;
        (*kind, *is_protected, *count) == (event.kind, event.is_protected, event.count)
            && digest.as_deref() == event.object.digest
            && texts.iter().zip(event.texts()).all(|(kept, text)| kept.as_deref() == text.map(cut))
    }
}

/// A digest that stands for several objects in one event: SHA-256 over the sorted ids, so that membership can be checked
/// later.
pub fn digest_of(ids: &mut [[u8; 16]]) -> [u8; 32] {
    ids.sort_unstable();
    Sha256::digest(ids.as_flattened()).into()
}

/// Cuts at the end of a character: the table takes text only in whole characters.
pub(super) fn cut(text: &str) -> &str {
    let mut end = MAX_TEXT.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
