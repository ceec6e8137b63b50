//! Events that wait in `audit_pending`, each with the protection that its transaction gave it.

use hftok_core::audit::event::Event;
use hftok_core::audit::mac::{Mac, RunKey, same};
use hftok_core::audit::record::Scratch;
use pgrx::pg_sys::{BYTEAOID, TIMESTAMPTZOID};

use super::action::PURGE;
use super::tables::{bounded, table, time};
use crate::error::Error;
use crate::keys::data_keys;
use crate::pg::rows::append::Append;
use crate::pg::rows::columns::Row;
use crate::pg::rows::cursor::Walk;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::server::key_pages::run_key;
use crate::pg::server::transaction;
use crate::pg::who::session::{self, database};

/// Events that are taken out of `audit_pending` at a time.
pub const PENDING: i64 = 2000;

/// An event that lay in `audit_pending`.
pub struct Pending {
    /// The event, encoded; empty where what lay there is longer than an event can be.
    pub event: Vec<u8>,
    /// The protection, if there is one.
    pub protection: Option<Mac>,
    /// The transaction that put it there.
    pub transaction: u64,
}

/// Takes so many events out of `audit_pending`, the oldest first.
pub fn take_pending(most: i64) -> Result<Vec<Pending>, Error> {
    TAKE_PENDING_ROWS.write(&[most.into()], Pending::read)
}

impl Pending {
    /// The event, with its protection and the transaction that wrote it.
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self::new(row.next()?, row.next::<Option<Vec<u8>>>()?.as_deref(), row.next()?))
    }

    /// Makes one of a row of the table.
    pub fn new(event: Vec<u8>, protection: Option<&[u8]>, xmin: i64) -> Self {
        Self {
            event,
            protection: protection.and_then(|bytes| Mac::try_from(bytes).ok()),
            transaction: transaction::whole_id(u32::try_from(xmin).unwrap_or_default()),
        }
    }

    /// Whether hftok put it there with a key. An event without a key may be true as well: a server that was restarted while it
    /// was sealed has forgotten the key of the run before.
    pub fn is_protected(&self) -> Result<bool, Error> {
        let Some(link) = &self.protection else { return Ok(false) };
        if RunKey::is_named_by(link) {
            let own = protection_of_run(self.transaction, &self.event);
            return Ok(own.is_some_and(|own| same(&own, link)));
        }
        match data_keys::was_made(link, |key| key.protect(self.transaction, &self.event)) {
            // The event may name any key, also one that nobody has.
            Err(Error::WrongRoot { .. }) => Ok(false),
            made => made,
        }
    }
}

/// The protection of an event in the table while there is no data key for it.
pub fn protection_of_run(transaction: u64, event: &[u8]) -> Option<Mac> {
    run_key()?.protect(database(), transaction, event)
}

/// Leaves events in `audit_pending`, each with its protection.
pub fn put_pending<'a>(events: impl Iterator<Item = (&'a [u8], Option<Mac>)>) -> Result<(), Error> {
    let mut new = Append::begin(table(c"audit_pending")?, &[TIMESTAMPTZOID, BYTEAOID, BYTEAOID])?;
    for (event, protection) in events {
        new.row([time(session::now())?.into(), event.into(), protection.map(|link| link.to_vec()).into()])?;
    }
    new.finish()
}

/// Whether an event that waits tells of a purge up to this event.
pub fn tells_of_purge(last: &str) -> Result<bool, Error> {
    let mut is_told = false;
    READ_PENDING_ROWS.walk_latest(&[], |row| {
        let pending = Pending::read(row)?;
        let mut scratch = Scratch::default();
        let tells = |event: Event<'_>| event.action == PURGE && event.object.owner == Some(last);
        let is_one = Event::decode(&pending.event, &mut scratch).is_some_and(tells);
        is_told = is_told || is_one && pending.is_protected()?;
        Ok(())
    })?;
    Ok(is_told)
}

statement! {
    /// Deletes the rows that it takes in the same step. Rows of others that are not committed yet are not seen, and rows that
    /// somebody has locked are left for later.
    TAKE_PENDING_ROWS(INT8) =
        "WITH taken AS (
            DELETE FROM hftok_private.audit_pending p
            WHERE p.ctid = ANY (ARRAY(SELECT o.ctid FROM hftok_private.audit_pending o ORDER BY o.at LIMIT $1
                FOR UPDATE SKIP LOCKED))
            RETURNING p.at, ", bounded!("p.event", 16384), " AS event, ", bounded!("p.protection", 36), " AS protection,
                p.xmin::text::bigint AS transaction
        ) SELECT t.event, t.protection, t.transaction FROM taken t ORDER BY t.at";

    /// Reads without taking, for a verifier on a standby.
    READ_PENDING_ROWS() =
        "SELECT ", bounded!("p.event", 16384), ", ", bounded!("p.protection", 36), ", p.xmin::text::bigint
        FROM hftok_private.audit_pending p";
}
