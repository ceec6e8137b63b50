//! Bundles as they are stored: added by the writer, and read again.

use hftok_core::audit::bundle::{self, Events, FullTile, Packed};
use hftok_core::audit::filter::FilterKey;
use hftok_core::audit::leaf::Hash;
use hftok_core::audit::mac::{Mac, Sealed};
use hftok_core::audit::record::Record;
use hftok_core::data_key::DataKeyId;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::{BYTEAOID, INT4OID, INT8OID, Oid, TIMESTAMPTZOID};

use super::tables::{bounded, table, time};
use crate::error::Error;
use crate::keys::data_keys;
use crate::pg::rows::append::Append;
use crate::pg::rows::columns::Row;
use crate::pg::rows::cursor::Walk;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;

/// The columns of the table, in their order.
const COLUMNS: &[Oid] =
    &[INT8OID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, BYTEAOID, BYTEAOID, BYTEAOID, BYTEAOID, BYTEAOID];

/// A bundle as it is stored, right or wrong.
pub struct Bundle {
    /// The number of its last event.
    pub last: i64,
    /// Number of events.
    pub count: i32,
    /// The earliest time of an event.
    first_at: Option<TimestampWithTimeZone>,
    /// The latest.
    last_at: Option<TimestampWithTimeZone>,
    /// The key of the filter.
    filter_key: Vec<u8>,
    /// The filter.
    filter: Vec<u8>,
    /// The events.
    pub body: Vec<u8>,
    /// SHA-256 of the body.
    body_hash: Vec<u8>,
    /// The hash over everything else.
    mac: Vec<u8>,
}

impl Bundle {
    /// Reads a row. A column may be NULL, though that is damage: the verifier names the bundle.
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        let bytes = || Ok::<_, Error>(row.next::<Option<Vec<u8>>>()?.unwrap_or_default());
        Ok(Self {
            last: row.next()?,
            count: row.next::<Option<_>>()?.unwrap_or_default(),
            first_at: row.next()?,
            last_at: row.next()?,
            filter_key: bytes()?,
            filter: bytes()?,
            body: bytes()?,
            body_hash: bytes()?,
            mac: bytes()?,
        })
    }

    /// The number of its first event, as far as the row says.
    pub fn first(&self) -> i64 {
        self.last.saturating_sub(self.count.into()).saturating_add(1)
    }

    /// The record of an event.
    pub fn record(&self, number: i64) -> Option<Record<'_>> {
        let at = usize::try_from(number.checked_sub(self.first())?).ok()?;
        Events::of(&self.body)?.nth(at).map(|entry| entry.record)
    }

    /// The hash over the row, if it is one, and what it is over.
    pub fn sealed(&self) -> Option<(Mac, Sealed<'_>)> {
        let sealed = Sealed {
            last: self.last,
            count: self.count,
            first_at: self.first_at?.into_inner(),
            last_at: self.last_at?.into_inner(),
            filter_key: <&FilterKey>::try_from(self.filter_key.as_slice()).ok()?,
            filter: &self.filter,
            body_hash: <&Hash>::try_from(self.body_hash.as_slice()).ok()?,
        };
        Some((Mac::try_from(self.mac.as_slice()).ok()?, sealed))
    }

    /// Whether this database has made the hash over the row, as the database that it is now.
    pub fn is_ours(&self) -> Result<bool, Error> {
        let Some((mac, sealed)) = self.sealed() else { return Ok(false) };
        match data_keys::was_made(&mac, |key| key.bundle(&sealed)) {
            // A row may name any key, also one that nobody has.
            Err(Error::WrongRoot { .. }) => Ok(false),
            made => made,
        }
    }

    /// Whether the body is the one whose hash the row has.
    pub fn has_its_body(&self) -> bool {
        bundle::body_hash(&self.body)[..] == self.body_hash
    }
}

/// Shows the bundles that end between two numbers, in order.
pub fn read(from: i64, to: i64, mut each: impl FnMut(Bundle) -> Result<(), Error>) -> Result<(), Error> {
    READ_BUNDLES.walk_latest(&[from.into(), to.into()], |row| each(Bundle::read(row)?))
}

