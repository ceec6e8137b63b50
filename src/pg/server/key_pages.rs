//! Key pages: whole pages of memory that all processes of the server share, that core dumps leave out and that are kept
//! from the swap.
//!
//! | what | where | under |
//! |---|---|---|
//! | [`PagesHeader`]: is hftok open, sealed, loading; who asked for a reload | Postgres' shared memory | [`LOCK`] |
//! | [`KeyPages`]: root keys, data keys by (database, id), questions for keys of organisations | a mapping of our own | the same lock |
//! | [`RunKey`]: protects events while there is no other key; opens nothing, and outlives a seal | beside them | written before there is another process |
//!
//! Our own mapping, because Postgres' shared memory begins anywhere, may lie in huge pages and is dumped. It is made
//! by the postmaster before it forks, so all processes see it at the same address, and types without pointers to
//! elsewhere can lie in it as they are. After a crash of a backend Postgres starts its shared memory anew and calls
//! the start-up hook again: then nobody else is running, and the pages are wiped.
//!
//! What must stay true: nobody touches the pages without the lock; under it nothing waits, calls Postgres or takes
//! longer than sealing one value; and wiping leaves no byte of a key behind.

use std::sync::atomic::{AtomicPtr, Ordering};

use hftok_core::audit::mac::RunKey;
use hftok_core::data_key::{DataKey, DataKeyId};
use hftok_core::keyring::Keyring;
use hftok_core::keyring_state::{InUse, State};
use hftok_core::org_questions::{Questions, Ticket};
use pgrx::{PGRXSharedMemory, PgLwLock, pg_guard, pg_sys};
use zeroize::Zeroize;

use super::brief_lock::BriefLock;
use super::server_log;
use crate::pg::who::session;

/// As many data keys as are kept unwrapped; beyond, the one in the way is unwrapped again when it is needed.
const SLOTS: usize = 256;
/// The greatest distance of a key from its place.
const REACH: usize = 8;

/// The state of the keyring, without keys.
#[derive(Clone, Copy)]
pub struct PagesHeader {
    /// Whether there are keys, and if not, why.
    pub state: State,
    /// Counts requests to read the keyring.
    pub requested: u64,
    /// The last request that was answered.
    pub answered: u64,
    /// The last request that insisted on whatever keyring there is.
    pub insisted: u64,
    /// The part of the keyring that was used since the server's start. It outlives a seal.
    pub in_use: InUse,
    /// The worker's latch; null while there is none.
    worker: *mut pg_sys::Latch,
}

// SAFETY: plain memory. `worker` points into Postgres' shared memory, which every process has at the same address.
unsafe impl PGRXSharedMemory for PagesHeader {}

/// The keys. Plain bytes, filled in and wiped where they lie.
pub struct KeyPages {
    /// Root keys, when there are any.
    pub keyring: Keyring,
    /// Questions for keys that organisations hold themselves; data keys that are to be wrapped by those lie here.
    pub questions: Questions,
    /// A table by number and database, with a reach of places for each.
    data: [KeySlot; SLOTS],
}

/// All that lies in the mapping.
struct Pages {
    /// Locked in memory and left out of core dumps, as all of the mapping is.
    keys: KeyPages,
    /// Beside the keys, since it is as secret.
    run: RunKey,
}

/// A data key and its database; 0, which is no database's, in an empty one.
struct KeySlot {
    /// The database of the key; zero in an empty slot.
    database: u32,
    /// Whether it is the key of an organisation.
    is_of_org: bool,
    /// When its organisation is asked again; 0 for never.
    until: i64,
    /// The key, unwrapped.
    key: DataKey,
}

/// Taken for moments only: a key is copied out of the pages under it, or used.
static LOCK: BriefLock<PagesHeader> = BriefLock::new(c"hftok_keys");
/// Held by a process that seals or unseals by hand. The data that it guards lie elsewhere: see [`by_hand`].
// SAFETY: `PgLwLock::new` asks that no other lock has this name: there is no second "hftok_operator".
static OPERATOR_LOCK: PgLwLock<bool> = unsafe { PgLwLock::new(c"hftok_operator") };
/// The address of the pages, mapped before the server has children.
static PAGES: AtomicPtr<Pages> = AtomicPtr::new(std::ptr::null_mut());

/// Reserves the pages and the lock; from `_PG_init`, while preloading.
pub fn init() {
    map();
    pgrx::pg_shmem_init!(LOCK = start());
    pgrx::pg_shmem_init!(OPERATOR_LOCK = false);
}

