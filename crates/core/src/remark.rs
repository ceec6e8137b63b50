//! Remarks of an upstream on a credential. A remark may quote the credential, so quotes are masked before the words are
//! kept.
//!
//! What must stay true: no run of [`WINDOW`] characters of the value passes, in whatever notation upstreams quote it (escapes of
//! addresses, JSON and HTML, Base64, wrapped lines), nor a value that is known whole; and what looks like
//! a credential of the catalogue passes neither, whoever's it is, because the value cannot be opened while hftok is sealed.

mod deeper;
mod reading;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use base64ct::{Base64Unpadded, Encoding};
use zeroize::Zeroizing;

use crate::plaintext::{MASK, PlaintextRef};
use crate::preview::{WIDTH, prefix_of, preview};
use crate::provider::{self, Alphabet, Provider};
use reading::Reading;

/// The number of characters of a value that, standing together, count as the value.
const WINDOW: usize = 12;
/// The shortest part of a value that is masked by itself. A shorter part is found in too many sentences.
const LEAST: usize = 8;
/// The longest part of a value that is looked for in Base64 too: no password of a request is longer.
const ENCODED_MOST: usize = 4096;
/// Pieces that are looked for at once.
const PIECES: usize = 64 * 1024;
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
    let readings = if value.is_some() { Reading::all(words) } else { Vec::new() };
    let mut hidden = Hidden { words, bytes: vec![false; words.len()], readings };
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
    /// The words with escapes undone.
    readings: Vec<Reading>,
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
        let mut runs = Vec::new();
        match provider::members(value) {
            None => add_notations(value, &mut runs),
            Some(members) => {
                for (name, member) in &members {
                    let field = provider.and_then(|it| it.fields.iter().find(|field| field.name == *name));
                    if field.is_none_or(|field| field.secret) {
                        // A private key comes as lines, and its ends in any notation.
                        member.lines().for_each(|line| add_notations(line.trim(), &mut runs));
                    }
                }
                for text in deeper::texts(value) {
                    text.lines().for_each(|line| add_notations(line.trim(), &mut runs));
                }
            }
        }
        self.runs(&runs);
    }

    /// Hides every place where a window of a run occurs: a value that was cut or wrapped is still found. Many runs are looked for at
    /// once: a user may give a document of thousands of lines, and nobody can cancel the search.
    fn runs(&mut self, runs: &[Run]) {
        let mut pieces = BTreeMap::<usize, HashSet<&[u8]>>::new();
        for run in runs.iter().filter(|run| run.len() >= LEAST) {
            let window = run.len().min(WINDOW);
            let alike = pieces.entry(window).or_default();
            alike.extend(run.windows(window));
            if alike.len() >= PIECES {
                self.pieces(window, alike);
                alike.clear();
            }
        }
        pieces.iter().for_each(|(window, alike)| self.pieces(*window, alike));
    }

    /// Hides every place where a piece of this length occurs.
    fn pieces(&mut self, window: usize, pieces: &HashSet<&[u8]>) {
        let mut found = Vec::new();
        for reading in &self.readings {
            let words = &reading.bytes;
            let mut hidden = 0;
            for (at, _) in words.windows(window).enumerate().filter(|(_, piece)| pieces.contains(piece)) {
                let (mut from, mut to) = (at, at + window);
                // A long word is not gone through again for each piece in it.
                if to <= hidden {
                    continue;
                }
                // The match grows to the ends of its word: they may be a few more letters of the value.
                while reading.follows(from) && words.get(from - 1).is_some_and(|byte| is_word(*byte)) {
                    from -= 1;
                }
                while reading.follows(to) && words.get(to).is_some_and(|byte| is_word(*byte)) {
                    to += 1;
                }
                hidden = to;
                found.extend(reading.place(from..to));
            }
        }
        found.into_iter().for_each(|place| self.hide(place));
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

/// Bytes that are looked for.
type Run = Zeroizing<Vec<u8>>;

/// Adds a part of a value as it is, and in the notations that upstreams quote it in.
fn add_notations(part: &str, runs: &mut Vec<Run>) {
    if part.len() < LEAST || part.starts_with("-----") {
        return;
    }
    runs.push(Zeroizing::new(part.as_bytes().to_vec()));
    let joined: Run = Zeroizing::new(part.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
    if joined.len() < part.len() {
        runs.push(joined);
    }
    if part.len() <= ENCODED_MOST {
        for before in 0..3 {
            let encoded = in_base64(part.as_bytes(), before);
            runs.push(Zeroizing::new(encoded.as_bytes().to_vec()));
            let for_addresses = Zeroizing::new(encoded.replace('+', "-"));
            runs.push(Zeroizing::new(for_addresses.replace('/', "_").into_bytes()));
        }
    }
}

/// Base64 of a value that begins behind so many bytes of a group of three, without the letters that others have a share in.
fn in_base64(value: &[u8], before: usize) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(vec![0; before]);
    bytes.extend_from_slice(value);
    let encoded = Zeroizing::new(Base64Unpadded::encode_string(&bytes));
    let whole = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
    Zeroizing::new(encoded.get(whole).unwrap_or_default().to_owned())
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
