//! A lane: whether its writer has work, is missing or may be started, and how far its records are written and safe.
#![allow(clippy::unwrap_used, missing_docs)]

mod queue_bench;

use hftok_core::audit::lane::Lane;
use hftok_core::audit::queue::{Full, LANES, Party};
use queue_bench::{Bench, DATABASE};

/// Slots that a database may have.
const SHARE: u32 = 32;

impl Bench {
    fn lane(&mut self) -> &mut Lane {
        &mut self.header.lanes[self.lane]
    }

    fn push(&mut self, at: i64) -> Result<u64, Full> {
        let lane = self.lane;
        self.queue().push(lane, b"x", at)
    }
}

#[test]
fn a_writer_is_missing_once_another_attempt_may_be_made() {
    let mut bench = Bench::new(SHARE);
    let lane = bench.lane();
    assert!(lane.lacks_writer(0));
    lane.not_before = 100;
    assert_eq!([99, 100, 101].map(|now| lane.lacks_writer(now)), [false, true, true]);
    lane.hurry(50);
    assert_eq!([49, 50].map(|now| lane.lacks_writer(now)), [false, true]);
    lane.hurry(70);
    assert!(lane.lacks_writer(50), "a later time delays nothing");
    lane.writer = 17;
    assert!(!lane.lacks_writer(1000));
    (lane.latch, lane.failures, lane.is_blocked) = (1, 2, true);
    lane.clear_writer();
    assert!(lane.lacks_writer(0));
    assert_eq!((lane.writer, lane.latch, lane.failures, lane.is_blocked), (0, 0, 0, false));
}

#[test]
fn records_questions_and_what_was_left_out_are_work() {
    let mut bench = Bench::new(SHARE);
    assert!(!bench.lane().has_work() && !bench.lane().needs_writer(0));
    assert_eq!([bench.lane().call(), bench.lane().call()], [1, 2]);
    bench.lane().answered = 1;
    assert!(bench.lane().has_work() && bench.lane().needs_writer(0));
    bench.lane().answered = 2;
    assert!(!bench.lane().has_work());
    let end = bench.push(0).unwrap();
    assert!(bench.lane().has_work());
    bench.take(1);
    assert!(bench.lane().has_work(), "it is not written yet");
    bench.release(end);
    assert!(!bench.lane().has_work());
    let (lane, whose) = (bench.lane, Party { login: 1, role: 2 });
    assert_eq!(bench.queue().push_spare(lane, whose, &[0; 32 * 288], 0), Err(Full));
    assert!(bench.lane().has_work());
}

#[test]
fn whoever_waits_for_a_standby_is_heard_of_for_half_a_second() {
    let mut bench = Bench::new(SHARE);
    let number = bench.push(0).unwrap();
    let (end, _) = bench.take(1);
    bench.release(end);
    assert!(bench.lane().want(number, 2000));
    assert_eq!([2000, 501_999, 502_000].map(|now| bench.lane().is_wanted(now)), [true, true, false]);
    assert_eq!([2000, 501_999, 502_000].map(|now| bench.lane().needs_writer(now)), [true, true, false]);
    assert_eq!(bench.lane().wanted(), Some(number));
    bench.lane().secure(number);
    assert!(!bench.lane().is_wanted(2000));
    // Nobody waits for what is safe, and safe is safe.
    bench.lane().secure(0);
    assert!(bench.lane().is_safe(number) && !bench.lane().is_safe(number + 1));
    assert_eq!(bench.lane().wanted(), None);
}

#[test]
fn numbers_and_rounds_say_how_far_it_is() {
    let mut bench = Bench::new(SHARE);
    for number in 1..=4 {
        assert_eq!(bench.push(0), Ok(number));
    }
    let state = |bench: &mut Bench| {
        let lane = bench.lane();
        (lane.accepted(), lane.written(), lane.waiting(), [1, 2, 3, 4].map(|number| lane.round_of(number)))
    };
    assert_eq!(state(&mut bench), (4, 0, 4, [Some(0); 4]), "all with the next round");
    assert_eq!(bench.take(2).0, 2);
    assert_eq!(state(&mut bench), (4, 0, 4, [Some(0), Some(0), Some(1), Some(1)]), "too late for this one");
    bench.release(1);
    assert_eq!(state(&mut bench), (4, 1, 3, [None, Some(1), Some(2), Some(2)]), "one of the two is left");
    bench.release(2);
    assert_eq!(state(&mut bench), (4, 2, 2, [None, None, Some(2), Some(2)]), "nothing is under way");
    // A number that was never given is not written, and a former one takes nothing back.
    bench.release(1);
    bench.release(100);
    assert_eq!(state(&mut bench), (4, 4, 0, [None; 4]));
    assert_eq!(bench.push(0), Ok(5));
}

#[test]
fn a_record_is_late_when_the_oldest_came_before_that_time() {
    let mut bench = Bench::new(SHARE);
    let lane = bench.lane;
    assert!(!bench.queue().is_late(lane, i64::MAX), "nothing waits");
    bench.push(50).unwrap();
    bench.push(10).unwrap();
    assert_eq!([49, 50, 51].map(|before| bench.queue().is_late(lane, before)), [false, false, true]);
}

#[test]
fn nothing_is_accepted_by_a_queue_that_is_closed_or_for_a_database_without_a_lane() {
    let mut bench = Bench::new(SHARE);
    let lane = bench.lane;
    assert_eq!((bench.header.known(DATABASE), bench.header.known(DATABASE + 1)), (Ok(lane), Err(Full)));
    let mut growing = bench.queue().begin(lane, b"x", 0).unwrap();
    assert_eq!(growing.lane(), lane);
    bench.header.is_closed = true;
    assert_eq!(bench.push(0), Err(Full));
    assert_eq!(bench.queue().begin(lane, b"x", 0).err(), Some(Full));
    assert_eq!(bench.queue().grow(&mut growing, &[0; 288]), Err(Full));
    assert_eq!(bench.lane().accepted(), 1);
}

/// Somebody may still wait for a record of the database that had the lane before, or hold one that could grow.
#[test]
fn a_lane_that_is_given_away_knows_what_was_written() {
    let mut bench = Bench::new(SHARE);
    let lane = bench.lane;
    let mut growing = bench.queue().begin(lane, b"x", 0).unwrap();
    let end = bench.push(0).unwrap();
    bench.take(10);
    assert_eq!(bench.release(end), 0);
    bench.lane().secure(end - 1);
    bench.lane().want(end, 0);
    bench.lane().answered = bench.lane().call();
    for other in 1..u32::try_from(LANES).unwrap() {
        let lane = bench.header.claim(DATABASE + other).unwrap();
        bench.header.lanes[lane].writer = 1;
    }
    assert_eq!(bench.header.claim(1000), Ok(lane));
    assert_eq!((bench.lane().accepted(), bench.lane().waiting()), (end, 0));
    assert!(bench.lane().round_of(end).is_none());
    assert!(bench.lane().is_safe(end - 1) && bench.lane().wanted() == Some(end));
    assert_eq!(bench.queue().grow(&mut growing, b"y"), Ok(false));
    assert!(!bench.lane().has_work(), "what was asked is answered");
    assert_eq!(bench.lane().call(), 2);
    assert_eq!(bench.release(end), 1, "rounds go on");
}
