//! Records that may be left out, against a model: each is written, counted or told to be left out, and nobody crowds out others.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod queue_bench;

use std::collections::BTreeMap;

use hftok_core::audit::queue::{Full, OneOfMany, PARTIES, Party, RECORDS_KEPT_MAX};
use proptest::prelude::*;
use queue_bench::Bench;

const SHARE: u32 = 256;
const HALF: usize = SHARE as usize / 2;

impl Bench {
    /// A refusal; the record says whose it is, of which kind, and which of them, and the bare one does not say which.
    fn refuse(&mut self, party: u32, kind: u8, which: u32) -> Result<u64, Full> {
        let lane = self.lane;
        let bare = [&party.to_be_bytes()[..], &[kind]].concat();
        let bytes = [&bare[..], &which.to_be_bytes()].concat();
        let number = u64::from(party) << 40 | u64::from(kind) << 32;
        let party = Party { login: party, role: 7 };
        let key = number | u64::from(which);
        let record = OneOfMany { party, key, kind: number, bytes: &bytes, bare: &bare };
        self.queue().push_or_count(lane, &record, 0)
    }

    /// The records that a round writes: the party of each, whether the record says which one it is, and its count.
    fn round(&mut self, most: usize) -> Vec<(u32, bool, u32)> {
        let (end, taken) = self.take(most);
        self.release(end);
        let party = |bytes: &[u8]| u32::from_be_bytes(*bytes.first_chunk().unwrap());
        taken.iter().map(|one| (party(&one.bytes), one.bytes.len() > 5, one.count)).collect()
    }

    fn left_out(&mut self) -> BTreeMap<u32, u64> {
        let lane = self.lane;
        let left_out = self.queue().left_out(lane);
        self.queue().told(lane, &left_out);
        left_out.iter().map(|one| (one.party.login, one.count)).collect()
    }
}

proptest! {
    /// However they come, and however many a round takes: as many are told as were made, by whom they were made.
    #[test]
    fn each_is_told_once(
        steps in proptest::collection::vec((1..5_u32, 0..6_u8, 0..40_u32, 0..30_usize), 1..2000),
    ) {
        let mut bench = Bench::new(SHARE);
        let mut made: BTreeMap<u32, u64> = BTreeMap::new();
        let mut told = made.clone();
        let mut kept: BTreeMap<u32, usize> = BTreeMap::new();
        let tell = |rows: Vec<(u32, bool, u32)>, told: &mut BTreeMap<u32, u64>| {
            for (party, _, count) in rows {
                *told.entry(party).or_default() += u64::from(count);
            }
        };
        for (party, kind, which, most) in steps {
            *made.entry(party).or_default() += 1;
            if bench.refuse(party, kind, which).is_ok() {
                *kept.entry(party).or_default() += 1;
            }
            // Mostly nothing is taken.
            if most > 27 {
                tell(bench.round(most), &mut told);
            }
        }
        tell(bench.round(usize::MAX), &mut told);
        for (party, count) in bench.left_out() {
            *told.entry(party).or_default() += count;
        }
        prop_assert_eq!(told, made);
        // All of the room is there again.
        for party in 1..60 {
            prop_assert!(bench.refuse(party, 0, 0).is_ok());
        }
    }

    /// A party's records of one kind become few rows a round, and another party's record has room.
    #[test]
    fn a_flood_is_counted_and_stops_nobody(which in proptest::collection::vec((0..4_u8, any::<u32>()), 1..5000)) {
        let mut bench = Bench::new(SHARE);
        for (kind, which) in &which {
            bench.refuse(1, *kind, *which).ok();
        }
        prop_assert!(bench.refuse(2, 0, 1).is_ok());
        let rows = bench.round(usize::MAX);
        let of_kinds = 4 * (RECORDS_KEPT_MAX as usize + 1);
        prop_assert!(rows.len() <= of_kinds + 1, "{} rows", rows.len());
        prop_assert!(rows.iter().filter(|(_, has_id, _)| !has_id).count() <= 4);
        prop_assert!(rows.contains(&(2, true, 1)));
    }
}

#[test]
fn the_first_of_a_kind_are_kept_and_the_rest_is_one_row() {
    let mut bench = Bench::new(SHARE);
    for round in 0..3 {
        for which in 0..1000 {
            bench.refuse(1, 0, round * 1000 + which).unwrap();
        }
        let rows = bench.round(usize::MAX);
        assert_eq!(rows.len(), RECORDS_KEPT_MAX as usize + 1);
        assert!(rows[..RECORDS_KEPT_MAX as usize].iter().all(|row| *row == (1, true, 1)));
        assert_eq!(rows[RECORDS_KEPT_MAX as usize], (1, false, 1000 - RECORDS_KEPT_MAX));
    }
    assert!(bench.left_out().is_empty());
}

#[test]
fn equal_ones_are_counted_in_the_first_of_them() {
    let mut bench = Bench::new(SHARE);
    for _ in 0..1000 {
        bench.refuse(1, 0, 5).unwrap();
    }
    assert_eq!(bench.round(usize::MAX), [(1, true, 1000)]);
}

#[test]
fn nobody_has_more_than_they_leave_free() {
    let mut bench = Bench::new(SHARE);
    // The kinds are new, so that no record is counted in another.
    let fill = |bench: &mut Bench, party: u32| {
        (0..=u8::MAX).take_while(|kind| bench.refuse(party, *kind, 0).is_ok()).count()
    };
    assert_eq!(fill(&mut bench, 1), HALF / 2);
    assert_eq!(fill(&mut bench, 2), HALF / 4);
    assert_eq!(fill(&mut bench, 3), HALF / 8);
    assert_eq!(bench.left_out(), [(1, 1), (2, 1), (3, 1)].into());
    // Reveals have the other half, whatever happens there.
    let lane = bench.lane;
    for _ in 0..HALF {
        bench.queue().push(lane, &[0; 5], 0).unwrap();
    }
    assert_eq!(bench.round(usize::MAX).len(), HALF * 15 / 8);
}

#[test]
fn whoever_comes_when_there_is_no_place_shares_the_last() {
    let mut bench = Bench::new(SHARE);
    let parties = u32::try_from(PARTIES).unwrap();
    for party in 1..=2 * parties {
        bench.refuse(party, 0, 0).unwrap();
    }
    let lane = bench.lane;
    let record = [0; 300 * 288];
    for party in [1, parties - 1, parties, 2 * parties] {
        let whose = Party { login: party, role: 7 };
        assert_eq!(bench.queue().push_spare(lane, whose, &record, 0), Err(Full));
    }
    let others = Party::OTHERS.login;
    assert_eq!(bench.left_out(), [(others, 2), (1, 1), (parties - 1, 1)].into());
    // A place is free again when its records are written and what it left out is told.
    bench.round(usize::MAX);
    let whose = Party { login: 3 * parties, role: 7 };
    assert_eq!(bench.queue().push_spare(lane, whose, &record, 0), Err(Full));
    assert_eq!(bench.left_out(), [(3 * parties, 1)].into());
}
