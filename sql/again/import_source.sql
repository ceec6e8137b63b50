-- Moving in: how an application's table is read and emptied, whoever owns it.
--
-- A table's owner decides what runs when its rows are touched. A stranger's table (the owner is no superuser, and not the caller)
-- is read and emptied as its owner, in a restricted operation, by src/pg/who/table_owner.rs. The statements are made here, of names
-- that the catalog has; no text of the caller's is in one that runs as somebody else.

CREATE OR REPLACE FUNCTION hftok_import.import_source(p_table regclass, p_column name, p_key name) RETURNS hftok_import.imported_source
    -- A source is remembered by the name that this gives it.
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
    AS $$
DECLARE
    addressed hftok_import.imported_source;
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
    RETURN addressed;
END
$$;
COMMENT ON FUNCTION hftok_import.import_source IS
    'How import_column() and blank_column() call and address a column; for programs that import its values themselves.';

-- The caller's expression sees values of Postgres' own types only: operators and casts of other types are the owner's.
CREATE OR REPLACE FUNCTION hftok_private.import_opening(
    p_table regclass, p_open text, p_role oid, OUT opening text, OUT types oid[], OUT others text, OUT reads int2[]
)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH RECURSIVE columns AS (
        SELECT a.attnum, a.attname, a.atttypid AS type FROM pg_attribute a
        WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped
        AND has_column_privilege(p_role, p_table, a.attnum, 'SELECT')
    ), bases AS (
        SELECT c.attnum, c.type FROM columns c
        UNION ALL
        SELECT b.attnum, t.typbasetype FROM bases b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd'
    ), plain AS (
        SELECT c.attnum, c.attname, p.oid AS type, p.typname, row_number() OVER (ORDER BY c.attnum) AS at
        FROM columns c JOIN bases b ON b.attnum = c.attnum JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
        JOIN pg_type p ON p.oid = CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.oid ELSE 'text'::regtype END
    )
    SELECT format(E'SELECT pg_catalog.btrim((%s\n)) FROM (SELECT %s) AS %s', p_open,
            coalesce(string_agg(format('$%s AS %I', p.at, p.attname), ', ' ORDER BY p.at), '1'),
            (SELECT quote_ident(c.relname) FROM pg_class c WHERE c.oid = p_table)),
        array_agg(p.type ORDER BY p.at),
        string_agg(format(', %I::pg_catalog.%I', p.attname, p.typname), '' ORDER BY p.at),
        array_agg(p.attnum ORDER BY p.at)
    FROM plain p
$$;
COMMENT ON FUNCTION hftok_private.import_opening IS
    'The statement that opens a row by an expression of the caller''s apart from the table: over parameters of which types, which columns they are read from, and as what they are read.';

-- What a row says besides its value comes as one text. Times are told as JSON has them, whatever the session's settings; a cast of a
-- stranger's type is no part of it.
CREATE OR REPLACE FUNCTION hftok_private.import_details(p_table regclass, p_details text[]) RETURNS text
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT format('pg_catalog.json_build_array(%s)::pg_catalog.text', string_agg(CASE
            WHEN a.attname IS NULL THEN 'NULL::pg_catalog.text'
            WHEN a.atttypid IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) THEN quote_ident(a.attname)
            ELSE format('CASE WHEN %1$I IS NOT NULL THEN pg_catalog.format(''%%s'', %1$I) END', a.attname)
        END, ', ' ORDER BY n.at))
    FROM unnest(p_details) WITH ORDINALITY AS n (name, at)
    LEFT JOIN pg_attribute a ON a.attrelid = p_table AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped
    HAVING count(*) > 0
$$;
COMMENT ON FUNCTION hftok_private.import_details IS 'The expression that gives columns of a row as a JSON array of texts; one without a name is null. NULL for none.';

-- Called by src/api/imports.rs as hftok_owner; p_role is who called.
CREATE OR REPLACE FUNCTION hftok_private.import_statements(
    p_table regclass, p_column name, p_key name, p_provider_column name, p_owner_column name, p_model_column name, p_open text,
    p_role oid, p_is_strangers boolean, p_details text[],
    OUT keys text, OUT held_keys text, OUT reading text, OUT opening text, OUT types oid[], OUT emptying text,
    OUT reads int2[], OUT writes int2[]
)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    s hftok_import.imported_source := hftok_import.import_source(p_table, p_column, p_key);
    is_opened_apart boolean := p_is_strangers AND p_open IS NOT NULL;
    foreign_part regclass;
    missing name;
    others text := '';
