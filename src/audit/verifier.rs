//! Verifying the log: every event that is stored against the tree, and the tree against the checkpoint that hftok has signed.

use std::time::{Duration, Instant};

use hftok_core::audit::bundle::Events;
use hftok_core::audit::checkpoint::Note;
use hftok_core::audit::leaf::Hash;
use hftok_core::audit::tree::{Frontier, Node, TILE, TILE_HEIGHT};

use super::bundles::Bundle;
use super::checkpoints::{self, StoredCheckpoint};
use super::eras::Eras;
use super::nodes::{self, Lost, Nodes, Piece, TileHashes, first_of_tile, tile_of};
use super::pinned::Bad;
use super::rows::{self, Stored};
use super::{bounds, damage, pinned};
use crate::error::Error;
use crate::keys::data_keys;
use crate::pg::server::server_log;

/// The time between two reports of how far the verification is.
const PROGRESS: Duration = Duration::from_secs(5);

/// The outcome of a verification.
#[derive(Default)]
pub struct Verdict {
    /// Events that fit.
    pub checked: i64,
    /// Number of these that lay in a table without a protection that fits.
    pub unprotected: i64,
    /// The first event that does not fit, with what is wrong.
    pub first_bad: Option<Bad>,
    /// The database whose log it was and up to which event, where this one continues another database's.
    pub continued: Option<String>,
}

/// Verifies the events from one number to another, and that the log continues the head that was kept elsewhere.
pub fn verify(from: Option<i64>, to: Option<i64>, pinned: Option<&Note>) -> Result<Verdict, Error> {
    // A purge that commits meanwhile moves the beginning: then it is verified from there.
    for _ in 0..PURGES_MAX {
        let begins = bounds::first()?;
        let verdict = verify_once(from, to, pinned)?;
        if verdict.first_bad.is_none() || bounds::first()? == begins {
            return Ok(verdict);
        }
    }
    Err(Error::Internal("the audit is purged again and again"))
}

/// Verifies once.
fn verify_once(from: Option<i64>, to: Option<i64>, pinned: Option<&Note>) -> Result<Verdict, Error> {
    let eras = Eras::known()?;
    let mut verdict = Verdict { continued: eras.continued.clone(), ..Verdict::default() };
    let newest = match end(&eras)? {
        Ok(newest) => newest,
        Err(bad) => {
            let is_cut = pinned.filter(|pinned| pinned.checkpoint.size > 0);
            verdict.first_bad =
                bad.or_else(|| is_cut.map(|pinned| pinned::cut_off(0, pinned.checkpoint.size)));
            return Ok(verdict);
        }
    };
    let begin = match beginning()? {
        Ok(begin) => begin,
        Err(bad) => {
            verdict.first_bad = Some(bad);
            return Ok(verdict);
        }
    };
    let size = newest.size.cast_signed();
    let range = (from.unwrap_or(begin).max(begin), to.unwrap_or(size).min(size));
    let mut walk = Walk::begin(eras, begin, range);
    walk.run(&newest)?;
    (verdict.checked, verdict.unprotected, verdict.first_bad) = (walk.checked, walk.unprotected, walk.bad);
    if let (None, Some(head)) = (&verdict.first_bad, pinned) {
        verdict.first_bad = pinned::against(head, &newest)?;
    }
    Ok(verdict)
}

/// The newest checkpoint, if hftok has signed it and the events that are there are as many as it says. Where nothing was ever written
/// there is neither a checkpoint nor anything wrong.
fn end(eras: &Eras) -> Result<Result<StoredCheckpoint, Option<Bad>>, Error> {
    // Asked for first: what was committed before is seen after.
    let known = eras.generation.as_ref().map_or(0, checkpoints::known_size).cast_signed();
    let (newest, last) = StoredCheckpoint::newest_and_last()?;
    let Some(newest) = newest else {
        let cut = (known > 0).then(|| (1, format!("the newest events are missing: there were {known}")));
        return Ok(Err(cut.or_else(|| (last > 0).then(|| (1, "there is no checkpoint".into())))));
    };
    let size = newest.size.cast_signed();
    Ok(if size < eras.first_own() {
        Err(Some((size + 1, "the newest events are missing, with that of adopt_database()".into())))
    } else if size < known {
        Err(Some((size + 1, format!("the newest events are missing: there were {known}"))))
    } else if last > size {
        Err(Some((size + 1, "it was not written here: the newest checkpoint does not cover it".into())))
    } else if last < size {
        Err(Some((last + 1, format!("the newest events are missing: there were {size}"))))
    } else if !newest.is_signed(&eras.origin)? {
        Err(Some((size, "the newest checkpoint was not signed by hftok".into())))
    } else {
        Ok(newest)
    })
}

/// The first event that is there. Whole tiles before it may have been purged, if the audit says so.
fn beginning() -> Result<Result<i64, Bad>, Error> {
    if let Some(number) = bounds::below_one()? {
        return Ok(Err((number, "it was put out of the way, or inserted, before the beginning".into())));
    }
    let begin = bounds::first()?.unwrap_or(1);
    let purged = begin - 1;
    let is_whole = purged.cast_unsigned().is_multiple_of(TILE);
    if purged > 0 && (!is_whole || !rows::is_purge_told(purged)?) {
        return Ok(Err((purged, "it and all before it are missing, and the audit tells of no purge".into())));
    }
    Ok(Ok(begin))
}

/// Purges that a verification begins anew for.
const PURGES_MAX: usize = 100;

/// A way along the log.
struct Walk {
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
    checked: i64,
    /// Number of these that were not protected.
    unprotected: i64,
    /// The first event that is wrong for certain.
    bad: Option<Bad>,
    /// A tile whose stored hash is not that of its events: either may have been changed.
    doubt: Option<u64>,
    /// When progress was reported last.
    told: Instant,
}

impl Walk {
    /// Stands before the first event.
    fn begin(eras: Eras, begin: i64, range: (i64, i64)) -> Self {
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
    fn run(&mut self, newest: &StoredCheckpoint) -> Result<(), Error> {
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
        nodes::walk(begin, end, |piece| self.step(piece, end))?;
        // Else the hashes of the tiles that follow would take the place of what is missing.
        if self.bad.is_none() && self.next <= end {
            self.bad = Some(missing(self.next, end + 1));
        }
        Ok(())
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
        if self.told.elapsed() > PROGRESS {
            self.told = Instant::now();
            server_log::notice(&format!("hftok: {last} of {end} events verified"), None);
        }
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
        let is_ours = match (bundle.sealed(), self.eras.at(last)) {
            (Some((mac, sealed)), Some(identity)) => {
                data_keys::was_made(&mac, |key| key.under(identity).bundle(&sealed))?
            }
            _ => false,
        };
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
