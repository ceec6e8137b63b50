//! Hashes of the tree: those that are stored, and those that follow from them and from events.

use hftok_core::audit::bundle::Events;
use hftok_core::audit::leaf::Hash;
use hftok_core::audit::tree::{Node, TILE, TILE_HEIGHT, node_hash};
use pgrx::pg_sys::{BYTEAOID, INT2OID, INT8OID};

use super::bundles::{self, Bundle};
use super::rows::{self, Stored};
use super::tables::{bounded, table};
use crate::error::Error;
use crate::pg::rows::append::Append;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;

/// A hash that cannot be had, or the error that kept it back.
pub enum Lost {
    /// Neither the hash nor the events that it covers are there.
    Gone,
    /// Something else went wrong.
    Error(Error),
}

impl Lost {
    /// What was found, or `None` where it cannot be had.
    pub fn or_none<T>(found: Result<T, Self>) -> Result<Option<T>, Error> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(Self::Gone) => Ok(None),
            Err(Self::Error(error)) => Err(error),
        }
    }
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// A part of the log as it is stored.
pub enum Piece {
    /// An event with a row of its own.
    Row(Box<Stored>),
    /// A bundle.
    Bundle(Bundle),
}

impl Piece {
    /// The number of its last event.
    pub fn last(&self) -> i64 {
        match self {
            Self::Row(row) => row.number,
            Self::Bundle(bundle) => bundle.last,
        }
    }

    /// The number of its first event, as far as the row says.
    pub fn first(&self) -> i64 {
        match self {
            Self::Row(row) => row.number,
            Self::Bundle(bundle) => bundle.first(),
        }
    }

    /// The hashes of its leaves, one for each event; `None` where it is damaged.
    pub fn leaves(&self) -> Option<Vec<Hash>> {
        match self {
            Self::Row(row) => Some(vec![row.leaf_hash()?]),
            Self::Bundle(bundle) => {
                let mut events = Events::of(&bundle.body)?;
                let mut leaves = Vec::with_capacity(usize::try_from(bundle.count.clamp(0, 256)).ok()?);
                while let Some(entry) = events.next() {
                    leaves.push(events.leaf(&entry));
                }
                (events.is_done() && i32::try_from(leaves.len()) == Ok(bundle.count)).then_some(leaves)
            }
        }
    }
}

/// Tiles that are read at a time.
const STEP: u8 = 8;

/// Shows everything that is stored from the tile of one event to the end of that of another, in order.
pub fn walk(from: i64, to: i64, mut each: impl FnMut(Piece) -> Result<(), Error>) -> Result<(), Error> {
    let last = tile_of(to);
    for tile in (tile_of(from)..=last).step_by(STEP.into()) {
        let begin = first_of_tile(tile);
        let end = first_of_tile(last.min(tile + u64::from(STEP) - 1)).saturating_add(TILE.cast_signed() - 1);
        let mut rows = rows::read(begin, end)?.into_iter().peekable();
        bundles::read(begin, end, |bundle| {
            while let Some(row) = rows.next_if(|row| row.number <= bundle.last) {
                each(Piece::Row(Box::new(row)))?;
            }
            each(Piece::Bundle(bundle))
        })?;
        for row in rows {
            each(Piece::Row(Box::new(row)))?;
        }
    }
    Ok(())
}

/// The tile of an event, counted from 0.
pub fn tile_of(number: i64) -> u64 {
    (number.max(1) - 1).cast_unsigned() >> TILE_HEIGHT
}

/// The first event of a tile.
pub fn first_of_tile(tile: u64) -> i64 {
    (tile << TILE_HEIGHT).cast_signed() + 1
}

/// The leaves of a tile, from its first event on, up to the first that is not there.
pub fn leaves_of(tile: u64) -> Result<Vec<Hash>, Error> {
    leaves_until(tile, i64::MAX)
}

/// The same without what ends after an event.
pub fn leaves_until(tile: u64, until: i64) -> Result<Vec<Hash>, Error> {
    let first = first_of_tile(tile);
    let last_of_tile = first + TILE.cast_signed() - 1;
    let last = last_of_tile.min(until);
    let mut leaves = Vec::new();
    let mut next = Some(first);
    walk(first, last_of_tile, |piece| {
        if piece.last() > last || next != Some(piece.first()) {
            next = None;
            return Ok(());
        }
        let own = piece.leaves();
        next = own.as_ref().map(|_| piece.last() + 1);
        leaves.extend(own.unwrap_or_default());
        Ok(())
    })?;
    if leaves.is_empty() {
        let kept = stored(0, tile, tile)?.pop().map(|(_, bytes)| bytes).unwrap_or_default();
        leaves = kept.as_chunks().0.to_vec();
    }
    Ok(leaves)
}

/// The nodes of a height between two numbers that are stored.
fn stored(height: u8, from: u64, to: u64) -> Result<Vec<(u64, Vec<u8>)>, Error> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    READ_NODES.read(&[i16::from(height).into(), number(from).into(), number(to).into()], |row| {
        Ok((row.next::<i64>()?.cast_unsigned(), row.next::<Option<_>>()?.unwrap_or_default()))
    })
}

/// The hash of a node as it is stored, if it can be one.
pub fn stored_hash(node: Node) -> Result<Option<Hash>, Error> {
    let found = stored(node.height, node.number, node.number)?.pop();
    Ok(found.and_then(|(_, hash)| hash.try_into().ok()))
}

/// Whether somebody has stored a node that a log of this size cannot have yet.
pub fn is_any_beyond(size: u64) -> Result<bool, Error> {
    Ok(FIND_BEYOND.read_one(&[size.cast_signed().into()], |_| Ok(()))?.is_some())
}

