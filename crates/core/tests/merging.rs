//! Credentials that come back masked: how much is taken, and in how much memory.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use hftok_core::provider::{BYTES_MAX, Rejection, may_be_masked, merge};

fn merged(given: &str) -> Result<Option<String>, Rejection> {
    Ok(merge(given, br#"{"id":"a","secret":"old"}"#)?.map(|merged| merged.to_string()))
}

#[test]
fn only_what_has_a_bullet_may_be_masked() {
    assert!(may_be_masked("hf_••••1234") && may_be_masked(r#"{"a":"\u2022"}"#));
    assert!(!may_be_masked("hf_abcd1234") && !may_be_masked(r#"{"a":"\u2023"}"#) && !may_be_masked(""));
}

#[test]
fn what_is_longer_than_any_credential_is_refused() {
    let of = |length: usize| {
        let start = r#"{"secret":"••","id":""#;
        format!("{start}{}\"}}", "x".repeat(length - start.len() - 2))
    };
    assert!(merged(&of(BYTES_MAX)).unwrap().unwrap().ends_with(r#","secret":"old"}"#));
    for length in [BYTES_MAX + 1, BYTES_MAX + 2] {
        assert_eq!(merged(&of(length)), Err(Rejection::TooLong));
    }
}

#[test]
fn a_hundred_members_are_taken_and_no_more() {
    let of = |count: usize| {
        let members: Vec<String> = (1..count).map(|at| format!("\"m{at}\":{at}")).collect();
        format!(r#"{{"secret":"••",{}}}"#, members.join(","))
    };
    assert!(merged(&of(100)).unwrap().unwrap().contains(r#""secret":"old""#));
    for count in [101, 102] {
        assert_eq!(merged(&of(count)), Err(Rejection::Masked));
    }
}

/// A text that outgrows its memory leaves a copy behind that nobody wipes. At worst each byte of a name becomes six.
#[test]
fn there_is_room_for_the_longest_result_from_the_start() {
    let long = "0123456789".repeat(8);
    for (name, value) in [("", long.as_str()), ("a_long_name_and_no_value", ""), ("secret", &long)] {
        let document = format!("{{\"{name}\":\"{value}\"}}");
        let merged = merge(&document, document.as_bytes()).unwrap().unwrap();
        assert_eq!(*merged, document);
        // The member that is given, and the one that is stored.
        let least = 2 * (name.len() * 6 + value.len() + "{\"\":\"\"}".len());
        assert!(merged.capacity() >= least, "{} bytes for {least}: {document}", merged.capacity());
    }
}
