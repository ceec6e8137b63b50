//! Leaves of the tree: what an event is hashed as.
//!
//! ```text
//! leaf data = length of the shape u16 | shape | zeroes | own
//! leaf hash = SHA-256(0 | leaf data)
//! ```
//! The zeroes fill up the last block of SHA-256 that holds the shape. So the hash of each further event of a shape goes on from the state
//! after these blocks, and costs a block or two.

use sha2::{Digest, Sha256};

use super::record::Record;
use super::sha::{BLOCK, State};

/// A hash of the tree.
pub type Hash = [u8; 32];

/// RFC 6962 puts this byte before a leaf, so that no leaf is an inner node.
const LEAF: u8 = 0;

/// The state of the hash after a shape.
#[derive(Debug, Clone)]
pub struct ShapeState(State);

impl ShapeState {
    /// Hashes the blocks of a shape.
    pub fn new(shape: &[u8]) -> Self {
        let bytes = [&[LEAF][..], &length(shape), shape, &[0; BLOCK][..filling(shape)]].concat();
        Self(State::after(bytes.as_chunks().0))
    }

    /// The hash of the leaf with this own part.
    pub fn leaf(&self, own: &[u8]) -> Hash {
        self.0.end(own)
    }
}

/// The hash of a record's leaf.
pub fn leaf_hash(record: Record<'_>) -> Hash {
    ShapeState::new(record.shape).leaf(record.own)
}

/// The hash of a leaf by its data.
pub fn hash_of(data: &[u8]) -> Hash {
    Sha256::new().chain_update([LEAF]).chain_update(data).finalize().into()
}

/// A leaf with everything that its hash covers: this is what an export holds, and a proof shows.
pub fn leaf_data(record: Record<'_>) -> Vec<u8> {
    let Record { shape, own } = record;
    [&length(shape)[..], shape, &[0; BLOCK][..filling(shape)], own].concat()
}

/// The record of a leaf.
pub fn record_of(leaf: &[u8]) -> Option<Record<'_>> {
    let Record { shape, own } = Record::of(leaf)?;
    let (zeroes, own) = own.split_at_checked(filling(shape))?;
    zeroes.iter().all(|byte| *byte == 0).then_some(Record { shape, own })
}

/// The length of a shape, as it is written. A shape was read with a length of two bytes, or written so.
fn length(shape: &[u8]) -> [u8; 2] {
    u16::try_from(shape.len()).unwrap_or(u16::MAX).to_be_bytes()
}

/// The number of zeroes after a shape.
fn filling(shape: &[u8]) -> usize {
    (1 + 2 + shape.len()).wrapping_neg() % BLOCK
}
