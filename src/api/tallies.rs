//! Reveals added up for the views that operators look at: the bundles are read here, and only sums become rows.
//!
//! Must stay true: it reads as hftok_owner, so it asks whether its caller was granted the view that it is for, and adds up no more
//! than that view shows.

use hftok_core::audit::tally::{By, NoMemory, Reveals, Tally};
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use crate::error::Error;
use crate::pg::call::entry::export;
use crate::pg::rows::cursor::Walk;
use crate::pg::rows::declared::statement;
use crate::pg::rows::row_set::{Filling, RowSet};
use crate::pg::rows::sql::Parameter;
use crate::pg::server::memory;
use crate::pg::who::acl;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::pg::who::session;

export!(reveals);

/// A day, in microseconds.
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// The sums of reveals: of the last day by reader, or of all by application.
fn reveals(p_by_reader: Option<bool>) -> Result<RowSet, Error> {
    let (by, view, after) = match p_by_reader {
        Some(true) => (By::Reader, "recent_reveals", session::now() - DAY),
        _ => (By::Application, "new_applications", i64::MIN),
    };
    let caller = Caller::current();
    if !acl::may_select_any(&caller, "hftok", view) {
        return Err(Error::NotAllowed(
            "sums of reveals are for those who were granted the view that shows them",
        ));
    }
    let _owner = AsOwner::switch(&caller)?;
    let rows = Filling::begin()?;
    let since = TimestampWithTimeZone::try_from(after).ok();
    let mut tally = Tally::new(by, after, memory::for_hashing());
    loop {
        READ_BODIES.walk(&[since.into()], |row| {
            let body: Option<Vec<u8>> = row.next()?;
            memory::admit()?;
            tally.add(&body.unwrap_or_default()).map_err(|NoMemory| Error::NoMemory)
        })?;
        tally.show(|reveals| {
            rows.put_fresh(|| cells(reveals));
            memory::admit()
        })?;
        if !tally.begin_next() {
            return Ok(rows.done());
        }
    }
}

/// The row of a sum.
fn cells(reveals: &Reveals<'_>) -> [Parameter; 12] {
    [
        reveals.role.into(),
        reveals.user.into(),
        reveals.application.into(),
        reveals.action.into(),
        reveals.id.map(Uuid::from_bytes).into(),
        reveals.scope.into(),
        reveals.owner.into(),
        reveals.provider.into(),
        reveals.count.into(),
        TimestampWithTimeZone::try_from(reveals.first_at).ok().into(),
        TimestampWithTimeZone::try_from(reveals.last_at).ok().into(),
        reveals.is_protected.into(),
    ]
}

statement! {
    /// The bundles that may have events after a time; none of those that were put aside, and no body longer than any of hftok's.
    planned_anew READ_BODIES(TIMESTAMPTZ)
        = "SELECT CASE WHEN octet_length(b.body) <= 4194304 THEN b.body END
        FROM hftok_private.audit_bundles b WHERE b.last_id > 0 AND ($1 IS NULL OR b.last_at > $1)";
}
