//! Pins: checkpoints that are kept where nobody who rules the database can change them.
//!
//! What must stay true: a pin that is written never changes what an older one says, and where the key is kept beside pins, the
//! first one decides which key that is.

mod file;
mod folder;
mod git;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use hftok_core::audit::checkpoint::Note;

use super::finding::{Finding, Sort};
use super::key::TrustedKeys;
use super::when::{stamp, told};
use crate::failure::Failure;

/// Where pins are.
#[derive(Debug, Args)]
#[group(multiple = false)]
#[command(next_help_heading = "Place of the pins")]
pub struct PlaceOptions {
    /// A file, which has the newest pin
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A folder, with a read-only file for each pin: none is ever written to again
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// A folder of a git repository, with a commit for each pin
    #[arg(long, value_name = "FOLDER")]
    git: Option<PathBuf>,
}

/// A place where pins are kept.
pub enum Place {
    /// A file.
    File(file::PinFile),
    /// A folder.
    Folder(folder::PinFolder),
    /// A folder of a repository.
    Git(git::PinRepository),
}

/// A checkpoint that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// When it was kept, by the clock of whoever kept it.
    pub at: SystemTime,
    /// Its file, commit or time.
    pub name: String,
    /// The checkpoint, as a signed note.
    pub text: String,
}

/// A pin that is a checkpoint.
#[derive(Debug)]
pub struct Head {
    /// Its file, commit or time.
    pub name: String,
    /// The checkpoint.
    pub note: Note,
}

impl PlaceOptions {
    /// The place, if one is named.
    pub fn place(&self) -> Option<Place> {
        let file = self.file.as_deref().map(file::PinFile::at).map(Place::File);
        let folder = || self.folder.as_deref().map(folder::PinFolder::at).map(Place::Folder);
        let git = || self.git.as_deref().map(git::PinRepository::at).map(Place::Git);
        file.or_else(folder).or_else(git)
    }
}

impl Place {
    /// Every pin, the oldest first.
    pub fn all(&self) -> Result<Vec<Pin>, Failure> {
        match self {
            Self::File(file) => Ok(file.newest()?.into_iter().collect()),
            Self::Folder(folder) => folder.all(),
            Self::Git(git) => git.all(),
        }
    }

    /// The newest pin.
    pub fn newest(&self) -> Result<Option<Pin>, Failure> {
        match self {
            Self::File(file) => file.newest(),
            Self::Folder(folder) => folder.newest(),
            Self::Git(git) => git.newest(),
        }
    }

    /// The keys that are kept beside the pins.
    pub fn keys(&self) -> Result<TrustedKeys, Failure> {
        let (text, whose) = match self {
            Self::File(file) => file.key()?,
            Self::Folder(folder) => folder.key()?,
            Self::Git(git) => git.key()?,
        };
        text.map_or(Ok(TrustedKeys::default()), |text| TrustedKeys::parse(&text, &whose))
    }

    /// Keeps a checkpoint, with the key beside it where there is none yet. Says where.
    pub fn add(
        &self,
        text: &str,
        at: SystemTime,
        size: u64,
        first_key: Option<&str>,
    ) -> Result<String, Failure> {
        match self {
            Self::File(file) => file.add(text, first_key),
            Self::Folder(folder) => folder.add(text, at, size, first_key),
            Self::Git(git) => git.add(text, at, size, first_key),
        }
    }

    /// Sends what was added to where others keep it, where the place is a repository.
    pub fn push(&self) -> Result<(), Failure> {
        match self {
            Self::Git(git) => git.push(),
            Self::File(_) | Self::Folder(_) => Err(Failure::Usage("--push needs --git".to_owned())),
        }
    }
}

/// The pins that a trusted key has signed, and what is wrong with the others, or with their order.
pub fn heads(pins: &[Pin], keys: &TrustedKeys) -> (Vec<Head>, Vec<Finding>) {
    let (mut heads, mut findings) = (Vec::<Head>::new(), Vec::new());
    for Pin { name, text, .. } in pins {
        let note = Note::parse(text).filter(|note| keys.have_signed(note));
        let Some(note) = note else {
            let what = format!("pin {name} is not signed by the key of {}", keys.origins());
            findings.push(Finding::new(Sort::NotSigned, what).by(name));
            continue;
        };
        if let Some(older) = heads.last() {
            let (was, is) = (&older.note.checkpoint, &note.checkpoint);
            if is.size < was.size || is.size == was.size && is.root != was.root {
                let what = format!("forked: pin {name} does not continue {}, which is older", older.name);
                findings.push(Finding::at(Sort::Forked, is.size.min(was.size), what).by(name));
            }
        }
        heads.push(Head { name: name.clone(), note });
    }
    (heads, findings)
}

/// The pins that are missing where there should be one `every` so often. One that comes up to as much too late is not missed.
pub fn missing(pins: &[Pin], every: Duration, now: SystemTime) -> Vec<Finding> {
    let missed = |from: SystemTime, to: SystemTime| {
        to.duration_since(from).ok().filter(|gap| *gap > every.saturating_mul(2))
    };
    let Some(newest) = pins.last() else {
        return vec![Finding::new(Sort::PinMissing, "there is no pin")];
    };
    let gaps = pins.windows(2).filter_map(|two| {
        let [before, after] = two else { return None };
        let gap = missed(before.at, after.at)?;
        let what = format!("pins are missing: none from {} on for {}", stamp(before.at), told(gap));
        Some(Finding::new(Sort::PinMissing, what).by(&before.name))
    });
    let late = missed(newest.at, now).map(|gap| {
        let what = format!("pins are missing: the newest is of {}, {} ago", stamp(newest.at), told(gap));
        Finding::new(Sort::PinMissing, what).by(&newest.name)
    });
    gaps.chain(late).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_that_is_late_is_missing_only_after_a_second_span() {
        let hour = Duration::from_secs(3600);
        let begin = SystemTime::UNIX_EPOCH + 500_000 * hour;
        let pins: Vec<Pin> = [0, 1, 3, 6, 7]
            .map(|hours| Pin {
                at: begin + hours * hour,
                name: format!("after {hours}"),
                text: String::new(),
            })
            .to_vec();
        let found = missing(&pins, hour, begin + 9 * hour);
        assert_eq!(found.iter().filter_map(|found| found.pin.as_deref()).collect::<Vec<_>>(), ["after 3"]);
        let found = missing(&pins, hour, begin + 9 * hour + Duration::from_secs(1));
        assert_eq!(found.last().and_then(|found| found.pin.as_deref()), Some("after 7"));
        assert_eq!(missing(&[], hour, begin).len(), 1);
    }
}
