//! `hftok audit export`: the log as files that others verify: C2SP's tlog-tiles.
//!
//! What must stay true: the folder is a log that verifies at every moment, also after a crash: files go in first, the checkpoint
//! over them last. It never becomes another log: by the hashes in its files, what comes continues what is there.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hftok_core::audit::checkpoint::{Checkpoint, Note};
use hftok_core::audit::leaf::Hash;
use hftok_core::audit::tile::{Content, Tile};
use hftok_core::audit::tree::{Frontier, Node, TILE, TILE_HEIGHT, root_at};
use postgres::fallible_iterator::FallibleIterator as _;
use serde::Serialize;

use super::finding::{Finding, Sort, events, lines};
use super::key::TrustedKeys;
use super::tile_file::{self, CHECKPOINT};
use super::written;
use crate::connection::{ConnectionOptions, Database};
use crate::failure::Failure;
use crate::progress::Bar;
use crate::screen::Screen;

/// Write the log as files that others verify without hftok (C2SP's tlog-tiles), or bring them up to date
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hftok audit export log
  hftok audit verify --log log --key key
  python3 tests/verify_audit.py log \"$(cat key)\"

Events tell who did what: mind who may read the folder.")]
pub struct Export {
    /// Where to; a folder that has an older part of the log is brought up to date
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The public key, or a file with it [default: the server's word for it]
    #[arg(long, value_name = "KEY|FILE")]
    key: Vec<String>,
}

/// What was exported.
#[derive(Debug, Serialize)]
struct Exported {
    /// Where to.
    folder: String,
    /// The number of events.
    events: u64,
    /// The number of events that were there before.
    before: u64,
    /// The number of files that were written.
    files: usize,
}

/// Why nothing was exported.
#[derive(Debug, Serialize)]
struct Unfit<'a> {
    /// What is wrong.
    findings: &'a [Finding],
}

/// The folder, and beside it one with the files that come in.
struct Places {
    /// The folder.
    log: PathBuf,
    /// Inside it, so that a file comes into its place by one rename.
    incoming: PathBuf,
}

impl Export {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let mut database = connection.postgres()?;
        let places = Places::make(&self.folder)?;
        let done = self.export(&mut database, &places);
        let removed = remove_all(&places.incoming);
        let findings = match done? {
            Ok(exported) => {
                removed?;
                screen.answer(&exported, || {
                    let Exported { folder, events, before, files } = &exported;
                    format!("{events} events in {folder}, {} of them new: {files} files", events - before)
                })?;
                return Ok(ExitCode::SUCCESS);
            }
            Err(finding) => [finding],
        };
        screen.answer(&Unfit { findings: &findings }, || lines(&findings))?;
        Ok(ExitCode::FAILURE)
    }

    /// Writes what is new.
    fn export(&self, database: &mut Database, places: &Places) -> Result<Result<Exported, Finding>, Failure> {
        let keys = match self.key.as_slice() {
            [] => server_key(database)?,
            given => TrustedKeys::given(given)?,
        };
        let old = places.checkpoint(&keys)?;
        let before = old.as_ref().map_or(0, |old| old.size);
        let Some(files) = fetch(database, places, before)? else {
            return Ok(Err(Finding::at(Sort::CutOff, 1, "the log has no checkpoint")));
        };
        let Fetched { note, text, files } = files;
        let new = &note.checkpoint;
        if !keys.have_signed(&note) {
            let what = format!("the log's checkpoint is not signed by the key of {}", keys.origins());
            return Ok(Err(Finding::new(Sort::NotSigned, what)));
        }
        if new.size < before {
            let what =
                format!("cut off: {} are missing, and the folder has them", events(new.size + 1, before));
            return Ok(Err(Finding::at(Sort::CutOff, new.size + 1, what)));
        }
        if let Some(finding) = places.unlike(old.as_ref(), new)? {
            return Ok(Err(finding));
        }
        for tile in &files {
            if let Err(path) = places.admit(tile)? {
                let what = format!("replaced: {path} is there already, and says something else");
                return Ok(Err(Finding::at(Sort::Replaced, tile.number * TILE + 1, what)));
            }
        }
        places.sync()?;
        written::replace(&places.log.join(CHECKPOINT), text.as_bytes())?;
        places.remove_outgrown(before, new.size)?;
        let folder = places.log.display().to_string();
        Ok(Ok(Exported { folder, events: new.size, before, files: files.len() }))
    }
}

