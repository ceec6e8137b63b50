//! The progress of standbys, for a process that commits on this disk and does not wait for them in its commits: a commit
//! that waits can be neither cut short nor followed by another.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

use pgrx::pg_sys;

/// A position in the WAL: who has it has all that was written before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u64);

/// The progress with a commit that is asked of standbys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// To have taken it.
    Written,
    /// To have it on disk.
    Flushed,
    /// To show it.
    Applied,
}

/// The setting that says which commits wait for what.
const SETTING: &CStr = c"synchronous_commit";

/// From now on commits of this worker are on this disk and wait for nobody, whatever the server's setting is. As a session would
/// set it: so what the server has is still known, and follows reloads.
pub fn commit_here() {
    // SAFETY: valid C strings, of a setting that everybody may change; in a worker that is in no transaction.
    unsafe {
        pg_sys::SetConfigOption(
            SETTING.as_ptr(),
            c"local".as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
        );
    }
}

/// The level that the server, or a setting of this database, asks of standbys; `None` where this disk is enough. `off`
/// counts as this disk, not as less: a caller that asks for `off` here has promised that an event is on disk.
pub fn level() -> Option<Level> {
    // SAFETY: variables of this process that its reading of the configuration sets; the string is Postgres' own and lives until
    // it is read again.
    let is_there_any = unsafe {
        let names = pg_sys::SyncRepStandbyNames;
        pg_sys::max_wal_senders > 0 && !names.is_null() && *names != 0
    };
    if !is_there_any {
        return None;
    }
    // SAFETY: the value that RESET would give is a static string of Postgres'.
    let value = unsafe {
        let value = pg_sys::GetConfigOptionResetString(SETTING.as_ptr());
        if value.is_null() { c"on" } else { CStr::from_ptr(value) }
    };
    match value.to_bytes() {
        b"off" | b"local" => None,
        b"remote_write" => Some(Level::Written),
        b"remote_apply" => Some(Level::Applied),
        _ => Some(Level::Flushed),
    }
}

/// The position at which the last commit of this process ends.
pub fn end_of_commit() -> Position {
    // SAFETY: reads a variable of this process.
    Position(unsafe { pg_sys::XactLastCommitEnd })
}

/// Up to where everything is on this disk.
pub fn end_of_disk() -> Position {
    // SAFETY: asks shared memory; not for the timeline.
    Position(unsafe { pg_sys::GetFlushRecPtr(std::ptr::null_mut()) })
}

/// Whether as many standbys as the server wants have everything up to a position.
pub fn have(position: Position, level: Level) -> bool {
    let mode = match level {
        Level::Written => pg_sys::SYNC_REP_WAIT_WRITE,
        Level::Flushed => pg_sys::SYNC_REP_WAIT_FLUSH,
        Level::Applied => pg_sys::SYNC_REP_WAIT_APPLY,
    };
    let mode = usize::try_from(mode).unwrap_or_default();
    // SAFETY: shared memory of walsenders, which is there as long as the server runs, at the same address in every process. The
    // three numbers are eight bytes, aligned to eight, and only ever grow; so one read at once without Postgres' lock is true, if
    // perhaps of a moment ago. It is what a commit compares itself with before it begins to wait.
    let reached = unsafe {
        let all = pg_sys::WalSndCtl;
        if all.is_null() {
            return false;
        }
        AtomicU64::from_ptr((&raw mut (*all).lsn).cast::<u64>().add(mode)).load(Ordering::Acquire)
    };
    position.0 <= reached
}
