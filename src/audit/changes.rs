//! Changes: their events lie in `audit_pending` from the moment they are made, committed or rolled back with the change itself.
//! A change that is rolled back, or prepared for somebody else to commit, is told by way of the queue, as far as there is room.

use std::cell::RefCell;

use hftok_core::audit::event::{Event, Kind, Object};
use hftok_core::audit::mac::{AuditKey, Mac};
use hftok_core::audit::queue::Party;
use hftok_core::audit::record::Scratch;
use hftok_core::data_key::{DataKeyId, Purpose};
use hftok_core::keyring_state::State;

use super::enqueue::Deed;
use super::{action, pending, tag};
use crate::error::Error;
use crate::keys::{self, data_keys, identity};
use crate::pg::call::statement;
use crate::pg::server::audit_queue;
use crate::pg::server::transaction::{self, End, Listener};
use crate::pg::who::session::{self, Session, database};

/// The first changes of a transaction that is rolled back have an event each, up to this number; each further one is counted
/// in the event of a change before it.
const EVENTS_EACH_MAX: usize = 100;

/// The outcome of an event whose change was rolled back.
const ROLLED_BACK: &str = "rolled_back";
/// The outcome of an event whose transaction waits for COMMIT PREPARED.
const PREPARED: &str = "prepared";

thread_local! {
    // Changes of the transaction that is running.
    static OPEN: RefCell<Vec<Change>> = const { RefCell::new(Vec::new()) };
}

/// Something that was changed by a transaction that has not ended.
struct Change {
    /// The level of (sub)transactions that it belongs to: a rollback of that level is the end of it.
    depth: i32,
    /// Number of equal changes that it stands for.
    count: usize,
    /// The party that made it.
    party: Party,
    /// Its event, as committed.
    event: Vec<u8>,
}

/// Records a change by the function that is running.
pub fn record(object: Object<'_>) -> Result<(), Error> {
    record_as(Kind::Change, action::name(statement::function()), 1, object)
}

/// Records a change of another kind, under another name, or one that stands for several.
pub fn record_as(kind: Kind, action: &str, count: i64, object: Object<'_>) -> Result<(), Error> {
    let session = Session::acting_for(None);
    let event = Deed { kind, action, outcome: "committed" }.event(&session, object);
    let bytes = Event { count, ..event }.encode();
    let protection = protection(&bytes)?;
    pending::put_pending([(bytes.as_slice(), protection)].into_iter())?;
    transaction::tell(Listener::Changes, ended);
    let change = Change { depth: transaction::depth(), count: 1, party: session.party(), event: bytes };
    OPEN.with_borrow_mut(|open| add(open, change));
    Ok(())
}

/// Records that a data key was made. It may be the very key that protects this event: its row is there by now.
pub fn data_key_made(purpose: Purpose, id: DataKeyId) -> Result<(), Error> {
    let object = Object { version: Some(id.get()), level: Some(purpose.as_str()), ..Object::default() };
    record_as(Kind::Key, "create_data_key", 1, object)
}

/// Past a limit, changes of one level are counted instead of kept: a transaction may change a million rows.
fn add(open: &mut Vec<Change>, change: Change) {
    let is_full = open.len() >= EVENTS_EACH_MAX;
    match open.last_mut() {
        Some(last) if is_full && last.depth == change.depth => last.count += change.count,
        _ => open.push(change),
    }
}

/// A keyed hash over the event and its transaction. Without it, anyone who can write to the table could have forged events
/// written, or true ones once more. While hftok is sealed the key of the server's run makes it.
fn protection(event: &[u8]) -> Result<Option<Mac>, Error> {
    let transaction = transaction::row_id();
    if matches!(keys::state(), State::Open { .. }) {
        let protect = |key: AuditKey<'_>| key.protect(transaction, event);
        match data_keys::audit_key().and_then(|key| data_keys::auditing_with(key, protect)) {
            Ok(link) => return Ok(Some(link)),
            Err(
                Error::Sealed(_)
                | Error::WrongRoot { .. }
                | Error::DataKeyDamaged { .. }
                | Error::IdentityMissing
                | Error::Copy { .. }
                | Error::NotYetAdopted,
            ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(pending::protection_of_run(transaction, event))
}

/// Notes that the transaction adopts the database. Its end is recorded, and if it is committed the writer is called, because
/// events that waited in the copy can now be written.
pub fn adopting() {
    transaction::tell(Listener::Changes, ended);
}

/// Called at the end of every (sub)transaction; nothing in it may fail, because Postgres has already decided.
fn ended(end: End) {
    if identity::is_adopted_by(end) {
        call_writer();
    }
    OPEN.with_borrow_mut(|open| match end {
        End::PartKept(depth) => {
            let kept = open.iter().position(|change| change.depth >= depth).unwrap_or(open.len());
            for change in open.split_off(kept) {
                add(open, Change { depth: depth - 1, ..change });
            }
        }
        End::PartRolledBack(depth) => {
            let kept = open.iter().position(|change| change.depth >= depth).unwrap_or(open.len());
            tell(ROLLED_BACK, open.drain(kept..));
        }
        End::RolledBack => tell(ROLLED_BACK, open.drain(..)),
        // It may be rolled back by another process, which knows nothing of the change.
        End::Prepared => tell(PREPARED, open.drain(..)),
        End::Committed if !open.is_empty() => {
            open.clear();
            call_writer();
        }
        End::Committed => {}
    });
}

/// Puts into the queue how changes ended that left no row behind.
fn tell(outcome: &str, changes: impl ExactSizeIterator<Item = Change>) {
    if changes.len() == 0 {
        return;
    }
    for change in changes {
        let mut scratch = Scratch::default();
        let Some(event) = Event::decode(&change.event, &mut scratch) else { continue };
        let at = session::now();
        let event = Event { at, outcome, count: i64::try_from(change.count).unwrap_or(i64::MAX), ..event };
        let record = tag::event(&event);
        audit_queue::with(|queue| {
            let Ok(lane) = queue.header.claim(database()) else { return };
            // The lane counts a change that finds no room, and the writer tells the number.
            let _ = queue.push_spare(lane, change.party, &record, session::steady());
        });
    }
    call_writer();
}

/// Has the writer look at the table. If the call gets lost, the writer looks there whenever it comes for something else.
fn call_writer() {
    let lane = audit_queue::with(|queue| {
        let lane = queue.header.claim(database()).ok()?;
        let state = &mut queue.header.lanes[lane];
        state.call();
        state.lacks_writer(session::steady()).then_some(lane)
    });
    if let Some(Some(lane)) = lane {
        audit_queue::wake(lane);
    }
}
