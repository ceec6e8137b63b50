//! A queue in which one database has a lane.
#![allow(dead_code, reason = "each file of tests uses a part")]

use hftok_core::audit::queue::{Header, Queue, Slot, Taken, records};

/// The database that has the lane.
pub const DATABASE: u32 = 5;

/// A record apart from the slots that it was read from.
pub fn owned(Taken { bytes, count }: Taken<'_>) -> Taken<'static> {
    Taken { bytes: bytes.into_owned().into(), count }
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
    pub fn take(&mut self, most: usize) -> (u64, Vec<Taken<'static>>) {
        let (lane, mut copy) = (self.lane, Vec::new());
        let end = self.queue().take(lane, most, usize::MAX, &mut copy);
        (end, records(&copy).map(owned).collect())
    }

    /// Gives the slots of all records up to this one back.
    pub fn release(&mut self, end: u64) {
        let lane = self.lane;
        self.queue().release(lane, end);
    }
}
