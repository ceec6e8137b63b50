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
        // SAFETY: a trigger has a table, which is open.
        Relation(unsafe { (*(*self.0).tg_relation).rd_id })
    }

    /// A column of the new row that is declared NOT NULL text.
    pub fn text(&self, name: &CStr) -> Option<String> {
        let mut is_null = false;
        // SAFETY: a row trigger has a row of its table, which is looked at and not kept.
        unsafe {
            let relation = (*self.0).tg_relation;
            let column = pg_sys::SPI_fnumber((*relation).rd_att, name.as_ptr().cast::<c_char>());
            let value = pg_sys::SPI_getbinval(self.row(), (*relation).rd_att, column, &raw mut is_null);
            (column > 0).then(|| String::from_datum(value, is_null)).flatten()
        }
    }

    /// The answer of a trigger that changes nothing.
    pub fn as_it_came(&self) -> AsItCame {
        AsItCame(self.row())
    }

    /// The new row; null in a trigger of a statement.
    fn row(&self) -> *mut pg_sys::HeapTupleData {
        // SAFETY: as above; an update has the new row beside the old one.
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
