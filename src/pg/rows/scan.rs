//! Finding a row by a unique key without SQL, in a fraction of the time that the executor takes to begin and end. A
//! shortcut that leads to the row saves the index too, and so does a proof that there is none.
//!
//! A look asks neither for privileges nor for row security: its caller has asked before (`store/levels.rs`).

use pgrx::datum::Uuid;
use pgrx::pg_sys;
use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary;

use super::absence::{self, LeafFile};
use super::buckets::{self, Bucket};
use super::finder::{Entries, Finder};
use super::found_row::FoundRow;
use super::prefetch;
use super::relations::Relation;
use super::shortcuts::{self, Place};
use super::snapshot::LatestSnapshot;
use crate::error::Error;
use crate::pg::bare;

/// The address of a row: a table, and an index to find the row by.
pub struct Address {
    /// The table.
    pub table: Relation,
    /// Its unique index on one column of type uuid.
    pub index: Relation,
    /// The number of the column that the index is on.
    pub key: i16,
    /// The last column that is read.
    pub last: i16,
    /// The index's file, if absence can be proved there.
    pub leaves: Option<LeafFile>,
}

/// The key of a row that is going to be looked for, and where it may be. Memory is asked for as soon as it is known which will be
/// needed, and comes while other things are done.
#[derive(Debug, Clone, Copy)]
pub struct Expected([u8; 16]);

impl Expected {
    /// Asks for the memory that knows where the row was.
    pub fn soon(key: [u8; 16]) -> Self {
        buckets::expect(key);
        Self(key)
    }

    /// Looks up where the row was, and asks for that.
    pub fn lead(self) -> Lead {
        let Self(key) = self;
        let bucket = buckets::to_look(key);
        let place = bucket.and_then(|bucket| shortcuts::find(bucket, key));
        match (bucket, place) {
            (_, Some(place)) => prefetch::ask_for_row(place.buffer, place.offset, place.at),
            (Some(bucket), None) => absence::expect(bucket, key),
            (None, None) => {}
        }
        Lead { key, bucket, place }
    }
}

/// A key, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Lead {
    /// The key.
    key: [u8; 16],
    /// `None` where the look goes by way of the index.
    bucket: Option<&'static Bucket>,
    /// The place where the row was last; never believed.
    place: Option<Place>,
}

impl Lead {
    /// The key, for whoever looks by SQL.
    pub fn key(&self) -> Uuid {
        Uuid::from_bytes(self.key)
    }
}

/// A table that is being looked into; its index is opened only when that is needed.
///
/// Looks are made at one moment: whoever keeps a reader drops it before the snapshot.
#[derive(Default)]
pub struct Reader(Option<Finder>);

impl Reader {
    /// Whether the table is open.
    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Opens the table, which waits for its lock. The caller's knowledge of its index may be old after the wait.
    pub fn open(&mut self, address: &Address) {
        self.0 = Some(Finder::open(address.table));
    }

