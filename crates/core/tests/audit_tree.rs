//! The tree: roots and proofs are those of RFC 6962's recursive definition, and a proof holds for nothing else.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::HashMap;
use std::convert::Infallible;

use hftok_core::audit::tree::{
    Frontier, Hash, Node, empty_root, node_hash, prove_consistency, prove_inclusion, root_at,
    verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn leaf(number: u64) -> Hash {
    Sha256::new().chain_update([0]).chain_update(number.to_be_bytes()).finalize().into()
}

/// The definition of RFC 6962, section 2.1, word for word.
fn naive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let mut middle = 1;
            while middle * 2 < leaves.len() {
                middle *= 2;
            }
            node_hash(&naive(&leaves[..middle]), &naive(&leaves[middle..]))
        }
    }
}

/// A log of some size, with every perfect subtree that it completed.
struct Log {
    leaves: Vec<Hash>,
    nodes: HashMap<Node, Hash>,
    frontier: Frontier,
}

impl Log {
    fn of(size: u64) -> Self {
        let mut log = Self { leaves: Vec::new(), nodes: HashMap::new(), frontier: Frontier::default() };
        for number in 0..size {
            let hash = leaf(number);
            log.leaves.push(hash);
            log.nodes.insert(Node { height: 0, number }, hash);
            log.frontier.push(hash, |node, hash| {
                assert!(log.nodes.insert(node, hash).is_none(), "{node:?} is completed once");
            });
        }
        log
    }

    fn node(&self, node: Node) -> Result<Hash, Infallible> {
        Ok(*self.nodes.get(&node).unwrap_or_else(|| panic!("{node:?} is not perfect")))
    }

    fn root(&self, size: u64) -> Hash {
        naive(&self.leaves[..usize::try_from(size).unwrap()])
    }

    fn inclusion(&self, leaf: u64, size: u64) -> Vec<Hash> {
        let Ok(proof) = prove_inclusion(leaf, size, |node| self.node(node)).unwrap();
        proof
    }

    fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        let Ok(proof) = prove_consistency(old, new, |node| self.node(node)).unwrap();
        proof
    }
}

#[test]
fn roots_are_those_of_the_definition() {
    let log = Log::of(300);
    for size in 0..=300 {
        let Ok(root) = root_at(size, |node| log.node(node));
        assert_eq!(root, log.root(size), "{size}");
        let peaks: Vec<Hash> = Frontier::peaks_of(size).map(|node| log.nodes[&node]).collect();
        let mut frontier = Frontier::new(size, peaks).unwrap();
        assert_eq!(frontier.root(), log.root(size));
        if size < 300 {
            frontier.push(leaf(size), |node, hash| assert_eq!(log.nodes[&node], hash));
            assert_eq!(frontier.root(), log.root(size + 1));
        }
    }
    assert_eq!(log.frontier.root(), log.root(300));
}

/// The published example of certificate transparency: eight leaves.
#[test]
fn the_known_tree_has_the_known_root() {
    let leaves =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let mut frontier = Frontier::default();
    for data in leaves {
        frontier.push(
            Sha256::new().chain_update([0]).chain_update(hex::decode(data).unwrap()).finalize().into(),
            |_, _| {},
        );
    }
    assert_eq!(
        hex::encode(frontier.root()),
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    );
}

#[test]
fn every_proof_of_a_small_log_holds() {
    let log = Log::of(70);
    for size in 1..=70 {
        let root = log.root(size);
        for number in 0..size {
            let proof = log.inclusion(number, size);
            assert!(verify_inclusion(number, &leaf(number), size, &root, &proof), "{number} of {size}");
        }
        for old in 0..=size {
            let proof = log.consistency(old, size);
            assert!(verify_consistency(old, &log.root(old), size, &root, &proof), "{old} of {size}");
        }
    }
}

#[test]
fn a_frontier_has_as_many_peaks_as_its_size_says() {
    assert!(Frontier::new(3, vec![leaf(0)]).is_none());
    assert!(Frontier::new(1 << 62, vec![leaf(0)]).is_none());
    assert!(Frontier::new(4, vec![leaf(0)]).is_some());
    let heights: Vec<_> = Frontier::peaks_of(0b1011).map(|node| (node.height, node.number)).collect();
    assert_eq!(heights, [(3, 0), (1, 4), (0, 10)]);
}

#[test]
fn there_is_no_proof_of_what_is_not_there() {
    let log = Log::of(9);
    assert!(prove_inclusion(9, 9, |node| log.node(node)).is_none());
    assert!(prove_consistency(9, 8, |node| log.node(node)).is_none());
    assert!(!verify_inclusion(9, &leaf(9), 9, &log.root(9), &[]));
    assert!(!verify_consistency(9, &log.root(9), 8, &log.root(8), &[]));
}

proptest! {
    #[test]
    fn a_proof_of_inclusion_holds_for_nothing_else(size in 1..400_u64, at in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), bit in 0..256_usize) {
        let log = Log::of(size);
        let number = u64::try_from(at.index(usize::try_from(size).unwrap())).unwrap();
        let (root, mut proof) = (log.root(size), log.inclusion(number, size));
        prop_assert!(verify_inclusion(number, &leaf(number), size, &root, &proof));
        prop_assert!(!verify_inclusion(number, &leaf(number + 1), size, &root, &proof));
        prop_assert!(!verify_inclusion(number, &leaf(number), size, &leaf(7), &proof));
        let moved = u64::try_from(other.index(usize::try_from(size).unwrap())).unwrap();
        prop_assert!(moved == number || !verify_inclusion(moved, &leaf(number), size, &root, &proof));
        proof.push(leaf(1));
        prop_assert!(!verify_inclusion(number, &leaf(number), size, &root, &proof));
        proof.pop();
        if !proof.is_empty() {
            let place = bit % proof.len();
            proof[place][bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!verify_inclusion(number, &leaf(number), size, &root, &proof));
            proof.pop();
            prop_assert!(!verify_inclusion(number, &leaf(number), size, &root, &proof));
        }
    }

    #[test]
    fn a_proof_of_consistency_holds_for_nothing_else(new in 1..400_u64, at in any::<prop::sample::Index>(), bit in 0..256_usize) {
        let log = Log::of(new);
        let old = u64::try_from(at.index(usize::try_from(new).unwrap())).unwrap();
        let mut proof = log.consistency(old, new);
        prop_assert!(verify_consistency(old, &log.root(old), new, &log.root(new), &proof));
        if old > 0 {
            prop_assert!(!verify_consistency(old, &leaf(3), new, &log.root(new), &proof));
            prop_assert!(!verify_consistency(old, &log.root(old), new, &leaf(3), &proof));
        }
        proof.push(leaf(1));
        prop_assert!(!verify_consistency(old, &log.root(old), new, &log.root(new), &proof));
        proof.pop();
        if !proof.is_empty() {
            let place = bit % proof.len();
            proof[place][bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!verify_consistency(old, &log.root(old), new, &log.root(new), &proof));
        }
    }

    /// No proof of a stranger makes verifying panic or loop.
    #[test]
    fn strange_numbers_are_refused(old in any::<u64>(), new in any::<u64>(), count in 0..70_usize) {
        let proof = vec![leaf(0); count];
        prop_assert!(!verify_inclusion(old, &leaf(1), new, &leaf(2), &proof));
        prop_assert!(old == new || !verify_consistency(old, &leaf(1), new, &leaf(2), &proof));
    }
}
