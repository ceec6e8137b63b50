//! Shortcuts to rows, in memory that all processes of the server share. A shortcut names the place where a row was found
//! last, and saves the way through the index.
//!
//! What must stay true: a shortcut is never believed. It names a place in a buffer; the row that lies there counts only if the
//! newest snapshot sees it and it has the key that is looked for, of which a unique index admits one ([`super::scan`]). So
//! nothing need be told here when rows change, move or go, or when a buffer gets another page, and a shortcut that is half of
//! one and half of another costs a look and no more. None is ever missed either: without one the index is asked.

use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::prefetch;
use crate::pg::server::mapping;
use crate::pg::who::session::database;

/// As many as one line of the processor's cache holds.
const WAYS: usize = 4;

/// One look of so many goes by way of the index.
const DETOUR: u8 = 64;

/// One line of cache: a look-up touches one.
#[repr(C, align(64))]
struct Bucket([Entry; WAYS]);

/// Zero where nothing is remembered: there is no buffer 0.
#[repr(C)]
struct Entry {
    /// A part of the key, and the block.
    page: AtomicU64,
    /// The buffer, the byte of the block, and the row's number in the block.
    place: AtomicU64,
}

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

/// The address of the memory; null when there is none.
static BUCKETS: AtomicPtr<Bucket> = AtomicPtr::new(std::ptr::null_mut());
/// Buckets that there are, a power of two.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Maps so many bytes; from `_PG_init`, while preloading. Failing leaves the index.
pub fn init(bytes: usize) {
    let most = bytes / size_of::<Bucket>();
    if most == 0 {
        return;
    }
    // The largest power of two that fits.
    let count = 1_usize << most.ilog2();
    let Some(buckets) = mapping::map(count, "shortcuts") else { return };
    COUNT.store(count, Relaxed);
    BUCKETS.store(buckets, Relaxed);
}

/// The entries in which a key of this database may be, and what it is told apart by.
fn bucket(key: [u8; 16]) -> Option<(&'static Bucket, u32)> {
    let buckets = BUCKETS.load(Relaxed);
    if buckets.is_null() {
        return None;
    }
    let [_, a, b, c, d, .., e, f, g, h] = key;
    // Two databases may have the same key.
    let at = (u32::from_be_bytes([a, b, c, d]) ^ database()) as usize & (COUNT.load(Relaxed) - 1);
    // SAFETY: mapped with so many for as long as the server runs; entries are only ever read and written as a whole.
    let bucket = unsafe { &*buckets.add(at) };
    Some((bucket, u32::from_be_bytes([e, f, g, h])))
}

/// Says that [`find`] is about to be asked for this key.
pub(in crate::pg) fn expect(key: [u8; 16]) {
    if let Some((bucket, _)) = bucket(key) {
        prefetch::ask_for(bucket);
    }
}

/// The place where the row with this key was last. Now and then `None` is returned although a place is known: Postgres
/// counts an index that is never read as unused when it makes room in its memory.
pub(in crate::pg) fn find(key: [u8; 16]) -> Option<Place> {
    thread_local!(static LOOKS: Cell<u8> = const { Cell::new(0) });
    LOOKS.set((LOOKS.get() + 1) % DETOUR);
    if LOOKS.get() == 0 {
        return None;
    }
    let (Bucket(entries), tag) = bucket(key)?;
    entries.iter().find_map(|entry| {
        let (page, place) = (entry.page.load(Relaxed), entry.place.load(Relaxed));
        let [buffer, row] = halves(place);
        let [found, block] = halves(page);
        let [at, offset] =
            [row >> 16, row & u32::from(u16::MAX)].map(|half| u16::try_from(half).unwrap_or(0));
        (found == tag && buffer > 0).then_some(Place { block, buffer, offset, at })
    })
}

/// Remembers where the row with this key is, in place of another if need be.
pub(in crate::pg) fn keep(key: [u8; 16], place: Place) {
    let Some((Bucket(entries), tag)) = bucket(key) else { return };
    let is_free =
        |entry: &&Entry| entry.place.load(Relaxed) == 0 || halves(entry.page.load(Relaxed))[0] == tag;
    let any = || &entries[usize::from(key[0]) % WAYS];
    let entry = entries.iter().find(is_free).unwrap_or_else(any);
    entry.page.store(u64::from(tag) << 32 | u64::from(place.block), Relaxed);
    let row = u64::from(place.at) << 16 | u64::from(place.offset);
    entry.place.store(u64::from(place.buffer) << 32 | row, Relaxed);
}

/// Words of 32 bits, which are read and written at once on every machine.
fn halves(whole: u64) -> [u32; 2] {
    [whole >> 32, whole & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(0))
}
