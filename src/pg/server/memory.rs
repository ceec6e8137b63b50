//! Rust's memory: malloc's, and a reserve for when malloc has none.
//!
//! Rust ends the process that gets no memory, and the postmaster then ends every session. So what malloc refuses comes from a
//! reserve that lies in every process from its start, and the call that needed it fails with 53200 ([`admit`]).
//!
//! What must stay true: buffers as long as a value are reserved fallibly, arguments are bounded before they are looked at
//! ([`crate::pg::call::entry`]), and loops over many rows ask [`admit`]: so little is needed of the reserve before somebody asks.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;

/// The reserve is given out in units of so many bytes, to which it is aligned.
const UNIT: usize = 64;
/// A megabyte. A process that never needs it never touches it.
const UNITS: usize = 16 * 1024;
/// Larger blocks are refused: they are buffers that somebody reserves fallibly.
const BLOCK_BYTES_MAX: usize = 256 * 1024;
/// The end of the reserve is kept for blocks of a page at most, so that a few large ones cannot use it up.
const UNITS_FOR_SMALL: usize = UNITS / 4;
/// A block that is no larger may lie in the part that is kept for small ones.
const SMALL: usize = 4096;

/// Fails when memory was short since this was asked last.
pub fn admit() -> Result<(), Error> {
    if RESERVE.was_needed.load(Ordering::Relaxed) && RESERVE.was_needed.swap(false, Ordering::Relaxed) {
        return Err(Error::NoMemory);
    }
    Ok(())
}

/// The bytes that a table of hashes in a statement may take, as Postgres' own take them.
pub fn for_hashing() -> usize {
    // SAFETY: computed from settings of this process.
    unsafe { pgrx::pg_sys::get_hash_memory_limit() }
}

/// A copy of text that may be as long as a value.
pub fn copy_of_text(text: &str) -> Result<String, Error> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len()).map_err(|_| Error::NoMemory)?;
    copy.push_str(text);
    Ok(copy)
}

/// A copy of bytes that may be as many as those of a value.
pub fn copy_of_bytes(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| Error::NoMemory)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// Fails unless so much could be had just now, for work that then allocates it piece by piece.
pub fn look_for(bytes: usize) -> Result<(), Error> {
    let mut room = Vec::<u8>::new();
    room.try_reserve_exact(bytes).map_err(|_| Error::NoMemory)
}

/// Has [`admit`] fail, where nothing else can be said.
pub fn note_need() {
    RESERVE.was_needed.store(true, Ordering::Relaxed);
}

/// Does what belongs to no call, as when a transaction ends: what the reserve gave for it sufficed, and the next call is not told.
pub fn between_calls(work: impl FnOnce()) {
    let was_needed = RESERVE.was_needed.load(Ordering::Relaxed);
    work();
    RESERVE.was_needed.store(was_needed, Ordering::Relaxed);
}

/// Memory that every process has of its own: what the postmaster forks finds it as it was, and what is freed there is
/// free there only.
#[repr(C, align(64))]
struct Reserve {
    /// Reserved when the program is loaded, so that it is there when nothing else is.
    memory: UnsafeCell<[u8; UNITS * UNIT]>,
    /// A bit a unit: whether it is given out.
    used: UnsafeCell<[u64; UNITS / 64]>,
    /// A thread that looks at `used` holds this.
    is_held: AtomicBool,
    /// Set when a block came from here, and reported by [`admit`].
    was_needed: AtomicBool,
}

// SAFETY: `used` is only touched by whoever holds `is_held`, and each unit of `memory` belongs to whom it was given.
unsafe impl Sync for Reserve {}

/// One for each process.
static RESERVE: Reserve = Reserve {
    memory: UnsafeCell::new([0; UNITS * UNIT]),
    used: UnsafeCell::new([0; UNITS / 64]),
    is_held: AtomicBool::new(false),
    was_needed: AtomicBool::new(false),
};

impl Reserve {
    /// Whether a block came from here, which its address tells.
    #[inline]
    fn holds(&self, block: *mut u8) -> bool {
        block.addr().wrapping_sub(self.memory.get().addr()) < UNITS * UNIT
    }

    /// A block, or null when there is none so large.
    #[cold]
    fn take(&self, layout: Layout) -> *mut u8 {
        if layout.size() > BLOCK_BYTES_MAX || layout.align() > UNIT {
            return ptr::null_mut();
        }
        self.was_needed.store(true, Ordering::Relaxed);
        let count = layout.size().div_ceil(UNIT);
        let end = if layout.size() <= SMALL { UNITS } else { UNITS - UNITS_FOR_SMALL };
        let first = self.looking(|used| {
            let mut free = 0;
            for unit in 0..end {
                free = if used[unit / 64] & (1 << (unit % 64)) == 0 { free + 1 } else { 0 };
                if free == count {
                    let first = unit + 1 - count;
                    mark(used, first, count);
                    return Some(first);
                }
            }
            None
        });
        match first {
            // SAFETY: `count` units from here on are within the memory, and were free.
            Some(first) => unsafe { self.memory.get().cast::<u8>().add(first * UNIT) },
            None => ptr::null_mut(),
        }
    }

