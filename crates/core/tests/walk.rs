//! The objections to a credential, in the order in which they are asked, and the words of the walk.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use hftok_core::binding::Scope;
use hftok_core::walk::{Found, Keys, Level, Outcome};

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
    for scope in [Scope::Vault, Scope::Integration, Scope::OrgIntegration] {
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

/// What can be found of a key, and whether it gives way to the owner's next one.
const KEYS: [(Outcome, bool); 9] = [
    (Outcome::Used, false),
    (Outcome::Expired, true),
    (Outcome::Disabled, true),
    (Outcome::Invalid, true),
    (Outcome::RateLimited, true),
    (Outcome::NotMember, true),
    (Outcome::HostRefused, true),
    (Outcome::DecryptFailed, false),
    (Outcome::Sealed, false),
];

/// Every three keys of one owner, whatever each of them comes to and says: the level comes to what docs/the-walk.md says.
#[test]
fn of_several_keys_the_first_usable_one_is_used() {
    let cells = || KEYS.into_iter().flat_map(|(outcome, _)| [(outcome, false), (outcome, true)]);
    for first in cells() {
        for second in cells() {
            for third in cells() {
                let all = [first, second, third];
                let mut level = Keys::first(0, first.0, first.1);
                for (at, (outcome, may_continue)) in all.into_iter().enumerate().skip(1) {
                    if level.outcome.passes_on() {
                        level = level.then(at, outcome, may_continue);
                    }
                }
                let ends = |(outcome, _): &(Outcome, bool)| !KEYS.contains(&(*outcome, true));
                let told = all.iter().position(ends).unwrap_or(0);
                assert_eq!((level.told, level.outcome), (told, all[told].0), "{all:?}");
                let goes_on = all.iter().all(|key| !ends(key) && key.1);
                assert_eq!(level.outcome.goes_on(level.may_continue), goes_on, "{all:?}");
            }
        }
    }
}
