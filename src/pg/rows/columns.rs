//! The rows that a statement gives, and the values of their columns.
//!
//! What must stay true: a value that was read owns its memory, because SPI's is gone when the statement is done. Columns are read
//! in their order, and all of them: a column more or less in the text or in the code is an error that names the statement, and so is a
//! column of another type, whoever made it one.

use std::cell::Cell;
use std::marker::PhantomData;

use pgrx::datum::{TimestampWithTimeZone, Uuid};
use pgrx::{FromDatum, IntoDatum, pg_sys, varlena};

use crate::error::Error;
use crate::pg::bare;
use crate::pg::server::memory;

/// Types whose values lie in memory of their own once they were read.
pub trait Owned: FromDatum {
    /// The SQL type that it stands for.
    const KIND: pg_sys::Oid;

    /// Whether it can be read from a column of a type.
    fn takes(kind: pg_sys::Oid) -> bool {
        kind == Self::KIND
    }

    /// The value; `None` too when there is no memory for it, which [`memory::admit`] tells.
    ///
    /// # Safety
    /// As for [`FromDatum::from_datum`].
    unsafe fn copy_of(datum: pg_sys::Datum, is_null: bool) -> Option<Self> {
        // SAFETY: the caller keeps to `FromDatum`: unless `is_null` says so, this is a value of the SQL type that `Self` stands for.
        unsafe { Self::from_datum(datum, is_null) }
    }
}

/// Types whose values outlive SPI.
macro_rules! owned {
    ($($made:ty: $kind:ident),* $(,)?) => { $(impl Owned for $made { const KIND: pg_sys::Oid = pg_sys::$kind; })* };
}

owned!(
    bool: BOOLOID,
    i32: INT4OID,
    i64: INT8OID,
    Vec<i16>: INT2ARRAYOID,
    pg_sys::Oid: OIDOID,
    Vec<pg_sys::Oid>: OIDARRAYOID,
    Uuid: UUIDOID,
    TimestampWithTimeZone: TIMESTAMPTZOID,
    Vec<Option<Uuid>>: UUIDARRAYOID,
    Vec<Option<i64>>: INT8ARRAYOID,
    Vec<Option<TimestampWithTimeZone>>: TIMESTAMPTZARRAYOID,
);

impl Owned for String {
    const KIND: pg_sys::Oid = pg_sys::TEXTOID;

    fn takes(kind: pg_sys::Oid) -> bool {
        // Both are laid out alike.
        kind == pg_sys::TEXTOID || kind == pg_sys::VARCHAROID
    }

    unsafe fn copy_of(datum: pg_sys::Datum, is_null: bool) -> Option<Self> {
        // SAFETY: the caller keeps to `FromDatum`: unless `is_null` says so, this is a text. The slice, which lies in the row or in a
        // detoasted copy, is copied before either can go.
        unsafe { <&str>::from_datum(datum, is_null) }
            .and_then(|text| memory::copy_of_text(text).inspect_err(|_| memory::note_need()).ok())
    }
}

impl Owned for Vec<u8> {
    const KIND: pg_sys::Oid = pg_sys::BYTEAOID;

    unsafe fn copy_of(datum: pg_sys::Datum, is_null: bool) -> Option<Self> {
        if is_null {
            return None;
        }
        let value = datum.cast_mut_ptr::<pg_sys::varlena>();
        // SAFETY: the caller keeps to `FromDatum`: this is a bytea, and not NULL. The slice lies in the row or in a detoasted copy, and is
        // copied before either can go; a detoasted copy was made here, so nothing else points into it.
        unsafe {
            let whole = pg_sys::pg_detoast_datum_packed(value);
            let copy = memory::copy_of_bytes(varlena::varlena_to_byte_slice(whole));
            if whole != value {
                pg_sys::pfree(whole.cast());
            }
            copy.inspect_err(|_| memory::note_need()).ok()
        }
    }
}

/// No statement gives more columns.
const COLUMNS_MAX: usize = 40;

/// A row, while it is being looked at.
pub struct Row<'a> {
    /// The statement that gave it, for errors.
    statement: &'static str,
    /// The columns of SPI's result.
    description: pg_sys::TupleDesc,
    /// Their values in this row.
    values: [pg_sys::Datum; COLUMNS_MAX],
    /// Which of them are NULL.
    nulls: [bool; COLUMNS_MAX],
    /// The number of the column that was read last; 0 before the first.
    last: Cell<i32>,
    /// The row is gone when SPI is disconnected.
    life: PhantomData<&'a ()>,
}

