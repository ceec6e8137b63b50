//! A writer copies out of the queue no more than the memory that it reserved before, some records at a time, and is called when half of it is
//! full.
#![allow(clippy::panic, clippy::unwrap_used, missing_docs)]

mod queue_bench;

use hftok_core::audit::queue::{Copied, Limits};

use queue_bench::{Bench, Taken, records, release, take};

#[test]
fn no_more_slots_than_there_is_room_for_but_one_record_always() {
    let mut bench = Bench::new(256);
    let lane = bench.lane;
    let mut queue = bench.queue();
    let lengths = [3000, 10, 700, 10];
    for length in lengths {
        queue.push(lane, &vec![b'x'; length], 0).unwrap();
    }
    let mut taken = Vec::new();
    for room in [1, 2, 3, 3] {
        let (end, records) = take(&mut queue, lane, Limits { slots: room, ..records(10) });
        taken.push(records.iter().map(|record| record.bytes.len()).collect::<Vec<_>>());
        release(&mut queue, lane, end);
    }
    assert_eq!(taken, [vec![3000], vec![10], vec![700], vec![10]]);
}

#[test]
fn a_record_is_taken_where_it_just_fits() {
    let mut bench = Bench::new(256);
    let lane = bench.lane;
    let mut queue = bench.queue();
    for length in [288, 289, 10] {
        queue.push(lane, &vec![b'x'; length], 0).unwrap();
    }
    let mut end = |room| take(&mut queue, lane, Limits { slots: room, ..records(10) }).0;
    assert_eq!([1, 2, 3, 4].map(&mut end), [1, 1, 2, 3]);
}

#[test]
fn it_becomes_half_full_once_however_large_its_records_are() {
    for length in [10, 700, 3000] {
        let mut bench = Bench::new(256);
        let lane = bench.lane;
        let mut queue = bench.queue();
        let mut seen = Vec::new();
        while queue.push(lane, &vec![b'x'; length], 0).is_ok() {
            let lane = &mut queue.header.lanes[lane];
            seen.push((lane.used(), lane.has_become_half_full()));
        }
        let told: Vec<usize> = (0..seen.len()).filter(|&at| seen[at].1).collect();
        let [at] = told[..] else { panic!("{length}: {seen:?}") };
        let full = seen.last().unwrap().0;
        assert!(seen[at].0 >= full / 2 && (at == 0 || seen[at - 1].0 <= full / 2), "{length}: {seen:?}");
        // A writer that has emptied it is called again.
        let end = take(&mut queue, lane, records(1000)).0;
        release(&mut queue, lane, end);
        let called = (0..seen.len()).filter(|_| {
            queue.push(lane, &vec![b'x'; length], 0).unwrap();
            queue.header.lanes[lane].has_become_half_full()
        });
        assert_eq!(called.count(), 1);
    }
}

#[test]
fn what_comes_while_a_round_copies_is_written_with_it() {
    let mut bench = Bench::new(256);
    let lane = bench.lane;
    let push = |bench: &mut Bench| bench.queue().push(lane, b"x", 0).unwrap();
    let round = |bench: &Bench, number| bench.header.lanes[lane].round_of(number);
    let first = [(); 4].map(|()| push(&mut bench))[0];
    let limits = Limits { at_once: 2, ..records(5) };
    let mut copied = Copied::default();
    assert!(copied.begin(limits) && bench.queue().take(lane, limits, &mut copied));
    let now = round(&bench, first).unwrap();
    let [within, beyond] = [(); 2].map(|()| push(&mut bench));
    assert_eq!(round(&bench, within), Some(now), "the round has not taken all yet");
    while bench.queue().take(lane, limits, &mut copied) {}
    assert_eq!((copied.end(), copied.records().count()), (within, 5));
    assert_eq!([within, beyond].map(|one| round(&bench, one)), [Some(now), Some(now + 1)]);

    // Records are let go of some at a time as well, and the round is over with the last of them.
    assert_eq!(bench.queue().release(lane, within, 3), None);
    assert_eq!(round(&bench, first), Some(now));
    assert_eq!(bench.queue().release(lane, within, 3), Some(now));
    assert_eq!(round(&bench, within), None);
    assert_eq!(bench.take(10), (beyond, vec![Taken::new(b"x", 1)]));
}
