//! The table of all secrets.

use std::ffi::CStr;

use hftok_core::audit::event::Object;
use hftok_core::binding::{Binding, Scope};
use hftok_core::plaintext::{Plaintext, PlaintextRef};
use hftok_core::preview::preview;
use pgrx::datum::Uuid;
use pgrx::pg_sys::{BOOLOID, BYTEAOID, INT4OID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};

use super::insertion::{Inserted, NewSecret};
use super::row::SealedRow;
use super::versions;
use crate::audit::changes;
use crate::error::{self, Error};
use crate::keys::data_keys;
use crate::pg::rows::columns::Row;
use crate::pg::rows::sql::{Run, Statement};
use crate::pg::rows::texts::Texts;
use crate::settings;

/// The columns that [`Secret::read`] takes, in its order.
macro_rules! columns {
    () => {
        "s.id, s.version, s.scope, s.scope_id, s.provider, s.model, s.name, s.allowed_hosts, s.expires_at, \
         s.sealed, s.description, s.preview, s.fingerprint, s.label, s.enabled, s.on_unusable = 'continue', \
         s.warnings"
    };
}

/// A statement on the columns of a secret.
macro_rules! select {
    ($rest:literal) => {
        match CStr::from_bytes_with_nul(
            concat!("SELECT ", columns!(), " FROM hftok_private.secrets s WHERE ", $rest, "\0").as_bytes(),
        ) {
            Ok(text) => text,
            Err(_) => c"",
        }
    };
}

/// Gives what the audit fingerprints.
const INSERT: &CStr = c"INSERT INTO hftok_private.secrets
    (id, binding_key, scope, scope_id, provider, model, name, description, version, preview, fingerprint, sealed,
     label, on_unusable, allowed_hosts, expires_at, warnings)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
     CASE WHEN $14 THEN 'continue' ELSE 'stop' END, $15, $16, $17)
    ON CONFLICT (binding_key) DO NOTHING RETURNING hftok_private.state_of(secrets)";
/// Another version is another value: what was said of the former one is no longer true.
const UPDATE: &CStr = c"UPDATE hftok_private.secrets SET
    binding_key = $2, name = $3, description = $4, preview = $5, fingerprint = $6, sealed = $7,
    sealed_at = CASE WHEN version = $8 THEN sealed_at ELSE pg_catalog.now() END,
    verdict = CASE WHEN version = $8 THEN verdict END,
    verdict_message = CASE WHEN version = $8 THEN verdict_message END,
    refusals = CASE WHEN version = $8 THEN refusals ELSE 0 END,
    last_verified_at = CASE WHEN version = $8 THEN last_verified_at END,
    oldest_version = CASE WHEN version = $8 THEN oldest_version ELSE greatest(oldest_version, $8 - $14) END,
    version = $8, updated_at = pg_catalog.now(),
    label = $9, on_unusable = CASE WHEN $10 THEN 'continue' ELSE 'stop' END, allowed_hosts = $11, expires_at = $12,
    warnings = $13
    WHERE id = $1 RETURNING hftok_private.state_of(secrets)";
/// The description alone, which needs no key.
const DESCRIBE: &CStr = c"UPDATE hftok_private.secrets SET description = $2, updated_at = pg_catalog.now()
    WHERE id = $1 RETURNING hftok_private.state_of(secrets)";
/// Whether a name is another's.
const NAMED: &CStr = c"SELECT 1 FROM hftok_private.secrets s WHERE s.binding_key = $1 AND s.id <> $2";
/// By id, within a scope: an id of another scope is not there.
const DELETE: &CStr = c"DELETE FROM hftok_private.secrets WHERE id = $1 AND scope = $2
    RETURNING id, scope, scope_id, provider, version";
/// By binding.
const DELETE_BOUND: &CStr = c"DELETE FROM hftok_private.secrets WHERE binding_key = $1
    RETURNING id, scope, scope_id, provider, version";
