-- Who is calling, and opening hftok to PostgREST and to code written for Supabase Vault.

CREATE FUNCTION hftok.whoami() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_whoami';
COMMENT ON FUNCTION hftok.whoami IS
    'Who hftok takes the caller for: the sub of the JWT under a gateway, role:<name> elsewhere.';

-- A default that clients may name: PostgREST copies it into its own statements.
ALTER VIEW hftok.user_api_keys ALTER COLUMN user_id SET DEFAULT hftok.whoami();

-- EXECUTE on it is the record that a login is a gateway of this database (src/pg/gateway.rs), and enable_rpc() makes it.
CREATE FUNCTION hftok_private.gateways() RETURNS text[]
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_gateways';
COMMENT ON FUNCTION hftok_private.gateways IS
    'The logins under which claims of a JWT are believed: listed in hftok.gateways, and recorded here by EXECUTE on this function.';

CREATE FUNCTION hftok.install_vault_schema() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_install_vault_schema';
COMMENT ON FUNCTION hftok.install_vault_schema IS
    'Creates schema vault with Supabase Vault''s functions and views on top of hftok. The caller needs CREATE on the database; a schema of that name must not exist.';

CREATE FUNCTION hftok_private.set_rpc(p_enable boolean, p_member name, p_group name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    verb text := CASE WHEN p_enable THEN 'GRANT' ELSE 'REVOKE' END;
    preposition text := CASE WHEN p_enable THEN 'TO' ELSE 'FROM' END;
    granted record;
BEGIN
    IF p_member IS NULL THEN
        RAISE EXCEPTION 'a role must not be null' USING ERRCODE = '22023';
    ELSIF p_member LIKE 'hftok\_%' THEN
        RAISE EXCEPTION 'name a role of PostgREST, not one of hftok' USING ERRCODE = '22023';
    END IF;
    IF current_setting('server_version_num')::int >= 160000 THEN
        EXECUTE format('%s %I %s %I%s', verb, p_group, preposition, p_member,
            CASE WHEN p_enable THEN ' WITH INHERIT TRUE' ELSE '' END);
        RETURN;
    END IF;
    EXECUTE format('%s %I %s %I', verb, p_group, preposition, p_member);
    -- Before 16 a role that is NOINHERIT has nothing of its groups unless it switches to them, which PostgREST
    -- does not do: so it also gets directly what the group has.
    FOR granted IN
        SELECT 'SCHEMA' AS kind, format('%I', n.nspname) AS object, a.privilege_type AS privilege
        FROM pg_namespace n, aclexplode(n.nspacl) a
        WHERE n.nspname = 'hftok' AND a.grantee = p_group::regrole
        UNION ALL
        SELECT 'TABLE', format('%I.%I', n.nspname, c.relname), a.privilege_type
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
        WHERE n.nspname IN ('hftok', 'hftok_private') AND a.grantee = p_group::regrole
        UNION ALL
        SELECT 'TABLE', format('%I.%I', n.nspname, c.relname), format('%s (%I)', x.privilege_type, t.attname)
        FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
            aclexplode(t.attacl) x
        WHERE n.nspname IN ('hftok', 'hftok_private') AND x.grantee = p_group::regrole
        UNION ALL
        SELECT 'FUNCTION', p.oid::regprocedure::text, a.privilege_type
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, aclexplode(p.proacl) a
        WHERE n.nspname = 'hftok' AND a.grantee = p_group::regrole
    LOOP
        EXECUTE format('%s %s ON %s %s %s %I', verb, granted.privilege, granted.kind, granted.object, preposition, p_member);
    END LOOP;
END
$$;
COMMENT ON FUNCTION hftok_private.set_rpc IS 'Gives a role what a group of hftok has, or takes it away.';

CREATE FUNCTION hftok.enable_rpc(
    p_user_role name DEFAULT 'authenticated', p_service_role name DEFAULT 'service_role',
    p_login_role name DEFAULT 'authenticator'
) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    PERFORM hftok_private.set_rpc(true, p_user_role, 'hftok_user');
    PERFORM hftok_private.set_rpc(true, p_service_role, 'hftok_service');
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_login_role) THEN
        RAISE WARNING 'there is no role "%"', p_login_role
            USING HINT = 'PostgREST logs in as this role.';
    ELSE
        EXECUTE format('GRANT EXECUTE ON FUNCTION hftok_private.gateways() TO %I', p_login_role);
        PERFORM hftok_private.record_change('enable_rpc', p_level => 'gateway', p_subject => 'role:' || p_login_role);
        IF NOT p_login_role::text = ANY (hftok_private.gateways()) THEN
            RAISE WARNING 'the login role "%" is missing from hftok.gateways', p_login_role
                USING HINT = 'Add it in postgresql.conf and reload: claims of a JWT are believed only under a gateway.';
        END IF;
    END IF;
    NOTIFY pgrst, 'reload schema';
END
$$;
COMMENT ON FUNCTION hftok.enable_rpc IS
    'Lets PostgREST''s roles call hftok: users as hftok_user, the backend as hftok_service; and records the login under which claims are believed. May be repeated, and is after an update.';

CREATE FUNCTION hftok.disable_rpc(
    p_user_role name DEFAULT 'authenticated', p_service_role name DEFAULT 'service_role',
    p_login_role name DEFAULT 'authenticator'
) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    PERFORM hftok_private.set_rpc(false, p_user_role, 'hftok_user');
    PERFORM hftok_private.set_rpc(false, p_service_role, 'hftok_service');
    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_login_role) THEN
        IF p_login_role::text = ANY (hftok_private.gateways()) THEN
            RAISE NOTICE 'the login role "%" is still listed in hftok.gateways', p_login_role
                USING HINT = 'Where hftok was opened to it in another database of this server, it is a gateway there.';
        END IF;
        EXECUTE format('REVOKE EXECUTE ON FUNCTION hftok_private.gateways() FROM %I', p_login_role);
        PERFORM hftok_private.record_change('disable_rpc', p_subject => 'role:' || p_login_role);
    END IF;
    NOTIFY pgrst, 'reload schema';
END
$$;
COMMENT ON FUNCTION hftok.disable_rpc IS
    'Takes back what enable_rpc() gave: afterwards the two roles have nothing of their groups, also not what was granted to them singly, and the login is no gateway here.';
