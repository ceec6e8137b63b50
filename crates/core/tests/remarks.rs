//! Remarks of an upstream, letter by letter: the least that is hidden, and the most that stays.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use hftok_core::plaintext::PlaintextRef;
use hftok_core::provider::{Provider, describe, find};
use hftok_core::remark::without_credentials;

/// The words that are looked at.
const MOST: usize = 64 * 1024;

fn sealed(words: &str) -> String {
    without_credentials(words, None)
}

fn known(words: &str, value: &str, provider: Option<&Provider>) -> String {
    without_credentials(words, Some((&PlaintextRef::new(value), provider)))
}

/// What stands for a hidden part without a public prefix.
fn mask() -> String {
    "•".repeat(20)
}

#[test]
fn a_value_is_found_by_twelve_of_its_characters() {
    let value = "correct!horse!battery!staple";
    for (words, said) in [
        ("rect!horse!", "rect!horse!".to_owned()),
        ("ect!horse!ba", mask()),
        ("xect!horse!ba", mask()),
        (" ect!horse!ba ", format!(" {} ", mask())),
        // The match grows to the ends of its word, and no further.
        ("<xyrect!horse!batt-_9>", format!("<{}>", mask())),
        ("a b/ect!horse!ba/c d", format!("a b/{}/c d", mask())),
        ("ect!horse!ba, ect!horse!ba", format!("{}, {0}", mask())),
    ] {
        assert_eq!(known(words, value, None), said, "{words}");
    }
}

/// A shorter value is in too many sentences.
#[test]
fn a_value_of_eight_characters_is_found_as_a_whole() {
    assert_eq!(known("it is a!b!c!d", "a!b!c!d", None), "it is a!b!c!d");
    assert_eq!(known("it is a!b!c!d!", "a!b!c!d!", None), format!("it is {}", mask()));
    assert_eq!(known("it is a!b!c!d", " a!b!c!d!\n", None), "it is a!b!c!d");
    assert_eq!(known("it is <a!b!c!d!>", " a!b!c!d!\n", None), format!("it is <{}>", mask()));
}

#[test]
fn fields_that_are_no_secrets_stay_and_unknown_ones_do_not() {
    let fields = r#"[{"name":"key","secret":true},{"name":"project"}]"#;
    let provider =
        describe(&format!(r#"{{"name":"own","label":"Own","fields":{fields}}}"#)).unwrap().provider;
    let value = r#"{"key":"a!b!c!d!e!","project":"my!project!","more":"something!"}"#;
    let words = "a!b!c!d!e! my!project! something!";
    assert_eq!(known(words, value, Some(&provider)), format!("{} my!project! {0}", mask()));
    assert_eq!(known(words, value, None), format!("{} {0} {0}", mask()));
}

#[test]
fn the_ends_of_a_private_key_are_no_secret() {
    let value = r#"{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----\nabc!def!ghi!\n"}"#;
    let google = find("google_cloud");
    assert_eq!(known("'-----BEGIN' is missing", value, google), "'-----BEGIN' is missing");
    assert_eq!(known("in abc!def!ghi!", value, google), format!("in {}", mask()));
}

#[test]
fn words_are_looked_at_up_to_64_kilobytes() {
    let all = format!("{}z", "x ".repeat(MOST / 2 - 1)) + "z";
    assert_eq!(all.len(), MOST);
    assert_eq!(sealed(&all), all);
    for longer in ["z", "zz"] {
        assert_eq!(sealed(&(all.clone() + longer)), "x ".repeat(MOST / 2 - 1).trim_end(), "{longer}");
    }
}

#[test]
fn private_keys_and_passwords_of_addresses_end_where_they_end() {
    for (words, said) in [
        ("a -----BEGIN X-----\nabc\n-----END X-----b", format!("a {}b", mask())),
        ("-----BEGIN X----- abc -----END X", mask()),
        ("-----BEGIN X", mask()),
        ("x://a@b", format!("x://{}@b", mask())),
        ("x://a:b@c@d/e@f", format!("x://{}@d/e@f", mask())),
        ("x://a b@c", "x://a b@c".to_owned()),
        ("x://a/b@c", "x://a/b@c".to_owned()),
        ("x://", "x://".to_owned()),
    ] {
        assert_eq!(sealed(words), said, "{words}");
    }
}

#[test]
fn what_is_announced_is_hidden_if_it_is_more_than_a_word() {
    for word in ["Bearer", "basic", "BEARER"] {
        for hidden in ["abcdefghijklmnop", "abcdefghijklmnopq", "abcdefg1", "abcdefgh1"] {
            assert_eq!(sealed(&format!("{word}: {hidden}.")), format!("{word}: {}.", mask()), "{hidden}");
        }
        for shown in ["abcdefghijklmno", "abcdef1", "abcdefgh"] {
            let words = format!("{word}: {shown}.");
            assert_eq!(sealed(&words), words);
        }
    }
    assert_eq!(sealed("bearer of abcdefghijklmnop"), "bearer of abcdefghijklmnop");
}

#[test]
fn a_known_prefix_counts_at_the_start_of_a_word() {
    let hidden = |prefix: &str| format!("{prefix}{}", "•".repeat(20 - prefix.len()));
    for (words, said) in [
        ("glpat-abcdefg1", mask()),
        ("(glpat-abcdefg1)", format!("({})", mask())),
        ("x_glpat-abcdefg1", format!("x_{}", mask())),
        ("x-hf_abcdefg1.", format!("x-{}.", hidden("hf_"))),
        ("hf_abcdef1", "hf_abcdef1".to_owned()),
        ("xglpat-abcdefg1", "xglpat-abcdefg1".to_owned()),
        ("9glpat-abcdefg1", "9glpat-abcdefg1".to_owned()),
        ("glpat-abcdef1", "glpat-abcdef1".to_owned()),
    ] {
        assert_eq!(sealed(words), said, "{words}");
    }
}

#[test]
fn what_is_assigned_to_a_key_is_hidden_from_eight_characters_on() {
    for name in ["key", "api_key", "token", "secret", "password", "signature", "sig"] {
        assert_eq!(sealed(&format!("?{name}=abcdefgh&x")), format!("?{name}={}&x", mask()), "{name}");
        assert_eq!(sealed(&format!("?{name}=a/b=c.de")), format!("?{name}={}", mask()), "{name}");
        assert_eq!(sealed(&format!("?{name}=abcdefg&x")), format!("?{name}=abcdefg&x"), "{name}");
    }
    for words in ["?keys=abcdefgh", "key/abcdefgh", "key.abcdefgh", "?x=abcdefgh"] {
        assert_eq!(sealed(words), words);
    }
}

#[test]
fn keys_without_a_prefix_are_hidden_as_a_part_of_an_address() {
    let key = "0123456789abcdef0123456789abcdef";
    for (before, after) in [("", ""), ("x/", ""), ("", "/x"), ("a=", "/b"), ("a/b/", "/c.d")] {
        assert_eq!(sealed(&format!("{before}{key}{after}")), format!("{before}{}{after}", mask()));
    }
    // No key has letters only, or digits only.
    for words in ["abcdefabcdefabcdefabcdefabcdefab", "01234567890123456789012345678901"] {
        assert_eq!(sealed(words), words);
    }
}
