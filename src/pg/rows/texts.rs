//! Arrays of text as they lie in a table, whoever wrote them there.

use pgrx::datum::Array;
use pgrx::{FromDatum, pg_sys};

use super::columns::Owned;

/// Texts, with [`NONE`] in the place of each that is NULL: pgrx would unwind, and one row that somebody edited would stop whatever
/// reads all of them.
pub struct Texts(pub Vec<String>);

/// No host and no warning that hftok writes, so a list that holds it is not the one that was sealed, and releases for nothing.
const NONE: &str = "(null)";

impl FromDatum for Texts {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, oid: pg_sys::Oid) -> Option<Self> {
        // SAFETY: the caller keeps to `FromDatum`: unless `is_null` says so, this is a value of type text[], and outlives this function,
        // which copies the texts.
        let texts = unsafe { Array::<&str>::from_polymorphic_datum(datum, is_null, oid) };
        texts.map(|texts| {
            // hftok writes none of nearly this length: not worth a copy.
            if texts.len() > 2000 || texts.iter().flatten().map(str::len).sum::<usize>() > 128 * 1024 {
                return Self(vec![NONE.to_owned()]);
            }
            Self(texts.iter().map(|text| text.unwrap_or(NONE).to_owned()).collect())
        })
    }
}

impl Owned for Texts {
    const KIND: pg_sys::Oid = pg_sys::TEXTARRAYOID;
}
