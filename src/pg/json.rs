//! Values of type jsonb, taken and given as Postgres has them: read into Rust and written again, numbers would lose digits.

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pgrx::{FromDatum, IntoDatum, pg_sys};
use zeroize::Zeroizing;

use crate::error::Error;

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
    text.and_then(|text| text.to_str().ok()).map(str::to_owned).ok_or(Error::NotJson)
}

/// Makes JSON text a value. Postgres' own error would quote the text, so it is replaced by one that does not; the
/// transaction ends with either.
pub fn parse(text: &str) -> Result<Jsonb, Error> {
    let text = Zeroizing::new(text.as_bytes().to_vec());
    let text = CString::new(text.as_slice()).map_err(|_| Error::NotJson)?;
    let parsed = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the input function of jsonb, given a valid C string. Should it fail, pgrx turns that into an
        // unwinding, and what is caught here is raised again as another error by the caller.
        unsafe { pgrx::direct_function_call::<Jsonb>(pg_sys::jsonb_in, &[Some(text.as_ptr().into())]) }
    }));
    drop(Zeroizing::new(text.into_bytes()));
    parsed.ok().flatten().ok_or(Error::NotJson)
}
