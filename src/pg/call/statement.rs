//! The call that is being made, and what it leaves for the calls of the same place in the same statement.

use std::any::Any;
use std::cell::RefCell;

use pgrx::{pg_guard, pg_sys};

use crate::pg::server::transaction::{self, End, Listener};
use crate::pg::who::roles;

thread_local! {
    // The calls that are being made, each by something inside the one before it.
    static CALLS: RefCell<Vec<Call>> = const { RefCell::new(Vec::new()) };
}

/// A call from SQL.
struct Call {
    /// The function as SQL names it.
    name: &'static str,
    /// The call, for answers that Postgres wants in it.
    fcinfo: pg_sys::FunctionCallInfo,
    /// The role whose privilege to call the function was checked.
    caller: pg_sys::Oid,
    /// The user for whom it acts.
    acting: Option<String>,
    /// The depth of the subtransaction that the call was made in.
    depth: i32,
}

/// While this lives, the call is the current one; after it, the one around it is again.
///
/// A Postgres error that jumps over this frame would leave the call behind: the end of the transaction, or of the part of
/// it that failed, takes away what is left.
pub(in crate::pg) struct InCall(usize);

impl InCall {
    /// From here until drop it is the running function.
    pub(in crate::pg) fn enter(name: &'static str, fcinfo: pg_sys::FunctionCallInfo) -> Self {
        transaction::tell(Listener::Calls, forget_failed);
        let (current, depth) = (roles::current(), transaction::depth());
        // A guarded function runs SQL as hftok_owner, and this is called by that SQL: on behalf of whom the guard let in. Asked
        // while nobody has the calls in hand: a process that is ended in a look-up rolls back, and that comes for them.
        let caller = with_current(|around| around.caller)
            .filter(|around| *around != current && roles::owner() == Some(current))
            .unwrap_or(current);
        CALLS.with_borrow_mut(|calls| {
            calls.push(Call { name, fcinfo, caller, acting: None, depth });
            Self(calls.len() - 1)
        })
    }
}

impl Drop for InCall {
    fn drop(&mut self) {
        CALLS.with_borrow_mut(|calls| calls.truncate(self.0));
    }
}

/// Forgets the calls that were made in what failed: all of the transaction, or a part of it.
fn forget_failed(end: End) {
    let depth = match end {
        End::RolledBack => 0,
        End::PartRolledBack(depth) => depth,
        End::Committed | End::Prepared | End::PartKept(_) => return,
    };
    CALLS.with_borrow_mut(|calls| {
        let kept = calls.iter().position(|call| call.depth >= depth).unwrap_or(calls.len());
        calls.truncate(kept);
    });
}

/// The innermost call.
fn with_current<R>(look: impl FnOnce(&mut Call) -> R) -> Option<R> {
    CALLS.with_borrow_mut(|calls| calls.last_mut().map(look))
}

/// The name of the function that is running; empty outside any.
pub fn function() -> &'static str {
    with_current(|call| call.name).unwrap_or_default()
}

/// The role whose privilege to call the running function was checked: the current user at the time of the call. A call
/// that hftok_owner makes inside another call has the caller of that call.
pub(in crate::pg) fn caller() -> pg_sys::Oid {
    with_current(|call| call.caller).unwrap_or_else(roles::current)
}

/// Says for which user the running function acts, once it knows.
pub fn act_for(user: &str) {
    let user = user.to_owned();
    with_current(|call| call.acting = Some(user));
}

/// The user for whom the running function said that it acts.
pub fn acting() -> Option<String> {
    with_current(|call| call.acting.clone()).flatten()
}

/// The arguments and the place of the running call; null outside any.
pub(in crate::pg) fn fcinfo() -> pg_sys::FunctionCallInfo {
    with_current(|call| call.fcinfo).unwrap_or(std::ptr::null_mut())
}

/// The node that describes the caller of the running function, unless an expression called it.
pub(in crate::pg) fn context() -> Option<*mut pg_sys::Node> {
    // SAFETY: the current call's, valid until it returns.
    unsafe { fcinfo().as_ref() }.map(|call| call.context).filter(|node| !node.is_null())
}

/// The place for the running function's rows, if it is called where it may return some.
pub(in crate::pg) fn result() -> Option<*mut pg_sys::ReturnSetInfo> {
    // SAFETY: as above; a node begins with what kind of node it is.
    let info = unsafe { fcinfo().as_ref() }.map(|call| call.resultinfo).filter(|node| !node.is_null())?;
    // SAFETY: as above.
    (unsafe { (*info).type_ } == pg_sys::NodeTag::T_ReturnSetInfo).then_some(info.cast())
}

/// Works on a value that is made at the first call from this place of a statement, and dropped when the statement ends, in
/// whatever way. Dropping it must neither fail nor call Postgres. A place keeps one of each type.
pub fn per_place<T: 'static, R>(make: impl FnOnce() -> T, work: impl FnOnce(&mut T) -> R) -> R {
    // SAFETY: the current call's, valid until it returns; it has no place when it was called directly.
    let place = unsafe { fcinfo().as_ref().map(|call| call.flinfo).filter(|place| !place.is_null()) };
    let Some(place) = place else { return work(&mut make()) };
    // Taken out meanwhile: `make` and `work` may ask for others.
    // SAFETY: the place of the current call.
    let mut value = unsafe { take(place) }.unwrap_or_else(|| Box::new(make()));
    let done = work(&mut value);
    // SAFETY: as above.
    unsafe { (*left_at(place)).push(value) };
    done
}

/// Values that the calls of a place leave for the next call.
type PlaceValues = Vec<Box<dyn Any>>;

/// # Safety
/// The place is that of the call which is being made.
unsafe fn take<T: 'static>(place: *mut pg_sys::FmgrInfo) -> Option<Box<T>> {
    // SAFETY: the caller's; nothing else refers to the list.
    let left = unsafe { &mut *left_at(place) };
    let at = left.iter().position(|value| value.is::<T>())?;
    left.swap_remove(at).downcast().ok()
}

/// # Safety
/// The place is that of the call which is being made.
unsafe fn left_at(place: *mut pg_sys::FmgrInfo) -> *mut PlaceValues {
    // SAFETY: `fn_extra` is ours alone: it is null, or the list that was left there. It lives until the context of the
    // statement is reset, which is not during a call.
    unsafe {
        if (*place).fn_extra.is_null() {
            let context = (*place).fn_mcxt;
            let callback = pg_sys::MemoryContextAlloc(context, size_of::<pg_sys::MemoryContextCallback>())
                .cast::<pg_sys::MemoryContextCallback>();
            let left = Box::into_raw(Box::<PlaceValues>::default());
            callback.write(pg_sys::MemoryContextCallback {
                func: Some(end),
                arg: left.cast(),
                next: std::ptr::null_mut(),
            });
            pg_sys::MemoryContextRegisterResetCallback(context, callback);
            (*place).fn_extra = left.cast();
        }
        (*place).fn_extra.cast()
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn end(left: *mut std::ffi::c_void) {
    // SAFETY: the list that was boxed in `left_at`; the context calls this once.
    drop(unsafe { Box::from_raw(left.cast::<PlaceValues>()) });
}
