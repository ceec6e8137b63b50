//! Runner tokens: each stands for a request that a worker may make, and for its answer.
//!
//! What must stay true: a row counts only if hftok signed it, because it decides whose credentials a worker is given; and one
//! that was revoked has lost its signature, so that taking the mark of it away does not bring it back.

use hftok_core::audit::mac::Mac;
use hftok_core::runner_token::TokenHash;
use pgrx::datum::{TimestampWithTimeZone, Uuid};
use serde_json::json;

use crate::error::Error;
use crate::keys::data_keys;
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::rows::texts::Texts;
use crate::store::row::microseconds;

/// The request that a token stands for.
#[derive(Default)]
pub struct StandsFor {
    /// The providers; all when none are named.
    pub providers: Option<Vec<String>>,
    /// The user.
    pub user: Option<String>,
    /// The organisation.
    pub org: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The levels; all when none are named.
    pub levels: Option<Vec<String>>,
}

/// A token that may be used now.
pub struct RunnerToken {
    /// Its id, by which everybody but its bearer knows it.
    pub id: Uuid,
    /// The request that it stands for.
    pub stands_for: StandsFor,
}

/// A row as it is stored.
struct Stored {
    /// The token.
    token: RunnerToken,
    /// SHA-256 of it.
    hash: Vec<u8>,
    /// When it ends.
    expires_at: Option<TimestampWithTimeZone>,
    /// Over all of these.
    signature: Vec<u8>,
}

impl StandsFor {
    /// As text: the same for requests that are the same.
    pub fn as_text(&self) -> String {
        json!([self.providers, self.user, self.org, self.model, self.levels]).to_string()
    }
}

impl Stored {
    /// Reads the columns of a statement below.
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        let id = row.next()?;
        let providers: Option<Texts> = row.next()?;
        let (user, org, model) = (row.next()?, row.next()?, row.next()?);
        let levels: Option<Texts> = row.next()?;
        let (providers, levels) = (providers.map(|list| list.0), levels.map(|list| list.0));
        let stands_for = StandsFor { providers, user, org, model, levels };
        let token = RunnerToken { id, stands_for };
        Ok(Self { token, hash: row.next()?, expires_at: row.next()?, signature: row.next()? })
    }

    /// Whether hftok signed it as it is.
    fn is_signed(&self) -> Result<bool, Error> {
        let Ok(signature) = Mac::try_from(self.signature.as_slice()) else { return Ok(false) };
        let said = said(&self.token.stands_for, self.expires_at);
        let id = self.token.id.as_bytes();
        data_keys::was_made(&signature, |key| key.runner_token(id, &self.hash, &said))
    }
}

/// Everything that is signed of a token but its id and hash.
fn said(stands_for: &StandsFor, expires_at: Option<TimestampWithTimeZone>) -> String {
    json!([stands_for.as_text(), expires_at.map(microseconds)]).to_string()
}

/// Stores a token by its hash, and gives its id and its signature.
pub fn put(
    label: &str,
    hash: &TokenHash,
    stands_for: &StandsFor,
    expires_at: Option<TimestampWithTimeZone>,
) -> Result<(Uuid, Mac), Error> {
    let id = Uuid::from_bytes(hftok_core::random()?);
    let said = said(stands_for, expires_at);
    let key = data_keys::audit_key()?;
    let signature = data_keys::auditing_with(key, |key| key.runner_token(id.as_bytes(), hash, &said))?;
    let row = Put {
        id: id.into(),
        label: label.into(),
        hash: hash.as_slice().into(),
        providers: stands_for.providers.clone().into(),
        user: stands_for.user.as_deref().into(),
        org: stands_for.org.as_deref().into(),
        model: stands_for.model.as_deref().into(),
        levels: stands_for.levels.clone().into(),
        expires_at: expires_at.into(),
        signature: signature.as_slice().into(),
    };
    PUT_ROW.execute(&row.in_order())?;
    Ok((id, signature))
}

/// The token with this hash, if it may be used.
pub fn find(hash: &TokenHash) -> Result<Option<RunnerToken>, Error> {
    let found: Option<Stored> = FIND_BY_HASH.read_one(&[hash.as_slice().into()], Stored::read)?;
    if found.as_ref().map(Stored::is_signed).transpose()? == Some(true) {
        return Ok(found.map(|found| found.token));
    }
    Ok(None)
}

/// Those of these tokens that may be used.
pub fn usable(ids: Vec<Uuid>) -> Result<Vec<RunnerToken>, Error> {
    let mut usable = Vec::new();
    for found in FIND_BY_ID.read(&[ids.into()], Stored::read)? {
        if found.is_signed()? {
            usable.push(found.token);
        }
    }
    Ok(usable)
}

/// Whether a token that was not revoked is one that hftok signed; none where it is revoked, or there is none.
pub fn is_signed(id: Uuid) -> Result<Option<bool>, Error> {
    FIND_TO_VERIFY.read_one(&[id.into()], Stored::read)?.map(|found| found.is_signed()).transpose()
}

/// The owner that the audit names for a token, by kind and id: whose credentials it gives first.
pub fn owner(stands_for: &StandsFor) -> (&'static str, &str) {
    match (&stands_for.user, &stands_for.org) {
        (Some(user), _) => ("user", user),
        (None, Some(org)) => ("org", org),
        (None, None) => ("global", ""),
    }
}

/// Revokes a token for ever, and gives what it stood for; nothing where there is none, or it was revoked before.
pub fn revoke(id: Uuid) -> Result<Option<StandsFor>, Error> {
    REVOKE.write_one(&[id.into()], |row| {
        let (user, org) = (row.next()?, row.next()?);
        Ok(StandsFor { user, org, ..StandsFor::default() })
    })
}

/// The columns of [`Stored`].
macro_rules! stored {
    () => {
        "SELECT t.id, t.providers, t.user_id, t.org_id, t.model, t.levels, t.token_hash, t.expires_at, t.signature
        FROM hftok_private.runner_tokens t"
    };
}

statement! {
    /// Stores a token.
    PUT_ROW: Put {
        id: UUID, label: TEXT, hash: BYTEA, providers: TEXTARRAY, user: TEXT, org: TEXT, model: TEXT, levels: TEXTARRAY,
        expires_at: TIMESTAMPTZ, signature: BYTEA,
    } =
        "INSERT INTO hftok_private.runner_tokens
        (id, label, token_hash, providers, user_id, org_id, model, levels, expires_at, signature)
        VALUES ($id, $label, $hash, $providers, $user, $org, $model, $levels, $expires_at, $signature)";

    /// A token that is shown.
    FIND_BY_HASH(BYTEA) =
        stored!(), " WHERE t.token_hash = $1 AND t.revoked_at IS NULL
        AND (t.expires_at IS NULL OR t.expires_at > pg_catalog.clock_timestamp())";

    /// Tokens that were shown before.
    FIND_BY_ID(UUIDARRAY) =
        stored!(), " WHERE t.id = ANY ($1) AND t.revoked_at IS NULL
        AND (t.expires_at IS NULL OR t.expires_at > pg_catalog.clock_timestamp())";

    /// A token that is not shown, but looked at.
    FIND_TO_VERIFY(UUID) = stored!(), " WHERE t.id = $1 AND t.revoked_at IS NULL";

    /// The signature goes with it.
    REVOKE(UUID) =
        "UPDATE hftok_private.runner_tokens t SET revoked_at = pg_catalog.clock_timestamp(), signature = '\\x'
        WHERE t.id = $1 AND t.revoked_at IS NULL RETURNING t.user_id, t.org_id";
}
