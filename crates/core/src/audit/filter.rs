//! The filter of a bundle: whether somebody, an object, a role or a kind of event may be in it, without unpacking it.
//!
//! A Bloom filter. Its key is drawn for each bundle, so nobody can make up names that fall together in all of them. What it says is a
//! hint: whoever reads a bundle looks at each event again.

use siphasher::sip::SipHasher24;
use std::hash::Hasher;

use super::fields::{Field, put_text};

/// The key of a filter.
pub type FilterKey = [u8; 16];

/// Bits for each entry: about one probe of 300 is right by chance.
const BITS: usize = 12;
/// Bits that are set for an entry.
const PROBES: u64 = 6;
/// The shortest filter.
const LEAST: usize = 8;

/// Something that events can be looked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// An owner, an actor, or the user that an event is about.
    Who(&'a str),
    /// An object, or the secret of an integration that was read.
    Object(&'a [u8; 16]),
    /// A role: whose privilege was used, that began the statement, or that logged in.
    Role(&'a str),
    /// A kind of event.
    Kind(&'a str),
}

impl Key<'_> {
    /// The hash by which a filter knows it.
    pub fn hash(self, key: &FilterKey) -> u64 {
        match self {
            Self::Who(text) => {
                let mut field = Vec::with_capacity(64);
                put_text(&mut field, Some(text));
                hash(key, b'w', &field)
            }
            Self::Object(id) => hash(key, b'o', id),
            Self::Role(name) => hash(key, b'r', name.as_bytes()),
            Self::Kind(word) => hash(key, b'k', word.as_bytes()),
        }
    }
}

/// The hash of a field of the own part that names somebody; `None` where it repeats another field.
pub(super) fn hash_of_field(key: &FilterKey, field: Field<'_>) -> Option<u64> {
    let mut bytes = [0; 17];
    match field {
        Field::Uuid(id) | Field::Hex(id) => {
            bytes[0] = field.tag();
            bytes[1..].copy_from_slice(id);
            Some(hash(key, b'w', &bytes))
        }
        Field::Bytes(text) => std::str::from_utf8(text).ok().map(|text| Key::Who(text).hash(key)),
        Field::Absent | Field::Owner | Field::Role => None,
    }
}

/// A keyed hash, so that entries of different sorts never fall together on purpose.
fn hash(key: &FilterKey, sort: u8, bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new_with_key(key);
    hasher.write(bytes);
    hasher.write_u8(sort);
    hasher.finish()
}

/// No filter has more bytes: an event has a dozen entries at most.
pub const LENGTH_MAX: usize = super::bundle::MAX * 12 * BITS / 8;

/// A filter that holds the entries with these hashes.
pub fn build(hashes: &mut Vec<u64>) -> Vec<u8> {
    hashes.sort_unstable();
    hashes.dedup();
    let mut filter = vec![0; (hashes.len() * BITS).div_ceil(8).max(LEAST)];
    for hash in hashes {
        for (byte, bit) in places(*hash, filter.len()) {
            // A place lies within the length that it was made for.
            filter[byte] |= bit;
        }
    }
    filter
}

/// Whether a filter may hold an entry. It never denies one that it holds.
pub fn may_hold(filter: &[u8], hash: u64) -> bool {
    places(hash, filter.len()).all(|(byte, bit)| filter.get(byte).is_some_and(|found| found & bit != 0))
}

/// The bits of an entry. Its hash names the first place and a step, and each further place is a step after the one before, modulo the
/// number of bits.
fn places(hash: u64, length: usize) -> impl Iterator<Item = (usize, u8)> {
    let bits = u64::try_from(length).unwrap_or_default().saturating_mul(8).max(1);
    let (mut next, step) = ((hash & u64::from(u32::MAX)) % bits, ((hash >> 32) | 1) % bits);
    (0..PROBES).map(move |_| {
        let place = next;
        next = place + step;
        if next >= bits {
            next -= bits;
        }
        (usize::try_from(place / 8).unwrap_or_default(), 1 << (place % 8))
    })
}
