//! Saving, checking and deleting credentials of users, organisations and the installation. For end users, so these
//! functions must know who is calling.

use std::ops::Deref;

use hftok_core::binding::{Binding, Scope};
use hftok_core::provider::{Checked, Provider};
use hftok_core::walk::Outcome;
use pgrx::datum::{Array, TimestampWithTimeZone, Uuid};

use super::input::{admit_plaintext, binding_key, hosts, position, required, secret, short, slot};
use super::owner::{Actor, Owner};
use super::remark::said;
use super::stored_row::StoredRow;
use crate::audit;
use crate::error::Error;
use crate::pg::call::composite::Composite;
use crate::pg::call::entry::export;
use crate::pg::call::guarded::{self, Answer};
use crate::pg::call::json;
use crate::pg::call::trigger::{Side, Trigger};
use crate::pg::rows::new_row::Rival;
use crate::pg::server::server_log;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::pg::who::session;
use crate::store::quotas::Counted;
use crate::store::row::microseconds;
use crate::store::secrets::{self, Secret};
use crate::store::{integrations, owner_lock, providers, slots, versions};

export!(save_credential, check_credential, delete_credential, write_credential, reseal, report_credential);

/// Everything that is said of a credential when it is saved.
pub struct Saving<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// The value.
    pub secret: &'a str,
    /// The model it is reserved for, or empty.
    pub model: &'a str,
    /// Which of several keys for this use it is; empty for the usual one.
    pub slot: &'a str,
    /// Its place among them; as before when not given, and the last for one that is new.
    pub position: Option<i32>,
    /// The owner's name for it; the former name stays when none is given.
    pub label: Option<&'a str>,
    /// When it ends.
    pub expires_at: Option<TimestampWithTimeZone>,
    /// The hosts it may be sent to; as before when not given.
    pub allowed_hosts: Option<Vec<String>>,
    /// Whether the walk may go on when it cannot be used; as before when not given.
    pub may_continue: Option<bool>,
    /// The version that must be the current one; 0 for none, -1 for any.
    pub expected: Option<i32>,
    /// The id that it gets when there is none yet; a random one when not given.
    pub id: Option<Uuid>,
}

impl Saving<'_> {
    /// Stores the credential, in place of the one that its owner has for the same use.
    pub fn store(self, owner: &Owner) -> Result<Secret, Error> {
        let provider = providers::to_save(self.provider)?;
        let checked = check(&provider, self.secret)?;
        let value = secret(checked.value)?;
        if provider.has_several_fields() {
            json::parse(checked.value)?;
        }
        let binding = Binding { slot: self.slot, ..owner.binding(self.provider, self.model) };
        let counted = Counted::to_save(owner.scope, &owner.id)?;
        for _ in 0..100 {
            let found = Secret::lock(&binding)?;
            let former = found.as_ref().map_or(0, |found| found.row.version);
            versions::expect(self.expected, former)?;
            let mut saved = match found {
                Some(found) => found,
                None => {
                    counted.admit_secret()?;
                    let mut new = Secret::new(&binding)?;
                    new.row.id = self.id.unwrap_or(new.row.id);
                    if !self.slot.is_empty() {
                        new.position = slots::place_behind(&binding)?;
                    }
                    new
                }
            };
            self.describe(&mut saved, &checked);
            saved.set_value(&value)?;
            counted.admit_bytes(saved.row.size())?;
            if former > 0 {
                saved.update(former)?;
                return Ok(saved);
            }
            // Whoever writes for a user or an organisation holds their lock, so that nobody has added it since.
            let is_new = owner.scope != Scope::Global && self.id.is_none();
            let rival = if is_new { Rival::Unlikely } else { Rival::Likely };
            if saved.insert(rival)? {
                return Ok(saved);
            }
        }
        Err(Error::Conflict { expected: self.expected.unwrap_or_default(), current: 0 })
    }

    /// Puts everything but the value into the row that is about to be stored.
    fn describe(&self, saved: &mut Secret, checked: &Checked<'_>) {
        saved.warnings = checked.warnings.iter().map(ToString::to_string).collect();
        saved.row.expires_at = self.expires_at;
        saved.position = self.position.unwrap_or(saved.position);
        if let Some(label) = self.label {
            label.clone_into(&mut saved.label);
        }
        if let Some(hosts) = &self.allowed_hosts {
            saved.row.allowed_hosts = Some(hosts.clone());
        }
        if let Some(may_continue) = self.may_continue {
            saved.may_continue = may_continue;
        }
    }
}

