//! What the audit calls things: the functions of the extension by the names under which users know them.

use crate::error::{Error, Object, Trouble};

/// The name under which users know the function that is running.
pub fn name(function: &'static str) -> &'static str {
    match function {
        "open_vault_row" => "decrypted_secrets",
        "fingerprints" => "find_secret",
        "vault_create_secret" => "create_secret",
        "vault_update_secret" => "update_secret",
        "delete_vault_row" => "delete_secret",
        "write_credential" => "credentials",
        "import_step" | "import_saved" => "import_value",
        "read_keyring" => "unseal",
        "import_fingerprints" | "record_comparison" => "import_value",
        "create_integration" => "create_integration_with_vault",
        "integration_credentials" => "get_integration_credentials",
        "delete_integration" => "delete_integration_with_vault",
        "explain" => "explain_token",
        "stage_api_key"
        | "staged_id"
        | "is_staged"
        | "save_staged"
        | "lock_user"
        | "clear_staged"
        | "user_api_keys_statement"
        | "user_api_keys_insert"
        | "user_api_keys_update"
        | "user_api_keys_written"
        | "user_api_keys_change" => "user_api_keys",
        "reseal" => "credentials",
        "catalogue_rows" => "providers",
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
        Error::Unusable { outcome, .. } => outcome.as_str(),
        Error::Damaged { .. } => "decrypt_failed",
        Error::Disabled { .. } => "disabled",
        Error::ProviderUnusable { .. } => "not_vouched_for",
        Error::Sealed(_) | Error::Operator(_) => "sealed",
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

/// Everything in schema hftok that Postgres may refuse before we are asked.
pub const GUARDED: &[&str] = &[
    "hftok",
    "create_secret",
    "update_secret",
    "put_secret",
    "get_secret",
    "delete_secret",
    "secret_history",
    "restore_secret",
    "find_secret",
    "secrets",
    "decrypted_secrets",
    "install_vault_schema",
    "save_credential",
    "save_hf_token",
    "save_credentials",
    "check_credential",
    "delete_credential",
    "report_credential",
    "resolve_token",
    "resolve_hf_token",
    "explain_token",
    "token_provided",
    "runner_env",
    "previous_token",
    "forget_user",
    "forget_org",
    "credentials",
    "expiring_credentials",
    "user_api_keys",
    "provider_secrets",
    "providers",
    "register_provider",
    "unregister_provider",
    "add_member",
    "remove_member",
    "members",
    "grant_administrator",
    "revoke_administrator",
    "adopt_role",
    "administrators",
    "create_integration_with_vault",
    "get_integration_credentials",
    "update_integration",
    "update_integration_credentials",
    "update_integration_status",
    "delete_integration_with_vault",
    "share_integration",
    "unshare_integration",
    "record_usage",
    "integrations",
    "usage_daily",
    "status",
    "seal",
    "unseal",
    "adopt_database",
    "verify",
    "audit_events",
    "verify_audit",
    "audit_head",
    "purge_audit",
    "logging_risks",
    "enable_rpc",
    "disable_rpc",
    "whoami",
    "recent_reveals",
    "refusals_by_role",
    "unused_secrets",
    "new_applications",
    "import_column",
    "blank_column",
    "import_report",
    "import_vault",
    "install_api",
    "import_source",
    "import_value",
    "import_note",
    "import_holds",
    "import_saw",
    "import_keys",
    "import_row",
    "import_empty",
    "import_vault_names",
    "import_vault_value",
];
