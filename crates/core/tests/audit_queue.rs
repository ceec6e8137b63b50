//! The queue against a simple model of it, through whatever databases and writers may do: in order, nothing lost, nothing
//! twice, and nobody's share at another's expense.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod queue_bench;

use std::collections::{BTreeMap, VecDeque};

use hftok_core::audit::queue::{Full, Growing, Header, LANES, Party, Queue, Slot};
use proptest::prelude::*;
use queue_bench::{Taken, records};

/// Bytes in a slot.
const ROOM: usize = 288;
const SHARE: u32 = 32;
const GUARANTEE: usize = 2;
/// More records than a lane has.
const ALL: usize = 1000;

/// A step of the model; databases are numbered from 1.
#[derive(Debug, Clone)]
enum Step {
    Push { database: u32, length: usize },
    Spare { database: u32, party: u32, length: usize },
    Begin { database: u32, length: usize },
    Grow { which: usize, length: usize },
    Take { database: u32, most: usize },
    Release { database: u32 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let database = 1..6_u32;
    // Around the ends of one slot and of two, and some that take many.
    let length = || prop_oneof![0..4_usize, 280..296_usize, 570..580_usize, 0..4 * ROOM];
    let step = prop_oneof![
        4 => (database.clone(), length()).prop_map(|(database, length)| Step::Push { database, length }),
        4 => (database.clone(), 1..4_u32, length())
            .prop_map(|(database, party, length)| Step::Spare { database, party, length }),
        2 => (database.clone(), length()).prop_map(|(database, length)| Step::Begin { database, length }),
        4 => (0..8_usize, length()).prop_map(|(which, length)| Step::Grow { which, length }),
        3 => (database.clone(), 1..20_usize).prop_map(|(database, most)| Step::Take { database, most }),
        3 => database.prop_map(|database| Step::Release { database }),
    ];
    proptest::collection::vec(step, 1..300)
}

#[derive(Debug, Clone)]
struct Record {
    number: u64,
    bytes: Vec<u8>,
    /// The party whose record may be left out; none when the record must be kept.
    party: Option<u32>,
}

impl Record {
    fn slots(&self) -> usize {
        slots(self.bytes.len())
    }
}

fn slots(length: usize) -> usize {
    length.div_ceil(ROOM).max(1)
}

#[derive(Debug, Default)]
struct ModelLane {
    waiting: VecDeque<Record>,
    accepted: u64,
    /// The last number that was taken: what is up to there does not change any more.
    taken: u64,
    written: u64,
    /// The number of records that found no room, by party.
    left_out: BTreeMap<u32, u64>,
}

impl ModelLane {
    fn used(&self) -> usize {
        self.waiting.iter().map(Record::slots).sum()
    }
}

#[derive(Debug, Default)]
struct Model(BTreeMap<u32, ModelLane>);

impl Model {
    /// Whether there is room for so many more slots: within the share, and of what is beyond the guarantee within what all
    /// have in common.
    fn has_room(&self, database: u32, more: usize) -> bool {
        let beyond = |used: usize| used.saturating_sub(GUARANTEE);
        let common: usize = self.0.values().map(|lane| beyond(lane.used())).sum();
        let used = self.0.get(&database).map_or(0, ModelLane::used);
        let share = SHARE as usize;
        used + more <= share && common - beyond(used) + beyond(used + more) <= 4 * share
    }

    fn append(&mut self, database: u32, bytes: &[u8]) -> Result<u64, Full> {
        if !self.has_room(database, slots(bytes.len())) {
            return Err(Full);
        }
        let lane = self.0.entry(database).or_default();
        lane.accepted += 1;
        lane.waiting.push_back(Record { number: lane.accepted, bytes: bytes.to_vec(), party: None });
        Ok(lane.accepted)
    }

