//! Going on where somebody has changed the log: its end is no longer what hftok has signed.
//!
//! Nothing that is there is removed, and nothing is signed in silence: the event that the caller adds stands in the log for ever, and
//! `verify_audit()` names it. Rows that stand beyond a gap get a negative number, so that they are not in the way.

use std::ffi::CStr;

use hftok_core::audit::leaf::Hash;
use hftok_core::audit::tree::{Frontier, Node, TILE_HEIGHT};
use pgrx::pg_sys::INT8OID;

use super::checkpoints::{self, StoredCheckpoint};
use super::nodes::{self, Lost, Nodes};
use crate::error::Error;
use crate::pg::rows::sql::{Run, Statement};

/// The action of the event that tells of damage.
pub const CHECKPOINT: &str = "audit_checkpoint";

/// Puts rows out of the way.
const SET_ROWS_ASIDE: &CStr = c"UPDATE hftok_private.audit a SET id = -a.id WHERE a.id > $1";
/// The same for bundles.
const SET_BUNDLES_ASIDE: &CStr =
    c"UPDATE hftok_private.audit_bundles b SET last_id = -b.last_id WHERE b.last_id > $1";
/// Removes hashes and checkpoints of a larger log: they cover what is no longer there.
const FORGET_NODES: &CStr = c"DELETE FROM hftok_private.audit_nodes n WHERE n.height > 0
    AND n.number >= $1 / power(2, n.height)::bigint";
/// The same for checkpoints: the next one has a size of its own.
const FORGET_CHECKPOINTS: &CStr = c"DELETE FROM hftok_private.audit_checkpoints c WHERE c.size > $1";

thread_local! {
    static MOVE_ROWS: Statement = const { Statement::new(SET_ROWS_ASIDE, &[INT8OID]) };
    static MOVE_BUNDLES: Statement = const { Statement::new(SET_BUNDLES_ASIDE, &[INT8OID]) };
    static DELETE_NODES: Statement = const { Statement::new(FORGET_NODES, &[INT8OID]) };
    static DELETE_CHECKPOINTS: Statement = const { Statement::new(FORGET_CHECKPOINTS, &[INT8OID]) };
}

/// The end that the log goes on from, and the number of rows that were put out of the way for it, at least 1.
pub fn end(newest: Option<&StoredCheckpoint>) -> Result<(Frontier, i64), Error> {
    let end = contiguous_end(newest.map_or(0, |newest| newest.size))?;
    let moved = MOVE_ROWS.execute(&[end.into()])? + MOVE_BUNDLES.execute(&[end.into()])?;
    DELETE_NODES.execute(&[end.into()])?;
    DELETE_CHECKPOINTS.execute(&[end.into()])?;
    let mut nodes = Nodes::default();
    let peaks = Frontier::peaks_of(end.cast_unsigned()).map(|node| computed(&mut nodes, node));
    let peaks = peaks.collect::<Result<Vec<Hash>, Error>>()?;
    let frontier = Frontier::new(end.cast_unsigned(), peaks).ok_or(Error::Internal("a log is too large"))?;
    Ok((frontier, i64::try_from(moved).unwrap_or(i64::MAX).max(1)))
}

/// The last event before the first gap. Where the checkpoint is right the search begins at it, else at the last tile whose hash is
/// there.
fn contiguous_end(size: u64) -> Result<i64, Error> {
    let last = checkpoints::last()?;
    let mut tile = nodes::tile_of(i64::try_from(size.max(1)).unwrap_or(1).min(last.max(1)));
    while tile > 0 && nodes::leaves_of(tile)?.is_empty() && !has_node(tile - 1)? {
        tile -= 1;
    }
    loop {
        let leaves = i64::try_from(nodes::leaves_of(tile)?.len()).unwrap_or_default();
        let end = nodes::first_of_tile(tile) - 1 + leaves;
        if leaves < 1 << TILE_HEIGHT || end >= last {
            return Ok(end);
        }
        tile += 1;
    }
}

/// Whether the hash of a tile is stored or follows from its events.
fn has_node(tile: u64) -> Result<bool, Error> {
    match Nodes::default().hash(Node { height: TILE_HEIGHT, number: tile }) {
        Ok(_) => Ok(true),
        Err(Lost::Gone) => Ok(false),
        Err(Lost::Error(error)) => Err(error),
    }
}

/// The hash of a subtree; zeroes stand for one that is lost.
fn computed(nodes: &mut Nodes, node: Node) -> Result<Hash, Error> {
    match nodes.hash(node) {
        Ok(hash) => Ok(hash),
        Err(Lost::Gone) => Ok(Hash::default()),
        Err(Lost::Error(error)) => Err(error),
    }
}
