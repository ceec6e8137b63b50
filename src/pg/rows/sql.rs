//! SQL from Rust: statements whose plan is kept for the session, over SPI.
//!
//! Not pgrx's own SPI layer, for two reasons: it decides by itself when a statement is read-only, and then reads
//! with the transaction's snapshot, so that a REPEATABLE READ transaction would be served a secret that was revoked
//! meanwhile; and it assigns a transaction id where none is needed, which fails on a standby.
//!
//! What must stay true: the text of a statement is a constant, values only ever reach it as parameters, no row
//! outlives the closure it is handed to, and nothing that lies in SPI's memory leaves it: values of a row are
//! [`Owned`](super::columns::Owned), and what is made of them is `Send`, which Postgres' own pointers are not.

use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::thread::LocalKey;

use pgrx::{IntoDatum, pg_sys};

use super::columns::{HandedOn, Row};
use super::snapshot::LatestSnapshot;
use crate::error::Error;
use crate::pg::server::memory;
use crate::pg::who::as_owner::{Pinned, Share};

/// A statement, prepared at its first use. Lives in a `thread_local!`: plans belong to the process. `statement!` declares it.
pub struct Statement {
    /// Its place in the source, for errors.
    name: &'static str,
    /// Constant: nothing of a user's is ever part of a statement.
    text: &'static CStr,
    /// The types of its parameters.
    types: &'static [pg_sys::Oid],
    /// How it is planned.
    planning: Planning,
    /// Null before the first use in this process.
    plan: Cell<pg_sys::SPIPlanPtr>,
}

/// How a statement is planned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Planning {
    /// Once, for whatever values come.
    Once,
    /// For each list of values.
    Anew,
    /// For each list of values, and shared out among parallel workers.
    SharedOut(Share),
}

/// A value for a parameter.
pub struct Parameter {
    /// NULL when absent.
    value: Option<pg_sys::Datum>,
    /// Tells its type, which is asked for only where a statement is prepared.
    kind: fn() -> pg_sys::Oid,
}

impl<T: IntoDatum> From<T> for Parameter {
    fn from(value: T) -> Self {
        Self { value: value.into_datum(), kind: T::type_oid }
    }
}

impl Parameter {
    /// The parameter for a text that Postgres gave.
    pub(in crate::pg) fn of_text(value: Option<pg_sys::Datum>) -> Self {
        Self { value, kind: <&str>::type_oid }
    }

    /// For code beside this file that runs statements of its own.
    pub(in crate::pg) fn datum(&self) -> Option<pg_sys::Datum> {
        self.value
    }
}

impl Statement {
    /// A statement with the types of its parameters.
    pub const fn declared(name: &'static str, text: &'static CStr, types: &'static [pg_sys::Oid]) -> Self {
        Self { name, text, types, planning: Planning::Once, plan: Cell::new(std::ptr::null_mut()) }
    }

    /// The same for one whose best plan hangs on which values are NULL: it is planned anew each time.
    pub const fn planned_anew(
        name: &'static str,
        text: &'static CStr,
        types: &'static [pg_sys::Oid],
    ) -> Self {
        Self { planning: Planning::Anew, ..Self::declared(name, text, types) }
    }

    /// A statement that is planned anew, and that parallel workers may help with: it only reads, is run to its end, and calls nothing that is
    /// not safe there.
    pub const fn shared_out(name: &'static str, text: &'static CStr, types: &'static [pg_sys::Oid]) -> Self {
        Self { planning: Planning::SharedOut(Share::OfAll), ..Self::declared(name, text, types) }
    }

    /// The same, where it reads large tables.
    pub const fn shared_out_if_large(
        name: &'static str,
        text: &'static CStr,
        types: &'static [pg_sys::Oid],
    ) -> Self {
        Self { planning: Planning::SharedOut(Share::OfLargeTables), ..Self::declared(name, text, types) }
    }

    /// The error that names the statement.
    fn trouble(&self, trouble: &'static str) -> Error {
        Error::Statement { name: self.name, trouble }
    }

    /// Prepared once for a process, and kept. Its first parameters must be of the types that it takes: every call of a statement
    /// gives values of the same Rust types.
    fn plan(&self, first: &[Parameter]) -> Result<pg_sys::SPIPlanPtr, Error> {
        if self.plan.get().is_null() {
            if first.iter().zip(self.types).any(|(given, kind)| (given.kind)() != *kind) {
                return Err(self.trouble("given a value of another type than it takes"));
            }
            let count = i32::try_from(self.types.len()).unwrap_or(i32::MAX);
            // SAFETY: text and types are valid for as long as the program runs, SPI is connected (only `run` calls
            // this), and the plan is kept before anything can free it.
            unsafe {
                let types = self.types.as_ptr().cast_mut();
                let plan = pg_sys::SPI_prepare_cursor(self.text.as_ptr(), count, types, self.options());
                if plan.is_null() || pg_sys::SPI_keepplan(plan) != 0 {
                    return Err(self.trouble("could not be prepared"));
                }
                self.plan.set(plan);
            }
        }
        Ok(self.plan.get())
    }

