-- hftok's names in the schema that clients use when they name none.
--
-- Must stay true: objects that are made here have no rights of their own. Wrappers and views run as their caller, so that everything
-- hftok refuses is refused here; and they are granted to the roles that have the originals, whatever default privileges say.
--
-- install_api() runs as its caller, who cannot name hftok_private. Its body was parsed when it was made, so it finds its parts there,
-- and the parts call none of each other.

CREATE OR REPLACE FUNCTION hftok_private.admit_api_schema(p_schema name) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF to_regnamespace(quote_ident(p_schema)) IS NULL OR p_schema ~ '^(hftok|hftok_import|hftok_private|information_schema|pg_.*)$' THEN
        RAISE EXCEPTION 'there is no schema "%" that can take these names', p_schema USING ERRCODE = '22023';
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.admit_api_schema IS 'Refuses a schema that is not there, and those of hftok and Postgres.';

CREATE OR REPLACE FUNCTION hftok_private.api_objects(p_schema name, p_names text[])
    RETURNS TABLE (kind text, name name, original oid, statement text, comment text, is_taken boolean)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    -- Parameters go by their place, views are views of views: they can be written to as far as those can. PostgREST, asked to upsert
    -- without naming the key, finds it only in a view of the table itself; a role that can name the table can make such a view.
    WITH target AS (
        SELECT to_regnamespace(quote_ident(p_schema)) AS oid, has_schema_privilege('hftok_private', 'USAGE') AS is_at_home
    ), original AS (
        SELECT 'FUNCTION' AS kind, p.proname AS name, p.oid, p.proacl AS acl, obj_description(p.oid, 'pg_proc') AS comment,
            format('CREATE FUNCTION %1$I.%2$I(%3$s) RETURNS %4$s LANGUAGE sql %5$s PARALLEL UNSAFE SECURITY INVOKER '
                'BEGIN ATOMIC SELECT %6$s hftok.%2$I(%7$s); END', p_schema, p.proname, pg_get_function_arguments(p.oid),
                pg_get_function_result(p.oid),
                CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
                CASE WHEN p.proretset THEN '* FROM' END,
                (SELECT string_agg(format('$%s', n), ', ' ORDER BY n) FROM generate_series(1, p.pronargs) n)) AS statement,
            EXISTS (SELECT FROM pg_proc t WHERE t.pronamespace = target.oid AND t.proname = p.proname) AS is_taken
        FROM pg_proc p, target WHERE p.pronamespace = 'hftok'::regnamespace AND p.prokind = 'f'
        UNION ALL
        SELECT 'VIEW', c.relname, c.oid, c.relacl, obj_description(c.oid, 'pg_class'),
            format('CREATE VIEW %I.%I WITH (security_invoker) AS %s', p_schema, c.relname,
                CASE WHEN target.is_at_home AND EXISTS (SELECT FROM aclexplode(c.relacl) a
                    WHERE a.privilege_type = 'INSERT' AND a.grantee = 'hftok_user'::regrole) THEN pg_get_viewdef(c.oid)
                ELSE (SELECT format('SELECT %s FROM hftok.%I', string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum), c.relname)
                    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) END),
            EXISTS (SELECT FROM pg_class t WHERE t.relnamespace = target.oid AND t.relname = c.relname)
                OR EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = target.oid AND t.typname = c.relname)
        FROM pg_class c, target WHERE c.relnamespace = 'hftok'::regnamespace AND c.relkind = 'v'
    )
    SELECT o.kind, o.name, o.oid, o.statement, format('hftok.%s, by install_api(). %s', o.name, o.comment), o.is_taken FROM original o
    WHERE EXISTS (SELECT FROM aclexplode(o.acl) a WHERE a.grantee IN ('hftok_user'::regrole, 'hftok_service'::regrole))
    AND (p_names IS NULL OR o.name::text = ANY (p_names))
$$;
COMMENT ON FUNCTION hftok_private.api_objects IS
    'The functions and views that users or the backend may call or read, or those of p_names, and the statement that makes each in a schema.';