/// Whether the server was started with hftok preloaded.
pub fn preloaded() -> bool {
    !PAGES.load(Ordering::Relaxed).is_null()
}

/// Looks at the keys. `None` when not preloaded.
pub fn look<R>(f: impl FnOnce(&PagesHeader, &KeyPages) -> R) -> Option<R> {
    if !preloaded() {
        return None;
    }
    let header = LOCK.share();
    // SAFETY: mapped for as long as the server runs; under the shared lock nobody writes to this field.
    let keys = unsafe { &(*PAGES.load(Ordering::Relaxed)).keys };
    Some(f(&header, keys))
}

/// Changes the keys. `None` when not preloaded.
pub fn change<R>(f: impl FnOnce(&mut PagesHeader, &mut KeyPages) -> R) -> Option<R> {
    if !preloaded() {
        return None;
    }
    let mut header = LOCK.exclusive();
    // SAFETY: mapped for as long as the server runs; under the exclusive lock nobody else reads or writes this field.
    let keys = unsafe { &mut (*PAGES.load(Ordering::Relaxed)).keys };
    Some(f(&mut header, keys))
}

/// The key of the server's present run. `None` when not preloaded.
pub fn run_key() -> Option<&'static RunKey> {
    // SAFETY: mapped for as long as the server runs. The postmaster draws the key before it forks; after that nobody writes to
    // this field, and no reference to the other one covers it.
    preloaded().then(|| unsafe { &(*PAGES.load(Ordering::Relaxed)).run })
}

/// Does what an operator asked for by hand, one at a time: it changes both a file and the header, which must agree.
pub fn by_hand<R>(f: impl FnOnce() -> R) -> Option<R> {
    if !preloaded() {
        return None;
    }
    let _lock = OPERATOR_LOCK.exclusive();
    Some(f())
}

impl PagesHeader {
    /// Makes the calling worker the one that requests wake.
    pub fn serve(&mut self) {
        // SAFETY: the latch of this process.
        self.worker = unsafe { pg_sys::MyLatch };
    }

    /// Asks the worker to read the keyring; the answer has come when `answered` reaches what this returns. `insists`: also one
    /// that lacks what is in use.
    pub fn request(&mut self, insists: bool) -> u64 {
        self.requested += 1;
        if insists {
            self.insisted = self.requested;
        }
        if !self.worker.is_null() {
            // SAFETY: a latch in Postgres' shared memory, valid as long as the server runs. If the worker has ended,
            // another process that has its place wakes up once for nothing.
            unsafe { pg_sys::SetLatch(self.worker) };
        }
        self.requested
    }
}

impl KeyPages {
    /// Every key of zeroes.
    const EMPTY: Self =
        Self { keyring: Keyring::EMPTY, questions: Questions::NONE, data: [const { KeySlot::EMPTY }; SLOTS] };

    /// Forgets every key and overwrites all of the pages.
    pub fn wipe(&mut self) {
        let pages = std::ptr::from_mut(self);
        // SAFETY: the value is dropped in place, its memory is plain bytes for a moment, and is filled with a valid
        // value again before anybody can look. Nothing in between can unwind, and `self` is not used.
        unsafe {
            pages.drop_in_place();
            std::slice::from_raw_parts_mut(pages.cast::<u8>(), size_of::<Self>()).zeroize();
            pages.write(Self::EMPTY);
        }
    }

    /// The unwrapped data key with this id.
    pub fn data_key(&self, database: u32, id: DataKeyId) -> Option<&DataKey> {
        let slot = places(id).map(|at| &self.data[at]).find(|slot| slot.holds(database, id))?;
        (!slot.is_over()).then_some(&slot.key)
    }

    /// Forgets those data keys whose organisations are to be asked again, and answers that nobody has come for.
    pub fn forget_over(&mut self) {
        self.questions.forget_stale(session::steady());
        for slot in self.data.iter_mut().filter(|slot| slot.is_over()) {
            *slot = KeySlot::EMPTY;
        }
    }

    /// Forgets those data keys of a database that are not to be kept.
    pub fn retain(&mut self, database: u32, is_kept: impl Fn(&DataKey) -> bool) {
        for slot in &mut self.data {
            if slot.database == database && !is_kept(&slot.key) {
                *slot = KeySlot::EMPTY;
            }
        }
    }

    /// The databases that a data key is kept of, each as often as it has keys.
    pub fn databases(&self) -> impl Iterator<Item = u32> {
        self.data.iter().map(|slot| slot.database).filter(|database| *database != 0)
    }

