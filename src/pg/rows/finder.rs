//! Relations that are open to look for rows in them without SQL, and the row that was moved to.

use pgrx::pg_sys;
use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary;

use super::prefetch;
use super::relations::Relation;
use super::shortcuts::Place;
use crate::pg::bare;

/// Relations that are open; what was not needed yet is null.
pub(super) struct Finder {
    /// Open and locked.
    pub(super) table: pg_sys::Relation,
    /// Null until the index is needed.
    pub(super) index: pg_sys::Relation,
    /// Null until the index is needed.
    scan: pg_sys::IndexScanDesc,
    /// Null until the first row.
    pub(super) slot: *mut pg_sys::TupleTableSlot,
}

/// The entries of an index with one key.
pub(super) enum Entries {
    /// That of the row that is seen, which is here.
    Of(Place),
    /// Only those of rows that nobody sees, or others do.
    OfUnseen,
    /// None at all.
    None,
}

impl Finder {
    /// Opens the table alone.
    pub(super) fn open(table: Relation) -> Self {
        let lock = i32::try_from(pg_sys::AccessShareLock).unwrap_or_default();
        // SAFETY: opens a relation by its id, or fails when it is gone; closed on drop, or by abort.
        let table = unsafe { pg_guard_ffi_boundary(|| bare::table_open(table.0, lock)) };
        Self { table, index: std::ptr::null_mut(), scan: std::ptr::null_mut(), slot: std::ptr::null_mut() }
    }

    /// Lets go of the row that was found before.
    ///
    /// # Safety
    /// Inside pgrx's boundary.
    pub(super) unsafe fn let_go(&mut self) {
        // SAFETY: null, or a slot of the open table.
        unsafe {
            if let Some(slot) = self.slot.as_ref()
                && let Some(clear) = (*slot.tts_ops).clear
            {
                clear(self.slot);
            }
        }
    }

    /// Moves to the place of a row's last find, if the row is there. A version that an update made without a new entry in the index is found
    /// from there, too.
    ///
    /// # Safety
    /// Inside pgrx's boundary, with a snapshot that is valid now.
    pub(super) unsafe fn go_to(&mut self, place: Place, snapshot: pg_sys::Snapshot) -> bool {
        let Ok(buffer) = i32::try_from(place.buffer) else { return false };
        let share = i32::try_from(pg_sys::BUFFER_LOCK_SHARE).unwrap_or_default();
        let unlock = i32::try_from(pg_sys::BUFFER_LOCK_UNLOCK).unwrap_or_default();
        // SAFETY: the buffer is one of the server's, and is pinned only if it holds this block of this table's file; the
        // slot is one for rows of the heap, as the table is one, and its tuple is the slot's own. A number that no row
        // of the block has is answered by `false`.
        unsafe {
            if buffer > pg_sys::NBuffers || !self.is_heap() {
                return false;
            }
            #[cfg(feature = "pg15")]
            let file = (*self.table).rd_node;
            #[cfg(not(feature = "pg15"))]
            let file = (*self.table).rd_locator;
            if !bare::ReadRecentBuffer(file, pg_sys::ForkNumber::MAIN_FORKNUM, place.block, buffer) {
                return false;
            }
            self.make_slot();
            let mut tid = pg_sys::ItemPointerData::default();
            pgrx::itemptr::item_pointer_set_all(&mut tid, place.block, place.offset);
            let tuple = &raw mut (*self.slot.cast::<pg_sys::BufferHeapTupleTableSlot>()).base.tupdata;
            bare::LockBuffer(buffer, share);
            let is_seen = bare::heap_hot_search_buffer(
                &raw mut tid,
                self.table,
                buffer,
                snapshot,
                tuple,
                std::ptr::null_mut(),
                true,
            );
            bare::LockBuffer(buffer, unlock);
            if is_seen {
                bare::ExecStorePinnedBufferHeapTuple(tuple, self.slot, buffer);
            } else {
                bare::ReleaseBuffer(buffer);
            }
            is_seen
        }
    }

