//! The walk along a log, tile by tile: every event against the hashes that the log comes with, these against its checkpoint, and the
//! roots on the way against pins.
//!
//! What must stay true: nothing is believed but a signature by a trusted key. A hash that the log comes with only says where a
//! change is: the walk goes on from it after the change was told, so that what follows is looked at too.

use std::collections::{HashMap, HashSet};

use hftok_core::audit::checkpoint::Checkpoint;
use hftok_core::audit::event::{Event, Kind};
use hftok_core::audit::leaf::{Hash, hash_of, record_of};
use hftok_core::audit::record::Scratch;
use hftok_core::audit::tile::{Content, Tile};
use hftok_core::audit::tree::{Frontier, TILE, TILE_HEIGHT};

use super::finding::{Finding, Sort, events};
use super::tile_file;

/// The files of one tile, as far as they are there.
#[derive(Debug, Default)]
pub struct TileFiles {
    /// The hash of each of its leaves.
    pub hashes: Option<Vec<u8>>,
    /// Its events.
    pub entries: Option<Vec<u8>>,
}

/// A walk that is under way.
pub struct Walk<'a> {
    /// Where the log says that it ends.
    checkpoint: &'a Checkpoint,
    /// The sizes at which the root is asked for, the greatest first.
    sizes: Vec<u64>,
    /// The roots at these sizes.
    roots: HashMap<u64, Hash>,
    /// Files with hashes of tiles and above, by level and number.
    upper: HashMap<(u8, u64), Vec<u8>>,
    /// The tree over all whole tiles so far.
    tiles: Frontier,
    /// The tree over the leaves of the tile that is walked along.
    inside: Frontier,
    /// The first event whose data is there.
    first: Option<u64>,
    /// The events up to which a purge is told.
    purges: HashSet<u64>,
    /// What is wrong.
    findings: Vec<Finding>,
    /// The greatest event that a finding is about: what its change changed above it is no finding of its own.
    told: u64,
    /// Whether something is missing without which no root can be had.
    is_stopped: bool,
}