/// A report that changes nothing but the time of the last look is no event.
const REPORT: &CStr = c"WITH former AS (
        SELECT s.id, s.verdict FROM hftok_private.secrets s
        WHERE s.id = $1 AND s.scope <> 'vault' AND ($4 IS NULL OR s.version = $4) FOR UPDATE
    )
    UPDATE hftok_private.secrets s SET
    refusals = CASE $2 WHEN 'verified' THEN 0 WHEN 'invalid' THEN s.refusals + 1 ELSE s.refusals END,
    verdict = CASE $2
        WHEN 'verified' THEN 'verified'
        WHEN 'invalid' THEN CASE WHEN s.verdict = 'verified' AND s.refusals = 0 THEN 'verified' ELSE 'invalid' END
        ELSE s.verdict END,
    verdict_message = CASE $2 WHEN 'verified' THEN NULL WHEN 'invalid' THEN pg_catalog.left($3, 1000)
        ELSE s.verdict_message END,
    last_verified_at = CASE WHEN $2 = 'verified' THEN pg_catalog.now() ELSE s.last_verified_at END
    FROM former WHERE s.id = former.id
    RETURNING s.id, s.scope, s.scope_id, s.provider, s.version, hftok_private.state_of(s),
    s.verdict IS DISTINCT FROM former.verdict, s.verdict";

thread_local! {
    static LOCK: Statement = const { Statement::new(select!("s.binding_key = $1 FOR UPDATE"), &[UUIDOID]) };
    static LOCK_VAULT: Statement =
        const { Statement::new(select!("s.id = $1 AND s.scope = 'vault' FOR UPDATE"), &[UUIDOID]) };
    static INSERT_ROW: Statement = const { Statement::new(INSERT, &[
        UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, TEXTOID, BYTEAOID, BYTEAOID,
        TEXTOID, BOOLOID, TEXTARRAYOID, TIMESTAMPTZOID, TEXTARRAYOID,
    ]) };
    static UPDATE_ROW: Statement = const { Statement::new(UPDATE, &[
        UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, BYTEAOID, BYTEAOID, INT4OID,
        TEXTOID, BOOLOID, TEXTARRAYOID, TIMESTAMPTZOID, TEXTARRAYOID, INT4OID,
    ]) };
    static DESCRIBE_ROW: Statement = const { Statement::new(DESCRIBE, &[UUIDOID, TEXTOID]) };
    static FIND_NAMED: Statement = const { Statement::new(NAMED, &[UUIDOID, UUIDOID]) };
    static DELETE_ROW: Statement = const { Statement::new(DELETE, &[UUIDOID, TEXTOID]) };
    static DELETE_BOUND_ROW: Statement = const { Statement::new(DELETE_BOUND, &[UUIDOID]) };
    static REPORT_ROW: Statement = const { Statement::new(REPORT, &[UUIDOID, TEXTOID, TEXTOID, INT4OID]) };
    static FIND_ID: Statement = const { Statement::new(select!("s.id = $1"), &[UUIDOID]) };
    static LOCK_ID: Statement = const { Statement::new(select!("s.id = $1 FOR UPDATE"), &[UUIDOID]) };
}

/// A secret with its current version.
pub struct Secret {
    /// The sealed value and what it is bound to.
    pub row: SealedRow,
    /// Free text of a named secret.
    pub description: String,
    /// The name that the owner of a credential gave it.
    pub label: String,
    /// Whether it may be used.
    pub is_enabled: bool,
    /// Whether the walk goes on when it cannot be used.
    pub may_continue: bool,
    /// Doubts about the value.
    pub warnings: Vec<String>,
    /// As masked as it will ever be shown.
    preview: String,
    /// Equal values have equal ones, under one key.
    fingerprint: Vec<u8>,
}

impl Secret {
    /// A new secret with this binding, not yet stored and not yet holding a value.
    pub fn new(binding: &Binding<'_>) -> Result<Self, Error> {
        let row = SealedRow {
            id: random_id()?,
            version: 0,
            scope: binding.scope.as_str().into(),
            scope_id: binding.scope_id.into(),
            provider: binding.provider.into(),
            model: binding.model.into(),
            name: binding.name.into(),
            allowed_hosts: None,
            expires_at: None,
            sealed: Vec::new(),
        };
        Ok(Self {
            row,
            description: String::new(),
            label: String::new(),
            is_enabled: true,
            may_continue: false,
            warnings: Vec::new(),
            preview: String::new(),
            fingerprint: Vec::new(),
        })
    }

