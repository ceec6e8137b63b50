//! Data keys: wrapped in their table, unwrapped in the key pages, made when they are first needed.
//!
//! What must stay true: nothing is sealed before the keyring has proved to be the one of this database; no key is
//! made where one of its purpose is active; a key is only used after its row was read, or kept from such a reading.

use std::ffi::CStr;

use hftok_core::audit::chain::{self, AuditKey, Link};
use hftok_core::audit::event::{Kind, Object};
use hftok_core::data_key::{DataKey, DataKeyId, FingerprintKey, Purpose, ValueKey};
use hftok_core::envelope::Envelope;
use hftok_core::keyring::Keyring;
use hftok_core::root_key::RootKeyId;
use pgrx::pg_sys::{BYTEAOID, INT4OID, TEXTOID};

use crate::audit::changes;
use crate::error::Error;
use crate::keys::{
    self,
    state::{Reason, State},
};
use crate::pg::key_pages::{self, database};
use crate::pg::sql::{Run, Statement};
use crate::store::known::{self, Known};

const ACTIVE: &CStr =
    c"SELECT k.id FROM hftok_private.data_keys k WHERE k.purpose = $1 AND k.state = 'active'";
const ALL_OF: &CStr =
    c"SELECT k.id FROM hftok_private.data_keys k WHERE k.purpose = $1 AND k.state <> 'destroyed'";
const ALL_ACTIVE: &CStr = c"SELECT k.id, k.purpose FROM hftok_private.data_keys k WHERE k.state = 'active'";
const WRAPPED: &CStr = c"SELECT k.purpose, k.root_key_id, k.root_fingerprint, k.wrapped
    FROM hftok_private.data_keys k WHERE k.id = $1 AND k.state <> 'destroyed'";
const TAKEN: &CStr = c"SELECT k.id FROM hftok_private.data_keys k WHERE k.id = $1";
const LOCK: &CStr = c"LOCK TABLE hftok_private.data_keys IN SHARE ROW EXCLUSIVE MODE";
const INSERT: &CStr = c"INSERT INTO hftok_private.data_keys
    (id, purpose, state, root_key_id, root_fingerprint, wrapped) VALUES ($1, $2, 'active', $3, $4, $5)";

thread_local! {
    static FIND_ACTIVE: Statement = const { Statement::new(ACTIVE, &[TEXTOID]) };
    static FIND_ALL_OF: Statement = const { Statement::new(ALL_OF, &[TEXTOID]) };
    static FIND_ALL_ACTIVE: Statement = const { Statement::new(ALL_ACTIVE, &[]) };
    static FIND_WRAPPED: Statement = const { Statement::new(WRAPPED, &[INT4OID]) };
    static FIND_TAKEN: Statement = const { Statement::new(TAKEN, &[INT4OID]) };
    static LOCK_TABLE: Statement = const { Statement::new(LOCK, &[]) };
    static INSERT_KEY: Statement =
        const { Statement::new(INSERT, &[INT4OID, TEXTOID, INT4OID, BYTEAOID, BYTEAOID]) };
}

/// A data key as it is stored.
pub struct WrappedKey {
    /// Its id.
    pub id: DataKeyId,
    /// What it is for.
    pub purpose: Purpose,
    /// The root key that wrapped it.
    pub root: RootKeyId,
    /// What that root key is recognised by.
    pub root_fingerprint: Vec<u8>,
    /// The envelope.
    pub wrapped: Vec<u8>,
}

impl WrappedKey {
    /// Unwraps the key into its place in the key pages, or says what is in the way.
    pub fn unwrap(&self) -> Result<(), Error> {
        let unwrapped = key_pages::change(|header, pages| match header.state {
            State::Open { .. } => pages.keep(database(), self.id, |ring, place| self.unwrap_by(ring, place)),
            State::Loading => Err(Error::Sealed(Reason::Loading)),
            State::Sealed(reason) => Err(Error::Sealed(reason)),
        });
        unwrapped.unwrap_or(Err(Error::Sealed(Reason::NotPreloaded)))
    }

