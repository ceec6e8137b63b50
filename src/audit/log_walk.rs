//! The way along the log: every event that is stored, in order, and the tree that is made of them on the way.

use std::ops::Range;
use std::time::{Duration, Instant};

use hftok_core::audit::bundle::{Events, FullTile};
use hftok_core::audit::leaf::Hash;
use hftok_core::audit::tree::{Frontier, Node, TILE, TILE_HEIGHT};

use super::bundles::Bundle;
use super::checkpoints::StoredCheckpoint;
use super::damage;
use super::eras::Eras;
use super::full_tiles::{FullTiles, PORTION};
use super::nodes::{self, Lost, Nodes, Piece, TileHashes, first_of_tile, tile_of};
use super::pinned::Bad;
use super::rows::Stored;
use crate::error::Error;
use crate::pg::server::server_log;

/// The time between two reports of how far the verification is.
const PROGRESS: Duration = Duration::from_secs(5);

/// A way along the log.
pub struct Walk {
    /// The identities that bundles may have been protected under.
    eras: Eras,
    /// The events that are verified; others count by the hashes that are stored.
    range: (i64, i64),
    /// The first event that is there.
    begin: i64,
    /// The next event.
    next: i64,
    /// The leaves of the tile that it is in.
    leaves: Frontier,
    /// The bundles of this tile.
    bundles: Vec<Bundle>,
    /// The tree over the tiles before it.
    tiles: Frontier,
    /// The hashes of tiles that are stored.
    stored: TileHashes,
    /// Events that fit.
    pub checked: i64,
    /// Number of these that were not protected.
    pub unprotected: i64,
    /// The first event that is wrong for certain.
    pub bad: Option<Bad>,
    /// A tile whose stored hash is not that of its events: either may have been changed.
    doubt: Option<u64>,
    /// When progress was reported last.
    told: Instant,
}

impl Walk {
    /// Stands before the first event.
    pub fn begin(eras: Eras, begin: i64, range: (i64, i64)) -> Self {
        Self {
            eras,
            range,
            begin,
            next: begin,
            leaves: Frontier::default(),
            bundles: Vec::new(),
            tiles: Frontier::default(),
            stored: TileHashes::default(),
            checked: 0,
            unprotected: 0,
            bad: None,
            doubt: None,
            told: Instant::now(),
        }
    }

    /// Goes along the whole log: by stored hashes where nothing is to be verified, and event by event where it is.
    pub fn run(&mut self, newest: &StoredCheckpoint) -> Result<(), Error> {
        let size = newest.size.cast_signed();
        let (from, to) = self.range;
        let is_empty = from > to;
        let first = tile_of(if is_empty { size } else { from }).min(tile_of(size));
        let last = if is_empty { first } else { tile_of(to) };
        // The tile that is not full yet has no hash of its own, so its events are always looked at.
        let full = newest.size / TILE;
        self.skip(0, first.min(full))?;
        self.look(first, last.min(full), size)?;
        if last < full && self.bad.is_none() {
            self.skip(last + 1, full)?;
            self.look(full, full, size)?;
        }
        if self.bad.is_none() && self.next <= size {
            self.bad = Some(missing(self.next, size + 1));
        }
        if self.bad.is_none() {
            self.bad = self.judge(newest)?;
        }
        Ok(())
    }

    /// Takes the hashes of tiles as they are stored.
    fn skip(&mut self, from: u64, to: u64) -> Result<(), Error> {
        let mut nodes = Nodes::default();
        for tile in from..to {
            let hash = match self.stored.hash(tile)? {
                Some(hash) => Some(hash),
                None => Lost::or_none(nodes.hash(Node { height: TILE_HEIGHT, number: tile }))?,
            };
            let Some(hash) = hash else {
                self.bad = Some((first_of_tile(tile), "the hash of the events from it on is missing".into()));
                return Ok(());
            };
            self.tiles.push(hash, |_, _| {});
        }
        self.next = self.next.max(first_of_tile(to.max(from)));
        Ok(())
    }

