//! Named secrets of the operator: Supabase Vault's calls, and what its users ask for. For all of these EXECUTE is
//! the permission. They reach secrets of scope `vault` and no others.

use hftok_core::audit::event;
use hftok_core::binding::{Binding, Scope};
use hftok_core::plaintext::PlaintextRef;
use pgrx::datum::Uuid;
use pgrx::pg_sys::{Oid, TEXTOID, UUIDOID};

use super::input::{admit_plaintext, description, name, required, reserved, secret};
use super::reveal::Revealed;
use crate::audit::{self, comparisons, reveals};
use crate::error::{Error, Object};
use crate::keys::data_keys;
use crate::pg::call::entry::export;
use crate::pg::rows::new_row::Rival;
use crate::pg::server::guesses;
use crate::pg::who::acl;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::settings;
use crate::store::lookup::{Likely, Lookup};
use crate::store::secrets::{self, Secret};
use crate::store::versions;

export!(
    create_secret,
    update_secret,
    vault_create_secret,
    vault_update_secret,
    import_vault_secret,
    put_secret,
    get_secret,
    delete_secret,
    restore_secret,
    fingerprints,
    import_fingerprints,
    record_comparison
);

/// Stores a secret, with or without a name. The key id is Supabase Vault's and means nothing here, as it does
/// there.
fn create_secret(
    new_secret: Option<&str>,
    new_name: Option<&str>,
    new_description: Option<&str>,
    _new_key_id: Option<Uuid>,
) -> Result<Uuid, Error> {
    create(&Caller::current(), None, new_secret, new_name, new_description)
}

/// Changes what is given and keeps what is null. An empty name takes the name away.
fn update_secret(
    secret_id: Option<Uuid>,
    new_secret: Option<&str>,
    new_name: Option<&str>,
    new_description: Option<&str>,
    _new_key_id: Option<Uuid>,
) -> Result<(), Error> {
    update(&Caller::current(), secret_id, new_secret, new_name, new_description)
}

/// vault.create_secret(): whoever was granted that need not be granted ours.
fn vault_create_secret(
    new_secret: Option<&str>,
    new_name: Option<&str>,
    new_description: Option<&str>,
    _new_key_id: Option<Uuid>,
) -> Result<Uuid, Error> {
    let caller = Caller::current();
    admit_to_vault(&caller, "create_secret", &[TEXTOID, TEXTOID, TEXTOID, UUIDOID])?;
    create(&caller, None, new_secret, new_name, new_description)
}

/// vault.update_secret(), likewise.
fn vault_update_secret(
    secret_id: Option<Uuid>,
    new_secret: Option<&str>,
    new_name: Option<&str>,
    new_description: Option<&str>,
    _new_key_id: Option<Uuid>,
) -> Result<(), Error> {
    let caller = Caller::current();
    admit_to_vault(&caller, "update_secret", &[UUIDOID, TEXTOID, TEXTOID, TEXTOID, UUIDOID])?;
    update(&caller, secret_id, new_secret, new_name, new_description)
}

/// Stores a secret of a Supabase Vault, under the id that it has there unless that is NULL.
fn import_vault_secret(
    p_id: Option<Uuid>,
    p_secret: Option<&str>,
    p_name: Option<&str>,
    p_description: Option<&str>,
) -> Result<Uuid, Error> {
    create(&Caller::current(), p_id, p_secret, p_name, p_description)
}

/// Stores a secret under a name, or gives the one of that name its next version.
fn put_secret(
    p_name: Option<&str>,
    p_secret: Option<&str>,
    p_description: Option<&str>,
    p_expected_version: Option<i32>,
) -> Result<Uuid, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let name =
        required(Some(name(p_name)?).filter(|name| !name.is_empty()), "p_name must not be null or empty")?;
    let p_description = description(p_description)?;
    let value = secret(required(p_secret, "p_secret must not be null")?)?;
    let expect = |current| versions::expect(p_expected_version, current);
    // Normally one retry: another session may insert the name between our lock and our insert. More only if it is deleted
    // again and again, or a policy hides it.
    for _ in 0..100 {
        if let Some(mut found) = Secret::lock(&Binding::vault(name))? {
            let former = found.row.version;
            expect(former)?;
            if let Some(description) = p_description {
                description.clone_into(&mut found.description);
            }
            found.set_value(&value)?;
            found.update(former)?;
            return Ok(found.row.id);
        }
        expect(0)?;
        if let Some(id) = insert(None, name, p_description.unwrap_or_default(), &value)? {
            return Ok(id);
        }
    }
    Err(Error::NotAllowed("a row security policy keeps this secret from being changed"))
}

