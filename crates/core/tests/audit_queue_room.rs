//! A writer copies out of the queue no more than the memory that it reserved before, and is called when half of it is full.
#![allow(clippy::panic, clippy::unwrap_used, missing_docs)]

mod queue_bench;

use hftok_core::audit::queue::Limits;

use queue_bench::{Bench, records, release, take};

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
