//! Statements over an application's tables: their text is made by `hftok_private.import_statements()`, of names that the catalog
//! has. They run as [`Admitted`] says; what an operator wrote runs as the operator, over values whose types are Postgres' own.
//!
//! What must stay true: values on their way are Postgres' data, which Rust neither looks at nor keeps.

use std::ffi::{CStr, CString};
use std::marker::PhantomData;

use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary as pg_ffi;
use pgrx::{FromDatum, IntoDatum, pg_sys};

use super::snapshot::LatestSnapshot;
use super::sql::Parameter;
use crate::error::Error;
use crate::pg::bare;
use crate::pg::call::statement;
use crate::pg::server::memory;
use crate::pg::who::caller::Caller;
use crate::pg::who::table_owner::Admitted;

/// The number of columns before those that the operator's expression is over.
const FIXED: usize = 5;
/// The place of the value among the fixed columns.
const VALUE: usize = 1;

/// The way to read a row: the columns hold the value, provider, owner and model.
pub struct Reading {
    /// The row, as the owner. Has the value already, unless an operator's expression over a stranger's row gives it.
    pub row: String,
    /// The operator's expression, over the columns after the first five.
    pub opening: Option<String>,
    /// Their types.
    pub types: Vec<pg_sys::Oid>,
}

/// Reads one row, if it is there. Without a key only looks whether it could.
pub fn read_row(
    caller: &Caller,
    admitted: &Admitted,
    reading: &Reading,
    key: Option<&str>,
) -> Result<Option<[Parameter; FIXED]>, Error> {
    let spi = Spi::connect()?;
    // A value that a row keeps elsewhere stays there until both statements are done.
    let _snapshot = LatestSnapshot::push();
    let key = [Given::text(key)];
    let row = admitted
        .act(caller, || spi.run(&text_of(&reading.row)?, &key)?.first(FIXED + reading.types.len()))?;
    let opening = reading.opening.as_deref().map(text_of).transpose()?;
    let Some(mut row) = row else {
        if let Some(opening) = opening {
            spi.look_at(&opening, &reading.types)?;
        }
        return Ok(None);
    };
    if let Some(opening) = opening {
        let columns = row.split_off(FIXED).into_iter().zip(&reading.types);
        let given: Vec<_> = columns.map(|(value, kind)| Given { kind: *kind, value }).collect();
        let opened = spi.run(&opening, &given)?.first(1)?;
        if let (Some(value), Some(opened)) = (row.get_mut(VALUE), opened) {
            *value = opened.into_iter().next().flatten();
        }
    }
    let kept = <[Option<pg_sys::Datum>; FIXED]>::try_from(row);
    kept.map(|row| Some(row.map(keep_text)))
        .map_err(|_| Error::Internal("a row has other columns than it was asked for"))
}

/// Reads rows into the result of the function that is running, whose columns they have.
pub fn read_rows(caller: &Caller, admitted: &Admitted, text: &str) -> Result<(), Error> {
    let result = RowsToGive::of_running_function()?;
    let spi = Spi::connect()?;
    admitted.act(caller, || spi.run_into(&text_of(text)?, &result))
}

/// Reads rows whose columns are texts that are not NULL. For names, and not for values: they are copied.
pub fn read_texts<const COLUMNS: usize>(
    caller: &Caller,
    admitted: &Admitted,
    text: &str,
    given: &[&str],
) -> Result<Vec<[String; COLUMNS]>, Error> {
    let spi = Spi::connect()?;
    // What others have committed by now counts as well, whatever the transaction sees.
    let _snapshot = LatestSnapshot::push();
    let given: Vec<_> = given.iter().map(|text| Given::text(Some(text))).collect();
    admitted.act(caller, || spi.run_with(&text_of(text)?, &given, Sees::ActiveSnapshot)?.texts())
}

/// The same once the statement that fired a trigger has changed its rows.
pub fn read_texts_after<const COLUMNS: usize>(
    caller: &Caller,
    admitted: &Admitted,
    text: &str,
    given: &[&str],
) -> Result<Vec<[String; COLUMNS]>, Error> {
    // SAFETY: inside a transaction, and the function that runs is declared VOLATILE, so that it is no worker of a parallel statement.
    unsafe { pg_sys::CommandCounterIncrement() };
    read_texts(caller, admitted, text, given)
}

/// Changes one row, if it is there and holds what it was seen to.
pub fn change_row(
    caller: &Caller,
    admitted: &Admitted,
    text: &str,
    key: Option<&str>,
    held: Parameter,
) -> Result<bool, Error> {
    let spi = Spi::connect()?;
    let given = [Given::text(key), Given { kind: pg_sys::TEXTOID, value: held.datum() }];
    admitted.act(caller, || Ok(spi.run(&text_of(text)?, &given)?.count > 0))
}

