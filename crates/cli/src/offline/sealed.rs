//! The sealed rows of one database of a dump, and opening them with the keyring: `docs/sealed-format.md` says how they lie.
//!
//! What must stay true: a value is given out only after it opened under the row that it lies in.

use std::collections::BTreeMap;

use hftok_core::binding::{Binding, Context, Kind, Scope};
use hftok_core::data_key::{DataKey, DataKeyId, Purpose};
use hftok_core::envelope::Envelope;
use hftok_core::identity::{Generation, Identity, Lineage};
use hftok_core::plaintext::Plaintext;
use hftok_core::preview;
use hftok_core::root_key::{RootFingerprint, RootKeyId};
use serde::Serialize;

use super::dump::{Row, Table, Unreadable};
use super::keyrings::Keyrings;

/// What one database of a dump says of its keys.
pub struct Keys {
    /// By number.
    generations: BTreeMap<i32, Generation>,
    /// Those that were not destroyed.
    wrapped: Vec<WrappedKey>,
}

/// A data key as it lies in the dump.
pub struct WrappedKey {
    /// Each sealed value names it.
    id: DataKeyId,
    /// A key never serves two.
    purpose: Purpose,
    /// The organisation whose key it is; empty for the installation's.
    pub org: String,
    /// The number of the root key that wraps it.
    pub root: i32,
    /// What that root key is recognised by.
    pub fingerprint: RootFingerprint,
    /// Whether a key of the organisation wraps it too.
    pub is_by_org: bool,
    /// The envelope.
    wrapped: Vec<u8>,
}

/// Data keys that were unwrapped, and why others were not.
#[derive(Default)]
pub struct OpenKeys(BTreeMap<DataKeyId, Result<Box<DataKey>, String>>);

/// A row that holds a value.
pub struct SealedRow {
    /// What may be told of it.
    pub about: About,
    /// Bound.
    id: [u8; 16],
    /// Bound.
    scope: Scope,
    /// Bound.
    kind: Kind,
    /// Bound.
    hosts: Option<Vec<String>>,
    /// Bound; in microseconds since 2000-01-01 UTC.
    expires_at: Option<i64>,
    /// What a current version is found by.
    binding_key: Option<[u8; 16]>,
    /// What the value is recognised by.
    fingerprint: Vec<u8>,
    /// The envelope.
    sealed: Vec<u8>,
    /// When the next version was stored, and the mark of that.
    superseded: Option<(i64, Vec<u8>)>,
}

/// What is known of a value without opening it.
#[derive(Debug, Serialize)]
pub struct About {
    /// The database, where the dump names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The secret's id.
    pub secret_id: String,
    /// The version that this row holds.
    pub version: u32,
    /// Whether it is the newest.
    pub is_current: bool,
    /// The kind of owner.
    pub scope: String,
    /// The owner.
    pub scope_id: String,
    /// The provider; empty for a named secret.
    pub provider: String,
    /// The model it is reserved for; empty for none.
    pub model: String,
    /// The name of a named secret.
    pub name: String,
    /// Which of several keys of one owner for one use it is.
    pub slot: String,
    /// Its end.
    pub expires_at: Option<String>,
    /// The hosts it may be sent to.
    pub allowed_hosts: Option<Vec<String>>,
    /// Its mask.
    pub preview: String,
}

impl Keys {
    /// Nothing yet.
    pub const EMPTY: Self = Self { generations: BTreeMap::new(), wrapped: Vec::new() };

    /// Takes a row of one of the two tables that say of keys.
    pub fn add(&mut self, table: Table, row: &Row<'_>) -> Result<(), Unreadable> {
        match table {
            Table::DataKeys => self.wrapped.extend(WrappedKey::of(row)?),
            Table::Identity => {
                self.generations.insert(row.number("generation")?, generation(row)?);
            }
            Table::Secrets | Table::Versions => {}
        }
        Ok(())
    }

    /// Whether both tables were read.
    pub fn are_complete(&self) -> bool {
        !self.wrapped.is_empty() && !self.generations.is_empty()
    }