    /// The byte of its page at which the row in the slot begins; 0 outside shared buffers.
    ///
    /// # Safety
    /// The slot is one for rows of the heap and holds one that lies in this buffer, unless the buffer is 0.
    pub(super) unsafe fn offset_in_page(&self, buffer: u32) -> u16 {
        if buffer == 0 {
            return 0;
        }
        // SAFETY: the caller's; such a slot points to a tuple, which points to its row.
        let row = unsafe { (*(*self.slot.cast::<pg_sys::BufferHeapTupleTableSlot>()).base.tuple).t_data };
        prefetch::offset_in_page(buffer, row.cast::<u8>().cast_const())
    }

    /// A slot is dear to make, and of no use where nothing is found.
    ///
    /// # Safety
    /// Inside pgrx's boundary.
    unsafe fn make_slot(&mut self) {
        if self.slot.is_null() {
            // SAFETY: for rows of an open table.
            self.slot = unsafe { bare::table_slot_create(self.table, std::ptr::null_mut()) };
        }
    }

    /// Whether slots for its rows are those of the heap.
    fn is_heap(&self) -> bool {
        // SAFETY: an open relation.
        unsafe { (*(*self.table).rd_rel).relam == pg_sys::HEAP_TABLE_AM_OID }
    }

    /// Opens the index, unless it is open.
    ///
    /// # Safety
    /// Inside pgrx's boundary, with a snapshot that is valid as long as this is.
    pub(super) unsafe fn open_index(&mut self, index: Relation, snapshot: pg_sys::Snapshot) {
        if !self.scan.is_null() {
            return;
        }
        let lock = i32::try_from(pg_sys::AccessShareLock).unwrap_or_default();
        // SAFETY: as Postgres does it itself.
        unsafe {
            self.index = bare::index_open(index.0, lock);
            self.scan = self.begin_scan(snapshot, 1);
        }
    }

    /// Begins scans of the index with so many conditions.
    ///
    /// # Safety
    /// As for [`Finder::open_index`]; the index is open.
    unsafe fn begin_scan(&self, snapshot: pg_sys::Snapshot, conditions: i32) -> pg_sys::IndexScanDesc {
        let Self { table, index, .. } = *self;
        // SAFETY: the caller's.
        unsafe {
            #[cfg(not(feature = "pg18"))]
            let scan = bare::index_beginscan(table, index, snapshot, conditions, 0);
            #[cfg(feature = "pg18")]
            let scan = bare::index_beginscan(table, index, snapshot, std::ptr::null_mut(), conditions, 0);
            scan
        }
    }

    /// Moves to the row with this key, by the index.
    ///
    /// # Safety
    /// Inside pgrx's boundary; the index is open, and the snapshot valid that it was opened with.
    pub(super) unsafe fn go_by_index(&mut self, key: &[u8; 16]) -> Entries {
        let equal = u16::try_from(pg_sys::BTEqualStrategyNumber).unwrap_or_default();
        let procedure = pg_sys::Oid::from(pg_sys::F_UUID_EQ);
        let key = pg_sys::Datum::from(key.as_ptr());
        // SAFETY: as Postgres does it itself. The scan copies the condition, and follows it to the key only while it looks for
        // entries; before it looks again it is given another condition. A row that is found lies in a buffer of the server's, which
        // the slot keeps pinned.
        unsafe {
            let mut condition = pg_sys::ScanKeyData::default();
            bare::ScanKeyInit(&raw mut condition, 1, equal, procedure, key);
            bare::index_rescan(self.scan, &raw mut condition, 1, std::ptr::null_mut(), 0);
            let mut entries = Entries::None;
            loop {
                let tid = bare::index_getnext_tid(self.scan, pg_sys::ScanDirection::ForwardScanDirection);
                if tid.is_null() {
                    return entries;
                }
                entries = Entries::OfUnseen;
                // Before the row is fetched, which may move this on to a later version of it.
                let (block, offset) = pgrx::itemptr::item_pointer_get_both(*tid);
                self.make_slot();
                if bare::index_fetch_heap(self.scan, self.slot) {
                    let slot = self.slot.cast::<pg_sys::BufferHeapTupleTableSlot>();
                    let buffer = if self.is_heap() { (*slot).buffer } else { 0 };
                    let buffer = u32::try_from(buffer).unwrap_or(0);
                    return Entries::Of(Place { block, buffer, offset, at: self.offset_in_page(buffer) });
                }
            }
        }
    }
}

