//! Rotation: data keys are wrapped by another root key, or take turns themselves.
//!
//! What must stay true: a data key never leaves this process but wrapped, and what a rotation leaves behind is wiped.

use hftok_core::data_key::{DataKey, DataKeyId};

use crate::error::Error;
use crate::keys::{self, data_keys, identity, roots, wrapped_keys};
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::server::server_log;

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
    data_keys::lock()?;
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
        // One at a time, wiped after each.
        let mut key = Box::new(DataKey::EMPTY);
        match wrapped_keys::unwrap_into(&mut key, id, &[home.identity()]) {
            Ok(()) => wrapped_keys::wrap_anew(&key, &home.identity())?,
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

/// A fault of the table.
const NO_ID: Error = Error::Internal("a data key has an id that none can have");

statement! {
    /// By number and fingerprint: a keyring may give another key the same number.
    FIND_OTHERS(INT4, BYTEA) =
        "SELECT k.id, k.state = 'active' FROM hftok_private.data_keys k
        WHERE k.state <> 'destroyed' AND (k.root_key_id <> $1 OR k.root_fingerprint <> $2) ORDER BY k.id";
}
