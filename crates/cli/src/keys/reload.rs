//! Having the server read its keyring again, and seeing whether it did.

use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::error::SqlState;
use serde::Serialize;

use crate::connection::{ConnectionOptions, Database, database_failure};
use crate::failure::Failure;

/// The longest that a server is waited for. A command of `hftok.key_command` may take longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of it.
#[derive(Debug, Serialize)]
#[serde(tag = "server", content = "why", rename_all = "snake_case")]
pub enum Reloaded {
    /// Nobody was asked.
    NotAsked,
    /// It has the keys.
    Taken,
    /// It was told to, and does not have them.
    NotTaken(String),
}

impl Reloaded {
    /// For people.
    pub fn text(&self) -> String {
        match self {
            Self::NotAsked => {
                "The server reads it after SELECT pg_reload_conf(), or SIGHUP to its first process."
                    .to_owned()
            }
            Self::Taken => "The server has read it.".to_owned(),
            Self::NotTaken(why) => {
                format!("The server was told to read it, and does not have the new keys: {why}")
            }
        }
    }
}

/// A session where there is a server: a server that was named must be there, and any other may be.
pub fn session(connection: &ConnectionOptions) -> Result<Option<Database>, Failure> {
    match connection.postgres() {
        Err(Failure::Unreachable { .. }) if connection.database.is_none() => Ok(None),
        opened => opened.map(Some),
    }
}

/// Has the keyring read again, and waits until each of these keys is there.
pub fn reload(database: &mut Database, keys: &[(i32, String)]) -> Result<Reloaded, Failure> {
    let client = database.client();
    if let Err(error) = client.execute("SELECT pg_catalog.pg_reload_conf()", &[]) {
        if error.code() != Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
            return Err(database_failure(error));
        }
        // An operator of hftok may not reload settings, but may have the keyring read. What is sealed stays so.
        let unsealed = "SELECT hftok.unseal() FROM hftok.status() WHERE NOT sealed";
        client.execute(unsealed, &[]).map_err(database_failure)?;
    }
    let (ids, fingerprints): (Vec<i32>, Vec<&str>) =
        keys.iter().map(|(id, print)| (*id, print.as_str())).unzip();
    let lacking = "SELECT pg_catalog.count(*) FROM ROWS FROM (pg_catalog.unnest($1::int[]), pg_catalog.unnest($2::text[])) AS k (id, fingerprint) \
         WHERE NOT EXISTS (SELECT FROM hftok.root_keys r WHERE r.in_keyring AND r.id = k.id AND r.fingerprint = k.fingerprint)";
    let began = Instant::now();
    loop {
        match client.query_one(lacking, &[&ids, &fingerprints]).and_then(|row| row.try_get::<_, i64>(0)) {
            Ok(0) => return Ok(Reloaded::Taken),
            Ok(_) if began.elapsed() < PATIENCE => sleep(Duration::from_millis(100)),
            Ok(_) => break,
            Err(error) if no_hftok(&error) => {
                return Ok(Reloaded::NotTaken("this database has no hftok that could say so".to_owned()));
            }
            Err(error) => return Err(database_failure(error)),
        }
    }
    let reason = client.query_one("SELECT reason FROM hftok.status()", &[]).map_err(database_failure)?;
    let reason: Option<String> = reason.try_get(0).map_err(database_failure)?;
    Ok(Reloaded::NotTaken(reason.unwrap_or_else(|| "hftok.key_file may name another file".to_owned())))
}

/// Whether hftok is not in this database.
pub fn no_hftok(error: &postgres::Error) -> bool {
    let absent = [SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_FUNCTION];
    error.code().is_some_and(|code| absent.contains(code))
}
