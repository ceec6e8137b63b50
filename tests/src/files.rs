//! Looks for texts in files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::contains;

/// The files under a folder that contain one of the needles.
pub fn files_with(folder: &Path, needles: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
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
