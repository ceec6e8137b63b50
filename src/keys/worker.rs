//! The worker that loads the keyring: at the start, on SIGHUP, when `unseal()` asks, and again by itself while what
//! stood in the way may pass (a file system not yet mounted, a key service not yet reachable). It does nothing else, because a
//! file system that hangs keeps it for as long as it likes.

use std::time::{Duration, Instant};

use hftok_core::keyring::Keyring;
use hftok_core::keyring_state::{InUse, Reason, State};

use super::dropped::Sweep;
use super::{marker, source};
use crate::pg::server::worker::{self, worker_main};
use crate::pg::server::{audit_queue, key_pages, server_log};

/// The time after which a failed load is tried again. Each load is one attempt (`source::read()`), of `source::LIMIT` at most.
const RETRY: Duration = Duration::from_secs(10);

/// Registers the worker; from `_PG_init`, while preloading.
pub fn init() {
    worker::register("hftok keyring", "hftok_keyring_worker");
}

worker_main!(hftok_keyring_worker, main);

/// Loads the keyring when the server starts, on request, and again while something that may pass is in its way.
fn main() {
    key_pages::change(|header, _| header.serve());
    let mut sweep = Sweep::begin();
    loop {
        let retry = match load() {
            Some(State::Sealed(reason) | State::Open { trouble: Some(reason) }) if reason.may_pass() => {
                Some(Instant::now() + RETRY)
            }
            _ => None,
        };
        loop {
            let rest = retry.map(|at| at.saturating_duration_since(Instant::now()));
            let sweep = sweep.go_on();
            let Some(wakeup) = worker::wait(Some(rest.map_or(sweep, |rest| rest.min(sweep)))) else { return };
            // Other things wake a process too.
            if wakeup.reloaded || is_requested() || retry.is_some_and(|at| Instant::now() >= at) {
                break;
            }
        }
    }
}

/// Whether somebody waits for an answer.
fn is_requested() -> bool {
    key_pages::look(|header, _| header.requested > header.answered).unwrap_or(false)
}

/// Reads the keyring, unless hftok was sealed by hand.
fn load() -> Option<State> {
    let (state, request) = key_pages::look(|header, _| (header.state, header.requested))?;
    publish(request, admitted(state).and_then(|()| source::read(worker::is_ending)))
}

/// Whether hftok was sealed by hand: shared memory knows it, but at the server's start only the mark does. While it
/// cannot be looked for, hftok stays sealed.
fn admitted(state: State) -> Result<(), Reason> {
    match state {
        State::Sealed(Reason::ByHand) => Err(Reason::ByHand),
        State::Open { .. } => Ok(()),
        State::Loading | State::Sealed(_) => match marker::is_set() {
            Ok(false) => Ok(()),
            Ok(true) => Err(Reason::ByHand),
            Err(error) => Err(Reason::MarkerUnreadable(error.raw_os_error().unwrap_or_default())),
        },
    }
}

/// Makes the outcome known. A seal that came meanwhile wins; a failure, and a keyring that lacks what is in use, leave the keys
/// that are there in use.
fn publish(request: u64, outcome: Result<Box<Keyring>, Reason>) -> Option<State> {
    let loaded = outcome.as_deref().map(description).ok();
    let (before, after) = key_pages::change(|header, pages| {
        let before = header.state;
        let insists = header.answered < header.insisted && header.insisted <= request;
        let outcome = outcome.and_then(|keyring| match header.in_use.objection(&keyring) {
            Some(reason) if !insists => Err(reason),
            _ => Ok(keyring),
        });
        header.state = match (before, outcome) {
            (State::Sealed(Reason::ByHand), _) => before,
            // The mark was seen before an unseal() that has come since took it away.
            (_, Err(Reason::ByHand)) if header.requested > request => before,
            (_, Ok(keyring)) => {
                pages.wipe();
                pages.keyring.replace_by(&keyring);
                if insists {
                    header.in_use = InUse::NOTHING;
                }
                State::Open { trouble: None }
            }
            (State::Open { .. }, Err(reason)) => State::Open { trouble: Some(reason) },
            (State::Loading | State::Sealed(_), Err(reason)) => State::Sealed(reason),
        };
        header.answered = request;
        (before, header.state)
    })?;
    let is_loaded = after == State::Open { trouble: None };
    if let Some(loaded) = loaded.filter(|_| is_loaded) {
        server_log::log(&format!("hftok: keyring loaded: {loaded}"));
    }
    if before != after {
        report(after);
        if matches!(after, State::Open { .. }) {
            // Events that came meanwhile can be written now, in every database that was in use since the start.
            audit_queue::call_all();
        }
    }
    Some(after)
}

/// A keyring in words, without its keys.
fn description(keyring: &Keyring) -> String {
    let name = match keyring.installation().as_str() {
        "" => "no installation named",
        name => name,
    };
    let keys: Vec<String> =
        keyring.iter().map(|key| format!("{} ({})", key.id().get(), key.fingerprint())).collect();
    format!("{name}; root keys {}", keys.join(", "))
}

/// Into the log: how the keyring is, and what is to be done.
fn report(state: State) {
    match state {
        State::Loading | State::Open { trouble: None } => {}
        State::Open { trouble: Some(reason) } => {
            let text = reason.text();
            server_log::log(&format!(
                "hftok: {text}; the keys loaded before stay in use. {}",
                reason.remedy()
            ));
        }
        State::Sealed(reason) => {
            server_log::log(&format!("hftok is sealed: {}. {}", reason.text(), reason.remedy()))
        }
    }
}
