//! The objections to a credential, in the order in which they are asked, and the words of the walk.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use hftok_core::binding::Scope;
use hftok_core::walk::{Found, Level, Outcome};

const USABLE: Found = Found {
    is_member: true,
    is_enabled: true,
    is_expired: false,
    is_invalid: false,
    is_resting: false,
    host_allowed: true,
};

/// Gives a credential one reason not to be used.
type Spoil = fn(&mut Found);

/// Each objection holds alone, and goes before all that follow it.
#[test]
fn the_first_objection_is_the_one_that_is_told() {
    let spoil: [(Outcome, Spoil); 6] = [
        (Outcome::NotMember, |found| found.is_member = false),
        (Outcome::Disabled, |found| found.is_enabled = false),
        (Outcome::Expired, |found| found.is_expired = true),
        (Outcome::Invalid, |found| found.is_invalid = true),
        (Outcome::RateLimited, |found| found.is_resting = true),
        (Outcome::HostRefused, |found| found.host_allowed = false),
    ];
    assert_eq!(USABLE.objection(), None);
    let mut all = USABLE;
    for (outcome, spoil) in spoil.into_iter().rev() {
        let mut alone = USABLE;
        spoil(&mut alone);
        assert_eq!(alone.objection(), Some(outcome));
        spoil(&mut all);
        assert_eq!(all.objection(), Some(outcome), "before those that follow");
    }
}

#[test]
fn levels_are_for_a_scope_and_perhaps_a_model() {
    for (scope, with, without) in [
        (Scope::User, Level::UserModel, Level::User),
        (Scope::Org, Level::OrgModel, Level::Org),
        (Scope::Global, Level::GlobalModel, Level::Global),
    ] {
        assert_eq!((Level::of(scope, true), Level::of(scope, false)), (Some(with), Some(without)));
        assert!(with.is_for_model() && !without.is_for_model());
    }
    for scope in [Scope::Vault, Scope::Integration] {
        assert_eq!((Level::of(scope, true), Level::of(scope, false)), (None, None));
    }
    assert!(!Level::Environment.is_for_model());
}

/// Clients and the audit compare these words.
#[test]
fn outcomes_have_these_words() {
    let words = [
        (Outcome::Used, "used"),
        (Outcome::Absent, "absent"),
        (Outcome::Expired, "expired"),
        (Outcome::Disabled, "disabled"),
        (Outcome::Invalid, "invalid"),
        (Outcome::RateLimited, "rate_limited"),
        (Outcome::DecryptFailed, "decrypt_failed"),
        (Outcome::NotMember, "not_member"),
        (Outcome::HostRefused, "host_refused"),
        (Outcome::Sealed, "sealed"),
        (Outcome::NotReached, "not_reached"),
    ];
    for (outcome, word) in words {
        assert_eq!(outcome.as_str(), word);
    }
}