    /// The ids of the data keys that are kept of a database.
    pub fn ids(&self, database: u32) -> Vec<DataKeyId> {
        self.data.iter().filter(|slot| slot.database == database).map(|slot| slot.key.id()).collect()
    }

    /// Has an unwrapped data key filled in, in place of another if there is no room: an organisation's rather than one that all
    /// depend on. `fill` is given the root keys.
    pub fn keep<E>(
        &mut self,
        database: u32,
        id: DataKeyId,
        is_of_org: bool,
        fill: impl FnOnce(&Keyring, &mut DataKey) -> Result<(), E>,
    ) -> Result<(), E> {
        let slot = &mut self.data[place_for(&self.data, database, id)];
        // The one that makes room is wiped, also where nothing is filled in.
        *slot = KeySlot::EMPTY;
        fill(&self.keyring, &mut slot.key)?;
        (slot.database, slot.is_of_org) = (database, is_of_org);
        Ok(())
    }

    /// The same with a key that the organisation's own key has unwrapped, for so long; `false` when the answer is not there.
    pub fn keep_answer(&mut self, database: u32, id: DataKeyId, ticket: Ticket, until: i64) -> bool {
        let slot = &mut self.data[place_for(&self.data, database, id)];
        *slot = KeySlot::EMPTY;
        let is_there = self.questions.hand_over(ticket, &mut slot.key);
        if is_there {
            (slot.database, slot.is_of_org, slot.until) = (database, true, until);
        }
        is_there
    }
}

/// The slot of a key, or the one that it takes.
fn place_for(data: &[KeySlot; SLOTS], database: u32, id: DataKeyId) -> usize {
    places(id)
        .find(|at| data[*at].holds(database, id))
        .or_else(|| places(id).find(|at| data[*at].database == 0))
        .or_else(|| places(id).find(|at| data[*at].is_of_org))
        .unwrap_or(id.place(SLOTS))
}

impl KeySlot {
    /// No key.
    const EMPTY: Self = Self { database: 0, is_of_org: false, until: 0, key: DataKey::EMPTY };

    /// Whether its organisation is to be asked again. Of others the time is not looked at.
    fn is_over(&self) -> bool {
        self.until != 0 && session::steady() >= self.until
    }

    /// A number alone is not enough: two databases may have the same.
    fn holds(&self, database: u32, id: DataKeyId) -> bool {
        self.database == database && self.key.id() == id
    }
}

/// The slots in which a key may lie. There are few, because looking is under the lock.
fn places(id: DataKeyId) -> impl Iterator<Item = usize> {
    (0..REACH).map(move |step| (id.place(SLOTS) + step) % SLOTS)
}

/// Maps the pages. Failing leaves hftok as if not preloaded, and Postgres running.
fn map() {
    let length = size_of::<Pages>();
    // SAFETY: a new mapping, which touches no other.
    let start = unsafe {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0)
    };
    if start == libc::MAP_FAILED {
        server_log::warning("hftok: no memory for keys; started without them");
        return;
    }
    let pages = start.cast::<Pages>();
    let mut run = RunKey::EMPTY;
    if run.draw().is_err() {
        server_log::warning("hftok: no randomness: what happens while hftok is sealed cannot be protected");
    }
    // SAFETY: memory of ours, which nobody uses yet; advice about it has no effect on anything else. `Pages` needs less
    // alignment than a page has.
    unsafe {
        if libc::madvise(start, length, libc::MADV_DONTDUMP) != 0 {
            server_log::warning("hftok: keys could not be excluded from core dumps");
        }
        if libc::mlock(start, length) != 0 {
            server_log::log(
                "hftok: keys could not be locked into memory and may be swapped out (see ulimit -l)",
            );
        }
        pages.write(Pages { keys: KeyPages::EMPTY, run });
        PAGES.store(pages, Ordering::Relaxed);
    }
}

/// The value with which Postgres' shared memory begins, at the start and again after a crash.
fn start() -> PagesHeader {
    // SAFETY: the start-up hook runs in the postmaster while no other process of the server does.
    if let Some(pages) = unsafe { PAGES.load(Ordering::Relaxed).as_mut() } {
        pages.keys.wipe();
    }
    PagesHeader {
        state: State::Loading,
        requested: 0,
        answered: 0,
        insisted: 0,
        in_use: InUse::NOTHING,
        worker: std::ptr::null_mut(),
    }
}