/// The hashes of tiles as they are stored, for whoever asks for one after the other: many are read at a time.
#[derive(Default)]
pub struct TileHashes {
    /// The first tile of those that were read.
    first: u64,
    /// Their hashes, where there is one.
    hashes: Vec<Option<Hash>>,
}

impl TileHashes {
    /// The hash of a tile, if it can be one.
    pub fn hash(&mut self, tile: u64) -> Result<Option<Hash>, Error> {
        if let Some(hash) = self.kept(tile) {
            return Ok(*hash);
        }
        let mut read = stored(TILE_HEIGHT, tile, tile.saturating_add(TILE - 1))?.into_iter().peekable();
        let of_tile =
            |tile| read.next_if(|(found, _)| *found == tile).and_then(|(_, hash)| hash.try_into().ok());
        (self.first, self.hashes) = (tile, (tile..tile.saturating_add(TILE)).map(of_tile).collect());
        Ok(self.kept(tile).copied().flatten())
    }

    /// What was read of a tile.
    fn kept(&self, tile: u64) -> Option<&Option<Hash>> {
        self.hashes.get(usize::try_from(tile.checked_sub(self.first)?).ok()?)
    }
}

/// Hashes of the tree. The tile that was asked for last is kept.
#[derive(Default)]
pub struct Nodes {
    /// A tile and its leaves.
    tile: Option<(u64, Vec<Hash>)>,
}

impl Nodes {
    /// The hash of a perfect subtree.
    pub fn hash(&mut self, node: Node) -> Result<Hash, Lost> {
        let Node { height, number } = node;
        if height < TILE_HEIGHT {
            let tile = number >> (TILE_HEIGHT - height);
            let first = usize::try_from((number << height) - (tile << TILE_HEIGHT)).unwrap_or(usize::MAX);
            let leaves = self.leaves(tile)?.get(first..).and_then(|rest| rest.get(..1 << height));
            return leaves.map(fold).ok_or(Lost::Gone);
        }
        if height.is_multiple_of(TILE_HEIGHT)
            && let Some(hash) = stored_hash(node)?
        {
            return Ok(hash);
        }
        self.compute(node)
    }

    /// The hash of a perfect subtree by those of the next height below that is stored.
    pub fn compute(&mut self, node: Node) -> Result<Hash, Lost> {
        let Node { height, number } = node;
        let base = (height - 1) / TILE_HEIGHT * TILE_HEIGHT;
        let count = 1_u64 << (height - base);
        let first = number << (height - base);
        let hashes = if base == 0 {
            let leaves = self.leaves(number >> (TILE_HEIGHT - height.min(TILE_HEIGHT)))?;
            leaves.get(..usize::try_from(count).unwrap_or(usize::MAX)).ok_or(Lost::Gone)?.to_vec()
        } else {
            let mut kept = stored(base, first, first + count - 1)?.into_iter().peekable();
            let mut hashes = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
            for number in first..first + count {
                let found =
                    kept.next_if(|(kept, _)| *kept == number).and_then(|(_, hash)| hash.try_into().ok());
                hashes.push(match found {
                    Some(hash) => hash,
                    None => self.compute(Node { height: base, number })?,
                });
            }
            hashes
        };
        Ok(fold(&hashes))
    }

    /// The leaves of a tile.
    fn leaves(&mut self, tile: u64) -> Result<&[Hash], Error> {
        let kept = match self.tile.take() {
            Some((kept, leaves)) if kept == tile => leaves,
            _ => leaves_of(tile)?,
        };
        Ok(&self.tile.insert((tile, kept)).1)
    }
}

/// The root of as many hashes as a power of two.
fn fold(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Hash::default(),
        [hash] => *hash,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&fold(left), &fold(right))
        }
    }
}

/// Adds nodes to the table.
pub fn store(nodes: &[(Node, Hash)]) -> Result<(), Error> {
    if nodes.is_empty() {
        return Ok(());
    }
    let mut new = Append::begin(table(c"audit_nodes")?, &[INT2OID, INT8OID, BYTEAOID])?;
    for (node, hash) in nodes {
        let number = i64::try_from(node.number).map_err(|_| Error::Internal("a tree is too large"))?;
        new.row([i16::from(node.height).into(), number.into(), hash.as_slice().into()])?;
    }
    new.finish()
}

/// Keeps the leaves of a tile whose events are purged.
pub fn keep_leaves(tile: u64, leaves: &[Hash]) -> Result<(), Error> {
    DELETE_LEAVES.execute(&[tile.cast_signed().into()])?;
    let mut new = Append::begin(table(c"audit_nodes")?, &[INT2OID, INT8OID, BYTEAOID])?;
    new.row([0_i16.into(), tile.cast_signed().into(), leaves.as_flattened().into()])?;
    new.finish()
}

statement! {
    /// Finds a stored node that a log of this size cannot have yet: the next one to be stored would collide with it.
    FIND_BEYOND(INT8) =
        "SELECT 1 FROM pg_catalog.generate_series(8, 56, 8) h (height),
        LATERAL (SELECT n.number FROM hftok_private.audit_nodes n WHERE n.height = h.height ORDER BY n.number DESC LIMIT 1) n
        WHERE n.number >= $1 >> h.height LIMIT 1";

    /// Removes leaves that are to be kept anew.
    DELETE_LEAVES(INT8) = "DELETE FROM hftok_private.audit_nodes n WHERE n.height = 0 AND n.number = $1";

    /// Reads nodes of one height.
    READ_NODES(INT2, INT8, INT8) =
        "SELECT n.number, ", bounded!("n.hash", 8192), " FROM hftok_private.audit_nodes n
        WHERE n.height = $1 AND n.number >= $2 AND n.number <= $3 ORDER BY n.number";
}
