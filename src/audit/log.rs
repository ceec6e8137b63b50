//! The end of the log: where a writer goes on, what it adds, and the checkpoint that it signs.
//!
//! Must stay true: a checkpoint is only signed over a tree that the newest checkpoint is the beginning of. Where that cannot be shown,
//! because somebody has changed the tables, the log goes on, but with an event that says so for ever ([`super::damage`]). And a
//! checkpoint that anybody can see is on disk.

use std::cell::RefCell;

use hftok_core::audit::bundle::Packer;
use hftok_core::audit::checkpoint::{Checkpoint, Signed};
use hftok_core::audit::event::{Event, Kind};
use hftok_core::audit::leaf::{Hash, leaf_hash};
use hftok_core::audit::record::{Record, Scratch};
use hftok_core::audit::tree::{Frontier, Node, TILE, TILE_HEIGHT};
use hftok_core::data_key::DataKeyId;
use hftok_core::random;
use pgrx::pg_sys::{BYTEAOID, INT4OID, INT8OID, TIMESTAMPTZOID};

use super::bundles::{Bundle, NewBundles};
use super::checkpoints::{self, StoredCheckpoint};
use super::damage;
use super::nodes::{self, Lost, Nodes};
use super::rows::NewRows;
use super::tables::{table, time};
use crate::error::Error;
use crate::keys::data_keys;
use crate::keys::identity::{self, Home};
use crate::pg::rows::append::Append;
use crate::pg::server::transaction;
use crate::pg::who::session;

thread_local! {
    // The end of the log as this process has left it.
    static LEFT: RefCell<Option<Frontier>> = const { RefCell::new(None) };
}

/// The keys of a writer.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// Makes the hash over each bundle.
    pub audit: DataKeyId,
    /// Signs checkpoints.
    pub checkpoints: DataKeyId,
}

/// The frontier of a log of this size, by what is stored.
fn frontier_of(size: u64) -> Result<Frontier, Lost> {
    let mut nodes = Nodes::default();
    let peaks = Frontier::peaks_of(size).map(|node| nodes.hash(node)).collect::<Result<_, Lost>>()?;
    Frontier::new(size, peaks).ok_or(Lost::Error(Error::Internal("a log is too large")))
}

/// A log that is being added to, in the transaction of a round.
pub struct Log<'a> {
    /// The keys that protect what is added.
    keys: Keys,
    /// The name of the log.
    origin: String,
    /// The random id of the generation whose log it is.
    generation: [u8; 16],
    /// The tree so far.
    frontier: Frontier,
    /// The bundle that is being filled.
    packer: Option<Packer<'a>>,
    /// The bundles and the rows that are being added.
    bundles: Option<NewBundles>,
    /// The rows that are being added.
    rows: Option<NewRows>,
    /// Hashes that were completed.
    nodes: Vec<(Node, Hash)>,
}

impl<'a> Log<'a> {
    /// The log at its end. Whoever adds to it holds its tables, so that no other process does.
    pub fn open(keys: Keys) -> Result<Self, Error> {
        let home = identity::home()?;
        let known = checkpoints::known_size(&home.generation());
        let newest = StoredCheckpoint::newest()?;
        let is_cut = newest.as_ref().map_or(0, |newest| newest.size) < known;
        let left = LEFT.take().filter(|left| {
            newest.as_ref().is_some_and(|newest| newest.size == left.size() && newest.root == left.root())
        });
        let sound = match left {
            Some(left) => Some(left),
            None if is_cut => None,
            None => sound_end(newest.as_ref(), |newest| newest.is_signed(&home.origin()))?,
        };
        let own = || {
            let is_signed = |checkpoint: &StoredCheckpoint| checkpoint.is_signed(&home.origin());
            damage::shown(is_signed, Bundle::is_ours).map(|shown| shown.max(known))
        };
        let (frontier, damage) = damage::end_of(sound, own)?;
        let mut log = Self::at(keys, &home, frontier);
        if let Some(damage) = damage {
            log.append_row(&damage.event())?;
        }
        Ok(log)
    }

    /// A log of this size and root, which the caller has verified.
    pub fn at(keys: Keys, home: &Home, frontier: Frontier) -> Self {
        let (origin, generation) = (home.origin(), home.generation());
        Self {
            keys,
            origin,
            generation,
            frontier,
            packer: None,
            bundles: None,
            rows: None,
            nodes: Vec::new(),
        }
    }

    /// The generation whose log it is.
    pub fn generation(&self) -> [u8; 16] {
        self.generation
    }

