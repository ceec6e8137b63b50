//! Counting the rows of an owner by an index, without SQL: for so few rows a statement would take most of the time.
//!
//! It asks neither for privileges nor for row security: its caller knows that the table is as we made it (`store/shape.rs`).

use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary;
use pgrx::{IntoDatum, pg_sys};

use super::finder::Finder;
use super::relations::Relation;
use super::snapshot::LatestSnapshot;

/// The number of rows that are there now and have these texts in these columns, counted no further than `most`. `None` where the
/// index is not one that leads to all of them: a B-tree of the whole table that begins with these columns, in this order.
pub fn up_to<const N: usize>(
    most: i64,
    table: Relation,
    index: Relation,
    columns: [i16; N],
    texts: [&str; N],
) -> Option<i64> {
    let texts = texts.map(|text| text.into_datum().unwrap_or(pg_sys::Datum::null()));
    let _now = LatestSnapshot::push();
    let mut finder = Finder::open(table);
    // SAFETY: the snapshot is the active one, which lives as long as the finder, and the texts lie in the memory of the function
    // that is running. The closure owns nothing that an error would jump over; what it opens is closed on drop, or by abort.
    unsafe { pg_guard_ffi_boundary(|| finder.count(most, index, columns, texts)) }
}
