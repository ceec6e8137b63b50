//! Who hftok takes the caller for, and what that one may see. Policies and views ask here, with the privileges of
//! whoever reads.

use crate::error::Error;
use crate::pg::caller::Caller;
use crate::pg::entry::entry;
use crate::pg::gateway;
use crate::pg::owner::AsOwner;
use crate::store::owners;

entry! {
    /// The identity under which the caller's own secrets are kept.
    fn whoami() -> String {
        Caller::current().identity()
    }

    /// The logins whose claims are believed in this database. EXECUTE is the record of one, and not asked for here.
    fn gateways() -> Vec<String> {
        Ok(gateway::all())
    }

    /// The same, or NULL for a caller that has none.
    fn caller_id() -> Option<String> {
        identity_if_any(&Caller::current())
    }

    /// Whether the caller is a member of one of these group roles.
    fn caller_is_in(p_groups: Vec<Option<String>>) -> bool {
        let caller = Caller::current();
        Ok(p_groups.iter().flatten().flatten().any(|group| caller.is_in(group)))
    }

    /// The organisations that the caller belongs to; only those where they may write, if asked so.
    fn caller_orgs(p_writable: bool) -> Vec<String> {
        let caller = Caller::current();
        let Some(user) = identity_if_any(&caller)? else { return Ok(Vec::new()) };
        let _owner = AsOwner::switch(&caller)?;
        owners::orgs(&user, p_writable.unwrap_or(false))
    }

    /// Whether the caller is an administrator of the application.
    fn caller_is_administrator() -> bool {
        is_administrator(&Caller::current())
    }
}

/// Whether this caller is one.
pub fn is_administrator(caller: &Caller) -> Result<bool, Error> {
    let Some(user) = identity_if_any(caller)? else { return Ok(false) };
    let _owner = AsOwner::switch(caller)?;
    owners::is_administrator(&user)
}

/// That somebody has no identity is no error for one who only looks; claims that nobody vouches for are.
fn identity_if_any(caller: &Caller) -> Result<Option<String>, Error> {
    match caller.identity() {
        Ok(id) => Ok(Some(id)),
        Err(Error::NoIdentity) => Ok(None),
        Err(error) => Err(error),
    }
}