/// The value of a named secret, now or in a previous version.
fn get_secret(
    p_name: Option<&str>,
    p_version: Option<i32>,
    p_recipient: Option<&str>,
) -> Result<Revealed, Error> {
    let likely = Likely::soon(Binding::vault(p_name.unwrap_or_default()));
    admit_plaintext()?;
    reserved(p_recipient, "p_recipient is reserved: values cannot be sealed to a recipient yet")?;
    let caller = Caller::current();
    let _owner = AsOwner::switch_unpinned(&caller)?;
    let name = required(p_name.filter(|name| !name.is_empty()), "p_name must not be null or empty")?;
    let sought = likely.ok_or(Error::BadInput("a name may have 1024 bytes at most"))?.sought();
    let found = Lookup::now()?.find(&sought, |found| {
        let version = p_version.unwrap_or(found.version);
        let is_current = version == found.version;
        let value = if is_current { found.open() } else { versions::find(found.id, version)?.open() };
        Ok((found.id, version, value?))
    })?;
    let (id, version, value) = found.ok_or_else(|| Error::NotFound(Object::Name(name.to_owned())))?;
    let owned = event::Object::owned(Scope::Vault.as_str(), "", "");
    reveals::record(event::Object { id: Some(*id.as_bytes()), version: Some(version), ..owned }, None)?;
    Ok(Revealed(value))
}

/// Deletes a secret and its history; says whether there was one.
fn delete_secret(p_secret_id: Option<Uuid>) -> Result<bool, Error> {
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let id = required(p_secret_id, "p_secret_id must not be null")?;
    let is_deleted = secrets::delete_of(Scope::Vault, id)?;
    if !is_deleted {
        // Answered, and yet a refusal.
        audit::refused(&Error::NotFound(Object::Secret(id)));
    }
    Ok(is_deleted)
}

/// Makes a previous version the next one, and says which number it got.
fn restore_secret(p_secret_id: Option<Uuid>, p_version: Option<i32>) -> Result<i32, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let version = required(p_version, "p_version must not be null")?;
    let mut found = Secret::lock_vault(required(p_secret_id, "p_secret_id must not be null")?)?;
    let former = found.row.version;
    if version != former {
        let value = versions::find(found.row.id, version)?.open()?;
        found.set_value(&value.as_ref())?;
        found.update(former)?;
    }
    Ok(found.row.version)
}

/// The fingerprints that a value has under every key for fingerprints: for somebody who guesses what is stored, and so may
/// not do it too often. find_secret() records what it hits.
fn fingerprints(p_value: Option<&str>) -> Result<Vec<Vec<u8>>, Error> {
    admit_plaintext()?;
    let value = required(p_value, "p_value must not be null")?;
    crate::keys::ready()?;
    guesses::admit(settings::max_guesses_per_minute())?;
    fingerprints_of(value)
}

/// The same for an import, however often: it compares row by row. Without white space around it, as credentials are saved,
/// unless it is of a named secret. What it compares with is recorded by record_comparison().
fn import_fingerprints(p_text: Option<&str>, p_is_named: Option<bool>) -> Result<Vec<Vec<u8>>, Error> {
    admit_plaintext()?;
    let value = required(p_text, "p_text must not be null")?;
    crate::keys::ready()?;
    fingerprints_of(if p_is_named == Some(true) { value } else { value.trim() })
}

