//! Reading what is true now, whatever the transaction's isolation level.

use pgrx::pg_sys;
use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary;

use crate::pg::bare;

/// The newest snapshot, as the active one while this lives.
pub struct LatestSnapshot(());

impl LatestSnapshot {
    /// Takes it.
    pub fn push() -> Self {
        // SAFETY: inside a transaction, as every function call is; popped on drop or by abort.
        unsafe { pg_guard_ffi_boundary(|| bare::PushActiveSnapshot(bare::GetLatestSnapshot())) };
        Self(())
    }
}

impl Drop for LatestSnapshot {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: pushed by `push`; whatever was pushed after it was popped by its own owner.
            unsafe { pg_sys::PopActiveSnapshot() };
        }
    }
}
