//! A writer copies out of the queue no more than the memory that it reserved before.
#![allow(clippy::unwrap_used, reason = "tests")]

use hftok_core::audit::queue::{Header, Queue, Slot, records};

#[test]
fn no_more_slots_than_there_is_room_for_but_one_record_always() {
    let mut header = Box::new(Header::new(256));
    let mut slots = vec![Slot::EMPTY; Header::slots(256) as usize];
    let mut queue = Queue { header: &mut header, slots: &mut slots };
    let lane = queue.header.claim(1).unwrap();
    let lengths = [3000, 10, 700, 10];
    for length in lengths {
        queue.push(lane, &vec![b'x'; length], 0).unwrap();
    }
    let mut taken = Vec::new();
    for room in [1, 2, 3, 3] {
        let mut copy = Vec::new();
        let end = queue.take(lane, 10, room, &mut copy);
        taken.push(records(&copy).iter().map(|record| record.bytes.len()).collect::<Vec<_>>());
        queue.release(lane, end);
    }
    assert_eq!(taken, [vec![3000], vec![10], vec![700], vec![10]]);
}

#[test]
fn a_record_is_taken_where_it_just_fits() {
    let mut header = Box::new(Header::new(256));
    let mut slots = vec![Slot::EMPTY; Header::slots(256) as usize];
    let mut queue = Queue { header: &mut header, slots: &mut slots };
    let lane = queue.header.claim(1).unwrap();
    for length in [288, 289, 10] {
        queue.push(lane, &vec![b'x'; length], 0).unwrap();
    }
    let mut take = |room| queue.take(lane, 10, room, &mut Vec::new());
    assert_eq!([1, 2, 3, 4].map(&mut take), [1, 1, 2, 3]);
}
