//! The table of counts: how often each secret was handed out, and when last. The writer alone changes it.
//!
//! What must stay true: an id is in the last row that begins at or before it, and nowhere else. Views find it there.

use hftok_core::audit::use_block::{Block, Changes, Id};
use hftok_core::audit::uses::Use;
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use crate::error::Error;
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::{Parameter, Run};

/// Adds these uses, and forgets secrets that were deleted. Both are in the order of their ids.
pub fn change(used: &[Use], deleted: &[Uuid]) -> Result<(), Error> {
    let ids: Vec<Id> = deleted.iter().map(|id| *id.as_bytes()).collect();
    let found = find(Changes { used, deleted: &ids })?;
    let is_there = known(&found)?;
    let (mut changed, mut added, mut emptied) = (Rows::default(), Rows::default(), Vec::new());
    for Found { mut block, is_new, changes } in found {
        if !block.apply(changes, |id| is_there.binary_search(id).is_ok()) {
            continue;
        }
        if block.uses.is_empty() && !is_new {
            emptied.push(Uuid::from_bytes(block.first));
        }
        for (at, (first, uses)) in block.divided().enumerate() {
            let rows = if at == 0 && !is_new { &mut changed } else { &mut added };
            rows.push(first, uses)?;
        }
    }
    if !changed.firsts.is_empty() {
        CHANGE.execute(&changed.into_parameters())?;
    }
    if !added.firsts.is_empty() {
        ADD.execute(&added.into_parameters())?;
    }
    if !emptied.is_empty() {
        REMOVE.execute(&[emptied.into()])?;
    }
    if !deleted.is_empty() {
        FORGET.execute(&[deleted.to_vec().into()])?;
    }
    Ok(())
}

/// Takes over counts that version 0.1.0 left, of so many secrets. Gives whether there may be more.
pub fn take_over(portion: usize) -> Result<bool, Error> {
    let portion = i64::try_from(portion).unwrap_or(i64::MAX);
    let former = TAKE_FORMER.write(&[portion.into()], |row| {
        let (id, count) = (*row.next::<Uuid>()?.as_bytes(), row.next()?);
        Ok(Use { id, count, last: time(row.next()?) })
    })?;
    change(&former, &[])?;
    Ok(!former.is_empty())
}

/// A row in which something changes.
struct Found<'a> {
    /// What it has.
    block: Block,
    /// Whether there is no such row yet.
    is_new: bool,
    /// What changes.
    changes: Changes<'a>,
}

