//! Answers of one row: values of a named composite type, which PostgREST turns into a JSON object.

use pgrx::heap_tuple::PgHeapTuple;
use pgrx::{AllocatedByRust, IntoDatum, pg_sys};

use crate::error::Error;

/// A row that is being filled in.
pub struct Composite(PgHeapTuple<'static, AllocatedByRust>);

impl Composite {
    /// An empty row of a composite type, named with its schema.
    pub fn new(type_name: &'static str) -> Result<Self, Error> {
        PgHeapTuple::new_composite_type(type_name)
            .map(Self)
            .map_err(|_| Error::Internal("a composite type of hftok does not exist"))
    }

    /// Fills in a field.
    pub fn set<T: IntoDatum>(mut self, field: &str, value: T) -> Result<Self, Error> {
        self.0
            .set_by_name(field, value)
            .map_err(|_| Error::Internal("a field of a composite type does not fit"))?;
        Ok(self)
    }
}

impl IntoDatum for Composite {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        self.0.into_datum()
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::RECORDOID
    }

    fn is_compatible_with(_other: pg_sys::Oid) -> bool {
        true
    }
}
