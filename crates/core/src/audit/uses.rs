//! Uses of secrets, gathered until they are counted: how many of which secret, and when it was used last.
//!
//! Secrets come in no order, and there may be a million of them: a table of hashes would wait for memory at each use. So uses are
//! only laid down, and many of them at a time are sorted and merged into a list in order, which a processor reads ahead.
//!
//! What must stay true: without memory, uses of secrets that are in the list are added all the same, and others are dropped; nothing here
//! ends the process.

/// Uses that are laid down before they are merged: four megabytes, and less than 50 ms for sorting and merging.
const FRESH_MAX: usize = 128 * 1024;
/// With so few it begins.
const FRESH_FEWEST: usize = 1024;

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

/// What was gathered.
#[derive(Debug, Default)]
pub struct Uses {
    /// In the order of their ids, each of which is there once.
    merged: Vec<Use>,
    /// In the order in which they came.
    fresh: Vec<Use>,
}

impl Uses {
    /// Whether nothing was gathered.
    pub fn is_empty(&self) -> bool {
        self.merged.is_empty() && self.fresh.is_empty()
    }

    /// The number of secrets, as far as their uses were merged.
    pub fn merged(&self) -> usize {
        self.merged.len()
    }

    /// Takes in uses, of no more than so many secrets.
    pub fn add(&mut self, uses: Use, most: usize) {
        if self.fresh.len() == self.fresh.capacity() {
            // Little memory makes short lists, which are merged sooner.
            let wanted = (2 * self.fresh.len()).clamp(FRESH_FEWEST, FRESH_MAX);
            let room = wanted.saturating_sub(self.fresh.len());
            if room == 0 || self.fresh.try_reserve_exact(room).is_err() {
                self.merge(most);
            }
        }
        if self.fresh.len() < self.fresh.capacity() {
            self.fresh.push(uses);
        }
    }

    /// Takes in what another has gathered.
    pub fn join(&mut self, other: Self, most: usize) {
        for uses in other.merged.into_iter().chain(other.fresh) {
            self.add(uses, most);
        }
    }

    /// Everything that was gathered, in the order of the ids.
    pub fn take(&mut self, most: usize) -> Vec<Use> {
        self.merge(most);
        std::mem::take(&mut self.merged)
    }

    /// Merges what came since the last time.
    fn merge(&mut self, most: usize) {
        self.fresh.sort_unstable_by_key(|uses| u128::from_be_bytes(uses.id));
        self.fresh.dedup_by(|next, kept| {
            let is_same = next.id == kept.id;
            if is_same {
                kept.add(*next);
            }
            is_same
        });
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
        let room = most.saturating_sub(self.merged.len());
        self.fresh.truncate(room);
        if self.merged.try_reserve(self.fresh.len()).is_ok() {
            self.insert_new();
        }
        self.fresh.clear();
    }

    /// Puts secrets that are not in the list where they belong, from the end on, so that each moves once.
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
