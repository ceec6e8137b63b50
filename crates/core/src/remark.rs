//! Remarks of an upstream on a credential. A remark may quote the credential, so quotes are masked before the words are
//! kept.
//!
//! What must stay true: no run of [`WINDOW`] characters of the value passes, nor a value that is known whole; and what looks like
//! a credential of the catalogue passes neither, whoever's it is, because the value cannot be opened while hftok is sealed.

use std::collections::HashSet;
use std::ops::Range;

use crate::plaintext::{MASK, PlaintextRef};
use crate::preview::{WIDTH, prefix_of, preview};
use crate::provider::{self, Alphabet, Provider};

/// The number of characters of a value that, standing together, count as the value.
const WINDOW: usize = 12;
/// The shortest part of a value that is masked by itself. A shorter part is found in too many sentences.
const LEAST: usize = 8;
/// Words are kept up to a thousand letters; what comes long after that is not looked at.
const MOST: usize = 64 * 1024;

/// Prefixes beyond those that the catalogue has: of access tokens that are bought with a credential, of other
/// services, and of stores of secrets.
const OTHERS: [&str; 12] = [
    "eyJ",
    "ya29.",
    "hvs.",
    "hvb.",
    "ops_eyJ",
    "dp.pt.",
    "xoxb-",
    "xoxp-",
    "glpat-",
    "npm_",
    "dckr_pat_",
    "GOCSPX-",
];

/// The words without credentials: without that of `value`, which is of `provider`, and without what looks like one.
pub fn without_credentials(words: &str, value: Option<(&PlaintextRef<'_>, Option<&Provider>)>) -> String {
    let words = cut(words);
    let mut hidden = Hidden { words, bytes: vec![false; words.len()] };
    let mut whole = None;
    if let Some((value, provider)) = value
        && let Ok(value) = std::str::from_utf8(value.expose())
    {
        hidden.value(value, provider);
        whole = Some(value.trim());
    }
    hidden.shapes();
    hidden.replaced(whole)
}

/// The part of the words that is short enough to be looked at, and ends at the end of a word.
fn cut(words: &str) -> &str {
    match words.get(..words.floor_char_boundary(MOST)) {
        Some(start) if start.len() < words.len() => {
            start.rsplit_once(char::is_whitespace).map_or("", |(start, _)| start)
        }
        _ => words,
    }
}

/// The words of a remark, and those of its bytes that will be blotted out.
struct Hidden<'a> {
    /// As they were given.
    words: &'a str,
    /// One for each byte of `words`.
    bytes: Vec<bool>,
}

impl Hidden<'_> {
    /// A range outside the words hides nothing.
    fn hide(&mut self, range: Range<usize>) {
        if let Some(bytes) = self.bytes.get_mut(range) {
            bytes.fill(true);
        }
    }

    /// Hides a value, or the parts of a document that are to be hidden.
    fn value(&mut self, value: &str, provider: Option<&Provider>) {
        let value = value.trim();
        let Some(members) = provider::members(value) else { return self.part(value) };
        for (name, member) in &members {
            let field = provider.and_then(|it| it.fields.iter().find(|field| field.name == *name));
            if field.is_none_or(|field| field.secret) {
                // A private key comes as lines, and its ends in any notation.
                member.lines().for_each(|line| self.part(line.trim()));
            }
        }
    }

    /// Hides every place where a window of the part occurs: a value that was cut or wrapped is still found.
    fn part(&mut self, part: &str) {
        let (part, words) = (part.as_bytes(), self.words.as_bytes());
        if part.len() < LEAST || part.starts_with(b"-----") {
            return;
        }
        let window = part.len().min(WINDOW);
        let pieces: HashSet<&[u8]> = part.windows(window).collect();
        let found: Vec<usize> = words
            .windows(window)
            .enumerate()
            .filter(|(_, piece)| pieces.contains(piece))
            .map(|it| it.0)
            .collect();
        for at in found {
            let (mut from, mut to) = (at, at + window);
            // The match grows to the ends of its word: they may be a few more letters of the value.
            while from > 0 && words.get(from - 1).is_some_and(|byte| is_word(*byte)) {
                from -= 1;
            }
            while words.get(to).is_some_and(|byte| is_word(*byte)) {
                to += 1;
            }
            self.hide(from..to);
        }
    }

    /// Hides what looks like a credential.
    fn shapes(&mut self) {
        let words = self.words;
        for (at, _) in words.match_indices("-----BEGIN ") {
            let rest = words.get(at..).unwrap_or_default();
            let end = rest
                .find("-----END ")
                .and_then(|end| rest.get(end + 9..)?.find("-----").map(|more| end + more + 14));
            self.hide(at..at + end.unwrap_or(rest.len()));
        }
        for (at, _) in words.match_indices("://") {
            let rest = words.get(at + 3..).unwrap_or_default();
            let host =
                rest.find(|letter: char| letter == '/' || letter.is_whitespace()).unwrap_or(rest.len());
            if let Some(end) = rest.get(..host).and_then(|host| host.rfind('@')) {
                self.hide(at + 3..at + 3 + end);
            }
        }
        let mut before = "";
        for run in runs(words) {
            let text = words.get(run.clone()).unwrap_or_default();
            let is_announced = ["bearer", "basic"].iter().any(|word| before.eq_ignore_ascii_case(word));
            if is_announced && is_long(text) {
                self.hide(run.clone());
            }
            before = text;
            for part in shapes_in(text) {
                self.hide(run.start + part.start..run.start + part.end);
            }
        }
    }

    /// The words with a mask for each hidden part: the preview where it is the value as a whole, so that its owner knows it.
    fn replaced(&self, whole: Option<&str>) -> String {
        let mut text = String::with_capacity(self.words.len());
        let mut at = 0;
        for part in self.bytes.chunk_by(|one, other| one == other) {
            let words = self.words.get(at..at + part.len()).unwrap_or_default();
            at += part.len();
            if part.first() == Some(&false) {
                text.push_str(words);
            } else if whole == Some(words) {
                text.push_str(&preview(&PlaintextRef::new(words)));
            } else {
                let prefix = prefix_of(words.as_bytes());
                text.push_str(prefix);
                text.extend(std::iter::repeat_n(MASK, WIDTH - prefix.len()));
            }
        }
        text
    }
}

