//! What a writer does after it has chained: counting and notifying, each step in a transaction of its own, which may fail or
//! be late without stopping the audit.
//!
//! What is counted together costs less: a secret that is read often is one row. So a writer that is behind gathers, and then
//! counts a portion between two rounds; what a crash catches in its memory is not counted.

use std::time::{Duration, Instant};

use super::batch::Consequences;
use super::usage::{self, Step};
use crate::pg::server::{server_log, worker_transaction};

/// How long one that is behind again and again gathers before it counts.
const GATHERING: Duration = Duration::from_secs(60);
/// One that has not been behind for so long is not.
const CALM: Duration = Duration::from_millis(500);
/// It does not count more often than that.
const PAUSE: Duration = Duration::from_millis(250);
/// With so many secrets to be counted it does not wait.
const MOST: usize = 500_000;
/// How long it waits after something went wrong.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the last of it may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What is still to be done.
pub struct FollowUp {
    /// The lane of the writer's database.
    lane: usize,
    /// The writer's database, for the log.
    database: u32,
    /// What could not be done yet.
    later: Consequences,
    /// When uses were counted last; they are counted in batches.
    counted: Option<Instant>,
    /// Since when uses wait for a table that others lock.
    behind: Option<Instant>,
    /// Something went wrong the last time.
    is_troubled: bool,
}

impl FollowUp {
    /// Nothing so far.
    pub fn new(lane: usize, database: u32) -> Self {
        let later = Consequences::default();
        Self { lane, database, later, counted: None, behind: None, is_troubled: false }
    }

    /// Takes in what follows from a round.
    pub fn gather(&mut self, later: Consequences) {
        self.later.join(later);
    }

    /// Whether there is nothing to do.
    pub fn is_done(&self) -> bool {
        self.later.is_empty()
    }

    /// Whether it has begun to count and can go on at once.
    pub fn is_counting(&self) -> bool {
        !self.later.counting.is_empty() && !self.is_troubled
    }

    /// Does what can be done now, and a portion of what takes long. `at_once`: nothing is to be gathered.
    pub fn go_on(&mut self, is_behind: bool, at_once: bool) {
        if is_behind {
            self.behind = Some(Instant::now());
        }
        let is_calm = self.behind.is_none_or(|behind| behind.elapsed() > CALM);
        let is_since = |time: Duration| self.counted.is_none_or(|counted| counted.elapsed() > time);
        if self.is_troubled && !is_since(PATIENCE) {
            return;
        }
        let look_out = usage::is_time_to_look_out(self.lane);
        let is_time =
            at_once || is_since(if is_calm { PAUSE } else { GATHERING }) || self.later.uses.len() > MOST;
        if is_time || self.is_troubled {
            self.counted = Some(Instant::now());
        }
        if is_time {
            self.later.begin_counting();
        }
        let mut trouble = None;
        for step in usage::STEPS {
            // Reports are few: a backend sends one for many requests.
            let may_run = step != Step::Reports || is_calm || is_time;
            if !step.is_due(&self.later, look_out) || !may_run {
                continue;
            }
            match worker_transaction::run(|| step.run(&self.later, look_out)) {
                Ok(()) => step.clear(&mut self.later),
                // What cannot be counted at all is not tried again.
                Err(report) if report.sqlstate.starts_with(b"22") => {
                    step.clear(&mut self.later);
                    trouble = Some(report);
                }
                Err(report) => trouble = Some(report),
            }
        }
        if let Some(report) = trouble.as_ref().filter(|_| !self.is_troubled) {
            server_log::write(&format!(
                "hftok: usage of database {} cannot be counted now: {}",
                self.database, report.message
            ));
        }
        self.is_troubled = trouble.is_some();
    }

    /// Does what is left, for as long as it may take.
    pub fn finish(&mut self) {
        let begun = Instant::now();
        while !self.is_done() && begun.elapsed() < LAST_WORDS {
            self.go_on(false, true);
            if self.is_troubled {
                break;
            }
        }
    }
}
