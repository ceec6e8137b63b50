//! The queue in which records wait until they are written: a pool of slots, and in it a queue for each database, its
//! *lane*.
//!
//! All of it is plain memory without pointers, so that it can lie in memory that processes share. Nothing here locks:
//! whoever holds the memory holds it alone.
//!
//! - A record takes as many slots as it needs, linked. A lane is first in, first out.
//! - A database may have a *share* of slots waiting, and a *guarantee* is kept free for it whatever others do, so that one
//!   whose records nobody fetches does not stop the others.
//! - Records are numbered as they are accepted. A record that was taken to be written stays in its slots until it is
//!   released, so a writer that fails in between loses nothing.
//! - A record that was begun as such can grow while it waits.
//! - Records that may be left out have room of their own ([`spare`]), and are counted where they are many.

mod copied;
mod spare;

use super::lane::Lane;
pub use copied::{Copied, Limits, Taken};
pub(super) use spare::Spare;
pub use spare::{LeftOut, OneOfMany, PARTIES, Party, RECORDS_KEPT_MAX};

/// The number of databases that can have records waiting at the same time.
pub const LANES: usize = LANE_COUNT as usize;
/// The same number, as wide as the arithmetic of shares.
const LANE_COUNT: u32 = 64;
/// Bytes of a record in one slot: most take one.
const ROOM: usize = 288;
/// No slot: the end of a list.
const NONE: u32 = u32::MAX;

/// A piece of the pool.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Slot {
    /// The next record of the lane, or the next free slot.
    next: u32,
    /// The slot that has the record's next part.
    more: u32,
    /// As its lane has counted: a reader that finds another number knows that the slot was given on.
    number: u64,
    /// When it was accepted, in Postgres' microseconds.
    at: i64,
    /// The number of equal events that this record stands for.
    count: u32,
    /// Bytes of the whole record, over all of its slots.
    length: u32,
    /// In whose room the record lies, if it may be left out; counted from 1.
    share: u32,
    /// This slot's part of the record.
    bytes: [u8; ROOM],
}

/// The state that all lanes share.
pub struct Header {
    /// Head of the list of slots that were given back.
    free: u32,
    /// Slots from here on were never used.
    fresh: u32,
    /// Slots that there are, laid out by the server before any process may come.
    total: u32,
    /// The free slots of the part that is guaranteed to nobody.
    common: u32,
    /// No lane may have more: one database cannot fill the queue of all.
    share: u32,
    /// A lane has so many, whatever others take.
    guarantee: u32,
    /// Nobody will fetch anything any more, so nothing is accepted.
    pub is_closed: bool,
    /// The lanes.
    pub lanes: [Lane; LANES],
}

/// The queue, held alone.
pub struct Queue<'a> {
    /// The state that all lanes share.
    pub header: &'a mut Header,
    /// The pool.
    pub slots: &'a mut [Slot],
}

/// There is no room now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// A record that may grow for as long as it waits.
#[derive(Debug, Clone, Copy)]
pub struct Growing {
    /// The lane that it waits in.
    lane: usize,
    /// Its number: an event that was taken meanwhile no longer grows.
    number: u64,
    /// Its first slot.
    first: u32,
    /// Its last slot, where the next bytes go.
    last: u32,
}

impl Growing {
    /// The lane that it waits in.
    pub fn lane(&self) -> usize {
        self.lane
    }
}

impl Slot {
    /// A slot that holds nothing.
    pub const EMPTY: Self =
        Self { next: NONE, more: NONE, number: 0, at: 0, count: 0, length: 0, share: 0, bytes: [0; ROOM] };
}

impl Header {
    /// The size of a pool, in slots, in which each database may have `share` waiting.
    pub fn slots(share: u32) -> u32 {
        4 * share + Self::guarantee(share) * LANE_COUNT
    }

    /// The start of a pool of so many slots.
    pub fn new(share: u32) -> Self {
        Self {
            free: NONE,
            fresh: 0,
            total: Self::slots(share),
            common: 4 * share,
            share,
            guarantee: Self::guarantee(share),
            is_closed: false,
            lanes: [Lane::EMPTY; LANES],
        }
    }

