//! Transactions that a worker begins and ends by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pgrx::pg_sys;

use crate::error::{Error, Report};
use crate::pg::call::raise::report_of;
use crate::pg::who::as_owner::{AsOwner, Pinned};
use crate::pg::who::caller::Caller;
use crate::pg::who::roles::is_operator;

/// Runs `work` in one, as hftok_owner, who also commits it: triggers that wait for the end run with that role's rights. A failure
/// rolls the transaction back and is returned as a report.
pub fn run<R>(work: impl FnOnce() -> Result<R, Error>) -> Result<R, Report> {
    let outcome = catch_unwind(AssertUnwindSafe(|| -> Result<R, Error> {
        // SAFETY: a worker that is connected to a database and in no transaction.
        unsafe {
            pg_sys::StartTransactionCommand();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        }
        let caller = Caller::current();
        let owner = AsOwner::switch_unpinned(&caller)?;
        let result = {
            let _pinned = Pinned::set();
            work()?
        };
        // SAFETY: pops what was pushed above; then the transaction begun above is ended.
        unsafe {
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
        }
        drop(owner);
        Ok(result)
    }));
    let report = match outcome {
        Ok(Ok(result)) => {
            // SAFETY: outside a transaction, as Postgres asks: counts of what was written, for autovacuum.
            // If that fails, the work is committed all the same.
            let _ = catch_unwind(|| unsafe { pg_sys::pgstat_report_stat(false) });
            return Ok(result);
        }
        Ok(Err(error)) => error.report(is_operator),
        Err(payload) => report_of(payload),
    };
    // SAFETY: the error was taken out of Postgres' hands by whoever caught it; what is left is to end the transaction.
    unsafe { pg_sys::AbortCurrentTransaction() };
    Err(report)
}