/// The key as the server gives it: enough to see that the log is one, and no more.
fn server_key(database: &mut Database) -> Result<TrustedKeys, Failure> {
    let key: Option<String> = database.client().query_one("SELECT hftok.audit_public_key()", &[])?.get(0);
    key.map_or(Ok(TrustedKeys::default()), |key| TrustedKeys::parse(&key, "audit_public_key()"))
}

/// What came from the server.
struct Fetched {
    /// The checkpoint.
    note: Note,
    /// Its text.
    text: String,
    /// The files that are in the folder for incoming ones.
    files: Vec<Tile>,
}

/// Gets the files that cover events after so many. `None`: nothing was ever written to the log.
fn fetch(database: &mut Database, places: &Places, before: u64) -> Result<Option<Fetched>, Failure> {
    let from = i64::try_from(before + 1).unwrap_or(i64::MAX);
    let mut rows = database.client().query_raw("SELECT path, content FROM hftok.audit_tiles($1)", [from])?;
    let unknown = || Failure::Answer { function: "audit_tiles" };
    let bar = Bar::new("Files", None);
    let (mut fetched, mut count) = (None::<Fetched>, 0);
    while let Some(row) = rows.next()? {
        let path: String = row.try_get(0).map_err(|_| unknown())?;
        let content: &[u8] = row.try_get(1).map_err(|_| unknown())?;
        let Some(fetched) = &mut fetched else {
            let text = str::from_utf8(content).map_err(|_| unknown())?.to_owned();
            let note = Note::parse(&text).filter(|_| path == CHECKPOINT).ok_or_else(unknown)?;
            fetched = Some(Fetched { note, text, files: Vec::new() });
            continue;
        };
        // Nothing but a path of this log's own leads anywhere.
        let tile = tile_file::parse(&path, fetched.note.checkpoint.size).ok_or_else(unknown)?;
        places.receive(&tile, content)?;
        fetched.files.push(tile);
        count += 1;
        bar.done(count);
    }
    Ok(fetched)
}

impl Places {
    /// Makes both folders. What an export left behind that was broken off goes.
    fn make(log: &Path) -> Result<Self, Failure> {
        let incoming = log.join(".incoming");
        remove_all(&incoming)?;
        fs::create_dir_all(&incoming).map_err(Failure::io(incoming.display().to_string()))?;
        Ok(Self { log: log.to_owned(), incoming })
    }

