//! Data keys: unwrapped in the key pages, made when they are first needed. Their rows are in [`wrapped_keys`].
//!
//! What must stay true: nothing is sealed before the keyring has proved to be the one of this database; no key is
//! made where one of its purpose is active; a key is only used after its row was read, or kept from such a reading, and kept
//! only while its row is there and the database is the one it was unwrapped for.

use std::sync::OnceLock;

use hftok_core::audit::checkpoint::{CheckpointKey, VerifierKey};
use hftok_core::audit::mac::{self, AuditKey, Mac};
use hftok_core::data_key::{DataKey, DataKeyId, FingerprintKey, Purpose, ValueKey};
use hftok_core::envelope::Envelope;
use hftok_core::keyring_state::Reason;

use crate::error::Error;
use crate::keys::wrapped_keys::{self, Ids};
use crate::keys::{self, identity, roots};
use crate::pg::rows::declared::statement;
use crate::pg::rows::relations::{self, Matter, Relation};
use crate::pg::rows::remembered::Remembered;
use crate::pg::rows::sql::Run;
use crate::pg::server::key_pages;
use crate::pg::who::session::database;

thread_local! {
    static ACTIVE_KEYS: Remembered<Vec<(Purpose, DataKeyId)>> =
        const { Remembered::new(Matter::ActiveKeys, &[c"data_keys"]) };
    // Filled once this session has dropped the kept keys that the tables no longer have.
    static HEEDED: Remembered<()> =
        const { Remembered::new(Matter::KeptKeys, &[c"data_keys", c"database_identity"]) };
}

/// A function that is told of a key that was made.
type Listener = fn(Purpose, DataKeyId) -> Result<(), Error>;

/// The function that is told when a key is made.
static MADE: OnceLock<Listener> = OnceLock::new();

/// Has a function told of every key that is made here, in the transaction that makes it; from `_PG_init`. It records that, since
/// values depend on the key from then on.
pub fn tell_made(listener: Listener) {
    // Should one be there by now, it is the same.
    let _ = MADE.set(listener);
}

/// Records that a key was made, with the function that does so.
pub fn made(purpose: Purpose, id: DataKeyId) -> Result<(), Error> {
    MADE.get().ok_or(Error::Internal("nobody records that a data key is made"))?(purpose, id)
}

/// Makes the keys that a value is saved with, if there are none. Whoever does it keeps others from it until the transaction ends,
/// so it comes before all that somebody may wait for.
pub fn make_for_values() -> Result<(), Error> {
    active(Purpose::Values)?;
    active(Purpose::Fingerprints).map(|_| ())
}

