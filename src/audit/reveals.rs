//! Values that are handed out: an event a secret, up to a hundred in one place of a statement; beyond that one event for many,
//! with their number and a digest over their ids.
//!
//! What must stay true: a value is handed out only after its event was accepted, or after room was promised for the event
//! that will stand for it. That one is made when its statement ends, however it ends, and earlier when it stands for many
//! or for some time. Under `sync` an event that says that many will follow is on disk before the first of them.

use hftok_core::audit::event::{Event, Kind, Object, digest_of};

use super::accept::{accept, patiently};
use super::{action, tag};
use crate::error::Error;
use crate::pg::key_pages::database;
use crate::pg::session::{self, Session};
use crate::pg::{audit_queue, statement};
use crate::settings;

/// So many of a statement have an event each.
const SINGLE: u64 = 100;
/// So many are in one event.
const MANY: usize = 1000;
/// The bytes that the event for many may have.
const ROOM: usize = 4096;

/// What a place of a statement has handed out.
#[derive(Default)]
struct Handed {
    count: u64,
    many: Option<Many>,
}

/// Secrets that one event will stand for. Room for it is promised.
struct Many {
    lane: usize,
    action: &'static str,
    session: Session,
    since: i64,
    ids: Vec<[u8; 16]>,
}

/// Records that a value is being handed out; `acting` is the user that the backend named. The caller hands it out only when
/// this returns.
pub fn record(object: Object<'_>, acting: Option<&str>) -> Result<(), Error> {
    statement::kept(Handed::default, |handed| handed.record(object, acting))
}

impl Handed {
    fn record(&mut self, object: Object<'_>, acting: Option<&str>) -> Result<(), Error> {
        self.count += 1;
        let id = object.id.unwrap_or_default();
        // On a standby there is no queue to promise anything in.
        if self.count > SINGLE && !session::is_standby() {
            return self.record_among_many(id, acting);
        }
        let session = Session::current().acting_for(acting);
        accept(&event(&session, session::now(), action::name(statement::function()), "used", 1, object))
    }

    fn record_among_many(&mut self, id: [u8; 16], acting: Option<&str>) -> Result<(), Error> {
        let now = session::now();
        let interval = i64::try_from(settings::audit_flush_interval().as_micros()).unwrap_or(i64::MAX);
        if self.many.as_ref().is_some_and(|many| many.ids.len() >= MANY || now - many.since > interval) {
            self.many = None;
        }
        let many = match &mut self.many {
            Some(many) => many,
            None => {
                let session = Session::current().acting_for(acting);
                let action = action::name(statement::function());
                if settings::audit_is_sync() && self.count == SINGLE + 1 {
                    accept(&event(&session, now, action, "many_follow", 1, Object::default()))?;
                }
                let lane = patiently(|| {
                    audit_queue::with(|queue| {
                        let lane = queue.header.claim(database())?;
                        queue.promise(lane, ROOM).map(|()| lane)
                    })
                })?;
                self.many.insert(Many { lane, action, session, since: now, ids: Vec::with_capacity(MANY) })
            }
        };
        many.ids.push(id);
        Ok(())
    }
}

impl Drop for Many {
    fn drop(&mut self) {
        let digest = digest_of(&mut self.ids);
        let count = i64::try_from(self.ids.len()).unwrap_or(i64::MAX);
        let object = Object { digest: Some(&digest), ..Object::default() };
        let at = session::now();
        let bytes = event(&self.session, at, self.action, "used", count, object).encode();
        let record = [&[tag::EVENT][..], &bytes].concat();
        let lane = self.lane;
        let is_alone = audit_queue::with(|queue| {
            queue.break_promise(lane, ROOM);
            // What is longer than was promised is no identifier that anybody has; it may find no room.
            if queue.push(lane, &record, at).is_err() {
                queue.header.lanes[lane].left_out += 1;
            }
            queue.header.lanes[lane].writer == 0
        });
        if is_alone == Some(true) {
            audit_queue::wake(lane);
        }
    }
}

fn event<'a>(
    session: &'a Session,
    at: i64,
    action: &'a str,
    outcome: &'a str,
    count: i64,
    object: Object<'a>,
) -> Event<'a> {
    Event { at, kind: Kind::Reveal, action, outcome, count, who: session.as_who(), object }
}
