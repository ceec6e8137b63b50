//! The work of a writer after it has written: counting and notifying, each step in a transaction of its own, which may fail
//! or be late without stopping the audit.
//!
//! Uses that are counted together cost less: a secret that is read often is one row. So a writer gathers uses, and counts them, a
//! portion between two rounds, once that takes no more than a hundredth of its time, after a minute, or when nothing else is to be
//! done. A crash loses the uses that are still in its memory.

use std::time::{Duration, Instant};

use super::batch::Effects;
use super::checkpoints;
use super::gathered::Gathered;
use super::usage::{self, Step};
use crate::pg::server::{memory, server_log, worker_transaction};

/// A writer gathers for no longer than this before it counts.
const GATHERING: Duration = Duration::from_secs(60);
/// The shortest time between two counts, and between two times that reports are added up.
const PAUSE: Duration = Duration::from_millis(250);
/// Between two counts there is this many times the time that the first one took.
const REST: u32 = 99;
/// With as many secrets to be counted, the writer does not gather any longer.
const GATHERED_MAX: usize = 800_000;
/// The time in which portions are counted between two rounds where one would not keep up: half as many secrets are gathered again.
const COUNT_TIME: Duration = Duration::from_millis(100);
/// The same where that does not keep up either. Callers then wait, as they do wherever the writer has too much to do.
const COUNT_TIME_MAX: Duration = Duration::from_secs(1);
/// The most that a pass allocates: columns of reports.
const PASS_BYTES: usize = 64 * 1024 * 1024;
/// Each time that lists have grown by so many uses, which take 128 kB, it looks whether there is memory for a pass.
const GROWTH: usize = 4096;
/// The time between two times that old checkpoints are removed.
const TIDYING: Duration = Duration::from_secs(60);
/// The pause after something went wrong.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The time that the last steps may take, at the end of the writer.
pub const FINISH_TIME_MAX: Duration = Duration::from_secs(2);

/// Steps that are still to be done.
pub struct PendingEffects {
    /// The lane of the writer's database.
    lane: usize,
    /// The writer's database, for the log.
    database: u32,
    /// What they deal with.
    later: Gathered,
    /// Uses that were gathered since memory was looked for.
    grown: usize,
    /// When counts of version 0.1.0 are looked for next; `None` once there are no more.
    former: Option<Instant>,
    /// Whether it was told that they cannot be taken over.
    is_former_told: bool,
    /// When the writer last began to count uses; before its first count, when it started.
    counted: Instant,
    /// The time that this count has taken so far.
    cost: Duration,
    /// When reports were added up last.
    reported: Option<Instant>,
    /// When old checkpoints were removed last.
    tidied: Instant,
    /// When something went wrong, if it did the last time.
    troubled: Option<Instant>,
}

impl PendingEffects {
    /// Nothing so far.
    pub fn new(lane: usize, database: u32) -> Self {
        Self {
            lane,
            database,
            later: Gathered::default(),
            grown: 0,
            former: Some(Instant::now()),
            is_former_told: false,
            counted: Instant::now(),
            cost: Duration::ZERO,
            reported: None,
            tidied: Instant::now(),
            troubled: None,
        }
    }

    /// Takes in the consequences of a round. Where memory is short, uses are forgotten: their lists would grow into what every process
    /// keeps for that time.
    pub fn gather(&mut self, mut round: Effects) {
        self.grown += round.used.len();
        if self.grown >= GROWTH {
            match memory::look_for(PASS_BYTES) {
                Ok(()) => self.grown = 0,
                Err(_) => round.used = Vec::new(),
            }
        }
        self.later.join(round);
    }

    /// Whether there is nothing to do.
    pub fn is_done(&self) -> bool {
        self.later.is_empty() && !self.is_taking_over()
    }

    /// Whether something went wrong the last time.
    pub fn is_troubled(&self) -> bool {
        self.troubled.is_some()
    }

    /// Whether it has begun to count or to take over, and can go on at once.
    pub fn is_counting(&self) -> bool {
        self.is_taking_over() || (self.later.is_counting() && !self.is_troubled())
    }

    /// Does the steps that can be done now, and a portion of the steps that take long. `at_once`: nothing is to be gathered.
    pub fn go_on(&mut self, at_once: bool) {
        self.take_over();
        self.do_steps(at_once);
    }

