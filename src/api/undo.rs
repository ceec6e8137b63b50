//! The versions of a credential, for whoever may save it: what it held before, and how that comes back.

use hftok_core::binding::Scope;
use pgrx::datum::Uuid;

use super::credentials::check;
use super::input::{admit_plaintext, required};
use super::owner::{Actor, Owner};
use crate::error::{Error, Object};
use crate::pg::call::entry::export;
use crate::pg::rows::declared::statement;
use crate::pg::rows::row_set::{HandOn, RowSet};
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::store::quotas::Counted;
use crate::store::secrets::Secret;
use crate::store::{providers, versions};

export!(credential_history, restore_credential);

/// The complaint when a secret is to be named.
const NO_ID: &str = "p_secret_id must not be null";

/// The versions of a credential, without values.
fn credential_history(p_secret_id: Option<Uuid>) -> Result<RowSet, Error> {
    let id = required(p_secret_id, NO_ID)?;
    let caller = Caller::current();
    let actor = if caller.is_in("hftok_auditor") { Actor::Trusted } else { Actor::of(&caller)? };
    let _owner = AsOwner::switch(&caller)?;
    own(id, &actor)?;
    FIND_HISTORY.hand_on_all(&[id.into()])
}

/// Makes a previous version the next one. What is said of the credential as a whole stays; the value's end comes back with it.
fn restore_credential(p_secret_id: Option<Uuid>, p_version: Option<i32>) -> Result<i32, Error> {
    admit_plaintext()?;
    let id = required(p_secret_id, NO_ID)?;
    let version = required(p_version, "p_version must not be null")?;
    let caller = Caller::current();
    let actor = Actor::of(&caller)?;
    let _owner = AsOwner::switch(&caller)?;
    let owner = own(id, &actor)?;
    let counted = Counted::to_save(owner.scope, &owner.id)?;
    // Whoever had the owner locked may have deleted it.
    let mut found = Secret::lock_id(id)?.ok_or(Error::NotFound(Object::Secret(id)))?;
    // Whoever waited may have lost the right to it.
    own(id, &actor)?;
    let former = found.row.version;
    if version == former {
        return Ok(former);
    }
    let previous = versions::find(id, version)?;
    let value = previous.open()?;
    let text = std::str::from_utf8(value.expose()).map_err(|_| previous.damaged())?;
    // Doubts are told, and keep nobody from going back to what was good enough before.
    let checked = providers::find(&found.row.provider)
        .and_then(|provider| Ok(check(&provider, text)?.warnings.iter().map(ToString::to_string).collect()));
    found.warnings = match checked {
        Err(Error::Rejected(_) | Error::UnknownProvider { .. } | Error::ProviderUnusable { .. }) => {
            Vec::new()
        }
        checked => checked?,
    };
    found.row.expires_at = previous.expires_at;
    found.set_value(&value.as_ref())?;
    counted.admit_bytes(found.row.size())?;
    found.update(former)?;
    Ok(found.row.version)
}

/// The owner of a credential that the actor may save. One that they may not know of is answered as if it were not there.
fn own(id: Uuid, actor: &Actor) -> Result<Owner, Error> {
    let hidden = || Error::NotFound(Object::Secret(id));
    let row = Secret::find_id(id)?.ok_or_else(hidden)?.row;
    let scope = Scope::parse(&row.scope).filter(|scope| *scope != Scope::Vault && !scope.is_of_integration());
    let owner = Owner { scope: scope.ok_or_else(hidden)?, id: row.scope_id };
    match owner.admit_writer(actor) {
        Ok(()) => Ok(owner),
        Err(error @ Error::NotAllowed(_)) if owner.scope == Scope::Org => Err(error),
        Err(Error::NotFound(_) | Error::NotAllowed(_)) => Err(hidden()),
        Err(error) => Err(error),
    }
}

statement! {
    /// The newest first.
    FIND_HISTORY(UUID) =
        "SELECT s.version, true, s.preview, s.expires_at, s.sealed_at, NULL::timestamptz
        FROM hftok_private.secrets s WHERE s.id = $1
        UNION ALL
        SELECT v.version, false, v.preview, v.expires_at, v.sealed_at, v.superseded_at
        FROM hftok_private.secret_versions v WHERE v.secret_id = $1
        ORDER BY 1 DESC";
}
