//! Uses that are gathered are those that came, added up, whatever their order.

use std::collections::{BTreeMap, VecDeque};

use hftok_core::audit::uses::{Use, Uses};
use proptest::collection::vec;
use proptest::prelude::*;

/// More than any of these tests has.
const MANY: usize = 10_000_000;

fn use_of(secret: u64, count: i64, last: i64) -> Use {
    // Spread as ids are, and in another order than the numbers.
    let mut id = [0; 16];
    id[..8].copy_from_slice(&secret.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[15] = 1;
    Use { id, count, last }
}

/// What a map makes of them.
fn added(all: &[Use]) -> Vec<Use> {
    let mut sums: BTreeMap<[u8; 16], (i64, i64)> = BTreeMap::new();
    for Use { id, count, last } in all {
        let sum = sums.entry(*id).or_insert((0, *last));
        *sum = (sum.0 + count, sum.1.max(*last));
    }
    sums.into_iter().map(|(id, (count, last))| Use { id, count, last }).collect()
}

/// Everything that was gathered, taken a thousand at a time as the writer counts it.
fn taken(mut uses: Uses, most: usize) -> Vec<Use> {
    uses.merge(most);
    let (mut taken, merged) = (VecDeque::new(), uses.merged());
    while !uses.is_empty() {
        for last in uses.last(1000).into_iter().rev() {
            taken.push_front(last);
        }
        uses.forget_last(1000);
        assert_eq!(uses.merged(), merged - taken.len());
    }
    taken.into()
}

proptest! {
    #[test]
    fn they_are_those_that_came_added_up(
        parts in vec(vec((0..300_u64, 1..5_i64, 0..1000_i64), 0..3000), 1..5)
    ) {
        let (mut uses, mut all) = (Uses::default(), Vec::new());
        for (secret, count, last) in parts.into_iter().flatten() {
            all.push(use_of(secret, count, last));
            uses.add(use_of(secret, count, last), MANY);
        }
        prop_assert_eq!(uses.is_empty(), all.is_empty());
        prop_assert_eq!(taken(uses, MANY), added(&all));
    }
}

#[test]
fn many_secrets_are_merged_again_and_again() {
    let (mut uses, mut all) = (Uses::default(), Vec::new());
    for number in 0..1_500_000_u64 {
        let one = use_of(number * number % 400_009, 1, number.cast_signed());
        all.push(one);
        uses.add(one, MANY);
    }
    assert!(uses.merged() > 100_000);
    assert_eq!(taken(uses, MANY), added(&all));
}

#[test]
fn beyond_the_most_only_known_secrets_are_counted() {
    let mut uses = Uses::default();
    for round in 0..4_i64 {
        for secret in 0..400_000_u64 {
            uses.add(use_of(secret, 1, round), 1000);
        }
    }
    let taken = taken(uses, 1000);
    assert_eq!(taken.len(), 1000);
    assert!(taken.is_sorted_by(|one, next| one.id < next.id));
    // Whoever was in the list from the first time on missed none of the later rounds.
    assert!(taken.iter().all(|uses| uses.count == 4 && uses.last == 3), "{:?}", &taken[..3]);
}
