//! Keyrings as they are read, replaced and recognised.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use hftok_core::keyring::{Keyring, KeyringError, MAX_TEXT};
use hftok_core::root_key::RootKeyId;

fn line(id: i32, digit: char) -> String {
    format!("{id}:{}\n", digit.to_string().repeat(64))
}

fn id(id: i32) -> RootKeyId {
    RootKeyId::new(id).unwrap()
}

#[test]
fn a_keyring_takes_over_another_as_a_whole() {
    let mut ring = Keyring::parse((line(1, 'a') + &line(2, 'b')).as_bytes()).unwrap();
    let other = Keyring::parse(format!("installation: prod\n{}", line(3, 'c')).as_bytes()).unwrap();
    ring.replace_by(&other);
    assert!(ring.find(id(1)).is_none() && ring.find(id(2)).is_none());
    assert_eq!(ring.installation(), other.installation());
    let fingerprint = |ring: &Keyring| ring.find(id(3)).unwrap().fingerprint();
    assert_eq!(fingerprint(&ring), fingerprint(&other));
}

/// A fingerprint is that of the key's bytes: it fits what was stored of them, and no other, longer or shorter one.
#[test]
fn a_root_key_is_recognised_by_its_bytes() {
    let ring = Keyring::parse((line(1, 'a') + &line(2, 'b') + &line(3, 'a')).as_bytes()).unwrap();
    let [one, two, three] = [1, 2, 3].map(|at| ring.find(id(at)).unwrap().fingerprint());
    assert!(one.fits(one.as_bytes()) && !one.fits(two.as_bytes()));
    assert!(
        !one.fits(&[])
            && !one.fits(&one.as_bytes()[..7])
            && !one.fits(&[one.as_bytes().as_slice(), &[0]].concat())
    );
    assert_ne!(one, two);
    let hex: String = three.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(three.to_string(), hex);
}

/// The longest text that is read, and one byte more.
#[test]
fn a_text_is_read_up_to_its_limit() {
    let padded = |length: usize| {
        let key = line(1, 'a');
        format!("{key}#{}", "x".repeat(length - key.len() - 1))
    };
    assert!(Keyring::parse(padded(MAX_TEXT).as_bytes()).is_ok());
    assert!(matches!(Keyring::parse(padded(MAX_TEXT + 1).as_bytes()), Err(KeyringError::TooLong)));
}
