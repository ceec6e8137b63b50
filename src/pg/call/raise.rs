//! Raising an error: it leaves Rust with any SQLSTATE, without a backtrace, after everything that Rust owned is gone.
//!
//! pgrx knows only the SQLSTATEs that Postgres has; ours (`PT404`, `53HF1`) would become XX000 on its way. So the
//! error data is filled in here and thrown by Postgres itself, from the outermost frame.

use std::any::Any;
use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use pgrx::pg_sys;
use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};

use super::init::panic_location;
use crate::error::Report;
use crate::pg::bare;

thread_local! {
    static OVERHEARD: Cell<i32> = const { Cell::new(0) };
}

/// The report of an unwinding. An error of Postgres is passed on. Anything else is a bug of ours and is reported by its
/// place only, because the text of a panic may quote the data that it was working on.
pub(in crate::pg) fn report_of(payload: Box<dyn Any + Send>) -> Report {
    let payload = match payload.downcast::<CaughtError>() {
        Ok(caught) => {
            return match *caught {
                CaughtError::PostgresError(error) | CaughtError::ErrorReport(error) => {
                    report_of_postgres(&error)
                }
                CaughtError::RustPanic { .. } => report_of_bug(),
            };
        }
        Err(payload) => payload,
    };
    match payload.downcast::<ErrorReportWithLevel>() {
        Ok(error) => report_of_postgres(&error),
        Err(_) => report_of_bug(),
    }
}

/// An error of Postgres', as a client may see it.
fn report_of_postgres(error: &ErrorReportWithLevel) -> Report {
    match &unpack(error.sql_error_code() as isize) {
        // PostgREST repeats these for ever, without asking its client.
        b"40001" | b"40P01" => {
            return Report {
                sqlstate: *b"PT409",
                message: Cow::Borrowed("Conflict"),
                detail: Some("Another transaction changed it meanwhile.".into()),
                hint: Some(Cow::Borrowed("Try again in a new transaction.")),
            };
        }
        // Among our tables only that of secrets has a key that two calls can insert at the same time. Of another table the message
        // names the constraint; its detail, which has the values, goes no further.
        b"23505" => {
            let is_secret = error.message().contains("secrets_");
            let message = if is_secret { "a secret of this name exists already" } else { error.message() };
            return Report {
                sqlstate: *b"23505",
                message: Cow::Owned(message.to_owned()),
                detail: None,
                hint: None,
            };
        }
        _ => {}
    }
    Report {
        sqlstate: reported_sqlstate(error),
        message: Cow::Owned(error.message().to_owned()),
        detail: error.detail().map(str::to_owned),
        hint: error.hint().map(|hint| Cow::Owned(hint.to_owned())),
    }
}

/// A panic: nothing of its message is shown, as it could hold a value.
fn report_of_bug() -> Report {
    Report {
        sqlstate: *b"XX000",
        message: Cow::Borrowed("internal error in hftok"),
        detail: panic_location(),
        hint: None,
    }
}

/// The SQLSTATE of an error of Postgres that unwinds.
pub(in crate::pg) fn sqlstate_of(payload: &(dyn Any + Send)) -> Option<[u8; 5]> {
    let error = match payload.downcast_ref::<CaughtError>() {
        Some(CaughtError::PostgresError(error) | CaughtError::ErrorReport(error)) => error,
        Some(CaughtError::RustPanic { .. }) => return None,
        None => payload.downcast_ref::<ErrorReportWithLevel>()?,
    };
    Some(unpack(error.sql_error_code() as isize))
}

/// The SQLSTATE of an error of Postgres: as pgrx has it, or as it was raised, if it is one of ours.
fn reported_sqlstate(error: &ErrorReportWithLevel) -> [u8; 5] {
    let overheard = isize::try_from(OVERHEARD.take()).map(unpack).unwrap_or_default();
    match unpack(error.sql_error_code() as isize) {
        code if code == *b"XX000" && (overheard.starts_with(b"PT") || overheard.starts_with(b"53HF")) => {
            overheard
        }
        code => code,
    }
}

