//! Definitions by an operator: for a provider of their own, everything that is sound; for a built-in one, nothing that
//! lets its credentials go further.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use hftok_core::provider::{Fault, builtin, catalogue, describe};
use serde_json::{Value, json};

fn refused(given: &Value) -> Fault {
    describe(&given.to_string()).err().unwrap_or_else(|| panic!("{given} was taken"))
}

fn own(more: Value) -> Value {
    let mut given = json!({"name": "own", "label": "Own", "fields": [{"name": "key", "secret": true}]});
    for (name, value) in more.as_object().unwrap() {
        given[name] = value.clone();
    }
    given
}

fn huggingface(more: Value) -> Value {
    let mut given = more;
    given["name"] = json!("huggingface");
    given
}

#[test]
fn what_the_catalogue_says_itself_is_taken_and_changes_nothing() {
    for (entry, provider) in catalogue().iter().zip(builtin()) {
        let described =
            describe(&entry.to_string()).unwrap_or_else(|fault| panic!("{}: {fault}", provider.id));
        assert_eq!(&described.whole, entry);
        assert_eq!(described.said, json!({"id": provider.id}).to_string(), "only what differs is stored");
        assert_eq!(format!("{:?}", described.provider), format!("{provider:?}"));
        // As a row of the view, which has a column for all variables of its fields.
        let env: Vec<_> = provider.fields.iter().flat_map(|field| &field.env).collect();
        let mut row = entry.clone();
        row["env"] = json!(env);
        row["builtin"] = json!(true);
        row["environment"] = entry.get("environment").cloned().unwrap_or_default();
        assert_eq!(describe(&row.to_string()).unwrap().said, described.said);
    }
}

#[test]
fn what_is_not_said_of_a_built_in_provider_stays() {
    let described =
        describe(&huggingface(json!({"label": "Ours", "hosts": ["huggingface.co"]})).to_string()).unwrap();
    let before = hftok_core::provider::find("huggingface").unwrap();
    assert_eq!(described.provider.label, "Ours");
    assert_eq!(described.provider.hosts, ["huggingface.co"]);
    assert_eq!(described.provider.formats.len(), before.formats.len());
    assert_eq!(described.provider.environment.without, before.environment.without);
    assert_eq!(described.provider.docs_url, before.docs_url);
    // A description says the same when it is read back.
    assert_eq!(describe(&described.said).unwrap().whole, described.whole);
    let field =
        describe(&huggingface(json!({"fields": [{"name": "token", "label": "Key", "env": []}]})).to_string());
    let field = field.unwrap().provider.fields.remove(0);
    assert_eq!((field.label.as_str(), field.secret, field.env.len()), ("Key", true, 0));
}

#[test]
fn a_built_in_provider_is_only_narrowed() {
    let test = |url: &str| json!({"test": {"method": "GET", "url": url, "headers": {"Authorization": "Bearer {token}"}}});
    for (more, fault) in [
        (json!({"hosts": ["evil.example"]}), Fault::BuiltinHost),
        (json!({"hosts": ["*.huggingface.co"]}), Fault::BuiltinHost),
        (json!({"hosts": ["*.cloud"]}), Fault::BuiltinHost),
        (json!({"hosts": ["router.huggingface.co"]}), Fault::Test),
        (json!({"hosts": []}), Fault::Test),
        (test("https://evil.example/"), Fault::Test),
        (test("https://huggingface.co.evil.example/"), Fault::Test),
        (test("https://huggingface.co@evil.example/"), Fault::Test),
        (test("https://huggingface.co\t.evil.example/"), Fault::Test),
        (test("https://evil.example\\@huggingface.co/"), Fault::Test),
        (test("https://huggingface.co:8443/"), Fault::Test),
        (test("http://huggingface.co/"), Fault::Test),
        (test("{token}/"), Fault::Test),
        (json!({"test": {"method": "PUT", "url": "https://huggingface.co/"}}), Fault::Test),
        (
            json!({"test": {"method": "GET", "url": "https://huggingface.co/", "headers": {"Host": "evil.example"}}}),
            Fault::Test,
        ),
        (json!({"fields": [{"name": "token", "env": ["OPENAI_API_KEY"]}]}), Fault::BuiltinVariable),
        (json!({"fields": [{"name": "token", "env": ["LD_PRELOAD"]}]}), Fault::BuiltinVariable),
        (json!({"fields": [{"name": "token", "secret": false}]}), Fault::BuiltinField),
        (json!({"fields": [{"name": "token", "optional": true}]}), Fault::BuiltinField),
        (json!({"fields": [{"name": "more"}]}), Fault::BuiltinField),
        (json!({"fields": [{}]}), Fault::BuiltinField),
        (json!({"environment": {"without": {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "0"}}}), Fault::BuiltinVariable),
        (json!({"environment": {"without": {"HF_TOKEN": "hf_evil"}}}), Fault::BuiltinVariable),
        (json!({"environment": {"document": "PATH"}}), Fault::BuiltinVariable),
        (json!({"env": []}), Fault::Env),
        (
            json!({"formats": [{"kind": "x", "prefix": "h", "alphabet": "any", "least": 1, "own": true}]}),
            Fault::ShortPrefix,
        ),
    ] {
        assert_eq!(refused(&huggingface(more.clone())), fault, "{more}");
    }
    for more in [
        json!({"hosts": ["router.huggingface.co"], "test": null}),
        json!({"hosts": ["a.endpoints.huggingface.cloud", "huggingface.co"]}),
        json!({"hosts": ["*.eu.endpoints.huggingface.cloud", "HuggingFace.co"]}),
        json!({"hosts": ["huggingface.co", "127.0.0.1"], "test": {"method": "GET", "url": "http://127.0.0.1:9/x"}}),
        json!({"environment": {"unset": ["HF_OIDC_RESOURCE"], "without": {"HF_TOKEN": null}}}),
        json!({"docs_url": "https://wiki.example/tokens", "formats": []}),
    ] {
        describe(&huggingface(more.clone()).to_string()).unwrap_or_else(|fault| panic!("{more}: {fault}"));
    }
    // A pattern in the middle of a name stands for one label.
    let bedrock = |host: &str| describe(&json!({"id": "bedrock", "hosts": [host], "test": null}).to_string());
    assert!(bedrock("bedrock.eu-west-1.amazonaws.com").is_ok());
    assert_eq!(bedrock("bedrock.a.b.amazonaws.com").err(), Some(Fault::BuiltinHost));
    assert_eq!(bedrock("*.amazonaws.com").err(), Some(Fault::BuiltinHost));
}

