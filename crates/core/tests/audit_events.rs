//! Events as bytes: what is read is what was written, two different events never look alike, and nothing makes reading panic.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use hftok_core::audit::event::{Alike, Event, Kind, MAX_DIGEST, MAX_TEXT, Object, Who, digest_of};
use hftok_core::audit::record::{Record, Scratch};
use hftok_core::audit::usage::Usage;
use proptest::prelude::*;

/// An event with texts of its own, so that it can be drawn.
#[derive(Debug, Clone, PartialEq)]
struct Drawn {
    numbers: (i64, i64),
    kind: Kind,
    is_protected: bool,
    words: [String; 2],
    id: Option<[u8; 16]>,
    version: Option<i32>,
    digest: Option<Vec<u8>>,
    texts: [Option<String>; 12],
}

impl Drawn {
    fn event(&self) -> Event<'_> {
        let [scope, owner, provider, level, subject, role, outer, login, user, address, application, request] =
            self.texts.each_ref().map(Option::as_deref);
        Event {
            at: self.numbers.0,
            kind: self.kind,
            is_protected: self.is_protected,
            action: &self.words[0],
            outcome: &self.words[1],
            count: self.numbers.1,
            who: Who { role, outer, login, user, address, application, request },
            object: Object {
                id: self.id,
                version: self.version,
                digest: self.digest.as_deref(),
                scope,
                owner,
                provider,
                level,
                subject,
            },
        }
    }
}

const KINDS: [Kind; 5] = [Kind::Reveal, Kind::Change, Kind::Refusal, Kind::Key, Kind::Audit];

/// Few letters, so that texts that were cut elsewhere are often drawn.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        "[ab]{0,3}",
        any::<String>(),
        Just(String::new()),
        // Texts that have a form of their own, and texts that nearly have one.
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "[0-9A-F]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "[0-9a-f]{31,33}",
        "[0-9a-f-]{36}",
        "role:[ab]{0,1}",
        "[ab]{240,260}",
    ]
    .boxed()
}

prop_compose! {
    fn drawn()(
        numbers in any::<(i64, i64)>(),
        kind in proptest::sample::select(&KINDS),
        is_protected in any::<bool>(),
        words in [text(), text()],
        id in any::<Option<[u8; 16]>>(),
        version in any::<Option<i32>>(),
        digest in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..64)),
        texts in proptest::array::uniform12(proptest::option::of(text())),
    ) -> Drawn {
        Drawn { numbers, kind, is_protected, words, id, version, digest, texts }
    }
}

