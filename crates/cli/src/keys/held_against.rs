//! A keyring held against a server: what its database needs, and what it has loaded.

use super::file::{Fault, KeyringFile};
use super::reload::no_hftok;
use crate::connection::{Database, database_failure};
use crate::failure::Failure;

/// A root key, as view `root_keys` shows it.
pub struct Known {
    /// Its number.
    pub id: i32,
    /// What it is recognised by.
    pub fingerprint: String,
    /// Whether the server has loaded it.
    pub is_loaded: bool,
    /// Whether the server wraps by it.
    pub is_primary: bool,
    /// The data keys of this database that it wraps.
    pub data_keys: i64,
}

/// The root keys that a server knows; none where its database has no hftok.
pub fn known(database: &mut Database) -> Result<Option<Vec<Known>>, Failure> {
    let asked = "SELECT id, fingerprint, in_keyring, is_primary, data_keys FROM hftok.root_keys ORDER BY is_primary, id";
    let rows = match database.client().query(asked, &[]) {
        Err(error) if no_hftok(&error) => return Ok(None),
        rows => rows.map_err(database_failure)?,
    };
    let read = |row: &postgres::Row| {
        Ok(Known {
            id: row.try_get(0)?,
            fingerprint: row.try_get(1)?,
            is_loaded: row.try_get(2)?,
            is_primary: row.try_get(3)?,
            data_keys: row.try_get(4)?,
        })
    };
    let known: Result<Vec<Known>, postgres::Error> = rows.iter().map(read).collect();
    known.map(Some).map_err(database_failure)
}

/// What is wrong with a keyring for this server and this database. `None`: the database has no hftok.
pub fn faults(ring: &KeyringFile, database: &mut Database) -> Result<Option<Vec<Fault>>, Failure> {
    let Some(known) = known(database)? else { return Ok(None) };
    let keys = ring.keys();
    let path = ring.path.display();
    let has = |one: &Known| keys.iter().any(|(id, print)| (*id, print) == (one.id, &one.fingerprint));
    let mut faults = Vec::new();
    for one in known.iter().filter(|one| one.data_keys > 0 && !has(one)) {
        faults.push(Fault {
            fault: format!("it lacks root key {} ({}), which this database needs", one.id, one.fingerprint),
            remedy: format!("hftok keyring add {path} --from BACKUP_OF_THE_KEYRING --id {}", one.id),
        });
    }
    let is_loaded = |key: &(i32, String)| {
        known.iter().any(|one| one.is_loaded && one.id == key.0 && one.fingerprint == key.1)
    };
    let primary = keys.last().map(|(id, _)| *id);
    let loaded_primary = known.iter().find(|one| one.is_primary).map(|one| one.id);
    if faults.is_empty() && (!keys.iter().all(is_loaded) || primary != loaded_primary) {
        faults.push(Fault {
            fault: "the server has not read it, or reads another file".to_owned(),
            remedy: "SELECT pg_reload_conf()".to_owned(),
        });
    }
    let status = database.client().query_one("SELECT coalesce(installation, '') FROM hftok.status()", &[]);
    let installation: String = status.and_then(|row| row.try_get(0)).map_err(database_failure)?;
    let named = ring.ring.installation().as_str();
    if loaded_primary.is_some() && installation != named {
        faults.push(Fault {
            fault: format!(
                "it names installation \"{named}\", and the server is installation \"{installation}\""
            ),
            remedy: format!("installation: {installation}"),
        });
    }
    Ok(Some(faults))
}
