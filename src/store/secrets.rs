//! The table of all secrets.

use hftok_core::audit::event::Object;
use hftok_core::binding::{Binding, Kind, Scope};
use hftok_core::plaintext::{Plaintext, PlaintextRef};
use hftok_core::preview::preview;
use pgrx::datum::Uuid;

use super::insertion::NewSecret;
use super::lookup::{Lookup, Sought};
use super::row::{SealedRow, sealed_row};
use super::versions;
use crate::audit::changes;
use crate::error::{self, Error};
use crate::keys::data_keys;
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::new_row::{self, Rival};
use crate::pg::rows::sql::Run;
use crate::pg::rows::texts::Texts;
use crate::settings;

/// A secret with its current version.
pub struct Secret {
    /// The sealed value and what it is bound to.
    pub row: SealedRow,
    /// Its place among the keys of one owner for one use.
    pub position: i32,
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
            slot: binding.slot.into(),
            kind: Kind::Static.as_str().into(),
            allowed_hosts: None,
            expires_at: None,
            sealed: Vec::new(),
        };
        Ok(Self {
            row,
            position: 0,
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
    pub fn lock(binding: &Binding<'_>) -> Result<Option<Self>, Error> {
        // Most that are saved are new, and to see that takes no statement.
        if new_row::is_usual() && Lookup::now()?.find(&Sought::perhaps(*binding), |_| Ok(()))?.is_none() {
            return Ok(None);
        }
        // The id counts only for a secret that has no address.
        let binding_key = Uuid::from_bytes(binding.key(&[0; 16]));
        LOCK.write_one(&[binding_key.into()], Self::read)?.map(|found| found.at(binding_key)).transpose()
    }

    /// A row that was found under a binding need not be the one that is bound so.
    fn at(self, binding_key: Uuid) -> Result<Self, Error> {
        if self.row.binding_key() == Some(binding_key) { Ok(self) } else { Err(self.row.damaged()) }
    }

    /// A secret by its id.
    pub fn find_id(id: Uuid) -> Result<Option<Self>, Error> {
        FIND_ID.read_one(&[id.into()], Self::read)
    }

    /// A secret by its id, locked until the transaction ends.
    pub fn lock_id(id: Uuid) -> Result<Option<Self>, Error> {
        LOCK_ID.write_one(&[id.into()], Self::read)
    }

    /// A secret of the operator by its id, locked until the transaction ends.
    pub fn lock_vault(id: Uuid) -> Result<Self, Error> {
        LOCK_VAULT.write_one(&[id.into()], Self::read)?.ok_or(Error::NotFound(error::Object::Secret(id)))
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

    /// Stores a new secret; `false` when another one has its binding.
    pub fn insert(&self, rival: Rival) -> Result<bool, Error> {
        let new = NewSecret {
            row: &self.row,
            binding_key: self.binding_key()?,
            position: self.position,
            description: &self.description,
            label: &self.label,
            may_continue: self.may_continue,
            warnings: &self.warnings,
            preview: &self.preview,
            fingerprint: &self.fingerprint,
        };
        match new.insert(rival)? {
            Some(state) => self.record(&state).map(|()| true),
            None => Ok(false),
        }
    }

    /// Fails when another secret has this binding: to be asked before storing one that was bound otherwise.
    pub fn admit_binding(&self) -> Result<(), Error> {
        match FIND_NAMED.read_one(&[self.binding_key()?.into(), self.row.id.into()], |_| Ok(()))? {
            None => Ok(()),
            Some(()) => Err(Error::Exists { name: self.row.name.clone() }),
        }
    }

    /// Stores what was changed since the secret was locked. `former` is the version it had: another one is kept as
    /// a previous version first.
    pub fn update(&self, former: i32) -> Result<(), Error> {
        let row = &self.row;
        if row.version != former {
            versions::keep(row.id, former)?;
        }
        let changed = ChangedRow {
            id: row.id.into(),
            binding_key: self.binding_key()?.into(),
            name: row.name.as_str().into(),
            position: self.position.into(),
            description: self.description.as_str().into(),
            preview: self.preview.as_str().into(),
            fingerprint: self.fingerprint.as_slice().into(),
            sealed: row.sealed.as_slice().into(),
            version: row.version.into(),
            label: self.label.as_str().into(),
            may_continue: self.may_continue.into(),
            allowed_hosts: row.allowed_hosts.clone().into(),
            expires_at: row.expires_at.into(),
            warnings: self.warnings.clone().into(),
            history: settings::version_history().into(),
        };
        UPDATE_ROW.write(&changed.in_order(), |row| self.record(&row.next::<Vec<u8>>()?)).map(|_| ())
    }

    /// Stores the description alone, which needs no key.
    pub fn update_description(&self) -> Result<(), Error> {
        let parameters = [self.row.id.into(), self.description.as_str().into()];
        DESCRIBE_ROW.write(&parameters, |row| self.record(&row.next::<Vec<u8>>()?)).map(|_| ())
    }

    /// Records that the secret is now in this state.
    fn record(&self, state: &[u8]) -> Result<(), Error> {
        changes::record(Object { digest: Some(state), ..self.row.object() })
    }

    /// A binding that cannot be computed is a row that was damaged.
    fn binding_key(&self) -> Result<Uuid, Error> {
        self.row.binding_key().ok_or(Error::Internal("a secret has no binding"))
    }

    /// In the order of `select!`.
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            row: SealedRow::read(row)?,
            position: row.next()?,
            description: row.next()?,
            preview: row.next()?,
            fingerprint: row.next()?,
            label: row.next()?,
            is_enabled: row.next()?,
            may_continue: row.next()?,
            warnings: row.next::<Texts>()?.0,
        })
    }
}