    /// Adds an event: a reveal or a refusal to the bundle, everything else as a row.
    pub fn append(&mut self, bytes: &'a [u8]) -> Result<(), Error> {
        let record = Record::of(bytes).ok_or(NO_RECORD)?;
        if !matches!(record.kind(), Some(Kind::Reveal | Kind::Refusal)) {
            return self.append_row(bytes);
        }
        let packer = match &mut self.packer {
            Some(packer) => packer,
            none => none.insert(Packer::new(random()?)),
        };
        let leaf = packer.push(record).ok_or(NO_RECORD)?;
        self.grow(leaf)
    }

    /// Adds an event with a row of its own.
    pub fn append_row(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.flush()?;
        let mut scratch = Scratch::default();
        let event = Event::decode(bytes, &mut scratch).ok_or(NO_RECORD)?;
        let leaf = leaf_hash(Record::of(bytes).ok_or(NO_RECORD)?);
        let number = number(self.frontier.size() + 1)?;
        match &mut self.rows {
            Some(rows) => rows.push(number, &event, &leaf)?,
            none => none.insert(NewRows::begin()?).push(number, &event, &leaf)?,
        }
        self.grow(leaf)
    }

    /// Adds a leaf to the tree. No bundle goes over the end of a tile.
    fn grow(&mut self, leaf: Hash) -> Result<(), Error> {
        let nodes = &mut self.nodes;
        self.frontier.push(leaf, |node, hash| {
            if node.height.is_multiple_of(TILE_HEIGHT) {
                nodes.push((node, hash));
            }
        });
        if self.frontier.size().is_multiple_of(TILE) { self.flush() } else { Ok(()) }
    }

    /// Ends the bundle that is being filled.
    fn flush(&mut self) -> Result<(), Error> {
        let Some(packer) = self.packer.take() else { return Ok(()) };
        let (last, packed) = (number(self.frontier.size())?, packer.finish());
        match &mut self.bundles {
            Some(bundles) => bundles.push(last, &packed),
            none => none.insert(NewBundles::begin(self.keys.audit)?).push(last, &packed),
        }
    }

    /// Stores what was added, signs the new end, and says how many events there are then.
    pub fn close(self) -> Result<u64, Error> {
        let key = self.keys.checkpoints;
        self.close_with(|checkpoint| data_keys::signing_checkpoints_with(key, |key| key.sign(checkpoint)))
    }

    /// The same where the key is not among those that the database uses yet.
    pub fn close_with(
        mut self,
        sign: impl FnOnce(&Checkpoint) -> Result<Signed, Error>,
    ) -> Result<u64, Error> {
        self.flush()?;
        if let Some(bundles) = self.bundles {
            bundles.store()?;
        }
        if let Some(rows) = self.rows {
            rows.store()?;
        }
        nodes::store(&self.nodes)?;
        let checkpoint =
            Checkpoint { origin: self.origin, size: self.frontier.size(), root: self.frontier.root() };
        let signature = sign(&checkpoint)?;
        let types = &[INT8OID, TIMESTAMPTZOID, BYTEAOID, INT4OID, BYTEAOID];
        let mut new = Append::begin(table(c"audit_checkpoints")?, types)?;
        new.row([
            number(checkpoint.size)?.into(),
            time(session::now())?.into(),
            checkpoint.root.as_slice().into(),
            self.keys.checkpoints.get().into(),
            signature.as_slice().into(),
        ])?;
        new.finish()?;
        // Whoever sees a checkpoint may keep it elsewhere, so a crash must not take it.
        transaction::commit_to_disk();
        // If the transaction fails, this is not the end that the next one finds.
        LEFT.set(Some(self.frontier));
        Ok(checkpoint.size)
    }
}

/// A record that hftok has made is one.
const NO_RECORD: Error = Error::Internal("an event has no record");

/// A size of a log as the number of its last event.
fn number(size: u64) -> Result<i64, Error> {
    i64::try_from(size).map_err(|_| Error::Internal("no number is left for an event"))
}

/// The end of the log, if it was signed and nothing follows it.
pub fn sound_end(
    newest: Option<&StoredCheckpoint>,
    is_signed: impl FnOnce(&StoredCheckpoint) -> Result<bool, Error>,
) -> Result<Option<Frontier>, Error> {
    let size = newest.map_or(0, |newest| newest.size);
    if checkpoints::last()?.cast_unsigned() != size || nodes::is_any_beyond(size)? {
        return Ok(None);
    }
    let Some(newest) = newest else { return Ok(Some(Frontier::default())) };
    if !is_signed(newest)? {
        return Ok(None);
    }
    let frontier = Lost::or_none(frontier_of(size))?;
    Ok(frontier.filter(|frontier| frontier.root() == newest.root))
}
