//! The limits of what an operator may say of a provider: each rule with a description just within it and one just beyond.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use hftok_core::provider::{Fault, describe, digest};
use serde_json::{Value, json};

/// A provider of an operator's own, with more said of it.
fn own(more: &Value) -> Result<String, Fault> {
    let mut given = json!({"name": "own", "label": "Own", "hosts": ["a.example"],
        "fields": [{"name": "key", "secret": true}]});
    for (name, value) in more.as_object().unwrap() {
        given[name] = value.clone();
    }
    describe(&given.to_string()).map(|described| described.said)
}

/// A built-in provider, with this said of it.
fn huggingface(more: &Value) -> Result<Value, Fault> {
    let mut given = more.clone();
    given["name"] = json!("huggingface");
    describe(&given.to_string()).map(|described| serde_json::from_str(&described.said).unwrap())
}

#[test]
fn a_description_has_65536_bytes_at_most() {
    let start = r#"{"name":"own","fields":[{"name":"key","secret":true}],"label":""#;
    let of = |length: usize| {
        let label = "x".repeat(length - start.len() - 2);
        describe(&format!("{start}{label}\"}}")).map(|_| ())
    };
    assert_eq!(of(65_536), Ok(()));
    for length in [65_537, 65_538] {
        assert_eq!(of(length), Err(Fault::TooLong));
    }
}

#[test]
fn names_have_small_letters_digits_and_underscores() {
    for (name, is_one) in [
        ("a", true),
        ("0", true),
        ("_", true),
        ("a_1", true),
        ("", false),
        ("A", false),
        ("a-b", false),
        ("a b", false),
        ("\u{e9}", false),
    ] {
        let expected = if is_one { None } else { Some(Fault::Name) };
        assert_eq!(own(&json!({"name": name})).err(), expected, "a provider {name:?}");
        let field = json!({"fields": [{"name": "key", "secret": true}, {"name": name}]});
        assert_eq!(own(&field).err(), expected, "a field {name:?}");
    }
}

#[test]
fn only_a_prefix_of_its_own_needs_three_characters() {
    let format = |prefix: &str, is_own: bool| json!([{"kind": "k", "prefix": prefix, "alphabet": "any", "least": 1, "own": is_own}]);
    for (prefix, is_own, expected) in [
        ("ab", true, Some(Fault::ShortPrefix)),
        ("", true, Some(Fault::ShortPrefix)),
        ("abc", true, None),
        ("abcd", true, None),
        ("ab", false, None),
    ] {
        assert_eq!(own(&json!({"formats": format(prefix, is_own)})).err(), expected, "{prefix}");
        let fields = json!({"fields": [{"name": "key", "secret": true, "formats": format(prefix, is_own)}]});
        assert_eq!(own(&fields).err(), expected, "{prefix} of a field");
    }
}

#[test]
fn a_variable_for_a_credential_says_so_at_its_end() {
    for (name, is_free) in [
        ("A_KEY", true),
        ("B2_TOKEN", true),
        ("OWN_API_KEY_ID", true),
        ("PATH", false),
        ("KEY", false),
        ("PGA_TOKEN", false),
        ("2A_KEY", false),
        ("_A_KEY", false),
        ("a_KEY", false),
        ("Aa_KEY", false),
        ("A-B_KEY", false),
        ("A_KEYS", false),
        ("", false),
    ] {
        let expected = if is_free { None } else { Some(Fault::Reserved) };
        let fields = json!({"fields": [{"name": "key", "secret": true, "env": [name]}]});
        assert_eq!(own(&fields).err(), expected, "{name:?}");
        assert_eq!(own(&json!({"environment": {"unset": [name]}})).err(), expected, "unset {name:?}");
        assert_eq!(own(&json!({"environment": {"document": name}})).err(), expected, "document {name:?}");
    }
}

#[test]
fn a_test_goes_to_an_own_host_and_nowhere_else() {
    let fields = json!([{"name": "key", "secret": true}, {"name": "endpoint"}, {"name": "other"}]);
    let at = |method: &str, url: &str, headers: Value| {
        own(&json!({"hosts": ["a.example", "localhost"], "fields": fields,
            "test": {"method": method, "url": url, "headers": headers}}))
        .map(|_| ())
    };
    for url in [
        "https://a.example",
        "https://a.example/x",
        "https://a.example?x",
        "https://a.example#x",
        "https://localhost",
        "https://localhost:8443/x",
        "http://localhost",
        "http://localhost:8080/x",
        "{endpoint}",
        "{other}/x",
    ] {
        assert_eq!(at("GET", url, json!({})), Ok(()), "{url}");
        assert_eq!(at("POST", url, json!({"Authorization": "{key}"})), Ok(()), "{url}");
        assert_eq!(at("DELETE", url, json!({})), Err(Fault::Test), "{url}");
        assert_eq!(at("GET", url, json!({"hOST": "b.example"})), Err(Fault::Test), "{url}");
    }
    for url in [
        "http://a.example",
        "https://a.example:443",
        "https://b.example",
        "ftp://localhost/x",
        "http://127.0.0.1/x",
        "https://a.example@b.example",
        "a.example",
        "{key}",
        "{key}/x",
        "{nothing}",
        "{endpoint}x",
        "{endpoint",
        "endpoint}",
        "",
    ] {
        assert_eq!(at("GET", url, json!({})), Err(Fault::Test), "{url}");
    }
}

