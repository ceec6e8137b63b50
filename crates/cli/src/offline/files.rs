//! Files of these commands: small ones that are read whole, and private ones that appear whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::offline::unfit;

/// All of a small file, in one buffer that does not move.
pub fn whole(path: &Path, largest: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let what = path.display().to_string();
    let file = File::open(path).map_err(Failure::io(what.clone()))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(largest + 1));
    file.take(largest as u64 + 1).read_to_end(&mut bytes).map_err(Failure::io(what.clone()))?;
    if bytes.len() > largest {
        return Err(unfit(what, &format!("it is longer than {largest} bytes"), "Name another file."));
    }
    Ok(bytes)
}

/// A file of mode 0600 on its way: under a name of its own until it is complete.
pub struct PrivateFile {
    /// The draft.
    file: File,
    /// Whether it has its name.
    is_complete: bool,
    /// The name until then.
    draft: PathBuf,
    /// The name that it is to have.
    path: PathBuf,
}

impl PrivateFile {
    /// Begins a file that is to be `path`. One that is there already is replaced only if `replaces`.
    pub fn create(path: &Path, replaces: bool) -> Result<Self, Failure> {
        let what = path.display().to_string();
        if !replaces && path.symlink_metadata().is_ok() {
            return Err(unfit(what, "it is there already", "--force replaces it."));
        }
        let name = path.file_name().ok_or_else(|| Failure::Usage(format!("{what} is no name of a file")))?;
        let random: [u8; 8] =
            hftok_core::random().map_err(|error| Failure::io(&*what)(io::Error::other(error)))?;
        let draft = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), hftok_core::hex(&random)));
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create_new(true).mode(0o600).open(&draft).map_err(Failure::io(what))?;
        Ok(Self { file, is_complete: false, draft, path: path.to_owned() })
    }

    /// Gives it its name, once it is on disk.
    pub fn complete(mut self, replaces: bool) -> Result<(), Failure> {
        self.named(replaces).map_err(Failure::io(self.path.display().to_string()))
    }

    /// Gives it its name.
    fn named(&mut self, replaces: bool) -> io::Result<()> {
        self.file.sync_all()?;
        if replaces {
            fs::rename(&self.draft, &self.path)?;
        } else {
            match renameat_with(CWD, &self.draft, CWD, &self.path, RenameFlags::NOREPLACE) {
                // A file system without it has links, which replace nothing either.
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                    fs::hard_link(&self.draft, &self.path)?;
                    fs::remove_file(&self.draft)?;
                }
                renamed => renamed?,
            }
        }
        self.is_complete = true;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Write for PrivateFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        if !self.is_complete {
            // Nobody has its name.
            let _ = fs::remove_file(&self.draft);
        }
    }
}

/// Refuses standard output where others could read what is written to it: a file that the shell made for everybody.
pub fn admit_values_on_output() -> Result<(), Failure> {
    let status = rustix::fs::fstat(rustix::stdio::stdout())
        .map_err(|error| Failure::io("standard output")(error.into()))?;
    let is_file = rustix::fs::FileType::from_raw_mode(status.st_mode) == rustix::fs::FileType::RegularFile;
    if is_file && status.st_mode & 0o077 != 0 {
        return Err(Failure::Usage(
            "standard output is a file that others may read: write to one of mode 0600 by --output"
                .to_owned(),
        ));
    }
    Ok(())
}

/// A word where a file with keys is open to others.
pub fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|status| status.is_file() && status.mode() & 0o077 != 0)
}
