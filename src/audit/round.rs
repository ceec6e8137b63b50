//! The transaction of a writer's round: everything that waits becomes rows of the chain, or, without a key, of
//! `audit_pending`.

use hftok_core::audit::chain::Link;
use hftok_core::audit::event::{Event, Kind, Object, Who};
use hftok_core::audit::queue::LeftOut;
use hftok_core::data_key::DataKeyId;
use pgrx::datum::TimestampWithTimeZone;

use super::batch::{Batch, Effects};
use super::rows::{self, NewRows};
use super::usage;
use crate::error::Error;
use crate::keys::data_keys;
use crate::pg::server::{transaction, worker_transaction};
use crate::pg::who::{roles, session};

/// The key to chain with. There is none while hftok is sealed, lacks this database's root key, or while the transaction that
/// made the first key is still open: events of that time wait in `audit_pending`.
pub fn key() -> Option<DataKeyId> {
    let usable = |key| data_keys::auditing_with(key, |_| key);
    let found = match worker_transaction::run(|| data_keys::existing_audit_key()?.map(usable).transpose()) {
        Ok(None) => worker_transaction::run(|| {
            usage::wait_briefly()?;
            data_keys::audit_key().and_then(usable).map(Some)
        }),
        found => found,
    };
    found.ok().flatten()
}

/// Does a round in its transaction. The result says also whether more is pending than the round took.
pub fn write(
    key: Option<DataKeyId>,
    batch: &Batch,
    left_out: &[LeftOut],
    has_look: bool,
) -> Result<(Effects, bool), Error> {
    rows::hold_tables()?;
    let mut later = Effects::default();
    for (id, at) in &batch.many {
        later.count(*id, 1, *at);
    }
    let left_out: Vec<_> = left_out.iter().map(left_out_event).collect();
    let waiting = batch.events.iter().chain(&left_out);
    let Some(key) = key else {
        let transaction = transaction::row_id();
        let protected = |event: &'_ Vec<u8>| rows::protection_of_run(transaction, event);
        rows::put_pending(waiting.map(|event| (event.as_slice(), protected(event))))?;
        return Ok((later, false));
    };
    let pending = if has_look { rows::take_pending()? } else { Vec::new() };
    let mut events: Vec<Event<'_>> = waiting.map(|bytes| read(bytes)).collect();
    for pending in &pending {
        events.push(Event { is_protected: pending.is_protected()?, ..read(&pending.event) });
    }
    // Events that came together are put into the order in which their deeds were done.
    events.sort_by_key(|event| event.at);
    let (mut number, mut link): (i64, Link) = rows::last()?;
    let mut new = NewRows::begin()?;
    for event in events {
        number = number.checked_add(1).ok_or(Error::Internal("no number is left for an event"))?;
        link = data_keys::auditing_with(key, |key| key.link(&link, number, &event))?;
        new.push(number, &event, &link)?;
        later.note(&event);
    }
    new.store()?;
    Ok((later, pending.len() >= rows::PENDING))
}

/// An event as it is chained. Only an event from a table can have been damaged; it is chained all the same, as one that cannot
/// be read.
fn read(bytes: &[u8]) -> Event<'_> {
    match Event::decode(bytes) {
        Some(event) if TimestampWithTimeZone::try_from(event.at).is_ok() => event,
        _ => own_event("audit_pending", "damaged", 1),
    }
}

/// An event of the writer itself.
fn own_event(action: &'static str, outcome: &'static str, count: i64) -> Event<'static> {
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

/// Says in the chain itself that events of somebody are missing from it, and how many.
fn left_out_event(left_out: &LeftOut) -> Vec<u8> {
    let count = i64::try_from(left_out.count).unwrap_or(i64::MAX);
    let event = own_event("audit_queue", "left_out", count);
    let [role, login] = [left_out.party.role, left_out.party.login].map(|id| roles::name(id.into()));
    Event { who: Who { role: role.as_deref(), login: login.as_deref(), ..event.who }, ..event }.encode()
}
