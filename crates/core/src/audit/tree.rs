//! The Merkle tree over the events, as RFC 6962 has it: event n is leaf n - 1.
//!
//! A *perfect* subtree of height h with number k covers the leaves from k * 2^h on, 2^h of them, all of which are there. Its hash never
//! changes again, so it can be kept. The root of a log of any size, and every proof, follow from hashes of perfect subtrees.

use sha2::{Digest, Sha256};

pub use super::leaf::Hash;
use super::sha::hash_of_two;

/// RFC 6962 puts this byte before an inner node, so that no inner node is a leaf.
const NODE: u8 = 1;
/// No tree is higher: sizes are numbers of 63 bits.
pub const HEIGHT_MAX: u8 = 62;
/// A tile is a perfect subtree of this height: 256 leaves, or 256 tiles of the level below.
pub const TILE_HEIGHT: u8 = 8;
/// The leaves of a tile.
pub const TILE: u64 = 1 << TILE_HEIGHT;

/// A perfect subtree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// The number of levels below it; a leaf has none.
    pub height: u8,
    /// The number of perfect subtrees of its height before it.
    pub number: u64,
}

/// The hash of an inner node.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hash_of_two(NODE, left, right)
}

/// The root of a log without events.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The end of a tree that grows: the perfect subtrees that its leaves fall into, the highest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    /// The number of leaves.
    size: u64,
    /// One hash for each bit that is set in the size.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of a tree of this size with these peaks, the highest first.
    pub fn new(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        let fits = size < 1 << HEIGHT_MAX && usize::try_from(size.count_ones()) == Ok(peaks.len());
        fits.then_some(Self { size, peaks })
    }

    /// The peaks that a tree of this size has, the highest first.
    pub fn peaks_of(size: u64) -> impl Iterator<Item = Node> {
        let heights = (0..=HEIGHT_MAX).rev().filter(move |height| size >> height & 1 == 1);
        heights.map(move |height| Node { height, number: (size >> height) - 1 })
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of its perfect subtrees, the highest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds a leaf, and tells of each perfect subtree that it completes, the lowest first and the leaf itself not.
    pub fn push(&mut self, leaf: Hash, mut completed: impl FnMut(Node, Hash)) {
        let mut hash = leaf;
        let mut height = 0;
        while self.size >> height & 1 == 1 {
            // A set bit of the size has its peak.
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            height += 1;
            completed(Node { height, number: self.size >> height }, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return empty_root() };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The root of the first leaves of a tree, by the hashes of its perfect subtrees.
pub fn root_at<E>(size: u64, node: impl FnMut(Node) -> Result<Hash, E>) -> Result<Hash, E> {
    let peaks: Vec<Hash> = Frontier::peaks_of(size).map(node).collect::<Result<_, E>>()?;
    Ok(Frontier { size, peaks }.root())
}

/// The hash of leaves from `begin` to `end`, where they begin at a perfect subtree that is at least as long.
fn range<E>(begin: u64, end: u64, node: &mut impl FnMut(Node) -> Result<Hash, E>) -> Result<Hash, E> {
    let shifted = |peak: Node| Node { number: peak.number + (begin >> peak.height), ..peak };
    let peaks: Vec<Hash> =
        Frontier::peaks_of(end - begin).map(|peak| node(shifted(peak))).collect::<Result<_, E>>()?;
    Ok(Frontier { size: end - begin, peaks }.root())
}

/// Where RFC 6962 divides a tree of at least two leaves: the greatest power of two below its size.
fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// The proof that a leaf is in a tree of this size: the hashes beside its way to the root, from below. `None` when it is not.
pub fn prove_inclusion<E>(
    leaf: u64,
    size: u64,
    mut node: impl FnMut(Node) -> Result<Hash, E>,
) -> Option<Result<Vec<Hash>, E>> {
    if leaf >= size {
        return None;
    }
    let (mut begin, mut end) = (0, size);
    let mut beside = Vec::new();
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if leaf < middle {
            beside.push((middle, end));
            end = middle;
        } else {
            beside.push((begin, middle));
            begin = middle;
        }
    }
    Some(beside.into_iter().rev().map(|(begin, end)| range(begin, end, &mut node)).collect())
}

/// The proof that the tree of the old size is the beginning of the tree of the new one. `None` when it cannot be.
pub fn prove_consistency<E>(
    old: u64,
    new: u64,
    mut node: impl FnMut(Node) -> Result<Hash, E>,
) -> Option<Result<Vec<Hash>, E>> {
    if old > new {
        return None;
    }
    if old == 0 || old == new {
        return Some(Ok(Vec::new()));
    }
    let (mut begin, mut end) = (0, new);
    let mut parts = Vec::new();
    while end != old {
        let middle = begin + split(end - begin);
        if old <= middle {
            parts.push((middle, end));
            end = middle;
        } else {
            parts.push((begin, middle));
            begin = middle;
        }
    }
    // The old tree's own last subtree, unless it is the whole old tree, whose root is known.
    if begin != 0 {
        parts.push((begin, end));
    }
    Some(parts.into_iter().rev().map(|(begin, end)| range(begin, end, &mut node)).collect())
}

/// Whether a proof shows that a leaf is in the tree with this size and root.
pub fn verify_inclusion(leaf: u64, hash: &Hash, size: u64, root: &Hash, proof: &[Hash]) -> bool {
    if leaf >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (leaf, size - 1, *hash);
    for beside in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(beside, &hash);
            // A subtree without a right neighbour goes up as it is.
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether a proof shows that the tree with the old size and root is the beginning of that with the new ones.
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old > new {
        return false;
    }
    if old == 0 || old == new {
        let is_same = if old == 0 { *old_root == empty_root() } else { old_root == new_root };
        return is_same && proof.is_empty();
    }
    // A perfect old tree is its own last subtree, and is left out of the proof.
    let mut parts = old.is_power_of_two().then_some(old_root).into_iter().chain(proof);
    let Some(first) = parts.next() else { return false };
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for beside in parts {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old_hash = node_hash(beside, &old_hash);
            new_hash = node_hash(beside, &new_hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            new_hash = node_hash(&new_hash, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}
