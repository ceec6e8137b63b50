//! Keyed hashes: they are those that the layout says, and nothing that they cover can be changed without their no longer fitting.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use aes_gcm::aead::{Aead, KeyInit, Payload};
use hftok_core::audit::event::{Event, Kind, Object, Who};
use hftok_core::audit::filter::FilterKey;
use hftok_core::audit::leaf::{Hash, leaf_hash};
use hftok_core::audit::mac::{RunKey, Sealed, key_of, same};
use hftok_core::audit::record::Record;
use hftok_core::canonical::Canonical;
use hftok_core::data_key::{DataKey, DataKeyId, Purpose};
use hftok_core::identity::Identity;
use hftok_core::keyring::Keyring;
use proptest::prelude::*;
use xaes_256_gcm::Xaes256Gcm;

const DATABASE: Identity = [9; 32];

/// A data key with these bytes: there is no way in for them but through a root key.
fn key(id: i32, bytes: [u8; 32], purpose: Purpose) -> Box<DataKey> {
    let ring = Keyring::parse(format!("1:{}", "07".repeat(32)).as_bytes()).unwrap();
    let associated = Canonical::new("hftok:data-key")
        .byte(1)
        .u32(1)
        .u32(id.unsigned_abs())
        .field(purpose.as_str())
        .field("")
        .fixed(&DATABASE)
        .finish();
    let nonce = (*b"ABCDEFGHIJKLMNOPQRSTUVWX").into();
    let sealed =
        Xaes256Gcm::new(&[7; 32].into()).encrypt(&nonce, Payload { msg: &bytes, aad: &associated }).unwrap();
    let wrapped = [&[1, 0, 0, 0, 1][..], &nonce, &sealed].concat();
    let mut place = Box::new(DataKey::EMPTY);
    let id = DataKeyId::new(id).unwrap();
    ring.primary().unwrap().unwrap(&wrapped, id, purpose, "", &DATABASE, &mut place).unwrap();
    place
}

fn numbered() -> Box<DataKey> {
    key(258, std::array::from_fn(|at| u8::try_from(at).unwrap()), Purpose::Audit)
}

const FIRST: Event<'static> = Event {
    at: 817_000_000_123_456,
    kind: Kind::Reveal,
    is_protected: true,
    action: "resolve_hf_token",
    outcome: "used",
    count: 1,
    who: Who {
        role: Some("backend"),
        outer: Some("caller"),
        login: Some("authenticator"),
        user: Some("alice"),
        address: Some("10.0.0.1"),
        application: Some(""),
        request: None,
    },
    object: Object {
        id: Some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
        version: Some(3),
        digest: None,
        scope: Some("user"),
        owner: Some("alice"),
        provider: Some("huggingface"),
        level: Some("user"),
        subject: None,
    },
};
const SECOND: Event<'static> = Event {
    at: -1,
    kind: Kind::Change,
    is_protected: false,
    action: "zoë",
    outcome: "committed",
    count: 7,
    who: Who {
        role: None,
        outer: None,
        login: None,
        user: None,
        address: None,
        application: None,
        request: None,
    },
    object: Object {
        id: None,
        version: None,
        digest: Some(&[1, 2]),
        scope: None,
        owner: None,
        provider: None,
        level: None,
        subject: None,
    },
};

const FILTER_KEY: FilterKey = [7; 16];
const BODY_HASH: Hash = [8; 32];
const BUNDLE: Sealed<'static> = Sealed {
    last: 300,
    count: 44,
    first_at: -1,
    last_at: 5,
    filter_key: &FILTER_KEY,
    filter: &[1, 2, 3],
    body_hash: &BODY_HASH,
};

