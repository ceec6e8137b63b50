//! The work of a writer after it has written: counting and notifying, each step in a transaction of its own, which may fail
//! or be late without stopping the audit.
//!
//! Uses that are counted together cost less: a secret that is read often is one row. So a writer gathers uses, and counts them, a
//! portion between two rounds, once that takes no more than a hundredth of its time, after a minute, or when nothing else is to be
//! done. A crash loses the uses that are still in its memory.

use std::time::{Duration, Instant};

use super::batch::Effects;
use super::checkpoints;
use super::usage::{self, Step};
use crate::pg::server::{server_log, worker_transaction};

/// A writer gathers for no longer than this before it counts.
const GATHERING: Duration = Duration::from_secs(60);
/// The shortest time between two counts.
const PAUSE: Duration = Duration::from_millis(250);
/// Between two counts there is this many times the time that the first one took.
const REST: u32 = 99;
/// The time between two times that old checkpoints are removed.
const TIDYING: Duration = Duration::from_secs(60);
/// With more secrets than this to be counted, the writer does not gather any longer: its map would take another 35 MB for the next.
const GATHERED_MAX: usize = (1 << 20) / 8 * 7;
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
    /// The time that the last count has taken so far.
    cost: Duration,
    /// When old checkpoints were removed last.
    tidied: Instant,
    /// Something went wrong the last time.
    is_troubled: bool,
}

impl PendingEffects {
    /// Nothing so far.
    pub fn new(lane: usize, database: u32) -> Self {
        let later = Effects::default();
        let (cost, tidied) = (Duration::ZERO, Instant::now());
        Self { lane, database, later, counted: None, cost, tidied, is_troubled: false }
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
    pub fn go_on(&mut self, at_once: bool) {
        let is_since = |time: Duration| self.counted.is_none_or(|counted| counted.elapsed() > time);
        if self.is_troubled && !is_since(RETRY_PAUSE) {
            return;
        }
        let look_out = usage::is_time_to_look_out(self.lane);
        let gathering = (self.cost * REST).clamp(PAUSE, GATHERING);
        let is_time = at_once || is_since(gathering) || self.later.uses.len() > GATHERED_MAX;
        if is_time || self.is_troubled {
            self.counted = Some(Instant::now());
        }
        if is_time && self.later.counting.is_empty() && !self.later.uses.is_empty() {
            self.later.begin_counting();
            self.cost = Duration::ZERO;
        }
        let begun = Instant::now();
        let mut trouble = None;
        for step in usage::STEPS {
            // Reports are few: a backend sends one for many requests.
            let may_run = step != Step::Reports || is_time;
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
        self.cost += begun.elapsed();
        self.tidy(false);
        if let Some(report) = trouble.as_ref().filter(|_| !self.is_troubled) {
            server_log::write(&format!(
                "hftok: usage of database {} cannot be counted now: {}",
                self.database, report.message
            ));
        }
        self.is_troubled = trouble.is_some();
    }

    /// Removes old checkpoints, seldom, or `at_once` because the writer leaves. If it fails, they are removed the next time.
    pub fn tidy(&mut self, at_once: bool) {
        if self.tidied.elapsed() > if at_once { PAUSE } else { TIDYING } {
            self.tidied = Instant::now();
            let _ = worker_transaction::run(checkpoints::tidy);
        }
    }

    /// Does the steps that are left, within the time that the last ones may take.
    pub fn finish(&mut self) {
        let begun = Instant::now();
        while !self.is_done() && begun.elapsed() < FINISH_TIME_MAX {
            self.go_on(true);
            if self.is_troubled {
                break;
            }
        }
        self.tidy(true);
    }
}
