//! A value in an application's column: "Bearer" in front, masks and placeholders.

use hftok_core::moving_in::value::{Fault, fault, without_bearer};

#[test]
fn bearer_is_taken_away_with_the_white_space_around_it() {
    for (given, value) in [
        ("hf_abc", "hf_abc"),
        (" hf_abc ", " hf_abc "),
        ("Bearer hf_abc", "hf_abc"),
        (" \tbEARER \n hf_abc ", "hf_abc "),
        ("bearer Bearer BEARER\u{3000}hf_abc", "hf_abc"),
        ("Bearer ", ""),
        // No white space behind it: it is the value.
        ("bearer", "bearer"),
        ("bearer bearer", "bearer"),
        ("bearerhf_abc", "bearerhf_abc"),
        ("Bearé hf_abc", "Bearé hf_abc"),
        ("", ""),
    ] {
        assert_eq!(without_bearer(given), value, "{given:?}");
    }
}

#[test]
fn masks_are_found_anywhere_in_a_value() {
    for masked in ["hf_••••cd", "●●●●", "hf_abc…", "sk-***cd", "hf_abcdefgh...", " ... "] {
        assert_eq!(fault(masked), Some(Fault::Masked), "{masked}");
    }
    for other in ["sk-**cd", "hf_ab..cd", "{\"key\": \"***\"}", " {…}"] {
        assert_eq!(fault(other), None, "{other}");
    }
}

#[test]
fn placeholders_are_whole_values_in_any_case_and_in_brackets() {
    for word in [
        "-",
        "---",
        "todo",
        "TODO",
        " none ",
        "n/a",
        "NA",
        "test",
        "testing",
        "example",
        "examples",
        "<token>",
        "[key]",
        "(null)",
        "<token",
        "hf_",
        "sk-",
        "bearer",
        "abc123",
        "0",
        "12345678",
        "changeme",
        "change-me",
        "change_this",
        "Replace it",
        "insert here",
        "insert_token",
        "enter-key",
        "key",
        "_key",
        "api_key",
        "API KEY",
        "accesskey",
        "secret-key",
        "hf_token",
        "auth token",
        "apitoken",
    ] {
        assert_eq!(fault(word), Some(Fault::Placeholder), "{word}");
    }
    for other in [
        "",
        "hf_x",
        "sk-1",
        "tests",
        "todo1",
        "1",
        "1234567",
        "nope",
        "change--me",
        "changeher",
        "enter here",
        "insert",
        "apikeys",
        "foo_key",
        "my-token",
        "hf key",
        "<<token>>",
        "t\u{f6}ken",
        "access_",
        "--x",
    ] {
        assert_eq!(fault(other), None, "{other}");
    }
}

#[test]
fn words() {
    assert_eq!(Fault::Masked.to_string(), "it is masked or cut off");
    assert_eq!(Fault::Placeholder.to_string(), "it is a placeholder");
}
