//! Whether Postgres has no place left for a worker: then whoever holds one makes room, and nobody takes one who can do without.
//!
//! Asked from everywhere, so it asks for nothing itself.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use pgrx::{pg_guard, pg_sys};

use super::area::Area;

/// One number: 0 while there are places.
static IS_SCARCE: Area<AtomicU32> = Area::new(c"hftok scarcity");

/// Reserves the memory; from `_PG_init`, while preloading.
pub fn init() {
    IS_SCARCE.resize(1);
    pgrx::pg_shmem_init!(IS_SCARCE = ());
}

/// Says whether there are too few places for workers.
pub fn set(is_scarce: bool) {
    if let Some(number) = number() {
        number.store(is_scarce.into(), Relaxed);
    }
}

/// Whether there are too few places for workers.
pub fn is_there() -> bool {
    number().is_some_and(|number| number.load(Relaxed) != 0)
}

/// Where it lies; nowhere, where hftok was not preloaded.
fn number() -> Option<&'static AtomicU32> {
    // SAFETY: null, or one number in Postgres' shared memory for as long as the server runs, which begins as 0.
    unsafe { IS_SCARCE.start().as_ref() }
}
