//! The caller's view of each error: one table from variant to SQLSTATE, message, detail and hint. A row of several lines stands in
//! the file of its subject.
//!
//! What must stay true: messages of class PT are constant ASCII, because PostgREST puts them into the HTTP status line; details
//! name the object; hints name paths and settings only to operators. Classes 08, 40, 55 and 57 are never raised: PostgREST
//! answers 500 to them, and repeats 40001 for ever.

mod callers;
mod credentials;
mod keys;
mod objects;
mod quotas;

use std::borrow::Cow;

use hftok_core::provider::{BYTES_MAX, Rejection};

use super::Error;

/// The caller's view of an error.
pub struct Report {
    /// Five characters.
    pub sqlstate: [u8; 5],
    /// The message; constant for codes of class PT, where it becomes the HTTP status line.
    pub message: Cow<'static, str>,
    /// The object that is meant.
    pub detail: Option<String>,
    /// The remedy.
    pub hint: Option<Cow<'static, str>>,
}

impl Error {
    /// The report that a caller sees. `is_operator` is asked where only those who run the server are told what to do.
    pub fn report(self, is_operator: impl FnOnce() -> bool) -> Report {
        match self {
            // The caller.
            Error::NoIdentity => callers::no_identity(),
            Error::ClaimsWithoutGateway { login, role, standing } => {
                callers::no_gateway(&login, &role, standing)
            }
            Error::AnotherRole { name } => callers::another_role(&name),
            Error::NotAllowed(what) => report(b"42501", what),
            Error::ForeignPolicies => callers::foreign_policies(),
            Error::RestrictedOperation => callers::restricted_operation(),

            // The call, and the object that it names.
            Error::BadInput(what) => report(b"22023", what),
            Error::MethodNotAllowed => report(b"PT405", "Method Not Allowed")
                .detail("Secrets are given and taken by POST only.".to_owned()),
            Error::NotFound(object) => report(b"PT404", "Not Found").detail(objects::absent(&object)),
            Error::Exists { name } => objects::exists(&name),
            Error::NotSeen => objects::not_seen(),
            Error::Conflict { expected, current } => objects::conflict(expected, current),

            // The quotas.
            Error::TooLarge { what, most } => quotas::too_large(what, most),
            Error::TooManyBytes { most } => quotas::too_many_bytes(most, is_operator()),
            Error::TooMany { whose, most, what } => quotas::too_many(whose, most, what),
            Error::TooOften { most, wait } => quotas::too_often(most, wait, is_operator()),

            // A value, or a provider's description, that is refused. The complaint names the rule, never the value.
            Error::Rejected(Rejection::NoMemory) | Error::NoMemory => {
                report(b"53200", "there is no memory for the value")
            }
            Error::Rejected(Rejection::TooLong) => quotas::too_large("A credential", BYTES_MAX),
            Error::Rejected(rejection) => credentials::rejected(&rejection),
            Error::UnknownProvider { nearest } => credentials::unknown_provider(nearest),
            Error::Described(fault) => bad_input(&fault),
            Error::NotJson => report(b"22023", "the credential is not JSON that Postgres can hold"),

            // A credential that is there, and cannot be used.
            Error::ProviderOff { provider } => credentials::switched_off(&provider),
            Error::ProviderUnusable { provider, reason } => credentials::not_vouched_for(&provider, &reason),
            Error::Unusable { level, outcome, secret_id, has_own_hosts, retry_after } => {
                credentials::unusable(level, outcome, secret_id, has_own_hosts, retry_after)
            }
            Error::Disabled { secret_id, level, by_backend, .. } => {
                credentials::disabled(secret_id, level, by_backend)
            }
            Error::Damaged { secret_id, version, scope } => credentials::damaged(secret_id, version, &scope),

            // The keys.
            Error::Sealed(reason) => keys::sealed(reason, is_operator()),
            Error::Operator(reason) => keys::sealed(reason, true),
            Error::SealNotKept(code) => keys::seal_not_kept(code),
            Error::SealNotLifted(code) => keys::seal_not_lifted(code),
            Error::WrongRoot { id, fingerprint, id_taken } => keys::wrong_root(id, &fingerprint, id_taken),
            Error::DataKeyDamaged { id } => keys::data_key_damaged(id),
            Error::DataKeyMissing { id } => keys::data_key_missing(id),
            Error::OrgSealed { org } => keys::org_sealed(&org),
            Error::OrgKeyAway { org, fault } => keys::org_key_away(&org, fault),
            Error::OrgHasKey { org } => keys::org_has_key(&org),
            Error::Copy { original, here } => keys::copy(&original, &here),
            Error::NotYetAdopted => keys::not_yet_adopted(),
            Error::IdentityMissing => keys::identity_missing(),

            // The audit, and the server.
            Error::Audit(trouble) => report(b"53HF2", "the audit cannot take the event")
                .detail(trouble.text().to_owned())
                .hint(trouble.remedy()),
            Error::NoRandomness(error) => {
                report(b"58000", "nothing was sealed").detail(sentence(&error.to_string()))
            }
            Error::Internal(what) => report(b"XX000", "internal error in hftok").detail(what.to_owned()),
            Error::Statement { name, trouble } => {
                report(b"XX000", "internal error in hftok").detail(format!("{name}: {trouble}"))
            }
        }
    }
}

/// Most messages are constant: nothing of a user's stands in them.
fn report(sqlstate: &[u8; 5], message: &'static str) -> Report {
    Report { sqlstate: *sqlstate, message: Cow::Borrowed(message), detail: None, hint: None }
}

/// The complaints that name a value's rule, never the value.
fn bad_input(complaint: &dyn std::fmt::Display) -> Report {
    Report { sqlstate: *b"22023", message: Cow::Owned(complaint.to_string()), detail: None, hint: None }
}

impl Report {
    /// Adds a detail.
    fn detail(self, detail: String) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// Adds a hint.
    fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(Cow::Borrowed(hint)), ..self }
    }
}

/// A few words as a sentence.
fn sentence(words: &str) -> String {
    if words.starts_with("hftok") {
        return format!("{words}.");
    }
    let mut letters = words.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}