/// Somebody learns whether a secret has the value that they bring. Once more, if a source still has what was imported from it.
#[expect(clippy::too_many_arguments, reason = "as many as sql/ declares")]
fn record_comparison(
    p_action: Option<&str>,
    p_outcome: Option<&str>,
    p_secret_id: Option<Uuid>,
    p_version: Option<i32>,
    p_scope: Option<&str>,
    p_scope_id: Option<&str>,
    p_provider: Option<&str>,
    p_is_again: Option<bool>,
) -> Result<(), Error> {
    let action = required(p_action, "an action must not be null")?;
    let outcome = required(p_outcome, "an outcome must not be null")?;
    let object = event::Object {
        id: p_secret_id.map(|id| *id.as_bytes()),
        version: p_version,
        ..event::Object::owned(
            p_scope.unwrap_or_default(),
            p_scope_id.unwrap_or_default(),
            p_provider.unwrap_or_default(),
        )
    };
    if p_is_again == Some(true) {
        comparisons::record_again(action, outcome, object)
    } else {
        comparisons::record(action, outcome, object)
    }
}

/// Creates a named secret; a name that exists is an error, as in Supabase's Vault. It gets a random id when none is given.
fn create(
    caller: &Caller,
    new_id: Option<Uuid>,
    new_secret: Option<&str>,
    new_name: Option<&str>,
    new_description: Option<&str>,
) -> Result<Uuid, Error> {
    admit_plaintext()?;
    let _owner = AsOwner::switch(caller)?;
    let value = secret(required(new_secret, "new_secret must not be null")?)?;
    let name = name(new_name)?;
    if let Some(id) = new_id
        && Secret::find_id(id)?.is_some()
    {
        return Err(Error::BadInput("another secret has this id"));
    }
    let stored = insert(new_id, name, description(new_description)?.unwrap_or_default(), &value)?;
    stored.ok_or_else(|| Error::Exists { name: name.to_owned() })
}

/// Changes what is given, and leaves what is NULL.
fn update(
    caller: &Caller,
    secret_id: Option<Uuid>,
    new_secret: Option<&str>,
    new_name: Option<&str>,
    new_description: Option<&str>,
) -> Result<(), Error> {
    admit_plaintext()?;
    let _owner = AsOwner::switch(caller)?;
    let value = new_secret.map(secret).transpose()?;
    let mut found = Secret::lock_vault(required(secret_id, "secret_id must not be null")?)?;
    let former = found.row.version;
    let new_name = new_name.filter(|name| *name != found.row.name).map(|new| name(Some(new))).transpose()?;
    if let Some(description) = description(new_description)? {
        description.clone_into(&mut found.description);
    }
    match (&value, new_name) {
        (None, None) => return found.update_description(),
        (None, Some(name)) => found.rebind(|row| name.clone_into(&mut row.name))?,
        (Some(value), name) => {
            name.unwrap_or(&found.row.name.clone()).clone_into(&mut found.row.name);
            found.set_value(value)?;
        }
    }
    if new_name.is_some() {
        found.admit_binding()?;
    }
    found.update(former)
}

/// Fails unless the caller was granted the function of this name in schema vault.
fn admit_to_vault(caller: &Caller, name: &'static str, types: &[Oid]) -> Result<(), Error> {
    if acl::may_execute(caller, "vault", name, types) {
        return Ok(());
    }
    Err(Error::NotAllowed("permission denied for a function of schema vault"))
}

/// One for each fingerprint key: rows that were written before a rotation have the older one.
fn fingerprints_of(value: &str) -> Result<Vec<Vec<u8>>, Error> {
    let value = PlaintextRef::new(value);
    let one = |id| Ok(data_keys::fingerprinting_with(id, |key| key.fingerprint(&value))?.to_vec());
    data_keys::fingerprint_keys()?.into_iter().map(one).collect()
}

/// None when the name has been taken since it was looked for.
fn insert(
    id: Option<Uuid>,
    name: &str,
    description: &str,
    value: &PlaintextRef<'_>,
) -> Result<Option<Uuid>, Error> {
    let mut new = Secret::new(&Binding::vault(name))?;
    new.row.id = id.unwrap_or(new.row.id);
    description.clone_into(&mut new.description);
    new.set_value(value)?;
    // A secret without a name is told from others by its id alone, which was drawn just now.
    let rival = if name.is_empty() && id.is_none() { Rival::Unlikely } else { Rival::Likely };
    Ok(new.insert(rival)?.then_some(new.row.id))
}
