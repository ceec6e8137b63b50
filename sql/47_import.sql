-- Moving in: an application's own columns, and emptying them.
--
-- The procedures read and write the application's tables, so they run with the caller's rights; and they commit, so they
-- cannot pin a search_path. Their own names are qualified down to the operators; p_open and the table's triggers are the
-- caller's own and find the search_path that they know.
--
-- Must stay true: a value is never in a cursor (COMMIT writes what is left of one to disk), an error, a notice or a line of
-- the report. Keys are listed first, then each row is opened alone.

CREATE TYPE hftok.imported_source AS (
    source text, relation text, is_key text, held text, empty text, is_bytea boolean, is_filtered boolean, estimate bigint
);
COMMENT ON TYPE hftok.imported_source IS 'A column that is moved in: its name in the report, and how SQL addresses it.';

CREATE FUNCTION hftok.import_source(p_table regclass, p_column name, p_key name) RETURNS hftok.imported_source
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    addressed hftok.imported_source;
    foreign_owner name;
BEGIN
    IF p_table IS NULL OR p_column IS NULL OR p_key IS NULL THEN
        RAISE EXCEPTION 'p_table, p_column and p_key must not be null' USING ERRCODE = '22023';
    ELSIF p_key = p_column THEN
        RAISE EXCEPTION 'p_key must not be p_column: rows are remembered and reported by their keys' USING ERRCODE = '22023';
    ELSIF EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent WHERE c.oid = p_table AND c.relkind = 'r') THEN
        RAISE EXCEPTION 'other tables inherit from "%", and keys need not differ between them', p_table USING ERRCODE = '22023';
    END IF;
    WITH RECURSIVE types AS (
        SELECT t.* FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = p_table AND a.attname = p_column AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT t.* FROM types d JOIN pg_type t ON t.oid = d.typbasetype WHERE d.typtype = 'd'
    ), type AS (
        SELECT bool_or(t.oid = 'bytea'::regtype) AS is_bytea, bool_or(t.typnotnull) AS is_not_null FROM types t
    )
    SELECT format('%I.%I.%I', n.nspname, c.relname, a.attname), format('%I.%I', n.nspname, c.relname),
        CASE WHEN t.is_bytea THEN format('pg_catalog.encode(%I, ''hex'')', a.attname)
            ELSE format('%I::pg_catalog.text', a.attname) END,
        CASE WHEN a.attnotnull OR t.is_not_null THEN '''''' ELSE 'NULL' END,
        t.is_bytea, row_security_active(c.oid), nullif(c.reltuples, -1)
    INTO addressed.source, addressed.relation, addressed.held, addressed.empty, addressed.is_bytea, addressed.is_filtered,
        addressed.estimate
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid, type t
    WHERE c.oid = p_table AND a.attname = p_column AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no column "%" in "%"', p_column, p_table USING ERRCODE = '22023';
    END IF;
    -- The operator of the index itself: it is the one that says when two keys are the same.
    SELECT format('%I OPERATOR(%I.%s) $1::%I.%I', a.attname, s.nspname, o.oprname, n.nspname, t.typname) INTO addressed.is_key
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
    JOIN pg_opclass c ON c.oid = i.indclass[0]
    JOIN pg_amop m ON m.amopfamily = c.opcfamily AND (m.amoplefttype, m.amoprighttype, m.amopstrategy) = (c.opcintype, c.opcintype, 3)
    JOIN pg_operator o ON o.oid = m.amopopr JOIN pg_namespace s ON s.oid = o.oprnamespace
    WHERE i.indrelid = p_table AND a.attname = p_key AND a.attnotnull
    AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL AND i.indexprs IS NULL
    ORDER BY i.indexrelid LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'p_key must be a column of "%" that is NOT NULL and alone has a unique index', p_table
            USING ERRCODE = '22023', HINT = 'Usually the primary key. Rows are remembered and reported by it.';
    END IF;
    -- Whoever owns the table decides what runs when its rows are read and written, and it runs as the caller.
    SELECT pg_get_userbyid(c.relowner) INTO foreign_owner FROM pg_class c
    WHERE c.oid = p_table AND NOT pg_has_role(c.relowner, 'hftok_admin', 'MEMBER') AND pg_get_userbyid(c.relowner) <> current_user
    AND (c.relrowsecurity OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal));
    IF FOUND THEN
        RAISE WARNING 'triggers and policies of "%" run with your privileges, and are written by "%"', p_table, foreign_owner
            USING HINT = 'Read them first.';
    END IF;
    RETURN addressed;
