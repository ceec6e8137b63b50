-- Moving in: an application's own columns.
--
-- The procedures know who calls, so they run with the caller's rights; and they commit, so they cannot pin a search_path. Their
-- own names are qualified down to the operators. The table is read and emptied by the functions of import_source.sql.
--
-- Must stay true: a value is never in a cursor (COMMIT writes what is left of one to disk), an error, a notice or a line of
-- the report. Keys are listed first, then each row is opened alone. A value is taken by assignment: in FROM it would pass through
-- a tuple store, which spills to disk.

-- import_look(), import_admit() and import_attempt() pin no search_path either: p_open is the caller's.
CREATE OR REPLACE FUNCTION hftok_import.import_look(
    p_source hftok_import.imported_source, p_table regclass, p_column name, p_key name, p_open text, p_provider_column name, p_owner_column name,
    p_model_column name, p_details text[]
) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS $$
DECLARE
    state pg_catalog.text;
    said pg_catalog.text;
    advice pg_catalog.text;
BEGIN
    IF p_source.is_bytea AND p_open IS NULL THEN
        RAISE EXCEPTION 'column "%" holds bytes: p_open must say how they are opened', p_column USING ERRCODE = '22023';
    END IF;
    BEGIN
        PERFORM hftok_import.import_row(p_table, p_column, p_key, NULL, p_open, p_provider_column, p_owner_column, p_model_column,
            p_details);
        RETURN;
    EXCEPTION WHEN OTHERS THEN
        -- Told without its context, which is the whole expression, and without what quotes a part of it: a key may be in it.
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT, advice = PG_EXCEPTION_HINT;
        IF state OPERATOR(pg_catalog.~) '^42' AND state OPERATOR(pg_catalog.<>) '42601' THEN
            RAISE EXCEPTION '%', said USING ERRCODE = state, HINT = CASE WHEN state OPERATOR(pg_catalog.=) '42501' THEN advice
                ELSE 'p_open is an expression over the columns of the table, and gives text.' END;
        END IF;
        RAISE EXCEPTION 'p_open is no expression over a row of %', p_source.relation USING ERRCODE = '22023';
    END;
END
$$;
COMMENT ON FUNCTION hftok_import.import_look IS 'Looks whether a row of a source could be read and opened, or says in an error why not.';

CREATE OR REPLACE FUNCTION hftok_import.import_admit(
    p_table regclass, p_column name, p_key name, p_provider text, p_provider_column name, p_owner text, p_owner_column name,
    p_model_column name, p_open text, p_batch int, p_dry_run boolean, p_model text
) RETURNS hftok_import.imported_source
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS $$
DECLARE
    is_for_user boolean := p_owner OPERATOR(pg_catalog.=) 'user';
    is_for_org boolean := p_owner OPERATOR(pg_catalog.=) 'org';
    is_global boolean := p_owner OPERATOR(pg_catalog.=) 'global';
    addressed hftok_import.imported_source;
