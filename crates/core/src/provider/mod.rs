//! The catalogue of providers: the fields of their credentials, the shapes of their keys, and the hosts these may be sent
//! to.
//! All of it is data, in `catalogue.json`; an operator adds providers in the same form.
//!
//! What must stay true: a value is refused only when it is certainly wrong. Formats change, so a shape that is not
//! known is a warning. No complaint quotes the value.

mod address;
mod check;
mod definition;
mod format;
mod merge;
mod nearest;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::walk::host_covers;

pub use check::{BYTES_MAX, Checked, Rejection, Warning, members};
pub use definition::{Described, Fault, catalogue, describe, digest, is_reserved};
pub use format::{Alphabet, Format};
pub use merge::{may_be_masked, merge};
pub use nearest::nearest;

/// A provider as the catalogue describes it.
#[derive(Debug, Clone, Deserialize)]
pub struct Provider {
    /// The name it is called by; `name` in the view.
    pub id: String,
    /// The name people know.
    pub label: String,
    /// The page where a user gets a key.
    #[serde(default)]
    pub docs_url: String,
    /// The parts of a credential. One part: the credential is that text. Several: it is a JSON object.
    pub fields: Vec<Field>,
    /// Hosts that the credential may be sent to; `*.` in front means any subdomain.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Shapes of the key, when there is only one field.
    #[serde(default)]
    pub formats: Vec<Format>,
    /// Whether another provider's key is taken as well, and, in an integration, any object. Of the catalogue's own only: an
    /// operator says what keys look like.
    #[serde(default)]
    pub any: bool,
    /// The request that tells whether a credential is one.
    pub test: Option<Test>,
    /// The base address of the OpenAI protocol, of a provider that speaks it; `{name}` stands for a field.
    pub openai: Option<String>,
    /// Environment variables beyond those of the fields.
    #[serde(default)]
    pub environment: Environment,
    /// Whether the application uses it: its credentials are saved and handed out.
    #[serde(default = "switched_on")]
    pub enabled: bool,
    /// Who switched it off, where that was not an operator.
    pub switched_off_by: Option<Switcher>,
}

/// Whoever switches a provider off beside operators. These lift what operators did as little as what stands in a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switcher {
    /// An administrator of the application.
    Administrator,
}

/// Providers are, unless it is said otherwise.
fn switched_on() -> bool {
    true
}

/// A request that tells whether a credential is one; `{name}` stands for a field, or for what is made of the fields.
#[derive(Debug, Clone, Deserialize)]
pub struct Test {
    /// GET or POST.
    pub method: String,
    /// The address of the request.
    pub url: String,
    /// Its headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Status to verdict.
    #[serde(default)]
    pub answers: BTreeMap<String, String>,
    /// The body of the request.
    pub body: Option<String>,
}

/// A part of a credential.
#[derive(Debug, Clone, Deserialize)]
pub struct Field {
    /// The member of the JSON object.
    pub name: String,
    /// The name of the field in a form.
    #[serde(default)]
    pub label: String,
    /// Whether it must be hidden.
    #[serde(default)]
    pub secret: bool,
    /// Whether it may be left out.
    #[serde(default)]
    pub optional: bool,
    /// Variables that hold it.
    #[serde(default)]
    pub env: Vec<String>,
    /// Shapes of it.
    #[serde(default)]
    pub formats: Vec<Format>,
    /// The only values it can have.
    #[serde(default)]
    pub equals: Vec<String>,
    /// It is a UUID.
    #[serde(default)]
    pub uuid: bool,
    /// It is never a UUID: people paste the id of the secret instead of the secret.
    #[serde(default)]
    pub not_uuid: bool,
}

/// Environment variables that belong to a credential as a whole.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Environment {
    /// Holds the whole JSON document.
    pub document: Option<String>,
    /// To be unset when the credential is given, because they would outrank it.
    #[serde(default)]
    pub unset: Vec<String>,
    /// To be set (or unset, when null) when there is no credential, so that none is picked up elsewhere.
    #[serde(default)]
    pub without: BTreeMap<String, Option<String>>,
}

/// The text of the built-in catalogue.
pub const CATALOGUE: &str = include_str!("catalogue.json");

/// The providers of the built-in catalogue.
pub fn builtin() -> &'static [Provider] {
    static PARSED: OnceLock<Vec<Provider>> = OnceLock::new();
    // Part of the program: a test sees to it that it parses.
    PARSED.get_or_init(|| serde_json::from_str(CATALOGUE).unwrap_or_default())
}

/// The built-in provider of this name.
pub fn find(id: &str) -> Option<&'static Provider> {
    builtin().iter().find(|provider| provider.id == id)
}

/// Prefixes of the keys of the built-in providers. A longer prefix stands before the one that it begins with.
pub fn prefixes() -> &'static [&'static str] {
    static PREFIXES: OnceLock<Vec<&'static str>> = OnceLock::new();
    PREFIXES.get_or_init(|| {
        let formats = builtin().iter().flat_map(Provider::all_formats);
        let mut prefixes: Vec<_> =
            formats.map(|format| format.prefix.as_str()).filter(|prefix| !prefix.is_empty()).collect();
        prefixes.sort_unstable_by_key(|prefix| (Reverse(prefix.len()), *prefix));
        prefixes.dedup();
        prefixes
    })
}

impl Provider {
    /// The shapes of a key, or of each of its parts.
    pub fn all_formats(&self) -> impl Iterator<Item = &Format> {
        self.formats.iter().chain(self.fields.iter().flat_map(|field| &field.formats))
    }

    /// Every variable of the environment that this provider names.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter().flat_map(|field| &field.env);
        let more = self.environment.unset.iter().chain(self.environment.without.keys());
        fields.chain(more).chain(&self.environment.document).map(String::as_str)
    }

    /// Whether it decides neither where a test or a model's requests go, nor what a process is told, nor whose keys others' are.
    pub fn is_plain(&self) -> bool {
        self.test.is_none()
            && self.openai.is_none()
            && self.variables().next().is_none()
            && !self.all_formats().any(|format| format.own)
    }

    /// Whether its credentials go to no host that those of the other one do not go to.
    pub fn reaches_no_further_than(&self, other: &Self) -> bool {
        self.hosts.iter().all(|host| other.hosts.iter().any(|wide| host_covers(wide, host)))
    }

    /// Whether a credential of this provider is a JSON object.
    pub fn has_several_fields(&self) -> bool {
        self.fields.len() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::builtin;

    #[test]
    fn the_catalogue_parses_and_is_consistent() {
        let ids: Vec<_> = builtin().iter().map(|provider| provider.id.as_str()).collect();
        assert!(ids.len() >= 20, "{ids:?}");
        for provider in builtin() {
            assert_eq!(ids.iter().filter(|id| **id == provider.id).count(), 1, "{}", provider.id);
            assert!(
                !provider.fields.is_empty() && provider.hosts.is_empty() == provider.any,
                "{}",
                provider.id
            );
            assert!(provider.fields.iter().any(|field| field.secret), "{}", provider.id);
            assert!(provider.formats.is_empty() || !provider.has_several_fields(), "{}", provider.id);
            assert!(provider.any || provider.docs_url.starts_with("https://"), "{}", provider.id);
        }
    }
}
