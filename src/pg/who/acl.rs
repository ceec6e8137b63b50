//! Whether the caller was granted a column of one of our views, or a function.
//!
//! Granted, and not merely able to read it: members of `pg_read_all_data` can read every view, which for a backup role is
//! harmless where a table holds ciphertext, and is not where a view opens it or tells who read what. And ours: a view is recognised by its owner,
//! because anybody may give a view of their own the name of ours.

use std::ffi::CString;

use pgrx::pg_sys;

use super::caller::Caller;
use super::catalog_row::CatalogRow;
use super::roles;
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
        answer: is_granted(caller, schema, view, Some(column)),
    };
    statement::per_place(make, |asked| {
        if asked.role != caller.role() || asked.schema != schema || asked.column != [view, column] {
            *asked = make();
        }
        asked.answer
    })
}

/// Whether `caller` was granted SELECT on a view of hftok_owner, or on any of its columns.
pub fn may_select_any(caller: &Caller, schema: &str, view: &str) -> bool {
    is_granted(caller, schema, view, None)
}

/// Asks the catalog without SQL, for a column of a view, or for any of them.
fn is_granted(caller: &Caller, schema: &str, view: &str, column: Option<&str>) -> bool {
    let [Ok(schema), Ok(view), Ok(column)] = [schema, view, column.unwrap_or_default()].map(CString::new)
    else {
        return false;
    };
    // SAFETY: catalog look-ups with valid C strings; what is not there is answered by an id or number of zero.
    let (view, number) = unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        let view = pg_sys::get_relname_relid(view.as_ptr(), schema);
        (view, pg_sys::get_attnum(view, column.as_ptr()))
    };
    let any = column.is_empty();
    if view == pg_sys::InvalidOid || (number <= 0 && !any) {
        return false;
    }
    let columns = if any { 1..=pg_sys::AttrNumber::MAX } else { number..=number };
    let Some(relation) = CatalogRow::relation(view) else { return false };
    let owner = relation.oid(pg_sys::Anum_pg_class_relowner);
    let kind = relation.letter(pg_sys::Anum_pg_class_relkind);
    let Some(owner) = owner.filter(|owner| Some(*owner) == roles::id("hftok_owner")) else { return false };
    if kind != i8::try_from(b'v').ok() {
        return false;
    }
    // SAFETY: reads the catalog.
    if unsafe { pg_sys::superuser_arg(caller.role()) } {
        return true;
    }
    relation.grants(pg_sys::ACL_SELECT, pg_sys::Anum_pg_class_relacl, caller.role(), owner)
        || columns
            .map_while(|number| CatalogRow::attribute(view, number))
            .any(|row| row.grants(pg_sys::ACL_SELECT, pg_sys::Anum_pg_attribute_attacl, caller.role(), owner))
}

/// Whether `caller` was granted EXECUTE on a function of hftok_owner with arguments of these types.
pub fn may_execute(caller: &Caller, schema: &str, function: &str, types: &[pg_sys::Oid]) -> bool {
    let [Ok(schema), Ok(function)] = [schema, function].map(CString::new) else { return false };
    let Some(row) = CatalogRow::function_named(&schema, &function, types) else { return false };
    let owner = row.oid(pg_sys::Anum_pg_proc_proowner);
    let Some(owner) = owner.filter(|owner| Some(*owner) == roles::id("hftok_owner")) else { return false };
    // SAFETY: reads the catalog.
    let is_superuser = unsafe { pg_sys::superuser_arg(caller.role()) };
    is_superuser || row.grants(pg_sys::ACL_EXECUTE, pg_sys::Anum_pg_proc_proacl, caller.role(), owner)
}
