//! Rotations that are under way: what is left to be done, and the end of a key that nothing uses any more.
//!
//! What must stay true: a key is destroyed only when no row has it; when every transaction is gone that may have used it since it was
//! retired, also a prepared one, and again no row has it; and when no snapshot is left that shows a row as it was. Each of these is looked
//! at in a transaction of its own, and all that a look finds is kept in the table: who goes on may be another process.

use hftok_core::audit::event::{Kind, Object};
use hftok_core::data_key::DataKeyId;

use super::reseal;
use crate::audit::changes;
use crate::error::Error;
use crate::keys::{data_keys, identity, roots, rotation};
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::server::transaction;

/// Whether the keys are this database's to rotate and to destroy: there are any, and no publisher sends values that they sealed. A copy
/// that waits for its adoption is an error.
pub fn are_ours() -> Result<bool, Error> {
    if identity::stored()?.is_none() {
        return Ok(false);
    }
    identity::home()?.refuse_copy()?;
    let is_subscribed: bool = IS_SUBSCRIBED.read_single(&[], |row| row.next())?;
    Ok(!is_subscribed)
}

/// Rotates the data keys of the installation, or of an organisation. `why` is told where nobody asked for it.
/// An organisation's own key wraps the new one from now on if `is_by_org`, and otherwise if it did so before.
pub fn rotate(org: &str, is_by_org: bool, why: Option<&str>) -> Result<DataKeyId, Error> {
    if IS_SUBSCRIBED.read_single(&[], |row| row.next())? {
        return Err(Error::BadInput(
            "this database gets its data keys by logical replication: they are rotated where they come from",
        ));
    }
    let key = rotation::renew(org, is_by_org)?;
    let object = Object { version: Some(key.get()), level: why, ..Object::default() };
    let owned = Object { scope: Some("org"), owner: Some(org), ..object };
    let object = if org.is_empty() { object } else { owned };
    changes::record_as(Kind::Key, "rotate_data_key", 1, object)?;
    Ok(key)
}

/// The owners whose key has been active for more than so many seconds; an empty one is the installation.
pub fn aged(seconds: i32) -> Result<Vec<String>, Error> {
    FIND_AGED.read(&[seconds.into()], |row| row.next())
}

/// A key that was retired and is not destroyed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retired {
    /// Its id.
    pub key: i32,
    /// Rows that have it.
    pub rows: i64,
    /// The part of them that may yet be sealed anew: the others do not open.
    pub left: i64,
    /// Whether imports recognise by it what they have moved in.
    pub is_remembered: bool,
}

/// Every key that was retired, with the rows that have it.
pub fn retired() -> Result<Vec<Retired>, Error> {
    let keys: Vec<i32> = FIND_RETIRED.read(&[], |row| row.next())?;
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let stored = reseal::as_stored(&keys);
    let used = COUNT_ROWS.read(&[stored.clone().into()], |row| {
        Ok((reseal::of_stored(&row.next::<Vec<u8>>()?)?, row.next::<i64>()?, row.next::<i64>()?))
    })?;
    let remembered: Vec<i32> =
        FIND_REMEMBERED.read(&[stored.into()], |row| reseal::of_stored(&row.next::<Vec<u8>>()?))?;
    let with_rows = |key: i32| {
        let (rows, left) =
            used.iter().find(|(of, ..)| *of == key).map_or((0, 0), |(_, rows, left)| (*rows, *left));
        Retired { key, rows, left, is_remembered: remembered.contains(&key) }
    };
    Ok(keys.into_iter().map(with_rows).collect())
}

/// Writes down how much there is to do, where that is not known yet; a rotation that had come to its end has not, if there is something.
pub fn note_total(retired: &[Retired]) -> Result<(), Error> {
    END_DESTROYED.execute(&[])?;
    for Retired { key, rows, left, .. } in retired {
        NOTE_TOTAL.execute(&[(*key).into(), (*rows).into(), (*left > 0).into()])?;
    }
    Ok(())
}

/// Writes down what these rotations wait for.
pub fn note_wait(keys: &[i32], what: &str) -> Result<(), Error> {
    NOTE_WAIT.execute(&[keys.to_vec().into(), what.into()]).map(|_| ())
}

/// Writes down what keeps all of them from going on.
pub fn note_trouble(what: &str) -> Result<(), Error> {
    NOTE_TROUBLE.execute(&[what.into()]).map(|_| ())
}

/// Ends rotations whose keys stay, because some rows do not open or imports need them.
pub fn end(keys: &[i32], why: &str) -> Result<(), Error> {
    END.execute(&[keys.to_vec().into(), why.into()]).map(|_| ())
}

/// Writes down who may still use keys that no row has, unless that is known. All who come later know that these are retired.
pub fn note_holders(keys: &[i32]) -> Result<(), Error> {
    // Whoever rotated has told everybody by the time that this lock can be had.
    data_keys::lock()?;
    NOTE_HOLDERS.execute(&[keys.to_vec().into()]).map(|_| ())
}

