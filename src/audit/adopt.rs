//! Making a copy a database of its own: its keys are wrapped for its new identity, and its chain goes on under that identity
//! with an event that names the original.
//!
//! Everything is one transaction, the event too: it is chained here and not by the writer, which has no key in a copy. So
//! nothing stands between the last event of the original and this one, and the stored generation names that last event.

use hftok_core::audit::chain::{AuditKey, Link, key_of, same};
use hftok_core::audit::event::{Event, Kind, Object};
use hftok_core::data_key::{DataKey, Purpose};
use hftok_core::identity::Identity;

use super::rows::{self, NewRows};
use super::{changes, purge};
use crate::error::Error;
use crate::keys::{self, data_keys, identity, wrapped_keys};
use crate::pg::server::{server_log, transaction};
use crate::pg::who::session::{self, Session, database};

/// The name of the event.
pub const ADOPT: &str = "adopt_database";

/// Adopts the database, if it is a copy. It also is one if keys came from the original afterwards, by logical replication.
pub fn adopt() -> Result<(), Error> {
    keys::ready()?;
    data_keys::lock()?;
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
    let (number, link) = rows::last()?;
    // First of all, before anything that can fail: a caller that catches the error goes on in this session.
    changes::adopting();
    let home = identity::adopt(lineage, number, link)?;
    let adopted = Adopted { keys, former: known.first().copied().unwrap_or(here), identity: home.identity() };
    wrapped_keys::rewrap(&adopted.keys, &adopted.identity)?;
    let audit = adopted.audit_key()?;
    adopted.sign_stub(&audit)?;
    adopted.protect_again(&audit)?;
    adopted.chain(&audit, number, &link, &original)?;
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
    keys: Vec<DataKey>,
    /// The identity that the rows were sealed under so far.
    former: Identity,
    /// The identity that this database has taken.
    identity: Identity,
}

impl Adopted {
    /// The key that signs from now on, opened under the new identity.
    fn audit_key(&self) -> Result<Box<DataKey>, Error> {
        let active = data_keys::active_keys()?.into_iter().find(|(purpose, _)| *purpose == Purpose::Audit);
        let (_, id) = active.ok_or(Error::Internal("there is no key for the audit"))?;
        let mut key = Box::new(DataKey::EMPTY);
        wrapped_keys::unwrap_into(&mut key, id, &[self.identity])?;
        Ok(key)
    }

    /// A stub that the original has signed is signed for this database.
    fn sign_stub(&self, audit: &DataKey) -> Result<(), Error> {
        let Some(stub) = rows::stub()? else { return Ok(()) };
        let (Ok(link), Ok(signature)) =
            (Link::try_from(stub.link.as_slice()), Link::try_from(stub.signature.as_slice()))
        else {
            return Ok(());
        };
        if self.made(&signature, |key| key.stub(stub.number, &link)) {
            let signed = for_audit(audit)?.stub(stub.number, &link);
            purge::put_stub(stub.number, &link, &signed)?;
        }
        Ok(())
    }

    /// Protects events anew that the original had protected, but not yet chained, when it was copied.
    fn protect_again(&self, audit: &DataKey) -> Result<(), Error> {
        let mut waiting = Vec::new();
        loop {
            let taken = rows::take_pending()?;
            let is_all = taken.len() < rows::PENDING;
            waiting.extend(taken);
            if is_all {
                break;
            }
        }
        let key = for_audit(audit)?;
        let transaction = transaction::row_id();
        rows::put_pending(waiting.iter().map(|pending| {
            let is_protected = pending.protection.is_some_and(|protection| {
                self.made(&protection, |key| key.protect(pending.transaction, &pending.event))
            });
            let event = pending.event.as_slice();
            (event, is_protected.then(|| key.protect(transaction, event)))
        }))
    }

    /// Whether the original made a hash.
    fn made(&self, link: &Link, make: impl FnOnce(AuditKey<'_>) -> Link) -> bool {
        let key = key_of(link).and_then(|id| self.keys.iter().find(|key| key.id() == id));
        let key = key.and_then(|key| key.for_audit());
        key.is_some_and(|key| same(link, &make(key.under(self.former))))
    }

    /// The event of the adoption. It links to the original's last, so that the chain has no gap where the two meet.
    fn chain(&self, audit: &DataKey, last: i64, before: &Link, original: &str) -> Result<(), Error> {
        let session = Session::acting_for(None);
        let event = Event {
            at: session::now(),
            kind: Kind::Audit,
            is_protected: true,
            action: ADOPT,
            outcome: "committed",
            count: 1,
            who: session.as_who(),
            // The head that the chain continues, and the original whose head it is.
            object: Object {
                digest: Some(before),
                scope: Some("database"),
                owner: Some(original),
                ..Object::default()
            },
        };
        let number = last.checked_add(1).ok_or(Error::Internal("no number is left for an event"))?;
        let link = for_audit(audit)?.link(before, number, &event);
        let mut new = NewRows::begin()?;
        new.push(number, &event, &link)?;
        new.store()
    }
}

/// The key in the one purpose that it is used for here.
fn for_audit(key: &DataKey) -> Result<AuditKey<'_>, Error> {
    key.for_audit().ok_or(Error::Internal("a data key was asked to do what it is not for"))
}
