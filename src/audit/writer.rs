//! The writer of a database: a worker that makes rows of events while there are any.
//!
//! A round is one transaction: everything that waits is added to the log and committed, and only then released from the queue. Its
//! consequences (counts, notifications) have transactions of their own, which may fail or be late without stopping the audit.
//! The writer takes no lock that a client's transaction can hold for long: it adds rows to a table that nobody else writes, and
//! deletes from `audit_pending` rows that are committed there.
//!
//! It leaves when there was nothing to do for a second, because a database with a worker in it can be neither dropped nor
//! renamed nor copied, and at once when others wait for a place. It stays while somebody has locked rows of `audit_pending`.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use hftok_core::audit::event::{Event, Kind};
use hftok_core::audit::lane::Lane;
use hftok_core::audit::queue::Copied;
use hftok_core::audit::record::Scratch;
use hftok_core::keyring_state::State;

use super::batch::{self, Batch};
use super::effects::{FINISH_TIME_MAX, PendingEffects};
use super::round::Look;
use super::standbys::Standbys;
use super::trouble::KeptRows;
use super::{enqueue, round, tables, trouble};
use crate::error::Report;
use crate::pg::server::worker::{self, worker_main};
use crate::pg::server::{audit_queue, audit_wait, scarcity, server_log, worker_transaction};
use crate::{keys, settings};

/// A writer without work stays for this long. Short, because a database with a worker in it is neither dropped, renamed nor
/// copied (`tests/tests/audit_databases.rs`); the tests wait for it in `without_writer()`.
const IDLE_TIME: Duration = Duration::from_secs(1);
/// A writer whose uses cannot be counted, because somebody holds a lock, stays for this long.
const COUNT_WAIT_MAX: Duration = Duration::from_secs(60);
/// A writer without work for this long counts the uses that it has gathered.
const COUNT_PAUSE: Duration = Duration::from_millis(250);
/// A turn of a writer where others wait for theirs.
const TURN_TIME: Duration = Duration::from_millis(250);
/// Records that a round takes while somebody holds the writer's tables: one that comes to nothing leaves its rows behind, as dead ones.
const BLOCKED_RECORDS_MAX: usize = 16;
/// The time between two looks into the table without a call.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// With so many slots the writer goes on without a pause, or with a quarter of those that its database may have. With fewer it lets more
/// events come first: a round for ten costs nearly as much as a round for a thousand. Whoever takes half of the slots wakes it.
const BUSY_SLOTS_MIN: u32 = 2048;
/// A writer that gives up counts for this long what it has gathered: callers wait for the next writer.
const GIVING_UP: Duration = Duration::from_millis(250);
/// A wait for a lock that is longer is told in the server's log.
const LOCK_WAIT_TOLD: Duration = Duration::from_millis(500);
/// A writer that is told to end waits this long for sessions that are ending too.
const SESSIONS_WAIT_MAX: Duration = Duration::from_secs(2);

/// Its own settings beside those of every worker that writes: those of the database are made for clients.
const SETTINGS: &[(&CStr, &CStr)] = &[
    // With a longer timeout the writer would not notice that it is told to end.
    (c"lock_timeout", c"250ms"),
    // It looks for few rows in tables that grow while it works: Postgres would read them as a whole, by a plan that it made while they
    // were small. The price that such a reading then has on paper would have it compiled.
    (c"enable_seqscan", c"off"),
    (c"jit", c"off"),
    (c"application_name", c"hftok audit"),
];

/// The assignment of a writer: a lane, its database, and whether it is only to see whether that database is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// The lane.
    pub lane: usize,
    /// Its database.
    pub database: u32,
    /// Starts led to nothing, so the assignment is to find out whether the database still exists.
    pub only_checks_database: bool,
}

impl Assignment {
    /// As the argument of a worker.
    pub fn pack(self) -> u64 {
        let lane = u64::try_from(self.lane).unwrap_or_default();
        u64::from(self.database) | lane << 32 | u64::from(self.only_checks_database) << 62
    }