/// Characters of a word that could be a key.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-".contains(&byte)
}

/// Runs of characters that keys consist of.
fn runs(words: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    words.as_bytes().chunk_by(|one, other| is_key(*one) == is_key(*other)).filter_map(move |run| {
        let range = at..at + run.len();
        at = range.end;
        // A full stop after it is the sentence's.
        let ends = run.iter().rev().take_while(|byte| **byte == b'.').count();
        run.first().is_some_and(|byte| is_key(*byte)).then(|| range.start..range.end - ends)
    })
}

/// Keys in Base64 and tokens with dots have these as well.
fn is_key(byte: u8) -> bool {
    is_word(byte) || b"+/=~.".contains(&byte)
}

/// Whether it is more than a word.
fn is_long(text: &str) -> bool {
    text.len() >= 16 || (text.len() >= 8 && text.bytes().any(|byte| byte.is_ascii_digit()))
}

/// The places of credentials in a run.
fn shapes_in(run: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let formats = || provider::builtin().iter().flat_map(Provider::all_formats);
    for prefix in provider::prefixes().iter().copied().chain(OTHERS) {
        for (at, _) in run.match_indices(prefix) {
            let is_start =
                at == 0 || run.as_bytes().get(at - 1).is_none_or(|byte| !byte.is_ascii_alphanumeric());
            if is_start && run.get(at + prefix.len()..).is_some_and(is_long) {
                found.push(at..run.len());
            }
        }
    }
    // Keys without a prefix, alone or as a part of an address.
    let bare = |text: &str| {
        text.bytes().any(|byte| byte.is_ascii_digit())
            && text.bytes().any(|byte| byte.is_ascii_alphabetic())
            && formats().any(|format| {
                format.prefix.is_empty() && !matches!(format.alphabet, Alphabet::Any) && format.fits(text)
            })
    };
    if bare(run) {
        found.push(0..run.len());
    }
    let mut at = 0;
    let mut name = "";
    for part in run.split_inclusive(['/', '=', '.']) {
        let text = part.trim_end_matches(['/', '=', '.']);
        let is_named =
            ["key", "token", "secret", "password", "signature", "sig"].iter().any(|it| name.ends_with(it));
        if bare(text) {
            found.push(at..at + text.len());
        }
        // A value that is assigned may have any of these characters in it.
        let rest = run.get(at..).unwrap_or_default();
        if is_named && rest.len() >= LEAST {
            found.push(at..run.len());
        }
        at += part.len();
        name = if part.ends_with('=') { text } else { "" };
    }
    found
}

#[cfg(test)]
mod tests {
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
        // The value has no known shape. It is quoted cut, with characters at its ends, and twice.
        let odd = "correct horse:battery!staple#17";
        let said = known(&format!("<{odd}> {odd}x, {}…", &odd[..14]), odd, "openai");
        for part in ["orrect h", "battery", "staple"] {
            assert!(!said.contains(part), "{said}");
        }
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
}
