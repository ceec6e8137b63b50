//! The bytes of an event: in the queue, in a bundle, and under the leaf of the tree.
//!
//! A record has two parts. The *shape* is what events have in common that one backend causes one after the other; the *own* part is what
//! tells them apart. A bundle keeps each shape once, and the hash of a leaf goes on from the state after its shape.
//!
//! Must stay true: two different events never have the same bytes (every text carries its length, absent is not empty, numbers
//! have one form), and what is decoded is exactly what was encoded.
//!
//! ```text
//! record = length of the shape u16 | shape | own
//! shape  = format 1 | kind | protected | action | outcome | scope | provider | level | role | outer | login | address | application
//! own    = at i64 | has | count varint | id | version varint | digest | owner | user | subject | request
//! ```
//! `docs/audit-format.md` has the rest.

use super::event::{Event, Kind, MAX_DIGEST, MAX_TEXT, Object, Who, cut};
use super::fields::{Field, Reader, put, put_bytes, put_text, put_varint};

/// The format of shapes.
const FORMAT: u8 = 1;
/// Texts of the shape.
const SHAPE_TEXTS: usize = 10;

/// The parts of a record at their longest: three bytes and the texts of the shape; time, flags, count, id, version and digest; and
/// four texts of the own part.
const LONGEST: usize =
    2 + 3 + SHAPE_TEXTS * (2 + MAX_TEXT) + (8 + 1 + 10 + 16 + 5 + 3 + MAX_DIGEST) + 4 * (3 + MAX_TEXT);
const _: () = assert!(LONGEST <= Event::MAX, "an event is longer than what is read of one");

/// The byte after the time: which fields follow. One that is not there takes no room.
mod has {
    /// The count is not 1, and follows.
    pub const COUNT: u8 = 0x01;
    /// The object.
    pub const ID: u8 = 0x02;
    /// Its version.
    pub const VERSION: u8 = 0x04;
    /// A digest.
    pub const DIGEST: u8 = 0x08;
    /// The bits that say who the user is; none of them: nobody.
    pub const USER: u8 = 0x30;
    /// The user is the owner, and does not follow.
    pub const OWNER: u8 = 0x10;
    /// The user is `role:` and the role, and does not follow.
    pub const ROLE: u8 = 0x20;
    /// The user is somebody else, and follows.
    pub const OTHER: u8 = 0x30;
    /// The subject.
    pub const SUBJECT: u8 = 0x40;
    /// The id of the HTTP request.
    pub const REQUEST: u8 = 0x80;
}

/// The actor of a call that names no user begins with this.
pub(super) const ROLE_PREFIX: &str = "role:";

/// Texts of a decoded event that do not lie in its record as they are.
#[derive(Debug, Default)]
pub struct Scratch([String; 4]);

/// The own part of a record, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own<'a> {
    /// When, in microseconds since 2000-01-01 UTC.
    pub at: i64,
    /// The number of equal events that this one stands for.
    pub count: i64,
    /// The object.
    pub id: Option<&'a [u8; 16]>,
    /// Its version.
    version: Option<i32>,
    /// A digest.
    digest: Option<&'a [u8]>,
    /// The owner.
    pub owner: Field<'a>,
    /// The actor.
    pub user: Field<'a>,
    /// The user that a membership is about; of an integration that was read, its secret.
    pub subject: Field<'a>,
    /// The id of the HTTP request.
    request: Field<'a>,
}

/// A record in its two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The shape, without its length.
    pub shape: &'a [u8],
    /// The own part.
    pub own: &'a [u8],
}

impl Own<'_> {
    /// The secret that was used when this was read.
    pub fn used(&self) -> Option<[u8; 16]> {
        match self.subject {
            Field::Uuid(id) => Some(*id),
            _ => self.id.copied(),
        }
    }
}

impl<'a> Record<'a> {
    /// Finds the two parts.
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let shape = rest.field()??;
        Some(Self { shape, own: rest.0 })
    }

    /// The kind of event.
    pub fn kind(self) -> Option<Kind> {
        Kind::of_byte(*self.shape.get(1)?)
    }

    /// Whether the event was protected until it was written.
    pub fn is_protected(self) -> bool {
        self.shape.get(2) == Some(&1)
    }

    /// When it was done.
    pub fn at(self) -> Option<i64> {
        Some(i64::from_be_bytes(*self.own.first_chunk()?))
    }

    /// The own part, if it is one and nothing follows it.
    pub fn own(self) -> Option<Own<'a>> {
        let (own, rest) = Own::read(self.own)?;
        rest.is_empty().then_some(own)
    }
}

impl<'a> Event<'a> {
    /// As many bytes as most have.
    pub const USUAL: usize = 320;
    /// No event has more bytes.
    pub const MAX: usize = 16 * 1024;

