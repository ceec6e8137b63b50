//! Definitions of providers by an operator: a provider of their own, as a whole, or changes to a built-in one.
//!
//! What must stay true: a description is looked at by the same code when it is registered and whenever it is read. It
//! never lets the credentials of a built-in provider go further than the catalogue does: hosts, variables and fields stay
//! as they are or become fewer. The exception is a server on the backend's own machine, which may be added as a host.

use std::sync::OnceLock;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::address::{is_base_sound, is_own_machine, is_test_sound};
use super::{CATALOGUE, Provider, find};
use crate::walk::{host_covers, is_host_pattern};

/// The members that a provider and its parts may have.
const PROVIDER: [&str; 12] = [
    "id",
    "label",
    "docs_url",
    "fields",
    "hosts",
    "formats",
    "test",
    "openai",
    "environment",
    "any",
    "enabled",
    "switched_off_by",
];
/// The members that a field may have. A misspelt one is refused, because it would say nothing.
const FIELD: [&str; 9] =
    ["name", "label", "secret", "optional", "env", "formats", "equals", "uuid", "not_uuid"];
/// The members of a format.
const FORMAT: [&str; 8] = ["kind", "prefix", "alphabet", "least", "most", "contains", "own", "warning"];
/// The members of a test.
const TEST: [&str; 5] = ["method", "url", "headers", "answers", "body"];
/// The members of an environment.
const ENVIRONMENT: [&str; 3] = ["document", "unset", "without"];
/// The members of a built-in provider's field that may be described otherwise.
const FREE: [&str; 3] = ["label", "env", "formats"];

/// Endings of the names of variables that may hold a credential. Other variables decide what a process runs or whom it
/// trusts (`PATH`, `LD_PRELOAD`, `NODE_OPTIONS`, `SSL_CERT_FILE`), and there are too many of these to list.
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
/// The longest description.
const MOST: usize = 64 * 1024;
/// The members that may be null by intent: there is no test, and nothing that speaks the protocol.
const NONE: [&str; 2] = ["test", "openai"];

/// A provider that was described.
#[derive(Debug)]
pub struct Described {
    /// The provider.
    pub provider: Provider,
    /// All that is said of it, by the operator and by the catalogue.
    pub whole: Value,
    /// The part that the operator says and the catalogue does not, as it is to be stored.
    pub said: String,
}

/// A fault in a description. Names are quoted, values are not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not an object, or a member of it is of another type.
    #[error("p_provider must have id, label and fields, as the view providers shows them")]
    Malformed,
    /// Longer than any description needs to be.
    #[error("a description of a provider may have 65536 bytes at most")]
    TooLong,
    /// A member that means nothing.
    #[error("{place} has nothing called \"{name}\"")]
    Unknown {
        /// The object that has the member.
        place: &'static str,
        /// The name of the member.
        name: String,
    },
    /// A name that cannot be called.
    #[error("names of providers and fields have lower-case letters, digits and _")]
    Name,
    /// Nothing to seal.
    #[error("one field at least must be secret")]
    NothingSecret,
    /// A prefix of so few characters claims the keys of others.
    #[error("a prefix that is a provider's own has three characters at least")]
    ShortPrefix,
    /// A value for a variable, which could be anything.
    #[error("without a credential, variables can only be unset")]
    SetsVariable,
    /// A variable that decides more than which credential is used.
    #[error("a reserved variable of the environment cannot hold a credential")]
    Reserved,
    /// `env` beside the fields is what follows from these.
    #[error("env follows from the fields: give each field its env")]
    Env,
    /// A page that a browser would not fetch from a server, or not in private.
    #[error("docs_url is an address that begins with https://")]
    DocsUrl,
    /// Not the name of a host.
    #[error("hosts are names of hosts: without scheme, port and path")]
    Host,
    /// A test that would take the token elsewhere.
    #[error(
        "the test request goes by https to one of the provider's hosts, by GET or POST: give another one, or null for none"
    )]
    Test,
    /// A base address that would take the credential elsewhere, or a credential that is no one key.
    #[error(
        "openai is an address by https on one of the provider's hosts, or on {{field}}, of a provider with one secret field: give another one, or null for none"
    )]
    OpenAi,
    /// A field that a built-in provider does not have, or has otherwise.
    #[error(
        "fields of a built-in provider stay: only their label, env and formats can be described otherwise"
    )]
    BuiltinField,
    /// A variable that a built-in provider does not have.
    #[error("variables of a built-in provider stay, or become fewer")]
    BuiltinVariable,
    /// A host that a built-in provider does not have.
    #[error(
        "hosts of a built-in provider stay, or become fewer; the owner of a credential can allow it another host"
    )]
    BuiltinHost,
}

