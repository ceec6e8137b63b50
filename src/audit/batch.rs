//! The records that a writer takes out of the queue at a time, sorted into events and usage.

use std::collections::HashMap;

use hftok_core::audit::event::{Event, Kind, Object, digest_of};
use hftok_core::audit::queue::Taken;
use pgrx::datum::Uuid;

use super::action::CARRIED_OVER;
use super::tag;

/// Records that were taken out of the queue.
#[derive(Default)]
pub struct Batch {
    /// Events, encoded, as often as they count.
    pub events: Vec<Vec<u8>>,
    /// Reports of usage, encoded.
    pub usage: Vec<Vec<u8>>,
    /// Secrets that were used and that events for many stand for, and when.
    pub many: Vec<([u8; 16], i64)>,
}

/// The work that follows from events once they are chained, and may come late.
#[derive(Default)]
pub struct Effects {
    /// Number of reveals of each secret, and the time of the last one.
    pub uses: HashMap<[u8; 16], (i64, i64)>,
    /// The same for secrets that are being counted, in order.
    pub counting: Vec<([u8; 16], (i64, i64))>,
    /// Reports of usage, encoded.
    pub usage: Vec<Vec<u8>>,
    /// Notifications.
    pub told: Vec<String>,
    /// Secrets that are no more.
    pub deleted: Vec<Uuid>,
}

impl Batch {
    /// Sorts records.
    pub fn of(records: Vec<Taken>) -> Self {
        let mut batch = Self::default();
        for Taken { mut bytes, count } in records {
            let Some(kind) = bytes.drain(..bytes.len().min(1)).next() else { continue };
            match kind {
                tag::USAGE => batch.usage.push(bytes),
                tag::MANY => {
                    let event = batch.many(&bytes);
                    batch.events.extend(event);
                }
                _ if count == 1 => batch.events.push(bytes),
                _ => {
                    let counted =
                        Event::decode(&bytes).map(|event| Event { count: count.into(), ..event }.encode());
                    batch.events.extend(counted);
                }
            }
        }
        batch
    }

    /// The event that stands for many, with their number and a digest over their ids.
    fn many(&mut self, record: &[u8]) -> Option<Vec<u8>> {
        let (length, rest) = record.split_first_chunk()?;
        let (event, ids) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let event = Event::decode(event)?;
        let mut ids: Vec<[u8; 16]> = ids.as_chunks().0.to_vec();
        // Only a reveal is a use: a secret that was compared was not used.
        if ids.len() > 1 && event.kind == Kind::Reveal {
            self.many.extend(ids.iter().map(|id| (*id, event.at)));
        }
        let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        // One alone is named.
        if let [id] = ids.as_slice() {
            return Some(Event { object: Object { id: Some(*id), ..event.object }, ..event }.encode());
        }
        let digest = digest_of(&mut ids);
        Some(Event { count, object: Object { digest: Some(&digest), ..event.object }, ..event }.encode())
    }
}

impl Effects {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.uses.is_empty()
            && self.counting.is_empty()
            && self.usage.is_empty()
            && self.told.is_empty()
            && self.deleted.is_empty()
    }

    /// Begins to count what was gathered, unless that is still going on.
    pub fn begin_counting(&mut self) {
        if self.counting.is_empty() {
            self.counting = std::mem::take(&mut self.uses).into_iter().collect();
            self.counting.sort_unstable();
        }
    }

    /// Counts uses of a secret.
    pub fn count(&mut self, id: [u8; 16], count: i64, at: i64) {
        let uses = self.uses.entry(id).or_insert((0, at));
        *uses = (uses.0 + count, uses.1.max(at));
    }

    /// Adds what follows from an event.
    pub fn note(&mut self, event: &Event<'_>) {
        let Some(id) = event.object.id.filter(|_| event.is_protected) else { return };
        match event.kind {
            Kind::Reveal if event.outcome == "used" => {
                self.count(event.object.used().unwrap_or(id), event.count, event.at);
            }
            // Only secrets have versions.
            Kind::Change
                if event.outcome == "committed"
                    && event.action != CARRIED_OVER
                    && event.object.version.is_some() =>
            {
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
            _ => {}
        }
    }

    /// Adds the consequences of other events.
    pub fn join(&mut self, other: Self) {
        for (id, (count, last)) in other.uses {
            self.count(id, count, last);
        }
        self.usage.extend(other.usage);
        self.told.extend(other.told);
        self.deleted.extend(other.deleted);
    }
}