    /// The bytes of the event.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode_into(&mut bytes);
        bytes
    }

    /// Adds them to others.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(Self::USUAL);
        let begin = bytes.len();
        bytes.extend_from_slice(&[0, 0, FORMAT, self.kind.byte(), self.is_protected.into()]);
        let Self { object, who, .. } = self;
        let action = Some(self.action);
        let outcome = Some(self.outcome);
        let texts: [_; SHAPE_TEXTS] = [
            action,
            outcome,
            object.scope,
            object.provider,
            object.level,
            who.role,
            who.outer,
            who.login,
            who.address,
            who.application,
        ];
        for text in texts {
            put(bytes, text.map(|text| cut(text).as_bytes()));
        }
        // Ten texts of at most 1 kB and three bytes.
        let length = u16::try_from(bytes.len() - begin - 2).unwrap_or(u16::MAX);
        bytes[begin..begin + 2].copy_from_slice(&length.to_be_bytes());
        self.encode_own(bytes);
    }

    /// Adds the own part.
    fn encode_own(&self, bytes: &mut Vec<u8>) {
        let Self { object, who, .. } = self;
        let (owner, user) = (object.owner.map(cut), who.user.map(cut));
        let user_is = match user {
            None => 0,
            Some(_) if user == owner => has::OWNER,
            Some(user) if is_actor_of(user, who.role.map(cut)) => has::ROLE,
            Some(_) => has::OTHER,
        };
        let bit = |is_there: bool, bit: u8| if is_there { bit } else { 0 };
        let has = bit(self.count != 1, has::COUNT)
            | bit(object.id.is_some(), has::ID)
            | bit(object.version.is_some(), has::VERSION)
            | bit(object.digest.is_some(), has::DIGEST)
            | user_is
            | bit(object.subject.is_some(), has::SUBJECT)
            | bit(who.request.is_some(), has::REQUEST);
        bytes.extend_from_slice(&self.at.to_be_bytes());
        bytes.push(has);
        if self.count != 1 {
            put_varint(bytes, self.count.cast_unsigned());
        }
        if let Some(id) = &object.id {
            bytes.extend_from_slice(id);
        }
        if let Some(version) = object.version {
            put_varint(bytes, version.cast_unsigned().into());
        }
        if let Some(digest) = object.digest {
            put_bytes(bytes, &digest[..digest.len().min(MAX_DIGEST)]);
        }
        put_text(bytes, owner);
        let user = user.filter(|_| user_is == has::OTHER);
        for text in [user, object.subject.map(cut), who.request.map(cut)].into_iter().flatten() {
            put_text(bytes, Some(text));
        }
    }

    /// The event of a record; `None` when the bytes are none. Texts that the record has in another form are made in `scratch`.
    pub fn decode(bytes: &'a [u8], scratch: &'a mut Scratch) -> Option<Self> {
        let event = Self::of(Record::of(bytes)?, scratch)?;
        // A field in a form that is not its shortest would be read alike: those are bytes that nobody has encoded.
        (event.encode() == bytes).then_some(event)
    }

    /// The event of the two parts of a record, in whatever form its fields are.
    pub fn of(record: Record<'a>, scratch: &'a mut Scratch) -> Option<Self> {
        let mut rest = Reader(record.shape);
        let [format, kind, protected] = *rest.take::<3>()?;
        let kind = Kind::of_byte(kind).filter(|_| format == FORMAT)?;
        let is_protected = match protected {
            0 => false,
            1 => true,
            _ => return None,
        };
        let texts: [_; SHAPE_TEXTS] = rest.texts()?;
        let [action, outcome, scope, provider, level, role, outer, login, address, application] = texts;
        let own = record.own()?;
        let [in_owner, in_user, in_subject, in_request] = &mut scratch.0;
        let owner = own.owner.text(in_owner)?;
        let user = match own.user {
            Field::Owner => Some(owner?),
            Field::Role => {
                in_user.clear();
                in_user.push_str(ROLE_PREFIX);
                in_user.push_str(role?);
                Some(in_user.as_str())
            }
            other => other.text(in_user)?,
        };
        let object = Object {
            id: own.id.copied(),
            version: own.version,
            digest: own.digest,
            scope,
            owner,
            provider,
            level,
            subject: own.subject.text(in_subject)?,
        };
        let request = own.request.text(in_request)?;
        let who = Who { role, outer, login, user, address, application, request };
        let (at, count) = (own.at, own.count);
        let event = Self { at, kind, is_protected, action: action?, outcome: outcome?, count, who, object };
        rest.0.is_empty().then_some(event)
    }
}

impl<'a> Own<'a> {
    /// Reads an own part, and gives what follows it.
    pub fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut rest = Reader(bytes);
        let at = i64::from_be_bytes(*rest.take()?);
        let [has] = *rest.take()?;
        let count = if has & has::COUNT == 0 { 1 } else { rest.varint()?.cast_signed() };
        let id = if has & has::ID == 0 { None } else { Some(rest.take()?) };
        let version = match has & has::VERSION {
            0 => None,
            _ => Some(u32::try_from(rest.varint()?).ok()?.cast_signed()),
        };
        let digest = match has & has::DIGEST {
            0 => None,
            _ => match rest.own()? {
                Field::Bytes(digest) if digest.len() <= MAX_DIGEST => Some(digest),
                _ => return None,
            },
        };
        let owner = rest.own()?;
        let user = match has & has::USER {
            0 => Field::Absent,
            has::OWNER => Field::Owner,
            has::ROLE => Field::Role,
            _ => rest.own()?,
        };
        let subject = if has & has::SUBJECT == 0 { Field::Absent } else { rest.own()? };
        let request = if has & has::REQUEST == 0 { Field::Absent } else { rest.own()? };
        Some((Self { at, count, id, version, digest, owner, user, subject, request }, rest.0))
    }
}

/// Whether a user is what the actor of a role without a user is called.
fn is_actor_of(user: &str, role: Option<&str>) -> bool {
    user.strip_prefix(ROLE_PREFIX).is_some_and(|name| Some(name) == role)
}
