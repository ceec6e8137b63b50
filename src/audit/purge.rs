//! Removing the oldest part of the audit, so that the rest still verifies.
//!
//! A signed stub takes the place of the removed events. If the newest change of an object is among them, it is recorded again
//! at the end of the chain, because `verify()` holds the tables against it.

use std::ffi::CStr;

use hftok_core::audit::chain::Link;
use hftok_core::audit::event::{Kind, Object};
use pgrx::datum::{TimestampWithTimeZone, Uuid};
use pgrx::pg_sys::{BYTEAOID, INT4OID, INT8OID, TEXTOID, TIMESTAMPTZOID};

use super::action::{CARRIED_OVER, PURGE};
use super::{changes, rows, verifier};
use crate::error::Error;
use crate::keys::data_keys;
use crate::pg::rows::sql::{Row, Run, Statement};
use crate::pg::who::session::Session;
use crate::settings;

/// One purge at a time; readers are not kept out.
const LOCK: &CStr = c"LOCK TABLE hftok_private.audit_stub IN SHARE ROW EXCLUSIVE MODE";
/// Finds whether the time that events must be kept has not passed.
const IS_YOUNG: &CStr = c"SELECT $1 > pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $2)";
/// The newest event that may go.
const CUT: &CStr = c"SELECT coalesce((SELECT min(a.id) - 1 FROM hftok_private.audit a WHERE a.at >= $1),
    (SELECT max(a.id) FROM hftok_private.audit a))";
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
const OWN: &CStr = c"SELECT 1 FROM hftok_private.audit a
    WHERE a.id <= $1 AND a.kind = 'reveal' AND a.at > pg_catalog.clock_timestamp() - interval '90 days'
    AND (a.role_name = $2 OR a.actor_user = $3 OR a.login_role = $4) LIMIT 1";
/// Removes a step's events.
const REMOVE: &CStr = c"DELETE FROM hftok_private.audit a WHERE a.id >= $1 AND a.id <= $2";
/// There is one stub at a time.
const REMOVE_STUBS: &CStr = c"DELETE FROM hftok_private.audit_stub";
/// Puts down where the chain begins now, signed.
const PUT_STUB: &CStr =
    c"INSERT INTO hftok_private.audit_stub (id, chain_hash, signature) VALUES ($1, $2, $3)";
/// Rows that are removed at a time.
const STEP: i64 = 50_000;

thread_local! {
    static LOCK_STUBS: Statement = const { Statement::new(LOCK, &[]) };
    static ASK_AGE: Statement = const { Statement::new(IS_YOUNG, &[TIMESTAMPTZOID, INT4OID]) };
    static FIND_CUT: Statement = const { Statement::new(CUT, &[TIMESTAMPTZOID]) };
    static FIND_NEWEST: Statement = const { Statement::new(NEWEST, &[INT8OID]) };
    static FIND_OWN: Statement = const { Statement::new(OWN, &[INT8OID, TEXTOID, TEXTOID, TEXTOID]) };
    static REMOVE_ROWS: Statement = const { Statement::new(REMOVE, &[INT8OID, INT8OID]) };
    static REMOVE_ALL_STUBS: Statement = const { Statement::new(REMOVE_STUBS, &[]) };
    static INSERT_STUB: Statement = const { Statement::new(PUT_STUB, &[INT8OID, BYTEAOID, BYTEAOID]) };
}

/// Removes the events before the first that is as young as `before`, and returns their number.
pub fn purge(before: TimestampWithTimeZone) -> Result<i64, Error> {
    let retention = settings::audit_retention();
    let is_young: bool = one(ASK_AGE.read(&[before.into(), retention.into()], |row| row.must(1))?)?;
    if retention > 0 && is_young {
        return Err(Error::NotAllowed("events younger than hftok.audit_retention are kept"));
    }
    LOCK_STUBS.execute(&[])?;
    let cut: Option<i64> = one(FIND_CUT.read(&[before.into()], |row| Ok(row.get(1)))?)?;
    let Some(cut) = cut else { return Ok(0) };
    let Some(first) = rows::first_until(cut)? else { return Ok(0) };
    if holds_own_reveals(cut)? {
        return Err(Error::NotAllowed(
            "what is to be purged holds reveals of your own that are younger than 90 days: let somebody else purge",
        ));
    }
    // An event that does not verify is evidence; a stub in its place would say that all was well.
    if verifier::verify(None, Some(cut), None)?.first_bad.is_some() {
        return Err(Error::NotAllowed("what is to be purged does not verify: see hftok.verify_audit()"));
    }
    // This comes before there is a stub: events before a stub are no longer looked at.
    FIND_NEWEST.read(&[cut.into()], carry_over)?;
    let link = sign(cut)?;
    let mut from = first;
    while from <= cut {
        let to = cut.min(from + STEP - 1);
        REMOVE_ROWS.execute(&[from.into(), to.into()])?;
        from = to + 1;
    }
    let removed = cut - first + 1;
    changes::record_as(Kind::Audit, PURGE, removed, Object { digest: Some(&link), ..Object::default() })?;
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

/// Puts a signed stub in the place of everything up to an event, and gives its link.
fn sign(number: i64) -> Result<Link, Error> {
    let stored = rows::link(number)?.unwrap_or_default();
    let link = Link::try_from(stored.as_slice())
        .map_err(|_| Error::Internal("an event that verifies has no hash"))?;
    let signature = data_keys::auditing_with(data_keys::audit_key()?, |key| key.stub(number, &link))?;
    put_stub(number, &link, &signature)?;
    Ok(link)
}

/// Stores a stub in place of the one that is there.
pub fn put_stub(number: i64, link: &Link, signature: &Link) -> Result<(), Error> {
    REMOVE_ALL_STUBS.execute(&[])?;
    INSERT_STUB.execute(&[number.into(), link.as_slice().into(), signature.as_slice().into()])?;
    Ok(())
}

/// Records again, at the end of the chain, the newest event about an object.
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
