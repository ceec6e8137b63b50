//! Adding one row to a table of ours as `INSERT … ON CONFLICT (…) DO NOTHING` does it, without planning and starting a statement, and
//! without the look for another row where the caller knows of none.
//!
//! What must stay true: neither privileges, row security, CHECK constraints nor AFTER triggers are asked, so the caller knows,
//! under the table's lock, that none of them would have a say in this row (`store/shape.rs`).

use pgrx::pg_sys;
use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary;

use super::relations::Relation;
use super::sql::Parameter;
use super::target::{self, Target};
use crate::error::Error;

/// Another row with the same key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rival {
    /// The caller knows of none. The row is added without a look, and stays behind as a dead one should there be one.
    Unlikely,
    /// There may be one, and the caller wants a look first.
    Likely,
}

/// A table that is locked for writing, and to which a row may be added.
pub struct ForRow(pg_sys::Relation);

/// Whether statements of this transaction run as they do everywhere else. Not where rows arrive from another server, whose
/// triggers have fired; nor at a level of isolation at which a row may be there that the transaction does not see.
pub fn is_usual() -> bool {
    let origin = i32::try_from(pg_sys::SESSION_REPLICATION_ROLE_ORIGIN).unwrap_or_default();
    let committed = i32::try_from(pg_sys::XACT_READ_COMMITTED).unwrap_or_default();
    // SAFETY: variables of this process.
    unsafe { pg_sys::SessionReplicationRole == origin && pg_sys::XactIsoLevel <= committed }
}

impl ForRow {
    /// Waits for the table's lock, and so takes in all that was told of the table.
    pub fn lock(table: Relation) -> Self {
        // SAFETY: inside a transaction; closed on drop, or by abort.
        Self(unsafe { target::open(table) })
    }

    /// Adds the row, with a value for each column of its type; `false` when another row has the same key in these columns, or a
    /// trigger wants no row. BEFORE triggers of rows fire only if it is said.
    pub fn add<const N: usize>(
        &self,
        values: [Parameter; N],
        key: &[i16],
        rival: Rival,
        fires_before: bool,
    ) -> Result<bool, Error> {
        // SAFETY: an open table, as the target takes it. The target closes a reference to it of its own.
        unsafe {
            if usize::try_from((*(*self.0).rd_att).natts) != Ok(N) {
                return Err(Error::Internal("a row has another number of columns than its table"));
            }
            pg_sys::RelationIncrementReferenceCount(self.0);
            let target = Target::of(self.0, true);
            let slot = pg_sys::table_slot_create(self.0, std::ptr::null_mut());
            for (at, value) in values.into_iter().enumerate() {
                let value = value.datum();
                *(*slot).tts_isnull.add(at) = value.is_none();
                *(*slot).tts_values.add(at) = value.unwrap_or(pg_sys::Datum::null());
            }
            pg_sys::ExecStoreVirtualTuple(slot);
            let is_wanted = !fires_before || pg_sys::ExecBRInsertTriggers(target.state, target.result, slot);
            let is_added = is_wanted && add_unless_taken(&target, slot, key, rival)?;
            pg_sys::ExecDropSingleTupleTableSlot(slot);
            target.close();
            Ok(is_added)
        }
    }
}

impl Drop for ForRow {
    fn drop(&mut self) {
        // While unwinding from a Postgres error the abort that follows closes it.
        if !std::thread::panicking() {
            // SAFETY: opened by `lock`. The lock is kept until the transaction ends.
            unsafe { pg_sys::table_close(self.0, i32::try_from(pg_sys::NoLock).unwrap_or_default()) };
        }
    }
}

/// Adds a row as the executor does it: the row is there for others only once its key is in the index, and is taken back should
/// another one have come first.
///
/// # Safety
/// The slot has a row of the target's table.
unsafe fn add_unless_taken(
    target: &Target,
    slot: *mut pg_sys::TupleTableSlot,
    key: &[i16],
    mut rival: Rival,
) -> Result<bool, Error> {
    // SAFETY: the caller's; the list lies in the memory of the function that is running. Each token belongs to one attempt, and
    // is released after it.
    unsafe {
        let arbiters = arbiters(target, key);
        if arbiters.is_null() {
            return Err(Error::Internal("a table of hftok has no unique index"));
        }
        let methods = (*target.table).rd_tableam;
        let (insert, complete) = ((*methods).tuple_insert_speculative, (*methods).tuple_complete_speculative);
        let (Some(insert), Some(complete)) = (insert, complete) else {
            return Err(Error::Internal("a table cannot take a row that may be there"));
        };
        loop {
            if rival == Rival::Likely && !is_free(target, slot, arbiters) {
                return Ok(false);
            }
            // After an attempt that failed, look for whoever came first, and wait for them.
            rival = Rival::Likely;
            let token = pg_sys::SpeculativeInsertionLockAcquire(pg_sys::GetCurrentTransactionId());
            let command = pg_sys::GetCurrentCommandId(true);
            let table = target.table;
            pg_guard_ffi_boundary(|| insert(table, slot, command, 0, std::ptr::null_mut(), token));
            let is_taken = target.enter(slot, arbiters);
            pg_guard_ffi_boundary(|| complete(table, slot, token, !is_taken));
            pg_sys::SpeculativeInsertionLockRelease(pg_sys::GetCurrentTransactionId());
            if !is_taken {
                return Ok(true);
            }
        }
    }
}

/// Whether no other row has the slot's key; waits for those who may be about to have it.
///
/// # Safety
/// As for `add_unless_taken`; the arbiters are ids of unique indexes of the table.
unsafe fn is_free(target: &Target, slot: *mut pg_sys::TupleTableSlot, arbiters: *mut pg_sys::List) -> bool {
    let mut other = pg_sys::ItemPointerData::default();
    // SAFETY: the caller's.
    unsafe {
        pg_sys::ExecCheckIndexConstraints(
            target.result,
            slot,
            target.state,
            &raw mut other,
            #[cfg(feature = "pg18")]
            std::ptr::null_mut(),
            arbiters,
        )
    }
}

/// The unique indexes on these columns alone, in this order, of which there are two while one is made anew.
///
/// # Safety
/// The target is open.
unsafe fn arbiters(target: &Target, key: &[i16]) -> *mut pg_sys::List {
    let mut list = std::ptr::null_mut();
    // SAFETY: the caller's; what is read belongs to open indexes.
    unsafe {
        for (index, info) in target.indexes() {
            let is_whole = (*info).ii_Expressions.is_null() && (*info).ii_Predicate.is_null();
            let count = usize::try_from((*info).ii_NumIndexKeyAttrs).unwrap_or_default();
            let columns = (*info).ii_IndexAttrNumbers;
            let is_on_key = columns.get(..count) == Some(key);
            if (*info).ii_Unique && is_whole && is_on_key && (*(*index).rd_index).indimmediate {
                list = pg_sys::lappend_oid(list, (*index).rd_id);
            }
        }
    }
    list
}
