//! What passes, and what is masked.

use base64ct::{Base64, Base64Url, Encoding};

use super::{MOST, without_credentials};
use crate::plaintext::PlaintextRef;
use crate::provider::find;

fn sealed(words: &str) -> String {
    without_credentials(words, None)
}

fn known(words: &str, value: &str, provider: &str) -> String {
    without_credentials(words, Some((&PlaintextRef::new(value), find(provider))))
}

#[test]
fn words_stay() {
    for words in [
        "",
        "the provider said: 401",
        "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.",
        "request id req_0123456789abcdef0123456789abcdef, trace 8f14e45f-ceea-467f-ab0c-2f3b4c5d6e7f",
        "rate limit: 30 requests/minute; retry-after=20; model meta-llama/Llama-3.1-8B-Instruct",
        "bearer token missing; basic authentication; sk-learn; hf_token, AIza; key=short",
        "é•… 日本語 https://example.com/a@b",
    ] {
        assert_eq!(sealed(words), words);
        assert_eq!(known(words, "hf_abcdefghijklmnopqrstuvwxyzABCD1234", "huggingface"), words);
    }
}

#[test]
fn the_value_is_shown_as_its_owner_knows_it() {
    let value = "hf_abcdefghijklmnopqrstuvwxyzABCD1234";
    assert_eq!(
        known(&format!("'{value}' is wrong"), value, "huggingface"),
        "'hf_•••••••••••••1234' is wrong"
    );
    assert_eq!(
        known(&format!("the key {value} is wrong"), value, "huggingface"),
        "the key hf_•••••••••••••1234 is wrong"
    );
    // The value has no known shape. It is quoted cut, with characters at its ends, and twice.
    let odd = "correct horse:battery!staple#17";
    let said = known(&format!("<{odd}> {odd}x, {}…", &odd[..14]), odd, "openai");
    for part in ["orrect h", "battery", "staple"] {
        assert!(!said.contains(part), "{said}");
    }
}

#[test]
fn the_value_is_found_in_other_notations() {
    let odd = "correct/horse+battery=staple&17";
    let in_groups = Base64::encode_string(format!("me:{odd}").as_bytes());
    for quoted in [
        "correct%2Fhorse%2Bbattery%3Dstaple%2617",
        "correct%2fhorse%2bbattery%3dstaple%2617",
        "correct%252Fhorse%252Bbattery%253Dstaple%252617",
        r"correct\/horse+battery=staple&17",
        r"correct\u002fhorse\u002bbattery\u003dstaple\u002617",
        r"correct\x2fhorse\x2bbattery\x3dstaple\x2617",
        "correct&#x2F;horse&#43;battery=staple&amp;17",
        "correct/ho\nrse+bat\ntery=st\naple&17",
        "c o r r e c t / h o r s e + b a t t e r y = s t a p l e & 1 7",
        &Base64::encode_string(odd.as_bytes()),
        &Base64Url::encode_string(format!("a{odd}").as_bytes()),
        &format!("auth={in_groups}"),
    ] {
        for words in [quoted.to_owned(), format!("<{quoted}>"), format!(r"%zz &#; \u12 & {quoted} 100% é")] {
            let said = known(&words, odd, "openai");
            let masked = said.chars().filter(|letter| *letter == '•').count();
            assert!(masked >= 20 && !said.contains("att") && !said.contains("taple"), "{words}: {said}");
        }
    }
    let words = r"50% of &amp; are \n; https://example.com/a%20b?c=d+e, Y29ycmVjdA==";
    assert_eq!(known(words, odd, "openai"), words);
}

#[test]
fn no_part_of_a_document_that_is_secret() {
    let aws = r#"{"access_key_id": "AKIA2222222222222222", "secret_access_key": "0123456789abcdefghij/BCDEFGHIJ+123456789", "region": "eu-west-1"}"#;
    let said =
        known("AKIA2222222222222222 in eu-west-1: 0123456789abcdefghij/BCDEFGHIJ+123456789", aws, "aws");
    assert!(said.contains("eu-west-1"), "{said}");
    assert!(!said.contains("0123456789ab") && !said.contains("BCDEFGHIJ+12"), "{said}");
    let google = r#"{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG\nAbcdefghijklmnop\n-----END PRIVATE KEY-----\n"}"#;
    let said = known(r"\nAbcdefghijklmnop\n and MIIEvQIBADANBg", google, "google_cloud");
    assert!(!said.contains("Abcdefgh") && !said.contains("MIIE"), "{said}");
}

#[test]
fn whatever_looks_like_a_credential() {
    for secret in [
        "hf_abcdefghijklmnopqrstuvwxyzABCD1234",
        "sk-proj-abcdefghijklmnopqrstuvwxyz",
        "sk-ant-api03-0000000000000000000000",
        "AIzaSyA0123456789abcdefghijklmnopqrstuv",
        "AKIA2222222222222222",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCY1234567890",
        "0123456789abcdef0123456789abcdef",
        "abc8Q~abcdefghijklmnopqrstuvwxyz012345",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
        "ya29.a0AfH6SMBx-abcdefghijk",
    ] {
        for words in [
            secret.to_string(),
            format!("key {secret} is wrong."),
            format!("'{secret}'"),
            format!("Authorization: Bearer {secret}\n"),
            format!("https://api.example.com/v1?key={secret}&x=1"),
            format!("{{\"api_key\":\"{secret}\"}}"),
        ] {
            let said = sealed(&words);
            assert!(!said.contains(&secret[secret.len() - 8..]), "{said}");
        }
    }
    assert_eq!(sealed("https://me:pass@host/x"), format!("https://{}@host/x", "•".repeat(20)));
    assert_eq!(sealed("?api_key=abcdefgh&x"), format!("?api_key={}&x", "•".repeat(20)));
    let pem = "a -----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- b";
    assert_eq!(sealed(pem), format!("a {} b", "•".repeat(20)));
    assert_eq!(sealed("a -----BEGIN PRIVATE KEY-----\nabc"), format!("a {}", "•".repeat(20)));
}

#[test]
fn what_is_long_is_cut_where_a_word_ends() {
    let value = "sk-proj-abcdefghijklmnopqrstuvwxyz";
    let words = format!("{}{value}", "x ".repeat((MOST - 20) / 2));
    assert!(!without_credentials(&words, None).contains("abcdef"));
    assert_eq!(sealed(&"é".repeat(MOST)), "");
}

/// The search runs where nobody can cancel it, and users choose the document and what their service answers.
#[test]
fn a_document_of_many_lines_holds_nobody_up() {
    let lines: Vec<String> = (0..6000).map(|n| format!("q{:08x}", n * 7919)).collect();
    let document = serde_json::json!({ "a": lines.join("\n") }).to_string();
    let begun = std::time::Instant::now();
    let said = known(&format!("{} {} end", "some words ".repeat(5000), lines[5999]), &document, "custom");
    assert!(said.ends_with(" end") && !said.contains(&lines[5999]), "masked");
    let repeated = "abcdefgh".repeat(MOST / 8 - 1);
    assert!(!known(&repeated, r#"{"a": "abcdefghabcdefgh"}"#, "custom").contains("abcdefgh"));
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn parts_that_lie_deeper_in_a_document_are_masked_too() {
    let document = r#"{"flat": "purple elephants", "auth": {"token": "correct horse"}, "more": [["battery staple"], {"n": 1}]}"#;
    for provider in ["custom", "openai"] {
        let said = known("no: correct horse, nor battery staple, nor purple elephants", document, provider);
        for part in ["horse", "staple", "elephants"] {
            assert!(!said.contains(part), "{said}");
        }
    }
}
