//! Lists what users can call or read in the schemas hftok and hftok_import, from sql/again, where it is defined: Postgres may
//! refuse it before hftok is asked, and the audit tells of that.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=sql");
    let mut names = BTreeSet::new();
    for file in fs::read_dir("sql/again")? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            names.extend(fs::read_to_string(path)?.lines().filter_map(defined).map(str::to_owned));
        }
    }
    let folder = env::var_os("OUT_DIR").map(PathBuf::from).ok_or(io::ErrorKind::NotFound)?;
    fs::write(folder.join("callable.rs"), format!("&{:?}", Vec::from_iter(names)))
}

/// The name of what a line of SQL begins to define.
fn defined(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("CREATE ")?;
    let (_, rest) = rest
        .strip_prefix("OR REPLACE ")
        .unwrap_or(rest)
        .split_once(' ')
        .filter(|(kind, _)| ["FUNCTION", "PROCEDURE", "VIEW"].contains(kind))?;
    let name = rest.strip_prefix("hftok.").or_else(|| rest.strip_prefix("hftok_import."))?;
    let end = name.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    name.get(..end.unwrap_or(name.len()))
}