    /// The same without counts of version 0.1.0, which wait where they are.
    fn do_steps(&mut self, at_once: bool) {
        if self.troubled.is_some_and(|since| since.elapsed() <= RETRY_PAUSE) {
            return;
        }
        let trouble = self.try_steps(at_once).err();
        self.tidy(false);
        if let Some(message) = trouble.as_ref().filter(|_| !self.is_troubled()) {
            server_log::write(&format!(
                "hftok: usage of database {} cannot be counted now: {message}",
                self.database
            ));
        }
        self.troubled = trouble.map(|_| Instant::now());
    }

    /// Tries each of them, also where one before it failed. The error says what the last of those failed for.
    fn try_steps(&mut self, at_once: bool) -> Result<(), String> {
        let gathering = self.cost.saturating_mul(REST).clamp(PAUSE, GATHERING);
        let is_full = self.later.gathered() >= GATHERED_MAX;
        self.later.begin_forgetting();
        if (at_once || is_full || self.counted.elapsed() > gathering) && self.later.begin_counting() {
            (self.counted, self.cost) = (Instant::now(), Duration::ZERO);
        }
        let adds_reports = at_once || self.reported.is_none_or(|last| last.elapsed() > PAUSE);
        if adds_reports {
            self.reported = Some(Instant::now());
        }
        let look_out = usage::is_time_to_look_out(self.lane);
        let mut outcome = self.count();
        for step in [Step::Reports, Step::Notifications] {
            if step.is_due(&self.later, look_out) && (step != Step::Reports || adds_reports) {
                outcome = self.run(step, look_out).and(outcome);
            }
        }
        outcome
    }

    /// Takes over a portion of what version 0.1.0 has counted, if there may be something.
    fn take_over(&mut self) {
        if !self.is_taking_over() {
            return;
        }
        let outcome = worker_transaction::run(usage::take_over);
        self.former = match outcome {
            Ok(true) => Some(Instant::now()),
            Ok(false) => None,
            Err(_) => Some(Instant::now() + RETRY_PAUSE),
        };
        if let Err(report) = outcome
            && !std::mem::replace(&mut self.is_former_told, true)
        {
            server_log::write(&format!(
                "hftok: former counts of use of database {} cannot be taken over now: {}",
                self.database, report.message
            ));
        }
    }

    /// Whether it is time to take over former counts.
    fn is_taking_over(&self) -> bool {
        self.former.is_some_and(|time| time <= Instant::now())
    }

    /// Counts a portion of uses, or more where one would not keep up.
    fn count(&mut self) -> Result<(), String> {
        let gathered = self.later.gathered();
        let time = match gathered {
            GATHERED_MAX.. => COUNT_TIME_MAX,
            _ if gathered > GATHERED_MAX / 2 => COUNT_TIME,
            _ => Duration::ZERO,
        };
        let begun = Instant::now();
        while Step::Uses.is_due(&self.later, false) {
            self.run(Step::Uses, false)?;
            if begun.elapsed() >= time {
                break;
            }
        }
        self.cost += begun.elapsed();
        Ok(())
    }

    /// Does a step, and takes away what it has done.
    fn run(&mut self, step: Step, look_out: bool) -> Result<(), String> {
        memory::look_for(PASS_BYTES).map_err(|_| "there is no memory".to_owned())?;
        let done = worker_transaction::run(|| step.run(&self.later, look_out));
        // A batch with an invalid value (class 22) would fail again each time, so it is dropped.
        if done.as_ref().err().is_none_or(|report| report.sqlstate.starts_with(b"22")) {
            step.clear(&mut self.later);
        }
        done.map_err(|report| report.message.to_string())
    }

    /// Removes old checkpoints, seldom, or `at_once` because the writer leaves. If it fails, they are removed the next time.
    pub fn tidy(&mut self, at_once: bool) {
        if self.tidied.elapsed() > if at_once { PAUSE } else { TIDYING } {
            self.tidied = Instant::now();
            let _ = worker_transaction::run(checkpoints::tidy);
        }
    }

    /// Does the steps that are left, as far as this time suffices.
    pub fn finish(&mut self, time: Duration) {
        let begun = Instant::now();
        while !self.later.is_empty() && begun.elapsed() < time {
            self.do_steps(true);
            if self.is_troubled() {
                break;
            }
        }
        self.tidy(true);
    }
}
