//! Settings that a session may make and change.

use std::ffi::CStr;

use pgrx::pg_sys;

/// The life of a change.
#[derive(Clone, Copy)]
pub(super) enum Lasts {
    /// It ends with the level of settings that is open now, as for a function with SET.
    Level,
    /// It ends with the transaction, as for `set_config(name, value, is_local => true)`.
    Transaction,
}

/// Changes a setting that everybody may change.
pub(super) fn set(name: &CStr, value: &CStr, lasts: Lasts) {
    let action = match lasts {
        Lasts::Level => pg_sys::GucAction::GUC_ACTION_SAVE,
        Lasts::Transaction => pg_sys::GucAction::GUC_ACTION_LOCAL,
    };
    // SAFETY: valid C strings, which Postgres copies; inside a transaction, whose end undoes the change whatever the way.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            action,
            true,
            0,
            false,
        );
    }
}

/// Whether there is no setting of this name. Postgres 15 looks for each name among hundreds; `gap` remembers where this one would
/// stand, and it is enough to see that the names on both sides still leave it out.
///
/// What must stay true: Postgres keeps its settings in the order of their names, in which it searches them itself.
#[cfg(feature = "pg15")]
pub(super) fn is_absent(name: &CStr, gap: &std::cell::Cell<usize>) -> bool {
    use std::cmp::Ordering;

    use crate::pg::bare;

    let order = |setting: *mut pg_sys::config_generic| {
        // As Postgres compares them: letters of either case alike, bytes as its compiler takes them.
        let fold = |byte: &u8| std::ffi::c_char::from_ne_bytes([byte.to_ascii_lowercase()]);
        // SAFETY: a setting's name is a C string that lives as long as the setting.
        let other = unsafe { CStr::from_ptr((*setting).name) };
        other.to_bytes().iter().map(fold).cmp(name.to_bytes().iter().map(fold))
    };
    let Ok(count) = usize::try_from(
        // SAFETY: reads a variable of this process.
        unsafe { bare::GetNumConfigOptions() },
    ) else {
        return false;
    };
    // SAFETY: Postgres' own list of so many settings, which changes only while it makes one; nothing here does.
    let settings = unsafe { std::slice::from_raw_parts(bare::get_guc_variables(), count) };
    let leaves_out = |at: usize| {
        at <= count
            && at.checked_sub(1).is_none_or(|before| {
                settings.get(before).is_some_and(|before| order(*before) == Ordering::Less)
            })
            && settings.get(at).is_none_or(|after| order(*after) == Ordering::Greater)
    };
    if leaves_out(gap.get()) {
        return true;
    }
    gap.set(settings.partition_point(|setting| order(*setting) == Ordering::Less));
    leaves_out(gap.get())
}

/// Later versions look settings up by a hash, which is fast enough.
#[cfg(not(feature = "pg15"))]
pub(super) fn is_absent(_name: &CStr, _gap: &std::cell::Cell<usize>) -> bool {
    false
}
