//! A value in shared memory under a lock that everybody holds for moments only.
//!
//! It is one of Postgres' own locks. Postgres lets whoever finds such a lock taken sleep at once, and be woken by whoever lets go: both take
//! many times as long as this one is held. So whoever finds it taken looks again a few times, and sleeps only then.
//!
//! What must stay true: nobody who holds it waits for anything, or calls Postgres.

use std::ffi::CStr;
use std::hint::spin_loop;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use pgrx::pg_sys::LWLockMode::{self, LW_EXCLUSIVE, LW_SHARED};
use pgrx::{PGRXSharedMemory, PgSharedMemoryInitialization, pg_sys};

use crate::pg::bare;

/// The number of times that somebody looks before they sleep: in all about as long as a sleep would cost.
const LOOKS: u32 = 100;

/// A value and its lock. Made by `pg_shmem_init!`, before the server has children.
pub struct BriefLock<T> {
    /// The name that no other lock and no other memory has.
    name: &'static CStr,
    /// The value.
    value: AtomicPtr<T>,
    /// Its lock.
    lock: AtomicPtr<pg_sys::LWLock>,
}

/// The value, for as long as the lock is held: alone, or among others who only look.
pub struct Held<'a, T, const ALONE: bool> {
    /// The value.
    value: *mut T,
    /// Its lock.
    lock: *mut pg_sys::LWLock,
    /// Where both are.
    of: PhantomData<&'a BriefLock<T>>,
}

impl<T: PGRXSharedMemory> BriefLock<T> {
    /// A lock that does not exist yet.
    pub const fn new(name: &'static CStr) -> Self {
        let nowhere = std::ptr::null_mut();
        Self { name, value: AtomicPtr::new(nowhere), lock: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Holds the value alone.
    pub fn exclusive(&self) -> Held<'_, T, true> {
        self.hold()
    }

    /// Holds the value among others, who only look.
    pub fn share(&self) -> Held<'_, T, false> {
        self.hold()
    }

    /// Holds the value.
    fn hold<const ALONE: bool>(&self) -> Held<'_, T, ALONE> {
        let lock = self.acquire(if ALONE { LW_EXCLUSIVE } else { LW_SHARED });
        Held { value: self.value.load(Relaxed), lock, of: PhantomData }
    }

    /// Takes the lock.
    fn acquire(&self, mode: LWLockMode::Type) -> *mut pg_sys::LWLock {
        let lock = self.lock.load(Relaxed);
        assert!(!lock.is_null(), "a lock is taken only where hftok was preloaded");
        for _ in 0..LOOKS {
            // SAFETY: a lock in shared memory. An error comes only where a process has 200 of them.
            if unsafe { bare::LWLockConditionalAcquire(lock, mode) } {
                return lock;
            }
            spin_loop();
        }
        // SAFETY: as above.
        unsafe { bare::LWLockAcquire(lock, mode) };
        lock
    }
}

impl<T, const ALONE: bool> Deref for Held<'_, T, ALONE> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: lies in shared memory for as long as the server runs, and nobody else changes it while this process has the lock.
        unsafe { &*self.value }
    }
}

impl<T> DerefMut for Held<'_, T, true> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and nobody else looks while this process has the lock in the exclusive mode.
        unsafe { &mut *self.value }
    }
}

impl<T, const ALONE: bool> Drop for Held<'_, T, ALONE> {
    fn drop(&mut self) {
        // SAFETY: a variable of this process. After an error of Postgres it is 0, and Postgres lets go of all locks itself.
        if unsafe { pg_sys::InterruptHoldoffCount } > 0 {
            // SAFETY: this process holds the lock, so there is no error.
            unsafe { bare::LWLockRelease(self.lock) };
        }
    }
}

impl<T: PGRXSharedMemory> PgSharedMemoryInitialization for BriefLock<T> {
    type Value = T;

    unsafe fn on_shmem_request(&'static self) {
        // SAFETY: as the caller says, in the hook for this.
        unsafe {
            pg_sys::RequestAddinShmemSpace(size_of::<T>());
            pg_sys::RequestNamedLWLockTranche(self.name.as_ptr(), 1);
        }
    }

    unsafe fn on_shmem_startup(&'static self, value: T) {
        let mut is_there = false;
        // SAFETY: as the caller says, in the hook for this, while no other process of the server runs; both were asked for above. Memory of
        // this sort begins at a line of cache.
        unsafe {
            let memory =
                pg_sys::ShmemInitStruct(self.name.as_ptr(), size_of::<T>(), &raw mut is_there).cast::<T>();
            if !is_there {
                memory.write(value);
            }
            self.value.store(memory, Relaxed);
            self.lock.store(&raw mut (*pg_sys::GetNamedLWLockTranche(self.name.as_ptr())).lock, Relaxed);
        }
    }
}
