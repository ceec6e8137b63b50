//! Putting a keyring in its place: whole or not at all, on disk, and readable by its owner alone from the start.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::drawn;
use crate::failure::Failure;

/// What may lie in the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nothing: a keyring is never overwritten by another.
    Empty,
    /// The keyring that this one continues.
    Former,
}

/// A file beside the place, which goes away unless it gets there.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        // It is gone where it was renamed.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes a keyring.
pub fn put(path: &Path, text: &[u8], owner: Option<Account>, place: Place) -> Result<(), Failure> {
    let what = path.display().to_string();
    let failed = |error| Failure::io(what.clone())(error);
    let name = path.file_name().ok_or_else(|| Failure::Usage(format!("{what} is no name of a file")))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = Beside(folder.join(format!(".{}.{}", name.display(), drawn::name()?)));
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside.0).map_err(failed)?;
    file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
    if let Some(owner) = owner {
        fchown(&file, Some(owner.user), owner.group)
            .map_err(Failure::io(format!("giving {what} to user {}", owner.user)))?;
    }
    file.write_all(text).and_then(|()| file.sync_all()).map_err(failed)?;
    match place {
        Place::Former => fs::rename(&beside.0, path).map_err(failed)?,
        // A link, unlike a rename, replaces nothing.
        Place::Empty => fs::hard_link(&beside.0, path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::Unfit {
                object: what.clone(),
                fault: "it is there already, and a keyring is never overwritten".to_owned(),
                remedy: format!("A further key is added by: hftok keyring add {what}"),
            },
            _ => failed(error),
        })?,
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