    /// The lane of a database, if it has one.
    pub fn lane(&self, database: u32) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.database == database)
    }

    /// The lane of a database that has one.
    pub fn known(&mut self, database: u32) -> Result<usize, Full> {
        self.lane(database).ok_or(Full)
    }

    /// The lane of a database, which it gets if there is one to be had.
    pub fn claim(&mut self, database: u32) -> Result<usize, Full> {
        if let Some(found) = self.lane(database) {
            return Ok(found);
        }
        let free = self.lane(0).or_else(|| self.lanes.iter().position(Lane::is_idle)).ok_or(Full)?;
        // Numbers go on: somebody may still be waiting for one of the former database.
        let Lane { accepted, taken, written, safe, wanted, rounds, asked, answered, .. } = self.lanes[free];
        self.lanes[free] =
            Lane { database, accepted, taken, written, safe, wanted, rounds, asked, answered, ..Lane::EMPTY };
        Ok(free)
    }

    /// The guarantees of all lanes together are as much as is common: half of the slots.
    fn guarantee(share: u32) -> u32 {
        (share / 16).max(1)
    }

    /// Counts slots as taken by a lane.
    fn grant(&mut self, lane: usize, slots: u32) -> Result<(), Full> {
        let used = self.lanes[lane].used;
        let beyond = (used + slots).saturating_sub(used.max(self.guarantee));
        if self.is_closed || used + slots > self.share || beyond > self.common {
            return Err(Full);
        }
        self.common -= beyond;
        let (lane, half) = (&mut self.lanes[lane], self.share / 2);
        lane.used += slots;
        lane.is_half_full |= used < half && lane.used >= half;
        Ok(())
    }

    /// Slots beyond the guarantee go back to the common room; those within it were never part of it.
    fn give_back(&mut self, lane: usize, slots: u32) {
        let used = self.lanes[lane].used;
        let left = used.saturating_sub(slots);
        self.common += used.saturating_sub(left.max(self.guarantee));
        self.lanes[lane].used = left;
    }
}

/// The number of slots that a record of this length takes.
fn needed(length: usize) -> u32 {
    u32::try_from(length.div_ceil(ROOM).max(1)).unwrap_or(NONE)
}

