//! The owner and the use of a secret. These fields are authenticated with the value: a row does not open once somebody
//! other than hftok has edited its owner, name or hosts.

use sha2::{Digest, Sha256};

use crate::canonical::Canonical;

/// The kind of owner a secret has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A named secret of the operator.
    Vault,
    /// A credential of a user.
    User,
    /// A credential of an organisation.
    Org,
    /// A credential of the installation.
    Global,
    /// The credentials of a user's integration.
    Integration,
    /// The credentials of an organisation's integration.
    OrgIntegration,
}

impl Scope {
    /// For finding a scope by its word.
    const ALL: [Self; 6] =
        [Self::Vault, Self::User, Self::Org, Self::Global, Self::Integration, Self::OrgIntegration];

    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::User => "user",
            Self::Org => "org",
            Self::Global => "global",
            Self::Integration => "integration",
            Self::OrgIntegration => "org_integration",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    /// Whether it is of credentials of an integration, which take no part in the walk.
    pub fn is_of_integration(self) -> bool {
        matches!(self, Self::Integration | Self::OrgIntegration)
    }

    /// Whether it is of something that belongs to an organisation.
    pub fn is_of_org(self) -> bool {
        matches!(self, Self::Org | Self::OrgIntegration)
    }
}

/// The way in which a credential comes to its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody stored the value, and it stays until somebody stores another.
    Static,
}

impl Kind {
    /// The word that is stored. `renewable` and `minted` are reserved for values that are fetched.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        (word == Self::Static.as_str()).then_some(Self::Static)
    }
}

/// Owner and use of a secret. Empty text means "none" in every field but `scope`.
#[derive(Debug, Clone, Copy, Eq)]
pub struct Binding<'a> {
    /// The kind of owner.
    pub scope: Scope,
    /// The id of the user or the organisation.
    pub scope_id: &'a str,
    /// The provider whose service the credential opens.
    pub provider: &'a str,
    /// The model it is reserved for.
    pub model: &'a str,
    /// The name it is called by.
    pub name: &'a str,
    /// Which of several keys of one owner for one use it is; empty for the usual one.
    pub slot: &'a str,
}

impl PartialEq for Binding<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let mut texts = self.texts().into_iter().zip(other.texts());
        self.scope == other.scope && texts.all(|(own, other)| is_same(own.as_bytes(), other.as_bytes()))
    }
}

/// Compares two texts. An empty one may have no memory, and a comparison of no bytes there costs a processor with masked loads 0.1 us.
#[inline]
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && (one.is_empty() || *one == *other)
}

/// The hash by which a secret is found, and of which there is only one of each in a database.
pub type BindingKey = [u8; 16];

impl<'a> Binding<'a> {
    /// A named secret of the operator; without a name it is reached by its id.
    pub fn vault(name: &'a str) -> Self {
        Self { scope: Scope::Vault, scope_id: "", provider: "", model: "", name, slot: "" }
    }

    /// Whether the fields alone say which secret is meant.
    fn is_address(&self) -> bool {
        match self.scope {
            Scope::Vault => !self.name.is_empty(),
            Scope::User | Scope::Org | Scope::Global => true,
            Scope::Integration | Scope::OrgIntegration => false,
        }
    }

    /// The key under which this secret is found. One that has no address of its own is told apart by its id.
    ///
    /// Half of a SHA-256: nobody can aim at somebody else's key (2^128 trials), and the index is half as large.
    pub fn key(&self, secret_id: &[u8; 16]) -> BindingKey {
        let mut bytes = self.encode(Canonical::new("hftok:binding"));
        if !self.is_address() {
            bytes = bytes.fixed(secret_id);
        }
        let digest: [u8; 32] = Sha256::digest(bytes.finish()).into();
        let mut key = BindingKey::default();
        key.copy_from_slice(&digest[..16]);
        key
    }

    /// Its texts.
    #[inline]
    pub fn texts(&self) -> [&str; 5] {
        [self.scope_id, self.provider, self.model, self.name, self.slot]
    }

    /// The order of the fields is part of the format: a sealed value opens only under the same.
    fn encode(&self, bytes: Canonical) -> Canonical {
        bytes
            .field(self.scope.as_str())
            .field(self.scope_id)
            .field(self.provider)
            .field(self.model)
            .field(self.name)
            .field(self.slot)
    }
}

/// Everything that decides who gets a value: authenticated with it, so that changing any of it shuts the value.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The secret's id, the same for all its versions.
    pub secret_id: [u8; 16],
    /// The version of the secret, from 1.
    pub version: u32,
    /// Owner and use.
    pub binding: Binding<'a>,
    /// The way in which it comes to its value.
    pub kind: Kind,
    /// The hosts the value may be sent to, when they are restricted.
    pub allowed_hosts: Option<&'a [String]>,
    /// When the value ends, in microseconds since 2000-01-01 UTC (as Postgres counts).
    pub expires_at: Option<i64>,
}

impl Context<'_> {
    /// The associated data for a value sealed in `format` by the data key `key_id`.
    pub(crate) fn associated_data(&self, format: u8, key_id: u32) -> Vec<u8> {
        let bytes =
            Canonical::new("hftok:value").byte(format).u32(key_id).fixed(&self.secret_id).u32(self.version);
        self.binding
            .encode(bytes)
            .field(self.kind.as_str())
            .list(self.allowed_hosts)
            .optional_i64(self.expires_at)
            .finish()
    }
}