/// The rows in which something changes.
fn find(mut changes: Changes<'_>) -> Result<Vec<Found<'_>>, Error> {
    let mut found: Vec<Found<'_>> = Vec::new();
    while let Some(id) = changes.first() {
        let (block, is_new) = FIND.read_single(&[Uuid::from_bytes(id).into()], block_of)?;
        let changes = changes.take_before(block.next);
        found.push(Found { block, is_new, changes });
    }
    Ok(found)
}

/// The block of a row, and whether there is none.
fn block_of(row: &Row<'_>) -> Result<(Block, bool), Error> {
    let bytes = |id: Uuid| *id.as_bytes();
    let next = row.next::<Option<Uuid>>()?.map(bytes);
    let first = row.next::<Option<Uuid>>()?.map(bytes);
    let ids: Vec<Option<Uuid>> = row.next::<Option<_>>()?.unwrap_or_default();
    let counts: Vec<Option<i64>> = row.next::<Option<_>>()?.unwrap_or_default();
    let last: Vec<Option<TimestampWithTimeZone>> = row.next::<Option<_>>()?.unwrap_or_default();
    let Some(first) = first else {
        return Ok((Block::lowest(next), true));
    };
    let uses = ids.into_iter().zip(counts).zip(last);
    // What somebody else made of a row is left out.
    let uses =
        uses.filter_map(|((id, count), last)| Some(Use { id: bytes(id?), count: count?, last: time(last) }));
    Ok((Block::of(first, next, uses.collect()), false))
}

/// A time in Postgres' microseconds; before all others, if it is not known.
fn time(time: Option<TimestampWithTimeZone>) -> i64 {
    time.map_or(i64::MIN, TimestampWithTimeZone::into)
}

/// Which secrets are there among those used that no row has.
fn known(found: &[Found<'_>]) -> Result<Vec<Id>, Error> {
    let unknown = found.iter().flat_map(|found| found.block.unknown(found.changes));
    let unknown: Vec<Uuid> = unknown.map(Uuid::from_bytes).collect();
    if unknown.is_empty() {
        return Ok(Vec::new());
    }
    let mut known = FIND_SECRETS.read(&[unknown.into()], |row| Ok(*row.next::<Uuid>()?.as_bytes()))?;
    known.sort_unstable();
    Ok(known)
}

/// Rows to be written: the uses of all of them, one after another, and the places of each.
#[derive(Default)]
struct Rows {
    /// The first id of each row, in order.
    firsts: Vec<Uuid>,
    /// The place of its first use, from 1.
    from: Vec<i32>,
    /// The place of its last.
    to: Vec<i32>,
    /// The secrets.
    ids: Vec<Uuid>,
    /// How often.
    counts: Vec<i64>,
    /// When last.
    last: Vec<Option<TimestampWithTimeZone>>,
}

impl Rows {
    /// Adds a row.
    fn push(&mut self, first: Id, uses: &[Use]) -> Result<(), Error> {
        let end = |rows: &Self| {
            i32::try_from(rows.ids.len()).map_err(|_| Error::Internal("more uses are counted than fit"))
        };
        self.firsts.push(Uuid::from_bytes(first));
        self.from.push(end(self)? + 1);
        for uses in uses {
            self.ids.push(Uuid::from_bytes(uses.id));
            self.counts.push(uses.count);
            self.last.push(TimestampWithTimeZone::try_from(uses.last).ok());
        }
        self.to.push(end(self)?);
        Ok(())
    }

    /// The parameters of [`CHANGE`] and [`ADD`].
    fn into_parameters(self) -> [Parameter; 6] {
        [
            self.firsts.into(),
            self.from.into(),
            self.to.into(),
            self.ids.into(),
            self.counts.into(),
            self.last.into(),
        ]
    }
}

statement! {
    /// The row that has an id, if there is one, and the first id of the one after it.
    FIND(UUID) =
        "SELECT (SELECT n.first_id FROM hftok_private.use_counts n WHERE n.first_id > $1 ORDER BY n.first_id LIMIT 1),
            b.first_id, b.secret_ids, b.counts, b.last_used
        FROM (VALUES ($1)) AS i (id) LEFT JOIN LATERAL (
            SELECT c.* FROM hftok_private.use_counts c WHERE c.first_id <= i.id ORDER BY c.first_id DESC LIMIT 1
        ) b ON true";

    /// Those of these secrets that are there.
    FIND_SECRETS(UUIDARRAY) = "SELECT s.id FROM hftok_private.secrets s WHERE s.id = ANY ($1)";

    /// There is no join: Postgres would keep a plan of it that was made while there were few rows. The first ids are in order, so that
    /// the place of one is found in them.
    CHANGE(UUIDARRAY, INT4ARRAY, INT4ARRAY, UUIDARRAY, INT8ARRAY, TIMESTAMPTZARRAY) =
        "UPDATE hftok_private.use_counts c SET
            secret_ids = ($4)[($2)[pg_catalog.width_bucket(c.first_id, $1)]:($3)[pg_catalog.width_bucket(c.first_id, $1)]],
            counts = ($5)[($2)[pg_catalog.width_bucket(c.first_id, $1)]:($3)[pg_catalog.width_bucket(c.first_id, $1)]],
            last_used = ($6)[($2)[pg_catalog.width_bucket(c.first_id, $1)]:($3)[pg_catalog.width_bucket(c.first_id, $1)]]
        WHERE c.first_id = ANY ($1)";

    /// Adds rows.
    ADD(UUIDARRAY, INT4ARRAY, INT4ARRAY, UUIDARRAY, INT8ARRAY, TIMESTAMPTZARRAY) =
        "INSERT INTO hftok_private.use_counts (first_id, secret_ids, counts, last_used)
        SELECT n.first, ($4)[n.begin:n.last], ($5)[n.begin:n.last], ($6)[n.begin:n.last]
        FROM unnest($1, $2, $3) AS n (first, begin, last)";

    /// Removes rows. Their ids belong to the row before, where there is one.
    REMOVE(UUIDARRAY) = "DELETE FROM hftok_private.use_counts c WHERE c.first_id = ANY ($1)";

    /// Forgets whatever else is kept of secrets that are gone.
    FORGET(UUIDARRAY) = "DELETE FROM hftok_private.secret_usage u WHERE u.secret_id = ANY ($1)";

    /// Takes counts out of the table that version 0.1.0 had for them. Those of secrets that are not there stay: a dump brings the secrets
    /// later.
    TAKE_FORMER(INT8) =
        "WITH former AS (
            SELECT u.* FROM hftok_private.secret_usage u
            WHERE u.use_count > 0 AND (SELECT s.id FROM hftok_private.secrets s WHERE s.id = u.secret_id) IS NOT NULL
            ORDER BY u.secret_id LIMIT $1
        ), emptied AS (
            UPDATE hftok_private.secret_usage u SET use_count = 0, last_used_at = NULL
            FROM former f WHERE u.secret_id = f.secret_id AND f.expiry_told IS NOT NULL
            RETURNING u.secret_id
        ), gone AS (
            DELETE FROM hftok_private.secret_usage u USING former f WHERE u.secret_id = f.secret_id AND f.expiry_told IS NULL
            RETURNING u.secret_id
        )
        SELECT f.secret_id, f.use_count, f.last_used_at FROM former f
        WHERE f.secret_id IN (SELECT e.secret_id FROM emptied e UNION ALL SELECT g.secret_id FROM gone g)
        ORDER BY f.secret_id";
}