/// Seals with the installation's active key for values, which is made if there is none.
pub fn sealing<R>(seal: impl FnOnce(ValueKey<'_>) -> Result<R, Error>) -> Result<R, Error> {
    hold()?;
    sealing_with(active(Purpose::Values)?, seal)
}

/// Seals with a certain key.
pub fn sealing_with<R>(
    id: DataKeyId,
    seal: impl FnOnce(ValueKey<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    using(id, |key| seal(key.for_values().ok_or(WRONG_PURPOSE)?))
}

/// Opens with the key that an envelope names. `before` is what must be while its table is asked, which most often it need not be.
pub fn opening<R, G>(
    envelope: &Envelope<'_>,
    before: impl Fn() -> Result<G, Error>,
    open: impl FnOnce(ValueKey<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    let missing = || Error::DataKeyMissing { id: i32::try_from(envelope.key_id()).unwrap_or_default() };
    let id = DataKeyId::of(envelope).ok_or_else(missing)?;
    using_after(id, before, |key| open(key.for_values().ok_or_else(missing)?))
}

/// Fingerprints with the active key, which is made if there is none.
pub fn fingerprinting<R>(make: impl FnOnce(FingerprintKey<'_>) -> R) -> Result<R, Error> {
    hold()?;
    fingerprinting_with(active(Purpose::Fingerprints)?, make)
}

/// Keeps the key that is about to be used from being destroyed before this transaction has ended: it may be retired by then. Comes
/// before the look for the active key, so that whoever holds it after a rotation knows of it.
pub fn hold() -> Result<(), Error> {
    let keys = relations::named(c"data_keys").ok_or(Error::Internal("a table of hftok does not exist"))?;
    relations::hold(keys);
    Ok(())
}

/// Fingerprints with a certain key.
pub fn fingerprinting_with<R>(id: DataKeyId, make: impl FnOnce(FingerprintKey<'_>) -> R) -> Result<R, Error> {
    using(id, |key| key.for_fingerprints().map(make).ok_or(WRONG_PURPOSE))
}

/// The keys that any stored fingerprint may have been made with.
pub fn fingerprint_keys() -> Result<Vec<DataKeyId>, Error> {
    FIND_ALL_OF.with_ids(&[Purpose::Fingerprints.as_str().into()])
}

/// The active key for the audit, which is made if there is none.
pub fn audit_key() -> Result<DataKeyId, Error> {
    active(Purpose::Audit)
}

/// The active key for the audit, if there is one.
pub fn existing_audit_key() -> Result<Option<DataKeyId>, Error> {
    known_active(Purpose::Audit)
}

/// The active key for checkpoints, which is made if there is none.
pub fn checkpoint_key() -> Result<DataKeyId, Error> {
    active(Purpose::Checkpoints)
}

/// The active key for checkpoints, if there is one.
pub fn existing_checkpoint_key() -> Result<Option<DataKeyId>, Error> {
    known_active(Purpose::Checkpoints)
}

/// The keys that any checkpoint may have been signed with.
pub fn checkpoint_keys() -> Result<Vec<DataKeyId>, Error> {
    FIND_ALL_OF.with_ids(&[Purpose::Checkpoints.as_str().into()])
}

/// Works with a certain key for checkpoints.
pub fn signing_checkpoints_with<R>(
    id: DataKeyId,
    work: impl FnOnce(CheckpointKey<'_>) -> R,
) -> Result<R, Error> {
    using(id, |key| key.for_checkpoints().map(work).ok_or(WRONG_PURPOSE))
}

/// The public half of a key for checkpoints, under the name of a log; `None` when it is none of this database.
pub fn known_verifier(id: DataKeyId, origin: &str) -> Result<Option<VerifierKey>, Error> {
    match signing_checkpoints_with(id, |key| key.verifier(origin)) {
        Err(Error::DataKeyMissing { .. } | Error::DataKeyDamaged { .. } | Error::Internal(_)) => Ok(None),
        verifier => verifier.map(Some),
    }
}

/// Every active key and what it is for, from the table.
pub fn active_keys() -> Result<Vec<(Purpose, DataKeyId)>, Error> {
    let keys = FIND_ALL_ACTIVE
        .read(&[], |row| Ok(Purpose::parse(&row.next::<String>()?).zip(DataKeyId::new(row.next()?))))?;
    Ok(keys.into_iter().flatten().collect())
}

/// Works with a certain key for the audit.
pub fn auditing_with<R>(id: DataKeyId, work: impl FnOnce(AuditKey<'_>) -> R) -> Result<R, Error> {
    using(id, |key| key.for_audit().map(work).ok_or(WRONG_PURPOSE))
}

/// Whether a hash was made here, with the key that it names: it may name any.
pub fn was_made(link: &Mac, make: impl FnOnce(AuditKey<'_>) -> Mac) -> Result<bool, Error> {
    let Some(key) = mac::key_of(link) else { return Ok(false) };
    match auditing_with(key, |key| mac::same(link, &make(key))) {
        Err(Error::DataKeyMissing { .. } | Error::DataKeyDamaged { .. } | Error::Internal(_)) => Ok(false),
        made => made,
    }
}

/// A fault of this program, not of anybody's data.
const WRONG_PURPOSE: Error = Error::Internal("a data key was asked to do what it is not for");

/// Uses a data key, which is unwrapped first if it isn't kept.
fn using<R>(id: DataKeyId, f: impl FnOnce(&DataKey) -> Result<R, Error>) -> Result<R, Error> {
    using_after(id, || Ok(()), f)
}

/// Runs `before` ahead of each attempt to use the key, so that what it finds still holds when the key is used.
fn using_after<R, G>(
    id: DataKeyId,
    before: impl Fn() -> Result<G, Error>,
    f: impl FnOnce(&DataKey) -> Result<R, Error>,
) -> Result<R, Error> {
    heed(&before)?;
    let database = database();
    let mut f = Some(f);
    let mut attempt =
        || keys::with(|pages| Ok(pages.data_key(database, id).and_then(|key| f.take().map(|f| f(key)))));
    // Once is enough, unless the keys are wiped, replaced or pushed out between unwrapping and use.
    for _ in 0..100 {
        match attempt() {
            Ok(Some(done)) => return done,
            Ok(None) => {
                let _guard = before()?;
                let (key, home) = (wrapped_keys::usable(id)?, identity::home()?);
                key.unwrap(&home)?;
                // Whoever shut or destroyed it meanwhile may have wiped it before it was kept.
                let unconfirmed = Unconfirmed(id);
                wrapped_keys::usable(id)?;
                std::mem::forget(unconfirmed);
            }
            Err(Error::Sealed(Reason::Loading)) => keys::ready()?,
            Err(error) => return Err(error),
        }
    }
    Err(Error::Sealed(Reason::Loading))
}

/// A key that was just kept. Dropped, it is wiped again.
struct Unconfirmed(DataKeyId);

impl Drop for Unconfirmed {
    fn drop(&mut self) {
        key_pages::change(|_, pages| pages.retain(database(), |key| key.id() != self.0));
    }
}

/// Has keys forgotten that were destroyed or removed, or unwrapped for another identity, since this session looked. Every
/// session does it, because whoever changes the tables is not the last to use the keys: others may do so until it commits, and
/// on a standby nobody changes anything. Postgres tells all of them.
fn heed<G>(before: impl Fn() -> Result<G, Error>) -> Result<(), Error> {
    // A caller that opens or seals a value has locked its table just now.
    if HEEDED.with(Remembered::is_kept) {
        return Ok(());
    }
    let look = |_: &[Relation]| {
        let _guard = before()?;
        let kept = key_pages::look(|_, pages| pages.ids(database())).unwrap_or_default();
        let ids = wrapped_keys::still_usable(&kept)?;
        let identity = match (keys::installation(), identity::stored()?) {
            (Ok(installation), Some(lineage)) => Some(lineage.here(database(), &installation)),
            _ => None,
        };
        let needed = roots::needed()?;
        key_pages::change(|header, pages| {
            // One that came meanwhile was read again after it was kept.
            let is_usable = |key: &DataKey| !kept.contains(&key.id()) || ids.contains(&key.id());
            pages.retain(database(), |key| is_usable(key) && identity.as_ref() == Some(key.identity()));
            if !roots::are_open() {
                header.in_use.keep(database(), &needed);
            }
        });
        Ok(())
    };
    HEEDED.with(|heeded| heeded.now(look)).map(|_| ())
}

/// The active key's number; the first use of a purpose makes its key.
fn active(purpose: Purpose) -> Result<DataKeyId, Error> {
    keys::ready()?;
    match known_active(purpose)? {
        Some(id) => Ok(id),
        None => make(purpose),
    }
}

/// The active key's number, if there is one; seldom with a look at the table.
fn known_active(purpose: Purpose) -> Result<Option<DataKeyId>, Error> {
    let active = ACTIVE_KEYS.with(|active| active.now(|_| active_keys()))?;
    Ok(active.iter().find(|(of, _)| *of == purpose).map(|(_, id)| *id))
}

/// Makes the first key of its purpose, alone: others that come to do the same wait, and then find it.
fn make(purpose: Purpose) -> Result<DataKeyId, Error> {
    LOCK_TABLE.execute(&[])?;
    if let Some(id) = FIND_ACTIVE.with_ids(&[purpose.as_str().into()])?.first() {
        return Ok(*id);
    }
    let home = identity::home_or_first()?;
    // A keyring that is not this database's must be noticed before a row is written, not after.
    for (_, id) in active_keys()? {
        wrapped_keys::stored(id)?.unwrap(&home)?;
    }
    home.refuse_copy()?;
    let id = wrapped_keys::draw(purpose, "", false, &home.identity())?;
    made(purpose, id)?;
    // Whoever makes one of the audit's keys makes the other: the writer, which needs both, then never makes one on its own.
    if purpose == Purpose::Audit {
        active(Purpose::Checkpoints)?;
    }
    Ok(id)
}

/// Keeps others from making keys until the transaction ends. Nobody is kept from shutting a key, or from forgetting whom it belongs to.
pub fn lock() -> Result<(), Error> {
    LOCK_TABLE.execute(&[]).map(|_| ())
}

/// Keeps others from changing any key until the transaction ends: for work on many rows, which would meet theirs in another order.
pub fn lock_alone() -> Result<(), Error> {
    LOCK_TABLE_ALONE.execute(&[]).map(|_| ())
}

statement! {
    /// The key that new values are sealed with.
    FIND_ACTIVE(TEXT) =
        "SELECT k.id FROM hftok_private.data_keys k WHERE k.purpose = $1 AND k.org_id = '' AND k.state = 'active'";

    /// Every key that values may still be sealed with.
    FIND_ALL_OF(TEXT) =
        "SELECT k.id FROM hftok_private.data_keys k WHERE k.purpose = $1 AND k.state <> 'destroyed'";

    /// The active key of the installation for each purpose. By the index, as there may be as many others as organisations.
    FIND_ALL_ACTIVE() =
        "SELECT k.purpose, k.id FROM hftok_private.data_keys k
        WHERE k.purpose = ANY ('{values,audit,fingerprints,checkpoints}') AND k.org_id = '' AND k.state = 'active'";

    /// One maker at a time. An open rotation must not hold up an organisation that seals its key.
    LOCK_TABLE() = "LOCK TABLE hftok_private.data_keys IN SHARE UPDATE EXCLUSIVE MODE";

    /// Readers are not kept out.
    LOCK_TABLE_ALONE() = "LOCK TABLE hftok_private.data_keys IN SHARE ROW EXCLUSIVE MODE";
}
