//! The keyring: every root key that can still unwrap, and the one that wraps.
//!
//! One key a line, `<id>:<64 hex digits>`; the last key is the primary. One line may say `installation: <name>`. `#` starts
//! a comment. Errors name the line and never quote it. A keyring is plain bytes that are filled in and wiped where they lie,
//! so that it can lie in shared memory.

use crate::identity::Installation;
use crate::root_key::{RootKey, RootKeyId};

/// As many root keys as a keyring can hold: a fixed number, because it lies in shared memory.
pub const MAX_ROOT_KEYS: usize = 64;

/// The length of the longest text that is taken for a keyring.
pub const MAX_TEXT: usize = 64 * 1024;

/// A fault in the text of a keyring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// No line holds a key.
    #[error("the keyring holds no key")]
    Empty,
    /// Too many keys.
    #[error("the keyring holds more than {MAX_ROOT_KEYS} keys")]
    TooMany,
    /// Longer than any keyring is.
    #[error("the keyring is longer than {MAX_TEXT} bytes")]
    TooLong,
    /// Not text.
    #[error("the keyring is not text")]
    NotText,
    /// A line that is no key, no comment and not blank.
    #[error("line {line} of the keyring is not `<id>:<64 hex digits>`")]
    Line {
        /// Counted from 1.
        line: u32,
    },
    /// An id that an earlier line has.
    #[error("line {line} of the keyring repeats an id")]
    Repeated {
        /// Counted from 1.
        line: u32,
    },
    /// A line that names the installation, by what is no name.
    #[error("line {line} of the keyring is not `installation: <up to 63 of A-Z a-z 0-9 . - _>`")]
    Name {
        /// Counted from 1.
        line: u32,
    },
    /// A second name.
    #[error("line {line} of the keyring names the installation again")]
    Renamed {
        /// Counted from 1.
        line: u32,
    },
}

/// Begins the line that names the installation.
const INSTALLATION: &str = "installation:";

/// Root keys in the order of their lines, and the name of the installation.
pub struct Keyring {
    /// In the file's order, empty ones after the last.
    keys: [RootKey; MAX_ROOT_KEYS],
    /// Keys that there are; the last of them is the primary.
    len: usize,
    /// Unnamed when the file has no line for it.
    installation: Installation,
}

impl Keyring {
    /// No keys.
    pub const EMPTY: Self =
        Self { keys: [RootKey::EMPTY; MAX_ROOT_KEYS], len: 0, installation: Installation::UNNAMED };

