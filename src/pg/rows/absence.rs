//! Proofs that an index has no entry for a key, so that a look for a key that is not there need not go down the index again.
//!
//! A proof says of a leaf of the index, and of the leaf's LSN, by which Postgres marks the last change of a page: *while this leaf has
//! this LSN, no entry with this key is in this index*. It names the buffer, and has a hash of leaf, LSN and key, its *check*. To use one
//! is to pin what lies in the buffer and to make the check anew. Nothing of the page is interpreted.
//!
//! It is made in this order ([`leaf_of`], then the search that `super::scan` makes anyway), but not before a key is missed for the
//! second time, because most keys that are not there are asked for once:
//! 1. Postgres' own descent is made twice, for the first entry that the key could have, and for the last. Both end at the same
//!    leaf, with the same LSN: every entry with this key belongs into this leaf.
//! 2. A search after that meets no entry with the key, not even one whose row nobody sees. (Entries that are marked as dead are
//!    passed over; their rows are dead for every newest snapshot, now and later. In a transaction that began on a standby, where
//!    that is not so, searches do not pass over them.)
//!
//! Why it holds:
//! - An entry with the key changes its leaf before its transaction commits. That sets the leaf's LSN, under the exclusive lock of the
//!   page, also where a standby repeats it. LSNs only grow: a leaf never gets back an LSN that it had.
//! - While the leaf is not changed, entries with the key belong there. Its upper bound lies in it. Its lower bound is that of
//!   the leaf on its left, to which it points: a split there, or the end of that leaf, changes it, as its own end does.
//! - So if the leaf has the LSN still, there was no entry with the key at step 2, and none has come since.
//! - Whoever asks has taken the newest snapshot before. A row that the snapshot sees was committed before that, its entry made
//!   before that, and no entry of a row goes that a snapshot sees. So no row with the key is seen. A row that was written by
//!   this very transaction has its entry as well.
//! - A proof is never outdated, only of no use: it says the same for ever. So it does not matter who made it, or when. One that
//!   is half of one and half of another does not fit its check, which is hashed with a key that only this server has.
//!
//! Where it does not hold:
//! - Where changes set no LSN: see [`file_of`]. Nor is there ever a proof with LSN 0, which a page has until it is logged.
//! - LSNs may come again after a crash that lost what was not flushed. Then Postgres' shared memory begins anew, and with it
//!   [`RUN`], a part of each check.
//! - An index may get another file. Whoever asks takes in what other sessions tell *after* the snapshot was taken
//!   (`crate::store::lookup`). Postgres tells of a new file before anybody else can write into it alone: it lets nobody write
//!   while it makes one, or (CONCURRENTLY) has the former one kept until nobody who holds a lock on the table can know only that.
//!   Rows of the very transaction that made the file may be missed between its commit and its telling, which comes before the
//!   client's answer: as if the look had been made a moment before.
//! - A serializable transaction has to leave a mark in the index of what it did not find. It makes no use of proofs.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use pgrx::{PgAtomic, pg_guard, pg_sys};

use super::buckets::{self, Bucket};
use super::prefetch;
use super::relations::{self, Relation};
use crate::pg::bare::{self, FileId};

/// A number of the server's run: another one whenever Postgres' shared memory begins anew.
// SAFETY: `PgAtomic::new` asks that no other memory has this name.
static RUN: PgAtomic<AtomicU64> = unsafe { PgAtomic::new(c"hftok_absence") };
/// The key of the checks, drawn before the server has children. `None` when not preloaded.
static HASH: OnceLock<RandomState> = OnceLock::new();
/// Whether each proof is followed by a search.
static IS_CHECKED: OnceLock<fn() -> bool> = OnceLock::new();

/// Draws the key; from `_PG_init`, while preloading. `is_checked` tells whether each proof is to be followed by a search.
pub fn init(is_checked: fn() -> bool) {
    // A second call would hand in the same function, and may keep the first key.
    let _ = IS_CHECKED.set(is_checked);
    let _ = HASH.set(RandomState::new());
    pgrx::pg_shmem_init!(RUN = AtomicU64::new(RandomState::new().hash_one(())));
}

/// Whether a proof is to be followed by a search, which must not find what it denies.
pub(super) fn is_checked() -> bool {
    IS_CHECKED.get().is_some_and(|is_checked| is_checked())
}

/// The file of an index in which absence can be proved.
#[derive(Clone, Copy)]
pub struct LeafFile {
    /// Its name.
    file: FileId,
    /// The name and the run, hashed.
    seed: u64,
}

