//! The audit queue: events wait in memory that all processes share, until a writer has made rows of them.
//!
//! | what | where | under |
//! |---|---|---|
//! | lanes, counters, who to wake ([`Shared`]) | Postgres' shared memory | [`LOCK`] |
//! | the slots that events lie in ([`SLOTS`]) | Postgres' shared memory, whose size is a setting | the same lock |
//! | who waits, for what (`audit_wait`) | Postgres' shared memory, condition variables of each lane | their own spinlocks |
//!
//! The lock is held to copy some bytes and to change some numbers, never to wait, to call Postgres or to allocate more
//! than what is copied. Interrupts are held off while it is held, and it is released however a process ends by itself; a
//! process that is killed has the postmaster begin all of this anew, so nobody finds it half changed.
//!
//! What must stay true: nobody touches the slots without the lock; and an event that was accepted is released only by a
//! writer that committed it.

use std::sync::atomic::{AtomicU32, Ordering};

use hftok_core::audit::queue::{Header, Queue, Slot};
use pgrx::{PGRXSharedMemory, pg_guard, pg_sys};

use super::area::Area;
use super::brief_lock::BriefLock;
use crate::pg::rows::prefetch;
use crate::pg::who::session;

/// The state of the queue, without the events.
pub struct Shared {
    /// The part of the queue that is not slots.
    header: Header,
    /// The launcher's latch; null while there is none.
    launcher: *mut pg_sys::Latch,
    /// Set when the server stops: no writer begins any more.
    is_ending: bool,
}

// SAFETY: plain memory. `launcher` points into Postgres' shared memory, which every process has at the same address.
unsafe impl PGRXSharedMemory for Shared {}

/// The lines of cache that most records fill.
const RECORD_LINES: usize = 3;

/// The time after which a writer is tried again for a process that waits, in microseconds.
const HASTE: i64 = 1_000_000;

/// Taken for moments only: nothing that waits is done under it.
static LOCK: BriefLock<Shared> = BriefLock::new(c"hftok_audit");
/// The slots of all lanes.
static SLOTS: Area<Slot> = Area::new(c"hftok audit queue");
/// The most slots that a database may have.
static SHARE: AtomicU32 = AtomicU32::new(0);

/// Reserves the lock and the slots, of which a database may have `share`; from `_PG_init`, while preloading.
pub fn init(share: u32) {
    SHARE.store(share, Ordering::Relaxed);
    SLOTS.resize(Header::slots(share) as usize);
    pgrx::pg_shmem_init!(SLOTS = ());
    pgrx::pg_shmem_init!(LOCK = start());
}

/// Whether there is a queue.
pub fn exists() -> bool {
    !SLOTS.start().is_null()
}

