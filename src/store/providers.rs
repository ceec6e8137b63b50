//! Providers: the built-in catalogue, and those that an operator added to it or described otherwise.

use std::borrow::Cow;
use std::ffi::CStr;

use hftok_core::provider::{self, Provider};

use super::known;
use crate::error::Error;
use crate::pg::sql::{Run, Statement};

const ALL: &CStr = c"SELECT p.definition::text FROM hftok_private.providers p";

thread_local! {
    static FIND_ALL: Statement = const { Statement::new(ALL, &[]) };
}

/// The provider of this name; an operator's description goes before the built-in one.
pub fn find(id: &str) -> Result<Cow<'static, Provider>, Error> {
    let known = known::known()?;
    match known.registered.iter().find(|provider| provider.id == id) {
        Some(provider) => Ok(Cow::Owned(provider.clone())),
        None => {
            provider::find(id).map(Cow::Borrowed).ok_or(Error::BadInput("there is no provider of this name"))
        }
    }
}

/// All providers.
pub fn all() -> Result<Cow<'static, [Provider]>, Error> {
    let known = known::known()?;
    if known.registered.is_empty() {
        return Ok(Cow::Borrowed(provider::builtin()));
    }
    let is_registered = |id: &str| known.registered.iter().any(|provider| provider.id == id);
    let builtin = provider::builtin().iter().filter(|provider| !is_registered(&provider.id)).cloned();
    Ok(Cow::Owned(builtin.chain(known.registered.iter().cloned()).collect()))
}

/// The providers that an operator registered, from their table.
pub fn registered() -> Result<Vec<Provider>, Error> {
    FIND_ALL.read(&[], |row| parse(&row.must::<String>(1)?))
}

fn parse(definition: &str) -> Result<Provider, Error> {
    serde_json::from_str(definition).map_err(|_| Error::Internal("a registered provider cannot be read"))
}
