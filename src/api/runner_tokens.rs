//! Runner tokens, made and revoked; and what becomes of one that a worker shows.
//!
//! What must stay true: a token that is wrong, revoked, ended or edited is answered in one way, so that nobody learns which.

use std::collections::HashMap;

use hftok_core::audit::event::Object;
use hftok_core::binding::Scope;
use hftok_core::runner_token;
use hftok_core::walk::Level;
use pgrx::datum::{Array, TimestampWithTimeZone, Uuid};

use super::input::{admit_plaintext, required, short, texts};
use super::owner::identifier;
use super::runner::{Asked, environment, facts};
use crate::audit::changes;
use crate::error::{self, Error};
use crate::pg::call::composite::Composite;
use crate::pg::call::entry::export;
use crate::pg::call::json::Jsonb;
use crate::pg::rows::row_set::{Filling, RowSet};
use crate::pg::server::guc::RequireUser;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::pg::who::session;
use crate::settings;
use crate::store::row::microseconds;
use crate::store::runner_tokens::{self as tokens, RunnerToken, StandsFor};
use crate::store::{owner_lock, providers};

export!(
    create_runner_token,
    revoke_runner_token,
    check_runner_token,
    runner_environment,
    runner_states,
    runner_token_fault
);

/// The tokens whose states are asked for at once.
const ASKED_MAX: usize = 10_000;

/// Makes a token, which is shown this once.
fn create_runner_token(
    p_label: Option<&str>,
    p_providers: Option<Array<'_, &str>>,
    p_user_id: Option<&str>,
    p_org_id: Option<&str>,
    p_model: Option<&str>,
    p_levels: Option<Array<'_, &str>>,
    p_expires_at: Option<TimestampWithTimeZone>,
) -> Result<Composite, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let label = short(p_label, "p_label may have 1024 bytes at most")?;
    let label =
        required(label.filter(|label| !label.trim().is_empty()), "p_label must not be null or blank")?;
    let stands_for = StandsFor {
        providers: texts(p_providers)?,
        user: p_user_id.map(identifier).transpose()?,
        org: p_org_id.map(identifier).transpose()?,
        model: short(p_model, "p_model may have 1024 bytes at most")?
            .filter(|model| !model.is_empty())
            .map(str::to_owned),
        levels: texts(p_levels)?,
    };
    admit(&stands_for)?;
    if p_expires_at.is_some_and(|end| microseconds(end) <= session::now()) {
        return Err(Error::BadInput("p_expires_at must be in the future"));
    }
    // Nobody forgets them meanwhile, and leaves the token behind.
    stands_for.user.iter().try_for_each(|user| owner_lock::lock(Scope::User, user))?;
    stands_for.org.iter().try_for_each(|org| owner_lock::lock(Scope::Org, org))?;
    let (token, hash) = runner_token::draw()?;
    let (id, signature) = tokens::put(label, &hash, &stands_for, p_expires_at)?;
    record(id, &stands_for, signature.get(4..))?;
    Composite::new("hftok.runner_token")?.set("id", id)?.set_plaintext("token", token)
}

/// Fails for a request that could never be answered, or that `hftok.require_user` does not allow.
fn admit(stands_for: &StandsFor) -> Result<(), Error> {
    let StandsFor { providers, user, org, levels, .. } = stands_for;
    if providers.as_ref().is_some_and(Vec::is_empty) {
        return Err(Error::BadInput("p_providers must name one at least, or be null for all"));
    }
    for name in providers.iter().flatten() {
        providers::find(name)?;
    }
    if levels.iter().flatten().any(|word| Level::parse(word).is_none()) {
        return Err(Error::BadInput("p_levels names a level that does not exist"));
    }
    let is_for_nobody = user.is_none() && org.is_none() && levels.is_none();
    if is_for_nobody && settings::require_user() == RequireUser::Always {
        return Err(Error::BadInput(
            "name p_user_id, p_org_id or p_levels: hftok.require_user does not allow a walk for nobody",
        ));
    }
    Ok(())
}

/// Revokes a token; `false` when there is none, or it was revoked before.
fn revoke_runner_token(p_id: Option<Uuid>) -> Result<bool, Error> {
    let id = required(p_id, "p_id must not be null")?;
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let Some(stood_for) = tokens::revoke(id)? else { return Ok(false) };
    record(id, &stood_for, None)?;
    Ok(true)
}

/// Records that a token was made, with its signature without the number of the key, or that it was revoked.
fn record(id: Uuid, stands_for: &StandsFor, digest: Option<&[u8]>) -> Result<(), Error> {
    let (scope, owner) = tokens::owner(stands_for);
    changes::record(Object { id: Some(*id.as_bytes()), digest, ..Object::owned(scope, owner, "") })
}

/// The id of the token that is shown.
fn check_runner_token(p_runner_token: Option<&str>) -> Result<Uuid, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    Ok(shown(p_runner_token)?.id)
}

/// The variables that a worker with this token is given.
fn runner_environment(p_runner_token: Option<&str>) -> Result<Jsonb, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let RunnerToken { id, stands_for } = shown(p_runner_token)?;
    environment(&Asked::of(&stands_for), Some(&format!("runner:{id}")))
}

/// The token that is shown, if it may be used.
fn shown(token: Option<&str>) -> Result<RunnerToken, Error> {
    let hash = runner_token::hash_of(required(token, "p_runner_token must not be null")?);
    let found = hash.map(|hash| tokens::find(&hash)).transpose()?.flatten();
    found.ok_or(Error::NotFound(error::Object::RunnerToken))
}

/// For each of these tokens that may be used a text that is another one once a worker with it would be given something else.
fn runner_states(p_ids: Option<Array<'_, Uuid>>) -> Result<RowSet, Error> {
    let ids = required(p_ids, "p_ids must not be null")?;
    if ids.len() > ASKED_MAX {
        return Err(Error::BadInput("p_ids may have 10000 members at most"));
    }
    let ids: Vec<Uuid> = ids.iter().flatten().collect();
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let mut known: HashMap<String, String> = HashMap::new();
    let mut states = Vec::new();
    for RunnerToken { id, stands_for } in tokens::usable(ids)? {
        let asked = stands_for.as_text();
        // Many workers share a request.
        let state = match known.get(&asked) {
            Some(state) => state.clone(),
            None => {
                let state = runner_token::state_of(&facts(&Asked::of(&stands_for))?);
                known.insert(asked, state.clone());
                state
            }
        };
        states.push((id, state));
    }
    let rows = Filling::begin()?;
    for (id, state) in states {
        rows.put_fresh(|| [id.into(), state.into()]);
    }
    Ok(rows.done())
}

/// What is wrong with a token that was not revoked.
fn runner_token_fault(p_id: Option<Uuid>) -> Result<Option<String>, Error> {
    let is_signed = tokens::is_signed(required(p_id, "p_id must not be null")?)?;
    Ok((is_signed == Some(false)).then(|| "it, or what it stands for, was changed outside hftok".to_owned()))
}
