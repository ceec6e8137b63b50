//! Every way to fail. What a caller sees of it is in [`report`].
//!
//! What must stay true: no variant can hold a value.

mod report;
mod standing;
mod trouble;

use hftok_core::NoRandomness;
use hftok_core::envelope::SealError;
use hftok_core::keyring_state::Reason;
use hftok_core::org_key::OrgKeyFault;
use hftok_core::provider::{Fault, Rejection};
use hftok_core::walk::{Level, Outcome};
use pgrx::datum::Uuid;

pub use report::Report;
pub use standing::Standing;
pub use trouble::Trouble;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A parameter that cannot be.
    #[error("bad input")]
    BadInput(&'static str),
    /// The caller has no identity where one is needed.
    #[error("no identity")]
    NoIdentity,
    /// A role was made anew under a name that somebody else had.
    #[error("another role")]
    AnotherRole {
        /// The name.
        name: String,
    },
    /// Claims were set by a login that may not bring any.
    #[error("claims without gateway")]
    ClaimsWithoutGateway {
        /// The login role.
        login: String,
        /// The current user.
        role: String,
        /// The step that is missing before their claims are believed.
        standing: Standing,
    },
    /// The caller lacks a privilege.
    #[error("not allowed")]
    NotAllowed(&'static str),
    /// Row security of somebody else's table applies to the caller.
    #[error("foreign policies")]
    ForeignPolicies,
    /// Plaintext was asked for where code of a table's owner may be running.
    #[error("restricted operation")]
    RestrictedOperation,
    /// Not there, or not the caller's.
    #[error("not found")]
    NotFound(Object),
    /// Plaintext was asked for by GET or HEAD.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// A secret of this name is there already.
    #[error("exists")]
    Exists {
        /// The name.
        name: String,
    },
    /// Something that is to be removed was written since the transaction took its snapshot, which does not show it.
    #[error("conflict")]
    NotSeen,
    /// The version expected is not the current one.
    #[error("conflict")]
    Conflict {
        /// The version that the caller expected.
        expected: i32,
        /// The version that is there; 0 for none.
        current: i32,
    },
    /// More than the quota allows.
    #[error("too large")]
    TooLarge {
        /// The thing that is too large: the beginning of a sentence.
        what: &'static str,
        /// The quota in bytes.
        most: usize,
    },
    /// All values of an owner together are longer than the quota allows.
    #[error("too many bytes")]
    TooManyBytes {
        /// The quota in bytes.
        most: i64,
    },
    /// More of something than the quota allows.
    #[error("too many")]
    TooMany {
        /// The owner's kind: the beginning of a sentence.
        whose: &'static str,
        /// The quota.
        most: i32,
        /// The things that are counted.
        what: &'static str,
    },
    /// More often than the quota allows.
    #[error("too often")]
    TooOften {
        /// Values that may be looked for in a minute.
        most: u32,
        /// In how many seconds the next may be.
        wait: u64,
    },
    /// A value that cannot be a credential of its provider.
    #[error(transparent)]
    Rejected(Rejection),
    /// A provider that neither the catalogue has nor an operator registered.
    #[error("unknown provider")]
    UnknownProvider {
        /// The name that is probably meant.
        nearest: Option<String>,
    },
    /// A description of a provider that cannot be.
    #[error(transparent)]
    Described(Fault),
    /// A provider whose registration was changed outside hftok, or can no longer be one.
    #[error("provider unusable")]
    ProviderUnusable {
        /// The provider.
        provider: String,
        /// Why.
        reason: String,
    },
    /// A provider that the application does not use.
    #[error("provider switched off")]
    ProviderOff {
        /// The provider.
        provider: String,
    },
    /// A level of the walk has a credential that cannot be used.
    #[error("unusable")]
    Unusable {
        /// The level.
        level: Level,
        /// Why.
        outcome: Outcome,
        /// The secret; none for a variable of the environment.
        secret_id: Option<Uuid>,
        /// Whether it has hosts of its own, which its owner decides on.
        has_own_hosts: bool,
        /// The seconds until the rest is over that its provider asked for.
        retry_after: Option<i64>,
    },
    /// There, but it does not open.
    #[error("does not open")]
    Damaged {
        /// The secret.
        secret_id: Uuid,
        /// Its version.
        version: i32,
        /// The kind of owner it has.
        scope: String,
    },
    /// Switched off.
    #[error("disabled")]
    Disabled {
        /// The secret.
        secret_id: Uuid,
        /// The level of the walk that it is for; `integration` where it is for none.
        level: &'static str,
        /// The integration whose it is.
        integration: Option<Uuid>,
        /// By the backend, and not by its owner.
        by_backend: bool,
    },
    /// Not JSON that Postgres can hold.
    #[error("not JSON")]
    NotJson,
    /// No root keys.
    #[error("sealed")]
    Sealed(Reason),
    /// No root keys, said to the operator.
    #[error("sealed")]
    Operator(Reason),
    /// The keys are gone, but the mark that keeps them away over a restart could not be left.
    #[error("seal not kept")]
    SealNotKept(i32),
    /// The mark could not be taken away.
    #[error("seal not lifted")]
    SealNotLifted(i32),
    /// The root key that wrapped this database's data keys is not the one that is loaded.
    #[error("wrong root key")]
    WrongRoot {
        /// The id it has.
        id: i32,
        /// Its fingerprint, by which it is recognised.
        fingerprint: String,
        /// Whether the keyring has another key of that id.
        id_taken: bool,
    },
    /// A data key that does not unwrap, although its root key is there.
    #[error("data key damaged")]
    DataKeyDamaged {
        /// The data key.
        id: i32,
    },
    /// A data key that a value names and the database doesn't have.
    #[error("data key missing")]
    DataKeyMissing {
        /// The data key.
        id: i32,
    },
    /// An organisation has sealed what is its own.
    #[error("organisation sealed")]
    OrgSealed {
        /// The organisation.
        org: String,
    },
    /// An organisation's own key, which wraps its data keys, is not there.
    #[error("organisation's key is away")]
    OrgKeyAway {
        /// The organisation.
        org: String,
        /// The reason.
        fault: OrgKeyFault,
    },
    /// An organisation has a data key of its own already.
    #[error("organisation has a key")]
    OrgHasKey {
        /// The organisation.
        org: String,
    },
    /// The database was copied from another one, and is not yet one of its own.
    #[error("copy")]
    Copy {
        /// Its identity when its keys were made.
        original: String,
        /// Its identity now.
        here: String,
    },
    /// It was made one of its own by the transaction that is running.
    #[error("not yet adopted")]
    NotYetAdopted,
    /// There are keys, and nothing says which database they are for.
    #[error("identity missing")]
    IdentityMissing,
    /// The audit cannot take the event, so nothing is done.
    #[error("audit")]
    Audit(Trouble),
    /// No memory for a value.
    #[error("no memory")]
    NoMemory,
    /// No randomness to seal with.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// A rule of ours was broken.
    #[error("internal error")]
    Internal(&'static str),
    /// A statement of ours and the code that runs it do not fit together.
    #[error("internal error")]
    Statement {
        /// Its place in the source.
        name: &'static str,
        /// The rule that was broken.
        trouble: &'static str,
    },
}

/// The thing that was not found.
#[derive(Debug)]
pub enum Object {
    /// A named secret.
    Name(String),
    /// A credential of somebody, or somebody.
    Owner,
    /// An integration, by its id.
    Integration(Uuid),
    /// A secret, by its id.
    Secret(Uuid),
    /// A version of a secret.
    Version(Uuid, i32),
    /// The version before the only one that a secret has had.
    FormerVersion(Uuid),
    /// An event of the audit, by its number.
    Event(i64),
    /// A runner token that is shown.
    RunnerToken,
}

impl Error {
    /// Whether a value does not open because it, or the key it needs, is damaged or gone: it alone is lost, not hftok sealed.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::DataKeyMissing { .. } | Self::DataKeyDamaged { .. })
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        match error {
            SealError::NoRandomness(error) => Self::NoRandomness(error),
            SealError::NoMemory => Self::NoMemory,
            SealError::TooLarge => Self::Internal("a value passed the quota and was too large to be sealed"),
        }
    }
}
