//! Where a log is read from: a folder that it was exported to, or the server. Tile by tile, however long it is.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use hftok_core::audit::checkpoint::Note;
use hftok_core::audit::tile::{Content, Tile};
use hftok_core::audit::tree::HEIGHT_MAX;
use postgres::RowIter;
use postgres::fallible_iterator::FallibleIterator as _;

use super::tile_file::{self, CHECKPOINT, LONGEST};
use super::walk::{TileFiles, Walk};
use crate::connection::Database;
use crate::failure::Failure;

/// The levels that can have hashes above those of leaves.
const UPPER: std::ops::RangeInclusive<u8> = 1..=7;

/// The server's files: the checkpoint, hashes above the leaves, then the files of each tile. `x` stands after every digit, so a
/// number with more folders comes later.
const IN_ORDER: &str = "SELECT t.path, t.content FROM hftok.audit_tiles() AS t
    ORDER BY t.path <> 'checkpoint', t.path LIKE 'tile/0/%' OR t.path LIKE 'tile/entries/%',
        pg_catalog.substring(t.path, '^tile/[^/]+/(.*)$') COLLATE \"C\", t.path COLLATE \"C\"";

/// A log in a folder.
pub struct Folder(PathBuf);

impl Folder {
    /// The folder, with the checkpoint in it.
    pub fn open(path: &Path) -> Result<(Self, Note), Failure> {
        let folder = Self(path.to_owned());
        let file = path.join(CHECKPOINT);
        let text = folder.file(CHECKPOINT)?.ok_or_else(|| {
            Failure::Usage(format!("{}: no such file: hftok audit export writes a log", file.display()))
        })?;
        let note = note(&text).ok_or_else(|| Failure::Usage(format!("{}: no checkpoint", file.display())))?;
        Ok((folder, note))
    }

    /// Walks along the whole log.
    pub fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Failure> {
        let size = walk.size();
        for level in UPPER {
            let tiles = (0..).map_while(|number| Tile::of(Content::Hashes(level), number, size));
            for tile in tiles {
                let Some(bytes) = self.file(&tile.to_string())? else { break };
                walk.take_upper(level, tile.number, bytes);
            }
        }
        while let Some(number) = walk.next() {
            let file = |content| match Tile::of(content, number, size) {
                Some(tile) => self.file(&tile.to_string()),
                None => Ok(None),
            };
            walk.step(&TileFiles { hashes: file(Content::Hashes(0))?, entries: file(Content::Entries)? });
        }
        Ok(())
    }

    /// A file, if it is there.
    fn file(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.0.join(path);
        let failed = |error| Failure::io(path.display().to_string())(error);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Some(bytes))
    }
}

/// The log of a server, as its rows come.
pub struct Served<'a>(RowIter<'a>);

impl<'a> Served<'a> {
    /// Asks for the log. `None`: nothing was written yet.
    pub fn open(database: &'a mut Database) -> Result<Option<(Self, Note)>, Failure> {
        let parameters: [&str; 0] = [];
        let rows = database.client().query_raw(IN_ORDER, parameters)?;
        let mut served = Self(rows);
        let Some((_, text)) = served.file()? else { return Ok(None) };
        let note = note(&text).ok_or(Failure::Answer { function: "audit_tiles" })?;
        Ok(Some((served, note)))
    }

    /// Walks along the whole log.
    pub fn walk(mut self, walk: &mut Walk<'_>) -> Result<(), Failure> {
        let size = walk.size();
        let mut current: Option<(u64, TileFiles)> = None;
        while let Some((path, bytes)) = self.file()? {
            let Some(tile) = tile_file::parse(&path, size) else { continue };
            match tile.content {
                Content::Hashes(level) if level > 0 => walk.take_upper(level, tile.number, bytes),
                content => {
                    if current.as_ref().is_some_and(|(number, _)| *number != tile.number) {
                        step_to(walk, current.take());
                    }
                    let (_, files) = current.get_or_insert_with(|| (tile.number, TileFiles::default()));
                    match content {
                        Content::Entries => files.entries = Some(bytes),
                        Content::Hashes(_) => files.hashes = Some(bytes),
                    }
                }
            }
        }
        step_to(walk, current);
        // What is missing at the end is missing.
        while walk.next().is_some() {
            walk.step(&TileFiles::default());
        }
        Ok(())
    }

    /// The next file.
    fn file(&mut self) -> Result<Option<(String, Vec<u8>)>, Failure> {
        let Some(row) = self.0.next()? else { return Ok(None) };
        let file = row.try_get(0).and_then(|path| Ok((path, row.try_get(1)?)));
        file.map(Some).map_err(|_| Failure::Answer { function: "audit_tiles" })
    }
}

/// Steps along a tile, and before it along those of which the server has nothing.
fn step_to(walk: &mut Walk<'_>, files: Option<(u64, TileFiles)>) {
    let Some((number, files)) = files else { return };
    while walk.next().is_some_and(|next| next < number) {
        walk.step(&TileFiles::default());
    }
    if walk.next() == Some(number) {
        walk.step(&files);
    }
}

/// The checkpoint of a file. No log has more events than its tree can have: hashes are asked for by numbers that stay below.
fn note(text: &[u8]) -> Option<Note> {
    Note::parse(str::from_utf8(text).ok()?).filter(|note| note.checkpoint.size >> HEIGHT_MAX == 0)
}
