//! Values in what a command prints, replaced by as many characters: columns stay where a terminal has them.
//!
//! What must stay true: a value is found wherever its pieces are cut, also when the first piece was already printed; not more
//! than [`SHOWN`] bytes of it are printed before it is known to be one; what is no value is printed as it came, in order.

use zeroize::Zeroizing;

/// A beginning of a value that is so short may be printed while nothing follows: an `h` that a prompt ends in.
pub const SHOWN: usize = 7;
/// Shorter values are words that stand anywhere.
pub const LEAST: usize = 6;

/// One form of a value.
struct Needle {
    /// The bytes that are looked for.
    bytes: Zeroizing<Vec<u8>>,
    /// What stands in their place.
    instead: Vec<u8>,
    /// For each length of a beginning: the longest other beginning that it ends in.
    falls: Vec<usize>,
    /// How much of it was just read.
    matched: usize,
}

/// Replaces values in one stream.
pub struct Masker {
    /// What is looked for.
    needles: Vec<Needle>,
    /// Bytes that begin one.
    first: [bool; 256],
    /// What was read and not printed.
    held: Zeroizing<Vec<u8>>,
}

/// Values to be masked, each with the name that stands in its place.
#[derive(Default, Clone)]
pub struct Values(Vec<(String, Zeroizing<String>)>);

impl Values {
    /// Adds a value: itself, its lines where it has several, and what other notations make of it.
    pub fn add(&mut self, name: &str, value: &str) {
        let long_lines = value.lines().map(str::trim).filter(|line| line.len() >= 16);
        let parts =
            std::iter::once(value.trim()).chain(long_lines.filter(|_| value.lines().nth(1).is_some()));
        for part in parts.filter(|part| part.len() >= LEAST) {
            for form in notations::forms(part) {
                if !self.0.iter().any(|(_, known)| *known == form) {
                    self.0.push((name.to_owned(), form));
                }
            }
        }
    }
}

impl Needle {
    /// A form of the value that `name` has.
    fn new(name: &str, value: &str) -> Self {
        let bytes = Zeroizing::new(value.as_bytes().to_vec());
        let label = format!("[{name}]").into_bytes();
        let instead = if label.len() <= bytes.len() { label } else { Vec::new() };
        let stars = std::iter::repeat_n(b'*', bytes.len() - instead.len());
        let instead = instead.into_iter().chain(stars).collect();
        let mut falls = vec![0; bytes.len() + 1];
        let mut matched = 0;
        for (at, byte) in bytes.iter().enumerate().skip(1) {
            while matched > 0 && bytes.get(matched) != Some(byte) {
                matched = falls.get(matched).copied().unwrap_or(0);
            }
            if bytes.get(matched) == Some(byte) {
                matched += 1;
            }
            if let Some(fall) = falls.get_mut(at + 1) {
                *fall = matched;
            }
        }
        Self { bytes, instead, falls, matched: 0 }
    }

    /// Reads a byte, and says whether the value ends with it.
    fn read(&mut self, byte: u8) -> bool {
        while self.matched > 0 && self.bytes.get(self.matched) != Some(&byte) {
            self.matched = self.falls.get(self.matched).copied().unwrap_or(0);
        }
        if self.bytes.get(self.matched) == Some(&byte) {
            self.matched += 1;
        }
        let is_whole = self.matched == self.bytes.len();
        if is_whole {
            self.matched = self.falls.get(self.matched).copied().unwrap_or(0);
        }
        is_whole
    }
}

impl Masker {
    /// Looks for these.
    pub fn new(values: &Values) -> Self {
        let needles: Vec<Needle> = values.0.iter().map(|(name, value)| Needle::new(name, value)).collect();
        let mut first = [false; 256];
        for byte in needles.iter().filter_map(|needle| needle.bytes.first()) {
            if let Some(is_first) = first.get_mut(usize::from(*byte)) {
                *is_first = true;
            }
        }
        Self { needles, first, held: Zeroizing::new(Vec::new()) }
    }

