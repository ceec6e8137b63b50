//! Integrations, and with whom they are shared. Their credentials are secrets like all others.

use hftok_core::audit::event::Object;
use hftok_core::binding::Scope;
use pgrx::datum::Uuid;

use crate::audit::changes;
use crate::error::{self, Error};
use crate::pg::call::json::Jsonb;
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::store::secrets::{self, Secret};

/// An integration that somebody may use.
pub struct Integration {
    /// Its id.
    pub id: Uuid,
    /// Its credentials.
    pub secret_id: Uuid,
    /// The provider.
    pub provider: String,
    /// The kind of its owner: a user's, or an organisation's.
    pub scope: Scope,
    /// Its owner.
    pub owner: String,
    /// Whether its owner wants it used.
    pub is_enabled: bool,
    /// Whether the backend switched it off.
    pub is_stopped: bool,
}

/// A new integration with credentials that are stored already.
pub fn insert(
    scope: Scope,
    owner: &str,
    name: &str,
    kind: &str,
    config: Option<Jsonb>,
    secret_id: Uuid,
) -> Result<Uuid, Error> {
    let new = NewRow {
        user: (!scope.is_of_org()).then_some(owner).into(),
        org: scope.is_of_org().then_some(owner).into(),
        name: name.into(),
        kind: kind.into(),
        config: config.into(),
        secret_id: secret_id.into(),
    };
    let made = INSERT_ROW.write_one(&new.in_order(), |row| {
        let (id, state): (Uuid, Vec<u8>) = (row.next()?, row.next()?);
        changes::record(Object { digest: Some(&state), ..object(scope, id, owner, kind) })?;
        Ok(id)
    })?;
    made.ok_or(Error::Internal("an insert gave no id"))
}

/// Keeps what a provider says of the credentials of an integration, if they are of one.
pub fn report(secret_id: Uuid, verdict: &str, message: Option<&str>) -> Result<(), Error> {
    REPORT_ROW.write(&[secret_id.into(), verdict.into(), message.into()], told).map(|_| ())
}

/// Keeps that whoever was verifying an integration got no clear answer, if the credentials are of one.
pub fn report_unclear(secret_id: Uuid, message: Option<&str>) -> Result<(), Error> {
    UNCLEAR_ROW.write(&[secret_id.into(), message.into()], told).map(|_| ())
}

/// Records the status of an integration, from a row that says which it is.
fn told(row: &Row<'_>) -> Result<(), Error> {
    told_if(true, row).map(|_| ())
}

/// Records it if it is news, and gives its id.
pub fn told_if(is_news: bool, row: &Row<'_>) -> Result<Uuid, Error> {
    let (id, scope) = (row.next::<Uuid>()?, scope(row.next()?));
    let owner: String = row.next()?;
    let (provider, status): (String, String) = (row.next()?, row.next()?);
    let state: Vec<u8> = row.next()?;
    let told = Object { level: Some(&status), digest: Some(&state), ..object(scope, id, &owner, &provider) };
    record_if(is_news, told)?;
    Ok(id)
}

/// An integration as the audit names it, as it is after the change: with its state while there is one.
fn object<'a>(scope: Scope, id: Uuid, owner: &'a str, provider: &'a str) -> Object<'a> {
    Object { id: Some(*id.as_bytes()), ..Object::owned(scope.as_str(), owner, provider) }
}

/// The kind of owner of an integration.
fn scope(is_of_org: bool) -> Scope {
    if is_of_org { Scope::OrgIntegration } else { Scope::Integration }
}

/// Records only if a row changed. Otherwise a no-op could be chained after the real change and contradict it.
fn record_if(is_changed: bool, told: Object<'_>) -> Result<(), Error> {
    if is_changed { changes::record(told) } else { Ok(()) }
}

/// Ends everything that a user shares with an organisation.
pub fn unshare_all(org: &str, user: &str) -> Result<(), Error> {
    let ended = UNSHARE_ROWS
        .write(&[org.into(), user.into()], |row| Ok((row.next::<Uuid>()?, row.next::<String>()?)))?;
    ended.iter().try_for_each(|(id, provider)| changes::record(share(*id, org, user, provider)))
}

/// A share as the audit names it: with which organisation, and whose; with a level while there is one.
fn share<'a>(id: Uuid, org: &'a str, owner: &'a str, provider: &'a str) -> Object<'a> {
    Object {
        id: Some(*id.as_bytes()),
        subject: Some(owner),
        ..Object::owned(Scope::Org.as_str(), org, provider)
    }
}

/// The integration of this id, if it is the user's, their organisation's or shared with them; without a user, whoever's it is.
pub fn reach(id: Uuid, user: Option<&str>) -> Result<Integration, Error> {
    let found = REACH_ROW.read_one(&[id.into(), user.into()], |row| {
        Ok(Integration {
            id,
            secret_id: row.next()?,
            provider: row.next()?,
            scope: scope(row.next()?),
            owner: row.next()?,
            is_enabled: row.next()?,
            is_stopped: row.next()?,
        })
    })?;
    found.ok_or(Error::NotFound(error::Object::Integration(id)))
}

