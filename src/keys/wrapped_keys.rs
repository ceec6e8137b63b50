//! Data keys as they are stored: wrapped by a root key, for this database.

use hftok_core::data_key::{DataKey, DataKeyId, Purpose};
use hftok_core::identity::Identity;
use hftok_core::keyring::Keyring;
use hftok_core::keyring_state::{Reason, Root, State};
use hftok_core::root_key::{RootFingerprint, RootKey, RootKeyId};

use crate::error::Error;
use crate::keys::identity::Home;
use crate::keys::{self, roots};
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::{Parameter, Run, Statement};
use crate::pg::server::key_pages;
use crate::pg::who::session::database;

/// A data key as it is stored.
pub struct WrappedKey {
    /// Its id.
    pub id: DataKeyId,
    /// Its purpose.
    pub purpose: Purpose,
    /// The organisation whose key it is, or empty.
    pub org: String,
    /// Whether the organisation keeps it from being used.
    pub is_shut: bool,
    /// The root key that wrapped it.
    pub root: RootKeyId,
    /// The fingerprint of that root key.
    pub root_fingerprint: Vec<u8>,
    /// The envelope.
    pub wrapped: Vec<u8>,
}

impl WrappedKey {
    /// Unwraps the key into its place in the key pages, or says what is in the way.
    pub fn unwrap(&self, home: &Home) -> Result<(), Error> {
        let identity = home.identity();
        let unwrapped = key_pages::change(|header, pages| match header.state {
            State::Open { .. } => {
                let in_use = &mut header.in_use;
                pages.keep(database(), self.id, !self.org.is_empty(), |ring, place| {
                    let root = self.root_in(ring)?;
                    home.refuse_copy()?;
                    // The keyring was replaced while the identity was looked up.
                    if ring.installation() != home.installation() {
                        return Err(Error::Sealed(Reason::Loading));
                    }
                    self.unwrap_by(root, &identity, place)?;
                    in_use.note(database(), (root.id(), root.fingerprint()), ring.installation());
                    Ok(())
                })
            }
            State::Loading => Err(Error::Sealed(Reason::Loading)),
            State::Sealed(reason) => Err(Error::Sealed(reason)),
        });
        unwrapped.unwrap_or(Err(Error::Sealed(Reason::NotPreloaded)))
    }

    /// By number and fingerprint: a keyring may give another key the same number.
    fn root_in<'a>(&self, ring: &'a Keyring) -> Result<&'a RootKey, Error> {
        let root = ring.find(self.root);
        root.filter(|root| root.fingerprint().fits(&self.root_fingerprint)).ok_or_else(|| Error::WrongRoot {
            id: self.root.get(),
            fingerprint: hftok_core::hex(&self.root_fingerprint),
            id_taken: root.is_some(),
        })
    }

    /// Whether the key unwraps, for nobody to use it.
    pub fn check(&self, home: &Home) -> Result<(), Error> {
        let mut place = Box::new(DataKey::EMPTY);
        keys::with(|pages| self.unwrap_by(self.root_in(&pages.keyring)?, &home.identity(), &mut place))
    }

    /// Into a place of the pages, never through a copy.
    fn unwrap_by(&self, root: &RootKey, database: &Identity, place: &mut DataKey) -> Result<(), Error> {
        root.unwrap(&self.wrapped, self.id, self.purpose, &self.org, database, place)
            .map_err(|_| Error::DataKeyDamaged { id: self.id.get() })
    }
}

/// A key, if its row is there.
pub fn stored(id: DataKeyId) -> Result<WrappedKey, Error> {
    let damaged = || Error::DataKeyDamaged { id: id.get() };
    let found = FIND_WRAPPED.read_one(&[id.get().into()], |row| {
        Ok(WrappedKey {
            id,
            purpose: Purpose::parse(&row.next::<String>()?).ok_or_else(damaged)?,
            org: row.next()?,
            is_shut: row.next()?,
            root: RootKeyId::new(row.next()?).ok_or_else(damaged)?,
            root_fingerprint: row.next()?,
            wrapped: row.next()?,
        })
    })?;
    found.ok_or(Error::DataKeyMissing { id: id.get() })
}

