//! Areas of Postgres' shared memory whose size is a setting: in huge pages where Postgres has them, counted in `shared_memory_size`, and
//! listed in `pg_shmem_allocations`.
//!
//! What must stay true: nothing is written into an area when it is made, so any bytes will do as values of its type. (They are zeroes,
//! since Postgres makes its shared memory anew at each start, and after a crash.)

use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

use pgrx::{PgSharedMemoryInitialization, pg_sys};

/// So many values, at the same address in every process. Made by `pg_shmem_init!`, before the server has children.
pub(in crate::pg) struct Area<T> {
    /// The name that no other memory has.
    name: &'static CStr,
    /// The number of values.
    count: AtomicUsize,
    /// The first of them; null when there are none.
    start: AtomicPtr<T>,
}

impl<T> Area<T> {
    /// An area that does not exist yet.
    pub(in crate::pg) const fn new(name: &'static CStr) -> Self {
        Self { name, count: AtomicUsize::new(0), start: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Says how many values there are to be; from `_PG_init`, while preloading.
    pub(in crate::pg) fn resize(&self, count: usize) {
        self.count.store(count, Relaxed);
    }

    /// The number of values.
    pub(in crate::pg) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// The first value; null when there are none.
    pub(in crate::pg) fn start(&self) -> *mut T {
        self.start.load(Relaxed)
    }

    /// Bytes of all of them. What no memory has is refused by Postgres when it is asked for.
    fn size(&self) -> usize {
        self.count().saturating_mul(size_of::<T>())
    }
}

impl<T> PgSharedMemoryInitialization for Area<T> {
    type Value = ();

    unsafe fn on_shmem_request(&'static self) {
        // SAFETY: as the caller says, in the hook for this.
        unsafe { pg_sys::RequestAddinShmemSpace(self.size()) };
    }

    unsafe fn on_shmem_startup(&'static self, (): ()) {
        if self.count() == 0 {
            return;
        }
        let mut is_there = false;
        // SAFETY: as the caller says, in the hook for this, while no other process of the server runs; the memory was asked for above. It
        // begins at a line of cache.
        let start = unsafe { pg_sys::ShmemInitStruct(self.name.as_ptr(), self.size(), &raw mut is_there) };
        self.start.store(start.cast(), Relaxed);
    }
}