/// Reads a description.
pub fn describe(given: &str) -> Result<Described, Fault> {
    if given.len() > MOST {
        return Err(Fault::TooLong);
    }
    let mut said: Map<String, Value> = serde_json::from_str(given).map_err(|_| Fault::Malformed)?;
    if let Some(name) = said.remove("name") {
        said.insert("id".into(), name);
    }
    // Two columns of the view providers that say what follows from others.
    said.remove("builtin");
    let variables = said.remove("env");
    // A null is as the view shows a member that nobody gave.
    said.retain(|name, value| NONE.contains(&name.as_str()) || !value.is_null());
    // As everything is unless it is said.
    if said.get("enabled").is_none_or(|enabled| *enabled == Value::Bool(true)) {
        said.remove("enabled");
        said.remove("switched_off_by");
    }
    admit_members(&said)?;
    let id = said.get("id").and_then(Value::as_str).ok_or(Fault::Malformed)?;
    let builtin = find(id);
    let entry = catalogued(id);
    if said.get("openai") == Some(&Value::Null) && entry.is_none_or(|entry| !entry.contains_key("openai")) {
        said.remove("openai");
    }
    let mut whole = match entry {
        Some(catalogued) => {
            let whole = merge(catalogued, &said)?;
            said.retain(|name, _| name == "id" || whole.get(name) != catalogued.get(name));
            whole
        }
        None => said.clone(),
    };
    let mut provider: Provider =
        serde_json::from_value(Value::Object(whole.clone())).map_err(|_| Fault::Malformed)?;
    admit(&provider)?;
    match builtin {
        Some(builtin) => admit_narrowed(&provider, builtin)?,
        None => admit_added(&provider)?,
    }
    // The catalogue's alone: an operator says what keys look like.
    if provider.any != builtin.is_some_and(|builtin| builtin.any) {
        return Err(Fault::Unknown { place: "a provider", name: "any".into() });
    }
    if !is_test_sound(&provider) {
        return Err(Fault::Test);
    }
    if !is_base_sound(&provider) {
        if said.contains_key("openai") {
            return Err(Fault::OpenAi);
        }
        // Nobody said it: it goes with the host that was taken away.
        provider.openai = None;
        whole.remove("openai");
    }
    let env = provider.fields.iter().flat_map(|field| &field.env);
    if variables.is_some_and(|variables| variables != env.map(String::as_str).collect::<Value>()) {
        return Err(Fault::Env);
    }
    Ok(Described { provider, whole: Value::Object(whole), said: Value::Object(said).to_string() })
}

/// The digest of a stored description that the audit keeps.
pub fn digest(said: &str) -> [u8; 32] {
    Sha256::digest(said).into()
}

/// The entries of the catalogue as they are written there.
pub fn catalogue() -> &'static [Value] {
    static PARSED: OnceLock<Vec<Value>> = OnceLock::new();
    // Part of the program: a test sees to it that it parses.
    PARSED.get_or_init(|| serde_json::from_str(CATALOGUE).unwrap_or_default())
}

/// A built-in provider as the catalogue has it.
fn catalogued(id: &str) -> Option<&'static Map<String, Value>> {
    let mut entries = catalogue().iter().filter_map(Value::as_object);
    entries.find(|entry| entry.get("id").and_then(Value::as_str) == Some(id))
}

/// A built-in provider with what is said of it in the place of what it has.
fn merge(builtin: &Map<String, Value>, said: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    let mut whole = builtin.clone();
    for (name, value) in said {
        let value = match name.as_str() {
            "fields" => merge_fields(builtin.get(name), value)?,
            _ => value.clone(),
        };
        whole.insert(name.clone(), value);
    }
    Ok(whole)
}

