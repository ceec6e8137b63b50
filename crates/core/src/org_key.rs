//! Keys that organisations hold themselves: such a key wraps the data keys of its organisation, within the wrap of a root key.
//!
//! They are asked for with the organisation's id, and come as text: a line `organisation: <id>`, which shows that the answer is to
//! that question, and one key a line as in a keyring; the last one wraps. `#` starts a comment. Faults name the line and never quote it.

use std::fmt;

use crate::canonical::Canonical;
use crate::data_key::{DataKey, DataKeyId, Purpose};
use crate::envelope::{FORMAT, OpenError, SealError};
use crate::identity::Identity;
use crate::keyring::{Keyring, KeyringError, MAX_TEXT};
use crate::keyring_state::CommandError;

/// Begins the line that names the organisation.
const ORGANISATION: &str = "organisation:";
/// The length of the longest id of an organisation that may hold its own key.
pub const MAX_ORG: usize = 128;
/// The length of a data key that is wrapped: format, number of the key, nonce, data key, tag.
const WRAP: usize = 1 + 4 + 24 + 32 + 16;

/// The id of an organisation that may hold its own key. It becomes an argument of a command, so that it can be no option, no path and
/// nothing that a shell reads. Plain bytes, so that it can lie in shared memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OrgId {
    /// Zero after the id.
    bytes: [u8; MAX_ORG],
    /// Bytes of the id.
    len: usize,
}

impl OrgId {
    /// Nobody's.
    pub(crate) const NONE: Self = Self { bytes: [0; MAX_ORG], len: 0 };

    /// An id of 1 to 128 letters, digits, dots, hyphens, underscores, colons, plus and at signs, which begins with a letter or digit.
    pub fn parse(id: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:+@".contains(&byte);
        let begins_well = id.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if !begins_well || !id.bytes().all(is_plain) {
            return None;
        }
        let mut bytes = [0; MAX_ORG];
        bytes.get_mut(..id.len())?.copy_from_slice(id.as_bytes());
        Some(Self { bytes, len: id.len() })
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes.get(..self.len).unwrap_or_default()).unwrap_or_default()
    }
}

/// A data key, wrapped by a key of its organisation: an envelope, to be wrapped by a root key in its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OrgWrap([u8; WRAP]);

impl OrgWrap {
    /// Of nothing.
    pub(crate) const NONE: Self = Self([0; WRAP]);

    /// Takes bytes of the right length.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The envelope.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The keys of an organisation, as long as something is wrapped or unwrapped by them.
pub struct OrgKeys(Box<Keyring>);

impl OrgKeys {
    /// Reads the keys of an organisation.
    pub fn parse(text: &[u8], org: &str) -> Result<Self, OrgKeysError> {
        if text.len() > MAX_TEXT {
            return Err(OrgKeysError::TooLong);
        }
        let text = std::str::from_utf8(text).map_err(|_| OrgKeysError::NotText)?;
        let mut ring = Box::new(Keyring::EMPTY);
        let mut is_named = false;
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.split('#').next().unwrap_or_default().trim();
            if let Some(name) = content.strip_prefix(ORGANISATION) {
                if name.trim() != org {
                    return Err(OrgKeysError::Other);
                }
                is_named = true;
            } else if !content.is_empty() {
                ring.add(line, content)?;
            }
        }
        // The keyring of the server, which a command prints that overlooks its argument, has no such line.
        if !is_named {
            return Err(OrgKeysError::Unnamed);
        }
        if ring.primary().is_none() { Err(OrgKeysError::Empty) } else { Ok(Self(ring)) }
    }

    /// Wraps a data key of the organisation.
    pub fn wrap(&self, key: &DataKey, org: &str) -> Result<OrgWrap, SealError> {
        let primary = self.0.primary().ok_or(SealError::TooLarge)?;
        let associated = associated_data(primary.id().get(), key.id, org);
        let wrapped = primary.seal(&key.bytes, &associated)?;
        OrgWrap::parse(&wrapped).ok_or(SealError::TooLarge)
    }

    /// Unwraps a data key of the organisation into the place where it is to lie, for this database.
    pub fn unwrap(
        &self,
        wrap: &OrgWrap,
        id: DataKeyId,
        org: &str,
        database: &Identity,
        place: &mut DataKey,
    ) -> Result<(), OpenError> {
        let key = self.0.iter().find(|key| key.has_sealed(wrap.as_bytes())).ok_or(OpenError::Refused)?;
        let opened = key.open(wrap.as_bytes(), &associated_data(key.id().get(), id, org))?;
        place.fill(id, Purpose::Values, database, opened.expose())
    }
}

/// A wrapped key opens only under its own number and organisation. The database is bound by the wrap of the root key, so that a copy
/// is adopted without asking.
fn associated_data(org_key: i32, id: DataKeyId, org: &str) -> Vec<u8> {
    Canonical::new("hftok:data-key-of-organisation")
        .byte(FORMAT)
        .u32(org_key.unsigned_abs())
        .u32(id.to_u32())
        .field(Purpose::Values.as_str())
        .field(org)
        .finish()
}

/// A fault of what was given as the keys of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrgKeysError {
    /// No line holds a key.
    #[error("it holds no key")]
    Empty,
    /// Longer than any answer is.
    #[error("it is longer than {MAX_TEXT} bytes")]
    TooLong,
    /// Not text.
    #[error("it is not text")]
    NotText,
    /// No line names an organisation.
    #[error("no line of it is `organisation: <id>`")]
    Unnamed,
    /// Another organisation is named.
    #[error("it names another organisation")]
    Other,
    /// More keys than there may be.
    #[error("it holds too many keys")]
    TooMany,
    /// A line that is no key, no comment and not blank.
    #[error("line {line} of it is not `<id>:<64 hex digits>`")]
    Line {
        /// Counted from 1.
        line: u32,
    },
    /// An id that an earlier line has.
    #[error("line {line} of it repeats an id")]
    Repeated {
        /// Counted from 1.
        line: u32,
    },
}