/// Looks at a value as the provider's; one that cannot be a credential of it is an error that does not quote it.
pub fn check<'a>(provider: &Provider, value: &'a str) -> Result<Checked<'a>, Error> {
    provider.check(value, providers::usable()?.iter().map(Deref::deref)).map_err(Error::Rejected)
}

/// `stop` or `continue`.
pub fn may_continue(word: Option<&str>) -> Result<Option<bool>, Error> {
    match word {
        None => Ok(None),
        Some("stop") => Ok(Some(false)),
        Some("continue") => Ok(Some(true)),
        Some(_) => Err(Error::BadInput("p_on_unusable must be stop or continue")),
    }
}

/// The answer to a client: never the value.
fn answer(saved: &Secret) -> Result<Composite, Error> {
    let mut warnings = saved.warnings.clone();
    // Only answered: as long as it is so, the status says it.
    if saved.row.expires_at.is_some_and(|end| microseconds(end) <= session::now()) {
        warnings.push("already_expired".to_owned());
    }
    Composite::new("hftok.saved_credential")?
        .set("secret_id", saved.row.id)?
        .set("version", saved.row.version)?
        .set("preview", saved.preview())?
        .set("warnings", warnings)
}

/// Saves a credential of the caller, of an organisation, or of the installation.
#[expect(clippy::too_many_arguments, reason = "as many as sql/ declares")]
fn save_credential(
    p_provider: Option<&str>,
    p_secret: Option<&str>,
    p_model: Option<&str>,
    p_user_id: Option<&str>,
    p_org_id: Option<&str>,
    p_global: Option<bool>,
    p_label: Option<&str>,
    p_expires_at: Option<TimestampWithTimeZone>,
    p_allowed_hosts: Option<Array<'_, &str>>,
    p_on_unusable: Option<&str>,
    p_expected_version: Option<i32>,
    p_slot: Option<&str>,
    p_position: Option<i32>,
) -> Result<Composite, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let actor = Actor::of(&caller)?;
    let owner = Owner::named(&caller, p_user_id, p_org_id, p_global)?;
    let _owner = AsOwner::switch(&caller)?;
    owner.admit_writer(&actor)?;
    let saving = Saving {
        provider: required(p_provider, "p_provider must not be null")?,
        secret: required(p_secret, "p_secret must not be null")?,
        model: short(p_model, "p_model may have 1024 bytes at most")?.unwrap_or_default(),
        slot: slot(p_slot)?,
        position: position(p_position)?,
        label: short(p_label, "p_label may have 1024 bytes at most")?,
        expires_at: p_expires_at,
        allowed_hosts: hosts(p_allowed_hosts)?,
        may_continue: may_continue(p_on_unusable)?,
        expected: p_expected_version,
        id: None,
    };
    let saved = saving.store(&owner)?;
    // Whoever waited for the owner may have been removed meanwhile, or the organisation forgotten.
    owner.admit_writer(&actor)?;
    if matches!(actor, Actor::Trusted) && owner.is_role() {
        server_log::notice(
            &format!("this is a credential of {}, and of no user of the application", owner.id),
            Some(
                "It is used when p_user_id names that. For somebody else's, name p_user_id, p_org_id or p_global.",
            ),
        );
    }
    answer(&saved)
}

/// Looks at a value without storing it.
fn check_credential(p_provider: Option<&str>, p_secret: Option<&str>) -> Result<Composite, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let provider = providers::find(required(p_provider, "p_provider must not be null")?)?;
    let (ok, warnings) = match check(&provider, required(p_secret, "p_secret must not be null")?) {
        Ok(checked) => (true, checked.warnings.iter().map(ToString::to_string).collect()),
        Err(Error::Rejected(rejection)) => (false, vec![rejection.to_string()]),
        Err(error) => return Err(error),
    };
    Composite::new("hftok.checked_credential")?.set("ok", ok)?.set::<Vec<String>>("warnings", warnings)
}

