//! The row that a trigger function is called for.

use std::ffi::{CStr, CString, c_char};

use pgrx::{FromDatum, IntoDatum, pg_sys};

use super::statement;
use crate::error::Error;
use crate::pg::rows::relations::Relation;

/// The trigger that called a function.
pub struct Trigger(*mut pg_sys::TriggerData);

/// The change that a trigger fires for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fired {
    /// A row was inserted.
    AfterInsert,
    /// A row was changed.
    AfterUpdate,
    /// A row was deleted.
    AfterDelete,
    /// All rows are about to go.
    BeforeTruncate,
    /// Any other time or way.
    Otherwise,
}

/// One of the two rows of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The row as it was; there is none of an INSERT.
    Before,
    /// The row as it is; there is none of a DELETE.
    After,
}

/// The answer of a trigger function: the row as it came.
pub struct AsItCame(*mut pg_sys::HeapTupleData);

/// The bits of an event that say when.
const TIMING: u32 = pg_sys::TRIGGER_EVENT_TIMINGMASK;
/// The bits of an event that say of what.
const OPERATION: u32 = pg_sys::TRIGGER_EVENT_OPMASK;
/// The bits of a trigger of rows that fires after the change.
const AFTER_ROW: u32 = pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_AFTER;

impl Trigger {
    /// The trigger that the running function was called by.
    pub fn current() -> Result<Self, Error> {
        // SAFETY: the context of a call is null or a node, and this node says what it is.
        statement::context()
            .filter(|node| unsafe { (**node).type_ } == pg_sys::NodeTag::T_TriggerData)
            .map(|node| Self(node.cast()))
            .ok_or(Error::BadInput("a trigger function is called by triggers only"))
    }

    /// The table.
    pub fn table(&self) -> Relation {
        // SAFETY: `current` saw that this is a TriggerData; its `tg_relation` is the table, which Postgres holds open during the call.
        Relation(unsafe { (*(*self.0).tg_relation).rd_id })
    }

    /// The table, which may be anybody's.
    pub fn table_id(&self) -> pg_sys::Oid {
        self.table().0
    }

    /// The change that it fires for.
    pub fn fired(&self) -> Fired {
        // SAFETY: `current` saw that this is a TriggerData, whose `tg_event` is a number.
        let event = unsafe { (*self.0).tg_event };
        let is = |bits| event & (TIMING | OPERATION | pg_sys::TRIGGER_EVENT_ROW) == bits;
        if is(pg_sys::TRIGGER_EVENT_INSERT | AFTER_ROW) {
            Fired::AfterInsert
        } else if is(pg_sys::TRIGGER_EVENT_UPDATE | AFTER_ROW) {
            Fired::AfterUpdate
        } else if is(pg_sys::TRIGGER_EVENT_DELETE | AFTER_ROW) {
            Fired::AfterDelete
        } else if is(pg_sys::TRIGGER_EVENT_TRUNCATE | pg_sys::TRIGGER_EVENT_BEFORE) {
            Fired::BeforeTruncate
        } else {
            Fired::Otherwise
        }
    }

    /// The arguments that it was created with.
    pub fn arguments(&self) -> Vec<String> {
        // SAFETY: `current` saw that this is a TriggerData. Its `tg_trigger` is the trigger, which Postgres keeps during the call, with as
        // many C strings in `tgargs` as `tgnargs` says; that pointer is looked at only where there is one. The texts are copied.
        unsafe {
            let trigger = (*self.0).tg_trigger;
            let count = usize::try_from((*trigger).tgnargs).unwrap_or_default();
            (0..count)
                .map(|at| CStr::from_ptr(*(*trigger).tgargs.add(at)).to_string_lossy().into_owned())
                .collect()
        }
    }

    /// A column of one of the two rows as its type writes it: no code of the table's owner is run for that, as a cast would.
    /// Empty for NULL.
    pub fn written(&self, side: Side, name: &str) -> Result<String, Error> {
        const NO_COLUMN: Error =
            Error::BadInput("the table has no column of the name that the trigger is given");
        let name = CString::new(name).map_err(|_| NO_COLUMN)?;
        // SAFETY: the row, which is not null, is one of the table that Postgres holds open during the call, so that the table's
        // description fits it, and the column is there. What Postgres gives is null or a C string, which is copied.
        unsafe {
            let (row, columns) = (self.row_of(side), (*(*self.0).tg_relation).rd_att);
            let column = pg_sys::SPI_fnumber(columns, name.as_ptr());
            if row.is_null() || column <= 0 {
                return Err(NO_COLUMN);
            }
            let text = pg_sys::SPI_getvalue(row, columns, column);
            if text.is_null() {
                return Ok(String::new());
            }
            let text = CStr::from_ptr(text).to_str().map(str::to_owned);
            text.map_err(|_| Error::BadInput("a text that the trigger reads is not in UTF-8"))
        }
    }

    /// A column of the new row that is declared NOT NULL text; None where a trigger that somebody else made has none.
    pub fn text(&self, name: &CStr) -> Option<String> {
        let mut is_null = false;
        // SAFETY: the row, which is not null, is one of the table that Postgres holds open during the call, so that the table's
        // description fits it. The column is there and a text, and is copied.
        unsafe {
            let (row, columns) = (self.row(), (*(*self.0).tg_relation).rd_att);
            let column = pg_sys::SPI_fnumber(columns, name.as_ptr().cast::<c_char>());
            if row.is_null() || column <= 0 || pg_sys::SPI_gettypeid(columns, column) != pg_sys::TEXTOID {
                return None;
            }
            let value = pg_sys::SPI_getbinval(row, columns, column, &raw mut is_null);
            String::from_datum(value, is_null)
        }
    }

    /// The answer of a trigger that changes nothing.
    pub fn as_it_came(&self) -> AsItCame {
        AsItCame(self.row())
    }

    /// The row of a side; null where there is none, and where there is one row its only one.
    fn row_of(&self, side: Side) -> *mut pg_sys::HeapTupleData {
        match side {
            // SAFETY: `current` saw that this is a TriggerData; `tg_trigtuple` is the former row of an update, the only one of an insert
            // or delete, and null in a trigger of a statement.
            Side::Before => unsafe { (*self.0).tg_trigtuple },
            Side::After => self.row(),
        }
    }

    /// The new row; null in a trigger of a statement.
    fn row(&self) -> *mut pg_sys::HeapTupleData {
        // SAFETY: `current` saw that this is a TriggerData. Postgres gives an update the new row in `tg_newtuple`, and each other trigger
        // null there; `tg_trigtuple` is the row of an insert or delete, and null in a trigger of a statement.
        unsafe {
            let new = (*self.0).tg_newtuple;
            if new.is_null() { (*self.0).tg_trigtuple } else { new }
        }
    }
}

impl IntoDatum for AsItCame {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        // Null is no NULL here: Postgres asks for the pointer.
        Some(pg_sys::Datum::from(self.0))
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::TRIGGEROID
    }
}
