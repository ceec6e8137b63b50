//! The lane of a database in the queue: who fetches from it, who asked for what, and how far it is written. The slots are
//! the queue's.

use super::queue::Spare;

/// No slot: the end of a list.
const NONE: u32 = u32::MAX;
/// A process that waits for a standby says so again within this time, in microseconds.
const HEARD: i64 = 500_000;

/// The end of a log. A log never becomes shorter, so whoever finds it shorter finds that somebody has cut it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEnd {
    /// The random id of the generation whose log it is: a database may have another one later.
    pub generation: [u8; 16],
    /// The number of events.
    pub size: u64,
}

/// The queue of one database.
#[derive(Clone, Copy)]
pub struct Lane {
    /// The database; 0 for a free lane.
    pub database: u32,
    /// The end of its log, as the last committed round has left it.
    pub log_end: LogEnd,
    /// The process that fetches from it; 0 for none.
    pub writer: i32,
    /// The latch that wakes that process; 0 when there is none.
    pub latch: usize,
    /// Counts the requests for a round that begins after the request. A request may also be for rows outside the queue.
    pub asked: u64,
    /// The last of them whose round is over.
    pub answered: u64,
    /// A launch has been tried, and nothing before this time (of the steady clock) is to be tried again.
    pub not_before: i64,
    /// When what is not in the queue is to be looked at again, by the same clock.
    pub look_out_at: i64,
    /// Its writer waits for a lock that somebody holds on its tables.
    pub is_blocked: bool,
    /// Launches in a row that led to nothing.
    pub failures: u32,
    /// The oldest slot that waits.
    pub(super) first: u32,
    /// The newest slot that waits.
    pub(super) last: u32,
    /// Slots that this database holds: what its share is measured by.
    pub(super) used: u32,
    /// Half of the slots that this database may have has come to be taken, and nobody has woken the writer for it yet.
    pub(super) is_half_full: bool,
    /// Number of the newest event that was accepted. Numbers never go back while the server runs.
    pub(super) accepted: u64,
    /// Number of the newest event that a round has copied.
    pub(super) taken: u64,
    /// A round is still copying: what is accepted now may be written with it.
    pub(super) is_copying: bool,
    /// Number of the newest event that is on disk: who waits for an event waits for this.
    pub(super) written: u64,
    /// The last number that is as safe as the server has its commits: not on this disk alone, where it waits for standbys.
    pub(super) safe: u64,
    /// The last number that somebody waits for until it is safe.
    pub(super) wanted: u64,
    /// When somebody said last that they wait for it.
    pub(super) wanted_at: i64,
    /// The number of times that a round released records.
    pub(super) rounds: u64,
    /// The state of records that may be left out.
    pub(super) spare: Spare,
}

impl Lane {
    /// A lane that nobody has.
    pub(super) const EMPTY: Self = Self {
        log_end: LogEnd { generation: [0; 16], size: 0 },
        database: 0,
        writer: 0,
        latch: 0,
        asked: 0,
        answered: 0,
        not_before: 0,
        look_out_at: 0,
        is_blocked: false,
        failures: 0,
        first: NONE,
        last: NONE,
        used: 0,
        is_half_full: false,
        accepted: 0,
        taken: 0,
        is_copying: false,
        written: 0,
        safe: 0,
        wanted: 0,
        wanted_at: 0,
        rounds: 0,
        spare: Spare::EMPTY,
    };

    /// With which round a record will be written, most likely; `None` when it is. Rounds are counted as they end.
    pub fn round_of(&self, number: u64) -> Option<u64> {
        let is_too_late = !self.is_copying && self.taken > self.written && number > self.taken;
        (self.written < number).then_some(self.rounds + u64::from(is_too_late))
    }

    /// The number of the record that was accepted last.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Is without a writer from now on, and may have another at once.
    pub fn clear_writer(&mut self) {
        (self.writer, self.latch, self.not_before, self.failures) = (0, 0, 0, 0);
        self.is_blocked = false;
    }

    /// Somebody waits for a writer: the next attempt to start one is to come by this time at the latest.
    pub fn hurry(&mut self, by: i64) {
        self.not_before = self.not_before.min(by);
    }

    /// Whether a writer would find something to do.
    pub fn has_work(&self) -> bool {
        self.first != NONE || self.asked > self.answered || self.spare.has_left_out()
    }

    /// Asks for a round, and gives the number of the question.
    pub fn call(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    /// Somebody waits for a record until it is safe. Says whether nobody was heard of who does.
    pub fn want(&mut self, number: u64, now: i64) -> bool {
        let is_news = !self.is_wanted(now);
        (self.wanted, self.wanted_at) = (self.wanted.max(number), now);
        is_news
    }

    /// The last number that was ever waited for, while it is not safe.
    pub fn wanted(&self) -> Option<u64> {
        (self.wanted > self.safe).then_some(self.wanted)
    }

    /// Whether somebody waits until a record is safe, and still does.
    pub fn is_wanted(&self, now: i64) -> bool {
        self.wanted().is_some() && now - self.wanted_at < HEARD
    }

    /// All up to this number are safe, as far as they are written.
    pub fn secure(&mut self, number: u64) {
        self.safe = self.safe.max(number.min(self.written));
    }

    /// Whether a record is safe.
    pub fn is_safe(&self, number: u64) -> bool {
        self.safe >= number
    }

    /// The number of the record that was written last.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Whether there is something to do, or to wait for, for a writer.
    pub fn needs_writer(&self, now: i64) -> bool {
        self.has_work() || self.is_wanted(now)
    }

    /// Whether a writer is missing, and may be started now.
    pub fn lacks_writer(&self, now: i64) -> bool {
        self.writer == 0 && now >= self.not_before
    }

    /// The number of slots that wait, or are being written.
    pub fn used(&self) -> u32 {
        self.used
    }

    /// Says, once, that half of the slots that this database may have has come to be taken: the writer is to be woken.
    pub fn has_become_half_full(&mut self) -> bool {
        std::mem::take(&mut self.is_half_full)
    }

    /// Whether whoever has just added a record is to wake the writer, or have one started. A writer comes by itself; if it has much to do,
    /// the earlier it is called the better.
    pub fn calls_for_writer(&mut self, now: i64) -> bool {
        self.has_become_half_full() || self.lacks_writer(now)
    }

    /// The number of records that wait.
    pub fn waiting(&self) -> u64 {
        self.accepted - self.written
    }

    /// Only an idle lane may be given to another database.
    pub(super) fn is_idle(&self) -> bool {
        self.used == 0 && self.writer == 0 && !self.has_work()
    }
}
