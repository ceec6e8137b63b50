//! Going on where somebody has changed the log: its end is no longer what hftok has signed.
//!
//! Nothing that is there is removed, and nothing is signed in silence: the event that the caller adds stands in the log for ever, and
//! `verify_audit()` names it. Rows that stand beyond a gap, or beyond all that hftok can show to be its own, get a negative number, so
//! that they are not in the way and no checkpoint covers them.

use hftok_core::audit::leaf::Hash;
use hftok_core::audit::tree::{Frontier, Node, TILE_HEIGHT};

use super::bounds;
use super::bundles::{self, Bundle};
use super::checkpoints::{self, StoredCheckpoint};
use super::nodes::{self, Lost, Nodes};
use super::own_events::own_event;
use crate::error::Error;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;

/// The action of the event that tells of damage.
pub const CHECKPOINT: &str = "audit_checkpoint";

/// The end that a log goes on from: the sound one, or, where there is none, that of what is left, with the damage to tell. `own` says
/// up to which event the log is shown to be hftok's, 0 where nothing shows it.
pub fn end_of(
    sound: Option<Frontier>,
    own: impl FnOnce() -> Result<u64, Error>,
) -> Result<(Frontier, Option<Damage>), Error> {
    match sound {
        Some(sound) => Ok((sound, None)),
        None => end(own()?).map(|(frontier, moved)| (frontier, Some(Damage(moved)))),
    }
}

/// Up to which event a checkpoint or a bundle shows the log to be hftok's.
pub fn shown(
    is_signed: impl FnMut(&StoredCheckpoint) -> Result<bool, Error>,
    is_ours: impl FnMut(&Bundle) -> Result<bool, Error>,
) -> Result<u64, Error> {
    let signed = checkpoints::newest_that(is_signed)?.map_or(0, |newest| newest.size);
    let bundled = bundles::newest_that(is_ours)?.map_or(0, |newest| newest.last.max(0).cast_unsigned());
    Ok(signed.max(bundled))
}

/// The number of rows that were put out of the way.
pub struct Damage(i64);

impl Damage {
    /// The event that tells of it.
    pub fn event(&self) -> Vec<u8> {
        own_event(CHECKPOINT, "damaged", self.0).encode()
    }
}

/// The end of what is left, and the number of rows that were put out of the way for it, at least 1.
fn end(own: u64) -> Result<(Frontier, i64), Error> {
    let own = if own == 0 { i64::MAX } else { i64::try_from(own).unwrap_or(i64::MAX) };
    let end = contiguous_end(own)?;
    let mut moved = 0;
    for statement in [&MOVE_ROWS, &MOVE_ROWS_FAR, &MOVE_BUNDLES, &MOVE_BUNDLES_FAR] {
        moved += statement.execute(&[end.into()])?;
    }
    DELETE_NODES.execute(&[end.into()])?;
    DELETE_CHECKPOINTS.execute(&[end.into()])?;
    let mut nodes = Nodes::default();
    // Zeroes stand for a hash that is lost.
    let peaks = Frontier::peaks_of(end.cast_unsigned())
        .map(|node| Ok(Lost::or_none(nodes.hash(node))?.unwrap_or_default()))
        .collect::<Result<Vec<Hash>, Error>>()?;
    let frontier = Frontier::new(end.cast_unsigned(), peaks).ok_or(Error::Internal("a log is too large"))?;
    Ok((frontier, i64::try_from(moved).unwrap_or(i64::MAX).max(1)))
}

/// The last event before the first gap after the newest event that the log can hold. Rows that stand where no log of ours can have
/// come to are passed over, and so are those beyond `own`.
fn contiguous_end(own: i64) -> Result<i64, Error> {
    let last = checkpoints::last()?.min(own);
    let mut number = last;
    let mut tile = nodes::tile_of(number);
    while tile > 0 && !(is_plausible(tile)? && has_node(tile - 1)?) {
        number = FIND_BEFORE.read_single(&[nodes::first_of_tile(tile).into()], |row| row.next())?;
        tile = nodes::tile_of(number);
    }
    // The hashes of what was purged may be gone as well: then the log goes on from what is left.
    if tile == 0
        && let Some(first) =
            bounds::first()?.filter(|first| *first == nodes::first_of_tile(nodes::tile_of(*first)))
    {
        tile = nodes::tile_of(first);
    }
    loop {
        let leaves = i64::try_from(nodes::leaves_until(tile, last)?.len()).unwrap_or_default();
        let end = nodes::first_of_tile(tile) - 1 + leaves;
        if leaves < 1 << TILE_HEIGHT || end >= last {
            return Ok(end);
        }
        tile += 1;
    }
}