/// Deletes a secret of this scope with all its versions; `false` when there is none of this id.
pub fn delete_of(scope: Scope, id: Uuid) -> Result<bool, Error> {
    Ok(!DELETE_ROW
        .write(&[id.into(), scope.as_str().into()], |row| Changed::read(row)?.record(None))?
        .is_empty())
}

/// Deletes the secret found under this binding with all its versions; `false` when there is none.
pub fn delete(binding_key: Uuid) -> Result<bool, Error> {
    Ok(!DELETE_BOUND_ROW.write(&[binding_key.into()], |row| Changed::read(row)?.record(None))?.is_empty())
}

/// Keeps what a provider said of a credential. One that was verified becomes invalid only by the second refusal.
/// `rest` is for so many seconds. Answers the verdict that credentials of an integration have now.
pub fn report(
    id: Uuid,
    verdict: &str,
    message: Option<&str>,
    version: Option<i32>,
    rest: Option<i32>,
) -> Result<Option<String>, Error> {
    let told = Verdict {
        id: id.into(),
        verdict: verdict.into(),
        message: message.into(),
        version: version.into(),
        rest: rest.into(),
    };
    let tell = |row: &Row<'_>| {
        let changed = Changed::read(row)?;
        let (state, is_news): (Vec<u8>, bool) = (row.next()?, row.next()?);
        let verdict: Option<String> = row.next()?;
        if is_news {
            changed.record(Some(&state))?;
        }
        let is_of_integration = Scope::parse(&changed.scope).is_some_and(Scope::is_of_integration);
        Ok(is_of_integration.then(|| verdict.unwrap_or_default()))
    };
    Ok(REPORT_ROW.write_one(&told.in_order(), tell)?.flatten())
}

/// A row that a statement has changed or deleted, as the audit names it.
struct Changed {
    /// The secret.
    id: Uuid,
    /// The kind of its owner.
    scope: String,
    /// Its owner.
    owner: String,
    /// Its provider.
    provider: String,
    /// Its version.
    version: i32,
}

impl Changed {
    /// The columns id, scope, scope_id, provider and version.
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: row.next()?,
            scope: row.next()?,
            owner: row.next()?,
            provider: row.next()?,
            version: row.next()?,
        })
    }

    /// Records the change, with the row's new state if there still is a row.
    fn record(&self, state: Option<&[u8]>) -> Result<(), Error> {
        changes::record(Object {
            id: Some(*self.id.as_bytes()),
            version: Some(self.version),
            digest: state,
            ..Object::owned(&self.scope, &self.owner, &self.provider)
        })
    }
}

/// A random UUID of version 4.
fn random_id() -> Result<Uuid, Error> {
    let mut bytes: [u8; 16] = hftok_core::random()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Ok(Uuid::from_bytes(bytes))
}

/// A statement's beginning: the columns that [`Secret::read`] takes, in its order.
macro_rules! select {
    () => {
        concat!(
            "SELECT ",
            sealed_row!("s", "id"),
            ", s.position, s.description, s.preview, s.fingerprint, s.label, s.enabled, s.on_unusable = 'continue', s.warnings
            FROM hftok_private.secrets s WHERE "
        )
    };
}

