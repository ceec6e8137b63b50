//! Adding rows to a table of ours as COPY does it: several a page and a WAL record, without the executor.
//!
//! Neither privileges, row security, triggers nor CHECK constraints are asked: only for tables that nobody else writes. Rows
//! of a table with BRIN indexes come in the order of whatever these are on.

use std::cell::RefCell;

use pgrx::pg_sys;
use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary;

use super::relations::Relation;
use super::sql::Parameter;
use crate::error::Error;

/// The number of rows that go to the table at a time: some pages of them. Each row needs a slot, which is dear to make.
const STEP: usize = 100;

thread_local! {
    // The few buffers that the rows of this process pass through: an audit that grows must not push out of memory the
    // pages that everybody reads. An entry is kept from one transaction to the next. It is not here while it is in use,
    // so that an entry is not used again after an error. Each entry is for one table: 16.0 keeps in it which block comes
    // next when its pin is released.
    static BULK_INSERTS: RefCell<Vec<(pg_sys::Oid, pg_sys::BulkInsertState)>> = const { RefCell::new(Vec::new()) };
}

/// Rows on their way into a table.
pub struct Append {
    /// Open, and locked for writing.
    table: pg_sys::Relation,
    /// The state of the executor. Allocations of an insertion lie in its memory.
    state: *mut pg_sys::EState,
    /// The table as a target: rows and their index entries go there.
    target: *mut pg_sys::ResultRelInfo,
    /// Rows that wait to be written together.
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    /// Slots that hold a row.
    filled: usize,
}

impl Append {
    /// Opens a table whose columns have these types, no more and no others.
    pub fn begin(table: Relation, types: &[pg_sys::Oid]) -> Result<Self, Error> {
        let lock = i32::try_from(pg_sys::RowExclusiveLock).unwrap_or_default();
        // SAFETY: opens a relation by its id, or fails when it is gone. Everything is closed by `finish`, or by abort. The state
        // and the target live in a memory context that the state owns, and die with it.
        unsafe {
            pg_sys::PreventCommandIfReadOnly(c"INSERT".as_ptr());
            pg_sys::PreventCommandIfParallelMode(c"INSERT".as_ptr());
            let table = pg_sys::table_open(table.0, lock);
            let columns = pgrx::PgTupleDesc::from_pg_copy((*table).rd_att);
            let fits = columns.len() == types.len()
                && columns
                    .iter()
                    .zip(types)
                    .all(|(column, kind)| column.atttypid == *kind && !column.attisdropped);
            drop(columns);
            if !fits {
                pg_sys::table_close(table, lock);
                return Err(Error::Internal("a table has other columns than it was made with"));
            }
            let state = pg_sys::CreateExecutorState();
            let before = pg_sys::MemoryContextSwitchTo((*state).es_query_cxt);
            let target = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*target).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(target, table, 1, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(target, false);
            pg_sys::MemoryContextSwitchTo(before);
            Ok(Self { table, state, target, slots: Vec::new(), filled: 0 })
        }
    }

    /// Adds a row: a value for each column, of its type.
    pub fn row<const N: usize>(&mut self, values: [Parameter; N]) -> Result<(), Error> {
        if self.filled == STEP {
            self.flush()?;
        }
        if self.filled == self.slots.len() {
            // SAFETY: a slot for rows of this table, in the transaction's memory.
            self.slots.push(unsafe { pg_sys::table_slot_create(self.table, std::ptr::null_mut()) });
        }
        let slot = self.slots[self.filled];
        // SAFETY: the slot is empty and has as many places as the table has columns, which was checked against the types
        // that the caller named for these values.
        unsafe {
            if usize::try_from((*(*slot).tts_tupleDescriptor).natts) != Ok(N) {
                return Err(Error::Internal("a row has another number of columns than its table"));
            }
            for (at, value) in values.into_iter().enumerate() {
                let value = value.datum();
                *(*slot).tts_isnull.add(at) = value.is_none();
                *(*slot).tts_values.add(at) = value.unwrap_or(pg_sys::Datum::null());
            }
            pg_sys::ExecStoreVirtualTuple(slot);
        }
        self.filled += 1;
        Ok(())
    }

