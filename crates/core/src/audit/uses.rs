//! Uses of secrets, gathered until they are counted: how many of which secret, and when it was used last.
//!
//! Secrets come in no order, and there may be a million of them: a table of hashes would wait for memory at each use. So uses are
//! only laid down, and many of them at a time are sorted and merged into a list in order, which a processor reads ahead. There is
//! a pair of such lists for each beginning of an id: what is sorted then lies in the processor's cache, and a merge is short.
//!
//! What must stay true: without memory, uses of secrets that are in a list are added all the same, and others are dropped; nothing here
//! ends the process.

use std::array;

/// Parts, by the first byte of the id.
const PARTS: usize = 64;
/// Uses that a part lays down before it merges them; all parts together take 16 megabytes for them.
const FRESH_MAX: usize = 8 * 1024;
/// With so few it begins.
const FRESH_FEWEST: usize = 64;
/// Where ids begin alike, one part has them all, and each merge walks its long list: such a part lays down a use for so many secrets of the
/// list before it merges.
const WALK: usize = 16;

/// Uses of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// The secret.
    pub id: [u8; 16],
    /// How often.
    pub count: i64,
    /// When last, in Postgres' microseconds.
    pub last: i64,
}

impl Use {
    /// Adds uses of the same secret.
    fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.last = self.last.max(other.last);
    }
}

/// Puts uses in the order of their ids, and adds up those of one secret.
pub(super) fn sort_and_add_up(uses: &mut Vec<Use>) {
    uses.sort_unstable_by_key(|uses| u128::from_be_bytes(uses.id));
    uses.dedup_by(|next, kept| {
        let is_same = next.id == kept.id;
        if is_same {
            kept.add(*next);
        }
        is_same
    });
}

/// What was gathered.
#[derive(Debug)]
pub struct Uses {
    /// In the order of the ids.
    parts: [Part; PARTS],
}

/// Uses of secrets whose ids begin alike.
#[derive(Debug, Default)]
struct Part {
    /// In the order of their ids, each of which is there once.
    merged: Vec<Use>,
    /// In the order in which they came.
    fresh: Vec<Use>,
}

impl Default for Uses {
    fn default() -> Self {
        Self { parts: array::from_fn(|_| Part::default()) }
    }
}

impl Uses {
    /// Whether nothing was gathered.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| part.merged.is_empty() && part.fresh.is_empty())
    }

    /// The number of secrets, as far as their uses were merged.
    pub fn merged(&self) -> usize {
        self.parts.iter().map(|part| part.merged.len()).sum()
    }

    /// Takes in uses, of no more than so many secrets.
    pub fn add(&mut self, uses: Use, most: usize) {
        let at = usize::from(uses.id[0]) * PARTS / 256;
        if !self.parts[at].has_room() {
            self.merge_part(at, most);
        }
        let part = &mut self.parts[at];
        if part.fresh.len() < part.fresh.capacity() {
            part.fresh.push(uses);
        }
    }

    /// Merges what came since the last time, and gives back the memory for more.
    pub fn merge(&mut self, most: usize) {
        for at in 0..PARTS {
            self.merge_part(at, most);
            self.parts[at].fresh = Vec::new();
        }
    }

    /// Merges what came into a part since the last time.
    fn merge_part(&mut self, at: usize, most: usize) {
        let room = most.saturating_sub(self.merged());
        self.parts[at].merge(room);
    }

    /// The last of what was merged, so many secrets, in the order of their ids.
    pub fn last(&self, count: usize) -> Vec<Use> {
        let from_last = self.parts.iter().rev().flat_map(|part| part.merged.iter().rev());
        let mut last: Vec<Use> = from_last.take(count).copied().collect();
        last.reverse();
        last
    }

    /// Forgets the last of what was merged, so many secrets.
    pub fn forget_last(&mut self, count: usize) {
        let mut left = count;
        for part in self.parts.iter_mut().rev() {
            let kept = part.merged.len().saturating_sub(left);
            left -= part.merged.len() - kept;
            part.merged.truncate(kept);
            if kept > 0 {
                break;
            }
            part.merged = Vec::new();
        }
    }
}

impl Part {
    /// Whether a further use can be laid down, for which there may have to be more memory. Little memory makes short lists, which are
    /// merged sooner.
    fn has_room(&mut self) -> bool {
        let (length, room) = (self.fresh.len(), self.fresh.capacity());
        let most = FRESH_MAX.max(self.merged.len() / WALK);
        let more = (2 * length).clamp(FRESH_FEWEST, most).saturating_sub(length);
        length < room || (more > 0 && self.fresh.try_reserve_exact(more).is_ok())
    }

    /// Merges what came since the last time, of secrets that it did not know before no more than so many.
    fn merge(&mut self, new_max: usize) {
        sort_and_add_up(&mut self.fresh);
        let mut known = self.merged.iter_mut().peekable();
        self.fresh.retain(|uses| {
            while known.next_if(|known| known.id < uses.id).is_some() {}
            match known.next_if(|known| known.id == uses.id) {
                Some(known) => {
                    known.add(*uses);
                    false
                }
                None => true,
            }
        });
        self.fresh.truncate(new_max);
        if self.merged.try_reserve(self.fresh.len()).is_err() {
            self.fresh.clear();
        }
        self.insert_new();
    }

    /// Puts secrets that are not in the list where they belong, from the end on, so that each moves once. There is room for them.
    fn insert_new(&mut self) {
        let mut old = self.merged.len();
        self.merged.extend_from_slice(&self.fresh);
        let mut end = self.merged.len();
        while let Some(new) = self.fresh.last() {
            end -= 1;
            if old > 0 && self.merged[old - 1].id > new.id {
                old -= 1;
                self.merged[end] = self.merged[old];
            } else {
                self.merged[end] = *new;
                self.fresh.pop();
            }
        }
    }
}
