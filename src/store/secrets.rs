//! The table of all secrets.

use std::ffi::CStr;

use hftok_core::plaintext::{Plaintext, PlaintextRef};
use hftok_core::preview::preview;
use pgrx::datum::Uuid;
use pgrx::pg_sys::{BYTEAOID, INT4OID, TEXTOID, UUIDOID};

use super::data_keys;
use super::row::SealedRow;
use super::versions;
use crate::error::{Error, Object};
use crate::pg::sql::{Row, Run, Statement};

macro_rules! columns {
    () => {
        "s.id, s.version, s.scope, s.scope_id, s.provider, s.model, s.name, s.allowed_hosts, s.expires_at, \
         s.sealed, s.description, s.preview, s.fingerprint"
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

const INSERT: &CStr = c"INSERT INTO hftok_private.secrets
    (id, binding_key, scope, scope_id, provider, model, name, description, version, preview, fingerprint, sealed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (binding_key) DO NOTHING RETURNING 1";
const UPDATE: &CStr = c"UPDATE hftok_private.secrets SET
    binding_key = $2, name = $3, description = $4, preview = $5, fingerprint = $6, sealed = $7,
    sealed_at = CASE WHEN version = $8 THEN sealed_at ELSE pg_catalog.now() END,
    version = $8, updated_at = pg_catalog.now()
    WHERE id = $1";
const DESCRIBE: &CStr =
    c"UPDATE hftok_private.secrets SET description = $2, updated_at = pg_catalog.now() WHERE id = $1";
const NAMED: &CStr = c"SELECT 1 FROM hftok_private.secrets s WHERE s.binding_key = $1 AND s.id <> $2";
const DELETE: &CStr = c"DELETE FROM hftok_private.secrets WHERE id = $1 AND scope = 'vault'";

thread_local! {
    static FIND: Statement = const { Statement::new(select!("s.binding_key = $1"), &[UUIDOID]) };
    static LOCK: Statement = const { Statement::new(select!("s.binding_key = $1 FOR UPDATE"), &[UUIDOID]) };
    static LOCK_VAULT: Statement =
        const { Statement::new(select!("s.id = $1 AND s.scope = 'vault' FOR UPDATE"), &[UUIDOID]) };
    static INSERT_ROW: Statement = const { Statement::new(INSERT, &[
        UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, TEXTOID, BYTEAOID, BYTEAOID,
    ]) };
    static UPDATE_ROW: Statement = const { Statement::new(UPDATE, &[
        UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, BYTEAOID, BYTEAOID, INT4OID,
    ]) };
    static DESCRIBE_ROW: Statement = const { Statement::new(DESCRIBE, &[UUIDOID, TEXTOID]) };
    static FIND_NAMED: Statement = const { Statement::new(NAMED, &[UUIDOID, UUIDOID]) };
    static DELETE_ROW: Statement = const { Statement::new(DELETE, &[UUIDOID]) };
}

/// A secret with its current version.
pub struct Secret {
    /// The sealed value and what it is bound to.
    pub row: SealedRow,
    /// Free text, not bound.
    pub description: String,
    preview: String,
    fingerprint: Vec<u8>,
}

impl Secret {
    /// A new secret of the operator, not yet stored and not yet holding a value.
    pub fn new_vault(name: &str, description: &str) -> Result<Self, Error> {
        let row = SealedRow {
            id: random_id()?,
            version: 0,
            scope: "vault".into(),
            scope_id: String::new(),
            provider: String::new(),
            model: String::new(),
            name: name.into(),
            allowed_hosts: None,
            expires_at: None,
            sealed: Vec::new(),
        };
        Ok(Self { row, description: description.into(), preview: String::new(), fingerprint: Vec::new() })
    }

    /// The secret found under this binding.
    pub fn find(binding_key: Uuid) -> Result<Option<Self>, Error> {
        Ok(FIND.read(&[binding_key.into()], Self::read)?.pop())
    }

    /// The same, locked until the transaction ends.
    pub fn lock(binding_key: Uuid) -> Result<Option<Self>, Error> {
        Ok(LOCK.write(&[binding_key.into()], Self::read)?.pop())
    }

    /// A secret of the operator by its id, locked until the transaction ends.
    pub fn lock_vault(id: Uuid) -> Result<Self, Error> {
        LOCK_VAULT.write(&[id.into()], Self::read)?.pop().ok_or(Error::NotFound(Object::Secret(id)))
    }

    /// Gives the secret a value as its next version. Not stored yet.
    pub fn set_value(&mut self, value: &PlaintextRef<'_>) -> Result<(), Error> {
        self.row.version = self.row.version.checked_add(1).ok_or(Error::Internal("no version is left"))?;
        self.preview = preview(value);
        self.fingerprint = data_keys::fingerprinting(|key| key.fingerprint(value))?.to_vec();
        self.row.seal(value)
    }

    /// Binds the secret to another name. The value stays, sealed anew because the name is sealed with it.
    pub fn rename(&mut self, name: &str) -> Result<(), Error> {
        let value: Plaintext = self.row.open()?;
        name.clone_into(&mut self.row.name);
        self.row.seal(&value.as_ref())
    }

    /// Stores a new secret; `false` when its binding is taken.
    pub fn insert(&self) -> Result<bool, Error> {
        let row = &self.row;
        let inserted = INSERT_ROW.execute(&[
            row.id.into(),
            self.binding_key()?.into(),
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
        ])?;
        Ok(inserted > 0)
    }

    /// Stores what was changed since the secret was locked. `former` is the version it had: another one is kept as
    /// a previous version first.
    pub fn update(&self, former: i32) -> Result<(), Error> {
        let row = &self.row;
        if !FIND_NAMED.read(&[self.binding_key()?.into(), row.id.into()], |_| Ok(()))?.is_empty() {
            return Err(Error::Exists { name: row.name.clone() });
        }
        if row.version != former {
            versions::keep(row.id)?;
        }
        UPDATE_ROW.execute(&[
            row.id.into(),
            self.binding_key()?.into(),
            row.name.as_str().into(),
            self.description.as_str().into(),
            self.preview.as_str().into(),
            self.fingerprint.as_slice().into(),
            row.sealed.as_slice().into(),
            row.version.into(),
        ])?;
        Ok(())
    }

    /// Stores the description alone, which needs no key.
    pub fn update_description(&self) -> Result<(), Error> {
        DESCRIBE_ROW.execute(&[self.row.id.into(), self.description.as_str().into()])?;
        Ok(())
    }

    fn binding_key(&self) -> Result<Uuid, Error> {
        self.row.binding_key().ok_or(Error::Internal("a secret has no binding"))
    }

    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            row: SealedRow {
                id: row.must(1)?,
                version: row.must(2)?,
                scope: row.must(3)?,
                scope_id: row.must(4)?,
                provider: row.must(5)?,
                model: row.must(6)?,
                name: row.must(7)?,
                allowed_hosts: row.get(8),
                expires_at: row.get(9),
                sealed: row.must(10)?,
            },
            description: row.must(11)?,
            preview: row.must(12)?,
            fingerprint: row.must(13)?,
        })
    }
}

/// Deletes a secret of the operator with all its versions; `false` when there is none of this id.
pub fn delete_vault(id: Uuid) -> Result<bool, Error> {
    Ok(DELETE_ROW.execute(&[id.into()])? > 0)
}

/// A random UUID of version 4.
fn random_id() -> Result<Uuid, Error> {
    let mut bytes: [u8; 16] = hftok_core::random()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Ok(Uuid::from_bytes(bytes))
}
