//! The resealer: a worker that visits a database, seals anew what a rotated key had sealed, and destroys the key once nothing uses it.
//!
//! It works in small transactions, each of which leaves everything as it should be, so that it may end at any moment: another one goes on.
//! Where it has to wait (for a row that somebody holds, a transaction, a snapshot), it leaves and comes again, because a database
//! with a worker in it can be neither dropped, renamed nor copied.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use hftok_core::keyring_state::State;
use hftok_core::visits::Outcome;

use super::reseal::{self, Batch, Part, Table};
use super::rotations::{self, Hindrance, Retired};
use crate::error::{Error, Report};
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::server::worker::{self, worker_main};
use crate::pg::server::{key_pages, scarcity, server_log, visits, worker_transaction};
use crate::pg::who::session::database;
use crate::{keys, settings};

/// Its own settings beside those of every worker that writes: those of the database are made for clients.
const SETTINGS: &[(&CStr, &CStr)] = &[
    (c"lock_timeout", c"1s"),
    // A batch that a crash takes back is done again. What destroys a key is on disk after all that came before it.
    (c"synchronous_commit", c"off"),
    (c"jit", c"off"),
    (c"application_name", c"hftok resealer"),
];

/// Rows of a batch: whoever wants to write one of them waits for the others.
const BATCH_ROWS_MAX: u32 = 500;
/// Pages that a statement looks through at most.
const PART_PAGES: i64 = 256;
/// The time that a visit waits for transactions and snapshots, most of which are soon gone.
const PATIENCE: Duration = Duration::from_secs(2);
/// The time between two looks at them.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// A session that was about to unwrap a key that was destroyed has done so by then.
const UNWRAP_MAX: Duration = Duration::from_millis(200);

worker_main!(hftok_resealer, main, argument);

/// Postgres calls it in a new process, connected to no database yet.
fn main(argument: u64) {
    let Ok(database) = u32::try_from(argument) else { return };
    if !visits::attend(database) {
        return;
    }
    worker::connect(database, &worker::settings_to_write(SETTINGS));
    worker::show(c"hftok: sealing anew");
    let outcome = visit().unwrap_or_else(|report| held_up(database, report));
    visits::leave(outcome);
}

/// Tells why a visit came to nothing, and when there is to be another.
fn held_up(database: u32, report: Report) -> Outcome {
    // While hftok is sealed nobody comes again.
    if !is_open() {
        return Outcome::Later;
    }
    // Ours: the detail of an error of Postgres' may show a row.
    let is_ours = report.sqlstate.starts_with(b"53HF");
    let detail = report.detail.filter(|_| is_ours).map(|detail| format!(": {detail}")).unwrap_or_default();
    server_log::write(&format!(
        "hftok: the rotation of keys in database {database} is held up and tried again: {}{detail}",
        report.message
    ));
    // Best effort: what was in the way may be so still.
    let _ = run(|| rotations::note_trouble(&report.message));
    // A copy, or a keyring that is another database's, stays what it is until somebody does something about it.
    if report.sqlstate == *b"53HF1" { Outcome::Done } else { Outcome::Later }
}

/// Whether there are root keys.
fn is_open() -> bool {
    matches!(keys::state(), State::Open { .. })
}

/// Runs `work` in a transaction of a database that has hftok. Elsewhere its names may be anybody's: `None`, and nothing of them is
/// touched.
fn run<R>(work: impl FnOnce() -> Result<R, Error>) -> Result<Option<R>, Report> {
    worker_transaction::run(|| match FIND_HFTOK.read_one(&[], |_| Ok(()))? {
        Some(()) => work().map(Some),
        None => Ok(None),
    })
}

/// The same once it is known to be there: that it is not any more ends the visit.
fn go_on<R>(work: impl FnOnce() -> Result<R, Error>) -> Result<R, Report> {
    run(work)?.ok_or_else(|| Error::Internal("hftok was dropped while keys were rotated").report(|| false))
}

/// Does what can be done now.
fn visit() -> Result<Outcome, Report> {
    // Without the role there is no hftok either.
    if !matches!(run(|| Ok(())), Ok(Some(()))) {
        return Ok(Outcome::Done);
    }
    // A copy leaves the keys to its original until it is adopted, and says so; a subscriber leaves them to its publisher.
    if !go_on(rotations::are_ours)? {
        return Ok(Outcome::Done);
    }
    rotate_aged()?;
    let mut has_passed = false;
    loop {
        let retired = go_on(|| {
            let retired = rotations::retired()?;
            rotations::note_total(&retired)?;
            rotations::forget_holders(&numbers(&retired, |key| key.rows > 0))?;
            Ok(retired)
        })?;
        let keys = numbers(&retired, |key| key.rows > 0);
        let is_left = retired.iter().any(|key| key.left > 0);
        if keys.is_empty() || (has_passed && !is_left) {
            return end(&retired);
        }
        let Some(Passed { done, shut }) = pass(&keys)? else { return Ok(Outcome::Unfinished) };
        if has_passed && done == 0 {
            let waiting = numbers(&retired, |key| key.left > 0);
            let (what, outcome) = match shut {
                0 => ("rows that other transactions have locked", Outcome::Later),
                // That may last: the next look everywhere is soon enough.
                _ => ("values that their organisations have sealed", Outcome::Done),
            };
            go_on(|| rotations::note_wait(&waiting, what))?;
            let others: Vec<Retired> = retired.into_iter().filter(|key| key.left == 0).collect();
            let ended = end(&others)?;
            return Ok(if ended == Outcome::Done { outcome } else { ended });
        }
        has_passed = true;
    }
}