CREATE OR REPLACE FUNCTION hftok_private.admit_api_names(p_schema name, p_names text[], p_found name[], p_taken name[]) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    names text;
BEGIN
    SELECT string_agg(format('"%s"', n.name), ', ' ORDER BY n.name) INTO names
    FROM unnest(p_names) AS n (name) WHERE n.name IS NULL OR n.name <> ALL (coalesce(p_found, '{}')::text[]);
    IF p_found IS NULL OR names IS NOT NULL THEN
        RAISE EXCEPTION 'users and the backend have nothing of hftok under these names' USING ERRCODE = '22023',
            DETAIL = format('They are %s.', coalesce(names, 'none'));
    END IF;
    SELECT string_agg(format('"%s"', n.name), ', ' ORDER BY n.name::text) INTO names FROM unnest(p_taken) AS n (name);
    IF names IS NOT NULL THEN
        RAISE EXCEPTION 'schema "%" has objects of these names already', p_schema
            USING ERRCODE = '23505', DETAIL = format('They are %s.', names),
                  HINT = 'Rename or drop them, name another schema, or list in p_names what you need.';
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.admit_api_names IS 'Refuses names that hftok does not have, and names that the schema has already.';

CREATE OR REPLACE FUNCTION hftok_private.make_api_object(p_kind text, p_original oid, p_object text, p_statement text, p_comment text)
    RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    part record;
BEGIN
    EXECUTE p_statement;
    EXECUTE format('COMMENT ON %s %s IS %L', p_kind, p_object, p_comment);
    IF p_kind <> 'VIEW' THEN
        RETURN;
    END IF;
    -- A view of the table itself is written to as the original is.
    FOR part IN
        SELECT replace(pg_get_triggerdef(t.oid), format(' ON %s ', c.oid::regclass), format(' ON %s ', p_object)) AS statement
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE t.tgrelid = p_original AND position(' FROM hftok_private.' IN p_statement) > 0
    LOOP
        EXECUTE part.statement;
    END LOOP;
    -- PostgREST names the defaults of a view in its own statements.
    FOR part IN
        SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) AS expression
        FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE d.adrelid = p_original
    LOOP
        EXECUTE format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', p_object, part.attname, part.expression);
    END LOOP;
END
$$;
COMMENT ON FUNCTION hftok_private.make_api_object IS 'Makes one wrapper or view, with the comment, the defaults and the triggers that it needs.';

