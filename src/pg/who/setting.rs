//! Changes of settings that a session may make.

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
