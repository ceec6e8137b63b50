//! Values that are handed out: an event a secret, up to a hundred in one place of a statement; beyond that one event for many
//! that are alike in everything but their ids, with their number and a digest over the ids.
//!
//! What must stay true: a value is handed out only after its event was accepted. The event for many waits in the queue from
//! the first of them, and grows there until the writer takes it: a cursor that is never closed keeps nothing back, and
//! neither does a process that is killed. Under `sync` an event that says that many will follow is on disk before the
//! first of them.

use hftok_core::audit::event::{Event, Kind, Object};
use hftok_core::audit::queue::Growing;

use super::accept::{accept, admit, patiently};
use super::{action, tag};
use crate::error::Error;
use crate::pg::session::{self, Session};
use crate::pg::{audit_queue, statement};
use crate::settings;

/// So many of a statement have an event each.
const SINGLE: u64 = 100;
/// So many are in one event.
const MANY: usize = 1000;

/// What a place of a statement has handed out.
#[derive(Default)]
struct Handed {
    /// Secrets that this statement has handed out so far.
    count: u64,
    /// The event that further ones are counted into.
    many: Option<Many>,
    /// What the next is like, where that is written down.
    next: Vec<u8>,
}

/// An event that stands for many: all of the same owner, provider and level, by the same user.
struct Many {
    /// The event in the queue, as long as it can grow.
    growing: Growing,
    /// Secrets that it stands for.
    count: usize,
    /// The event, of no time.
    alike: Vec<u8>,
}

/// Records that a value is being handed out; `acting` is the user that the backend named. The caller hands it out only when
/// this returns.
pub fn record(object: Object<'_>, acting: Option<&str>) -> Result<(), Error> {
    statement::kept(Handed::default, |handed| handed.record(object, acting))
}

impl Handed {
    /// An event for each secret while they are few, and one for many after that.
    fn record(&mut self, object: Object<'_>, acting: Option<&str>) -> Result<(), Error> {
        let session = Session::acting_for(acting);
        // On a standby there is no queue.
        // Of an integration that is read the event names two things, so it is not among many.
        if self.count < SINGLE || session::is_standby() || object.subject.is_some() {
            accept_now(event(&session, "used", object))?;
        } else {
            if settings::audit_is_sync() && self.count == SINGLE {
                accept_now(event(&session, "many_follow", Object::default()))?;
            }
            self.record_among_many(&session, object)?;
        }
        self.count += 1;
        Ok(())
    }

    /// Adds a secret to the event for many.
    fn record_among_many(&mut self, session: &Session<'_>, object: Object<'_>) -> Result<(), Error> {
        let Some(id) = object.id else { return accept_now(event(session, "used", object)) };
        let alike = event(session, "used", Object { id: None, version: None, ..object });
        self.next.clear();
        alike.encode_into(&mut self.next);
        if let Some(many) = &mut self.many
            && many.count < MANY
            && many.alike == self.next
            && patiently(|| {
                audit_queue::with(|queue| {
                    admit(queue, session::steady())?;
                    queue.grow(&mut many.growing, &id)
                })
            })?
        {
            many.count += 1;
            return Ok(());
        }
        let at = session::now();
        let bytes = Event { at, ..alike }.encode();
        let length = u16::try_from(bytes.len()).map_err(|_| Error::Internal("an event is too long"))?;
        let record = [&[tag::MANY][..], &length.to_be_bytes(), &bytes, &id].concat();
        let (growing, is_alone) = patiently(|| {
            audit_queue::with(|queue| {
                let now = session::steady();
                let lane = admit(queue, now)?;
                let growing = queue.begin(lane, &record, now)?;
                Ok((growing, queue.header.lanes[lane].lacks_writer(now)))
            })
        })?;
        if is_alone {
            audit_queue::wake(growing.lane());
        }
        self.many = Some(Many { growing, count: 1, alike: std::mem::take(&mut self.next) });
        Ok(())
    }
}

/// The time is that of acceptance, not of the statement.
fn accept_now(event: Event<'_>) -> Result<(), Error> {
    accept(&Event { at: session::now(), ..event })
}

/// The event, of no time.
fn event<'a>(session: &'a Session<'_>, outcome: &'a str, object: Object<'a>) -> Event<'a> {
    let action = action::name(statement::function());
    Event {
        at: 0,
        kind: Kind::Reveal,
        is_protected: true,
        action,
        outcome,
        count: 1,
        who: session.as_who(),
        object,
    }
}