    /// Looks at every event of some tiles.
    fn look(&mut self, from: u64, to: u64, size: i64) -> Result<(), Error> {
        if self.bad.is_some() {
            return Ok(());
        }
        let end = (first_of_tile(to + 1) - 1).min(size);
        let begin = first_of_tile(from).max(self.begin);
        if begin > end {
            return Ok(());
        }
        let tiles = tile_of(begin)..tile_of(end) + 1;
        for first in tiles.clone().step_by(PORTION) {
            let last = tiles.end.min(first + u64::try_from(PORTION).unwrap_or(u64::MAX));
            self.look_at(first..last, end)?;
            if self.bad.is_some() {
                return Ok(());
            }
        }
        // Else the hashes of the tiles that follow would take the place of what is missing.
        if self.next <= end {
            self.bad = Some(missing(self.next, end + 1));
        }
        Ok(())
    }

    /// Looks at a portion of them: the hash of a tile that one bundle fills is known, and any other is looked at event by event.
    fn look_at(&mut self, tiles: Range<u64>, end: i64) -> Result<(), Error> {
        let full = FullTiles::read(&tiles, &self.eras)?;
        let mut tile = tiles.start;
        while tile < tiles.end && self.bad.is_none() {
            if let Some(found) = self.sound(&full, tile)? {
                self.pass(tile, &found, end)?;
                tile += 1;
                continue;
            }
            let first = tile;
            while tile < tiles.end && self.sound(&full, tile)?.is_none() {
                tile += 1;
            }
            nodes::walk(first_of_tile(first), end.min(first_of_tile(tile) - 1), |piece| {
                self.step(piece, end)
            })?;
        }
        Ok(())
    }

    /// A tile that one bundle fills, whose hash is stored, and that is verified as a whole.
    fn sound(&mut self, full: &FullTiles, tile: u64) -> Result<Option<FullTile>, Error> {
        let (first, last) = (first_of_tile(tile), first_of_tile(tile + 1) - 1);
        let Some(found) = full.sound(tile).filter(|_| self.range.0 <= first && last <= self.range.1) else {
            return Ok(None);
        };
        Ok((self.stored.hash(tile)? == Some(found.root)).then_some(found))
    }

    /// Passes over it.
    fn pass(&mut self, tile: u64, found: &FullTile, end: i64) -> Result<(), Error> {
        let first = first_of_tile(tile);
        if first > self.next {
            self.bad = Some(missing(self.next, first));
            return Ok(());
        }
        self.next = first_of_tile(tile + 1);
        self.checked += TILE.cast_signed();
        self.unprotected += i64::from(found.unprotected);
        self.tell(end);
        self.add_tile(tile, found.root)
    }

    /// Tells how far it is, now and then.
    fn tell(&mut self, end: i64) {
        if self.told.elapsed() > PROGRESS {
            self.told = Instant::now();
            server_log::notice(&format!("hftok: {} of {end} events verified", self.next - 1), None);
        }
    }

    /// Looks at a row.
    fn step(&mut self, piece: Piece, end: i64) -> Result<(), Error> {
        if self.bad.is_some() || piece.last() > end {
            return Ok(());
        }
        let (first, last) = (piece.first(), piece.last());
        if first > self.next {
            self.bad = Some(missing(self.next, first));
        } else if last < first || first < self.next {
            self.bad = Some((last.min(self.next), "it is there twice".into()));
        } else if tile_of(first) != tile_of(last) {
            self.bad = Some((first, changed_bundle(first, last)));
        }
        if self.bad.is_some() {
            return Ok(());
        }
        match piece {
            Piece::Row(row) => self.row(&row),
            Piece::Bundle(bundle) => self.bundle(bundle)?,
        }
        self.next = last + 1;
        if self.leaves.size() == TILE && self.bad.is_none() {
            self.end_tile()?;
        }
        self.tell(end);
        Ok(())
    }

    /// Looks at an event with a row of its own.
    fn row(&mut self, row: &Stored) {
        let leaf = row.leaf_hash().filter(|leaf| leaf[..] == row.leaf);
        let Some(leaf) = leaf else {
            self.bad = Some((row.number, "it was changed".into()));
            return;
        };
        if row.is_action(damage::CHECKPOINT) {
            let what = "hftok found here that events before it, or the newest checkpoint, had been changed";
            self.bad = Some((row.number, what.into()));
            return;
        }
        self.count(row.number, row.is_protected());
        self.leaves.push(leaf, |_, _| {});
    }