impl From<KeyringError> for OrgKeysError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Empty => Self::Empty,
            KeyringError::TooMany => Self::TooMany,
            KeyringError::TooLong => Self::TooLong,
            KeyringError::NotText => Self::NotText,
            KeyringError::Repeated { line } => Self::Repeated { line },
            KeyringError::Line { line } | KeyringError::Name { line } | KeyringError::Renamed { line } => {
                Self::Line { line }
            }
        }
    }
}

/// The reasons why the key of an organisation is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrgKeyFault {
    /// No command is set.
    NoCommand,
    /// The command ends so that no argument can follow it.
    NoArgument,
    /// The command gave nothing.
    Command(CommandError),
    /// The command gave something else.
    Malformed(OrgKeysError),
    /// The keys that it gave do not unwrap.
    Another,
    /// The server has no process that could ask.
    NoWorker,
    /// Nobody has answered in time.
    NoAnswer,
}

impl fmt::Display for OrgKeyFault {
    /// A few words without the command or anything that it printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommand => f.write_str("no key command is set"),
            Self::NoArgument => f.write_str("the key command ends so that no argument can follow it"),
            Self::Command(error) => f.write_str(&error.text()),
            Self::Malformed(error) => {
                write!(f, "what the key command printed is no organisation's key: {error}")
            }
            Self::Another => f.write_str("the key that the key command gave is another one"),
            Self::NoWorker => f.write_str("the server has no process left that could ask for it"),
            Self::NoAnswer => f.write_str("nobody answered in time"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
mod tests {
    use super::{MAX_ORG, OrgId, OrgKeys, OrgKeysError};
    use crate::data_key::{DataKey, DataKeyId, Purpose};
    use crate::identity::NOBODY;

    const A: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const B: &str = "ff0102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f";

    fn keys(text: &str) -> Result<OrgKeys, OrgKeysError> {
        OrgKeys::parse(text.as_bytes(), "acme")
    }

    fn data_key(id: i32) -> Box<DataKey> {
        DataKey::random(DataKeyId::new(id).unwrap(), Purpose::Values).unwrap()
    }

    #[test]
    fn an_id_is_no_option_no_path_and_nothing_for_a_shell() {
        for good in ["acme", "0b7c1a52-3c7e-4f0a-9c66-7d1a2b3c4d5e", "a.b_c:d+e@f-1", &"a".repeat(MAX_ORG)] {
            assert_eq!(OrgId::parse(good).map(|id| id.as_str().to_owned()).as_deref(), Some(good));
        }
        for bad in [
            "",
            "-rf",
            "--help",
            "..",
            ".",
            "a/b",
            "a b",
            "a$b",
            "a;b",
            "zoë",
            "a\nb",
            "'",
            &"a".repeat(MAX_ORG + 1),
        ] {
            assert!(OrgId::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_answer_is_for_who_was_asked_for() {
        assert!(keys(&format!("# from the service\norganisation: acme\n1:{A}\r\n2:{B} # newer\n")).is_ok());
        assert_eq!(keys(&format!("1:{A}")).err(), Some(OrgKeysError::Unnamed));
        assert_eq!(keys(&format!("installation: prod\n1:{A}")).err(), Some(OrgKeysError::Line { line: 1 }));
        assert_eq!(keys(&format!("organisation: acme2\n1:{A}")).err(), Some(OrgKeysError::Other));
        assert_eq!(
            keys(&format!("organisation: acme\norganisation: other\n1:{A}")).err(),
            Some(OrgKeysError::Other)
        );
        assert_eq!(keys("organisation: acme\n").err(), Some(OrgKeysError::Empty));
        assert_eq!(keys("").err(), Some(OrgKeysError::Unnamed));
        assert_eq!(keys(&format!("organisation: acme\n{A}")).err(), Some(OrgKeysError::Line { line: 2 }));
        assert_eq!(
            keys(&format!("organisation: acme\n1:{A}\n1:{B}")).err(),
            Some(OrgKeysError::Repeated { line: 3 })
        );
        assert_eq!(OrgKeys::parse(b"organisation: acme\n\xff", "acme").err(), Some(OrgKeysError::NotText));
    }

    #[test]
    fn a_data_key_unwraps_for_its_organisation_alone() {
        let both = keys(&format!("organisation: acme\n1:{A}\n2:{B}")).unwrap();
        let newest = keys(&format!("organisation: acme\n2:{B}")).unwrap();
        let former = keys(&format!("organisation: acme\n1:{A}")).unwrap();
        let changed = keys(&format!("organisation: acme\n2:{A}")).unwrap();
        let key = data_key(7);
        let wrap = both.wrap(&key, "acme").unwrap();
        let mut place = DataKey::EMPTY;
        let mut opens = |keys: &OrgKeys, id: i32, org: &str| {
            let id = DataKeyId::new(id).unwrap();
            keys.unwrap(&wrap, id, org, &NOBODY, &mut place).is_ok()
        };
        assert!(opens(&both, 7, "acme") && opens(&newest, 7, "acme"), "the last key wraps");
        assert!(!opens(&former, 7, "acme") && !opens(&changed, 7, "acme"));
        assert!(!opens(&both, 8, "acme") && !opens(&both, 7, "other"));
        assert_eq!(place.bytes, key.bytes);
        assert_eq!(place.id(), key.id());
    }
}
