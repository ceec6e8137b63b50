//! Rows on their way to a statement that has a function in its FROM: copied into a store that the statement owns, a few at a
//! time, so that many of them spill to disk as any result does. They hold no value of a secret: that would spill with them.

use std::thread::LocalKey;

use pgrx::{IntoDatum, pg_sys};

use super::sql::{Parameter, Spi, Statement};
use crate::error::Error;
use crate::pg::call::statement;

/// The number of rows that are in memory at a time.
const STEP: std::ffi::c_long = 1000;

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
    let wanted = wanted()?;
    let spi = Spi::connect()?;
    let portal = spi.open(statement, parameters)?;
    // SAFETY: the caller's set lives until the function returns, and the context of its statement for longer. Memory that
    // the statement is to own is allocated there. The portal was opened just now and is closed below, or by
    // (sub)transaction abort. A batch is freed before the next one is fetched; the store has copies of its rows.
    unsafe {
        let set = &mut *wanted;
        let statement_memory = (*set.econtext).ecxt_per_query_memory;
        let is_random = set.allowedModes & mode(pg_sys::SetFunctionReturnMode::SFRM_Materialize_Random) != 0;
        let before = pg_sys::MemoryContextSwitchTo(statement_memory);
        let store = pg_sys::tuplestore_begin_heap(is_random, false, pg_sys::work_mem);
        let description = pg_sys::CreateTupleDescCopy((*portal).tupDesc);
        pg_sys::MemoryContextSwitchTo(before);
        loop {
            pg_sys::SPI_cursor_fetch(portal, true, STEP);
            let (table, count) = (pg_sys::SPI_tuptable, pg_sys::SPI_processed);
            for at in 0..usize::try_from(count).unwrap_or_default() {
                pg_sys::tuplestore_puttuple(store, *(*table).vals.add(at));
            }
            pg_sys::SPI_freetuptable(table);
            if count == 0 {
                break;
            }
        }
        pg_sys::SPI_cursor_close(portal);
        set.returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
        set.setResult = store;
        set.setDesc = description;
    }
    Ok(RowSet(()))
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