/// Fields are described otherwise by name; a built-in provider gets no new ones.
fn merge_fields(builtin: Option<&Value>, said: &Value) -> Result<Value, Fault> {
    let mut fields = builtin.and_then(Value::as_array).cloned().unwrap_or_default();
    for given in said.as_array().ok_or(Fault::Malformed)? {
        let field = fields.iter_mut().find(|field| field.get("name") == given.get("name"));
        let field = field.and_then(Value::as_object_mut).ok_or(Fault::BuiltinField)?;
        for (name, value) in given.as_object().ok_or(Fault::Malformed)? {
            let is_as_built_in = field.get(name).unwrap_or(&Value::Bool(false)) == value;
            if !is_as_built_in && !FREE.contains(&name.as_str()) {
                return Err(Fault::BuiltinField);
            }
            if !is_as_built_in {
                field.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(Value::Array(fields))
}

/// Members that nobody reads are refused: whoever wrote `host` would believe that it holds.
fn admit_members(said: &Map<String, Value>) -> Result<(), Fault> {
    let objects = |list: Option<&Value>| {
        list.and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .cloned()
            .collect::<Vec<_>>()
    };
    admit_names("a provider", said, &PROVIDER)?;
    let fields = objects(said.get("fields"));
    for field in &fields {
        admit_names("a field", field, &FIELD)?;
    }
    let of_fields = fields.iter().flat_map(|field| objects(field.get("formats")));
    for format in of_fields.chain(objects(said.get("formats"))) {
        admit_names("a format", &format, &FORMAT)?;
    }
    for (member, place, known) in
        [("test", "a test", &TEST[..]), ("environment", "an environment", &ENVIRONMENT)]
    {
        if let Some(Value::Object(given)) = said.get(member) {
            admit_names(place, given, known)?;
        }
    }
    Ok(())
}

/// Refuses a member that nothing here would read.
fn admit_names(place: &'static str, given: &Map<String, Value>, known: &[&str]) -> Result<(), Fault> {
    match given.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Fault::Unknown { place, name: name.clone() }),
        None => Ok(()),
    }
}

/// Checks the rules for every provider.
fn admit(provider: &Provider) -> Result<(), Fault> {
    if !is_name(&provider.id) || provider.fields.iter().any(|field| !is_name(&field.name)) {
        return Err(Fault::Name);
    }
    if !provider.fields.iter().any(|field| field.secret) {
        return Err(Fault::NothingSecret);
    }
    let mut formats = provider.fields.iter().flat_map(|field| &field.formats).chain(&provider.formats);
    if formats.any(|format| format.own && format.prefix.len() < 3) {
        return Err(Fault::ShortPrefix);
    }
    if !provider.docs_url.is_empty() && !provider.docs_url.starts_with("https://") {
        return Err(Fault::DocsUrl);
    }
    if !provider.hosts.iter().all(|host| is_host_pattern(host)) {
        return Err(Fault::Host);
    }
    Ok(())
}

/// Checks the rules for a provider that the catalogue does not know.
fn admit_added(provider: &Provider) -> Result<(), Fault> {
    if provider.environment.without.values().any(Option::is_some) {
        return Err(Fault::SetsVariable);
    }
    if provider.variables().any(is_reserved) { Err(Fault::Reserved) } else { Ok(()) }
}

/// Checks the rules for a provider that the catalogue knows.
fn admit_narrowed(provider: &Provider, builtin: &Provider) -> Result<(), Fault> {
    let is_known = |variable: &str| builtin.variables().any(|known| known == variable);
    let is_set_as_before = |(variable, value): (&String, &Option<String>)| {
        value.is_none() || builtin.environment.without.get(variable) == Some(value)
    };
    if !provider.variables().all(is_known) || !provider.environment.without.iter().all(is_set_as_before) {
        return Err(Fault::BuiltinVariable);
    }
    let is_within =
        |host: &String| is_own_machine(host) || builtin.hosts.iter().any(|wide| host_covers(wide, host));
    if provider.hosts.iter().all(is_within) { Ok(()) } else { Err(Fault::BuiltinHost) }
}

/// Lower case, so that two providers never differ by case only.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Not a variable for a credential, unless the catalogue says that it is one.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    let is_variable = name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    !is_variable || name.starts_with("PG") || !ENDINGS.iter().any(|ending| name.ends_with(ending))
}
