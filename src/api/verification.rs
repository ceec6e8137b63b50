//! Verification of integrations begins here: the caller is told which to ask a provider about, and nobody else is told of the same.
//!
//! What must stay true: no credential is opened, and nothing is taken that could not be opened afterwards.

use pgrx::datum::Uuid;

use super::input::required;
use super::integrations::named;
use crate::error::Error;
use crate::keys;
use crate::pg::call::entry::export;
use crate::pg::rows::row_set::{Filling, RowSet};
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::store::{integrations, providers, verifications};

export!(begin_verification);

/// The most that are taken at once.
const TAKEN_MAX: i32 = 1000;

/// Takes one integration, or those of all that want to be verified.
fn begin_verification(
    p_integration_id: Option<Uuid>,
    p_user_id: Option<&str>,
    p_limit: Option<i32>,
    p_older_than_seconds: Option<i32>,
) -> Result<RowSet, Error> {
    let most = required(p_limit, "p_limit must not be null")?;
    if !(1..=TAKEN_MAX).contains(&most) {
        return Err(Error::BadInput("p_limit must be between 1 and 1000"));
    }
    let age = required(p_older_than_seconds, "p_older_than_seconds must not be null")?;
    if age < 0 {
        return Err(Error::BadInput("p_older_than_seconds must not be below 0"));
    }
    if p_integration_id.is_none() && p_user_id.is_some() {
        return Err(Error::BadInput("p_user_id is for one integration: p_integration_id must name it"));
    }
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    keys::ready()?;
    let mut user = None;
    let taken = match p_integration_id {
        Some(id) => {
            user = named(p_user_id)?;
            let reached = integrations::reach(id, user.as_deref())?;
            reached.admit_use()?;
            verifications::take(reached.id)?
        }
        None => verifications::take_due(&tested()?, most, age)?,
    };
    let rows = Filling::begin()?;
    for taken in taken {
        let user = user.clone().or(taken.user);
        rows.put_fresh(|| {
            [
                taken.id.into(),
                taken.secret_id.into(),
                taken.provider.into(),
                user.into(),
                taken.org.into(),
                taken.version.into(),
                taken.verdict.into(),
            ]
        });
    }
    Ok(rows.done())
}

/// The providers in use that the catalogue has a test for.
fn tested() -> Result<Vec<String>, Error> {
    let usable = providers::usable()?;
    let tested = usable.iter().filter(|provider| provider.enabled && provider.test.is_some());
    Ok(tested.map(|provider| provider.id.clone()).collect())
}
