//! The transaction of a writer's round: everything that waits becomes part of the log, or, without keys, of `audit_pending`.

use hftok_core::audit::event::{Event, Kind, Who};
use hftok_core::audit::lane::LogEnd;
use hftok_core::audit::queue::LeftOut;
use hftok_core::audit::record::{Record, Scratch};

use super::batch::{Batch, Effects};
use super::log::{Keys, Log};
use super::own_events::own_event;
use super::pending::{self, Pending};
use super::{tables, usage};
use crate::error::{Error, Report};
use crate::keys::data_keys;
use crate::pg::server::{transaction, worker_transaction};
use crate::pg::who::roles;

/// The keys to write with. There are none while hftok is sealed, lacks this database's root key, or while the transaction that
/// made the first key is still open: events of that time wait in `audit_pending`.
pub fn keys() -> Option<Keys> {
    let usable = |keys: Keys| {
        data_keys::auditing_with(keys.audit, |_| ())?;
        data_keys::signing_checkpoints_with(keys.checkpoints, |_| keys)
    };
    let existing = || {
        let keys = data_keys::existing_audit_key()?.zip(data_keys::existing_checkpoint_key()?);
        keys.map(|(audit, checkpoints)| usable(Keys { audit, checkpoints })).transpose()
    };
    let made = || {
        usage::wait_briefly()?;
        usable(Keys { audit: data_keys::audit_key()?, checkpoints: data_keys::checkpoint_key()? }).map(Some)
    };
    let found = match worker_transaction::run(existing) {
        Ok(None) => worker_transaction::run(made),
        found => found,
    };
    found.ok().flatten()
}

/// How a round looks into `audit_pending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The most that it takes there.
    most: i64,
    /// Whether it gives up the one that it takes: it is written as damaged.
    gives_up: bool,
}

impl Look {
    /// As many as a round takes.
    pub const USUAL: Self = Self { most: pending::PENDING, gives_up: false };

    /// The next look after a round that was written.
    pub fn after_success(self) -> Self {
        Self { most: pending::PENDING.min(2 * self.most), gives_up: false }
    }

    /// The next look after a round that failed, if it may have been for something that lay there: first one alone, then that one is
    /// given up.
    pub fn after_failure(self, report: &Report) -> Option<Self> {
        let is_of_all =
            matches!(&report.sqlstate[..2], b"08" | b"23" | b"40" | b"53" | b"55" | b"57" | b"58");
        (!is_of_all && !self.gives_up).then_some(Self { most: 1, gives_up: self.most == 1 })
    }
}

/// Does a round in its transaction. The result says also whether more is pending than the round took.
pub fn write(keys: Option<Keys>, batch: &Batch<'_>, look: Option<Look>) -> Result<(Effects, bool), Error> {
    tables::hold()?;
    let mut later = Effects::default();
    let left_out: Vec<_> = batch.left_out.iter().map(left_out_event).collect();
    let waiting = batch.events.iter().map(|event| &event[..]).chain(left_out.iter().map(|event| &event[..]));
    let Some(keys) = keys else {
        let transaction = transaction::row_id();
        pending::put_pending(waiting.map(|event| (event, pending::protection_of_run(transaction, event))))?;
        return Ok((later, false));
    };
    let taken = look.map_or(Ok(Vec::new()), |look| pending::take_pending(look.most))?;
    let gives_up = look.is_some_and(|look| look.gives_up);
    let looked_at =
        taken.iter().map(|pending| as_written(pending, gives_up)).collect::<Result<Vec<_>, _>>()?;
    let mut events: Vec<(Order, &[u8])> =
        waiting.chain(looked_at.iter().map(|event| &event[..])).map(|event| (order(event), event)).collect();
    if events.is_empty() {
        return Ok((later, false));
    }
    events.sort_by_key(|(order, _)| *order);
    let mut log = Log::open(keys)?;
    for (_, event) in events {
        log.append(event)?;
        later.note(event);
    }
    later.log_end = Some(LogEnd { generation: log.generation(), size: log.close()? });
    let is_more = look.is_some_and(|look| i64::try_from(taken.len()).is_ok_and(|taken| taken >= look.most));
    Ok((later, is_more))
}

/// The place of an event among those that came together: first what goes into bundles, alike beside alike, and each in the order in
/// which it was done.
type Order = (u8, i64);

/// The place of a record.
fn order(bytes: &[u8]) -> Order {
    let Some(record) = Record::of(bytes) else { return (0, 0) };
    let group = match record.kind() {
        Some(Kind::Reveal) => 0,
        Some(Kind::Refusal) => 1,
        _ => 2,
    };
    (group, record.at().unwrap_or_default())
}

/// An event that waited in the table, as it is written. It can have been damaged there, or somebody has made up what hftok does not
/// write: then it is written all the same, as one that cannot be read. What hftok has protected is given up by nobody.
fn as_written(pending: &Pending, gives_up: bool) -> Result<Vec<u8>, Error> {
    let is_protected = pending.is_protected()?;
    let mut scratch = Scratch::default();
    let readable = Event::decode(&pending.event, &mut scratch).filter(Event::is_plausible);
    let event = readable.filter(|_| is_protected || !gives_up);
    let event = event.unwrap_or_else(|| own_event("audit_pending", "damaged", 1));
    Ok(Event { is_protected, ..event }.encode())
}

/// Says in the log itself that events of somebody are missing from it, and how many.
fn left_out_event(left_out: &LeftOut) -> Vec<u8> {
    let count = i64::try_from(left_out.count).unwrap_or(i64::MAX);
    let event = own_event("audit_queue", "left_out", count);
    let [role, login] = [left_out.party.role, left_out.party.login].map(|id| roles::name(id.into()));
    Event { who: Who { role: role.as_deref(), login: login.as_deref(), ..event.who }, ..event }.encode()
}
