//! Answers of one row: values of a named composite type, which PostgREST turns into a JSON object.
//!
//! What must stay true: a plaintext is written into the row last of all ([`plaintext`]).

use std::ffi::CString;

use hftok_core::plaintext::Plaintext;
use pgrx::{IntoDatum, PgTupleDesc, pg_sys};

use super::plaintext;
use crate::error::Error;

/// The complaint when `sql/` and Rust disagree.
const OTHER_FIELD: Error = Error::Internal("a field of a composite type does not fit");

/// A row that is being filled in.
pub struct Composite {
    /// Its type's fields.
    description: PgTupleDesc<'static>,
    /// A value for each, or NULL.
    values: Vec<pg_sys::Datum>,
    /// Whether each is NULL.
    nulls: Vec<bool>,
    /// The place of a text that has room for a plaintext, and the plaintext.
    plaintext: Option<(usize, Plaintext)>,
}

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
        let description = PgTupleDesc::for_composite_type_by_oid(kind).ok_or(NONE)?;
        let count = description.len();
        let (values, nulls) = (vec![pg_sys::Datum::null(); count], vec![true; count]);
        Ok(Self { description, values, nulls, plaintext: None })
    }

    /// The place of a field that takes values of a type.
    fn place<T: IntoDatum>(&self, field: &str) -> Result<usize, Error> {
        let place = self.description.iter().position(|described| described.name() == field);
        place
            .filter(|at| {
                self.description
                    .get(*at)
                    .is_some_and(|described| T::is_compatible_with(described.type_oid().value()))
            })
            .ok_or(OTHER_FIELD)
    }

    /// Fills in a field.
    pub fn set<T: IntoDatum>(mut self, field: &str, value: T) -> Result<Self, Error> {
        let place = self.place::<T>(field)?;
        let datum = value.into_datum();
        let (Some(kept), Some(is_null)) = (self.values.get_mut(place), self.nulls.get_mut(place)) else {
            return Err(OTHER_FIELD);
        };
        *is_null = datum.is_none();
        *kept = datum.unwrap_or(pg_sys::Datum::null());
        Ok(self)
    }

    /// Fills in a field with a plaintext, which is text; it stays NULL when it is none.
    pub fn set_plaintext(mut self, field: &str, value: Plaintext) -> Result<Self, Error> {
        if std::str::from_utf8(value.expose()).is_err() {
            return Ok(self);
        }
        let place = self.place::<&str>(field)?;
        let (Some(kept), Some(is_null)) = (self.values.get_mut(place), self.nulls.get_mut(place)) else {
            return Err(OTHER_FIELD);
        };
        *kept = plaintext::room_for(&value).ok_or(OTHER_FIELD)?;
        *is_null = false;
        self.plaintext = Some((place, value));
        Ok(self)
    }
}

impl IntoDatum for Composite {
    fn into_datum(mut self) -> Option<pg_sys::Datum> {
        let description = self.description.as_ptr();
        // SAFETY: there are as many values and marks as the description has fields, each value of its field's type. The row that is made
        // of them is a block of its own, so that the text in it may be written to: `room_for` made it, and it is neither compressed nor
        // stored elsewhere. `nocachegetattr` only computes where the field, which is not NULL, lies.
        unsafe {
            let row = pg_sys::heap_form_tuple(description, self.values.as_mut_ptr(), self.nulls.as_mut_ptr());
            let datum = pg_sys::heap_copy_tuple_as_datum(row, description);
            if let Some((place, value)) = &self.plaintext {
                let data = datum.cast_mut_ptr::<pg_sys::HeapTupleHeaderData>();
                (*row).t_data = data;
                let field = i32::try_from(place + 1).ok()?;
                plaintext::write(pg_sys::nocachegetattr(row, field, description), value);
            }
            Some(datum)
        }
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::RECORDOID
    }

    fn is_compatible_with(_other: pg_sys::Oid) -> bool {
        true
    }
}
