//! The lock on an owner, which whoever writes for them takes before any row.

use hftok_core::binding::Scope;

use crate::error::Error;
use crate::pg::rows::{lock, relations};

/// Waits until nobody else writes for this owner, until the transaction ends: writers count what the owner has, and lock rows in
/// several tables and not all in the same order.
pub fn lock(scope: Scope, id: &str) -> Result<(), Error> {
    let scope = match scope {
        // Their integrations are counted with what they have.
        Scope::User | Scope::Integration => Scope::User,
        Scope::Org | Scope::OrgIntegration => Scope::Org,
        // Nothing is counted.
        Scope::Global | Scope::Vault => return Ok(()),
    };
    let secrets = relations::named(c"secrets").ok_or(Error::Internal("a table of hftok does not exist"))?;
    lock::hold(secrets, scope.as_str(), id)
}
