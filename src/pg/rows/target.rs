//! A table of ours as a target of rows that come without a statement, and the entries of these rows in its indexes.

use pgrx::pg_sys;

use super::relations::Relation;

/// A table that is open, and locked for writing until the transaction ends.
pub(super) struct Target {
    /// The table.
    pub(super) table: pg_sys::Relation,
    /// The state of the executor. Allocations of an insertion lie in its memory.
    pub(super) state: *mut pg_sys::EState,
    /// The table as the executor writes to it, with its indexes.
    pub(super) result: *mut pg_sys::ResultRelInfo,
}

/// Opens a table for writing, which waits for its lock.
///
/// # Safety
/// Inside a transaction. The table is to be closed, unless the transaction is aborted.
pub(super) unsafe fn open(table: Relation) -> pg_sys::Relation {
    let lock = i32::try_from(pg_sys::RowExclusiveLock).unwrap_or_default();
    // SAFETY: opens a relation by its id, or fails when it is gone.
    unsafe {
        pg_sys::PreventCommandIfReadOnly(c"INSERT".as_ptr());
        pg_sys::PreventCommandIfParallelMode(c"INSERT".as_ptr());
        pg_sys::table_open(table.0, lock)
    }
}

impl Target {
    /// Makes a table, which is open, a target. `is_speculative`: rows may turn out to be there already.
    ///
    /// # Safety
    /// The table is open for writing. It is closed with the target, or by abort.
    pub(super) unsafe fn of(table: pg_sys::Relation, is_speculative: bool) -> Self {
        // SAFETY: an open table. The state and what is made in its memory context die with the state.
        unsafe {
            let state = pg_sys::CreateExecutorState();
            let before = pg_sys::MemoryContextSwitchTo((*state).es_query_cxt);
            let result = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*result).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(result, table, 1, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(result, is_speculative);
            pg_sys::MemoryContextSwitchTo(before);
            Self { table, state, result }
        }
    }

    /// The indexes: each with the executor's copy of what is known of it.
    ///
    /// # Safety
    /// The pointers are valid until the target is closed.
    pub(super) unsafe fn indexes(
        &self,
    ) -> impl Iterator<Item = (pg_sys::Relation, *mut pg_sys::IndexInfo)> + use<> {
        let result = self.result;
        // SAFETY: both arrays have as many elements as the target says.
        unsafe {
            let count = usize::try_from((*result).ri_NumIndices).unwrap_or(0);
            (0..count).map(move |at| {
                (*(*result).ri_IndexRelationDescs.add(at), *(*result).ri_IndexRelationInfo.add(at))
            })
        }
    }

    /// Enters a row, which was stored, into the indexes. With `arbiters` a key that another row has there is no error: it is
    /// told.
    ///
    /// # Safety
    /// The slot has a row of this table with its place; the arbiters are null or ids of unique indexes of the table.
    pub(super) unsafe fn enter(
        &self,
        slot: *mut pg_sys::TupleTableSlot,
        arbiters: *mut pg_sys::List,
    ) -> bool {
        let mut is_taken = false;
        // SAFETY: the caller's.
        unsafe {
            pg_sys::ExecInsertIndexTuples(
                self.result,
                slot,
                self.state,
                false,
                !arbiters.is_null(),
                &raw mut is_taken,
                arbiters,
                #[cfg(not(feature = "pg15"))]
                false,
            );
            if let Some(context) = (*self.state).es_per_tuple_exprcontext.as_ref() {
                pg_sys::MemoryContextReset(context.ecxt_per_tuple_memory);
            }
        }
        is_taken
    }

    /// Closes the table, for what follows in this transaction to see its rows. The lock is kept.
    ///
    /// # Safety
    /// Slots of the table were dropped, and nothing of it is used any more.
    pub(super) unsafe fn close(self) {
        let kept = i32::try_from(pg_sys::NoLock).unwrap_or_default();
        // SAFETY: closes what was opened, once.
        unsafe {
            pg_sys::ExecCloseIndices(self.result);
            pg_sys::FreeExecutorState(self.state);
            pg_sys::table_close(self.table, kept);
            pg_sys::CommandCounterIncrement();
        }
    }
}
