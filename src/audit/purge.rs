//! Removing the oldest part of the audit, so that the rest still verifies.
//!
//! Whole tiles go, and the hashes above them stay: so checkpoints and proofs from before hold as they did. If the newest change of an object is among them, it is recorded again
//! at the end of the log, because `verify()` holds the tables against it.

use std::ffi::CStr;

use hftok_core::audit::event::{Kind, Object};
use hftok_core::audit::tree::TILE;
use pgrx::datum::{TimestampWithTimeZone, Uuid};
use pgrx::pg_sys::{INT4OID, INT8OID, TEXTOID, TIMESTAMPTZOID};

use super::action::{CARRIED_OVER, PURGE};
use super::{bounds, changes, nodes, verifier};
use crate::error::Error;
use crate::pg::rows::columns::Row;
use crate::pg::rows::sql::{Run, Statement};
use crate::pg::who::session::Session;
use crate::settings;

/// One purge at a time; readers and the writer are not kept out.
const LOCK: &CStr = c"LOCK TABLE hftok_private.audit_checkpoints IN SHARE UPDATE EXCLUSIVE MODE";
/// Finds whether the time that events must be kept has not passed.
const IS_YOUNG: &CStr = c"SELECT $1 > pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $2)";
/// Finds the newest event before every event that must stay.
const CUT: &CStr = c"SELECT coalesce(
    least((SELECT min(a.id) - 1 FROM hftok_private.audit a WHERE a.at >= $1),
        (SELECT min(b.last_id - b.count) FROM hftok_private.audit_bundles b WHERE b.last_at >= $1)),
    (SELECT max(c.size) FROM hftok_private.audit_checkpoints c))";
/// Finds the newest change of every object, membership, share and provider, if it is to be removed and says that the thing
/// exists.
const NEWEST: &CStr =
    c"SELECT n.object_id, n.version, n.digest, n.owner_scope, n.owner_id, n.provider, n.level, n.subject
    FROM (
        SELECT DISTINCT ON (c.object_id, c.subject, CASE WHEN c.subject IS NOT NULL THEN c.owner_id END,
            CASE WHEN c.owner_scope = 'catalogue' THEN c.provider END) c.*
        FROM hftok_private.changes c
        WHERE c.object_id IS NOT NULL OR c.subject IS NOT NULL OR c.owner_scope = 'catalogue'
        ORDER BY c.object_id, c.subject, CASE WHEN c.subject IS NOT NULL THEN c.owner_id END,
            CASE WHEN c.owner_scope = 'catalogue' THEN c.provider END, c.is_carried, c.id DESC, c.at DESC
    ) n WHERE n.id <= $1 AND (n.digest IS NOT NULL
        AND (n.version IS NOT NULL OR n.object_id IS NULL OR n.object_id IN (SELECT i.id FROM hftok_private.integrations i)) OR (n.subject IS NOT NULL AND n.level IS NOT NULL
        AND (n.object_id IS NULL OR n.object_id IN (SELECT i.id FROM hftok_private.integrations i))))";
/// The login alone does not tell who a reader is if it is a gateway's, because everybody comes through it: then the role and
/// the identity do.
const OWN: &CStr = c"SELECT 1 FROM hftok_private.audit_bundles b,
    LATERAL hftok_private.unpacked(b.last_id, b.count, b.body) e
    WHERE b.last_id <= $1 AND b.last_at > pg_catalog.clock_timestamp() - interval '90 days'
    AND (hftok_private.may_hold(b.filter_key, b.filter, 'role', $2) OR hftok_private.may_hold(b.filter_key, b.filter, 'who', $3)
        OR hftok_private.may_hold(b.filter_key, b.filter, 'role', $4))
    AND e.kind = 'reveal' AND e.at > pg_catalog.clock_timestamp() - interval '90 days'
    AND (e.role_name = $2 OR e.actor_user = $3 OR e.login_role = $4) LIMIT 1";
/// Finds tiles that are not one bundle: a checkpoint may end within one, and then needs the hashes of its leaves.
const DIVIDED: &CStr = c"SELECT t.tile FROM pg_catalog.generate_series($1, $2) t (tile)
    WHERE NOT EXISTS (SELECT FROM hftok_private.audit_bundles b WHERE b.last_id = (t.tile + 1) * 256 AND b.count = 256)";
/// Removes a step's rows.
const REMOVE_ROWS: &CStr = c"DELETE FROM hftok_private.audit a WHERE a.id >= $1 AND a.id <= $2";
/// Removes a step's bundles.
const REMOVE_BUNDLES: &CStr =
    c"DELETE FROM hftok_private.audit_bundles b WHERE b.last_id >= $1 AND b.last_id <= $2";
/// Rows that are removed at a time.
const STEP: i64 = 50_000;