/// The reasons why a key may not be destroyed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// A transaction that may have used it.
    Transaction,
    /// A snapshot in which a row still has it.
    Snapshot,
}

/// Whether something keeps these keys from being destroyed.
pub fn hindrance(keys: &[i32]) -> Result<Option<Hindrance>, Error> {
    let (holders, snapshots) =
        LOOK_FOR_HINDRANCES.read_single(&[keys.to_vec().into()], |row| Ok((row.next()?, row.next()?)))?;
    Ok(match (holders, snapshots) {
        (true, _) => Some(Hindrance::Transaction),
        (false, true) => Some(Hindrance::Snapshot),
        (false, false) => None,
    })
}

/// Forgets what was written down of keys that rows have (again): who may use them is to be looked at anew when those are gone.
pub fn forget_holders(keys: &[i32]) -> Result<(), Error> {
    FORGET_HOLDERS.execute(&[keys.to_vec().into()]).map(|_| ())
}

/// Destroys those of these keys that no row has, and gives them. The caller wipes them once the transaction is committed.
pub fn destroy(keys: &[i32]) -> Result<Vec<i32>, Error> {
    data_keys::lock_alone()?;
    // It may have become a subscriber since the visit began.
    if !are_ours()? {
        return Ok(Vec::new());
    }
    let free = |retired: &Retired| keys.contains(&retired.key) && retired.rows == 0 && !retired.is_remembered;
    let free: Vec<i32> =
        retired()?.iter().filter(|retired| free(retired)).map(|retired| retired.key).collect();
    let kept: Vec<i32> = keys.iter().filter(|key| !free.contains(key)).copied().collect();
    forget_holders(&kept)?;
    if free.is_empty() {
        return Ok(free);
    }
    let destroyed =
        DESTROY.write(&[free.clone().into()], |row| Ok((row.next::<i32>()?, row.next::<String>()?)))?;
    for (key, purpose) in destroyed {
        let object = Object { version: Some(key), level: Some(&purpose), ..Object::default() };
        changes::record_as(Kind::Key, "destroy_data_key", 1, object)?;
    }
    END.execute(&[free.clone().into(), None::<&str>.into()])?;
    roots::note()?;
    transaction::commit_to_disk();
    Ok(free)
}

