//! Reports on keys: hftok is sealed, or this database's keys are not for it.

use hftok_core::keyring_state::{Reason, os_error};
use hftok_core::org_key::OrgKeyFault;

use super::{Report, report, sentence};

/// Asked of somebody who may not read the log.
const ASK: &str =
    "An operator finds the reason in hftok.status(), and the remedy in hftok.unseal() and the server's log.";

/// There are no root keys.
pub fn sealed(reason: Reason, is_operator: bool) -> Report {
    report(b"53HF1", "hftok is sealed").detail(sentence(&reason.text())).hint(if is_operator {
        reason.remedy()
    } else {
        ASK
    })
}

/// The mark that outlives a restart is missing.
pub fn seal_not_kept(code: i32) -> Report {
    report(b"53HF1", "hftok is sealed now, but will not be after a restart")
        .detail(format!("The mark in the data directory could not be written: {}.", os_error(code)))
        .hint("Mend that, and call hftok.seal() again.")
}

/// The mark that outlives a restart is still there.
pub fn seal_not_lifted(code: i32) -> Report {
    report(b"53HF1", "hftok stays sealed")
        .detail(format!("The mark in the data directory could not be removed: {}.", os_error(code)))
        .hint("Mend that, and call hftok.unseal() again.")
}

/// The keyring is another database's.
pub fn wrong_root(id: i32, fingerprint: &str, id_taken: bool) -> Report {
    let keyring = if id_taken {
        format!("; the keyring's key {id} is another one")
    } else {
        ", which the keyring does not have".to_owned()
    };
    report(b"53HF1", "the keyring lacks the root key of this database")
        .detail(format!("The data keys of this database are wrapped by root key {id} with fingerprint {fingerprint}{keyring}."))
        .hint("An operator adds that key to the keyring and calls hftok.unseal(). Nothing was written.")
}

/// A data key that its root key does not open.
pub fn data_key_damaged(id: i32) -> Report {
    report(b"53HF1", "a data key of this database does not unwrap")
        .detail(format!("Data key {id} was changed outside hftok, or came by logical replication."))
        .hint(RESTORE_OR_ADOPT)
}

/// A data key that a value names, and no row has.
pub fn data_key_missing(id: i32) -> Report {
    report(b"53HF1", "a data key of this database is missing")
        .detail(format!("There is no data key {id}."))
        .hint(RESTORE_KEY)
}

/// The remedy for a data key that somebody has changed, or a publisher has wrapped anew.
const RESTORE_OR_ADOPT: &str = "Restore its row in hftok_private.data_keys from a backup; if its publisher has rotated keys, a superuser calls hftok.adopt_database() once more.";

/// An organisation keeps its own values from being opened, and from being saved.
pub fn org_sealed(org: &str) -> Report {
    report(b"53HF1", "an organisation has sealed its credentials")
        .detail(format!("The data key of organisation \"{org}\" is not used until one of its owners, or an operator, calls hftok.unseal_org()."))
}

/// An organisation holds the key that its credentials need, and does not give it.
pub fn org_key_away(org: &str, fault: OrgKeyFault) -> Report {
    report(b"53HF1", "an organisation's own key is not there")
        .detail(format!(
            "The data key of organisation \"{org}\" is wrapped by a key that the organisation holds: {fault}."
        ))
        .hint("It is asked for again when it is needed. The server's log says what was in the way.")
}

/// There is only one.
pub fn org_has_key(org: &str) -> Report {
    report(b"23505", "the organisation has a data key of its own already")
        .detail(format!("Organisation \"{org}\" was given one before."))
        .hint("hftok.rotate_data_key() replaces it.")
}

/// The remedy for a data key.
const RESTORE_KEY: &str = "Restore its row in hftok_private.data_keys from a backup.";

/// A database that was copied.
pub fn copy(original: &str, here: &str) -> Report {
    report(b"53HF1", "this is a copy").detail(format!("It was copied from {original}, and is {here}.")).hint(
        "A superuser makes it a database of its own: SELECT hftok.adopt_database(). Nothing was written.",
    )
}

/// A copy that becomes one of its own when the transaction commits.
pub fn not_yet_adopted() -> Report {
    report(b"53HF1", "this is a copy")
        .detail("hftok.adopt_database() was called in this transaction.".to_owned())
        .hint("Commit it first.")
}

/// Keys without a record of their database.
pub fn identity_missing() -> Report {
    report(b"53HF1", "the record of the database that the data keys are for is missing or damaged")
        .hint("Restore the rows of hftok_private.database_identity from a backup.")
}
