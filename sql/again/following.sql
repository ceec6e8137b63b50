-- Members, administrators and users of an application that has them in tables of its own: imports take them over, and triggers
-- of these tables keep hftok in step.
--
-- The trigger functions run whenever the application writes, as whoever does: who may create a trigger with one (EXECUTE) has decided
-- that the table decides. Columns are read as their types write them, never by a cast, which a table's owner may have made.
--
-- The procedures commit, so they cannot pin a search_path: their own names are qualified, as those of import_column.sql.

CREATE OR REPLACE FUNCTION hftok.follow_members() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_follow_members';
COMMENT ON FUNCTION hftok.follow_members IS
    'A trigger for an application''s table of memberships, AFTER INSERT, UPDATE and DELETE of a row and BEFORE TRUNCATE. Its arguments are the columns of organisation and user, perhaps that of the role, and then meanings of roles, as import_members() takes them.';

CREATE OR REPLACE FUNCTION hftok.follow_administrators() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_follow_administrators';
COMMENT ON FUNCTION hftok.follow_administrators IS
    'A trigger for an application''s table of roles, AFTER INSERT, UPDATE and DELETE of a row and BEFORE TRUNCATE. Its arguments are the column of the user, perhaps that of the role, and then the words for an administrator (admin).';

CREATE OR REPLACE FUNCTION hftok.forget_user_row() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_forget_user_row';
COMMENT ON FUNCTION hftok.forget_user_row IS
    'A trigger for an application''s table of users, AFTER DELETE of a row and BEFORE TRUNCATE: forget_user() for each. Its argument is the column with the user''s id (id).';

-- TRUNCATE has locked what it is about to empty by now, and a table with ONLY before it is emptied without those that inherit from it.
CREATE OR REPLACE FUNCTION hftok_private.import_family(p_table regclass)
    RETURNS TABLE (member oid, is_emptied boolean)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH RECURSIVE family AS (
        SELECT p_table::oid AS member
        UNION
        SELECT i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.member
    )
    SELECT f.member, EXISTS (
        SELECT FROM pg_locks l
        WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation = f.member AND l.mode = 'AccessExclusiveLock' AND l.granted
        AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    )
    FROM family f
$$;
COMMENT ON FUNCTION hftok_private.import_family IS 'A table with its partitions and all that inherit from it, and whether this transaction may be about to empty each.';

-- Called by src/api/followed_table.rs as hftok_owner. A column without a name is empty.
CREATE OR REPLACE FUNCTION hftok_private.import_listing(
    p_table regclass, p_columns text[], OUT reading text, OUT listing text, OUT looking text, OUT reads int2[]
)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    missing text;
    cells text;
    source text;
    has_places boolean;
    emptied oid[];
