//! Previous versions: each row keeps its own copy of every field that it was bound to, so that it opens after the
//! secret was renamed.

use hftok_core::audit::mac::Mac;
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use super::row::{self, SealedRow, sealed_row};
use crate::error::{Error, Object};
use crate::keys::data_keys;
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::who::session;
use crate::settings;

/// Keeps what a secret holds now, in this version, as a previous one, and lets go of those beyond the history's length.
pub fn keep(secret_id: Uuid, version: i32) -> Result<(), Error> {
    let now = session::now();
    let mark = data_keys::auditing_with(data_keys::audit_key()?, |key| {
        key.superseded(secret_id.as_bytes(), version, now)
    })?;
    let at =
        TimestampWithTimeZone::try_from(now).map_err(|_| Error::Internal("the clock is out of range"))?;
    KEEP_ROW.execute(&[secret_id.into(), at.into(), mark.as_slice().into()])?;
    // The row in `secrets` still has the version that was just kept. Versions count from 1.
    let history = settings::version_history();
    if version > history {
        PRUNE_ROWS.execute(&[secret_id.into(), history.into()])?;
    }
    Ok(())
}

/// A previous version.
pub fn find(secret_id: Uuid, version: i32) -> Result<SealedRow, Error> {
    let found = FIND_ROW.read_one(&[secret_id.into(), version.into()], SealedRow::read)?;
    found.ok_or(Error::NotFound(Object::Version(secret_id, version)))
}

/// A previous version that may still be used.
pub struct Previous {
    /// The sealed value and what it was bound to.
    pub row: SealedRow,
    /// Its own time is over.
    pub is_expired: bool,
}

/// Whether a version was replaced when its row says.
pub fn was_superseded(
    secret_id: Uuid,
    version: i32,
    at: TimestampWithTimeZone,
    mark: &[u8],
) -> Result<bool, Error> {
    let Ok(mark) = Mac::try_from(mark) else { return Ok(false) };
    data_keys::was_made(&mark, |key| key.superseded(secret_id.as_bytes(), version, row::microseconds(at)))
}

/// A previous version that was replaced so recently that it may still be used. When that was decides it, and is believed only
/// if hftok itself wrote it.
pub fn find_overlapping(secret_id: Uuid, version: i32) -> Result<Previous, Error> {
    let parameters = [secret_id.into(), version.into(), settings::overlap().into()];
    let read = |row: &Row<'_>| Ok((row.next()?, row.next()?, row.next::<Vec<u8>>()?));
    let found = FIND_OVERLAPPING.read_one(&parameters, read)?;
    let (is_expired, at, mark) = found.ok_or(Error::NotFound(Object::Version(secret_id, version)))?;
    let row = find(secret_id, version)?;
    if was_superseded(secret_id, version, at, &mark)? {
        Ok(Previous { row, is_expired })
    } else {
        Err(row.damaged())
    }
}

/// The version that a caller names who only wants that there is one.
const ANY: i32 = -1;

/// Refuses to write when the current version is not the one that was expected; 0 stands for none.
pub fn expect(expected: Option<i32>, current: i32) -> Result<(), Error> {
    match expected {
        Some(ANY) if current > 0 => Ok(()),
        Some(expected) if expected != current => Err(Error::Conflict { expected, current }),
        _ => Ok(()),
    }
}

statement! {
    /// Whether a former version may still be used beside the present one.
    FIND_OVERLAPPING(UUID, INT4, INT4) =
        "SELECT coalesce(v.expires_at <= pg_catalog.clock_timestamp(), false),
        v.superseded_at, v.superseded_mark
        FROM hftok_private.secret_versions v WHERE v.secret_id = $1 AND v.version = $2
        AND v.superseded_at + pg_catalog.make_interval(secs => $3) > pg_catalog.clock_timestamp()";

    /// The version that is about to be replaced, as it stands.
    KEEP_ROW(UUID, TIMESTAMPTZ, BYTEA) =
        "INSERT INTO hftok_private.secret_versions
        (secret_id, version, scope, scope_id, provider, model, name, slot, kind, allowed_hosts, expires_at,
         preview, fingerprint, sealed, sealed_at, superseded_at, superseded_mark)
        SELECT s.id, s.version, s.scope, s.scope_id, s.provider, s.model, s.name, s.slot, s.kind, s.allowed_hosts, s.expires_at,
         s.preview, s.fingerprint, s.sealed, s.sealed_at, $2, $3
        FROM hftok_private.secrets s WHERE s.id = $1";

    /// Drops versions past the number that is kept.
    PRUNE_ROWS(UUID, INT4) =
        "DELETE FROM hftok_private.secret_versions v USING hftok_private.secrets s
        WHERE s.id = $1 AND v.secret_id = s.id AND v.version <= s.version - $2";

    /// A former version, by its number.
    FIND_ROW(UUID, INT4) =
        "SELECT ", sealed_row!("v", "secret_id"), "
        FROM hftok_private.secret_versions v WHERE v.secret_id = $1 AND v.version = $2";
}
