//! The catalogue of providers, and additions to it.

use hftok_core::provider::{CATALOGUE, Provider};

use super::input::required;
use crate::error::Error;
use crate::pg::entry::entry;

/// How names of variables end that may hold a credential. Others decide what a process runs or whom it trusts (`PATH`,
/// `LD_PRELOAD`, `NODE_OPTIONS`, `SSL_CERT_FILE`), and there are too many of these to list.
const ENDINGS: [&str; 12] = [
    "_KEY",
    "_KEY_ID",
    "_TOKEN",
    "_SECRET",
    "_PASSWORD",
    "_CREDENTIALS",
    "_CLIENT_ID",
    "_TENANT_ID",
    "_ENDPOINT",
    "_REGION",
    "_PROJECT",
    "_ACCESS_KEY",
];

entry! {
    /// The built-in catalogue as JSON text.
    fn builtin_providers() -> String {
        Ok(CATALOGUE.to_owned())
    }

    /// Looks at a description of a provider; gives back its name.
    fn checked_provider(p_definition: &str) -> String {
        let definition = required(p_definition, "p_provider must not be null")?;
        let provider: Provider = serde_json::from_str(definition)
            .map_err(|_| Error::BadInput("p_provider must have id, label and fields, as the view providers shows them"))?;
        let is_name = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        if !is_name(&provider.id) || provider.fields.iter().any(|field| !is_name(&field.name)) {
            return Err(Error::BadInput("names of providers and fields have lower-case letters, digits and _"));
        }
        if !provider.fields.iter().any(|field| field.secret) {
            return Err(Error::BadInput("one field at least must be secret"));
        }
        let formats = provider.fields.iter().flat_map(|field| &field.formats).chain(&provider.formats);
        if formats.into_iter().any(|format| format.own && format.prefix.len() < 3) {
            return Err(Error::BadInput("a prefix that is a provider's own has three characters at least"));
        }
        if provider.environment.without.values().any(Option::is_some) {
            return Err(Error::BadInput("without a credential, variables can only be unset"));
        }
        if provider.variables().any(is_reserved) {
            return Err(Error::BadInput("a reserved variable of the environment cannot hold a credential"));
        }
        Ok(provider.id)
    }
}

/// Not a variable for a credential.
fn is_reserved(name: &str) -> bool {
    let is_variable = name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    !is_variable || name.starts_with("PG") || !ENDINGS.iter().any(|ending| name.ends_with(ending))
}
