//! Whether the caller was granted a column of one of our views, or a function.
//!
//! Granted, and not merely able to read it: members of `pg_read_all_data` can read every view, which for a backup role is
//! harmless where a table holds ciphertext, and is not where a view opens it. And ours: a view is recognised by its owner,
//! because anybody may give a view of their own the name of ours.

use std::ffi::{CStr, CString};

use pgrx::{FromDatum, pg_sys};

use super::caller::{Caller, role_id};
use crate::pg::call::statement;

/// Whether `caller` was granted SELECT on the column of a view of hftok_owner: asked once in each place of a statement, as
/// Postgres asks for privileges once in a statement.
pub fn may_select(caller: &Caller, schema: &str, view: &'static str, column: &'static str) -> bool {
    struct Asked {
        role: pg_sys::Oid,
        schema: String,
        column: [&'static str; 2],
        answer: bool,
    }
    let make = || Asked {
        role: caller.role(),
        schema: schema.to_owned(),
        column: [view, column],
        answer: is_granted(caller, schema, view, column),
    };
    statement::kept(make, |asked| {
        if asked.role != caller.role() || asked.schema != schema || asked.column != [view, column] {
            *asked = make();
        }
        asked.answer
    })
}

/// Asks the catalog without SQL, for a column of a view.
fn is_granted(caller: &Caller, schema: &str, view: &str, column: &str) -> bool {
    let [Ok(schema), Ok(view), Ok(column)] = [schema, view, column].map(CString::new) else {
        return false;
    };
    // SAFETY: catalog look-ups with valid C strings; what is not there is answered by an id or number of zero.
    let (view, column) = unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        let view = pg_sys::get_relname_relid(view.as_ptr(), schema);
        (view, pg_sys::get_attnum(view, column.as_ptr()))
    };
    if view == pg_sys::InvalidOid || column <= 0 {
        return false;
    }
    let Some(relation) = CatalogRow::relation(view) else { return false };
    let owner = relation.get::<pg_sys::Oid>(pg_sys::Anum_pg_class_relowner);
    let kind = relation.get::<i8>(pg_sys::Anum_pg_class_relkind);
    let Some(owner) = owner.filter(|owner| Some(*owner) == role_id("hftok_owner")) else { return false };
    if kind != i8::try_from(b'v').ok() {
        return false;
    }
    // SAFETY: reads the catalog.
    if unsafe { pg_sys::superuser_arg(caller.role()) } {
        return true;
    }
    relation.grants(pg_sys::ACL_SELECT, pg_sys::Anum_pg_class_relacl, caller, owner)
        || CatalogRow::attribute(view, column).is_some_and(|row| {
            row.grants(pg_sys::ACL_SELECT, pg_sys::Anum_pg_attribute_attacl, caller, owner)
        })
}

/// Whether `caller` was granted EXECUTE on a function of hftok_owner with arguments of these types.
pub fn may_execute(caller: &Caller, schema: &str, function: &str, types: &[pg_sys::Oid]) -> bool {
    let [Ok(schema), Ok(function)] = [schema, function].map(CString::new) else { return false };
    let Some(row) = CatalogRow::function_named(&schema, &function, types) else { return false };
    let owner = row.get::<pg_sys::Oid>(pg_sys::Anum_pg_proc_proowner);
    let Some(owner) = owner.filter(|owner| Some(*owner) == role_id("hftok_owner")) else { return false };
    // SAFETY: reads the catalog.
    let is_superuser = unsafe { pg_sys::superuser_arg(caller.role()) };
    is_superuser || row.grants(pg_sys::ACL_EXECUTE, pg_sys::Anum_pg_proc_proacl, caller, owner)
}

/// Whether the access list of a function names a role itself: not by a group of its, and not by PUBLIC. As grantee or grantor,
/// and the only grantor is the function's owner.
pub(in crate::pg) fn names(function: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    CatalogRow::function(function).is_some_and(|row| row.members(pg_sys::Anum_pg_proc_proacl).contains(&role))
}

/// A row of a system catalog, held in its cache until it is dropped.
pub(in crate::pg) struct CatalogRow {
    /// The cache that the row is released to.
    cache: i32,
    /// Held until drop.
    tuple: pg_sys::HeapTuple,
}

impl CatalogRow {
    /// A relation's row, by its id.
    pub(in crate::pg) fn relation(id: pg_sys::Oid) -> Option<Self> {
        let cache = i32::try_from(pg_sys::SysCacheIdentifier::RELOID).ok()?;
        // SAFETY: a look-up with the one key that this cache takes.
        Self::held(cache, unsafe { pg_sys::SearchSysCache1(cache, id.into()) })
    }

    /// A column's row.
    fn attribute(relation: pg_sys::Oid, number: pg_sys::AttrNumber) -> Option<Self> {
        let cache = i32::try_from(pg_sys::SysCacheIdentifier::ATTNUM).ok()?;
        // SAFETY: a look-up with the two keys that this cache takes.
        Self::held(cache, unsafe { pg_sys::SearchSysCache2(cache, relation.into(), number.into()) })
    }

    /// A function's row, by its id.
    fn function(id: pg_sys::Oid) -> Option<Self> {
        let cache = i32::try_from(pg_sys::SysCacheIdentifier::PROCOID).ok()?;
        // SAFETY: a look-up with the one key that this cache takes.
        Self::held(cache, unsafe { pg_sys::SearchSysCache1(cache, id.into()) })
    }

    /// A function's row, by its name and the types of its parameters.
    fn function_named(schema: &CStr, name: &CStr, types: &[pg_sys::Oid]) -> Option<Self> {
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

    /// A column, as the type that the catalog gives it.
    pub(in crate::pg) fn get<T: FromDatum>(&self, column: u32) -> Option<T> {
        // SAFETY: the caller names the type that the catalog gives the column.
        self.datum(column).and_then(|datum| unsafe { T::from_datum(datum, false) })
    }

    /// Whether an access list gives a privilege to the caller, directly or by a role that they inherit from.
    fn grants(&self, privilege: u32, column: u32, caller: &Caller, owner: pg_sys::Oid) -> bool {
        let privilege = pg_sys::AclMode::from(privilege);
        // SAFETY: the column holds an access list; detoasting copies it into the current memory context if need be.
        self.datum(column).is_some_and(|list| unsafe {
            let list = pg_sys::pg_detoast_datum(list.cast_mut_ptr()).cast::<pg_sys::Acl>();
            pg_sys::aclmask(list, caller.role(), owner, privilege, pg_sys::AclMaskHow::ACLMASK_ANY) != 0
        })
    }

    /// The roles that an access list names.
    fn members(&self, column: u32) -> Vec<pg_sys::Oid> {
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
