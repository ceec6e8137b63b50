//! A value as it lies in an application's column: what stands in front of it, and what is certainly no credential of anybody.
//!
//! Columns hold more kinds of rubbish than forms: defaults of programs, hints, placeholders. Nothing here copies a value.

use std::fmt;

use crate::plaintext::MASK;

/// Why a value is certainly no credential of any provider. The words never hold a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A mask, or the dots of something that was too long for a page.
    Masked,
    /// A program's default, a form's hint, a word in a hurry.
    Placeholder,
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Masked => "it is masked or cut off",
            Self::Placeholder => "it is a placeholder",
        })
    }
}

/// The value behind each `Bearer ` in front, and the white space around these. Without one the value is as it was given.
pub fn without_bearer(given: &str) -> &str {
    let mut value = given;
    while let Some(rest) =
        after(value.trim_start(), "bearer").filter(|rest| rest.starts_with(char::is_whitespace))
    {
        value = rest.trim_start();
    }
    value
}

/// Finds fault with a value. Fields of an object are looked at by the check of their provider.
pub fn fault(value: &str) -> Option<Fault> {
    let word = value.trim();
    if word.starts_with('{') {
        None
    } else if word.contains([MASK, '●', '…']) || word.contains("***") || word.contains("...") {
        Some(Fault::Masked)
    } else if is_placeholder(word) {
        Some(Fault::Placeholder)
    } else {
        None
    }
}

/// Whether it is a dash, or one of the words that stand for a key, which may be in brackets.
fn is_placeholder(word: &str) -> bool {
    if !word.is_empty() && word.bytes().all(|byte| byte == b'-') {
        return true;
    }
    let word = word.strip_prefix(['(', '<', '[']).unwrap_or(word);
    let word = word.strip_suffix([')', '>', ']']).unwrap_or(word);
    let is_one_of = |words: &[&str], word: &str| words.iter().any(|it| it.eq_ignore_ascii_case(word));
    is_one_of(WORDS, word)
        || PAIRS.iter().any(|(firsts, seconds)| {
            firsts
                .iter()
                .filter_map(|first| after(word, first))
                .any(|rest| is_one_of(seconds, rest.strip_prefix(['-', '_', ' ']).unwrap_or(rest)))
        })
}

/// The rest of a text that begins with a word, in upper or lower case.
fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(rest)
}

/// Words that nobody's key is.
const WORDS: &[&str] = &[
    "todo",
    "tbd",
    "none",
    "null",
    "nil",
    "undefined",
    "nan",
    "na",
    "n/a",
    "test",
    "testing",
    "dummy",
    "example",
    "examples",
    "sample",
    "placeholder",
    "secret",
    "password",
    "token",
    "hf_",
    "sk-",
    "bearer",
    "basic",
    "unknown",
    "invalid",
    "empty",
    "default",
    "foo",
    "bar",
    "foobar",
    "asdf",
    "qwerty",
    "abc",
    "abc123",
    "0",
    "123",
    "1234",
    "12345",
    "123456",
    "12345678",
    "true",
    "false",
    "redacted",
    "removed",
    "deleted",
];

/// Words of two parts, with or without a separator between them.
const PAIRS: &[(&[&str], &[&str])] = &[
    (&["change", "replace"], &["me", "this", "it"]),
    (&["insert"], &["me", "here", "key", "token"]),
    (&["enter"], &["key", "token"]),
    (&["", "api", "access", "secret"], &["key"]),
    (&["api", "access", "hf", "auth"], &["token"]),
];
