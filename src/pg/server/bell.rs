//! A bell in shared memory: processes sleep until it rings, and one call into the kernel wakes all of them.
//!
//! A latch is dear for a wait of a millisecond: each process that waits is sent a signal, reads it, and asks once more what has
//! happened. But a process that sleeps here does not hear that the server has ended, nor a cancel that came just before. So it sleeps for a
//! moment only, looks, and after a few moments waits for a condition variable instead. Only Linux has such bells; elsewhere nobody sleeps here.
//!
//! What must stay true: whoever rings has changed before what others sleep for, and whoever sleeps has looked after asking how often the bell
//! had rung.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pgrx::pg_sys;

/// The longest sleep.
pub const MOMENT: Duration = Duration::from_millis(10);

/// A bell.
pub struct Bell {
    /// The number of times that it has rung, which begins anew after the largest.
    rung: AtomicU32,
    /// The number of processes that sleep, or are about to: never too low, but too high once a process ended in its sleep.
    sleepers: AtomicU32,
}

impl Bell {
    /// A bell that nobody has rung.
    pub const fn new() -> Self {
        Self { rung: AtomicU32::new(0), sleepers: AtomicU32::new(0) }
    }

    /// The number of times that it has rung.
    pub fn rung(&self) -> u32 {
        self.rung.load(Ordering::SeqCst)
    }

    /// Wakes everybody.
    pub fn ring(&self) {
        self.rung.fetch_add(1, Ordering::SeqCst);
        // Whoever counts himself later finds that it has rung.
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            kernel::wake(&self.rung);
        }
    }

    /// Sleeps for a moment, or until it has rung more often than that. `false` where there are no such bells.
    pub fn sleep(&self, rung: u32) -> bool {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        // SAFETY: Postgres' own variable, which points to this process' entry in pg_stat_activity, or to one that nobody sees; only this process
        // writes there.
        let shown = unsafe { pg_sys::my_wait_event_info };
        let show = |event: u32| {
            // SAFETY: as above.
            unsafe { shown.write_volatile(event) }
        };
        show(pg_sys::PG_WAIT_EXTENSION);
        kernel::sleep(&self.rung, rung);
        show(0);
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        kernel::HAS_BELLS
    }
}

/// The kernel's part.
#[cfg(target_os = "linux")]
mod kernel {
    use std::ptr;
    use std::sync::atomic::AtomicU32;

    /// Whether there are bells.
    pub const HAS_BELLS: bool = true;
    /// A moment, as the kernel takes it.
    static MOMENT: libc::timespec =
        libc::timespec { tv_sec: 0, tv_nsec: super::MOMENT.subsec_nanos() as libc::c_long };

    /// Sleeps for a moment or until somebody wakes those who sleep for this word; not at all unless it still is as expected.
    pub fn sleep(word: &AtomicU32, expected: u32) {
        // SAFETY: the word is aligned, and lies in memory that stays; the kernel only reads it. The time is read during the call.
        unsafe {
            libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, expected, &raw const MOMENT);
        }
    }

    /// Wakes every process that sleeps for this word.
    pub fn wake(word: &AtomicU32) {
        // SAFETY: the kernel takes the address as a name, and neither reads nor writes there.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAKE,
                i32::MAX,
                ptr::null::<libc::timespec>(),
            );
        }
    }
}

/// Elsewhere nobody sleeps here.
#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::sync::atomic::AtomicU32;

    /// Whether there are bells.
    pub const HAS_BELLS: bool = false;

    /// Does not sleep.
    pub fn sleep(_word: &AtomicU32, _expected: u32) {}

    /// Nobody is there to be woken.
    pub fn wake(_word: &AtomicU32) {}
}
