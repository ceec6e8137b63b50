//! Functions whose work is done in SQL, by the function of the same name with `_as_owner` after it. Their caller is known, and
//! recorded: [`crate::pg::call::guarded`].

use crate::pg::call::entry::export;

export! {
    guarded:
    /// The versions of a named secret.
    secret_history,
    /// Finds the secrets that hold a value.
    find_secret,
    /// DELETE on the views of named secrets.
    delete_vault_row,
    /// Makes a user of the application an administrator.
    grant_administrator,
    /// No longer makes a user an administrator.
    revoke_administrator,
    /// Gives what is kept for the name of a role to the role that has it now.
    adopt_role,
    /// Deletes everything of a user.
    forget_user,
    /// Deletes everything of an organisation.
    forget_org,
    /// Counts what was done with a credential.
    record_usage,
    /// A statement that writes user_api_keys begins.
    user_api_keys_statement,
    /// INSERT into user_api_keys.
    user_api_keys_insert,
    /// ON CONFLICT DO UPDATE of user_api_keys.
    user_api_keys_update,
    /// A row of user_api_keys was written.
    user_api_keys_written,
    /// UPDATE and DELETE on the view user_api_keys.
    user_api_keys_change,
    /// UPDATE and DELETE on the view provider_secrets.
    provider_secrets_change,
    /// Decides what becomes of a value that is moved in.
    import_step,
    /// Decides what becomes of an integration that is moved in.
    move_integration,
    /// Writes the line of a value that was moved in.
    import_saved,
    /// Whether a column still holds what was moved in from it.
    import_holds,
    /// Whether a column still holds what was looked at.
    import_saw,
    /// Whether a named secret has the value that a Supabase Vault has under its name.
    import_vault_holds,
    /// Reads the keyring again.
    unseal,
    /// Whether hftok works, and what will be a trouble.
    health,
    /// Opens everything, without showing it.
    verify,
}
