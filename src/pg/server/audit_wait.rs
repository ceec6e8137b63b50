//! Waiting for the audit's queue: until an event is on disk, or at standbys as well, or until there is room.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::{Duration, Instant};

use hftok_core::audit::lane::Lane;
use hftok_core::audit::queue::LANES;
use pgrx::{PGRXSharedMemory, PgLwLock, pg_guard, pg_sys};

use super::audit_queue::{hurry_if_alone, look, wake, with};
use super::bell::{self, Bell};
use crate::pg::who::session;

/// Processes that wait for a lane: until an event is on disk with the round that is under way, or with the round after
/// it, until standbys have the event too, or until there is room. Waking a process is dear, so only processes that gain
/// from it are woken. Most are woken within a millisecond, by a bell; who waits longer, or for something else, waits for a variable.
pub struct Waiting {
    /// Each has a lock of its own, so nobody ever makes a reference to them.
    variables: UnsafeCell<[[pg_sys::ConditionVariable; KINDS]; LANES]>,
    /// For rounds with an even number and with an odd one.
    bells: [[Bell; 2]; LANES],
}

// SAFETY: plain memory that is linked by numbers of processes, and atomic numbers.
unsafe impl PGRXSharedMemory for Waiting {}

/// The event that ends a wait.
#[derive(Clone, Copy)]
enum For {
    /// The round with this number.
    Round(u64),
    /// Room in the queue.
    Room,
    /// Standbys that have what is written.
    Standby,
}

/// The number of variables of a lane: rounds have two.
const KINDS: usize = 4;

/// The end of a wait for an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is as safe as the server has its commits.
    Safe,
    /// Time was up, and it is on this disk.
    OnlyHere,
    /// Time was up, and it is nowhere.
    Nowhere,
}

/// Records that are released while the queue is locked: some microseconds, in which nobody adds one.
const RELEASED_AT_ONCE: usize = 64;
/// The number of times that a waiter goes to sleep for a bell, before it waits for a variable: a tenth of a second at most.
const SLEEPS: u32 = 10;
/// The longest sleep of a waiter between two looks: after a writer fails, a waiter may sit on the variable of the wrong round.
const SLEEP: Duration = Duration::from_millis(100);

/// Lies in shared memory, so that every process finds the same variables.
// SAFETY: `PgLwLock::new` asks that no other lock has this name. Only ever locked to learn where it lies.
static WAITING: PgLwLock<Waiting> = unsafe { PgLwLock::new(c"hftok_audit_waiting") };
/// Its address, once this process has asked.
static ADDRESS: AtomicPtr<Waiting> = AtomicPtr::new(std::ptr::null_mut());

/// Reserves the variables; from `_PG_init`, while preloading.
pub fn init() {
    pgrx::pg_shmem_init!(WAITING = nobody());
}

/// Lets go of what is written, and tells those who wait for it. `is_safe`: standbys are not waited for.
pub fn written(lane: usize, end: u64, is_safe: bool) {
    let round = loop {
        let released = with(|queue| {
            let round = queue.release(lane, end, RELEASED_AT_ONCE)?;
            if is_safe {
                queue.header.lanes[lane].secure(end);
            }
            Some(round)
        });
        match released {
            Some(Some(round)) => break round,
            Some(None) => {}
            None => return,
        }
    };
    tell(lane, For::Round(round));
    tell(lane, For::Room);
}

/// Says that all up to this number is as safe as the server has its commits.
pub fn secured(lane: usize, number: u64) {
    with(|queue| queue.header.lanes[lane].secure(number));
    tell(lane, For::Standby);
}

/// Wakes those who wait for something of a lane.
fn tell(lane: usize, what: For) {
    if let For::Round(round) = what {
        waiting().bells[lane][parity(round)].ring();
    }
    // SAFETY: lies in shared memory for as long as the server runs.
    unsafe { pg_sys::ConditionVariableBroadcast(variable(lane, what)) };
}

