//! Values of type jsonb, taken and given as Postgres has them: read into Rust and written again, numbers would lose digits.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use pgrx::{FromDatum, IntoDatum, pg_sys};
use zeroize::Zeroizing;

use super::raise::sqlstate_of;
use crate::error::Error;
use crate::pg::server::memory::copy_of_text;

/// A value of type jsonb.
pub struct Jsonb(pg_sys::Datum);

impl FromDatum for Jsonb {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _oid: pg_sys::Oid) -> Option<Self> {
        (!is_null).then_some(Self(datum))
    }
}

impl IntoDatum for Jsonb {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(self.0)
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

/// The text of a value that holds no secret.
pub fn text(value: &Jsonb) -> Result<String, Error> {
    // SAFETY: the output function of jsonb, given a value of that type; what it gives is a C string, which is copied.
    let text = unsafe { pgrx::direct_function_call::<&std::ffi::CStr>(pg_sys::jsonb_out, &[Some(value.0)]) };
    text.and_then(|text| text.to_str().ok()).ok_or(Error::NotJson).and_then(copy_of_text)
}

impl Jsonb {
    /// The number of bytes, which is about that of its text.
    pub fn length(&self) -> usize {
        // SAFETY: a value of type jsonb, which is of variable length.
        unsafe { pg_sys::toast_raw_datum_size(self.0) }
    }
}

/// Makes JSON text a value. Postgres would quote a text that is no JSON, so its error is replaced by one that does not
/// quote; the transaction ends with either. Other errors, such as a cancel or a lack of memory, say nothing of the text
/// and are passed on.
pub fn parse(text: &str) -> Result<Jsonb, Error> {
    let mut terminated = Zeroizing::new(Vec::new());
    terminated.try_reserve_exact(text.len() + 1).map_err(|_| Error::NoMemory)?;
    terminated.extend_from_slice(text.as_bytes());
    if terminated.contains(&0) {
        return Err(Error::NotJson);
    }
    terminated.push(0);
    let start = pg_sys::Datum::from(terminated.as_ptr());
    let parsed = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the input function of jsonb, given a valid C string. If it fails, pgrx turns the error into an
        // unwinding, and the caller raises the error that is caught here again.
        unsafe { pgrx::direct_function_call::<Jsonb>(pg_sys::jsonb_in, &[Some(start)]) }
    }));
    match parsed {
        Ok(parsed) => parsed.ok_or(Error::NotJson),
        Err(payload)
            if sqlstate_of(payload.as_ref()).is_some_and(|code| code.starts_with(DATA_EXCEPTION)) =>
        {
            Err(Error::NotJson)
        }
        Err(payload) => resume_unwind(payload),
    }
}

/// The class of the errors that are about the text: 22P02, 22P05, 22003.
const DATA_EXCEPTION: &[u8] = b"22";
