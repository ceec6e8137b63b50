//! The identity that the caller has for hftok. Policies and views ask here, with the reader's privileges.
//!
//! What must stay true: what a policy asks never fails. Postgres may put a reader's own conditions before the policy, and an
//! error would then tell which hidden rows fulfil them.

use pgrx::datum::Array;

use crate::error::Error;
use crate::pg::call::entry::export;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::{Caller, refuse_in_restricted_operation};
use crate::pg::who::gateway;
use crate::store::members;

export!(whoami, gateways);
export!(anywhere: caller_id, is_caller, caller_is_in, caller_is_administrator);

/// The identity under which the caller's own secrets are kept.
fn whoami() -> Result<String, Error> {
    Caller::current().identity()
}

/// The logins whose claims are believed in this database. EXECUTE is the record of one, and not asked for here.
fn gateways() -> Result<Vec<String>, Error> {
    Ok(gateway::all())
}

/// The same, or NULL for a caller that has none.
fn caller_id() -> Result<Option<String>, Error> {
    Ok(identity_if_any(&Caller::current()))
}

/// Whether this identity is the caller's.
fn is_caller(p_user_id: Option<&str>) -> Result<bool, Error> {
    Ok(p_user_id.is_some() && identity_if_any(&Caller::current()).as_deref() == p_user_id)
}

/// Whether the caller is a member of one of these group roles.
fn caller_is_in(p_groups: Option<Array<'_, &str>>) -> Result<bool, Error> {
    if refuse_in_restricted_operation().is_err() {
        return Ok(false);
    }
    let caller = Caller::current();
    Ok(p_groups.iter().flat_map(Array::iter).flatten().any(|group| caller.is_in(group)))
}

/// Whether the caller is an administrator of the application.
fn caller_is_administrator() -> Result<bool, Error> {
    is_administrator(&Caller::current())
}

/// Whether this caller is one.
pub fn is_administrator(caller: &Caller) -> Result<bool, Error> {
    let Some(user) = identity_if_any(caller) else { return Ok(false) };
    let _owner = AsOwner::switch(caller)?;
    members::is_administrator(&user)
}

/// The caller's identity for one who only looks: claims that nobody vouches for are none, and inside a security-restricted
/// operation, where somebody else may have chosen what runs, nobody is anybody.
pub fn identity_if_any(caller: &Caller) -> Option<String> {
    refuse_in_restricted_operation().and_then(|()| caller.identity()).ok()
}
