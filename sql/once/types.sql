-- The rows and values that functions answer.

CREATE TYPE hftok.saved_credential AS (secret_id uuid, version int, preview text, warnings text[]);
COMMENT ON TYPE hftok.saved_credential IS 'The result of saving a credential.';
CREATE TYPE hftok.checked_credential AS (ok boolean, warnings text[]);
COMMENT ON TYPE hftok.checked_credential IS 'The result of checking a credential.';
CREATE TYPE hftok.resolved_token AS (token text, source text, secret_id uuid, version int, expires_at timestamptz, slot text);
COMMENT ON TYPE hftok.resolved_token IS 'The credential to use and where it comes from.';

CREATE TYPE hftok.runner_token AS (id uuid, token text);
COMMENT ON TYPE hftok.runner_token IS 'A worker''s token, and the id by which it is revoked.';

CREATE TYPE hftok.verified_audit AS (checked bigint, unprotected bigint, ok boolean, first_bad bigint, reason text);
COMMENT ON TYPE hftok.verified_audit IS 'The result of verifying the audit: how many events fit, how many of them lay in a table unprotected before they were chained, and the first that does not fit.';

CREATE TYPE hftok_import.imported_source AS (
    source text, relation text, is_key text, held text, empty text, is_bytea boolean, is_filtered boolean, estimate bigint
);
COMMENT ON TYPE hftok_import.imported_source IS 'A column that is moved in: its name in the report, and how SQL addresses it.';

CREATE TYPE hftok_import.imported_row AS (is_there boolean, held text, value text, provider text, owner text, model text);
COMMENT ON TYPE hftok_import.imported_row IS 'A row that is moved in: what its column holds, what that opens to, and what it is for.';

CREATE TYPE hftok_private.import_finding AS (
    provider text, skipped int, outcome text, reason text, is_remembered boolean, is_forgotten boolean
);
COMMENT ON TYPE hftok_private.import_finding IS
    'A row by itself. skipped: so many characters in front are no part of its value. outcome: blank, rejected, or NULL when its value is usable, and then the reason is what is to be said of it all the same.';

CREATE TYPE hftok_private.import_verdict AS (
    outcome text, reason text, replaces int, is_forgotten boolean, is_found boolean, is_again boolean, compared int
);
COMMENT ON TYPE hftok_private.import_verdict IS
    'What is to be done with a row. replaces: the version that its value is saved in place of, 0 for none. compared: the version that the audit names, if is_found is not NULL.';

CREATE TYPE hftok.imported_vault AS (imported int, unchanged int, skipped int, rejected int);
COMMENT ON TYPE hftok.imported_vault IS 'The result of moving a Supabase Vault in: how many of its secrets were imported, unchanged, skipped and rejected.';

CREATE TYPE hftok.keyring AS (primary_key_id int, key_ids int[]);
COMMENT ON TYPE hftok.keyring IS 'The keyring that unseal() found: ids, never keys.';

CREATE TYPE hftok.server_status AS (
    version text,
    sealed boolean,
    reason text,
    primary_root_key_id int,
    root_key_ids int[],
    removable_root_key_ids int[],
    active_data_key_id int,
    secrets bigint,
    secrets_on_old_keys bigint,
    gateways text[],
    audit_mode text,
    audit_writer text,
    audit_waiting bigint,
    audit_lag interval,
    audit_trouble text,
    installation text,
    destroyed_keys_open_with int
);
COMMENT ON TYPE hftok.server_status IS 'The state of the server, as status() shows it.';

CREATE TYPE hftok.server_health AS (ok boolean, reasons text[]);
COMMENT ON TYPE hftok.server_health IS 'Whether hftok works, and what is or will be a trouble, as health() tells it.';

-- The columns of audit_events, before anybody's view of them.
CREATE TYPE hftok_private.audit_event AS (
    id bigint, at timestamptz, role_name text, outer_role text, login_role text, actor_user text, kind text, action text,
    object_id uuid, version int, owner_scope text, owner_id text, provider text, level text, subject text, outcome text,
    count bigint, protected boolean, client_addr text, application_name text, request_id text, digest text, chain_hash text
);
COMMENT ON TYPE hftok_private.audit_event IS 'An event of the audit, out of a row or out of a bundle.';
