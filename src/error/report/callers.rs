//! Reports on who calls, and from where.

use super::{Report, report};
use crate::error::Standing;

/// Neither a JWT nor a login says who it is.
pub fn no_identity() -> Report {
    report(b"42501", "hftok does not know who is calling")
        .hint("Call with a JWT that has a sub, or as a database role that logs in itself.")
}

/// Claims under a login that may not bring any.
pub fn no_gateway(login: &str, role: &str, standing: Standing) -> Report {
    let (message, hint) = standing.words();
    report(b"42501", message).detail(standing.detail(login, role)).hint(hint)
}

/// A role under a name that belonged to another one.
pub fn another_role(name: &str) -> Report {
    report(b"42501", "this role is not the one that hftok knows by its name")
        .detail(format!("Secrets kept for \"role:{name}\" belong to a role that was dropped or renamed."))
        .hint("An operator gives it to this one by hftok.adopt_role(), or deletes it by hftok.forget_user().")
}

/// A table whose policies apply to the caller.
pub fn foreign_policies() -> Report {
    report(b"42501", "row security of the table would hide rows from the caller")
        .hint("Its policies are code of the table's owner, and are not run as the caller. Call as the table's owner, or as a role with BYPASSRLS.")
}

/// Code of a table's owner may be running.
pub fn restricted_operation() -> Report {
    report(b"42501", "hftok cannot be called inside a security-restricted operation")
        .hint("Index expressions, materialized views and the like must not depend on secrets.")
}
