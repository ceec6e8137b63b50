//! Which credentials a set of variables holds, by the catalogue and by what the line says of other names.
//!
//! What must stay true: a value is in a buffer that is wiped, and in nothing that is printed.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::connection::Server;
use crate::failure::Failure;

/// A variable and its value.
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub value: Zeroizing<String>,
}

/// A provider of the catalogue.
#[derive(Debug, Deserialize)]
pub struct Provider {
    /// How hftok calls it.
    pub name: String,
    /// What its credentials consist of; none where hftok cannot vouch for it.
    fields: Option<Vec<Field>>,
    /// Variables that hold all of a credential.
    environment: Option<Environment>,
}

/// A part of a credential.
#[derive(Debug, Deserialize)]
struct Field {
    /// The member of the JSON object.
    name: String,
    /// Whether it is what is secret about it.
    #[serde(default)]
    secret: bool,
    /// Whether it may be left out.
    #[serde(default)]
    optional: bool,
    /// Variables that hold it, the usual one first.
    #[serde(default)]
    env: Vec<String>,
}

/// Variables of a credential as a whole.
#[derive(Debug, Deserialize)]
struct Environment {
    /// Holds the whole JSON document.
    document: Option<String>,
}

/// What a variable is by the word of the line: `NAME=PROVIDER`, or `NAME=PROVIDER.FIELD`.
#[derive(Debug, Clone)]
pub struct Named {
    /// The variable.
    variable: String,
    /// The provider.
    provider: String,
    /// The field, where the provider has several.
    field: Option<String>,
}

impl std::str::FromStr for Named {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (variable, provider) =
            text.split_once('=').ok_or("it is NAME=PROVIDER or NAME=PROVIDER.FIELD")?;
        let (provider, field) = match provider.split_once('.') {
            Some((provider, field)) => (provider, Some(field.to_owned())),
            None => (provider, None),
        };
        Ok(Self { variable: variable.to_owned(), provider: provider.to_owned(), field })
    }
}

/// A credential that variables hold.
pub struct Credential {
    /// Whose it is.
    pub provider: String,
    /// The variables that it is in.
    pub variables: Vec<String>,
    /// A key, or a JSON object; or what is missing.
    pub value: Result<Zeroizing<String>, String>,
}

/// The providers that are asked for, or all of them, and those that the line names for a variable.
pub fn catalogue(server: &mut Server, only: &[String], named: &[Named]) -> Result<Vec<Provider>, Failure> {
    let mut providers: Vec<Provider> =
        server.rows("providers", &["name", "fields", "environment"], &[], &["name"])?;
    if !only.iter().all(|name| providers.iter().any(|one| one.name == *name)) {
        // Not quoted: somebody may have given a value in its place.
        return Err(Failure::Usage("--provider names no provider of view hftok.providers".to_owned()));
    }
    if !only.is_empty() {
        let is_named = |name: &String| named.iter().any(|it| it.provider == *name);
        providers.retain(|one| only.contains(&one.name) || is_named(&one.name));
    }
    Ok(providers)
}

/// The credentials that these variables hold, provider by provider.
pub fn found(
    variables: &[Variable],
    providers: &[Provider],
    named: &[Named],
) -> Result<Vec<Credential>, Failure> {
    for one in named {
        let Some(provider) = providers.iter().find(|provider| provider.name == one.provider) else {
            return Err(Failure::Usage(format!(
                "{}: --map names no provider of view hftok.providers",
                one.variable
            )));
        };
        let fields = provider.fields.as_deref().unwrap_or_default();
        let is_known = one.field.as_ref().is_none_or(|name| fields.iter().any(|field| field.name == *name));
        if !is_known || (one.field.is_none() && fields.len() > 1) {
            let fields: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            return Err(Failure::Usage(format!(
                "{}: name a field of {}: {}",
                one.variable,
                one.provider,
                fields.join(", ")
            )));
        }
    }
    Ok(providers.iter().filter_map(|provider| provider.credential(variables, named)).collect())
}

impl Provider {
    /// Its credential, if the variables have what is secret about one.
    fn credential(&self, variables: &[Variable], named: &[Named]) -> Option<Credential> {
        let variable = |name: &str| variables.iter().find(|one| one.name == name && !one.value.is_empty());
        let fields = self.fields.as_deref()?;
        let document = self.environment.as_ref().and_then(|it| it.document.as_deref()).and_then(variable);
        if let Some(document) = document {
            return Some(self.of(vec![document.name.clone()], Ok(document.value.clone())));
        }
        let of_field = |field: &Field| {
            let names = named.iter().filter(|one| one.provider == self.name);
            let names = names.filter(|one| one.field.as_ref().is_none_or(|name| *name == field.name));
            names.map(|one| &one.variable).chain(&field.env).find_map(|name| variable(name))
        };
        let held: Vec<(&Field, Option<&Variable>)> =
            fields.iter().map(|field| (field, of_field(field))).collect();
        if !held.iter().any(|(field, found)| field.secret && found.is_some()) {
            return None;
        }
        let used = held.iter().filter_map(|(_, found)| found.map(|one| one.name.clone())).collect();
        let missing = held.iter().find(|(field, found)| !field.optional && found.is_none());
        if let Some((field, _)) = missing {
            let usual = field.env.first().map_or_else(|| field.name.clone(), Clone::clone);
            return Some(self.of(used, Err(format!("{usual} is missing"))));
        }
        if let [(_, Some(only))] = held.as_slice() {
            return Some(self.of(used, Ok(only.value.clone())));
        }
        Some(self.of(used, Ok(object(&held))))
    }

    /// What of it is found.
    fn of(&self, variables: Vec<String>, value: Result<Zeroizing<String>, String>) -> Credential {
        Credential { provider: self.name.clone(), variables, value }
    }
}

/// Fields as a JSON object.
fn object(held: &[(&Field, Option<&Variable>)]) -> Zeroizing<String> {
    let values = held.iter().filter_map(|(field, found)| found.map(|one| (field, &one.value)));
    // In one buffer that does not move: at most six bytes a byte.
    let most: usize = values.clone().map(|(field, value)| field.name.len() + value.len() * 6 + 8).sum();
    let mut text = Zeroizing::new(Vec::with_capacity(most + 2));
    let mut serializer = serde_json::Serializer::new(&mut *text);
    let written = serde::Serializer::collect_map(
        &mut serializer,
        values.map(|(field, value)| (field.name.as_str(), value.as_str())),
    );
    // Text is always JSON, and JSON always text.
    written.map_or_else(
        |_| Zeroizing::new(String::new()),
        |()| Zeroizing::new(String::from_utf8(std::mem::take(&mut *text)).unwrap_or_default()),
    )
}

/// What became of a credential that variables held.
#[derive(Debug, Serialize)]
pub struct Fate {
    /// The variables.
    pub variables: Vec<String>,
    /// Whose credential it is.
    pub provider: String,
    /// `imported`, `skipped` or `rejected`.
    pub outcome: &'static str,
    /// Why.
    pub reason: Option<String>,
    /// A mask of it.
    pub preview: Option<String>,
}