BEGIN
    SELECT n.name INTO missing FROM unnest(p_columns) AS n (name)
    WHERE n.name <> '' AND NOT EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = p_table AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped);
    IF FOUND THEN
        RAISE EXCEPTION 'there is no column "%" in "%"', missing, p_table USING ERRCODE = '22023';
    END IF;
    SELECT string_agg(CASE WHEN n.name <> '' THEN format('pg_catalog.format(''%%s'', %I)', n.name)
        ELSE '''''::pg_catalog.text' END, ', ' ORDER BY n.at) INTO cells
    FROM unnest(p_columns) WITH ORDINALITY AS n (name, at);
    SELECT format('%I.%I', s.nspname, c.relname), c.relkind IN ('r', 'm', 'p') AND NOT EXISTS (
            SELECT FROM pg_partition_tree(p_table) t JOIN pg_class f ON f.oid = t.relid WHERE f.relkind = 'f')
    INTO source, has_places
    FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace WHERE c.oid = p_table;
    reading := format('SELECT %s FROM %s', cells, source);
    SELECT array_agg(f.member) FILTER (WHERE f.is_emptied) INTO emptied
    FROM hftok_private.import_family(p_table) f HAVING bool_or(f.is_emptied) AND NOT bool_and(f.is_emptied);
    IF FOUND THEN
        reading := reading || format(' WHERE tableoid OPERATOR(pg_catalog.=) ANY (%L::pg_catalog.oid[])', emptied);
    END IF;
    listing := format('SELECT %s, %s FROM %s', cells,
        CASE WHEN has_places THEN 'pg_catalog.concat(tableoid, '' '', ctid)' ELSE 'NULL::pg_catalog.text' END, source);
    looking := CASE WHEN has_places THEN format('SELECT %s FROM %s
        WHERE tableoid OPERATOR(pg_catalog.=) pg_catalog.split_part($1, '' '', 1)::pg_catalog.oid
        AND ctid OPERATOR(pg_catalog.=) pg_catalog.split_part($1, '' '', 2)::pg_catalog.tid', cells, source) END;
    reads := ARRAY(SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped
        AND a.attname = ANY (p_columns));
END
$$;
COMMENT ON FUNCTION hftok_private.import_listing IS
    'Statements that read columns of a table as their types write them: of all rows (that TRUNCATE is about to take), of all rows with the place of each, and of the row at a place. And which columns they touch.';

CREATE OR REPLACE FUNCTION hftok_private.import_others(
    p_table regclass, p_columns text[], p_keys int, p_is_truncate boolean, OUT asked oid, OUT asking text, OUT reads int2[]
)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    source text;
    emptied oid[] := '{}';
    is_one boolean;
BEGIN
    -- A row that is moved to another partition is deleted from one and inserted into the other.
    asked := coalesce(pg_partition_root(p_table), p_table);
    reads := ARRAY(SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = asked AND a.attnum > 0 AND NOT a.attisdropped
        AND a.attname = ANY (p_columns));
    IF p_is_truncate THEN
        SELECT array_agg(f.member) FILTER (WHERE f.is_emptied), bool_and(f.is_emptied OR c.relkind = 'p') INTO emptied, is_one
        FROM hftok_private.import_family(asked) f JOIN pg_class c ON c.oid = f.member;
    ELSE
        is_one := asked = p_table AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = asked) AND EXISTS (
            SELECT FROM pg_index x
            WHERE x.indrelid = asked AND x.indisunique AND x.indimmediate AND x.indisvalid AND x.indpred IS NULL AND NOT EXISTS (
                SELECT FROM generate_series(0, x.indnkeyatts - 1) k (at) LEFT JOIN pg_attribute a
                    ON a.attrelid = asked AND a.attnum = x.indkey[k.at] AND a.attname = ANY (p_columns[:p_keys])
                WHERE a.attnum IS NULL));
    END IF;
    IF is_one THEN
        RETURN;
    END IF;
    SELECT format('%I.%I', s.nspname, c.relname) INTO source
    FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace WHERE c.oid = asked;
    -- By an index, where Postgres' own types have one.
    SELECT format('SELECT %s FROM %s WHERE %s',
        string_agg(CASE WHEN n.name <> '' THEN format('pg_catalog.format(''%%s'', %I)', n.name) ELSE '''''::pg_catalog.text' END, ', ' ORDER BY n.at),
        source,
        string_agg(CASE WHEN t.typname IN ('text', 'varchar') THEN format('%I OPERATOR(pg_catalog.=) $%s', n.name, n.at)
            WHEN t.typname IS NOT NULL THEN format('%I OPERATOR(pg_catalog.=) $%s::pg_catalog.%I', n.name, n.at, t.typname)
            ELSE format('pg_catalog.format(''%%s'', %I) OPERATOR(pg_catalog.=) $%s', n.name, n.at)
            END, ' AND ' ORDER BY n.at) FILTER (WHERE n.at <= p_keys)) INTO asking
    FROM unnest(p_columns) WITH ORDINALITY AS n (name, at)
    LEFT JOIN pg_attribute a ON a.attrelid = asked AND a.attname = n.name
    LEFT JOIN pg_type t ON t.oid = a.atttypid AND t.typnamespace = 'pg_catalog'::regnamespace
        AND t.typname IN ('text', 'varchar', 'uuid', 'int2', 'int4', 'int8');
    IF p_is_truncate THEN
        asking := asking || format(' AND tableoid OPERATOR(pg_catalog.<>) ALL (%L::pg_catalog.oid[])', emptied);
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.import_others IS
    'The statement that finds rows by the first p_keys columns, of a table that is followed, and which columns it reads; none where no other row can say the same: by a unique index, or because all of them are about to go.';

