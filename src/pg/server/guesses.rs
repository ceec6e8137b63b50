//! The number of values that each login has looked for, in memory that all processes share: so the count holds over
//! sessions and rollbacks. The memory has one size for as long as the server runs ([`Paces`]), and begins anew with the
//! server.

use hftok_core::pace::{Paces, TooOften};
use pgrx::{PGRXSharedMemory, PgLwLock, pg_guard, pg_sys};

use crate::error::Error;
use crate::pg::who::session;

/// The logins that looked for values.
pub struct Guesses(Paces);

// SAFETY: plain memory without pointers.
unsafe impl PGRXSharedMemory for Guesses {}

/// Held to count one guess.
// SAFETY: `PgLwLock::new` asks that no other lock has this name.
static LOCK: PgLwLock<Guesses> = unsafe { PgLwLock::new(c"hftok_guesses") };

/// Reserves the memory; from `_PG_init`, while preloading.
pub fn init() {
    pgrx::pg_shmem_init!(LOCK = Guesses(Paces::EMPTY));
}

/// Counts a guess of the role that logged in, or refuses it where there were `most` in a minute. Called only where there are
/// keys: without preload there is no such memory.
pub fn admit(most: u32) -> Result<(), Error> {
    let now = session::steady();
    let taken = LOCK.exclusive().0.take(session::login_or_session(), most, now);
    taken.map_err(|TooOften(wait)| Error::TooOften { most, wait: wait.unsigned_abs().div_ceil(1_000_000) })
}
