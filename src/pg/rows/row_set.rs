//! Rows on their way to a statement that has a function in its FROM: copied one by one into a store that the statement owns, so
//! that many of them spill to disk as any result does. They hold no value of a secret: that would spill with them.

use std::ffi::CStr;
use std::thread::LocalKey;

use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary as pg_ffi;
use pgrx::{IntoDatum, pg_sys};

use super::sql::{Parameter, Spi, Statement};
use crate::error::Error;
use crate::pg::bare;
use crate::pg::call::statement;

/// What Postgres says where a statement has other columns than its function.
const OTHER_COLUMNS: &CStr = c"a statement of hftok has other columns than its function";

/// Blocks of memory for a row begin with so many bytes.
const FIRST_BLOCK: usize = 8 * 1024;
/// They have no more than this, but for one value that is longer.
const LAST_BLOCK: usize = 8 * 1024 * 1024;

/// The answer of a function whose rows are in the store that the statement was given.
pub struct RowSet(());

impl IntoDatum for RowSet {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        None
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::RECORDOID
    }

    fn is_compatible_with(_other: pg_sys::Oid) -> bool {
        true
    }
}

/// Statements whose rows are handed on.
pub trait HandOn {
    /// Hands on the rows of a statement to the caller of the function that is running. They are those that the caller's own
    /// statement sees, as those of a view are.
    fn hand_on_all(&'static self, parameters: &[Parameter]) -> Result<RowSet, Error>;
}

impl HandOn for LocalKey<Statement> {
    fn hand_on_all(&'static self, parameters: &[Parameter]) -> Result<RowSet, Error> {
        self.with(|statement| hand_on(statement, parameters))
    }
}

/// Runs a statement that only reads, with the snapshot of the statement around it, and hands its rows on.
fn hand_on(statement: &Statement, parameters: &[Parameter]) -> Result<RowSet, Error> {
    let (store, description) = store()?;
    let spi = Spi::connect_for(statement)?;
    // SAFETY: a receiver is made in memory of SPI's, which lives as long as its connection, and is told a store and columns that live
    // longer. Its complaint is constant.
    unsafe {
        let dest = pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestTuplestore);
        let memory = pg_sys::CurrentMemoryContext;
        pg_ffi(|| {
            bare::SetTuplestoreDestReceiverParams(
                dest,
                store,
                memory,
                false,
                description,
                OTHER_COLUMNS.as_ptr(),
            );
        });
        spi.give(statement, parameters, dest)?;
    }
    Ok(RowSet(()))
}

/// A store for the caller's statement, which it owns from here on, and the columns that it expects.
fn store() -> Result<(*mut pg_sys::Tuplestorestate, pg_sys::TupleDesc), Error> {
    let wanted = wanted()?;
    // SAFETY: the caller's set lives until the function returns, and the context of its statement for longer: the store is made
    // there, and its description too.
    unsafe {
        let set = &mut *wanted;
        if set.expectedDesc.is_null() {
            return Err(Error::Internal("nobody knows which columns are wanted"));
        }
        let is_random = set.allowedModes & mode(pg_sys::SetFunctionReturnMode::SFRM_Materialize_Random) != 0;
        let before = pg_sys::MemoryContextSwitchTo((*set.econtext).ecxt_per_query_memory);
        let store = pg_sys::tuplestore_begin_heap(is_random, false, pg_sys::work_mem);
        let description = pg_sys::CreateTupleDescCopy(set.expectedDesc);
        pg_sys::MemoryContextSwitchTo(before);
        set.returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
        set.setResult = store;
        set.setDesc = description;
        Ok((store, description))
    }
}

/// A store for the caller of the function that is running, which is filled row by row.
pub struct Filling<const N: usize> {
    /// The store.
    store: *mut pg_sys::Tuplestorestate,
    /// The columns that the caller's statement expects.
    description: pg_sys::TupleDesc,
}

/// A row's values, some of which are shared by many rows.
#[derive(Clone, Copy)]
pub struct Cells<const N: usize> {
    /// The values.
    values: [pg_sys::Datum; N],
    /// Whether each is NULL.
    nulls: [bool; N],
}

impl<const N: usize> Cells<N> {
    /// A row of these values. What they point to lives as long as the function runs.
    pub fn of(values: [Parameter; N]) -> Self {
        let data = values.map(|value| value.datum());
        Self {
            values: data.map(|datum| datum.unwrap_or(pg_sys::Datum::null())),
            nulls: data.map(|datum| datum.is_none()),
        }
    }
}

impl<const N: usize> Filling<N> {
    /// An empty store for rows of as many columns as the caller's statement expects.
    pub fn begin() -> Result<Self, Error> {
        let (store, description) = store()?;
        // SAFETY: made just now.
        if usize::try_from(unsafe { (*description).natts }) != Ok(N) {
            return Err(Error::Internal("a set of rows has other columns than are wanted"));
        }
        Ok(Self { store, description })
    }

    /// Adds a row. The types of its values are those of the columns, in their order.
    pub fn put(&self, mut row: Cells<N>) {
        // SAFETY: the store and its description live until the caller's statement ends; there are as many values as columns.
        unsafe {
            pg_sys::tuplestore_putvalues(
                self.store,
                self.description,
                row.values.as_mut_ptr(),
                row.nulls.as_mut_ptr(),
            );
        }
    }

    /// Adds a row of values that nobody needs afterwards: they lie in memory that is free again when this returns.
    pub fn put_fresh(&self, make: impl FnOnce() -> [Parameter; N]) {
        // SAFETY: `make` gives values of the columns' types. They lie in a context that is made here, and the store has copies of
        // them when it is deleted. An error of Postgres leaves both to the context around this one, which the failed statement
        // takes with it, and makes another one current.
        unsafe {
            let around = pg_sys::CurrentMemoryContext;
            let own = pg_sys::AllocSetContextCreateInternal(
                around,
                c"hftok row".as_ptr(),
                0,
                FIRST_BLOCK,
                LAST_BLOCK,
            );
            pg_sys::MemoryContextSwitchTo(own);
            self.put(Cells::of(make()));
            pg_sys::MemoryContextSwitchTo(around);
            pg_sys::MemoryContextDelete(own);
        }
    }

    /// The answer of the function.
    pub fn done(self) -> RowSet {
        RowSet(())
    }
}

/// The node in which the running function is to leave its rows.
fn wanted() -> Result<*mut pg_sys::ReturnSetInfo, Error> {
    let takes_all = mode(pg_sys::SetFunctionReturnMode::SFRM_Materialize);
    statement::result()
        // SAFETY: valid until the running function returns.
        .filter(|set| unsafe { (**set).allowedModes } & takes_all != 0)
        .ok_or(Error::Internal("a set of rows is wanted where there is no room for one"))
}

/// A mode as the node has it.
fn mode(mode: pg_sys::SetFunctionReturnMode::Type) -> i32 {
    i32::try_from(mode).unwrap_or_default()
}
