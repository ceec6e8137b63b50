//! Functions whose work is done in SQL, and that must know their caller: the audit names them.
//!
//! A SECURITY DEFINER function cannot know its caller. So such a function is SECURITY INVOKER and in C; it remembers who calls,
//! becomes `hftok_owner`, and calls the function in SQL that has its name with `_as_owner` after it, in schema
//! `hftok_private`, with the same arguments. Everything that one calls is recorded under the name of the caller.

use std::ffi::CStr;

use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary;
use pgrx::{IntoDatum, pg_sys};

use super::statement;
use crate::error::Error;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::{Caller, refuse_in_restricted_operation};

/// The answer of the function in SQL.
pub struct Answer(Option<pg_sys::Datum>);

impl IntoDatum for Answer {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        self.0
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::ANYELEMENTOID
    }

    fn is_compatible_with(_other: pg_sys::Oid) -> bool {
        true
    }
}

/// Calls the function of this name, which ends with a zero byte, in place of the one that is running.
pub fn call(name: &'static str) -> Result<Answer, Error> {
    const NO_NAME: Error = Error::Internal("a guarded function has no name");
    refuse_in_restricted_operation()?;
    let name = CStr::from_bytes_with_nul(name.as_bytes()).map_err(|_| NO_NAME)?;
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    let call = statement::fcinfo();
    // The function in SQL is looked up once in each place of a statement. Data that it leaves there for its next call lie
    // in memory of the place.
    let inner = statement::per_place(
        || Inner(std::ptr::null_mut()),
        |inner| -> Result<_, Error> {
            if inner.0.is_null() {
                // SAFETY: null, or the structure of the running call: `fcinfo` gives no other.
                inner.0 = unsafe { find(call, name)? };
            }
            Ok(inner.0)
        },
    )?;
    let _instead = Instead::of(call, inner)?;
    // SAFETY: the call is a valid one of the function that its place now names, which takes the same arguments. The closure owns
    // nothing that an error would jump over.
    let answer = unsafe {
        pg_guard_ffi_boundary(|| {
            (*call).isnull = false;
            (*inner).fn_addr.map(|function| function(call))
        })
    };
    // SAFETY: the running call, which `Instead::of` found not to be null, and which is not over before this function is.
    let is_null = unsafe { (*call).isnull };
    Ok(Answer(answer.filter(|_| !is_null)))
}

/// A function as Postgres calls it, in memory that lives as long as the place that it is called from.
struct Inner(*mut pg_sys::FmgrInfo);

/// While this lives, a call is made of another function than Postgres named.
struct Instead {
    /// The call that goes on under another name.
    call: pg_sys::FunctionCallInfo,
    /// The function that Postgres had called, which comes back on drop.
    named: *mut pg_sys::FmgrInfo,
}

impl Instead {
    /// From here until drop the call is the other function's.
    fn of(call: pg_sys::FunctionCallInfo, function: *mut pg_sys::FmgrInfo) -> Result<Self, Error> {
        // SAFETY: null, or the structure of the running call, which nothing else refers to while this function runs.
        let call_ref = unsafe { call.as_mut() }.ok_or(NO_PLACE)?;
        Ok(Self { call, named: std::mem::replace(&mut call_ref.flinfo, function) })
    }
}

impl Drop for Instead {
    fn drop(&mut self) {
        // SAFETY: the call is still running: whoever made this returns before it does.
        unsafe { (*self.call).flinfo = self.named };
    }
}

/// Every call by Postgres has a place; a direct call from C would have none.
const NO_PLACE: Error = Error::Internal("a guarded function was called from nowhere");

/// Finds the function in SQL: of this name, with the arguments that the running one has.
///
/// # Safety
/// The call is null, or the running one.
unsafe fn find(call: pg_sys::FunctionCallInfo, name: &CStr) -> Result<*mut pg_sys::FmgrInfo, Error> {
    // SAFETY: the caller gives null or the running call, and Postgres keeps a call's `flinfo`, which may be null, until it returns.
    // Nothing that is called here writes to it.
    let place = unsafe { call.as_ref().and_then(|call| call.flinfo.as_mut()) }.ok_or(NO_PLACE)?;
    let column = |number| pg_sys::AttrNumber::try_from(number).unwrap_or_default();
    let by_id = i32::try_from(pg_sys::SysCacheIdentifier::PROCOID).unwrap_or_default();
    let by_name = i32::try_from(pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP).unwrap_or_default();
    // SAFETY: looks up the function that is being called, whose row in the catalog has the types of its arguments, and one of
    // another name. The row is released after its last use; on an error that is done by abort.
    let found = unsafe {
        let schema = pg_sys::get_namespace_oid(c"hftok_private".as_ptr(), true);
        let row = pg_sys::SearchSysCache1(by_id, place.fn_oid.into());
        if row.is_null() {
            return Err(NO_PLACE);
        }
        let mut is_null = false;
        let types =
            pg_sys::SysCacheGetAttr(by_id, row, column(pg_sys::Anum_pg_proc_proargtypes), &raw mut is_null);
        let id = column(pg_sys::Anum_pg_proc_oid);
        let found = pg_sys::GetSysCacheOid(
            by_name,
            id,
            name.as_ptr().into(),
            types,
            schema.into(),
            pg_sys::Datum::null(),
        );
        pg_sys::ReleaseSysCache(row);
        found
    };
    if found == pg_sys::InvalidOid {
        return Err(Error::Internal("a function in SQL that does the work of another does not exist"));
    }
    // SAFETY: memory of the place, which is filled in before it is used.
    unsafe {
        let inner = pg_sys::MemoryContextAllocZero(place.fn_mcxt, size_of::<pg_sys::FmgrInfo>())
            .cast::<pg_sys::FmgrInfo>();
        pg_sys::fmgr_info_cxt(found, inner, place.fn_mcxt);
        (*inner).fn_expr = place.fn_expr;
        Ok(inner)
    }
}