    /// Reads the row with this key, as it was when the snapshot was taken. A reader is for one address.
    pub fn find<R>(
        &mut self,
        _now: &LatestSnapshot,
        address: &Address,
        lead: Lead,
        read: impl FnOnce(&FoundRow<'_>) -> Result<R, Error>,
    ) -> Result<Option<R>, Error> {
        let finder = self.0.get_or_insert_with(|| Finder::open(address.table));
        if !look(finder, address, lead)? {
            return Ok(None);
        }
        // SAFETY: [`look`] found a row and took it apart; the scan, and with it the row, stays where it is until `read` has returned.
        read(&unsafe { FoundRow::new(finder.slot) }).map(Some)
    }
}

/// What a look came to.
enum Seen {
    /// The row, and its place, if that is to be remembered.
    Row(Option<Place>),
    /// No row.
    Nothing,
    /// A row of which it was proved that it is not there.
    Contradiction,
}

/// Moves to the row and takes it apart; says whether there is one.
fn look(finder: &mut Finder, address: &Address, lead: Lead) -> Result<bool, Error> {
    // SAFETY: the snapshot is the active one, which the caller holds, and took before it learnt the address. The closure owns
    // nothing that an error would jump over; what it opens is closed on drop, or by abort.
    let seen = unsafe {
        pg_guard_ffi_boundary(|| {
            finder.let_go();
            let snapshot = bare::GetActiveSnapshot();
            if let Some(moved) = follow(finder, address, lead, snapshot) {
                return Seen::Row(moved);
            }
            let is_proved = is_proved(address, lead);
            if is_proved && !absence::is_checked() {
                return Seen::Nothing;
            }
            match search(finder, address, lead, snapshot) {
                Some(_) if is_proved => Seen::Contradiction,
                Some(place) => Seen::Row(Some(place)),
                None => Seen::Nothing,
            }
        })
    };
    match seen {
        Seen::Row(place) => {
            if let Some(place) = place {
                shortcuts::keep(lead.key, place);
            }
            Ok(true)
        }
        Seen::Nothing => Ok(false),
        Seen::Contradiction => Err(Error::Internal("a row is there whose absence was proved")),
    }
}

/// Whether it is proved that there is no such row.
///
/// # Safety
/// Inside pgrx's boundary; the active snapshot was taken before the caller learnt the address.
unsafe fn is_proved(address: &Address, lead: Lead) -> bool {
    let (Some(bucket), Some(file)) = (lead.bucket, &address.leaves) else { return false };
    // SAFETY: the caller's.
    unsafe { absence::is_proved(bucket, lead.key, file) }
}

/// Looks where the row was last. Says whether the row is there, and in that case its place, if that is to be remembered anew.
///
/// # Safety
/// Inside pgrx's boundary, with a snapshot that is valid now.
unsafe fn follow(
    finder: &mut Finder,
    address: &Address,
    lead: Lead,
    snapshot: pg_sys::Snapshot,
) -> Option<Option<Place>> {
    let place = lead.place?;
    // SAFETY: the caller's; a row that was found is in the slot, and is taken apart before it is looked at.
    unsafe {
        if !finder.go_to(place, snapshot) {
            return None;
        }
        bare::slot_getsomeattrs_int(finder.slot, address.last.into());
        // Compared where it lies: a uuid is passed by its address.
        let key = FoundRow::new(finder.slot).datum(address.key)?;
        if *key.cast_mut_ptr::<[u8; 16]>() != lead.key {
            return None;
        }
        let at = finder.offset_in_page(place.buffer);
        Some((at != place.at).then_some(Place { at, ..place }))
    }
}

/// Looks in the index, takes the row apart, and says where it was found. Has it proved that there is no entry for it.
///
/// # Safety
/// Inside pgrx's boundary, with a snapshot that is valid now.
unsafe fn search(
    finder: &mut Finder,
    address: &Address,
    lead: Lead,
    snapshot: pg_sys::Snapshot,
) -> Option<Place> {
    // SAFETY: the caller's; what is needed is opened first.
    unsafe {
        finder.open_index(address.index, snapshot);
        let missed = lead.bucket.map(|bucket| absence::was_missed(bucket, lead.key));
        // Before the search, which then proves something of it.
        let leaf = match &address.leaves {
            Some(file) if missed == Some(true) => {
                absence::leaf_of(finder.table, finder.index, lead.key, file)
            }
            _ => None,
        };
        match finder.go_by_index(&lead.key) {
            Entries::Of(place) => {
                bare::slot_getsomeattrs_int(finder.slot, address.last.into());
                return Some(place);
            }
            Entries::OfUnseen => {}
            Entries::None => match (&address.leaves, leaf) {
                (Some(file), Some(leaf)) => absence::keep(lead.key, file, leaf),
                (Some(_), None) if missed == Some(false) => absence::note_miss(lead.key),
                _ => {}
            },
        }
        None
    }
}
