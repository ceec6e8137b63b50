//! A value on the line, where it does not belong, is not repeated.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use command::{hftok, said};

const TOKEN: &str = "hf_aliceAliceAliceAliceAliceAlice0001";

#[test]
fn a_value_on_the_line_is_not_repeated() {
    let option = format!("--value={TOKEN}");
    let lines: [&[&str]; 5] = [
        &["set", TOKEN],
        &["set", &option],
        &["set", "--value", TOKEN],
        &["set", "--position", TOKEN],
        &[TOKEN],
    ];
    for line in lines {
        let got = said(&mut hftok(line), "");
        assert_eq!((got.code, got.out.as_str()), (Some(2), ""), "{line:?}");
        assert!(!got.err.contains("alice"), "{}", got.err);
    }
    let got = said(&mut hftok(&["set", TOKEN]), "");
    assert!(got.err.contains("no place on the line") && got.err.contains("Revoke"), "{got:?}");
}

#[test]
fn other_mistakes_are_told_as_always() {
    let got = said(&mut hftok(&["sett"]), "");
    assert!(got.code == Some(2) && got.err.contains("'sett'"), "{got:?}");
    let got = said(&mut hftok(&["--help"]), "");
    assert!(got.code == Some(0) && got.out.contains("Usage:"), "{got:?}");
}