statement! {
    /// By its binding, for whoever changes it.
    LOCK(UUID) = select!(), "s.binding_key = $1 FOR UPDATE";

    /// One of the operator's, for whoever changes it.
    LOCK_VAULT(UUID) = select!(), "s.id = $1 AND s.scope = 'vault' FOR UPDATE";

    /// Another version is another value: what was said of the former one is no longer true.
    UPDATE_ROW: ChangedRow {
        id: UUID, binding_key: UUID, name: TEXT, position: INT4, description: TEXT, preview: TEXT, fingerprint: BYTEA,
        sealed: BYTEA, version: INT4, label: TEXT, may_continue: BOOL, allowed_hosts: TEXTARRAY,
        expires_at: TIMESTAMPTZ, warnings: TEXTARRAY, history: INT4,
    } =
        "UPDATE hftok_private.secrets SET
        binding_key = $binding_key, name = $name, position = $position, description = $description, preview = $preview,
        fingerprint = $fingerprint, sealed = $sealed,
        sealed_at = CASE WHEN version = $version THEN sealed_at ELSE pg_catalog.now() END,
        verdict = CASE WHEN version = $version THEN verdict END,
        verdict_message = CASE WHEN version = $version THEN verdict_message END,
        refusals = CASE WHEN version = $version THEN refusals ELSE 0 END,
        last_verified_at = CASE WHEN version = $version THEN last_verified_at END,
        rested_until = CASE WHEN version = $version THEN rested_until END,
        oldest_version = CASE WHEN version = $version THEN oldest_version ELSE greatest(oldest_version, $version - $history) END,
        version = $version, updated_at = pg_catalog.now(),
        label = $label, on_unusable = CASE WHEN $may_continue THEN 'continue' ELSE 'stop' END,
        allowed_hosts = $allowed_hosts, expires_at = $expires_at, warnings = $warnings
        WHERE id = $id RETURNING hftok_private.state_of(secrets)";

    /// The description alone, which needs no key.
    DESCRIBE_ROW(UUID, TEXT) =
        "UPDATE hftok_private.secrets SET description = $2, updated_at = pg_catalog.now()
        WHERE id = $1 RETURNING hftok_private.state_of(secrets)";

    /// Whether a name is another's.
    FIND_NAMED(UUID, UUID) = "SELECT 1 FROM hftok_private.secrets s WHERE s.binding_key = $1 AND s.id <> $2";

    /// By id, within a scope: an id of another scope is not there.
    DELETE_ROW(UUID, TEXT) =
        "DELETE FROM hftok_private.secrets WHERE id = $1 AND scope = $2
        RETURNING id, scope, scope_id, provider, version";

    /// By binding.
    DELETE_BOUND_ROW(UUID) =
        "DELETE FROM hftok_private.secrets WHERE binding_key = $1
        RETURNING id, scope, scope_id, provider, version";

    /// A report that changes nothing but the time of the last look is no event.
    REPORT_ROW: Verdict { id: UUID, verdict: TEXT, message: TEXT, version: INT4, rest: INT4 } =
        "WITH former AS (
            SELECT s.id, s.verdict FROM hftok_private.secrets s
            WHERE s.id = $id AND s.scope <> 'vault' AND ($version IS NULL OR s.version = $version) FOR UPDATE
        )
        UPDATE hftok_private.secrets s SET
        refusals = CASE $verdict WHEN 'verified' THEN 0 WHEN 'invalid' THEN s.refusals + 1 ELSE s.refusals END,
        verdict = CASE $verdict
            WHEN 'verified' THEN 'verified'
            WHEN 'invalid' THEN CASE WHEN s.verdict = 'verified' AND s.refusals = 0 THEN 'verified' ELSE 'invalid' END
            ELSE s.verdict END,
        verdict_message = CASE $verdict WHEN 'verified' THEN NULL WHEN 'invalid' THEN pg_catalog.left($message, 1000)
            ELSE s.verdict_message END,
        last_verified_at = CASE WHEN $verdict = 'verified' THEN pg_catalog.now() ELSE s.last_verified_at END,
        rested_until = CASE WHEN $verdict = 'verified' THEN NULL
            WHEN $rest IS NULL THEN s.rested_until
            ELSE greatest(s.rested_until, pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $rest)) END
        FROM former WHERE s.id = former.id
        RETURNING s.id, s.scope, s.scope_id, s.provider, s.version, hftok_private.state_of(s),
        s.verdict IS DISTINCT FROM former.verdict, s.verdict";

    /// By id, for reading.
    FIND_ID(UUID) = select!(), "s.id = $1";

    /// By id, for whoever changes it.
    LOCK_ID(UUID) = select!(), "s.id = $1 FOR UPDATE";
}