/// Fails when the integration that has these credentials is switched off.
pub fn admit_use(secret_id: Uuid) -> Result<(), Error> {
    let refusal = |row: &Row<'_>| {
        Ok(Error::Disabled {
            secret_id,
            level: Scope::Integration.as_str(),
            integration: row.next()?,
            by_backend: row.next()?,
        })
    };
    FIND_DISABLED.read_one(&[secret_id.into()], refusal)?.map_or(Ok(()), Err)
}

impl Integration {
    /// Fails when it is switched off.
    pub fn admit_use(&self) -> Result<(), Error> {
        if self.is_enabled && !self.is_stopped {
            return Ok(());
        }
        Err(Error::Disabled {
            secret_id: self.secret_id,
            level: Scope::Integration.as_str(),
            integration: Some(self.id),
            by_backend: self.is_enabled,
        })
    }

    /// Its credentials. That a row points to a secret does not make it this integration's: owner and provider are sealed
    /// with the value, and must be the same.
    pub fn credentials(&self) -> Result<Secret, Error> {
        let found =
            Secret::lock_id(self.secret_id)?.ok_or(Error::NotFound(error::Object::Integration(self.id)))?;
        self.check(found)
    }

    /// The same without a lock, for reading.
    pub fn read_credentials(&self) -> Result<Secret, Error> {
        let found =
            Secret::find_id(self.secret_id)?.ok_or(Error::NotFound(error::Object::Integration(self.id)))?;
        self.check(found)
    }

    /// A secret that the row names but that is not of this integration was put there by somebody.
    fn check(&self, found: Secret) -> Result<Secret, Error> {
        let row = &found.row;
        let is_ours =
            row.scope == self.scope.as_str() && row.scope_id == self.owner && row.provider == self.provider;
        if is_ours { Ok(found) } else { Err(row.damaged()) }
    }

    /// Changes what is given.
    pub fn update(
        &self,
        name: Option<&str>,
        config: Option<Jsonb>,
        enabled: Option<bool>,
    ) -> Result<(), Error> {
        let changes =
            Changes { id: self.id.into(), name: name.into(), config: config.into(), enabled: enabled.into() };
        UPDATE_ROW.write(&changes.in_order(), |row| self.record(&row.next::<Vec<u8>>()?, None)).map(|_| ())
    }

    /// Keeps what the backend found. A connection that works was used.
    pub fn set_status(&self, status: &str, message: Option<&str>) -> Result<(), Error> {
        let parameters = [self.id.into(), status.into(), message.into()];
        STATUS_ROW.write(&parameters, |row| self.record(&row.next::<Vec<u8>>()?, Some(status))).map(|_| ())
    }

    /// Says that nothing is known of new credentials.
    pub fn renew(&self) -> Result<(), Error> {
        RENEW_ROW.write(&[self.id.into()], told).map(|_| ())
    }

    /// Deletes it with its credentials.
    pub fn delete(&self) -> Result<bool, Error> {
        let is_gone = secrets::delete_of(self.scope, self.secret_id)?;
        record_if(is_gone, self.object())?;
        Ok(is_gone)
    }

    /// Lets the members of an organisation use it.
    pub fn share(&self, org: &str) -> Result<(), Error> {
        let told = Object { level: Some("shared"), ..share(self.id, org, &self.owner, &self.provider) };
        record_if(SHARE_ROW.execute(&[self.id.into(), org.into()])? > 0, told)
    }

    /// No longer lets them.
    pub fn unshare(&self, org: &str) -> Result<(), Error> {
        let told = share(self.id, org, &self.owner, &self.provider);
        record_if(UNSHARE_ROW.execute(&[self.id.into(), org.into()])? > 0, told)
    }

    /// Records that it is now in this state.
    fn record(&self, state: &[u8], status: Option<&str>) -> Result<(), Error> {
        changes::record(Object { digest: Some(state), level: status, ..self.object() })
    }

    /// As the audit names it.
    pub fn object(&self) -> Object<'_> {
        object(self.scope, self.id, &self.owner, &self.provider)
    }
}

