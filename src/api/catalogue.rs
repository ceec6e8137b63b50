//! The catalogue of providers, and additions to it.

use hftok_core::provider::{CATALOGUE, Provider};

use super::input::required;
use crate::error::Error;
use crate::pg::entry::entry;

/// Variables that decide what a process runs, and not whom it talks to: no provider may claim them.
const RESERVED: [&str; 16] = [
    "PATH",
    "HOME",
    "USER",
    "SHELL",
    "IFS",
    "ENV",
    "BASH_ENV",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "NODE_OPTIONS",
    "PERL5LIB",
    "RUBYOPT",
    "JAVA_TOOL_OPTIONS",
    "GIT_SSH_COMMAND",
    "HTTP_PROXY",
    "HTTPS_PROXY",
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
        if provider.variables().any(is_reserved) {
            return Err(Error::BadInput("a reserved variable of the environment cannot hold a credential"));
        }
        Ok(provider.id)
    }
}

fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let is_variable = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.is_empty()
        && !name.as_bytes()[0].is_ascii_digit();
    !is_variable
        || RESERVED.contains(&name.as_str())
        || name.starts_with("LD_")
        || name.starts_with("DYLD_")
        || name.starts_with("PG")
}