    /// The options of planning, as Postgres has them.
    fn options(&self) -> c_int {
        match self.planning {
            Planning::Once | Planning::Anew => 0,
            Planning::SharedOut(_) => c_int::try_from(pg_sys::CURSOR_OPT_PARALLEL_OK).unwrap_or_default(),
        }
    }

    /// Values and nulls as SPI takes them.
    fn given(&self, parameters: &[Parameter]) -> Result<(Vec<pg_sys::Datum>, Vec<u8>), Error> {
        if parameters.len() != self.types.len() {
            return Err(self.trouble("given another number of parameters than it takes"));
        }
        let values = parameters.iter().map(|given| given.value.unwrap_or(pg_sys::Datum::null())).collect();
        let nulls = parameters.iter().map(|given| if given.value.is_some() { b' ' } else { b'n' }).collect();
        Ok((values, nulls))
    }

    /// The results of `each` must not lie in SPI's memory, unless they were copied out.
    fn read<T>(
        &self,
        parameters: &[Parameter],
        each: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let spi = Spi::connect_for(self)?;
        let _snapshot = LatestSnapshot::push();
        spi.run(self, parameters, true)?;
        spi.rows(self, each)
    }
}

/// The actions on a statement that lives in a `thread_local!`.
pub trait Run {
    /// Reads with the newest snapshot, whatever the transaction's isolation level; writes nothing.
    fn read<T: Send>(
        &'static self,
        parameters: &[Parameter],
        each: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error>;

    /// The same for a statement that gives one row at most.
    fn read_one<T: Send>(
        &'static self,
        parameters: &[Parameter],
        each: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        Ok(self.read(parameters, each)?.pop())
    }

    /// The same for a statement that always gives one row.
    fn read_single<T: Send>(
        &'static self,
        parameters: &[Parameter],
        each: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<T, Error>;

    /// The same for a statement that gives one row of one composite value, on its way to the caller of the function.
    fn hand_on(&'static self, parameters: &[Parameter]) -> Result<HandedOn, Error>;

    /// Runs a statement that writes or locks.
    fn write<T: Send>(
        &'static self,
        parameters: &[Parameter],
        each: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error>;

    /// The same for a statement that gives one row at most.
    fn write_one<T: Send>(
        &'static self,
        parameters: &[Parameter],
        each: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        Ok(self.write(parameters, each)?.pop())
    }

    /// Runs a statement that writes, and says how many rows it wrote.
    fn execute(&'static self, parameters: &[Parameter]) -> Result<u64, Error>;
}

impl Run for LocalKey<Statement> {
    fn read<T: Send>(
        &'static self,
        parameters: &[Parameter],
        each: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.with(|statement| statement.read(parameters, each))
    }

    fn read_single<T: Send>(
        &'static self,
        parameters: &[Parameter],
        each: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let only = self.read_one(parameters, each)?;
        only.ok_or_else(|| self.with(|statement| statement.trouble("gave no row")))
    }

    fn hand_on(&'static self, parameters: &[Parameter]) -> Result<HandedOn, Error> {
        let given = self.with(|statement| statement.read(parameters, |row| row.hand_on()))?.pop();
        given.ok_or_else(|| self.with(|statement| statement.trouble("gave no row")))
    }

    fn write<T: Send>(
        &'static self,
        parameters: &[Parameter],
        each: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.with(|statement| {
            let spi = Spi::connect_for(statement)?;
            spi.run(statement, parameters, false)?;
            spi.rows(statement, each)
        })
    }

    fn execute(&'static self, parameters: &[Parameter]) -> Result<u64, Error> {
        self.with(|statement| Spi::connect_for(statement)?.run(statement, parameters, false))
    }
}

/// Runs constant statements one after the other, each seeing what the one before it made.
pub fn run_script(text: &'static CStr) -> Result<(), Error> {
    let _spi = Spi::connect()?;
    // SAFETY: SPI is connected and the text is valid.
    let code = unsafe { pg_sys::SPI_execute(text.as_ptr(), false, 0) };
    if code < 0 { Err(Error::Internal("a script could not be run")) } else { Ok(()) }
}

/// A connection to SPI, closed when it is dropped. While it lives the names in statements mean what they say, also where
/// the function that is running doesn't pin the search_path itself.
pub(in crate::pg) struct Spi {
    /// Names mean what they mean in pg_catalog while it is connected.
    _pinned: Pinned,
}

impl Spi {
    /// For statements that are planned once.
    pub(in crate::pg) fn connect() -> Result<Self, Error> {
        Self::connected(Pinned::set())
    }

    /// For a statement.
    pub(in crate::pg) fn connect_for(statement: &Statement) -> Result<Self, Error> {
        Self::connected(match statement.planning {
            Planning::Once => Pinned::set(),
            Planning::Anew => Pinned::planning_anew(),
            Planning::SharedOut(share) => Pinned::sharing_out(share),
        })
    }

    /// Connections nest: SQL that we run may call us.
    fn connected(pinned: Pinned) -> Result<Self, Error> {
        // SAFETY: connections nest; this one is closed on drop, or by (sub)transaction abort.
        let code = unsafe { pg_sys::SPI_connect() };
        if code < 0 {
            Err(Error::Internal("SPI could not be connected"))
        } else {
            Ok(Self { _pinned: pinned })
        }
    }

    /// The number of rows that it touched or gave.
    fn run(&self, statement: &Statement, parameters: &[Parameter], read_only: bool) -> Result<u64, Error> {
        let plan = statement.plan(parameters)?;
        let (mut values, nulls) = statement.given(parameters)?;
        // SAFETY: the plan is kept, and the arrays are as long as it has parameters, which was checked.
        let code = unsafe {
            pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), nulls.as_ptr().cast(), read_only, 0)
        };
        if code < 0 {
            return Err(statement.trouble("could not be run"));
        }
        // SAFETY: a variable of this process, set by the call above.
        Ok(unsafe { pg_sys::SPI_processed })
    }

    /// A portal that reads the rows of a statement with the active snapshot.
    pub(in crate::pg) fn open(
        &self,
        statement: &Statement,
        parameters: &[Parameter],
    ) -> Result<pg_sys::Portal, Error> {
        let plan = statement.plan(parameters)?;
        let (mut values, nulls) = statement.given(parameters)?;
        // SAFETY: the plan is kept, and the arrays are as long as it has parameters, which was checked. Postgres copies them,
        // and chooses the portal's name.
        let portal = unsafe {
            pg_sys::SPI_cursor_open(std::ptr::null(), plan, values.as_mut_ptr(), nulls.as_ptr().cast(), true)
        };
        if portal.is_null() { Err(statement.trouble("could not be opened")) } else { Ok(portal) }
    }

    /// Reads with the active snapshot, and gives each row to a receiver.
    ///
    /// # Safety
    /// The receiver takes rows until this returns.
    pub(super) unsafe fn give(
        &self,
        statement: &Statement,
        parameters: &[Parameter],
        dest: *mut pg_sys::DestReceiver,
    ) -> Result<(), Error> {
        let plan = statement.plan(parameters)?;
        let (values, nulls) = statement.given(parameters)?;
        let flags = u16::try_from(pg_sys::PARAM_FLAG_CONST).unwrap_or_default();
        // SAFETY: Postgres makes a list of so many parameters, in memory of SPI's, which is gone when this connection is. The plan is
        // kept, and has as many parameters as were given, which was checked. The options are valid, and those that are null are none.
        let code = unsafe {
            let params = pg_sys::makeParamList(c_int::try_from(values.len()).unwrap_or_default());
            let first = (&raw mut (*params).params).cast::<pg_sys::ParamExternData>();
            for (at, ((value, null), kind)) in values.into_iter().zip(nulls).zip(statement.types).enumerate()
            {
                let isnull = null != b' ';
                first.add(at).write(pg_sys::ParamExternData { value, isnull, pflags: flags, ptype: *kind });
            }
            let options = pg_sys::SPIExecuteOptions {
                params,
                read_only: true,
                must_return_tuples: true,
                dest,
                ..Default::default()
            };
            pg_sys::SPI_execute_plan_extended(plan, &raw const options)
        };
        if code < 0 { Err(statement.trouble("could not be run")) } else { Ok(()) }
    }

    /// Reads the result of the statement that was run just now.
    pub(super) fn rows<T>(
        &self,
        statement: &Statement,
        mut each: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        // SAFETY: the result of the statement just run, or null when it gives no rows. It lives until SPI is
        // disconnected, which `self` prevents; a nested statement would replace the pointer, not the result.
        let (table, count) = unsafe { (pg_sys::SPI_tuptable, pg_sys::SPI_processed) };
        if table.is_null() {
            return Ok(Vec::new());
        }
        let count = usize::try_from(count).unwrap_or_default();
        (0..count)
            .map(|at| {
                // SAFETY: the table has `count` rows.
                let (tuple, description) = unsafe { (*(*table).vals.add(at), (*table).tupdesc) };
                let row = Row::of(statement.name, tuple, description)?;
                let made = each(&row);
                memory::admit()?;
                let made = made?;
                row.admit_reading().map(|()| made)
            })
            .collect()
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