BEGIN
    -- A name that is no column may be that of the row as a whole, or of a column that is in no list of privileges.
    SELECT n.name INTO missing FROM unnest(ARRAY[p_provider_column, p_owner_column, p_model_column] || p_details::name[]) AS n (name)
    WHERE n.name <> '' AND NOT EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = p_table AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped
    ) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'there is no column "%" in "%"', missing, p_table USING ERRCODE = '42703';
    END IF;
    -- The parts of a superuser's table, or of the caller's, would be read as the caller.
    IF NOT p_is_strangers THEN
        SELECT t.relid INTO foreign_part FROM pg_partition_tree(p_table) t JOIN pg_class c ON c.oid = t.relid
        JOIN pg_roles r ON r.oid = c.relowner WHERE NOT r.rolsuper AND r.oid <> p_role ORDER BY 1 LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'partition "%" belongs to somebody else than its table', foreign_part USING ERRCODE = '42501',
                HINT = 'Its triggers and checks would run with your privileges.';
        END IF;
    END IF;
    keys := format('SELECT t.%1$I::pg_catalog.text, t.%2$I IS NULL FROM %3$s t ORDER BY t.%1$I DESC', p_key, p_column, s.relation);
    held_keys := format('SELECT t.%1$I::pg_catalog.text, false FROM %2$s t
        WHERE (%3$s) COLLATE pg_catalog."C" OPERATOR(pg_catalog.~) ''[^[:space:]]'' ORDER BY t.%1$I DESC', p_key, s.relation, s.held);
    types := '{}';
    IF is_opened_apart THEN
        SELECT o.opening, o.types, o.others, o.reads INTO opening, types, others, reads
        FROM hftok_private.import_opening(p_table, p_open, p_role) o;
    END IF;
    -- btrim() takes nothing but text, so an expression that gives bytes is refused and not imported as their digits.
    reading := format(E'SELECT %s, %s, %s, %s, %s%s FROM %s WHERE %s', s.held,
        CASE WHEN is_opened_apart THEN 'NULL::pg_catalog.text'
            ELSE format(E'pg_catalog.btrim((%s\n))', coalesce(p_open, s.held)) END,
        coalesce(quote_ident(p_provider_column) || '::pg_catalog.text', 'NULL::pg_catalog.text'),
        coalesce(quote_ident(p_owner_column) || '::pg_catalog.text', 'NULL::pg_catalog.text'),
        coalesce(hftok_private.import_details(p_table, p_details), quote_ident(p_model_column) || '::pg_catalog.text',
            'NULL::pg_catalog.text'), coalesce(others, ''), s.relation, s.is_key);
    -- A value that somebody else has changed since it was compared is left.
    emptying := format('UPDATE %s SET %I = %s WHERE %s AND (%s) COLLATE pg_catalog."C" OPERATOR(pg_catalog.=) $2',
        s.relation, p_column, s.empty, s.is_key, s.held);
    SELECT array_agg(a.attnum), array_agg(a.attnum) FILTER (WHERE a.attname = p_column) INTO reads, writes
    FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped
    AND (a.attname IN (p_column, p_key, p_provider_column, p_owner_column, p_model_column) OR a.attname = ANY (p_details)
        OR a.attnum = ANY (reads));
END
$$;
COMMENT ON FUNCTION hftok_private.import_statements IS
    'The statements that read and empty a column, and which columns they touch. opening is what the caller wrote, over the columns that reading gives after its first five.';

CREATE OR REPLACE FUNCTION hftok_import.import_keys(p_table regclass, p_column text, p_key text, p_held boolean DEFAULT false)
    RETURNS TABLE (key text, is_null boolean)
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_import_keys';
COMMENT ON FUNCTION hftok_import.import_keys IS
    'The keys of a table''s rows, the greatest first; with p_held of those only whose column holds something. Read as the table''s owner, unless that is a superuser or the caller.';

CREATE OR REPLACE FUNCTION hftok_import.import_row(
    p_table regclass, p_column text, p_key text, p_row text, p_open text DEFAULT NULL, p_provider_column text DEFAULT NULL,
    p_owner_column text DEFAULT NULL, p_model_column text DEFAULT NULL, p_details text[] DEFAULT NULL
) RETURNS hftok_import.imported_row
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_import_row';
COMMENT ON FUNCTION hftok_import.import_row IS
    'The row with a key, as import_column() sees it; NULL when there is none. The row is read as import_keys() reads it; p_open runs as the caller. p_details are columns that come as a JSON array in the place of the model.';

CREATE OR REPLACE FUNCTION hftok_import.import_empty(p_table regclass, p_column text, p_key text, p_row text, p_held text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_import_empty';
COMMENT ON FUNCTION hftok_import.import_empty IS
    'Empties the column of the row with a key, if it still holds p_held. Done as the table''s owner, unless that is a superuser or the caller.';