proptest! {
    #[test]
    fn what_is_read_is_what_was_written(drawn in drawn()) {
        let bytes = drawn.event().encode();
        let mut scratch = Scratch::default();
        prop_assert_eq!(Event::decode(&bytes, &mut scratch), Some(drawn.event()));
    }

    /// Bytes that are an event are that event's only ones, so two different events have different bytes.
    #[test]
    fn an_event_has_one_form(drawn in drawn(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = drawn.event().encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Some(event) = Event::decode(&bytes, &mut Scratch::default()) {
            prop_assert_eq!(event.encode(), bytes);
        }
    }

    #[test]
    fn moved_boundaries_make_another_event(left in "[ab]{0,4}", right in "[ab]{0,4}", cut in 0..9_usize, field in 0..11_usize) {
        let mut one = Drawn {
            numbers: (0, 1), kind: Kind::Reveal, is_protected: true, words: [String::new(), String::new()], id: None, version: None, digest: None,
            texts: Default::default(),
        };
        let mut other = one.clone();
        let both = format!("{left}{right}");
        let cut = cut.min(both.len());
        (one.texts[field], one.texts[field + 1]) = (Some(left), Some(right));
        (other.texts[field], other.texts[field + 1]) = (Some(both[..cut].to_owned()), Some(both[cut..].to_owned()));
        prop_assert_eq!(one == other, one.event().encode() == other.event().encode());
    }

    #[test]
    fn events_are_alike_that_differ_in_time_id_and_version_alone(one in drawn(), other in drawn(), field in 0..18_usize) {
        let mut changed = Drawn { numbers: (other.numbers.0, one.numbers.1), id: other.id, version: other.version, ..one.clone() };
        match field {
            0..=11 => changed.texts[field] = other.texts[field].clone(),
            12 | 13 => changed.words[field - 12] = other.words[field - 12].clone(),
            14 => changed.kind = other.kind,
            15 => changed.is_protected = other.is_protected,
            16 => changed.numbers.1 = other.numbers.1,
            _ => changed.digest = other.digest,
        }
        let bare = |drawn: &Drawn| {
            let event = drawn.event();
            Event { at: 0, object: Object { id: None, version: None, ..event.object }, ..event }.encode()
        };
        prop_assert_eq!(Alike::of(&one.event()).is_like(&changed.event()), bare(&one) == bare(&changed));
    }

    #[test]
    fn absent_is_not_empty(drawn in drawn(), field in 0..12_usize) {
        let (mut absent, mut empty) = (drawn.clone(), drawn);
        absent.texts[field] = None;
        empty.texts[field] = Some(String::new());
        prop_assert_ne!(absent.event().encode(), empty.event().encode());
        (absent.digest, empty.digest) = (None, Some(Vec::new()));
        empty.texts[field] = None;
        prop_assert_ne!(absent.event().encode(), empty.event().encode());
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Event::decode(&bytes, &mut Scratch::default());
        let _ = Usage::decode(&bytes);
    }

    #[test]
    fn what_is_cut_short_or_too_long_is_no_event(drawn in drawn(), more in any::<u8>()) {
        let bytes = drawn.event().encode();
        for end in 0..bytes.len() {
            prop_assert!(Event::decode(&bytes[..end], &mut Scratch::default()).is_none());
        }
        prop_assert!(Event::decode(&[bytes.as_slice(), &[more]].concat(), &mut Scratch::default()).is_none());
    }

    #[test]
    fn a_long_text_is_cut_at_a_letter(letter in any::<char>(), before in 0..4_usize, count in 1000..5000_usize) {
        let long = "x".repeat(before) + &letter.to_string().repeat(count);
        let mut drawn = Drawn {
            numbers: (0, 1), kind: Kind::Change, is_protected: true, words: ["a".into(), "b".into()], id: None, version: None, digest: None,
            texts: Default::default(),
        };
        drawn.texts[3] = Some(long.clone());
        let bytes = drawn.event().encode();
        let mut scratch = Scratch::default();
        let read = Event::decode(&bytes, &mut scratch).unwrap().object.level.unwrap();
        prop_assert!(long.starts_with(read) && read.len() <= MAX_TEXT);
        prop_assert!(read == long || read.len() + letter.len_utf8() > MAX_TEXT, "no more is cut than must be");
    }

    #[test]
    fn usage_is_read_as_it_was_written(
        numbers in any::<(i64, i64, i64)>(), secret_id in any::<[u8; 16]>(), cost in any::<String>(), currency in any::<String>(),
    ) {
        let (at, requests, units) = numbers;
        let usage = Usage {
            at,
            secret_id,
            scope: "user",
            owner: &currency,
            provider: &cost,
            requests,
            units,
            cost: &cost,
            currency: &currency,
        };
        let bytes = usage.encode();
        prop_assert_eq!(Usage::decode(&bytes), Some(usage));
        prop_assert_eq!(Usage::decode(&bytes[..bytes.len() - 1]), None);
        prop_assert!(Usage::decode(&[bytes.as_slice(), &[0]].concat()).is_none());
    }

    #[test]
    fn a_digest_does_not_depend_on_the_order(mut ids in proptest::collection::vec(any::<[u8; 16]>(), 0..20), other in any::<[u8; 16]>()) {
        let digest = digest_of(&mut ids.clone());
        ids.reverse();
        prop_assert_eq!(digest, digest_of(&mut ids.clone()));
        ids.push(other);
        prop_assert_ne!(digest, digest_of(&mut ids));
    }
}

/// The event of most calls: a token of a user is handed out to a backend.
fn usual<'a>(owner: &'a str, request: Option<&'a str>) -> Event<'a> {
    Event {
        at: 850_000_000_000_000,
        kind: Kind::Reveal,
        is_protected: true,
        action: "resolve_hf_token",
        outcome: "used",
        count: 1,
        who: Who {
            role: Some("hftok_service"),
            outer: Some("backend"),
            login: Some("backend"),
            user: Some(owner),
            address: Some("10.0.0.7"),
            application: Some("edge"),
            request,
        },
        object: Object {
            id: Some([7; 16]),
            version: Some(1),
            digest: None,
            scope: Some("user"),
            owner: Some(owner),
            provider: Some("huggingface"),
            level: Some("user"),
            subject: None,
        },
    }
}

#[test]
fn the_own_part_of_most_events_is_short() {
    let own = |event: Event<'_>| Record::of(&event.encode()).unwrap().own.len();
    assert_eq!(own(usual("user-1234", None)), 36);
    assert_eq!(own(usual("0a1b2c3d-0000-4000-8000-0123456789ab", None)), 43);
    assert_eq!(own(usual("user-1234", Some("0a1b2c3d-0000-4000-8000-0123456789ab"))), 53);
}

#[test]
fn an_actor_without_a_user_is_its_role() {
    let event = Event {
        who: Who { user: Some("role:hftok_service"), ..usual("", None).who },
        ..usual("user-1", None)
    };
    let bytes = event.encode();
    assert_eq!(Event::decode(&bytes, &mut Scratch::default()), Some(event));
    assert!(Record::of(&bytes).unwrap().own.len() < 36);
}

/// A table can hold more than a record. Such a row must not be hashed like another one.
#[test]
fn what_no_record_can_hold_does_not_fit() {
    let long = "x".repeat(MAX_TEXT + 1);
    let digest = [0; MAX_DIGEST + 1];
    let event = usual("user-1", None);
    assert!(event.fits());
    let texts = [
        Event { action: &long, ..event },
        Event { who: Who { request: Some(&long), ..event.who }, ..event },
        Event { object: Object { owner: Some(&long), ..event.object }, ..event },
        Event { object: Object { digest: Some(&digest), ..event.object }, ..event },
    ];
    assert!(texts.iter().all(|event| !event.fits()));
}

#[test]
fn kinds_are_read_as_they_are_written() {
    for kind in KINDS {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
    }
    for word in ["", "Reveal", "reveals", "0"] {
        assert_eq!(Kind::parse(word), None);
    }
}
