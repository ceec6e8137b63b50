//! Lines of the documents that call the command are lines that it takes.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::fs;
use std::path::{Path, PathBuf};

use command::{hftok, said};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Every page in Markdown, but for what is built or brought.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_ours = !["target", "node_modules", ".git"].iter().any(|other| name == *other);
        if path.is_dir() && is_ours {
            pages(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
}

/// Lines in blocks of a shell, each in one piece.
fn lines(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks
        .flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// What the shell would hand to hftok, up to where something else begins; none where the line calls another program.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (letter, quote) {
            (letter, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (' ', None) => words.extend(word.take()),
            ('|' | '<' | '>' | '#' | '&' | ';', None) if word.is_none() => break,
            ('|' | ';', None) => break,
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    let is_variable = |word: &String| word.split_once('=').is_some_and(|(name, _)| !name.starts_with('-'));
    let at = words.iter().position(|word| !is_variable(word))?;
    (words[at] == "hftok").then(|| words.split_off(at + 1))
}

#[test]
fn every_line_that_is_shown_is_taken() {
    let mut found = Vec::new();
    pages(Path::new(ROOT), &mut found);
    let mut count = 0;
    let mut wrong = String::new();
    for page in found {
        let lines = lines(&fs::read_to_string(&page).expect("a page"));
        for line in lines.iter().flat_map(|line| line.split(" | ")) {
            let Some(mut words) = words(line) else { continue };
            count += 1;
            // Help comes only after what stands before it was read; what stands behind -- is another program's.
            let own = words.iter().position(|word| word == "--").unwrap_or(words.len());
            words.truncate(own);
            words.push("--help".to_owned());
            let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
            let said = said(&mut hftok(&arguments), "");
            if said.code != Some(0) {
                wrong.push_str(&format!("{}: {line}\n{}\n", page.display(), said.err));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count >= 10, "{count} lines");
}

#[test]
fn a_line_ends_where_the_shell_goes_on() {
    let of = |line: &str| words(line).map(|words| words.join("|"));
    assert_eq!(of("HF_TOKEN=x hftok set --label 'a b' <file # mine").as_deref(), Some("set|--label|a b"));
    assert_eq!(of("hftok export >f && age -d f").as_deref(), Some("export"));
    assert_eq!(of("pg_dump app"), None);
}
