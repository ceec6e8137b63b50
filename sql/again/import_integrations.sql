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
    IF looked_at.outcome = 'blank' THEN
        line := NULL;
        line.outcome := hftok_import.import_note(p_source, p_key, 'blank', NULL, p_run, p_dry_run);
        RETURN;
    ELSIF looked_at.outcome = 'rejected' THEN
        line.outcome := 'rejected';
        line.model := NULL;
        IF looked_at.is_remembered AND NOT line.dry_run THEN
            line.seen := hftok_private.import_fingerprints(stored);
        END IF;
        IF looked_at.is_forgotten AND NOT line.dry_run THEN
            PERFORM hftok_private.import_forget(line.source, line.key, stored);
        END IF;
        PERFORM hftok_private.import_line(line);
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

-- It pins no search_path: p_open is the caller's.
CREATE OR REPLACE FUNCTION hftok_import.import_integration_attempt(
    p_source hftok_import.imported_source, p_table regclass, p_column name, p_key name, p_row text, p_is_null boolean, p_type_column name,
    p_owner_column name, p_details text[], p_open text, p_run uuid, p_dry_run boolean, p_owner text, OUT outcome text, OUT is_again boolean
)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS $$
DECLARE
    found hftok_import.imported_row;
    is_read boolean := p_is_null;
    is_gone boolean := false;
    state pg_catalog.text;
    said pg_catalog.text;
    detail pg_catalog.text;
BEGIN
    is_again := false;
    BEGIN
        IF p_is_null THEN
            outcome := hftok_import.import_note(p_source.source, p_row, 'blank', NULL, p_run, p_dry_run);
        ELSE
            found := hftok_import.import_row(p_table, p_column, p_key, p_row, p_open, p_type_column, p_owner_column, NULL, p_details);
            is_read := true;
            IF found.is_there THEN
                outcome := hftok_import.import_integration(p_source.source, p_row, found.value, found.provider,
                    CASE WHEN p_owner OPERATOR(pg_catalog.=) 'user' THEN found.owner END, found.model, found.held, p_run, p_dry_run,
                    CASE WHEN p_owner OPERATOR(pg_catalog.=) 'org' THEN found.owner END);
            END IF;
            -- Whoever was deleted and forgotten meanwhile does not come back. Who deletes the row after this look waits for what is saved here.
            IF outcome OPERATOR(pg_catalog.=) 'imported' AND NOT p_dry_run
                AND (hftok_import.import_row(p_table, p_column, p_key, p_row)).is_there IS NOT TRUE THEN
                is_gone := true;
                RAISE EXCEPTION 'the row is gone';
            END IF;
        END IF;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
        IF is_gone THEN
            outcome := NULL;
        ELSIF state OPERATOR(pg_catalog.~) '^(PT40[49]|40)' THEN
            is_again := true;
        ELSIF is_read AND state OPERATOR(pg_catalog.=) ANY ('{22023,PT413}') THEN
            -- hftok's own words.
            outcome := hftok_import.import_note(p_source.source, p_row, 'rejected',
                CASE WHEN state OPERATOR(pg_catalog.=) 'PT413' THEN detail ELSE said END, p_run, p_dry_run);
        ELSIF is_read THEN
            RAISE;
        ELSIF p_open IS NOT NULL AND state OPERATOR(pg_catalog.~) '^(0A|2|3|42|P0)' THEN
            outcome := hftok_import.import_note(p_source.source, p_row, 'rejected',
                pg_catalog.format('p_open fails for it (SQLSTATE %s)', state), p_run, p_dry_run);
        ELSE
            RAISE EXCEPTION 'row % of % cannot be read', p_row, p_source.relation USING ERRCODE = state;
        END IF;
    END;
END
$$;
COMMENT ON FUNCTION hftok_import.import_integration_attempt IS
    'Imports one integration and says what became of it, as import_attempt() does.';