statement! {
    /// Gives its id and what the audit fingerprints.
    INSERT_ROW: NewRow { user: TEXT, org: TEXT, name: TEXT, kind: TEXT, config: JSONB, secret_id: UUID } =
        "INSERT INTO hftok_private.integrations (user_id, org_id, name, type, config, secret_id)
        VALUES ($user, $org, $name, $kind, coalesce($config, '{}'), $secret_id)
        RETURNING id, hftok_private.state_of_integration(integrations)";

    /// The one that has these credentials, if it is switched off.
    FIND_DISABLED(UUID) =
        "SELECT i.id, i.enabled FROM hftok_private.integrations i
        WHERE i.secret_id = $1 AND (NOT i.enabled OR i.status = 'disabled')";

    /// Theirs, of an organisation that they belong to, or shared with one that both they and its owner belong to.
    REACH_ROW(UUID, TEXT) =
        "SELECT i.secret_id, i.type, i.org_id IS NOT NULL, coalesce(i.org_id, i.user_id), i.enabled, i.status = 'disabled'
        FROM hftok_private.integrations i
        WHERE i.id = $1 AND ($2 IS NULL OR i.user_id = $2 OR EXISTS (
            SELECT FROM hftok_private.members m WHERE m.org_id = i.org_id AND m.user_id = $2
        ) OR EXISTS (
            SELECT FROM hftok_private.integration_shares s
            JOIN hftok_private.members m ON m.org_id = s.org_id AND m.user_id = $2
            JOIN hftok_private.members o ON o.org_id = s.org_id AND o.user_id = i.user_id
            WHERE s.integration_id = i.id
        ))";

    /// A parameter that is NULL leaves its column as it is.
    UPDATE_ROW: Changes { id: UUID, name: TEXT, config: JSONB, enabled: BOOL } =
        "UPDATE hftok_private.integrations SET name = coalesce($name, name), config = coalesce($config, config),
        enabled = coalesce($enabled, enabled), updated_at = pg_catalog.now() WHERE id = $id
        RETURNING hftok_private.state_of_integration(integrations)";

    /// A backend's word about it.
    STATUS_ROW(UUID, TEXT, TEXT) =
        "UPDATE hftok_private.integrations SET status = $2, error_message = pg_catalog.left($3, 1000),
        last_used_at = CASE WHEN $2 = 'connected' THEN pg_catalog.now() ELSE last_used_at END,
        last_verified_at = CASE WHEN $2 = 'connected' THEN pg_catalog.now() ELSE last_verified_at END,
        last_tested_at = CASE WHEN $2 IN ('pending', 'disabled') THEN last_tested_at ELSE pg_catalog.now() END,
        updated_at = pg_catalog.now() WHERE id = $1
        RETURNING hftok_private.state_of_integration(integrations)";

    /// An integration that the backend switched off stays so.
    RENEW_ROW(UUID) =
        "UPDATE hftok_private.integrations SET
        status = CASE status WHEN 'disabled' THEN status ELSE 'pending' END,
        error_message = CASE status WHEN 'disabled' THEN error_message END,
        last_verified_at = NULL, last_tested_at = '-infinity', updated_at = pg_catalog.now() WHERE id = $1
        RETURNING id, org_id IS NOT NULL, coalesce(org_id, user_id), type, status,
            hftok_private.state_of_integration(integrations)";

    /// The outcome of a test, told by whoever made it.
    REPORT_ROW(UUID, TEXT, TEXT) =
        "UPDATE hftok_private.integrations SET
        status = CASE $2 WHEN 'verified' THEN 'connected' ELSE 'error' END,
        error_message = CASE $2 WHEN 'verified' THEN NULL ELSE pg_catalog.left($3, 1000) END,
        last_used_at = CASE $2 WHEN 'verified' THEN pg_catalog.now() ELSE last_used_at END,
        last_verified_at = CASE $2 WHEN 'verified' THEN pg_catalog.now() ELSE last_verified_at END,
        last_tested_at = pg_catalog.now(), updated_at = pg_catalog.now()
        WHERE secret_id = $1 AND status <> 'disabled'
        RETURNING id, org_id IS NOT NULL, coalesce(org_id, user_id), type, status,
            hftok_private.state_of_integration(integrations)";

    /// Of one that is not being verified the answer says nothing.
    UNCLEAR_ROW(UUID, TEXT) =
        "UPDATE hftok_private.integrations SET status = 'pending', error_message = pg_catalog.left($2, 1000),
        last_tested_at = pg_catalog.now(), updated_at = pg_catalog.now()
        WHERE secret_id = $1 AND status = 'verifying'
        RETURNING id, org_id IS NOT NULL, coalesce(org_id, user_id), type, status,
            hftok_private.state_of_integration(integrations)";

    /// Sharing twice is sharing once.
    SHARE_ROW(UUID, TEXT) =
        "INSERT INTO hftok_private.integration_shares (integration_id, org_id) VALUES ($1, $2)
        ON CONFLICT DO NOTHING";

    /// Ends one share.
    UNSHARE_ROW(UUID, TEXT) =
        "DELETE FROM hftok_private.integration_shares WHERE integration_id = $1 AND org_id = $2";

    /// A member who leaves takes along what they shared.
    UNSHARE_ROWS(TEXT, TEXT) =
        "DELETE FROM hftok_private.integration_shares s USING hftok_private.integrations i
        WHERE s.org_id = $1 AND i.id = s.integration_id AND i.user_id = $2 RETURNING i.id, i.type";
}
