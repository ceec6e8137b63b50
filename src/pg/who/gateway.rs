//! Gateways: the logins under which `request.jwt.claims` is believed.
//!
//! Two must agree. The server's configuration lists the login's name, and this database has the login's oid on record. The
//! record is EXECUTE on `hftok_private.gateways()`: an access list holds oids, so a role of the same name that somebody made is
//! another one; only superusers write it, whatever may write to tables; Postgres keeps a role that is in it from being dropped,
//! and tells every session, also on a standby, when it changes.

use std::cell::Cell;
use std::sync::OnceLock;

use pgrx::pg_sys;

use super::catalog_row::CatalogRow;
use super::roles;
use crate::error::Standing;
use crate::pg::rows::relations;

/// The function that knows the configuration's list.
static LISTED: OnceLock<fn() -> Vec<String>> = OnceLock::new();

/// Hands in the configuration's list of logins; from `_PG_init`. Without it nobody is a gateway.
pub fn list_by(listed: fn() -> Vec<String>) {
    // A second call would hand in the same function.
    let _ = LISTED.set(listed);
}

/// The logins that the configuration lists.
pub(super) fn listed() -> Vec<String> {
    LISTED.get().map(|listed| listed()).unwrap_or_default()
}

/// The login, and the state of the server for which its standing is known.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Login {
    /// The session's role.
    session: pg_sys::Oid,
    /// When the configuration was last read: the list of gateways may differ from then on.
    configured: pg_sys::TimestampTz,
    /// The generation of the catalog: its privileges may differ from then on.
    catalog: u64,
}

thread_local! {
    static KNOWN: Cell<Option<(Login, Standing)>> = const { Cell::new(None) };
    // The role that was last found to be one that the login may become.
    static FITTING: Cell<Option<(Login, pg_sys::Oid)>> = const { Cell::new(None) };
}

/// Whether the claims of this session are believed while `role` is the current user.
pub(in crate::pg) fn standing(role: pg_sys::Oid) -> Standing {
    let login = login();
    let standing = known(login).unwrap_or_else(|| {
        let standing = look(login.session);
        KNOWN.set(Some((login, standing)));
        standing
    });
    if standing != Standing::Gateway || FITTING.get() == Some((login, role)) {
        return standing;
    }
    if !may_stand_for(login.session, role) {
        return Standing::ForeignRole;
    }
    FITTING.set(Some((login, role)));
    Standing::Gateway
}

/// The same for the outer user, whom the login has become already, and where the catalog cannot be asked: `None` when it would
/// have to be.
pub(in crate::pg) fn standing_if_known() -> Option<Standing> {
    known(login())
}

/// Everything that an answer is remembered for.
fn login() -> Login {
    let catalog = roles::catalog_generation();
    // SAFETY: reads variables of this process.
    let (session, configured) = unsafe { (pg_sys::GetSessionUserId(), pg_sys::PgReloadTime) };
    Login { session, configured, catalog }
}

/// An answer that is still good.
fn known(login: Login) -> Option<Standing> {
    KNOWN.get().filter(|(known, _)| *known == login).map(|(_, standing)| standing)
}

/// Asks the setting and the catalog, which have to agree.
fn look(session: pg_sys::Oid) -> Standing {
    let is_listed = roles::shown_name(session).is_some_and(|login| listed().contains(&login));
    match is_listed {
        false => Standing::NotListed,
        true if is_recorded(session) => Standing::Gateway,
        true => Standing::NotRecorded,
    }
}

/// PostgREST switches to a role that its login may become. Functions of hftok_owner are ours; and a superuser, whose functions
/// may run as well, needs no claims to be anybody.
fn may_stand_for(session: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    // SAFETY: looks up a role in the catalog.
    roles::can_become(session, role)
        || roles::id("hftok_owner") == Some(role)
        || unsafe { pg_sys::superuser_arg(role) }
}

/// Whether this database names it a gateway as well.
fn is_recorded(login: pg_sys::Oid) -> bool {
    relations::function(c"gateways").is_some_and(|function| names(function, login))
}

/// Whether the access list of a function names a role itself: not by a group of its, and not by PUBLIC. As grantee or grantor,
/// and the only grantor is the function's owner.
fn names(function: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    CatalogRow::function(function).is_some_and(|row| row.members(pg_sys::Anum_pg_proc_proacl).contains(&role))
}

/// The logins that are gateways of this database.
pub fn all() -> Vec<String> {
    let is_gateway = |name: &String| roles::id(name).is_some_and(is_recorded);
    listed().into_iter().filter(is_gateway).collect()
}
