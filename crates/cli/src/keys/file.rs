//! A keyring file: what the server would say of its rights and of its text.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use hftok_core::keyring::{Keyring, MAX_TEXT};
use hftok_core::keyring_state::Reason;
use rustix::fs::OFlags;
use serde::Serialize;
use zeroize::Zeroizing;

use super::account::Account;
use crate::failure::Failure;

/// Something wrong with a keyring.
#[derive(Debug, Serialize)]
pub struct Fault {
    /// What is wrong.
    pub fault: String,
    /// What mends it.
    pub remedy: String,
}

/// A keyring, and the file that it is in.
pub struct KeyringFile {
    /// Without links: what replaces it comes to the file, not in the place of a link.
    pub path: PathBuf,
    /// Open, so that it can be locked.
    file: File,
    /// Whose it is.
    pub owner: Account,
    /// As it is, comments and all.
    pub text: Zeroizing<Vec<u8>>,
    /// Its keys.
    pub ring: Box<Keyring>,
    /// What the server would not take it for.
    pub faults: Vec<Fault>,
}

impl KeyringFile {
    /// Reads a keyring, whoever may read it.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let failed = |error| Failure::io(shown.clone())(error);
        let path = fs::canonicalize(path).map_err(failed)?;
        // Opening a pipe would wait for somebody who writes into it.
        let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or_default();
        let mut file = OpenOptions::new().read(true).custom_flags(flags).open(&path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        let unfit = |reason: Reason| Failure::Unfit {
            object: shown.clone(),
            fault: reason.text(),
            remedy: reason.remedy().to_owned(),
        };
        if !about.is_file() {
            return Err(unfit(Reason::NotAFile));
        }
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_TEXT + 1));
        (&mut file)
            .take(u64::try_from(MAX_TEXT + 1).unwrap_or(u64::MAX))
            .read_to_end(&mut text)
            .map_err(failed)?;
        let ring = Keyring::parse(&text).map_err(|error| unfit(Reason::Malformed(error)))?;
        let faults = faults(&path, &about);
        let owner = Account { user: about.uid(), group: Some(about.gid()) };
        Ok(Self { path, file, owner, text, ring, faults })
    }

    /// Reads a keyring that is to be changed: who changes it at the same time waits until this one is done.
    pub fn read_alone(path: &Path) -> Result<Self, Failure> {
        loop {
            let read = Self::read(path)?;
            read.file.lock().map_err(Failure::io(path.display().to_string()))?;
            // Somebody may have put another in its place before this one was locked.
            let again = Self::read(path)?;
            let inode = |one: &Self| one.file.metadata().map(|about| (about.dev(), about.ino())).ok();
            if inode(&read) == inode(&again) && read.text == again.text {
                return Ok(read);
            }
        }
    }

    /// The number and the fingerprint of each key, the primary last.
    pub fn keys(&self) -> Vec<(i32, String)> {
        self.ring.iter().map(|key| (key.id().get(), key.fingerprint().to_string())).collect()
    }
}

/// What the server, and who looks after it, would say of the rights.
fn faults(path: &Path, about: &fs::Metadata) -> Vec<Fault> {
    let mut faults = Vec::new();
    if about.mode() & 0o077 != 0 {
        faults.push(Fault { fault: Reason::TooOpen.text(), remedy: format!("chmod 600 {}", path.display()) });
    }
    if let Some(folder) = path.parent()
        && let Ok(above) = fs::metadata(folder)
        // In a folder as /tmp others may not replace what is not theirs.
        && above.mode() & 0o022 != 0
        && above.mode() & 0o1000 == 0
    {
        let shown = folder.display();
        faults.push(Fault {
            fault: format!("others than the owner of {shown} may put another keyring in its place"),
            remedy: format!("chmod go-w {shown}"),
        });
    }
    faults
}
