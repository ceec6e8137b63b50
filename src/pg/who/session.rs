//! The description of this session, for the audit. The catalog is asked for names only when they may have changed. The
//! whole description is available even when the transaction has failed.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::CStr;
use std::rc::Rc;

use hftok_core::audit::event::Who;
use hftok_core::audit::queue::Party;
use pgrx::pg_sys;

use super::identity::subject;
use super::{gateway, request, roles};
use crate::error::Standing;
use crate::pg::bare;
use crate::pg::call::statement;

thread_local! {
    static NAMES: RefCell<Option<Rc<Names>>> = const { RefCell::new(None) };
    // The last name that the client gave itself: nearly every event has the same.
    static APPLICATION: RefCell<Option<Rc<str>>> = const { RefCell::new(None) };
}

/// The names in a session's description. They change only with the calling role, with a role's name, or with the
/// configuration.
struct Names {
    /// The names are true for as long as the key is the same.
    key: Key,
    /// The role that called.
    role: Option<String>,
    /// The role outside all definers: the one that SET ROLE chose, or the session's.
    outer: Option<String>,
    /// The role that logged in.
    login: Option<String>,
    /// The client's address; None for a local socket.
    address: Option<String>,
    /// Whether the claims of a request are believed.
    is_gateway: bool,
    /// The user whom the role stands for when nobody names one; none for a gateway.
    own: Option<String>,
}

/// The state that the names depend on.
#[derive(PartialEq, Eq)]
struct Key {
    /// The role that called.
    caller: pg_sys::Oid,
    /// The role outside all definers.
    outer: pg_sys::Oid,
    /// The session's role, which SET SESSION AUTHORIZATION may have changed.
    session: pg_sys::Oid,
    /// The generation of the catalog, as roles may be renamed.
    catalog: u64,
    /// When the configuration was last read, as gateways may change.
    configured: pg_sys::TimestampTz,
}

/// The caller, as the audit describes it.
pub struct Session<'a> {
    /// Shared between calls, since they seldom change.
    names: Rc<Names>,
    /// The user who acts, by the claims of a request or by what a backend names.
    user: Option<Cow<'a, str>>,
    /// As the client names itself: anything may stand there.
    application: Option<Rc<str>>,
    /// An id that the request brought along.
    request: Option<String>,
}

impl<'a> Session<'a> {
    /// The session as it is now. Its user is who the JWT says, if it came through a gateway; else the one that the backend
    /// names, or the role itself.
    pub fn acting_for(named: Option<&'a str>) -> Self {
        Self::of(Names::current(true), named)
    }

    /// The same where the catalog cannot be asked.
    pub fn without_catalog() -> Self {
        Self::of(Names::current(false), None)
    }

    /// The session of a call that may name a user.
    fn of(names: Rc<Names>, named: Option<&'a str>) -> Self {
        // Only PostgREST says something of a request, and only under a gateway it is believed.
        let claims = names.is_gateway.then(request::claims).flatten();
        let claimed = claims.and_then(|claims| subject(&claims).ok()).map(Cow::Owned);
        Self {
            user: claimed.or(named.map(Cow::Borrowed)).or_else(|| statement::acting().map(Cow::Owned)),
            application: application(),
            request: names.is_gateway.then(request::request_id).flatten(),
            names,
        }
    }

    /// Whether the login is one that many users share.
    pub fn is_through_gateway(&self) -> bool {
        self.names.is_gateway
    }

    /// The party to which its records belong when they may be left out.
    pub fn party(&self) -> Party {
        Party { login: login_or_session(), role: self.names.key.caller.to_u32() }
    }

    /// As a part of an event.
    pub fn as_who(&self) -> Who<'_> {
        Who {
            role: self.names.role.as_deref(),
            outer: self.names.outer.as_deref(),
            login: self.names.login.as_deref(),
            user: self.user.as_deref().or(self.names.own.as_deref()),
            address: self.names.address.as_deref(),
            application: self.application.as_deref(),
            request: self.request.as_deref(),
        }
    }
}

impl Names {
    /// The names, asked anew only when something of the key has changed.
    fn current(may_ask: bool) -> Rc<Self> {
        let caller = if may_ask { statement::caller() } else { roles::current() };
        // SAFETY: reads variables of this process.
        let key = unsafe {
            let (outer, session) = (bare::GetOuterUserId(), bare::GetSessionUserId());
            Key {
                caller,
                outer,
                session,
                catalog: roles::catalog_generation(),
                configured: pg_sys::PgReloadTime,
            }
        };
        if let Some(names) =
            NAMES.with_borrow(|names| names.as_ref().filter(|names| names.key == key).cloned())
        {
            return names;
        }
        let names = Rc::new(Self::of(key, may_ask));
        if may_ask {
            NAMES.set(Some(Rc::clone(&names)));
        }
        names
    }

