//! Memory that all processes of the server share, in which they leave for one another what they learnt of a key: where its row is
//! ([`super::shortcuts`]), or that there is none ([`super::absence`]). `hftok_core::spread` says in which bucket a key is.
//!
//! What must stay true: several processes write and read a bucket at once, without a lock. Each word is whole, but what two words say
//! together may be half of one and half of another: whoever reads them must not be misled by that.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hftok_core::spread::{Spot, Spread, tag};
use pgrx::{pg_guard, pg_sys};

use super::prefetch;
use super::relations::{self, Relation};
use crate::pg::server::area::Area;
use crate::pg::who::session::database;

/// The bytes of an index that a key takes, where keys are drawn by chance.
const BYTES_A_KEY: u64 = 40;

/// One line of cache: a look-up touches one.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Bucket([Entry; 4]);

/// What was left of a key: its tag beside half a word, and a word that is not 0.
type Entry = [AtomicU64; 2];

/// As many as a power of two, or none.
static BUCKETS: Area<Bucket> = Area::new(c"hftok shortcuts");
/// How many of them are used; none where there are none.
static SPREAD: Area<Spread> = Area::new(c"hftok spread");

/// Asks for so many bytes; from `_PG_init`, while preloading.
pub fn init(bytes: usize) {
    let most = bytes / size_of::<Bucket>();
    // The largest power of two that fits.
    BUCKETS.resize(most.checked_ilog2().map_or(0, |power| 1 << power));
    SPREAD.resize(BUCKETS.count().min(1));
    pgrx::pg_shmem_init!(BUCKETS = ());
    pgrx::pg_shmem_init!(SPREAD = ());
}

/// The bucket of a key of this database, and which other keys belong there.
fn spot(key: [u8; 16]) -> Option<(&'static Bucket, Spot)> {
    let buckets = BUCKETS.start();
    if buckets.is_null() {
        return None;
    }
    let spot = spread()?.spot(BUCKETS.count(), database(), key);
    // SAFETY: there are so many for as long as the server runs; words are only ever read and written as a whole.
    Some((unsafe { &*buckets.add(spot.bucket) }, spot))
}

/// Has as many buckets used as a table needs with this index on one uuid.
pub fn expect_keys_of(index: Relation) {
    if let Some(spread) = spread() {
        spread.expect(relations::size(index) / BYTES_A_KEY);
    }
}

/// How many buckets are used, where there are any.
fn spread() -> Option<&'static Spread> {
    // SAFETY: there for as long as the server runs; its words are only ever read and written as a whole.
    unsafe { SPREAD.start().as_ref() }
}

/// The bucket of a key of this database.
pub(super) fn of(key: [u8; 16]) -> Option<&'static Bucket> {
    spot(key).map(|(bucket, _)| bucket)
}

/// What was left of a key, or half of that and half of something else.
pub(super) fn find(bucket: &Bucket, key: [u8; 16]) -> Option<(u32, u64)> {
    bucket.0.iter().find_map(|[tagged, word]| {
        let ([found, half], word) = (halves(tagged.load(Relaxed)), word.load(Relaxed));
        (found == tag(key) && word != 0).then_some((half, word))
    })
}

/// Leaves something of a key in its bucket, in place of what was left of it before, or of another key if need be.
pub(super) fn keep(key: [u8; 16], half: u32, word: u64) {
    let Some((Bucket(entries), spot)) = spot(key) else { return };
    let tag = tag(key);
    let tag_of = |[tagged, _]: &Entry| halves(tagged.load(Relaxed))[0];
    let is_free = |entry: &Entry| entry[1].load(Relaxed) == 0 || !spot.is_of(tag_of(entry));
    let place = entries
        .iter()
        .find(|entry| tag_of(entry) == tag)
        .or_else(|| entries.iter().find(|entry| is_free(entry)));
    let [tagged, last] = place.unwrap_or(&entries[usize::from(key[0]) % entries.len()]);
    tagged.store(u64::from(tag) << 32 | u64::from(half), Relaxed);
    last.store(word, Relaxed);
    if let Some(spread) = spread() {
        spread.count(BUCKETS.count(), place.is_none());
    }
}

/// The same as [`of`] for a look. Each 256th goes by way of the index: Postgres counts an index that is never read as unused when it makes room
/// in its memory.
pub(super) fn to_look(key: [u8; 16]) -> Option<&'static Bucket> {
    thread_local!(static LOOKS: Cell<u8> = const { Cell::new(0) });
    LOOKS.set(LOOKS.get().wrapping_add(1));
    if LOOKS.get() == 0 { None } else { of(key) }
}

/// Says that [`to_look`] is about to be asked for this key.
pub(super) fn expect(key: [u8; 16]) {
    if let Some(bucket) = of(key) {
        prefetch::ask_for(bucket);
    }
}

/// The halves of a word.
pub(super) fn halves(whole: u64) -> [u32; 2] {
    [whole >> 32, whole & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(0))
}
