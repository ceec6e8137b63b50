//! Functions of the triggers on user_api_keys: they seal a key when its row comes, and store it when the row is written.
//! In between only the sealed form is kept.

use std::cell::RefCell;
use std::collections::HashMap;

use hftok_core::binding::{Binding, Scope};
use pgrx::datum::Uuid;

use super::credentials::{Saving, check};
use super::input::{admit_plaintext, required, secret};
use super::owner::Owner;
use crate::error::Error;
use crate::pg::call::entry::export;
use crate::store::providers;
use crate::store::secrets::Secret;

export!(stage_api_key, staged_id, is_staged, save_staged, clear_staged);

thread_local! {
    // By user and provider. Begins empty with every statement.
    static STAGED: RefCell<HashMap<(String, String), Secret>> = RefCell::new(HashMap::new());
}

/// The complaint when an INSERT leaves one out.
const INCOMPLETE: &str = "user_id, service and api_key must not be null";

/// Seals a key, keeps it, and gives its mask.
fn stage_api_key(
    p_user_id: Option<&str>,
    p_service: Option<&str>,
    p_api_key: Option<&str>,
) -> Result<String, Error> {
    admit_plaintext()?;
    let (user, service) = (required(p_user_id, INCOMPLETE)?, required(p_service, INCOMPLETE)?);
    let provider = providers::in_use(service)?;
    let checked = check(&provider, required(p_api_key, INCOMPLETE)?)?;
    // Bound to nothing that exists: it only opens here.
    let mut staged = Secret::new(&Binding {
        scope: Scope::Integration,
        scope_id: user,
        provider: service,
        model: "",
        name: "",
        slot: "",
    })?;
    staged.set_value(&secret(checked.value)?)?;
    let mask = staged.preview().to_owned();
    // Postgres keeps the first of several rows for one key.
    STAGED.with_borrow_mut(|all| {
        all.entry((user.to_owned(), service.to_owned())).or_insert(staged);
    });
    Ok(mask)
}

/// The id of the key that is kept.
fn staged_id(p_user_id: Option<&str>, p_service: Option<&str>) -> Result<Option<Uuid>, Error> {
    let key = address(p_user_id, p_service)?;
    Ok(STAGED.with_borrow(|all| all.get(&key).map(|staged| staged.row.id)))
}

/// Whether a key with this mask is kept.
fn is_staged(p_user_id: Option<&str>, p_service: Option<&str>, p_mask: Option<&str>) -> Result<bool, Error> {
    let key = address(p_user_id, p_service)?;
    Ok(STAGED.with_borrow(|all| all.get(&key).is_some_and(|staged| Some(staged.preview()) == p_mask)))
}

/// Stores the key that is kept for a user and a provider; says whether there was one.
fn save_staged(p_user_id: Option<&str>, p_service: Option<&str>) -> Result<bool, Error> {
    let key = address(p_user_id, p_service)?;
    let Some(staged) = STAGED.with_borrow_mut(|all| all.remove(&key)) else { return Ok(false) };
    let value = staged.row.open()?;
    // Only text was staged.
    let text = std::str::from_utf8(value.expose()).unwrap_or_default();
    let (user, service) = key;
    let saving = Saving {
        provider: &service,
        secret: text,
        model: "",
        slot: "",
        position: None,
        label: None,
        expires_at: None,
        allowed_hosts: None,
        may_continue: None,
        expected: None,
        id: Some(staged.row.id),
    };
    saving.store(&Owner { scope: Scope::User, id: user })?;
    Ok(true)
}

/// Forgets what an earlier statement kept.
fn clear_staged() -> Result<(), Error> {
    STAGED.with_borrow_mut(HashMap::clear);
    Ok(())
}

/// The two columns that name a key.
fn address(user: Option<&str>, service: Option<&str>) -> Result<(String, String), Error> {
    Ok((required(user, INCOMPLETE)?.to_owned(), required(service, INCOMPLETE)?.to_owned()))
}
