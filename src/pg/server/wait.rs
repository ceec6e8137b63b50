//! Waiting for something in shared memory to change.

use std::time::Duration;

use pgrx::pg_sys;

/// Sleeps for a moment, or until this process is woken; gives way to a cancel or the end of the server.
pub fn nap(time: Duration) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    let milliseconds = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    // SAFETY: the latch of this process, which it owns as long as it lives.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            i32::try_from(events).unwrap_or_default(),
            milliseconds,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    pgrx::check_for_interrupts!();
}
