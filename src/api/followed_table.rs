//! The table that a trigger follows: the rows of a change, and others that say the same as one that goes.
//!
//! What must stay true: columns are read as their types write them, never by a cast or an operator that a table's owner may have made.

use pgrx::pg_sys;

use crate::error::Error;
use crate::pg::call::statement;
use crate::pg::call::trigger::{Fired, Side, Trigger};
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::rows::strangers::{read_texts, read_texts_after};
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::pg::who::table_owner::{Admitted, hides_rows};

/// The row before a change and the row after it, in the columns that a trigger names; one without a name is empty. TRUNCATE is the end of
/// each row.
pub type Change<const COLUMNS: usize> = [Option<[String; COLUMNS]>; 2];

/// The rows that a trigger fires for.
pub fn changes<const COLUMNS: usize>(
    trigger: &Trigger,
    caller: &Caller,
    columns: [&str; COLUMNS],
) -> Result<impl Iterator<Item = Change<COLUMNS>>, Error> {
    let row = |side| -> Result<_, Error> {
        let mut row = [const { String::new() }; COLUMNS];
        for (cell, column) in row.iter_mut().zip(columns).filter(|(_, column)| !column.is_empty()) {
            *cell = trigger.written(side, column)?;
        }
        Ok(Some(row))
    };
    let (change, ended) = match trigger.fired() {
        Fired::AfterInsert => (Some([None, row(Side::After)?]), Vec::new()),
        Fired::AfterUpdate => (Some([row(Side::Before)?, row(Side::After)?]), Vec::new()),
        Fired::AfterDelete => (Some([row(Side::Before)?, None]), Vec::new()),
        Fired::BeforeTruncate => {
            let listing = Listing::make(caller, trigger.table_id(), named(columns))?;
            (None, read_texts(caller, &listing.admitted(caller)?, &listing.reading, &[])?)
        }
        Fired::Otherwise => {
            return Err(Error::BadInput(
                "a table is followed AFTER INSERT, UPDATE and DELETE of a row, and BEFORE TRUNCATE",
            ));
        }
    };
    Ok(change.into_iter().chain(ended.into_iter().map(|row| [Some(row), None])))
}

/// The names of columns as the functions in SQL take them.
fn named<const COLUMNS: usize>(columns: [&str; COLUMNS]) -> Vec<String> {
    columns.iter().map(|column| (*column).to_owned()).collect()
}

/// A table, and the statements that read columns of it as their types write them.
pub struct Listing {
    /// The table.
    pub table: pg_sys::Oid,
    /// The columns; one without a name is empty.
    pub columns: Vec<String>,
    /// Reads all rows, or those that TRUNCATE is about to take.
    reading: String,
    /// Reads all rows, with the place of each.
    pub listing: String,
    /// Reads the row at a place, where rows have one.
    pub looking: Option<String>,
    /// The columns that are read: the caller needs SELECT on each.
    reads: Vec<i16>,
}

impl Listing {
    /// Makes the statements from the catalog.
    pub fn make(caller: &Caller, table: pg_sys::Oid, columns: Vec<String>) -> Result<Self, Error> {
        let _owner = AsOwner::switch(caller)?;
        let (reading, listing, looking, reads) = LISTING
            .read_single(&[table.into(), columns.clone().into()], |row| {
                Ok((row.next()?, row.next()?, row.next()?, row.next()?))
            })?;
        Ok(Self { table, columns, reading, listing, looking, reads })
    }

    /// Admission to read every row, which is asked for anew each time.
    pub fn admitted(&self, caller: &Caller) -> Result<Admitted, Error> {
        let admitted = Admitted::to(caller, self.table, &self.reads, &[])?;
        if hides_rows(caller, self.table) { Err(Error::ForeignPolicies) } else { Ok(admitted) }
    }
}

/// Rows of a table that say the same as one that goes: what they give stays.
struct Others {
    /// The table that the trigger is fired for.
    table: pg_sys::Oid,
    /// The table that is asked: of a partition the whole one.
    asked: pg_sys::Oid,
    /// Finds rows by the columns that say whom they are about; none where no other row can be there.
    asking: Option<String>,
    /// The columns that are read.
    reads: Vec<i16>,
}

/// The rows that are left and are about the same as one that goes: its first `keys` columns are written alike. None where nobody may look.
/// Whoever may end what the row gave is locked, so that of two that go at once the second finds none.
pub fn others<const COLUMNS: usize>(
    trigger: &Trigger,
    caller: &Caller,
    columns: [&str; COLUMNS],
    gone: &[String; COLUMNS],
    keys: usize,
) -> Result<Vec<[String; COLUMNS]>, Error> {
    let table = trigger.table_id();
    statement::per_place(
        || None::<Others>,
        |kept| {
            let others = match kept.take().filter(|it| it.table == table) {
                Some(others) => others,
                None => Others::make(trigger, caller, named(columns), keys)?,
            };
            let others = kept.insert(others);
            let Some(asking) = &others.asking else { return Ok(Vec::new()) };
            let Some(admitted) = Admitted::to_ask(caller, others.asked, &others.reads)? else {
                return Ok(Vec::new());
            };
            let given: Vec<&str> = gone.iter().take(keys).map(String::as_str).collect();
            read_texts_after(caller, &admitted, asking, &given)
        },
    )
}

impl Others {
    /// Makes the statement from the catalog.
    fn make(trigger: &Trigger, caller: &Caller, columns: Vec<String>, keys: usize) -> Result<Self, Error> {
        let _owner = AsOwner::switch(caller)?;
        let table = trigger.table_id();
        let is_truncate = trigger.fired() == Fired::BeforeTruncate;
        let keys = i32::try_from(keys).map_err(|_| Error::Internal("a trigger has too many columns"))?;
        let parameters = [table.into(), columns.into(), keys.into(), is_truncate.into()];
        let (asked, asking, reads) =
            OTHERS.read_single(&parameters, |row| Ok((row.next()?, row.next()?, row.next()?)))?;
        Ok(Self { table, asked, asking, reads })
    }
}

statement! {
    /// Of names that the catalog has.
    LISTING(OID, TEXTARRAY) =
        "SELECT l.reading, l.listing, l.looking, l.reads FROM hftok_private.import_listing($1::pg_catalog.regclass, $2) l";

    /// The same for the rows that are left.
    OTHERS(OID, TEXTARRAY, INT4, BOOL) =
        "SELECT o.asked, o.asking, o.reads FROM hftok_private.import_others($1::pg_catalog.regclass, $2, $3, $4) o";
}
