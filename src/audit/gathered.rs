//! What follows from the rounds of a writer and could not be dealt with yet: uses to be counted, reports, notifications.

use hftok_core::audit::uses::Uses;
use pgrx::datum::Uuid;

use super::batch::Effects;

/// Further secrets are not counted, as long as so many wait for it: somebody keeps the writer from counting, or there is no memory. A
/// list of so many takes 58 MB.
const USES_MAX: usize = 1_800_000;

/// What follows from the rounds so far, and could not be dealt with yet.
#[derive(Default)]
pub struct Gathered {
    /// Reveals of each secret.
    uses: Uses,
    /// The same of secrets that are being counted, all merged.
    pub counting: Uses,
    /// Reports of usage, encoded.
    pub usage: Vec<Vec<u8>>,
    /// Notifications.
    pub told: Vec<String>,
    /// Secrets that are no more.
    deleted: Vec<Uuid>,
    /// The same, in the order of their ids, whose uses are being forgotten.
    pub forgetting: Vec<Uuid>,
}

impl Gathered {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.uses.is_empty()
            && !self.is_counting()
            && self.usage.is_empty()
            && self.told.is_empty()
            && self.deleted.is_empty()
    }

    /// Whether uses are being counted or forgotten.
    pub fn is_counting(&self) -> bool {
        !self.counting.is_empty() || !self.forgetting.is_empty()
    }

    /// The secrets whose uses were gathered.
    pub fn gathered(&self) -> usize {
        self.uses.merged()
    }

    /// Begins to count what was gathered, unless there is nothing, or another count that is still going on.
    pub fn begin_counting(&mut self) -> bool {
        let can_begin = self.counting.is_empty() && !self.uses.is_empty();
        if can_begin {
            self.counting = std::mem::take(&mut self.uses);
            self.counting.merge(USES_MAX);
        }
        can_begin
    }

    /// Begins to forget secrets that are no more, unless others are being forgotten.
    pub fn begin_forgetting(&mut self) {
        if self.forgetting.is_empty() && !self.deleted.is_empty() {
            self.forgetting = std::mem::take(&mut self.deleted);
            self.forgetting.sort_unstable();
        }
    }

    /// Adds the consequences of a round's events.
    pub fn join(&mut self, round: Effects) {
        for uses in round.used {
            self.uses.add(uses, USES_MAX);
        }
        self.usage.extend(round.usage);
        self.told.extend(round.told);
        self.deleted.extend(round.deleted);
    }
}