/// A key, if its row is there, and its organisation has not shut it.
pub fn usable(id: DataKeyId) -> Result<WrappedKey, Error> {
    let key = stored(id)?;
    if key.is_shut { Err(Error::OrgSealed { org: key.org }) } else { Ok(key) }
}

/// Those of some keys that are there, and not shut.
pub fn still_usable(ids: &[DataKeyId]) -> Result<Vec<DataKeyId>, Error> {
    let ids: Vec<i64> = ids.iter().map(|id| id.get().into()).collect();
    FIND_USABLE.with_ids(&[ids.into()])
}

/// Every key that is not destroyed.
pub fn ids() -> Result<Vec<DataKeyId>, Error> {
    FIND_KEPT.with_ids(&[])
}

/// Draws a key of the installation or of an organisation, and stores it as the active one.
pub fn draw(purpose: Purpose, org: &str, database: &Identity) -> Result<DataKeyId, Error> {
    let id = free_id()?;
    let key = DataKey::random(id, purpose)?;
    let (root, fingerprint, wrapped) = wrap(&key, org, database)?;
    let new = NewKey {
        id: id.get().into(),
        purpose: purpose.as_str().into(),
        org: org.into(),
        root: root.get().into(),
        fingerprint: fingerprint.as_bytes().as_slice().into(),
        wrapped: wrapped.as_slice().into(),
    };
    INSERT_KEY.execute(&new.in_order())?;
    roots::note()?;
    Ok(id)
}

/// The root key that wraps from now on.
pub fn primary() -> Result<Root, Error> {
    keys::with(|pages| {
        let root = pages.keyring.primary().ok_or(NO_KEY)?;
        Ok((root.id(), root.fingerprint()))
    })
}

/// A fault of this program: a keyring without keys is not loaded.
const NO_KEY: Error = Error::Internal("a keyring without keys was loaded");

/// With the primary root key.
fn wrap(
    key: &DataKey,
    org: &str,
    database: &Identity,
) -> Result<(RootKeyId, RootFingerprint, Vec<u8>), Error> {
    keys::with(|pages| {
        let root = pages.keyring.primary().ok_or(NO_KEY)?;
        Ok((root.id(), root.fingerprint(), root.wrap(key, org, database)?))
    })
}

/// Unwraps a key by the first identity that it is wrapped for, into memory of this process alone.
pub fn unwrap_into(place: &mut DataKey, id: DataKeyId, identities: &[Identity]) -> Result<(), Error> {
    let key = stored(id)?;
    let mut tried = Err(Error::DataKeyDamaged { id: id.get() });
    for identity in identities {
        tried = keys::with(|pages| key.unwrap_by(key.root_in(&pages.keyring)?, identity, place));
        if !matches!(tried, Err(Error::DataKeyDamaged { .. })) {
            break;
        }
    }
    tried
}

/// The same of every key that is not destroyed.
pub fn unwrap_all(identities: &[Identity]) -> Result<Vec<DataKey>, Error> {
    let ids = ids()?;
    // Never moved: that would leave copies.
    let mut keys: Vec<DataKey> = ids.iter().map(|_| DataKey::EMPTY).collect();
    for (place, id) in keys.iter_mut().zip(ids) {
        unwrap_into(place, id, identities)?;
    }
    Ok(keys)
}

/// Wraps a key anew where it is stored: by the primary root key, for this identity.
pub fn wrap_anew(key: &DataKey, database: &Identity) -> Result<(), Error> {
    let (root, fingerprint, wrapped) = wrap(key, &stored(key.id())?.org, database)?;
    let rewrapped = RewrappedKey {
        id: key.id().get().into(),
        root: root.get().into(),
        fingerprint: fingerprint.as_bytes().as_slice().into(),
        wrapped: wrapped.as_slice().into(),
    };
    REPLACE_KEY.execute(&rewrapped.in_order()).map(|_| ())
}