CREATE OR REPLACE FUNCTION hftok_import.import_listed(p_table regclass, p_columns text[])
    RETURNS TABLE (first text, second text, third text, place text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_listed';
COMMENT ON FUNCTION hftok_import.import_listed IS
    'The rows of a table in three columns that hold no secrets, and where each lies. Read as import_keys() reads them; a column without a name is empty.';

CREATE OR REPLACE FUNCTION hftok_import.import_member(
    p_org_id text, p_user_id text, p_role text, p_roles text[], p_dry_run boolean, p_table regclass DEFAULT NULL,
    p_columns text[] DEFAULT NULL, p_place text DEFAULT NULL
) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_member';
COMMENT ON FUNCTION hftok_import.import_member IS
    'Takes one membership over, and says what became of it: imported, unchanged, nobody, no_role, or gone, when the row at p_place does not give it any more. Unlike add_member(), it may leave an organisation without owners.';

CREATE OR REPLACE FUNCTION hftok_import.import_administrator(
    p_user_id text, p_role text, p_roles text[], p_dry_run boolean, p_table regclass DEFAULT NULL, p_columns text[] DEFAULT NULL,
    p_place text DEFAULT NULL
) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_administrator';
COMMENT ON FUNCTION hftok_import.import_administrator IS
    'Takes one administrator over, and says what became of it, as import_member() does.';

CREATE OR REPLACE FUNCTION hftok_import.import_person(
    p_is_member boolean, p_org_id text, p_user_id text, p_role text, p_roles text[], p_dry_run boolean, p_table regclass, p_columns text[],
    p_place text
) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_is_member THEN
        RETURN hftok_import.import_member(p_org_id, p_user_id, p_role, p_roles, p_dry_run, p_table, p_columns, p_place);
    END IF;
    RETURN hftok_import.import_administrator(p_user_id, p_role, p_roles, p_dry_run, p_table, p_columns, p_place);
EXCEPTION WHEN SQLSTATE 'PT413' THEN
    RETURN 'too_many';
END
$$;
COMMENT ON FUNCTION hftok_import.import_person IS 'One row of import_members() or import_administrators(), which goes on where an organisation is full.';

CREATE OR REPLACE FUNCTION hftok_import.import_table_name(p_table regclass) RETURNS text
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
    AS $$ SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p_table $$;
COMMENT ON FUNCTION hftok_import.import_table_name IS 'The name by which import_report has a table of people.';

CREATE OR REPLACE FUNCTION hftok_import.import_people_summary(p_outcomes text[], p_counts int[], p_words text[], p_dry_run boolean) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT concat(CASE WHEN p_dry_run THEN 'dry run: ' END, format('read %s rows', coalesce(sum(o.count), 0)),
        string_agg(format(', %s %s', o.count, CASE o.outcome
            WHEN 'nobody' THEN 'that name nobody'
            WHEN 'no_role' THEN format('without a role that means something (%s)', array_to_string(p_words, ', '))
            WHEN 'gone' THEN 'that were changed meanwhile'
            WHEN 'too_many' THEN 'for which hftok.max_members_per_org leaves no room'
            ELSE o.outcome END), '' ORDER BY o.at) FILTER (WHERE o.count > 0))
    FROM unnest(p_outcomes, p_counts) WITH ORDINALITY AS o (outcome, count, at)
$$;
COMMENT ON FUNCTION hftok_import.import_people_summary IS 'How many rows of a table of people were read, and what became of them.';

CREATE OR REPLACE PROCEDURE hftok_import.import_people(
    p_is_member boolean, p_table regclass, p_columns text[], p_has_role boolean, p_roles text[], p_batch int, p_dry_run boolean
)
    LANGUAGE plpgsql SECURITY INVOKER
    AS $$
DECLARE
    org pg_catalog.text;
    person pg_catalog.text;
    role pg_catalog.text;
    place pg_catalog.text;
    -- Whom the transaction has locked: an organisation, or an administrator.
    locked pg_catalog.text;
    whose pg_catalog.text;
    outcome pg_catalog.text;
    outcomes pg_catalog.text[] := '{imported,unchanged,nobody,no_role,gone,too_many}';
    counts int[] := '{0,0,0,0,0,0}';
    -- Words of the application for roles that mean nothing here: the first few.
    words pg_catalog.text[] := '{}';
    at int;
    pending int := 0;
    since pg_catalog.timestamptz := pg_catalog.clock_timestamp();
    source pg_catalog.text;
    summary pg_catalog.text;
BEGIN
    -- An error (2D000) where what is committed below could not be.
    COMMIT;
    IF p_dry_run IS NULL OR p_batch IS NULL OR p_batch OPERATOR(pg_catalog.<) 1 THEN
        RAISE EXCEPTION 'p_batch is 1 at least, and p_dry_run is not null' USING ERRCODE = '22023';
    END IF;
    -- Meanings that cannot be read are refused before anything is done.
    PERFORM hftok_import.import_person(p_is_member, NULL, NULL, NULL, p_roles, true, NULL, NULL, NULL);
    FOR org, person, role, place IN
        SELECT l.first, l.second, l.third, l.place FROM hftok_import.import_listed(p_table, p_columns) l
        ORDER BY l.first COLLATE pg_catalog."C", l.second COLLATE pg_catalog."C"
    LOOP
        role := CASE WHEN p_has_role THEN role END;
        whose := CASE WHEN p_is_member THEN org ELSE person END;
        -- Never two at once: a writer whose rows are followed may have the other one, and wait for this one.
        IF locked OPERATOR(pg_catalog.<>) whose THEN
            COMMIT;
            locked := NULL;
        END IF;
        -- Looked at once more where it lies: a membership that was ended since it was listed does not come back.
        outcome := hftok_import.import_person(p_is_member, org, person, role, p_roles, p_dry_run, p_table, p_columns, place);
        locked := CASE WHEN outcome OPERATOR(pg_catalog.=) ANY ('{imported,gone,too_many}') THEN whose ELSE locked END;
        at := pg_catalog.array_position(outcomes, outcome);
        counts[at] := counts[at] OPERATOR(pg_catalog.+) 1;
        IF outcome OPERATOR(pg_catalog.=) 'no_role' AND pg_catalog.cardinality(words) OPERATOR(pg_catalog.<) 10 THEN
            role := pg_catalog.left(role, 40);
            words := CASE WHEN role OPERATOR(pg_catalog.=) ANY (words) THEN words ELSE pg_catalog.array_append(words, role) END;
        END IF;
        pending := pending OPERATOR(pg_catalog.+) 1;
        IF pending OPERATOR(pg_catalog.>=) p_batch
            OR pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) (since OPERATOR(pg_catalog.+) '1 second'::interval) THEN
            COMMIT;
            DISCARD PLANS;
            locked := NULL;
            pending := 0;
            since := pg_catalog.clock_timestamp();
        END IF;
    END LOOP;
    source := hftok_import.import_table_name(p_table);
    summary := hftok_import.import_people_summary(outcomes, counts, words, p_dry_run);
    PERFORM hftok_import.import_note(source, NULL, 'summary', summary);
    COMMIT;
    RAISE NOTICE '%: %', source, summary;
