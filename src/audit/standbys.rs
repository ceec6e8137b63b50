//! The writer's part of `sync` where the server's commits wait for standbys: it releases callers once their events are there.
//!
//! The writer commits on this disk, and goes on. So a standby that is away holds up no caller that does not wait for it, and
//! the server can stop without it. As long as a caller says that it waits, the writer looks between its rounds how far
//! standbys are, and releases the callers whose events are there.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::pg::server::standby::{self, Position};
use crate::pg::server::{audit_queue, audit_wait, server_log};
use crate::pg::who::session;

/// Rounds that are told apart while standbys do not have them yet.
const MOST: usize = 64;
/// The pause between two looks while standbys are expected to answer.
const OFTEN: Duration = Duration::from_millis(1);
/// Standbys are expected to answer for this long.
const PROMPT: Duration = Duration::from_millis(100);
/// The pause between two looks after that.
const SELDOM: Duration = Duration::from_millis(20);
/// A wait of this length is told in the server's log.
const LONG: Duration = Duration::from_secs(1);

/// A round that somebody waits for.
struct Awaited {
    /// Its last number.
    number: u64,
    /// The end of its commit.
    position: Position,
    /// The time of the commit.
    since: Instant,
}

/// Rounds for which standbys are waited for.
pub struct Standbys {
    /// The lane of the callers who wait.
    lane: usize,
    /// Its database.
    database: u32,
    /// Rounds, the oldest first.
    awaited: VecDeque<Awaited>,
    /// The server's log says that it takes long.
    is_told: bool,
}

impl Standbys {
    /// Takes over what the writer before may have left.
    pub fn new(lane: usize, database: u32) -> Self {
        standby::commit_here();
        let mut standbys = Self { lane, database, awaited: VecDeque::new(), is_told: false };
        let left = audit_queue::look(|header| {
            let lane = &header.lanes[lane];
            lane.wanted().map(|_| lane.written())
        });
        if let Some(Some(number)) = left {
            standbys.expect(number, standby::end_of_disk());
        }
        standbys
    }

    /// Releases what a round has committed, and remembers it if it is to be waited for.
    pub fn written(&mut self, end: u64) {
        let is_all = standby::level().is_none();
        let position = standby::end_of_commit();
        audit_wait::written(self.lane, end, is_all);
        let expected = self.awaited.back().map_or(0, |round| round.number);
        let wanted = audit_queue::look(|header| header.lanes[self.lane].wanted()).flatten();
        if !is_all && wanted.is_some_and(|wanted| wanted > expected) {
            self.expect(end, position);
        }
    }

    /// Remembers that records up to this number are safe when standbys have everything up to a position.
    fn expect(&mut self, number: u64, position: Position) {
        let since = Instant::now();
        let is_full = self.awaited.len() >= MOST;
        match self.awaited.back_mut() {
            Some(last) if is_full => (last.number, last.position) = (number, position),
            _ => self.awaited.push_back(Awaited { number, position, since }),
        }
    }

    /// Releases the callers whose events are where they are to be.
    pub fn look(&mut self) {
        if self.awaited.is_empty() {
            return;
        }
        let level = standby::level();
        let are_there = |round: &Awaited| level.is_none_or(|level| standby::have(round.position, level));
        let there = self.awaited.iter().take_while(|round| are_there(round)).count();
        if let Some(last) = self.awaited.drain(..there).next_back() {
            audit_wait::secured(self.lane, last.number);
            self.is_told = false;
        }
        let is_long = self.awaited.front().is_some_and(|round| round.since.elapsed() > LONG);
        if is_long && !self.is_told && self.are_wanted() {
            self.is_told = true;
            server_log::write(&format!(
                "hftok: under hftok.audit = sync sessions of database {} wait for a synchronous standby (see pg_stat_replication)",
                self.database
            ));
        }
    }

    /// When to look again; `None` when nobody waits.
    pub fn again(&self) -> Option<Duration> {
        let last = self.awaited.back()?;
        self.are_wanted().then(|| if last.since.elapsed() < PROMPT { OFTEN } else { SELDOM })
    }

    /// Whether somebody waits.
    fn are_wanted(&self) -> bool {
        let now = session::steady();
        audit_queue::look(|header| header.lanes[self.lane].is_wanted(now)).unwrap_or(false)
    }
}
