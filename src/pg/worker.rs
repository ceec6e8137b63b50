//! A background worker without a database: it runs from the postmaster's start to its end.

use std::time::Duration;

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, BgWorkerStartTime, SignalWakeFlags};
use pgrx::pg_sys;

/// What a worker is told when it wakes up.
pub struct Wakeup {
    /// The configuration was read again.
    pub reloaded: bool,
}

/// Registers the worker whose entry point is exported under `function`; from `_PG_init`, while preloading.
pub fn register(name: &str, function: &str) {
    BackgroundWorkerBuilder::new(name)
        .set_type(name)
        .set_library("hftok")
        .set_function(function)
        .set_start_time(BgWorkerStartTime::PostmasterStart)
        .set_restart_time(Some(Duration::from_secs(1)))
        .enable_shmem_access(None)
        .load();
}

/// Defines the function that Postgres starts a worker with.
macro_rules! worker_main {
    ($name:ident, $main:path) => {
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        #[pgrx::pg_guard]
        extern "C-unwind" fn $name(_argument: pgrx::pg_sys::Datum) {
            $crate::pg::worker::attach();
            $main();
            $crate::pg::worker::end();
        }
    };
}
pub(crate) use worker_main;

/// Takes signals: reload wakes the worker, an orderly shutdown ends it.
pub fn attach() {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
}

/// Waits until woken, at most as long as given; `None` when the worker is to end.
pub fn wait(time: Option<Duration>) -> Option<Wakeup> {
    if !BackgroundWorker::wait_latch(time) {
        return None;
    }
    let reloaded = BackgroundWorker::sighup_received();
    if reloaded {
        // SAFETY: as the main loop of every server process does on SIGHUP; errors in the file are logged.
        unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
    }
    Some(Wakeup { reloaded })
}

/// Ends the worker so that the postmaster starts it again, unless the server is shutting down: an orderly end would
/// be taken as "never again", and pg_terminate_backend() would leave the server without its worker.
pub fn end() -> ! {
    // SAFETY: called by the outermost frame, which owns nothing.
    unsafe { pg_sys::proc_exit(1) };
    #[allow(unreachable_code, reason = "the binding does not say that it never returns")]
    {
        unreachable!("proc_exit returned")
    }
}

/// Whether the worker was told to end, or the postmaster is gone. Does not take the message away: `wait` will still
/// see it.
pub fn is_ending() -> bool {
    // SAFETY: a flag of this process that its signal handler sets; the postmaster's id, set once; and the id of the
    // parent, which is the postmaster's as long as that lives.
    unsafe {
        (&raw const pg_sys::ShutdownRequestPending).read_volatile() != 0
            || libc::getppid() != pg_sys::PostmasterPid
    }
}
