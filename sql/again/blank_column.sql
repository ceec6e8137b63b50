-- Moving in: emptying an application's column. The rules of import_column.sql hold here as well.

-- It pins no search_path: triggers of the caller's own table are the caller's.
CREATE OR REPLACE FUNCTION hftok_import.blank_attempt(
    p_source hftok_import.imported_source, p_table regclass, p_column name, p_key name, p_row text, p_discard text[],
    OUT outcome text, OUT is_again boolean
)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS $$
DECLARE
    named pg_catalog.text := p_source.source;
    held pg_catalog.text;
    still pg_catalog.text;
    -- NULL where nothing is left.
    left_as_seen boolean;
    state pg_catalog.text;
    emptied pg_catalog.text;
BEGIN
    is_again := false;
    BEGIN
        held := (hftok_import.import_row(p_table, p_column, p_key, p_row)).held;
        emptied := CASE WHEN hftok_import.import_holds(named, p_row, held) THEN 'blanked'
            WHEN pg_catalog.cardinality(p_discard) OPERATOR(pg_catalog.>) 0
                AND hftok_import.import_saw(named, p_row, held, p_discard) THEN 'discarded' END;
        IF emptied IS NOT NULL AND hftok_import.import_empty(p_table, p_column, p_key, p_row, held) IS NOT TRUE THEN
            emptied := NULL;
        END IF;
        still := (hftok_import.import_row(p_table, p_column, p_key, p_row)).held;
        left_as_seen := CASE WHEN still COLLATE pg_catalog."C" OPERATOR(pg_catalog.~) '[^[:space:]]'
            THEN hftok_import.import_saw(named, p_row, still, '{rejected,duplicate,skipped}') END;
        IF emptied IS NOT NULL AND left_as_seen IS NOT NULL THEN
            RAISE EXCEPTION 'a trigger keeps it';
        ELSIF emptied IS NOT NULL THEN
            outcome := hftok_import.import_note(named, p_row, emptied);
        ELSIF left_as_seen IS NULL THEN
            -- Gone, or emptied by somebody else, there is nothing to say of it.
            outcome := 'blank';
        ELSIF left_as_seen THEN
            -- Why it was not imported has been said.
            outcome := 'left';
        ELSE
            outcome := hftok_import.import_note(named, p_row, 'changed',
                'it is not what was looked at, or hftok no longer holds that: import again');
        END IF;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE;
        IF state OPERATOR(pg_catalog.~) '^(PT409|40)' THEN
            is_again := true;
        ELSIF emptied IS NOT NULL AND state OPERATOR(pg_catalog.~) '^(22023|P0001)' THEN
            outcome := hftok_import.import_note(named, p_row, 'changed',
                'a trigger of the table keeps what is emptied, or deletes what hftok has: so it was not emptied');
        ELSIF state OPERATOR(pg_catalog.~) '^(0A|2|3|42|44|P0)' THEN
            -- A constraint, a policy or a trigger of the table, whose words would quote the row.
            outcome := hftok_import.import_note(named, p_row, 'changed',
                pg_catalog.format('the table does not let it be emptied (SQLSTATE %s)', state));
        ELSIF state OPERATOR(pg_catalog.~) '^(53HF|PT)' THEN
            RAISE;
        ELSE
            RAISE EXCEPTION 'row % of % cannot be emptied', p_row, p_source.relation USING ERRCODE = state;
        END IF;
    END;
END
$$;
COMMENT ON FUNCTION hftok_import.blank_attempt IS
    'Empties one row and says what became of it: blanked, discarded, changed, blank (nothing was in it) or left. is_again: somebody else was changing it.';

CREATE OR REPLACE FUNCTION hftok_import.blank_remains(p_source hftok_import.imported_source) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT format(E'dead rows and index entries: VACUUM (FULL, ANALYZE) %s\n'
        'what ANALYZE took from the column: VACUUM FULL pg_catalog.pg_statistic, after that\n'
        'WAL: CHECKPOINT; with wal_recycle off its files are then removed, else overwritten in time; and its archive\n'
        'replicas: until they have replayed all this\n'
        'base backups, snapshots and dumps: until they are deleted\n'
        'server logs, pg_stat_statements, poolers: if they were shown statements with the values in them\n'
        'whatever triggers, views and subscribers copied elsewhere\n'
        'who must be sure has the keys revoked by their providers, and saves new ones', (p_source).relation)
$$;
COMMENT ON FUNCTION hftok_import.blank_remains IS
    'The places that still hold old values after a column was emptied: a line for each, with the remedy.';

CREATE OR REPLACE PROCEDURE hftok.blank_column(p_table regclass, p_column name, p_key name, p_discard text[] DEFAULT '{}')
    LANGUAGE plpgsql SECURITY INVOKER
    AS $$
DECLARE
    source hftok_import.imported_source;
    -- The row that is looked at, and what became of it.
    key pg_catalog.text;
    attempt record;
    outcome pg_catalog.text;
    attempts int;
    -- Of all of them.
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
    source := hftok_import.import_source(p_table, p_column, p_key);
    PERFORM hftok_import.import_empty(p_table, p_column, p_key, NULL, '');
    FOR key IN SELECT k.key FROM hftok_import.import_keys(p_table, p_column, p_key, p_held => true) k LOOP
        attempts := 0;
        LOOP
            attempt := hftok_import.blank_attempt(source, p_table, p_column, p_key, key, p_discard);
            outcome := attempt.outcome;
            EXIT WHEN NOT attempt.is_again;
            COMMIT;
            attempts := attempts OPERATOR(pg_catalog.+) 1;
            IF attempts OPERATOR(pg_catalog.>=) 10 THEN
                outcome := hftok_import.import_note(source.source, key, 'changed', 'somebody else was changing it: try again');
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
    remains := hftok_import.blank_remains(source);
    PERFORM hftok_import.import_note(source.source, NULL, 'remains', remains);
    COMMIT;
    RAISE NOTICE '%: emptied % rows%, left % that hold something%', source.source, blanked,
        CASE WHEN discarded OPERATOR(pg_catalog.>) 0 THEN pg_catalog.format(', discarded %s', discarded) ELSE '' END, left_over,
        CASE WHEN source.is_filtered THEN pg_catalog.format(', of about %s rows, because row security may hide others',
            coalesce(source.estimate::pg_catalog.text, 'an unknown number of')) ELSE '' END USING DETAIL = remains;
END
$$;
COMMENT ON PROCEDURE hftok.blank_column IS
    'Empties an application''s column (NULL, or '''' where that cannot be) in every row that still holds what was imported and whose secret opens. Others are left and reported, but for those that p_discard names by their outcome (rejected, duplicate, skipped) and that hold what was looked at then: they are emptied, and hftok does not have them. Says what still holds the old values.';
