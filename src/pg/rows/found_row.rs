//! A row that was found without SQL, and what is read of it.

use std::borrow::Cow;
use std::marker::PhantomData;

use pgrx::{FromDatum, pg_sys, varlena};

use crate::error::Error;

/// A row while it is being looked at, in the page where it lies.
pub struct FoundRow<'a> {
    /// Holds the row, and keeps its page.
    slot: *mut pg_sys::TupleTableSlot,
    /// The row is valid until the scan goes on.
    life: PhantomData<&'a ()>,
}

impl FoundRow<'_> {
    /// The row in a slot.
    ///
    /// # Safety
    /// The slot holds a row, taken apart up to `tts_nvalid`, for as long as this is used.
    pub(super) unsafe fn new(slot: *mut pg_sys::TupleTableSlot) -> Self {
        Self { slot, life: PhantomData }
    }

    /// Read from the slot, without a copy.
    pub(super) fn datum(&self, column: i16) -> Option<pg_sys::Datum> {
        let at = usize::try_from(column - 1).ok()?;
        // SAFETY: the slot holds a row that was taken apart up to `tts_nvalid`.
        unsafe {
            let slot = &*self.slot;
            (column <= slot.tts_nvalid && !*slot.tts_isnull.add(at)).then(|| *slot.tts_values.add(at))
        }
    }

    /// The value of a column, or `None` for NULL. The caller names the type that the column was declared with.
    pub fn get<T: FromDatum>(&self, column: i16) -> Option<T> {
        // SAFETY: it is not NULL, and of the type that the caller names.
        self.datum(column).and_then(|datum| unsafe { T::from_datum(datum, false) })
    }

    /// The same for a column that is declared NOT NULL.
    pub fn must<T: FromDatum>(&self, column: i16) -> Result<T, Error> {
        let Some(value) = self.get(column) else { return Err(MISSING) };
        Ok(value)
    }

    /// The bytes of a text or a bytea, borrowed from the row if possible; the column must be declared NOT NULL.
    pub fn bytes(&self, column: i16) -> Result<Cow<'_, [u8]>, Error> {
        let Some(datum) = self.datum(column) else { return Err(MISSING) };
        // SAFETY: a varlena in the page, which stays pinned as long as this lives. A value that is compressed or lies
        // elsewhere is copied.
        unsafe {
            let value = datum.cast_mut_ptr::<pg_sys::varlena>();
            let is_plain = varlena::varatt_is_4b_u(value)
                || (varlena::varatt_is_1b(value) && !varlena::varatt_is_1b_e(value));
            if is_plain {
                return Ok(Cow::Borrowed(varlena::varlena_to_byte_slice(value)));
            }
            let copy = pg_sys::pg_detoast_datum(value);
            Ok(Cow::Borrowed(varlena::varlena_to_byte_slice(copy)))
        }
    }
}

/// The error for a column that is NULL where none may be.
const MISSING: Error = Error::Internal("a column that is never NULL is NULL");
