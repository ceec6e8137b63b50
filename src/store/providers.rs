//! Providers: the built-in catalogue, and those that an operator added to it or described otherwise.

use std::borrow::Cow;
use std::ffi::CStr;

use hftok_core::provider::{self, Provider};
use pgrx::pg_sys::TEXTOID;

use crate::error::Error;
use crate::pg::sql::{Run, Statement};

const ALL: &CStr = c"SELECT p.definition::text FROM hftok_private.providers p";
const ONE: &CStr = c"SELECT p.definition::text FROM hftok_private.providers p WHERE p.id = $1";

thread_local! {
    static FIND_ALL: Statement = const { Statement::new(ALL, &[]) };
    static FIND_ONE: Statement = const { Statement::new(ONE, &[TEXTOID]) };
}

/// The provider of this name; an operator's description goes before the built-in one.
pub fn find(id: &str) -> Result<Cow<'static, Provider>, Error> {
    let registered = FIND_ONE.read(&[id.into()], |row| parse(&row.must::<String>(1)?))?.pop();
    match registered {
        Some(provider) => Ok(Cow::Owned(provider)),
        None => {
            provider::find(id).map(Cow::Borrowed).ok_or(Error::BadInput("there is no provider of this name"))
        }
    }
}

/// All providers.
pub fn all() -> Result<Cow<'static, [Provider]>, Error> {
    let registered = FIND_ALL.read(&[], |row| parse(&row.must::<String>(1)?))?;
    if registered.is_empty() {
        return Ok(Cow::Borrowed(provider::builtin()));
    }
    let is_registered = |id: &str| registered.iter().any(|provider| provider.id == id);
    let builtin = provider::builtin().iter().filter(|provider| !is_registered(&provider.id)).cloned();
    Ok(Cow::Owned(builtin.chain(registered.iter().cloned()).collect()))
}

fn parse(definition: &str) -> Result<Provider, Error> {
    serde_json::from_str(definition).map_err(|_| Error::Internal("a registered provider cannot be read"))
}
