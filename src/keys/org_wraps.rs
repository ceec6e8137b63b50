//! Keys that organisations hold themselves, as sessions use them: they are asked for by a worker of their own, which runs the command of
//! the keyring with the organisation's id, does the work that a question asks for, and ends.
//!
//! What must stay true: no session runs the command, and no session ever has such a key; a data key that one has unwrapped is kept for so
//! long as the setting says; and whoever needs no such key waits for none.

use std::time::{Duration, Instant};

use hftok_core::data_key::{DataKey, DataKeyId};
use hftok_core::keyring_state::State;
use hftok_core::org_key::{OrgId, OrgKeyFault, OrgWrap};
use hftok_core::org_questions::{Asked, Question, Stage, Task, Ticket};

use super::identity::Home;
use super::{self as keys, source};
use crate::error::Error;
use crate::pg::server::key_pages::{self, KeyPages, PagesHeader};
use crate::pg::server::server_log;
use crate::pg::server::wait::nap;
use crate::pg::server::worker::{self, worker_main};
use crate::pg::who::session::{database, steady};
use crate::settings;

/// The longest that a call waits for an answer: as long as the command may take, and a worker to begin.
const WAIT_MAX: Duration = source::ORG_LIMIT.saturating_add(Duration::from_secs(2));
/// The time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

worker_main!(hftok_org_key, main, argument);

/// Asks for the key of one organisation, and does with it what the question with this ticket asks for.
fn main(ticket: u64) {
    let Some(Some(org)) = key_pages::change(|_, pages| pages.questions.begin(ticket)) else { return };
    let keys = source::read_of(&org, worker::is_ending);
    let outcome = keys.as_ref().map_err(|fault| *fault);
    let stage = change_open(|pages| pages.questions.answer(ticket, outcome, steady())).flatten();
    drop(keys);
    if let Some(Stage::Failed(fault)) = stage {
        server_log::log(&format!("hftok: the key of organisation {} is not there: {fault}", org.as_str()));
    }
}

/// The id of an organisation that may hold its own key.
pub fn admit(org: &str) -> Result<OrgId, Error> {
    OrgId::parse(org).ok_or(Error::BadInput(
        "p_own is for organisations whose id is of letters, digits and .-_:+@ only, 128 at most, and begins with a letter or a digit",
    ))
}

/// Has a data key unwrapped that the organisation's own key has wrapped, into the key pages.
pub fn unwrap(org: &str, id: DataKeyId, wrap: &OrgWrap, home: &Home) -> Result<(), Error> {
    let task = Task::Unwrap(wrap, home.identity());
    let question = Question { database: database(), org: known(org, id)?, id, task };
    let is_kept = || key_pages::look(|_, pages| pages.data_key(database(), id).is_some()) == Some(true);
    let Some(place) = ask(org, &question, is_kept)? else { return Ok(()) };
    // Where it is gone, keys were wiped meanwhile: the caller looks again.
    let until = steady().saturating_add(settings::org_key_lifetime());
    change_open(|pages| {
        // The keyring may have been replaced meanwhile by one of another installation.
        if pages.keyring.installation() == home.installation() {
            pages.keep_answer(database(), id, place.0, until);
        }
    });
    Ok(())
}

/// Has a new data key wrapped by the organisation's own key.
pub fn wrap(org: &str, key: &DataKey) -> Result<OrgWrap, Error> {
    let question = Question { database: database(), org: admit(org)?, id: key.id(), task: Task::Wrap(key) };
    let place = ask(org, &question, || false)?;
    let wrapped =
        place.and_then(|place| key_pages::change(|_, pages| pages.questions.wrapped(place.0)).flatten());
    wrapped.ok_or_else(|| away(org, OrgKeyFault::NoAnswer))
}

/// Changes the pages unless hftok was sealed meanwhile: a question that is asked or answered late must leave no key in them.
fn change_open<R>(change: impl FnOnce(&mut KeyPages) -> R) -> Option<R> {
    let is_open = |header: &PagesHeader| matches!(header.state, State::Open { .. });
    key_pages::change(|header, pages| is_open(header).then(|| change(pages))).flatten()
}

/// The id as it was admitted when the organisation was given a key.
fn known(org: &str, id: DataKeyId) -> Result<OrgId, Error> {
    OrgId::parse(org).ok_or(Error::DataKeyDamaged { id: id.get() })
}

/// The key of an organisation is not there.
fn away(org: &str, fault: OrgKeyFault) -> Error {
    Error::OrgKeyAway { org: org.to_owned(), fault }
}

/// A place of a question, given up when this is dropped.
struct Place(Ticket);

impl Drop for Place {
    fn drop(&mut self) {
        key_pages::change(|_, pages| pages.questions.give_up(self.0));
    }
}

/// Asks, and waits for the answer, which is in the place; `None` when others had it answered, or keys were wiped.
fn ask(org: &str, question: &Question<'_>, is_answered: impl Fn() -> bool) -> Result<Option<Place>, Error> {
    let end = Instant::now() + WAIT_MAX;
    let rest = |fault| {
        if Instant::now() >= end {
            return Err(away(org, fault));
        }
        nap(LOOK_INTERVAL);
        Ok(())
    };
    let place = loop {
        keys::ready()?;
        match change_open(|pages| pages.questions.ask(question, steady())) {
            Some(Asked::Begun(ticket)) => break Place(ticket),
            Some(Asked::Failed(fault)) => return Err(away(org, fault)),
            Some(Asked::Busy) | None => rest(OrgKeyFault::NoAnswer)?,
        }
        if is_answered() {
            return Ok(None);
        }
    };
    // Others may have all of max_worker_processes for a moment.
    while !worker::launch_apart("hftok organisation key", "hftok_org_key", place.0) {
        rest(OrgKeyFault::NoWorker)?;
    }
    loop {
        match key_pages::look(|_, pages| pages.questions.stage(place.0)).flatten() {
            Some(Stage::Answered) => return Ok(Some(place)),
            Some(Stage::Failed(fault)) => return Err(away(org, fault)),
            None => return Ok(None),
            Some(Stage::Asked | Stage::Asking) => {}
        }
        let fault = OrgKeyFault::NoAnswer;
        if let Err(late) = rest(fault) {
            key_pages::change(|_, pages| pages.questions.note(question.org, fault, steady()));
            return Err(late);
        }
    }
}