impl Finder {
    /// Counts the rows with these texts in these columns, as [`super::count::up_to`] says it.
    ///
    /// # Safety
    /// Inside pgrx's boundary, with an active snapshot that is valid as long as this is. No index is open, and the texts are texts that
    /// outlive this.
    pub(super) unsafe fn count<const N: usize>(
        &mut self,
        most: i64,
        index: Relation,
        columns: [i16; N],
        texts: [pg_sys::Datum; N],
    ) -> Option<i64> {
        let lock = i32::try_from(pg_sys::AccessShareLock).unwrap_or_default();
        let equal = u16::try_from(pg_sys::BTEqualStrategyNumber).unwrap_or_default();
        let procedure = pg_sys::Oid::from(pg_sys::F_TEXTEQ);
        let conditions = i32::try_from(N).ok()?;
        // SAFETY: as Postgres does it itself. The index was found to have so many key columns, each of which has a collation. The scan
        // copies the conditions, and follows them to texts that outlive it.
        unsafe {
            self.index = bare::index_open(index.0, lock);
            if !self.leads_by(columns) {
                return None;
            }
            self.scan = self.begin_scan(bare::GetActiveSnapshot(), conditions);
            let mut keys = [pg_sys::ScanKeyData::default(); N];
            for (at, (key, text)) in keys.iter_mut().zip(texts).enumerate() {
                let column = i16::try_from(at + 1).ok()?;
                let collation = *(*self.index).rd_indcollation.add(at);
                let none = pg_sys::InvalidOid;
                bare::ScanKeyEntryInitialize(key, 0, column, equal, none, collation, procedure, text);
            }
            bare::index_rescan(self.scan, keys.as_mut_ptr(), conditions, std::ptr::null_mut(), 0);
            self.make_slot();
            let mut count = 0;
            while count < most
                && !bare::index_getnext_tid(self.scan, pg_sys::ScanDirection::ForwardScanDirection).is_null()
            {
                count += i64::from(bare::index_fetch_heap(self.scan, self.slot));
            }
            Some(count)
        }
    }

    /// Whether the open index is a B-tree of the whole open table whose key begins with these columns of texts, of which only those that
    /// are the same byte by byte are equal, as in each of these collations.
    ///
    /// # Safety
    /// Inside pgrx's boundary; the index is open.
    unsafe fn leads_by<const N: usize>(&self, columns: [i16; N]) -> bool {
        let index = self.index;
        // SAFETY: what an open index has in memory: a row of the catalog, and arrays with an element for each column of the key.
        unsafe {
            let form = (*index).rd_index;
            let keys = usize::try_from((*form).indnkeyatts).unwrap_or_default();
            (*form).indrelid == (*self.table).rd_id
                && (*form).indisvalid
                && (*(*index).rd_rel).relam == pg_sys::BTREE_AM_OID
                && keys >= N
                && bare::RelationGetIndexPredicate(index).is_null()
                && columns.into_iter().enumerate().all(|(at, column)| {
                    let collation = *(*index).rd_indcollation.add(at);
                    *(*form).indkey.values.as_ptr().add(at) == column
                        && *(*index).rd_opcintype.add(at) == pg_sys::TEXTOID
                        && [pg_sys::C_COLLATION_OID, pg_sys::DEFAULT_COLLATION_OID].contains(&collation)
                })
        }
    }
}

impl Drop for Finder {
    fn drop(&mut self) {
        // While unwinding from a Postgres error the abort that follows closes everything, in its own order.
        if !std::thread::panicking() {
            let kept = i32::try_from(pg_sys::NoLock).unwrap_or_default();
            let Self { table, index, scan, slot } = *self;
            // SAFETY: opened above, in this order. The locks are kept until the transaction ends, as the executor does it.
            unsafe {
                pg_guard_ffi_boundary(|| {
                    if !slot.is_null() {
                        bare::ExecDropSingleTupleTableSlot(slot);
                    }
                    if !scan.is_null() {
                        bare::index_endscan(scan);
                    }
                    if !index.is_null() {
                        bare::index_close(index, kept);
                    }
                    bare::table_close(table, kept);
                });
            }
        }
    }
}
