-- The caller, and opening hftok to PostgREST and to code written for Supabase Vault.

CREATE OR REPLACE FUNCTION hftok.whoami() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_whoami';
COMMENT ON FUNCTION hftok.whoami IS
    'The identity that hftok takes the caller for: the sub of the JWT under a gateway, role:<name> elsewhere.';

-- A default that clients may name: PostgREST copies it into its own statements.
ALTER VIEW hftok.user_api_keys ALTER COLUMN user_id SET DEFAULT hftok.whoami();
ALTER VIEW hftok.provider_secrets ALTER COLUMN user_id SET DEFAULT hftok.whoami();

-- EXECUTE on it is the record that a login is a gateway of this database (src/pg/who/gateway.rs), and enable_rpc() makes it.
CREATE OR REPLACE FUNCTION hftok_private.gateways() RETURNS text[]
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_gateways';
COMMENT ON FUNCTION hftok_private.gateways IS
    'The logins under which claims of a JWT are believed: listed in hftok.gateways, and recorded here by EXECUTE on this function.';

CREATE OR REPLACE FUNCTION hftok.install_vault_schema() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_install_vault_schema';
COMMENT ON FUNCTION hftok.install_vault_schema IS
    'Creates schema vault with Supabase Vault''s functions and views on top of hftok; all of it belongs to hftok_owner. A schema of that name must not exist.';

-- Objects that roles may be granted: hftok itself, the objects that install_api() made of it elsewhere, and the schema that
-- install_vault_schema() made.
CREATE OR REPLACE FUNCTION hftok_private.granted_to(p_role name)
    RETURNS TABLE (kind text, object text, privilege text, schema name)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH home AS (
        SELECT n.oid FROM pg_namespace n
        WHERE n.nspname IN ('hftok', 'hftok_import', 'hftok_private') OR (n.nspname = 'vault' AND n.nspowner = 'hftok_owner'::regrole)
    ), made AS (
        SELECT d.classoid, d.objoid FROM pg_description d
        WHERE d.objsubid = 0 AND d.description LIKE 'hftok.%, by install\_api(). %'
    ), access AS (
        SELECT 'SCHEMA' AS kind, format('%I', n.nspname) AS object, NULL::name AS attribute, n.oid AS namespace, n.nspacl AS acl
        FROM pg_namespace n WHERE n.oid IN (SELECT h.oid FROM home h)
        UNION ALL
        SELECT 'TABLE', c.oid::regclass::text, a.attname, c.relnamespace, CASE WHEN a.attname IS NULL THEN c.relacl ELSE a.attacl END
        FROM pg_class c CROSS JOIN LATERAL (
            SELECT NULL::name AS attname, NULL::aclitem[] AS attacl
            UNION ALL
            SELECT t.attname, t.attacl FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attacl IS NOT NULL
        ) a
        WHERE c.relnamespace IN (SELECT h.oid FROM home h)
        OR c.oid IN (SELECT m.objoid FROM made m WHERE m.classoid = 'pg_class'::regclass)
        UNION ALL
        SELECT 'FUNCTION', p.oid::regprocedure::text, NULL, p.pronamespace, p.proacl
        FROM pg_proc p
        WHERE p.pronamespace IN (SELECT h.oid FROM home h)
        OR p.oid IN (SELECT m.objoid FROM made m WHERE m.classoid = 'pg_proc'::regclass)
    )
    SELECT s.kind, s.object, x.privilege_type || CASE WHEN s.attribute IS NULL THEN '' ELSE format(' (%I)', s.attribute) END, n.nspname
    FROM access s JOIN pg_namespace n ON n.oid = s.namespace, aclexplode(s.acl) x
    WHERE x.grantee = (SELECT r.oid FROM pg_roles r WHERE r.rolname = p_role)
$$;
COMMENT ON FUNCTION hftok_private.granted_to IS 'What was granted to a role itself of hftok and of what was made on top of it.';

CREATE OR REPLACE FUNCTION hftok_private.set_rpc(p_enable boolean, p_member name, p_group name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    inherits boolean := current_setting('server_version_num')::int >= 160000;
    granted record;
BEGIN
    IF p_member IS NULL THEN
        RAISE EXCEPTION 'a role must not be null' USING ERRCODE = '22023';
    ELSIF p_member LIKE 'hftok\_%' THEN
        RAISE EXCEPTION 'name a role of PostgREST, not one of hftok' USING ERRCODE = '22023';
    END IF;
    IF NOT p_enable THEN
        EXECUTE format('REVOKE %I FROM %I', p_group, p_member);
        -- On every version: a server that was upgraded to 16 has kept what was granted singly on 15.
        FOR granted IN SELECT * FROM hftok_private.granted_to(p_member) LOOP
            EXECUTE format('REVOKE %s ON %s %s FROM %I', granted.privilege, granted.kind, granted.object, p_member);
        END LOOP;
        RETURN;
    END IF;
    EXECUTE format('GRANT %I TO %I%s', p_group, p_member, CASE WHEN inherits THEN ' WITH INHERIT TRUE' ELSE '' END);
    IF inherits THEN
        RETURN;
    END IF;
    -- Before 16 a role that is NOINHERIT has nothing of its groups unless it switches to them, which PostgREST
    -- does not do: so it also gets directly what the group has.
    FOR granted IN SELECT * FROM hftok_private.granted_to(p_group) LOOP
        EXECUTE format('GRANT %s ON %s %s TO %I', granted.privilege, granted.kind, granted.object, p_member);
        -- By itself it opens nothing, and is not taken back.
        IF NOT has_schema_privilege(p_member, granted.schema, 'USAGE') AND granted.schema NOT IN ('hftok_private', 'vault') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', granted.schema, p_member);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION hftok_private.set_rpc IS 'Gives a role what a group of hftok has, or takes it away.';

CREATE OR REPLACE FUNCTION hftok.enable_rpc(
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

CREATE OR REPLACE FUNCTION hftok.disable_rpc(
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
                USING HINT = 'It stays a gateway for every other database of this server where hftok was opened to it.';
        END IF;
        EXECUTE format('REVOKE EXECUTE ON FUNCTION hftok_private.gateways() FROM %I', p_login_role);
        PERFORM hftok_private.record_change('disable_rpc', p_subject => 'role:' || p_login_role);
    END IF;
    NOTIFY pgrst, 'reload schema';
END
$$;
COMMENT ON FUNCTION hftok.disable_rpc IS
    'Takes back what enable_rpc() gave: afterwards the two roles have nothing of their groups, also not what was granted to them singly, and the login is no gateway here.';