    /// Records that may be left out have half of the share, and a party has no more of it than it leaves free.
    fn append_if_room(&mut self, database: u32, party: u32, bytes: &[u8]) -> Result<u64, Full> {
        let lane = self.0.entry(database).or_default();
        let used = |whose: &dyn Fn(u32) -> bool| -> usize {
            lane.waiting.iter().filter(|record| record.party.is_some_and(whose)).map(Record::slots).sum()
        };
        let free = (SHARE as usize / 2).saturating_sub(used(&|_| true));
        let has_room = used(&|one| one == party) + slots(bytes.len()) <= free;
        let appended = if has_room { self.append(database, bytes) } else { Err(Full) };
        let lane = self.0.entry(database).or_default();
        match (appended, lane.waiting.back_mut()) {
            (Ok(_), Some(record)) => record.party = Some(party),
            _ => *lane.left_out.entry(party).or_default() += 1,
        }
        appended
    }

    fn grow(&mut self, database: u32, number: u64, more: &[u8]) -> Result<bool, Full> {
        let lane = self.0.entry(database).or_default();
        if lane.taken >= number {
            return Ok(false);
        }
        let Some(record) = lane.waiting.iter().find(|record| record.number == number) else {
            return Ok(false);
        };
        let added = slots(record.bytes.len() + more.len()) - record.slots();
        if !self.has_room(database, added) {
            return Err(Full);
        }
        let lane = self.0.entry(database).or_default();
        let record = lane.waiting.iter_mut().find(|record| record.number == number).unwrap();
        record.bytes.extend_from_slice(more);
        Ok(true)
    }

    fn take(&mut self, database: u32, most: usize) -> (Vec<Taken>, u64) {
        let lane = self.0.entry(database).or_default();
        let records: Vec<_> = lane.waiting.iter().take(most).collect();
        let end = records.last().map_or(lane.written, |record| record.number);
        let taken = records.iter().map(|record| Taken::new(&record.bytes, 1)).collect();
        lane.taken = end;
        (taken, end)
    }

    fn release(&mut self, database: u32) -> u64 {
        let lane = self.0.entry(database).or_default();
        let end = lane.taken;
        lane.waiting.retain(|record| record.number > end);
        lane.written = lane.written.max(end);
        end
    }
}

struct Bench {
    header: Box<Header>,
    slots: Vec<Slot>,
}

impl Bench {
    fn new() -> Self {
        Self { header: Box::new(Header::new(SHARE)), slots: vec![Slot::EMPTY; Header::slots(SHARE) as usize] }
    }

    fn queue(&mut self) -> Queue<'_> {
        Queue { header: &mut self.header, slots: &mut self.slots }
    }

    fn take(&mut self, lane: usize, most: usize) -> (Vec<Taken>, u64) {
        let (end, taken) = queue_bench::take(&mut self.queue(), lane, records(most));
        (taken, end)
    }

    fn lane(&mut self, database: u32) -> usize {
        self.header.claim(database).unwrap()
    }

    /// Fills a lane until it takes nothing more, and says how many it took.
    fn fill(&mut self, database: u32) -> usize {
        let lane = self.lane(database);
        (0..).take_while(|_| self.queue().push(lane, b"x", 0).is_ok()).count()
    }

    fn empty(&mut self, database: u32) {
        let lane = self.lane(database);
        let end = self.take(lane, ALL).1;
        self.release(lane, end);
    }

    fn release(&mut self, lane: usize, end: u64) -> u64 {
        queue_bench::release(&mut self.queue(), lane, end)
    }
}

/// Bytes that no other record has.
fn bytes(step: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 7 + step * 13) % 251).unwrap()).collect()
}

