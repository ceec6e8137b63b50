//! Storing a new secret without SQL, which would take several times as long to begin and end as the row and its index entries.
//!
//! What must stay true: the row, its event and what its triggers do are those of the statement in `secrets.rs`, which stores
//! whatever this does not.

use hftok_core::audit::state::SecretState;
use hftok_core::binding::Scope;
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use super::row::{SealedRow, microseconds};
use super::{levels, shape};
use crate::error::Error;
use crate::pg::server::transaction;

/// The number of the column by which secrets are told apart.
const BINDING_KEY: i16 = 2;
/// Roles are noted by a trigger that fires after the row.
const ROLE: &str = "role:";
/// The version of a row that is new.
const OLDEST: i32 = 1;

/// The end of an insertion.
pub enum Inserted {
    /// SQL has to do it.
    NotHere,
    /// Another secret has the binding.
    Taken,
    /// The secret is stored, in this state.
    Stored([u8; 32]),
}

/// A secret on its way into the table.
pub struct NewSecret<'a> {
    /// The sealed value and what it is bound to.
    pub row: &'a SealedRow,
    /// The key of its binding.
    pub binding_key: Uuid,
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
    /// Stores it if the table is as we made it.
    pub fn insert(&self) -> Result<Inserted, Error> {
        let (row, binding_key) = (self.row, self.binding_key);
        let Some(scope) = Scope::parse(&row.scope).filter(|_| !row.scope_id.starts_with(ROLE)) else {
            return Ok(Inserted::NotHere);
        };
        let on_unusable = if self.may_continue { "continue" } else { "stop" };
        let state = SecretState {
            binding_key: *binding_key.as_bytes(),
            version: row.version,
            oldest_version: OLDEST,
            is_enabled: true,
            expires_at: row.expires_at.map(microseconds),
            on_unusable,
            allowed_hosts: row.allowed_hosts.as_deref(),
            verdict: None,
            label: self.label,
            description: self.description,
        };
        let Some(state) = state.digest() else { return Ok(Inserted::NotHere) };
        let Some((secrets, table)) = shape::table_as_made()? else { return Ok(Inserted::NotHere) };
        // A mask is kept by a trigger, which fires together with the one that notes the kind.
        let has_mask = scope == Scope::User && row.model.is_empty();
        if !has_mask {
            levels::note(secrets, scope, !row.model.is_empty())?;
        }
        let now = TimestampWithTimeZone::try_from(transaction::begun())
            .map_err(|_| Error::Internal("the clock is out of range"))?;
        let values = [
            row.id.into(),
            binding_key.into(),
            row.scope.as_str().into(),
            row.scope_id.as_str().into(),
            row.provider.as_str().into(),
            row.model.as_str().into(),
            row.name.as_str().into(),
            self.description.into(),
            self.label.into(),
            true.into(),
            on_unusable.into(),
            row.allowed_hosts.clone().into(),
            row.expires_at.into(),
            row.version.into(),
            OLDEST.into(),
            self.preview.into(),
            self.warnings.to_vec().into(),
            None::<&str>.into(),
            None::<&str>.into(),
            0_i32.into(),
            None::<TimestampWithTimeZone>.into(),
            self.fingerprint.into(),
            row.sealed.as_slice().into(),
            now.into(),
            now.into(),
            now.into(),
        ];
        let is_added = table.add(values, BINDING_KEY, has_mask)?;
        Ok(if is_added { Inserted::Stored(state) } else { Inserted::Taken })
    }
}