/// Postgres' texts end with a zero byte, so that one within would hide the rest.
fn text_of(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::BadInput("a text has a zero byte"))
}

/// A value of a text column, out of SPI's memory.
fn keep_text(value: Option<pg_sys::Datum>) -> Parameter {
    // SAFETY: a text that SPI gave; the copy lies in the memory that was current when SPI was connected.
    Parameter::of_text(value.map(|value| unsafe { pg_sys::SPI_datumTransfer(value, false, -1) }))
}

/// A value for a parameter of a type that is known when the statement runs.
struct Given {
    /// Its type.
    kind: pg_sys::Oid,
    /// NULL when absent.
    value: Option<pg_sys::Datum>,
}

impl Given {
    /// A parameter of type text.
    fn text(value: Option<&str>) -> Self {
        Self { kind: pg_sys::TEXTOID, value: value.and_then(IntoDatum::into_datum) }
    }
}

/// A connection to SPI where names mean what they mean to whoever runs the statement. Closed when it is dropped.
struct Spi(());

/// The snapshot that a statement is run with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sees {
    /// One that Postgres takes for it, as for any statement of its transaction.
    OwnSnapshot,
    /// The active one. Such a statement may not write.
    ActiveSnapshot,
}

/// The result of a statement. It lies in SPI's memory, which the connection keeps.
struct Gave<'a> {
    /// SPI's result.
    table: *mut pg_sys::SPITupleTable,
    /// Its rows.
    count: u64,
    /// The result is gone when SPI is disconnected.
    _life: PhantomData<&'a Spi>,
}

impl Spi {
    /// Without a pinned path, unlike [`super::sql`]: names are the caller's here.
    fn connect() -> Result<Self, Error> {
        // SAFETY: connections nest; this one is closed on drop, or by (sub)transaction abort.
        let code = unsafe { pg_sys::SPI_connect() };
        if code < 0 { Err(Error::Internal("SPI could not be connected")) } else { Ok(Self(())) }
    }

    /// Runs a statement that was made from a caller's names, quoted.
    fn run(&self, text: &CStr, given: &[Given]) -> Result<Gave<'_>, Error> {
        self.run_with(text, given, Sees::OwnSnapshot)
    }

    /// The same, where it is said what the statement sees.
    fn run_with(&self, text: &CStr, given: &[Given], sees: Sees) -> Result<Gave<'_>, Error> {
        let mut types: Vec<_> = given.iter().map(|it| it.kind).collect();
        let mut values: Vec<_> = given.iter().map(|it| it.value.unwrap_or(pg_sys::Datum::null())).collect();
        let nulls: Vec<_> = given.iter().map(|it| if it.value.is_some() { b' ' } else { b'n' }).collect();
        let count = length(given.len())?;
        // SAFETY: SPI is connected, and the arrays have one element a parameter, of the type that is said.
        let code = unsafe {
            pg_sys::SPI_execute_with_args(
                text.as_ptr(),
                count,
                types.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_ptr().cast(),
                sees == Sees::ActiveSnapshot,
                0,
            )
        };
        if code < 0 {
            return Err(Error::Internal("a statement could not be run"));
        }
        // SAFETY: variables of this process, set by the call above.
        let (table, count) = unsafe { (pg_sys::SPI_tuptable, pg_sys::SPI_processed) };
        Ok(Gave { table, count, _life: PhantomData })
    }

    /// Looks whether a statement could be run.
    fn look_at(&self, text: &CStr, types: &[pg_sys::Oid]) -> Result<(), Error> {
        let count = length(types.len())?;
        // SAFETY: SPI is connected, frees the plan, and does not write to the types.
        let plan = unsafe { pg_sys::SPI_prepare(text.as_ptr(), count, types.as_ptr().cast_mut()) };
        if plan.is_null() { Err(Error::Internal("a statement could not be prepared")) } else { Ok(()) }
    }

    /// Writes the result into a store instead of into memory.
    fn run_into(&self, text: &CStr, result: &RowsToGive) -> Result<(), Error> {
        // SAFETY: a destination is made in the current memory, and told a store that outlives it. None of this fails but for
        // want of memory.
        let options = unsafe {
            let dest = pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestTuplestore);
            pg_ffi(|| {
                bare::SetTuplestoreDestReceiverParams(
                    dest,
                    result.store,
                    result.memory,
                    true,
                    std::ptr::null_mut(),
                    std::ptr::null(),
                );
            });
            pg_sys::SPIExecuteOptions { must_return_tuples: true, dest, ..Default::default() }
        };
        // SAFETY: SPI is connected; the options are valid, and those that are null are none.
        let code = unsafe { pg_sys::SPI_execute_extended(text.as_ptr(), &raw const options) };
        if code < 0 { Err(Error::Internal("a statement could not be run")) } else { Ok(()) }
    }
}

