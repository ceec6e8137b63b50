//! A copy of the installed Postgres in the folder of one server, for tests that add extensions or versions of them.
//!
//! What must stay true: only the program of the server and the folders of extensions and libraries are copies, and
//! everything else is a link: Postgres looks for its files from where its program lies, and the installed ones stay as they are.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::setup::installed;

/// Makes the copy, and gives the folders of its programs, of its extensions and of its libraries.
pub(crate) fn make(folder: &Path) -> [PathBuf; 3] {
    let folders = ["--bindir", "--sharedir", "--pkglibdir"].map(installed);
    let [programs, shared, libraries] = &folders;
    let is_above = |above: &&Path| folders.iter().all(|it| it.starts_with(above));
    let root = programs.ancestors().find(is_above).expect("a folder above all of them");
    let own = |path: &Path| folder.join("prefix").join(path.strip_prefix(root).expect("below the root"));
    let extensions = own(shared).join("extension");
    fs::create_dir_all(&extensions).expect("folders");
    fs::create_dir_all(own(programs)).expect("folders");
    link_all(programs, &own(programs), "postgres");
    link_all(shared, &own(shared), "extension");
    link_all(&shared.join("extension"), &extensions, "");
    fs::create_dir_all(own(libraries)).expect("folders");
    link_all(libraries, &own(libraries), "");
    fs::copy(programs.join("postgres"), own(programs).join("postgres")).expect("a copy");
    [own(programs), extensions, own(libraries)]
}

/// Links everything in a folder into another one, but for one name.
fn link_all(from: &Path, to: &Path, except: &str) {
    for entry in fs::read_dir(from).expect("a folder").flatten().filter(|it| it.file_name() != except) {
        symlink(entry.path(), to.join(entry.file_name())).expect("a link");
    }
}