    /// Reads the text of a keyring.
    pub fn parse(text: &[u8]) -> Result<Box<Self>, KeyringError> {
        if text.len() > MAX_TEXT {
            return Err(KeyringError::TooLong);
        }
        let text = std::str::from_utf8(text).map_err(|_| KeyringError::NotText)?;
        let mut ring = Box::new(Self::EMPTY);
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.split('#').next().unwrap_or_default().trim();
            if let Some(name) = content.strip_prefix(INSTALLATION) {
                ring.name(line, name.trim())?;
            } else if !content.is_empty() {
                ring.add(line, content)?;
            }
        }
        if ring.len == 0 { Err(KeyringError::Empty) } else { Ok(ring) }
    }

    /// A second line for the name is refused rather than the last believed.
    fn name(&mut self, line: u32, name: &str) -> Result<(), KeyringError> {
        if self.installation != Installation::UNNAMED {
            return Err(KeyringError::Renamed { line });
        }
        self.installation = Installation::parse(name).ok_or(KeyringError::Name { line })?;
        Ok(())
    }

    /// Decodes a key into its place, without a copy elsewhere.
    pub(crate) fn add(&mut self, line: u32, content: &str) -> Result<(), KeyringError> {
        let malformed = KeyringError::Line { line };
        let (id, digits) = content.split_once(':').ok_or(malformed)?;
        // `parse` alone would take a plus sign.
        let is_number = id.bytes().all(|byte| byte.is_ascii_digit());
        let id = id.parse().ok().filter(|_| is_number).and_then(RootKeyId::new).ok_or(malformed)?;
        if self.find(id).is_some() {
            return Err(KeyringError::Repeated { line });
        }
        let place = self.keys.get_mut(self.len).ok_or(KeyringError::TooMany)?;
        hex::decode_to_slice(digits, &mut place.bytes).map_err(|_| malformed)?;
        place.id = id;
        self.len += 1;
        Ok(())
    }

    /// Takes over the keys of another keyring, in place.
    pub fn replace_by(&mut self, other: &Self) {
        for (place, key) in self.keys.iter_mut().zip(&other.keys) {
            place.id = key.id;
            place.bytes.copy_from_slice(&key.bytes);
        }
        self.len = other.len;
        self.installation = other.installation;
    }

    /// The name of the installation.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The key with this id.
    pub fn find(&self, id: RootKeyId) -> Option<&RootKey> {
        self.iter().find(|key| key.id() == id)
    }

    /// The key that wraps.
    pub fn primary(&self) -> Option<&RootKey> {
        self.iter().last()
    }

    /// All keys, the primary last.
    pub fn iter(&self) -> impl Iterator<Item = &RootKey> {
        self.keys.iter().take(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::{Keyring, KeyringError};

    const A: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const B: &str = "ff0102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f";

    fn parse(text: &str) -> Result<(i32, Vec<i32>), KeyringError> {
        let ring = Keyring::parse(text.as_bytes())?;
        let ids = ring.iter().map(|key| key.id().get()).collect();
        Ok((ring.primary().map_or(0, |key| key.id().get()), ids))
    }

    #[test]
    fn the_last_key_is_the_primary() {
        let text = format!("# ours\r\n\n 7:{A} # old\r\n2:{B}\n# end");
        assert_eq!(parse(&text), Ok((2, vec![7, 2])));
    }

    #[test]
    fn the_name_of_the_installation_may_stand_anywhere() {
        let name =
            |text: &str| Keyring::parse(text.as_bytes()).map(|ring| ring.installation().as_str().to_owned());
        assert_eq!(name(&format!("1:{A}")).as_deref(), Ok(""));
        assert_eq!(name(&format!("installation: prod.eu-1 # ours\n1:{A}")).as_deref(), Ok("prod.eu-1"));
        assert_eq!(name(&format!("1:{A}\n  installation:b_2\r\n2:{B}")).as_deref(), Ok("b_2"));
    }

    #[test]
    fn what_is_wrong_is_named_by_line() {
        let line = |text: &str| parse(&format!("1:{A}\n{text}"));
        for bad in [
            "2",
            "2:",
            "x:00",
            &format!("0:{B}"),
            &format!("-1:{B}"),
            &format!("+2:{B}"),
            &format!("2147483648:{B}"),
            &format!("2:{}", &B[1..]),
            &format!("2:{B}0"),
            &format!("2 :{B}"),
            &format!("2:0x{}", &B[2..]),
        ] {
            assert_eq!(line(bad), Err(KeyringError::Line { line: 2 }), "{bad}");
        }
        assert_eq!(line(&format!("1:{B}")), Err(KeyringError::Repeated { line: 2 }));
        let longest = "a".repeat(63);
        for bad in ["", "two words", "zoë", "a/b", "'", &format!("{longest}a")] {
            let found = line(&format!("installation: {bad}"));
            assert_eq!(found, Err(KeyringError::Name { line: 2 }), "{bad}");
        }
        assert_eq!(line("Installation: a"), Err(KeyringError::Line { line: 2 }));
        let twice = line("installation: a\ninstallation: a");
        assert_eq!(twice, Err(KeyringError::Renamed { line: 3 }));
        assert_eq!(parse("installation: a"), Err(KeyringError::Empty));
        assert_eq!(parse("\n# nothing\n"), Err(KeyringError::Empty));
        assert_eq!(Keyring::parse(b"\xff").err(), Some(KeyringError::NotText));
        assert_eq!(parse(&"#".repeat(64 * 1024 + 1)), Err(KeyringError::TooLong));
        let many: String = (1..=65).map(|id| format!("{id}:{A}\n")).collect();
        assert_eq!(parse(&many), Err(KeyringError::TooMany));
    }

    #[test]
    fn fingerprints_tell_keys_apart() {
        let text = format!("1:{A}\n2:{B}");
        let ring = Keyring::parse(text.as_bytes()).ok();
        let prints: Vec<String> =
            ring.iter().flat_map(|ring| ring.iter()).map(|key| key.fingerprint().to_string()).collect();
        assert_eq!(prints.len(), 2);
        assert_ne!(prints[0], prints[1]);
        assert_eq!(prints[0].len(), 16);
    }
}