BEGIN
    IF p_dry_run IS NULL OR p_batch IS NULL OR p_batch OPERATOR(pg_catalog.<) 1 THEN
        RAISE EXCEPTION 'p_batch is 1 at least, and p_dry_run is not null' USING ERRCODE = '22023';
    ELSIF pg_catalog.num_nonnulls(p_provider, p_provider_column) OPERATOR(pg_catalog.<>) 1 THEN
        RAISE EXCEPTION 'give either p_provider or p_provider_column' USING ERRCODE = '22023';
    ELSIF pg_catalog.num_nonnulls(p_model, p_model_column) OPERATOR(pg_catalog.>) 1 THEN
        RAISE EXCEPTION 'p_model and p_model_column exclude each other' USING ERRCODE = '22023';
    ELSIF (is_for_user OR is_for_org OR is_global) IS NOT TRUE OR (is_global AND p_owner_column IS NOT NULL) THEN
        RAISE EXCEPTION 'p_owner is user, org or global, and global has no p_owner_column' USING ERRCODE = '22023';
    ELSIF p_column OPERATOR(pg_catalog.=) ANY (ARRAY[p_owner_column, p_provider_column, p_model_column]) THEN
        RAISE EXCEPTION 'p_column holds secrets: it is no owner, provider or model' USING ERRCODE = '22023';
    ELSIF p_owner_column IS NULL AND EXISTS (
        -- Keys of a table of keys are nobody's ids.
        SELECT FROM pg_catalog.pg_attribute a
        WHERE a.attrelid OPERATOR(pg_catalog.=) p_table AND a.attname OPERATOR(pg_catalog.<>) p_key AND a.attname OPERATOR(pg_catalog.=) ANY (
            CASE WHEN is_for_user THEN '{user_id,userid,owner_id}'
                WHEN is_for_org THEN '{org_id,organization_id,organisation_id,team_id,workspace_id}' ELSE '{}' END::pg_catalog.name[])
    ) THEN
        RAISE EXCEPTION 'p_owner_column must be given: the table has a column for it' USING ERRCODE = '22023',
            HINT = 'p_owner_column => p_key says that the key is the owner''s id.';
    ELSIF p_provider IS NOT NULL
        AND NOT EXISTS (SELECT FROM hftok.providers p WHERE p.name OPERATOR(pg_catalog.=) p_provider) THEN
        RAISE EXCEPTION 'there is no provider of this name' USING ERRCODE = '22023',
            HINT = 'View hftok.providers lists them: custom takes any key. register_provider() adds one.';
    END IF;
    addressed := hftok_import.import_source(p_table, p_column, p_key);
    PERFORM hftok_import.import_look(addressed, p_table, p_column, p_key, p_open, p_provider_column,
        CASE WHEN NOT is_global THEN coalesce(p_owner_column, p_key) END, p_model_column, NULL);
    RETURN addressed;
END
$$;
COMMENT ON FUNCTION hftok_import.import_admit IS
    'The source that the parameters of import_column() name, or an error: whether they fit each other, the table and the expression.';

CREATE OR REPLACE FUNCTION hftok_import.import_attempt(
    p_source hftok_import.imported_source, p_table regclass, p_column name, p_key name, p_row text, p_is_null boolean, p_provider text,
    p_provider_column name, p_owner text, p_owner_column name, p_model_column name, p_open text, p_run uuid, p_dry_run boolean,
    p_model text, p_details text[], OUT outcome text, OUT is_again boolean
)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS $$
DECLARE
    owned_by pg_catalog.text := CASE WHEN p_owner OPERATOR(pg_catalog.<>) 'global' THEN coalesce(p_owner_column, p_key) END;
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
            found := hftok_import.import_row(p_table, p_column, p_key, p_row, p_open, p_provider_column, owned_by, p_model_column, p_details);
            is_read := true;
            IF found.is_there AND p_details IS NOT NULL THEN
                outcome := hftok_import.import_integration(p_source.source, p_row, found.value, found.provider,
                    CASE WHEN p_owner OPERATOR(pg_catalog.=) 'user' THEN found.owner END, found.model, found.held, p_run, p_dry_run,
                    CASE WHEN p_owner OPERATOR(pg_catalog.=) 'org' THEN found.owner END);
            ELSIF found.is_there AND p_model_column IS NOT NULL
                AND pg_catalog.btrim(coalesce(found.model, '')) OPERATOR(pg_catalog.=) '' THEN
                outcome := hftok_import.import_note(p_source.source, p_row, 'rejected', 'it names no model', p_run, p_dry_run);
            ELSIF found.is_there THEN
                outcome := hftok_import.import_value(p_source.source, p_row, found.value, coalesce(p_provider, found.provider),
                    coalesce(p_model, found.model), CASE WHEN p_owner OPERATOR(pg_catalog.=) 'user' THEN found.owner END,
                    CASE WHEN p_owner OPERATOR(pg_catalog.=) 'org' THEN found.owner END, p_owner OPERATOR(pg_catalog.=) 'global', found.held, p_run, p_dry_run);
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
        ELSIF is_read AND state OPERATOR(pg_catalog.=) '22023' THEN
            -- hftok's own words.
            outcome := hftok_import.import_note(p_source.source, p_row, 'rejected', said, p_run, p_dry_run);
        ELSIF is_read AND state OPERATOR(pg_catalog.=) 'PT413' THEN
            outcome := hftok_import.import_note(p_source.source, p_row, 'rejected', detail, p_run, p_dry_run);
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
COMMENT ON FUNCTION hftok_import.import_attempt IS
    'Imports one row, an integration where p_details names columns of its, and says what became of it. is_again: somebody else was changing it. No outcome: it is gone.';

