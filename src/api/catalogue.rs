//! The catalogue of providers, and what an operator adds to it.

use hftok_core::provider::catalogue;
use serde_json::{Value, json};

use super::input::{required, short_json};
use super::verify;
use crate::error::Error;
use crate::pg::call::entry::{StoredText, export};
use crate::pg::call::json::{self, Jsonb};
use crate::pg::server::memory::{copy_of_bytes, copy_of_text};
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::store::members;
use crate::store::providers::{self, Entry, Registrar, Registration};

export!(catalogue_rows, register_provider, unregister_provider, switch_provider, provider_fault);

/// Every provider as JSON text. Of one that cannot be vouched for, for want of a key or because it was changed, only the
/// name.
fn catalogue_rows() -> Result<String, Error> {
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let builtin = catalogue();
    let mut rows = Vec::new();
    for (name, entry) in providers::all()? {
        let (definition, is_builtin) = match entry {
            Ok(Entry::Builtin(provider)) => {
                (builtin.iter().find(|entry| entry["id"] == *provider.id).cloned(), true)
            }
            Ok(Entry::Registered(described)) => (Some(described.whole.clone()), false),
            Err(
                Error::ProviderUnusable { .. }
                | Error::Sealed(_)
                | Error::WrongRoot { .. }
                | Error::Copy { .. },
            ) => (None, false),
            Err(error) => return Err(error),
        };
        rows.push(json!({"name": name, "definition": definition, "builtin": is_builtin}));
    }
    Ok(Value::Array(rows).to_string())
}

/// Registers a provider, or describes a built-in one otherwise; gives back its name.
fn register_provider(p_provider: Option<Jsonb>) -> Result<String, Error> {
    let caller = Caller::current();
    let given = short_json(p_provider, "A description of a provider")?;
    let given = required(given, "p_provider must not be null")?;
    let user = end_user(&caller)?;
    let _owner = AsOwner::switch(&caller)?;
    providers::register(&json::text(&given)?, registrar(user.as_deref())?)
}

/// Takes that back; says whether there was something to take back.
fn unregister_provider(p_provider: Option<&str>) -> Result<bool, Error> {
    let caller = Caller::current();
    let id = required(p_provider, "p_provider must not be null")?;
    let user = end_user(&caller)?;
    let _owner = AsOwner::switch(&caller)?;
    providers::unregister(id, registrar(user.as_deref())?)
}

/// The user who calls; none where an operator does.
fn end_user(caller: &Caller) -> Result<Option<String>, Error> {
    if caller.is_in("hftok_admin") { Ok(None) } else { caller.identity().map(Some) }
}

/// Whoever calls as one who describes providers, if they are one.
fn registrar(user: Option<&str>) -> Result<Registrar, Error> {
    match user {
        None => Ok(Registrar::Operator),
        Some(user) if members::is_administrator(user)? => Ok(Registrar::Administrator),
        Some(_) => {
            Err(Error::NotAllowed("only operators and administrators of the application describe providers"))
        }
    }
}

/// Switches a provider off for the application, or on again; says whether it was otherwise.
fn switch_provider(p_provider: Option<&str>, p_enabled: Option<bool>) -> Result<bool, Error> {
    let caller = Caller::current();
    let id = required(p_provider, "p_provider must not be null")?;
    let enabled = required(p_enabled, "p_enabled must not be null")?;
    let user = end_user(&caller)?;
    let _owner = AsOwner::switch(&caller)?;
    providers::switch(id, enabled, registrar(user.as_deref())?)
}

/// Why a registration cannot be used, or NULL.
fn provider_fault(
    p_id: Option<StoredText<'_>>,
    p_definition: Option<StoredText<'_>>,
    p_signature: Option<&[u8]>,
) -> Result<Option<String>, Error> {
    let (Some(StoredText(id)), Some(StoredText(definition)), Some(signature)) =
        (p_id, p_definition, p_signature)
    else {
        return Ok(Some("incomplete row".into()));
    };
    let (id, definition) = (copy_of_text(id)?, copy_of_text(definition)?);
    Registration::new(id, definition, copy_of_bytes(signature)?).fault().or_else(verify::fault)
}
