//! The audit as somebody verifies it who has no hftok: by a script in another language, that knows docs/audit-format.md alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cluster::Cluster;

/// The script.
pub const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/verify_audit.py");

/// What the script says of a folder or a dump.
pub fn verify(place: &Path, key: &str, head: Option<&Path>) -> Result<String, String> {
    let output =
        Command::new("python3").arg(SCRIPT).arg(place).arg(key).args(head).output().expect("python runs");
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    assert!(complaint.starts_with("NOT OK: "), "{complaint}");
    Err(complaint)
}

/// Writes a dump of the database `app`, and gives its place.
pub fn dump(cluster: &Cluster, folder: &Path) -> PathBuf {
    let text = cluster.client_program("pg_dump", "postgres", "app").output().expect("pg_dump runs").stdout;
    let place = folder.join("dump.sql");
    fs::write(&place, text).expect("write");
    place
}
