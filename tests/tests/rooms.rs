//! Rooms ask downwards only: `api`, `store`, `audit`, `keys`, `settings`, `pg`, `error`. No two files of the extension import
//! each other, by whatever way round.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../src");
/// From the top down: each may ask those that come after it, and itself. `lib` may ask all, and nobody asks it.
const ROOMS: [&str; 7] = ["api", "store", "audit", "keys", "settings", "pg", "error"];

/// Modules by their path below `crate`, each with the modules that it imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// Every source file as module path and text.
fn sources(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let below = path.strip_prefix(SOURCES).expect("below").with_extension("");
            let names: Vec<&str> = below.iter().filter_map(|name| name.to_str()).collect();
            let module = names.join("::").trim_end_matches("::mod").to_owned();
            found.insert(module, code(&fs::read_to_string(&path).expect("a file")));
        }
    }
}

/// A text without comments, the tests at its end, and white space that an import may have.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    lines.collect::<Vec<_>>().join(" ")
}

/// The paths that a text names: `crate::a::{b, c::{self, d}}` names three.
fn paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back().unwrap_or(' ');
            if !before.is_alphanumeric() && !"_:".contains(before) {
                expand("", &text[at..], &mut found);
            }
        }
    }
    found
}

/// Takes a path, or a path with a list of others in braces, off the beginning of a text; gives how long it was.
fn expand(prefix: &str, text: &str, found: &mut Vec<String>) -> usize {
    let end =
        text.find(|letter: char| !letter.is_alphanumeric() && !"_:".contains(letter)).unwrap_or(text.len());
    let path = format!("{prefix}{}", &text[..end]);
    if !text[end..].starts_with('{') || !path.ends_with("::") {
        found.push(path);
        return end;
    }
    let mut at = end + 1;
    while at < text.len() && !text[at..].starts_with('}') {
        let is_name = text[at..].starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        at += if is_name { expand(&path, &text[at..], found) } else { 1 };
    }
    at + 1
}

/// The module that a path leads into, as seen from another.
fn target(from: &str, path: &str, modules: &BTreeMap<String, String>) -> Option<String> {
    let mut base: Vec<&str> = from.split("::").collect();
    let mut names: Vec<&str> = Vec::new();
    for name in path.split("::") {
        match name {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            name => names.push(name),
        }
    }
    let whole: Vec<&str> = base.into_iter().chain(names).collect();
    (1..=whole.len()).rev().map(|length| whole[..length].join("::")).find(|name| modules.contains_key(name))
}

/// All imports of the extension but those of `lib`.
fn imports() -> Imports {
    let mut modules = BTreeMap::new();
    sources(Path::new(SOURCES), &mut modules);
    modules.remove("lib");
    let asked = |from: &String, text: &String| -> BTreeSet<String> {
        let targets = paths(text).into_iter().filter_map(|path| target(from, &path, &modules));
        targets.filter(|to| to != from).collect()
    };
    modules.iter().map(|(from, text)| (from.clone(), asked(from, text))).collect()
}

/// The height of a module's room; more is lower.
fn depth(module: &str) -> usize {
    let room = module.split("::").next().unwrap_or_default();
    ROOMS.iter().position(|name| *name == room).unwrap_or_else(|| panic!("{module} is in no room"))
}

#[test]
fn rooms_ask_downwards_only() {
    let imports = imports();
    for (from, asked) in &imports {
        for to in asked {
            assert!(depth(from) <= depth(to), "{from} imports {to}");
        }
    }
    let count: usize = imports.values().map(BTreeSet::len).sum();
    assert!(count > 300, "{count} imports were found");
}

#[test]
fn no_two_files_import_each_other() {
    let mut rest = imports();
    loop {
        // A file that asks nobody who is left, or that nobody asks who is left, is in no circle.
        let left: BTreeSet<String> = rest.keys().cloned().collect();
        let asked: BTreeSet<String> = rest.values().flatten().cloned().collect();
        let before = rest.len();
        rest.retain(|name, asks| asked.contains(name) && asks.iter().any(|to| left.contains(to)));
        if rest.len() == before {
            break;
        }
    }
    assert!(rest.is_empty(), "these import each other: {:?}", rest.keys());
}

#[test]
fn paths_are_read_as_rust_reads_them() {
    let read = paths(
        "use crate::pg::{bare, rows::sql::{self, Run}}; let x = super::other::work(); $crate::audit::f",
    );
    let expected = [
        "crate::pg::bare",
        "crate::pg::rows::sql::self",
        "crate::pg::rows::sql::Run",
        "crate::audit::f",
        "super::other::work",
    ];
    assert_eq!(read, expected);
}
