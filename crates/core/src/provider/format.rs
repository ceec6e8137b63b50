//! The shape of a key: a prefix, an alphabet, a length. Deliberately less than regular expressions: it is all that
//! vendors' keys need, it cannot be slow, and a person can read it.

use serde::Deserialize;

/// A shape that keys of a provider have.
#[derive(Debug, Clone, Deserialize)]
pub struct Format {
    /// The kind of key.
    pub kind: String,
    /// The beginning of the key.
    #[serde(default)]
    pub prefix: String,
    /// The characters that follow the prefix.
    pub alphabet: Alphabet,
    /// The least number of characters that follow.
    pub least: usize,
    /// The greatest number of characters that follow.
    pub most: Option<usize>,
    /// A text that stands somewhere in the key.
    pub contains: Option<String>,
    /// Whether the prefix is this provider's alone, so that no other provider's key begins with it.
    #[serde(default)]
    pub own: bool,
    /// A warning to those who store such a key.
    pub warning: Option<String>,
}

/// The characters that can follow the prefix.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alphabet {
    /// Letters and digits.
    Alphanumeric,
    /// Letters, digits, `_` and `-`.
    Word,
    /// 0 to 9, a to f, in either case.
    Hex,
    /// A to Z, 2 to 7.
    Base32,
    /// Letters, digits, `+`, `/` and `=`.
    Base64,
    /// Letters, digits, `_`, `~`, `.` and `-`.
    Azure,
    /// All printable characters.
    Any,
}

impl Format {
    /// Whether a value has this shape.
    pub fn fits(&self, value: &str) -> bool {
        value.strip_prefix(self.prefix.as_str()).is_some_and(|rest| {
            rest.len() >= self.least
                && self.most.is_none_or(|most| rest.len() <= most)
                && rest.bytes().all(|byte| self.alphabet.has(byte))
                && self.contains.as_deref().is_none_or(|part| rest.contains(part))
        })
    }

    /// Whether a value begins as only this provider's keys do.
    pub fn claims(&self, value: &str) -> bool {
        self.own && value.starts_with(self.prefix.as_str())
    }
}

impl Alphabet {
    /// ASCII only: keys are.
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || b"_-".contains(&byte),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Base32 => byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte),
            Self::Base64 => byte.is_ascii_alphanumeric() || b"+/=".contains(&byte),
            Self::Azure => byte.is_ascii_alphanumeric() || b"_~.-".contains(&byte),
            Self::Any => byte.is_ascii_graphic(),
        }
    }
}
