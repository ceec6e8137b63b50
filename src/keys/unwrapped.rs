//! Data keys in memory of this process alone, on their way from one wrap to another.

use hftok_core::data_key::{DataKey, DataKeyId};
use hftok_core::identity::Identity;
use hftok_core::org_key::OrgWrap;
use hftok_core::root_key::RootKey;

use crate::error::Error;

/// A data key in memory of this process alone, as far as the root key unwraps it.
pub enum Unwrapped {
    /// The key; never moved, which would leave copies.
    Whole(Box<DataKey>),
    /// What the key of its organisation has wrapped.
    ByOrg {
        /// Its id.
        id: DataKeyId,
        /// The database that it is for.
        identity: Identity,
        /// The wrap.
        wrap: OrgWrap,
    },
}

impl Unwrapped {
    /// Its id.
    pub fn id(&self) -> DataKeyId {
        match self {
            Self::Whole(key) => key.id(),
            Self::ByOrg { id, .. } => *id,
        }
    }

    /// The database that it is for.
    pub fn identity(&self) -> &Identity {
        match self {
            Self::Whole(key) => key.identity(),
            Self::ByOrg { identity, .. } => identity,
        }
    }

    /// The key, where its organisation need not be asked.
    pub fn whole(&self) -> Option<&DataKey> {
        match self {
            Self::Whole(key) => Some(key),
            Self::ByOrg { .. } => None,
        }
    }

    /// Wraps it by a root key.
    pub fn wrap(&self, root: &RootKey, org: &str, database: &Identity) -> Result<Vec<u8>, Error> {
        Ok(match self {
            Self::Whole(key) => root.wrap(key, org, database)?,
            Self::ByOrg { id, wrap, .. } => root.wrap_again(wrap, *id, org, database)?,
        })
    }
}
