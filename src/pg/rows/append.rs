//! Adding rows to a table of ours as COPY does it: several a page and a WAL record, without the executor.
//!
//! Neither privileges, row security, triggers nor CHECK constraints are asked: only for tables that nobody else writes.

use std::cell::RefCell;

use pgrx::pg_sys;
use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary;

use super::relations::Relation;
use super::sql::Parameter;
use super::target::{self, Target};
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
    /// The table, with its indexes.
    target: Target,
    /// Rows that wait to be written together.
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    /// Slots that hold a row.
    filled: usize,
}

impl Append {
    /// Opens a table whose columns have these types, no more and no others.
    pub fn begin(table: Relation, types: &[pg_sys::Oid]) -> Result<Self, Error> {
        // SAFETY: everything is closed by `finish`, or by abort.
        unsafe {
            let table = target::open(table);
            let columns = pgrx::PgTupleDesc::from_pg_copy((*table).rd_att);
            let fits = columns.len() == types.len()
                && columns
                    .iter()
                    .zip(types)
                    .all(|(column, kind)| column.atttypid == *kind && !column.attisdropped);
            drop(columns);
            if !fits {
                pg_sys::table_close(table, i32::try_from(pg_sys::NoLock).unwrap_or_default());
                return Err(Error::Internal("a table has other columns than it was made with"));
            }
            Ok(Self { target: Target::of(table, false), slots: Vec::new(), filled: 0 })
        }
    }

    /// Adds a row: a value for each column, of its type.
    pub fn row<const N: usize>(&mut self, values: [Parameter; N]) -> Result<(), Error> {
        if self.filled == STEP {
            self.flush()?;
        }
        if self.filled == self.slots.len() {
            // SAFETY: a slot for rows of this table, in the transaction's memory.
            self.slots.push(unsafe { pg_sys::table_slot_create(self.target.table, std::ptr::null_mut()) });
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
        // SAFETY: the slots are the table's; nothing of it is used after this.
        unsafe {
            for slot in &self.slots {
                pg_sys::ExecDropSingleTupleTableSlot(*slot);
            }
            self.target.close();
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
            let insert = (*(*self.target.table).rd_tableam).multi_insert;
            let insert = insert.ok_or(Error::Internal("a table cannot take several rows"))?;
            let (slots, command) = (self.slots.as_mut_ptr(), pg_sys::GetCurrentCommandId(true));
            let table = self.target.table;
            let bulk_insert = if count > 1 { bulk_insert((*table).rd_id) } else { std::ptr::null_mut() };
            pg_guard_ffi_boundary(|| {
                insert(table, slots, rows, command, 0, bulk_insert);
            });
            if !bulk_insert.is_null() {
                pg_sys::ReleaseBulkInsertStatePin(bulk_insert);
                BULK_INSERTS.with_borrow_mut(|kept| kept.push(((*table).rd_id, bulk_insert)));
            }
            for slot in &self.slots[..count] {
                self.enter(*slot);
            }
            for slot in &self.slots[..count] {
                if let Some(clear) = (*(**slot).tts_ops).clear {
                    pg_guard_ffi_boundary(|| clear(*slot));
                }
            }
        }
        Ok(())
    }

    /// Enters a row into the indexes.
    unsafe fn enter(&self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: the caller's.
        unsafe {
            self.target.enter(slot, std::ptr::null_mut());
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