/// Types that a column can be read as: those that are [`Owned`] where it is never NULL, and an `Option` of them where it may be.
pub trait Column: Sized {
    /// Takes the next column of the row.
    fn next_of(row: &Row<'_>) -> Result<Self, Error>;
}

impl<T: Owned> Column for Option<T> {
    fn next_of(row: &Row<'_>) -> Result<Self, Error> {
        row.advance()
    }
}

impl<T: Owned> Column for T {
    fn next_of(row: &Row<'_>) -> Result<Self, Error> {
        row.advance()?.ok_or_else(|| row.trouble("a column that is never NULL is NULL"))
    }
}

impl Row<'_> {
    /// A row of the result that the statement run last gave, which the caller keeps. It is taken apart once: to find a column behind others
    /// of any length, Postgres goes along all of them.
    pub(super) fn of(
        statement: &'static str,
        tuple: pg_sys::HeapTuple,
        description: pg_sys::TupleDesc,
    ) -> Result<Self, Error> {
        let mut row = Self {
            statement,
            description,
            values: [pg_sys::Datum::null(); COLUMNS_MAX],
            nulls: [true; COLUMNS_MAX],
            last: Cell::new(0),
            life: PhantomData,
        };
        if usize::try_from(row.width()).map_or(true, |width| width > COLUMNS_MAX) {
            return Err(row.trouble("it gives more columns than a row can have here"));
        }
        // SAFETY: tuple and description belong to the same result, which the caller keeps, and there is room for as many columns as it
        // has. The values point into the tuple. The function raises no error.
        unsafe {
            bare::heap_deform_tuple(tuple, description, row.values.as_mut_ptr(), row.nulls.as_mut_ptr());
        }
        Ok(row)
    }

    /// The value of the next column, from the first.
    pub fn next<T: Column>(&self) -> Result<T, Error> {
        T::next_of(self)
    }

    /// The value of the next column, or `None` for NULL. The value owns its memory.
    fn advance<T: Owned>(&self) -> Result<Option<T>, Error> {
        let column = self.last.get() + 1;
        if column > self.width() {
            return Err(self.trouble("more columns are read than it gives"));
        }
        self.last.set(column);
        // SAFETY: the description belongs to the result that `Spi::rows` is walking through, and has this column. The function raises
        // no error.
        if !T::takes(unsafe { bare::SPI_gettypeid(self.description, column) }) {
            return Err(self.trouble("a column is of another type than it is read as"));
        }
        let (datum, is_null) = self.column(column);
        // SAFETY: the value lies in a row of SPI's result, which has this column, of a type that `T` stands for.
        unsafe { Ok(T::copy_of(datum, is_null)) }
    }

    /// The value of a column, and whether it is NULL, as it is where there is no such column.
    fn column(&self, column: i32) -> (pg_sys::Datum, bool) {
        let at = usize::try_from(column - 1).unwrap_or(COLUMNS_MAX);
        let found = self.values.get(at).zip(self.nulls.get(at));
        found.map_or((pg_sys::Datum::null(), true), |(value, is_null)| (*value, *is_null))
    }

    /// The number of columns.
    fn width(&self) -> i32 {
        // SAFETY: the description belongs to the result that `Spi::rows` is walking through, which SPI keeps until it is
        // disconnected.
        unsafe { (*self.description).natts }
    }

    /// Refuses a row of which only some columns were read: those may be others than the code takes them for.
    pub(super) fn admit_reading(&self) -> Result<(), Error> {
        let last = self.last.get();
        if last == 0 || last == self.width() {
            return Ok(());
        }
        Err(self.trouble("fewer columns are read than it gives"))
    }

    /// The error that names the statement.
    fn trouble(&self, trouble: &'static str) -> Error {
        Error::Statement { name: self.statement, trouble }
    }
}

/// A composite value as a statement gave it.
pub struct HandedOn(pg_sys::Datum);

impl Row<'_> {
    /// The first column as a composite value, to be given on unchanged.
    pub(super) fn hand_on(&self) -> Result<HandedOn, Error> {
        let (value, is_null) = self.column(1);
        if is_null {
            return Err(self.trouble("a composite value is NULL"));
        }
        // SAFETY: the value lies in the result that `Spi::rows` is walking through, while SPI is connected. A composite value is of
        // variable length (-1) and passed by reference (false); it is copied into the memory that was current when SPI was connected:
        // that of the function that is running.
        Ok(HandedOn(unsafe { pg_sys::SPI_datumTransfer(value, false, -1) }))
    }
}

impl IntoDatum for HandedOn {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(self.0)
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::RECORDOID
    }

    fn is_compatible_with(_other: pg_sys::Oid) -> bool {
        true
    }
}
