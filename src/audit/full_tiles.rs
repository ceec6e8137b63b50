//! Tiles that one bundle fills, which is most of a log under load: hashed by parallel workers, so that the verifier need not look at
//! their events one by one.
//!
//! What must stay true: a tile is sound only if nothing else is stored in its place. Whatever is not sound is looked at event by event,
//! so nothing that is wrong is named here, and nothing that is right is refused for what is not known here.

use std::ops::Range;

use hftok_core::audit::bundle::FullTile;

use super::bundles;
use super::eras::Eras;
use super::nodes::{first_of_tile, tile_of};
use crate::error::Error;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;

/// The most tiles that are read at a time.
pub const PORTION: usize = 8192;

/// What was found of some tiles that follow one another.
pub struct FullTiles {
    /// The first of them.
    first: u64,
    /// Those that a bundle of ours fills, alone.
    found: Vec<Option<FullTile>>,
}

impl FullTiles {
    /// Looks at tiles, a portion at most.
    pub fn read(tiles: &Range<u64>, eras: &Eras) -> Result<Self, Error> {
        let (from, to) = (first_of_tile(tiles.start), first_of_tile(tiles.end) - 1);
        let mut full =
            Self { first: tiles.start, found: tiles.clone().take(PORTION).map(|_| None).collect() };
        let mut is_any = false;
        bundles::read_full(from, to, |bundle| {
            let tile = if eras.have_made(bundle)? { FullTile::decode(&bundle.body) } else { None };
            is_any |= tile.is_some();
            full.put(tile_of(bundle.last), tile);
            Ok(())
        })?;
        if is_any {
            for tile in FIND_OTHERS.read(&[from.into(), to.into()], |row| row.next::<i64>())? {
                full.put(tile.cast_unsigned(), None);
            }
        }
        Ok(full)
    }

    /// The tile, if nothing can be wrong with it but that its hash is not the one that was signed.
    pub fn sound(&self, tile: u64) -> Option<FullTile> {
        *self.found.get(self.place(tile)?)?
    }

    /// Keeps what is known of a tile.
    fn put(&mut self, tile: u64, known: Option<FullTile>) {
        if let Some(found) = self.place(tile).and_then(|place| self.found.get_mut(place)) {
            *found = known;
        }
    }

    /// The place of a tile in the list.
    fn place(&self, tile: u64) -> Option<usize> {
        usize::try_from(tile.checked_sub(self.first)?).ok()
    }
}

statement! {
    /// Finds the tiles in which something else lies than a bundle that fills it.
    FIND_OTHERS(INT8, INT8) =
        "SELECT a.id - 1 >> 8 FROM hftok_private.audit a WHERE a.id >= $1 AND a.id <= $2
        UNION SELECT b.last_id - 1 >> 8 FROM hftok_private.audit_bundles b
        WHERE b.last_id >= $1 AND b.last_id <= $2 AND (b.count = 256 AND b.last_id & 255 = 0) IS NOT TRUE";
}
