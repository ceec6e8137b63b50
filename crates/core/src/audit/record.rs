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
//! own    = at i64 | count varint | id | version | digest | owner | user | subject | request
//! ```
//! `docs/audit-format.md` has the rest.

use super::event::{Event, Kind, MAX_DIGEST, Object, Who, cut};
use super::fields::{Field, Reader, put, put_bytes, put_sixteen, put_text, put_varint, tag};

/// The format of shapes.
const FORMAT: u8 = 1;
/// Texts of the shape.
const SHAPE_TEXTS: usize = 10;

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
        // Ten texts of at most 4 kB and three bytes.
        let length = u16::try_from(bytes.len() - begin - 2).unwrap_or(u16::MAX);
        bytes[begin..begin + 2].copy_from_slice(&length.to_be_bytes());
        self.encode_own(bytes);
    }

    /// Adds the own part.
    fn encode_own(&self, bytes: &mut Vec<u8>) {
        let Self { object, who, .. } = self;
        bytes.extend_from_slice(&self.at.to_be_bytes());
        put_varint(bytes, self.count.cast_unsigned());
        match &object.id {
            None => bytes.push(tag::NULL),
            Some(id) => put_sixteen(bytes, tag::UUID, id),
        }
        match object.version {
            None => bytes.push(tag::NULL),
            Some(version) => {
                bytes.push(tag::UUID);
                put_varint(bytes, version.cast_unsigned().into());
            }
        }
        match object.digest {
            None => bytes.push(tag::NULL),
            Some(digest) => put_bytes(bytes, &digest[..digest.len().min(MAX_DIGEST)]),
        }
        let owner = object.owner.map(cut);
        let user = who.user.map(cut);
        put_text(bytes, owner);
        match user {
            Some(_) if user == owner => bytes.push(tag::OWNER),
            Some(user) if is_actor_of(user, who.role.map(cut)) => bytes.push(tag::ROLE),
            _ => put_text(bytes, user),
        }
        put_text(bytes, object.subject.map(cut));
        put_text(bytes, who.request.map(cut));
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
        let count = rest.varint()?.cast_signed();
        let id = match rest.own()? {
            Field::Absent => None,
            Field::Uuid(id) => Some(id),
            _ => return None,
        };
        let version = match *rest.take()? {
            [tag::NULL] => None,
            [tag::UUID] => Some(u32::try_from(rest.varint()?).ok()?.cast_signed()),
            _ => return None,
        };
        let digest = match rest.own()? {
            Field::Absent => None,
            Field::Bytes(digest) => Some(digest).filter(|digest| digest.len() <= MAX_DIGEST),
            _ => return None,
        };
        let [owner, user, subject, request] = [rest.own()?, rest.own()?, rest.own()?, rest.own()?];
        Some((Self { at, count, id, version, digest, owner, user, subject, request }, rest.0))
    }
}

/// Whether a user is what the actor of a role without a user is called.
fn is_actor_of(user: &str, role: Option<&str>) -> bool {
    user.strip_prefix(ROLE_PREFIX).is_some_and(|name| Some(name) == role)
}
