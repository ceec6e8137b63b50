//! Finding a row by a unique index without SQL: a fraction of what the executor takes to begin and end.
//!
//! Such a scan asks neither for privileges nor for row security: whoever makes one has asked (`store/known.rs`).

use std::marker::PhantomData;

use pgrx::datum::Uuid;
use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary;
use pgrx::{FromDatum, IntoDatum, pg_sys};

use super::relations::Relation;
use super::snapshot::LatestSnapshot;
use crate::error::Error;

/// A row while it is being looked at, in the page where it lies.
pub struct Found<'a> {
    slot: *mut pg_sys::TupleTableSlot,
    life: PhantomData<&'a ()>,
}

impl Found<'_> {
    /// The value of a column, or `None` for NULL.
    pub fn get<T: FromDatum>(&self, column: i16) -> Option<T> {
        let at = usize::try_from(column - 1).ok()?;
        // SAFETY: the slot holds a row, and was asked for all columns up to the last that is read; the caller names the
        // type that the column was declared with.
        unsafe {
            let slot = &*self.slot;
            if column > slot.tts_nvalid {
                return None;
            }
            T::from_datum(*slot.tts_values.add(at), *slot.tts_isnull.add(at))
        }
    }

    /// The value of a column that is declared NOT NULL.
    pub fn must<T: FromDatum>(&self, column: i16) -> Result<T, Error> {
        self.get(column).ok_or(Error::Internal("a column that is never NULL is NULL"))
    }
}

/// Reads the row with this key, as it is now: by a unique index on one column of type uuid. `last` is the last column that
/// is read.
pub fn find<R>(
    table: Relation,
    index: Relation,
    key: Uuid,
    last: i16,
    read: impl FnOnce(&Found<'_>) -> Result<R, Error>,
) -> Result<Option<R>, Error> {
    let _snapshot = LatestSnapshot::push();
    let (scan, is_found) = Scan::begin(table, index, key, last);
    if !is_found {
        return Ok(None);
    }
    read(&Found { slot: scan.slot, life: PhantomData }).map(Some)
}

/// A scan that is under way.
struct Scan {
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    scan: pg_sys::IndexScanDesc,
    slot: *mut pg_sys::TupleTableSlot,
}

/// Postgres' own functions, without pgrx's boundary around each: it is put around several at a time, in closures that own
/// nothing that would have to be dropped.
mod bare {
    use pgrx::pg_sys::*;

    #[allow(
        clashing_extern_declarations,
        reason = "the same functions as pgrx binds, called without its boundary"
    )]
    unsafe extern "C-unwind" {
        pub fn table_open(id: Oid, lock: LOCKMODE) -> Relation;
        pub fn table_close(relation: Relation, lock: LOCKMODE);
        pub fn index_open(id: Oid, lock: LOCKMODE) -> Relation;
        pub fn index_close(relation: Relation, lock: LOCKMODE);
        pub fn table_slot_create(relation: Relation, list: *mut *mut List) -> *mut TupleTableSlot;
        pub fn ExecDropSingleTupleTableSlot(slot: *mut TupleTableSlot);
        pub fn GetActiveSnapshot() -> Snapshot;
        #[cfg(not(feature = "pg18"))]
        pub fn index_beginscan(
            table: Relation,
            index: Relation,
            snapshot: Snapshot,
            keys: i32,
            orderings: i32,
        ) -> IndexScanDesc;
        #[cfg(feature = "pg18")]
        pub fn index_beginscan(
            table: Relation,
            index: Relation,
            snapshot: Snapshot,
            instrument: *mut IndexScanInstrumentation,
            keys: i32,
            orderings: i32,
        ) -> IndexScanDesc;
        pub fn index_rescan(
            scan: IndexScanDesc,
            keys: ScanKey,
            count: i32,
            orderings: ScanKey,
            ordering_count: i32,
        );
        pub fn index_endscan(scan: IndexScanDesc);
        pub fn index_getnext_slot(
            scan: IndexScanDesc,
            direction: ScanDirection::Type,
            slot: *mut TupleTableSlot,
        ) -> bool;
        pub fn slot_getsomeattrs_int(slot: *mut TupleTableSlot, last: i32);
        pub fn ScanKeyInit(
            key: ScanKey,
            column: AttrNumber,
            strategy: StrategyNumber,
            procedure: RegProcedure,
            argument: Datum,
        );
    }
}

impl Scan {
    /// Opens everything, moves to the first row and takes it apart; says whether there is one.
    fn begin(table: Relation, index: Relation, key: Uuid, last: i16) -> (Self, bool) {
        let lock = i32::try_from(pg_sys::AccessShareLock).unwrap_or_default();
        let equal = u16::try_from(pg_sys::BTEqualStrategyNumber).unwrap_or_default();
        let procedure = pg_sys::Oid::from(pg_sys::F_UUID_EQ);
        let key = key.into_datum().unwrap_or(pg_sys::Datum::null());
        // SAFETY: opens relations by their ids, or fails when they are gone; everything is closed on drop, or by abort. The
        // snapshot is the active one. The condition is copied by the scan; the key that it points to lives until the
        // transaction ends. The closure owns nothing that an error would jump over.
        unsafe {
            pg_guard_ffi_boundary(|| {
                let table = bare::table_open(table.0, lock);
                let index = bare::index_open(index.0, lock);
                let slot = bare::table_slot_create(table, std::ptr::null_mut());
                #[cfg(not(feature = "pg18"))]
                let scan = bare::index_beginscan(table, index, bare::GetActiveSnapshot(), 1, 0);
                #[cfg(feature = "pg18")]
                let scan = bare::index_beginscan(
                    table,
                    index,
                    bare::GetActiveSnapshot(),
                    std::ptr::null_mut(),
                    1,
                    0,
                );
                let mut condition = pg_sys::ScanKeyData::default();
                bare::ScanKeyInit(&raw mut condition, 1, equal, procedure, key);
                bare::index_rescan(scan, &raw mut condition, 1, std::ptr::null_mut(), 0);
                let found = bare::index_getnext_slot(scan, pg_sys::ScanDirection::ForwardScanDirection, slot);
                if found {
                    bare::slot_getsomeattrs_int(slot, last.into());
                }
                (Self { table, index, scan, slot }, found)
            })
        }
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        // While unwinding from a Postgres error the abort that follows closes everything, in its own order.
        if !std::thread::panicking() {
            let kept = i32::try_from(pg_sys::NoLock).unwrap_or_default();
            let Self { table, index, scan, slot } = *self;
            // SAFETY: opened by `begin`. The locks are kept until the transaction ends, as the executor does it.
            unsafe {
                pg_guard_ffi_boundary(|| {
                    bare::ExecDropSingleTupleTableSlot(slot);
                    bare::index_endscan(scan);
                    bare::index_close(index, kept);
                    bare::table_close(table, kept);
                });
            }
        }
    }
}
