//! Reports on the object that a call names.

use super::{Report, report};
use crate::error::Object;

/// The sentence that says what is not there.
pub fn absent(object: &Object) -> String {
    match object {
        Object::Name(name) => format!("There is no secret named \"{name}\"."),
        Object::Owner => "There is none that the caller may change.".to_owned(),
        Object::Integration(id) => format!("There is no integration {id}."),
        Object::Secret(id) => format!("There is no secret {id}."),
        Object::Event(number) => format!("The audit has no event {number}: see view audit_events."),
        Object::RunnerToken => {
            "There is no such runner token, or it was revoked, or its time is over.".to_owned()
        }
        Object::Version(id, version) => format!("Secret {id} has no version {version}."),
        Object::FormerVersion(id) => format!("Secret {id} has had one version only."),
    }
}

/// A name that is taken.
pub fn exists(name: &str) -> Report {
    report(b"23505", "a secret of this name exists already").detail(format!("Its name is \"{name}\"."))
}

/// A row that a transaction does not see, and has to remove.
pub fn not_seen() -> Report {
    report(b"PT409", "Conflict")
        .detail(
            "What is to be removed was written since this transaction began, which does not see it."
                .to_owned(),
        )
        .hint("Do it again, or at READ COMMITTED.")
}

/// A version that is not the current one.
pub fn conflict(expected: i32, current: i32) -> Report {
    report(b"PT409", "Conflict")
        .detail(match expected {
            -1 => "A secret was expected, and there is none.".to_owned(),
            _ => format!("Version {expected} was expected, the current one is {current}."),
        })
        .hint("0 stands for a secret that does not exist, -1 for one that exists, whatever its version.")
}