    /// Brings the last rows into the table, for what follows in this transaction to see.
    pub fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        let kept = i32::try_from(pg_sys::NoLock).unwrap_or_default();
        // SAFETY: closes what was opened; the lock is kept until the transaction ends.
        unsafe {
            for slot in &self.slots {
                pg_sys::ExecDropSingleTupleTableSlot(*slot);
            }
            pg_sys::ExecCloseIndices(self.target);
            pg_sys::FreeExecutorState(self.state);
            pg_sys::table_close(self.table, kept);
            pg_sys::CommandCounterIncrement();
        }
        Ok(())
    }

    /// Writes the rows that wait, as COPY does.
    fn flush(&mut self) -> Result<(), Error> {
        let count = std::mem::take(&mut self.filled);
        let rows = i32::try_from(count).map_err(|_| Error::Internal("too many rows at a time"))?;
        // SAFETY: as COPY does it: the slots hold rows of this table; each is entered into the indexes once it has its place;
        // what was allocated for that is freed after each.
        unsafe {
            let insert = (*(*self.table).rd_tableam).multi_insert;
            let insert = insert.ok_or(Error::Internal("a table cannot take several rows"))?;
            let (slots, command) = (self.slots.as_mut_ptr(), pg_sys::GetCurrentCommandId(true));
            let table = self.table;
            let bulk_insert = if count > 1 { bulk_insert((*table).rd_id) } else { std::ptr::null_mut() };
            pg_guard_ffi_boundary(|| {
                insert(table, slots, rows, command, 0, bulk_insert);
            });
            if !bulk_insert.is_null() {
                pg_sys::ReleaseBulkInsertStatePin(bulk_insert);
                BULK_INSERTS.with_borrow_mut(|kept| kept.push(((*table).rd_id, bulk_insert)));
            }
            // A BRIN index keeps the least and the most of some pages: the first and the last row of a page say both.
            let slots = &self.slots[..count];
            let blocks: Vec<u32> = slots.iter().map(|slot| block(*slot)).collect();
            for (at, slot) in slots.iter().enumerate() {
                let is_first = at == 0 || blocks[at - 1] != blocks[at];
                let is_last = blocks.get(at + 1) != Some(&blocks[at]);
                self.enter(*slot, is_first || is_last);
            }
            for slot in slots {
                if let Some(clear) = (*(**slot).tts_ops).clear {
                    pg_guard_ffi_boundary(|| clear(*slot));
                }
            }
        }
        Ok(())
    }

    /// Enters a row into the indexes.
    unsafe fn enter(&self, slot: *mut pg_sys::TupleTableSlot, in_brin: bool) {
        // SAFETY: the caller's. The target has as many indexes as it says; what it says of them is its own copy.
        unsafe {
            for at in 0..usize::try_from((*self.target).ri_NumIndices).unwrap_or(0) {
                let index = *(*self.target).ri_IndexRelationInfo.add(at);
                if (*index).ii_Am == pg_sys::BRIN_AM_OID {
                    // One that is still being made is not ready for any.
                    let is_ready = (*(**(*self.target).ri_IndexRelationDescs.add(at)).rd_index).indisready;
                    (*index).ii_ReadyForInserts = is_ready && in_brin;
                }
            }
            pg_sys::ExecInsertIndexTuples(
                self.target,
                slot,
                self.state,
                false,
                false,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                #[cfg(not(feature = "pg15"))]
                false,
            );
            if let Some(context) = (*self.state).es_per_tuple_exprcontext.as_ref() {
                pg_sys::MemoryContextReset(context.ecxt_per_tuple_memory);
            }
        }
    }
}

/// Takes the state of a bulk insert into a table, or makes one.
fn bulk_insert(table: pg_sys::Oid) -> pg_sys::BulkInsertState {
    let kept = BULK_INSERTS.with_borrow_mut(|kept| {
        let at = kept.iter().position(|(of, _)| *of == table)?;
        Some(kept.swap_remove(at).1)
    });
    if let Some(kept) = kept {
        return kept;
    }
    // SAFETY: made where it lives as long as the process.
    unsafe {
        let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let made = pg_sys::GetBulkInsertState();
        pg_sys::MemoryContextSwitchTo(before);
        made
    }
}

/// The block where a stored row lies.
unsafe fn block(slot: *mut pg_sys::TupleTableSlot) -> u32 {
    // SAFETY: the caller's: a slot whose row was stored.
    unsafe { pgrx::itemptr::item_pointer_get_both((*slot).tts_tid).0 }
}
