//! A folder with a file for each pin, as stores with an object lock have it: a name is written once, read-only, and never again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Pin;
use super::file::{keep_key, read};
use crate::audit::when::stamp;
use crate::audit::written::create_for_ever;
use crate::failure::Failure;

/// The end of a pin's name.
const END: &str = ".checkpoint";

/// The folder.
pub struct PinFolder(PathBuf);

impl PinFolder {
    /// The folder at a path.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Every pin, the oldest first. A file with another end is none.
    pub fn all(&self) -> Result<Vec<Pin>, Failure> {
        self.names()?.into_iter().filter_map(|name| self.pin(name).transpose()).collect()
    }

    /// The newest pin.
    pub fn newest(&self) -> Result<Option<Pin>, Failure> {
        self.names()?.into_iter().rev().find_map(|name| self.pin(name).transpose()).transpose()
    }

    /// The names of all pins. A name begins with its time, and goes on with its size.
    fn names(&self) -> Result<Vec<String>, Failure> {
        let failed = || Failure::io(self.0.display().to_string());
        let mut names = Vec::new();
        for file in fs::read_dir(&self.0).map_err(failed())? {
            let name = file.map_err(failed())?.file_name().to_string_lossy().into_owned();
            if name.ends_with(END) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The pin of a file; none where somebody has taken the file away since its name was read, or where it is empty, as a crash right
    /// after it was made leaves it.
    fn pin(&self, name: String) -> Result<Option<Pin>, Failure> {
        let path = self.0.join(&name);
        let Some(text) = read(&path)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        let is_none = || Failure::Usage(format!("{} is no pin by its name", path.display()));
        let at = time_of(&name).ok_or_else(is_none)?;
        Ok(Some(Pin { at, name, text }))
    }

    /// The key beside the pins, and where that is.
    pub fn key(&self) -> Result<(Option<String>, String), Failure> {
        let path = self.0.join("key");
        Ok((read(&path)?, path.display().to_string()))
    }

    /// Adds a file.
    pub fn add(
        &self,
        text: &str,
        at: SystemTime,
        size: u64,
        first_key: Option<&str>,
    ) -> Result<String, Failure> {
        first_key.map_or(Ok(()), |key| keep_key(&self.0.join("key"), key))?;
        let path = self.0.join(name_of(at, size));
        create_for_ever(&path, text.as_bytes()).map_err(Failure::io(path.display().to_string()))?;
        Ok(path.display().to_string())
    }
}

/// `2026-11-30T080000Z-00000000000000070021.checkpoint`: in the order of time, and without a colon, which not every store takes.
fn name_of(at: SystemTime, size: u64) -> String {
    format!("{}-{size:020}{END}", stamp(at).replace(':', ""))
}

/// The time in a name.
fn time_of(name: &str) -> Option<SystemTime> {
    let (date, rest) = name.split_once('T')?;
    let (time, size) = rest.strip_suffix(END)?.split_once("Z-")?;
    let (hours, minutes, seconds) = (time.get(..2)?, time.get(2..4)?, time.get(4..)?);
    let at = humantime::parse_rfc3339(&format!("{date}T{hours}:{minutes}:{seconds}Z")).ok()?;
    (name_of(at, size.parse().ok()?) == name).then_some(at)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_name_says_its_time() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_796_000_000);
        assert_eq!(time_of(&name_of(at, 70_021)), Some(at));
        let wrong = ["x", "2026-11-30T080000Z-7", "2026-13-30T080000Z-00000000000000070021"];
        for name in wrong {
            assert_eq!(time_of(&format!("{name}{END}")), None, "{name}");
        }
    }
}
