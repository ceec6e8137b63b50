//! The identity of a database: keys, links and protections belong to one identity, so none of them serves in a copy.
//!
//! A database is told from every other by three things: the name of its installation, which comes from outside with the
//! keyring, its own number on that server, and a random id that it stores. A copy has all rows of its original, but not its
//! name and number. When it is made a database of its own, a *generation* is added to the stored ones: a new id, and the
//! event at which the log of the former one was left. Each generation is hashed together with the one before, so none of
//! them can be changed or left out without the last hash becoming another one.

use sha2::{Digest, Sha256};

use crate::audit::tree::Hash;
use crate::canonical::Canonical;

/// The longest name of an installation.
pub const MAX_NAME: usize = 63;

/// The hash that stands under wraps, links, stubs and protections. It covers everything that tells the database from
/// others.
pub type Identity = [u8; 32];

/// Before the first generation.
pub const NOBODY: Identity = [0; 32];

/// The name of an installation; empty where the keyring has none. Plain bytes, so that it can lie in shared memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Installation {
    /// Zero after the name: names compare and hash whole.
    bytes: [u8; MAX_NAME],
    /// Bytes of the name.
    len: usize,
}

impl Installation {
    /// No name.
    pub const UNNAMED: Self = Self { bytes: [0; MAX_NAME], len: 0 };

    /// A name of 1 to 63 letters, digits, dots, hyphens and underscores.
    pub fn parse(name: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_plain) {
            return None;
        }
        let mut bytes = [0; MAX_NAME];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(Self { bytes, len: name.len() })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes.get(..self.len).unwrap_or_default()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Installation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Installation({})", self.as_str())
    }
}

/// A database as a generation names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Random.
    pub id: [u8; 16],
    /// The number of the database on its server.
    pub database: u32,
    /// The name of the installation.
    pub installation: String,
    /// The former name of the database. Names change, so the name is for people only.
    pub name: String,
    /// The size of the log that it continues; 0 when there was none.
    pub continues: i64,
    /// The root of that log.
    pub root: Hash,
}

impl Generation {
    /// The identity, after that of the generation before.
    pub fn identity(&self, former: &Identity) -> Identity {
        let bytes = Canonical::new("hftok:database")
            .fixed(former)
            .field(&self.installation)
            .u32(self.database)
            .fixed(&self.id)
            .field(&self.name)
            .i64(self.continues)
            .fixed(&self.root)
            .finish();
        Sha256::digest(bytes).into()
    }
}

/// Every generation of a database, as it stores them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// Generations from the first to the one before last.
    former: Vec<Generation>,
    /// The one that the database has now. There always is one.
    last: Generation,
}

impl Lineage {
    /// The generations, the oldest first; `None` when there is none.
    pub fn of(mut generations: Vec<Generation>) -> Option<Self> {
        let last = generations.pop()?;
        Some(Self { former: generations, last })
    }

    /// The first generation of a database.
    pub fn begin(id: [u8; 16], database: u32, installation: &Installation, name: String) -> Self {
        let installation = installation.as_str().to_owned();
        let last = Generation { id, database, installation, name, continues: 0, root: [0; 32] };
        Self { former: Vec::new(), last }
    }

    /// The newest generation.
    pub fn last(&self) -> &Generation {
        &self.last
    }

    /// Whether the newest generation means this database.
    pub fn is(&self, database: u32, installation: &Installation) -> bool {
        self.last.database == database && self.last.installation == installation.as_str()
    }

    /// The identity that the database has here and now, whatever the newest generation says of place and name.
    pub fn here(&self, database: u32, installation: &Installation) -> Identity {
        let installation = installation.as_str().to_owned();
        Generation { database, installation, ..self.last.clone() }.identity(&self.before_last())
    }

    /// The identity of each generation as it is stored, with the event after which it begins.
    pub fn identities(&self) -> Vec<(i64, Identity)> {
        let mut before = NOBODY;
        let all = self.former.iter().chain([&self.last]);
        all.map(|generation| {
            before = generation.identity(&before);
            (generation.continues, before)
        })
        .collect()
    }

    /// The generations before the newest, each with the last event that is its own.
    pub fn former(&self) -> impl Iterator<Item = (&Generation, i64)> {
        let next = self.former.iter().skip(1).chain([&self.last]);
        self.former.iter().zip(next.map(|next| next.continues))
    }

    /// The same database with another generation.
    #[must_use]
    pub fn followed_by(mut self, next: Generation) -> Self {
        self.former.push(std::mem::replace(&mut self.last, next));
        self
    }

    /// The identity that the last generation continues; nobody's for the first.
    fn before_last(&self) -> Identity {
        self.former.iter().fold(NOBODY, |before, generation| generation.identity(&before))
    }
}
