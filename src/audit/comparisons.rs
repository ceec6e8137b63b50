//! Comparisons: somebody learns whether a value that they bring is one that is stored. The event names the secret that was hit, or
//! says that none was.
//!
//! Must stay true: the answer is given only after its event was accepted, and a hit names its secret. An import that finds
//! again what it brought does so for each row of a table. Such a statement has an event for each of its first hundred hits, and
//! then one event for many, as a statement that hands out values has.

use std::cell::RefCell;

use hftok_core::audit::event::{Kind, Object};

use super::enqueue::Deed;
use super::reveals::Told;
use crate::error::Error;
use crate::pg::who::session;

thread_local! {
    // Hits that the client's statement has told so far, and when that statement began. An import has a statement of its own
    // for each row.
    static AGAIN: RefCell<(i64, Told)> = RefCell::default();
}

/// Records a comparison.
pub fn record(action: &str, outcome: &str, object: Object<'_>) -> Result<(), Error> {
    Deed { kind: Kind::Audit, action, outcome }.record(object)
}

/// Records that a source still holds what was imported from it.
pub fn record_again(action: &str, outcome: &str, object: Object<'_>) -> Result<(), Error> {
    let began = session::statement_began();
    // The state is taken out meanwhile, so that nothing that waits or fails finds it borrowed.
    let (of, told) = AGAIN.take();
    let mut told = if of == began { told } else { Told::default() };
    // Every row of a table has another owner, so one event for many of them names none.
    let is_among_many = told.is_among_many() && object.id.is_some();
    let object = if is_among_many { Object { id: object.id, ..Object::default() } } else { object };
    let recorded = told.record(Deed { kind: Kind::Audit, action, outcome }, object, None);
    AGAIN.set((began, told));
    recorded
}
