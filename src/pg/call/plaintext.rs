//! A plaintext on its way to the caller, as text.
//!
//! What must stay true: it is written when nothing can fail any more, and a cancel that came meanwhile is told first. Postgres' memory
//! is not wiped, so an answer that is given up must not have held a plaintext.

use hftok_core::plaintext::Plaintext;
use pgrx::{pg_sys, varlena};

/// The plaintext as text.
pub fn text(value: &Plaintext) -> Option<pg_sys::Datum> {
    let text = room_for(value)?;
    // SAFETY: the text was made just now, and nobody else has it.
    unsafe { write(text, value) };
    Some(text)
}

/// A text as long as the plaintext, of zeroes; `None` when none can be so long.
pub(super) fn room_for(value: &Plaintext) -> Option<pg_sys::Datum> {
    let size = value.expose().len().checked_add(pg_sys::VARHDRSZ)?;
    let header = i32::try_from(size).ok()?;
    // SAFETY: the memory has room for the header that is written to it, and palloc0 has zeroed the rest.
    unsafe {
        let text = pg_sys::palloc0(size);
        varlena::set_varsize_4b(text.cast(), header);
        Some(pg_sys::Datum::from(text))
    }
}

/// Writes the plaintext over such a text, or over a copy of it in a row. Whoever cancelled meanwhile is told instead.
///
/// # Safety
/// The text is neither compressed nor stored elsewhere, and its memory may be written to.
pub(super) unsafe fn write(text: pg_sys::Datum, value: &Plaintext) {
    pgrx::check_for_interrupts!();
    let bytes = value.expose();
    let header = text.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: the caller gives such a text: its first byte says whether its header has one byte or four, and the header how long it is.
    // Its bytes follow the header; no more are written than there are.
    unsafe {
        let is_short = varlena::varatt_is_1b(header);
        let (own, whole) = if is_short {
            (1, varlena::varsize_1b(header))
        } else {
            (pg_sys::VARHDRSZ, varlena::varsize_4b(header))
        };
        let length = whole.saturating_sub(own).min(bytes.len());
        header.cast::<u8>().add(own).copy_from_nonoverlapping(bytes.as_ptr(), length);
    }
}
