//! Shortcuts to rows. A shortcut names the place where a row was found last, and saves the way through the index.
//!
//! What must stay true: a shortcut is never believed. It names a place in a buffer; the row that lies there counts only if the
//! newest snapshot sees it and it has the key that is looked for, of which a unique index admits one ([`super::scan`]). So
//! nothing need be told here when rows change, move or go, or when a buffer gets another page, and a shortcut that is half of
//! one and half of another costs a look and no more. None is ever missed either: without one the index is asked.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hftok_core::spread::tag;

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

/// The shortcuts of a bucket, each of two words: a part of the key, and the block; then the buffer, which is never 0, the byte of the
/// block, and the row's number in the block.
fn shortcuts(bucket: &Bucket) -> &[[AtomicU64; 2]] {
    bucket.0.as_chunks().0
}

/// The place where the row with this key was last.
pub(super) fn find(bucket: &Bucket, key: [u8; 16]) -> Option<Place> {
    let tag = tag(key);
    shortcuts(bucket).iter().find_map(|[page, place]| {
        let (page, place) = (page.load(Relaxed), place.load(Relaxed));
        let [buffer, row] = halves(place);
        let [found, block] = halves(page);
        let [at, offset] =
            [row >> 16, row & u32::from(u16::MAX)].map(|half| u16::try_from(half).unwrap_or(0));
        (found == tag && buffer > 0).then_some(Place { block, buffer, offset, at })
    })
}

/// Remembers where the row with this key is, in place of another if need be.
pub(super) fn keep(key: [u8; 16], place: Place) {
    buckets::keep(key, |bucket, spot| {
        let (shortcuts, tag) = (shortcuts(bucket), tag(key));
        let is_free = |[page, place]: &&[AtomicU64; 2]| {
            let [found, _] = halves(page.load(Relaxed));
            place.load(Relaxed) == 0 || found == tag || !spot.is_of(found)
        };
        let free = shortcuts.iter().find(is_free);
        let any = || &shortcuts[usize::from(key[0]) % shortcuts.len()];
        let [page, last] = free.unwrap_or_else(any);
        page.store(u64::from(tag) << 32 | u64::from(place.block), Relaxed);
        let row = u64::from(place.at) << 16 | u64::from(place.offset);
        last.store(u64::from(place.buffer) << 32 | row, Relaxed);
        free.is_none()
    });
}
