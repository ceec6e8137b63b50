//! Records that were copied out of the queue, to be read when it is no longer held.
//!
//! Many records are copied a few at a time, so that nobody who adds one waits for long. What must stay true: a record that was copied is
//! taken, so that it does not change any more.

use super::{NONE, Queue, ROOM, needed};

/// Copies of the oldest records of a lane, in their order.
#[derive(Debug)]
pub struct Copied {
    /// Their bytes, one after the other.
    bytes: Vec<u8>,
    /// Where each record ends, and how often it was accepted.
    ends: Vec<(usize, u32)>,
    /// The slots that they take in the queue.
    slots: usize,
    /// The first slot of the last of them.
    last: u32,
    /// Its number, or that of the record that was written last.
    end: u64,
}

/// A record that was taken to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The number of times that the record was accepted.
    pub count: u32,
}

/// The most that is copied.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Records, in all.
    pub records: usize,
    /// Slots, in all. One record is taken however many it has.
    pub slots: usize,
    /// Records at a time.
    pub at_once: usize,
}

impl Default for Copied {
    fn default() -> Self {
        Self { bytes: Vec::new(), ends: Vec::new(), slots: 0, last: NONE, end: 0 }
    }
}

impl Copied {
    /// Forgets all of them, and makes room for so many. `false`: there is no memory.
    #[must_use]
    pub fn begin(&mut self, limits: Limits) -> bool {
        self.bytes.clear();
        self.ends.clear();
        (self.slots, self.last, self.end) = (0, NONE, 0);
        self.bytes.try_reserve(limits.slots.saturating_mul(ROOM)).is_ok()
            && self.ends.try_reserve(limits.records).is_ok()
    }

    /// The number of the last record: up to it, all can be released.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The records.
    pub fn records(&self) -> impl Iterator<Item = Taken<'_>> {
        let mut begin = 0;
        self.ends.iter().map(move |(end, count)| {
            let bytes = self.bytes.get(begin..*end).unwrap_or_default();
            begin = *end;
            Taken { bytes, count: *count }
        })
    }
}

impl Queue<'_> {
    /// Copies the oldest records of a lane that were not copied yet, some of them, and says whether there are more within the limits. They
    /// stay in their slots until they are released.
    pub fn take(&mut self, lane: usize, limits: Limits, copied: &mut Copied) -> bool {
        if copied.ends.is_empty() {
            copied.end = self.header.lanes[lane].written;
        }
        for _ in 0..limits.at_once {
            let Some(at) = self.next_to_copy(lane, limits, copied) else { break };
            self.copy(at, copied);
        }
        let is_more = self.next_to_copy(lane, limits, copied).is_some();
        let lane = &mut self.header.lanes[lane];
        (lane.taken, lane.is_copying) = (copied.end, is_more);
        is_more
    }

    /// The first slot of the record after those that were copied, if there is one within the limits.
    fn next_to_copy(&self, lane: usize, limits: Limits, copied: &Copied) -> Option<u32> {
        let last = self.slots.get(copied.last as usize);
        let at = last.map_or(self.header.lanes[lane].first, |last| last.next);
        let length = self.slots.get(at as usize)?.length as usize;
        let fits = needed(length) as usize <= limits.slots.saturating_sub(copied.slots);
        ((fits || copied.ends.is_empty()) && copied.ends.len() < limits.records).then_some(at)
    }

    /// Copies the record that begins in this slot.
    fn copy(&self, at: u32, copied: &mut Copied) {
        let first = &self.slots[at as usize];
        let (mut slot, mut left) = (first, first.length as usize);
        loop {
            let part = left.min(ROOM);
            copied.bytes.extend_from_slice(&slot.bytes[..part]);
            left -= part;
            let Some(more) = self.slots.get(slot.more as usize) else { break };
            slot = more;
        }
        copied.ends.push((copied.bytes.len(), first.count));
        copied.slots += needed(first.length as usize) as usize;
        (copied.last, copied.end) = (at, first.number);
    }
}
