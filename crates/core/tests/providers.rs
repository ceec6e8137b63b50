//! The rules on providers' keys, on made-up keys: every known shape is recognised where it belongs and refused where
//! it is another provider's, and only what is certainly wrong is refused.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use hftok_core::provider::{Alphabet, Format, Provider, Rejection, Warning, builtin, find};
use proptest::prelude::*;

/// A key of this shape that no vendor ever made.
fn example(format: &Format) -> String {
    let letters = match format.alphabet {
        Alphabet::Hex => "0123456789abcdef",
        Alphabet::Base32 => "ABCDEFGHIJKLMNOP234567",
        _ => "aB3dE6gH9jK2mN5pQ8sT",
    };
    let part = format.contains.as_deref().unwrap_or_default();
    let rest: String = letters.chars().cycle().take(format.least - part.len()).collect();
    format!("{}{part}{rest}", format.prefix)
}

fn check(provider: &Provider, value: &str) -> Result<Vec<Warning>, Rejection> {
    provider.check(value, builtin()).map(|checked| checked.warnings)
}

#[test]
fn known_shapes_are_recognised_where_they_belong_only() {
    for provider in builtin() {
        for format in &provider.formats {
            let key = example(format);
            let warnings =
                check(provider, &key).unwrap_or_else(|error| panic!("{} {key}: {error}", provider.id));
            assert!(!warnings.contains(&Warning::FormatUnrecognised), "{} {key}", provider.id);
            assert_eq!(check(provider, &format!(" {key}\n")), Ok(warnings), "white space around it");
            for other in builtin()
                .iter()
                .filter(|other| other.id != provider.id && !other.any && !other.has_several_fields())
            {
                if format.own {
                    assert_eq!(check(other, &key), Err(Rejection::OtherProvider), "{} as {}", key, other.id);
                }
            }
        }
    }
}

#[test]
fn what_is_certainly_wrong_is_refused() {
    let huggingface = find("huggingface").unwrap();
    for (value, rejection) in [
        ("", Rejection::Blank),
        (" \t\n", Rejection::Blank),
        ("Bearer hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", Rejection::Bearer),
        ("bearer hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", Rejection::Bearer),
        ("\"hf_abcdefghijklmnopqrstuvwxyzABCDEFGH\"", Rejection::Quoted),
        ("HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", Rejection::Assignment),
        ("export HF_TOKEN='hf_abcdefghijklmnopqrstuvwxyzABCDEFGH'", Rejection::Assignment),
        ("api_key=abcdefghijklmnop", Rejection::Assignment),
        ("hf_••••••••••••••••1234", Rejection::Masked),
        ("hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", Rejection::Placeholder),
        ("your-token-here", Rejection::Placeholder),
        ("<token>", Rejection::Placeholder),
        ("hf_abc def", Rejection::Control),
        ("hf_abc\r\nX-Header: 1", Rejection::Control),
        ("sk-ant-api03-abcdefghijklmnopqrstuvwxyz", Rejection::OtherProvider),
        ("hvs.CAESIJabcdefghijklmnop", Rejection::SecretStore),
    ] {
        assert_eq!(check(huggingface, value), Err(rejection), "{value}");
    }
    assert_eq!(check(huggingface, "something-new"), Ok(vec![Warning::FormatUnrecognised]));
    assert_eq!(
        check(find("deepseek").unwrap(), "sk-proj-abcdefghijklmnopqrstu"),
        Err(Rejection::OtherProvider)
    );
}

#[test]
fn credentials_of_several_fields() {
    let aws = find("aws").unwrap();
    let secret = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123";
    let of = |id: &str, more: &str| {
        check(aws, &format!(r#"{{"access_key_id":"{id}","secret_access_key":"{secret}"{more}}}"#))
    };
    assert_eq!(of("AKIAABCDEFGHIJKLMNOP", ""), Ok(vec![]));
    assert_eq!(of("ASIAABCDEFGHIJKLMNOP", ""), Ok(vec![Warning::SessionTokenMissing]));
    assert_eq!(of("ASIAABCDEFGHIJKLMNOP", r#","session_token":"abc""#), Ok(vec![]));
    assert_eq!(of("AKIAABCDEFGHIJKLMNOP", r#","port":1,"tags":["a"],"more":{"a":null}"#), Ok(vec![]));
    assert_eq!(of("", ""), Err(Rejection::FieldMissing("access_key_id".into())));
    assert_eq!(check(aws, "AKIAABCDEFGHIJKLMNOP"), Err(Rejection::NotAnObject));
    assert_eq!(check(aws, "[]"), Err(Rejection::NotAnObject));

    let google = find("google_cloud").unwrap();
    let of = |token_uri: &str| {
        let key = r"-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n";
        check(
            google,
            &format!(
                r#"{{"type":"service_account","client_email":"a@b","token_uri":"{token_uri}","private_key":"{key}"}}"#
            ),
        )
    };
    assert_eq!(of("https://oauth2.googleapis.com/token"), Ok(vec![]));
    assert_eq!(of("https://evil.example/token"), Err(Rejection::FieldWrong("token_uri".into())));

    let azure = find("azure").unwrap();
    let id = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
    let of = |secret: &str| {
        check(azure, &format!(r#"{{"client_id":"{id}","client_secret":"{secret}","tenant_id":"{id}"}}"#))
    };
    assert_eq!(of("abc8Q~abcdefghijklmnopqrstuvwxyzABCDEFGH"), Ok(vec![]));
    assert_eq!(of(id), Err(Rejection::FieldWrong("client_secret".into())));
}

proptest! {
    #[test]
    fn checking_is_total(value: String, which in 0..builtin().len()) {
        let _ = check(&builtin()[which], &value);
        let _ = check(&builtin()[which], &format!("{{\"private_key\": {value:?}}}"));
    }
}
