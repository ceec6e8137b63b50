//! What goes wrong between us and Postgres, and what to do about it.

use std::error::Error as _;

use postgres::Error;
use postgres::error::{DbError, Severity, SqlState};

use crate::failure::{Failure, Refusal};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        failure(error)
    }
}

/// What went wrong with a statement.
pub fn failure(error: Error) -> Failure {
    let unreachable = |reason| Failure::Unreachable { target: "Postgres".to_owned(), reason };
    match refusal(&error) {
        Some(refused) if ends_session(&error) => unreachable(refused.message),
        Some(refused) => Failure::Refused(Box::new(refused)),
        None => unreachable(told(&error)),
    }
}

/// Whether Postgres ended the session with this error: a stop, a crash, a time-out.
fn ends_session(error: &Error) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    matches!(severity, Some(Severity::Fatal | Severity::Panic))
}

/// The same where only the SQLSTATE is known.
pub fn is_end(code: &str) -> bool {
    code.starts_with("57P") || matches!(code, "08000" | "08003" | "08006")
}

/// What went wrong before there was a connection.
pub fn while_connecting(target: String, error: Error) -> Failure {
    if lacks_password(&error) {
        return Failure::Refused(Box::new(Refusal {
            code: SqlState::INVALID_PASSWORD.code().to_owned(),
            message: format!("{target} asks for a password"),
            detail: None,
            hint: Some("set PGPASSWORD, or add a line to ~/.pgpass (0600)".to_owned()),
        }));
    }
    match refusal(&error) {
        // Started or stopped right now, or full: there is nobody to refuse us.
        Some(refused)
            if [SqlState::CANNOT_CONNECT_NOW.code(), SqlState::TOO_MANY_CONNECTIONS.code()]
                .contains(&refused.code.as_str()) =>
        {
            Failure::Unreachable { target, reason: refused.message }
        }
        Some(refused) => Failure::Refused(Box::new(refused)),
        None => Failure::Unreachable { target, reason: told(&error) },
    }
}

/// Whether the server wants a password that nobody gave.
pub fn lacks_password(error: &Error) -> bool {
    error.source().is_some_and(|cause| cause.to_string() == "password missing")
}

/// Whether TLS is what failed: the handshake, or that the server accepts nobody with it.
pub fn is_of_tls(error: &Error) -> bool {
    error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
        || error.to_string() == "error performing TLS handshake"
}

/// The error and its causes.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        text.push_str(&format!(": {one}"));
        cause = one.source();
    }
    text
}

/// The error of the server, if it was the server's.
fn refusal(error: &Error) -> Option<Refusal> {
    let error = error.as_db_error()?;
    let remedy = || {
        let code = error.code();
        // All that this command calls has the schema before it, so what is missing is the extension, or its version.
        let missing = [
            SqlState::INVALID_SCHEMA_NAME,
            SqlState::UNDEFINED_FUNCTION,
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_COLUMN,
        ];
        if missing.contains(code) {
            Some(
                "hftok is not in this database (CREATE EXTENSION hftok;), or is older than this command (ALTER \
                 EXTENSION hftok UPDATE;)"
                    .to_owned(),
            )
        } else if *code == SqlState::INSUFFICIENT_PRIVILEGE
            && error.message().starts_with("permission denied for")
        {
            Some(
                "a DBA grants hftok_user, hftok_service, hftok_auditor or hftok_admin to this role"
                    .to_owned(),
            )
        } else {
            None
        }
    };
    Some(Refusal {
        code: error.code().code().to_owned(),
        message: error.message().to_owned(),
        detail: error.detail().map(str::to_owned),
        hint: error.hint().map(str::to_owned).or_else(remedy),
    })
}
