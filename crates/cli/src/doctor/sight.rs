//! What the caller can see of the server, asked once.

use std::path::{Path, PathBuf};

use postgres::error::SqlState;
use serde::{Deserialize, Serialize};

use super::finding::{Finding, Severity, Step};
use crate::connection::{Database, database_failure};
use crate::failure::Failure;

/// What the session sees.
pub struct Sight {
    /// The session.
    session: Database,
    /// The database.
    pub database: String,
    /// The version of hftok in it; none where it is not there.
    pub version: Option<String>,
    /// The version that the server has to offer; none where it has none.
    pub available: Option<String>,
    /// Whether the server loaded hftok when it was started.
    pub is_preloaded: bool,
    /// shared_preload_libraries, where it may be seen.
    pub libraries: Option<String>,
    /// The data directory, where it may be seen.
    pub data: Option<PathBuf>,
    /// The keyring, where hftok.key_file names one and may be seen.
    key_file: Option<PathBuf>,
    /// Where a keyring is to be that is not there yet.
    pub new_keyring: PathBuf,
    /// What could not be seen, and why.
    pub unseen: Vec<String>,
}

/// What `status()` says. Columns that a version does not have are not there.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default)]
#[derive(Default)]
pub struct Status {
    /// Whether no value opens.
    pub sealed: bool,
    /// Why, or why the keyring could not be read again.
    pub reason: Option<String>,
    /// The name in the keyring.
    pub installation: Option<String>,
    /// The key that wraps.
    pub primary_root_key_id: Option<i32>,
    /// Secrets that there are.
    pub secrets: i64,
    /// Those that a retired key sealed.
    pub secrets_on_old_keys: i64,
    /// Logins under which claims are believed.
    pub gateways: Vec<String>,
    /// What the writer of the audit does.
    pub audit_writer: Option<String>,
    /// Events that are to be written.
    pub audit_waiting: i64,
    /// Seconds since the oldest of them.
    pub audit_lag_seconds: f64,
    /// What holds the writer up.
    pub audit_trouble: Option<String>,
}

/// Asked before hftok is called, because a call would load it.
const SEEN: &str = "SELECT current_database()::text,
    (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'hftok'),
    (SELECT a.default_version::text FROM pg_catalog.pg_available_extensions a WHERE a.name = 'hftok'),
    EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE s.name = 'hftok.overlap'),
    (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'shared_preload_libraries'),
    (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'data_directory'),
    (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'hftok.key_file'),
    (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)";

/// Who keeps others from a table of hftok altogether.
const BLOCKERS: &str = "SELECT DISTINCT c.relname::text, l.pid::text, pg_catalog.format('SELECT pg_terminate_backend(%s)', l.pid)
    FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE l.granted AND l.mode = 'AccessExclusiveLock' AND n.nspname IN ('hftok', 'hftok_private')
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
    AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()";

impl Sight {
    /// Looks about.
    pub fn of(mut session: Database, new_keyring: &Path) -> Result<Self, Failure> {
        let client = session.client();
        // A table that somebody has locked is a finding, and nothing to wait for.
        client
            .batch_execute("SET lock_timeout = '3s'; SET statement_timeout = '60s'")
            .map_err(database_failure)?;
        let row = client.query_one(SEEN, &[]).map_err(database_failure)?;
        let text = |at: usize| row.try_get::<_, Option<String>>(at).map_err(database_failure);
        let is = |at: usize| row.try_get::<_, bool>(at).map_err(database_failure);
        let data = text(5)?.map(PathBuf::from);
        let key_file = text(6)?.filter(|path| !path.is_empty());
        let key_file = key_file.map(|path| data.as_deref().unwrap_or(Path::new("")).join(path));
        let mut unseen = Vec::new();
        if !is(7)? {
            unseen.push("paths of the server, and what superusers alone may see".to_owned());
        }
        Ok(Self {
            database: text(0)?.unwrap_or_default(),
            version: text(1)?,
            available: text(2)?,
            is_preloaded: is(3)?,
            libraries: text(4)?,
            data,
            key_file,
            new_keyring: new_keyring.to_owned(),
            unseen,
            session,
        })
    }

    /// The keyring, or what stands for it.
    pub fn keyring(&self) -> String {
        self.key_file.as_ref().map_or_else(|| "THE_KEYRING".to_owned(), |path| path.display().to_string())
    }

    /// The data directory, or what stands for it.
    pub fn data(&self) -> String {
        self.data.as_ref().map_or_else(|| "THE_DATA_DIRECTORY".to_owned(), |path| path.display().to_string())
    }

    /// What the server says of itself. A table that somebody has locked is a finding.
    pub fn status(&mut self, findings: &mut Vec<Finding>) -> Result<Option<Status>, Failure> {
        let asked = "SELECT (pg_catalog.to_jsonb(s) || pg_catalog.jsonb_build_object('audit_lag_seconds', \
            coalesce(pg_catalog.date_part('epoch', s.audit_lag), 0), 'gateways', coalesce(s.gateways, '{}')))::text FROM hftok.status() AS s";
        match self.session.client().query_one(asked, &[]).and_then(|row| row.try_get::<_, String>(0)) {
            Ok(text) => {
                let status =
                    serde_json::from_str(&text).map_err(|_| Failure::Answer { function: "status" })?;
                Ok(Some(status))
            }
            Err(error) if is_locked(&error) => {
                self.find("database.locked", Severity::Critical, BLOCKERS, findings);
                Ok(None)
            }
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_FILE) => {
                findings.push(Finding::critical(
                    "library.missing",
                    "hftok.so",
                    database_failure(error).to_string(),
                    vec![Step::hand(
                        "Install hftok for this server's version of Postgres: make install PG_CONFIG=…",
                    )],
                ));
                Ok(None)
            }
            Err(error) => Err(database_failure(error)),
        }
    }

    /// Rows of text. What may not be seen is noted.
    pub fn rows(&mut self, what: &'static str, text: &str) -> Vec<Vec<Option<String>>> {
        let rows = self.session.client().query(text, &[]);
        let read = rows.and_then(|rows| {
            let cells = |row: &postgres::Row| (0..row.len()).map(|at| row.try_get(at)).collect();
            rows.iter().map(cells).collect::<Result<Vec<Vec<Option<String>>>, postgres::Error>>()
        });
        read.unwrap_or_else(|error| {
            self.unseen.push(format!("{what}: {}", database_failure(error)));
            Vec::new()
        })
    }

    /// Findings that one statement makes: the object, what is wrong with it, and a statement that mends it.
    pub fn find(&mut self, name: &'static str, severity: Severity, text: &str, findings: &mut Vec<Finding>) {
        for row in self.rows(name, text) {
            let mut cells = row.into_iter().flatten();
            if let (Some(object), Some(what)) = (cells.next(), cells.next()) {
                let remedy = cells.map(Step::Sql).collect();
                findings.push(Finding { name, severity, object, what, remedy });
            }
        }
    }
}

/// Whether a table is locked by somebody who keeps it.
fn is_locked(error: &postgres::Error) -> bool {
    let waits = [SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED];
    error.code().is_some_and(|code| waits.contains(code))
}