CREATE OR REPLACE FUNCTION hftok_private.copy_privileges(p_kind text, p_original oid, p_schema name, p_name name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    object text := format('%s %I.%I', CASE p_kind WHEN 'VIEW' THEN 'TABLE' ELSE p_kind END, p_schema, p_name);
    target regnamespace := to_regnamespace(quote_ident(p_schema));
    given record;
BEGIN
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', object);
    FOR given IN
        SELECT DISTINCT a.grantee::regrole::text AS role
        FROM (
            SELECT p.proacl AS acl, p.proowner AS owner FROM pg_proc p
            WHERE p_kind = 'FUNCTION' AND p.pronamespace = target AND p.proname = p_name
            UNION ALL
            SELECT c.relacl, c.relowner FROM pg_class c
            WHERE p_kind = 'VIEW' AND c.relnamespace = target AND c.relname = p_name
        ) o, aclexplode(o.acl) a WHERE a.grantee NOT IN (0, o.owner)
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', object, given.role);
    END LOOP;
    FOR given IN
        SELECT a.privilege_type AS privilege, a.grantee::regrole::text AS role
        FROM (
            SELECT p.proacl AS acl, p.proowner AS owner FROM pg_proc p WHERE p_kind = 'FUNCTION' AND p.oid = p_original
            UNION ALL
            SELECT c.relacl, c.relowner FROM pg_class c WHERE p_kind = 'VIEW' AND c.oid = p_original
        ) o, aclexplode(o.acl) a WHERE a.grantee NOT IN (0, o.owner)
        UNION ALL
        SELECT format('%s (%I)', a.privilege_type, t.attname), a.grantee::regrole::text
        FROM pg_attribute t, aclexplode(t.attacl) a WHERE p_kind = 'VIEW' AND t.attrelid = p_original
    LOOP
        CONTINUE WHEN given.role = 'anon';
        EXECUTE format('GRANT %s ON %s TO %s', given.privilege, object, given.role);
    END LOOP;
END
$$;
COMMENT ON FUNCTION hftok_private.copy_privileges IS
    'Gives a wrapper or view the privileges of its original and no others, whatever default privileges said; anon has none.';

CREATE OR REPLACE FUNCTION hftok_private.open_api_schema(p_schema name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT a.grantee::regrole::text AS role FROM pg_namespace n, aclexplode(n.nspacl) a
        WHERE n.nspname = 'hftok' AND a.privilege_type = 'USAGE' AND a.grantee NOT IN (0, n.nspowner, 'hftok_owner'::regrole)
        AND NOT has_schema_privilege(a.grantee, p_schema::text, 'USAGE')
    LOOP
        CONTINUE WHEN granted.role = 'anon';
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', p_schema, granted.role);
    END LOOP;
END
$$;
COMMENT ON FUNCTION hftok_private.open_api_schema IS 'Gives USAGE on the schema to the roles that have it on schema hftok.';

CREATE OR REPLACE FUNCTION hftok_private.announce_api(p_schema name, p_names text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- On 15 enable_rpc() grants singly; since 16 members of the groups have what these have.
    IF NOT EXISTS (
        SELECT FROM pg_namespace n, aclexplode(n.nspacl) a
        WHERE n.nspname = 'hftok' AND a.grantee <> 0 AND a.grantee::regrole::text !~ '^hftok_' AND a.grantee <> n.nspowner
    ) AND NOT (current_setting('server_version_num')::int >= 160000
        AND EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = 'hftok_user'::regrole)
    ) THEN
        RAISE WARNING 'enable_rpc() was not called yet: PostgREST''s roles cannot call what was made'
            USING HINT = 'A superuser calls hftok.enable_rpc(), which also grants them what install_api() made.';
    END IF;
    IF NOT has_schema_privilege('hftok_private', 'USAGE') AND coalesce(p_names && '{user_api_keys,provider_secrets}', true) THEN
        RAISE NOTICE 'upserts through user_api_keys and provider_secrets of schema "%" must name their key: user_id, and service or provider', p_schema
            USING HINT = 'They need not when a superuser calls install_api().';
    END IF;
    NOTIFY pgrst, 'reload schema';
END
$$;
COMMENT ON FUNCTION hftok_private.announce_api IS 'Tells PostgREST of the new names, and the caller of a step that is missing.';

-- By name and comment: objects of others that happen to have one of hftok's names stay.
CREATE OR REPLACE FUNCTION hftok_private.drop_api_objects(p_schema name) RETURNS int
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    made text;
    dropped int := 0;
BEGIN
    FOR made IN
        SELECT format('VIEW %s', c.oid::regclass) FROM pg_class c
        WHERE c.relnamespace = to_regnamespace(quote_ident(p_schema)) AND c.relkind = 'v'
        AND starts_with(obj_description(c.oid, 'pg_class'), format('hftok.%s, by install_api(). ', c.relname))
        UNION ALL
        SELECT format('FUNCTION %s', p.oid::regprocedure) FROM pg_proc p
        WHERE p.pronamespace = to_regnamespace(quote_ident(p_schema)) AND p.prokind = 'f'
        AND starts_with(obj_description(p.oid, 'pg_proc'), format('hftok.%s, by install_api(). ', p.proname))
    LOOP
        EXECUTE 'DROP ' || made;
        dropped := dropped + 1;
    END LOOP;
    NOTIFY pgrst, 'reload schema';
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION hftok_private.drop_api_objects IS 'Drops the wrappers and views that install_api() made in a schema, and gives their number. One that something else needs is an error.';

CREATE OR REPLACE FUNCTION hftok.remove_api(p_schema name DEFAULT 'public') RETURNS int
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT hftok_private.admit_api_schema(p_schema);
        SELECT hftok_private.drop_api_objects(p_schema);
    END;
COMMENT ON FUNCTION hftok.remove_api IS
    'Drops what install_api() made in a schema, and nothing else; gives how many there were. For who made them. Before hftok is dropped, or updated to a version that changes them.';

CREATE OR REPLACE FUNCTION hftok.install_api(p_schema name DEFAULT 'public', p_names text[] DEFAULT NULL) RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT hftok_private.admit_api_schema(p_schema);
        SELECT hftok_private.admit_api_names(p_schema, p_names, pg_catalog.array_agg(o.name),
            pg_catalog.array_agg(o.name) FILTER (WHERE o.is_taken))
        FROM hftok_private.api_objects(p_schema, p_names) o;
        SELECT hftok_private.make_api_object(o.kind, o.original, pg_catalog.format('%I.%I', p_schema, o.name), o.statement, o.comment)
        FROM hftok_private.api_objects(p_schema, p_names) o;
        SELECT hftok_private.copy_privileges(o.kind, o.original, p_schema, o.name)
        FROM hftok_private.api_objects(p_schema, p_names) o;
        SELECT hftok_private.open_api_schema(p_schema);
        SELECT hftok_private.announce_api(p_schema, p_names);
    END;
COMMENT ON FUNCTION hftok.install_api IS
    'Makes wrappers and views of what users and the backend call in another schema, or of p_names only, with the privileges of the originals as they are now; enable_rpc() adds those of the roles that it is given. The caller needs CREATE on the schema; a name that is taken is an error. remove_api() drops them: before hftok is updated or dropped; they are made anew after.';