/// Computed in Python from the layout alone, with its own HMAC.
#[test]
fn the_hashes_are_those_of_the_layout() {
    let key = numbered();
    let key = key.for_audit().unwrap();
    let bytes = "006001010100107265736f6c76655f68665f746f6b656e000475736564000475736572000b68756767696e676661636500047573657200076261636b656e64000663616c6c6572000d61757468656e74696361746f72000831302e302e302e3100000002e70ea2c9f24016000102030405060708090a0b0c0d0e0f0309616c696365";
    assert_eq!(hex::encode(FIRST.encode()), bytes);
    let leaf = leaf_hash(Record::of(&FIRST.encode()).unwrap());
    assert_eq!(hex::encode(leaf), "4340972e0c520a02695ac6f652cd50846be7169bbd2782be9772ddcffbcdf5a8");
    let protection = key.protect(77, &FIRST.encode());
    assert_eq!(
        hex::encode(protection),
        "0000010206da1253f3edebdef96794530e720e03dbd5fbb84bc4c5f52f3d51be7d8978bf"
    );
    let bundle = key.bundle(&BUNDLE);
    assert_eq!(
        hex::encode(bundle),
        "00000102fd9658ae69a554a4a7bd512a7c2fe8b26609ff9ca56c845f3e8190cba2a30f2e"
    );
    for mac in [protection, bundle] {
        assert_eq!(key_of(&mac).map(DataKeyId::get), Some(258));
    }
    assert_eq!(key_of(&[0; 36]), None, "zeroes are nobody's");
}

#[test]
fn names_are_known_by_their_kind_and_by_a_key_that_was_drawn() {
    let mut key = RunKey::EMPTY;
    assert_eq!(key.digest_of_name("user", "name"), None, "zeroes would let anybody find a name");
    key.draw().unwrap();
    let of = |kind, name| key.digest_of_name(kind, name).unwrap();
    assert_eq!(of("user", "name"), of("user", "name"));
    assert_ne!(of("user", "name"), of("org", "name"));
    assert_ne!(of("user", "name"), of("usern", "ame"));
    let mut other = RunKey::EMPTY;
    other.draw().unwrap();
    assert_ne!(other.digest_of_name("user", "name"), key.digest_of_name("user", "name"));
}

#[test]
fn a_key_serves_one_purpose() {
    assert!(key(1, [1; 32], Purpose::Values).for_audit().is_none());
    assert!(key(1, [1; 32], Purpose::Fingerprints).for_audit().is_none());
    assert!(key(1, [1; 32], Purpose::Checkpoints).for_audit().is_none());
    assert!(key(1, [1; 32], Purpose::Audit).for_checkpoints().is_none());
    assert!(key(1, [1; 32], Purpose::Checkpoints).for_checkpoints().is_some());
    assert!(key(1, [1; 32], Purpose::Audit).for_values().is_none());
    assert!(key(1, [1; 32], Purpose::Audit).for_fingerprints().is_none());
}