statement! {
    /// Those of organisations too, but no key that its organisation has shut.
    FIND_AGED(INT4) =
        "SELECT k.org_id FROM hftok_private.data_keys k
        WHERE k.purpose = 'values' AND k.state = 'active' AND k.shut_at IS NULL
        AND k.created_at < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $1)
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_subscription_rel s WHERE s.srrelid = k.tableoid)
        ORDER BY k.created_at, k.id LIMIT 100";

    /// Whether keys come from a publisher, with values that they sealed. One that was destroyed here would be missing for the next ones.
    IS_SUBSCRIBED() =
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_subscription_rel s
            WHERE s.srrelid = 'hftok_private.data_keys'::pg_catalog.regclass)";

    /// In an order that does not change.
    FIND_RETIRED() =
        "SELECT r.key_id FROM hftok_private.rotations r JOIN hftok_private.data_keys k ON k.id = r.key_id
        WHERE k.state = 'retiring' ORDER BY r.key_id";

    /// Once through both tables. The id of its key is in the second to fifth byte of a sealed value, and in the first four of a fingerprint.
    COUNT_ROWS(BYTEAARRAY) =
        "SELECT u.key, count(*), count(*) FILTER (WHERE f.secret_id IS NULL)
        FROM (
            SELECT k.key, s.id, s.version FROM hftok_private.secrets s,
                LATERAL (VALUES (pg_catalog.substr(s.sealed, 2, 4)), (pg_catalog.substr(s.fingerprint, 1, 4))) AS k (key)
            UNION ALL
            SELECT k.key, v.secret_id, v.version FROM hftok_private.secret_versions v,
                LATERAL (VALUES (pg_catalog.substr(v.sealed, 2, 4)), (pg_catalog.substr(v.fingerprint, 1, 4))) AS k (key)
        ) u LEFT JOIN hftok_private.reseal_failures f ON f.secret_id = u.id AND f.version = u.version
        WHERE u.key = ANY ($1) GROUP BY u.key";

    /// Fingerprints of what a column held cannot be made anew without it.
    FIND_REMEMBERED(BYTEAARRAY) =
        "SELECT DISTINCT pg_catalog.substr(f.fingerprint, 1, 4)
        FROM hftok_private.import_rows r, pg_catalog.unnest(r.fingerprints || r.seen) AS f (fingerprint)
        WHERE pg_catalog.substr(f.fingerprint, 1, 4) = ANY ($1)";

    /// An organisation may be forgotten, and its key destroyed, between the look at its rows and the note of their number.
    END_DESTROYED() =
        "UPDATE hftok_private.rotations r SET finished_at = pg_catalog.clock_timestamp() FROM hftok_private.data_keys k
        WHERE k.id = r.key_id AND k.state = 'destroyed' AND r.finished_at IS NULL";

    /// Once.
    NOTE_TOTAL(INT4, INT8, BOOL) =
        "UPDATE hftok_private.rotations r SET total = coalesce(r.total, $2),
        first_at = coalesce(r.first_at, pg_catalog.clock_timestamp()), finished_at = CASE WHEN $3 THEN NULL ELSE r.finished_at END
        WHERE r.key_id = $1 AND (r.total IS NULL OR $3 AND r.finished_at IS NOT NULL)";

    /// For whoever looks at the view.
    NOTE_WAIT(INT4ARRAY, TEXT) =
        "UPDATE hftok_private.rotations r SET waits_for = $2 WHERE r.key_id = ANY ($1) AND r.waits_for IS DISTINCT FROM $2";

    /// For whoever looks at the view.
    NOTE_TROUBLE(TEXT) =
        "UPDATE hftok_private.rotations r SET waits_for = $1 FROM hftok_private.data_keys k
        WHERE k.id = r.key_id AND k.state = 'retiring' AND r.waits_for IS DISTINCT FROM $1";

    /// By then it is known how many there were: clients have sealed some of them themselves.
    END(INT4ARRAY, TEXT) =
        "UPDATE hftok_private.rotations r SET finished_at = pg_catalog.clock_timestamp(), waits_for = $2, holders = NULL, horizon = NULL,
        total = r.done + (SELECT count(*) FROM hftok_private.reseal_failures f WHERE f.key_id = r.key_id)
        WHERE r.key_id = ANY ($1) AND (r.finished_at IS NULL OR r.waits_for IS DISTINCT FROM $2)";

    /// Whoever seals locks the table so until their transaction ends. A horizon that is still to come is that of another server.
    NOTE_HOLDERS(INT4ARRAY) =
        "UPDATE hftok_private.rotations r SET
        holders = ARRAY(
            SELECT l.virtualtransaction FROM pg_catalog.pg_locks l
            WHERE l.locktype = 'relation' AND l.relation = 'hftok_private.data_keys'::pg_catalog.regclass AND l.mode = 'RowShareLock'
            AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())),
        horizon = pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::pg_catalog.int8
        WHERE r.key_id = ANY ($1) AND (r.holders IS NULL
            OR r.horizon > pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::pg_catalog.int8)";

    /// A prepared transaction has another name after a restart (-1/…), so that each of those counts. Snapshots of this database, and of
    /// standbys that say which they need: snapshots of other databases show none of its rows.
    LOOK_FOR_HINDRANCES(INT4ARRAY) =
        "WITH noted AS (
            SELECT r.holders, (r.horizon & 4294967295)::text::pg_catalog.xid AS horizon
            FROM hftok_private.rotations r WHERE r.key_id = ANY ($1)
        )
        SELECT EXISTS (
            SELECT FROM noted n, pg_catalog.unnest(n.holders) AS h (holder) JOIN pg_catalog.pg_locks l
                ON l.virtualtransaction = h.holder AND l.locktype = 'relation'
                AND l.relation = 'hftok_private.data_keys'::pg_catalog.regclass
        ) OR EXISTS (
            SELECT FROM pg_catalog.pg_locks l
            WHERE l.locktype = 'relation' AND l.relation = 'hftok_private.data_keys'::pg_catalog.regclass AND l.mode = 'RowShareLock'
            AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
            AND pg_catalog.starts_with(l.virtualtransaction, '-1/')
        ), EXISTS (
            SELECT FROM noted n, pg_catalog.pg_stat_activity a
            WHERE a.pid <> pg_catalog.pg_backend_pid() AND pg_catalog.age(a.backend_xmin) > pg_catalog.age(n.horizon)
            AND (a.datname IS NULL OR a.datname = pg_catalog.current_database())
        ) OR EXISTS (
            SELECT FROM noted n, pg_catalog.pg_replication_slots s WHERE pg_catalog.age(s.xmin) > pg_catalog.age(n.horizon)
        )";

    /// Something came back: all begins anew.
    FORGET_HOLDERS(INT4ARRAY) =
        "UPDATE hftok_private.rotations r SET holders = NULL, horizon = NULL WHERE r.key_id = ANY ($1) AND r.holders IS NOT NULL";

    /// The row stays, so that the id is never given again.
    DESTROY(INT4ARRAY) =
        "UPDATE hftok_private.data_keys k SET state = 'destroyed', wrapped = NULL
        WHERE k.id = ANY ($1) AND k.state = 'retiring' RETURNING k.id, k.purpose";
}
