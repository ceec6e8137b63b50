//! Sums of reveals are those that somebody gets who decodes each event, in whatever little memory, and no bytes make adding panic.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::convert::Infallible;

use hftok_core::audit::bundle::{MAX, Packer};
use hftok_core::audit::event::{Event, Kind, Object, Who};
use hftok_core::audit::record::Record;
use hftok_core::audit::tally::{By, Reveals, Tally};
use proptest::prelude::*;
use proptest::sample::Index;

/// A drawn event of a few people.
#[derive(Debug, Clone)]
struct Drawn {
    at: i64,
    count: i64,
    id: Option<[u8; 16]>,
    kind: Kind,
    outcome: &'static str,
    is_protected: bool,
    texts: [Option<String>; 7],
}

impl Drawn {
    fn event(&self) -> Event<'_> {
        let [owner, user, role, application, scope, provider, address] =
            self.texts.each_ref().map(Option::as_deref);
        Event {
            at: self.at,
            kind: self.kind,
            is_protected: self.is_protected,
            action: "resolve_token",
            outcome: self.outcome,
            count: self.count,
            who: Who { role, user, application, address, ..Who::default() },
            object: Object { id: self.id, owner, scope, provider, ..Object::default() },
        }
    }
}

fn text() -> impl Strategy<Value = Option<String>> {
    let uuid = "(01|ab){2}(ab){2}-abab-abab-abab-(ab){6}";
    proptest::option::of(prop_oneof!["[a-c]{0,2}", uuid, "(cd){16}", "role:[a-c]", "[a-b]{260}"])
}

prop_compose! {
    fn drawn()(
        at in -5_i64..5, count in 1_i64..4, id in proptest::option::of(prop_oneof![Just([1; 16]), Just([2; 16])]),
        kind in prop_oneof![4 => Just(Kind::Reveal), 1 => Just(Kind::Refusal)],
        outcome in prop_oneof![4 => Just("used"), 1 => Just("many_follow")], is_protected in any::<bool>(),
        texts in proptest::array::uniform7(text()),
    ) -> Drawn {
        Drawn { at, count, id, kind, outcome, is_protected, texts }
    }
}

/// Everything that a sum has but its numbers, as text.
fn name(reveals: &Reveals<'_>) -> String {
    format!("{:?}", Reveals { count: 0, first_at: 0, last_at: 0, ..*reveals })
}

type Sums = BTreeMap<String, (i64, i64, i64)>;

/// The sums by way of whole events.
fn expected(events: &[Drawn], by: By, after: i64) -> Sums {
    let mut sums = Sums::new();
    for drawn in
        events.iter().filter(|one| one.kind == Kind::Reveal && one.outcome == "used" && one.at > after)
    {
        let Event { who, object, .. } = drawn.event();
        let is_by_reader = by == By::Reader;
        let only = |text| if is_by_reader { text } else { None };
        let group = Reveals {
            role: only(who.role),
            user: only(who.user),
            application: who.application,
            action: only(Some("resolve_token")),
            id: object.id,
            scope: only(object.scope),
            owner: only(object.owner),
            provider: only(object.provider),
            count: 0,
            first_at: 0,
            last_at: 0,
            is_protected: drawn.is_protected,
        };
        let sum = sums.entry(name(&group)).or_insert((0, i64::MAX, i64::MIN));
        *sum = (sum.0 + drawn.count, sum.1.min(drawn.at), sum.2.max(drawn.at));
    }
    sums
}

/// The sums of bundles, and the number of ways through them.
fn added(bodies: &[Vec<u8>], by: By, after: i64, bytes: usize) -> (Sums, usize) {
    let mut tally = Tally::new(by, after, bytes);
    let (mut sums, mut ways) = (Sums::new(), 0);
    loop {
        ways += 1;
        bodies.iter().for_each(|body| tally.add(body).unwrap());
        let shown: Result<(), Infallible> = tally.show(|reveals| {
            let sum = (reveals.count, reveals.first_at, reveals.last_at);
            assert!(sums.insert(name(reveals), sum).is_none(), "each is shown once: {reveals:?}");
            Ok(())
        });
        shown.unwrap();
        if !tally.begin_next() {
            return (sums, ways);
        }
    }
}

fn packed(events: &[Drawn]) -> Vec<Vec<u8>> {
    let encoded: Vec<_> = events.iter().map(|drawn| drawn.event().encode()).collect();
    let pack = |records: &[Vec<u8>]| {
        let mut packer = Packer::new([7; 16]);
        records.iter().for_each(|record| assert!(packer.push(Record::of(record).unwrap()).is_some()));
        packer.finish().body
    };
    encoded.chunks(MAX).map(pack).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sums_are_those_of_decoded_events(
        events in proptest::collection::vec(drawn(), 1..100), after in -6_i64..6, bytes in prop_oneof![Just(1_usize << 20), 200_usize..4000],
    ) {
        let bodies = packed(&events);
        for by in [By::Reader, By::Application] {
            prop_assert_eq!(added(&bodies, by, after, bytes).0, expected(&events, by, after));
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Bytes are changed in bodies that are read, since random ones are refused at once.
    #[test]
    fn no_bytes_make_adding_panic(
        events in proptest::collection::vec(drawn(), 1..6), by in prop_oneof![Just(By::Reader), Just(By::Application)],
        changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..4), length in proptest::option::of(any::<Index>()),
    ) {
        for mut body in packed(&events) {
            changes.iter().for_each(|(at, byte)| *at.get_mut(&mut body) = *byte);
            body.truncate(length.map_or(usize::MAX, |length| length.index(body.len())));
            let mut tally = Tally::new(by, i64::MIN, 1000);
            loop {
                // Sums that differ may look alike: a damaged text is written in another way than hftok writes it.
                prop_assert!(tally.add(&body).is_ok());
                prop_assert!(tally.show(|_| Ok::<_, Infallible>(())).is_ok());
                if !tally.begin_next() {
                    break;
                }
            }
        }
    }
}

#[test]
fn many_readers_in_little_memory_are_many_ways() {
    let events: Vec<_> = (0..20_000_u32)
        .map(|number| Drawn {
            at: 1,
            count: 1,
            id: Some([3; 16]),
            kind: Kind::Reveal,
            outcome: "used",
            is_protected: true,
            // Applications are as many, so that few of them have a number.
            texts: [
                &format!("user {}", number % 7000),
                "",
                "role",
                &format!("{number} app"),
                "user",
                "p",
                "a",
            ]
            .map(|text| Some(text.to_owned())),
        })
        .collect();
    let bodies = packed(&events);
    let (sums, ways) = added(&bodies, By::Reader, 0, 200_000);
    assert_eq!(sums, expected(&events, By::Reader, 0));
    assert!((8..40).contains(&ways), "{ways}");
    assert_eq!(added(&bodies, By::Reader, 0, 100_000_000).1, 1);
}
