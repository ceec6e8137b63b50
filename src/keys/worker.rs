//! The worker that loads the keyring: at the start, on SIGHUP, when `unseal()` asks, and again by itself while what
//! stood in the way may pass (a file system not yet mounted, a key service not yet reachable).

use std::time::Duration;

use hftok_core::keyring::Keyring;

use super::state::{Reason, State};
use super::{marker, source};
use crate::pg::key_pages;
use crate::pg::worker::{self, worker_main};

/// How long until a failed load is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// Registers the worker; from `_PG_init`, while preloading.
pub fn init() {
    worker::register("hftok keyring", "hftok_keyring_worker");
}

worker_main!(hftok_keyring_worker, main);

fn main() {
    let mut state = key_pages::change(|header, _| {
        header.serve();
        header.state
    });
    // Asked only at the server's start: a worker that was started again finds the seal in shared memory.
    if state == Some(State::Loading) {
        let sealed = match marker::is_set() {
            Ok(false) => None,
            Ok(true) => Some(Reason::ByHand),
            Err(error) => Some(Reason::MarkerUnreadable(error.raw_os_error().unwrap_or_default())),
        };
        if let Some(reason) = sealed {
            publish(None, Err(reason));
        }
    }
    loop {
        state = load();
        let retry = match state {
            Some(State::Sealed(reason) | State::Open { trouble: Some(reason) }) if reason.may_pass() => {
                Some(RETRY)
            }
            _ => None,
        };
        loop {
            match worker::wait(retry) {
                None => return,
                Some(wakeup) if wakeup.reloaded || retry.is_some() || is_requested() => break,
                Some(_) => {}
            }
        }
    }
}

fn is_requested() -> bool {
    key_pages::look(|header, _| header.requested > header.answered).unwrap_or(false)
}

/// Reads the keyring, unless hftok was sealed by hand.
fn load() -> Option<State> {
    let (state, request) = key_pages::look(|header, _| (header.state, header.requested))?;
    if state == State::Sealed(Reason::ByHand) {
        return publish(Some(request), Err(Reason::ByHand));
    }
    publish(Some(request), source::read(worker::is_ending))
}

/// Makes the outcome known. A seal that came meanwhile wins; a failure leaves the keys that are there in use.
fn publish(request: Option<u64>, outcome: Result<Box<Keyring>, Reason>) -> Option<State> {
    let (before, after) = key_pages::change(|header, pages| {
        let before = header.state;
        header.state = match (before, outcome) {
            (State::Sealed(Reason::ByHand), _) => before,
            (_, Ok(keyring)) => {
                pages.wipe();
                pages.keyring.replace_by(&keyring);
                State::Open { trouble: None }
            }
            (State::Open { .. }, Err(reason)) => State::Open { trouble: Some(reason) },
            (State::Loading | State::Sealed(_), Err(reason)) => State::Sealed(reason),
        };
        header.answered = request.unwrap_or(header.answered);
        (before, header.state)
    })?;
    if before != after {
        report(after);
    }
    Some(after)
}

fn report(state: State) {
    match state {
        State::Loading => {}
        State::Open { trouble: None } => pgrx::log!("hftok: keyring loaded"),
        State::Open { trouble: Some(reason) } => {
            let text = reason.text();
            pgrx::log!("hftok: {text}; the keys loaded before stay in use. {}", reason.remedy());
        }
        State::Sealed(reason) => pgrx::log!("hftok is sealed: {}. {}", reason.text(), reason.remedy()),
    }
}
