//! What a search looks for, asked of an event's bytes: most events of a bundle are not wanted, and need not be decoded.

use super::bundle::{Entry, Events, roles_of};
use super::event::Kind;
use super::fields::{Field, packed};
use super::record::ROLE_PREFIX;

/// The conditions of a search; none of them may fail where it is given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// A kind of event.
    pub kind: Option<&'a str>,
    /// An owner, an actor or a subject.
    pub who: Option<&'a str>,
    /// An object, or the secret of an integration that was read.
    pub object: Option<[u8; 16]>,
    /// A role of any sort.
    pub role: Option<&'a str>,
}

/// Finds the events of one bundle that are wanted.
pub struct Sieve<'a> {
    /// The name of somebody, in both forms that a field may have.
    who: Option<Name<'a>>,
    /// An object.
    object: Option<[u8; 16]>,
    /// The answers that hold for all events of a shape.
    shapes: Vec<Shape>,
}

/// A name in both forms.
#[derive(Clone, Copy)]
struct Name<'a> {
    /// The text.
    text: &'a str,
    /// The sixteen bytes that stand for it, if there are such.
    packed: Option<[u8; 16]>,
}

/// The answers that hold for all events of a shape.
struct Shape {
    /// Whether its kind and its roles are wanted.
    is_wanted: bool,
    /// Whether an actor that is called after the role is the one who is wanted.
    is_actor: bool,
}

impl Name<'_> {
    /// Whether a field that stands for itself is this name.
    fn is(&self, field: Field<'_>) -> bool {
        match field {
            Field::Bytes(text) => text == self.text.as_bytes(),
            Field::Uuid(bytes) => self.text.len() == 36 && self.packed == Some(*bytes),
            Field::Hex(bytes) => self.text.len() == 32 && self.packed == Some(*bytes),
            Field::Absent | Field::Owner | Field::Role => false,
        }
    }
}

impl Shape {
    /// Looks at a shape once.
    fn of(shape: &[u8], wanted: &Wanted<'_>) -> Self {
        let kind = shape.get(1).and_then(|byte| Kind::of_byte(*byte)).map(Kind::as_str);
        let roles = roles_of(shape).unwrap_or_default();
        let is_of_role = wanted.role.is_none_or(|role| roles.contains(&Some(role)));
        let named_after = wanted.who.and_then(|name| name.strip_prefix(ROLE_PREFIX));
        Self {
            is_wanted: is_of_role && wanted.kind.is_none_or(|wanted| kind == Some(wanted)),
            is_actor: named_after.is_some() && named_after == roles[0],
        }
    }
}

impl<'a> Sieve<'a> {
    /// Makes ready for the events of a bundle.
    pub fn new(wanted: &Wanted<'a>, events: &Events<'_>) -> Self {
        Self {
            who: wanted.who.map(|text| Name { text, packed: packed(text) }),
            object: wanted.object,
            shapes: events.shapes().iter().map(|shape| Shape::of(shape, wanted)).collect(),
        }
    }

    /// Whether no event can be wanted.
    pub fn is_empty(&self) -> bool {
        !self.shapes.iter().any(|shape| shape.is_wanted)
    }

    /// Whether an event is wanted.
    pub fn lets_through(&self, entry: &Entry<'_>) -> bool {
        let own = &entry.own;
        let Some(shape) = self.shapes.get(entry.shape()).filter(|shape| shape.is_wanted) else {
            return false;
        };
        self.object.is_none_or(|id| own.id == Some(&id) || own.used() == Some(id))
            && self.who.is_none_or(|name| {
                name.is(own.owner)
                    || name.is(own.subject)
                    || if own.user == Field::Role { shape.is_actor } else { name.is(own.user) }
            })
    }
}
