//! Quotas. Counted by index, and only where something is added.
//!
//! What must stay true: whoever counts has locked the one for whom it counts first. So only [`Counted`] admits, and an owner is
//! locked before any row.

use hftok_core::binding::Scope;
use hftok_core::keyring_state::Reason;

use crate::error::{Error, Object};
use crate::keys::data_keys;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::rows::{count, lock};
use crate::settings;
use crate::store::{owner_lock, shape};

/// An owner for whom is counted, and for whom nobody else writes meanwhile.
pub struct Counted<'a> {
    /// The kind of secrets that is to be added.
    scope: Scope,
    /// The owner.
    id: &'a str,
}

impl<'a> Counted<'a> {
    /// Waits until nobody else writes for this owner.
    pub fn lock(scope: Scope, id: &'a str) -> Result<Self, Error> {
        owner_lock::lock(scope, id)?;
        Ok(Self { scope, id })
    }

    /// The same for a secret to be saved, which needs keys. Whoever waited saves nothing for an organisation that was forgotten
    /// meanwhile: nobody would ever delete it.
    pub fn to_save(scope: Scope, id: &'a str) -> Result<Self, Error> {
        if !lock::is_keyed() {
            return Err(Error::Sealed(Reason::NotPreloaded));
        }
        data_keys::make_for_values()?;
        let was_known = is_known_org(scope, id)?;
        let counted = Self::lock(scope, id)?;
        if was_known && !is_known_org(scope, id)? {
            return Err(Error::NotFound(Object::Owner));
        }
        Ok(counted)
    }

    /// The owner.
    pub fn id(&self) -> &str {
        self.id
    }

    /// Fails when the owner has as many secrets of this scope as they may.
    pub fn admit_secret(&self) -> Result<(), Error> {
        let Some((whose, most, what)) = quota(self.scope) else { return Ok(()) };
        admit(secrets(self.scope, self.id, most.into())?, whose, most, what)
    }

    /// Fails when an organisation has as many members as it may.
    pub fn admit_member(&self) -> Result<(), Error> {
        let count = COUNT_MEMBERS.read_single(&[self.id.into()], |row| row.next())?;
        admit(count, "An organisation", settings::max_members_per_org(), "members")
    }

    /// Fails when what the owner has, previous versions and hosts included, would be too long with so many bytes more.
    pub fn admit_bytes(&self, more: usize) -> Result<(), Error> {
        let scopes = match self.scope {
            Scope::User | Scope::Integration => [Scope::User, Scope::Integration],
            Scope::Org | Scope::OrgIntegration => [Scope::Org, Scope::OrgIntegration],
            Scope::Global | Scope::Vault => return Ok(()),
        };
        let most = settings::max_bytes_per_user();
        let more = i64::try_from(more).unwrap_or(i64::MAX);
        // All that anybody may have of values as short as a key fits: they are not worth a sum, and at worst double it.
        let secrets: i64 =
            scopes.iter().filter_map(|scope| quota(*scope)).map(|(_, most, _)| i64::from(most)).sum();
        if more.saturating_mul(secrets).saturating_mul(i64::from(settings::version_history()) + 1) <= most {
            return Ok(());
        }
        let [first, second] = scopes.map(Scope::as_str);
        let parameters = [first.into(), second.into(), self.id.into()];
        let sum: i64 = SUM_BYTES.read_single(&parameters, |row| row.next())?;
        if sum.saturating_add(more) > most { Err(Error::TooManyBytes { most }) } else { Ok(()) }
    }
}

/// Whether an owner is an organisation that has members or secrets: whatever forget_org() takes away.
fn is_known_org(scope: Scope, id: &str) -> Result<bool, Error> {
    match scope {
        Scope::Org | Scope::OrgIntegration => {}
        Scope::User | Scope::Integration | Scope::Global | Scope::Vault => return Ok(false),
    }
    for scope in [Scope::Org, Scope::OrgIntegration] {
        if secrets(scope, id, 1)? > 0 {
            return Ok(true);
        }
    }
    FIND_MEMBER.read_single(&[id.into()], |row| row.next())
}

/// The number of secrets that an owner has of this scope; it may stop at `most`. By the index itself: Postgres keeps a plan that it made
/// while there were few secrets, and whoever moves in many in one transaction would read all of them for each.
fn secrets(scope: Scope, id: &str, most: i64) -> Result<i64, Error> {
    let owner = [scope.as_str(), id];
    if let Some((table, index, _lock)) = shape::secrets_by_owner()?
        && let Some(count) = count::up_to(most, table, index, shape::SECRETS_OWNER, owner)
    {
        return Ok(count);
    }
    COUNT_SECRETS.read_single(&owner.map(Into::into), |row| row.next())
}

/// None where nothing is limited.
fn quota(scope: Scope) -> Option<(&'static str, i32, &'static str)> {
    match scope {
        Scope::User => Some(("A user", settings::max_credentials_per_user(), "credentials")),
        Scope::Org => Some(("An organisation", settings::max_credentials_per_org(), "credentials")),
        Scope::Integration => Some(("A user", settings::max_integrations_per_user(), "integrations")),
        Scope::OrgIntegration => {
            Some(("An organisation", settings::max_integrations_per_user(), "integrations"))
        }
        Scope::Global | Scope::Vault => None,
    }
}

/// Counted under a lock that the caller holds, so that it still is so when a row is added.
fn admit(count: i64, whose: &'static str, most: i32, what: &'static str) -> Result<(), Error> {
    if count >= i64::from(most) { Err(Error::TooMany { whose, most, what }) } else { Ok(()) }
}

statement! {
    /// Whether an organisation has members.
    FIND_MEMBER(TEXT) = "SELECT EXISTS (SELECT FROM hftok_private.members m WHERE m.org_id = $1)";

    /// Credentials of one owner.
    COUNT_SECRETS(TEXT, TEXT) =
        "SELECT count(*) FROM hftok_private.secrets s WHERE s.scope = $1 AND s.scope_id = $2";

    /// Members of one organisation.
    COUNT_MEMBERS(TEXT) = "SELECT count(*) FROM hftok_private.members m WHERE m.org_id = $1";

    /// Lengths of what is stored apart are known without fetching it.
    SUM_BYTES(TEXT, TEXT, TEXT) =
        "SELECT pg_catalog.int8(
            coalesce(sum(pg_catalog.octet_length(s.sealed) + coalesce(pg_catalog.pg_column_size(s.allowed_hosts), 0)), 0)
            + coalesce(sum((
                SELECT sum(pg_catalog.octet_length(v.sealed) + coalesce(pg_catalog.pg_column_size(v.allowed_hosts), 0))
                FROM hftok_private.secret_versions v WHERE v.secret_id = s.id
            )), 0))
        FROM hftok_private.secrets s WHERE s.scope IN ($1, $2) AND s.scope_id = $3";
}
