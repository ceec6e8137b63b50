//! Documents name files that are there.

use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const DOCUMENTS: [&str; 11] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/audit.md",
    "docs/catalogue.md",
    "docs/edge-functions.md",
    "docs/glossary.md",
    "docs/how-to.md",
    "docs/moving-in.md",
    "docs/style.md",
];
/// Folders that a path may begin in.
const ROOMS: [&str; 5] = ["", "src", "crates", "crates/core/src", "tests"];

/// Every text between backticks that has the form of a path to a file of ours.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2)).filter(|word| {
        let is_source =
            [".rs", ".sql", ".sh", ".ts", ".md", ".py", ".json"].iter().any(|end| word.ends_with(end));
        is_source && word.contains('/') && !word.contains([' ', '*', '<', '…'])
    })
}

fn exists(path: &str) -> bool {
    let below_core = path.strip_prefix("core/").map(|path| format!("crates/core/src/{path}"));
    ROOMS.iter().any(|room| Path::new(ROOT).join(room).join(path).is_file())
        || below_core.is_some_and(|path| Path::new(ROOT).join(path).is_file())
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let mut count = 0;
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(Path::new(ROOT).join(document)).expect("a document");
        for path in paths(&text) {
            assert!(exists(path), "{document} names {path}");
            count += 1;
        }
    }
    assert!(count > 50, "{count} paths were found");
}
