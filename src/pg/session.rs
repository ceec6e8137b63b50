//! What this session says of itself, for the audit. From settings and variables; only the name of the login role comes
//! from the catalog, once: all of it must also be there when a transaction has failed.

use std::cell::OnceCell;
use std::ffi::{CStr, c_char};

use hftok_core::audit::event::Who;
use pgrx::pg_sys;

use super::caller::{role_name, subject};
use super::request;
use crate::settings;

thread_local! {
    static LOGIN: OnceCell<String> = const { OnceCell::new() };
    static ADDRESS: OnceCell<Option<String>> = const { OnceCell::new() };
}

/// Who is calling, as the audit has it.
#[derive(Debug, Clone, Default)]
pub struct Session {
    role: Option<String>,
    login: Option<String>,
    user: Option<String>,
    address: Option<String>,
    application: Option<String>,
    request: Option<String>,
}

impl Session {
    /// The session as it is now.
    pub fn current() -> Self {
        LOGIN.with(|name| {
            if name.get().is_none()
                && let Some(login) = login()
            {
                let _ = name.set(login);
            }
        });
        Self::without_catalog()
    }

    /// The same where the catalog cannot be asked.
    pub fn without_catalog() -> Self {
        let authorization = request::setting(c"session_authorization");
        let role = request::setting(c"role").filter(|role| role != "none").or_else(|| authorization.clone());
        Self {
            role,
            login: LOGIN.with(|name| name.get().cloned()).or(authorization),
            user: None,
            address: ADDRESS.with(|address| address.get_or_init(address_of_client).clone()),
            application: text(application_name()).filter(|name| !name.is_empty()),
            request: request::request_id(),
        }
    }

    /// With the user of the application: who the JWT says, if it came through a gateway; else the one that the backend names,
    /// or the role itself.
    pub fn acting_for(mut self, named: Option<&str>) -> Self {
        let is_gateway = request::setting(c"session_authorization")
            .is_some_and(|login| settings::gateways().contains(&login));
        let claimed = is_gateway.then(request::claims).flatten().and_then(|claims| subject(&claims).ok());
        let own = || (!is_gateway).then(|| self.role.as_ref().map(|role| format!("role:{role}"))).flatten();
        self.user = claimed.or_else(|| named.map(str::to_owned)).or_else(own);
        self
    }

    /// As a part of an event.
    pub fn as_who(&self) -> Who<'_> {
        Who {
            role: self.role.as_deref(),
            login: self.login.as_deref(),
            user: self.user.as_deref(),
            address: self.address.as_deref(),
            application: self.application.as_deref(),
            request: self.request.as_deref(),
        }
    }
}

/// Microseconds since 2000-01-01 UTC, now.
pub fn now() -> i64 {
    // SAFETY: asks the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// Whether this server replays another's changes and cannot write.
pub fn is_standby() -> bool {
    // SAFETY: asks shared memory.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Whether this process is connected to a database.
pub fn has_database() -> bool {
    // SAFETY: a variable of this process.
    unsafe { pg_sys::MyDatabaseId != pg_sys::InvalidOid }
}

fn application_name() -> *const c_char {
    // SAFETY: a variable of this process, null or a C string.
    unsafe { pg_sys::application_name }
}

/// The name that was logged in with: SET SESSION AUTHORIZATION does not change it.
fn login() -> Option<String> {
    // SAFETY: null in processes that are not shown in pg_stat_activity, else this process' own entry.
    let role = unsafe { pg_sys::MyBEEntry.as_ref() }?.st_userid;
    role_name(role).ok()
}

fn address_of_client() -> Option<String> {
    // SAFETY: as above; the address is as long as its family says, and is read as such.
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

fn text(from: *const c_char) -> Option<String> {
    // SAFETY: null or a C string of Postgres', copied at once.
    (!from.is_null()).then(|| unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned())
}
