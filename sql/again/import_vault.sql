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

CREATE OR REPLACE FUNCTION hftok_private.import_vault_holds_as_owner(p_name text, p_value text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    given bytea[] := hftok_private.import_fingerprints(p_value, true);
    held hftok_private.secrets;
    is_same boolean;
BEGIN
    SELECT s.* INTO held FROM hftok_private.secrets s WHERE s.scope = 'vault' AND s.name = p_name AND p_name <> '';
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
CREATE OR REPLACE FUNCTION hftok_import.import_vault_holds(p_name text, p_value text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_vault_holds';
COMMENT ON FUNCTION hftok_import.import_vault_holds IS
    'Whether the named secret has this value now; NULL when there is none of this name. Each comparison is recorded.';

CREATE OR REPLACE FUNCTION hftok.import_vault(p_schema name DEFAULT 'vault') RETURNS hftok.imported_vault
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
    IF to_regclass(source) IS NULL THEN
        RAISE EXCEPTION 'there is no view %', source USING ERRCODE = '22023', HINT = 'p_schema names the schema of a Supabase Vault.';
    ELSIF EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass(source) AND c.relowner = 'hftok_owner'::regrole) THEN
        RAISE EXCEPTION 'schema "%" is hftok''s own', p_schema USING ERRCODE = '22023';
    END IF;
    -- Names first, then each value alone. A view that opens them all for that may fail by one, and then its table says the names.
    BEGIN
        SELECT jsonb_agg(to_jsonb(n)) INTO listed FROM hftok_import.import_vault_names(source::regclass) n;
    EXCEPTION WHEN OTHERS THEN
        SELECT jsonb_agg(to_jsonb(n)) INTO listed FROM hftok_import.import_vault_names(format('%I.secrets', p_schema)::regclass) n;
    END;
    FOR given IN
        SELECT l.id, l.name, l.description FROM jsonb_to_recordset(listed) AS l (id uuid, name text, description text)
        ORDER BY l.name COLLATE "C", l.id
    LOOP
        is_read := false;
        reason := NULL;
        BEGIN
            value := (hftok_import.import_vault_value(source::regclass, given.id)).held;
            is_read := true;
            IF coalesce(given.name, '') = '' THEN
                outcome := 'skipped';
                reason := 'it has no name';
            ELSIF value IS NULL THEN
                outcome := 'rejected';
                reason := 'the view does not show its value';
            ELSIF EXISTS (SELECT FROM hftok.secrets s WHERE s.name = given.name) THEN
                outcome := CASE WHEN hftok_import.import_vault_holds(given.name, value) THEN 'unchanged' ELSE 'skipped' END;
                reason := CASE outcome WHEN 'skipped' THEN 'hftok has another secret of this name' END;
            ELSE
                PERFORM hftok.create_secret(value, given.name, given.description);
                outcome := 'imported';
            END IF;
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
    'Copies the named secrets of a Supabase Vault in this database, read through its view. One whose name hftok has already is reported, not replaced.';
