//! Keys of databases that were dropped, and the root keys that those needed. No session comes into such a database again to have
//! them forgotten, so the worker does it. It is connected to no database and so cannot ask the catalog: a database that was dropped
//! has no folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::pg::server::key_pages;

/// The time between two looks. Nobody wakes the worker when a session keeps the first key.
const LOOK: Duration = Duration::from_secs(10);

/// Takes care of it now and then.
pub struct Sweep {
    /// When it was looked last.
    looked: Instant,
}

impl Sweep {
    /// From now on.
    pub fn begin() -> Self {
        Self { looked: Instant::now() }
    }

    /// Looks if it is time to, and says when it will be again.
    pub fn go_on(&mut self) -> Duration {
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            key_pages::change(|_, pages| pages.forget_over());
            let databases: BTreeSet<u32> =
                key_pages::look(|header, pages| pages.databases().chain(header.in_use.databases()).collect())
                    .unwrap_or_default();
            for database in databases.iter().filter(|database| !has_folder(**database)) {
                key_pages::change(|header, pages| {
                    pages.retain(*database, |_| false);
                    header.in_use.keep(*database, &[]);
                });
            }
        }
        LOOK.saturating_sub(self.looked.elapsed())
    }
}

/// Every database that has a folder.
pub fn databases() -> BTreeSet<u32> {
    let ids = |folder: &Path| {
        let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.filter_map(|name| name.to_str()?.parse().ok()).collect::<Vec<u32>>()
    };
    folders().into_iter().flat_map(|folder| ids(&folder)).collect()
}

/// The folders that have those of databases: of the data directory, which is the current one, and of each tablespace, which has one for
/// each version of the server.
fn folders() -> Vec<PathBuf> {
    let inside =
        |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let tablespaces = inside(Path::new("pg_tblspc"));
    tablespaces
        .flat_map(|tablespace| inside(&tablespace).collect::<Vec<_>>())
        .chain([PathBuf::from("base")])
        .collect()
}

/// Whether the data directory, which is the current one, has a folder of this database; what cannot be looked for counts as there.
fn has_folder(database: u32) -> bool {
    let name = database.to_string();
    let exists = |folder: &Path| folder.join(&name).try_exists().unwrap_or(true);
    // A tablespace has a folder for each version of the server.
    let Ok(tablespaces) = fs::read_dir("pg_tblspc") else { return true };
    let versions = |tablespace: fs::DirEntry| fs::read_dir(tablespace.path()).into_iter().flatten().flatten();
    exists(Path::new("base"))
        || tablespaces.flatten().flat_map(versions).any(|version| exists(&version.path()))
}
