//! The limits of what a credential can be, rule by rule: each has a value just within it and one just beyond.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use hftok_core::provider::{BYTES_MAX, Provider, Rejection, Warning, builtin, describe, find, members};

fn check(provider: &str, value: &str) -> Result<Vec<Warning>, Rejection> {
    find(provider).unwrap().check(value, builtin()).map(|checked| checked.warnings)
}

/// A provider of an operator, whose fields are these.
fn own(fields: &str) -> Provider {
    describe(&format!(r#"{{"name":"own","label":"Own","fields":{fields}}}"#)).unwrap().provider
}

fn check_own(provider: &Provider, value: &str) -> Result<Vec<Warning>, Rejection> {
    provider.check(value, builtin()).map(|checked| checked.warnings)
}

/// The fault of one field.
fn at(field: &str, fault: Rejection) -> Result<Vec<Warning>, Rejection> {
    Err(Rejection::InField { field: field.into(), fault: Box::new(fault) })
}

const UNKNOWN: Result<Vec<Warning>, Rejection> = Ok(Vec::new());

#[test]
fn a_key_has_as_many_bytes_as_any_credential() {
    assert_eq!(BYTES_MAX, 65_536, "more than the longest that is known, a certificate with its key");
    let provider = own(r#"[{"name":"key","secret":true}]"#);
    for (length, expected) in [
        (BYTES_MAX, UNKNOWN),
        (BYTES_MAX + 1, Err(Rejection::TooLong)),
        (BYTES_MAX + 2, Err(Rejection::TooLong)),
    ] {
        assert_eq!(check_own(&provider, &"k".repeat(length)), expected, "{length}");
        assert_eq!(check_own(&provider, &format!(" {} ", "k".repeat(length))), expected, "{length}");
        let document = format!("{{{}", " ".repeat(length - 2)) + "}";
        let expected = if length > BYTES_MAX { Rejection::TooLong } else { Rejection::NotAKey };
        assert_eq!(check_own(&provider, &document), Err(expected), "{length}");
    }
}

#[test]
fn one_field_is_a_key_and_in_an_integration_an_object_as_well() {
    let provider = own(r#"[{"name":"key","secret":true}]"#);
    let document = |value: &str| provider.check_document(value, builtin()).map(|checked| checked.warnings);
    assert_eq!(check_own(&provider, r#" {"key":"abcdefgh"}"#), Err(Rejection::NotAKey));
    assert_eq!(document(r#" {"key":" abcdefgh "} "#), UNKNOWN);
    assert_eq!(document(r#"{"key":"Bearer abcdefgh"}"#), at("key", Rejection::Bearer));
    assert_eq!(document(r#"{"key":" "}"#), Err(Rejection::FieldMissing("key".into())));
    assert_eq!(document(r#"{"other":"abcdefgh"}"#), Err(Rejection::FieldMissing("key".into())));
    assert_eq!(document("abcdefgh"), UNKNOWN);
    assert_eq!(document("Bearer abcdefgh"), Err(Rejection::Bearer));
    assert_eq!(document(" "), Err(Rejection::Blank));
}

/// A prefix of its own makes a key a provider's even where the shape is new, and a shape that fits does where the prefix is shared.
#[test]
fn the_longer_prefix_decides_and_between_equal_ones_the_provider() {
    let with = |id: &str, prefix: &str, least: u32, is_own: bool| {
        let format = format!(
            r#"{{"kind":"key","prefix":"{prefix}","alphabet":"word","least":{least},"own":{is_own}}}"#
        );
        let fields = r#"[{"name":"key","secret":true}]"#;
        let given = format!(r#"{{"name":"{id}","label":"x","fields":{fields},"formats":[{format}]}}"#);
        describe(&given).unwrap().provider
    };
    let other = [with("other", "abc_", 1, true)];
    let taken = |ours: Provider, value: &str| ours.check(value, &other).map(|_| ());
    assert_eq!(taken(with("ours", "abc_def_", 20, true), "abc_def_new"), Ok(()), "claimed, of a new shape");
    assert_eq!(taken(with("ours", "abc_def_", 1, false), "abc_def_new"), Ok(()), "it fits");
    assert_eq!(taken(with("ours", "abc_", 20, true), "abc_def_new"), Ok(()), "both claim it");
    let refused = Err(Rejection::OtherProvider);
    assert_eq!(taken(with("ours", "abc_def_", 20, false), "abc_def_new"), refused, "neither");
    assert_eq!(taken(with("ours", "abc", 1, true), "abc_def_new"), refused, "a shorter one");
    assert_eq!(taken(with("other", "abc", 1, true), "abc_def_new"), Ok(()), "its own");
}

#[test]
fn an_optional_field_may_be_blank_and_another_may_not() {
    let provider = own(
        r#"[{"name":"key","secret":true},{"name":"more","optional":true,"equals":["a","b"]},{"name":"id","uuid":true}]"#,
    );
    let id = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
    let of = |key: &str, more: &str, id: &str| {
        check_own(&provider, &format!(r#"{{"key":"{key}","more":"{more}","id":"{id}"}}"#))
    };
    assert_eq!(of("abcdefgh", "", id), UNKNOWN);
    assert_eq!(of("abcdefgh", " ", id), UNKNOWN);
    assert_eq!(of("abcdefgh", "b", id), UNKNOWN);
    assert_eq!(of("abcdefgh", "c", id), Err(Rejection::FieldWrong("more".into())));
    assert_eq!(of(" ", "", id), Err(Rejection::FieldMissing("key".into())));
    assert_eq!(of("abcdefgh", "", ""), Err(Rejection::FieldMissing("id".into())));
    assert_eq!(of("abcdefgh", "", "none"), Err(Rejection::FieldWrong("id".into())));
    assert_eq!(of("Bearer abcdefgh", "", id), at("key", Rejection::Bearer));
}

/// Rules about keys are for what is secret; a private key has lines, and no other field does.
#[test]
fn a_field_has_no_control_characters_but_the_lines_of_a_private_key() {
    let provider = own(r#"[{"name":"key","secret":true},{"name":"project"}]"#);
    let of = |key: &str, project: &str| {
        check_own(&provider, &format!(r#"{{"key":"{key}","project":"{project}"}}"#))
    };
    let pem = r"-----BEGIN PRIVATE KEY-----\r\nabc\n-----END PRIVATE KEY-----\n";
    assert_eq!(of(pem, "my project"), UNKNOWN);
    assert_eq!(of(r"-----BEGIN PRIVATE KEY-----\tabc", "a"), at("key", Rejection::Control));
    assert_eq!(of(r"abcd\nefgh", "a"), at("key", Rejection::Control));
    assert_eq!(of("abcd efgh", "a"), at("key", Rejection::Control));
    assert_eq!(of("abcdefgh", r"a\nb"), at("project", Rejection::Control));
    assert_eq!(of("abcdefgh", r"a\u2022"), at("project", Rejection::Masked));
    assert_eq!(of("abcdefgh", "Bearer a"), UNKNOWN);
}

/// A form marks the field; its name is the provider's, and the value is not quoted.
#[test]
fn a_fault_names_its_field_where_there_are_several() {
    let provider = own(r#"[{"name":"key","secret":true},{"name":"id","uuid":true}]"#);
    let of = |document: &str| check_own(&provider, document).unwrap_err();
    for (document, field, words) in [
        (r#"{"id":"x"}"#, "key", r#"the field "key" of the credential is missing"#),
        (
            r#"{"key":"abcdefgh","id":"x"}"#,
            "id",
            r#"the field "id" of the credential has a value that it cannot have"#,
        ),
        (r#"{"key":"<abcdefgh>","id":"x"}"#, "key", r#"the credential is a placeholder (field "key")"#),
    ] {
        assert_eq!(of(document).field(), Some(field), "{document}");
        assert_eq!(of(document).to_string(), words, "{document}");
    }
    assert_eq!(of("[]").field(), None, "it is none of the fields");
}

/// For services that nobody described: also through a gateway that takes another provider's keys.
#[test]
fn custom_takes_any_key_and_in_an_integration_any_object() {
    let custom = find("custom").unwrap();
    for key in ["abcdefgh", "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "sk-ant-abcdefghijklmnopqrstuvwxyz"] {
        assert_eq!(check("custom", key), UNKNOWN, "{key}");
    }
    assert_eq!(check("custom", "Bearer abcdefgh"), Err(Rejection::Bearer));
    assert_eq!(check("custom", "HF_TOKEN=hf_abcdefgh"), Err(Rejection::Assignment));
    assert_eq!(check("custom", r#"{"user":"a"}"#), Err(Rejection::NotAKey));
    let document = |value: &str| custom.check_document(value, builtin()).map(|checked| checked.warnings);
    assert_eq!(document(r#"{"user":"a","password":"b c"}"#), UNKNOWN);
    assert_eq!(document(r#"{"api_key":"Bearer a"}"#), at("api_key", Rejection::Bearer));
    assert_eq!(document("{}"), Err(Rejection::FieldMissing("api_key".into())));
    let described = describe(r#"{"name":"custom","label":"Ours","hosts":["localhost"]}"#).unwrap();
    assert!(described.provider.any, "it stays so, whatever is said of it");
    assert!(
        describe(r#"{"name":"own","label":"x","fields":[{"name":"key","secret":true}],"any":true}"#).is_err()
    );
    assert!(describe(r#"{"name":"openai","any":true}"#).is_err());
    assert!(describe(r#"{"name":"custom","hosts":["api.example.com"]}"#).is_err(), "it has no hosts");
}

#[test]
fn the_session_token_is_missed_for_temporary_keys_of_aws_alone() {
    let secret = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123";
    let document = format!(r#"{{"access_key_id":"ASIAABCDEFGHIJKLMNOP","secret_access_key":"{secret}"}}"#);
    let fields = r#"[{"name":"access_key_id"},{"name":"secret_access_key","secret":true}]"#;
    assert_eq!(check_own(&own(fields), &document), UNKNOWN);
    assert_eq!(check("aws", &document), Ok(vec![Warning::SessionTokenMissing]));
}

#[test]
fn doubts_have_words() {
    let words = [
        (Warning::FormatUnrecognised, "format_unrecognised"),
        (Warning::Remark("legacy".into()), "legacy"),
        (Warning::SessionTokenMissing, "session_token_missing"),
    ];
    for (warning, word) in words {
        assert_eq!(warning.to_string(), word);
    }
}

#[test]
fn each_rule_on_keys_holds_alone() {
    let provider = own(r#"[{"name":"key","secret":true}]"#);
    for (rejection, values) in [
        (Rejection::Quoted, &["\"abcdefgh", "abcdefgh\"", "'abcdefgh", "abcdefgh`"][..]),
        (
            Rejection::Assignment,
            &["A_B=c", "export a=b", "apikey=c", "my_key=c", "Token=c", "clientsecret=c", "A_B=c=="],
        ),
        (
            Rejection::Placeholder,
            &[
                "<abc>",
                "xxx",
                "hf_xxx",
                "abc_xxxx",
                "hf-***",
                "XXXX",
                "sk-0000",
                "a_......",
                "yourkey",
                "Your_Key",
                "put-your-key",
                "put_your_key",
                "sk-CHANGEME-1",
                "wJalrEXAMPLE",
                "wJalrEXAMPLEKEY",
            ],
        ),
        (Rejection::Control, &["abcd efgh", "abcd\tefgh", "abcd\u{7f}efgh", "abcd\u{a0}efgh"]),
        (Rejection::SecretStore, &["hvb.abcdefgh", "ops_eyJabcdefgh", "dp.pt.abcdefgh"]),
    ] {
        for value in values {
            assert_eq!(check_own(&provider, value), Err(rejection.clone()), "{value}");
        }
    }
    for value in [
        "<abc",
        "abc>",
        "ab\"cd",
        "bearer",
        "Bearerabc",
        "=abc",
        "A_B=",
        "A_B==",
        "AB=c",
        "a_b=c",
        "a-key=c",
        "keys=c",
        "YWJjZA==",
        "xx",
        "my_xx",
        "abcd_xxx",
        "xxxy",
        "myourkey",
        "wJalrexample",
        "EXAMPLEwJalr",
        "EXAMPLEKEYS",
        "0x00",
    ] {
        assert_eq!(check_own(&provider, value), UNKNOWN, "{value}");
    }
}

#[test]
fn members_are_texts_of_an_object_and_others_are_passed_over() {
    let of = |text: &str| -> Option<Vec<(String, String)>> {
        Some(members(text)?.iter().map(|(name, value)| (name.clone(), value.to_string())).collect())
    };
    let mixed = r#"{"a":"x","b":true,"c":1,"d":-1,"e":1.5,"f":null,"g":["y",[1]],"h":{"i":"z"},"j":""}"#;
    assert_eq!(of(mixed), Some(vec![("a".into(), "x".into()), ("j".into(), String::new())]));
    assert_eq!(of("{}"), Some(vec![]));
    for other in ["", "[]", "\"a\"", "{", r#"{"a":"x"} y"#] {
        assert_eq!(of(other), None, "{other}");
    }
    let many = |count: usize| {
        let texts: Vec<String> = (0..count).map(|at| format!("\"m{at}\":{at}")).collect();
        of(&format!("{{{}}}", texts.join(",")))
    };
    assert_eq!((many(100), many(101), many(102)), (Some(vec![]), None, None));
}
