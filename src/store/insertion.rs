//! Storing a new secret, where it can be without SQL, which would take several times as long to begin and end as the row and its
//! index entries.
//!
//! What must stay true: the row, its event and what its triggers do are the same both ways. Both list the columns in the order of
//! the table.

use hftok_core::audit::state::SecretState;
use hftok_core::binding::Scope;
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use super::row::{SealedRow, microseconds};
use super::{levels, shape};
use crate::error::Error;
use crate::pg::rows::declared::statement;
use crate::pg::rows::new_row::Rival;
use crate::pg::rows::sql::Run;
use crate::pg::server::transaction;

/// The number of the column by which secrets are told apart.
const BINDING_KEY: i16 = 2;
/// The columns by which masks are told apart: the user and the service.
const WHOSE_MASK: [i16; 2] = [2, 3];
/// Roles are noted by a trigger that fires after the row.
const ROLE: &str = "role:";
/// The version of a row that is new.
const OLDEST: i32 = 1;

/// A hash over all that the audit vouches for, where a secret was stored; `None` where another one has the binding.
type Stored = Option<[u8; 32]>;

/// A secret on its way into the table.
pub struct NewSecret<'a> {
    /// The sealed value and what it is bound to.
    pub row: &'a SealedRow,
    /// The key of its binding.
    pub binding_key: Uuid,
    /// Its place among the keys of one owner for one use.
    pub position: i32,
    /// Free text of a named secret.
    pub description: &'a str,
    /// The name that the owner of a credential gave it.
    pub label: &'a str,
    /// Whether the walk goes on when it cannot be used.
    pub may_continue: bool,
    /// Doubts about the value.
    pub warnings: &'a [String],
    /// As masked as it will ever be shown.
    pub preview: &'a str,
    /// Equal values have equal ones, under one key.
    pub fingerprint: &'a [u8],
}

