//! The entry points that Postgres looks for in a library: its magic block and `_PG_init`.

use std::cell::Cell;

use pgrx::pg_sys;

pgrx::pg_module_magic!(name, version);

thread_local! {
    static PANIC_AT: Cell<Option<String>> = const { Cell::new(None) };
}

/// Defines `_PG_init` as a call of the given function.
macro_rules! entry_point {
    ($init:path) => {
        #[allow(unsafe_code, non_snake_case)]
        #[pgrx::pg_guard]
        extern "C-unwind" fn _PG_init() {
            $crate::pg::call::init::silence_panics();
            $init($crate::pg::call::init::preloading());
        }
    };
}
pub(crate) use entry_point;

/// Whether the library is being loaded by the postmaster on its start.
pub fn preloading() -> bool {
    // SAFETY: a flag that only this thread, the only one of the process, writes.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Replaces the panic hook of pgrx, which captures a backtrace at every error when RUST_BACKTRACE is set, and shows it in
/// DETAIL where pgrx itself reports one. A backtrace shows a caller what is none of their business.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|info| {
        // The name of the file alone: where it was built is nobody's business.
        let file =
            |at: &std::panic::Location<'_>| at.file().rsplit('/').next().unwrap_or_default().to_owned();
        PANIC_AT.set(info.location().map(|at| format!("{}:{}", file(at), at.line())));
    }));
}

/// The place of the last panic, for the report of a bug.
pub fn panic_location() -> Option<String> {
    PANIC_AT.take()
}

/// Makes a misspelt `hftok.*` in postgresql.conf an error instead of a setting that nobody reads.
pub fn reserve_setting_prefix() {
    // SAFETY: a valid C string.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"hftok".as_ptr()) };
}
