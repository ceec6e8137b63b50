//! Counts of use as the database keeps them: a row has those of many secrets, in the order of their ids, so that a million secrets that
//! are counted at a time change twenty thousand rows, not a million.
//!
//! A block is the row of all ids from its first one up to that of the next block. What must stay true: blocks that are made of one
//! share its ids among themselves, and none of them has more uses than fit.

use super::uses::{Use, sort_and_add_up};

/// Secrets in a block, at most: two kilobytes.
pub const BLOCK_MAX: usize = 64;
/// The first of all ids.
const LOWEST: Id = [0; 16];

/// The id of a secret.
pub type Id = [u8; 16];

/// The counts of neighbouring secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// It has the ids from this one on, whether or not that is the id of a secret.
    pub first: Id,
    /// Up to this one, which it does not have any more; `None` for all that follow.
    pub next: Option<Id>,
    /// In the order of their ids.
    pub uses: Vec<Use>,
}

/// What is to be done to counts, both in the order of ids.
#[derive(Debug, Clone, Copy)]
pub struct Changes<'a> {
    /// Uses to be added.
    pub used: &'a [Use],
    /// Secrets to be forgotten.
    pub deleted: &'a [Id],
}

impl<'a> Changes<'a> {
    /// The first id that there is something to do for.
    pub fn first(&self) -> Option<Id> {
        let used = self.used.first().map(|uses| uses.id);
        used.into_iter().chain(self.deleted.first().copied()).min()
    }

    /// Takes away those that concern the ids before this one; all, for `None`.
    pub fn take_before(&mut self, next: Option<Id>) -> Self {
        let used = self.used.partition_point(|uses| next.is_none_or(|next| uses.id < next));
        let deleted = self.deleted.partition_point(|id| next.is_none_or(|next| *id < next));
        let (used, deleted) = (self.used.split_at(used), self.deleted.split_at(deleted));
        *self = Self { used: used.1, deleted: deleted.1 };
        Self { used: used.0, deleted: deleted.0 }
    }
}

impl Block {
    /// The block of the ids before all other blocks.
    pub fn lowest(next: Option<Id>) -> Self {
        Self { first: LOWEST, next, uses: Vec::new() }
    }

    /// The block of these uses, in whatever order they were kept. Those that belong into another block are left out.
    pub fn of(first: Id, next: Option<Id>, mut uses: Vec<Use>) -> Self {
        uses.retain(|uses| uses.id >= first && next.is_none_or(|next| uses.id < next));
        sort_and_add_up(&mut uses);
        Self { first, next, uses }
    }

    /// The secrets among those used whose uses it does not have yet.
    pub fn unknown<'a>(&'a self, changes: Changes<'a>) -> impl Iterator<Item = Id> + use<'a> {
        changes
            .used
            .iter()
            .map(|uses| uses.id)
            .filter(|id| self.uses.binary_search_by_key(id, |uses| uses.id).is_err())
    }

    /// Makes these changes, and gives whether there was anything to change. Of secrets that it did not know it takes in those that
    /// `is_there` says are there.
    pub fn apply(&mut self, changes: Changes<'_>, is_there: impl Fn(&Id) -> bool) -> bool {
        let unknown: Vec<Id> = self.unknown(changes).collect();
        let is_deleted = |id: &Id| changes.deleted.binary_search(id).is_ok();
        let is_taken = |id: &Id| !is_deleted(id) && (unknown.binary_search(id).is_err() || is_there(id));
        let taken = changes.used.iter().filter(|uses| is_taken(&uses.id));
        let former = self.uses.len();
        self.uses.extend(taken);
        let has_used = self.uses.len() > former;
        sort_and_add_up(&mut self.uses);
        let counted = self.uses.len();
        self.uses.retain(|uses| !is_deleted(&uses.id));
        has_used || self.uses.len() < counted
    }

    /// The block itself where all uses fit into it, or the blocks that it is divided into; none, if it has no uses.
    pub fn divided(&self) -> impl Iterator<Item = (Id, &[Use])> {
        let count = self.uses.len().div_ceil(BLOCK_MAX).max(1);
        let pieces = self.uses.chunks(self.uses.len().div_ceil(count).max(1));
        pieces.enumerate().map(|(at, uses)| (if at == 0 { self.first } else { uses[0].id }, uses))
    }
}
