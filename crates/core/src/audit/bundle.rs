//! Bundles: up to 256 events in one row.
//!
//! ```text
//! body = format 1 | number of shapes varint | shapes, each with its length u16 | events: number of the shape varint | own
//! ```
//! The bytes of an event's leaf stand in the body as they are hashed: its shape once, its own part as it is.
//!
//! Must stay true: nothing in a body makes reading panic, or allocate more than the body is long.

use std::collections::HashMap;

use super::event::{Event, Kind};
use super::fields::{Field, Reader, put_varint};
use super::filter::{self, FilterKey, Key, hash_of_field};
use super::leaf::{Hash, ShapeState};
use super::record::{Own, Record};
use super::tree::{Frontier, TILE};
use sha2::{Digest, Sha256};

/// The most events of a bundle. A bundle lies within one tile: the events between two multiples of this.
pub const MAX: usize = 256;
/// No body has more bytes: those of its events, whose shapes are shared.
pub const BODY_MAX: usize = MAX * Event::MAX;
/// The format of bodies.
const FORMAT: u8 = 1;

/// A bundle that is being filled with records.
pub struct Packer<'a> {
    /// The key of its filter.
    key: FilterKey,
    /// Shapes so far, and the state of the hash after each.
    shapes: Vec<(&'a [u8], ShapeState)>,
    /// The number of each shape.
    numbers: HashMap<&'a [u8], usize>,
    /// The shape of the record before.
    last: usize,
    /// Events so far, encoded.
    events: Vec<u8>,
    /// Entries of the filter.
    hashes: Vec<u64>,
    /// Number of events.
    count: usize,
    /// The earliest and the latest time.
    times: (i64, i64),
}

/// A bundle that is full, or has to be stored.
pub struct Packed {
    /// Number of events.
    pub count: usize,
    /// The earliest time of an event.
    pub first_at: i64,
    /// The latest.
    pub last_at: i64,
    /// The key of the filter.
    pub filter_key: FilterKey,
    /// The filter.
    pub filter: Vec<u8>,
    /// The events.
    pub body: Vec<u8>,
}

impl<'a> Packer<'a> {
    /// An empty bundle; the key of its filter is drawn for it.
    pub fn new(key: FilterKey) -> Self {
        Self {
            key,
            shapes: Vec::new(),
            numbers: HashMap::new(),
            last: 0,
            events: Vec::with_capacity(MAX * 48),
            hashes: Vec::with_capacity(MAX * 3),
            count: 0,
            times: (i64::MAX, i64::MIN),
        }
    }

    /// Adds a record, and gives the hash of its leaf. `None`: it is no record, and nothing was added.
    pub fn push(&mut self, record: Record<'a>) -> Option<Hash> {
        let own = record.own()?;
        let kind = record.kind()?;
        let number = self.shape(record.shape, kind)?;
        put_varint(&mut self.events, u64::try_from(number).unwrap_or_default());
        self.events.extend_from_slice(record.own);
        self.enter(&own);
        self.count += 1;
        self.times = (self.times.0.min(own.at), self.times.1.max(own.at));
        Some(self.shapes.get(number)?.1.leaf(record.own))
    }

    /// The number of a shape, which may be a new one.
    fn shape(&mut self, shape: &'a [u8], kind: Kind) -> Option<usize> {
        if self.shapes.get(self.last).is_some_and(|(last, _)| *last == shape) {
            return Some(self.last);
        }
        self.last = match self.numbers.get(shape) {
            Some(number) => *number,
            None => {
                let roles = roles_of(shape)?;
                let number = self.shapes.len();
                self.shapes.push((shape, ShapeState::new(shape)));
                self.numbers.insert(shape, number);
                self.hashes.push(Key::Kind(kind.as_str()).hash(&self.key));
                for role in roles.into_iter().flatten() {
                    self.hashes.push(Key::Role(role).hash(&self.key));
                }
                if let Some(role) = roles[0] {
                    self.hashes.push(Key::Who(&format!("role:{role}")).hash(&self.key));
                }
                number
            }
        };
        Some(self.last)
    }

    /// Enters an event into the filter.
    fn enter(&mut self, own: &Own<'_>) {
        if let Some(id) = own.id {
            self.hashes.push(Key::Object(id).hash(&self.key));
        }
        if let Field::Uuid(id) = own.subject {
            self.hashes.push(Key::Object(id).hash(&self.key));
        }
        let named = [own.owner, own.user, own.subject].map(|field| hash_of_field(&self.key, field));
        self.hashes.extend(named.into_iter().flatten());
    }