    /// The way back from the number that a worker is started with.
    fn unpack(argument: u64) -> Self {
        Self {
            lane: usize::try_from(argument >> 32 & 0xff_ffff).unwrap_or_default(),
            database: u32::try_from(argument & u64::from(u32::MAX)).unwrap_or_default(),
            only_checks_database: argument >> 62 & 1 == 1,
        }
    }
}

worker_main!(hftok_audit_writer, main, argument);

/// Postgres calls it in a new process, connected to no database yet.
fn main(argument: u64) {
    let assignment = Assignment::unpack(argument);
    if !audit_queue::attend(assignment.lane, assignment.database) {
        return;
    }
    if assignment.only_checks_database {
        worker::connect(0, &[]);
        if worker::database_exists(assignment.database) {
            audit_queue::acquit(assignment.lane);
        } else {
            log_orphans(assignment);
        }
        return;
    }
    worker::connect(assignment.database, &worker::settings_to_write(SETTINGS));
    worker::show(c"hftok: writing the audit");
    Writer {
        lane: assignment.lane,
        database: assignment.database,
        copied: Copied::default(),
        after: PendingEffects::new(assignment.lane, assignment.database),
        standbys: Standbys::new(assignment.lane, assignment.database),
        has_left: false,
        looked: Instant::now(),
        has_passed: false,
        look: Look::USUAL,
        blocked: None,
        kept: KeptRows::new(assignment.lane, assignment.database),
    }
    .work();
}

/// Writes events into the server's log that can no longer be written where they belong.
fn log_orphans(Assignment { lane, database, .. }: Assignment) {
    let mut copied = Copied::default();
    while let Ok(batch) = Batch::take(lane, batch::RECORDS_MAX, &mut copied) {
        if batch.events.is_empty() && batch.usage.is_empty() {
            break;
        }
        // Refusals are dropped: hftok is not installed here, or no longer, so they are about somebody else's functions.
        let is_of_others = |event: &Event<'_>| event.kind == Kind::Refusal;
        for bytes in &batch.events {
            let mut scratch = Scratch::default();
            if let Some(event) = Event::decode(bytes, &mut scratch).filter(|event| !is_of_others(event)) {
                server_log::write(&enqueue::line(database, &event));
            }
        }
        audit_wait::written(lane, batch.end, true);
    }
    audit_queue::with(|queue| {
        let left_out = queue.left_out(lane);
        queue.told(lane, &left_out);
        let lane = &mut queue.header.lanes[lane];
        (lane.failures, lane.answered) = (0, lane.asked);
    });
}

/// Does the same for every database. The launcher calls it when the server ends and nobody else will.
pub fn log_all_orphans() {
    let lanes = audit_queue::look(|header| {
        let waiting =
            header.lanes.iter().enumerate().filter(|(_, lane)| lane.waiting() > 0 && lane.writer == 0);
        waiting.map(|(at, lane)| (at, lane.database)).collect::<Vec<_>>()
    });
    for (lane, database) in lanes.unwrap_or_default() {
        log_orphans(Assignment { lane, database, only_checks_database: false });
    }
}

/// One process for each database that has events.
struct Writer {
    /// Its database's lane of the queue.
    lane: usize,
    /// Its database.
    database: u32,
    /// Records that were copied out of the queue.
    copied: Copied,
    /// Work for after the events are on disk.
    after: PendingEffects,
    /// Rounds that callers wait for and standbys do not have yet.
    standbys: Standbys,
    /// Something was left in `audit_pending`, because hftok was sealed.
    has_left: bool,
    /// When it looked there last.
    looked: Instant,
    /// Whether it has done a round since then without looking.
    has_passed: bool,
    /// How it looks there the next time.
    look: Look,
    /// The time since which somebody holds its tables, and whether that was told.
    blocked: Option<(Instant, bool)>,
    /// Rows of `audit_pending` that somebody keeps from it.
    kept: KeptRows,
}