/// Works on the queue, alone. `None` when there is none.
pub fn with<R>(f: impl FnOnce(&mut Queue<'_>) -> R) -> Option<R> {
    if !exists() {
        return None;
    }
    let mut shared = LOCK.exclusive();
    // SAFETY: there are so many slots for as long as the server runs; under the exclusive lock nobody else has a
    // reference to them. Any bytes are a slot, and `Header` remembers which were used.
    let slots = unsafe { std::slice::from_raw_parts_mut(SLOTS.start(), SLOTS.count()) };
    let mut queue = Queue { header: &mut shared.header, slots };
    let done = f(&mut queue);
    // The writer had it last, and the next record will not wait for it under the lock.
    if let Some(next) = queue.next() {
        prefetch::ask_for_lines(std::ptr::from_ref(next).cast(), RECORD_LINES);
    }
    Some(done)
}

/// Looks at the lanes. `None` when there is no queue.
pub fn look<R>(f: impl FnOnce(&Header) -> R) -> Option<R> {
    exists().then(|| f(&LOCK.share().header))
}

/// Makes the calling process the one that starts writers.
pub fn serve() {
    if exists() {
        // SAFETY: the latch of this process.
        LOCK.exclusive().launcher = unsafe { pg_sys::MyLatch };
    }
}

/// Wakes the writer of a lane, or, when it has none, whoever starts one.
pub fn wake(lane: usize) {
    let (latch, launcher) = {
        let shared = LOCK.share();
        (shared.header.lanes[lane].latch, shared.launcher)
    };
    let latch = if latch == 0 { launcher } else { std::ptr::with_exposed_provenance_mut(latch) };
    if !latch.is_null() {
        // SAFETY: a latch in Postgres' shared memory, valid as long as the server runs. If its process has ended, another
        // process that has its place wakes up once for nothing.
        unsafe { pg_sys::SetLatch(latch) };
    }
}

/// Wakes the writer of a lane for somebody who waits for it, or has one started within a second, however often that failed.
pub fn hurry(lane: usize) {
    with(|queue| queue.header.lanes[lane].hurry(session::steady() + HASTE));
    wake(lane);
}

/// The same where a writer may well be at work.
pub fn hurry_if_alone(lane: usize) {
    if look(|header| header.lanes[lane].writer == 0) == Some(true) {
        hurry(lane);
    }
}

/// Makes the calling process the writer of a lane, if it still belongs to this database and has none.
pub fn attend(lane: usize, database: u32) -> bool {
    // SAFETY: called when this process ends in any way but by being killed; the function is there as long as the library is.
    unsafe { pg_sys::before_shmem_exit(Some(leave_on_exit), pg_sys::Datum::from(0_usize)) };
    if !exists() {
        return false;
    }
    let mut shared = LOCK.exclusive();
    let is_ending = shared.is_ending;
    let lane = &mut shared.header.lanes[lane];
    if is_ending || lane.database != database || lane.writer != 0 {
        return false;
    }
    // SAFETY: variables of this process.
    unsafe {
        lane.writer = pg_sys::MyProcPid;
        lane.latch = pg_sys::MyLatch.expose_provenance();
    }
    true
}

/// Leaves a lane whose database is there, and can have a writer at once.
pub fn acquit(lane: usize) {
    with(|queue| queue.header.lanes[lane].not_before = 0);
}

/// Says whether the writer of a lane waits for somebody's lock.
pub fn set_blocked(lane: usize, is_blocked: bool) {
    with(|queue| queue.header.lanes[lane].is_blocked = is_blocked);
}

/// No writer begins any more: the server is shutting down.
pub fn begin_end() {
    if exists() {
        LOCK.exclusive().is_ending = true;
    }
}

/// Closes the queue if nothing waits and no writer is at work: from then on nothing is accepted.
pub fn close_if_done() -> bool {
    with(|queue| {
        let is_done = queue.header.lanes.iter().all(|lane| lane.waiting() == 0 && lane.writer == 0);
        queue.header.is_closed |= is_done;
        is_done
    })
    .unwrap_or(true)
}

/// Closes the queue, whatever waits.
pub fn close() {
    with(|queue| queue.header.is_closed = true);
}

/// Whether nothing is accepted any more.
pub fn is_closed() -> bool {
    look(|header| header.is_closed).unwrap_or(false)
}

/// Leaves a lane if it has nothing to do, or says that it has.
pub fn leave_if_idle(lane: usize) -> bool {
    let now = session::steady();
    with(|queue| {
        let lane = &mut queue.header.lanes[lane];
        if !lane.needs_writer(now) {
            lane.clear_writer();
        }
        lane.writer == 0
    })
    .unwrap_or(true)
}

/// Leaves a lane to the next writer, and has that started when its turn comes; when this one could do nothing, others come
/// first.
pub fn leave(lane: usize) {
    with(|queue| {
        let lane = &mut queue.header.lanes[lane];
        let later = if lane.is_blocked { session::steady() + HASTE } else { 0 };
        lane.clear_writer();
        lane.not_before = later;
    });
    call_launcher();
}

/// Has every writer come, for what is not in the queue.
pub fn call_all() {
    with(|queue| {
        for lane in queue.header.lanes.iter_mut().filter(|lane| lane.database != 0) {
            lane.call();
        }
    });
    call_launcher();
}

#[pg_guard]
unsafe extern "C-unwind" fn leave_on_exit(_code: i32, _argument: pg_sys::Datum) {
    // SAFETY: a variable of this process.
    let own = unsafe { pg_sys::MyProcPid };
    let now = session::steady();
    let called = with(|queue| {
        let mut is_left = false;
        for lane in queue.header.lanes.iter_mut().filter(|lane| lane.writer == own) {
            if lane.needs_writer(now) {
                // Its failures stay: one that fails again and again is to be waited for longer and longer.
                (lane.writer, lane.latch, lane.is_blocked) = (0, 0, false);
                is_left = true;
            } else {
                // The next event is the first to call the launcher again.
                lane.clear_writer();
            }
        }
        is_left
    });
    if called == Some(true) {
        call_launcher();
    }
}

/// Tells the launcher to look what is to be started.
pub fn call_launcher() {
    if !exists() {
        return;
    }
    let latch = LOCK.share().launcher;
    if !latch.is_null() {
        // SAFETY: the launcher's latch in Postgres' shared memory, valid as long as the server runs. If the launcher has ended, another
        // process that has its place wakes up once for nothing.
        unsafe { pg_sys::SetLatch(latch) };
    }
}

/// The value with which it begins, at the start and again after a crash, when nobody else is running.
fn start() -> Shared {
    Shared {
        header: Header::new(SHARE.load(Ordering::Relaxed)),
        launcher: std::ptr::null_mut(),
        is_ending: false,
    }
}
