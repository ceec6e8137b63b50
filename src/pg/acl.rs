//! Whether the caller may read a column of one of our views.

use std::ffi::CString;

use pgrx::pg_sys;

use super::caller::Caller;

/// Whether `caller` has SELECT on a column of a view, by the column or by the whole view.
pub fn may_select(caller: &Caller, schema: &str, view: &str, column: &str) -> bool {
    let [Ok(schema), Ok(view), Ok(column)] = [schema, view, column].map(CString::new) else {
        return false;
    };
    // SAFETY: catalog look-ups with valid C strings; what is not there is answered by an id or number of zero.
    unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        let view = pg_sys::get_relname_relid(view.as_ptr(), schema);
        let column = pg_sys::get_attnum(view, column.as_ptr());
        if view == pg_sys::InvalidOid || column <= 0 {
            return false;
        }
        let select = pg_sys::AclMode::from(pg_sys::ACL_SELECT);
        let ok = pg_sys::AclResult::ACLCHECK_OK;
        pg_sys::pg_class_aclcheck(view, caller.role(), select) == ok
            || pg_sys::pg_attribute_aclcheck(view, column, caller.role(), select) == ok
    }
}