    /// Data keys that were not destroyed.
    pub fn wrapped(&self) -> &[WrappedKey] {
        &self.wrapped
    }

    /// The name of the installation that the newest generation is of; empty for none.
    pub fn installation(&self) -> Option<&str> {
        self.generations.values().last().map(|generation| generation.installation.as_str())
    }

    /// Unwraps what the keyrings can.
    pub fn open(&self, keyrings: &Keyrings) -> OpenKeys {
        let identity = self.identity();
        let open = |key: &WrappedKey| {
            let identity = identity.as_ref().ok_or("nothing says which database it is for")?;
            key.open(keyrings, identity)
        };
        OpenKeys(self.wrapped.iter().map(|key| (key.id, open(key))).collect())
    }

    /// The identity that the newest generation has.
    fn identity(&self) -> Option<Identity> {
        let lineage = Lineage::of(self.generations.values().cloned().collect())?;
        lineage.identities().last().map(|(_, identity)| *identity)
    }
}

impl WrappedKey {
    /// None for one that was destroyed.
    fn of(row: &Row<'_>) -> Result<Option<Self>, Unreadable> {
        if row.optional("wrapped").is_none() {
            return Ok(None);
        }
        let org = row.optional("org_id").unwrap_or_default().to_owned();
        let fingerprint = RootFingerprint::of_stored(&row.bytes("root_fingerprint")?);
        Ok(Some(Self {
            id: DataKeyId::new(row.number("id")?).ok_or(Unreadable("id"))?,
            purpose: Purpose::parse(row.text("purpose")?).ok_or(Unreadable("purpose"))?,
            org,
            root: row.number("root_key_id")?,
            fingerprint: fingerprint.ok_or(Unreadable("root_fingerprint"))?,
            is_by_org: row.optional("by_org") == Some("t"),
            wrapped: row.bytes("wrapped")?,
        }))
    }

    /// Unwraps it.
    fn open(&self, keyrings: &Keyrings, identity: &Identity) -> Result<Box<DataKey>, String> {
        let root = RootKeyId::new(self.root).and_then(|id| keyrings.find(id, &self.fingerprint));
        let root = root.ok_or_else(|| {
            format!("root key {} with fingerprint {} is in no keyring given", self.root, self.fingerprint)
        })?;
        let damaged = |_| format!("data key {} does not unwrap", self.id.get());
        let mut place = Box::new(DataKey::EMPTY);
        if self.is_by_org {
            let wrap = root.unwrap_again(&self.wrapped, self.id, &self.org, identity).map_err(damaged)?;
            keyrings.unwrap_of_org(&wrap, self.id, &self.org, identity, &mut place)?;
        } else {
            let (id, org) = (self.id, self.org.as_str());
            root.unwrap(&self.wrapped, id, self.purpose, org, identity, &mut place).map_err(damaged)?;
        }
        Ok(place)
    }
}

/// A row of the database's identity.
fn generation(row: &Row<'_>) -> Result<Generation, Unreadable> {
    Ok(Generation {
        id: row.uuid("id")?,
        database: row.number("database_oid")?,
        installation: row.text("installation")?.to_owned(),
        name: row.text("database_name")?.to_owned(),
        continues: row.number("continues")?,
        root: row.bytes("root")?.try_into().map_err(|_| Unreadable("root"))?,
    })
}