CREATE OR REPLACE FUNCTION hftok_import.import_summary(
    p_source hftok_import.imported_source, p_outcomes text[], p_counts int[], p_dry_run boolean
) RETURNS text
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT concat(CASE WHEN p_dry_run THEN 'dry run: ' END, CASE
            WHEN NOT (p_source).is_filtered THEN format('read %s rows', sum(o.count))
            WHEN (p_source).estimate IS NULL THEN
                format('read %s of an unknown number of rows, because row security may hide others', sum(o.count))
            ELSE format('read %s of about %s rows, because row security may hide others', sum(o.count), (p_source).estimate)
        END, string_agg(format(', %s %s', o.count, o.outcome), '' ORDER BY o.at) FILTER (WHERE o.count > 0))
    FROM unnest(p_outcomes, p_counts) WITH ORDINALITY AS o (outcome, count, at)
$$;
COMMENT ON FUNCTION hftok_import.import_summary IS 'How many rows of a source were read, and how many became what.';

-- Whom a credential of an organisation serves is looked up among its members.
CREATE OR REPLACE FUNCTION hftok_import.import_deserted(p_source text, p_dry_run boolean) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT count(DISTINCT r.scope_id) FROM hftok.import_report r
    WHERE r.source = p_source AND r.dry_run = p_dry_run AND r.scope IN ('org', 'org_integration') AND r.outcome IN ('imported', 'unchanged')
    AND r.scope_id NOT IN (SELECT m.org_id FROM hftok.members m)
$$;
COMMENT ON FUNCTION hftok_import.import_deserted IS 'How many organisations have a credential from a source and no member.';

CREATE OR REPLACE PROCEDURE hftok_import.import_all(
    p_source hftok_import.imported_source, p_table regclass, p_column name, p_key name, p_provider text, p_provider_column name,
    p_owner text, p_owner_column name, p_model_column name, p_open text, p_batch int, p_dry_run boolean, p_model text, p_details text[]
)
    LANGUAGE plpgsql SECURITY INVOKER
    AS $$
DECLARE
    run pg_catalog.uuid := pg_catalog.gen_random_uuid();
    -- The row that is looked at, and what became of it.
    key pg_catalog.text;
    is_null boolean;
    attempt record;
    outcome pg_catalog.text;
    attempts int;
    -- The state of the whole run.
    pending int := 0;
    since pg_catalog.timestamptz := pg_catalog.clock_timestamp();
    outcomes pg_catalog.text[] := '{imported,unchanged,skipped,duplicate,rejected,blank,blanked,discarded}';
    counts int[] := '{0,0,0,0,0,0,0,0}';
    at int;
    summary pg_catalog.text;
    deserted bigint;
