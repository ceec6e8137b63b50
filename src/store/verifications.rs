//! Integrations that somebody is about to verify: which want it, and that they are taken.
//!
//! What must stay true: a row that was taken is not given to anybody else meanwhile, and one that is switched off to nobody.

use pgrx::datum::Uuid;

use crate::error::Error;
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::store::integrations;

/// An integration that was taken.
pub struct Taken {
    /// Its id.
    pub id: Uuid,
    /// Its credentials.
    pub secret_id: Uuid,
    /// The provider.
    pub provider: String,
    /// The user on whose behalf its credentials are read: its owner, or one of the owners of its organisation.
    pub user: Option<String>,
    /// The organisation that owns it.
    pub org: Option<String>,
    /// The version of its credentials.
    pub version: i32,
    /// What the provider said of this version before.
    pub verdict: Option<String>,
}

/// Takes those of these providers that want it, as many at most; first those of which nothing is known.
pub fn take_due(providers: &[String], most: i32, older_than_seconds: i32) -> Result<Vec<Taken>, Error> {
    let mut ids = TAKE_UNKNOWN.write(&[providers.to_vec().into(), most.into()], taken)?;
    let left = most.saturating_sub(i32::try_from(ids.len()).unwrap_or(most));
    if left > 0 {
        let due = [providers.to_vec().into(), left.into(), older_than_seconds.into()];
        ids.extend(TAKE_KNOWN.write(&due, taken)?);
    }
    find(ids)
}

/// Takes one, unless it is switched off by now.
pub fn take(id: Uuid) -> Result<Vec<Taken>, Error> {
    find(TAKE_ONE.write(&[id.into()], taken)?)
}

/// Records that one is verifying, if that is new, and gives its id.
fn taken(row: &Row<'_>) -> Result<Uuid, Error> {
    integrations::told_if(row.next()?, row)
}

/// What is to be known of those that were taken. Read afterwards, because whoever replaced the credentials just before is done by then.
fn find(ids: Vec<Uuid>) -> Result<Vec<Taken>, Error> {
    FIND_TAKEN.read(&[ids.into()], |row| {
        Ok(Taken {
            id: row.next()?,
            secret_id: row.next()?,
            provider: row.next()?,
            user: row.next()?,
            org: row.next()?,
            version: row.next()?,
            verdict: row.next()?,
        })
    })
}

/// Takes the rows of `due`. A status that is not in doubt stays until there is an answer: whoever uses the connection goes on.
macro_rules! take {
    () => {
        "UPDATE hftok_private.integrations i SET
        status = CASE i.status WHEN 'pending' THEN 'verifying' ELSE i.status END,
        updated_at = CASE WHEN i.status IN ('pending', 'verifying') THEN pg_catalog.now() ELSE i.updated_at END,
        last_tested_at = pg_catalog.now()
        FROM due WHERE i.id = due.id
        RETURNING due.status = 'pending', i.id, i.org_id IS NOT NULL, coalesce(i.org_id, i.user_id), i.type, i.status,
            hftok_private.state_of_integration(i)"
    };
}

/// The rows of each provider in the order of the index, locked by nobody and not at rest. Asked with NOT EXISTS, Postgres would read
/// all secrets once, whatever their number.
macro_rules! due {
    ($which:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (
            SELECT n.id, n.status FROM pg_catalog.unnest($1) p (type) CROSS JOIN LATERAL (
                SELECT i.id, i.status FROM hftok_private.integrations i WHERE i.type = p.type AND i.enabled AND ",
            $which,
            " AND coalesce(
                    (SELECT s.rested_until FROM hftok_private.secrets s WHERE s.id = i.secret_id), '-infinity'
                ) <= pg_catalog.now()
                ORDER BY i.last_tested_at LIMIT $2 FOR UPDATE OF i SKIP LOCKED
            ) n LIMIT $2) "
        )
    };
}

statement! {
    /// Those of which nothing is known, and those whose verifier says nothing any more.
    TAKE_UNKNOWN(TEXTARRAY, INT4) =
        due!("i.status IN ('pending', 'verifying') AND i.last_tested_at < pg_catalog.now() - interval '10 minutes'"), take!();

    /// Those that were tested too long ago.
    TAKE_KNOWN(TEXTARRAY, INT4, INT4) =
        due!("i.status IN ('connected', 'error') AND i.last_tested_at < pg_catalog.now() - pg_catalog.make_interval(secs => $3)"),
        take!();

    /// One, whenever it was tested.
    TAKE_ONE(UUID) =
        "WITH due AS MATERIALIZED (
            SELECT i.id, i.status FROM hftok_private.integrations i
            WHERE i.id = $1 AND i.enabled AND i.status <> 'disabled' FOR UPDATE
        ) ", take!();

    /// With the owners of an organisation first among its members.
    FIND_TAKEN(UUIDARRAY) =
        "SELECT i.id, i.secret_id, i.type, coalesce(i.user_id, (
            SELECT m.user_id FROM hftok_private.members m WHERE m.org_id = i.org_id
            ORDER BY m.role <> 'owner', m.role <> 'admin', m.user_id LIMIT 1
        )), i.org_id, s.version, s.verdict
        FROM hftok_private.integrations i JOIN hftok_private.secrets s ON s.id = i.secret_id WHERE i.id = ANY ($1)";
}
