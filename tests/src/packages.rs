//! Packages of the distribution, unpacked into a test's own folder: nothing is installed, and no service starts.
//!
//! What must stay true: the machine stays as it is; a test that needs a package which cannot be had says so, and is left out. Several
//! tests may want the same package at the same time.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Unpacks those of the packages that there are, and gives whether any is. What was fetched stays in the cache.
pub fn unpack(names: &[&str], cache: &Path, into: &Path) -> bool {
    let mut found = false;
    for name in names {
        found |= archive(name, cache).is_some_and(|archive| {
            succeeds(Command::new("dpkg-deb").arg("--extract").args([archive.as_path(), into]))
        });
    }
    found
}

/// The file of a package, fetched with the machine's own client.
fn archive(name: &str, cache: &Path) -> Option<std::path::PathBuf> {
    let folder = cache.join("packages").join(name);
    let fetched = || {
        let files = fs::read_dir(&folder).ok()?.flatten().map(|entry| entry.path());
        files.into_iter().find(|path| path.extension().is_some_and(|end| end == "deb"))
    };
    if fetched().is_none() {
        fs::create_dir_all(&folder).expect("a folder");
        // Another test must not take half of it.
        let part = tempfile::tempdir_in(&folder).expect("a folder");
        succeeds(Command::new("apt-get").args(["-qq", "download", name]).current_dir(part.path()));
        for file in fs::read_dir(part.path()).into_iter().flatten().flatten() {
            fs::rename(file.path(), folder.join(file.file_name())).expect("the file is moved");
        }
    }
    fetched()
}

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
