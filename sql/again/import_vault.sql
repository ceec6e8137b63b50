-- Moving in from Supabase Vault.
--
-- Where there is no Supabase Vault, anybody may have made a view of its name, and its functions run as the role that reads it:
-- so it is read as an application's table is (import_source.sql).
--
-- Must stay true: a secret that cannot be opened is reported by its name, and without the error, which may quote it. A value is taken by
-- assignment, for in FROM it would pass through a tuple store, which spills to disk.

-- Called by src/api/imports.rs as hftok_owner.
CREATE OR REPLACE FUNCTION hftok_private.import_vault_statements(p_view regclass, OUT names text, OUT reading text, OUT reads int2[])
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    source text := (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = p_view);
BEGIN
    names := format('SELECT v.id::pg_catalog.uuid, v.name::pg_catalog.text, v.description::pg_catalog.text FROM %s v', source);
    reading := format('SELECT v.decrypted_secret::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text,
        NULL::pg_catalog.text, NULL::pg_catalog.text FROM %s v WHERE v.id::pg_catalog.uuid OPERATOR(pg_catalog.=) $1::pg_catalog.uuid',
        source);
    -- The value comes last: a reader of names needs only the other columns.
    reads := ARRAY(SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = p_view
        AND a.attname = ANY ('{id,name,description,decrypted_secret}') ORDER BY a.attname = 'decrypted_secret');
END
$$;
COMMENT ON FUNCTION hftok_private.import_vault_statements IS 'The statements that read a Vault''s view, and which columns they touch.';

