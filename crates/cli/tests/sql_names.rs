//! SQL that the command sends names functions of Postgres with their schema.
//!
//! What must stay true: nobody who may create functions, in a schema that is on the path of whoever calls hftok, has theirs called
//! in place of Postgres' own: one that takes just the type that is given goes before one that takes any.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

/// Functions that take any type, or that commands use.
const OF_POSTGRES: [&str; 16] = [
    "array_agg",
    "array_length",
    "array_position",
    "array_to_string",
    "cardinality",
    "concat",
    "format",
    "json_agg",
    "jsonb_agg",
    "jsonb_build_object",
    "jsonb_object_agg",
    "row_to_json",
    "string_agg",
    "to_json",
    "to_jsonb",
    "unnest",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// Calls of `function` in a text of SQL that stand without its schema. Rust's own have a dot or a colon before their name.
fn bare(text: &str, function: &str) -> usize {
    let call = format!("{function}(");
    text.match_indices(&call)
        .filter(|(at, _)| {
            let before = text.get(..*at).unwrap_or_default();
            !before.ends_with(|letter: char| letter.is_alphanumeric() || "_.:".contains(letter))
                && !before.ends_with("fn ")
        })
        .count()
}

#[test]
fn functions_that_take_any_type_are_called_by_their_schema() {
    let mut sources = Vec::new();
    files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut sources);
    assert!(sources.len() > 50, "{} files", sources.len());
    for source in sources {
        let text = fs::read_to_string(&source).expect("text");
        for function in OF_POSTGRES {
            assert_eq!(bare(&text, function), 0, "{} calls {function} without pg_catalog", source.display());
        }
    }
}

#[test]
fn a_bare_call_is_noticed() {
    assert_eq!(bare("SELECT unnest($1)", "unnest"), 1);
    assert_eq!(bare("SELECT pg_catalog.unnest($1), x.unnest(1), Self::unnest(1), fn unnest(x)", "unnest"), 0);
}