proptest! {
    #[test]
    fn it_does_what_the_model_does(steps in steps()) {
        let mut bench = Bench::new();
        let mut model = Model::default();
        let mut growing: Vec<(u32, u64, Growing)> = Vec::new();
        for (at, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push { database, length } => {
                    let bytes = bytes(at, length);
                    let lane = bench.lane(database);
                    prop_assert_eq!(bench.queue().push(lane, &bytes, 0), model.append(database, &bytes));
                }
                Step::Spare { database, party, length } => {
                    let bytes = bytes(at, length);
                    let lane = bench.lane(database);
                    let whose = Party { login: party, role: 1 };
                    let pushed = bench.queue().push_spare(lane, whose, &bytes, 0);
                    prop_assert_eq!(pushed, model.append_if_room(database, party, &bytes));
                }
                Step::Begin { database, length } => {
                    let bytes = bytes(at, length);
                    let lane = bench.lane(database);
                    let begun = bench.queue().begin(lane, &bytes, 0);
                    let number = model.append(database, &bytes);
                    prop_assert_eq!(begun.is_ok(), number.is_ok());
                    growing.extend(begun.ok().zip(number.ok()).map(|(begun, number)| (database, number, begun)));
                }
                Step::Grow { which, length } if !growing.is_empty() => {
                    // The newest are the likeliest to wait still.
                    let which = growing.len() - 1 - which.min(growing.len() - 1);
                    let (database, number, record) = &mut growing[which];
                    let bytes = bytes(at, length);
                    prop_assert_eq!(bench.queue().grow(record, &bytes), model.grow(*database, *number, &bytes));
                }
                Step::Grow { .. } => {}
                Step::Take { database, most } => {
                    let lane = bench.lane(database);
                    prop_assert_eq!(bench.take(lane, most), model.take(database, most));
                }
                Step::Release { database } => {
                    let lane = bench.lane(database);
                    let end = model.release(database);
                    bench.release(lane, end);
                    prop_assert!(bench.header.lanes[lane].round_of(end).is_none());
                }
            }
            for (database, lane) in &model.0 {
                let at = bench.lane(*database);
                let real = &bench.header.lanes[at];
                prop_assert_eq!((real.accepted(), real.waiting()), (lane.accepted, lane.accepted - lane.written));
                prop_assert_eq!(real.has_work(), !lane.waiting.is_empty() || !lane.left_out.is_empty());
                let told: BTreeMap<u32, u64> =
                    bench.queue().left_out(at).iter().map(|one| (one.party.login, one.count)).collect();
                prop_assert_eq!(&told, &lane.left_out);
            }
        }
        // In the end everything comes out, and all of the pool is there again.
        for database in 1..6 {
            let lane = bench.lane(database);
            prop_assert_eq!(bench.take(lane, ALL), model.take(database, ALL));
            bench.empty(database);
        }
        for _ in 0..2 {
            let common = 4 * SHARE as usize;
            let filled: Vec<usize> = (1..8).map(|database| bench.fill(database)).collect();
            prop_assert_eq!(&filled[..4], [SHARE as usize; 4]);
            // Four of them take their guarantee and leave so much of what is common; the next get that, and then their own.
            let left = common - 4 * (SHARE as usize - GUARANTEE);
            prop_assert_eq!(&filled[4..], [GUARANTEE + left, GUARANTEE, GUARANTEE]);
            (1..8).for_each(|database| bench.empty(database));
        }
    }
}

#[test]
fn a_database_whose_records_nobody_fetches_stops_no_other() {
    let mut bench = Bench::new();
    let lanes = u32::try_from(LANES).unwrap();
    // All but the last have taken whatever they can get.
    (1..lanes).for_each(|database| assert!(bench.fill(database) >= GUARANTEE));
    for _ in 0..1000 {
        let lane = bench.lane(lanes);
        let number = bench.queue().push(lane, &[7; 2 * ROOM], 0).unwrap();
        assert_eq!(bench.queue().push(lane, b"x", 0), Err(Full));
        let (taken, end) = bench.take(lane, 10);
        assert_eq!((taken.len(), end), (1, number));
        bench.release(lane, end);
    }
}

#[test]
fn lanes_are_used_again_and_numbers_go_on() {
    let mut bench = Bench::new();
    let mut last = BTreeMap::new();
    for database in 1..1000 {
        let lane = bench.lane(database);
        assert_eq!(bench.lane(database), lane, "the same as long as it is its own");
        let number = bench.queue().push(lane, b"x", 0).unwrap();
        // Somebody may still wait for one of the former database.
        assert!(last.insert(lane, number).is_none_or(|before| number == before + 1));
        assert!(bench.header.lanes[lane].round_of(number).is_some());
        bench.empty(database);
        assert!(bench.header.lanes[lane].round_of(number).is_none());
    }
    assert!(last.len() <= LANES);
}