thread_local! {
    static LOCK_PURGES: Statement = const { Statement::new(LOCK, &[]) };
    static ASK_AGE: Statement = const { Statement::new(IS_YOUNG, &[TIMESTAMPTZOID, INT4OID]) };
    static FIND_CUT: Statement = const { Statement::new(CUT, &[TIMESTAMPTZOID]) };
    static FIND_NEWEST: Statement = const { Statement::new(NEWEST, &[INT8OID]) };
    static FIND_OWN: Statement = const { Statement::new(OWN, &[INT8OID, TEXTOID, TEXTOID, TEXTOID]) };
    static FIND_DIVIDED: Statement = const { Statement::new(DIVIDED, &[INT8OID, INT8OID]) };
    static DELETE_ROWS: Statement = const { Statement::new(REMOVE_ROWS, &[INT8OID, INT8OID]) };
    static DELETE_BUNDLES: Statement = const { Statement::new(REMOVE_BUNDLES, &[INT8OID, INT8OID]) };
}

/// Removes the events before the first that is as young as `before`, and returns their number.
pub fn purge(before: TimestampWithTimeZone) -> Result<i64, Error> {
    let retention = settings::audit_retention();
    let is_young: bool = one(ASK_AGE.read(&[before.into(), retention.into()], |row| row.must(1))?)?;
    if retention > 0 && is_young {
        return Err(Error::NotAllowed("events younger than hftok.audit_retention are kept"));
    }
    LOCK_PURGES.execute(&[])?;
    let Some(first) = bounds::first()? else { return Ok(0) };
    let cut: Option<i64> = one(FIND_CUT.read(&[before.into()], |row| Ok(row.get(1)))?)?;
    // Whole tiles go: the hashes above them stay, and hold what is left.
    let tiles = cut.unwrap_or_default() / TILE.cast_signed();
    let cut = tiles * TILE.cast_signed();
    if cut < first {
        return Ok(0);
    }
    if holds_own_reveals(cut)? {
        return Err(Error::NotAllowed(
            "what is to be purged holds reveals of your own that are younger than 90 days: let somebody else purge",
        ));
    }
    // An event that does not verify is evidence.
    if verifier::verify(None, Some(cut), None)?.first_bad.is_some() {
        return Err(Error::NotAllowed("what is to be purged does not verify: see hftok.verify_audit()"));
    }
    FIND_NEWEST.read(&[cut.into()], carry_over)?;
    let begin = (first - 1) / TILE.cast_signed();
    for tile in FIND_DIVIDED.read(&[begin.into(), (tiles - 1).into()], |row| row.must::<i64>(1))? {
        let tile = tile.cast_unsigned();
        nodes::keep_leaves(tile, &nodes::leaves_of(tile)?)?;
    }
    let mut from = first;
    while from <= cut {
        let to = cut.min(from + STEP - 1);
        DELETE_ROWS.execute(&[from.into(), to.into()])?;
        DELETE_BUNDLES.execute(&[from.into(), to.into()])?;
        from = to + 1;
    }
    let removed = cut - first + 1;
    let last = cut.to_string();
    let object = Object { scope: Some("audit"), owner: Some(&last), ..Object::default() };
    changes::record_as(Kind::Audit, PURGE, removed, object)?;
    Ok(removed)
}

/// Whether the events up to this one tell of values that went to the purging role: nobody wipes their own slate.
fn holds_own_reveals(cut: i64) -> Result<bool, Error> {
    let session = Session::acting_for(None);
    let who = session.as_who();
    let login = who.login.filter(|_| !session.is_through_gateway());
    let parameters = [cut.into(), who.role.into(), who.user.into(), login.into()];
    Ok(!FIND_OWN.read(&parameters, |_| Ok(()))?.is_empty())
}

/// Records again, at the end of the log, the newest event about an object.
fn carry_over(row: &Row<'_>) -> Result<(), Error> {
    let digest: Option<Vec<u8>> = row.get(3);
    let text = |column| row.get::<String>(column);
    let (scope, owner, provider, level, subject) = (text(4), text(5), text(6), text(7), text(8));
    let object = Object {
        id: row.get::<Uuid>(1).map(|id| *id.as_bytes()),
        version: row.get(2),
        digest: digest.as_deref(),
        scope: scope.as_deref(),
        owner: owner.as_deref(),
        provider: provider.as_deref(),
        level: level.as_deref(),
        subject: subject.as_deref(),
    };
    changes::record_as(Kind::Change, CARRIED_OVER, 1, object)
}

/// The only row of a query that gives one.
fn one<T>(rows: Vec<T>) -> Result<T, Error> {
    rows.into_iter().next().ok_or(Error::Internal("a query gave no row"))
}
