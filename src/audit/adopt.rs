//! Making a copy a database of its own: its keys are wrapped for its new identity, and its log goes on under that identity
//! with an event that names the original.
//!
//! Everything is one transaction, the event too: it is written here and not by the writer, which has no key in a copy. So
//! nothing stands between the last event of the original and this one, and the stored generation names that last event.

use hftok_core::audit::event::{Event, Kind, Object};
use hftok_core::audit::mac::{AuditKey, Mac, key_of, same};
use hftok_core::audit::tree::Frontier;
use hftok_core::data_key::{DataKey, Purpose};
use hftok_core::identity::Identity;

use super::bundles::Bundle;
use super::checkpoints::StoredCheckpoint;
use super::damage::{self, Damage};
use super::log::{self, Keys, Log};
use super::{changes, pending, tables};
use crate::error::Error;
use crate::keys::identity::{self, Home};
use crate::keys::unwrapped::Unwrapped;
use crate::keys::{self, data_keys, wrapped_keys};
use crate::pg::server::{server_log, transaction};
use crate::pg::who::session::{self, Session, database};

/// The name of the event.
pub const ADOPT: &str = "adopt_database";

/// Adopts the database, if it is a copy. It also is one if keys came from the original afterwards, by logical replication.
pub fn adopt() -> Result<(), Error> {
    keys::ready()?;
    // In a database that was adopted before, and is given keys by its publisher, the writer has keys. It locks in this order.
    tables::hold_alone()?;
    data_keys::lock_alone()?;
    let lineage = identity::stored()?
        .ok_or(Error::BadInput("there is nothing to adopt: no key was ever made in this database"))?;
    let here = lineage.here(database(), &keys::installation()?);
    let mut known: Vec<Identity> = lineage.identities().into_iter().map(|(_, identity)| identity).collect();
    known.reverse();
    let keys = wrapped_keys::unwrap_all(&known)?;
    if known.first() == Some(&here) && keys.iter().all(|key| *key.identity() == here) {
        return Err(Error::BadInput("this database is no copy"));
    }
    let original = identity::place(lineage.last());
    let origin = identity::origin(lineage.last());
    let newest = StoredCheckpoint::newest()?;
    // The original's keys are open here only in this process's memory, so its signature is checked with these.
    let is_signed = |newest: &StoredCheckpoint| {
        let key = newest.key.and_then(|id| keys.iter().find(|key| key.id() == id)).and_then(Unwrapped::whole);
        let verifier = key.and_then(DataKey::for_checkpoints).map(|key| key.verifier(&origin));
        verifier.is_some_and(|key| key.has_signed(&newest.of(origin.clone()), &newest.signature))
    };
    let sound = log::sound_end(newest.as_ref(), |newest| Ok(is_signed(newest)))?;
    let former = known.first().copied().unwrap_or(here);
    let is_ours = |bundle: &Bundle| {
        let Some((mac, sealed)) = bundle.sealed() else { return Ok(false) };
        Ok(made(&keys, former, &mac, |key| key.bundle(&sealed)))
    };
    let own = || damage::shown(|checkpoint| Ok(is_signed(checkpoint)), is_ours);
    let (frontier, damage) = damage::end_of(sound, own)?;
    // First of all, before anything that can fail: a caller that catches the error goes on in this session.
    changes::adopting();
    let size = i64::try_from(frontier.size()).map_err(|_| Error::Internal("a log is too large"))?;
    let home = identity::adopt(lineage, size, frontier.root())?;
    let adopted = Adopted { keys, former, home };
    wrapped_keys::rewrap(&adopted.keys, &adopted.home.identity())?;
    let audit = adopted.key(Purpose::Audit)?;
    adopted.protect_again(&audit)?;
    adopted.tell(frontier, damage, &original)?;
    server_log::write(&format!(
        "hftok: {ADOPT}() is called in database {}, which was a copy of {original}",
        database()
    ));
    Ok(())
}

/// The state while an adoption is being done. The keys are in memory of this process alone: nobody else may use them before
/// the transaction is committed.
struct Adopted {
    /// Every data key that was wrapped for the former identity, wrapped anew.
    keys: Vec<Unwrapped>,
    /// The identity that the rows were sealed under so far.
    former: Identity,
    /// The place that this database has taken.
    home: Home,
}

impl Adopted {
    /// The key that serves a purpose from now on, opened under the new identity.
    fn key(&self, purpose: Purpose) -> Result<Box<DataKey>, Error> {
        let active = data_keys::active_keys()?.into_iter().find(|(of, _)| *of == purpose);
        let (_, id) = active.ok_or(Error::Internal("there is no key for the audit"))?;
        match wrapped_keys::unwrap_for(id, &[self.home.identity()])? {
            Unwrapped::Whole(key) => Ok(key),
            Unwrapped::ByOrg { .. } => Err(WRONG_PURPOSE),
        }
    }

    /// Protects events anew that the original had protected, but not yet written, when it was copied.
    fn protect_again(&self, audit: &DataKey) -> Result<(), Error> {
        let mut waiting = Vec::new();
        loop {
            let taken = pending::take_pending(pending::PENDING)?;
            let is_all = taken.is_empty();
            waiting.extend(taken);
            if is_all {
                break;
            }
        }
        let key = for_audit(audit)?;
        let transaction = transaction::row_id();
        pending::put_pending(waiting.iter().map(|pending| {
            let is_protected = pending.protection.is_some_and(|protection| {
                made(&self.keys, self.former, &protection, |key| {
                    key.protect(pending.transaction, &pending.event)
                })
            });
            let event = pending.event.as_slice();
            (event, is_protected.then(|| key.protect(transaction, event)))
        }))
    }

    /// The event of the adoption comes right after the original's last, and the first checkpoint of the new log covers both.
    fn tell(&self, frontier: Frontier, damage: Option<Damage>, original: &str) -> Result<(), Error> {
        let session = Session::acting_for(None);
        let root = frontier.root();
        let event = Event {
            at: session::now(),
            kind: Kind::Audit,
            is_protected: true,
            action: ADOPT,
            outcome: "committed",
            count: 1,
            who: session.as_who(),
            // The root that the log continues, and the original whose root it is.
            object: Object {
                digest: Some(&root),
                scope: Some("database"),
                owner: Some(original),
                ..Object::default()
            },
        };
        let key = self.key(Purpose::Checkpoints)?;
        let signer = key.for_checkpoints().ok_or(WRONG_PURPOSE)?;
        let keys = Keys { audit: self.key(Purpose::Audit)?.id(), checkpoints: key.id() };
        let mut log = Log::at(keys, &self.home, frontier);
        log.append_row(&event.encode())?;
        if let Some(damage) = damage {
            log.append_row(&damage.event())?;
        }
        log.close_with(|checkpoint| Ok(signer.sign(checkpoint))).map(|_| ())
    }
}

/// Whether the original made a hash, with one of its keys under its identity.
fn made(keys: &[Unwrapped], former: Identity, mac: &Mac, make: impl FnOnce(AuditKey<'_>) -> Mac) -> bool {
    let key = key_of(mac).and_then(|id| keys.iter().find(|key| key.id() == id));
    let key = key.and_then(Unwrapped::whole).and_then(DataKey::for_audit);
    key.is_some_and(|key| same(mac, &make(key.under(former))))
}

/// A fault of this program, not of anybody's data.
const WRONG_PURPOSE: Error = Error::Internal("a data key was asked to do what it is not for");

/// The key in the one purpose that it is used for here.
fn for_audit(key: &DataKey) -> Result<AuditKey<'_>, Error> {
    key.for_audit().ok_or(WRONG_PURPOSE)
}
