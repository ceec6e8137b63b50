//! Files that are there as a whole or not at all, also after a crash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::failure::Failure;

/// Puts a file into the place of what is there, if anything is.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let beside = beside(path);
    let written = write_new(&beside, content, 0o666).and_then(|()| {
        fs::rename(&beside, path).inspect_err(|_| {
            // The first error is the one to tell.
            let _ = fs::remove_file(&beside);
        })
    });
    written.and_then(|()| sync_folder(path)).map_err(Failure::io(path.display().to_string()))
}

/// Makes a file that nobody writes to again. An error of kind `AlreadyExists` where there is one. It is written in its place: a
/// mount of a store with an object lock neither links nor renames.
pub fn create_for_ever(path: &Path, content: &[u8]) -> io::Result<()> {
    write_new(path, content, 0o444).and_then(|()| sync_folder(path))
}

/// Writes a file that is not there yet, and waits until it is on disk.
fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(path);
    }
    written
}

/// A name beside a file that no other process uses at this moment.
fn beside(path: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.{}", std::process::id(), now.as_nanos()))
}

/// Waits until the names of a file's folder are on disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(folder_of(path))?.sync_all() {
        // Some mounts know folders by the files in them only.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        synced => synced,
    }
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
