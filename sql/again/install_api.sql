-- hftok's names in the schema that clients use when they name none.
--
-- Must stay true: objects that are made here have no rights of their own. Wrappers and views run as their caller, so that everything
-- hftok refuses is refused here; and they are granted to the roles that have the originals, whatever default privileges say.

CREATE OR REPLACE FUNCTION hftok.install_api(p_schema name DEFAULT 'public', p_names text[] DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    target regnamespace := to_regnamespace(quote_ident(p_schema));
    is_at_home boolean := has_schema_privilege('hftok_private', 'USAGE');
    wanted jsonb;
    names text;
    made record;
    granted record;
BEGIN
    IF target IS NULL OR p_schema ~ '^(hftok|hftok_import|hftok_private|information_schema|pg_.*)$' THEN
        RAISE EXCEPTION 'there is no schema "%" that can take these names', p_schema USING ERRCODE = '22023';
    END IF;

    -- Every function and view that users or the backend may call or read. Parameters go by their place, views are views of
    -- views: they can be written to as far as those can. PostgREST, asked to upsert without naming the key, finds it only in a
    -- view of the table itself; a role that can name the table can make such a view.
    SELECT jsonb_agg(to_jsonb(w)) INTO wanted
    FROM (
        SELECT p.proname AS name, 'FUNCTION' AS kind, p.oid, obj_description(p.oid, 'pg_proc') AS comment, p.proacl AS acl,
            format('CREATE FUNCTION %1$I.%2$I(%3$s) RETURNS %4$s LANGUAGE sql %5$s PARALLEL UNSAFE SECURITY INVOKER '
                'BEGIN ATOMIC SELECT %6$s hftok.%2$I(%7$s); END', p_schema, p.proname, pg_get_function_arguments(p.oid),
                pg_get_function_result(p.oid),
                CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
                CASE WHEN p.proretset THEN '* FROM' END,
                (SELECT string_agg(format('$%s', n), ', ' ORDER BY n) FROM generate_series(1, p.pronargs) n)) AS statement,
            EXISTS (SELECT FROM pg_proc t WHERE t.pronamespace = target AND t.proname = p.proname) AS is_taken
        FROM pg_proc p WHERE p.pronamespace = 'hftok'::regnamespace AND p.prokind = 'f'
        UNION ALL
        SELECT c.relname, 'VIEW', c.oid, obj_description(c.oid, 'pg_class'), c.relacl,
            format('CREATE VIEW %I.%I WITH (security_invoker) AS %s', p_schema, c.relname,
                CASE WHEN is_at_home AND EXISTS (SELECT FROM aclexplode(c.relacl) a
                    WHERE a.privilege_type = 'INSERT' AND a.grantee = 'hftok_user'::regrole) THEN pg_get_viewdef(c.oid)
                ELSE (SELECT format('SELECT %s FROM hftok.%I', string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum), c.relname)
                    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) END),
            EXISTS (SELECT FROM pg_class t WHERE t.relnamespace = target AND t.relname = c.relname)
                OR EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = target AND t.typname = c.relname)
        FROM pg_class c WHERE c.relnamespace = 'hftok'::regnamespace AND c.relkind = 'v'
    ) w
    WHERE EXISTS (SELECT FROM aclexplode(w.acl) a WHERE a.grantee IN ('hftok_user'::regrole, 'hftok_service'::regrole))
    AND (p_names IS NULL OR w.name::text = ANY (p_names));

    SELECT string_agg(format('"%s"', n.name), ', ' ORDER BY n.name) INTO names
    FROM unnest(p_names) AS n (name)
    WHERE NOT EXISTS (SELECT FROM jsonb_to_recordset(wanted) AS w (name text) WHERE w.name = n.name);
    IF wanted IS NULL OR names IS NOT NULL THEN
        RAISE EXCEPTION 'users and the backend have nothing of hftok under these names' USING ERRCODE = '22023',
            DETAIL = format('They are %s.', coalesce(names, 'none'));
    END IF;
    SELECT string_agg(format('"%s"', w.name), ', ' ORDER BY w.name) INTO names
    FROM jsonb_to_recordset(wanted) AS w (name text, is_taken boolean) WHERE w.is_taken;
    IF names IS NOT NULL THEN
        RAISE EXCEPTION 'schema "%" has objects of these names already', p_schema
            USING ERRCODE = '23505', DETAIL = format('They are %s.', names),
                  HINT = 'Rename or drop them, name another schema, or list in p_names what you need.';
    END IF;

    FOR made IN
        SELECT w.name, w.kind, w.oid, w.statement, format('%I.%I', p_schema, w.name) AS object,
            CASE w.kind WHEN 'VIEW' THEN 'TABLE' ELSE w.kind END AS acl_kind,
            format('hftok.%s, by install_api(). %s', w.name, w.comment) AS comment
        FROM jsonb_to_recordset(wanted) AS w (name name, kind text, oid oid, statement text, comment text)
    LOOP
        EXECUTE made.statement;
        FOR granted IN
            SELECT replace(pg_get_triggerdef(t.oid), format(' ON hftok.%I ', made.name), format(' ON %s ', made.object)) AS statement
            FROM pg_trigger t
            WHERE made.kind = 'VIEW' AND t.tgrelid = made.oid AND position(' FROM hftok_private.' IN made.statement) > 0
        LOOP
            EXECUTE granted.statement;
        END LOOP;
        EXECUTE format('COMMENT ON %s %s IS %L', made.kind, made.object, made.comment);
        -- PostgREST names the defaults of a view in its own statements.
        FOR granted IN
            SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) AS expression
            FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
            WHERE made.kind = 'VIEW' AND d.adrelid = made.oid
        LOOP
            EXECUTE format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', made.object, granted.attname, granted.expression);
        END LOOP;
        EXECUTE format('REVOKE ALL ON %s %s FROM PUBLIC', made.acl_kind, made.object);
        FOR granted IN
            SELECT DISTINCT a.grantee::regrole::text AS role
            FROM (
                SELECT p.proacl AS acl, p.proowner AS owner FROM pg_proc p
                WHERE made.kind = 'FUNCTION' AND p.pronamespace = target AND p.proname = made.name
                UNION ALL
                SELECT c.relacl, c.relowner FROM pg_class c
                WHERE made.kind = 'VIEW' AND c.relnamespace = target AND c.relname = made.name
            ) o, aclexplode(o.acl) a WHERE a.grantee NOT IN (0, o.owner)
        LOOP
            EXECUTE format('REVOKE ALL ON %s %s FROM %s', made.acl_kind, made.object, granted.role);
        END LOOP;
        FOR granted IN
            SELECT a.privilege_type AS privilege, a.grantee::regrole::text AS role
            FROM (
                SELECT p.proacl AS acl, p.proowner AS owner FROM pg_proc p WHERE made.kind = 'FUNCTION' AND p.oid = made.oid
                UNION ALL
                SELECT c.relacl, c.relowner FROM pg_class c WHERE made.kind = 'VIEW' AND c.oid = made.oid
            ) o, aclexplode(o.acl) a WHERE a.grantee NOT IN (0, o.owner)
            UNION ALL
            SELECT format('%s (%I)', a.privilege_type, t.attname), a.grantee::regrole::text
            FROM pg_attribute t, aclexplode(t.attacl) a WHERE made.kind = 'VIEW' AND t.attrelid = made.oid
        LOOP
            CONTINUE WHEN granted.role = 'anon';
            EXECUTE format('GRANT %s ON %s %s TO %s', granted.privilege, made.acl_kind, made.object, granted.role);
        END LOOP;
    END LOOP;

    FOR granted IN
        SELECT a.grantee::regrole::text AS role FROM pg_namespace n, aclexplode(n.nspacl) a
        WHERE n.nspname = 'hftok' AND a.privilege_type = 'USAGE' AND a.grantee NOT IN (0, n.nspowner, 'hftok_owner'::regrole)
        AND NOT has_schema_privilege(a.grantee, target, 'USAGE')
    LOOP
        CONTINUE WHEN granted.role = 'anon';
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', p_schema, granted.role);
    END LOOP;
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
    IF NOT is_at_home AND coalesce('user_api_keys' = ANY (p_names), true) THEN
        RAISE NOTICE 'upserts through %.user_api_keys must name their key: (user_id, service)', p_schema
            USING HINT = 'They need not when a superuser calls install_api().';
    END IF;
    NOTIFY pgrst, 'reload schema';
END
$$;
COMMENT ON FUNCTION hftok.install_api IS
    'Makes wrappers and views of what users and the backend call in another schema, or of p_names only, with the privileges of the originals as they are now; enable_rpc() adds those of the roles that it is given. The caller needs CREATE on the schema; a name that is taken is an error. To be dropped before hftok is updated or dropped, and made anew after.';