    /// Reads what the command printed, and adds to `out` what may be shown of it.
    pub fn read(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.longest() == 0 {
                // Most output begins no value for long.
                let is_first = |byte: &u8| self.first.get(usize::from(*byte)) == Some(&true);
                let plain = bytes.iter().position(is_first).unwrap_or(bytes.len());
                out.append(&mut self.held);
                let (before, behind) = bytes.split_at(plain);
                out.extend_from_slice(before);
                bytes = behind;
                if plain > 0 {
                    continue;
                }
            }
            bytes = rest;
            self.held.push(byte);
            for needle in &mut self.needles {
                if needle.read(byte) {
                    // Of what was printed before, nothing can be taken back.
                    let length = needle.instead.len().min(self.held.len());
                    let from = self.held.len() - length;
                    let is_whole = length == needle.instead.len();
                    let instead = needle.instead.iter().map(|byte| if is_whole { *byte } else { b'*' });
                    self.held.iter_mut().skip(from).zip(instead).for_each(|(at, byte)| *at = byte);
                }
            }
            let sure = self.held.len().saturating_sub(self.longest());
            out.extend(self.held.drain(..sure));
        }
    }

    /// Nothing follows for now: a short beginning is shown.
    pub fn pause(&mut self, out: &mut Vec<u8>) {
        if self.longest() <= SHOWN {
            out.append(&mut self.held);
        }
    }

    /// Whether anything waits to be shown.
    pub fn waits(&self) -> bool {
        !self.held.is_empty() && self.longest() <= SHOWN
    }

    /// Nothing will follow: a beginning that is not short is masked.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.longest() > SHOWN {
            let masked = self.held.len().saturating_sub(self.longest());
            self.held.iter_mut().skip(masked).for_each(|byte| *byte = b'*');
        }
        out.append(&mut self.held);
    }

    /// The longest beginning of a value that was just read.
    fn longest(&self) -> usize {
        self.needles.iter().map(|needle| needle.matched).max().unwrap_or(0)
    }
}

/// Other notations of a value.
mod notations {
    use zeroize::Zeroizing;

    /// Its notations, itself first: as JSON, in an address, and base64 by itself or behind one or two other bytes, as in `user:token`.
    pub fn forms(value: &str) -> Vec<Zeroizing<String>> {
        let mut forms = vec![Zeroizing::new(value.to_owned())];
        let json = Zeroizing::new(serde_json::to_string(value).unwrap_or_default());
        forms.push(Zeroizing::new(json.trim_matches('"').to_owned()));
        forms.push(Zeroizing::new(super::super::check::encoded(value)));
        for alphabet in [STANDARD, URL] {
            forms.extend((0..3).map(|before| base64(value.as_bytes(), before, alphabet)));
        }
        // What other bytes would change is left out of base64: too little may remain.
        forms.retain(|form| form.len() >= super::LEAST);
        forms
    }

