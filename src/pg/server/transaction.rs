//! Transactions: of a worker, who begins and ends its own, and of a session, whose end can be learnt.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pgrx::{pg_guard, pg_sys};

use crate::error::Error;
use crate::pg::bare;
use crate::pg::call::raise::Report;
use crate::pg::call::statement;
use crate::pg::rows::lock;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;

/// How a transaction, or a part of one, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All of it was committed.
    Committed,
    /// All of it is prepared, to be ended by somebody else.
    Prepared,
    /// All of it was rolled back.
    RolledBack,
    /// A subtransaction of this depth was rolled back.
    PartRolledBack(i32),
    /// A subtransaction of this depth became a part of the one around it.
    PartKept(i32),
}

thread_local! {
    static TOLD: Cell<Option<fn(End)>> = const { Cell::new(None) };
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// Has a function told of the end of every transaction and subtransaction of this process. It must neither fail nor call
/// Postgres. There is one such function.
pub fn tell(listener: fn(End)) {
    TOLD.set(Some(listener));
    watch();
}

/// Has this room told of it, which puts back what an error may have left in its way.
pub(in crate::pg) fn watch() {
    if !WATCHED.replace(true) {
        // SAFETY: registered once in a process; the functions are there as long as the library is, which is never
        // unloaded.
        unsafe {
            pg_sys::RegisterXactCallback(Some(on_end), std::ptr::null_mut());
            pg_sys::RegisterSubXactCallback(Some(on_end_of_part), std::ptr::null_mut());
        }
    }
}

/// How deep the current subtransaction is; 1 for the transaction itself.
pub fn depth() -> i32 {
    // SAFETY: reads a variable of this process.
    unsafe { bare::GetCurrentTransactionNestLevel() }
}

/// The id that rows which are written now will have: xmin is its lower half.
pub fn row_id() -> u64 {
    // SAFETY: inside a transaction that may write, as everything that writes is; gives it an id if it has none.
    unsafe { pg_sys::GetCurrentFullTransactionId() }.value
}

/// The id of the transaction that wrote a row with this xmin. One that was written 2^32 transactions ago is taken for a newer
/// one.
pub fn whole_id(xmin: u32) -> u64 {
    // SAFETY: asks shared memory.
    let next = unsafe { pg_sys::ReadNextFullTransactionId() }.value;
    let whole = next & !u64::from(u32::MAX) | u64::from(xmin);
    // It was given out before the next one.
    if whole < next { whole } else { whole.wrapping_sub(1 << 32) }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_end(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    let end = match event {
        XACT_EVENT_COMMIT => End::Committed,
        XACT_EVENT_PREPARE => End::Prepared,
        XACT_EVENT_ABORT => End::RolledBack,
        _ => return,
    };
    lock::end(end);
    if end == End::RolledBack {
        statement::forget_from(0);
    }
    if let Some(listener) = TOLD.get() {
        listener(end);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_end_of_part(
    event: pg_sys::SubXactEvent::Type,
    _own: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut std::ffi::c_void,
) {
    use pg_sys::SubXactEvent::{SUBXACT_EVENT_ABORT_SUB, SUBXACT_EVENT_COMMIT_SUB};
    let end = match event {
        SUBXACT_EVENT_ABORT_SUB => End::PartRolledBack(depth()),
        SUBXACT_EVENT_COMMIT_SUB => End::PartKept(depth()),
        _ => return,
    };
    lock::end(end);
    if let End::PartRolledBack(depth) = end {
        statement::forget_from(depth);
    }
    if let Some(listener) = TOLD.get() {
        listener(end);
    }
}

/// Runs a transaction of a worker, as hftok_owner. What fails rolls it back and is given back as a report.
pub fn run<R>(work: impl FnOnce() -> Result<R, Error>) -> Result<R, Report> {
    let outcome = catch_unwind(AssertUnwindSafe(|| -> Result<R, Error> {
        // SAFETY: a worker that is connected to a database and in no transaction.
        unsafe {
            pg_sys::StartTransactionCommand();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        }
        let caller = Caller::current();
        let result = {
            let _owner = AsOwner::switch(&caller)?;
            work()?
        };
        // SAFETY: pops what was pushed above; then the transaction begun above is ended.
        unsafe {
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
        }
        Ok(result)
    }));
    let report = match outcome {
        Ok(Ok(result)) => {
            // SAFETY: outside a transaction, as Postgres asks: counts of what was written, for autovacuum.
            // Should that fail, what was done is committed all the same.
            let _ = catch_unwind(|| unsafe { pg_sys::pgstat_report_stat(false) });
            return Ok(result);
        }
        Ok(Err(error)) => Report::from(error),
        Err(payload) => Report::of_unwinding(payload),
    };
    // SAFETY: the error was taken out of Postgres' hands by whoever caught it; what is left is to end the transaction.
    unsafe { pg_sys::AbortCurrentTransaction() };
    Err(report)
}