/// Wraps keys anew, for another identity. Values are sealed and the audit is signed by new keys from now on: the former are also
/// those of the original, where what they seal and sign here would be taken for its own.
pub fn rewrap(all: &[DataKey], database: &Identity) -> Result<(), Error> {
    for key in all {
        wrap_anew(key, database)?;
    }
    for purpose in [Purpose::Values, Purpose::Audit, Purpose::Checkpoints] {
        let mut orgs = RETIRE_KEYS.write(&[purpose.as_str().into()], |row| row.next::<String>())?;
        if orgs.is_empty() {
            orgs.push(String::new());
        }
        for org in orgs {
            let id = draw(purpose, &org, database)?;
            KEEP_SHUT.execute(&[id.get().into()])?;
        }
    }
    Ok(())
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
pub trait Ids {
    /// The ids that it gives.
    fn with_ids(&'static self, parameters: &[Parameter]) -> Result<Vec<DataKeyId>, Error>;
}

impl Ids for std::thread::LocalKey<Statement> {
    fn with_ids(&'static self, parameters: &[Parameter]) -> Result<Vec<DataKeyId>, Error> {
        self.read(parameters, |row| {
            DataKeyId::new(row.next()?).ok_or(Error::Internal("a data key has an id that none can have"))
        })
    }
}

statement! {
    /// A key, wrapped, with the root key that opens it.
    FIND_WRAPPED(INT4) =
        "SELECT k.purpose, k.org_id, k.shut_at IS NOT NULL, k.root_key_id, k.root_fingerprint, k.wrapped
        FROM hftok_private.data_keys k WHERE k.id = $1 AND k.state <> 'destroyed'";

    /// Every key that could be wrapped anew.
    FIND_KEPT() = "SELECT k.id FROM hftok_private.data_keys k WHERE k.state <> 'destroyed'";

    /// Those of some that a session may use.
    FIND_USABLE(INT8ARRAY) =
        "SELECT k.id FROM hftok_private.data_keys k
        WHERE k.id = ANY ($1) AND k.state <> 'destroyed' AND k.shut_at IS NULL";

    /// Whether a number was ever given.
    FIND_TAKEN(INT4) = "SELECT k.id FROM hftok_private.data_keys k WHERE k.id = $1";

    /// A new key is the active one.
    INSERT_KEY: NewKey { id: INT4, purpose: TEXT, org: TEXT, root: INT4, fingerprint: BYTEA, wrapped: BYTEA } =
        "INSERT INTO hftok_private.data_keys
        (id, purpose, org_id, state, root_key_id, first_root_key_id, root_fingerprint, wrapped)
        VALUES ($id, $purpose, $org, 'active', $root, $root, $fingerprint, $wrapped)";

    /// Wraps anew in place: number and values stay.
    REPLACE_KEY: RewrappedKey { id: INT4, root: INT4, fingerprint: BYTEA, wrapped: BYTEA } =
        "UPDATE hftok_private.data_keys k SET root_key_id = $root, root_fingerprint = $fingerprint, wrapped = $wrapped
        WHERE k.id = $id";

    /// What an organisation has sealed stays so under another key.
    KEEP_SHUT(INT4) =
        "UPDATE hftok_private.data_keys k SET shut_at = f.shut_at FROM hftok_private.data_keys f
        WHERE k.id = $1 AND k.org_id <> '' AND f.org_id = k.org_id AND f.state <> 'destroyed' AND f.shut_at IS NOT NULL";

    /// The active keys step back; they still open.
    RETIRE_KEYS(TEXT) =
        "UPDATE hftok_private.data_keys k SET state = 'retiring' WHERE k.purpose = $1 AND k.state = 'active'
        RETURNING k.org_id";
}
