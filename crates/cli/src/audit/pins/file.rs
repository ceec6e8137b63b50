//! A file with the newest pin: whoever keeps versions of files keeps the older ones.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Pin;
use crate::audit::when::stamp;
use crate::audit::written::{create_for_ever, replace};
use crate::failure::Failure;

/// The file, and the file of the key beside it.
pub struct PinFile {
    /// The file.
    path: PathBuf,
    /// The file of the key: the same name with `.key`.
    key: PathBuf,
}

impl PinFile {
    /// The file at a path.
    pub fn at(path: &Path) -> Self {
        let mut key = path.as_os_str().to_owned();
        key.push(".key");
        Self { path: path.to_owned(), key: key.into() }
    }

    /// The pin that it has.
    pub fn newest(&self) -> Result<Option<Pin>, Failure> {
        let Some(text) = read(&self.path)? else { return Ok(None) };
        let modified = fs::metadata(&self.path).and_then(|file| file.modified());
        let at = modified.map_err(Failure::io(self.path.display().to_string()))?;
        Ok(Some(Pin { at, name: format!("{} of {}", self.path.display(), stamp(at)), text }))
    }

    /// The key beside it, and where that is.
    pub fn key(&self) -> Result<(Option<String>, String), Failure> {
        Ok((read(&self.key)?, self.key.display().to_string()))
    }

    /// Puts a newer pin into its place.
    pub fn add(&self, text: &str, first_key: Option<&str>) -> Result<String, Failure> {
        first_key.map_or(Ok(()), |key| keep_key(&self.key, key))?;
        replace(&self.path, text.as_bytes())?;
        Ok(self.path.display().to_string())
    }
}

/// A text file, if it is there.
pub fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(Failure::io(path.display().to_string())),
    }
}

/// Keeps a key in a file of its own.
pub fn keep_key(path: &Path, key: &str) -> Result<(), Failure> {
    create_for_ever(path, format!("{key}\n").as_bytes()).map_err(Failure::io(path.display().to_string()))
}
