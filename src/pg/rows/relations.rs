//! Signals that relations changed: they tell a session when it has to forget a thing that it remembers.
//!
//! Postgres tells every session, also on a standby, that a relation changed: the session that changes it at once, all
//! others when its transaction commits. A rollback is told as well. [`touch`] has a change told without one, for tables
//! whose *rows* decide what sessions remember. A thing that was remembered before [`generation`] moved must not be used.

use std::cell::{Cell, RefCell};

use pgrx::pg_sys::submodules::ffi::pg_guard_ffi_boundary;
use pgrx::{pg_guard, pg_sys};

use crate::pg::bare;

/// A thing that a session remembers; each depends on relations of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// The place of the table of secrets, and the levels that hold a secret.
    Levels,
    /// Whether the table of secrets is as the install script made it.
    Shape,
    /// The same of the table of masks.
    ShapeOfMasks,
    /// The providers that an operator registered.
    Providers,
    /// The ids of the active data keys.
    ActiveKeys,
    /// The data keys of organisations.
    OrgKeys,
    /// Whether the data keys that are kept unwrapped are still those of the tables.
    KeptKeys,
}

/// The number of matters.
const MATTERS: usize = 7;

thread_local! {
    static GENERATIONS: [Cell<u64>; MATTERS] = const { [const { Cell::new(0) }; MATTERS] };
    static IS_TOLD: Cell<bool> = const { Cell::new(false) };
    static WATCHED: [RefCell<Vec<pg_sys::Oid>>; MATTERS] = const { [const { RefCell::new(Vec::new()) }; MATTERS] };
}

/// A relation of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation(pub(in crate::pg) pg_sys::Oid);

/// Moves when a relation that is watched for this may have changed. Takes in what others have told first.
pub fn generation(matter: Matter) -> u64 {
    // SAFETY: as Postgres does it whenever it locks a relation; calls `on_change`, which only sets numbers.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    if !IS_TOLD.replace(true) {
        // SAFETY: registered once in a process; the function is there as long as the library is, which is never unloaded.
        unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(on_change), pg_sys::Datum::from(0_usize)) };
    }
    generation_told(matter)
}

/// The same, by the changes that this session has taken in already. A session that locked a relation since has taken in
/// all changes of it.
pub fn generation_told(matter: Matter) -> u64 {
    GENERATIONS.with(|generations| generations[matter as usize].get())
}

/// Finds relations of schema hftok_private, and watches them for this; those that had the names before are gone.
pub(super) fn watch(matter: Matter, names: &[&std::ffi::CStr]) -> Option<Vec<Relation>> {
    let found: Vec<Option<Relation>> = names.iter().map(|name| named(name)).collect();
    let watched = found.iter().flatten().map(|relation| relation.0).collect();
    WATCHED.with(|all| all[matter as usize].replace(watched));
    found.into_iter().collect()
}

/// A relation of schema hftok_private.
pub fn named(name: &std::ffi::CStr) -> Option<Relation> {
    // SAFETY: look-ups in the catalog with valid C strings.
    let found = unsafe {
        let schema = pg_sys::get_namespace_oid(c"hftok_private".as_ptr(), true);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    };
    (found != pg_sys::InvalidOid).then_some(Relation(found))
}

/// A function of schema hftok_private without arguments.
pub(in crate::pg) fn function(name: &std::ffi::CStr) -> Option<pg_sys::Oid> {
    let cache = i32::try_from(pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP).ok()?;
    let column = pg_sys::AttrNumber::try_from(pg_sys::Anum_pg_proc_oid).ok()?;
    // SAFETY: look-ups in the catalog with a valid C string, an empty list of types and a schema, the three keys of this cache.
    let found = unsafe {
        let schema = pg_sys::get_namespace_oid(c"hftok_private".as_ptr(), true);
        let arguments = pg_sys::buildoidvector(std::ptr::null(), 0);
        let (name, none) = (pg_sys::Datum::from(name.as_ptr()), pg_sys::Datum::from(0_usize));
        pg_sys::GetSysCacheOid(cache, column, name, pg_sys::Datum::from(arguments), schema.into(), none)
    };
    (found != pg_sys::InvalidOid).then_some(found)
}

/// The numbers of columns, if all of them are there and of these types.
pub fn columns<const N: usize>(
    relation: Relation,
    columns: [(&std::ffi::CStr, pg_sys::Oid); N],
) -> Option<[i16; N]> {
    let mut are_found = true;
    let numbers = columns.map(|(name, kind)| {
        // SAFETY: look-ups in the catalog with a valid C string; 0 for a column that is not there, which is of type 0.
        let (number, found) = unsafe {
            let number = pg_sys::get_attnum(relation.0, name.as_ptr());
            (number, pg_sys::get_atttype(relation.0, number))
        };
        are_found &= number > 0 && found == kind;
        number
    });
    are_found.then_some(numbers)
}

/// Opens a relation and looks at it. Whoever asks may hold no lock yet, so that it may be gone. What looks owns nothing.
pub(super) fn look<R: Copy>(relation: Relation, look: impl Fn(pg_sys::Relation) -> R) -> Option<R> {
    let lock = i32::try_from(pg_sys::AccessShareLock).unwrap_or_default();
    let kept = i32::try_from(pg_sys::NoLock).unwrap_or_default();
    // SAFETY: opens a relation by its id, or answers null when it is gone.
    unsafe {
        pg_guard_ffi_boundary(|| {
            let open = bare::try_relation_open(relation.0, lock);
            if open.is_null() {
                return None;
            }
            let seen = look(open);
            bare::relation_close(open, kept);
            Some(seen)
        })
    }
}

/// The bytes of an index; 0 when it is gone.
pub(super) fn size(index: Relation) -> u64 {
    // SAFETY: what is measured is open.
    let blocks = look(index, |index| unsafe {
        bare::RelationGetNumberOfBlocksInFork(index, pg_sys::ForkNumber::MAIN_FORKNUM)
    });
    u64::from(blocks.unwrap_or(0)) * u64::from(pg_sys::BLCKSZ)
}

/// Locks a relation as SELECT … FOR UPDATE does, until the transaction ends; others may write to it all the same. The session then has
/// taken in all that it was told of it.
pub fn hold(relation: Relation) {
    let lock = pg_sys::LOCKMODE::try_from(pg_sys::RowShareLock).unwrap_or_default();
    // SAFETY: inside a transaction; the relation exists, or the lock is on nothing.
    unsafe { pg_sys::LockRelationOid(relation.0, lock) };
}

/// Has every session told that a relation changed, if and when this transaction is committed.
pub fn touch(relation: Relation) {
    // SAFETY: inside a transaction; the relation exists, or it is an error.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relation.0) };
}

#[pg_guard]
unsafe extern "C-unwind" fn on_change(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    let concerns = |watched: &RefCell<Vec<pg_sys::Oid>>| {
        relation == pg_sys::InvalidOid
            // Not to be borrowed only while it is being filled, which asks the catalog before.
            || watched.try_borrow().map_or(true, |watched| watched.contains(&relation))
    };
    let _ = WATCHED.try_with(|all| {
        GENERATIONS.with(|generations| {
            for (watched, generation) in all.iter().zip(generations) {
                if concerns(watched) {
                    generation.set(generation.get() + 1);
                }
            }
        });
    });
}
