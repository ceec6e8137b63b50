//! The values of an organisation, sealed anew when it is given a data key of its own.

use hftok_core::binding::Scope;
use pgrx::datum::Uuid;

use super::row::{SealedRow, sealed_row};
use crate::error::Error;
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;

/// Seals all values of an organisation with the key that is active for it, former versions too, in this transaction. The caller has
/// locked the organisation.
pub fn seal_anew(org: &str) -> Result<(), Error> {
    let scopes = [Scope::Org, Scope::OrgIntegration].map(|scope| scope.as_str().to_owned()).to_vec();
    for (take, put) in [(&TAKE_SECRETS, &PUT_SECRET), (&TAKE_VERSIONS, &PUT_VERSION)] {
        let anew = |row: &Row<'_>| {
            let mut sealed = SealedRow::read(row)?;
            let value = sealed.open()?;
            sealed.seal(&value.as_ref())?;
            Ok((sealed.id, sealed.version, sealed.sealed))
        };
        let rows: Vec<(Uuid, i32, Vec<u8>)> = take.write(&[scopes.clone().into(), org.into()], anew)?;
        for (id, version, sealed) in rows {
            put.execute(&[id.into(), version.into(), sealed.as_slice().into()])?;
        }
    }
    Ok(())
}

statement! {
    /// In the order in which whoever forgets an organisation locks them.
    TAKE_SECRETS(TEXTARRAY, TEXT) =
        "SELECT ", sealed_row!("t", "id"), "
        FROM hftok_private.secrets t WHERE t.scope = ANY ($1) AND t.scope_id = $2 ORDER BY t.id FOR UPDATE";

    /// Their secrets are locked.
    TAKE_VERSIONS(TEXTARRAY, TEXT) =
        "SELECT ", sealed_row!("t", "secret_id"), "
        FROM hftok_private.secret_versions t WHERE t.secret_id IN (
            SELECT s.id FROM hftok_private.secrets s WHERE s.scope = ANY ($1) AND s.scope_id = $2
        ) FOR UPDATE";

    /// Neither the version nor anything that is said of it changes.
    PUT_SECRET(UUID, INT4, BYTEA) =
        "UPDATE hftok_private.secrets s SET sealed = $3 WHERE s.id = $1 AND s.version = $2";

    /// The same of a previous version.
    PUT_VERSION(UUID, INT4, BYTEA) =
        "UPDATE hftok_private.secret_versions v SET sealed = $3 WHERE v.secret_id = $1 AND v.version = $2";
}
