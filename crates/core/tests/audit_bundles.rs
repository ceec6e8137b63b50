//! Bundles: what was packed is unpacked, each leaf is hashed as if it stood alone, a filter denies nothing that is there, and no bytes make
//! reading panic.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

use hftok_core::audit::bundle::{Events, FullTile, MAX, Packed, Packer};
use hftok_core::audit::event::{Event, Kind, Object, Who};
use hftok_core::audit::filter::{Key, may_hold};
use hftok_core::audit::leaf::{leaf_data, leaf_hash, record_of};
use hftok_core::audit::record::{Record, Scratch};
use hftok_core::audit::tree::Frontier;
use hftok_core::audit::wanted::{Sieve, Wanted};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// A drawn event: few owners, roles and actions, so that shapes repeat.
#[derive(Debug, Clone, PartialEq)]
struct Drawn {
    at: i64,
    count: i64,
    id: Option<[u8; 16]>,
    action: String,
    texts: [Option<String>; 5],
    is_refusal: bool,
}

impl Drawn {
    fn event(&self) -> Event<'_> {
        let [owner, user, subject, role, request] = self.texts.each_ref().map(Option::as_deref);
        Event {
            at: self.at,
            kind: if self.is_refusal { Kind::Refusal } else { Kind::Reveal },
            is_protected: true,
            action: &self.action,
            outcome: "used",
            count: self.count,
            who: Who { role, user, request, ..Who::default() },
            object: Object { id: self.id, owner, subject, ..Object::default() },
        }
    }
}

