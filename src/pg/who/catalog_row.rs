//! Rows of the system catalogs, and the access lists in them.

use std::ffi::CStr;

use pgrx::{FromDatum, pg_sys};

/// A row of a system catalog, held in its cache until it is dropped.
pub(super) struct CatalogRow {
    /// The cache that the row is released to.
    cache: i32,
    /// Held until drop.
    tuple: pg_sys::HeapTuple,
}

impl CatalogRow {
    /// A relation's row, by its id.
    pub(super) fn relation(id: pg_sys::Oid) -> Option<Self> {
        let cache = i32::try_from(pg_sys::SysCacheIdentifier::RELOID).ok()?;
        // SAFETY: a look-up with the one key that this cache takes.
        Self::held(cache, unsafe { pg_sys::SearchSysCache1(cache, id.into()) })
    }

    /// A column's row.
    pub(super) fn attribute(relation: pg_sys::Oid, number: pg_sys::AttrNumber) -> Option<Self> {
        let cache = i32::try_from(pg_sys::SysCacheIdentifier::ATTNUM).ok()?;
        // SAFETY: a look-up with the two keys that this cache takes.
        Self::held(cache, unsafe { pg_sys::SearchSysCache2(cache, relation.into(), number.into()) })
    }

    /// A function's row, by its id.
    pub(super) fn function(id: pg_sys::Oid) -> Option<Self> {
        let cache = i32::try_from(pg_sys::SysCacheIdentifier::PROCOID).ok()?;
        // SAFETY: a look-up with the one key that this cache takes.
        Self::held(cache, unsafe { pg_sys::SearchSysCache1(cache, id.into()) })
    }

    /// A function's row, by its name and the types of its parameters.
    pub(super) fn function_named(schema: &CStr, name: &CStr, types: &[pg_sys::Oid]) -> Option<Self> {
        let cache = i32::try_from(pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP).ok()?;
        let count = i32::try_from(types.len()).ok()?;
        // SAFETY: look-ups with a valid C string and a list of as many types as are counted, and with the three keys that this
        // cache takes.
        Self::held(cache, unsafe {
            let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
            let types = pg_sys::buildoidvector(types.as_ptr(), count);
            pg_sys::SearchSysCache3(cache, name.as_ptr().into(), types.into(), schema.into())
        })
    }

    /// None for a null pointer, which is no row.
    fn held(cache: i32, tuple: pg_sys::HeapTuple) -> Option<Self> {
        // Not then_some(): a row that is none would be made, and released.
        (!tuple.is_null()).then(|| Self { cache, tuple })
    }

    /// A column; None when it is NULL.
    fn datum(&self, column: u32) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        let column = pg_sys::AttrNumber::try_from(column).ok()?;
        // SAFETY: the row is held, and the column is one of its catalog's.
        let datum = unsafe { pg_sys::SysCacheGetAttr(self.cache, self.tuple, column, &raw mut is_null) };
        (!is_null).then_some(datum)
    }

    /// A column of type oid.
    pub(super) fn oid(&self, column: u32) -> Option<pg_sys::Oid> {
        // SAFETY: an oid is passed by value: the datum is the number, and no memory is read through it.
        self.datum(column).and_then(|datum| unsafe { pg_sys::Oid::from_datum(datum, false) })
    }

    /// A column of type "char".
    pub(super) fn letter(&self, column: u32) -> Option<i8> {
        // SAFETY: a "char" is passed by value: the datum is the number, and no memory is read through it.
        self.datum(column).and_then(|datum| unsafe { i8::from_datum(datum, false) })
    }

    /// Whether an access list gives a privilege to a role, directly or by one that it inherits from.
    pub(super) fn grants(&self, privilege: u32, column: u32, role: pg_sys::Oid, owner: pg_sys::Oid) -> bool {
        let privilege = pg_sys::AclMode::from(privilege);
        // SAFETY: the column holds an access list; detoasting copies it into the current memory context if need be.
        self.datum(column).is_some_and(|list| unsafe {
            let list = pg_sys::pg_detoast_datum(list.cast_mut_ptr()).cast::<pg_sys::Acl>();
            pg_sys::aclmask(list, role, owner, privilege, pg_sys::AclMaskHow::ACLMASK_ANY) != 0
        })
    }

    /// The roles that an access list names.
    pub(super) fn members(&self, column: u32) -> Vec<pg_sys::Oid> {
        let Some(list) = self.datum(column) else { return Vec::new() };
        let mut roles = std::ptr::null_mut();
        // SAFETY: the column holds an access list, detoasted into the current memory context if need be; the answer is as many
        // ids as it says, in memory of that context.
        unsafe {
            let list = pg_sys::pg_detoast_datum(list.cast_mut_ptr()).cast::<pg_sys::Acl>();
            let count = usize::try_from(pg_sys::aclmembers(list, &raw mut roles)).unwrap_or_default();
            if roles.is_null() { Vec::new() } else { std::slice::from_raw_parts(roles, count).to_vec() }
        }
    }
}

impl Drop for CatalogRow {
    fn drop(&mut self) {
        // While unwinding from a Postgres error the abort that follows releases it.
        if !std::thread::panicking() {
            // SAFETY: held since the look-up.
            unsafe { pg_sys::ReleaseSysCache(self.tuple) };
        }
    }
}
