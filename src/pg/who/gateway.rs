//! Gateways: the logins under which `request.jwt.claims` is believed.
//!
//! Two must agree. The server's configuration lists the login's name, and this database has the login's oid on record. The
//! record is EXECUTE on `hftok_private.gateways()`: an access list holds oids, so a role of the same name that somebody made is
//! another one; only superusers write it, whatever may write to tables; Postgres keeps a role that is in it from being dropped,
//! and tells every session, also on a standby, when it changes.

use std::cell::Cell;

use pgrx::pg_sys;

use super::caller::{can_become, role_id, role_name};
use super::{acl, roles};
use crate::pg::rows::relations;
use crate::settings;

/// Whether the claims of a session are believed, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They are.
    Gateway,
    /// The configuration does not list the login.
    NotListed,
    /// This database does not have it on record.
    NotRecorded,
    /// The current user is nobody whom the login may become: a SECURITY DEFINER function of somebody else is running.
    ForeignRole,
}

impl Standing {
    /// What is wrong, and what is to be done.
    pub fn words(self) -> (&'static str, &'static str) {
        let no_gateway = "request.jwt.claims is set, but this login is no gateway";
        match self {
            Self::ForeignRole => (
                "request.jwt.claims is set, but not for this role",
                "A SECURITY DEFINER function of somebody else has no claims: make it SECURITY INVOKER, or name the user.",
            ),
            Self::NotRecorded | Self::Gateway => (
                no_gateway,
                "A superuser calls hftok.enable_rpc(), with its name as p_login_role. A role that was made anew is another one.",
            ),
            Self::NotListed => (
                no_gateway,
                "Claims are believed only under a login that cannot run free SQL, as PostgREST's. A test in SQL that sets role and \
                 claims begins with SET SESSION AUTHORIZATION to that login; elsewhere leave them unset.",
            ),
        }
    }

    /// Of which roles that is said.
    pub fn detail(self, login: &str, role: &str) -> String {
        match self {
            Self::ForeignRole => {
                format!("The current user \"{role}\" is nobody whom login role \"{login}\" may become.")
            }
            Self::NotRecorded | Self::Gateway => {
                format!(
                    "Login role \"{login}\" is listed in hftok.gateways, and not recorded in this database."
                )
            }
            Self::NotListed => format!("Login role \"{login}\" is not listed in hftok.gateways."),
        }
    }
}

/// What is known of a login holds for this.
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
    let is_listed = role_name(session).is_some_and(|login| settings::gateways().contains(&login));
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
    can_become(session, role)
        || role_id("hftok_owner") == Some(role)
        || unsafe { pg_sys::superuser_arg(role) }
}

/// Whether this database names it a gateway as well.
fn is_recorded(login: pg_sys::Oid) -> bool {
    relations::function(c"gateways").is_some_and(|function| acl::names(function, login))
}

/// The logins that are gateways of this database.
pub fn all() -> Vec<String> {
    let is_gateway = |name: &String| role_id(name).is_some_and(is_recorded);
    settings::gateways().into_iter().filter(is_gateway).collect()
}
