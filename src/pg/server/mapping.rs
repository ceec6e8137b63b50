//! Memory of our own that all processes of the server share.
//!
//! Mapped by the postmaster before it forks, so that it lies at the same address in every process, and for as long as the
//! server runs.

use super::server_log;

/// Maps room for so many values, all zeroes, beginning at a page; or warns that there is no memory for them.
pub(in crate::pg) fn map<T>(count: usize, what: &str) -> Option<*mut T> {
    let length = count.checked_mul(size_of::<T>())?;
    // SAFETY: a new mapping, which touches no other.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        server_log::warning(&format!("hftok: no memory for {what}; started without it"));
        return None;
    }
    Some(start.cast())
}