/// The outcome of a round.
#[derive(PartialEq, Eq)]
enum Progress {
    /// It wrote, so that it looks again at once.
    Something,
    /// Nothing waited.
    Nothing,
    /// Somebody holds its tables.
    Blocked,
}

impl Writer {
    /// Writes until nothing has waited for a while.
    fn work(&mut self) {
        // The first writer to come finds whatever a crash or a seal left behind.
        audit_queue::with(|queue| queue.header.lanes[self.lane].call());
        let begun = Instant::now();
        let mut idle_since = begun;
        let mut ending_since = None;
        loop {
            match self.round() {
                Ok(Progress::Something) => idle_since = Instant::now(),
                Ok(Progress::Nothing) => {}
                Ok(Progress::Blocked) => self.tell_of_lock(),
                Err(()) => return,
            }
            worker::read_configuration();
            self.standbys.look();
            let is_quiet = idle_since.elapsed() > COUNT_PAUSE;
            self.after.go_on(is_quiet || scarcity::is_there() || worker::is_ending());
            // Keys may have come just after the round asked for them; and a prepared transaction may be committed without a
            // call.
            let is_missed = self.has_passed && self.looked.elapsed() > LOOK_INTERVAL;
            if is_missed || (self.has_left && matches!(keys::state(), State::Open { .. })) {
                audit_queue::with(|queue| queue.header.lanes[self.lane].call());
            }
            if worker::is_ending() {
                let since = *ending_since.get_or_insert_with(Instant::now);
                if worker::sessions(self.database) == 0 || since.elapsed() > SESSIONS_WAIT_MAX {
                    // Sessions that left meanwhile may have recorded something in leaving.
                    if self.round().is_ok() {
                        self.after.finish(FINISH_TIME_MAX);
                    }
                    return;
                }
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
            let is_unneeded = idle_since.elapsed() > IDLE_TIME || scarcity::is_there();
            let is_in_vain = self.after.is_troubled() && idle_since.elapsed() > COUNT_WAIT_MAX;
            let is_done = self.after.is_done() || is_in_vain;
            if is_unneeded && is_done && !self.are_rows_kept() {
                self.after.tidy(true);
                if audit_queue::leave_if_idle(self.lane) {
                    return;
                }
            }
            if scarcity::is_there() && begun.elapsed() > TURN_TIME {
                self.after.finish(FINISH_TIME_MAX);
                audit_queue::leave(self.lane);
                return;
            }
            if self.kept.is_look_due() {
                self.are_rows_kept();
            }
            if !self.is_busy() {
                // Half of the interval, so that an event that comes just after a round is on disk in time.
                let time = (settings::audit_flush_interval() / 2).min(IDLE_TIME / 4);
                worker::wait(Some(self.standbys.again().unwrap_or(time).min(time)));
            }
        }
    }

    /// Tells of the lock once a wait, and only if the wait is long.
    fn tell_of_lock(&mut self) {
        let (since, is_told) = *self.blocked.get_or_insert_with(|| (Instant::now(), false));
        if !is_told && since.elapsed() > LOCK_WAIT_TOLD {
            self.blocked = Some((since, true));
            let trouble = trouble::named().unwrap_or_else(|| "see pg_locks".into());
            server_log::write(&format!(
                "hftok: the audit of database {} waits for a lock on its tables: {trouble}",
                self.database
            ));
        }
    }

    /// Whether rows of `audit_pending` are there that a round passes over. While hftok is sealed none is taken; and where writers take
    /// turns, none stays.
    fn are_rows_kept(&mut self) -> bool {
        !self.has_left && !scarcity::is_there() && self.kept.are_there()
    }

    /// Whether to go on without a pause.
    fn is_busy(&self) -> bool {
        let is_called = |lane: &Lane| lane.asked > lane.answered;
        self.is_behind() || self.looks(is_called) || self.after.is_counting()
    }

    /// Whether so much waits that the writer goes on without a pause.
    fn is_behind(&self) -> bool {
        let most = settings::audit_queue_size() / 4;
        self.looks(|lane| lane.used() >= most.min(BUSY_SLOTS_MIN))
    }

    /// Looks at the lane without keeping others from it.
    fn looks(&self, holds: impl FnOnce(&Lane) -> bool) -> bool {
        audit_queue::look(|header| holds(&header.lanes[self.lane])).unwrap_or(false)
    }

    /// Chains everything that waits. An error is one that this writer cannot mend: the launcher starts another.
    fn round(&mut self) -> Result<Progress, ()> {
        let asked = audit_queue::look(|header| {
            let lane = &header.lanes[self.lane];
            (lane.has_work(), lane.asked, lane.asked > lane.answered)
        });
        let Some((true, asked, is_called)) = asked else { return Ok(Progress::Nothing) };
        // A caller that waits for a round for the queue alone need not wait for the table.
        self.has_passed = !is_called && self.looked.elapsed() <= LOOK_INTERVAL;
        if !self.has_passed {
            self.looked = Instant::now();
        }
        let records_max = if self.blocked.is_some() { BLOCKED_RECORDS_MAX } else { batch::RECORDS_MAX };
        let batch = match Batch::take(self.lane, records_max, &mut self.copied) {
            Ok(batch) => batch,
            Err(error) => {
                self.give_up(&error.report(|| false));
                return Err(());
            }
        };
        let is_open = matches!(keys::state(), State::Open { .. });
        let keys = is_open.then(round::keys).flatten();
        self.has_left = !is_open;
        let look = (!self.has_passed).then_some(self.look);
        match worker_transaction::run(|| round::write(keys, &batch, look)) {
            Ok((mut later, is_more)) => {
                self.look = look.map_or(self.look, Look::after_success);
                self.standbys.written(batch.end);
                audit_queue::with(|queue| {
                    queue.told(self.lane, &batch.left_out);
                    let lane = &mut queue.header.lanes[self.lane];
                    lane.failures = 0;
                    lane.log_end = later.log_end.unwrap_or(lane.log_end);
                    // A caller that asked while more waits than fits a round waits for the rest.
                    lane.answered = if is_more || batch.is_full { lane.answered } else { asked };
                });
                later.usage = batch.usage;
                self.after.gather(later);
                if self.blocked.take().is_some() {
                    audit_queue::set_blocked(self.lane, false);
                }
                Ok(Progress::Something)
            }
            // This writer holds nothing meanwhile, and can go on sooner than another that would be started.
            Err(report) if report.sqlstate == *b"55P03" => {
                audit_queue::set_blocked(self.lane, true);
                Ok(Progress::Blocked)
            }
            Err(report) => {
                if matches!(worker_transaction::run(tables::is_installed), Ok(false)) {
                    log_orphans(Assignment {
                        lane: self.lane,
                        database: self.database,
                        only_checks_database: false,
                    });
                    return Err(());
                }
                if let Some(next) =
                    look.filter(|_| keys.is_some()).and_then(|look| look.after_failure(&report))
                {
                    self.look = next;
                    return Ok(Progress::Something);
                }
                self.give_up(&report);
                Err(())
            }
        }
    }

    /// Leaves what it could not write to the next writer, which does not know what this one has gathered.
    fn give_up(&mut self, report: &Report) {
        self.complain(report);
        self.after.finish(GIVING_UP);
    }

    /// Writes into the log, since there is nobody else to tell.
    fn complain(&self, report: &Report) {
        let trouble = trouble::named().map(|trouble| format!(": {trouble}")).unwrap_or_default();
        server_log::write(&format!(
            "hftok: the audit of database {} could not be written and is tried again: {}{trouble}",
            self.database, report.message
        ));
    }
}