    /// The bundle.
    pub fn finish(mut self) -> Packed {
        let mut body = Vec::with_capacity(self.events.len() + 256);
        body.push(FORMAT);
        put_varint(&mut body, u64::try_from(self.shapes.len()).unwrap_or_default());
        for (shape, _) in &self.shapes {
            // A shape comes out of a record, where it has a length of two bytes.
            body.extend_from_slice(&u16::try_from(shape.len()).unwrap_or_default().to_be_bytes());
            body.extend_from_slice(shape);
        }
        body.extend_from_slice(&self.events);
        let (first_at, last_at) = self.times;
        let filter = filter::build(&mut self.hashes);
        Packed { count: self.count, first_at, last_at, filter_key: self.key, filter, body }
    }
}

/// The hash of a body, which stands beside it.
pub fn body_hash(body: &[u8]) -> Hash {
    Sha256::digest(body).into()
}

/// A tile whose events lie in one bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullTile {
    /// The root of the tree over them.
    pub root: Hash,
    /// The number of them that were not protected.
    pub unprotected: u16,
}

impl FullTile {
    /// Hashes the events of a body; `None` unless they are as many as a tile has, and nothing follows them.
    pub fn of(body: &[u8]) -> Option<Self> {
        let mut events = Events::of(body)?;
        let mut leaves = Frontier::default();
        let mut unprotected = 0;
        while let Some(entry) = events.next() {
            leaves.push(events.leaf(&entry), |_, _| {});
            unprotected += u16::from(!entry.record.is_protected());
        }
        (events.is_done() && leaves.size() == TILE).then(|| Self { root: leaves.root(), unprotected })
    }

    /// As the function in SQL gives it: the root, then the number.
    pub fn encode(&self) -> [u8; 34] {
        let mut bytes = [0; 34];
        let (root, unprotected) = bytes.split_at_mut(size_of::<Hash>());
        root.copy_from_slice(&self.root);
        unprotected.copy_from_slice(&self.unprotected.to_be_bytes());
        bytes
    }

    /// The way back.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (root, unprotected) = bytes.split_first_chunk()?;
        Some(Self { root: *root, unprotected: u16::from_be_bytes(unprotected.try_into().ok()?) })
    }
}

/// The roles of a shape.
pub(super) fn roles_of(shape: &[u8]) -> Option<[Option<&str>; 3]> {
    let mut rest = Reader(shape);
    rest.take::<3>()?;
    for _ in 0..5 {
        rest.field()?;
    }
    Some([rest.text()?, rest.text()?, rest.text()?])
}

/// The events of a body, one after the other.
pub struct Events<'a> {
    /// The shapes.
    shapes: Vec<&'a [u8]>,
    /// The state of the hash after each, once it was asked for.
    states: Vec<Option<ShapeState>>,
    /// The events that are left.
    rest: &'a [u8],
    /// The number of those that a bundle has room for.
    room: usize,
}

/// An event of a bundle.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The number of its shape.
    shape: usize,
    /// Its record.
    pub record: Record<'a>,
    /// Its own part, taken apart.
    pub own: Own<'a>,
}

impl<'a> Events<'a> {
    /// Reads the shapes of a body; `None` when it is none.
    pub fn of(body: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(body);
        let [FORMAT] = *rest.take()? else { return None };
        let count = usize::try_from(rest.varint()?).ok().filter(|count| *count <= MAX)?;
        let mut shapes = Vec::with_capacity(count);
        for _ in 0..count {
            shapes.push(rest.field()??);
        }
        Some(Self { states: vec![None; count], shapes, rest: rest.0, room: MAX })
    }

    /// The shapes.
    pub fn shapes(&self) -> &[&'a [u8]] {
        &self.shapes
    }

    /// Whether all events were read.
    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// The hash of an event's leaf.
    pub fn leaf(&mut self, entry: &Entry<'a>) -> Hash {
        let Entry { shape, record, .. } = entry;
        match self.states.get_mut(*shape) {
            Some(state) => state.get_or_insert_with(|| ShapeState::new(record.shape)).leaf(record.own),
            None => ShapeState::new(record.shape).leaf(record.own),
        }
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Entry<'a>;

    /// The next event; `None` at the end, where the bytes are none, and after as many as a bundle can have: somebody else may have
    /// stored a body without end.
    fn next(&mut self) -> Option<Entry<'a>> {
        let room = self.room.checked_sub(1)?;
        let mut rest = Reader(self.rest);
        let shape = usize::try_from(rest.varint()?).ok()?;
        let begin = rest.0;
        let (own, after) = Own::read(begin)?;
        let record = Record { shape: self.shapes.get(shape)?, own: &begin[..begin.len() - after.len()] };
        (self.rest, self.room) = (after, room);
        Some(Entry { shape, record, own })
    }
}

impl Entry<'_> {
    /// The number of its shape.
    pub fn shape(&self) -> usize {
        self.shape
    }
}
