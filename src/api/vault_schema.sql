-- Supabase Vault's names on top of hftok, created as hftok_owner by hftok.install_vault_schema().

CREATE VIEW vault.secrets WITH (security_barrier) AS
    SELECT r.id, nullif(r.name, '') AS name, r.description, pg_catalog.encode(r.sealed, 'base64') AS secret,
        NULL::uuid AS key_id, pg_catalog.substr(r.sealed, 6, 24) AS nonce, r.created_at, r.updated_at
    FROM hftok_private.vault_rows r;
COMMENT ON VIEW vault.secrets IS 'Named secrets of hftok, sealed. Change them by vault.update_secret().';

CREATE VIEW vault.decrypted_secrets WITH (security_barrier) AS
    SELECT r.id, nullif(r.name, '') AS name, r.description, pg_catalog.encode(r.sealed, 'base64') AS secret,
        hftok_private.open_vault_row('vault', r.id, r.version, r.scope_id, r.provider, r.model, r.name, r.slot, r.kind,
            r.allowed_hosts, r.expires_at, r.sealed) AS decrypted_secret,
        NULL::uuid AS key_id, pg_catalog.substr(r.sealed, 6, 24) AS nonce, r.created_at, r.updated_at
    FROM hftok_private.vault_rows r;
COMMENT ON VIEW vault.decrypted_secrets IS 'Named secrets of hftok, opened.';

CREATE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE ON vault.secrets
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_write();
CREATE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE ON vault.decrypted_secrets
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_write();

-- As their callers, whom the audit names. That they were granted these is asked again by those that they call.
CREATE FUNCTION vault.create_secret(
    new_secret text, new_name text DEFAULT NULL, new_description text DEFAULT '', new_key_id uuid DEFAULT NULL
) RETURNS uuid
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT hftok_private.vault_create_secret(new_secret, new_name, new_description, new_key_id);
    END;
COMMENT ON FUNCTION vault.create_secret IS 'hftok.create_secret()';

CREATE FUNCTION vault.update_secret(
    secret_id uuid, new_secret text DEFAULT NULL, new_name text DEFAULT NULL, new_description text DEFAULT NULL,
    new_key_id uuid DEFAULT NULL
) RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT hftok_private.vault_update_secret(secret_id, new_secret, new_name, new_description, new_key_id);
    END;
COMMENT ON FUNCTION vault.update_secret IS 'hftok.update_secret()';

REVOKE ALL ON FUNCTION vault.create_secret, vault.update_secret FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vault.create_secret, vault.update_secret TO hftok_admin, hftok_service;
GRANT SELECT, DELETE ON vault.secrets, vault.decrypted_secrets TO hftok_admin, hftok_service;
