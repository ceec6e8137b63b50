-- Moving in: an application's own columns.
--
-- The procedures know who calls, so they run with the caller's rights; and they commit, so they cannot pin a search_path. Their
-- own names are qualified down to the operators. The table is read and emptied by the functions of import_source.sql.
--
-- Must stay true: a value is never in a cursor (COMMIT writes what is left of one to disk), an error, a notice or a line of
-- the report. Keys are listed first, then each row is opened alone. A value is taken by assignment: in FROM it would pass through
-- a tuple store, which spills to disk.

CREATE OR REPLACE PROCEDURE hftok.import_column(
    p_table regclass, p_column name, p_key name, p_provider text DEFAULT NULL, p_provider_column name DEFAULT NULL,
    p_owner text DEFAULT 'user', p_owner_column name DEFAULT NULL, p_model_column name DEFAULT NULL, p_open text DEFAULT NULL,
    p_batch int DEFAULT 1000, p_dry_run boolean DEFAULT false, p_model text DEFAULT NULL
)
    LANGUAGE plpgsql SECURITY INVOKER
    AS $$
DECLARE
    run pg_catalog.uuid := pg_catalog.gen_random_uuid();
    is_for_user boolean := p_owner OPERATOR(pg_catalog.=) 'user';
    is_for_org boolean := p_owner OPERATOR(pg_catalog.=) 'org';
    is_global boolean := p_owner OPERATOR(pg_catalog.=) 'global';
    named pg_catalog.text;
    relation pg_catalog.text;
    is_filtered boolean;
    estimate bigint;
    is_bytea boolean;
    owned_by pg_catalog.text := CASE WHEN NOT is_global THEN coalesce(p_owner_column, p_key) END;
    -- The row that is looked at.
    key pg_catalog.text;
    is_null boolean;
    found hftok_import.imported_row;
    -- What became of it.
    outcome pg_catalog.text;
    is_read boolean;
    is_again boolean;
    attempts int;
    state pg_catalog.text;
    said pg_catalog.text;
    detail pg_catalog.text;
    advice pg_catalog.text;
    -- Of all of them.
    pending int := 0;
    since pg_catalog.timestamptz := pg_catalog.clock_timestamp();
    outcomes pg_catalog.text[] := '{imported,unchanged,skipped,duplicate,rejected,blank,blanked,discarded}';
    counts int[] := '{0,0,0,0,0,0,0,0}';
    total int := 0;
    at int;
    summary pg_catalog.text;
