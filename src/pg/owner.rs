//! Acting as `hftok_owner`, for functions that run with their caller's rights and need hftok's for a moment.

use std::ffi::CStr;
use std::marker::PhantomData;

use pgrx::pg_sys;

use super::caller::{Caller, role_id};
use crate::error::Error;

/// While this lives, names are looked up in pg_catalog only: the caller's search_path would let an operator of theirs run
/// with our rights. Row security is on: it is FORCEd, and off (as pg_dump sets it) would be an error.
pub struct Pinned(i32);

impl Pinned {
    /// Sets both, unless they are set.
    pub fn if_needed() -> Option<Self> {
        // SAFETY: a variable of this process, null or a C string.
        let path = unsafe { pg_sys::namespace_search_path };
        // SAFETY: as above.
        let is_set = !path.is_null() && unsafe { CStr::from_ptr(path) } == SEARCH_PATH;
        (!is_set).then(Self::set)
    }

    fn set() -> Self {
        // SAFETY: the level opened here is closed on drop, or by (sub)transaction abort.
        let level = unsafe { pg_sys::NewGUCNestLevel() };
        set_pinned();
        Self(level)
    }
}

/// Sets both, until the level of settings that the caller has opened is closed.
pub(super) fn set_pinned() {
    for (name, value) in [(c"search_path", SEARCH_PATH), (c"row_security", c"on")] {
        // SAFETY: valid C strings, and a setting that everybody may change.
        unsafe {
            pg_sys::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // While unwinding from a Postgres error the settings are rolled back with the (sub)transaction, which must not be
        // anticipated here.
        if !std::thread::panicking() {
            // SAFETY: opened by `set`; levels opened after it were closed by their own owners.
            unsafe { pg_sys::AtEOXact_GUC(true, self.0) };
        }
    }
}

/// As the functions in `sql/` have it.
const SEARCH_PATH: &CStr = c"pg_catalog, pg_temp";

/// While this lives, the current user is `hftok_owner`, and what [`Pinned`] pins is pinned.
///
/// Made from a [`Caller`], so that nobody can switch before having asked who is calling.
pub struct AsOwner<'a> {
    user: pg_sys::Oid,
    context: i32,
    caller: PhantomData<&'a Caller>,
    // Dropped after the user was restored.
    _pinned: Pinned,
}

impl<'a> AsOwner<'a> {
    /// Switches. The caller stays known through `caller`, and nothing else asks who the current user is.
    pub fn switch(_caller: &'a Caller) -> Result<Self, Error> {
        let owner = role_id("hftok_owner").ok_or(Error::Internal("the role hftok_owner does not exist"))?;
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        let pinned = Pinned::set();
        // SAFETY: the user id is changed as Postgres does it for a SECURITY DEFINER function: the local flag forbids
        // SET ROLE meanwhile, and (sub)transaction abort restores the former user should we be jumped over.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&raw mut user, &raw mut context);
            let local = i32::try_from(pg_sys::SECURITY_LOCAL_USERID_CHANGE).unwrap_or_default();
            pg_sys::SetUserIdAndSecContext(owner, context | local);
        }
        Ok(Self { user, context, caller: PhantomData, _pinned: pinned })
    }
}

impl Drop for AsOwner<'_> {
    fn drop(&mut self) {
        // SAFETY: restores what `switch` found.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) };
    }
}
