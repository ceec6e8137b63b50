//! The examples of the README work as they stand there.

use std::process::Command;

use hftok_tests::cluster::Cluster;
use hftok_tests::setup::run;
use postgres::SimpleQueryMessage;

/// The whole text.
fn text() -> String {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    std::fs::read_to_string(readme).expect("the README")
}

/// The blocks of the README in this language, in order.
fn blocks(language: &str) -> Vec<String> {
    let text = text();
    let opening = format!("```{language}\n");
    text.split(&opening).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

#[test]
fn every_sql_block_runs_and_shows_what_it_is_about() {
    let blocks = blocks("sql");
    assert!(blocks.len() >= 2, "the README has SQL to show");
    let cluster = Cluster::start_default();
    let mut client = cluster.empty_database("readme");
    let mut answers = String::new();
    for block in blocks {
        for message in client.simple_query(&block).unwrap_or_else(|error| panic!("{error}\n{block}")) {
            if let SimpleQueryMessage::Row(row) = message {
                for column in 0..row.len() {
                    answers.push_str(row.get(column).unwrap_or("NULL"));
                    answers.push('|');
                }
                answers.push('\n');
            }
        }
    }
    for shown in ["sk_test_4242|", "hf_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh|user|", "global|used|"] {
        assert!(answers.contains(shown), "{shown} in:\n{answers}");
    }
    let has =
        |start: &str, end: &str| answers.lines().any(|line| line.starts_with(start) && line.ends_with(end));
    assert!(has("total|", "|0|"), "nothing fails to verify:\n{answers}");
    assert!(has("", "|t|NULL|NULL|"), "the audit verifies:\n{answers}");
}

#[test]
fn every_make_target_that_is_named_exists() {
    let makefile =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Makefile")).expect("the Makefile");
    let named: Vec<_> =
        blocks("sh").iter().flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let targets =
        named.iter().filter_map(|line| line.strip_prefix("make ")).filter_map(|rest| rest.split(' ').next());
    let mut count = 0;
    for target in targets {
        count += 1;
        assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
    }
    assert!(count >= 3, "{named:?}");
}

#[test]
fn the_figures_are_those_of_the_last_whole_runs() {
    let table = run(Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/figures.sh")).arg("--show"));
    let text = text();
    let (_, rest) = text.split_once("<!-- the following is made by tools/figures.sh -->").expect("a place");
    let (shown, _) = rest.split_once("<!-- end of the figures -->").expect("its end");
    assert_eq!(shown.trim(), table.trim(), "tools/figures.sh writes it anew");
    assert!(table.lines().count() > 2, "{table}");
}