/// What a walk found.
#[derive(Debug)]
pub struct Walked {
    /// The first event whose data is there.
    pub first: Option<u64>,
    /// The number of events up to which roots are known.
    pub reached: u64,
    /// The root at the end, if the end was reached.
    pub root: Option<Hash>,
    /// The roots that were asked for, as far as they are known.
    pub roots: HashMap<u64, Hash>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl<'a> Walk<'a> {
    /// Begins, and will know the roots at these sizes.
    pub fn begin(checkpoint: &'a Checkpoint, sizes: impl IntoIterator<Item = u64>) -> Self {
        let mut sizes: Vec<u64> = sizes.into_iter().collect();
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        sizes.dedup();
        let mut walk = Self {
            checkpoint,
            sizes,
            roots: HashMap::new(),
            upper: HashMap::new(),
            tiles: Frontier::default(),
            inside: Frontier::default(),
            first: None,
            purges: HashSet::from([0]),
            findings: Vec::new(),
            told: 0,
            is_stopped: false,
        };
        walk.note_root();
        walk
    }

    /// Takes a file with hashes of tiles, or of what is above them.
    pub fn take_upper(&mut self, level: u8, number: u64, bytes: Vec<u8>) {
        self.upper.insert((level, number), bytes);
    }

    /// The number of events that the log has, as its checkpoint says.
    pub fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// The number of the tile that comes next, if there is one.
    pub fn next(&self) -> Option<u64> {
        let next = self.tiles.size();
        let has_more = !self.is_stopped && next * TILE + self.inside.size() < self.checkpoint.size;
        has_more.then_some(next)
    }

    /// Walks along the next tile.
    pub fn step(&mut self, files: &TileFiles) {
        let Some(tile) = self.next().and_then(|next| Tile::of(Content::Entries, next, self.checkpoint.size))
        else {
            return;
        };
        let width = usize::from(tile.width);
        let stored = files.hashes.as_deref().map(tile_file::hashes).filter(|hashes| hashes.len() == width);
        match (&files.entries, stored) {
            (Some(entries), stored) => self.look(&tile, entries, stored),
            (None, Some(hashes)) if self.may_be_purged(&tile) => {
                hashes.iter().for_each(|hash| self.push(*hash));
            }
            (None, None) if self.may_be_purged(&tile) => match self.upper_hash(1, tile.number) {
                Some(hash) => self.complete(tile.number, hash),
                None => self.stop(&tile, 0),
            },
            (None, _) => self.stop(&tile, 0),
        }
    }

    /// Ends the walk.
    pub fn finish(mut self) -> Walked {
        let reached = self.reached();
        let is_whole = reached == self.checkpoint.size;
        if is_whole && self.first.is_none() && reached > 0 {
            self.tell(reached, Finding::at(Sort::Missing, 1, format!("{}: missing", events(1, reached))));
        }
        let gone = self.first.unwrap_or(1) - 1;
        if is_whole && !self.purges.contains(&gone) {
            let what = format!("{}: missing, and no purge is told", events(1, gone));
            self.tell(gone, Finding::at(Sort::Missing, 1, what));
        }
        let root = self.root().filter(|_| is_whole);
        Walked { first: self.first, reached, root, roots: self.roots, findings: self.findings }
    }

    /// Looks at every event of a tile.
    fn look(&mut self, tile: &Tile, entries: &[u8], stored: Option<&[Hash]>) {
        let (begin, width) = (tile.number * TILE + 1, u64::from(tile.width));
        self.first.get_or_insert(begin);
        if stored.is_none() {
            let what = format!("{}: their hashes are missing", events(begin, begin + width - 1));
            self.tell(begin + width - 1, Finding::at(Sort::Missing, begin, what));
        }
        let mut at = 0;
        for leaf in tile_file::entries(entries) {
            let Some(leaf) = leaf.filter(|_| at < width) else { break };
            let (event, hash) = (begin + at, hash_of(leaf));
            let stored = usize::try_from(at).ok().and_then(|at| stored?.get(at));
            if stored.is_some_and(|stored| *stored != hash) {
                let what = format!("event {event}: it, or its hash, was replaced");
                self.tell(event, Finding::at(Sort::Replaced, event, what));
            }
            self.hear(event, leaf);
            self.push(*stored.unwrap_or(&hash));
            at += 1;
        }
        if at < width {
            self.stop(tile, at);
        }
    }

    /// Remembers what the audit says of itself.
    fn hear(&mut self, number: u64, leaf: &[u8]) {
        let Some(record) = record_of(leaf).filter(|record| record.kind() == Some(Kind::Audit)) else {
            return;
        };
        let mut scratch = Scratch::default();
        let Some(event) = Event::of(record, &mut scratch).filter(|event| event.is_protected) else { return };
        match (event.action, event.outcome) {
            ("audit_checkpoint", _) => {
                let what = format!("event {number}: hftok found there that the log had been changed");
                self.findings.push(Finding::at(Sort::Damaged, number, what));
            }
            ("purge_audit", "committed") => {
                self.purges.extend(event.object.owner.and_then(|upto| upto.parse::<u64>().ok()));
            }
            _ => {}
        }
    }

    /// Adds a leaf.
    fn push(&mut self, leaf: Hash) {
        self.inside.push(leaf, |_, _| {});
        if self.inside.size() == TILE {
            let (number, hash) = (self.tiles.size(), self.inside.root());
            self.inside = Frontier::default();
            self.complete(number, hash);
        } else {
            self.note_root();
        }
    }

    /// Adds the hash of a whole tile, and looks at each hash above it that is whole now.
    fn complete(&mut self, number: u64, hash: Hash) {
        let stored = self.check(1, number, &hash);
        let mut above = Vec::new();
        self.tiles.push(stored, |node, hash| above.push((node, hash)));
        for (node, hash) in above {
            if node.height % TILE_HEIGHT == 0 {
                self.check(node.height / TILE_HEIGHT + 1, node.number, &hash);
            }
        }
        self.note_root();
    }

    /// Looks at a hash above the leaves, and gives the one to go on from.
    fn check(&mut self, level: u8, number: u64, hash: &Hash) -> Hash {
        let span = 1_u64.checked_shl(u32::from(TILE_HEIGHT * level)).unwrap_or(0);
        let (begin, end) = (number * span + 1, (number + 1) * span);
        let stored = self.upper_hash(level, number);
        if stored != Some(*hash) && self.told < begin {
            let (sort, what) = match stored {
                Some(_) => (Sort::Replaced, "one of them, or the hash over them, was replaced"),
                None => (Sort::Missing, "the hash over them is missing"),
            };
            self.tell(end, Finding::at(sort, begin, format!("{}: {what}", events(begin, end))));
        }
        stored.unwrap_or(*hash)
    }

    /// A hash above the leaves, as the log comes with it.
    fn upper_hash(&self, level: u8, number: u64) -> Option<Hash> {
        let file = self.upper.get(&(level, number / TILE))?;
        tile_file::hashes(file).get(usize::try_from(number % TILE).ok()?).copied()
    }

    /// A purge takes whole tiles, the oldest first.
    fn may_be_purged(&self, tile: &Tile) -> bool {
        self.first.is_none() && u64::from(tile.width) == TILE
    }

    /// Events of a tile are missing, and so is what stands for them.
    fn stop(&mut self, tile: &Tile, at: u64) {
        let (event, last) = (tile.number * TILE + 1 + at, tile.number * TILE + u64::from(tile.width));
        let what = match at {
            0 => format!("{}: one of them is missing, or damaged", events(event, last)),
            _ => format!("event {event}: missing, or damaged"),
        };
        self.tell(last, Finding::at(Sort::Missing, event, what));
        self.is_stopped = true;
    }

    /// Keeps a finding that is about events up to this one.
    fn tell(&mut self, upto: u64, finding: Finding) {
        self.told = self.told.max(upto);
        self.findings.push(finding);
    }

    /// The number of leaves so far.
    fn reached(&self) -> u64 {
        self.tiles.size() * TILE + self.inside.size()
    }

    /// The root so far.
    fn root(&self) -> Option<Hash> {
        let peaks = [self.tiles.peaks(), self.inside.peaks()].concat();
        Frontier::new(self.reached(), peaks).map(|frontier| frontier.root())
    }

    /// Keeps the root, if it is asked for.
    fn note_root(&mut self) {
        let size = self.reached();
        while self.sizes.last().is_some_and(|wanted| *wanted < size) {
            self.sizes.pop();
        }
        if self.sizes.last() == Some(&size) {
            self.roots.extend(self.root().map(|root| (size, root)));
        }
    }
}