    /// Makes a block's units free.
    #[cold]
    fn give_back(&self, block: *mut u8, layout: Layout) {
        let first = block.addr().wrapping_sub(self.memory.get().addr()) / UNIT;
        self.looking(|used| mark(used, first, layout.size().div_ceil(UNIT)));
    }

    /// Alone with the map of units.
    fn looking<R>(&self, look: impl FnOnce(&mut [u64; UNITS / 64]) -> R) -> R {
        // Server processes have one thread, and nothing interrupts this one here: only tests ever wait.
        while self.is_held.swap(true, Ordering::Acquire) {
            std::hint::spin_loop();
        }
        // SAFETY: held, and `look` neither allocates nor unwinds.
        let result = look(unsafe { &mut *self.used.get() });
        self.is_held.store(false, Ordering::Release);
        result
    }
}

/// Turns units from free to used, or back.
fn mark(used: &mut [u64; UNITS / 64], first: usize, count: usize) {
    for unit in first..first + count {
        used[unit / 64] ^= 1 << (unit % 64);
    }
}

/// The allocator of Rust.
struct Allocator;

/// Every allocation of Rust's goes this way; Postgres' own do not.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: every block comes from the system or from the reserve, is as large and aligned as was asked for, and goes back to
// where it came from, which its address tells. Nothing here unwinds or allocates.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to `GlobalAlloc::alloc`, which asks for a layout that is not empty, and the system asks no more.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() { RESERVE.take(layout) } else { block }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller gives a layout that is not empty, and the system asks no more. A block that `take` gives has the size of
        // the layout, and belongs to nobody else, so that its bytes may be written.
        unsafe {
            let block = System.alloc_zeroed(layout);
            if !block.is_null() {
                return block;
            }
            let block = RESERVE.take(layout);
            if !block.is_null() {
                block.write_bytes(0, layout.size());
            }
            block
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if RESERVE.holds(block) {
            RESERVE.give_back(block, layout);
        } else {
            // SAFETY: the caller gives a block of this allocator that has this layout. It does not lie in the reserve, so the system
            // gave it.
            unsafe { System.dealloc(block, layout) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller gives a block of this allocator that has this layout, and a size that is not zero and that, rounded up to
        // the alignment, fits into an isize: a valid layout. A block outside the reserve is the system's, which leaves it as it is
        // where it answers null. The new block is another one than the old, and both have the bytes that are copied.
        unsafe {
            if !RESERVE.holds(block) {
                let moved = System.realloc(block, layout, size);
                if !moved.is_null() {
                    return moved;
                }
            }
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::Layout;

    use super::{BLOCK_BYTES_MAX, RESERVE, SMALL, UNIT, UNITS, UNITS_FOR_SMALL, admit};

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap_or(Layout::new::<u8>())
    }

    /// One test, because there is one reserve.
    #[test]
    fn blocks_are_apart_come_back_and_are_told() {
        assert!(admit().is_ok());
        let mut taken = Vec::new();
        for size in [1, 63, 64, 65, 4096, 100_000, 3, BLOCK_BYTES_MAX] {
            let block = RESERVE.take(layout(size, 8));
            assert!(!block.is_null() && block.addr().is_multiple_of(UNIT) && RESERVE.holds(block));
            taken.push((block, size));
        }
        let mut places: Vec<_> = taken.iter().map(|(block, size)| (block.addr(), *size)).collect();
        places.sort_unstable();
        assert!(places.windows(2).all(|two| two[0].0 + two[0].1 <= two[1].0), "{places:?}");
        assert!(RESERVE.take(layout(BLOCK_BYTES_MAX + 1, 8)).is_null());
        assert!(RESERVE.take(layout(8, 4096)).is_null());
        // Large blocks leave room for small ones; these use up the rest.
        loop {
            let block = RESERVE.take(layout(SMALL + 1, 8));
            if block.is_null() {
                break;
            }
            taken.push((block, SMALL + 1));
        }
        let mut small = 0;
        loop {
            let block = RESERVE.take(layout(SMALL, 8));
            if block.is_null() {
                break;
            }
            taken.push((block, SMALL));
            small += 1;
        }
        assert!(small >= UNITS_FOR_SMALL * UNIT / SMALL, "{small}");
        for (block, size) in taken {
            RESERVE.give_back(block, layout(size, 8));
        }
        assert_eq!(RESERVE.looking(|used| *used), [0; UNITS / 64]);
        assert!(admit().is_err() && admit().is_ok());
        assert!(!RESERVE.holds(Box::into_raw(Box::new(0_u8))));
    }
}
