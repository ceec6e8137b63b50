//! Acting as `hftok_owner`, for functions that run with their caller's rights and need hftok's for a moment.

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;

use pgrx::pg_sys;

use super::caller::Caller;
use super::roles;
use super::setting::{Lasts, set};
use crate::error::Error;
use crate::pg::bare;
use crate::pg::server::scarcity;

/// While this lives, what the caller may set has no influence on SQL of ours:
/// - Names are looked up in pg_catalog only: the caller's search_path would let an operator of theirs run with our rights.
/// - Row security is on: it is FORCEd, and off (as pg_dump sets it) would be an error.
/// - Texts of statements are read, and names quoted, as they were written: backslashes are no escapes.
/// - Plans are not shown, and hold no values that auto_explain would show: sealed values and fingerprints are for nobody.
pub struct Pinned(Option<i32>);

/// Which statements parallel workers help with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::pg) enum Share {
    /// Those that read tables as large as Postgres shares out anywhere else. Few rows come of them.
    OfLargeTables,
    /// All, however small their tables are: what they call for each row is the work.
    OfAll,
}

/// As the functions in `sql/` have it.
const SEARCH_PATH: &CStr = c"pg_catalog, pg_temp";

impl Pinned {
    /// Sets what is set otherwise.
    pub fn set() -> Self {
        Self::with(c"force_generic_plan", pg_sys::PlanCacheMode::PLAN_CACHE_MODE_FORCE_GENERIC_PLAN)
    }

    /// The same for a statement whose plan is for the values at hand, which auto_explain may show: none of them is a value of ours.
    pub(in crate::pg) fn planning_anew() -> Self {
        Self::with(c"force_custom_plan", pg_sys::PlanCacheMode::PLAN_CACHE_MODE_FORCE_CUSTOM_PLAN)
    }

    /// The same for a statement that parallel workers may help with.
    pub(in crate::pg) fn sharing_out(share: Share) -> Self {
        let mut pinned = Self::planning_anew();
        // SAFETY: the level opened here is closed on drop, or by (sub)transaction abort.
        pinned.0.get_or_insert_with(|| unsafe { pg_sys::NewGUCNestLevel() });
        // Estimates of our functions are too high: of rows that come of a bundle, and of a plan whose work is in functions that are
        // compiled already.
        set(c"parallel_tuple_cost", c"0", Lasts::Level);
        set(c"jit", c"off", Lasts::Level);
        // The audit's writers and whatever else hftok starts need the places: without a writer nobody reads a credential for long.
        if scarcity::is_there() {
            set(c"max_parallel_workers_per_gather", c"0", Lasts::Level);
        }
        if share == Share::OfAll {
            for name in
                [c"parallel_setup_cost", c"min_parallel_table_scan_size", c"min_parallel_index_scan_size"]
            {
                set(name, c"0", Lasts::Level);
            }
        }
        pinned
    }

    /// Sets what is set otherwise, and how plans are chosen.
    fn with(plans: &'static CStr, mode: pg_sys::PlanCacheMode::Type) -> Self {
        // SAFETY: variables of this process; the path is null or a C string, and is looked at before anything is set.
        let wrong = unsafe {
            let path = pg_sys::namespace_search_path;
            [
                (c"search_path", SEARCH_PATH, path.is_null() || CStr::from_ptr(path) != SEARCH_PATH),
                (c"row_security", c"on", !pg_sys::row_security),
                (c"standard_conforming_strings", c"on", !pg_sys::standard_conforming_strings),
                (c"quote_all_identifiers", c"off", pg_sys::quote_all_identifiers),
                (c"debug_print_parse", c"off", pg_sys::Debug_print_parse),
                (c"debug_print_rewritten", c"off", pg_sys::Debug_print_rewritten),
                (c"debug_print_plan", c"off", pg_sys::Debug_print_plan),
                (c"plan_cache_mode", plans, c_int::try_from(mode) != Ok(pg_sys::plan_cache_mode)),
            ]
        };
        let mut level = None;
        for (name, value, _) in wrong.iter().filter(|(_, _, is_wrong)| *is_wrong) {
            // SAFETY: the level opened here is closed on drop, or by (sub)transaction abort.
            level.get_or_insert_with(|| unsafe { pg_sys::NewGUCNestLevel() });
            set(name, value, Lasts::Level);
        }
        Self(level)
    }
}

/// Sets names and row security, until the level of settings that the caller has opened is closed.
pub(in crate::pg) fn set_pinned() {
    set(c"search_path", SEARCH_PATH, Lasts::Level);
    set(c"row_security", c"on", Lasts::Level);
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // While unwinding from a Postgres error the settings are rolled back with the (sub)transaction, which must not be
        // anticipated here.
        if let (Some(level), false) = (self.0, std::thread::panicking()) {
            // SAFETY: opened by `set`; levels opened after it were closed by their own owners.
            unsafe { pg_sys::AtEOXact_GUC(true, level) };
        }
    }
}

/// While this lives, the current user is `hftok_owner`.
///
/// Made from a [`Caller`], so that nobody can switch before having asked who is calling.
pub struct AsOwner<'a> {
    /// The role that comes back on drop.
    user: pg_sys::Oid,
    /// The security context that comes back on drop.
    context: i32,
    /// Outlives this: who called is known before it is hidden.
    caller: PhantomData<&'a Caller>,
    /// Dropped after the user was restored.
    _pinned: Option<Pinned>,
}

impl<'a> AsOwner<'a> {
    /// Switches, and pins what [`Pinned`] pins. The caller stays known to the audit.
    pub fn switch(caller: &'a Caller) -> Result<Self, Error> {
        let pinned = Pinned::set();
        let mut switched = Self::switch_unpinned(caller)?;
        switched._pinned = Some(pinned);
        Ok(switched)
    }

    /// The same for functions that mostly run no SQL: each statement that they run pins for itself.
    pub fn switch_unpinned(_caller: &'a Caller) -> Result<Self, Error> {
        let owner = roles::owner().ok_or(Error::Internal("the role hftok_owner does not exist"))?;
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        // SAFETY: the user id is changed as Postgres does it for a SECURITY DEFINER function: the local flag forbids
        // SET ROLE meanwhile, and (sub)transaction abort restores the former user should we be jumped over.
        unsafe {
            bare::GetUserIdAndSecContext(&raw mut user, &raw mut context);
            let local = i32::try_from(pg_sys::SECURITY_LOCAL_USERID_CHANGE).unwrap_or_default();
            bare::SetUserIdAndSecContext(owner, context | local);
        }
        Ok(Self { user, context, caller: PhantomData, _pinned: None })
    }
}

impl Drop for AsOwner<'_> {
    fn drop(&mut self) {
        // SAFETY: restores what `switch_unpinned` found.
        unsafe { bare::SetUserIdAndSecContext(self.user, self.context) };
    }
}
