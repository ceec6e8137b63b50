//! The mark in the data directory that keeps hftok sealed over a restart. An empty file; what counts is that it is
//! there.

use std::fs::{File, OpenOptions};
use std::io;

/// In the data directory, which is every server process' current one.
const PATH: &str = "hftok.sealed";

/// Leaves the mark, on disk before this returns.
pub fn set() -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(PATH)?.sync_all()?;
    sync_directory()
}

/// Takes it away, on disk before this returns.
pub fn clear() -> io::Result<()> {
    match std::fs::remove_file(PATH) {
        Ok(()) => sync_directory(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether the mark is there.
pub fn is_set() -> io::Result<bool> {
    std::fs::exists(PATH)
}

/// A new file survives a crash only when its directory does.
fn sync_directory() -> io::Result<()> {
    File::open(".")?.sync_all()
}