/// A leaf, as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Its block.
    block: u32,
    /// The buffer that it lay in, and the only one that is looked into.
    buffer: u32,
    /// The last change of it; never 0.
    lsn: u64,
}

impl LeafFile {
    /// The present file of an index on one column, if it will do.
    pub fn of(index: Relation) -> Option<Self> {
        let hash = HASH.get()?;
        // SAFETY: what is looked at is open.
        let file = relations::look(index, |index| unsafe { file_of(index) })??;
        Some(Self { file, seed: hash.hash_one((name(file), RUN.get().load(Relaxed))) })
    }

    /// What a proof is known by.
    fn check(&self, key: [u8; 16], leaf: Leaf) -> Option<u64> {
        let Leaf { block, buffer, lsn } = leaf;
        HASH.get().map(|hash| hash.hash_one((self.seed, u128::from_be_bytes(key), block, buffer, lsn)))
    }
}

/// The file of an index on one column whose every change by anybody sets the LSN of the page that is changed.
///
/// # Safety
/// An open relation.
unsafe fn file_of(index: pg_sys::Relation) -> Option<FileId> {
    // SAFETY: the relation's description lives as long as it is open; a variable of this process.
    unsafe {
        let index = &*index;
        // With `wal_level = minimal` a transaction logs nothing of files that it has made itself.
        let is_logged = u32::try_from(pg_sys::wal_level)
            .is_ok_and(|level| level >= pg_sys::WalLevel::WAL_LEVEL_REPLICA)
            && (*index.rd_rel).relpersistence.cast_unsigned() == pg_sys::RELPERSISTENCE_PERMANENT;
        let is_tree = (*index.rd_rel).relam == pg_sys::BTREE_AM_OID && (*index.rd_att).natts == 1;
        #[cfg(feature = "pg15")]
        let file = index.rd_node;
        #[cfg(not(feature = "pg15"))]
        let file = index.rd_locator;
        (is_logged && is_tree).then_some(file)
    }
}

/// The tablespace, the database and the number that make a file's name.
fn name(file: FileId) -> [u32; 3] {
    #[cfg(feature = "pg15")]
    let parts = [file.spcNode, file.dbNode, file.relNode];
    #[cfg(not(feature = "pg15"))]
    let parts = [file.spcOid, file.dbOid, file.relNumber];
    parts.map(|part| part.to_u32())
}

/// A key that no row has: it differs from this one in a bit by which no bucket is chosen. What is known of the absence of this key is
/// kept under that one, as if it were a shortcut: that it was missed, or the proof ([`keep`]).
fn twin(mut key: [u8; 16]) -> [u8; 16] {
    key[12] ^= 1 << 7;
    key
}

/// Remembers that a look for this key found nothing, which is no proof.
pub(super) fn note_miss(key: [u8; 16]) {
    buckets::keep(twin(key), 0, u64::MAX);
}

/// Whether a look for this key found nothing before.
pub(super) fn was_missed(bucket: &Bucket, key: [u8; 16]) -> bool {
    buckets::find(bucket, twin(key)).is_some()
}

/// Remembers what was proved with a leaf: the buffer, and a check of everything else. The block stands in the buffer's description, and
/// the LSN in the page.
pub(super) fn keep(key: [u8; 16], file: &LeafFile, leaf: Leaf) {
    if let Some(check) = file.check(key, leaf) {
        buckets::keep(twin(key), leaf.buffer, check);
    }
}

/// Asks for the memory that [`is_proved`] will look at.
pub(super) fn expect(bucket: &Bucket, key: [u8; 16]) {
    if let Some((buffer, _)) = buckets::find(bucket, twin(key)) {
        prefetch::ask_for_page(buffer);
    }
}

