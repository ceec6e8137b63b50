//! The limits of what is remembered of records that may be left out: kinds, repeated records, and those that nobody was told of.
#![allow(clippy::unwrap_used, missing_docs)]

mod queue_bench;

use hftok_core::audit::queue::{Full, OneOfMany, Party, RECORDS_KEPT_MAX};
use queue_bench::{Bench, Taken};

/// Slots that a database may have; records that may be left out have half of them.
const SHARE: u32 = 5120;
/// The number of records that are remembered because they may be repeated.
const RECENT: u64 = 8;
/// The number of kinds that are told apart.
const KINDS: u64 = 64;
const WHO: Party = Party { login: 1, role: 2 };

impl Bench {
    fn refuse(&mut self, kind: u64, key: u64) -> u64 {
        let lane = self.lane;
        let record = OneOfMany { party: WHO, key, kind, bytes: b"whole", bare: b"bare" };
        self.queue().push_or_count(lane, &record, 0).unwrap()
    }
}

/// Refuses so many of a kind, each of them another.
fn refusals() -> impl FnMut(&mut Bench, u64, u32) {
    let mut key = 0;
    move |bench, kind, times| {
        for _ in 0..times {
            key += 1;
            bench.refuse(kind, key);
        }
    }
}

#[test]
fn the_last_eight_are_counted_up_when_they_are_repeated() {
    let mut bench = Bench::new(SHARE);
    let numbers: Vec<u64> = (0..=RECENT).map(|key| bench.refuse(key, key)).collect();
    // The first was forgotten for the ninth.
    for key in (1..=RECENT).rev() {
        assert_eq!(bench.refuse(key, key), numbers[usize::try_from(key).unwrap()], "{key}");
    }
    assert_eq!(bench.refuse(0, 0), RECENT + 2);
    let counts: Vec<u32> = bench.take(100).1.iter().map(|one| one.count).collect();
    assert_eq!(counts, [1, 2, 2, 2, 2, 2, 2, 2, 2, 1]);
}

#[test]
fn what_was_taken_is_counted_up_no_more() {
    let mut bench = Bench::new(SHARE);
    let first = bench.refuse(1, 7);
    let (end, _) = bench.take(1);
    let second = bench.refuse(1, 7);
    assert_eq!((end, second), (first, first + 1));
    // A writer that failed takes fewer: of the two that wait now, the newer one is counted up.
    assert_eq!(bench.take(0).0, 0);
    assert_eq!(bench.refuse(1, 7), second);
    let counts: Vec<u32> = bench.take(10).1.iter().map(|one| one.count).collect();
    assert_eq!(counts, [1, 2]);
    bench.release(second);
    assert_eq!(bench.refuse(1, 7), second + 1);
}

/// The count of a kind goes on until its first record was taken.
#[test]
fn a_kind_begins_anew_once_its_first_record_was_taken() {
    let mut bench = Bench::new(SHARE);
    let single = u64::from(RECORDS_KEPT_MAX);
    for key in 0..single + 3 {
        assert_eq!(bench.refuse(1, 100 + key), (key + 1).min(single + 1));
    }
    assert_eq!(bench.take(1).0, 1);
    // The counting record waits still, but a new count has begun.
    assert_eq!(bench.refuse(1, 200), single + 2);
    let taken = bench.take(100).1;
    assert_eq!(taken.len(), RECORDS_KEPT_MAX as usize + 2);
    assert_eq!(taken[RECORDS_KEPT_MAX as usize], Taken::new(b"bare", 3));
    assert_eq!(taken[RECORDS_KEPT_MAX as usize + 1], Taken::new(b"whole", 1));
}

/// A new kind takes the place of one that is over, and otherwise of the one with the fewest.
#[test]
fn of_too_many_kinds_the_one_with_the_fewest_is_forgotten() {
    let mut bench = Bench::new(SHARE);
    let mut refuse = refusals();
    // All but kind 5 have many, and 5 has two.
    for kind in 1..=KINDS {
        refuse(&mut bench, kind, if kind == 5 { 2 } else { RECORDS_KEPT_MAX });
    }
    let before = bench.header.lanes[bench.lane].accepted();
    refuse(&mut bench, KINDS + 1, 1);
    // The others are counted still, each in one record.
    for kind in (1..=KINDS).filter(|kind| *kind != 5) {
        refuse(&mut bench, kind, 2);
    }
    let after = bench.header.lanes[bench.lane].accepted();
    assert_eq!(after - before, 1 + KINDS - 1);
    // Once all of them are over, kinds begin anew without taking the place of one that waits.
    let (end, _) = bench.take(usize::MAX);
    bench.release(end);
    for kind in 1..=KINDS {
        refuse(&mut bench, kind, RECORDS_KEPT_MAX + 2);
    }
    assert_eq!(bench.header.lanes[bench.lane].accepted() - after, KINDS * u64::from(RECORDS_KEPT_MAX + 1));
}

/// A kind whose first record was just taken is over, however many it had; one that waits keeps its place.
#[test]
fn a_kind_that_is_over_makes_room_before_one_that_waits() {
    let mut bench = Bench::new(SHARE);
    let mut refuse = refusals();
    for kind in 1..=KINDS {
        refuse(&mut bench, kind, if kind == 2 { 1 } else { RECORDS_KEPT_MAX });
    }
    assert_eq!(bench.take(1).0, 1);
    let before = bench.header.lanes[bench.lane].accepted();
    refuse(&mut bench, KINDS + 1, 1);
    refuse(&mut bench, 2, RECORDS_KEPT_MAX + 1);
    // One is kept already, so that there is room for all but one of the first, and the rest is one record.
    assert_eq!(bench.header.lanes[bench.lane].accepted() - before, 1 + u64::from(RECORDS_KEPT_MAX - 1) + 1);
}

/// A kind has one place, so that nothing of a former count is found again when a writer fails and takes fewer.
#[test]
fn a_kind_that_begins_anew_takes_its_own_place() {
    let mut bench = Bench::new(SHARE);
    for key in 1..=3 {
        bench.refuse(1, key);
    }
    bench.take(usize::MAX);
    assert_eq!(bench.refuse(1, 4), 4);
    bench.take(0);
    let single = u64::from(RECORDS_KEPT_MAX);
    for key in 5..single + 4 {
        assert_eq!(bench.refuse(1, key), key, "the new count goes on");
    }
    assert_eq!([bench.refuse(1, 100), bench.refuse(1, 101)], [single + 4; 2]);
}

#[test]
fn what_is_told_is_taken_off_and_what_came_since_is_not() {
    let mut bench = Bench::new(SHARE);
    let lane = bench.lane;
    let too_long = vec![0; SHARE as usize * 288];
    let fail = |bench: &mut Bench| assert_eq!(bench.queue().push_spare(lane, WHO, &too_long, 0), Err(Full));
    fail(&mut bench);
    fail(&mut bench);
    let first = bench.queue().left_out(lane);
    fail(&mut bench);
    assert_eq!(first.iter().map(|one| (one.party, one.count)).collect::<Vec<_>>(), [(WHO, 2)]);
    bench.queue().told(lane, &first);
    let rest = bench.queue().left_out(lane);
    assert_eq!(rest.iter().map(|one| (one.party, one.count)).collect::<Vec<_>>(), [(WHO, 1)]);
    bench.queue().told(lane, &rest);
    assert!(bench.queue().left_out(lane).is_empty() && !bench.header.lanes[lane].has_work());
}
