//! Public keys that are trusted. Whoever can forge a log can forge a key beside it, so they come from elsewhere than the log.

use std::fs;
use std::path::Path;

use hftok_core::audit::checkpoint::{Note, VerifierKey};

use crate::failure::Failure;

/// The keys by which a log is believed. A database that was adopted has another key than before, so there may be several.
#[derive(Debug, Clone, Default)]
pub struct TrustedKeys(Vec<VerifierKey>);

impl TrustedKeys {
    /// Reads what was given: keys themselves, or files with a key a line.
    pub fn given(given: &[String]) -> Result<Self, Failure> {
        let mut keys = Self::default();
        for one in given {
            match VerifierKey::parse(one) {
                Some(key) => keys.0.push(key),
                None => keys.add_file(Path::new(one))?,
            }
        }
        Ok(keys)
    }

    /// Reads a text with a key a line.
    pub fn parse(text: &str, whose: &str) -> Result<Self, Failure> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys: Option<Vec<_>> = lines.map(VerifierKey::parse).collect();
        let wrong =
            || Failure::Usage(format!("{whose} holds no public key: hftok.audit_public_key() gives it"));
        keys.filter(|keys| !keys.is_empty()).map(Self).ok_or_else(wrong)
    }

    /// Reads a file with a key a line.
    fn add_file(&mut self, path: &Path) -> Result<(), Failure> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(Failure::io(name.clone()))?;
        self.0.extend(Self::parse(&text, &name)?.0);
        Ok(())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each key.
    pub fn iter(&self) -> impl Iterator<Item = &VerifierKey> {
        self.0.iter()
    }

    /// Whether one of them has signed a checkpoint.
    pub fn have_signed(&self, note: &Note) -> bool {
        self.0.iter().any(|key| note.is_signed_by(key))
    }

    /// The names of the logs that they are for.
    pub fn origins(&self) -> String {
        self.0.iter().map(VerifierKey::origin).collect::<Vec<_>>().join(", ")
    }
}