/// Waits until something of a lane may have been released, or for some milliseconds. The first call only registers, so that
/// what is released between it and another attempt is not missed; `stop_waiting` is to follow.
pub fn wait_released(lane: usize) {
    // SAFETY: lies in shared memory for as long as the server runs.
    unsafe { pg_sys::ConditionVariableTimedSleep(variable(lane, For::Room), 5, pg_sys::PG_WAIT_EXTENSION) };
}

/// Waits no longer.
pub fn stop_waiting() {
    // SAFETY: as Postgres asks after such a wait; harmless without one.
    unsafe { pg_sys::ConditionVariableCancelSleep() };
}

/// Waits until a record is as safe as the server has its commits: on disk, or at standbys as well.
pub fn wait_safe(lane: usize, number: u64, limit: Duration) -> Outcome {
    let end = Instant::now() + limit;
    let bells = &waiting().bells[lane];
    let mut sleeps = 0;
    let outcome = loop {
        // Before the look: what is written after it rings them.
        let rung = bells.each_ref().map(Bell::rung);
        let Some(what) = look(|header| rest_of_way(&header.lanes[lane], number)).flatten() else {
            break Outcome::Safe;
        };
        let is_here = matches!(what, For::Standby);
        let rest = end.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            break if is_here { Outcome::OnlyHere } else { Outcome::Nowhere };
        }
        if is_here && with(|queue| queue.header.lanes[lane].want(number, session::steady())) == Some(true) {
            wake(lane);
        }
        hurry_if_alone(lane);
        if let For::Round(round) = what
            && sleeps < SLEEPS
            && rest >= bell::MOMENT
            && bells[parity(round)].sleep(rung[parity(round)])
        {
            sleeps += 1;
            pgrx::check_for_interrupts!();
            continue;
        }
        let milliseconds = i64::try_from(rest.min(SLEEP).as_millis().max(1)).unwrap_or(1);
        // SAFETY: lies in shared memory for as long as the server runs. The first call for a variable only registers, so that
        // what is written between it and the next look wakes the second.
        unsafe {
            pg_sys::ConditionVariableTimedSleep(
                variable(lane, what),
                milliseconds,
                pg_sys::PG_WAIT_EXTENSION,
            );
        }
    };
    stop_waiting();
    outcome
}

/// The next wait of a record that is not yet safe.
fn rest_of_way(lane: &Lane, number: u64) -> Option<For> {
    let on_disk = lane.round_of(number).map(For::Round);
    on_disk.or_else(|| (!lane.is_safe(number)).then_some(For::Standby))
}

/// The variable that a wait of this kind sleeps on.
fn variable(lane: usize, what: For) -> *mut pg_sys::ConditionVariable {
    let at = match what {
        For::Round(round) => parity(round),
        For::Room => 2,
        For::Standby => 3,
    };
    // SAFETY: lies in shared memory for as long as the server runs, and there are so many for each lane, of which there is this
    // one.
    unsafe { waiting().variables.get().cast::<pg_sys::ConditionVariable>().add(lane * KINDS + at) }
}

/// Which of two bells and variables a round has: at those of the round before others wait.
fn parity(round: u64) -> usize {
    usize::from(round % 2 == 1)
}

/// Where all of it lies.
fn waiting() -> &'static Waiting {
    let mut address = ADDRESS.load(Ordering::Relaxed);
    if address.is_null() {
        address = std::ptr::from_ref(&*WAITING.share()).cast_mut();
        ADDRESS.store(address, Ordering::Relaxed);
    }
    // SAFETY: lies in shared memory for as long as the server runs, and is only ever changed in a cell, or atomically.
    unsafe { &*address }
}

/// The value with which it begins, at the start and again after a crash: nobody waits.
fn nobody() -> Waiting {
    let mut empty = pg_sys::ConditionVariable::default();
    // SAFETY: fills in a variable that is on this stack; it has no pointer to itself and may be copied.
    unsafe { pg_sys::ConditionVariableInit(&raw mut empty) };
    let bells = [const { [const { Bell::new() }; 2] }; LANES];
    Waiting { variables: UnsafeCell::new([[empty; KINDS]; LANES]), bells }
}
