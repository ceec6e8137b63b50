//! Environment variables for a process that calls providers.

use hftok_core::provider::{Provider, find, members};
use pgrx::datum::Array;
use serde_json::json;
use zeroize::Zeroizing;

use super::input::{admit_plaintext, json_string, texts};
use super::walk::Request;
use super::walk_arguments::WalkArguments;
use crate::error::Error;
use crate::pg::call::entry::export;
use crate::pg::call::json::{self, Jsonb};
use crate::pg::server::server_log;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::store::providers;
use crate::store::runner_tokens::StandsFor;

export!(runner_env);

/// A request for the variables of a process.
pub struct Asked<'a> {
    /// The providers; all when none are named.
    providers: Option<&'a [String]>,
    /// The user.
    user: Option<&'a str>,
    /// The organisation.
    org: Option<&'a str>,
    /// The model.
    model: Option<&'a str>,
    /// The levels; all when none are named.
    levels: Option<&'a [String]>,
}

impl<'a> Asked<'a> {
    /// The request that a runner token stands for.
    pub fn of(stands_for: &'a StandsFor) -> Self {
        Self {
            providers: stands_for.providers.as_deref(),
            user: stands_for.user.as_deref(),
            org: stands_for.org.as_deref(),
            model: stands_for.model.as_deref(),
            levels: stands_for.levels.as_deref(),
        }
    }

    /// Whether a provider was asked for by name; none where it was not asked for.
    fn is_named(&self, id: &str) -> Option<bool> {
        match self.providers {
            None => Some(false),
            Some(names) => names.iter().any(|name| name == id).then_some(true),
        }
    }

    /// The request for a provider's credential.
    fn request(&self, provider: &Provider) -> Result<Request, Error> {
        let levels = self.levels.map(<[String]>::to_vec);
        let arguments =
            WalkArguments { user: self.user, org: self.org, model: self.model, host: None, levels };
        Request::new(Some(&provider.id), arguments)
    }
}

/// The variables as a JSON object: a value each, or null for one to unset.
fn runner_env(
    p_providers: Option<Array<'_, &str>>,
    p_user_id: Option<&str>,
    p_org_id: Option<&str>,
    p_model: Option<&str>,
    p_levels: Option<Array<'_, &str>>,
) -> Result<Jsonb, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let (p_providers, p_levels) = (texts(p_providers)?, texts(p_levels)?);
    let (providers, levels) = (p_providers.as_deref(), p_levels.as_deref());
    environment(&Asked { providers, user: p_user_id, org: p_org_id, model: p_model, levels }, None)
}

/// The same for a request, which is recorded as made for the recipient if one is named.
pub fn environment(asked: &Asked<'_>, recipient: Option<&str>) -> Result<Jsonb, Error> {
    let all = providers::all()?;
    if let Some(unknown) =
        asked.providers.into_iter().flatten().find(|name| !all.iter().any(|(id, _)| id == *name))
    {
        // Fails, and says which name may be meant.
        providers::find(unknown)?;
    }
    let mut variables = Variables(Zeroizing::new(String::new()));
    for (id, provider) in all {
        let Some(is_named) = asked.is_named(&id) else { continue };
        let provider = match provider {
            Err(Error::ProviderUnusable { .. }) if !is_named => {
                server_log::notice(&format!("hftok left out {id}: it was changed outside hftok"), None);
                if let Some(builtin) = find(&id) {
                    variables.withhold(builtin)?;
                }
                continue;
            }
            provider => provider?,
        };
        if !provider.enabled {
            if is_named {
                return Err(Error::ProviderOff { provider: id });
            }
            variables.withhold(&provider)?;
            continue;
        }
        let request = asked.request(&provider)?.on_behalf()?;
        match request.walk(|_| ()) {
            Ok(Some(taken)) => {
                request.record_to(recipient, taken.level, taken.stored)?;
                variables.give(&provider, taken.value.expose())?;
            }
            Ok(None) => variables.withhold(&provider)?,
            Err(Error::Unusable { level, outcome, .. }) if !is_named => {
                let (outcome, level) = (outcome.as_str(), level.as_str());
                server_log::notice(
                    &format!("hftok left out {}: {outcome} at level {level}", provider.id),
                    None,
                );
                variables.withhold(&provider)?;
            }
            Err(error) => return Err(error),
        }
    }
    json::parse(&variables.finish()?)
}

