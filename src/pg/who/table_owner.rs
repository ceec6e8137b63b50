//! Acting as whoever owns an application's table, for statements that read and empty it on an operator's behalf.
//!
//! A table's owner decides what runs when its rows are touched: casts and checks of its types, triggers, policies, rules,
//! partitions. In a restricted operation as that owner, as logical replication and REFRESH MATERIALIZED VIEW do it, such code has
//! no more rights than its author, cannot become anybody else, and reaches no function of ours.
//!
//! What must stay true: the operator may use the columns themselves, and row security hides no row from them; no text of theirs
//! runs as the owner; and nothing of the owner's is left behind to run later.

use std::cell::Cell;
use std::ffi::CString;
use std::marker::PhantomData;

use pgrx::pg_sys;

use super::as_owner::set_pinned;
use super::caller::Caller;
use super::catalog_row::CatalogRow;
use crate::error::Error;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;

/// A relation whose columns a caller may use, and as whom that is done.
#[derive(Debug, Clone, Copy)]
pub struct Admitted {
    /// The role that the rows are read and written as.
    role: pg_sys::Oid,
    /// None: as the caller, who trusts its owner.
    owner: Option<pg_sys::Oid>,
}

impl Admitted {
    /// Checks for a stranger's relation what the caller may do with its columns, because as its owner all is allowed. The
    /// caller's own relations and those of superusers are used as the caller, and Postgres checks.
    pub fn to(caller: &Caller, relation: pg_sys::Oid, reads: &[i16], writes: &[i16]) -> Result<Self, Error> {
        let role = caller.role();
        let Some(owner) = stranger(caller, relation)? else { return Ok(Self { role, owner: None }) };
        let usable = has_usage(caller, relation)
            && may(caller, relation, reads, pg_sys::ACL_SELECT)
            && may(caller, relation, writes, pg_sys::ACL_UPDATE);
        if !usable {
            return Err(Error::NotAllowed(
                "the caller lacks a privilege on the table, its columns or its schema",
            ));
        }
        if hides_rows(caller, relation) {
            return Err(Error::ForeignPolicies);
        }
        Ok(Self { role, owner: Some(owner) })
    }

    /// Admission to a question of hftok's own, whose answer the caller is not told: as the table's owner, whatever the caller may read.
    /// None where the owner is a superuser, as whom nothing is run, and the caller may not read every row; and while the caller has
    /// cursors within the owner's reach.
    pub fn to_ask(caller: &Caller, relation: pg_sys::Oid, reads: &[i16]) -> Result<Option<Self>, Error> {
        let role = caller.role();
        let owner = stranger(caller, relation)?;
        let may_ask = match owner {
            Some(_) => Cursor::all_open()?.iter().all(Cursor::is_out_of_reach),
            None => {
                has_usage(caller, relation)
                    && may(caller, relation, reads, pg_sys::ACL_SELECT)
                    && !hides_rows(caller, relation)
            }
        };
        Ok(may_ask.then_some(Self { role, owner }))
    }

    /// Does what the caller was admitted to.
    pub fn act<T>(&self, caller: &Caller, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        if caller.role() != self.role {
            return Err(Error::Internal("a caller was admitted and another one acts"));
        }
        let Some(owner) = self.owner else { return work() };
        let before = Cursor::all_open()?;
        if !before.iter().all(Cursor::is_out_of_reach) {
            return Err(Error::NotAllowed(
                "close your cursors first: code of the table's owner could read or replace them",
            ));
        }
        let done = {
            let _owner = AsTableOwner::switch(caller, owner);
            work()?
        };
        // A cursor that the owner's code opened would be read later, as the operator.
        if Cursor::all_open()? == before {
            Ok(done)
        } else {
            Err(Error::NotAllowed("code of the table's owner opened, moved or closed a cursor"))
        }
    }
}

/// The owner of a relation, if the owner is neither the caller nor a superuser. The relation is locked, so the owner
/// stays the same.
pub fn stranger(caller: &Caller, relation: pg_sys::Oid) -> Result<Option<pg_sys::Oid>, Error> {
    // SAFETY: any number may be locked; released when the transaction ends. Takes in what others have changed.
    unsafe { pg_sys::LockRelationOid(relation, ACCESS_SHARE) };
    let row = CatalogRow::relation(relation).ok_or(Error::BadInput("there is no such table"))?;
    let owner = row.oid(pg_sys::Anum_pg_class_relowner).ok_or(Error::Internal("a table has no owner"))?;
    // SAFETY: reads the catalog.
    let is_trusted = owner == caller.role() || unsafe { pg_sys::superuser_arg(owner) };
    Ok((!is_trusted).then_some(owner))
}

/// Whether row security may hide rows from the caller. The relation is locked.
pub fn hides_rows(caller: &Caller, relation: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up; the relation exists, and is locked.
    let hidden = unsafe { pg_sys::check_enable_rls(relation, caller.role(), true) };
    u32::try_from(hidden) == Ok(pg_sys::CheckEnableRlsResult::RLS_ENABLED)
}

/// The lock of a SELECT.
const ACCESS_SHARE: i32 = 1;
const _: () = assert!(pg_sys::AccessShareLock == 1);