CREATE OR REPLACE FUNCTION hftok_import.import_vault_names(p_view regclass) RETURNS TABLE (id uuid, name text, description text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_import_vault_names';
COMMENT ON FUNCTION hftok_import.import_vault_names IS
    'What secrets a Supabase Vault has. Its view is read as its owner, unless that is a superuser or the caller.';

CREATE OR REPLACE FUNCTION hftok_import.import_vault_value(p_view regclass, p_id uuid) RETURNS hftok_import.imported_row
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_import_vault_value';
COMMENT ON FUNCTION hftok_import.import_vault_value IS 'One secret as the view shows it, in held; NULL when there is none.';

CREATE OR REPLACE FUNCTION hftok_import.import_vault_secret(p_id uuid, p_secret text, p_name text, p_description text) RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_vault_secret';
COMMENT ON FUNCTION hftok_import.import_vault_secret IS
    'Stores a secret as create_secret() does, under the id that it has in a Supabase Vault; under a random one where p_id is NULL.';

CREATE OR REPLACE FUNCTION hftok_private.import_vault_holds_as_owner(p_id uuid, p_value text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    given bytea[] := hftok_private.import_fingerprints(p_value, true);
    held hftok_private.secrets;
    is_same boolean;
BEGIN
    SELECT s.* INTO held FROM hftok_private.secrets s WHERE s.id = p_id AND s.scope = 'vault';
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    is_same := held.fingerprint = ANY (given);
    PERFORM hftok_private.record_comparison('import_vault', CASE WHEN is_same THEN 'found' ELSE 'not_found' END,
        held.id, held.version, held.scope, held.scope_id, held.provider, is_same);
    RETURN is_same;
END
$$;
COMMENT ON FUNCTION hftok_private.import_vault_holds_as_owner IS 'The work of import_vault_holds(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_import.import_vault_holds(p_id uuid, p_value text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_vault_holds';
COMMENT ON FUNCTION hftok_import.import_vault_holds IS
    'Whether the named secret of this id has this value now; NULL when there is none. Each comparison is recorded.';

-- Whatever it decides, it decides by id and name; the value is only compared, or stored.
CREATE OR REPLACE FUNCTION hftok_import.import_vault_attempt(
    p_id uuid, p_name text, p_description text, p_value text, p_keep_ids boolean, OUT outcome text, OUT reason text
)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    held_id uuid;
    is_same boolean;
BEGIN
    IF p_name = '' AND NOT p_keep_ids THEN
        outcome := 'skipped';
        reason := 'it has no name';
        RETURN;
    ELSIF p_value IS NULL THEN
        outcome := 'rejected';
        reason := 'the view does not show its value';
        RETURN;
    END IF;
    SELECT s.id INTO held_id FROM hftok.secrets s WHERE (s.id = p_id AND p_keep_ids) OR s.name = nullif(p_name, '')
    ORDER BY s.id = p_id DESC LIMIT 1;
    IF held_id IS NULL THEN
        PERFORM hftok_import.import_vault_secret(CASE WHEN p_keep_ids THEN p_id END, p_value, p_name, p_description);
        outcome := 'imported';
        RETURN;
    END IF;
    is_same := hftok_import.import_vault_holds(held_id, p_value);
    outcome := CASE WHEN is_same AND (held_id = p_id OR NOT p_keep_ids) THEN 'unchanged' ELSE 'skipped' END;
    reason := CASE
        WHEN outcome = 'unchanged' THEN NULL
        -- Imported before ids were kept: what refers to it by its id in the Vault does not find it.
        WHEN is_same THEN format('hftok has it under the id %s: delete that one and import again', held_id)
        WHEN held_id = p_id THEN 'hftok has another value under this id'
        ELSE 'hftok has another secret of this name'
    END;
END
$$;
COMMENT ON FUNCTION hftok_import.import_vault_attempt IS 'Stores one secret of a Vault unless hftok has it, and says what became of it.';

CREATE OR REPLACE FUNCTION hftok.import_vault(p_schema name DEFAULT 'vault', p_keep_ids boolean DEFAULT true) RETURNS hftok.imported_vault
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
    AS $$
DECLARE
    source text := format('%I.decrypted_secrets', p_schema);
    counts hftok.imported_vault := ROW(0, 0, 0, 0);
    listed jsonb;
    given record;
    value text;
    is_read boolean;
    outcome text;
    reason text;
    said text;
    detail text;
BEGIN
    IF p_keep_ids IS NULL THEN
        RAISE EXCEPTION 'p_keep_ids must not be null' USING ERRCODE = '22023';
    ELSIF to_regclass(source) IS NULL THEN
        RAISE EXCEPTION 'there is no view %', source USING ERRCODE = '22023', HINT = 'p_schema names the schema of a Supabase Vault.';
    ELSIF EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass(source) AND c.relowner = 'hftok_owner'::regrole) THEN
        RAISE EXCEPTION 'schema "%" is hftok''s own', p_schema USING ERRCODE = '22023';
    END IF;
    -- Names first, then each value alone. A view that opens them all for that may fail by one, and then its table says the names.
    BEGIN
        SELECT jsonb_agg(to_jsonb(n)) INTO listed FROM hftok_import.import_vault_names(source::regclass) n;
    EXCEPTION WHEN OTHERS THEN
        IF SQLSTATE !~ '^(0A|2|3|P0|XX)' THEN
            RAISE;
        END IF;
        SELECT jsonb_agg(to_jsonb(n)) INTO listed FROM hftok_import.import_vault_names(format('%I.secrets', p_schema)::regclass) n;
    END;
    FOR given IN
        SELECT l.id, coalesce(l.name, '') AS name, l.description
        FROM jsonb_to_recordset(listed) AS l (id uuid, name text, description text)
        ORDER BY l.name COLLATE "C", l.id
    LOOP
        is_read := false;
        BEGIN
            value := (hftok_import.import_vault_value(source::regclass, given.id)).held;
            is_read := true;
            SELECT a.outcome, a.reason INTO outcome, reason
            FROM hftok_import.import_vault_attempt(given.id, given.name, given.description, value, p_keep_ids) a;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
            outcome := 'rejected';
            IF NOT is_read AND SQLSTATE ~ '^(0A|2|3|P0|XX)' THEN
                reason := format('the view does not open it (SQLSTATE %s)', SQLSTATE);
            ELSIF is_read AND SQLSTATE IN ('22023', '23505') THEN
                reason := said;
            ELSIF is_read AND SQLSTATE = 'PT413' THEN
                reason := detail;
            ELSE
                RAISE;
            END IF;
        END;
        PERFORM hftok_import.import_note(source, coalesce(nullif(given.name, ''), given.id::text), outcome, reason);
        counts.imported := counts.imported + (outcome = 'imported')::int;
        counts.unchanged := counts.unchanged + (outcome = 'unchanged')::int;
        counts.skipped := counts.skipped + (outcome = 'skipped')::int;
        counts.rejected := counts.rejected + (outcome = 'rejected')::int;
    END LOOP;
    RETURN counts;
END
$$;
COMMENT ON FUNCTION hftok.import_vault IS
    'Copies the secrets of a Supabase Vault in this database, read through its view, under the ids that they have there; with p_keep_ids false the named ones, under new ids. One that hftok has already, by its id or name, is reported and not replaced.';
