//! PgBouncer: the one that HFTOK_PGBOUNCER names by its folder, the installed one, or that of the distribution, unpacked.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages::unpack;

/// Why a test was left out.
pub const MISSING: &str = "there is no PgBouncer here: set HFTOK_PGBOUNCER to the folder that it is in";

/// A PgBouncer that runs.
pub struct Pooler {
    /// The folder with the program.
    pub programs: PathBuf,
    /// The folder of libraries that were unpacked with it, for LD_LIBRARY_PATH.
    pub libraries: String,
    /// Major and minor.
    pub version: (u32, u32),
}

impl Pooler {
    /// Looks for one, and unpacks one into the folder where there is none.
    pub fn found(folder: &Path, cache: &Path) -> Option<Self> {
        let unpacked = folder.join("packages");
        let libraries = format!("{}-linux-gnu", std::env::consts::ARCH);
        let libraries = unpacked.join("usr/lib").join(libraries).display().to_string();
        let named = std::env::var_os("HFTOK_PGBOUNCER").map(PathBuf::from);
        let mut usual = named.into_iter().chain(["/usr/sbin".into(), "/usr/bin".into()]);
        let found = |programs: PathBuf| {
            let version = version(&programs, &libraries)?;
            Some(Self { programs, libraries: libraries.clone(), version })
        };
        usual.find_map(found).or_else(|| {
            // Libraries have other names in other releases.
            let names = ["pgbouncer", "libc-ares2", "libcares2", "libevent-2.1-7", "libevent-2.1-7t64"];
            unpack(&names, cache, &unpacked);
            found(unpacked.join("usr/sbin"))
        })
    }
}

fn version(programs: &Path, libraries: &str) -> Option<(u32, u32)> {
    let mut program = Command::new(programs.join("pgbouncer"));
    let output = program.arg("--version").env("LD_LIBRARY_PATH", libraries).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (major, rest) = text.split_whitespace().nth(1)?.split_once('.')?;
    Some((major.parse().ok()?, rest.split('.').next()?.parse().ok()?))
}
