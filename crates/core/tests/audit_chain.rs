//! The chain: the hashes are those that the layout says, and nothing can be changed, moved or left out without their no longer
//! fitting.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use aes_gcm::aead::{Aead, KeyInit, Payload};
use hftok_core::audit::chain::{Head, Link, START, key_of, same};
use hftok_core::audit::event::{Event, Kind, Object, Who};
use hftok_core::canonical::Canonical;
use hftok_core::data_key::{DataKey, DataKeyId, Purpose};
use hftok_core::keyring::Keyring;
use proptest::prelude::*;
use xaes_256_gcm::Xaes256Gcm;

/// A data key with these bytes: there is no way in for them but through a root key.
fn key(id: i32, bytes: [u8; 32], purpose: Purpose) -> Box<DataKey> {
    let ring = Keyring::parse(format!("1:{}", "07".repeat(32)).as_bytes()).unwrap();
    let associated = Canonical::new("hftok:data-key")
        .byte(1)
        .u32(1)
        .u32(id.unsigned_abs())
        .field(purpose.as_str())
        .finish();
    let nonce = (*b"ABCDEFGHIJKLMNOPQRSTUVWX").into();
    let sealed =
        Xaes256Gcm::new(&[7; 32].into()).encrypt(&nonce, Payload { msg: &bytes, aad: &associated }).unwrap();
    let wrapped = [&[1, 0, 0, 0, 1][..], &nonce, &sealed].concat();
    let mut place = Box::new(DataKey::EMPTY);
    ring.primary().unwrap().unwrap(&wrapped, DataKeyId::new(id).unwrap(), purpose, &mut place).unwrap();
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
    assert_eq!(hex::encode(one), "00000102b9caa2a66dddf5c87a402bc68c779cb39685fb5c7268c6af27ecac3fb97b624c");
    let two = key.link(&one, 2, &SECOND);
    assert_eq!(hex::encode(two), "00000102d4210b7dda18a31a2dcec9721ec31cc92086dd6bc19facc4b0372cc7f1e20540");
    let protection = key.protect(77, &FIRST.encode());
    assert_eq!(
        hex::encode(protection),
        "00000102bb02abf3e2e54ba4c4c4abf62e6233d7ed939aea842b3504053a308232501564"
    );
    let stub = key.stub(2, &two);
    assert_eq!(hex::encode(stub), "000001028a59cfb4215858149d7b3c9e6ab90f952d1f67f130bb68de610c48f11b2b81c3");
    for link in [one, two, protection, stub] {
        assert_eq!(key_of(&link).map(DataKeyId::get), Some(258));
    }
    assert_eq!(key_of(&START), None, "the start is nobody's");
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
        // What one field loses another one wins.
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
    fn what_waits_is_protected_for_its_transaction_only(one in any::<u32>(), other in any::<u32>()) {
        let key = numbered();
        let key = key.for_audit().unwrap();
        let bytes = FIRST.encode();
        let protection = key.protect(one, &bytes);
        prop_assert_eq!(one == other, same(&protection, &key.protect(other, &bytes)));
        prop_assert!(!same(&protection, &key.protect(one, &SECOND.encode())));
        prop_assert!(!same(&protection, &key.link(&START, one.into(), &FIRST)));
        prop_assert!(!same(&key.stub(one.into(), &protection), &key.link(&protection, one.into(), &FIRST)));
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