/// USAGE on the schema: without it the caller could not name the table at all.
fn has_usage(caller: &Caller, relation: pg_sys::Oid) -> bool {
    let schema = CatalogRow::relation(relation).and_then(|row| row.oid(pg_sys::Anum_pg_class_relnamespace));
    let usage = pg_sys::AclMode::from(pg_sys::ACL_USAGE);
    schema.is_some_and(|schema| {
        // SAFETY: look-ups in the catalog; the relation is locked, so that its schema is there.
        #[cfg(feature = "pg15")]
        let answer = unsafe { pg_sys::pg_namespace_aclcheck(schema, caller.role(), usage) };
        // SAFETY: a look-up in pg_namespace by the id of a schema; the relation is locked, so that its schema is there.
        #[cfg(not(feature = "pg15"))]
        let answer =
            unsafe { pg_sys::object_aclcheck(pg_sys::NamespaceRelationId, schema, caller.role(), usage) };
        answer == pg_sys::AclResult::ACLCHECK_OK
    })
}

/// A privilege on the whole table, or on each of these columns.
fn may(caller: &Caller, relation: pg_sys::Oid, columns: &[i16], privilege: u32) -> bool {
    let privilege = pg_sys::AclMode::from(privilege);
    // SAFETY: look-ups in the catalog; the relation is locked, and the columns were read from the catalog just now.
    columns.is_empty()
        || unsafe { pg_sys::pg_class_aclcheck(relation, caller.role(), privilege) }
            == pg_sys::AclResult::ACLCHECK_OK
        || columns.iter().all(|column| {
            // SAFETY: a look-up in the catalog. The relation is locked and has the column, and if not, Postgres reports it.
            let answer =
                unsafe { pg_sys::pg_attribute_aclcheck(relation, *column, caller.role(), privilege) };
            answer == pg_sys::AclResult::ACLCHECK_OK
        })
}

/// A cursor that is open in this session, and how far it was read.
#[derive(PartialEq)]
struct Cursor {
    /// Its name.
    name: String,
    /// The statement that opened it: another cursor of that name has another.
    statement: String,
    /// Valid until something else is run.
    portal: pg_sys::Portal,
    /// Rows that were fetched.
    position: u64,
    /// Whether all rows were.
    is_at_end: bool,
    /// Whether it is used by a loop.
    is_pinned: bool,
    /// Whether its statement is running right now.
    is_running: bool,
}

impl Cursor {
    /// In the order of names, so that two lists can be compared.
    fn all_open() -> Result<Vec<Self>, Error> {
        let mut open = CURSORS.read(&[], |row| Ok((row.next()?, row.next()?)))?;
        open.sort();
        open.into_iter().map(|(name, statement)| Self::find(name, statement)).collect()
    }

    /// A cursor that pg_cursors named.
    fn find(name: String, statement: String) -> Result<Self, Error> {
        const GONE: Error = Error::Internal("a cursor that is open cannot be found");
        let text = CString::new(name.as_str()).map_err(|_| GONE)?;
        // SAFETY: compares a valid C string with the names of portals, and answers null where there is none.
        let portal = unsafe { pg_sys::SPI_cursor_find(text.as_ptr()) };
        // SAFETY: null, or a portal of this session, which lives until it is closed: nothing is run while the reference is used.
        let found = unsafe { portal.as_ref() }.ok_or(GONE)?;
        Ok(Self {
            name,
            statement,
            portal,
            position: found.portalPos,
            is_at_end: found.atEnd,
            is_pinned: found.portalPinned,
            is_running: found.status == pg_sys::PortalStatus::PORTAL_ACTIVE,
        })
    }

    /// SQL and PL/pgSQL can neither close nor replace a cursor of a FOR loop, nor one that is running.
    fn is_out_of_reach(&self) -> bool {
        self.is_pinned || self.is_running
    }
}

/// While this lives, the current user is the owner of a table, in a restricted operation, and what is set is forgotten after it.
struct AsTableOwner<'a> {
    /// The role that comes back on drop.
    user: pg_sys::Oid,
    /// The security context that comes back on drop.
    context: i32,
    /// The level of settings that is undone on drop.
    settings: i32,
    /// Outlives this: who called is known before it is hidden.
    caller: PhantomData<&'a Caller>,
    /// Not to be sent to another thread.
    _local: PhantomData<Cell<()>>,
}

impl<'a> AsTableOwner<'a> {
    /// Becomes the table's owner, in the restricted way of REFRESH MATERIALIZED VIEW.
    fn switch(_caller: &'a Caller, owner: pg_sys::Oid) -> Self {
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        // The caller sees every row, so their owner does too, also where policies are forced on owners.
        let flags = pg_sys::SECURITY_RESTRICTED_OPERATION | pg_sys::SECURITY_NOFORCE_RLS;
        // SAFETY: as Postgres does it for REFRESH MATERIALIZED VIEW: the user and the level of settings are restored on drop, or by
        // (sub)transaction abort should we be jumped over.
        let settings = unsafe {
            pg_sys::GetUserIdAndSecContext(&raw mut user, &raw mut context);
            pg_sys::SetUserIdAndSecContext(owner, context | flags.cast_signed());
            pg_sys::NewGUCNestLevel()
        };
        set_pinned();
        Self { user, context, settings, caller: PhantomData, _local: PhantomData }
    }
}

impl Drop for AsTableOwner<'_> {
    fn drop(&mut self) {
        // While unwinding from a Postgres error the (sub)transaction's abort forgets the settings.
        if !std::thread::panicking() {
            // SAFETY: the level that `switch` opened; false: nothing that code of the owner has set is kept.
            unsafe { pg_sys::AtEOXact_GUC(false, self.settings) };
        }
        // SAFETY: restores what `switch` found.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) };
    }
}

statement! {
    /// Every cursor of the session.
    CURSORS() = "SELECT c.name, c.statement FROM pg_catalog.pg_cursors c";
}
