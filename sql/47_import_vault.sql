-- Moving in from Supabase Vault.
--
-- Must stay true: what cannot be opened is reported by its name, and without the error, which may quote it.

CREATE TYPE hftok.imported_vault AS (imported int, unchanged int, skipped int, rejected int);
COMMENT ON TYPE hftok.imported_vault IS 'How many secrets of a Supabase Vault became what.';

CREATE FUNCTION hftok.import_vault(p_schema name DEFAULT 'vault') RETURNS hftok.imported_vault
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    source text := format('%I.decrypted_secrets', p_schema);
    list text := 'SELECT jsonb_agg(jsonb_build_object(''id'', v.id, ''name'', v.name, ''description'', v.description)) FROM %s v';
    counts hftok.imported_vault := ROW(0, 0, 0, 0);
    listed jsonb;
    foreign_owner name;
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
    -- What a view calls runs as whoever reads it. Where there is no Supabase Vault, anybody may have made one of its name.
    SELECT pg_get_userbyid(c.relowner) INTO foreign_owner FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
    WHERE c.oid IN (to_regclass(source), to_regclass(format('%I.secrets', p_schema))) AND NOT r.rolsuper AND r.rolname <> current_user
    AND NOT EXISTS (
        SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE (d.classid, d.objid, d.refclassid, d.deptype) = ('pg_class'::regclass, c.oid, 'pg_extension'::regclass, 'e')
        AND e.extname = 'supabase_vault'
    );
    IF FOUND THEN
        RAISE EXCEPTION 'the views of "%" belong to "%", whose functions would run with your privileges', p_schema, foreign_owner
            USING ERRCODE = '42501', HINT = 'Read their definitions; a superuser may make them theirs, or you yours.';
    END IF;
    -- Names first, then each value alone. A view that opens them all for that may fail by one, and then its table says the names.
    BEGIN
        EXECUTE format(list, source) INTO listed;
    EXCEPTION WHEN OTHERS THEN
        EXECUTE format(list, format('%I.secrets', p_schema)) INTO listed;
    END;
    FOR given IN
        SELECT l.id, l.name, l.description FROM jsonb_to_recordset(listed) AS l (id uuid, name text, description text)
        ORDER BY l.name COLLATE "C", l.id
    LOOP
        is_read := false;
        reason := NULL;
        BEGIN
            EXECUTE format('SELECT v.decrypted_secret FROM %s v WHERE v.id = $1', source) INTO value USING given.id;
            is_read := true;
            IF coalesce(given.name, '') = '' THEN
                outcome := 'skipped';
                reason := 'it has no name';
            ELSIF value IS NULL THEN
                outcome := 'rejected';
                reason := 'the view does not show its value';
            ELSIF EXISTS (SELECT FROM hftok.secrets s WHERE s.name = given.name) THEN
                outcome := CASE WHEN EXISTS (
                    SELECT FROM hftok.find_secret(value) f JOIN hftok.secrets s ON s.id = f.secret_id
                    WHERE s.name = given.name AND f.is_current
                ) THEN 'unchanged' ELSE 'skipped' END;
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
        PERFORM hftok.import_note(source, coalesce(nullif(given.name, ''), given.id::text), outcome, reason);
        counts.imported := counts.imported + (outcome = 'imported')::int;
        counts.unchanged := counts.unchanged + (outcome = 'unchanged')::int;
        counts.skipped := counts.skipped + (outcome = 'skipped')::int;
        counts.rejected := counts.rejected + (outcome = 'rejected')::int;
    END LOOP;
    RETURN counts;
END
$$;
COMMENT ON FUNCTION hftok.import_vault IS
    'Copies the named secrets of a Supabase Vault in this database, read through its view as the caller. One whose name hftok has already is reported, not replaced.';
