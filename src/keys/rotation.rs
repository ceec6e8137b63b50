//! Rotation: data keys are wrapped by another root key, or take turns themselves.
//!
//! What must stay true: a data key never leaves this process but wrapped, and what a rotation leaves behind is wiped.

use hftok_core::data_key::{DataKeyId, Purpose};

use std::cell::Cell;

use crate::error::Error;
use crate::keys::{self, data_keys, identity, roots, wrapped_keys};
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::server::transaction::{self, End, Listener};
use crate::pg::server::{audit_queue, server_log, visits};
use crate::pg::who::session::database;

thread_local! {
    // Depth of the subtransaction that has rotated data keys; 0 when none has.
    static ROTATING: Cell<i32> = const { Cell::new(0) };
}

/// The outcome of a rotation of the root key.
pub struct Rewrapped {
    /// The primary root key.
    pub root: i32,
    /// The number of data keys that it wraps from now on, and did not before.
    pub count: i32,
}

/// Wraps every data key by the primary root key that another one wraps. A key that does not open is left, unless values are sealed
/// with it.
pub fn rewrap_all() -> Result<Rewrapped, Error> {
    keys::ready()?;
    data_keys::lock_alone()?;
    let (root, fingerprint) = wrapped_keys::primary()?;
    let mut rewrapped = Rewrapped { root: root.get(), count: 0 };
    if identity::stored()?.is_none() {
        return Ok(rewrapped);
    }
    let home = identity::home()?;
    home.refuse_copy()?;
    let others = FIND_OTHERS.read(&[root.get().into(), fingerprint.as_bytes().as_slice().into()], |row| {
        Ok((DataKeyId::new(row.next()?).ok_or(NO_ID)?, row.next::<bool>()?))
    })?;
    for (id, is_active) in others {
        // One at a time, wiped after each. What an organisation's own key has wrapped stays so.
        match wrapped_keys::unwrap_for(id, &[home.identity()]) {
            Ok(key) => wrapped_keys::wrap_anew(&key, &home.identity())?,
            Err(error @ (Error::DataKeyDamaged { .. } | Error::WrongRoot { .. })) if !is_active => {
                let reason = error.report(|| false).detail.unwrap_or_default();
                server_log::warning(&format!("hftok: data key {} is left as it is: {reason}", id.get()));
                continue;
            }
            Err(error) => return Err(error),
        }
        rewrapped.count += 1;
    }
    roots::note()?;
    roots::rewrapped()?;
    Ok(rewrapped)
}

/// Draws new data keys for what is sealed from now on: of the installation, with one for fingerprints, or of an organisation that has
/// one of its own. Whatever the former ones sealed is sealed anew in the background, once the transaction is committed. Gives the id of
/// the new key for values. An organisation's own key wraps the new one if it wrapped the former, or if it is to from now on.
pub fn renew(org: &str, is_by_org: bool) -> Result<DataKeyId, Error> {
    keys::ready()?;
    data_keys::lock()?;
    let purposes: &[Purpose] =
        if org.is_empty() { &[Purpose::Values, Purpose::Fingerprints] } else { &[Purpose::Values] };
    if org.is_empty() {
        // A database without keys has them now, which is as good.
        data_keys::make_for_values()?;
    }
    let home = identity::home()?;
    home.refuse_copy()?;
    let mut renewed = None;
    for purpose in purposes {
        let retired = RETIRE.write_one(&[purpose.as_str().into(), org.into()], |row| {
            Ok((DataKeyId::new(row.next()?).ok_or(NO_ID)?, row.next::<bool>()?))
        })?;
        let (retired, was_by_org) =
            retired.ok_or(Error::BadInput("this organisation has no data key of its own"))?;
        // A keyring that is not this database's must be noticed before a key is drawn, not after.
        wrapped_keys::usable(retired)?.check(&home)?;
        let id = wrapped_keys::draw(*purpose, org, is_by_org || was_by_org, &home.identity())?;
        data_keys::made(*purpose, id)?;
        renewed = renewed.or(Some(id));
    }
    NOTE_RETIRED.execute(&[])?;
    ROTATING.set(transaction::depth());
    transaction::tell(Listener::Rotations, ended);
    renewed.ok_or(Error::Internal("a rotation made no key"))
}

/// Told at the end of every transaction, and of every part of one. A rotation that was prepared is found by the launcher, which looks
/// everywhere from time to time.
fn ended(end: End) {
    let depth = ROTATING.get();
    ROTATING.set(end.leaves(depth));
    if depth > 0 && end == End::Committed {
        visits::ask(database());
        audit_queue::call_launcher();
    }
}

/// A fault of the table.
const NO_ID: Error = Error::Internal("a data key has an id that none can have");

statement! {
    /// By number and fingerprint: a keyring may give another key the same number.
    FIND_OTHERS(INT4, BYTEA) =
        "SELECT k.id, k.state = 'active' FROM hftok_private.data_keys k
        WHERE k.state <> 'destroyed' AND (k.root_key_id <> $1 OR k.root_fingerprint <> $2) ORDER BY k.id";

    /// The active key steps back; it still opens.
    RETIRE(TEXT, TEXT) =
        "UPDATE hftok_private.data_keys k SET state = 'retiring'
        WHERE k.purpose = $1 AND k.org_id = $2 AND k.state = 'active' RETURNING k.id, k.by_org";

    /// Those too that stepped back when the database was adopted.
    NOTE_RETIRED() =
        "INSERT INTO hftok_private.rotations (key_id, purpose, org_id)
        SELECT k.id, k.purpose, k.org_id FROM hftok_private.data_keys k
        WHERE k.state = 'retiring' AND k.purpose IN ('values', 'fingerprints')
        ON CONFLICT (key_id) DO NOTHING";
}
