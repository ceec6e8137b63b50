//! Environment variables for a process that calls providers.

use hftok_core::provider::{Provider, find, members};
use pgrx::datum::Array;
use zeroize::Zeroizing;

use super::input::{admit_plaintext, json_string, texts};
use super::walk::{Request, WalkArguments};
use crate::error::Error;
use crate::pg::call::entry::export;
use crate::pg::call::json::{self, Jsonb};
use crate::pg::server::server_log;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::store::providers;

export!(runner_env);

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
    let all = providers::all()?;
    if let Some(unknown) = p_providers.iter().flatten().find(|name| !all.iter().any(|(id, _)| id == *name)) {
        // Fails, and says which name may be meant.
        providers::find(unknown)?;
    }
    let mut variables = Variables(Zeroizing::new(String::new()));
    for (id, provider) in all {
        let is_named = p_providers.as_ref().map(|names| names.contains(&id));
        if is_named == Some(false) {
            continue;
        }
        let provider = match provider {
            Err(Error::ProviderUnusable { .. }) if is_named.is_none() => {
                server_log::notice(&format!("hftok left out {id}: it was changed outside hftok"), None);
                if let Some(builtin) = find(&id) {
                    variables.withhold(builtin)?;
                }
                continue;
            }
            provider => provider?,
        };
        if !provider.enabled {
            if is_named.is_some() {
                return Err(Error::ProviderOff { provider: id });
            }
            variables.withhold(&provider)?;
            continue;
        }
        let arguments = WalkArguments {
            user: p_user_id,
            org: p_org_id,
            model: p_model,
            host: None,
            levels: p_levels.clone(),
        };
        let request = Request::new(Some(&provider.id), arguments)?.on_behalf()?;
        match request.walk(|_| ()) {
            Ok(Some(taken)) => {
                request.record(taken.level, taken.stored)?;
                variables.give(&provider, taken.value.expose())?;
            }
            Ok(None) => variables.withhold(&provider)?,
            Err(Error::Unusable { level, outcome, .. }) if is_named.is_none() => {
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