    fn unwrap_by(&self, ring: &Keyring, place: &mut DataKey) -> Result<(), Error> {
        let root = ring.find(self.root);
        match root {
            Some(root) if root.fingerprint().fits(&self.root_fingerprint) => root
                .unwrap(&self.wrapped, self.id, self.purpose, place)
                .map_err(|_| Error::DataKeyDamaged { id: self.id.get() }),
            _ => Err(Error::WrongRoot {
                id: self.root.get(),
                fingerprint: self.root_fingerprint.iter().map(|byte| format!("{byte:02x}")).collect(),
                id_taken: root.is_some(),
            }),
        }
    }
}

/// Seals with the active key for values, which is made if there is none.
pub fn sealing<R>(seal: impl FnOnce(ValueKey<'_>) -> Result<R, Error>) -> Result<R, Error> {
    using(active(Purpose::Values)?, |key| seal(key.for_values().ok_or(WRONG_PURPOSE)?))
}

/// Opens with the key that an envelope names. `before` is what must be while its table is asked, which most often it need not be.
pub fn opening<R, G>(
    envelope: &Envelope<'_>,
    before: impl Fn() -> Result<G, Error>,
    open: impl FnOnce(ValueKey<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    let missing = || Error::DataKeyMissing { id: i32::try_from(envelope.key_id()).unwrap_or_default() };
    let id = DataKeyId::of(envelope).ok_or_else(missing)?;
    using_after(id, before, |key| open(key.for_values().ok_or_else(missing)?))
}

/// Fingerprints with the active key, which is made if there is none.
pub fn fingerprinting<R>(make: impl FnOnce(FingerprintKey<'_>) -> R) -> Result<R, Error> {
    fingerprinting_with(active(Purpose::Fingerprints)?, make)
}

/// Fingerprints with a certain key.
pub fn fingerprinting_with<R>(id: DataKeyId, make: impl FnOnce(FingerprintKey<'_>) -> R) -> Result<R, Error> {
    using(id, |key| key.for_fingerprints().map(make).ok_or(WRONG_PURPOSE))
}

/// The keys that any stored fingerprint may have been made with.
pub fn fingerprint_keys() -> Result<Vec<DataKeyId>, Error> {
    FIND_ALL_OF.with_ids(&[Purpose::Fingerprints.as_str().into()])
}

/// The active key for the audit, which is made if there is none.
pub fn audit_key() -> Result<DataKeyId, Error> {
    active(Purpose::Audit)
}

/// The active key for the audit, if there is one.
pub fn existing_audit_key() -> Result<Option<DataKeyId>, Error> {
    Ok(known_active(&*known::known()?, Purpose::Audit))
}

/// Every active key and what it is for, from the table.
pub fn active_keys() -> Result<Vec<(Purpose, DataKeyId)>, Error> {
    let keys = FIND_ALL_ACTIVE
        .read(&[], |row| Ok(Purpose::parse(&row.must::<String>(2)?).zip(DataKeyId::new(row.must(1)?))))?;
    Ok(keys.into_iter().flatten().collect())
}

/// Works with a certain key for the audit.
pub fn auditing_with<R>(id: DataKeyId, work: impl FnOnce(AuditKey<'_>) -> R) -> Result<R, Error> {
    using(id, |key| key.for_audit().map(work).ok_or(WRONG_PURPOSE))
}

/// Whether a hash was made here, with the key that it names: it may name any.
pub fn was_made(link: &Link, make: impl FnOnce(AuditKey<'_>) -> Link) -> Result<bool, Error> {
    let Some(key) = chain::key_of(link) else { return Ok(false) };
    match auditing_with(key, |key| chain::same(link, &make(key))) {
        Err(Error::DataKeyMissing { .. } | Error::DataKeyDamaged { .. } | Error::Internal(_)) => Ok(false),
        made => made,
    }
}

const WRONG_PURPOSE: Error = Error::Internal("a data key was asked to do what it is not for");

/// Uses a data key, which is unwrapped first if it isn't kept.
fn using<R>(id: DataKeyId, f: impl FnOnce(&DataKey) -> Result<R, Error>) -> Result<R, Error> {
    using_after(id, || Ok(()), f)
}

fn using_after<R, G>(
    id: DataKeyId,
    before: impl Fn() -> Result<G, Error>,
    f: impl FnOnce(&DataKey) -> Result<R, Error>,
) -> Result<R, Error> {
    let database = database();
    let mut f = Some(f);
    let mut attempt =
        || keys::with(|pages| Ok(pages.data_key(database, id).and_then(|key| f.take().map(|f| f(key)))));
    // Once is enough, unless the keys are wiped, replaced or pushed out between unwrapping and use.
    for _ in 0..100 {
        match attempt() {
            Ok(Some(done)) => return done,
            Ok(None) => {
                let _guard = before()?;
                stored(id)?.unwrap()?;
            }
            Err(Error::Sealed(Reason::Loading)) => keys::ready()?,
            Err(error) => return Err(error),
        }
    }
    Err(Error::Sealed(Reason::Loading))
}

fn stored(id: DataKeyId) -> Result<WrappedKey, Error> {
    let damaged = || Error::DataKeyDamaged { id: id.get() };
    let rows = FIND_WRAPPED.read(&[id.get().into()], |row| {
        Ok(WrappedKey {
            id,
            purpose: Purpose::parse(&row.must::<String>(1)?).ok_or_else(damaged)?,
            root: RootKeyId::new(row.must(2)?).ok_or_else(damaged)?,
            root_fingerprint: row.must(3)?,
            wrapped: row.must(4)?,
        })
    })?;
    rows.into_iter().next().ok_or(Error::DataKeyMissing { id: id.get() })
}

fn active(purpose: Purpose) -> Result<DataKeyId, Error> {
    keys::ready()?;
    match known_active(&*known::known()?, purpose) {
        Some(id) => Ok(id),
        None => make(purpose),
    }
}

fn known_active(known: &Known, purpose: Purpose) -> Option<DataKeyId> {
    known.active.iter().find(|(of, _)| *of == purpose).map(|(_, id)| *id)
}

/// Makes the first key of its purpose, alone: others that come to do the same wait, and then find it.
fn make(purpose: Purpose) -> Result<DataKeyId, Error> {
    LOCK_TABLE.execute(&[])?;
    if let Some(id) = FIND_ACTIVE.with_ids(&[purpose.as_str().into()])?.first() {
        return Ok(*id);
    }
    // A keyring that is not this database's must be noticed before a row is written, not after.
    for (_, id) in active_keys()? {
        stored(id)?.unwrap()?;
    }
    let id = free_id()?;
    let key = DataKey::random(id, purpose)?;
    let (root, fingerprint, wrapped) = keys::with(|pages| {
        let root = pages.keyring.primary().ok_or(Error::Internal("a keyring without keys was loaded"))?;
        Ok((root.id(), root.fingerprint(), root.wrap(&key)?))
    })?;
    INSERT_KEY.execute(&[
        id.get().into(),
        purpose.as_str().into(),
        root.get().into(),
        fingerprint.as_bytes().as_slice().into(),
        wrapped.as_slice().into(),
    ])?;
    let purpose = Some(purpose.as_str());
    changes::record_as(
        Kind::Key,
        "create_data_key",
        1,
        Object { version: Some(id.get()), level: purpose, ..Object::default() },
    )?;
    Ok(id)
}

/// An id that no row has, nor a key that is kept: that one may belong to a row that was rolled back.
fn free_id() -> Result<DataKeyId, Error> {
    loop {
        let id = DataKeyId::random()?;
        let kept = keys::with(|pages| Ok(pages.data_key(database(), id).is_some()))?;
        if !kept && FIND_TAKEN.with_ids(&[id.get().into()])?.is_empty() {
            return Ok(id);
        }
    }
}

/// Statements that give ids.
trait Ids {
    fn with_ids(&'static self, parameters: &[crate::pg::sql::Parameter]) -> Result<Vec<DataKeyId>, Error>;
}

impl Ids for std::thread::LocalKey<Statement> {
    fn with_ids(&'static self, parameters: &[crate::pg::sql::Parameter]) -> Result<Vec<DataKeyId>, Error> {
        self.read(parameters, |row| {
            DataKeyId::new(row.must(1)?).ok_or(Error::Internal("a data key has an id that none can have"))
        })
    }
}
