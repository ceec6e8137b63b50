//! Moving in: an application's integrations. The statements of `sql/again/import_integrations.sql` decide what becomes of one; what is
//! to be saved is saved here.

use hftok_core::binding::{Binding, Scope};
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use super::input::{admit_plaintext, name, required, secret, short_json};
use super::integrations::checked;
use super::owner::identifier;
use crate::error::Error;
use crate::pg::call::composite::Composite;
use crate::pg::call::entry::export;
use crate::pg::call::json::Jsonb;
use crate::pg::rows::new_row::Rival;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::store::integrations;
use crate::store::moved_integrations::Moved;
use crate::store::providers;
use crate::store::quotas::Counted;
use crate::store::secrets::Secret;

export!(save_moved_integration);

/// Makes an integration under the id that it had, or gives the one of this id other credentials.
#[expect(clippy::too_many_arguments, reason = "as many as sql/ declares")]
fn save_moved_integration(
    p_id: Option<Uuid>,
    p_name: Option<&str>,
    p_type: Option<&str>,
    p_credentials: Option<&str>,
    p_config: Option<Jsonb>,
    p_user_id: Option<&str>,
    p_org_id: Option<&str>,
    p_status: Option<&str>,
    p_is_enabled: Option<bool>,
    p_created_at: Option<TimestampWithTimeZone>,
    p_expected: Option<i32>,
) -> Result<Composite, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let id = required(p_id, "p_id must not be null")?;
    let (scope, owner) = match (p_user_id, p_org_id) {
        (Some(user), None) => (Scope::Integration, identifier(user)?),
        (None, Some(org)) => (Scope::OrgIntegration, identifier(org)?),
        _ => return Err(Error::BadInput("name either p_user_id or p_org_id")),
    };
    let kind = required(p_type, "p_type must not be null")?;
    let given = required(p_credentials, "p_credentials must not be null")?;
    let expected = p_expected.unwrap_or_default();
    let moved = Moved {
        id,
        scope,
        owner: &owner,
        name: name(p_name)?,
        kind,
        config: short_json(p_config, "The configuration of an integration")?,
        status: required(p_status, "p_status must not be null")?,
        is_enabled: p_is_enabled != Some(false),
        created_at: p_created_at,
    };
    let _owner = AsOwner::switch(&caller)?;
    let provider = providers::to_move(kind)?;
    let checked = checked(&provider, given)?;
    let value = secret(checked.value)?;
    let counted = Counted::to_save(scope, &owner)?;
    let former = (expected > 0).then(|| integrations::reach(id, None)).transpose()?;
    let mut saved = match &former {
        Some(former) if former.scope == scope && former.owner == owner => former.credentials()?,
        Some(_) => return Err(Error::Conflict { expected, current: 0 }),
        None => {
            counted.admit_secret()?;
            Secret::new(&Binding { scope, scope_id: &owner, provider: kind, model: "", name: "", slot: "" })?
        }
    };
    if saved.row.version != expected {
        return Err(Error::Conflict { expected, current: saved.row.version });
    }
    saved.warnings = checked.warnings.iter().map(ToString::to_string).collect();
    saved.set_value(&value)?;
    counted.admit_bytes(saved.row.size())?;
    match former {
        Some(former) => {
            saved.update(expected)?;
            former.renew()?;
        }
        None => {
            // Somebody else may have made it since it was looked for.
            if !saved.insert(Rival::Likely)? || !moved.insert(saved.row.id)? {
                return Err(Error::Conflict { expected, current: 1 });
            }
        }
    }
    Composite::new("hftok.saved_credential")?
        .set("secret_id", saved.row.id)?
        .set("version", saved.row.version)?
        .set("preview", saved.preview())?
        .set("warnings", saved.warnings.clone())
}