    /// Looks at a bundle: the hash over its row, and the leaf of each event.
    fn bundle(&mut self, bundle: Bundle) -> Result<(), Error> {
        let (first, last) = (bundle.first(), bundle.last);
        let is_ours = self.eras.have_made(&bundle)?;
        let events = Events::of(&bundle.body).filter(|_| is_ours);
        let Some(mut events) = events else {
            self.bad = Some((first, changed_bundle(first, last)));
            return Ok(());
        };
        let mut number = first;
        while let Some(entry) = events.next() {
            let leaf = events.leaf(&entry);
            self.leaves.push(leaf, |_, _| {});
            self.count(number, entry.record.is_protected());
            number += 1;
        }
        if !events.is_done() || number != last + 1 {
            self.bad = Some((first, changed_bundle(first, last)));
            return Ok(());
        }
        self.bundles.push(bundle);
        Ok(())
    }

    /// Counts an event that is verified.
    fn count(&mut self, number: i64, is_protected: bool) {
        if (self.range.0..=self.range.1).contains(&number) {
            self.checked += 1;
            self.unprotected += i64::from(!is_protected);
        }
    }

    /// Holds the hash of a full tile against the one that is stored.
    fn end_tile(&mut self) -> Result<(), Error> {
        let tile = self.tiles.size();
        let root = std::mem::take(&mut self.leaves).root();
        if self.stored.hash(tile)? == Some(root) {
            self.bundles.clear();
        } else {
            self.doubt = self.doubt.or(Some(tile));
            self.bad = self.changed_body();
        }
        self.add_tile(tile, root)
    }

    /// Adds a full tile to the tree, and holds the hashes above it that are complete with it against those that are stored.
    fn add_tile(&mut self, tile: u64, root: Hash) -> Result<(), Error> {
        let mut higher = Vec::new();
        self.tiles.push(root, |node, hash| higher.push((node, hash)));
        for (node, hash) in higher {
            let node = Node { height: node.height + TILE_HEIGHT, ..node };
            if node.height.is_multiple_of(TILE_HEIGHT) && nodes::stored_hash(node)? != Some(hash) {
                self.doubt = self.doubt.or(Some(tile));
            }
        }
        Ok(())
    }

    /// The bundle of this tile whose body is not the one that its row names.
    fn changed_body(&mut self) -> Option<Bad> {
        let changed = std::mem::take(&mut self.bundles).into_iter().find(|bundle| !bundle.has_its_body())?;
        Some((changed.first(), changed_bundle(changed.first(), changed.last)))
    }

    /// What is wrong with the tree as a whole.
    fn judge(&mut self, newest: &StoredCheckpoint) -> Result<Option<Bad>, Error> {
        let peaks: Vec<Hash> = self.tiles.peaks().iter().chain(self.leaves.peaks()).copied().collect();
        let root = Frontier::new(newest.size, peaks).map(|frontier| frontier.root());
        let is_signed = root == Some(newest.root);
        let Some(tile) = self.doubt else {
            if is_signed {
                return Ok(None);
            }
            if let Some(bad) = self.changed_body() {
                return Ok(Some(bad));
            }
            let first = first_of_tile(self.tiles.size()).min(newest.size.cast_signed());
            let what = "it, an event after it, or a stored hash of events before it is not what was signed";
            return Ok(Some((first, what.into())));
        };
        let (first, last) = (first_of_tile(tile), first_of_tile(tile + 1) - 1);
        let what = if is_signed {
            format!("the stored hash of the events {first} to {last}, or one above it, was changed")
        } else {
            format!("one of the events {first} to {last} was changed, inserted, moved or replaced")
        };
        Ok(Some((first, what)))
    }
}

/// Events that are missing up to another one.
fn missing(first: i64, next: i64) -> Bad {
    match next - first {
        1 => (first, "it is missing".into()),
        count => (first, format!("it and the {} after it are missing", count - 1)),
    }
}

/// A bundle that is not as it was written.
fn changed_bundle(first: i64, last: i64) -> String {
    if first >= last {
        "it was changed".into()
    } else {
        format!("it, or an event after it up to {last}, was changed")
    }
}