    /// The part of the value that may be shown.
    pub fn preview(&self) -> &str {
        &self.preview
    }

    /// The secret found under this binding, locked until the transaction ends.
    pub fn lock(binding_key: Uuid) -> Result<Option<Self>, Error> {
        LOCK.write(&[binding_key.into()], Self::read)?.pop().map(|found| found.at(binding_key)).transpose()
    }

    /// A row that was found under a binding need not be the one that is bound so.
    fn at(self, binding_key: Uuid) -> Result<Self, Error> {
        if self.row.binding_key() == Some(binding_key) { Ok(self) } else { Err(self.row.damaged()) }
    }

    /// A secret by its id.
    pub fn find_id(id: Uuid) -> Result<Option<Self>, Error> {
        Ok(FIND_ID.read(&[id.into()], Self::read)?.pop())
    }

    /// A secret by its id, locked until the transaction ends.
    pub fn lock_id(id: Uuid) -> Result<Option<Self>, Error> {
        Ok(LOCK_ID.write(&[id.into()], Self::read)?.pop())
    }

    /// A secret of the operator by its id, locked until the transaction ends.
    pub fn lock_vault(id: Uuid) -> Result<Self, Error> {
        LOCK_VAULT.write(&[id.into()], Self::read)?.pop().ok_or(Error::NotFound(error::Object::Secret(id)))
    }

    /// Gives the secret a value as its next version. Not stored yet.
    pub fn set_value(&mut self, value: &PlaintextRef<'_>) -> Result<(), Error> {
        self.row.version = self.row.version.checked_add(1).ok_or(Error::Internal("no version is left"))?;
        self.preview = preview(value);
        self.fingerprint = data_keys::fingerprinting(|key| key.fingerprint(value))?.to_vec();
        self.row.seal(value)
    }

    /// Changes what the value is bound to. The value stays, and is sealed anew.
    pub fn rebind(&mut self, change: impl FnOnce(&mut SealedRow)) -> Result<(), Error> {
        let value: Plaintext = self.row.open()?;
        change(&mut self.row);
        self.row.seal(&value.as_ref())
    }

    /// Stores a new secret; `false` when its binding is taken.
    pub fn insert(&self) -> Result<bool, Error> {
        let binding_key = self.binding_key()?;
        let new = NewSecret {
            row: &self.row,
            binding_key,
            description: &self.description,
            label: &self.label,
            may_continue: self.may_continue,
            warnings: &self.warnings,
            preview: &self.preview,
            fingerprint: &self.fingerprint,
        };
        match new.insert()? {
            Inserted::NotHere => {}
            Inserted::Taken => return Ok(false),
            Inserted::Stored(state) => return self.record(&state).map(|()| true),
        }
        let row = &self.row;
        let parameters = [
            row.id.into(),
            binding_key.into(),
            row.scope.as_str().into(),
            row.scope_id.as_str().into(),
            row.provider.as_str().into(),
            row.model.as_str().into(),
            row.name.as_str().into(),
            self.description.as_str().into(),
            row.version.into(),
            self.preview.as_str().into(),
            self.fingerprint.as_slice().into(),
            row.sealed.as_slice().into(),
            self.label.as_str().into(),
            self.may_continue.into(),
            row.allowed_hosts.clone().into(),
            row.expires_at.into(),
            self.warnings.clone().into(),
        ];
        match INSERT_ROW.write(&parameters, |row| row.must::<Vec<u8>>(1))?.pop() {
            Some(state) => self.record(&state).map(|()| true),
            None => Ok(false),
        }
    }

    /// Fails when another secret has this binding: to be asked before storing one that was bound otherwise.
    pub fn admit_binding(&self) -> Result<(), Error> {
        match FIND_NAMED.read(&[self.binding_key()?.into(), self.row.id.into()], |_| Ok(()))?.as_slice() {
            [] => Ok(()),
            _ => Err(Error::Exists { name: self.row.name.clone() }),
        }
    }

