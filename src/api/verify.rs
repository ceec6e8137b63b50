//! Whether what is stored is what hftok stored: each function looks at one row and says what is wrong with it, or NULL.
//! `verify()` in SQL walks the tables with them.

use hftok_core::binding::{Kind, Scope};
use hftok_core::data_key::{DataKeyId, Purpose};
use hftok_core::preview;
use hftok_core::root_key::RootKeyId;
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use super::stored_row::StoredRow;
use crate::error::Error;
use crate::keys::wrapped_keys::WrappedKey;
use crate::keys::{data_keys, identity};
use crate::pg::call::entry::{StoredText, export};
use crate::pg::server::memory::{copy_of_bytes, copy_of_text};
use crate::store::versions;

export!(value_fault, superseded_fault, is_secret, data_key_fault);

/// The fault of a sealed value. Without a binding key, the one of the row is not looked at: previous versions have none.
fn value_fault(
    row: StoredRow,
    p_preview: Option<StoredText<'_>>,
    p_fingerprint: Option<&[u8]>,
    p_binding_key: Option<Uuid>,
) -> Result<Option<String>, Error> {
    let StoredRow(Some(row)) = row else { return Ok(Some("incomplete row".into())) };
    let value = match row.open() {
        Ok(value) => value,
        Err(error) => return fault(error),
    };
    if p_binding_key.is_some() && p_binding_key != row.binding_key() {
        return Ok(Some("stored under another binding than its own".into()));
    }
    let stored = p_fingerprint.unwrap_or_default();
    let key = stored.first_chunk().copied().map(i32::from_be_bytes).and_then(DataKeyId::new);
    let fits = match key.map(|id| data_keys::fingerprinting_with(id, |key| key.fits(stored, &value.as_ref())))
    {
        Some(Ok(fits)) => fits,
        Some(Err(error @ (Error::Sealed(_) | Error::WrongRoot { .. } | Error::Copy { .. }))) => {
            return fault(error);
        }
        Some(Err(_)) | None => false,
    };
    if !fits {
        return Ok(Some("its fingerprint is that of another value".into()));
    }
    if p_preview.is_none_or(|StoredText(stored)| !preview::fits(stored, &value.as_ref())) {
        return Ok(Some("its preview is that of another value".into()));
    }
    Ok(None)
}

/// The fault of the time at which a version was replaced.
fn superseded_fault(
    p_secret_id: Option<Uuid>,
    p_version: Option<i32>,
    p_superseded_at: Option<TimestampWithTimeZone>,
    p_mark: Option<&[u8]>,
) -> Result<Option<String>, Error> {
    let (Some(id), Some(version), Some(at), Some(mark)) = (p_secret_id, p_version, p_superseded_at, p_mark)
    else {
        return Ok(Some("incomplete row".into()));
    };
    match versions::was_superseded(id, version, at, mark) {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some("when it was replaced was changed".into())),
        Err(error) => fault(error),
    }
}

/// Whether a row of secrets says only what hftok writes.
fn is_secret(
    p_scope: Option<&str>,
    p_slot: Option<&str>,
    p_kind: Option<&str>,
    p_on_unusable: Option<&str>,
    p_verdict: Option<&str>,
    p_version: Option<i32>,
) -> Result<bool, Error> {
    let scope = p_scope.and_then(Scope::parse);
    let is_credential = scope.is_some_and(|scope| scope != Scope::Vault && !scope.is_of_integration());
    Ok(scope.is_some()
        && p_slot.is_some_and(|slot| is_credential || slot.is_empty())
        && p_kind.and_then(Kind::parse).is_some()
        && matches!(p_on_unusable, Some("stop" | "continue"))
        && matches!(p_verdict, None | Some("verified" | "invalid"))
        && p_version.is_some_and(|version| version > 0))
}

/// The fault of a wrapped data key.
fn data_key_fault(
    p_id: Option<i32>,
    p_purpose: Option<&str>,
    p_org_id: Option<&str>,
    p_root_key_id: Option<i32>,
    p_root_fingerprint: Option<&[u8]>,
    p_wrapped: Option<&[u8]>,
) -> Result<Option<String>, Error> {
    let (Some(id), Some(purpose), Some(root)) = (
        p_id.and_then(DataKeyId::new),
        p_purpose.and_then(Purpose::parse),
        p_root_key_id.and_then(RootKeyId::new),
    ) else {
        return Ok(Some("incomplete row".into()));
    };
    crate::keys::ready()?;
    let mut key = WrappedKey {
        id,
        purpose,
        org: copy_of_text(p_org_id.unwrap_or_default())?,
        is_by_org: false,
        is_shut: false,
        root,
        root_fingerprint: copy_of_bytes(p_root_fingerprint.unwrap_or_default())?,
        wrapped: copy_of_bytes(p_wrapped.unwrap_or_default())?,
    };
    let mut checked = identity::home().and_then(|home| key.check(&home));
    if matches!(checked, Err(Error::DataKeyDamaged { .. })) {
        // An organisation's own key may have wrapped it too.
        key.is_by_org = true;
        checked = identity::home().and_then(|home| key.check(&home));
    }
    checked.map_or_else(fault, |()| Ok(None))
}

/// A fault of a row is an answer. A sealed hftok is an error.
pub(super) fn fault(error: Error) -> Result<Option<String>, Error> {
    match error {
        Error::Damaged { .. } => Ok(Some("does not open: it, or what it is bound to, was changed".into())),
        Error::DataKeyMissing { id } => Ok(Some(format!("its data key {id} is missing"))),
        Error::DataKeyDamaged { id } => Ok(Some(format!("data key {id} does not unwrap"))),
        Error::WrongRoot { id, fingerprint, .. } => {
            Ok(Some(format!("root key {id} with fingerprint {fingerprint} is missing from the keyring")))
        }
        Error::OrgSealed { org } => Ok(Some(format!("organisation {org} has sealed it"))),
        Error::OrgKeyAway { org, fault } => {
            Ok(Some(format!("organisation {org} holds a key to it that is not there: {fault}")))
        }
        Error::IdentityMissing => Ok(Some("nothing says which database it is for".into())),
        error => Err(error),
    }
}
