//! The names that the audit has for the functions of the extension: those under which users know them.

use crate::error::{Error, Object, Trouble};

/// The name under which users know the function that is running.
pub fn name(function: &'static str) -> &'static str {
    match function {
        "open_vault_row" => "decrypted_secrets",
        "fingerprints" => "find_secret",
        "vault_create_secret" => "create_secret",
        "vault_update_secret" => "update_secret",
        "import_vault_secret" => "import_vault",
        "move_integration" | "save_moved_integration" => "import_integrations",
        "import_member" => "import_members",
        "import_administrator" => "import_administrators",
        "delete_vault_row" => "delete_secret",
        "write_credential" => "credentials",
        "import_step" | "import_saved" | "import_fingerprints" | "import_check" | "import_judge" => {
            "import_value"
        }
        "read_keyring" => "unseal",
        "create_integration" => "create_integration_with_vault",
        "integration_credentials" => "get_integration_credentials",
        "delete_integration" => "delete_integration_with_vault",
        "explain" => "explain_token",
        "stage_api_key"
        | "staged_id"
        | "is_staged"
        | "save_staged"
        | "lock_owner"
        | "clear_staged"
        | "user_api_keys_statement"
        | "user_api_keys_insert"
        | "user_api_keys_update"
        | "user_api_keys_written"
        | "user_api_keys_change"
        | "provider_secrets_change" => "user_api_keys",
        "reseal" => "credentials",
        "catalogue_rows" => "providers",
        "loaded_root_keys" => "root_keys",
        "resealing_state" => "rotation_progress",
        "value_fault" | "data_key_fault" | "provider_fault" | "superseded_fault" | "record_verify" => {
            "verify"
        }
        "report_usage" => "record_usage",
        "caller_id" | "is_caller" | "caller_is_in" | "caller_orgs" | "caller_is_administrator" => "whoami",
        other => other,
    }
}

/// The word for a refusal, when the error is one. Bad input, a full disk and the like are none.
pub fn refusal(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::NoIdentity | Error::AnotherRole { .. } | Error::ClaimsWithoutGateway { .. } => "no_identity",
        Error::NotAllowed(_) | Error::ForeignPolicies => "not_allowed",
        Error::RestrictedOperation => "restricted_operation",
        Error::NotFound(_) => "not_found",
        Error::MethodNotAllowed => "method_not_allowed",
        Error::TooOften { .. } => "too_often",
        Error::Unusable { outcome, .. } => outcome.as_str(),
        Error::Damaged { .. } => "decrypt_failed",
        Error::Disabled { .. } | Error::ProviderOff { .. } => "disabled",
        Error::ProviderUnusable { .. } => "not_vouched_for",
        Error::Sealed(_) | Error::Operator(_) | Error::OrgSealed { .. } | Error::OrgKeyAway { .. } => {
            "sealed"
        }
        Error::WrongRoot { .. } | Error::DataKeyDamaged { .. } | Error::DataKeyMissing { .. } => "no_key",
        Error::Copy { .. } | Error::NotYetAdopted => "copy",
        Error::IdentityMissing => "no_key",
        Error::Audit(Trouble::Full | Trouble::Closed | Trouble::LogTooQuiet | Trouble::Standby) => {
            return None;
        }
        Error::Audit(Trouble::NotWritten | Trouble::SyncOnStandby) => "not_written",
        _ => return None,
    })
}

/// The object that an error is about, if it has an id.
pub fn object(error: &Error) -> Option<[u8; 16]> {
    match error {
        Error::NotFound(
            Object::Integration(id) | Object::Secret(id) | Object::Version(id, _) | Object::FormerVersion(id),
        )
        | Error::Damaged { secret_id: id, .. }
        | Error::Disabled { integration: Some(id), .. }
        | Error::Disabled { secret_id: id, .. }
        | Error::Unusable { secret_id: Some(id), .. } => Some(*id.as_bytes()),
        _ => None,
    }
}

/// The level of the walk that an error is about.
pub fn level(error: &Error) -> Option<&'static str> {
    match error {
        Error::Unusable { level, .. } => Some(level.as_str()),
        _ => None,
    }
}

/// Everything that users can call or read in the schemas hftok and hftok_import, as sql/ defines it: Postgres may refuse it before hftok is asked.
pub const CALLABLE: &[&str] = include!(concat!(env!("OUT_DIR"), "/callable.rs"));

/// The name of a purge. Its event names the last event that was removed: only so is a log believed that begins after it.
pub const PURGE: &str = "purge_audit";
/// The name of a change that is recorded again because its event was purged.
pub const CARRIED_OVER: &str = "carried_over";
