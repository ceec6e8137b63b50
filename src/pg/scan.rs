//! Finding a row by a unique index without SQL: a fraction of what the executor takes to begin and end.
//!
//! Such a scan asks neither for privileges nor for row security: whoever makes one has asked (`store/hot.rs`).

use std::marker::PhantomData;

use pgrx::datum::Uuid;
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
    let scan = Scan::begin(table, index, key);
    if !scan.step(last) {
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

impl Scan {
    fn begin(table: Relation, index: Relation, key: Uuid) -> Self {
        let lock = i32::try_from(pg_sys::AccessShareLock).unwrap_or_default();
        // SAFETY: opens relations by their ids, or fails when they are gone; everything is closed on drop, or by abort. The
        // snapshot is the active one. The key is copied by the scan; what it points to lives until the transaction ends.
        unsafe {
            let table = pg_sys::table_open(table.0, lock);
            let index = pg_sys::index_open(index.0, lock);
            let slot = pg_sys::table_slot_create(table, std::ptr::null_mut());
            #[cfg(not(feature = "pg18"))]
            let scan = pg_sys::index_beginscan(table, index, pg_sys::GetActiveSnapshot(), 1, 0);
            #[cfg(feature = "pg18")]
            let scan = pg_sys::index_beginscan(
                table,
                index,
                pg_sys::GetActiveSnapshot(),
                std::ptr::null_mut(),
                1,
                0,
            );
            let mut condition = pg_sys::ScanKeyData::default();
            pg_sys::ScanKeyInit(
                &raw mut condition,
                1,
                u16::try_from(pg_sys::BTEqualStrategyNumber).unwrap_or_default(),
                pg_sys::RegProcedure::from(pg_sys::Oid::from(pg_sys::F_UUID_EQ)),
                key.into_datum().unwrap_or(pg_sys::Datum::null()),
            );
            pg_sys::index_rescan(scan, &raw mut condition, 1, std::ptr::null_mut(), 0);
            Self { table, index, scan, slot }
        }
    }

    /// Moves to the next row and takes it apart.
    fn step(&self, last: i16) -> bool {
        // SAFETY: both belong to the same table.
        unsafe {
            let found =
                pg_sys::index_getnext_slot(self.scan, pg_sys::ScanDirection::ForwardScanDirection, self.slot);
            if found {
                pg_sys::slot_getsomeattrs_int(self.slot, last.into());
            }
            found
        }
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        // While unwinding from a Postgres error the abort that follows closes everything, in its own order.
        if !std::thread::panicking() {
            let kept = i32::try_from(pg_sys::NoLock).unwrap_or_default();
            // SAFETY: opened by `begin`. The locks are kept until the transaction ends, as the executor does it.
            unsafe {
                pg_sys::ExecDropSingleTupleTableSlot(self.slot);
                pg_sys::index_endscan(self.scan);
                pg_sys::index_close(self.index, kept);
                pg_sys::table_close(self.table, kept);
            }
        }
    }
}
