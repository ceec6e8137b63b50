-- Moving in: an application's own table of integrations. The rules of import_column.sql hold here as well; what becomes of a row is
-- decided as for credentials, with the key of the row as the id of its integration.
--
-- Must stay true: a value is never in a cursor, an error, a notice or a line of the report.

-- What a row says besides owner, provider and value, made of texts of whatever table it was.
CREATE OR REPLACE FUNCTION hftok_private.import_integration_details(
    p_details text, OUT name text, OUT config jsonb, OUT status text, OUT is_enabled boolean, OUT created_at timestamptz, OUT fault text
)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    given jsonb := coalesce(p_details, '[]');
    word text := lower(btrim(given ->> 2));
BEGIN
    name := btrim(given ->> 0);
    -- Whom it belongs to switched it off: in hftok that is no status.
    is_enabled := word IS DISTINCT FROM 'disabled';
    -- Nobody is verifying it any more.
    status := CASE WHEN word IN ('connected', 'error') THEN word ELSE 'pending' END;
    BEGIN
        config := coalesce(nullif(btrim(given ->> 1), ''), '{}');
    EXCEPTION WHEN data_exception THEN
        fault := 'its configuration is no JSON';
    END;
    IF octet_length(name) > 1024 OR octet_length(config::text) > 65536 THEN
        fault := 'its name or its configuration is too long';
    END IF;
    BEGIN
        created_at := given ->> 3;
    EXCEPTION WHEN data_exception THEN
        created_at := NULL;
    END;
    IF NOT isfinite(created_at) THEN
        created_at := NULL;
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.import_integration_details IS
    'Name, configuration, status and time of an integration as hftok has them, from a JSON array of four texts; or why it cannot have them.';

CREATE OR REPLACE FUNCTION hftok_private.move_integration_as_owner(
    p_source text, p_key text, p_value text, p_provider text, p_user_id text, p_org_id text, p_details text, p_column text, p_run uuid,
    p_dry_run boolean,
    OUT line hftok_private.import_rows, OUT is_to_be_saved boolean, OUT skipped int, OUT expected int, OUT name text, OUT config jsonb,
    OUT status text, OUT is_enabled boolean, OUT created_at timestamptz
)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    looked_at hftok_private.import_finding;
    decided record;
    details record;
    stored text := coalesce(p_column, p_value);
BEGIN
    IF p_source IS NULL OR p_key IS NULL OR num_nonnulls(p_user_id, p_org_id) > 1 THEN
        RAISE EXCEPTION 'p_source and p_key must not be null, and p_user_id and p_org_id exclude each other' USING ERRCODE = '22023';
    END IF;
    SELECT d.* INTO details FROM hftok_private.import_integration_details(p_details) d;
    line := hftok_private.import_address(NULL, p_user_id, p_org_id, false);
    line.scope := CASE line.scope WHEN 'user' THEN 'integration' WHEN 'org' THEN 'org_integration' END;
    line.reason := CASE WHEN p_key !~* '^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$' THEN 'its key is no UUID'
        ELSE coalesce(line.reason, details.fault) END;
    line.source := p_source;
    line.key := p_key;
    line.run := p_run;
    line.at := now();
    line.dry_run := coalesce(p_dry_run, false);
    is_to_be_saved := false;
    looked_at := hftok_private.import_check(p_value, stored, p_provider, line.reason, true);
    line.provider := looked_at.provider;
    line.reason := looked_at.reason;
    skipped := looked_at.skipped;
    IF looked_at.outcome IN ('blank', 'rejected') THEN
        line := hftok_private.import_turn_down(line, looked_at, stored);
        RETURN;
    ELSIF EXISTS (
        SELECT FROM hftok_private.integrations i WHERE i.id = p_key::uuid
        AND (CASE line.scope WHEN 'integration' THEN i.user_id ELSE i.org_id END, i.type) IS DISTINCT FROM (line.scope_id, line.provider)
    ) THEN
        line.outcome := 'skipped';
        line.reason := 'hftok has an integration of this id for another owner or provider';
        PERFORM hftok_private.import_line(line);
        RETURN;
    END IF;
    decided := hftok_private.import_decide(line, substr(p_value, skipped + 1), stored);
    line := decided.line;
    expected := decided.replaces;
    is_to_be_saved := expected IS NOT NULL;
    IF NOT is_to_be_saved THEN
        PERFORM hftok_private.import_line(line);
    END IF;
    name := coalesce(nullif(details.name, ''), line.provider);
    config := details.config;
    status := details.status;
    is_enabled := details.is_enabled;
    created_at := details.created_at;
END
$$;
COMMENT ON FUNCTION hftok_private.move_integration_as_owner IS 'The work of move_integration(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.move_integration(
    p_source text, p_key text, p_value text, p_provider text, p_user_id text, p_org_id text, p_details text, p_column text, p_run uuid,
    p_dry_run boolean,
    OUT line hftok_private.import_rows, OUT is_to_be_saved boolean, OUT skipped int, OUT expected int, OUT name text, OUT config jsonb,
    OUT status text, OUT is_enabled boolean, OUT created_at timestamptz
)
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_move_integration';
COMMENT ON FUNCTION hftok_private.move_integration IS
    'Decides what becomes of an integration; writes its line unless it is to be saved.';

