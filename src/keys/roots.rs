//! Root keys as this database uses them: which of them wrap its data keys now, and which did so at what time.
//!
//! What must stay true: a root key counts as needed until the transaction that rewraps the last data key is committed, and no longer.

use std::cell::RefCell;

use hftok_core::keyring_state::Root;
use hftok_core::root_key::{RootFingerprint, RootKeyId};

use crate::error::Error;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::server::key_pages;
use crate::pg::server::transaction::{self, End, Listener};
use crate::pg::who::session::database;

thread_local! {
    // The root keys that are needed once the transaction that is running is committed, if it rewraps, and its part that does.
    static REWRAPPING: RefCell<Option<(i32, Vec<Root>)>> = const { RefCell::new(None) };
}

/// The root keys that wrap data keys.
pub fn needed() -> Result<Vec<Root>, Error> {
    let found = FIND_NEEDED.read(&[], |row| {
        Ok(RootKeyId::new(row.next()?).zip(RootFingerprint::of_stored(&row.next::<Vec<u8>>()?)))
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// Writes down which root keys wrap data keys from now on, and which no longer do. Whoever changes data keys calls it afterwards.
pub fn note() -> Result<(), Error> {
    ADD_ROOTS.execute(&[])?;
    REVIVE_ROOTS.execute(&[])?;
    END_ROOTS.execute(&[]).map(|_| ())
}

/// Has the server told, once the transaction is committed, that this database needs no root key but those that wrap data keys now.
pub fn rewrapped() -> Result<(), Error> {
    let needed = needed()?;
    REWRAPPING.replace(Some((transaction::depth(), needed)));
    transaction::tell(Listener::Roots, ended);
    Ok(())
}

/// Whether the transaction that is running rewraps: what it sees of data keys may yet be rolled back.
pub fn are_open() -> bool {
    REWRAPPING.with_borrow(Option::is_some)
}

/// Told at the end of every transaction, and of every part of one.
fn ended(end: End) {
    // Whoever commits a prepared transaction knows nothing of this; the next session that uses a key does.
    REWRAPPING.with_borrow_mut(|open| {
        if let Some((depth, needed)) = open {
            if end == End::Committed {
                key_pages::change(|header, _| header.in_use.keep(database(), needed));
            }
            *depth = end.leaves(*depth);
        }
        open.take_if(|(depth, _)| *depth == 0);
    });
}

/// A statement's beginning: the root keys that wrap data keys. From one to the next by the index, as every session asks after each
/// change of data keys, and each organisation may have one.
macro_rules! needed {
    ($($then:literal)*) => {
        concat!(
            "WITH RECURSIVE needed AS (
            (SELECT k.root_key_id, k.root_fingerprint FROM hftok_private.data_keys k
             WHERE k.state <> 'destroyed' ORDER BY k.root_key_id, k.root_fingerprint LIMIT 1)
            UNION ALL
            SELECT next.root_key_id, next.root_fingerprint FROM needed n CROSS JOIN LATERAL
            (SELECT k.root_key_id, k.root_fingerprint FROM hftok_private.data_keys k
             WHERE k.state <> 'destroyed' AND (k.root_key_id, k.root_fingerprint) > (n.root_key_id, n.root_fingerprint)
             ORDER BY k.root_key_id, k.root_fingerprint LIMIT 1) next
            ) ",
            $($then)*
        )
    };
}

statement! {
    /// A destroyed key is wrapped by none.
    FIND_NEEDED() = needed!("SELECT n.root_key_id, n.root_fingerprint FROM needed n");

    /// The clock, since a transaction may have begun long before.
    ADD_ROOTS() = needed!(
        "INSERT INTO hftok_private.root_keys (id, fingerprint, first_at)
        SELECT n.root_key_id, n.root_fingerprint, pg_catalog.statement_timestamp() FROM needed n
        ON CONFLICT (id, fingerprint) DO NOTHING");

    /// Apart from the others: whoever only notes what is known already locks no row of it, and nobody waits for them.
    REVIVE_ROOTS() =
        "UPDATE hftok_private.root_keys r SET last_at = NULL
        WHERE r.last_at IS NOT NULL AND EXISTS (
            SELECT FROM hftok_private.data_keys k
            WHERE k.root_key_id = r.id AND k.root_fingerprint = r.fingerprint AND k.state <> 'destroyed')";

    /// A backup that is taken before this transaction is committed still has the former wraps.
    END_ROOTS() =
        "UPDATE hftok_private.root_keys r SET last_at = pg_catalog.clock_timestamp()
        WHERE r.last_at IS NULL AND NOT EXISTS (
            SELECT FROM hftok_private.data_keys k
            WHERE k.root_key_id = r.id AND k.root_fingerprint = r.fingerprint AND k.state <> 'destroyed')";
}
