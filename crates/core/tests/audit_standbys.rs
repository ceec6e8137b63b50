//! The state of a lane for those who wait until standbys have what the lane has written.
#![allow(clippy::unwrap_used, missing_docs)]

mod queue_bench;

use hftok_core::audit::queue::{LANES, Queue};

use queue_bench::{Bench, records, release, take};

fn written(queue: &mut Queue<'_>, lane: usize, most: usize) {
    let (end, _) = take(queue, lane, records(most));
    release(queue, lane, end);
}

#[test]
fn a_record_is_safe_when_standbys_have_what_is_written() {
    let mut bench = Bench::new(256);
    let lane = bench.lane;
    let mut queue = bench.queue();
    let [first, second] = [1, 2].map(|at| queue.push(lane, b"x", at).unwrap());
    assert!(queue.header.lanes[lane].want(second, 1000), "nobody was heard of before");
    assert!(!queue.header.lanes[lane].want(first, 2000));
    assert_eq!(queue.header.lanes[lane].wanted(), Some(second));
    queue.header.lanes[lane].secure(second);
    assert!(!queue.header.lanes[lane].is_safe(first), "what is not written is not safe");
    written(&mut queue, lane, 1);
    queue.header.lanes[lane].secure(second);
    assert!(queue.header.lanes[lane].is_safe(first) && !queue.header.lanes[lane].is_safe(second));
    written(&mut queue, lane, 10);
    let lane = &mut queue.header.lanes[lane];
    assert!(!lane.has_work() && lane.needs_writer(3000), "somebody waits for a standby");
    assert!(!lane.needs_writer(1_000_000), "nobody says any more that they wait");
    assert!(lane.want(first, 1_000_000) && lane.needs_writer(1_000_000), "somebody does again");
    lane.secure(second);
    assert!(lane.is_safe(second) && !lane.needs_writer(1_000_000));
    assert_eq!(lane.wanted(), None);
}

#[test]
fn who_waits_on_a_lane_that_is_another_databases_by_now_is_still_known() {
    let mut bench = Bench::new(256);
    let mut queue = bench.queue();
    let mut numbers = Vec::new();
    for database in 1..=u32::try_from(LANES).unwrap() + 1 {
        let lane = queue.header.claim(database).unwrap();
        let number = queue.push(lane, b"x", 0).unwrap();
        queue.header.lanes[lane].want(number, 0);
        written(&mut queue, lane, 10);
        numbers.push((lane, number));
    }
    let (lane, last) = *numbers.last().unwrap();
    let former = numbers[lane].1;
    assert_ne!(former, last, "it was given away");
    assert_eq!(queue.header.lanes[lane].wanted(), Some(last));
    assert!(!queue.header.lanes[lane].is_safe(former));
    queue.header.lanes[lane].secure(last);
    assert!(queue.header.lanes[lane].is_safe(former));
}