impl NewSecret<'_> {
    /// Stores it.
    pub fn insert(&self, rival: Rival) -> Result<Stored, Error> {
        match self.insert_directly(rival)? {
            Some(stored) => Ok(stored),
            None => self.insert_by_statement(),
        }
    }

    /// Whether the walk goes on when it cannot be used, as the table says it.
    fn on_unusable(&self) -> &'static str {
        if self.may_continue { "continue" } else { "stop" }
    }

    /// Stores it if the table is as we made it, or leaves it to SQL.
    fn insert_directly(&self, rival: Rival) -> Result<Option<Stored>, Error> {
        let row = self.row;
        let Some(scope) = Scope::parse(&row.scope).filter(|_| !row.scope_id.starts_with(ROLE)) else {
            return Ok(None);
        };
        let state = SecretState {
            binding_key: *self.binding_key.as_bytes(),
            version: row.version,
            oldest_version: OLDEST,
            position: self.position,
            is_enabled: true,
            expires_at: row.expires_at.map(microseconds),
            on_unusable: self.on_unusable(),
            allowed_hosts: row.allowed_hosts.as_deref(),
            verdict: None,
            label: self.label,
            description: self.description,
        };
        let Some(state) = state.digest() else { return Ok(None) };
        let Some((secrets, table)) = shape::secrets_as_made()? else { return Ok(None) };
        let now = TimestampWithTimeZone::try_from(transaction::begun())
            .map_err(|_| Error::Internal("the clock is out of range"))?;
        // A trigger that has to keep the mask fires together with the one that notes the kind.
        let has_mask = scope == Scope::User && row.model.is_empty() && row.slot.is_empty();
        let fires_before = has_mask && !self.add_mask(now)?;
        if !fires_before {
            levels::note(secrets, scope, !row.model.is_empty(), !row.slot.is_empty())?;
        }
        let values = [
            row.id.into(),
            self.binding_key.into(),
            row.version.into(),
            OLDEST.into(),
            self.position.into(),
            0_i32.into(),
            now.into(),
            now.into(),
            now.into(),
            true.into(),
            row.scope.as_str().into(),
            row.scope_id.as_str().into(),
            row.provider.as_str().into(),
            row.model.as_str().into(),
            row.name.as_str().into(),
            row.slot.as_str().into(),
            row.kind.as_str().into(),
            self.on_unusable().into(),
            row.sealed.as_slice().into(),
            self.preview.into(),
            row.allowed_hosts.clone().into(),
            row.expires_at.into(),
            None::<&str>.into(),
            None::<TimestampWithTimeZone>.into(),
            self.fingerprint.into(),
            self.label.into(),
            self.description.into(),
            self.warnings.to_vec().into(),
            None::<&str>.into(),
            None::<TimestampWithTimeZone>.into(),
        ];
        let is_added = table.add(values, &[BINDING_KEY], rival, fires_before)?;
        Ok(Some(is_added.then_some(state)))
    }

    /// Adds the row that shows the mask, as the trigger `inserted` does it; `false` leaves that to the trigger: where the table is not as
    /// we made it, and where a row is there, which it would change.
    fn add_mask(&self, now: TimestampWithTimeZone) -> Result<bool, Error> {
        let SealedRow { id, scope_id, provider, .. } = self.row;
        if scope_id.is_empty() || provider.is_empty() || !self.preview.contains('•') {
            return Ok(false);
        }
        let Some((_, masks)) = shape::masks_as_made()? else { return Ok(false) };
        let values = [
            (*id).into(),
            scope_id.as_str().into(),
            provider.as_str().into(),
            self.preview.into(),
            now.into(),
            now.into(),
        ];
        masks.add(values, &WHOSE_MASK, Rival::Likely, false)
    }

    /// The same by SQL.
    fn insert_by_statement(&self) -> Result<Stored, Error> {
        let row = self.row;
        let new = NewRow {
            id: row.id.into(),
            binding_key: self.binding_key.into(),
            scope: row.scope.as_str().into(),
            scope_id: row.scope_id.as_str().into(),
            provider: row.provider.as_str().into(),
            model: row.model.as_str().into(),
            name: row.name.as_str().into(),
            slot: row.slot.as_str().into(),
            kind: row.kind.as_str().into(),
            position: self.position.into(),
            description: self.description.into(),
            label: self.label.into(),
            on_unusable: self.on_unusable().into(),
            allowed_hosts: row.allowed_hosts.clone().into(),
            expires_at: row.expires_at.into(),
            version: row.version.into(),
            preview: self.preview.into(),
            warnings: self.warnings.to_vec().into(),
            fingerprint: self.fingerprint.into(),
            sealed: row.sealed.as_slice().into(),
        };
        let state: Option<Vec<u8>> = INSERT_ROW.write_one(&new.in_order(), |row| row.next())?;
        let hash = |state: Vec<u8>| state.try_into().map_err(|_| Error::Internal("a state is no hash"));
        state.map(hash).transpose()
    }
}

statement! {
    /// Gives the same hash.
    INSERT_ROW: NewRow {
        id: UUID, binding_key: UUID, scope: TEXT, scope_id: TEXT, provider: TEXT, model: TEXT, name: TEXT,
        slot: TEXT, kind: TEXT, position: INT4, description: TEXT, label: TEXT, on_unusable: TEXT, allowed_hosts: TEXTARRAY, expires_at: TIMESTAMPTZ,
        version: INT4, preview: TEXT, warnings: TEXTARRAY, fingerprint: BYTEA, sealed: BYTEA,
    } =
        "INSERT INTO hftok_private.secrets
        (id, binding_key, scope, scope_id, provider, model, name,
         slot, kind, position, description, label, on_unusable, allowed_hosts, expires_at,
         version, preview, warnings, fingerprint, sealed)
        VALUES ($id, $binding_key, $scope, $scope_id, $provider, $model, $name,
         $slot, $kind, $position, $description, $label, $on_unusable, $allowed_hosts, $expires_at,
         $version, $preview, $warnings, $fingerprint, $sealed)
        ON CONFLICT (binding_key) DO NOTHING RETURNING hftok_private.state_of(secrets)";
}
