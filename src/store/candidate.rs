//! A secret as the walk sees it: read by the one unique key, without SQL where that can be.

use std::ffi::CStr;

use hftok_core::binding::Binding;
use pgrx::datum::{TimestampWithTimeZone, Uuid};
use pgrx::pg_sys::UUIDOID;

use super::known::{self, Table};
use super::row::SealedRow;
use crate::error::Error;
use crate::pg::scan::{self, Found};
use crate::pg::session;
use crate::pg::sql::{Row, Run, Statement};

const FIND: &CStr = c"SELECT s.id, s.version, s.scope, s.scope_id, s.provider, s.model, s.name, s.allowed_hosts, s.expires_at,
    s.sealed, s.preview, s.enabled, s.on_unusable, s.verdict
    FROM hftok_private.secrets s WHERE s.binding_key = $1";

thread_local! {
    static FIND_ROW: Statement = const { Statement::new(FIND, &[UUIDOID]) };
}

/// A secret that may be the one to use.
pub struct Candidate {
    /// The sealed value and what it is bound to.
    pub row: SealedRow,
    /// What may be shown of the value.
    pub preview: String,
    /// Whether it may be used.
    pub is_enabled: bool,
    /// Whether the walk goes on when it cannot be used.
    pub may_continue: bool,
    /// The provider refused it.
    pub is_invalid: bool,
    /// Its time is over.
    pub is_expired: bool,
}

impl Candidate {
    /// The secret with this binding, which is an address of its own.
    pub fn find(binding: &Binding<'_>) -> Result<Option<Self>, Error> {
        let known = known::known()?;
        if !known.may_have(binding.scope, !binding.model.is_empty()) {
            return Ok(None);
        }
        // The id counts only for a secret that has no address.
        let binding_key = Uuid::from_bytes(binding.key(&[0; 16]));
        let found = match &known.table {
            Some(table) => scan::find(table.table, table.index, binding_key, table.last, |row| {
                Self::scanned(table, row)
            })?,
            None => FIND_ROW.read(&[binding_key.into()], Self::selected)?.pop(),
        };
        // That a row was found under a binding does not yet make it the one that is bound so.
        match found {
            Some(found) if found.row.context().is_none_or(|context| context.binding != *binding) => {
                Err(found.row.damaged())
            }
            found => Ok(found),
        }
    }

    fn scanned(table: &Table, row: &Found<'_>) -> Result<Self, Error> {
        let [
            id,
            version,
            scope,
            scope_id,
            provider,
            model,
            name,
            hosts,
            end,
            sealed,
            preview,
            enabled,
            unusable,
            verdict,
        ] = table.columns;
        Ok(Self::new(
            SealedRow {
                id: row.must(id)?,
                version: row.must(version)?,
                scope: row.must(scope)?,
                scope_id: row.must(scope_id)?,
                provider: row.must(provider)?,
                model: row.must(model)?,
                name: row.must(name)?,
                allowed_hosts: row.get(hosts),
                expires_at: row.get(end),
                sealed: row.must(sealed)?,
            },
            row.must(preview)?,
            row.must(enabled)?,
            row.must(unusable)?,
            row.get(verdict),
        ))
    }

    fn selected(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self::new(
            SealedRow::read(row)?,
            row.must(11)?,
            row.must(12)?,
            row.must::<String>(13)?.as_str(),
            row.get::<String>(14).as_deref(),
        ))
    }

    fn new(
        row: SealedRow,
        preview: String,
        is_enabled: bool,
        on_unusable: &str,
        verdict: Option<&str>,
    ) -> Self {
        let is_over = |end: TimestampWithTimeZone| end.into_inner() <= session::now();
        Self {
            is_expired: row.expires_at.is_some_and(is_over),
            row,
            preview,
            is_enabled,
            may_continue: on_unusable == "continue",
            is_invalid: verdict == Some("invalid"),
        }
    }
}
