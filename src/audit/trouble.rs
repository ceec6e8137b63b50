//! Whatever keeps a writer from its tables: locks that somebody holds, and indexes that somebody added.

use std::time::{Duration, Instant};

use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::server::{audit_queue, server_log, worker_transaction};

/// A writer looks for rows that somebody keeps from it this often, and before it leaves. Those that are kept for longer are told of.
const KEPT_INTERVAL: Duration = Duration::from_secs(5);
/// The time between two lines of the server's log about them.
const KEPT_TOLD: Duration = Duration::from_secs(60);

/// The text that names it, with the remedies, for a writer that is in no transaction; `None` when nothing is found.
pub fn named() -> Option<String> {
    let find = || NAME_TROUBLE.read_one(&[process().into()], |row| row.next());
    worker_transaction::run(find).ok().flatten()?
}

/// The same of whoever has locked rows of `audit_pending`, which a round passes over.
pub fn of_pending() -> Option<String> {
    let find = || NAME_PENDING_TROUBLE.read_one(&[process().into()], |row| row.next());
    worker_transaction::run(find).ok().flatten()?
}

/// The id of the writer.
fn process() -> i32 {
    i32::try_from(std::process::id()).unwrap_or_default()
}

/// Rows of `audit_pending` that somebody has locked, so that a writer passes over them.
pub struct KeptRows {
    /// The writer's lane.
    lane: usize,
    /// Its database.
    database: u32,
    /// When it looked for them last.
    looked: Instant,
    /// The time since which there are some.
    since: Option<Instant>,
    /// When they were told of last.
    told: Option<Instant>,
}

impl KeptRows {
    /// None yet.
    pub fn new(lane: usize, database: u32) -> Self {
        Self { lane, database, looked: Instant::now(), since: None, told: None }
    }

    /// Whether it is time to look for them.
    pub fn is_look_due(&self) -> bool {
        self.looked.elapsed() > KEPT_INTERVAL
    }

    /// Whether there are some, or were when it looked before. The writer then looks again and stays, since no call would follow when they
    /// are free. That keeps nobody from dropping the database whom the open transaction does not keep from it.
    pub fn are_there(&mut self) -> bool {
        self.looked = Instant::now();
        let trouble = of_pending();
        if trouble.is_none() && self.since.is_none() {
            return false;
        }
        audit_queue::with(|queue| queue.header.lanes[self.lane].call());
        let Some(trouble) = trouble else {
            (self.since, self.told) = (None, None);
            return true;
        };
        let is_late = self.since.get_or_insert(self.looked).elapsed() > KEPT_INTERVAL;
        if is_late && self.told.is_none_or(|told| told.elapsed() > KEPT_TOLD) {
            self.told = Some(self.looked);
            server_log::write(&format!(
                "hftok: events of database {} are kept out of its audit: {trouble}",
                self.database
            ));
        }
        true
    }
}

statement! {
    /// Names it.
    NAME_TROUBLE(INT4) = "SELECT hftok_private.audit_trouble($1)";

    /// Names it however young the rows are.
    NAME_PENDING_TROUBLE(INT4) = "SELECT hftok_private.pending_trouble($1, NULL)";
}
