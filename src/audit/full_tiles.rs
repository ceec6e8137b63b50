//! Tiles that one bundle fills, which is most of a log under load: hashed by parallel workers, so that the verifier need not look at
//! their events one by one.
//!
//! What must stay true: a tile is sound only if one bundle is stored in its place, by us, and nothing else. Every other tile is looked at
//! event by event: that way alone finds what is wrong, and names it.

use std::ops::Range;

use hftok_core::audit::bundle::FullTile;

use super::bundles;
use super::eras::Eras;
use super::nodes::{first_of_tile, tile_of};
use crate::error::Error;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;

/// The most tiles that are read at a time.
pub const PORTION: usize = 4096;

const _: () = assert!(PORTION == 4096, "as many and one more are read");

/// What was found in the place of a tile.
#[derive(Clone, Copy)]
enum Found {
    /// No bundle that fills it.
    Nothing,
    /// One that we have made.
    Full(FullTile),
    /// One that we have not made, a second one, or something beside it.
    Other,
}

/// What was found of some tiles that follow one another.
pub struct FullTiles {
    /// The first of them.
    first: u64,
    /// What was found in the place of each.
    found: Vec<Found>,
}

impl FullTiles {
    /// Looks at tiles, a portion at most.
    pub fn read(tiles: &Range<u64>, eras: &Eras) -> Result<Self, Error> {
        let (from, to) = (first_of_tile(tiles.start), first_of_tile(tiles.end) - 1);
        let nothing = || tiles.clone().take(PORTION).map(|_| Found::Nothing).collect();
        let mut full = Self { first: tiles.start, found: nothing() };
        // Somebody may have put a function or a column of their own in the place of ours.
        if !IS_AS_MADE.read_single(&[], |row| row.next::<bool>())? {
            return Ok(full);
        }
        let mut count = 0;
        bundles::read_full(from, to, |bundle, tile| {
            count += 1;
            let is_ours = match eras.have_made(bundle) {
                // A row may name any key, also one that nobody has.
                Err(Error::WrongRoot { .. }) => false,
                made => made?,
            };
            full.put(tile_of(bundle.last), tile.filter(|_| is_ours).map_or(Found::Other, Found::Full));
            Ok(())
        })?;
        if count > PORTION {
            // There are more of them than tiles, so not all were read.
            full.found = nothing();
        } else if count > 0 {
            for tile in FIND_OTHERS.read(&[from.into(), to.into()], |row| row.next::<i64>())? {
                full.put(tile.cast_unsigned(), Found::Other);
            }
        }
        Ok(full)
    }

    /// The tile, if nothing can be wrong with it but that its hash is not the one that was signed.
    pub fn sound(&self, tile: u64) -> Option<FullTile> {
        match self.found.get(self.place(tile)?)? {
            Found::Full(tile) => Some(*tile),
            Found::Nothing | Found::Other => None,
        }
    }

    /// Keeps what was found in the place of a tile, beside which nothing else may lie.
    fn put(&mut self, tile: u64, found: Found) {
        if let Some(known) = self.place(tile).and_then(|place| self.found.get_mut(place)) {
            *known = if matches!(known, Found::Nothing) { found } else { Found::Other };
        }
    }

    /// The place of a tile in the list.
    fn place(&self, tile: u64) -> Option<usize> {
        usize::try_from(tile.checked_sub(self.first)?).ok()
    }
}

statement! {
    /// Whether the events are hashed by our function, which only a superuser can make, and the column is of the type that it takes: another
    /// type may have a cast, and another function may have its name.
    IS_AS_MADE() =
        "SELECT coalesce((SELECT a.atttypid = 'pg_catalog.bytea'::pg_catalog.regtype FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = 'hftok_private.audit_bundles'::pg_catalog.regclass AND a.attname = 'body'), false)
        AND (SELECT count(*) = 1 AND bool_and(p.prosrc = 'hftok_tile_of_bundle' AND l.lanname = 'c')
            FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
            WHERE p.pronamespace = 'hftok_private'::pg_catalog.regnamespace AND p.proname = 'tile_of_bundle')";

    /// Finds the tiles in which something lies that does not fill one.
    FIND_OTHERS(INT8, INT8) =
        "SELECT a.id - 1 >> 8 FROM hftok_private.audit a WHERE a.id >= $1 AND a.id <= $2
        UNION SELECT b.last_id - 1 >> 8 FROM hftok_private.audit_bundles b
        WHERE b.last_id >= $1 AND b.last_id <= $2 AND (b.count = 256 AND b.last_id & 255 = 0) IS NOT TRUE";
}
