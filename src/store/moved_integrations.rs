//! Integrations that were made elsewhere, and keep what they had there.

use hftok_core::audit::event::Object;
use hftok_core::binding::Scope;
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use crate::audit::changes;
use crate::error::Error;
use crate::pg::call::json::Jsonb;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;

/// An integration of another table.
pub struct Moved<'a> {
    /// Its id there, and here.
    pub id: Uuid,
    /// The kind of its owner.
    pub scope: Scope,
    /// Its owner.
    pub owner: &'a str,
    /// The owner's name for it.
    pub name: &'a str,
    /// The provider.
    pub kind: &'a str,
    /// Settings that the application keeps with it.
    pub config: Option<Jsonb>,
    /// The state that the backend reported last.
    pub status: &'a str,
    /// Whether its owner wants it used.
    pub is_enabled: bool,
    /// When it was made; now, when that is not known.
    pub created_at: Option<TimestampWithTimeZone>,
}

impl Moved<'_> {
    /// Stores it with credentials that are stored already; `false` when its id is taken.
    pub fn insert(self, secret_id: Uuid) -> Result<bool, Error> {
        let Self { id, scope, owner, kind, .. } = self;
        let new = NewRow {
            id: id.into(),
            user: (!scope.is_of_org()).then_some(owner).into(),
            org: scope.is_of_org().then_some(owner).into(),
            name: self.name.into(),
            kind: kind.into(),
            config: self.config.into(),
            status: self.status.into(),
            enabled: self.is_enabled.into(),
            created_at: self.created_at.into(),
            secret_id: secret_id.into(),
        };
        let told = INSERT_ROW.write_one(&new.in_order(), |row| {
            let state: Vec<u8> = row.next()?;
            let object = Object::owned(scope.as_str(), owner, kind);
            changes::record(Object { id: Some(*id.as_bytes()), digest: Some(&state), ..object })
        })?;
        Ok(told.is_some())
    }
}

statement! {
    /// Gives what the audit fingerprints.
    INSERT_ROW: NewRow {
        id: UUID, user: TEXT, org: TEXT, name: TEXT, kind: TEXT, config: JSONB, status: TEXT, enabled: BOOL,
        created_at: TIMESTAMPTZ, secret_id: UUID,
    } =
        "INSERT INTO hftok_private.integrations
        (id, user_id, org_id, name, type, config, status, enabled, created_at, secret_id, credentials_migrated)
        VALUES ($id, $user, $org, $name, $kind, coalesce($config, '{}'), $status, $enabled,
            coalesce($created_at, pg_catalog.now()), $secret_id, true)
        ON CONFLICT (id) DO NOTHING RETURNING hftok_private.state_of_integration(integrations)";
}
