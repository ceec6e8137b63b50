//! Keys: the keyring of the server, where it comes from, who loads it, and whether hftok is sealed; and the data keys of each
//! database, which it unwraps.
//!
//! A worker of ours loads it ([`worker`]), because the postmaster can neither take locks nor wait for a command, and
//! a user's backend must not. Everybody else looks at what it left in the key pages.

pub mod data_keys;
pub mod dropped;
pub mod identity;
pub mod marker;
pub mod org_keys;
pub mod org_wraps;
pub mod resealers;
pub mod roots;
pub mod rotation;
pub mod source;
pub mod unwrapped;
pub mod worker;
pub mod wrapped_keys;

use std::time::{Duration, Instant};

use hftok_core::identity::Installation;
use hftok_core::keyring_state::{Reason, State};

use crate::error::Error;
use crate::pg::server::key_pages::{self, KeyPages, PagesHeader};
use crate::pg::server::wait::nap;

/// The longest that a call waits for the keyring while it is being loaded.
const LOAD_WAIT_MAX: Duration = Duration::from_secs(5);
/// The time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// The state, also when there is no shared memory to ask.
pub fn state() -> State {
    key_pages::look(|header, _| header.state).unwrap_or(State::Sealed(Reason::NotPreloaded))
}

/// Returns when there are root keys, or says why there are none; waits while they are being loaded.
pub fn ready() -> Result<(), Error> {
    let end = Instant::now() + LOAD_WAIT_MAX;
    loop {
        match state() {
            State::Open { .. } => return Ok(()),
            State::Sealed(reason) => return Err(Error::Sealed(reason)),
            State::Loading if Instant::now() >= end => return Err(Error::Sealed(Reason::Loading)),
            State::Loading => nap(LOOK_INTERVAL),
        }
    }
}

/// Uses the keys, which are there, or says why not.
pub fn with<R>(f: impl FnOnce(&KeyPages) -> Result<R, Error>) -> Result<R, Error> {
    key_pages::look(|header, pages| match header.state {
        State::Open { .. } => f(pages),
        State::Loading => Err(Error::Sealed(Reason::Loading)),
        State::Sealed(reason) => Err(Error::Sealed(reason)),
    })
    .unwrap_or(Err(Error::Sealed(Reason::NotPreloaded)))
}

/// Forgets all keys, now and over a restart.
pub fn seal() -> Result<(), Error> {
    let marked = key_pages::by_hand(|| {
        key_pages::change(|header: &mut PagesHeader, pages: &mut KeyPages| {
            pages.wipe();
            header.state = State::Sealed(Reason::ByHand);
        });
        marker::set()
    });
    match marked {
        None => Err(Error::Operator(Reason::NotPreloaded)),
        Some(marked) => marked.map_err(|error| Error::SealNotKept(code(&error))),
    }
}

/// The name of the installation.
pub fn installation() -> Result<Installation, Error> {
    with(|pages| Ok(*pages.keyring.installation()))
}

/// Has the keyring read again, and waits until it was. Keys that are there stay in use when that fails, or when it lacks what
/// is in use, unless the caller insists.
pub fn unseal(insists: bool) -> Result<(), Error> {
    let request = key_pages::by_hand(|| {
        marker::clear()?;
        Ok(key_pages::change(|header, _| {
            if matches!(header.state, State::Sealed(_)) {
                header.state = State::Loading;
            }
            header.request(insists)
        }))
    });
    let request = match request {
        None => return Err(Error::Operator(Reason::NotPreloaded)),
        Some(request) => request.map_err(|error: std::io::Error| Error::SealNotLifted(code(&error)))?,
    };
    // A load that is under way comes first.
    let end = Instant::now() + 2 * source::LIMIT + LOAD_WAIT_MAX;
    loop {
        let answer = key_pages::look(|header, _| (Some(header.answered) >= request).then_some(header.state));
        match answer.flatten() {
            Some(State::Open { trouble: None }) => return Ok(()),
            Some(State::Open { trouble: Some(reason) } | State::Sealed(reason)) => {
                return Err(Error::Operator(reason));
            }
            Some(State::Loading) | None if Instant::now() >= end => {
                return Err(Error::Operator(Reason::Loading));
            }
            Some(State::Loading) | None => nap(LOOK_INTERVAL),
        }
    }
}

/// The number of an error of the system, since its text may hold a path.
fn code(error: &std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or_default()
}