/// Rotates the keys that are too old.
fn rotate_aged() -> Result<(), Report> {
    let Some(age) = settings::data_key_max_age() else { return Ok(()) };
    for org in go_on(|| rotations::aged(age))? {
        // One that is damaged keeps nobody else's from going on.
        if let Err(report) = go_on(|| rotations::rotate(&org, false, Some("max_age"))) {
            held_up(database(), report);
        }
    }
    Ok(())
}

/// The numbers of some keys.
fn numbers(retired: &[Retired], holds: impl Fn(&Retired) -> bool) -> Vec<i32> {
    retired.iter().filter(|key| holds(key)).map(|key| key.key).collect()
}

/// Rows of a pass through both tables.
#[derive(Default)]
struct Passed {
    /// Those that were sealed anew.
    done: u64,
    /// Those that their organisations have sealed.
    shut: u64,
}

/// Goes through both tables once; `None` when it was cut short.
fn pass(keys: &[i32]) -> Result<Option<Passed>, Report> {
    let mut passed = Passed::default();
    for table in [Table::Secrets, Table::Versions] {
        let pages = go_on(|| reseal::pages(table))?;
        let mut from = 0;
        let mut after = String::from("(0,0)");
        while from < pages {
            let to = (from + PART_PAGES).min(pages);
            let before = format!("({to},0)");
            let begun = Instant::now();
            let part = Part { table, after: &after, before: &before };
            let rate = settings::reseal_rate();
            let most = rate.map_or(BATCH_ROWS_MAX, |rate| (rate / 5).clamp(1, BATCH_ROWS_MAX));
            let batch = go_on(|| reseal::batch(&part, keys, most))?;
            passed.done += u64::from(batch.done);
            passed.shut += u64::from(batch.shut);
            if !keep_pace(&batch, begun, rate) || scarcity::is_there() {
                return Ok(None);
            }
            match batch.last.filter(|_| batch.is_cut) {
                Some(last) => after = last,
                None => (from, after) = (to, before),
            }
        }
    }
    Ok(Some(passed))
}

/// Waits as the rate demands, and takes in the configuration; `false` when the worker is to end.
fn keep_pace(batch: &Batch, begun: Instant, rate: Option<u32>) -> bool {
    worker::read_configuration();
    let Some(rate) = rate else { return !worker::is_ending() };
    let end = begun + Duration::from_secs(batch.rows.into()) / rate;
    loop {
        if worker::is_ending() {
            return false;
        }
        let rest = end.saturating_duration_since(Instant::now());
        // A rate that was raised or taken away holds at once.
        if rest.is_zero() || settings::reseal_rate() != Some(rate) {
            return true;
        }
        if worker::wait(Some(rest)).is_none() {
            return false;
        }
    }
}

/// Ends what can be ended: keys that nothing uses are destroyed.
fn end(retired: &[Retired]) -> Result<Outcome, Report> {
    let failed = numbers(retired, |key| key.rows > 0);
    let remembered = numbers(retired, |key| key.rows == 0 && key.is_remembered);
    let free = numbers(retired, |key| key.rows == 0 && !key.is_remembered);
    go_on(|| {
        rotations::end(&failed, "values that do not open: see verify()")?;
        rotations::end(&remembered, "imports, whose rows are recognised by it")
    })?;
    if free.is_empty() {
        return Ok(Outcome::Done);
    }
    go_on(|| rotations::note_holders(&free))?;
    let begun = Instant::now();
    while let Some(hindrance) = go_on(|| rotations::hindrance(&free))? {
        if begun.elapsed() > PATIENCE || worker::is_ending() {
            let what = match hindrance {
                Hindrance::Transaction => "transactions that may have sealed with the former key",
                Hindrance::Snapshot => "snapshots in which rows are sealed with the former key",
            };
            go_on(|| rotations::note_wait(&free, what))?;
            return Ok(Outcome::Later);
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    let destroyed = go_on(|| rotations::destroy(&free))?;
    wipe(&destroyed);
    // What came back meanwhile is sealed anew.
    Ok(if destroyed.len() == free.len() { Outcome::Done } else { Outcome::Unfinished })
}

/// Wipes keys in memory, also where a session unwraps one that it has read just before.
fn wipe(destroyed: &[i32]) {
    for pause in [Duration::ZERO, UNWRAP_MAX] {
        if !destroyed.is_empty() {
            std::thread::sleep(pause);
            key_pages::change(|_, pages| {
                pages.retain(database(), |key| !destroyed.contains(&key.id().get()));
            });
        }
    }
}

statement! {
    /// Not in a version of the extension that has no rotation.
    FIND_HFTOK() =
        "SELECT 1 FROM pg_catalog.pg_extension e
        JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid
        WHERE e.extname = 'hftok' AND d.deptype = 'e' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.objid = pg_catalog.to_regclass('hftok_private.rotations')";
}
