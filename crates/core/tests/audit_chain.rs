//! The chain: the hashes are those that the layout says, and nothing can be changed, moved or left out without their no longer
//! fitting.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use aes_gcm::aead::{Aead, KeyInit, Payload};
use hftok_core::audit::chain::{Head, Link, RunKey, START, key_of, same};
use hftok_core::audit::event::{Event, Kind, Object, Who};
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
        .fixed(&DATABASE)
        .finish();
    let nonce = (*b"ABCDEFGHIJKLMNOPQRSTUVWX").into();
    let sealed =
        Xaes256Gcm::new(&[7; 32].into()).encrypt(&nonce, Payload { msg: &bytes, aad: &associated }).unwrap();
    let wrapped = [&[1, 0, 0, 0, 1][..], &nonce, &sealed].concat();
    let mut place = Box::new(DataKey::EMPTY);
    let id = DataKeyId::new(id).unwrap();
    ring.primary().unwrap().unwrap(&wrapped, id, purpose, &DATABASE, &mut place).unwrap();
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

/// Computed in Python from the layout alone, with its own HMAC.
#[test]
fn the_hashes_are_those_of_the_layout() {
    let key = numbered();
    let key = key.for_audit().unwrap();
    let bytes = "0002e70ea2c9f240010100000000000000010010000102030405060708090a0b0c0d0e0f000400000003ffff0010726573\
        6f6c76655f68665f746f6b656e0004757365640004757365720005616c696365000b68756767696e676661636500047573\
        6572ffff00076261636b656e64000663616c6c6572000d61757468656e74696361746f720005616c696365000831302e30\
        2e302e310000ffff";
    assert_eq!(hex::encode(FIRST.encode()), bytes);
    let one = key.link(&START, 1, &FIRST);
    assert_eq!(hex::encode(one), "000001028d4bdec3a5cc61b64d2a8486d28d49208ea99c9e1f6d4f01faabd87f22171feb");
    let two = key.link(&one, 2, &SECOND);
    assert_eq!(hex::encode(two), "00000102c8856e8ac915de110d28b8967a9b5988ae2a6a9b3e1222ef72b60dbacd3c08e5");
    let protection = key.protect(77, &FIRST.encode());
    assert_eq!(
        hex::encode(protection),
        "00000102332e5d6bb8dd45de17c2b87efcdcc435feb4b78aa855264399d58f07b1b7fc6d"
    );
    let stub = key.stub(2, &two);
    assert_eq!(hex::encode(stub), "000001024d00237cc30ffb23e78f9c2cb7c010864570123f31435906fe23e463d001618f");
    for link in [one, two, protection, stub] {
        assert_eq!(key_of(&link).map(DataKeyId::get), Some(258));
    }
    assert_eq!(key_of(&START), None, "the start is nobody's");
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
fn only_a_key_for_the_audit_makes_links() {
    assert!(key(1, [1; 32], Purpose::Values).for_audit().is_none());
    assert!(key(1, [1; 32], Purpose::Fingerprints).for_audit().is_none());
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
fn any_change_of_an_event_changes_its_link() {
    let key = numbered();
    let key = key.for_audit().unwrap();
    let mut links = vec![key.link(&START, 1, &FIRST)];
    links.extend(changed(FIRST).iter().map(|event| key.link(&START, 1, event)));
    let all = links.len();
    links.sort_unstable();
    links.dedup();
    assert_eq!(links.len(), all);
}

proptest! {
    #[test]
    fn number_and_predecessor_are_part_of_it(number in any::<i64>(), other in any::<i64>(), bit in 0..36_usize * 8) {
        let key = numbered();
        let key = key.for_audit().unwrap();
        let link = key.link(&START, number, &FIRST);
        prop_assert!(same(&link, &key.link(&START, number, &FIRST)));
        prop_assert_eq!(number == other, same(&link, &key.link(&START, other, &FIRST)));
        let mut before = START;
        before[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!same(&link, &key.link(&before, number, &FIRST)));
        let mut flipped = link;
        flipped[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!same(&link, &flipped));
    }

    #[test]
    fn another_key_makes_other_links(id in 1..i32::MAX, bytes in any::<[u8; 32]>()) {
        let own = numbered();
        let other = key(id, bytes, Purpose::Audit);
        let link = own.for_audit().unwrap().link(&START, 1, &FIRST);
        prop_assert!(!same(&link, &other.for_audit().unwrap().link(&START, 1, &FIRST)));
        // Also one that goes by the same number.
        let twin = key(258, bytes, Purpose::Audit);
        prop_assert!(!same(&link, &twin.for_audit().unwrap().link(&START, 1, &FIRST)));
    }

    #[test]
    fn what_waits_is_protected_for_its_transaction_only(one in any::<u64>(), other in any::<u64>()) {
        let key = numbered();
        let key = key.for_audit().unwrap();
        let bytes = FIRST.encode();
        let protection = key.protect(one, &bytes);
        prop_assert_eq!(one == other, same(&protection, &key.protect(other, &bytes)));
        prop_assert!(!same(&protection, &key.protect(one, &SECOND.encode())));
        let number = i64::from_be_bytes(one.to_be_bytes());
        prop_assert!(!same(&protection, &key.link(&START, number, &FIRST)));
        prop_assert!(!same(&key.stub(number, &protection), &key.link(&protection, number, &FIRST)));
    }

    #[test]
    fn nothing_made_in_one_database_fits_in_another(other in any::<Identity>(), number in any::<i64>()) {
        prop_assume!(other != DATABASE);
        let key = numbered();
        let here = || key.for_audit().unwrap();
        let there = || here().under(other);
        prop_assert_eq!(here().database(), DATABASE);
        prop_assert!(!same(&here().link(&START, number, &FIRST), &there().link(&START, number, &FIRST)));
        prop_assert!(!same(&here().stub(number, &START), &there().stub(number, &START)));
        prop_assert!(!same(&here().protect(1, &FIRST.encode()), &there().protect(1, &FIRST.encode())));
        prop_assert!(same(&here().stub(number, &START), &there().under(DATABASE).stub(number, &START)));
    }

    #[test]
    fn a_head_is_read_as_it_was_written(number in 0..i64::MAX, half in any::<[u8; 32]>(), id in any::<[u8; 4]>()) {
        let link: Link = [&id[..], &half].concat().try_into().unwrap();
        let head = Head { number, link };
        let text = head.to_string();
        prop_assert_eq!(Head::parse(&text), Some(head));
        prop_assert_eq!(Head::parse(&format!(" {text}\n")), Some(head), "as it is copied");
        for end in 0..text.len() {
            prop_assert_eq!(Head::parse(&text[..end]), None);
        }
    }

    #[test]
    fn no_text_makes_reading_a_head_panic(text in any::<String>()) {
        let _ = Head::parse(&text);
        let _ = Head::parse(&format!("hftok-audit-1:{text}"));
        let _ = Head::parse(&format!("hftok-audit-1:1:{text}"));
    }
}

#[test]
fn what_is_no_head_is_not_taken_for_one() {
    let link = "00".repeat(36);
    assert!(Head::parse(&format!("hftok-audit-1:0:{link}")).is_some());
    for text in [
        String::new(),
        format!("hftok-audit-2:1:{link}"),
        format!("hftok-audit-1:-1:{link}"),
        format!("hftok-audit-1::{link}"),
        format!("hftok-audit-1:1:{link}00"),
        format!("hftok-audit-1:1:{}", &link[2..]),
        format!("hftok-audit-1:1:{}zz", &link[2..]),
        format!("hftok-audit-1:9223372036854775808:{link}"),
        format!("hftok-audit-1:1:1:{link}"),
        format!("HFTOK-AUDIT-1:1:{link}"),
        "hftok-audit-1:1".to_owned(),
    ] {
        assert_eq!(Head::parse(&text), None, "{text}");
    }
}
