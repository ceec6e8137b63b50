//! The log as files that others verify: C2SP's `tlog-tiles`.
//!
//! Must stay true: a tile is in memory at a time, however long the log is.

use hftok_core::audit::bundle::Events;
use hftok_core::audit::leaf::leaf_data;
use hftok_core::audit::tile::{Content, Tile, put_entry};

use super::checkpoints::StoredCheckpoint;
use super::nodes::{self, Lost, Nodes, Piece};
use super::proofs;
use crate::error::Error;

/// Shows the path and the content of each file of the log, from those that cover this event on. A file that cannot be made, because its
/// events were purged or are damaged, is left out: whoever verifies the others misses it.
pub fn files(from: i64, mut each: impl FnMut(&str, &[u8]) -> Result<(), Error>) -> Result<(), Error> {
    let Some(newest) = StoredCheckpoint::newest()? else { return Ok(()) };
    each("checkpoint", proofs::note_of(&newest)?.as_bytes())?;
    let first_leaf = from.max(1).cast_unsigned() - 1;
    for tile in Tile::all(first_leaf, newest.size) {
        let content = match tile.content {
            Content::Hashes(_) => hashes(&tile)?,
            Content::Entries => entries(&tile)?,
        };
        if let Some(content) = content {
            each(&tile.to_string(), &content)?;
        }
    }
    Ok(())
}

/// The hashes of a tile, if all of them can be had.
fn hashes(tile: &Tile) -> Result<Option<Vec<u8>>, Error> {
    let mut nodes = Nodes::default();
    let mut bytes = Vec::with_capacity(32 * usize::from(tile.width));
    for node in tile.nodes() {
        let Some(hash) = Lost::or_none(nodes.hash(node))? else { return Ok(None) };
        bytes.extend_from_slice(&hash);
    }
    Ok(Some(bytes))
}

/// The leaf data of a tile's events, if all of them can be had.
fn entries(tile: &Tile) -> Result<Option<Vec<u8>>, Error> {
    let first = nodes::first_of_tile(tile.number);
    let last = first + i64::from(tile.width) - 1;
    let mut bytes = Vec::new();
    let mut next = Some(first);
    nodes::walk(first, last, |piece| {
        // Events beyond the checkpoint may follow in the same tile.
        if let Some(at) = next.filter(|at| *at <= last) {
            let fits = piece.first() == at && put_events(&mut bytes, &piece);
            next = fits.then(|| piece.last() + 1);
        }
        Ok(())
    })?;
    Ok((next == Some(last + 1)).then_some(bytes))
}

/// Adds the leaf data of the events of a row. False where they are damaged.
fn put_events(bytes: &mut Vec<u8>, piece: &Piece) -> bool {
    match piece {
        Piece::Row(row) => row.leaf_data().is_some_and(|leaf| put_entry(bytes, &leaf)),
        Piece::Bundle(bundle) => {
            let Some(mut events) = Events::of(&bundle.body) else { return false };
            let mut count = 0;
            for entry in events.by_ref() {
                if !put_entry(bytes, &leaf_data(entry.record)) {
                    return false;
                }
                count += 1;
            }
            events.is_done() && count == bundle.count
        }
    }
}
