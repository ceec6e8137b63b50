//! Visits of resealers to databases, in memory that all processes share: asked for by whoever rotates a key, made by workers that
//! the launcher starts.
//!
//! What must stay true: under the lock some numbers are changed, and nothing waits; a worker that ends in any way but by being killed
//! is not counted on any more.

use hftok_core::visits::{Outcome, Visits};
use pgrx::{PGRXSharedMemory, PgLwLock, pg_guard, pg_sys};

use super::{audit_queue, key_pages};
use crate::pg::who::session;

/// The visits, and what found no place among them.
pub struct Shared {
    /// Those that have a place.
    visits: Visits,
    /// Somebody asked for one that found no place: then all databases are looked into.
    is_everywhere: bool,
}

// SAFETY: plain memory without pointers.
unsafe impl PGRXSharedMemory for Shared {}

/// Taken for moments only.
// SAFETY: `PgLwLock::new` asks that no other lock has this name.
static LOCK: PgLwLock<Shared> = unsafe { PgLwLock::new(c"hftok_visits") };

/// Reserves the memory; from `_PG_init`, while preloading.
pub fn init() {
    pgrx::pg_shmem_init!(LOCK = Shared { visits: Visits::NONE, is_everywhere: false });
}

/// Asks for a visit. The caller wakes the launcher.
pub fn ask(database: u32) {
    if key_pages::preloaded() {
        let mut shared = LOCK.exclusive();
        let has_place = shared.visits.ask(database, session::steady());
        shared.is_everywhere |= !has_place;
    }
}

/// The same for the launcher itself, which asks again when there is no place.
pub fn try_to_ask(database: u32) -> bool {
    LOCK.exclusive().visits.ask(database, session::steady())
}

/// Whether somebody asked for a visit that found no place, since this was asked last.
pub fn take_everywhere() -> bool {
    std::mem::take(&mut LOCK.exclusive().is_everywhere)
}

/// The database that a worker is to be started for now.
pub fn begin() -> Option<u32> {
    LOCK.exclusive().visits.begin(session::steady())
}

/// It could not be started.
pub fn not_begun(database: u32) {
    LOCK.exclusive().visits.not_begun(database, session::steady());
}

/// How many microseconds nothing is to be done; `None` when nothing will be unless somebody asks or leaves.
pub fn rest() -> Option<i64> {
    LOCK.share().visits.rest(session::steady())
}

/// Makes the calling process the worker in a database, if one is awaited there.
pub fn attend(database: u32) -> bool {
    // SAFETY: called when this process ends in any way but by being killed; the function is there as long as the library is.
    unsafe { pg_sys::before_shmem_exit(Some(leave_on_exit), pg_sys::Datum::from(0_usize)) };
    key_pages::preloaded() && LOCK.exclusive().visits.attend(database, process())
}

/// The calling process leaves.
pub fn leave(outcome: Outcome) {
    LOCK.exclusive().visits.leave(process(), outcome, session::steady());
    audit_queue::call_launcher();
}

/// Whether a worker is in a database.
pub fn is_visited(database: u32) -> bool {
    key_pages::preloaded() && LOCK.share().visits.is_visited(database)
}

/// The id of this process.
fn process() -> i32 {
    // SAFETY: a variable of this process.
    unsafe { pg_sys::MyProcPid }
}

#[pg_guard]
unsafe extern "C-unwind" fn leave_on_exit(_code: i32, _argument: pg_sys::Datum) {
    if key_pages::preloaded() {
        LOCK.exclusive().visits.lose(process(), session::steady());
        audit_queue::call_launcher();
    }
}
