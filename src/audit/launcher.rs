//! Starts writers: done by the worker that loads the keyring, between its other duties.

use std::time::{Duration, Instant};

use hftok_core::audit::lane::Lane;
use hftok_core::audit::queue::LANES;

use super::writer::{self, Errand};
use crate::pg::{audit_queue, server_log, session, worker};

/// How soon a launch that found no place is tried again.
const SOON: Duration = Duration::from_millis(50);
/// After so many launches in a row that led to nothing it is asked whether there is still such a database.
const DOUBTS: u32 = 3;
/// How long a server that shuts down is given to write what waits.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// The file in which the postmaster says what it is doing.
const STATE_FILE: &str = "postmaster.pid";

/// Makes this process the launcher.
pub fn begin() {
    audit_queue::serve();
}

/// Starts a writer for every lane that needs one. Says when to look again; `None` when somebody will call.
pub fn serve() -> Option<Duration> {
    if session::is_standby() {
        return None;
    }
    let now = session::now();
    let due = audit_queue::with(|queue| {
        let is_due = |at: &usize| {
            let lane = &queue.header.lanes[*at];
            lane.database != 0 && lane.writer == 0 && lane.has_work()
        };
        let mut due: Vec<usize> = (0..LANES).filter(is_due).collect();
        // Who has waited longest comes first.
        due.sort_by_key(|at| queue.oldest(*at).unwrap_or(i64::MAX));
        due.into_iter().map(|at| attempt(&mut queue.header.lanes[at], at, now)).collect::<Vec<_>>()
    })?;
    if due.is_empty() {
        audit_queue::set_scarce(false);
        return None;
    }
    let mut is_scarce = false;
    for errand in due.into_iter().flatten() {
        if !launch(errand) {
            is_scarce = true;
            // It was no failure of this lane.
            audit_queue::with(|queue| {
                let lane = &mut queue.header.lanes[errand.lane];
                (lane.failures, lane.not_before) = (lane.failures.saturating_sub(1), 0);
            });
        }
    }
    audit_queue::set_scarce(is_scarce);
    Some(SOON)
}

/// What a writer for this lane is to be started with, if it is time to try.
fn attempt(lane: &mut Lane, at: usize, now: i64) -> Option<Errand> {
    if lane.not_before > now {
        return None;
    }
    lane.failures += 1;
    lane.not_before = now + pause(lane.failures);
    let is_inquest = lane.failures > DOUBTS && lane.failures.is_multiple_of(2);
    Some(Errand { lane: at, database: lane.database, is_inquest })
}

/// Until when nothing is tried after so many launches, in microseconds: a writer takes some time to begin.
fn pause(failures: u32) -> i64 {
    500_000 << failures.min(6)
}

fn launch(errand: Errand) -> bool {
    let name = format!("hftok audit writer for database {}", errand.database);
    worker::launch(&name, "hftok audit writer", "hftok_audit_writer", errand.pack())
}

/// What the launcher does last: a server that shuts down still writes what waits, and what nobody can write any more goes
/// to its log.
pub fn end() {
    if session::is_standby() || !is_server_stopping() {
        return;
    }
    let end = Instant::now() + LAST_WORDS;
    let is_done = || {
        audit_queue::look(|header| header.lanes.iter().all(|lane| lane.waiting() == 0 && lane.writer == 0))
            .unwrap_or(true)
    };
    while !is_done() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
        if audit_queue::look(|header| header.lanes.iter().all(|lane| lane.writer == 0)).unwrap_or(true) {
            writer::forsake_all();
        }
    }
    if !is_done() {
        server_log::write("hftok: the server stops before all of the audit is written");
        writer::forsake_all();
    }
}

fn is_server_stopping() -> bool {
    std::fs::read_to_string(STATE_FILE).is_ok_and(|text| text.lines().any(|line| line.trim() == "stopping"))
}
