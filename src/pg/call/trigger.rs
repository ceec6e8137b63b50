//! The row that a trigger function is called for.

use std::ffi::{CStr, c_char};

use pgrx::{FromDatum, IntoDatum, pg_sys};

use super::statement;
use crate::error::Error;
use crate::pg::rows::relations::Relation;

/// The trigger that called a function.
pub struct Trigger(*mut pg_sys::TriggerData);

/// The answer of a trigger function: the row as it came.
pub struct AsItCame(*mut pg_sys::HeapTupleData);

impl Trigger {
    /// The trigger that the running function was called by.
    pub fn current() -> Result<Self, Error> {
        // SAFETY: the context of a call is null or a node, and this node says what it is.
        statement::context()
            .filter(|node| unsafe { (**node).type_ } == pg_sys::NodeTag::T_TriggerData)
            .map(|node| Self(node.cast()))
            .ok_or(Error::Internal("a trigger function was called by something else"))
    }

    /// The table.
    pub fn table(&self) -> Relation {
        // SAFETY: `current` saw that this is a TriggerData; its `tg_relation` is the table, which Postgres holds open during the call.
        Relation(unsafe { (*(*self.0).tg_relation).rd_id })
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