BEGIN
    -- An error (2D000) where what is committed below could not be: in a transaction block, in a function.
    COMMIT;
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
        RAISE EXCEPTION 'there is no provider of this name' USING ERRCODE = '22023';
    END IF;
    SELECT s.source, s.relation, s.is_bytea, s.is_filtered, s.estimate INTO named, relation, is_bytea, is_filtered, estimate
    FROM hftok_import.import_source(p_table, p_column, p_key) s;
    IF is_bytea AND p_open IS NULL THEN
        RAISE EXCEPTION 'column "%" holds bytes: p_open must say how they are opened', p_column USING ERRCODE = '22023';
    END IF;
    BEGIN
        found := hftok_import.import_row(p_table, p_column, p_key, NULL, p_open, p_provider_column, owned_by, p_model_column);
    EXCEPTION WHEN OTHERS THEN
        -- Told without its context, which is the whole expression, and without what quotes a part of it: a key may be in it.
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT, advice = PG_EXCEPTION_HINT;
        IF state OPERATOR(pg_catalog.~) '^42' AND state OPERATOR(pg_catalog.<>) '42601' THEN
            RAISE EXCEPTION '%', said USING ERRCODE = state, HINT = CASE WHEN state OPERATOR(pg_catalog.=) '42501' THEN advice
                ELSE 'p_open is an expression over the columns of the table, and gives text.' END;
        END IF;
        RAISE EXCEPTION 'p_open is no expression over a row of %', relation USING ERRCODE = '22023';
    END;

    -- The last key first: of rows for the same owner, provider and model the one that was added last is imported.
    FOR key, is_null IN
        SELECT k.key, k.is_null FROM hftok_import.import_keys(p_table, p_column, p_key) k
    LOOP
        attempts := 0;
        LOOP
            outcome := NULL;
            is_read := is_null;
            is_again := false;
            BEGIN
                IF is_null THEN
                    outcome := hftok_import.import_note(named, key, 'blank', NULL, run, p_dry_run);
                ELSE
                    found := hftok_import.import_row(p_table, p_column, p_key, key, p_open, p_provider_column, owned_by, p_model_column);
                    is_read := true;
                    IF found.is_there AND p_model_column IS NOT NULL
                        AND pg_catalog.btrim(coalesce(found.model, '')) OPERATOR(pg_catalog.=) '' THEN
                        outcome := hftok_import.import_note(named, key, 'rejected', 'it names no model', run, p_dry_run);
                    ELSIF found.is_there THEN
                        outcome := hftok_import.import_value(named, key, found.value, coalesce(p_provider, found.provider),
                            coalesce(p_model, found.model), CASE WHEN is_for_user THEN found.owner END,
                            CASE WHEN is_for_org THEN found.owner END, is_global, found.held, run, p_dry_run);
                    END IF;
                END IF;
            EXCEPTION WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
                IF state OPERATOR(pg_catalog.~) '^(PT409|40)' THEN
                    is_again := true;
                ELSIF is_read AND state OPERATOR(pg_catalog.=) '22023' THEN
                    -- hftok's own words.
                    outcome := hftok_import.import_note(named, key, 'rejected', said, run, p_dry_run);
                ELSIF is_read AND state OPERATOR(pg_catalog.=) 'PT413' THEN
                    outcome := hftok_import.import_note(named, key, 'rejected', detail, run, p_dry_run);
                ELSIF is_read THEN
                    RAISE;
                ELSIF p_open IS NOT NULL AND state OPERATOR(pg_catalog.~) '^(0A|2|3|42|P0)' THEN
                    outcome := hftok_import.import_note(named, key, 'rejected',
                        pg_catalog.format('p_open fails for it (SQLSTATE %s)', state), run, p_dry_run);
                ELSE
                    RAISE EXCEPTION 'row % of % cannot be read', key, relation USING ERRCODE = state;
                END IF;
            END;
            EXIT WHEN NOT is_again;
            -- Whoever was in the way may be waiting for what was imported just now.
            COMMIT;
            attempts := attempts OPERATOR(pg_catalog.+) 1;
            IF attempts OPERATOR(pg_catalog.>=) 10 THEN
                outcome := hftok_import.import_note(named, key, 'skipped', 'somebody else was changing it: import again', run, p_dry_run);
                EXIT;
            END IF;
        END LOOP;
        IF outcome IS NOT NULL THEN
            at := pg_catalog.array_position(outcomes, outcome);
            counts[at] := counts[at] OPERATOR(pg_catalog.+) 1;
            total := total OPERATOR(pg_catalog.+) 1;
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

    summary := CASE
        WHEN NOT is_filtered THEN pg_catalog.format('read %s rows', total)
        WHEN estimate IS NULL THEN pg_catalog.format('read %s of an unknown number of rows, because row security may hide others', total)
        ELSE pg_catalog.format('read %s of about %s rows, because row security may hide others', total, estimate)
    END;
    FOR at IN 1 .. pg_catalog.cardinality(outcomes) LOOP
        IF counts[at] OPERATOR(pg_catalog.>) 0 THEN
            summary := pg_catalog.format('%s, %s %s', summary, counts[at], outcomes[at]);
        END IF;
    END LOOP;
    IF p_dry_run THEN
        summary := pg_catalog.format('dry run: %s', summary);
    END IF;
    PERFORM hftok_import.import_note(named, NULL, 'summary', summary);
    COMMIT;
    RAISE NOTICE '%: %', named, summary USING HINT = 'SELECT * FROM hftok.import_report';
END
$$;
COMMENT ON PROCEDURE hftok.import_column IS
    'Moves an application''s column in. The owner''s id is in p_owner_column, or in p_key; owners are user, org or global. p_open is an SQL expression over the row that yields the plaintext; it runs as the caller''s own SQL (over the columns that the caller may read), so give it no key as a literal, and nothing that comes from somebody else. Of several rows for one owner, provider and model the one with the greatest key is imported. Commits every p_batch rows; run it again to go on, or to take in what changed.';
