//! The work of a writer after it has chained: counting and notifying, each step in a transaction of its own, which may fail
//! or be late without stopping the audit.
//!
//! Uses that are counted together cost less: a secret that is read often is one row. So a writer that is behind gathers uses,
//! and then counts a portion between two rounds. A crash loses the uses that are still in its memory.

use std::time::{Duration, Instant};

use super::batch::Effects;
use super::usage::{self, Step};
use crate::pg::server::{server_log, worker_transaction};

/// A writer that is behind again and again gathers for this long before it counts.
const GATHERING: Duration = Duration::from_secs(60);
/// A writer that has not been behind for this long counts as calm.
const CALM: Duration = Duration::from_millis(500);
/// The shortest time between two counts.
const PAUSE: Duration = Duration::from_millis(250);
/// With more secrets than this to be counted, the writer does not gather any longer.
const GATHERED_MAX: usize = 500_000;
/// The pause after something went wrong.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The time that the last steps may take, at the end of the writer.
const FINISH_TIME_MAX: Duration = Duration::from_secs(2);

/// Steps that are still to be done.
pub struct PendingEffects {
    /// The lane of the writer's database.
    lane: usize,
    /// The writer's database, for the log.
    database: u32,
    /// Effects that could not be dealt with yet.
    later: Effects,
    /// When uses were counted last; they are counted in batches.
    counted: Option<Instant>,
    /// Since when uses wait for a table that others lock.
    behind: Option<Instant>,
    /// Something went wrong the last time.
    is_troubled: bool,
}

impl PendingEffects {
    /// Nothing so far.
    pub fn new(lane: usize, database: u32) -> Self {
        let later = Effects::default();
        Self { lane, database, later, counted: None, behind: None, is_troubled: false }
    }

    /// Takes in the consequences of a round.
    pub fn gather(&mut self, later: Effects) {
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

    /// Does the steps that can be done now, and a portion of the steps that take long. `at_once`: nothing is to be gathered.
    pub fn go_on(&mut self, is_behind: bool, at_once: bool) {
        if is_behind {
            self.behind = Some(Instant::now());
        }
        let is_calm = self.behind.is_none_or(|behind| behind.elapsed() > CALM);
        let is_since = |time: Duration| self.counted.is_none_or(|counted| counted.elapsed() > time);
        if self.is_troubled && !is_since(RETRY_PAUSE) {
            return;
        }
        let look_out = usage::is_time_to_look_out(self.lane);
        let is_time = at_once
            || is_since(if is_calm { PAUSE } else { GATHERING })
            || self.later.uses.len() > GATHERED_MAX;
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
                // A batch with an invalid value (class 22) would fail again each time, so it is dropped.
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

    /// Does the steps that are left, within the time that the last ones may take.
    pub fn finish(&mut self) {
        let begun = Instant::now();
        while !self.is_done() && begun.elapsed() < FINISH_TIME_MAX {
            self.go_on(false, true);
            if self.is_troubled {
                break;
            }
        }
    }
}
