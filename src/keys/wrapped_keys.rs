//! Data keys as they are stored: wrapped by a root key, for this database.

use hftok_core::data_key::{DataKey, DataKeyId, Purpose};
use hftok_core::identity::Identity;
use hftok_core::keyring::Keyring;
use hftok_core::keyring_state::{Reason, Root, State};
use hftok_core::org_key::OrgWrap;
use hftok_core::root_key::{RootFingerprint, RootKey, RootKeyId};

use crate::error::Error;
use crate::keys::identity::Home;
use crate::keys::unwrapped::Unwrapped;
use crate::keys::{self, org_wraps, roots};
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::{Parameter, Run, Statement};
use crate::pg::server::{key_pages, server_log};
use crate::pg::who::session::database;

/// A data key as it is stored.
pub struct WrappedKey {
    /// Its id.
    pub id: DataKeyId,
    /// Its purpose.
    pub purpose: Purpose,
    /// The organisation whose key it is, or empty.
    pub org: String,
    /// Whether a key that the organisation holds wraps it too, within the wrap of the root key.
    pub is_by_org: bool,
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
        if self.is_by_org {
            return org_wraps::unwrap(&self.org, self.id, &self.unwrap_outer(home)?, home);
        }
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

    /// Takes the wrap of the root key away, and leaves that of the organisation's own.
    fn unwrap_outer(&self, home: &Home) -> Result<OrgWrap, Error> {
        home.refuse_copy()?;
        let unwrapped = key_pages::change(|header, pages| match header.state {
            State::Open { .. } => {
                let ring = &pages.keyring;
                let root = self.root_in(ring)?;
                if ring.installation() != home.installation() {
                    return Err(Error::Sealed(Reason::Loading));
                }
                let wrap = self.unwrap_outer_by(root, &home.identity())?;
                header.in_use.note(database(), (root.id(), root.fingerprint()), ring.installation());
                Ok(wrap)
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

    /// Whether the key unwraps, for nobody to use it. An organisation's own key is not asked for.
    pub fn check(&self, home: &Home) -> Result<(), Error> {
        self.unwrap_here(&home.identity()).map(|_| ())
    }

    /// Unwraps it for an identity, into memory of this process alone.
    fn unwrap_here(&self, database: &Identity) -> Result<Unwrapped, Error> {
        keys::with(|pages| {
            let root = self.root_in(&pages.keyring)?;
            if self.is_by_org {
                let wrap = self.unwrap_outer_by(root, database)?;
                return Ok(Unwrapped::ByOrg { id: self.id, identity: *database, wrap });
            }
            let mut place = Box::new(DataKey::EMPTY);
            self.unwrap_by(root, database, &mut place)?;
            Ok(Unwrapped::Whole(place))
        })
    }

    /// The organisation's wrap, for this database.
    fn unwrap_outer_by(&self, root: &RootKey, database: &Identity) -> Result<OrgWrap, Error> {
        root.unwrap_again(&self.wrapped, self.id, &self.org, database)
            .map_err(|_| Error::DataKeyDamaged { id: self.id.get() })
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
            is_by_org: row.next()?,
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
pub fn draw(purpose: Purpose, org: &str, is_by_org: bool, database: &Identity) -> Result<DataKeyId, Error> {
    store(&drawn(purpose, is_by_org.then_some(org))?, purpose, org, database)
}

/// Draws a key, which an organisation's own key wraps where one is named.
fn drawn(purpose: Purpose, by_org: Option<&str>) -> Result<Unwrapped, Error> {
    let id = free_id()?;
    let key = DataKey::random(id, purpose)?;
    Ok(match by_org {
        None => Unwrapped::Whole(key),
        Some(org) => Unwrapped::ByOrg { id, identity: *key.identity(), wrap: org_wraps::wrap(org, &key)? },
    })
}

/// Stores a new key as the active one.
fn store(key: &Unwrapped, purpose: Purpose, org: &str, database: &Identity) -> Result<DataKeyId, Error> {
    let (root, fingerprint, wrapped) = wrap(key, org, database)?;
    let new = NewKey {
        id: key.id().get().into(),
        purpose: purpose.as_str().into(),
        org: org.into(),
        by_org: key.whole().is_none().into(),
        root: root.get().into(),
        fingerprint: fingerprint.as_bytes().as_slice().into(),
        wrapped: wrapped.as_slice().into(),
    };
    INSERT_KEY.execute(&new.in_order())?;
    roots::note()?;
    Ok(key.id())
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
    key: &Unwrapped,
    org: &str,
    database: &Identity,
) -> Result<(RootKeyId, RootFingerprint, Vec<u8>), Error> {
    keys::with(|pages| {
        let root = pages.keyring.primary().ok_or(NO_KEY)?;
        Ok((root.id(), root.fingerprint(), key.wrap(root, org, database)?))
    })
}

/// Unwraps a key by the first identity that it is wrapped for, into memory of this process alone.
pub fn unwrap_for(id: DataKeyId, identities: &[Identity]) -> Result<Unwrapped, Error> {
    let key = stored(id)?;
    let mut tried = Err(Error::DataKeyDamaged { id: id.get() });
    for identity in identities {
        tried = key.unwrap_here(identity);
        if !matches!(tried, Err(Error::DataKeyDamaged { .. })) {
            break;
        }
    }
    tried
}

/// The same of every key that is not destroyed.
pub fn unwrap_all(identities: &[Identity]) -> Result<Vec<Unwrapped>, Error> {
    ids()?.into_iter().map(|id| unwrap_for(id, identities)).collect()
}

/// Wraps a key anew where it is stored: by the primary root key, for this identity.
pub fn wrap_anew(key: &Unwrapped, database: &Identity) -> Result<(), Error> {
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
pub fn rewrap(all: &[Unwrapped], database: &Identity) -> Result<(), Error> {
    for key in all {
        wrap_anew(key, database)?;
    }
    for purpose in [Purpose::Values, Purpose::Audit, Purpose::Checkpoints] {
        let mut orgs = RETIRE_KEYS.write(&[purpose.as_str().into()], |row| row.next::<String>())?;
        if orgs.is_empty() {
            orgs.push(String::new());
        }
        for org in orgs {
            let id = draw(purpose, &org, false, database)?;
            KEEP_SHUT.execute(&[id.get().into()])?;
        }
    }
    for org in FIND_BY_ORGS.read(&[], |row| row.next::<String>())? {
        renew_by_org(&org, database)?;
    }
    Ok(())
}

/// The same for a key that an organisation's own key wraps. Where that is not there the former one stays.
fn renew_by_org(org: &str, database: &Identity) -> Result<(), Error> {
    let key = match drawn(Purpose::Values, Some(org)) {
        Err(Error::OrgKeyAway { org, fault }) => {
            server_log::warning(&format!(
                "hftok: organisation {org} keeps the data key that the original has: its own key is not there: {fault}; see rotate_data_key()"
            ));
            return Ok(());
        }
        drawn => drawn?,
    };
    RETIRE_BY_ORG.execute(&[org.into()])?;
    let id = store(&key, Purpose::Values, org, database)?;
    KEEP_SHUT.execute(&[id.get().into()]).map(|_| ())
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
        "SELECT k.purpose, k.org_id, k.by_org, k.shut_at IS NOT NULL, k.root_key_id, k.root_fingerprint, k.wrapped
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
    INSERT_KEY: NewKey { id: INT4, purpose: TEXT, org: TEXT, by_org: BOOL, root: INT4, fingerprint: BYTEA, wrapped: BYTEA } =
        "INSERT INTO hftok_private.data_keys
        (id, purpose, org_id, by_org, state, root_key_id, first_root_key_id, root_fingerprint, wrapped)
        VALUES ($id, $purpose, $org, $by_org, 'active', $root, $root, $fingerprint, $wrapped)";

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
        "UPDATE hftok_private.data_keys k SET state = 'retiring' WHERE k.purpose = $1 AND k.state = 'active' AND NOT k.by_org
        RETURNING k.org_id";

    /// Those whose organisations have to be asked.
    FIND_BY_ORGS() =
        "SELECT k.org_id FROM hftok_private.data_keys k WHERE k.purpose = 'values' AND k.state = 'active' AND k.by_org ORDER BY k.org_id";

    /// Once there is another.
    RETIRE_BY_ORG(TEXT) =
        "UPDATE hftok_private.data_keys k SET state = 'retiring'
        WHERE k.purpose = 'values' AND k.org_id = $1 AND k.org_id <> '' AND k.state = 'active'";
}
