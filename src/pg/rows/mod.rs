//! Rows: reading, writing and locking them, and what a session remembers of where they are.

pub mod absence;
pub mod append;
pub mod buckets;
pub mod columns;
pub mod count;
pub mod cursor;
pub mod declared;
mod finder;
pub mod found_row;
pub mod lock;
pub mod new_row;
pub(in crate::pg) mod prefetch;
pub mod relations;
pub mod remembered;
pub mod row_set;
pub mod scan;
mod shortcuts;
pub mod snapshot;
pub mod sql;
pub mod strangers;
mod target;
pub mod texts;
