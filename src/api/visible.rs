//! Rows of each view that an end user sees: an index finds them by the user's id, and no filter runs over everybody's rows.
//!
//! What must stay true: who reads is asked here and never an argument, and nothing of a reader's statement comes in. So neither
//! conditions nor statistics of theirs meet a row that they may not see. Which rows belong to a user stands in `sql/`.

use std::thread::LocalKey;

use super::identity::{identity_if_any, is_administrator};
use crate::error::Error;
use crate::pg::call::entry::export;
use crate::pg::rows::declared::statement;
use crate::pg::rows::row_set::{HandOn, RowSet};
use crate::pg::rows::sql::Statement;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;

export!(
    visible_credentials,
    visible_members,
    visible_administrators,
    visible_integrations,
    visible_shares,
    visible_usage,
    visible_audit_events
);

/// The caller's credentials, those of their organisations, and global ones for administrators.
fn visible_credentials() -> Result<RowSet, Error> {
    seen_by_caller(&READ_CREDENTIALS)
}

/// The members of the caller's organisations.
fn visible_members() -> Result<RowSet, Error> {
    seen_by_caller(&READ_MEMBERS)
}

/// The application's administrators, for one of them.
fn visible_administrators() -> Result<RowSet, Error> {
    seen_by_caller(&READ_ADMINISTRATORS)
}

/// The caller's integrations, and those that are shared with their organisations.
fn visible_integrations() -> Result<RowSet, Error> {
    seen_by_caller(&READ_INTEGRATIONS)
}

/// With whom the caller's integrations are shared, and what is shared with their organisations.
fn visible_shares() -> Result<RowSet, Error> {
    seen_by_caller(&READ_SHARES)
}

/// The usage of the caller's credentials and of those of organisations that they administer; everybody's for administrators.
fn visible_usage() -> Result<RowSet, Error> {
    seen_by_caller_or_administrator(&READ_USAGE, &READ_ALL_USAGE)
}

/// Events that the caller caused, and events about credentials of the caller and of organisations that they administer; all events
/// for administrators.
fn visible_audit_events() -> Result<RowSet, Error> {
    seen_by_caller_or_administrator(&READ_EVENTS, &READ_ALL_EVENTS)
}

/// The rows that a statement has for the caller. A caller without an identity is NULL there, and sees none.
fn seen_by_caller(read: &'static LocalKey<Statement>) -> Result<RowSet, Error> {
    let caller = Caller::current();
    let user = identity_if_any(&caller);
    let _owner = AsOwner::switch(&caller)?;
    read.hand_on_all(&[user.into()])
}

/// The same, and everything for an administrator of the application. The view gives administrators the table itself, unless its
/// plan was made for another user of the same connection.
fn seen_by_caller_or_administrator(
    read: &'static LocalKey<Statement>,
    read_all: &'static LocalKey<Statement>,
) -> Result<RowSet, Error> {
    let caller = Caller::current();
    if !is_administrator(&caller)? {
        return seen_by_caller(read);
    }
    let _owner = AsOwner::switch(&caller)?;
    read_all.hand_on_all(&[])
}

statement! {
    /// Credentials that one user may see.
    READ_CREDENTIALS(TEXT) = "SELECT r.* FROM hftok_private.credentials_of($1) r";

    /// Members of the user's organisations.
    READ_MEMBERS(TEXT) = "SELECT r.* FROM hftok_private.members_of($1) r";

    /// Administrators, for one of them.
    READ_ADMINISTRATORS(TEXT) = "SELECT r.* FROM hftok_private.administrators_of($1) r";

    /// The user's integrations, and those that are shared with them.
    READ_INTEGRATIONS(TEXT) = "SELECT r.* FROM hftok_private.integrations_of($1) r";

    /// Shares of the user's integrations, and with their organisations.
    READ_SHARES(TEXT) = "SELECT r.* FROM hftok_private.shares_of($1) r";

    /// Usage of the user's secrets.
    READ_USAGE(TEXT) = "SELECT r.* FROM hftok_private.usage_of($1) r";

    /// Events about what is the user's.
    shared_out_if_large READ_EVENTS(TEXT) = "SELECT r.* FROM hftok_private.audit_events_of($1) r";

    /// Usage for those who may see all of it.
    READ_ALL_USAGE() = "SELECT r.* FROM hftok_private.usage_rows r";

    /// Events for those who may see all of them.
    READ_ALL_EVENTS() = "SELECT r.* FROM hftok_private.audit_rows r";
}