impl Drop for Spi {
    fn drop(&mut self) {
        // While unwinding from a Postgres error the abort that follows cleans up, in its own order.
        if !std::thread::panicking() {
            // SAFETY: connected by `connect`.
            unsafe { pg_sys::SPI_finish() };
        }
    }
}

impl Gave<'_> {
    /// The first row, of so many columns.
    fn first(&self, columns: usize) -> Result<Option<Vec<Option<pg_sys::Datum>>>, Error> {
        self.row(0, columns)
    }

    /// All rows, of so many texts.
    fn texts<const COLUMNS: usize>(&self) -> Result<Vec<[String; COLUMNS]>, Error> {
        let mut all = Vec::new();
        let count =
            usize::try_from(self.count).map_err(|_| Error::Internal("a statement gave too many rows"))?;
        for at in 0..count {
            let row = self.row(at, COLUMNS)?.ok_or(Error::Internal("a row is not there"))?;
            let text = |value: Option<pg_sys::Datum>| {
                // SAFETY: the statements that this is for make texts of all columns; a text is copied.
                value.and_then(|value| unsafe { String::from_datum(value, false) })
            };
            let row: Option<Vec<String>> = row.into_iter().map(text).collect();
            let row = row.and_then(|row| row.try_into().ok());
            all.push(row.ok_or(Error::Internal("a text of a row is not there"))?);
            memory::admit()?;
        }
        Ok(all)
    }

    /// The row at a place, counted from 0, of so many columns.
    fn row(&self, at: usize, columns: usize) -> Result<Option<Vec<Option<pg_sys::Datum>>>, Error> {
        if self.table.is_null() || u64::try_from(at).is_ok_and(|at| at >= self.count) {
            return Ok(None);
        }
        // SAFETY: SPI's table is not null and has more rows than `at`; both live until SPI is disconnected, which this value cannot
        // outlive.
        let (tuple, description) = unsafe { (*(*self.table).vals.add(at), (*self.table).tupdesc) };
        // SAFETY: SPI gives each table a description of its rows, which lives as long as the table.
        if unsafe { (*description).natts } != length(columns)? {
            return Err(Error::Internal("a statement gave other columns than it was made for"));
        }
        let value = |column| {
            let mut is_null = false;
            // SAFETY: row and description are of one result, which is still there, and it has as many columns as are asked for.
            let value = unsafe { pg_sys::SPI_getbinval(tuple, description, column, &raw mut is_null) };
            (!is_null).then_some(value)
        };
        Ok(Some((1..=length(columns)?).map(value).collect()))
    }
}

/// Postgres counts with 32 bits and a sign.
fn length(count: usize) -> Result<i32, Error> {
    i32::try_from(count).map_err(|_| Error::Internal("a statement has too many columns"))
}

/// The place for the running function's rows. It spills to disk like any result, so only keys and names may go there.
struct RowsToGive {
    /// Filled by a statement, read by Postgres after the call.
    store: *mut pg_sys::Tuplestorestate,
    /// The memory that outlives the call.
    memory: pg_sys::MemoryContext,
}

impl RowsToGive {
    /// Refuses a caller that wants rows one by one.
    fn of_running_function() -> Result<Self, Error> {
        let info =
            statement::result().ok_or(Error::Internal("the function is called where it cannot give rows"))?;
        // SAFETY: Postgres' own structure for the call that is being made; what is made here lives as long as the query.
        unsafe {
            if (*info).allowedModes & MATERIALIZED == 0 || (*info).expectedDesc.is_null() {
                return Err(Error::Internal("the function is called where it cannot give rows"));
            }
            let memory = (*(*info).econtext).ecxt_per_query_memory;
            let before = pg_sys::MemoryContextSwitchTo(memory);
            let store = pg_sys::tuplestore_begin_heap(true, false, pg_sys::work_mem);
            (*info).setDesc = pg_sys::CreateTupleDescCopy((*info).expectedDesc);
            pg_sys::MemoryContextSwitchTo(before);
            (*info).returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
            (*info).setResult = store;
            Ok(Self { store, memory })
        }
    }
}

/// Postgres' flag, as the type of the field that holds it.
const MATERIALIZED: i32 = pg_sys::SetFunctionReturnMode::SFRM_Materialize.cast_signed();
