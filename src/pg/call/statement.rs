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
    // SAFETY: null, or the structure of a call that has not returned: `InCall` takes it away when it does.
    unsafe { fcinfo().as_ref() }.map(|call| call.context).filter(|node| !node.is_null())
}

/// The place for the running function's rows, if it is called where it may return some.
pub(in crate::pg) fn result() -> Option<*mut pg_sys::ReturnSetInfo> {
    // SAFETY: null, or the structure of a call that has not returned: `InCall` takes it away when it does.
    let info = unsafe { fcinfo().as_ref() }.map(|call| call.resultinfo).filter(|node| !node.is_null())?;
    // SAFETY: `resultinfo` is not null, so it is a node of Postgres' that outlives the call, and every node begins with its kind.
    (unsafe { (*info).type_ } == pg_sys::NodeTag::T_ReturnSetInfo).then_some(info.cast())
}

/// The place in a statement that the current call was made from; none where it was called directly.
fn place() -> Option<*mut pg_sys::FmgrInfo> {
    // SAFETY: null, or the structure of a call that has not returned: `InCall` takes it away when it does. Its `flinfo` is null in a
    // direct call from C.
    unsafe { fcinfo().as_ref().map(|call| call.flinfo).filter(|place| !place.is_null()) }
}

/// Counts a call from this place of a statement, if it is one of the first `most`. The number of them costs no memory, as most
/// statements call a function once.
pub fn is_one_of_first(most: usize) -> bool {
    let Some(place) = place() else { return true };
    // SAFETY: the place of the current call, and what `left` read there: a number, or values that `values_at` boxed and that live
    // until the context of the statement is reset. Nothing holds a reference to them beyond the functions of this file.
    unsafe {
        match left(place) {
            Left::Count(count) if count < most => {
                (*place).fn_extra = std::ptr::without_provenance_mut((count + 1) << 1 | 1);
                true
            }
            Left::Values(left) if (*left).count < most => {
                (*left).count += 1;
                true
            }
            Left::Count(_) | Left::Values(_) => false,
        }
    }
}

/// Works on a value that is made at the first call from this place of a statement, and dropped when the statement ends, in
/// whatever way. Dropping it must neither fail nor call Postgres. A place keeps one of each type.
pub fn per_place<T: 'static, R>(make: impl FnOnce() -> T, work: impl FnOnce(&mut T) -> R) -> R {
    let Some(place) = place() else { return work(&mut make()) };
    // Taken out meanwhile: `make` and `work` may ask for others.
    // SAFETY: the `flinfo` of the current call, which is not null, and which Postgres keeps at least until the call returns.
    let mut value = unsafe { take(place) }.unwrap_or_else(|| Box::new(make()));
    let done = work(&mut value);
    // SAFETY: the same call is still running, so its place and the values there are valid. `work` is over: calls that it made in this
    // place have let go of them.
    unsafe { (*values_at(place)).values.push(value) };
    done
}

/// PlaceValues that the calls of a place leave for the next call.
#[derive(Default)]
struct PlaceValues {
    /// Calls that were counted.
    count: usize,
    /// One of each type.
    values: Vec<Box<dyn Any>>,
}

/// What the calls of a place have left there.
enum Left {
    /// A number of calls and nothing else: an odd number in the place of an address.
    Count(usize),
    /// More than that.
    Values(*mut PlaceValues),
}

/// # Safety
/// The place is that of the call which is being made.
unsafe fn left(place: *mut pg_sys::FmgrInfo) -> Left {
    // SAFETY: the caller gives the place of the running call. Postgres leaves its `fn_extra` to the function that is called, and makes
    // it null at first: it is that, a number that `is_one_of_first` left, or the values that `values_at` left, whose address is even.
    let extra = unsafe { (*place).fn_extra };
    let is_count = extra.is_null() || extra.addr() & 1 == 1;
    if is_count { Left::Count(extra.addr() >> 1) } else { Left::Values(extra.cast()) }
}

/// # Safety
/// The place is that of the call which is being made.
unsafe fn take<T: 'static>(place: *mut pg_sys::FmgrInfo) -> Option<Box<T>> {
    // SAFETY: the caller gives the place of the running call, which is all that `left` asks for.
    let Left::Values(left) = (unsafe { left(place) }) else { return None };
    // SAFETY: `values_at` boxed them, and the statement whose end drops them is running. Only functions of this file reach them, and
    // none keeps a reference while it runs anything else.
    let values = unsafe { &mut (*left).values };
    let at = values.iter().position(|value| value.is::<T>())?;
    values.swap_remove(at).downcast().ok()
}

/// The values of a place, none where there were none yet.
///
/// # Safety
/// The place is that of the call which is being made.
unsafe fn values_at(place: *mut pg_sys::FmgrInfo) -> *mut PlaceValues {
    // SAFETY: the caller gives the place of the running call. The callback lies in the context of the place, as does the place itself
    // in most calls: what is left here lives until that context is reset, which is not during a call.
    unsafe {
        let count = match left(place) {
            Left::Values(left) => return left,
            Left::Count(count) => count,
        };
        let context = (*place).fn_mcxt;
        let callback = pg_sys::MemoryContextAlloc(context, size_of::<pg_sys::MemoryContextCallback>())
            .cast::<pg_sys::MemoryContextCallback>();
        let left = Box::into_raw(Box::new(PlaceValues { count, values: Vec::new() }));
        callback.write(pg_sys::MemoryContextCallback {
            func: Some(end),
            arg: left.cast(),
            next: std::ptr::null_mut(),
        });
        pg_sys::MemoryContextRegisterResetCallback(context, callback);
        (*place).fn_extra = left.cast();
        left
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn end(left: *mut std::ffi::c_void) {
    // SAFETY: the values that were boxed in `values_at`; the context calls this once.
    drop(unsafe { Box::from_raw(left.cast::<PlaceValues>()) });
}
