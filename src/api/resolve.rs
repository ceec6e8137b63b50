//! Handing the credential to use to the trusted backend, and saying which it would be to others.

use std::borrow::Cow;

use hftok_core::binding::Scope;
use hftok_core::walk::{Level, Outcome};
use pgrx::datum::Uuid;
use serde_json::json;

use super::input::{admit_plaintext, required, reserved};
use super::owner::Actor;
use super::reveal::Revealed;
use super::steps::{CredentialVersion, LevelResult, Resolved};
use super::walk::Request;
use super::walk_arguments::WalkArguments;
use crate::audit::reveals;
use crate::error::{Error, Object};
use crate::pg::call::composite::Composite;
use crate::pg::call::entry::export;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::store::secrets::Secret;
use crate::store::{integrations, members, versions};

export!(resolve_token, resolve_hf_token, previous_token, explain, token_provided, tokens_provided);

/// The credential to use, with its source.
fn resolve_token(
    p_provider: Option<&str>,
    arguments: WalkArguments<'_>,
    p_version: Option<i32>,
    p_recipient: Option<&str>,
    p_slot: Option<&str>,
    p_unknown: Option<&str>,
) -> Result<Composite, Error> {
    let likely = arguments.likely(p_provider, p_slot);
    admit_plaintext()?;
    reserved(p_recipient, "p_recipient is reserved: values cannot be sealed to a recipient yet")?;
    let caller = Caller::current();
    let _owner = AsOwner::switch_unpinned(&caller)?;
    let request = Request::new_or(p_unknown, p_provider, arguments)?.only(p_slot)?.on_behalf()?;
    let taken = request.walk_to(likely, |_| ())?;
    let Some(Resolved { level, value, stored, slot }) = taken else {
        return Composite::new("hftok.resolved_token")?.set("source", "none");
    };
    let (value, stored) = match (stored, p_version) {
        (Some(stored), Some(version)) if version != stored.version => {
            let previous = versions::find_overlapping(stored.id, version)?;
            request.admit_version(level, &previous)?;
            let expires_at = previous.row.expires_at;
            (previous.row.open()?, Some(CredentialVersion { id: stored.id, version, expires_at }))
        }
        (stored, _) => (value, stored),
    };
    request.record(level, stored)?;
    let answer = Composite::new("hftok.resolved_token")?.set("source", level.as_str())?;
    let answer = match stored {
        None => answer,
        Some(stored) => {
            let answer = answer.set("secret_id", stored.id)?.set("version", stored.version)?;
            let answer = answer.set("slot", slot)?;
            answer.set("expires_at", stored.expires_at)?
        }
    };
    answer.set_plaintext("token", value)
}

/// The Hugging Face token to use, or NULL when no level has one.
fn resolve_hf_token(arguments: WalkArguments<'_>) -> Result<Option<Revealed>, Error> {
    let likely = arguments.likely(Some("huggingface"), None);
    admit_plaintext()?;
    let caller = Caller::current();
    let _owner = AsOwner::switch_unpinned(&caller)?;
    let request = Request::new(Some("huggingface"), arguments)?.on_behalf()?;
    let Some(Resolved { level, value, stored, .. }) = request.walk_to(likely, |_| ())? else {
        return Ok(None);
    };
    request.record(level, stored)?;
    Ok(Some(Revealed(value)))
}

/// The version before the current one, while it may still be used.
fn previous_token(p_secret_id: Option<Uuid>) -> Result<Revealed, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let _owner = AsOwner::switch_unpinned(&caller)?;
    let id = required(p_secret_id, "p_secret_id must not be null")?;
    let found = Secret::find_id(id)?.filter(|found| found.row.scope != Scope::Vault.as_str());
    let found = found.ok_or(Error::NotFound(Object::Secret(id)))?;
    admit_use(&found)?;
    if found.row.version == 1 {
        return Err(Error::NotFound(Object::FormerVersion(id)));
    }
    let previous = versions::find_overlapping(id, found.row.version - 1)?;
    // Restricted to hosts, it is released by resolve_token() for one of them.
    let is_restricted = previous.row.allowed_hosts.is_some() || found.row.allowed_hosts.is_some();
    if previous.is_expired || is_restricted {
        return Err(Error::NotFound(Object::Version(id, previous.row.version)));
    }
    let value = previous.row.open()?;
    reveals::record(previous.row.object(), None)?;
    Ok(Revealed(value))
}

/// The walk as JSON, a member a level, without a value.
fn explain(
    p_provider: Option<&str>,
    arguments: WalkArguments<'_>,
    p_slot: Option<&str>,
    p_unknown: Option<&str>,
) -> Result<String, Error> {
    look(p_provider, arguments, p_slot, p_unknown, |viewer, request| {
        let mut rows = Vec::new();
        let mut steps = Vec::new();
        ended(request.walk(|step| steps.push(step)))?;
        for step in &steps {
            rows.push(viewer.row(step)?);
        }
        Ok(serde_json::Value::Array(rows).to_string())
    })
}

/// Whether resolving would give a token.
fn token_provided(
    p_provider: Option<&str>,
    arguments: WalkArguments<'_>,
    p_slot: Option<&str>,
    p_unknown: Option<&str>,
) -> Result<bool, Error> {
    look(p_provider, arguments, p_slot, p_unknown, |_, request| ended(request.walk(|_| ())))
}

