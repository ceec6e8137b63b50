//! Blocks of counts, divided and changed again and again, have what a map has.

use std::collections::{BTreeMap, BTreeSet};

use hftok_core::audit::use_block::{BLOCK_MAX, Block, Changes, Id};
use hftok_core::audit::uses::Use;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn id(secret: u16) -> Id {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&secret.wrapping_mul(40_503).to_be_bytes());
    id
}

/// The table: blocks by their first ids.
#[derive(Default)]
struct Table(BTreeMap<Id, Vec<Use>>);

impl Table {
    /// The block that has this id.
    fn find(&self, id: Id) -> Block {
        let after = if self.0.range(..=id).next().is_some() { id } else { Id::default() };
        let next = self.0.keys().find(|first| **first > after).copied();
        match self.0.range(..=id).next_back() {
            Some((first, uses)) => Block::of(*first, next, uses.clone()),
            None => Block::lowest(next),
        }
    }

    /// Does to the table what the writer does to the database's.
    fn change(&mut self, mut changes: Changes<'_>, is_there: impl Fn(&Id) -> bool) {
        while let Some(first) = changes.first() {
            let mut block = self.find(first);
            let before = block.clone();
            let has_changed = block.apply(changes.take_before(block.next), &is_there);
            assert_eq!(has_changed, block != before);
            self.0.remove(&block.first);
            for (first, uses) in block.divided() {
                assert!(!uses.is_empty() && uses.len() <= BLOCK_MAX);
                assert!(self.0.insert(first, uses.to_vec()).is_none());
            }
        }
    }

    /// Every use, found as a view finds it: in the last block that begins at or before its id.
    fn all(&self) -> Vec<Use> {
        for uses in self.0.values().flatten() {
            let block = self.0.range(..=uses.id).next_back();
            assert!(block.is_some_and(|(_, block)| block.contains(uses)), "{uses:?} is in another block");
        }
        self.0.values().flatten().copied().collect()
    }
}

/// Uses of a round, and the secrets that are deleted in it.
type Round = (Vec<(u16, i64, i64)>, BTreeSet<u16>);

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    vec((vec((0..2000_u16, 1..5_i64, 0..1000_i64), 0..600), btree_set(0..2000_u16, 0..200)), 1..8)
}

proptest! {
    #[test]
    fn they_have_what_a_map_has(rounds in rounds(), gone in btree_set(0..2000_u16, 0..100)) {
        let gone: BTreeSet<Id> = gone.into_iter().map(id).collect();
        let (mut table, mut map) = (Table::default(), BTreeMap::<Id, Use>::new());
        for (used, deleted) in rounds {
            let mut added = BTreeMap::new();
            for (secret, count, last) in used {
                let uses = added.entry(id(secret)).or_insert(Use { id: id(secret), count: 0, last: i64::MIN });
                (uses.count, uses.last) = (uses.count + count, uses.last.max(last));
            }
            let used: Vec<Use> = added.into_values().collect();
            let deleted: BTreeSet<Id> = deleted.into_iter().map(id).collect();
            let deleted: Vec<Id> = deleted.into_iter().collect();
            for uses in used.iter().filter(|uses| !gone.contains(&uses.id)) {
                let sum = map.entry(uses.id).or_insert(Use { count: 0, last: i64::MIN, ..*uses });
                (sum.count, sum.last) = (sum.count + uses.count, sum.last.max(uses.last));
            }
            map.retain(|id, _| deleted.binary_search(id).is_err());
            table.change(Changes { used: &used, deleted: &deleted }, |id| !gone.contains(id));
            prop_assert_eq!(table.all(), map.values().copied().collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_block_that_somebody_put_out_of_order_is_put_right() {
    let uses = |secret: u8, count, last| Use { id: [secret; 16], count, last };
    let kept = vec![uses(3, 1, 5), uses(7, 1, 1), uses(2, 1, 9), uses(0, 1, 1), uses(3, 2, 4)];
    let block = Block::of([1; 16], Some([7; 16]), kept);
    assert_eq!(block.uses, [uses(2, 1, 9), uses(3, 3, 5)]);
}

#[test]
fn a_secret_that_is_used_and_deleted_at_once_changes_nothing_where_it_was_unknown() {
    let uses = |secret: u8| Use { id: [secret; 16], count: 1, last: 1 };
    let mut block = Block::of([0; 16], None, vec![uses(2)]);
    let before = block.clone();
    let changes = Changes { used: &[uses(1)], deleted: &[[1; 16]] };
    assert!(!block.apply(changes, |_| true), "nothing is to be written");
    assert_eq!(block, before);
    let changes = Changes { used: &[uses(2)], deleted: &[[2; 16]] };
    assert!(block.apply(changes, |_| true) && block.uses.is_empty());
}
