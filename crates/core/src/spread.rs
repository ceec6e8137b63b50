//! Keys are spread over the buckets of a table, of which only as many are used as the keys need.
//!
//! A processor finds memory sooner that lies close together. So a table with room for millions of entries begins with a few thousand
//! buckets, or as many as the keys need that there are, and uses twice as many once entries push one another out.
//!
//! What must stay true: nothing that the table holds is needed. When more buckets are used, half of the keys come to another one; each
//! is looked for elsewhere once more, and the entry that it has left is free for others.
//!
//! The memory is plain: zeroes at first, shared by processes that count in it without a lock. A count that is lost makes the table
//! grow a little later.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The buckets that a table begins with. A power of two.
const FEWEST: usize = 4096;

/// It is decided anew after so many entries whether there are enough buckets.
const DECIDED_AFTER: u32 = 4096;

/// Far more than there is memory for.
const DOUBLINGS_MAX: u32 = 20;

/// How often keys push one another out, and how many buckets are used for that reason.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Spread {
    /// How often the number of buckets was doubled.
    doublings: AtomicU32,
    /// The entries that were kept since it was last decided whether there are enough buckets.
    kept: AtomicU32,
    /// Those of them that pushed another one out.
    displacing: AtomicU32,
}

/// A key's bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// The number of the bucket.
    pub bucket: usize,
    /// The part of a key that decides between buckets that were added later.
    part: u32,
    /// The bits of [`tag`] that this is compared with.
    mask: u32,
}

/// The end of a key. An entry keeps at least this much of its key.
pub fn tag(key: [u8; 16]) -> u32 {
    let [.., a, b, c, d] = key;
    u32::from_be_bytes([a, b, c, d])
}

impl Spread {
    /// The bucket of a key of a database, in a table that has `most` buckets, a power of two.
    pub fn spot(&self, most: usize, database: u32, key: [u8; 16]) -> Spot {
        let first = most.min(FEWEST);
        // The first byte is left for choosing within a bucket. Two databases may have the same key.
        let [_, a, b, c, d, ..] = key;
        let low = (u32::from_be_bytes([a, b, c, d]) ^ database) as usize & (first - 1);
        let mask = u32::try_from(self.used(most) / first - 1).unwrap_or(0);
        let part = tag(key) & mask;
        Spot { bucket: part as usize * first + low, part, mask }
    }

    /// Has as many buckets used as so many keys need, so that those that are kept first need not find their places anew.
    pub fn expect(&self, keys: u64) {
        // At least three buckets for four keys: then one of a hundred keys has pushed out another one.
        let doublings = (keys / 4 * 3).div_ceil(FEWEST as u64).next_power_of_two().ilog2();
        self.doublings.fetch_max(doublings.min(DOUBLINGS_MAX), Relaxed);
    }

    /// Counts an entry that was kept, and whether it pushed out one that [belonged](Spot::is_of) there.
    pub fn count(&self, most: usize, is_displacing: bool) {
        let kept = self.kept.fetch_add(1, Relaxed).saturating_add(1);
        let displacing = self.displacing.fetch_add(u32::from(is_displacing), Relaxed);
        // One process decides.
        if kept < DECIDED_AFTER || self.kept.compare_exchange(kept, 0, Relaxed, Relaxed).is_err() {
            return;
        }
        self.displacing.store(0, Relaxed);
        // Where one entry of 256 is kept again although it is there, three of four push others out when 1.2 % of looks find nothing.
        if displacing > kept / 4 * 3 && self.used(most) < most {
            self.doublings.fetch_add(1, Relaxed);
        }
    }

    /// The buckets that are used. A power of two.
    fn used(&self, most: usize) -> usize {
        FEWEST.checked_shl(self.doublings.load(Relaxed)).filter(|used| *used < most).unwrap_or(most)
    }
}

impl Spot {
    /// Whether a key with this tag would come to this bucket, too. If not, its entry is one from a time of fewer buckets.
    pub fn is_of(&self, tag: u32) -> bool {
        tag & self.mask == self.part
    }
}