/// Whether it is proved that no row with this key is seen by the active snapshot, which is the newest.
///
/// # Safety
/// Inside pgrx's boundary; the snapshot was taken before the caller learnt that this is the file of the index.
pub(super) unsafe fn is_proved(bucket: &Bucket, key: [u8; 16], file: &LeafFile) -> bool {
    let Some((buffer, check)) = buckets::find(bucket, twin(key)) else { return false };
    let (Some(block), Ok(number)) = (block_in(buffer), i32::try_from(buffer)) else { return false };
    // SAFETY: the buffer is one of the server's, and is pinned only if it holds this block of this file.
    let lsn = unsafe {
        if u32::try_from(pg_sys::XactIsoLevel) == Ok(pg_sys::XACT_SERIALIZABLE)
            || !bare::ReadRecentBuffer(file.file, pg_sys::ForkNumber::MAIN_FORKNUM, block, number)
        {
            return false;
        }
        // Nobody changes the page meanwhile.
        bare::LockBuffer(number, i32::try_from(pg_sys::BUFFER_LOCK_SHARE).unwrap_or_default());
        let lsn = bare::BufferGetLSNAtomic(number);
        bare::UnlockReleaseBuffer(number);
        lsn
    };
    lsn != 0 && file.check(key, Leaf { block, buffer, lsn }) == Some(check)
}

/// The block that a buffer of the server's holds, or held a moment ago. No buffer has the number 0.
fn block_in(buffer: u32) -> Option<u32> {
    let (description, _) = prefetch::addresses(buffer)?;
    // SAFETY: the description of a buffer that there is, in memory that stays as long as the server runs. Other processes write this
    // number, which is read as a whole.
    let block = unsafe {
        AtomicU32::from_ptr(&raw mut (*description.cast_mut()).bufferdesc.tag.blockNum).load(Relaxed)
    };
    Some(block)
}

/// An entry of an index on a uuid, in the form that Postgres gives it.
#[repr(C, align(8))]
struct Entry {
    /// The row that it leads to, and the length.
    head: pg_sys::IndexTupleData,
    /// The key.
    key: [u8; 16],
}

/// The leaf into which every entry with this key belongs.
///
/// # Safety
/// Inside pgrx's boundary; both are open, the second is an index of the first, on a uuid.
pub(super) unsafe fn leaf_of(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    key: [u8; 16],
    file: &LeafFile,
) -> Option<Leaf> {
    let length = u16::try_from(size_of::<Entry>()).ok()?;
    let mut entry = Entry { head: pg_sys::IndexTupleData { t_info: length, ..Default::default() }, key };
    let row = &raw mut entry.head.t_tid;
    // SAFETY: the index is a B-tree on one column, as `file_of` found. The entry has one value and no NULL, as `t_info` says. The
    // descent's key points to it, also for the row, and it outlives the key.
    unsafe {
        // The index may have got another file since.
        if file_of(index).map(name) != Some(name(file.file)) {
            return None;
        }
        let (mut has_rows, mut is_alike) = (false, false);
        bare::_bt_metaversion(index, &raw mut has_rows, &raw mut is_alike);
        // Before version 4 of B-trees, entries of one key were in no order.
        if !has_rows {
            return None;
        }
        let descent = bare::_bt_mkscankey(index, &raw mut entry.head);
        pgrx::itemptr::item_pointer_set_all(&mut *row, 0, 1);
        let first = descend(table, index, descent);
        pgrx::itemptr::item_pointer_set_all(&mut *row, pg_sys::InvalidBlockNumber - 1, u16::MAX);
        let last = descend(table, index, descent);
        bare::pfree(descent.cast());
        first.filter(|leaf| leaf.lsn != 0 && last == first)
    }
}

/// The leaf that Postgres' descent with this key comes to, if the index has any.
///
/// # Safety
/// Inside pgrx's boundary; as `_bt_search` asks.
unsafe fn descend(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    key: *mut bare::DescentKey,
) -> Option<Leaf> {
    let mut buffer = 0;
    // SAFETY: for reading, the table is not looked at. The leaf comes pinned and locked, and the path to it is ours.
    unsafe {
        #[cfg(feature = "pg15")]
        let path = bare::_bt_search(index, key, &raw mut buffer, bare::BT_READ, std::ptr::null_mut());
        #[cfg(feature = "pg16")]
        let path = bare::_bt_search(index, table, key, &raw mut buffer, bare::BT_READ, std::ptr::null_mut());
        #[cfg(not(any(feature = "pg15", feature = "pg16")))]
        let path = bare::_bt_search(index, table, key, &raw mut buffer, bare::BT_READ);
        #[cfg(feature = "pg15")]
        let _ = table;
        if buffer == 0 {
            return None;
        }
        let block = bare::BufferGetBlockNumber(buffer);
        let lsn = bare::BufferGetLSNAtomic(buffer);
        bare::UnlockReleaseBuffer(buffer);
        bare::_bt_freestack(path);
        Some(Leaf { block, buffer: u32::try_from(buffer).ok()?, lsn })
    }
}
