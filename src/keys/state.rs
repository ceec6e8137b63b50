//! Whether hftok has its root keys, and every reason why it may not.

use hftok_core::identity::Installation;
use hftok_core::keyring::KeyringError;
use hftok_core::root_key::{RootFingerprint, RootKeyId};

use crate::pg::server::command::CommandError;

/// Plain memory: it lies in shared memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The worker has not yet read the keyring.
    Loading,
    /// Root keys are there.
    Open {
        /// Why the keyring could not be read again, when it was last tried.
        trouble: Option<Reason>,
    },
    /// There are none.
    Sealed(Reason),
}

/// Why there are no root keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// hftok is not among the preloaded libraries.
    NotPreloaded,
    /// Loading takes longer than callers wait.
    Loading,
    /// `seal()` was called.
    ByHand,
    /// Neither file nor command is set.
    NotConfigured,
    /// The file cannot be read, for this reason of the operating system.
    Unreadable(i32),
    /// The file is no regular file.
    NotAFile,
    /// Others than its owner may read or change the file.
    TooOpen,
    /// The file belongs to somebody else.
    ForeignOwner,
    /// What was read is no keyring.
    Malformed(KeyringError),
    /// The command gave no keyring.
    Command(CommandError),
    /// The mark that keeps hftok sealed over a restart cannot be looked for.
    MarkerUnreadable(i32),
    /// What was read lacks a root key that is in use.
    RootInUse {
        /// Its number.
        id: RootKeyId,
        /// What it is recognised by.
        fingerprint: RootFingerprint,
        /// Whether another key goes by that number.
        is_changed: bool,
    },
    /// What was read names another installation than this one, whose keys are in use.
    NameInUse(Installation),
}

impl Reason {
    /// A few words without a path, a setting or a value: anybody may read them.
    pub fn text(self) -> String {
        match self {
            Self::NotPreloaded => {
                "hftok was not loaded when the server started, or got no memory for keys".into()
            }
            Self::Loading => "the keyring is still being loaded".into(),
            Self::ByHand => "sealed by hand".into(),
            Self::NotConfigured => "no keyring is configured".into(),
            Self::Unreadable(code) => format!("the key file cannot be read: {}", os_error(code)),
            Self::NotAFile => "the key file is not a regular file".into(),
            Self::TooOpen => "the key file can be read or changed by others than its owner".into(),
            Self::ForeignOwner => "the key file belongs neither to the server's user nor to root".into(),
            Self::Malformed(error) => error.to_string(),
            Self::Command(error) => match error {
                CommandError::NotStarted => "the key command could not be run".into(),
                CommandError::Status(code) => format!("the key command ended with status {code}"),
                CommandError::Signal(signal) => format!("the key command was ended by signal {signal}"),
                CommandError::TimedOut => "the key command took too long".into(),
                CommandError::TooMuch => "the key command printed more than a keyring can be".into(),
                CommandError::Interrupted => "the key command was given up".into(),
            },
            Self::MarkerUnreadable(code) => {
                format!("whether it was sealed by hand cannot be read: {}", os_error(code))
            }
            Self::RootInUse { id, fingerprint, is_changed } => {
                let what = if is_changed { "has another" } else { "lacks" };
                format!(
                    "the keyring {what} root key {}: the one in use has fingerprint {fingerprint}",
                    id.get()
                )
            }
            Self::NameInUse(name) => match name.as_str() {
                "" => "the keyring names an installation, and the one in use has no name".into(),
                name => format!("the keyring no longer names the installation {name}, which is in use"),
            },
        }
    }

    /// What to do about it, for those who run the server: names settings and files.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NotPreloaded => "Add hftok to shared_preload_libraries and restart the server.",
            Self::Loading => "Ask hftok.status() again in a while.",
            Self::ByHand => "Call hftok.unseal().",
            Self::NotConfigured => {
                "Set hftok.key_file or hftok.key_command in postgresql.conf, reload, and call hftok.unseal()."
            }
            Self::Unreadable(_) | Self::NotAFile => {
                "Make the file that hftok.key_file names readable for the server's user, and call hftok.unseal()."
            }
            Self::TooOpen => {
                "Take all rights of group and others from the file that hftok.key_file names (chmod 600)."
            }
            Self::ForeignOwner => {
                "Give the file that hftok.key_file names to the user that the server runs as."
            }
            Self::Malformed(_) => {
                "Mend what hftok.key_file or hftok.key_command gives: one key a line, <id>:<64 hex digits>, # starts a comment, the last key is the primary; installation: <name> may be one line."
            }
            Self::Command(_) => {
                "Run the command of hftok.key_command by hand, as the user that the server runs as."
            }
            Self::MarkerUnreadable(_) => "Mend that, and call hftok.unseal().",
            Self::RootInUse { .. } => {
                "Give the keyring that key again, or insist on what it has now: hftok.unseal(p_replace => true)."
            }
            Self::NameInUse(_) => {
                "Give the keyring its former name again, or insist: hftok.unseal(p_replace => true), and then hftok.adopt_database() in every database."
            }
        }
    }

    /// Whether trying again by itself may help.
    pub fn may_pass(self) -> bool {
        !matches!(self, Self::NotPreloaded | Self::ByHand | Self::NotConfigured)
    }
}

/// What the operating system says of one of its errors.
pub fn os_error(code: i32) -> String {
    std::io::Error::from_raw_os_error(code).to_string()
}