/// Does work in which SQL may raise an error with a SQLSTATE of ours, which pgrx would forget.
pub(in crate::pg) fn overhearing<R>(work: impl FnOnce() -> R) -> R {
    struct Restored(*mut pg_sys::ErrorContextCallback);
    impl Drop for Restored {
        fn drop(&mut self) {
            // SAFETY: a variable of this process, set to what it was.
            unsafe { pg_sys::error_context_stack = self.0 };
        }
    }
    OVERHEARD.set(0);
    // SAFETY: a variable of this process. The callback that is put there lives until `work` has returned or unwound, and
    // is taken away then.
    unsafe {
        let restored = Restored(pg_sys::error_context_stack);
        let mut callback = pg_sys::ErrorContextCallback {
            previous: restored.0,
            callback: Some(overhear),
            arg: std::ptr::null_mut(),
        };
        pg_sys::error_context_stack = &raw mut callback;
        work()
    }
}

/// Postgres asks for the context of everything that it reports.
unsafe extern "C-unwind" fn overhear(_argument: *mut c_void) {
    // SAFETY: something is being reported. The function reads, and cannot fail.
    OVERHEARD.set(unsafe { bare::geterrcode() });
}

/// Raises an error. Must be the last thing that the outermost Rust frame does.
pub(in crate::pg) fn raise(report: Report) -> ! {
    // Filling in allocates from Postgres, which may itself fail; then the error is the one that needs no memory.
    let mut data =
        catch_unwind(AssertUnwindSafe(|| error_data(&report))).unwrap_or_else(|_| pg_sys::ErrorData {
            elevel: pgrx::PgLogLevel::ERROR as i32,
            sqlerrcode: pack(*b"53200"),
            message: c"out of memory".as_ptr().cast_mut(),
            ..Default::default()
        });
    drop(report);
    // SAFETY: `data` is valid and copied before the jump. The jump leaves this frame, which owns nothing any more,
    // and the frame of `entry::enter`, whose values were moved here; above that is Postgres. pgrx's binding would catch it.
    unsafe { bare::ThrowErrorData(&raw mut data) };
    unreachable!("Postgres returned from throwing an error")
}

/// Everything Postgres frees later lies in its memory.
fn error_data(report: &Report) -> pg_sys::ErrorData {
    pg_sys::ErrorData {
        elevel: pgrx::PgLogLevel::ERROR as i32,
        sqlerrcode: pack(report.sqlstate),
        message: c_text(&report.message),
        detail: report.detail.as_deref().map_or(std::ptr::null_mut(), c_text),
        hint: report.hint.as_deref().map_or(std::ptr::null_mut(), c_text),
        ..Default::default()
    }
}

/// A copy of a text that Postgres owns, cut at a zero byte, which no text of Postgres contains.
fn c_text(text: &str) -> *mut c_char {
    let text = CString::new(text.split('\0').next().unwrap_or_default()).unwrap_or_default();
    // SAFETY: copies a valid C string into the current memory context.
    unsafe { pg_sys::pstrdup(text.as_ptr()) }
}

/// Postgres keeps a SQLSTATE as five groups of six bits, the first character in the lowest.
pub(in crate::pg) const fn pack(sqlstate: [u8; 5]) -> i32 {
    let (mut code, mut at) = (0, 5);
    while at > 0 {
        at -= 1;
        code = (code << 6) | ((sqlstate[at].wrapping_sub(b'0') & 0x3f) as i32);
    }
    code
}

/// The way back from [`pack`].
fn unpack(mut code: isize) -> [u8; 5] {
    std::array::from_fn(|_| {
        let byte = u8::try_from(code & 0x3f).unwrap_or_default() + b'0';
        code >>= 6;
        byte
    })
}

#[cfg(test)]
mod tests {
    use super::{pack, unpack};

    #[test]
    fn sqlstates_survive_packing() {
        for code in [*b"22023", *b"PT404", *b"53HF1", *b"XX000", *b"00000"] {
            assert_eq!(unpack(pack(code) as isize), code);
        }
    }
}
