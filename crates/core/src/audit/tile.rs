//! Tiles: the files in which a log is handed out, and their names (C2SP's `tlog-tiles`).
//!
//! Must stay true: a tile is 256 hashes or entries, fewer only at the right edge of its tree.

use std::fmt;

use super::tree::{Node, TILE, TILE_HEIGHT};

/// The highest level that numbers of 63 bits reach.
const LEVEL_MAX: u8 = 7;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Hashes of perfect subtrees, whose height is eight times this level. Level 0 has those of leaves.
    Hashes(u8),
    /// The data of leaves.
    Entries,
}

/// One file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// What it holds.
    pub content: Content,
    /// The number of tiles of its level before it.
    pub number: u64,
    /// The number of hashes or entries: 1 to 256.
    pub width: u16,
}

impl Tile {
    /// The tile with this number, as a tree of this size has it, if it does.
    pub fn of(content: Content, number: u64, size: u64) -> Option<Self> {
        let all = size.checked_shr(u32::from(TILE_HEIGHT) * u32::from(content.level())).unwrap_or(0);
        let left = all.checked_sub(number.checked_mul(TILE)?)?;
        let width = u16::try_from(left.min(TILE)).ok().filter(|width| *width > 0)?;
        Some(Self { content, number, width })
    }

    /// The tiles of a tree of this size that cover a leaf or one after it: hashes from below, then entries.
    pub fn all(first_leaf: u64, size: u64) -> impl Iterator<Item = Self> {
        let contents = (0..=LEVEL_MAX).map(Content::Hashes).chain([Content::Entries]);
        contents.flat_map(move |content| {
            let shift = u32::from(TILE_HEIGHT) * (u32::from(content.level()) + 1);
            let first = first_leaf.checked_shr(shift).unwrap_or(0);
            (first..).map_while(move |number| Self::of(content, number, size))
        })
    }

    /// The subtrees whose hashes it holds; of entries the leaves.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        let (height, first) = (TILE_HEIGHT * self.content.level(), self.number * TILE);
        (0..u64::from(self.width)).map(move |at| Node { height, number: first + at })
    }
}

impl Content {
    /// Entries lie as the leaves do.
    fn level(self) -> u8 {
        match self {
            Self::Hashes(level) => level,
            Self::Entries => 0,
        }
    }
}

impl fmt::Display for Tile {
    /// The path: three digits a folder, the highest first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            Content::Hashes(level) => write!(f, "tile/{level}/")?,
            Content::Entries => f.write_str("tile/entries/")?,
        }
        let thousands = std::iter::successors(Some(self.number / 1000), |rest| Some(rest / 1000));
        let folders: Vec<u64> = thousands.take_while(|rest| *rest > 0).collect();
        for folder in folders.iter().rev() {
            write!(f, "x{:03}/", folder % 1000)?;
        }
        write!(f, "{:03}", self.number % 1000)?;
        if u64::from(self.width) < TILE { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// Adds the data of a leaf to a tile of entries. False, and nothing is added, when they are more than 65,535 bytes.
pub fn put_entry(entries: &mut Vec<u8>, leaf: &[u8]) -> bool {
    let Ok(length) = u16::try_from(leaf.len()) else { return false };
    entries.extend_from_slice(&length.to_be_bytes());
    entries.extend_from_slice(leaf);
    true
}
