//! A queue in which one database has a lane.
#![allow(dead_code, reason = "each file of tests uses a part")]

use hftok_core::audit::queue::{Copied, Header, Limits, Queue, Slot};

/// The database that has the lane.
pub const DATABASE: u32 = 5;

/// A record that was taken, apart from the copy that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The number of times that it was accepted.
    pub count: u32,
}

impl Taken {
    /// A record.
    pub fn new(bytes: &[u8], count: u32) -> Self {
        Self { bytes: bytes.to_vec(), count }
    }
}

/// Takes records as a writer does, some at a time: the number of the last, and what was taken.
pub fn take(queue: &mut Queue<'_>, lane: usize, limits: Limits) -> (u64, Vec<Taken>) {
    let mut copied = Copied::default();
    assert!(copied.begin(limits), "memory");
    while queue.take(lane, limits, &mut copied) {}
    (copied.end(), copied.records().map(|taken| Taken::new(taken.bytes, taken.count)).collect())
}

/// No more than so many records, of however many slots.
pub fn records(records: usize) -> Limits {
    Limits { records: records.min(4096), slots: 4096, at_once: 3 }
}

/// Lets go of all records up to this one, some at a time. Gives the round.
pub fn release(queue: &mut Queue<'_>, lane: usize, end: u64) -> u64 {
    std::iter::repeat_with(|| queue.release(lane, end, 3)).flatten().next().unwrap()
}

/// The queue, with as many slots as a database may have.
pub struct Bench {
    /// Its header.
    pub header: Box<Header>,
    slots: Vec<Slot>,
    /// The lane of the database.
    pub lane: usize,
}

impl Bench {
    /// An empty one.
    pub fn new(share: u32) -> Self {
        let mut header = Box::new(Header::new(share));
        let lane = header.claim(DATABASE).unwrap();
        Self { header, slots: vec![Slot::EMPTY; Header::slots(share) as usize], lane }
    }

    /// The queue itself.
    pub fn queue(&mut self) -> Queue<'_> {
        Queue { header: &mut self.header, slots: &mut self.slots }
    }

    /// Takes records as a writer does: the number of the last, and what was taken.
    pub fn take(&mut self, most: usize) -> (u64, Vec<Taken>) {
        let lane = self.lane;
        take(&mut self.queue(), lane, records(most))
    }

    /// Gives the slots of all records up to this one back. Gives the round.
    pub fn release(&mut self, end: u64) -> u64 {
        let lane = self.lane;
        release(&mut self.queue(), lane, end)
    }
}
