//! The caller's view of each error: one table from variant to SQLSTATE, message, detail and hint.
//!
//! What must stay true: messages of class PT are constant ASCII, because PostgREST puts them into the HTTP status line; details
//! name the object; hints name paths and settings only to operators. Classes 08, 40, 55 and 57 are never raised: PostgREST
//! answers 500 to them, and repeats 40001 for ever.

use std::borrow::Cow;

use hftok_core::keyring_state::os_error;
use hftok_core::provider::{BYTES_MAX, Rejection};
use hftok_core::walk::Outcome;

use super::{Error, Object};

/// Asked of somebody who may not read the log.
const ASK: &str =
    "An operator finds the reason in hftok.status(), and the remedy in hftok.unseal() and the server's log.";

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
            Error::BadInput(what) => report(b"22023", what),
            Error::NoIdentity => report(b"42501", "hftok does not know who is calling")
                .hint("Call with a JWT that has a sub, or as a database role that logs in itself."),
            Error::ClaimsWithoutGateway { login, role, standing } => {
                let (message, hint) = standing.words();
                report(b"42501", message).detail(standing.detail(&login, &role)).hint(hint)
            }
            Error::AnotherRole { name } => report(b"42501", "this role is not the one that hftok knows by its name")
                .detail(format!("Secrets kept for \"role:{name}\" belong to a role that was dropped or renamed."))
                .hint("An operator gives it to this one by hftok.adopt_role(), or deletes it by hftok.forget_user()."),
            Error::NotAllowed(what) => report(b"42501", what),
            Error::ForeignPolicies => report(b"42501", "row security of the table would hide rows from the caller")
                .hint("Its policies are code of the table's owner, and are not run as the caller. Call as the table's owner, or as a role with BYPASSRLS."),
            Error::RestrictedOperation => report(b"42501", "hftok cannot be called inside a security-restricted operation")
                .hint("Index expressions, materialized views and the like must not depend on secrets."),
            Error::NotFound(object) => report(b"PT404", "Not Found").detail(match object {
                Object::Name(name) => format!("There is no secret named \"{name}\"."),
                Object::Owner => "There is none that the caller may change.".to_owned(),
                Object::Integration(id) => format!("There is no integration {id}."),
                Object::Secret(id) => format!("There is no secret {id}."),
                Object::Event(number) => format!("The audit has no event {number}: see view audit_events."),
                Object::Version(id, version) => format!("Secret {id} has no version {version}."),
                Object::FormerVersion(id) => format!("Secret {id} has had one version only."),
            }),
            Error::MethodNotAllowed => report(b"PT405", "Method Not Allowed")
                .detail("Secrets are given and taken by POST only.".to_owned()),
            Error::Exists { name } => {
                report(b"23505", "a secret of this name exists already").detail(format!("Its name is \"{name}\"."))
            }
            Error::Conflict { expected, current } => report(b"PT409", "Conflict")
                .detail(format!("Version {expected} was expected, the current one is {current}."))
                .hint("0 stands for a secret that does not exist."),
            Error::TooLarge { what, most } => report(b"PT413", "Content Too Large")
                .detail(format!("{what} may have {most} bytes at most.")),
            Error::TooManyBytes { most } => report(b"PT413", "Content Too Large")
                .detail(format!("All values of an owner, with their hosts and previous versions, may have {most} bytes."))
                .hint(if is_operator() {
                    "Delete one that is no longer needed, or raise hftok.max_bytes_per_user."
                } else {
                    "Delete one that is no longer needed."
                }),
            Error::TooMany { whose, most, what } => report(b"PT413", "Content Too Large")
                .detail(format!("{whose} may have {most} {what} at most."))
                .hint("Delete one that is no longer needed."),
            Error::TooOften { most, wait } => report(b"PT429", "Too Many Requests")
                .detail(format!("A login may look for {most} values a minute: the next in {wait} s. Nothing was compared."))
                .hint(if is_operator() { "hftok.max_guesses_per_minute says how many." } else { "Wait." }),
            Error::Rejected(Rejection::NoMemory) => Error::NoMemory.report(is_operator),
            Error::Rejected(Rejection::TooLong) => {
                Error::TooLarge { what: "A credential", most: BYTES_MAX }.report(is_operator)
            }
            Error::Rejected(rejection) => bad_input(&rejection),
            Error::Described(fault) => bad_input(&fault),
            Error::ProviderUnusable { provider, reason } => report(b"PT422", "Unprocessable Entity")
                .detail(
                    serde_json::json!({
                        "level": "catalogue",
                        "outcome": "not_vouched_for",
                        "secret_id": null,
                        "provider": provider,
                        "reason": reason,
                    })
                    .to_string(),
                )
                .hint("An operator registers the provider again, or calls unregister_provider(). hftok.verify() lists all such providers."),
            Error::Unusable { level, outcome, secret_id, has_own_hosts } => report(b"PT422", "Unprocessable Entity")
                .detail(
                    serde_json::json!({
                        "level": level.as_str(),
                        "outcome": outcome.as_str(),
                        "secret_id": secret_id.map(|id| id.to_string()),
                    })
                    .to_string(),
                )
                .hint(way_out(outcome, has_own_hosts)),
            Error::Disabled { secret_id, level, by_backend, .. } => report(b"PT422", "Unprocessable Entity")
                .detail(
                    serde_json::json!({
                        "level": level,
                        "outcome": "disabled",
                        "secret_id": secret_id.to_string(),
                        "by": if by_backend { "backend" } else { "owner" },
                    })
                    .to_string(),
                )
                .hint(if by_backend {
                    "The backend switched it off; another status by update_integration_status() switches it on."
                } else {
                    "Its owner switched it off, and can switch it on."
                }),
            Error::NotJson => report(b"22023", "the credential is not JSON that Postgres can hold"),
            Error::Damaged { secret_id, version, scope } => report(b"PT422", "Unprocessable Entity")
                .detail(
                    serde_json::json!({
                        "level": scope,
                        "outcome": "decrypt_failed",
                        "secret_id": secret_id.to_string(),
                        "version": version,
                    })
                    .to_string(),
                )
                .hint("It, or what it is bound to, was changed outside hftok. hftok.verify() lists all such secrets."),
            Error::Sealed(reason) => report(b"53HF1", "hftok is sealed")
                .detail(sentence(&reason.text()))
                .hint(if is_operator() { reason.remedy() } else { ASK }),
            Error::Operator(reason) => {
                report(b"53HF1", "hftok is sealed").detail(sentence(&reason.text())).hint(reason.remedy())
            }
            Error::SealNotKept(code) => report(b"53HF1", "hftok is sealed now, but will not be after a restart")
                .detail(format!("The mark in the data directory could not be written: {}.", os_error(code)))
                .hint("Mend that, and call hftok.seal() again."),
            Error::SealNotLifted(code) => report(b"53HF1", "hftok stays sealed")
                .detail(format!("The mark in the data directory could not be removed: {}.", os_error(code)))
                .hint("Mend that, and call hftok.unseal() again."),
            Error::WrongRoot { id, fingerprint, id_taken } => {
                let detail = if id_taken {
                    format!("The data keys of this database are wrapped by root key {id} with fingerprint {fingerprint}; the keyring's key {id} is another one.")
                } else {
                    format!("The data keys of this database are wrapped by root key {id} with fingerprint {fingerprint}, which the keyring does not have.")
                };
                report(b"53HF1", "the keyring lacks the root key of this database")
                    .detail(detail)
                    .hint("An operator adds that key to the keyring and calls hftok.unseal(). Nothing was written.")
            }
            Error::DataKeyDamaged { id } => report(b"53HF1", "a data key of this database does not unwrap")
                .detail(format!("Data key {id} was changed outside hftok."))
                .hint("Restore its row in hftok_private.data_keys from a backup."),
            Error::DataKeyMissing { id } => report(b"53HF1", "a data key of this database is missing")
                .detail(format!("There is no data key {id}."))
                .hint("Restore its row in hftok_private.data_keys from a backup."),
            Error::Copy { original, here } => report(b"53HF1", "this is a copy")
                .detail(format!("It was copied from {original}, and is {here}."))
                .hint("A superuser makes it a database of its own: SELECT hftok.adopt_database(). Nothing was written."),
            Error::NotYetAdopted => report(b"53HF1", "this is a copy")
                .detail("hftok.adopt_database() was called in this transaction.".to_owned())
                .hint("Commit it first."),
            Error::IdentityMissing => report(b"53HF1", "the record of the database that the data keys are for is missing or damaged")
                .hint("Restore the rows of hftok_private.database_identity from a backup."),
            Error::Audit(trouble) => report(b"53HF2", "the audit cannot take the event")
                .detail(trouble.text().to_owned())
                .hint(trouble.remedy()),
            Error::NoMemory => report(b"53200", "there is no memory for the value"),
            Error::NoRandomness(error) => report(b"58000", "nothing was sealed").detail(sentence(&error.to_string())),
            Error::Internal(what) => report(b"XX000", "internal error in hftok").detail(what.to_owned()),
        }
    }
}

/// Most messages are constant: nothing of a user's stands in them.
fn report(sqlstate: &[u8; 5], message: &'static str) -> Report {
    Report { sqlstate: *sqlstate, message: Cow::Borrowed(message), detail: None, hint: None }
}

/// The remedy for a credential that cannot be used, and who has it.
fn way_out(outcome: Outcome, has_own_hosts: bool) -> &'static str {
    match outcome {
        Outcome::NotMember => {
            "The user does not belong to the organisation: name another one, or none, or make them a member. explain_token() shows the whole walk."
        }
        Outcome::HostRefused if !has_own_hosts => {
            "The catalogue (view providers) does not name this host. The owner of a credential can allow it others. explain_token() shows the whole walk."
        }
        _ => {
            "Its owner can repair it, delete it, or set on_unusable to continue. explain_token() shows the whole walk."
        }
    }
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
