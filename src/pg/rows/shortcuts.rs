//! Shortcuts to rows. A shortcut names the place where a row was found last, and saves the way through the index.
//!
//! What must stay true: a shortcut is never believed. It names a place in a buffer; the row that lies there counts only if the
//! newest snapshot sees it and it has the key that is looked for, of which a unique index admits one ([`super::scan`]). So
//! nothing need be told here when rows change, move or go, or when a buffer gets another page, and a shortcut that is half of
//! one and half of another costs a look and no more. None is ever missed either: without one the index is asked.

use super::buckets::{self, Bucket, halves};

/// The place where a row may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pg) struct Place {
    /// The block of the index's row.
    pub(in crate::pg) block: u32,
    /// The buffer that held the block, which may hold another by now.
    pub(in crate::pg) buffer: u32,
    /// The row's number in the block.
    pub(in crate::pg) offset: u16,
    /// The byte of the block at which the row began. Only for asking for memory early.
    pub(in crate::pg) at: u16,
}

/// The place where the row with this key was last.
pub(super) fn find(bucket: &Bucket, key: [u8; 16]) -> Option<Place> {
    let (block, word) = buckets::find(bucket, key)?;
    let [buffer, row] = halves(word);
    let [at, offset] = [row >> 16, row & u32::from(u16::MAX)].map(|half| u16::try_from(half).unwrap_or(0));
    (buffer > 0).then_some(Place { block, buffer, offset, at })
}

/// Remembers where the row with this key is. A buffer of the server's has a number above 0.
pub(super) fn keep(key: [u8; 16], place: Place) {
    let Place { block, buffer, offset, at } = place;
    let row = u64::from(at) << 16 | u64::from(offset);
    buckets::keep(key, block, u64::from(buffer) << 32 | row);
}
