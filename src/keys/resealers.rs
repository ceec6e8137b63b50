//! Starts resealers: workers that seal anew what a rotated key had sealed. The launcher of the audit, which is always there, asks what
//! is to be started.
//!
//! What must stay true: a rotation that was committed goes on, whatever ended in between. So at the server's start, after a promotion,
//! and every hour a worker looks into every database, which is found by its folder.

use std::time::{Duration, Instant};

use hftok_core::keyring_state::State;

use super::dropped;
use crate::pg::server::{scarcity, visits, worker};
use crate::pg::who::session;

/// The time between two looks everywhere.
const EVERYWHERE: Duration = Duration::from_secs(3600);
/// The time between two looks whether a standby was promoted.
const PROMOTION: Duration = Duration::from_secs(5);
/// Where there is no place for a worker, or for a visit, it is tried again after this time.
const SOON: Duration = Duration::from_secs(1);

/// The visits that are due, as far as shared memory does not know them.
pub struct Resealers {
    /// Databases that are still to be looked into.
    left: Vec<u32>,
    /// When it was looked everywhere.
    looked: Option<Instant>,
}

impl Resealers {
    /// None yet.
    pub fn new() -> Self {
        Self { left: Vec::new(), looked: None }
    }

    /// Has all databases looked into: the settings may say now that a key is too old.
    pub fn look_everywhere(&mut self) {
        self.looked = None;
    }

    /// Starts what is due, and says when something will be; `None` when somebody will call.
    pub fn serve(&mut self) -> Option<Duration> {
        if worker::is_upgrading() {
            return None;
        }
        if session::is_standby() {
            self.looked = None;
            return Some(PROMOTION);
        }
        // Whoever loads the keyring calls the launcher.
        if !matches!(super::state(), State::Open { .. }) {
            return None;
        }
        let is_due = self.looked.is_none_or(|looked| looked.elapsed() >= EVERYWHERE);
        if visits::take_everywhere() || is_due {
            self.left = dropped::databases().into_iter().collect();
            self.looked = Some(Instant::now());
        }
        while self.left.last().is_some_and(|database| visits::try_to_ask(*database)) {
            self.left.pop();
        }
        if scarcity::is_there() {
            return Some(SOON);
        }
        while let Some(database) = visits::begin() {
            if !launch(database) {
                visits::not_begun(database);
                break;
            }
        }
        let looked = self.looked.map_or(Duration::ZERO, |looked| looked.elapsed());
        let rest = visits::rest().and_then(|rest| u64::try_from(rest).ok()).map(Duration::from_micros);
        let rest = rest.map_or(EVERYWHERE, |rest| rest.max(Duration::from_millis(1)));
        let soon = if self.left.is_empty() { EVERYWHERE } else { SOON };
        Some(rest.min(soon).min(EVERYWHERE.saturating_sub(looked)))
    }
}

/// False when Postgres has no worker to give: max_worker_processes are all taken.
fn launch(database: u32) -> bool {
    let name = format!("hftok resealer for database {database}");
    worker::launch(&name, "hftok resealer", "hftok_resealer", u64::from(database))
}
