//! The records that a writer takes out of the queue at a time, sorted into events and usage.

use std::borrow::Cow;

use hftok_core::audit::event::{Event, Kind, Object, digest_of};
use hftok_core::audit::lane::LogEnd;
use hftok_core::audit::queue::{Copied, LeftOut, Limits, Taken};
use hftok_core::audit::record::{Record, Scratch};
use hftok_core::audit::uses::Use;
use pgrx::datum::Uuid;

use super::action::CARRIED_OVER;
use super::tag;
use crate::error::Error;
use crate::pg::server::{audit_queue, memory};

/// Records that a writer takes for a round.
pub const RECORDS_MAX: usize = 4096;
/// Records that it copies while the queue is locked: some microseconds, in which nobody adds one.
const COPIED_AT_ONCE: usize = 32;
/// The most that a round allocates for a slot: a copy of it, events that are made of it (a thousand of 66 slots, where one stands for many
/// secrets), and their order.
const SLOT_BYTES: usize = 144 * 1024;
/// The most that it allocates for all of them.
const ROUND_BYTES: usize = 64 * 1024 * 1024;
/// What it may need besides: events that waited in `audit_pending`.
const ROUND_BYTES_MIN: usize = 16 * 1024 * 1024;

/// Records that were taken out of the queue.
#[derive(Default)]
pub struct Batch<'a> {
    /// Events, encoded, as often as they count. Most lie in the copy as they are.
    pub events: Vec<Cow<'a, [u8]>>,
    /// Reports of usage, encoded.
    pub usage: Vec<Vec<u8>>,
    /// The number of the last record.
    pub end: u64,
    /// Whether more waits than fits a round.
    pub is_full: bool,
    /// Counts of the records that found no room in the queue.
    pub left_out: Vec<LeftOut>,
}

/// The work that follows from events once they are written, and may come late.
#[derive(Default)]
pub struct Effects {
    /// The end of the log after them.
    pub log_end: Option<LogEnd>,
    /// Reveals, in the order in which they came.
    pub used: Vec<Use>,
    /// Reports of usage, encoded.
    pub usage: Vec<Vec<u8>>,
    /// Notifications.
    pub told: Vec<String>,
    /// Secrets that are no more.
    pub deleted: Vec<Uuid>,
}

impl<'a> Batch<'a> {
    /// Copies so many waiting records of a lane, into memory that was made before. They stay where they are when there is no memory
    /// for a round.
    pub fn take(lane: usize, records_max: usize, copied: &'a mut Copied) -> Result<Self, Error> {
        let limits = Limits { records: records_max, slots: 2 * RECORDS_MAX, at_once: COPIED_AT_ONCE };
        if !copied.begin(limits) {
            return Err(Error::NoMemory);
        }
        // What comes in meanwhile is little, and the least that is looked for has room for it.
        let slots = audit_queue::look(|header| header.lanes[lane].used()).unwrap_or_default();
        let bytes = SLOT_BYTES.saturating_mul(usize::try_from(slots).unwrap_or(usize::MAX));
        memory::look_for(bytes.clamp(ROUND_BYTES_MIN, ROUND_BYTES))?;
        let (is_full, left_out) = loop {
            let rest = audit_queue::with(|queue| {
                let is_more = queue.take(lane, limits, copied);
                let is_full = queue.header.lanes[lane].accepted() > copied.end();
                (!is_more).then(|| (is_full, queue.left_out(lane)))
            });
            match rest {
                Some(Some(rest)) => break rest,
                Some(None) => {}
                None => return Ok(Self::default()),
            }
        };
        Ok(Self { end: copied.end(), is_full, left_out, ..Self::of(copied.records()) })
    }

    /// Sorts records.
    fn of(records: impl Iterator<Item = Taken<'a>>) -> Self {
        let mut batch = Self::default();
        for Taken { bytes, count } in records {
            let Some((kind, bytes)) = bytes.split_first() else { continue };
            match *kind {
                tag::USAGE => batch.usage.push(bytes.to_vec()),
                tag::MANY => batch.many(bytes).unwrap_or_default(),
                _ if count == 1 => batch.events.push(Cow::Borrowed(bytes)),
                _ => {
                    let mut scratch = Scratch::default();
                    let event = Event::decode(bytes, &mut scratch);
                    let counted = event.map(|event| Event { count: count.into(), ..event }.encode());
                    batch.events.extend(counted.map(Cow::Owned));
                }
            }
        }
        batch
    }

    /// The events of many objects that are alike in everything else. Each reveal is an event of its own, so that it can be asked
    /// who read a secret; comparisons are one, with their number and a digest over the ids.
    fn many(&mut self, record: &[u8]) -> Option<()> {
        let (length, rest) = record.split_first_chunk()?;
        let (event, ids) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let mut scratch = Scratch::default();
        let event = Event::decode(event, &mut scratch)?;
        let mut ids: Vec<[u8; 16]> = ids.as_chunks().0.to_vec();
        if event.kind == Kind::Reveal || ids.len() == 1 {
            let named = |id| Event { object: Object { id: Some(id), ..event.object }, ..event }.encode();
            self.events.extend(ids.into_iter().map(named).map(Cow::Owned));
            return Some(());
        }
        let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        let digest = digest_of(&mut ids);
        let object = Object { digest: Some(&digest), ..event.object };
        self.events.push(Cow::Owned(Event { count, object, ..event }.encode()));
        Some(())
    }
}

impl Effects {
    /// Adds what follows from an event.
    pub fn note(&mut self, bytes: &[u8]) {
        match Record::of(bytes).map(|record| (record, record.kind())) {
            Some((record, Some(Kind::Reveal))) if record.is_protected() => {
                let own = record.own().and_then(|own| Some((own, own.used()?)));
                if let Some((own, id)) = own.filter(|_| self.used.try_reserve(1).is_ok()) {
                    self.used.push(Use { id, count: own.count, last: own.at });
                }
            }
            Some((_, Some(Kind::Change))) => {
                let mut scratch = Scratch::default();
                if let Some(event) = Event::decode(bytes, &mut scratch) {
                    self.note_change(&event);
                }
            }
            _ => {}
        }
    }

    /// Adds what follows from a change. Only secrets have versions.
    fn note_change(&mut self, event: &Event<'_>) {
        let Some(id) = event.object.id.filter(|_| event.is_protected) else { return };
        if event.outcome != "committed" || event.action == CARRIED_OVER || event.object.version.is_none() {
            return;
        }
        let secret_id = Uuid::from_bytes(id);
        self.told.push(
            serde_json::json!({
                "event": event.action, "secret_id": secret_id.to_string(), "version": event.object.version,
            })
            .to_string(),
        );
        if event.object.digest.is_none() {
            self.deleted.push(secret_id);
        }
    }
}
