//! Starts writers, and resealers ([`crate::keys::resealers`]): the one process of the audit that is always there. It reads no key, so that a keyring that cannot be read, or
//! lies on a file system that hangs, stops no audit.

use std::time::{Duration, Instant};

use hftok_core::audit::lane::Lane;
use hftok_core::audit::queue::LANES;

use super::writer::{self, Assignment};
use crate::keys::resealers::Resealers;
use crate::pg::server::worker::{self, worker_main};
use crate::pg::server::{audit_queue, scarcity, server_log};
use crate::pg::who::session;

/// A launch that found no place is tried again after this time.
const SOON: Duration = Duration::from_millis(50);
/// After this many launches in a row that led to nothing, the launcher asks whether the database still exists.
const DOUBTS: u32 = 3;
/// The time that writers have to write waiting events, once no session is left.
const WRITERS_WAIT_MAX: Duration = Duration::from_secs(3);
/// The file in which the postmaster says what it is doing.
const STATE_FILE: &str = "postmaster.pid";

/// Registers the launcher; from `_PG_init`, while preloading.
pub fn init() {
    worker::register("hftok audit launcher", "hftok_audit_launcher");
}

worker_main!(hftok_audit_launcher, main);

/// Starts a writer wherever events wait, and a resealer wherever a key was rotated, until the server stops.
fn main() {
    audit_queue::serve();
    let mut resealers = Resealers::new();
    loop {
        let rest = [serve(), resealers.serve()].into_iter().flatten().min();
        let Some(wakeup) = worker::wait(rest) else { break };
        if wakeup.reloaded {
            resealers.look_everywhere();
        }
    }
    end();
}

/// Starts a writer for every lane that needs one. Says when to look again; `None` when somebody will call.
fn serve() -> Option<Duration> {
    if session::is_standby() {
        return None;
    }
    let now = session::steady();
    let due = audit_queue::with(|queue| {
        let is_due = |at: &usize| {
            let lane = &queue.header.lanes[*at];
            lane.database != 0 && lane.writer == 0 && lane.needs_writer(now)
        };
        let mut due: Vec<usize> = (0..LANES).filter(is_due).collect();
        // The lane whose oldest record has waited longest comes first.
        due.sort_by_key(|at| queue.oldest(*at).unwrap_or(i64::MAX));
        due.into_iter().map(|at| attempt(&mut queue.header.lanes[at], at, now)).collect::<Vec<_>>()
    })?;
    if due.is_empty() {
        scarcity::set(false);
        return None;
    }
    let mut is_scarce = false;
    for assignment in due.into_iter().flatten() {
        if !launch(assignment) {
            is_scarce = true;
            // It was no failure of this lane.
            audit_queue::with(|queue| {
                let lane = &mut queue.header.lanes[assignment.lane];
                (lane.failures, lane.not_before) = (lane.failures.saturating_sub(1), 0);
            });
        }
    }
    scarcity::set(is_scarce);
    Some(SOON)
}

/// The assignment of a writer for this lane, if it is time to try.
fn attempt(lane: &mut Lane, at: usize, now: i64) -> Option<Assignment> {
    if lane.not_before > now {
        return None;
    }
    lane.failures += 1;
    lane.not_before = now + pause(lane.failures);
    let only_checks_database = lane.failures > DOUBTS && lane.failures.is_multiple_of(2);
    Some(Assignment { lane: at, database: lane.database, only_checks_database })
}

/// The pause after this many launches that led to nothing, in microseconds: a writer takes some time to begin.
fn pause(failures: u32) -> i64 {
    500_000 << failures.min(6)
}

/// False when Postgres has no worker to give: max_worker_processes are all taken.
fn launch(assignment: Assignment) -> bool {
    let name = format!("hftok audit writer for database {}", assignment.database);
    worker::launch(&name, "hftok audit writer", "hftok_audit_writer", assignment.pack())
}

/// The last work of the launcher when the server shuts down. It stays until nobody can record anything any more, writes
/// events that no writer wrote into the server's log, and closes the queue. A value whose event would come after that is not
/// handed out.
fn end() {
    if session::is_standby() || !is_server_stopping() {
        return;
    }
    audit_queue::begin_end();
    let mut alone_since = None;
    loop {
        writer::log_all_orphans();
        let writers: Vec<i32> =
            audit_queue::look(|header| header.lanes.iter().map(|lane| lane.writer).collect())
                .unwrap_or_default();
        if worker::others_in_databases(&writers) > 0 {
            alone_since = None;
        } else if audit_queue::close_if_done() {
            return;
        } else if alone_since.get_or_insert_with(Instant::now).elapsed() > WRITERS_WAIT_MAX {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    server_log::write("hftok: the server stops before all of the audit is written");
    audit_queue::close();
    writer::log_all_orphans();
}

/// Whether the whole server stops, or this process alone was told to: only the former ends the audit.
fn is_server_stopping() -> bool {
    std::fs::read_to_string(STATE_FILE).is_ok_and(|text| text.lines().any(|line| line.trim() == "stopping"))
}
