//! Values that are handed out: an event for each secret. The first hundred in one place of a statement are a record each in the queue;
//! of further ones, those that are alike in everything but their ids share a record, and the writer makes an event of each id.
//!
//! Must stay true: a value is handed out only after its event was accepted. The record for many waits in the queue from its
//! first reveal, and grows there until the writer takes it. So a cursor that is never closed keeps no event back, and neither
//! does a process that is killed. Under `sync` an event that says that many will follow is on disk before the first of them.

use hftok_core::audit::event::{Alike, Event, Kind, Object};
use hftok_core::audit::queue::Growing;

use super::enqueue::{Deed, accept, admit, patiently};
use super::{action, tag};
use crate::error::Error;
use crate::pg::call::statement;
use crate::pg::server::audit_queue;
use crate::pg::who::session::{self, Session};
use crate::settings;

/// Reveals of a statement that have a record each.
const EVENTS_EACH_MAX: usize = 100;
/// Reveals that one record for many can stand for.
const REVEALS_AN_EVENT_MAX: usize = 1000;

/// Events that one place of a statement has told.
#[derive(Default)]
pub(super) struct Told {
    /// Number of secrets that were told so far.
    count: usize,
    /// The record that further ones are added to.
    many: Option<Many>,
}

/// A record of many: all of the same owner, provider and level, by the same user.
struct Many {
    /// The record in the queue, as long as it can grow.
    growing: Growing,
    /// Secrets in it.
    count: usize,
    /// The event of the first of them.
    alike: Alike,
}

/// Records that a value is being handed out; `acting` is the user that the backend named. The caller hands it out only when
/// this returns.
pub fn record(object: Object<'_>, acting: Option<&str>) -> Result<(), Error> {
    let deed = Deed { kind: Kind::Reveal, action: action::name(statement::function()), outcome: "used" };
    // Nothing is kept for them but their number.
    if statement::is_one_of_first(EVENTS_EACH_MAX) {
        return accept(&deed.event(&Session::acting_for(acting), object));
    }
    statement::per_place(Told::beyond_the_first, |told| told.record(deed, object, acting))
}

impl Told {
    /// After those that have a record each.
    fn beyond_the_first() -> Self {
        Self { count: EVENTS_EACH_MAX, ..Self::default() }
    }

    /// Whether the next event shares a record.
    pub(super) fn is_among_many(&self) -> bool {
        self.count >= EVENTS_EACH_MAX
    }

    /// Makes a record for each secret while they are few, and one for many after that.
    pub(super) fn record(
        &mut self,
        deed: Deed<'_>,
        object: Object<'_>,
        acting: Option<&str>,
    ) -> Result<(), Error> {
        let session = Session::acting_for(acting);
        // On a standby there is no queue.
        // The event of an integration that is read names two objects, so it is not among many.
        if !self.is_among_many() || session::is_standby() || object.subject.is_some() {
            accept(&deed.event(&session, object))?;
        } else {
            if settings::audit_is_sync() && self.count == EVENTS_EACH_MAX {
                let many_follow = Deed { outcome: "many_follow", ..deed };
                accept(&many_follow.event(&session, Object::default()))?;
            }
            self.record_among_many(deed, &session, object)?;
        }
        self.count += 1;
        Ok(())
    }

    /// Adds a secret to the event for many.
    fn record_among_many(
        &mut self,
        deed: Deed<'_>,
        session: &Session<'_>,
        object: Object<'_>,
    ) -> Result<(), Error> {
        let Some(id) = object.id else { return accept(&deed.event(session, object)) };
        let event = deed.timeless(session, Object { id: None, version: None, ..object });
        if let Some(many) = &mut self.many
            && many.count < REVEALS_AN_EVENT_MAX
            && many.alike.is_like(&event)
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
        let bytes = Event { at: session::now(), ..event }.encode();
        let length = u16::try_from(bytes.len()).map_err(|_| Error::Internal("an event is too long"))?;
        let record = [&[tag::MANY][..], &length.to_be_bytes(), &bytes, &id].concat();
        let (growing, is_wanted) = patiently(|| {
            audit_queue::with(|queue| {
                let now = session::steady();
                let lane = admit(queue, now)?;
                let growing = queue.begin(lane, &record, now)?;
                Ok((growing, queue.header.lanes[lane].calls_for_writer(now)))
            })
        })?;
        if is_wanted {
            audit_queue::wake(growing.lane());
        }
        self.many = Some(Many { growing, count: 1, alike: Alike::of(&event) });
        Ok(())
    }
}
