//! Parameters, parsed once.

use hftok_core::binding::Binding;
use hftok_core::plaintext::PlaintextRef;
use pgrx::datum::Uuid;

use crate::error::Error;
use crate::pg::request;
use crate::settings;

/// What every function does first that takes or gives plaintext.
pub fn admit_plaintext() -> Result<(), Error> {
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

/// A name, short enough for a message to hold it.
pub fn name(text: Option<&str>) -> Result<&str, Error> {
    limited(text, 1024, "a name may have 1024 bytes")
}

/// A description.
pub fn description(text: Option<&str>) -> Result<Option<&str>, Error> {
    text.map(|text| limited(Some(text), 64 * 1024, "a description may have 65536 bytes")).transpose()
}

fn limited<'a>(text: Option<&'a str>, most: usize, complaint: &'static str) -> Result<&'a str, Error> {
    let text = text.unwrap_or_default();
    if text.len() > most { Err(Error::BadInput(complaint)) } else { Ok(text) }
}

/// A parameter that is part of the interface, but of a feature that doesn't exist yet: refused rather than ignored.
pub fn reserved<T>(value: Option<T>, complaint: &'static str) -> Result<(), Error> {
    if value.is_some() { Err(Error::BadInput(complaint)) } else { Ok(()) }
}

/// Where a secret with this binding is found. Only for bindings that are an address of their own.
pub fn binding_key(binding: &Binding<'_>) -> Uuid {
    // The id counts only for a secret that has no address.
    Uuid::from_bytes(binding.key(&[0; 16]))
}