#[test]
fn a_base_goes_to_an_own_host_or_an_open_field_and_nowhere_else() {
    let fields =
        json!([{"name": "key", "secret": true}, {"name": "endpoint"}, {"name": "place", "optional": true}]);
    let at = |fields: &Value, base: &str| {
        own(&json!({"hosts": ["a.example", "localhost"], "fields": fields, "openai": base})).map(|_| ())
    };
    for base in [
        "https://a.example",
        "https://a.example/v1",
        "https://a.example/openai/v1/",
        "https://a.example/{endpoint}/v1",
        "http://localhost:8080/v1",
        "{endpoint}",
        "{endpoint}/openai/v1",
    ] {
        assert_eq!(at(&fields, base), Ok(()), "{base}");
    }
    for base in [
        "http://a.example/v1",
        "https://a.example:8443/v1",
        "https://b.example/v1",
        "https://a.example@b.example/v1",
        "https://a.example/v1?key=x",
        "https://a.example/v1#x",
        "https://a.example/../v1",
        "https://a.example/v 1",
        "https://a.example\\@b.example",
        "https://{endpoint}/v1",
        "https://{endpoint}.a.example/v1",
        "https://a.example/{key}/v1",
        "https://a.example/{place}/v1",
        "https://a.example/{nothing}/v1",
        "https://a.example/{endpoint/v1",
        "https://a.example/endpoint}/v1",
        "https://a.example/{endpoint}}/v1",
        "{key}/v1",
        "{place}/v1",
        "{endpoint}.b.example/v1",
        "a.example/v1",
        "",
    ] {
        assert_eq!(at(&fields, base), Err(Fault::OpenAi), "{base}");
    }
    // Which of two keys would it be?
    let two = json!([{"name": "key", "secret": true}, {"name": "other", "secret": true}]);
    let optional = json!([{"name": "key", "secret": true, "optional": true}, {"name": "other"}]);
    for fields in [two, optional] {
        assert_eq!(at(&fields, "https://a.example/v1"), Err(Fault::OpenAi), "{fields}");
    }
    assert_eq!(own(&json!({"openai": 5})).err(), Some(Fault::Malformed));
    assert_eq!(own(&json!({"openai": null})).map(|said| said.contains("openai")), Ok(false));
}

#[test]
fn an_address_of_documents_is_public_or_none() {
    assert_eq!(own(&json!({"docs_url": ""})).err(), None);
    assert_eq!(own(&json!({"docs_url": "https://own.example"})).err(), None);
    assert_eq!(own(&json!({"docs_url": "own.example"})).err(), Some(Fault::DocsUrl));
}

/// Members that are null are as if they were not said, but for the test.
#[test]
fn what_is_said_is_what_differs() {
    assert_eq!(
        huggingface(
            &json!({"label": null, "hosts": null, "docs_url": "https://huggingface.co/settings/tokens"})
        ),
        Ok(json!({"id": "huggingface"}))
    );
    assert_eq!(huggingface(&json!({"test": null})), Ok(json!({"id": "huggingface", "test": null})));
    let said = own(&json!({"docs_url": null, "test": null, "builtin": false})).unwrap();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["id"], json!("own"));
    assert!(said.get("name").is_none() && said.get("docs_url").is_none() && said.get("builtin").is_none());
}

#[test]
fn variables_follow_from_the_fields() {
    let with = |env: Value| {
        own(&json!({"fields": [{"name": "key", "secret": true, "env": ["A_KEY"]}], "env": env})).err()
    };
    assert_eq!(with(json!(["A_KEY"])), None);
    assert_eq!(with(json!(["B_KEY"])), Some(Fault::Env));
    assert_eq!(with(json!(["A_KEY", "B_KEY"])), Some(Fault::Env));
}

/// A field of a built-in provider may be repeated as it is, or have another label, variables and formats.
#[test]
fn a_field_of_a_built_in_provider_stays() {
    let field = |more: Value| {
        let mut field = more;
        field["name"] = json!("token");
        huggingface(&json!({"fields": [field]})).err()
    };
    for more in [
        json!({"secret": true}),
        json!({"optional": false}),
        json!({"label": "Other"}),
        json!({"env": []}),
        json!({"env": ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]}),
        json!({"formats": [{"kind": "k", "alphabet": "any", "least": 1}]}),
    ] {
        assert_eq!(field(more.clone()), None, "{more}");
    }
    for more in [json!({"secret": false}), json!({"optional": true}), json!({"uuid": true})] {
        assert_eq!(field(more.clone()), Some(Fault::BuiltinField), "{more}");
    }
    let variable = |without: Value| huggingface(&json!({"environment": {"without": without}})).err();
    assert_eq!(variable(json!({"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"})), None);
    assert_eq!(variable(json!({"HF_HUB_DISABLE_IMPLICIT_TOKEN": null})), None);
    assert_eq!(variable(json!({"HF_HUB_DISABLE_IMPLICIT_TOKEN": "2"})), Some(Fault::BuiltinVariable));
    assert_eq!(variable(json!({"OTHER_TOKEN": null})), Some(Fault::BuiltinVariable));
}

/// As sha256sum prints it: the audit's digest can be checked by hand.
#[test]
fn the_digest_is_that_of_the_bytes() {
    let hex: String = digest("abc").iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
