//! Answers of one row: values of a named composite type, which PostgREST turns into a JSON object.

use std::ffi::CString;

use pgrx::heap_tuple::PgHeapTuple;
use pgrx::{AllocatedByRust, IntoDatum, pg_sys};

use crate::error::Error;

/// A row that is being filled in.
pub struct Composite(PgHeapTuple<'static, AllocatedByRust>);

impl Composite {
    /// An empty row of a composite type, named with its schema.
    pub fn new(type_name: &'static str) -> Result<Self, Error> {
        const NONE: Error = Error::Internal("a composite type of hftok does not exist");
        let (schema, name) = type_name.split_once('.').ok_or(NONE)?;
        let [Ok(schema), Ok(name)] = [schema, name].map(CString::new) else { return Err(NONE) };
        // By the catalog's caches: Postgres would parse the text as a type's name.
        // SAFETY: look-ups with valid C strings; what is not there is answered by an id of zero, under which nothing is found.
        let kind = unsafe {
            let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
            pg_sys::get_rel_type_id(pg_sys::get_relname_relid(name.as_ptr(), schema))
        };
        if kind == pg_sys::InvalidOid {
            return Err(NONE);
        }
        PgHeapTuple::new_composite_type_by_oid(kind).map(Self).map_err(|_| NONE)
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
