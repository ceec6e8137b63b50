//! The call that is being made, and what it leaves for the calls of the same place in the same statement.

use std::cell::{Cell, RefCell};

use pgrx::{pg_guard, pg_sys};

thread_local! {
    static ACTING: RefCell<Option<String>> = const { RefCell::new(None) };
    static CURRENT: Cell<Call> = const { Cell::new(Call { name: "", fcinfo: std::ptr::null_mut() }) };
}

/// A call from SQL.
#[derive(Clone, Copy)]
struct Call {
    name: &'static str,
    fcinfo: pg_sys::FunctionCallInfo,
}

/// While this lives, the call is the current one; after it, the one around it is again.
pub(super) struct InCall {
    around: Call,
    acting: Option<String>,
}

impl InCall {
    pub(super) fn enter(name: &'static str, fcinfo: pg_sys::FunctionCallInfo) -> Self {
        Self { around: CURRENT.replace(Call { name, fcinfo }), acting: ACTING.take() }
    }
}

impl Drop for InCall {
    fn drop(&mut self) {
        CURRENT.set(self.around);
        ACTING.set(self.acting.take());
    }
}

/// The name of the function that is running; empty outside any.
pub fn function() -> &'static str {
    CURRENT.get().name
}

/// Says for which user the running function acts, once it knows.
pub fn act_for(user: &str) {
    ACTING.set(Some(user.to_owned()));
}

/// The user for whom the running function said that it acts.
pub fn acting() -> Option<String> {
    ACTING.with_borrow(Clone::clone)
}

/// What the running function was called by, if that is more than an expression.
pub(super) fn context() -> Option<*mut pg_sys::Node> {
    // SAFETY: the current call's, valid until it returns.
    unsafe { CURRENT.get().fcinfo.as_ref() }.map(|call| call.context).filter(|node| !node.is_null())
}

/// Works on a value that is made at the first call from this place of a statement, and dropped when the statement ends, in
/// whatever way. Dropping it must neither fail nor call Postgres. One type only for each function.
pub fn kept<T: 'static, R>(make: impl FnOnce() -> T, work: impl FnOnce(&mut T) -> R) -> R {
    let fcinfo = CURRENT.get().fcinfo;
    // SAFETY: the current call's, valid until it returns; it has no place when it was called directly.
    let place = unsafe { fcinfo.as_ref().map(|call| call.flinfo).filter(|place| !place.is_null()) };
    let Some(place) = place else { return work(&mut make()) };
    // SAFETY: `fn_extra` is ours alone: it is null, or what was left there below by the same function, which always keeps
    // this type. It lives until the context of the statement is reset, which is not during a call.
    unsafe {
        if (*place).fn_extra.is_null() {
            let context = (*place).fn_mcxt;
            let callback = pg_sys::MemoryContextAlloc(context, size_of::<pg_sys::MemoryContextCallback>())
                .cast::<pg_sys::MemoryContextCallback>();
            let value = Box::into_raw(Box::new(make()));
            callback.write(pg_sys::MemoryContextCallback {
                func: Some(end::<T>),
                arg: value.cast(),
                next: std::ptr::null_mut(),
            });
            pg_sys::MemoryContextRegisterResetCallback(context, callback);
            (*place).fn_extra = value.cast();
        }
        work(&mut *(*place).fn_extra.cast::<T>())
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn end<T: 'static>(value: *mut std::ffi::c_void) {
    // SAFETY: the value that was boxed in `kept`; the context calls this once.
    drop(unsafe { Box::from_raw(value.cast::<T>()) });
}
