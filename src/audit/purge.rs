//! Removing the oldest part of the audit, so that the rest still verifies.
//!
//! Whole tiles go, and the hashes above them stay: so checkpoints and proofs from before hold as they did. If the newest change of an object is among them, it is recorded again
//! at the end of the log, because `verify()` holds the tables against it.

use hftok_core::audit::event::{Kind, Object};
use hftok_core::audit::tree::TILE;
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use super::action::{CARRIED_OVER, PURGE};
use super::{bounds, changes, nodes, verifier};
use crate::error::Error;
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::who::session::Session;
use crate::settings;

/// Rows that are removed at a time.
const STEP: i64 = 50_000;

/// Removes the events before the first that is as young as `before`, and returns their number.
pub fn purge(before: TimestampWithTimeZone) -> Result<i64, Error> {
    let retention = settings::audit_retention();
    let is_young: bool = ASK_AGE.read_single(&[before.into(), retention.into()], |row| row.next())?;
    if retention > 0 && is_young {
        return Err(Error::NotAllowed("events younger than hftok.audit_retention are kept"));
    }
    LOCK_PURGES.execute(&[])?;
    let Some(first) = bounds::first()? else { return Ok(0) };
    let cut: Option<i64> = FIND_CUT.read_single(&[before.into()], |row| row.next())?;
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
    for tile in FIND_DIVIDED.read(&[begin.into(), (tiles - 1).into()], |row| row.next::<i64>())? {
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
    Ok(FIND_OWN.read_one(&parameters, |_| Ok(()))?.is_some())
}

/// Records again, at the end of the log, the newest event about an object.
fn carry_over(row: &Row<'_>) -> Result<(), Error> {
    let text = || row.next::<Option<String>>();
    let (id, version): (Option<Uuid>, _) = (row.next()?, row.next()?);
    let digest: Option<Vec<u8>> = row.next()?;
    let (scope, owner, provider, level, subject) = (text()?, text()?, text()?, text()?, text()?);
    let object = Object {
        id: id.map(|id| *id.as_bytes()),
        version,
        digest: digest.as_deref(),
        scope: scope.as_deref(),
        owner: owner.as_deref(),
        provider: provider.as_deref(),
        level: level.as_deref(),
        subject: subject.as_deref(),
    };
    changes::record_as(Kind::Change, CARRIED_OVER, 1, object)
}

statement! {
    /// One purge at a time; readers and the writer are not kept out.
    LOCK_PURGES() = "LOCK TABLE hftok_private.audit_checkpoints IN SHARE UPDATE EXCLUSIVE MODE";

    /// Finds whether the time that events must be kept has not passed.
    ASK_AGE(TIMESTAMPTZ, INT4) =
        "SELECT $1 > pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $2)";

    /// Finds the newest event before every event that must stay.
    FIND_CUT(TIMESTAMPTZ) =
        "SELECT coalesce(
        least((SELECT min(a.id) - 1 FROM hftok_private.audit a WHERE a.at >= $1),
            (SELECT min(b.last_id - b.count) FROM hftok_private.audit_bundles b WHERE b.last_at >= $1)),
        (SELECT max(c.size) FROM hftok_private.audit_checkpoints c))";

    /// Finds the newest change of every object, membership, share and provider, if it is to be removed and says that the thing
    /// exists.
    FIND_NEWEST(INT8) =
        "SELECT n.object_id, n.version, n.digest, n.owner_scope, n.owner_id, n.provider, n.level, n.subject
        FROM (
            SELECT DISTINCT ON (c.object_id, c.subject, CASE WHEN c.subject IS NOT NULL THEN c.owner_id END,
                CASE WHEN c.owner_scope = 'catalogue' THEN c.provider END) c.*
            FROM hftok_private.changes c
            WHERE c.object_id IS NOT NULL OR c.subject IS NOT NULL OR c.owner_scope = 'catalogue'
            ORDER BY c.object_id, c.subject, CASE WHEN c.subject IS NOT NULL THEN c.owner_id END,
                CASE WHEN c.owner_scope = 'catalogue' THEN c.provider END, c.is_carried, c.id DESC, c.at DESC
        ) n WHERE n.id <= $1 AND (n.digest IS NOT NULL
            AND (n.version IS NOT NULL OR n.object_id IS NULL OR n.object_id IN (SELECT i.id FROM hftok_private.integrations i)
                OR n.object_id IN (SELECT t.id FROM hftok_private.runner_tokens t WHERE t.revoked_at IS NULL)) OR (n.subject IS NOT NULL AND n.level IS NOT NULL
            AND (n.object_id IS NULL OR n.object_id IN (SELECT i.id FROM hftok_private.integrations i))))";

    /// The login alone does not tell who a reader is if it is a gateway's, because everybody comes through it: then the role and
    /// the identity do.
    FIND_OWN(INT8, TEXT, TEXT, TEXT) =
        "SELECT 1 FROM hftok_private.audit_bundles b,
        LATERAL hftok_private.unpacked(b.last_id, b.count, b.body) e
        WHERE b.last_id <= $1 AND b.last_at > pg_catalog.clock_timestamp() - interval '90 days'
        AND (hftok_private.may_hold(b.filter_key, b.filter, 'role', $2) OR hftok_private.may_hold(b.filter_key, b.filter, 'who', $3)
            OR hftok_private.may_hold(b.filter_key, b.filter, 'role', $4))
        AND e.kind = 'reveal' AND e.at > pg_catalog.clock_timestamp() - interval '90 days'
        AND (e.role_name = $2 OR e.actor_user = $3 OR e.login_role = $4) LIMIT 1";

    /// Finds tiles that are not one bundle: a checkpoint may end within one, and then needs the hashes of its leaves.
    FIND_DIVIDED(INT8, INT8) =
        "SELECT t.tile FROM pg_catalog.generate_series($1, $2) t (tile)
        WHERE NOT EXISTS (SELECT FROM hftok_private.audit_bundles b WHERE b.last_id = (t.tile + 1) * 256 AND b.count = 256)";

    /// Removes a step's rows.
    DELETE_ROWS(INT8, INT8) = "DELETE FROM hftok_private.audit a WHERE a.id >= $1 AND a.id <= $2";

    /// Removes a step's bundles.
    DELETE_BUNDLES(INT8, INT8) =
        "DELETE FROM hftok_private.audit_bundles b WHERE b.last_id >= $1 AND b.last_id <= $2";
}