/// Shows the bundles that end between two numbers and fill a tile, in no order: each without its events, but with the tile that parallel
/// workers have made of them. Of more than tiles of a portion not all are shown.
pub fn read_full(
    from: i64,
    to: i64,
    mut each: impl FnMut(&Bundle, Option<FullTile>) -> Result<(), Error>,
) -> Result<(), Error> {
    let show = |row: &Row<'_>| {
        let mut bundle = Bundle::read(row)?;
        let tile = std::mem::take(&mut bundle.body);
        each(&bundle, FullTile::decode(&tile))
    };
    READ_FULL.read(&[from.into(), to.into()], show).map(|_| ())
}

/// The newest bundle that a condition holds for, without its events. Some are read at a time, however many somebody has forged.
pub fn newest_that(mut holds: impl FnMut(&Bundle) -> Result<bool, Error>) -> Result<Option<Bundle>, Error> {
    let mut until = i64::MAX;
    loop {
        let bundles = READ_NEWEST.read(&[until.into()], Bundle::read)?;
        let Some(oldest) = bundles.last() else { return Ok(None) };
        until = oldest.last.saturating_sub(1);
        for bundle in bundles {
            if holds(&bundle)? {
                return Ok(Some(bundle));
            }
        }
    }
}

/// Bundles that are being added.
pub struct NewBundles {
    /// The table.
    table: Append,
    /// The key of the hash over each.
    key: DataKeyId,
}

impl NewBundles {
    /// Opens the table.
    pub fn begin(key: DataKeyId) -> Result<Self, Error> {
        Ok(Self { table: Append::begin(table(c"audit_bundles")?, COLUMNS)?, key })
    }

    /// Adds a bundle that ends with this event.
    pub fn push(&mut self, last: i64, packed: &Packed) -> Result<(), Error> {
        let count = i32::try_from(packed.count).map_err(|_| Error::Internal("a bundle is too large"))?;
        let body_hash = bundle::body_hash(&packed.body);
        let Packed { first_at, last_at, filter_key, filter, body, .. } = packed;
        let (first_at, last_at) = (*first_at, *last_at);
        let sealed = Sealed { last, count, first_at, last_at, filter_key, filter, body_hash: &body_hash };
        let mac = data_keys::auditing_with(self.key, |key| key.bundle(&sealed))?;
        self.table.row([
            last.into(),
            count.into(),
            time(first_at)?.into(),
            time(last_at)?.into(),
            filter_key.as_slice().into(),
            filter.as_slice().into(),
            body.as_slice().into(),
            body_hash.as_slice().into(),
            mac.as_slice().into(),
        ])
    }

    /// Stores them.
    pub fn store(self) -> Result<(), Error> {
        self.table.finish()
    }
}

/// A statement's beginning: the columns of a bundle, with this in the place of its body.
macro_rules! bundle {
    ($body:expr) => {
        concat!(
            "SELECT b.last_id, b.count, b.first_at, b.last_at, ",
            bounded!("b.filter_key", 16),
            ", ",
            bounded!("b.filter", 8192),
            ", ",
            $body,
            ", ",
            bounded!("b.body_hash", 32),
            ", ",
            bounded!("b.mac", 36)
        )
    };
}

statement! {
    /// Reads the bundles that end between two numbers.
    READ_BUNDLES(INT8, INT8) =
        bundle!(bounded!("b.body", "16384 * greatest(least(b.count, 256), 0)")),
        " FROM hftok_private.audit_bundles b WHERE b.last_id >= $1 AND b.last_id <= $2 ORDER BY b.last_id";

    /// Reads those that fill a tile, with the tile in the place of the body, and no more than one beyond a portion. The conditions stand in a
    /// CASE: by themselves they would be estimated at next to no rows, for which no worker is started.
    shared_out READ_FULL(INT8, INT8) =
        bundle!("hftok_private.tile_of_bundle(b.body)"),
        " FROM hftok_private.audit_bundles b
        WHERE b.last_id >= $1 AND b.last_id <= $2 AND CASE WHEN b.count = 256 THEN b.last_id & 255 = 0 END LIMIT 4097";

    /// Reads the newest bundles without their events, which no hash over a row needs.
    READ_NEWEST(INT8) =
        bundle!("''::bytea"),
        " FROM hftok_private.audit_bundles b WHERE b.last_id BETWEEN 1 AND $1 ORDER BY b.last_id DESC LIMIT 1000";
}