#[test]
fn a_lane_that_is_in_use_is_not_given_away() {
    let mut bench = Bench::new();
    let lanes = u32::try_from(LANES).unwrap();
    (1..=lanes).for_each(|database| assert_eq!(bench.lane(database), database as usize - 1));
    // With something in it, with a writer, called, and with something to tell.
    for lane in &mut bench.header.lanes {
        assert_eq!(lane.call(), 1);
    }
    assert_eq!(bench.header.claim(lanes + 1), Err(Full));
    let free = |bench: &mut Bench, change: fn(&mut hftok_core::audit::lane::Lane)| {
        let lane = &mut bench.header.lanes[5];
        (lane.answered, lane.writer) = (lane.asked, 0);
        change(lane);
        bench.header.claim(lanes + 1)
    };
    assert_eq!(free(&mut bench, |lane| lane.writer = 1), Err(Full));
    let whose = Party { login: 1, role: 1 };
    assert_eq!(bench.queue().push_spare(5, whose, &[0; 100 * ROOM], 0), Err(Full));
    assert_eq!(free(&mut bench, |_| ()), Err(Full), "what was left out is not told");
    let left_out = bench.queue().left_out(5);
    bench.queue().told(5, &left_out);
    bench.queue().push(5, b"x", 0).unwrap();
    assert_eq!(free(&mut bench, |_| ()), Err(Full));
    bench.take(5, 1);
    assert_eq!(free(&mut bench, |_| ()), Err(Full), "taken is not written");
    bench.release(5, 1);
    assert_eq!(free(&mut bench, |_| ()), Ok(5));
    assert_eq!(bench.header.lane(6), None);
    assert_eq!(bench.header.lane(lanes + 1), Some(5));
}

#[test]
fn a_record_is_foreseen_for_the_round_that_writes_it() {
    let mut bench = Bench::new();
    let lane = bench.lane(1);
    let round = |bench: &Bench, number| bench.header.lanes[lane].round_of(number);
    let first = bench.queue().push(lane, b"x", 0).unwrap();
    let (_, end) = bench.take(lane, 10);
    let second = bench.queue().push(lane, b"x", 0).unwrap();
    let [now, next] = [first, second].map(|number| round(&bench, number).unwrap());
    assert_eq!(next, now + 1, "what came too late for a round is written with the next");
    assert_eq!(bench.release(lane, end), now);
    assert_eq!([first, second].map(|number| round(&bench, number)), [None, Some(next)]);
    let (_, end) = bench.take(lane, 10);
    assert_eq!(round(&bench, second), Some(next));
    assert_eq!(bench.release(lane, end), next);
    assert_eq!(round(&bench, second), None);
}

#[test]
fn what_was_taken_does_not_grow() {
    let mut bench = Bench::new();
    let lane = bench.lane(1);
    let mut record = bench.queue().begin(lane, b"one", 0).unwrap();
    assert_eq!(bench.queue().grow(&mut record, b", two"), Ok(true));
    let (taken, end) = bench.take(lane, 10);
    assert_eq!(taken, [Taken::new(b"one, two", 1)]);
    assert_eq!(bench.queue().grow(&mut record, b", three"), Ok(false));
    // A writer that failed: the next one takes the same, and it still does not grow.
    assert_eq!(bench.take(lane, 10), (taken, end));
    bench.release(lane, end);
    assert_eq!(bench.queue().grow(&mut record, b", three"), Ok(false));
    // Its slot may be another's by now, even one with the same number.
    let other = bench.lane(2);
    let mut of_other = bench.queue().begin(other, b"other", 0).unwrap();
    assert_eq!(bench.queue().grow(&mut record, b", three"), Ok(false));
    assert_eq!(bench.queue().grow(&mut of_other, b" one"), Ok(true));
    assert_eq!(bench.take(other, 1).0[0].bytes[..], b"other one"[..]);
}

#[test]
fn the_oldest_says_who_has_waited_longest() {
    let mut bench = Bench::new();
    let lane = bench.lane(1);
    assert_eq!(bench.queue().oldest(lane), None);
    for at in [5, 7] {
        bench.queue().push(lane, b"x", at).unwrap();
    }
    assert_eq!(bench.queue().oldest(lane), Some(5));
    bench.take(lane, 1);
    bench.release(lane, 1);
    assert_eq!(bench.queue().oldest(lane), Some(7));
}
