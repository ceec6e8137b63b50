//! Parameters, parsed once.

use hftok_core::plaintext::PlaintextRef;

use crate::error::Error;
use crate::pg::caller::refuse_in_restricted_operation;
use crate::pg::request;
use crate::settings;

/// What every function does first that takes or gives plaintext.
pub fn admit_plaintext() -> Result<(), Error> {
    refuse_in_restricted_operation()?;
    request::refuse_get()
}

/// A parameter that must be given.
pub fn required<T>(value: Option<T>, complaint: &'static str) -> Result<T, Error> {
    value.ok_or(Error::BadInput(complaint))
}

/// A secret that is to be stored.
pub fn secret<'a>(text: &'a str) -> Result<PlaintextRef<'a>, Error> {
    let most = settings::max_secret_size();
    if text.len() > most { Err(Error::TooLarge { most }) } else { Ok(PlaintextRef::new(text)) }
}

/// A parameter that is part of the interface, but of a feature that doesn't exist yet: refused rather than ignored.
pub fn reserved<T>(value: Option<T>, complaint: &'static str) -> Result<(), Error> {
    if value.is_some() { Err(Error::BadInput(complaint)) } else { Ok(()) }
}
