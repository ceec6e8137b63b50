-- Named secrets of the operator. EXECUTE, and SELECT on the view, is the permission: grant it to any role.

CREATE OR REPLACE FUNCTION hftok.create_secret(
    new_secret text, new_name text DEFAULT NULL, new_description text DEFAULT '', new_key_id uuid DEFAULT NULL
) RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_create_secret';
COMMENT ON FUNCTION hftok.create_secret IS
    'Stores a secret and returns its id. The name must be free (23505). new_key_id is there for Supabase Vault''s callers and ignored, as there.';

CREATE OR REPLACE FUNCTION hftok.update_secret(
    secret_id uuid, new_secret text DEFAULT NULL, new_name text DEFAULT NULL, new_description text DEFAULT NULL,
    new_key_id uuid DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_update_secret';
COMMENT ON FUNCTION hftok.update_secret IS
    'Changes what is given and keeps what is NULL; an empty name takes the name away. An unknown id is an error (PT404).';

-- For install_vault_schema(), whose functions run as their callers.
CREATE OR REPLACE FUNCTION hftok_private.vault_create_secret(new_secret text, new_name text, new_description text, new_key_id uuid)
    RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_vault_create_secret';
COMMENT ON FUNCTION hftok_private.vault_create_secret IS 'create_secret() for whoever was granted vault.create_secret().';
CREATE OR REPLACE FUNCTION hftok_private.vault_update_secret(
    secret_id uuid, new_secret text, new_name text, new_description text, new_key_id uuid
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_vault_update_secret';
COMMENT ON FUNCTION hftok_private.vault_update_secret IS 'update_secret() for whoever was granted vault.update_secret().';

CREATE OR REPLACE FUNCTION hftok.put_secret(
    p_name text, p_secret text, p_description text DEFAULT NULL, p_expected_version int DEFAULT NULL
) RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_put_secret';
COMMENT ON FUNCTION hftok.put_secret IS
    'Stores a secret under a name, or replaces the one of that name. With p_expected_version only if that is the current one (PT409); 0 means it must not exist, -1 that it must.';

CREATE OR REPLACE FUNCTION hftok.get_secret(
    p_name text, p_version int DEFAULT NULL, p_recipient text DEFAULT NULL
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_get_secret';
COMMENT ON FUNCTION hftok.get_secret IS 'The value of a named secret, now or in a previous version. p_recipient is reserved.';

CREATE OR REPLACE FUNCTION hftok.delete_secret(p_secret_id uuid) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_delete_secret';
COMMENT ON FUNCTION hftok.delete_secret IS 'Deletes a named secret and its history; false when there is none of this id.';

CREATE OR REPLACE FUNCTION hftok.restore_secret(p_secret_id uuid, p_version int) RETURNS int
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_restore_secret';
COMMENT ON FUNCTION hftok.restore_secret IS 'Makes a previous version the next one, and returns its new number.';

CREATE OR REPLACE FUNCTION hftok_private.secret_history_as_owner(p_secret_id uuid)
    RETURNS TABLE (version int, is_current boolean, name text, preview text, created_at timestamptz, superseded_at timestamptz)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    IF p_secret_id IS NULL THEN
        RAISE EXCEPTION 'p_secret_id must not be null' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
        SELECT s.version, true, nullif(s.name, ''), s.preview, s.sealed_at, NULL::timestamptz
        FROM hftok_private.secrets s WHERE s.id = p_secret_id AND s.scope = 'vault';
    IF NOT FOUND THEN
        PERFORM hftok_private.record_refusal('secret_history', 'not_found', p_secret_id);
        RAISE EXCEPTION 'Not Found' USING ERRCODE = 'PT404', DETAIL = format('There is no secret %s.', p_secret_id);
    END IF;
    RETURN QUERY
        SELECT v.version, false, nullif(v.name, ''), v.preview, v.sealed_at, v.superseded_at
        FROM hftok_private.secret_versions v WHERE v.secret_id = p_secret_id
        ORDER BY v.version DESC;
END
$$;
COMMENT ON FUNCTION hftok_private.secret_history_as_owner IS 'The work of secret_history(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.secret_history(p_secret_id uuid)
    RETURNS TABLE (version int, is_current boolean, name text, preview text, created_at timestamptz, superseded_at timestamptz)
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_secret_history';
COMMENT ON FUNCTION hftok.secret_history IS 'The versions of a named secret, newest first, without values.';

-- Rows are given when all of them were recorded, and so is that there was none.
CREATE OR REPLACE FUNCTION hftok_private.find_secret_as_owner(p_value text) RETURNS TABLE (secret_id uuid, version int, is_current boolean)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    wanted bytea[] := hftok_private.fingerprints(p_value);
    hit record;
BEGIN
    FOR hit IN
        SELECT s.id, s.version, true AS is_current, s.scope, s.scope_id, s.provider
        FROM hftok_private.secrets s WHERE s.fingerprint = ANY (wanted)
        UNION ALL
        SELECT v.secret_id, v.version, false, v.scope, v.scope_id, v.provider
        FROM hftok_private.secret_versions v WHERE v.fingerprint = ANY (wanted)
    LOOP
        PERFORM hftok_private.record_comparison('find_secret', 'found', hit.id, hit.version, hit.scope, hit.scope_id, hit.provider);
        secret_id := hit.id;
        version := hit.version;
        is_current := hit.is_current;
        RETURN NEXT;
    END LOOP;
    IF NOT FOUND THEN
        PERFORM hftok_private.record_comparison('find_secret', 'not_found', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.find_secret_as_owner IS 'The work of find_secret(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.find_secret(p_value text) RETURNS TABLE (secret_id uuid, version int, is_current boolean)
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_find_secret';
COMMENT ON FUNCTION hftok.find_secret IS
    'The secrets that hold this value, now or in a previous version: found by keyed fingerprint, nothing is opened. A login may ask as often as hftok.max_guesses_per_minute says, and each hit is recorded.';

-- A view of one table can be written to. A role that could (pg_write_all_data can) would do it with the rights
-- of hftok_owner, and a row that is edited no longer opens.
CREATE OR REPLACE FUNCTION hftok_private.refuse_write() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    RAISE EXCEPTION 'named secrets are not written through their views'
        USING ERRCODE = '42501', HINT = 'Call hftok.create_secret(), put_secret(), update_secret() or delete_secret().';
END
$$;
COMMENT ON FUNCTION hftok_private.refuse_write IS 'Refuses to write through a view.';

-- Whether it may be done was decided by the privilege on the view that was named.
CREATE OR REPLACE FUNCTION hftok_private.delete_vault_row_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    gone hftok_private.secrets;
BEGIN
    DELETE FROM hftok_private.secrets s WHERE s.id = OLD.id AND s.scope = 'vault' RETURNING s.* INTO gone;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM hftok_private.record_change('delete_secret', gone.id, gone.version, NULL, gone.scope);
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION hftok_private.delete_vault_row_as_owner IS 'The work of delete_vault_row(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.delete_vault_row() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_delete_vault_row';
COMMENT ON FUNCTION hftok_private.delete_vault_row IS 'Deletes a named secret through a view.';

CREATE OR REPLACE VIEW hftok_private.stored_vault_rows WITH (security_barrier) AS
    SELECT s.id, s.version, s.scope_id, s.provider, s.model, s.name, s.slot, s.kind, s.description, s.preview, s.allowed_hosts, s.expires_at,
        s.sealed, s.created_at, s.updated_at
    FROM hftok_private.secrets s
    WHERE s.scope = 'vault';
COMMENT ON VIEW hftok_private.stored_vault_rows IS 'Named secrets as they are stored.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.stored_vault_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_write();

-- Below the views with values, so that a row is deleted without being opened.
CREATE OR REPLACE VIEW hftok_private.vault_rows WITH (security_barrier) AS
    SELECT r.* FROM hftok_private.stored_vault_rows r;
COMMENT ON VIEW hftok_private.vault_rows IS 'Named secrets, to be read or deleted.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE ON hftok_private.vault_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_write();
CREATE OR REPLACE TRIGGER delete INSTEAD OF DELETE ON hftok_private.vault_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.delete_vault_row();

CREATE OR REPLACE VIEW hftok.secrets WITH (security_barrier) AS
    SELECT r.id, nullif(r.name, '') AS name, r.description, r.preview, r.version, r.created_at, r.updated_at
    FROM hftok_private.vault_rows r;
COMMENT ON VIEW hftok.secrets IS 'Named secrets without their values.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.secrets
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_write();

CREATE OR REPLACE VIEW hftok.decrypted_secrets WITH (security_barrier) AS
    SELECT r.id,
        nullif(r.name, '') AS name,
        r.description,
        pg_catalog.encode(r.sealed, 'base64') AS secret,
        hftok_private.open_vault_row('hftok', r.id, r.version, r.scope_id, r.provider, r.model, r.name,
            r.slot, r.kind, r.allowed_hosts, r.expires_at, r.sealed) AS decrypted_secret,
        NULL::uuid AS key_id,
        pg_catalog.substr(r.sealed, 6, 24) AS nonce,
        r.created_at,
        r.updated_at
    FROM hftok_private.vault_rows r;
COMMENT ON VIEW hftok.decrypted_secrets IS
    'Named secrets with their values, as Supabase Vault shows them. A value is opened when its column is read; one that does not open is NULL.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE ON hftok.decrypted_secrets
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_write();
