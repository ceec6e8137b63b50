//! The server's log: lines that hftok writes into it, and what can be learnt from those that Postgres writes.

use std::ffi::{CStr, CString, c_char, c_int};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicPtr, Ordering};

use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary;
use pgrx::{PgLogLevel, pg_guard, pg_sys};

/// Whether a line of ours would reach the log, or be swallowed by log_min_messages.
pub fn takes_lines() -> bool {
    // SAFETY: a variable of this process.
    let least = unsafe { pg_sys::log_min_messages };
    least == PgLogLevel::LOG as i32 || least <= PgLogLevel::ERROR as i32
}

/// Writes a line into the log, and nothing but this line: with the statement that is running Postgres would also write what
/// literals it has. Clients are sent nothing.
pub fn write(line: &str) {
    report(PgLogLevel::LOG_SERVER_ONLY, line, None);
}

/// Writes a line into the log.
pub fn log(line: &str) {
    report(PgLogLevel::LOG, line, None);
}

/// Tells the client, who may go on.
pub fn notice(message: &str, hint: Option<&str>) {
    report(PgLogLevel::NOTICE, message, hint);
}

/// Warns whoever reads the log, and the client if there is one.
pub fn warning(message: &str) {
    report(PgLogLevel::WARNING, message, None);
}

/// Reports below the level of an error, and returns.
///
/// Postgres looks for a cancel when it has reported. Without the boundary that would jump over the frames of our callers,
/// who own values; with it, it unwinds them.
fn report(level: PgLogLevel, message: &str, hint: Option<&str>) {
    unsafe extern "C-unwind" {
        fn errstart(level: c_int, domain: *const c_char) -> bool;
        fn errmsg_internal(format: *const c_char, ...) -> c_int;
        fn errhint(format: *const c_char, ...) -> c_int;
        fn errhidestmt(hide: bool) -> c_int;
        fn errhidecontext(hide: bool) -> c_int;
        fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
    }
    let (Ok(message), Ok(hint)) = (CString::new(message), hint.map(CString::new).transpose()) else { return };
    let (message, hint) = (message.as_ptr(), hint.as_ref().map(|hint| hint.as_ptr()));
    let is_alone = level as i32 == PgLogLevel::LOG_SERVER_ONLY as i32;
    // SAFETY: the calls that Postgres' own ereport() makes, with C strings that outlive them. The closure owns nothing that an
    // error would jump over.
    unsafe {
        pg_guard_ffi_boundary(|| {
            if errstart(level as c_int, std::ptr::null()) {
                errmsg_internal(c"%s".as_ptr(), message);
                if let Some(hint) = hint {
                    errhint(c"%s".as_ptr(), hint);
                }
                if is_alone {
                    errhidestmt(true);
                    errhidecontext(true);
                }
                errfinish(c"hftok".as_ptr(), 0, c"hftok".as_ptr());
            }
        });
    }
}

/// The hook that was there before ours, which is called after it.
static PREVIOUS: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
/// The function that is told.
static LISTENER: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Has a function told of what Postgres itself refuses ("permission denied for function …"): the name of the function,
/// view or schema. It must neither fail nor call Postgres. From `_PG_init`, while preloading.
pub fn tell_denials(listener: fn(&str)) {
    LISTENER.store(listener as *mut (), Ordering::Relaxed);
    // SAFETY: a variable of this process, changed before others run; the former hook is called by ours.
    unsafe {
        if let Some(previous) = pg_sys::emit_log_hook {
            PREVIOUS.store(previous as *mut (), Ordering::Relaxed);
        }
        pg_sys::emit_log_hook = Some(on_log);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_log(data: *mut pg_sys::ErrorData) {
    // SAFETY: what was stored there is a hook of this type, or nothing; Postgres passes valid data.
    unsafe {
        let previous = PREVIOUS.load(Ordering::Relaxed);
        if !previous.is_null() {
            let previous: unsafe extern "C-unwind" fn(*mut pg_sys::ErrorData) = std::mem::transmute(previous);
            previous(data);
        }
        if (*data).elevel != PgLogLevel::ERROR as i32 || (*data).sqlerrcode != INSUFFICIENT_PRIVILEGE {
            return;
        }
        if let Some(object) = denied_object(&*data) {
            let listener = LISTENER.load(Ordering::Relaxed);
            if !listener.is_null() {
                let listener: fn(&str) = std::mem::transmute(listener);
                // Nothing may unwind from here: an error is being reported.
                let _ = catch_unwind(|| listener(&object));
            }
        }
    }
}

/// The error of a privilege check.
const INSUFFICIENT_PRIVILEGE: i32 = crate::pg::call::raise::pack(*b"42501");

/// The function, view or schema that an error of Postgres' own privilege check names, without its schema.
///
/// # Safety
/// `data` is being reported.
unsafe fn denied_object(data: &pg_sys::ErrorData) -> Option<String> {
    if data.message_id.is_null() || data.message.is_null() {
        return None;
    }
    // SAFETY: C strings of the error that is being reported.
    let (id, message) = unsafe { (CStr::from_ptr(data.message_id), CStr::from_ptr(data.message)) };
    // The message may be translated: the name is what it has in place of the one of its original.
    let (before, after) = id.to_str().ok()?.split_once("%s")?;
    let is_ours = ["function", "procedure", "view", "schema"]
        .iter()
        .any(|kind| before.strip_prefix("permission denied for ").map(str::trim_end) == Some(kind));
    let message = message.to_str().ok()?;
    is_ours.then(|| message.strip_prefix(before)?.strip_suffix(after).map(str::to_owned)).flatten()
}