impl SealedRow {
    /// A row of one of the two tables that hold values.
    pub fn of(table: Table, row: &Row<'_>, database: Option<&str>) -> Result<Self, Unreadable> {
        let is_current = table == Table::Secrets;
        let id = if is_current { "id" } else { "secret_id" };
        let text = |column| row.text(column).map(str::to_owned);
        let superseded = if is_current {
            None
        } else {
            let at = row.moment("superseded_at")?.ok_or(Unreadable("superseded_at"))?;
            Some((at, row.bytes("superseded_mark")?))
        };
        Ok(Self {
            id: row.uuid(id)?,
            scope: Scope::parse(row.text("scope")?).ok_or(Unreadable("scope"))?,
            kind: Kind::parse(row.text("kind")?).ok_or(Unreadable("kind"))?,
            hosts: row.texts("allowed_hosts")?,
            expires_at: row.moment("expires_at")?,
            binding_key: if is_current { Some(row.uuid("binding_key")?) } else { None },
            fingerprint: row.bytes("fingerprint")?,
            sealed: row.bytes("sealed")?,
            superseded,
            about: About {
                database: database.map(str::to_owned),
                secret_id: text(id)?,
                version: row.number("version")?,
                is_current,
                scope: text("scope")?,
                scope_id: text("scope_id")?,
                provider: text("provider")?,
                model: text("model")?,
                name: text("name")?,
                slot: text("slot")?,
                expires_at: row.optional("expires_at").map(str::to_owned),
                allowed_hosts: row.texts("allowed_hosts")?,
                preview: text("preview")?,
            },
        })
    }

    /// The value, once everything that hftok says of it was found to be so; otherwise what is wrong.
    pub fn open(&self, keys: &OpenKeys) -> Result<Plaintext, String> {
        let envelope = Envelope::parse(&self.sealed).map_err(|error| error.to_string())?;
        let id = DataKeyId::of(&envelope).ok_or("it names no data key")?;
        let no_key = || format!("data key {} is of another purpose", id.get());
        let value = keys.find(id)?.for_values().ok_or_else(no_key)?.open(&envelope, &self.context());
        let value = value.map_err(|error| error.to_string())?;
        if self.binding_key.is_some_and(|stored| stored != self.binding().key(&self.id)) {
            return Err("it is stored under another binding than its own".to_owned());
        }
        if !self.has_fingerprint_of(&value, keys)? {
            return Err("its fingerprint is that of another value".to_owned());
        }
        if !preview::fits(&self.about.preview, &value.as_ref()) {
            return Err("its preview is that of another value".to_owned());
        }
        if !self.has_its_mark(keys)? {
            return Err("when it was replaced was changed".to_owned());
        }
        Ok(value)
    }

    /// Whether the row's fingerprint is that of the value.
    fn has_fingerprint_of(&self, value: &Plaintext, keys: &OpenKeys) -> Result<bool, String> {
        let Some(key) = keys.named_by(&self.fingerprint) else { return Ok(false) };
        Ok(key?.for_fingerprints().is_some_and(|key| key.fits(&self.fingerprint, &value.as_ref())))
    }

    /// Whether a previous version was replaced when its row says so.
    fn has_its_mark(&self, keys: &OpenKeys) -> Result<bool, String> {
        let Some((at, mark)) = &self.superseded else { return Ok(true) };
        let Some(key) = keys.named_by(mark) else { return Ok(false) };
        let version = i32::try_from(self.about.version).map_err(|_| "its version is none".to_owned())?;
        Ok(key?.for_audit().is_some_and(|key| key.superseded(&self.id, version, *at).as_slice() == mark))
    }

    /// Owner and use.
    fn binding(&self) -> Binding<'_> {
        let About { scope_id, provider, model, name, slot, .. } = &self.about;
        Binding { scope: self.scope, scope_id, provider, model, name, slot }
    }

    /// Everything that the value is bound to.
    fn context(&self) -> Context<'_> {
        Context {
            secret_id: self.id,
            version: self.about.version,
            binding: self.binding(),
            kind: self.kind,
            allowed_hosts: self.hosts.as_deref(),
            expires_at: self.expires_at,
        }
    }
}

impl OpenKeys {
    /// The key, or why there is none.
    fn find(&self, id: DataKeyId) -> Result<&DataKey, String> {
        match self.0.get(&id) {
            Some(Ok(key)) => Ok(key),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err(format!("its data key {} is missing", id.get())),
        }
    }

    /// The key whose id stands before what it made.
    fn named_by(&self, made: &[u8]) -> Option<Result<&DataKey, String>> {
        let id = made.first_chunk().copied().map(i32::from_be_bytes).and_then(DataKeyId::new)?;
        Some(self.find(id))
    }
}