/// Whether at least half of the tiles before one have left their hashes. It also bounds the work that missing ones make.
fn is_plausible(tile: u64) -> Result<bool, Error> {
    let tiles = i64::try_from(tile).unwrap_or(i64::MAX);
    let stored: i64 = COUNT_NODES.read_single(&[tiles.into()], |row| row.next())?;
    Ok(stored >= tiles / 2)
}

/// Whether the hash of a tile is stored or follows from its events.
fn has_node(tile: u64) -> Result<bool, Error> {
    let hash = Nodes::default().hash(Node { height: TILE_HEIGHT, number: tile });
    Lost::or_none(hash).map(|hash| hash.is_some())
}

/// A statement's beginning: the numbers beyond one of a table, and as many below zero that nobody has taken. Not materialized, so
/// that indexes answer.
macro_rules! far {
    ($numbers:literal) => {
        concat!(
            "WITH numbers (number) AS NOT MATERIALIZED (",
            $numbers,
            "), moved AS (SELECT n.number, row_number() OVER (ORDER BY n.number) AS place FROM numbers n WHERE n.number > $1),
            free AS (SELECT -n AS number, row_number() OVER (ORDER BY n) AS place
                FROM pg_catalog.generate_series(1, (SELECT count(*) FROM numbers c WHERE c.number < 0 OR c.number > $1)) n
                WHERE NOT EXISTS (SELECT FROM numbers t WHERE t.number = -n)) "
        )
    };
}

statement! {
    /// Counts the tiles before one that have left their hashes.
    COUNT_NODES(INT8) =
        "SELECT count(*) FROM hftok_private.audit_nodes n WHERE n.height = 8 AND n.number < $1";

    /// Finds the newest event before a number.
    FIND_BEFORE(INT8) =
        "SELECT greatest((SELECT max(a.id) FROM hftok_private.audit a WHERE a.id < $1),
        (SELECT max(b.last_id) FROM hftok_private.audit_bundles b WHERE b.last_id < $1), 0)";

    /// Puts rows out of the way.
    MOVE_ROWS(INT8) =
        "UPDATE hftok_private.audit a SET id = -a.id WHERE a.id > $1
        AND NOT EXISTS (SELECT FROM hftok_private.audit t WHERE t.id = -a.id)";

    /// The same for those whose number with a minus somebody has taken.
    MOVE_ROWS_FAR(INT8) =
        far!("SELECT o.id FROM hftok_private.audit o"),
        "UPDATE hftok_private.audit a SET id = f.number FROM moved m JOIN free f USING (place) WHERE a.id = m.number";

    /// Puts bundles out of the way.
    MOVE_BUNDLES(INT8) =
        "UPDATE hftok_private.audit_bundles a SET last_id = -a.last_id WHERE a.last_id > $1
        AND NOT EXISTS (SELECT FROM hftok_private.audit_bundles t WHERE t.last_id = -a.last_id)";

    /// The same for those whose number with a minus somebody has taken.
    MOVE_BUNDLES_FAR(INT8) =
        far!("SELECT o.last_id FROM hftok_private.audit_bundles o"),
        "UPDATE hftok_private.audit_bundles a SET last_id = f.number
        FROM moved m JOIN free f USING (place) WHERE a.last_id = m.number";

    /// Removes hashes and checkpoints of a larger log: they cover what is no longer there.
    DELETE_NODES(INT8) =
        "DELETE FROM hftok_private.audit_nodes n WHERE n.height BETWEEN 1 AND 62 AND n.number >= $1 >> n.height";

    /// The same for checkpoints: the next one has a size of its own.
    DELETE_CHECKPOINTS(INT8) = "DELETE FROM hftok_private.audit_checkpoints c WHERE c.size > $1";
}