BEGIN
    -- The last key first: of rows for the same owner, provider and model the one that was added last is imported.
    FOR key, is_null IN
        SELECT k.key, k.is_null FROM hftok_import.import_keys(p_table, p_column, p_key) k
    LOOP
        attempts := 0;
        LOOP
            attempt := hftok_import.import_attempt(p_source, p_table, p_column, p_key, key, is_null, p_provider, p_provider_column, p_owner,
                p_owner_column, p_model_column, p_open, run, p_dry_run, p_model, p_details);
            outcome := attempt.outcome;
            EXIT WHEN NOT attempt.is_again;
            -- Another session that was in the way may be waiting for rows that were imported just now.
            COMMIT;
            attempts := attempts OPERATOR(pg_catalog.+) 1;
            IF attempts OPERATOR(pg_catalog.>=) 10 THEN
                outcome := hftok_import.import_note(p_source.source, key, 'skipped', 'somebody else was changing it: import again', run, p_dry_run);
                EXIT;
            END IF;
        END LOOP;
        IF outcome IS NOT NULL THEN
            at := pg_catalog.array_position(outcomes, outcome);
            counts[at] := counts[at] OPERATOR(pg_catalog.+) 1;
        END IF;
        -- Also by the clock: until it commits, users whose credentials it saved cannot save any themselves. And plans that were
        -- made when hftok's tables were empty must not serve a million rows.
        pending := pending OPERATOR(pg_catalog.+) 1;
        IF pending OPERATOR(pg_catalog.>=) p_batch
            OR pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) (since OPERATOR(pg_catalog.+) '1 second'::interval) THEN
            COMMIT;
            DISCARD PLANS;
            pending := 0;
            since := pg_catalog.clock_timestamp();
        END IF;
    END LOOP;

    summary := hftok_import.import_summary(p_source, outcomes, counts, p_dry_run);
    PERFORM hftok_import.import_note(p_source.source, NULL, 'summary', summary);
    COMMIT;
    RAISE NOTICE '%: %', p_source.source, summary USING HINT = 'SELECT * FROM hftok.import_report';
    deserted := CASE WHEN p_owner OPERATOR(pg_catalog.=) 'org' THEN hftok_import.import_deserted(p_source.source, p_dry_run) END;
    IF deserted OPERATOR(pg_catalog.>) 0 THEN
        RAISE NOTICE 'organisations with % and no members: %. %', CASE WHEN p_details IS NULL THEN 'a credential' ELSE 'an integration' END, deserted,
            CASE WHEN p_details IS NULL THEN 'Who names one of them gets not_member' ELSE 'Nobody reaches it' END
            USING HINT = 'CALL hftok.import_members() takes an application''s memberships over, and follow_members() follows them.';
    END IF;
END
$$;
COMMENT ON PROCEDURE hftok_import.import_all IS 'The work of import_column() and import_integrations(), once their parameters are known to fit.';

CREATE OR REPLACE PROCEDURE hftok.import_column(
    p_table regclass, p_column name, p_key name, p_provider text DEFAULT NULL, p_provider_column name DEFAULT NULL,
    p_owner text DEFAULT 'user', p_owner_column name DEFAULT NULL, p_model_column name DEFAULT NULL, p_open text DEFAULT NULL,
    p_batch int DEFAULT 1000, p_dry_run boolean DEFAULT false, p_model text DEFAULT NULL
)
    LANGUAGE plpgsql SECURITY INVOKER
    AS $$
DECLARE
    source hftok_import.imported_source;
BEGIN
    -- An error (2D000) where what is committed below could not be: in a transaction block, in a function.
    COMMIT;
    source := hftok_import.import_admit(p_table, p_column, p_key, p_provider, p_provider_column, p_owner, p_owner_column, p_model_column,
        p_open, p_batch, p_dry_run, p_model);
    CALL hftok_import.import_all(source, p_table, p_column, p_key, p_provider, p_provider_column, p_owner, p_owner_column, p_model_column,
        p_open, p_batch, p_dry_run, p_model, NULL);
END
$$;
COMMENT ON PROCEDURE hftok.import_column IS
    'Moves an application''s column in. The owner''s id is in p_owner_column, or in p_key; owners are user, org or global. p_open is an SQL expression over the row that yields the plaintext; it runs as the caller''s own SQL (over the columns that the caller may read), so give it no key as a literal, and nothing that comes from somebody else. Of several rows for one owner, provider and model the one with the greatest key is imported. Commits every p_batch rows; run it again to go on, or to take in what changed.';