    /// The checkpoint of the part that is there.
    fn checkpoint(&self, keys: &TrustedKeys) -> Result<Option<Checkpoint>, Failure> {
        let path = self.log.join(CHECKPOINT);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(Failure::io(path.display().to_string()))?,
        };
        let note = Note::parse(&text).filter(|note| keys.have_signed(note));
        let other =
            || Failure::Usage(format!("{} is that of another log: name another folder", path.display()));
        note.map(|note| Some(note.checkpoint)).ok_or_else(other)
    }

    /// Writes a file that comes in.
    fn receive(&self, tile: &Tile, content: &[u8]) -> Result<(), Failure> {
        let path = self.incoming.join(tile.to_string());
        make_folder_of(&path)?;
        fs::write(&path, content).map_err(Failure::io(path.display().to_string()))
    }

    /// Whether the hashes in the files fit the new checkpoint and the old one; what does not.
    fn unlike(&self, old: Option<&Checkpoint>, new: &Checkpoint) -> Result<Option<Finding>, Failure> {
        if self.root(new.size, new.size)? != Some(new.root) {
            let what = "replaced: the hashes of the log are not what was signed";
            return Ok(Some(Finding::at(Sort::Replaced, old.map_or(0, |old| old.size) + 1, what)));
        }
        let Some(old) = old else { return Ok(None) };
        let fits = self.root(old.size, new.size)? == Some(old.root);
        let what = || format!("forked: {} in the folder are not those of the server", events(1, old.size));
        Ok((!fits).then(|| Finding::at(Sort::Forked, 1, what())))
    }

    /// The root of the first events of a log of this size, if every hash for it is there.
    fn root(&self, events: u64, size: u64) -> Result<Option<Hash>, Failure> {
        let mut failed = None;
        let root = root_at(events, |node| match self.hash(node, size) {
            Ok(hash) => hash.ok_or(()),
            Err(failure) => {
                failed = Some(failure);
                Err(())
            }
        });
        failed.map_or(Ok(root.ok()), Err)
    }

    /// The hash of a perfect subtree, by the file that has it or those below it in the tree.
    fn hash(&self, node: Node, size: u64) -> Result<Option<Hash>, Failure> {
        let (level, above) = (node.height / TILE_HEIGHT, node.height % TILE_HEIGHT);
        let first = node.number << above;
        let Some(tile) = Tile::of(Content::Hashes(level), first / TILE, size) else { return Ok(None) };
        let Some(bytes) = self.file(&tile)? else { return Ok(None) };
        let (Ok(begin), Ok(many)) = (usize::try_from(first % TILE), usize::try_from(1_u64 << above)) else {
            return Ok(None);
        };
        let hashes = tile_file::hashes(&bytes).get(begin..begin + many);
        Ok(hashes.map(|hashes| {
            let mut subtree = Frontier::default();
            hashes.iter().for_each(|hash| subtree.push(*hash, |_, _| {}));
            subtree.root()
        }))
    }

    /// A file: as it comes in, or as it is there.
    fn file(&self, tile: &Tile) -> Result<Option<Vec<u8>>, Failure> {
        for folder in [&self.incoming, &self.log] {
            let path = folder.join(tile.to_string());
            match fs::read(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                read => return read.map(Some).map_err(Failure::io(path.display().to_string())),
            }
        }
        Ok(None)
    }

    /// Moves a file that came in to its place. A file that is there stays; the answer is its path where it says something else.
    fn admit(&self, tile: &Tile) -> Result<Result<(), String>, Failure> {
        let (from, to) = (self.incoming.join(tile.to_string()), self.log.join(tile.to_string()));
        let failed = || Failure::io(to.display().to_string());
        match fs::read(&to) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            there => {
                let is_same = there.map_err(failed())? == fs::read(&from).map_err(failed())?;
                return Ok(if is_same { Ok(()) } else { Err(to.display().to_string()) });
            }
        }
        make_folder_of(&to)?;
        fs::rename(&from, &to).map_err(failed())?;
        Ok(Ok(()))
    }

    /// Waits until all of it is on disk.
    fn sync(&self) -> Result<(), Failure> {
        let synced = fs::File::open(&self.log).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
        synced.map_err(Failure::io(self.log.display().to_string()))
    }

    /// Removes the files at the right edge of the older tree: the newer one has longer ones, or whole ones.
    fn remove_outgrown(&self, old: u64, new: u64) -> Result<(), Failure> {
        for tile in Tile::all(old.saturating_sub(1), old).filter(|tile| u64::from(tile.width) < TILE) {
            if Tile::of(tile.content, tile.number, new) == Some(tile) {
                continue;
            }
            let path = self.log.join(tile.to_string());
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Failure::io(path.display().to_string())(error));
                }
                _ => {}
            }
            // The folder of a tile's parts may have a longer part.
            path.parent().map(fs::remove_dir);
        }
        Ok(())
    }
}

/// Makes the folder that a file is to lie in.
fn make_folder_of(path: &Path) -> Result<(), Failure> {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::create_dir_all(folder).map_err(Failure::io(folder.display().to_string()))
}

/// Removes a folder of our own, if it is there.
fn remove_all(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(Failure::io(folder.display().to_string())),
    }
}
