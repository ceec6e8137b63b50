//! Counting rows by an index without SQL, which takes several times as long to begin and end as the few rows of one owner.
//!
//! It asks neither for privileges nor for row security: the caller knows, under the table's lock, that none has a say
//! (`store/shape.rs`).

use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary;
use pgrx::{IntoDatum, pg_sys};

use super::finder::Finder;
use super::relations::Relation;
use super::snapshot::LatestSnapshot;

/// The number of rows that have these texts in the columns of the index, its first ones; no further than `most`. The rows are those
/// that are there now.
pub fn up_to<const N: usize>(most: i64, table: Relation, index: Relation, texts: [&str; N]) -> i64 {
    let values = texts.map(|text| text.into_datum().unwrap_or(pg_sys::Datum::null()));
    let _now = LatestSnapshot::push();
    let mut finder = Finder::open(table);
    // SAFETY: the snapshot is the active one, which lives as long as the finder, and the values lie in the memory of the function
    // that is running. The closure owns nothing that an error would jump over; what it opens is closed on drop, or by abort.
    unsafe { pg_guard_ffi_boundary(|| finder.count(most, index, values)) }
}
