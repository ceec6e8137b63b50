//! Handing events to the queue, or, on a standby, to the server's log.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use hftok_core::audit::event::{Event, Kind, Object, Who};
use hftok_core::audit::queue::{Full, Header, OneOfMany, Queue};
use hftok_core::keyring_state::Reason;
use pgrx::datum::TimestampWithTimeZone;
use serde_json::json;

use super::{action, tag};
use crate::error::{Error, Trouble};
use crate::pg::call::statement;
use crate::pg::server::audit_wait::Outcome;
use crate::pg::server::{audit_queue, audit_wait, server_log, wait};
use crate::pg::who::session::{self, Session, database};
use crate::settings;

/// Records something that is not to be undone with the transaction. The event is accepted when this returns; in `sync` mode it
/// is then as safe as the server's commits.
pub fn record(kind: Kind, outcome: &str, object: Object<'_>) -> Result<(), Error> {
    Deed { kind, action: action::name(statement::function()), outcome }.record(object)
}

/// A deed: the event without its object and its time.
#[derive(Clone, Copy)]
pub(super) struct Deed<'a> {
    /// The kind of the event.
    pub(super) kind: Kind,
    /// The function.
    pub(super) action: &'a str,
    /// The outcome.
    pub(super) outcome: &'a str,
}

