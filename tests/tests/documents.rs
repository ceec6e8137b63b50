//! Documents name files that are there.

use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Folders that a path may begin in.
const ROOMS: [&str; 5] = ["", "src", "crates", "crates/core/src", "tests"];

/// Every text between backticks.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2))
}

/// Every text between backticks that has the form of a path to a file of ours.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    words(text).filter(|word| {
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

/// The pages of the top folder and of `docs`.
fn documents() -> Vec<String> {
    let pages = ["", "docs/"].iter().flat_map(|folder| {
        let entries = std::fs::read_dir(Path::new(ROOT).join(folder)).expect("a folder").flatten();
        entries.filter_map(move |entry| Some(format!("{folder}{}", entry.file_name().to_str()?)))
    });
    pages.filter(|page| page.ends_with(".md") && !page.ends_with("CHANGELOG.md")).collect()
}

/// Reads a document.
fn read(document: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(document)).expect("a document")
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let mut count = 0;
    for document in documents() {
        let text = read(&document);
        for path in paths(&text) {
            assert!(exists(path), "{document} names {path}");
            count += 1;
        }
    }
    assert!(count > 50, "{count} paths were found");
}

/// `10_objects` is a test in SQL: two digits, and a name.
#[test]
fn every_test_in_sql_that_the_ways_through_the_house_name_is_there() {
    let text = read("docs/how-to.md");
    let is_test = |word: &&str| {
        let (number, name) = word.split_once('_').unwrap_or_default();
        number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty()
    };
    let tests: Vec<_> = words(&text).filter(is_test).collect();
    for test in &tests {
        let file = Path::new(ROOT).join("tests/sql/sql").join(test).with_extension("sql");
        assert!(file.is_file(), "docs/how-to.md names {test}");
    }
    assert!(tests.len() > 20, "{} tests were found", tests.len());
}

/// The glossary has the place where a word lives in brackets: `[core/walk]`, `[api/guarded, pg/who/as_owner]`, `[panel/walk]`, a folder.
#[test]
fn every_place_where_the_glossary_says_that_a_word_lives_is_there() {
    let text = read("docs/glossary.md");
    let brackets = text.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    let places: Vec<_> = brackets.flat_map(|(inside, _)| inside.split(", ")).collect();
    for place in &places {
        let below = match place.split_once('/') {
            Some(("core", rest)) => format!("crates/core/src/{rest}"),
            Some(("panel", rest)) => format!("edge/panel/src/lib/{rest}"),
            _ => format!("src/{place}"),
        };
        let is_there =
            [".rs", "/mod.rs", "/"].iter().any(|end| Path::new(ROOT).join(format!("{below}{end}")).exists());
        assert!(is_there, "docs/glossary.md names {place}");
    }
    assert!(places.len() > 20, "{} places were found", places.len());
}