/// Everything that decides on these variables but the values, which are told by their versions. Nothing is handed out.
pub fn facts(asked: &Asked<'_>) -> Result<String, Error> {
    let mut facts = Vec::new();
    for (id, provider) in providers::all()? {
        if asked.is_named(&id).is_none() {
            continue;
        }
        let provider = match provider {
            Err(Error::ProviderUnusable { .. }) => {
                facts.push(json!([id, "unusable"]));
                continue;
            }
            provider => provider?,
        };
        if !provider.enabled {
            facts.push(json!([id, "off"]));
            continue;
        }
        let names: Vec<&str> = provider.variables().collect();
        let found = match asked.request(&provider).and_then(|request| request.walk(|_| ())) {
            Ok(taken) => taken.map(|taken| {
                let stored = taken.stored.map(|stored| (stored.id.to_string(), stored.version));
                json!([taken.level.as_str(), stored])
            }),
            Err(Error::Unusable { level, outcome, secret_id, .. }) => {
                let secret = secret_id.map(|id| id.to_string());
                Some(json!([level.as_str(), outcome.as_str(), secret]))
            }
            // It is a fact about this request alone, and must not keep others from hearing of theirs.
            Err(
                Error::BadInput(_)
                | Error::UnknownProvider { .. }
                | Error::ProviderOff { .. }
                | Error::ProviderUnusable { .. }
                | Error::NotAllowed(_)
                | Error::NotFound(_),
            ) => Some(json!(["cannot be answered"])),
            Err(error) => return Err(error),
        };
        facts.push(json!([id, names, provider.environment.without, found]));
    }
    Ok(serde_json::Value::Array(facts).to_string())
}

/// A JSON object in the making, in memory that is wiped.
struct Variables(Zeroizing<String>);

impl Variables {
    /// The variables of one provider; those that it wants unset become null.
    fn give(&mut self, provider: &Provider, value: &[u8]) -> Result<(), Error> {
        // Only text is ever sealed.
        let Ok(value) = std::str::from_utf8(value) else { return Ok(()) };
        for name in &provider.environment.unset {
            self.put(name, None)?;
        }
        if let Some(name) = &provider.environment.document {
            self.put(name, Some(value))?;
        }
        match provider.fields.as_slice() {
            [field] => field.env.iter().try_for_each(|name| self.put(name, Some(value))),
            fields => {
                let parts = members(value).unwrap_or_default();
                for field in fields {
                    for name in &field.env {
                        self.put(name, parts.get(&field.name).map(|part| part.as_str()))?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Nothing of this provider is to be picked up elsewhere: what the process inherited would pay without being asked.
    fn withhold(&mut self, provider: &Provider) -> Result<(), Error> {
        for name in provider.variables() {
            if !provider.environment.without.contains_key(name) {
                self.put(name, None)?;
            }
        }
        provider.environment.without.iter().try_for_each(|(name, value)| self.put(name, value.as_deref()))
    }

    /// One member of the document.
    fn put(&mut self, name: &str, value: Option<&str>) -> Result<(), Error> {
        let separator = if self.0.is_empty() { "{" } else { "," };
        let name = json_string(name)?;
        let value = value.map(json_string).transpose()?;
        let value = value.as_ref().map_or("null", |value| value.as_str());
        [separator, &name, ":", value].into_iter().try_for_each(|part| self.add(part))
    }

    /// A text that grew by itself would leave what it held behind.
    fn add(&mut self, part: &str) -> Result<(), Error> {
        if self.0.capacity() < self.0.len() + part.len() {
            let mut larger = Zeroizing::new(String::new());
            let room = (2 * (self.0.len() + part.len())).max(16 * 1024);
            larger.try_reserve_exact(room).map_err(|_| Error::NoMemory)?;
            larger.push_str(&self.0);
            self.0 = larger;
        }
        self.0.push_str(part);
        Ok(())
    }

    /// Closes the document.
    fn finish(mut self) -> Result<Zeroizing<String>, Error> {
        self.add(if self.0.is_empty() { "{}" } else { "}" })?;
        Ok(self.0)
    }
}
