//! Every reason has words that give nothing away, and a keyring that lacks what is in use is objected to.
#![allow(clippy::unwrap_used, missing_docs)]

use hftok_core::identity::Installation;
use hftok_core::keyring::{Keyring, KeyringError, MAX_ROOT_KEYS};
use hftok_core::keyring_state::{CommandError, InUse, Reason, Root};
use hftok_core::root_key::RootKeyId;

/// The database that uses keys, where there is one.
const DATABASE: u32 = 7;

fn keyring(text: &str) -> Box<Keyring> {
    Keyring::parse(text.as_bytes()).unwrap()
}

fn key(id: i32, digit: char) -> String {
    format!("{id}:{}\n", digit.to_string().repeat(64))
}

fn used(keyring: &Keyring) -> InUse {
    let mut in_use = InUse::NOTHING;
    for root in keyring.iter() {
        in_use.note(DATABASE, (root.id(), root.fingerprint()), keyring.installation());
    }
    in_use
}

fn reasons() -> Vec<Reason> {
    let root = keyring(&key(1, 'a'));
    let (id, fingerprint) = (RootKeyId::new(1).unwrap(), root.primary().unwrap().fingerprint());
    let commands = [
        CommandError::NotStarted,
        CommandError::Status(3),
        CommandError::Signal(9),
        CommandError::TimedOut,
        CommandError::TooMuch,
        CommandError::Interrupted,
    ];
    let others = [
        Reason::NotPreloaded,
        Reason::Loading,
        Reason::ByHand,
        Reason::NotConfigured,
        Reason::Unreadable(2),
        Reason::NotAFile,
        Reason::TooOpen,
        Reason::ForeignOwner,
        Reason::Malformed(malformed()),
        Reason::MarkerUnreadable(13),
        Reason::RootInUse { id, fingerprint, is_changed: false },
        Reason::RootInUse { id, fingerprint, is_changed: true },
        Reason::NameInUse(Installation::parse("prod").unwrap()),
        Reason::NameInUse(*keyring(&key(1, 'a')).installation()),
    ];
    commands.into_iter().map(Reason::Command).chain(others).collect()
}

fn malformed() -> KeyringError {
    Keyring::parse(b"no keyring").map(|_| ()).unwrap_err()
}

#[test]
fn every_reason_has_words_of_its_own() {
    let texts: Vec<String> = reasons().into_iter().map(Reason::text).collect();
    for (at, text) in texts.iter().enumerate() {
        assert!(!text.is_empty() && !texts[..at].contains(text), "{text}");
    }
}

#[test]
fn words_for_everybody_name_no_setting_and_no_path() {
    for text in reasons().into_iter().map(Reason::text) {
        assert!(!text.contains("hftok.") && !text.contains('/'), "{text}");
    }
}

#[test]
fn the_words_of_the_operating_system_are_passed_on() {
    for reason in [Reason::Unreadable(2), Reason::MarkerUnreadable(2)] {
        assert!(reason.text().contains("No such file"), "{reason:?}");
    }
}

#[test]
fn every_remedy_is_a_sentence() {
    for remedy in reasons().into_iter().map(Reason::remedy) {
        assert!(remedy.starts_with(char::is_uppercase) && remedy.ends_with(['.', ')']), "{remedy}");
    }
}

#[test]
fn what_somebody_chose_does_not_pass_by_itself() {
    for reason in reasons() {
        let is_chosen = matches!(reason, Reason::NotPreloaded | Reason::ByHand | Reason::NotConfigured);
        assert_eq!(reason.may_pass(), !is_chosen, "{reason:?}");
    }
}

#[test]
fn a_keyring_that_has_all_that_is_in_use_may_come() {
    let former = keyring(&key(1, 'a'));
    let more = keyring(&(key(1, 'a') + &key(2, 'b')));
    assert_eq!(used(&former).objection(&former), None);
    assert_eq!(used(&former).objection(&more), None);
    assert_eq!(InUse::NOTHING.objection(&more), None);
}

#[test]
fn one_that_lacks_a_key_or_has_another_under_its_number_is_objected_to() {
    let in_use = used(&keyring(&(key(1, 'a') + &key(2, 'b'))));
    let lacking = in_use.objection(&keyring(&key(1, 'a')));
    let another = in_use.objection(&keyring(&(key(1, 'a') + &key(2, 'c'))));
    assert!(matches!(lacking, Some(Reason::RootInUse { id, is_changed: false, .. }) if id.get() == 2));
    assert!(matches!(another, Some(Reason::RootInUse { id, is_changed: true, .. }) if id.get() == 2));
}

#[test]
fn one_of_another_name_is_objected_to_once_a_key_was_used() {
    let named = |name: &str| keyring(&format!("installation: {name}\n{}", key(1, 'a')));
    let former = named("prod");
    assert_eq!(used(&former).objection(&named("test")), Some(Reason::NameInUse(*former.installation())));
    assert_eq!(InUse::NOTHING.objection(&named("test")), None);
}

#[test]
fn a_key_that_is_used_again_takes_no_second_place() {
    let keys: Vec<String> = (1..).take(MAX_ROOT_KEYS).map(|id| key(id, 'a')).collect();
    let full = keyring(&keys.concat());
    let mut in_use = used(&full);
    for root in full.iter() {
        in_use.note(DATABASE, (root.id(), root.fingerprint()), full.installation());
    }
    assert_eq!(in_use.objection(&full), None);
}

/// However often and in whichever order keys are used: none of them takes the place of another.
#[test]
fn each_key_that_was_used_is_missed() {
    let line = |id: &i32| key(*id, 'a');
    let ids = [1, 2, 3];
    let all = keyring(&ids.iter().map(line).collect::<String>());
    let mut in_use = used(&all);
    for root in all.iter().chain(all.iter()) {
        in_use.note(DATABASE, (root.id(), root.fingerprint()), all.installation());
    }
    for lacking in ids {
        let rest: String = ids.iter().filter(|id| **id != lacking).map(line).collect();
        let objection = in_use.objection(&keyring(&rest));
        assert!(matches!(objection, Some(Reason::RootInUse { id, .. }) if id.get() == lacking), "{lacking}");
    }
}

#[test]
fn a_root_key_may_go_when_no_database_needs_it_any_more() {
    let (both, new) = (keyring(&(key(1, 'a') + &key(2, 'b'))), keyring(&key(2, 'b')));
    let roots: Vec<Root> = both.iter().map(|key| (key.id(), key.fingerprint())).collect();
    let mut in_use = used(&both);
    in_use.note(8, roots[0], both.installation());
    in_use.keep(DATABASE, &roots[1..]);
    assert!(matches!(in_use.objection(&new), Some(Reason::RootInUse { id, .. }) if id.get() == 1));
    in_use.keep(8, &roots[1..]);
    assert_eq!(in_use.objection(&new), None);
    assert_eq!(in_use.databases().collect::<Vec<_>>(), [DATABASE]);
}

/// There is no room for the uses of all of them.
#[test]
fn however_many_databases_use_a_root_key_it_is_missed() {
    let (both, new) = (keyring(&(key(1, 'a') + &key(2, 'b'))), keyring(&key(2, 'b')));
    let mut in_use = InUse::NOTHING;
    for database in 1..1000 {
        for root in both.iter() {
            in_use.note(database, (root.id(), root.fingerprint()), both.installation());
        }
    }
    for database in 1..1000 {
        in_use.keep(database, &[]);
    }
    assert!(matches!(in_use.objection(&new), Some(Reason::RootInUse { id, .. }) if id.get() == 1));
    assert_eq!(in_use.objection(&both), None);
}
