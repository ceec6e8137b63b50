//! Reading the rows of a statement a few at a time, so that never all of them are in memory.

use std::thread::LocalKey;

use pgrx::pg_sys;

use super::columns::Row;
use super::snapshot::LatestSnapshot;
use super::sql::{Parameter, Spi, Statement};
use crate::error::Error;

/// The number of rows that are in memory at a time.
const STEP: std::ffi::c_long = 64;

/// Statements whose rows are looked at one after the other.
pub trait Walk {
    /// Shows each row that the statement around the running function sees. Between steps Postgres may cancel.
    fn walk(
        &'static self,
        parameters: &[Parameter],
        each: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error>;

    /// The same for rows as they are now, whatever the transaction's isolation level.
    fn walk_latest(
        &'static self,
        parameters: &[Parameter],
        each: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // The portal keeps the snapshot that it is opened with.
        let _snapshot = LatestSnapshot::push();
        self.walk(parameters, each)
    }
}

impl Walk for LocalKey<Statement> {
    fn walk(
        &'static self,
        parameters: &[Parameter],
        mut each: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.with(|statement| {
            let spi = Spi::connect_for(statement)?;
            let portal = spi.open(statement, parameters)?;
            loop {
                // SAFETY: the portal was opened just now, and is closed below, or by (sub)transaction abort.
                let table = unsafe {
                    pg_sys::SPI_cursor_fetch(portal, true, STEP);
                    pg_sys::SPI_tuptable
                };
                let rows = spi.rows(statement, &mut each)?;
                // SAFETY: the result of the fetch above, which nobody looks at any more.
                unsafe { pg_sys::SPI_freetuptable(table) };
                if rows.is_empty() {
                    break;
                }
            }
            // SAFETY: opened above, and closed once.
            unsafe { pg_sys::SPI_cursor_close(portal) };
            Ok(())
        })
    }
}