    /// The alphabet of MIME.
    const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    /// The one for addresses.
    const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    /// The characters that only these bytes decide, where `before` others stand in front.
    fn base64(bytes: &[u8], before: usize, alphabet: &[u8; 64]) -> Zeroizing<String> {
        let bits = |at: usize| {
            // The six bits that begin at bit `at`, if all of them are of these bytes.
            let bit = |at: usize| {
                let at = at.checked_sub(before * 8)?;
                bytes.get(at / 8).map(|byte| usize::from(byte >> (7 - at % 8) & 1))
            };
            (0..6).try_fold(0, |six, more| Some(six << 1 | bit(at + more)?))
        };
        let characters = (0..(before + bytes.len()) * 8).step_by(6).filter_map(bits);
        let characters = characters.filter_map(|six| alphabet.get(six)).map(|byte| char::from(*byte));
        Zeroizing::new(characters.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "hf_aliceAliceAliceAliceAliceAlice0001";

    fn masker(values: &[(&str, &str)]) -> Masker {
        let mut all = Values::default();
        values.iter().for_each(|(name, value)| all.add(name, value));
        Masker::new(&all)
    }

    fn masked(values: &[(&str, &str)], pieces: &[&[u8]]) -> String {
        let (mut masker, mut out) = (masker(values), Vec::new());
        pieces.iter().for_each(|piece| masker.read(piece, &mut out));
        masker.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_value_is_found_wherever_it_is_cut() {
        let text = format!("a {TOKEN} b hf_alice {TOKEN}{TOKEN}.");
        let whole = masked(&[("HF_TOKEN", TOKEN)], &[text.as_bytes()]);
        assert_eq!(whole.len(), text.len());
        assert!(
            whole.starts_with("a [HF_TOKEN]***")
                && whole.contains(" b hf_alice [HF")
                && whole.ends_with("*.")
        );
        for size in 1..text.len() {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert_eq!(masked(&[("HF_TOKEN", TOKEN)], &pieces), whole, "{size}");
        }
    }

    #[test]
    fn a_pause_shows_a_short_beginning_and_never_more() {
        let (mut masker, mut out) = (masker(&[("HF_TOKEN", TOKEN)]), Vec::new());
        for byte in TOKEN.bytes() {
            masker.read(&[byte], &mut out);
            masker.pause(&mut out);
        }
        assert_eq!(&out[..SHOWN], &TOKEN.as_bytes()[..SHOWN]);
        assert_eq!(out.len(), TOKEN.len());
        assert!(out[SHOWN..].iter().all(|byte| *byte == b'*'), "{}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn a_value_that_is_cut_off_is_not_shown() {
        let text = masked(&[("HF_TOKEN", TOKEN)], &[b"see ", &TOKEN.as_bytes()[..30]]);
        assert_eq!(text, format!("see {}", "*".repeat(30)));
    }

    #[test]
    fn one_value_may_begin_another() {
        let values = [("SHORT", "secret-1"), ("LONG", "secret-1-and-2")];
        assert_eq!(masked(&values, &[b"secret-1-and-3"]), "[SHORT]*-and-3");
        assert_eq!(masked(&values, &[b"secret-1-and-2"]), "[LONG]********");
        assert_eq!(masked(&[("A", "aabaaa")], &[b"aaabaabaaab"]), "aaab[A]***b");
    }

    #[test]
    fn other_notations_are_masked() {
        let value = "p@ss/word\"with\\all";
        for shown in [
            "p%40ss%2Fword%22with%5Call",
            r#"p@ss/word\"with\\all"#,
            // base64 of it, of `u:` and it, of `me:` and it.
            "cEBzcy93b3JkIndpdGhcYWxs",
            "dTpwQHNzL3dvcmQid2l0aFxhbGw=",
            "bWU6cEBzcy93b3JkIndpdGhcYWxs",
        ] {
            let text = masked(&[("A", value)], &[shown.as_bytes()]);
            assert!(
                text.contains("[A]****") && !text.contains("cy93b3Jk") && !text.contains("NzL3dvc"),
                "{text}"
            );
        }
        let pem = "-----BEGIN KEY-----\nMIIBVgIBADANBgkqhkiG9w0BAQ\n-----END KEY-----\n";
        assert!(!masked(&[("A", pem)], &[b"MIIBVgIBADANBgkqhkiG9w0BAQ\r\n"]).contains("MII"));
    }

    #[test]
    fn what_is_no_value_is_as_it_was() {
        let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let (mut masker, mut out) =
            (masker(&[("HF_TOKEN", TOKEN), ("B", "\u{1}\u{2}\u{3}\u{4}\u{5}\u{7}")]), Vec::new());
        bytes.chunks(777).for_each(|piece| masker.read(piece, &mut out));
        masker.finish(&mut out);
        assert!(out == bytes);
    }
}
