//! Checkpoints as they are stored. The newest one says where the log ends.

use hftok_core::audit::checkpoint::{Checkpoint, Signed, VerifierKey};
use hftok_core::audit::leaf::Hash;
use hftok_core::data_key::DataKeyId;

use super::tables::bounded;
use crate::error::Error;
use crate::keys::data_keys;
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::server::audit_queue;
use crate::pg::who::session::database;

/// A checkpoint as it is stored, right or wrong.
pub struct StoredCheckpoint {
    /// The number of events.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
    /// The key that signed it.
    pub key: Option<DataKeyId>,
    /// The signature.
    pub signature: Signed,
}

impl StoredCheckpoint {
    /// The newest one.
    pub fn newest() -> Result<Option<Self>, Error> {
        Ok(FIND_NEWEST.read_one(&[], Self::read)?.flatten())
    }

    /// The newest one and the greatest number that an event has, as they were at the same moment.
    pub fn newest_and_last() -> Result<(Option<Self>, i64), Error> {
        FIND_END.read_single(&[], |row| Ok((Self::read(row)?, row.next()?)))
    }

    /// The checkpoint of a row, if there is one.
    fn read(row: &Row<'_>) -> Result<Option<Self>, Error> {
        let bytes = || Ok::<_, Error>(row.next::<Option<Vec<u8>>>()?.unwrap_or_default());
        let size: Option<i64> = row.next()?;
        let root = Hash::try_from(bytes()?.as_slice()).unwrap_or_default();
        let key = row.next::<Option<i32>>()?.and_then(DataKeyId::new);
        let signature = Signed::try_from(bytes()?.as_slice()).unwrap_or([0; 64]);
        Ok(size.map(|size| Self { size: size.cast_unsigned(), root, key, signature }))
    }

    /// The checkpoint that it is of the log with this name.
    pub fn of(&self, origin: String) -> Checkpoint {
        Checkpoint { origin, size: self.size, root: self.root }
    }

    /// The public key that it names, under the name of a log, if that is a key of this database.
    pub fn verifier(&self, origin: &str) -> Result<Option<VerifierKey>, Error> {
        let Some(key) = self.key else { return Ok(None) };
        data_keys::known_verifier(key, origin)
    }

    /// Whether this database has signed it.
    pub fn is_signed(&self, origin: &str) -> Result<bool, Error> {
        let verifier = self.verifier(origin)?;
        Ok(verifier.is_some_and(|key| key.has_signed(&self.of(origin.to_owned()), &self.signature)))
    }
}

/// The newest checkpoint that a condition holds for. Some are read at a time, however many somebody has forged.
pub fn newest_that(
    mut holds: impl FnMut(&StoredCheckpoint) -> Result<bool, Error>,
) -> Result<Option<StoredCheckpoint>, Error> {
    let mut until = i64::MAX;
    loop {
        let checkpoints: Vec<_> =
            FIND_MANY.read(&[until.into()], StoredCheckpoint::read)?.into_iter().flatten().collect();
        let Some(oldest) = checkpoints.last() else { return Ok(None) };
        until = oldest.size.cast_signed().saturating_sub(1);
        for checkpoint in checkpoints {
            if holds(&checkpoint)? {
                return Ok(Some(checkpoint));
            }
        }
    }
}

/// The greatest number that an event has. Nobody reaches the upper bound by counting.
pub fn last() -> Result<i64, Error> {
    FIND_LAST.read_single(&[], |row| row.next())
}

/// The number of events that the log of a generation had once, as far as the server knows since its start.
pub fn known_size(generation: &[u8; 16]) -> u64 {
    let end = audit_queue::look(|header| header.lane(database()).map(|lane| header.lanes[lane].log_end));
    end.flatten().filter(|end| end.generation == *generation).map_or(0, |end| end.size)
}

/// Removes checkpoints that nobody needs.
pub fn tidy() -> Result<(), Error> {
    DELETE_OLD.execute(&[]).map(|_| ())
}

/// The columns of a checkpoint.
macro_rules! checkpoint {
    () => {
        concat!("c.size, ", bounded!("c.root", 32), ", c.key_id, ", bounded!("c.signature", 64))
    };
}

statement! {
    /// Finds the newest checkpoint.
    FIND_NEWEST() =
        "SELECT ", checkpoint!(), " FROM hftok_private.audit_checkpoints c
        ORDER BY c.size DESC LIMIT 1";

    /// Finds the newest ones.
    FIND_MANY(INT8) =
        "SELECT ", checkpoint!(), " FROM hftok_private.audit_checkpoints c
        WHERE c.size BETWEEN 1 AND $1 ORDER BY c.size DESC LIMIT 1000";

    /// Finds both at one moment: a writer that commits between two statements would look like damage.
    FIND_END() =
        "SELECT ", checkpoint!(), ", l.last FROM (SELECT greatest(
            (SELECT max(a.id) FROM hftok_private.audit a), (SELECT max(b.last_id) FROM hftok_private.audit_bundles b), 0) AS last) l
        LEFT JOIN hftok_private.audit_checkpoints c ON c.size = (SELECT max(n.size) FROM hftok_private.audit_checkpoints n) LIMIT 1";

    /// Finds the greatest number of an event.
    FIND_LAST() =
        "SELECT greatest((SELECT max(a.id) FROM hftok_private.audit a),
        (SELECT max(b.last_id) FROM hftok_private.audit_bundles b), 0)";

    /// Removes checkpoints that nobody needs: the newest stays, and the first of each day. Rows that somebody has locked are left.
    DELETE_OLD() =
        "DELETE FROM hftok_private.audit_checkpoints c WHERE c.ctid = ANY (ARRAY(
        SELECT o.ctid FROM hftok_private.audit_checkpoints o
        WHERE o.size < (SELECT max(n.size) FROM hftok_private.audit_checkpoints n) AND o.size NOT IN (
            SELECT min(f.size) FROM hftok_private.audit_checkpoints f GROUP BY date_trunc('day', f.at, 'UTC'))
        FOR UPDATE SKIP LOCKED))";
}