#[test]
fn an_added_provider_is_whole_and_sound() {
    for host in ["https://a.example/v1", "a.example:8443", "a.example/v1", "", "a b", "*"] {
        assert_eq!(refused(&own(json!({"hosts": [host]}))), Fault::Host, "{host}");
    }
    let unknown = |place, name: &str| Fault::Unknown { place, name: name.into() };
    for (more, fault) in [
        (json!({"host": ["a.example"]}), unknown("a provider", "host")),
        (json!({"fields": [{"name": "key", "secret": true, "envs": []}]}), unknown("a field", "envs")),
        (
            json!({"formats": [{"kind": "k", "alphabet": "any", "least": 1, "mask": 1}]}),
            unknown("a format", "mask"),
        ),
        (
            json!({"test": {"method": "GET", "url": "https://a.example", "header": {}}}),
            unknown("a test", "header"),
        ),
        (json!({"environment": {"set": {}}}), unknown("an environment", "set")),
        (json!({"environment": {"without": {"A_TOKEN": "x"}}}), Fault::SetsVariable),
        (json!({"fields": [{"name": "key", "secret": true, "env": ["LD_PRELOAD"]}]}), Fault::Reserved),
        (json!({"fields": [{"name": "key", "secret": true, "env": ["HF_OIDC_RESOURCE"]}]}), Fault::Reserved),
        (json!({"hosts": ["a.example"], "test": {"method": "GET", "url": "https://b.example"}}), Fault::Test),
        (json!({"docs_url": "javascript:alert(1)"}), Fault::DocsUrl),
        (json!({"docs_url": "http://own.example"}), Fault::DocsUrl),
        (json!({"fields": [{"name": "key"}]}), Fault::NothingSecret),
        (json!({"label": 5}), Fault::Malformed),
        (json!({"name": "Own"}), Fault::Name),
    ] {
        assert_eq!(refused(&own(more.clone())), fault, "{more}");
    }
    assert_eq!(refused(&json!([])), Fault::Malformed);
    assert_eq!(refused(&json!({"name": "own"})), Fault::Malformed);
    assert_eq!(refused(&own(json!({"label": "x".repeat(70_000)}))), Fault::TooLong);
    let endpoint = json!({"hosts": ["*.a.example"], "test": {"method": "GET", "url": "{endpoint}/me"},
        "fields": [{"name": "key", "secret": true}, {"name": "endpoint"}]});
    assert!(describe(&own(endpoint.clone()).to_string()).is_ok());
    let mut beside = endpoint;
    beside["test"]["url"] = json!("{endpoint}.evil.example/me");
    assert_eq!(refused(&own(beside)), Fault::Test);
}

#[test]
fn the_base_of_a_built_in_provider_goes_with_its_host() {
    let of = |more: Value| describe(&huggingface(more).to_string()).unwrap();
    let base = "https://router.huggingface.co/v1";
    assert_eq!(of(json!({"label": "Ours"})).provider.openai.as_deref(), Some(base));
    // As it is registered, and as a row of the view that is given back with fewer hosts.
    for more in [json!({"hosts": ["huggingface.co"]}), json!({"hosts": ["huggingface.co"], "openai": base})] {
        let described = of(more);
        assert_eq!(described.provider.openai, None);
        assert_eq!(described.whole.get("openai"), None);
        assert_eq!(described.said, r#"{"hosts":["huggingface.co"],"id":"huggingface"}"#);
        assert_eq!(describe(&described.said).unwrap().whole, described.whole);
    }
    let without = of(json!({"openai": null}));
    assert_eq!((without.provider.openai, without.said.contains("openai")), (None, true));
    let moved = of(json!({"openai": "https://a.endpoints.huggingface.cloud/v1"}));
    assert_eq!(moved.provider.openai.as_deref(), Some("https://a.endpoints.huggingface.cloud/v1"));
    for elsewhere in
        ["https://evil.example/v1", "http://router.huggingface.co/v1", "http://127.0.0.1:9/v1", "{token}/v1"]
    {
        assert_eq!(refused(&huggingface(json!({"openai": elsewhere}))), Fault::OpenAi, "{elsewhere}");
    }
    let near = json!({"hosts": ["huggingface.co", "127.0.0.1"], "openai": "http://127.0.0.1:9/v1"});
    assert_eq!(of(near).provider.openai.as_deref(), Some("http://127.0.0.1:9/v1"));
}

#[test]
fn who_speaks_the_protocol_has_one_key_and_an_address_on_its_hosts() {
    let speaking: Vec<_> = builtin().iter().filter(|provider| provider.openai.is_some()).collect();
    assert!(speaking.len() >= 17, "{}", speaking.len());
    for provider in speaking {
        assert_eq!(provider.fields.iter().filter(|field| field.secret).count(), 1, "{}", provider.id);
    }
}
