//! Words as they read once an escape is undone: an upstream quotes a value as it stood in an address, in JSON or in HTML, and wraps
//! its lines.

use std::ops::Range;

/// Text, and the place in the words where each of its bytes was written.
#[derive(Clone, PartialEq, Eq)]
pub struct Reading {
    /// The text.
    pub bytes: Vec<u8>,
    /// For each byte, its place in the words.
    places: Vec<Range<usize>>,
}

impl Reading {
    /// The words as they stand, with escapes undone, undone once more, and each without white space.
    pub fn all(words: &str) -> Vec<Self> {
        let plain = Self {
            bytes: words.as_bytes().to_vec(),
            places: (0..words.len()).map(|at| at..at + 1).collect(),
        };
        let once = plain.unescaped();
        let twice = once.unescaped();
        let mut all = vec![plain, once, twice];
        all.dedup();
        let joined: Vec<Self> = all.iter().map(Self::joined).collect();
        all.extend(joined);
        all.dedup();
        all
    }

    /// The place in the words of some of its bytes.
    pub fn place(&self, bytes: Range<usize>) -> Option<Range<usize>> {
        let places = self.places.get(bytes)?;
        Some(places.first()?.start..places.last()?.end)
    }

    /// Whether a byte follows on the one before it in the words, too.
    pub fn follows(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.places.get(before));
        before.zip(self.places.get(at)).is_some_and(|(before, place)| before.end == place.start)
    }

    /// The same without white space: lines that were wrapped, letters that were spaced.
    fn joined(&self) -> Self {
        let kept = self.bytes.iter().zip(&self.places).filter(|(byte, _)| !byte.is_ascii_whitespace());
        let (bytes, places) = kept.map(|(byte, place)| (*byte, place.clone())).unzip();
        Self { bytes, places }
    }

    /// The same with each escape as the letter that it stands for.
    fn unescaped(&self) -> Self {
        let mut read = Self { bytes: Vec::with_capacity(self.bytes.len()), places: Vec::new() };
        let mut at = 0;
        while let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (letter, length) = escape(rest).unwrap_or((rest.first().copied().map(char::from), 1));
            let is_escape = length > 1;
            let Some(place) = self.place(at..at + length) else { break };
            let mut buffer = [0; 4];
            let bytes = match (letter, rest) {
                // A byte of a longer letter stays as it is.
                (Some(letter), _) if is_escape => letter.encode_utf8(&mut buffer).as_bytes(),
                (_, [byte, ..]) if !is_escape => std::slice::from_ref(byte),
                _ => &[],
            };
            for byte in bytes {
                read.bytes.push(*byte);
                read.places.push(place.clone());
            }
            at += length;
        }
        read
    }
}

/// The letter that an escape at the start stands for, and the length of the escape.
fn escape(rest: &[u8]) -> Option<(Option<char>, usize)> {
    let number = |digits: Range<usize>, base| {
        let text = std::str::from_utf8(rest.get(digits)?).ok()?;
        u32::from_str_radix(text, base).ok().map(char::from_u32)
    };
    match rest {
        [b'%', ..] => Some((number(1..3, 16)?, 3)),
        [b'\\', b'x', ..] => Some((number(2..4, 16)?, 4)),
        [b'\\', b'u', ..] => Some((number(2..6, 16)?, 6)),
        [b'\\', b'n' | b'r' | b't', ..] => Some((Some(' '), 2)),
        [b'\\', letter, ..] if letter.is_ascii_punctuation() => Some((Some(char::from(*letter)), 2)),
        [b'&', b'#', b'x' | b'X', digits @ ..] => {
            let count = end(digits)?;
            Some((number(3..3 + count, 16)?, count + 4))
        }
        [b'&', b'#', digits @ ..] => {
            let count = end(digits)?;
            Some((number(2..2 + count, 10)?, count + 3))
        }
        [b'&', name @ ..] => {
            let count = end(name)?;
            let letter = match name.get(..count)? {
                b"amp" => '&',
                b"lt" => '<',
                b"gt" => '>',
                b"quot" => '"',
                b"apos" => '\'',
                _ => return None,
            };
            Some((Some(letter), count + 2))
        }
        _ => None,
    }
}

/// The number of letters before the semicolon, which is near.
fn end(rest: &[u8]) -> Option<usize> {
    rest.iter().take(8).position(|byte| *byte == b';')
}
