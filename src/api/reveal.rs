//! The one way out for plaintext, and the function that the views call.

use hftok_core::audit::event::Object;
use hftok_core::binding::{Binding, Context, Kind, Scope};
use hftok_core::plaintext::Plaintext;
use pgrx::datum::{TimestampWithTimeZone, Uuid};
use pgrx::{IntoDatum, pg_sys};

use super::input::{admit_plaintext, required};
use crate::audit::reveals;
use crate::error::Error;
use crate::pg::call::entry::{StoredText, export};
use crate::pg::call::plaintext;
use crate::pg::rows::texts::Texts;
use crate::pg::who::acl;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::store::row;

export!(open_vault_row);

/// An opened secret on its way to the caller, as text. What is left of it here is wiped.
pub struct Revealed(pub Plaintext);

impl IntoDatum for Revealed {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        // Only text is ever sealed, and what opens is what was sealed.
        std::str::from_utf8(self.0.expose()).ok().and_then(|_| plaintext::text(&self.0))
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::TEXTOID
    }
}

/// Opens a row of the view `decrypted_secrets` in the schema named. The caller is whoever reads the view; the
/// permission is SELECT on its column. A row that does not open is NULL and does not disturb the others; a
/// missing root key is an error.
#[expect(clippy::too_many_arguments, reason = "as many as sql/ declares")]
fn open_vault_row(
    p_schema: Option<&str>,
    p_id: Option<Uuid>,
    p_version: Option<i32>,
    p_scope_id: Option<StoredText<'_>>,
    p_provider: Option<StoredText<'_>>,
    p_model: Option<StoredText<'_>>,
    p_name: Option<StoredText<'_>>,
    p_slot: Option<StoredText<'_>>,
    p_kind: Option<StoredText<'_>>,
    p_allowed_hosts: Option<Texts>,
    p_expires_at: Option<TimestampWithTimeZone>,
    p_sealed: Option<&[u8]>,
) -> Result<Option<Revealed>, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let schema = required(p_schema, "p_schema must not be null")?;
    if !acl::may_select(&caller, schema, "decrypted_secrets", "decrypted_secret") {
        return Err(Error::NotAllowed(
            "permission denied for column decrypted_secret of view decrypted_secrets",
        ));
    }
    let (Some(id), Some(version), Some(sealed)) = (p_id, p_version, p_sealed) else {
        return Ok(None);
    };
    // The row's own scope does not count: only secrets of the operator open through this view.
    let scope = Scope::Vault;
    let [owner, provider, model, name, slot, kind] =
        [p_scope_id, p_provider, p_model, p_name, p_slot, p_kind]
            .map(|text| text.map_or("", |StoredText(text)| text));
    let (Ok(of_value), Some(kind)) = (u32::try_from(version), Kind::parse(kind)) else { return Ok(None) };
    let context = Context {
        secret_id: *id.as_bytes(),
        version: of_value,
        binding: Binding { scope, scope_id: owner, provider, model, name, slot },
        kind,
        allowed_hosts: p_allowed_hosts.as_ref().map(|hosts| hosts.0.as_slice()),
        expires_at: p_expires_at.map(row::microseconds),
    };
    match row::open_for(sealed, &context, || AsOwner::switch(&caller)) {
        Ok(value) => {
            let owned = Object::owned(scope.as_str(), owner, provider);
            reveals::record(Object { id: Some(*id.as_bytes()), version: Some(version), ..owned }, None)?;
            Ok(Some(Revealed(value)))
        }
        Err(error) if error.is_damage() => Ok(None),
        Err(error) => Err(error),
    }
}
