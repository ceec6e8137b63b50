//! Whether hftok has its root keys, and every reason why it may not.

use crate::identity::Installation;
use crate::keyring::{Keyring, KeyringError, MAX_ROOT_KEYS};
use crate::root_key::{RootFingerprint, RootKeyId};

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
    /// The text that was read is no keyring.
    Malformed(KeyringError),
    /// The command gave no keyring.
    Command(CommandError),
    /// The mark that keeps hftok sealed over a restart cannot be looked for.
    MarkerUnreadable(i32),
    /// The keyring that was read lacks a root key that is in use.
    RootInUse {
        /// Its number.
        id: RootKeyId,
        /// The fingerprint that the key is recognised by.
        fingerprint: RootFingerprint,
        /// Whether another key goes by that number.
        is_changed: bool,
    },
    /// The keyring that was read names another installation than this one, whose keys are in use.
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
            Self::Command(error) => error.text(),
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

    /// A remedy for those who run the server: it names settings and files.
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

/// The end of a command that gave no output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandError {
    /// It could not be started.
    NotStarted,
    /// It ended with this status.
    Status(i32),
    /// It was ended by this signal.
    Signal(i32),
    /// It was ended because its time was up.
    TimedOut,
    /// It printed more than a keyring can be.
    TooMuch,
    /// Waiting for it was given up because the server is shutting down.
    Interrupted,
}

impl CommandError {
    /// A few words without the command or anything that it printed.
    pub(crate) fn text(self) -> String {
        match self {
            Self::NotStarted => "the key command could not be run".into(),
            Self::Status(code) => format!("the key command ended with status {code}"),
            Self::Signal(signal) => format!("the key command was ended by signal {signal}"),
            Self::TimedOut => "the key command took too long".into(),
            Self::TooMuch => "the key command printed more than a keyring can be".into(),
            Self::Interrupted => "the key command was given up".into(),
        }
    }
}

/// The part of the keyring that was used since the server's start. A keyring without that part would make databases
/// unreadable, and the pages may hold the last copy of a key: such a keyring replaces nothing unless an operator insists.
///
/// Plain memory: it lies in shared memory.
#[derive(Clone, Copy)]
pub struct InUse {
    /// Without gaps.
    uses: [Option<Use>; USES_MAX],
    /// The name that the keyring gave this installation; None before one was loaded.
    installation: Option<Installation>,
}

/// As many uses as are told apart by their databases.
const USES_MAX: usize = 4 * MAX_ROOT_KEYS;
/// The number of no database: the use is of one that is not known.
const SOME_DATABASE: u32 = 0;

/// A root key that has unwrapped something in a database.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Use {
    /// The database, or [`SOME_DATABASE`].
    database: u32,
    /// The root key.
    root: Root,
}

/// A root key, by its number and what it is recognised by: a keyring may give another key the same number.
pub type Root = (RootKeyId, RootFingerprint);

impl InUse {
    /// Nothing was used.
    pub const NOTHING: Self = Self { uses: [None; USES_MAX], installation: None };

    /// Notes that a root key unwrapped something in a database of this installation.
    pub fn note(&mut self, database: u32, root: Root, installation: &Installation) {
        self.installation = Some(*installation);
        if !self.add(Use { database, root }) {
            // There are no more root keys than a keyring can hold, so that there is room now.
            self.forget_databases();
            self.add(Use { database: SOME_DATABASE, root });
        }
    }

    /// Forgets root keys that a database no longer needs: those that are not named.
    pub fn keep(&mut self, database: u32, roots: &[Root]) {
        self.retain(|used| used.database != database || roots.contains(&used.root));
    }

    /// The databases in which root keys were used, each as often as it has some.
    pub fn databases(&self) -> impl Iterator<Item = u32> {
        self.uses.iter().flatten().map(|used| used.database).filter(|database| *database != SOME_DATABASE)
    }

    /// Adds a use, unless it is known; `false` when there is no room.
    fn add(&mut self, new: Use) -> bool {
        let known =
            |used: &Use| used.root == new.root && [new.database, SOME_DATABASE].contains(&used.database);
        if self.uses.iter().flatten().any(known) {
            return true;
        }
        let free = self.uses.iter_mut().find(|place| place.is_none());
        free.is_some_and(|place| {
            *place = Some(new);
            true
        })
    }

    /// Keeps the root keys alone.
    fn forget_databases(&mut self) {
        for used in std::mem::replace(&mut self.uses, [None; USES_MAX]).into_iter().flatten() {
            self.add(Use { database: SOME_DATABASE, ..used });
        }
    }

    /// Keeps some uses.
    fn retain(&mut self, is_kept: impl Fn(&Use) -> bool) {
        let uses = std::mem::replace(&mut self.uses, [None; USES_MAX]);
        for (place, used) in self.uses.iter_mut().zip(uses.into_iter().flatten().filter(is_kept)) {
            *place = Some(used);
        }
    }

    /// The reason why this keyring may not replace the one in use.
    pub fn objection(&self, keyring: &Keyring) -> Option<Reason> {
        let mut roots = self.uses.iter().flatten().map(|used| used.root);
        let is_lost =
            |(id, fingerprint): &Root| keyring.find(*id).is_none_or(|key| key.fingerprint() != *fingerprint);
        if let Some((id, fingerprint)) = roots.find(is_lost) {
            let is_changed = keyring.find(id).is_some();
            return Some(Reason::RootInUse { id, fingerprint, is_changed });
        }
        self.installation.filter(|name| name != keyring.installation()).map(Reason::NameInUse)
    }
}

/// The text of the operating system for one of its errors.
pub fn os_error(code: i32) -> String {
    std::io::Error::from_raw_os_error(code).to_string()
}
