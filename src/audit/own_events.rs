//! Events of the writer itself.

use hftok_core::audit::event::{Event, Kind, Object, Who};

use crate::pg::who::session;

/// An event of the writer itself.
pub fn own_event(action: &'static str, outcome: &'static str, count: i64) -> Event<'static> {
    Event {
        at: session::now(),
        kind: Kind::Audit,
        is_protected: true,
        action,
        outcome,
        count,
        who: Who::default(),
        object: Object::default(),
    }
}