/// Whether each level by itself would give a token, as JSON, a member a level.
fn tokens_provided(
    p_provider: Option<&str>,
    arguments: WalkArguments<'_>,
    p_slot: Option<&str>,
    p_unknown: Option<&str>,
) -> Result<String, Error> {
    look(p_provider, arguments, p_slot, p_unknown, |_, mut request| {
        let asked = Level::ALL.map(|level| (level, request.is_asked(level)));
        let mut rows = Vec::new();
        for (level, is_asked) in asked {
            request = request.at(level);
            let provided = is_asked && ended(request.walk(|_| ()))?;
            rows.push(json!({"level": level.as_str(), "provided": provided}));
        }
        Ok(serde_json::Value::Array(rows).to_string())
    })
}

/// A request that shows no value, as whoever reads the answer may make it.
fn look<R>(
    provider: Option<&str>,
    arguments: WalkArguments<'_>,
    slot: Option<&str>,
    unknown: Option<&str>,
    work: impl FnOnce(&Viewer, Request) -> Result<R, Error>,
) -> Result<R, Error> {
    let caller = Caller::current();
    let viewer = Viewer::of(&caller)?;
    let _owner = AsOwner::switch(&caller)?;
    work(&viewer, viewer.request_for(provider, arguments, slot, unknown)?)
}

/// A stopped walk is an answer here, not an error.
fn ended(walked: Result<Option<Resolved>, Error>) -> Result<bool, Error> {
    match walked {
        Ok(taken) => Ok(taken.is_some()),
        Err(Error::Unusable { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The reader of an explained walk.
enum Viewer {
    /// The backend, the operator, the auditor: every level.
    All,
    /// An end user: what is theirs.
    User(String),
}

impl Viewer {
    /// Decides once for all steps, so that one answer never mixes two views.
    fn of(caller: &Caller) -> Result<Self, Error> {
        if caller.is_in("hftok_auditor") {
            return Ok(Self::All);
        }
        match Actor::of(caller)? {
            Actor::Trusted => Ok(Self::All),
            Actor::User(id) => Ok(Self::User(id)),
        }
    }

    /// The request to look at; fails when it is not this one's to look at.
    fn request(
        &self,
        provider: Option<&str>,
        arguments: WalkArguments<'_>,
        unknown: Option<&str>,
    ) -> Result<Request, Error> {
        let user = arguments.user.or(self.user());
        let request = Request::new_or(unknown, provider, WalkArguments { user, ..arguments })?;
        match self {
            Self::All => request.on_behalf(),
            // A user who names somebody else still acts as themselves.
            Self::User(own) => admit(own, &request).map(|()| request),
        }
    }

    /// The same for one key by its slot. Which slots the installation has is for administrators.
    fn request_for(
        &self,
        provider: Option<&str>,
        arguments: WalkArguments<'_>,
        slot: Option<&str>,
        unknown: Option<&str>,
    ) -> Result<Request, Error> {
        let request = self.request(provider, arguments, unknown)?.only(slot)?;
        match self {
            Self::User(own) if !members::is_administrator(own)? => Ok(request.without_slots_of_all()),
            _ => Ok(request),
        }
    }

    /// The user whose walk is meant when none is named: an end user's own.
    fn user(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::User(own) => Some(own),
        }
    }

    /// A step as JSON, without the secret where the viewer may not know of it.
    fn row(&self, step: &LevelResult) -> Result<serde_json::Value, Error> {
        let shown = match (self, step.level) {
            (Self::User(own), Level::Global | Level::GlobalModel) => members::is_administrator(own)?,
            _ => true,
        };
        let secret = step.secret.as_ref().filter(|_| shown);
        Ok(json!({
            "level": step.level.as_str(),
            "outcome": step.outcome.as_str(),
            "secret_id": secret.map(|secret| secret.stored.id.to_string()),
            "preview": secret.map(|secret| String::from_utf8_lossy(&secret.preview)),
            "detail": detail(step),
            "slot": secret.map(|secret| secret.slot.as_str()),
        }))
    }
}

/// A user may have only their own walk explained, and only with organisations they belong to.
fn admit(own: &str, request: &Request) -> Result<(), Error> {
    let is_member = match request.org() {
        Some(org) => members::role(org, own)?.is_some(),
        None => true,
    };
    if request.user() == Some(own) && is_member { Ok(()) } else { Err(Error::NotFound(Object::Owner)) }
}

/// A sentence on an outcome, beyond its name.
fn detail(step: &LevelResult) -> Option<Cow<'static, str>> {
    if let Some(fault) = step.secret.as_ref().and_then(|secret| secret.away) {
        return Some(
            format!("its organisation's own key is not there ({fault}): the walk stops here").into(),
        );
    }
    let goes_on = step.secret.as_ref().is_some_and(|secret| secret.may_continue);
    Some(Cow::Borrowed(match step.outcome {
        Outcome::Used | Outcome::Absent | Outcome::NotReached => return None,
        Outcome::DecryptFailed => "it, or what it is bound to, was changed outside hftok",
        Outcome::Sealed => "its organisation has sealed its key: the walk stops here",
        _ if goes_on => "its owner allows going on",
        Outcome::Expired => "its time is over: the walk stops here",
        Outcome::Disabled => "it is switched off: the walk stops here",
        Outcome::Invalid => "the provider refused it: the walk stops here",
        Outcome::RateLimited => "the provider asked for a rest: the walk stops here",
        Outcome::NotMember => "the user does not belong to the organisation: the walk stops here",
        Outcome::HostRefused => "it may not be sent to this host: the walk stops here",
    }))
}

/// Fails when a credential is switched off, by itself or with its integration.
fn admit_use(found: &Secret) -> Result<(), Error> {
    let row = &found.row;
    let Some(level) = Scope::parse(&row.scope).and_then(|scope| Level::of(scope, !row.model.is_empty()))
    else {
        return integrations::admit_use(row.id);
    };
    if found.is_enabled {
        return Ok(());
    }
    Err(Error::Disabled { secret_id: row.id, level: level.as_str(), integration: None, by_backend: false })
}