/// The event with one thing changed, in every way that there is.
fn changed(event: Event<'static>) -> Vec<Event<'static>> {
    let Event { who, object, .. } = event;
    let with_who = |who| Event { who, ..event };
    let with_object = |object| Event { object, ..event };
    let other = Some("other");
    vec![
        Event { at: event.at + 1, ..event },
        Event { kind: Kind::Refusal, ..event },
        Event { is_protected: !event.is_protected, ..event },
        Event { action: "get_secret", ..event },
        Event { outcome: "", ..event },
        Event { count: event.count + 1, ..event },
        with_who(Who { role: other, ..who }),
        with_who(Who { outer: other, ..who }),
        with_who(Who { role: who.outer, outer: who.role, ..who }),
        with_who(Who { login: other, ..who }),
        with_who(Who { user: other, ..who }),
        with_who(Who { address: other, ..who }),
        with_who(Who { application: other, ..who }),
        with_who(Who { request: other, ..who }),
        with_who(Who { request: Some(""), ..who }),
        with_who(Who { application: None, request: Some("r"), ..who }),
        with_object(Object { id: Some([9; 16]), ..object }),
        with_object(Object { id: None, ..object }),
        with_object(Object { version: Some(4), ..object }),
        with_object(Object { version: None, ..object }),
        with_object(Object { digest: Some(&[]), ..object }),
        with_object(Object { scope: other, ..object }),
        with_object(Object { owner: other, ..object }),
        with_object(Object { provider: other, ..object }),
        with_object(Object { level: other, ..object }),
        with_object(Object { subject: other, ..object }),
        // Characters move from one field to the next.
        with_object(Object { scope: Some("usera"), owner: Some("lice"), ..object }),
        with_object(Object { scope: None, owner: Some("useralice"), ..object }),
    ]
}

#[test]
fn any_change_of_an_event_changes_its_leaf() {
    let leaf = |event: &Event<'_>| leaf_hash(Record::of(&event.encode()).unwrap());
    let mut leaves = vec![leaf(&FIRST)];
    leaves.extend(changed(FIRST).iter().map(leaf));
    let all = leaves.len();
    leaves.sort_unstable();
    leaves.dedup();
    assert_eq!(leaves.len(), all);
}

#[test]
fn every_column_of_a_bundle_is_under_its_hash() {
    let key = numbered();
    let mac = |bundle: Sealed<'_>| key.for_audit().unwrap().bundle(&bundle);
    let mut macs = vec![
        mac(BUNDLE),
        mac(Sealed { last: 301, ..BUNDLE }),
        mac(Sealed { count: 45, ..BUNDLE }),
        mac(Sealed { first_at: 0, ..BUNDLE }),
        mac(Sealed { last_at: 6, ..BUNDLE }),
        mac(Sealed { first_at: 5, last_at: -1, ..BUNDLE }),
        mac(Sealed { filter_key: &[6; 16], ..BUNDLE }),
        mac(Sealed { filter: &[1, 2], ..BUNDLE }),
        mac(Sealed { filter: &[], ..BUNDLE }),
        mac(Sealed { body_hash: &[9; 32], ..BUNDLE }),
    ];
    let all = macs.len();
    macs.sort_unstable();
    macs.dedup();
    assert_eq!(macs.len(), all);
}

proptest! {
    #[test]
    fn another_key_makes_other_hashes(id in 1..i32::MAX, bytes in any::<[u8; 32]>(), bit in 0..36_usize * 8) {
        let own = numbered();
        let mac = own.for_audit().unwrap().bundle(&BUNDLE);
        prop_assert!(same(&mac, &own.for_audit().unwrap().bundle(&BUNDLE)));
        let other = key(id, bytes, Purpose::Audit);
        prop_assert!(!same(&mac, &other.for_audit().unwrap().bundle(&BUNDLE)));
        // Also one that goes by the same number.
        let twin = key(258, bytes, Purpose::Audit);
        prop_assert!(!same(&mac, &twin.for_audit().unwrap().bundle(&BUNDLE)));
        let mut flipped = mac;
        flipped[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!same(&mac, &flipped));
    }

    #[test]
    fn what_waits_is_protected_for_its_transaction_only(one in any::<u64>(), other in any::<u64>()) {
        let key = numbered();
        let key = key.for_audit().unwrap();
        let bytes = FIRST.encode();
        let protection = key.protect(one, &bytes);
        prop_assert_eq!(one == other, same(&protection, &key.protect(other, &bytes)));
        prop_assert!(!same(&protection, &key.protect(one, &SECOND.encode())));
    }

    #[test]
    fn nothing_made_in_one_database_fits_in_another(other in any::<Identity>()) {
        prop_assume!(other != DATABASE);
        let key = numbered();
        let here = || key.for_audit().unwrap();
        let there = || here().under(other);
        prop_assert_eq!(here().database(), DATABASE);
        prop_assert!(!same(&here().bundle(&BUNDLE), &there().bundle(&BUNDLE)));
        prop_assert!(!same(&here().protect(1, &FIRST.encode()), &there().protect(1, &FIRST.encode())));
        prop_assert!(same(&here().bundle(&BUNDLE), &there().under(DATABASE).bundle(&BUNDLE)));
    }
}
