//! Transactions: their ids, their parts, and their ends, of which others are told.

use std::cell::Cell;

use pgrx::{pg_guard, pg_sys};

use super::memory;
use crate::pg::bare;

/// The end of a transaction, or of a part of one.
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

impl End {
    /// The depth of the part to which something belongs after this end, if it was done at `depth`; 0 when it is over, or was undone.
    pub fn leaves(self, depth: i32) -> i32 {
        match self {
            Self::Committed | Self::Prepared | Self::RolledBack => 0,
            Self::PartRolledBack(part) if depth >= part => 0,
            Self::PartKept(part) => depth.min(part - 1),
            Self::PartRolledBack(_) => depth,
        }
    }
}

/// The listeners to ends, in the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// Locks on names go, or pass to the part around.
    Locks,
    /// Calls that failed are forgotten.
    Calls,
    /// Changes are recorded as they ended.
    Changes,
    /// A rotation is asked to go on.
    Rotations,
    /// Root keys that no data key is wrapped by any more are no longer in use.
    Roots,
    /// Keys of organisations that were shut or destroyed are wiped.
    OrgKeys,
}

/// A function for each of them, once it has asked.
type Told = [Option<fn(End)>; Listener::OrgKeys as usize + 1];

thread_local! {
    static TOLD: Cell<Told> = const { Cell::new([None; Listener::OrgKeys as usize + 1]) };
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// Has a function told of the end of every transaction and subtransaction of this process, from the first time on that it is
/// asked for. It must neither fail nor call Postgres.
pub fn tell(listener: Listener, told: fn(End)) {
    let mut all = TOLD.get();
    if all[listener as usize].is_some() {
        return;
    }
    all[listener as usize] = Some(told);
    TOLD.set(all);
    if !WATCHED.replace(true) {
        // SAFETY: registered once in a process; the functions are there as long as the library is, which is never
        // unloaded.
        unsafe {
            pg_sys::RegisterXactCallback(Some(on_end), std::ptr::null_mut());
            pg_sys::RegisterSubXactCallback(Some(on_end_of_part), std::ptr::null_mut());
        }
    }
}

/// Tells everybody who asked for it.
fn told(end: End) {
    memory::between_calls(|| {
        for listener in TOLD.get().into_iter().flatten() {
            listener(end);
        }
    });
}

/// The depth of the current subtransaction; 1 for the transaction itself.
pub fn depth() -> i32 {
    // SAFETY: reads a variable of this process.
    unsafe { bare::GetCurrentTransactionNestLevel() }
}

/// The id that rows which are written now will have: xmin is its lower half.
pub fn row_id() -> u64 {
    // SAFETY: inside a transaction that may write, as everything that writes is; gives it an id if it has none.
    unsafe { pg_sys::GetCurrentFullTransactionId() }.value
}

/// Has the commit of the transaction wait until it is on this disk, whatever `synchronous_commit` says.
pub fn commit_to_disk() {
    // SAFETY: inside a transaction; sets a variable of this process, which the end of the transaction sets back.
    unsafe { pg_sys::ForceSyncCommit() };
}

/// When the transaction began, as now() says it in SQL.
pub fn begun() -> i64 {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }
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
    told(end);
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
    told(end);
}
