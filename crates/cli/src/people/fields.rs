//! Asks for a value at a terminal: for each field of the provider, and for the secret ones without showing them.

use std::io::{self, Write as _};

use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::connection::Server;
use crate::failure::Failure;
use crate::value::asked as asked_secretly;

/// A row of view `providers`.
#[derive(Deserialize)]
struct Provider {
    /// As people call it.
    label: Option<String>,
    /// What a credential of it is made of.
    fields: Option<Vec<Field>>,
    /// Where its credentials are had.
    docs_url: Option<String>,
}

/// A part of a credential.
#[derive(Deserialize)]
struct Field {
    /// As the credential's JSON names it.
    name: String,
    /// As people call it.
    label: Option<String>,
    /// Whether it is shown to nobody.
    #[serde(default)]
    secret: bool,
    /// Whether it may be left out.
    #[serde(default)]
    optional: bool,
    /// The few values that it may have: it comes out of a file that the provider made.
    equals: Option<IgnoredAny>,
}

/// The value for a provider: the key alone, or the JSON of its fields.
pub fn asked(server: &mut Server, provider: &str) -> Result<Zeroizing<String>, Failure> {
    let columns = ["label", "fields", "docs_url"];
    let mut found: Vec<Provider> = server.rows("providers", &columns, &[("name", provider)], &[])?;
    let found = found.pop().ok_or_else(|| {
        Failure::Usage(format!("hftok knows no provider {provider}: hftok list --providers"))
    })?;
    let label = found.label.as_deref().unwrap_or(provider);
    let fields = found.fields.unwrap_or_default();
    if let Some(address) = &found.docs_url {
        crate::screen::word(&format!("{label}: {address}"));
    }
    if fields.iter().any(|field| field.equals.is_some()) {
        return Err(Failure::Usage(format!("{label} gives credentials as a file: --value-file FILE")));
    }
    match fields.as_slice() {
        [] => secret(label),
        [only] => secret(only.label.as_deref().unwrap_or(label)),
        several => members(several),
    }
}

/// The JSON of several fields.
fn members(fields: &[Field]) -> Result<Zeroizing<String>, Failure> {
    let mut json = Zeroizing::new(String::with_capacity(16 * 1024));
    for field in fields {
        let label = field.label.as_deref().unwrap_or(&field.name);
        let label = if field.optional { format!("{label} (may be empty)") } else { label.to_owned() };
        let given = if field.secret { secret(&label)? } else { shown(&label)? };
        if given.is_empty() {
            if field.optional {
                continue;
            }
            return Err(Failure::Usage(format!("{label} is empty")));
        }
        let before = if json.is_empty() { '{' } else { ',' };
        json.push(before);
        for (text, after) in [(field.name.as_str(), ":"), (given.as_str(), "")] {
            let quoted = serde_json::to_string(text).map_err(io::Error::other);
            json.push_str(&Zeroizing::new(quoted.map_err(Failure::io("the value as JSON"))?));
            json.push_str(after);
        }
    }
    json.push('}');
    Ok(json)
}

/// What somebody types, without showing it.
fn secret(label: &str) -> Result<Zeroizing<String>, Failure> {
    asked_secretly(&format!("{label} (not shown): "))
}

/// What somebody types.
fn shown(label: &str) -> Result<Zeroizing<String>, Failure> {
    let mut terminal = io::stderr().lock();
    let asked = write!(terminal, "{label}: ").and_then(|()| terminal.flush());
    asked.map_err(Failure::io("the terminal"))?;
    let mut line = Zeroizing::new(String::with_capacity(4096));
    io::stdin().read_line(&mut line).map_err(Failure::io("the terminal"))?;
    Ok(Zeroizing::new(line.trim().to_owned()))
}