impl<'a> Deed<'a> {
    /// The event of a deed that is done now.
    pub(super) fn event(self, session: &'a Session<'_>, object: Object<'a>) -> Event<'a> {
        Event { at: session::now(), ..self.timeless(session, object) }
    }

    /// The event with an empty time, in which equal deeds do not differ.
    pub(super) fn timeless(self, session: &'a Session<'_>, object: Object<'a>) -> Event<'a> {
        let Self { kind, action, outcome } = self;
        Event { at: 0, kind, is_protected: true, action, outcome, count: 1, who: session.as_who(), object }
    }

    /// Records that this session does it.
    pub(super) fn record(self, object: Object<'_>) -> Result<(), Error> {
        accept(&self.event(&Session::acting_for(None), object))
    }
}

/// Accepts an event. When this returns, the caller may do what the event tells of.
pub(super) fn accept(event: &Event<'_>) -> Result<(), Error> {
    if session::is_standby() {
        return log(event);
    }
    let is_sync = settings::audit_is_sync();
    let (lane, number) = push(&tag::event(event), is_sync)?;
    if !is_sync {
        return Ok(());
    }
    audit_queue::hurry(lane);
    match audit_wait::wait_safe(lane, number, settings::audit_timeout()) {
        Outcome::Safe => Ok(()),
        Outcome::OnlyHere => Err(Error::Audit(Trouble::NoStandby)),
        Outcome::Nowhere => Err(Error::Audit(Trouble::NotWritten)),
    }
}

/// Puts a record into the queue, waiting for room if need be; `is_sync`: the caller is going to wait for it.
pub(super) fn push(record: &[u8], is_sync: bool) -> Result<(usize, u64), Error> {
    patiently(|| {
        audit_queue::with(|queue| {
            let now = session::steady();
            let lane = admit(queue, now)?;
            let number = queue.push(lane, record, now)?;
            let state = &mut queue.header.lanes[lane];
            if is_sync {
                state.want(number, now);
            }
            Ok((lane, number, state.calls_for_writer(now)))
        })
    })
    .map(|(lane, number, is_wanted)| {
        if is_wanted {
            audit_queue::wake(lane);
        }
        (lane, number)
    })
}

/// The lane of this database, unless an event in it has waited for too long.
pub(super) fn admit(queue: &mut Queue<'_>, now: i64) -> Result<usize, Full> {
    let lane = queue.header.claim(database())?;
    let bound = i64::try_from(settings::audit_bound().as_micros()).unwrap_or(i64::MAX);
    if queue.is_late(lane, now - bound) { Err(Full) } else { Ok(lane) }
}

/// Tries until there is room in the queue, for as long as callers wait.
pub(super) fn patiently<R>(mut attempt: impl FnMut() -> Option<Result<R, Full>>) -> Result<R, Error> {
    let mut try_once = || attempt().ok_or(Error::Sealed(Reason::NotPreloaded));
    if let Ok(done) = try_once()? {
        return Ok(done);
    }
    let end = Instant::now() + settings::audit_timeout();
    let done = loop {
        if audit_queue::is_closed() {
            break Err(Error::Audit(Trouble::Closed));
        }
        match audit_queue::look(|header| header.lane(database())).flatten() {
            Some(lane) => {
                audit_queue::hurry(lane);
                audit_wait::wait_released(lane);
            }
            // No lane is free.
            None => wait::nap(Duration::from_millis(5)),
        }
        match try_once()? {
            Ok(done) => break Ok(done),
            Err(_) if Instant::now() >= end => break Err(Error::Audit(Trouble::Full)),
            Err(_) => {}
        }
    };
    audit_wait::stop_waiting();
    done
}

/// Waits until every event that was accepted or committed before is written, at most as long as callers wait.
pub fn settle() {
    if session::is_standby() {
        return;
    }
    let asked = audit_queue::with(|queue| {
        let lane = queue.header.claim(database()).ok()?;
        Some((lane, queue.header.lanes[lane].call()))
    });
    let Some(Some((lane, asked))) = asked else { return };
    audit_queue::hurry(lane);
    let end = Instant::now() + settings::audit_timeout();
    let is_waiting = || audit_queue::look(|header| header.lanes[lane].answered < asked).unwrap_or(false);
    while is_waiting() && Instant::now() < end {
        wait::nap(Duration::from_millis(2));
        audit_queue::hurry_if_alone(lane);
    }
}

/// Records a refusal by a function in SQL.
pub fn refused_in_sql(action: &str, outcome: &str, object: Object<'_>) {
    refuse(&Session::acting_for(None), action, outcome, object, Header::claim);
}

/// Records that a call was refused, if the error is a refusal. Refusals that are alike are counted in one event.
pub fn refused(error: &Error) {
    let Some(outcome) = action::refusal(error) else { return };
    let object = Object { id: action::object(error), level: action::level(error), ..Object::default() };
    refuse(&Session::acting_for(None), action::name(statement::function()), outcome, object, Header::claim);
}

/// Records a refusal by Postgres, which came before hftok was asked. Called while an error is being reported.
pub fn denied(object: &str) {
    // The schema itself, or something in it.
    if let Some(name) =
        [&"hftok", &"hftok_import"].into_iter().chain(action::CALLABLE).find(|name| **name == object)
    {
        refuse(&Session::without_catalog(), name, "not_allowed", Object::default(), Header::known);
    }
}

/// `lane` finds the lane. A stranger's function of the same name as ours must not make this database take a new one.
fn refuse(
    session: &Session<'_>,
    action: &str,
    outcome: &str,
    object: Object<'_>,
    lane: fn(&mut Header, u32) -> Result<usize, Full>,
) {
    if !audit_queue::exists() || !session::has_database() {
        return;
    }
    let event = Deed { kind: Kind::Refusal, action, outcome }.event(session, object);
    if session::is_standby() {
        let _ = log(&event);
        return;
    }
    // `bare` leaves out everything that tells refusals of one kind apart. `alike` leaves out the texts that a caller can make
    // up, because each would make another one. The address stays: no caller makes one up, and it tells where calls came from.
    let bare = Event {
        object: Object::default(),
        who: Who { address: None, application: None, request: None, ..event.who },
        ..event
    };
    let alike = Event { at: 0, who: Who { application: None, request: None, ..event.who }, ..event };
    let (bytes, bare_bytes) = (tag::event(&event), tag::event(&bare));
    let record = OneOfMany {
        party: session.party(),
        key: hash(&alike),
        kind: hash(&Event { at: 0, ..bare }),
        bytes: &bytes,
        bare: &bare_bytes,
    };
    let now = session::steady();
    let lane = audit_queue::with(|queue| {
        let lane = lane(queue.header, database()).ok()?;
        // The lane counts a refusal that finds no room, and the writer tells the number.
        let _ = queue.push_or_count(lane, &record, now);
        queue.header.lanes[lane].calls_for_writer(now).then_some(lane)
    });
    if let Some(Some(lane)) = lane {
        audit_queue::wake(lane);
    }
}

/// A hash over everything that equal events have in common.
fn hash(event: &Event<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    event.hash(&mut hasher);
    hasher.finish()
}

/// Writes an event into the server's log.
fn log(event: &Event<'_>) -> Result<(), Error> {
    if settings::audit_is_sync() {
        return Err(Error::Audit(Trouble::SyncOnStandby));
    }
    if !server_log::takes_lines() {
        return Err(Error::Audit(Trouble::LogTooQuiet));
    }
    server_log::write(&line(database(), event));
    Ok(())
}

/// An event as a line of JSON, with the fields of `audit_events`.
pub fn line(database: u32, event: &Event<'_>) -> String {
    let Event { object, who, .. } = event;
    json!({ "hftok_audit": {
        "database": database,
        "at": TimestampWithTimeZone::try_from(event.at).ok(),
        "kind": event.kind.as_str(),
        "protected": event.is_protected,
        "action": event.action,
        "outcome": event.outcome,
        "count": event.count,
        "object_id": object.id.map(|id| pgrx::datum::Uuid::from_bytes(id).to_string()),
        "version": object.version,
        "digest": object.digest.map(hftok_core::hex),
        "owner_scope": object.scope,
        "owner_id": object.owner,
        "provider": object.provider,
        "level": object.level,
        "subject": object.subject,
        "role_name": who.role,
        "outer_role": who.outer,
        "login_role": who.login,
        "actor_user": who.user,
        "client_addr": who.address,
        "application_name": who.application,
        "request_id": who.request,
    }})
    .to_string()
}