/// Deletes a credential; says whether there was one that the caller may delete.
fn delete_credential(
    p_provider: Option<&str>,
    p_model: Option<&str>,
    p_user_id: Option<&str>,
    p_org_id: Option<&str>,
    p_global: Option<bool>,
    p_slot: Option<&str>,
) -> Result<bool, Error> {
    let caller = Caller::current();
    let actor = Actor::of(&caller)?;
    let owner = Owner::named(&caller, p_user_id, p_org_id, p_global)?;
    let _owner = AsOwner::switch(&caller)?;
    let admitted = || match owner.admit_writer(&actor) {
        // Answered, and yet a refusal.
        Err(error @ Error::NotFound(_)) => {
            audit::refused(&error);
            Ok(false)
        }
        admitted => admitted.map(|()| true),
    };
    if !admitted()? {
        return Ok(false);
    }
    let provider = required(p_provider, "p_provider must not be null")?;
    owner_lock::lock(owner.scope, &owner.id)?;
    // Whoever waited may have been removed meanwhile.
    if !admitted()? {
        return Ok(false);
    }
    let model = short(p_model, "p_model may have 1024 bytes at most")?.unwrap_or_default();
    let binding = Binding { slot: slot(p_slot)?, ..owner.binding(provider, model) };
    let is_deleted = secrets::delete(binding_key(&binding))?;
    // The installation is not locked, only its row.
    owner.admit_writer(&actor)?;
    Ok(is_deleted)
}

/// UPDATE and DELETE on the view credentials, whose work is done in SQL. The view decided whether the caller may, before they waited for
/// others.
fn write_credential() -> Result<Answer, Error> {
    let caller = Caller::current();
    let answer = guarded::call("write_credential_as_owner\0")?;
    let trigger = Trigger::current()?;
    if trigger.written(Side::Before, "writable")? == "t" {
        let scope = Scope::parse(&trigger.written(Side::Before, "scope")?);
        let owner = Owner {
            scope: scope.ok_or(Error::Internal("a credential has no scope"))?,
            id: trigger.written(Side::Before, "scope_id")?,
        };
        let _owner = AsOwner::switch(&caller)?;
        owner.admit_writer(&Actor::of(&caller)?)?;
    }
    Ok(answer)
}

/// A value sealed anew, bound to other hosts and another end.
fn reseal(
    row: StoredRow,
    p_new_hosts: Option<Array<'_, &str>>,
    p_new_expiry: Option<TimestampWithTimeZone>,
) -> Result<Vec<u8>, Error> {
    let StoredRow(Some(mut row)) = row else { return Err(Error::BadInput("a row is incomplete")) };
    let value = row.open()?;
    let former = row.size();
    row.allowed_hosts = hosts(p_new_hosts)?;
    row.expires_at = p_new_expiry;
    row.seal(&value.as_ref())?;
    if let Some(scope) = Scope::parse(&row.scope) {
        // The caller has locked the owner, and then the row.
        Counted::lock(scope, &row.scope_id)?.admit_bytes(row.size().saturating_sub(former))?;
    }
    Ok(row.sealed)
}

/// The verdict of a provider that asks for a rest.
const RATE_LIMITED: &str = Outcome::RateLimited.as_str();
/// The rest in seconds where the provider did not say how long it is to be.
const REST_USUAL: i32 = 60;
/// The longest rest in seconds: a day.
const REST_MAX: i32 = 24 * 60 * 60;

/// Keeps what the provider says of a credential, unless it is about a version that is no longer current.
fn report_credential(
    p_secret_id: Option<Uuid>,
    p_verdict: Option<&str>,
    p_message: Option<&str>,
    p_version: Option<i32>,
    p_retry_after: Option<i32>,
) -> Result<(), Error> {
    let Some(id) = p_secret_id else { return Ok(()) };
    let verdict = required(p_verdict, "p_verdict must not be null")?;
    if !["verified", "invalid", "indeterminate", RATE_LIMITED].contains(&verdict) {
        return Err(Error::BadInput("p_verdict must be verified, invalid, indeterminate or rate_limited"));
    }
    let rest = match (verdict == RATE_LIMITED, p_retry_after) {
        (true, after) => Some(after.unwrap_or(REST_USUAL)),
        (false, None) => None,
        (false, Some(_)) => return Err(Error::BadInput("p_retry_after is for the verdict rate_limited")),
    };
    if rest.is_some_and(|seconds| seconds < 1) {
        return Err(Error::BadInput("p_retry_after must be a number of seconds, 1 at least"));
    }
    let rest = rest.map(|seconds| seconds.min(REST_MAX));
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    // A credential keeps it of a refusal only, an integration of an answer that is not clear as well.
    let message = said(p_message.filter(|_| verdict != "verified"), || Secret::find_id(id))?;
    let message = message.as_deref();
    match secrets::report(id, verdict, message, p_version, rest)? {
        Some(kept) if kept == verdict => integrations::report(id, verdict, message),
        // The first refusal of a credential that worked leaves its verdict as it was, and so the integration's status too.
        Some(_) => integrations::report_unclear(id, message),
        None => Ok(()),
    }
}
