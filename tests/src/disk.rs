//! A small disk, which a test may fill.
//!
//! What must stay true: it is gone when the test ends; where a test is killed, the keeper of its server's folder takes it away.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account::is_root;
use crate::cluster::Cluster;

/// A file system of so many megabytes in the folder of a cluster.
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Makes it, or gives none where that is not allowed.
    pub fn make(cluster: &Cluster, name: &str, megabytes: u32) -> Option<Self> {
        let folder = cluster.make_folder(name);
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m,mode=0700"), "none"]).arg(&folder);
        if !is_root() || !mount.status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: no file system can be mounted here; be root");
            return None;
        }
        cluster.make_folder(name);
        Some(Self { folder })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Leaves no room on it.
    pub fn fill(&self) {
        let mut ballast = File::create(self.folder.join("ballast")).expect("ballast");
        while ballast.write_all(&[0; 4096]).is_ok() {}
    }

    /// Makes room again.
    pub fn empty(&self) {
        fs::remove_file(self.folder.join("ballast")).expect("ballast");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Files that the server has open stay until it ends.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}