CREATE OR REPLACE FUNCTION hftok_private.save_moved_integration(
    p_id uuid, p_name text, p_type text, p_credentials text, p_config jsonb, p_user_id text, p_org_id text, p_status text,
    p_is_enabled boolean, p_created_at timestamptz, p_expected int
) RETURNS hftok.saved_credential
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_save_moved_integration';
COMMENT ON FUNCTION hftok_private.save_moved_integration IS
    'Makes an integration under the id that it had (p_expected is 0), or gives the one of this id other credentials in place of that version.';

-- Runs as the caller, because saving is recorded under the caller's name.
CREATE OR REPLACE FUNCTION hftok_import.import_integration(
    p_source text, p_key text, p_value text, p_provider text, p_user_id text, p_details text DEFAULT NULL, p_column text DEFAULT NULL,
    p_run uuid DEFAULT NULL, p_dry_run boolean DEFAULT false, p_org_id text DEFAULT NULL
) RETURNS text
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT CASE WHEN s.is_to_be_saved THEN hftok_private.import_saved(s.line, p_value, p_column,
                hftok_private.save_moved_integration(p_key::pg_catalog.uuid, s.name, (s.line).provider,
                    pg_catalog.substr(p_value, s.skipped OPERATOR(pg_catalog.+) 1), s.config, p_user_id, p_org_id, s.status, s.is_enabled,
                    s.created_at, s.expected))
            ELSE (s.line).outcome END
        FROM hftok_private.move_integration(p_source, p_key, p_value, p_provider, p_user_id, p_org_id, p_details, p_column, p_run,
            p_dry_run) s;
    END;
COMMENT ON FUNCTION hftok_import.import_integration IS
    'Imports one integration as import_integrations() does, and says what became of it, as import_value() does. Its key is its id; p_details is a JSON array of texts: name, configuration, status, and when it was made.';

CREATE OR REPLACE FUNCTION hftok_import.import_integration_admit(
    p_table regclass, p_key name, p_column name, p_owner_column name, p_type_column name, p_name_column name, p_config_column name,
    p_status_column name, p_created_column name, p_batch int, p_dry_run boolean, p_owner text, OUT source hftok_import.imported_source, OUT details text[]
)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_dry_run IS NULL OR p_batch IS NULL OR p_batch < 1 THEN
        RAISE EXCEPTION 'p_batch is 1 at least, and p_dry_run is not null' USING ERRCODE = '22023';
    ELSIF (p_owner IN ('user', 'org')) IS NOT TRUE THEN
        RAISE EXCEPTION 'p_owner is user or org' USING ERRCODE = '22023';
    ELSIF num_nulls(p_owner_column, p_name_column, p_type_column) > 0 THEN
        RAISE EXCEPTION 'p_owner_column, p_name_column and p_type_column must not be null' USING ERRCODE = '22023';
    ELSIF p_column = ANY (ARRAY[p_owner_column, p_name_column, p_type_column, p_config_column, p_status_column, p_created_column]) THEN
        RAISE EXCEPTION 'p_column holds secrets: it is nothing else as well' USING ERRCODE = '22023';
    END IF;
    source := hftok_import.import_source(p_table, p_column, p_key);
    -- The last two have usual names, by which they are taken where they are.
    details := ARRAY[p_name_column, coalesce(p_config_column, '')] || ARRAY(
        SELECT CASE WHEN n.name = n.usual AND NOT EXISTS (
                SELECT FROM pg_attribute a WHERE a.attrelid = p_table AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped
            ) THEN '' ELSE coalesce(n.name, '') END
        FROM (VALUES (1, p_status_column, 'status'), (2, p_created_column, 'created_at')) AS n (at, name, usual) ORDER BY n.at);
END
$$;
COMMENT ON FUNCTION hftok_import.import_integration_admit IS 'The source that the parameters of import_integrations() name, and the columns of name, configuration, status and time; or an error.';

CREATE OR REPLACE PROCEDURE hftok.import_integrations(
    p_table regclass, p_key name, p_owner_column name, p_name_column name, p_type_column name, p_column name,
    p_config_column name DEFAULT NULL, p_open text DEFAULT NULL, p_status_column name DEFAULT 'status',
    p_created_column name DEFAULT 'created_at', p_batch int DEFAULT 1000, p_dry_run boolean DEFAULT false, p_owner text DEFAULT 'user'
)
    LANGUAGE plpgsql SECURITY INVOKER
    AS $$
DECLARE
    admitted record;
BEGIN
    COMMIT;
    admitted := hftok_import.import_integration_admit(p_table, p_key, p_column, p_owner_column, p_type_column, p_name_column, p_config_column,
        p_status_column, p_created_column, p_batch, p_dry_run, p_owner);
    PERFORM hftok_import.import_look(admitted.source, p_table, p_column, p_key, p_open, p_type_column, p_owner_column, NULL, admitted.details);
    CALL hftok_import.import_all(admitted.source, p_table, p_column, p_key, NULL, p_type_column, p_owner, p_owner_column, NULL, p_open,
        p_batch, p_dry_run, NULL, admitted.details);
END
$$;
COMMENT ON PROCEDURE hftok.import_integrations IS
    'Moves an application''s table of integrations in: each keeps its id (p_key), name, configuration, status and time, and says credentials_migrated. Its owner is a user, or an organisation (p_owner is org). p_column holds the credentials, a key or a JSON object, or what p_open opens them by, as import_column() has it. A status that hftok does not know is pending, and disabled is the owner''s switch. What hftok has under an id already is only given other credentials, where the row was changed since and hftok''s were not. Commits every p_batch rows; run it again to go on.';