impl Queue<'_> {
    /// Accepts a record, and gives its number.
    pub fn push(&mut self, lane: usize, bytes: &[u8], at: i64) -> Result<u64, Full> {
        self.header.grant(lane, needed(bytes.len()))?;
        self.append(lane, bytes, at).map(|slot| self.slots[slot as usize].number)
    }

    /// Accepts a record that may grow.
    pub fn begin(&mut self, lane: usize, bytes: &[u8], at: i64) -> Result<Growing, Full> {
        self.header.grant(lane, needed(bytes.len()))?;
        let first = self.append(lane, bytes, at)?;
        let mut last = first;
        while self.slots[last as usize].more != NONE {
            last = self.slots[last as usize].more;
        }
        Ok(Growing { lane, number: self.slots[first as usize].number, first, last })
    }

    /// Adds bytes to a record that still waits; `false` when it does not, and stays as it is.
    pub fn grow(&mut self, record: &mut Growing, bytes: &[u8]) -> Result<bool, Full> {
        let Growing { lane, number, first, last } = *record;
        if self.header.lanes[lane].taken >= number || self.slots[first as usize].number != number {
            return Ok(false);
        }
        let length = self.slots[first as usize].length as usize;
        let free = length.div_ceil(ROOM).max(1) * ROOM - length;
        let (here, beyond) = bytes.split_at(free.min(bytes.len()));
        let more = u32::try_from(beyond.len().div_ceil(ROOM)).map_err(|_| Full)?;
        self.header.grant(lane, more)?;
        let start = ROOM - free;
        self.slots[last as usize].bytes[start..start + here.len()].copy_from_slice(here);
        for chunk in beyond.chunks(ROOM) {
            let next = self.fill(chunk)?;
            self.slots[record.last as usize].more = next;
            record.last = next;
        }
        self.slots[first as usize].length = u32::try_from(length + bytes.len()).map_err(|_| Full)?;
        Ok(true)
    }

    /// Lets go of records up to this number, so many of them: they are written. Once it has let go of all, it says which round that was.
    pub fn release(&mut self, lane: usize, end: u64, most: usize) -> Option<u64> {
        let is_written = |queue: &Self, at: u32| at != NONE && queue.slots[at as usize].number <= end;
        let mut at = self.header.lanes[lane].first;
        for _ in 0..most {
            if !is_written(self, at) {
                break;
            }
            let next = self.slots[at as usize].next;
            self.free(lane, at);
            at = next;
        }
        let is_over = !is_written(self, at);
        let lane = &mut self.header.lanes[lane];
        lane.first = at;
        if at == NONE {
            lane.last = NONE;
        }
        is_over.then(|| {
            lane.written = lane.written.max(end.min(lane.accepted));
            lane.rounds += 1;
            lane.rounds - 1
        })
    }

    /// The slot that the next record comes into, if there is one that was given back.
    pub fn next(&self) -> Option<&Slot> {
        self.slots.get(self.header.free as usize)
    }

    /// When the oldest record of a lane was accepted.
    pub fn oldest(&self, lane: usize) -> Option<i64> {
        let first = self.header.lanes[lane].first;
        (first != NONE).then(|| self.slots[first as usize].at)
    }

    /// Whether the oldest record of a lane was accepted before this time: then what is accepted now may be lost with it.
    pub fn is_late(&self, lane: usize, before: i64) -> bool {
        self.oldest(lane).is_some_and(|oldest| oldest < before)
    }

    /// Puts a record into slots that were granted.
    fn append(&mut self, lane: usize, bytes: &[u8], at: i64) -> Result<u32, Full> {
        let mut chunks = bytes.chunks(ROOM);
        let number = self.header.lanes[lane].accepted + 1;
        let length = u32::try_from(bytes.len()).map_err(|_| Full)?;
        let first = self.fill(chunks.next().unwrap_or_default())?;
        let mut end = first;
        for chunk in chunks {
            let more = self.fill(chunk)?;
            self.slots[end as usize].more = more;
            end = more;
        }
        let slot = &mut self.slots[first as usize];
        (slot.number, slot.at, slot.count, slot.length, slot.share) = (number, at, 1, length, 0);
        let lane = &mut self.header.lanes[lane];
        lane.accepted = number;
        let before = std::mem::replace(&mut lane.last, first);
        if before == NONE {
            lane.first = first;
        } else {
            self.slots[before as usize].next = first;
        }
        Ok(first)
    }

    /// Takes a slot from the pool. There is one: it was granted.
    fn fill(&mut self, bytes: &[u8]) -> Result<u32, Full> {
        let header = &mut *self.header;
        let at = if header.free != NONE {
            let at = header.free;
            header.free = self.slots.get(at as usize).ok_or(Full)?.next;
            at
        } else if header.fresh < header.total {
            header.fresh += 1;
            header.fresh - 1
        } else {
            return Err(Full);
        };
        let slot = self.slots.get_mut(at as usize).ok_or(Full)?;
        (slot.next, slot.more) = (NONE, NONE);
        slot.bytes[..bytes.len()].copy_from_slice(bytes);
        Ok(at)
    }

    /// Puts a record's slots back on the free list.
    fn free(&mut self, lane: usize, first: u32) {
        let share = self.slots[first as usize].share;
        let (mut at, mut count) = (first, 0);
        while at != NONE {
            let more = self.slots[at as usize].more;
            self.slots[at as usize].next = self.header.free;
            self.header.free = at;
            (at, count) = (more, count + 1);
        }
        self.header.give_back(lane, count);
        self.header.lanes[lane].spare.give_back(share, count);
    }
}
