//! Memory that will be looked at soon is asked for, so that the processor does not wait for one line of it after another.
//!
//! Only hints are given: whatever is asked for here, the answer of a look is the same.

use pgrx::pg_sys;

/// Bytes of a line of the processor's cache.
const LINE: usize = 64;
/// The lines that most rows of the table of secrets fill.
const LINES: usize = 6;

/// Asks for the line of cache that this is in. Any address will do: nothing is read.
#[inline(always)]
pub(super) fn ask_for<T>(address: *const T) {
    // SAFETY: a hint, which neither reads nor writes what the program can see, and is ignored for an address that is none.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    // SAFETY: the instruction is a hint that changes neither memory, registers nor flags, and is ignored for an address that is none.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

/// The same for so many lines from there on.
#[inline(always)]
pub(in crate::pg) fn ask_for_lines(address: *const u8, lines: usize) {
    for line in 0..lines {
        ask_for(address.wrapping_byte_add(line * LINE));
    }
}

/// Asks for everything that a look at a row will touch: the buffer's description, the head of the page, the row's pointer there,
/// which has this offset number, and the row, which begins `at` this byte.
pub(super) fn ask_for_row(buffer: u32, offset: u16, at: u16) {
    let Some((description, page)) = addresses(buffer) else { return };
    ask_for(description);
    ask_for(page);
    let pointer = size_of::<pg_sys::PageHeaderData>() + usize::from(offset) * size_of::<pg_sys::ItemIdData>();
    ask_for(page.wrapping_byte_add(pointer));
    ask_for_lines(page.wrapping_byte_add(at.into()), LINES);
}

/// Asks for what a look at the head of a page will touch.
pub(super) fn ask_for_page(buffer: u32) {
    if let Some((description, page)) = addresses(buffer) {
        ask_for(description);
        ask_for(page);
    }
}

/// The offset of a row in the page that a buffer holds; 0 where there is none.
pub(super) fn offset_in_page(buffer: u32, row: *const u8) -> u16 {
    let offset = addresses(buffer).and_then(|(_, page)| row.addr().checked_sub(page.addr()));
    offset.and_then(|offset| u16::try_from(offset).ok()).unwrap_or(0)
}

/// The addresses of a shared buffer's description, and of its page.
pub(super) fn addresses(buffer: u32) -> Option<(*const pg_sys::BufferDescPadded, *const u8)> {
    let at = usize::try_from(buffer).ok()?.checked_sub(1)?;
    let size = usize::try_from(pg_sys::BLCKSZ).ok()?;
    // SAFETY: variables of this process, set before any function of ours can be called; the addresses are not read here.
    unsafe {
        (i32::try_from(buffer).ok()? <= pg_sys::NBuffers).then(|| {
            let page = pg_sys::BufferBlocks.cast::<u8>().cast_const().wrapping_add(at * size);
            (pg_sys::BufferDescriptors.cast_const().wrapping_add(at), page)
        })
    }
}
