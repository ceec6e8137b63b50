//! The steps of a walk: what it came by at each level, and what it ended with.

use hftok_core::org_key::OrgKeyFault;
use hftok_core::plaintext::Plaintext;
use hftok_core::walk::{Level, Outcome};
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use crate::pg::who::session;
use crate::store::lookup::Candidate;

/// A level and its outcome.
pub struct LevelResult {
    /// The level.
    pub level: Level,
    /// The outcome at this level.
    pub outcome: Outcome,
    /// Its credential, when it has one that is stored.
    pub secret: Option<Seen>,
}

/// The facts about a credential that a walk came by.
pub struct Seen {
    /// Its id, version and end.
    pub stored: CredentialVersion,
    /// The mask of its value.
    pub preview: Vec<u8>,
    /// Whether the walk goes on when it cannot be used.
    pub may_continue: bool,
    /// Whether its owner restricts it to hosts.
    pub has_own_hosts: bool,
    /// Which of several keys it is.
    pub slot: String,
    /// The end of the rest that its provider asked for.
    pub rested_until: Option<TimestampWithTimeZone>,
    /// Why a key that its organisation holds is not there.
    pub away: Option<OrgKeyFault>,
}

/// The credential that a walk ended with.
pub struct Resolved {
    /// The level that has it.
    pub level: Level,
    /// The value.
    pub value: Plaintext,
    /// Its id, version and end, when it is a stored one.
    pub stored: Option<CredentialVersion>,
    /// Which of several keys it is.
    pub slot: String,
}

/// The credential and version that a value came from.
#[derive(Clone, Copy)]
pub struct CredentialVersion {
    /// Its id.
    pub id: Uuid,
    /// Its version.
    pub version: i32,
    /// When it ends.
    pub expires_at: Option<TimestampWithTimeZone>,
}

/// The seconds until then, rounded up; one at least.
pub fn seconds_to(end: TimestampWithTimeZone) -> i64 {
    let left = end.into_inner().saturating_sub(session::now());
    (left.saturating_add(999_999) / 1_000_000).max(1)
}

impl From<&Candidate<'_>> for Seen {
    fn from(secret: &Candidate<'_>) -> Self {
        let Candidate { id, version, expires_at, may_continue, rested_until, .. } = *secret;
        let has_own_hosts = secret.allowed_hosts.is_some();
        Self {
            stored: CredentialVersion { id, version, expires_at },
            preview: secret.preview(),
            may_continue,
            has_own_hosts,
            slot: secret.slot().to_owned(),
            rested_until: rested_until.filter(|_| secret.is_resting()),
            away: None,
        }
    }
}