CREATE OR REPLACE PROCEDURE hftok.import_integrations(
    p_table regclass, p_key name, p_owner_column name, p_name_column name, p_type_column name, p_column name,
    p_config_column name DEFAULT NULL, p_open text DEFAULT NULL, p_status_column name DEFAULT 'status',
    p_created_column name DEFAULT 'created_at', p_batch int DEFAULT 1000, p_dry_run boolean DEFAULT false, p_owner text DEFAULT 'user'
)
    LANGUAGE plpgsql SECURITY INVOKER
    AS $$
DECLARE
    run pg_catalog.uuid := pg_catalog.gen_random_uuid();
    admitted record;
    source hftok_import.imported_source;
    -- The row that is looked at, and what became of it.
    key pg_catalog.text;
    is_null boolean;
    attempt record;
    outcome pg_catalog.text;
    attempts int;
    -- The state of the whole run.
    pending int := 0;
    since pg_catalog.timestamptz := pg_catalog.clock_timestamp();
    outcomes pg_catalog.text[] := '{imported,unchanged,skipped,rejected,blank,blanked,discarded}';
    counts int[] := '{0,0,0,0,0,0,0}';
    at int;
    summary pg_catalog.text;
    deserted bigint;
BEGIN
    COMMIT;
    admitted := hftok_import.import_integration_admit(p_table, p_key, p_column, p_owner_column, p_type_column, p_name_column, p_config_column,
        p_status_column, p_created_column, p_batch, p_dry_run, p_owner);
    source := admitted.source;
    PERFORM hftok_import.import_look(source, p_table, p_column, p_key, p_open, p_type_column, p_owner_column, NULL, admitted.details);
    FOR key, is_null IN
        SELECT k.key, k.is_null FROM hftok_import.import_keys(p_table, p_column, p_key) k
    LOOP
        attempts := 0;
        LOOP
            attempt := hftok_import.import_integration_attempt(source, p_table, p_column, p_key, key, is_null, p_type_column,
                p_owner_column, admitted.details, p_open, run, p_dry_run, p_owner);
            outcome := attempt.outcome;
            EXIT WHEN NOT attempt.is_again;
            COMMIT;
            attempts := attempts OPERATOR(pg_catalog.+) 1;
            IF attempts OPERATOR(pg_catalog.>=) 10 THEN
                outcome := hftok_import.import_note(source.source, key, 'skipped', 'somebody else was changing it: import again', run, p_dry_run);
                EXIT;
            END IF;
        END LOOP;
        IF outcome IS NOT NULL THEN
            at := pg_catalog.array_position(outcomes, outcome);
            counts[at] := counts[at] OPERATOR(pg_catalog.+) 1;
        END IF;
        pending := pending OPERATOR(pg_catalog.+) 1;
        IF pending OPERATOR(pg_catalog.>=) p_batch
            OR pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) (since OPERATOR(pg_catalog.+) '1 second'::interval) THEN
            COMMIT;
            DISCARD PLANS;
            pending := 0;
            since := pg_catalog.clock_timestamp();
        END IF;
    END LOOP;
    summary := hftok_import.import_summary(source, outcomes, counts, p_dry_run);
    PERFORM hftok_import.import_note(source.source, NULL, 'summary', summary);
    COMMIT;
    RAISE NOTICE '%: %', source.source, summary USING HINT = 'SELECT * FROM hftok.import_report';
    deserted := CASE WHEN p_owner OPERATOR(pg_catalog.=) 'org' THEN hftok_import.import_deserted(source.source, p_dry_run) END;
    IF deserted OPERATOR(pg_catalog.>) 0 THEN
        RAISE NOTICE 'organisations with an integration and no members: %. Nobody reaches it', deserted
            USING HINT = 'CALL hftok.import_members() takes an application''s memberships over, and follow_members() follows them.';
    END IF;
END
$$;
COMMENT ON PROCEDURE hftok.import_integrations IS
    'Moves an application''s table of integrations in: each keeps its id (p_key), name, configuration, status and time, and says credentials_migrated. Its owner is a user, or an organisation (p_owner is org). p_column holds the credentials, a key or a JSON object, or what p_open opens them by, as import_column() has it. A status that hftok does not know is pending, and disabled is the owner''s switch. What hftok has under an id already is only given other credentials, where the row was changed since and hftok''s were not. Commits every p_batch rows; run it again to go on.';