    /// Asks for all names.
    fn of(key: Key, may_ask: bool) -> Self {
        let Key { caller, outer, session, .. } = key;
        let authorization = request::setting(c"session_authorization");
        // When the catalog cannot be asked, two settings have the names of the roles that they chose. Any other role that
        // was not met before goes by its number.
        let chosen = |role: pg_sys::Oid| match role {
            role if role == outer => {
                request::setting(c"role").filter(|role| role != "none").or_else(|| authorization.clone())
            }
            role if role == session => authorization.clone(),
            role => Some(format!("oid {}", role.to_u32())),
        };
        let name = |role| {
            let known = if may_ask { roles::name(role) } else { roles::remembered(role) };
            known.or_else(|| if may_ask { None } else { chosen(role) })
        };
        let standing = if may_ask {
            Some(gateway::standing(caller))
        } else {
            gateway::standing_if_known().filter(|_| caller == outer)
        };
        let is_gateway = standing == Some(Standing::Gateway);
        // A role of a gateway's stands for everybody. One that may be a gateway's is not said to stand for itself.
        let may_be_gateway = || authorization.as_ref().is_some_and(|login| gateway::listed().contains(login));
        let stands_for_itself = !is_gateway && (standing.is_some() || !may_be_gateway());
        let role = name(caller);
        Self {
            own: role.as_ref().filter(|_| stands_for_itself).map(|role| format!("role:{role}")),
            role,
            outer: name(outer),
            login: login().map_or_else(|| authorization.clone(), name),
            address: address_of_client(),
            is_gateway,
            key,
        }
    }
}

/// Microseconds since 2000-01-01 UTC, now.
pub fn now() -> i64 {
    // SAFETY: asks the clock, and raises no error.
    unsafe { bare::GetCurrentTimestamp() }
}

/// When the client sent the statement that is running, in the same. Statements that it runs in turn have no time of their
/// own.
pub fn statement_began() -> i64 {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::GetCurrentStatementStartTimestamp() }
}

/// Microseconds by a clock that nobody sets, and that is the same for all processes of a machine.
pub fn steady() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: fills in a variable on this stack.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec * 1_000_000 + time.tv_nsec / 1000
}

/// Whether this server replays another's changes and cannot write.
pub fn is_standby() -> bool {
    // SAFETY: asks shared memory.
    unsafe { bare::RecoveryInProgress() }
}

/// The database that this process is connected to.
pub fn database() -> u32 {
    // SAFETY: a variable that is set once, before any function of ours can be called.
    unsafe { pg_sys::MyDatabaseId }.to_u32()
}

/// Whether this process is connected to a database.
pub fn has_database() -> bool {
    // SAFETY: a variable of this process.
    unsafe { pg_sys::MyDatabaseId != pg_sys::InvalidOid }
}

/// The name that the client gives itself, if any; lossy where the bytes are no text.
fn application() -> Option<Rc<str>> {
    // SAFETY: a variable of this process, null or a C string. It is copied before anything can change it.
    let name = unsafe {
        let name = pg_sys::application_name;
        if name.is_null() { c"" } else { CStr::from_ptr(name) }
    };
    if name.is_empty() {
        return None;
    }
    APPLICATION.with_borrow_mut(|kept| {
        let known = kept.take().filter(|kept| kept.as_bytes() == name.to_bytes());
        Some(Rc::clone(kept.insert(known.unwrap_or_else(|| Rc::from(name.to_string_lossy())))))
    })
}

/// The role that logged in: SET SESSION AUTHORIZATION does not change it.
fn login() -> Option<pg_sys::Oid> {
    // SAFETY: null in processes that are not shown in pg_stat_activity, else this process' own entry.
    unsafe { pg_sys::MyBEEntry.as_ref() }.map(|entry| entry.st_userid)
}

/// The number of the role that logged in, for counts that each login has of its own; of the session's where none did.
pub(in crate::pg) fn login_or_session() -> u32 {
    // SAFETY: reads a variable of this process.
    login().unwrap_or_else(|| unsafe { pg_sys::GetSessionUserId() }).to_u32()
}

/// As a number, never looked up by name.
fn address_of_client() -> Option<String> {
    // SAFETY: null in processes that are not shown in pg_stat_activity, else this process' own entry, which nobody else writes to.
    // The address lies in a sockaddr_storage, which has room and alignment for that of each family, and is read as its family says.
    unsafe {
        let entry = pg_sys::MyBEEntry.as_ref()?;
        let address = (&raw const entry.st_clientaddr.addr).cast::<libc::sockaddr>();
        match i32::from((*address).sa_family) {
            libc::AF_INET => {
                let number = (*address.cast::<libc::sockaddr_in>()).sin_addr.s_addr;
                Some(std::net::Ipv4Addr::from(u32::from_be(number)).to_string())
            }
            libc::AF_INET6 => {
                let bytes = (*address.cast::<libc::sockaddr_in6>()).sin6_addr.s6_addr;
                Some(std::net::Ipv6Addr::from(bytes).to_string())
            }
            _ => None,
        }
    }
}