fn text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(prop_oneof!["[a-c]{1,2}", "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "role:[a-c]"])
}

prop_compose! {
    fn drawn()(
        at in any::<i64>(), count in any::<i64>(), id in any::<Option<[u8; 16]>>(), action in "[a-c]",
        texts in proptest::array::uniform5(text()), is_refusal in any::<bool>(),
    ) -> Drawn {
        Drawn { at, count, id, action, texts, is_refusal }
    }
}

fn some() -> impl Strategy<Value = Vec<Drawn>> {
    proptest::collection::vec(drawn(), 1..40)
}

/// Packs records, and looks at each hash on the way.
fn pack(records: &[Vec<u8>]) -> Packed {
    let mut packer = Packer::new([9; 16]);
    for bytes in records {
        let record = Record::of(bytes).unwrap();
        assert_eq!(packer.push(record), Some(leaf_hash(record)));
    }
    packer.finish()
}

fn encoded(events: &[Drawn]) -> Vec<Vec<u8>> {
    events.iter().map(|drawn| drawn.event().encode()).collect()
}

proptest! {
    #[test]
    fn what_is_unpacked_was_packed(drawn in some()) {
        let records = encoded(&drawn);
        let packed = pack(&records);
        prop_assert_eq!(packed.count, drawn.len());
        prop_assert_eq!(packed.first_at, drawn.iter().map(|drawn| drawn.at).min().unwrap());
        prop_assert_eq!(packed.last_at, drawn.iter().map(|drawn| drawn.at).max().unwrap());
        let mut events = Events::of(&packed.body).unwrap();
        for (drawn, bytes) in drawn.iter().zip(&records) {
            let entry = events.next().unwrap();
            prop_assert_eq!(events.leaf(&entry), leaf_hash(Record::of(bytes).unwrap()));
            let mut scratch = Scratch::default();
            prop_assert_eq!(Event::of(entry.record, &mut scratch), Some(drawn.event()));
        }
        prop_assert!(events.next().is_none() && events.is_done());
    }

    /// A leaf is hashed as RFC 6962 says, and says by itself what happened.
    #[test]
    fn a_leaf_stands_alone(drawn in drawn()) {
        let bytes = drawn.event().encode();
        let record = Record::of(&bytes).unwrap();
        let leaf = leaf_data(record);
        let hash: [u8; 32] = Sha256::new().chain_update([0]).chain_update(&leaf).finalize().into();
        prop_assert_eq!(leaf_hash(record), hash);
        prop_assert_eq!(record_of(&leaf), Some(record));
        prop_assert_eq!((1 + leaf.len() - record.own.len()) % 64, 0);
    }

    #[test]
    fn a_filter_denies_nothing_that_is_there(drawn in some()) {
        let packed = pack(&encoded(&drawn));
        let holds = |key: Key<'_>| may_hold(&packed.filter, key.hash(&packed.filter_key));
        for drawn in &drawn {
            let event = drawn.event();
            for who in [event.object.owner, event.who.user, event.object.subject].into_iter().flatten() {
                prop_assert!(holds(Key::Who(who)), "{who}");
            }
            prop_assert!(event.who.role.is_none_or(|role| holds(Key::Role(role))));
            prop_assert!(event.object.id.is_none_or(|id| holds(Key::Object(&id))));
            prop_assert!(event.object.used().is_none_or(|id| holds(Key::Object(&id))));
            prop_assert!(holds(Key::Kind(event.kind.as_str())));
        }
    }

    /// An event is let through exactly if what it says fits each condition.
    #[test]
    fn a_sieve_answers_as_the_event_does(
        drawn in some(), kind in proptest::option::of("reveal|refusal|nothing"), who in text(), role in proptest::option::of("[a-c]{1,2}"),
        at in any::<proptest::sample::Index>(), asks_object in any::<bool>(),
    ) {
        let packed = pack(&encoded(&drawn));
        let object = drawn[at.index(drawn.len())].event().object.used().filter(|_| asks_object);
        let theirs = drawn[at.index(drawn.len())].event().who.user.map(str::to_owned);
        // A name that was drawn by itself is seldom there, so that of an event is looked for too.
        for who in [who.as_deref(), theirs.as_deref()] {
            let wanted = Wanted { kind: kind.as_deref(), who, object, role: role.as_deref() };
            let mut events = Events::of(&packed.body).unwrap();
            let sieve = Sieve::new(&wanted, &events);
            for (drawn, entry) in drawn.iter().zip(events.by_ref()) {
                let Event { kind, object, who, .. } = drawn.event();
                let fits = wanted.kind.is_none_or(|wanted| kind.as_str() == wanted)
                    && wanted.who.is_none_or(|name| [object.owner, who.user, object.subject].contains(&Some(name)))
                    && wanted.object.is_none_or(|id| object.id == Some(id) || object.used() == Some(id))
                    && wanted.role.is_none_or(|role| [who.role, who.outer, who.login].contains(&Some(role)));
                prop_assert_eq!(sieve.lets_through(&entry), fits);
                prop_assert!(!(fits && sieve.is_empty()));
            }
        }
    }

    /// Every byte of a body counts.
    #[test]
    fn a_changed_byte_is_another_leaf_or_no_body(drawn in proptest::collection::vec(drawn(), 1..4), change in 1..=u8::MAX) {
        let packed = pack(&encoded(&drawn));
        let leaves = |body: &[u8]| {
            let mut events = Events::of(body)?;
            let mut leaves = Vec::new();
            while let Some(entry) = events.next() {
                leaves.push(events.leaf(&entry));
            }
            events.is_done().then_some(leaves)
        };
        let right = leaves(&packed.body);
        prop_assert!(right.is_some());
        for at in 0..packed.body.len() {
            let mut body = packed.body.clone();
            body[at] ^= change;
            let found = leaves(&body);
            prop_assert_ne!(&found, &right, "byte {}", at);
        }
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut body = vec![1, 1];
        body.extend_from_slice(&bytes);
        for body in [&bytes, &body] {
            let Some(mut events) = Events::of(body) else { continue };
            while let Some(entry) = events.next() {
                events.leaf(&entry);
                Event::of(entry.record, &mut Scratch::default());
            }
        }
        record_of(&bytes);
    }
}

/// The events of a busy service: `count` tokens of as many users.
fn busy(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| {
            let owner = format!("user-{number:04}");
            let mut id = [0xa5; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            let who = Who {
                role: Some("hftok_service"),
                outer: Some("backend"),
                login: Some("backend"),
                user: Some(&owner),
                address: Some("10.0.0.7"),
                application: Some("edge"),
                request: None,
            };
            let object = Object {
                id: Some(id),
                version: Some(1),
                scope: Some("user"),
                owner: Some(&owner),
                provider: Some("huggingface"),
                level: Some("user"),
                ..Object::default()
            };
            let at = 850_000_000_000_000 + i64::try_from(number).unwrap();
            let event = Event {
                at,
                kind: Kind::Reveal,
                is_protected: true,
                action: "resolve_hf_token",
                outcome: "used",
                count: 1,
                who,
                object,
            };
            event.encode()
        })
        .collect()
}

#[test]
fn a_full_bundle_is_a_tile_with_its_root() {
    for (count, is_full) in [(255, false), (256, true)] {
        let records = busy(count);
        let packed = pack(&records);
        let tile = FullTile::of(&packed.body);
        assert_eq!(tile.is_some(), is_full, "{count} events");
        let Some(tile) = tile else { continue };
        let mut leaves = Frontier::default();
        for bytes in &records {
            leaves.push(leaf_hash(Record::of(bytes).unwrap()), |_, _| {});
        }
        assert_eq!((tile.root, tile.unprotected), (leaves.root(), 0));
        assert_eq!(FullTile::decode(&tile.encode()), Some(tile));
        let longer = [&packed.body[..], &[0]].concat();
        assert_eq!(FullTile::of(&longer), None, "something follows the events");
        assert_eq!(FullTile::of(&packed.body[..packed.body.len() - 1]), None, "the last event is cut");
    }
    assert_eq!(FullTile::of(&[]), None);
    assert_eq!((FullTile::decode(&[]), FullTile::decode(&[0; 33])), (None, None));
}

#[test]
fn a_full_bundle_is_small() {
    let packed = pack(&busy(MAX));
    let bytes = packed.body.len() + packed.filter.len();
    assert!(bytes <= 42 * MAX, "{bytes} bytes for {MAX} events");
}

#[test]
fn a_filter_is_seldom_wrong() {
    let packed = pack(&busy(MAX));
    let wrong = (0..10_000)
        .filter(|number| {
            may_hold(&packed.filter, Key::Who(&format!("stranger-{number}")).hash(&packed.filter_key))
        })
        .count();
    assert!(wrong < 100, "{wrong} of 10000");
}

/// `cargo test --release -p hftok-core --test audit_bundles -- --ignored --nocapture`
#[test]
#[ignore = "prints figures"]
fn figures() {
    let records = busy(MAX);
    let rounds = 400;
    let timed = |name: &str, work: &mut dyn FnMut()| {
        let begun = std::time::Instant::now();
        for _ in 0..rounds {
            work();
        }
        println!("{name}: {:.0} ns an event", begun.elapsed().as_secs_f64() * 1e9 / (rounds * MAX) as f64);
    };
    timed("pack", &mut || drop(std::hint::black_box(pack(&records))));
    let body = pack(&records).body;
    timed("leaves", &mut || {
        let mut events = Events::of(&body).unwrap();
        while let Some(entry) = events.next() {
            std::hint::black_box(events.leaf(&entry));
        }
    });
    timed("unpack", &mut || {
        let mut events = Events::of(&body).unwrap();
        let mut scratch = Scratch::default();
        for entry in events.by_ref() {
            std::hint::black_box(Event::of(entry.record, &mut scratch));
        }
    });
}
