//! Looks for texts in files.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::process::contains;

/// The files under a folder that contain one of the needles.
pub fn files_with(folder: &Path, needles: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // A server that is running deletes folders meanwhile, such as those of temporary files.
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return found,
        entries => entries.expect("a folder"),
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, needles));
        } else if let Ok(bytes) = fs::read(&path)
            && needles.iter().any(|needle| contains(&bytes, needle.as_bytes()))
        {
            found.push(path);
        }
    }
    found
}