END
$$;
COMMENT ON PROCEDURE hftok_import.import_people IS 'The work of import_members() and import_administrators().';

CREATE OR REPLACE PROCEDURE hftok.import_members(
    p_table regclass, p_org_column name, p_user_column name, p_role_column name DEFAULT NULL, p_roles text[] DEFAULT '{}',
    p_batch int DEFAULT 1000, p_dry_run boolean DEFAULT false
)
    LANGUAGE plpgsql SECURITY INVOKER
    AS $$
BEGIN
    IF p_org_column IS NULL OR p_user_column IS NULL THEN
        RAISE EXCEPTION 'p_org_column and p_user_column must not be null' USING ERRCODE = '22023';
    END IF;
    CALL hftok_import.import_people(true, p_table,
        ARRAY[p_org_column, p_user_column, coalesce(p_role_column, '')]::pg_catalog.text[], p_role_column IS NOT NULL, p_roles, p_batch,
        p_dry_run);
END
$$;
COMMENT ON PROCEDURE hftok.import_members IS
    'Takes an application''s memberships over: each row''s user is then a member of its organisation. Roles are owner, admin and member, in whatever case; p_roles gives other words a meaning: {viewer=member,invited=none}, and * stands for every other one. A row without a role that means something is passed over. What hftok has besides stays. Commits every p_batch rows; run it again to take in what changed.';

CREATE OR REPLACE PROCEDURE hftok.import_administrators(
    p_table regclass, p_user_column name, p_role_column name DEFAULT NULL, p_roles text[] DEFAULT '{admin}',
    p_batch int DEFAULT 1000, p_dry_run boolean DEFAULT false
)
    LANGUAGE plpgsql SECURITY INVOKER
    AS $$
BEGIN
    IF p_user_column IS NULL THEN
        RAISE EXCEPTION 'p_user_column must not be null' USING ERRCODE = '22023';
    END IF;
    CALL hftok_import.import_people(false, p_table,
        ARRAY['', p_user_column, coalesce(p_role_column, '')]::pg_catalog.text[], p_role_column IS NOT NULL, p_roles, p_batch, p_dry_run);
END
$$;
COMMENT ON PROCEDURE hftok.import_administrators IS
    'Takes an application''s administrators over: each row''s user, or, with p_role_column, of the rows whose role is one of p_roles (true, for a boolean). What hftok has besides stays.';