    /// Stores what was changed since the secret was locked. `former` is the version it had: another one is kept as
    /// a previous version first.
    pub fn update(&self, former: i32) -> Result<(), Error> {
        let row = &self.row;
        if row.version != former {
            versions::keep(row.id, former)?;
        }
        let parameters = [
            row.id.into(),
            self.binding_key()?.into(),
            row.name.as_str().into(),
            self.description.as_str().into(),
            self.preview.as_str().into(),
            self.fingerprint.as_slice().into(),
            row.sealed.as_slice().into(),
            row.version.into(),
            self.label.as_str().into(),
            self.may_continue.into(),
            row.allowed_hosts.clone().into(),
            row.expires_at.into(),
            self.warnings.clone().into(),
            settings::version_history().into(),
        ];
        UPDATE_ROW.write(&parameters, |row| self.record(&row.must::<Vec<u8>>(1)?)).map(|_| ())
    }

    /// Stores the description alone, which needs no key.
    pub fn update_description(&self) -> Result<(), Error> {
        let parameters = [self.row.id.into(), self.description.as_str().into()];
        DESCRIBE_ROW.write(&parameters, |row| self.record(&row.must::<Vec<u8>>(1)?)).map(|_| ())
    }

    /// Records that the secret is now in this state.
    fn record(&self, state: &[u8]) -> Result<(), Error> {
        changes::record(Object { digest: Some(state), ..self.row.object() })
    }

    /// A binding that cannot be computed is a row that was damaged.
    fn binding_key(&self) -> Result<Uuid, Error> {
        self.row.binding_key().ok_or(Error::Internal("a secret has no binding"))
    }

    /// In the order of `columns!`.
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            row: SealedRow::read(row)?,
            description: row.must(11)?,
            preview: row.must(12)?,
            fingerprint: row.must(13)?,
            label: row.must(14)?,
            is_enabled: row.must(15)?,
            may_continue: row.must(16)?,
            warnings: row.must::<Texts>(17)?.0,
        })
    }
}

/// Deletes a secret of this scope with all its versions; `false` when there is none of this id.
pub fn delete_of(scope: Scope, id: Uuid) -> Result<bool, Error> {
    Ok(!DELETE_ROW.write(&[id.into(), scope.as_str().into()], |row| record_row(row, None))?.is_empty())
}

/// Deletes the secret found under this binding with all its versions; `false` when there is none.
pub fn delete(binding_key: Uuid) -> Result<bool, Error> {
    Ok(!DELETE_BOUND_ROW.write(&[binding_key.into()], |row| record_row(row, None))?.is_empty())
}

/// Keeps what a provider said of a credential. One that was verified becomes invalid only by the second refusal.
/// Answers the verdict that credentials of an integration have now.
pub fn report(
    id: Uuid,
    verdict: &str,
    message: Option<&str>,
    version: Option<i32>,
) -> Result<Option<String>, Error> {
    let parameters = [id.into(), verdict.into(), message.into(), version.into()];
    let tell = |row: &Row<'_>| {
        if row.must(7)? {
            record_row(row, Some(6))?;
        }
        let is_integrations = row.must::<String>(2)? == Scope::Integration.as_str();
        Ok(row.get::<String>(8).filter(|_| is_integrations))
    };
    Ok(REPORT_ROW.write(&parameters, tell)?.pop().flatten())
}

/// Records a change of a row that was returned as id, scope, owner, provider, version; its new state is in another column,
/// or there is none any more.
fn record_row(row: &Row<'_>, state: Option<i32>) -> Result<(), Error> {
    let (id, version): (Uuid, i32) = (row.must(1)?, row.must(5)?);
    let (scope, owner, provider): (String, String, String) = (row.must(2)?, row.must(3)?, row.must(4)?);
    let state: Option<Vec<u8>> = state.and_then(|column| row.get(column));
    changes::record(Object {
        id: Some(*id.as_bytes()),
        version: Some(version),
        digest: state.as_deref(),
        ..Object::owned(&scope, &owner, &provider)
    })
}

/// A random UUID of version 4.
fn random_id() -> Result<Uuid, Error> {
    let mut bytes: [u8; 16] = hftok_core::random()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Ok(Uuid::from_bytes(bytes))
}
