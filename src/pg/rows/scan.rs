//! Finding a row by a unique key without SQL, in a fraction of the time that the executor takes to begin and end. A
//! shortcut that leads to the row saves the index too.
//!
//! A look asks neither for privileges nor for row security: its caller has asked before (`store/levels.rs`).

use pgrx::datum::Uuid;
use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary;
use pgrx::{IntoDatum, pg_sys};

use super::buckets;
use super::finder::Finder;
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
        let place = buckets::to_look(key).and_then(|bucket| shortcuts::find(bucket, key));
        if let Some(place) = place {
            prefetch::ask_for_row(place.buffer, place.offset, place.at);
        }
        Lead { key, place }
    }
}

/// A key, and where its row was last.
#[derive(Debug, Clone, Copy)]
pub struct Lead {
    /// The key.
    key: [u8; 16],
    /// Never believed.
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
        if !look(finder, address, lead) {
            return Ok(None);
        }
        // SAFETY: [`look`] found a row and took it apart; the scan, and with it the row, stays where it is until `read` has returned.
        read(&unsafe { FoundRow::new(finder.slot) }).map(Some)
    }
}

/// Moves to the row and takes it apart; says whether there is one.
fn look(finder: &mut Finder, address: &Address, lead: Lead) -> bool {
    let Lead { key: bytes, place: shortcut } = lead;
    let datum = lead.key().into_datum().unwrap_or(pg_sys::Datum::null());
    // SAFETY: the snapshot is the active one, which the caller holds. The closure owns nothing that an error would jump
    // over; what it opens is closed on drop, or by abort.
    let (is_found, place) = unsafe {
        pg_guard_ffi_boundary(|| {
            finder.let_go();
            let snapshot = bare::GetActiveSnapshot();
            if let Some(place) = shortcut
                && finder.follow(place, snapshot)
            {
                bare::slot_getsomeattrs_int(finder.slot, address.last.into());
                let found = FoundRow::new(finder.slot);
                // Compared where it lies: a uuid is passed by its address.
                let is_same =
                    found.datum(address.key).is_some_and(|datum| *datum.cast_mut_ptr::<[u8; 16]>() == bytes);
                if is_same {
                    let at = finder.offset_in_page(place.buffer);
                    return (true, (at != place.at).then_some(Place { at, ..place }));
                }
            }
            let place = finder.search(address.index, datum, snapshot);
            if place.is_some() {
                bare::slot_getsomeattrs_int(finder.slot, address.last.into());
            }
            (place.is_some(), place)
        })
    };
    if let Some(place) = place {
        shortcuts::keep(bytes, place);
    }
    is_found
}