END
$$;
COMMENT ON FUNCTION hftok.import_source IS
    'How import_column() and blank_column() call and address a column; for programs that import its values themselves.';

CREATE PROCEDURE hftok.import_column(
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
    one_row pg_catalog.text;
    -- The row that is looked at.
    key pg_catalog.text;
    is_null boolean;
    is_there boolean;
    held pg_catalog.text;
    value pg_catalog.text;
    provider pg_catalog.text;
    owner pg_catalog.text;
    model pg_catalog.text;
    -- What became of it.
    outcome pg_catalog.text;
    is_read boolean;
    is_again boolean;
    attempts int;
    state pg_catalog.text;
    said pg_catalog.text;
    detail pg_catalog.text;
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
    SELECT s.source, s.relation, s.is_bytea, s.is_filtered, s.estimate,
        -- btrim() takes nothing but text, so an expression that gives bytes is refused and not imported as their digits.
        pg_catalog.format(E'SELECT true, %s, pg_catalog.btrim((%s\n)), %s, %s, %s FROM %s WHERE %s',
            s.held, coalesce(p_open, s.held),
            CASE WHEN p_provider IS NULL THEN pg_catalog.format('%I::pg_catalog.text', p_provider_column) ELSE 'NULL' END,
            CASE WHEN is_global THEN 'NULL' ELSE pg_catalog.format('%I::pg_catalog.text', coalesce(p_owner_column, p_key)) END,
            CASE WHEN p_model_column IS NULL THEN 'NULL' ELSE pg_catalog.format('%I::pg_catalog.text', p_model_column) END,
            s.relation, s.is_key)
    INTO named, relation, is_bytea, is_filtered, estimate, one_row
    FROM hftok.import_source(p_table, p_column, p_key) s;
    IF is_bytea AND p_open IS NULL THEN
        RAISE EXCEPTION 'column "%" holds bytes: p_open must say how they are opened', p_column USING ERRCODE = '22023';
    END IF;
    BEGIN
        EXECUTE one_row INTO is_there, held, value, provider, owner, model USING NULL::pg_catalog.text;
    EXCEPTION WHEN OTHERS THEN
        -- Told without its context, which is the whole expression, and without what quotes a part of it: a key may be in it.
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT;
        IF state OPERATOR(pg_catalog.~) '^42' AND state OPERATOR(pg_catalog.<>) '42601' THEN
            RAISE EXCEPTION '%', said USING ERRCODE = state, HINT = 'p_open is an expression over the columns of the table, and gives text.';
        END IF;
        RAISE EXCEPTION 'p_open is no expression over a row of %', relation USING ERRCODE = '22023';
    END;

    -- The last key first: of rows for the same owner, provider and model the one that was added last is imported.
    FOR key, is_null IN
        EXECUTE pg_catalog.format('SELECT t.%1$I::pg_catalog.text, t.%2$I IS NULL FROM %3$s t ORDER BY t.%1$I DESC',
            p_key, p_column, relation)
    LOOP
        attempts := 0;
        LOOP
            outcome := NULL;
            is_read := is_null;
            is_again := false;
            BEGIN
                IF is_null THEN
                    outcome := hftok.import_note(named, key, 'blank', NULL, run, p_dry_run);
                ELSE
                    EXECUTE one_row INTO is_there, held, value, provider, owner, model USING key;
                    is_read := true;
                    IF is_there AND p_model_column IS NOT NULL AND pg_catalog.btrim(coalesce(model, '')) OPERATOR(pg_catalog.=) '' THEN
                        outcome := hftok.import_note(named, key, 'rejected', 'it names no model', run, p_dry_run);
                    ELSIF is_there THEN
                        outcome := hftok.import_value(named, key, value, coalesce(p_provider, provider), coalesce(p_model, model),
                            CASE WHEN is_for_user THEN owner END, CASE WHEN is_for_org THEN owner END, is_global, held, run,
                            p_dry_run);
                    END IF;
                END IF;
            EXCEPTION WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
                IF state OPERATOR(pg_catalog.~) '^(PT409|40)' THEN
                    is_again := true;
                ELSIF is_read AND state OPERATOR(pg_catalog.=) '22023' THEN
                    -- hftok's own words.
                    outcome := hftok.import_note(named, key, 'rejected', said, run, p_dry_run);
                ELSIF is_read AND state OPERATOR(pg_catalog.=) 'PT413' THEN
                    outcome := hftok.import_note(named, key, 'rejected', detail, run, p_dry_run);
                ELSIF is_read THEN
                    RAISE;
                ELSIF p_open IS NOT NULL AND state OPERATOR(pg_catalog.~) '^(0A|2|3|42|P0)' THEN
                    outcome := hftok.import_note(named, key, 'rejected',
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
                outcome := hftok.import_note(named, key, 'skipped', 'somebody else was changing it: import again', run, p_dry_run);
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
    PERFORM hftok.import_note(named, NULL, 'summary', summary);
    COMMIT;
    RAISE NOTICE '%: %', named, summary USING HINT = 'SELECT * FROM hftok.import_report';
END
$$;
COMMENT ON PROCEDURE hftok.import_column IS
    'Moves an application''s column in. The owner''s id is in p_owner_column, or in p_key; owners are user, org or global. p_open is an SQL expression over the row that yields the plaintext; it runs as the caller''s own SQL, so give it no key as a literal, and nothing that comes from somebody else. Of several rows for one owner, provider and model the one with the greatest key is imported. Commits every p_batch rows; run it again to go on, or to take in what changed.';

CREATE PROCEDURE hftok.blank_column(p_table regclass, p_column name, p_key name, p_discard text[] DEFAULT '{}')
    LANGUAGE plpgsql SECURITY INVOKER
    AS $$
DECLARE
    named pg_catalog.text;
    relation pg_catalog.text;
    is_filtered boolean;
    estimate bigint;
    all_rows pg_catalog.text;
    held_row pg_catalog.text;
    seen_row pg_catalog.text;
    left_row pg_catalog.text;
    key pg_catalog.text;
    outcome pg_catalog.text;
    -- NULL where nothing is left.
    left_as_seen boolean;
    is_again boolean;
    attempts int;
    state pg_catalog.text;
    emptied pg_catalog.text;
    changed bigint;
    blanked int := 0;
    discarded int := 0;
    left_over int := 0;
    pending int := 0;
    since pg_catalog.timestamptz := pg_catalog.clock_timestamp();
    remains pg_catalog.text;
BEGIN
    COMMIT;
    IF (p_discard OPERATOR(pg_catalog.<@) '{rejected,duplicate,skipped}') IS NOT TRUE THEN
        RAISE EXCEPTION 'p_discard is of rejected, duplicate and skipped' USING ERRCODE = '22023';
    END IF;
    SELECT s.source, s.relation, s.is_filtered, s.estimate,
        pg_catalog.format('SELECT t.%1$I::pg_catalog.text FROM %2$s t WHERE (%3$s) COLLATE pg_catalog."C" OPERATOR(pg_catalog.~) ''[^[:space:]]'' ORDER BY t.%1$I',
            p_key, s.relation, s.held),
        -- Compared and emptied under the same lock of the row: what somebody else has changed meanwhile is compared anew.
        pg_catalog.format('UPDATE %s SET %I = %s WHERE %s AND hftok.import_holds($2, $1, %s)',
            s.relation, p_column, s.empty, s.is_key, s.held),
        pg_catalog.format('UPDATE %s SET %I = %s WHERE %s AND hftok.import_saw($2, $1, %s, $3)',
            s.relation, p_column, s.empty, s.is_key, s.held),
        -- Of what is left, whether it is as it was looked at.
        pg_catalog.format('SELECT hftok.import_saw($2, $1, %1$s, ''{rejected,duplicate,skipped}'') FROM %2$s
            WHERE %3$s AND (%1$s) COLLATE pg_catalog."C" OPERATOR(pg_catalog.~) ''[^[:space:]]''', s.held, s.relation, s.is_key)
    INTO named, relation, is_filtered, estimate, all_rows, held_row, seen_row, left_row
    FROM hftok.import_source(p_table, p_column, p_key) s;
    EXECUTE held_row USING NULL::pg_catalog.text, named;

    FOR key IN EXECUTE all_rows LOOP
        attempts := 0;
        LOOP
            is_again := false;
            BEGIN
                emptied := NULL;
                EXECUTE held_row USING key, named;
                GET DIAGNOSTICS changed = ROW_COUNT;
                IF changed OPERATOR(pg_catalog.>) 0 THEN
                    emptied := 'blanked';
                ELSIF pg_catalog.cardinality(p_discard) OPERATOR(pg_catalog.>) 0 THEN
                    EXECUTE seen_row USING key, named, p_discard;
                    GET DIAGNOSTICS changed = ROW_COUNT;
                    IF changed OPERATOR(pg_catalog.>) 0 THEN
                        emptied := 'discarded';
                    END IF;
                END IF;
                EXECUTE left_row INTO left_as_seen USING key, named;
                IF emptied IS NOT NULL AND left_as_seen IS NOT NULL THEN
                    RAISE EXCEPTION 'a trigger keeps it';
                ELSIF emptied IS NOT NULL THEN
                    outcome := hftok.import_note(named, key, emptied);
                ELSIF left_as_seen IS NULL THEN
                    -- Gone, or emptied by somebody else, there is nothing to say of it.
                    outcome := 'blank';
                ELSIF left_as_seen THEN
                    -- Why it was not imported has been said.
                    outcome := 'left';
                ELSE
                    outcome := hftok.import_note(named, key, 'changed',
                        'it is not what was looked at, or hftok no longer holds that: import again');
                END IF;
            EXCEPTION WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE;
                IF state OPERATOR(pg_catalog.~) '^(PT409|40)' THEN
                    is_again := true;
                ELSIF emptied IS NOT NULL AND state OPERATOR(pg_catalog.~) '^(22023|P0001)' THEN
                    outcome := hftok.import_note(named, key, 'changed',
                        'a trigger of the table keeps what is emptied, or deletes what hftok has: so it was not emptied');
                ELSIF state OPERATOR(pg_catalog.~) '^(0A|2|3|42|44|P0)' THEN
                    -- A constraint, a policy or a trigger of the table, whose words would quote the row.
                    outcome := hftok.import_note(named, key, 'changed',
                        pg_catalog.format('the table does not let it be emptied (SQLSTATE %s)', state));
                ELSIF state OPERATOR(pg_catalog.~) '^(53HF|PT)' THEN
                    RAISE;
                ELSE
                    RAISE EXCEPTION 'row % of % cannot be emptied', key, relation USING ERRCODE = state;
                END IF;
            END;
            EXIT WHEN NOT is_again;
            COMMIT;
            attempts := attempts OPERATOR(pg_catalog.+) 1;
            IF attempts OPERATOR(pg_catalog.>=) 10 THEN
                outcome := hftok.import_note(named, key, 'changed', 'somebody else was changing it: try again');
                EXIT;
            END IF;
        END LOOP;
        IF outcome OPERATOR(pg_catalog.=) 'blanked' THEN
            blanked := blanked OPERATOR(pg_catalog.+) 1;
        ELSIF outcome OPERATOR(pg_catalog.=) 'discarded' THEN
            discarded := discarded OPERATOR(pg_catalog.+) 1;
        ELSIF outcome OPERATOR(pg_catalog.<>) 'blank' THEN
            left_over := left_over OPERATOR(pg_catalog.+) 1;
        END IF;
        pending := pending OPERATOR(pg_catalog.+) 1;
        IF pending OPERATOR(pg_catalog.>=) 1000
            OR pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) (since OPERATOR(pg_catalog.+) '1 second'::interval) THEN
            COMMIT;
            DISCARD PLANS;
            pending := 0;
            since := pg_catalog.clock_timestamp();
        END IF;
    END LOOP;

    -- A line for each place, with the remedy.
    remains := pg_catalog.format(E'dead rows and index entries: VACUUM (FULL, ANALYZE) %s\n'
        'what ANALYZE took from the column: VACUUM FULL pg_catalog.pg_statistic, after that\n'
        'WAL: CHECKPOINT; with wal_recycle off its files are then removed, else overwritten in time; and its archive\n'
        'replicas: until they have replayed all this\n'
        'base backups, snapshots and dumps: until they are deleted\n'
        'server logs, pg_stat_statements, poolers: if they were shown statements with the values in them\n'
        'whatever triggers, views and subscribers copied elsewhere\n'
        'who must be sure has the keys revoked by their providers, and saves new ones', relation);
    PERFORM hftok.import_note(named, NULL, 'remains', remains);
    COMMIT;
    RAISE NOTICE '%: emptied % rows%, left % that hold something%', named, blanked,
        CASE WHEN discarded OPERATOR(pg_catalog.>) 0 THEN pg_catalog.format(', discarded %s', discarded) ELSE '' END, left_over,
        CASE WHEN is_filtered THEN pg_catalog.format(', of about %s rows, because row security may hide others',
            coalesce(estimate::pg_catalog.text, 'an unknown number of')) ELSE '' END USING DETAIL = remains;
END
$$;
COMMENT ON PROCEDURE hftok.blank_column IS
    'Empties an application''s column (NULL, or '''' where that cannot be) in every row that still holds what was imported and whose secret opens. Others are left and reported, but for those that p_discard names by their outcome (rejected, duplicate, skipped) and that hold what was looked at then: they are emptied, and hftok does not have them. Says what still holds the old values.';
