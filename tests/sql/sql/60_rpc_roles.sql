-- enable_rpc() and disable_rpc() with roles as Supabase makes them: NOINHERIT everywhere, so that membership alone gives
-- nothing to a role that PostgREST switches to. One takes back everything that the other gives, to the last privilege.

\set VERBOSITY terse
-- The notices of GRANT about memberships that are there already differ between versions of Postgres.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_anon, regress_authenticated, regress_service_role, "regress_Odd"" Role", regress_authenticator;
CREATE ROLE regress_anon NOLOGIN NOINHERIT;
CREATE ROLE regress_authenticated NOLOGIN NOINHERIT;
CREATE ROLE regress_service_role NOLOGIN NOINHERIT BYPASSRLS;
CREATE ROLE regress_authenticator LOGIN NOINHERIT;
GRANT regress_anon, regress_authenticated, regress_service_role TO regress_authenticator;

-- Everything that is granted on anything of hftok, and memberships in its groups.
CREATE TEMP VIEW granted AS
    SELECT 'schema' AS kind, n.nspname::text AS object, a.grantor, a.grantee, a.privilege_type, a.is_grantable
    FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname IN ('hftok', 'hftok_import', 'hftok_private')
    UNION ALL
    SELECT 'relation', c.oid::regclass::text, a.grantor, a.grantee, a.privilege_type, a.is_grantable
    FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace IN ('hftok'::regnamespace, 'hftok_import'::regnamespace, 'hftok_private'::regnamespace)
    UNION ALL
    SELECT 'column', format('%s.%s', c.oid::regclass, t.attname), a.grantor, a.grantee, a.privilege_type, a.is_grantable
    FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid, aclexplode(t.attacl) a
    WHERE c.relnamespace IN ('hftok'::regnamespace, 'hftok_import'::regnamespace, 'hftok_private'::regnamespace)
    UNION ALL
    SELECT 'function', p.oid::regprocedure::text, a.grantor, a.grantee, a.privilege_type, a.is_grantable
    FROM pg_proc p, aclexplode(p.proacl) a WHERE p.pronamespace IN ('hftok'::regnamespace, 'hftok_import'::regnamespace, 'hftok_private'::regnamespace)
    UNION ALL
    SELECT 'membership', m.roleid::regrole::text, m.grantor, m.member, 'MEMBER', m.admin_option
    FROM pg_auth_members m WHERE m.roleid::regrole::text ~ '^hftok_';
CREATE TEMP TABLE before AS SELECT * FROM granted;

-- Differences between the rights of a role and of its group. No row: they are the same.
CREATE TEMP VIEW differences AS
    SELECT r.member, o.object
    FROM (VALUES ('regress_authenticated', 'hftok_user'), ('regress_service_role', 'hftok_service')) r (member, grp),
    LATERAL (
        SELECT p.oid::regprocedure::text AS object, has_function_privilege(r.member, p.oid, 'EXECUTE') AS has,
            has_function_privilege(r.grp, p.oid, 'EXECUTE') AS should
        FROM pg_proc p WHERE p.pronamespace IN ('hftok'::regnamespace, 'hftok_import'::regnamespace, 'hftok_private'::regnamespace)
        UNION ALL
        SELECT format('%s %s', c.oid::regclass, v), has_table_privilege(r.member, c.oid, v), has_table_privilege(r.grp, c.oid, v)
        FROM pg_class c, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) v
        WHERE c.relnamespace IN ('hftok'::regnamespace, 'hftok_import'::regnamespace, 'hftok_private'::regnamespace) AND c.relkind IN ('r', 'v')
        UNION ALL
        SELECT format('%s.%s %s', c.oid::regclass, t.attname, v), has_column_privilege(r.member, c.oid, t.attnum, v),
            has_column_privilege(r.grp, c.oid, t.attnum, v)
        FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped,
            unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) v
        WHERE c.relnamespace IN ('hftok'::regnamespace, 'hftok_import'::regnamespace, 'hftok_private'::regnamespace) AND c.relkind IN ('r', 'v')
        UNION ALL
        SELECT format('%s %s', n.nspname, v), has_schema_privilege(r.member, n.oid, v), has_schema_privilege(r.grp, n.oid, v)
        FROM pg_namespace n, unnest('{USAGE,CREATE}'::text[]) v WHERE n.nspname IN ('hftok', 'hftok_import', 'hftok_private')
    ) o WHERE o.has <> o.should;
SELECT member, count(*) > 0 AS lacks FROM differences GROUP BY member ORDER BY member;

-- Only for a superuser.
SET ROLE hftok_admin;
SELECT hftok.enable_rpc('regress_authenticated', 'regress_service_role', 'regress_authenticator');
SELECT hftok.disable_rpc('regress_authenticated', 'regress_service_role', 'regress_authenticator');
RESET ROLE;
-- Nothing is given when one of the roles does not exist.
SELECT hftok.enable_rpc('regress_authenticated', 'regress_absent', 'regress_authenticator');
SELECT hftok.enable_rpc('regress_absent', 'regress_service_role', 'regress_authenticator');
SELECT count(*) AS given FROM (SELECT * FROM granted EXCEPT SELECT * FROM before) g;

-- enable_rpc() says when claims will not be believed, and when PostgREST's login does not exist.
SELECT hftok.enable_rpc('regress_authenticated', 'regress_service_role', 'regress_authenticator');
SELECT * FROM differences;
SELECT hftok.enable_rpc('regress_authenticated', 'regress_service_role', 'regress_absent');
SELECT * FROM differences;
SELECT a.rolname AS may_not_even_name_it FROM pg_roles a
WHERE a.rolname IN ('regress_anon', 'regress_authenticator') AND NOT has_schema_privilege(a.oid, 'hftok', 'USAGE')
AND NOT EXISTS (SELECT FROM granted g WHERE g.grantee = a.oid AND g.object <> 'hftok_private.gateways()') ORDER BY 1;
SELECT pg_has_role('regress_authenticated', 'hftok_user', 'MEMBER') AS member, pg_has_role('regress_service_role', 'hftok_service', 'MEMBER') AS member,
    pg_has_role('regress_authenticated', 'hftok_service', 'MEMBER') AS member;

-- PostgREST works like this: one login, which switches to the role that the JWT names.
SET SESSION AUTHORIZATION regress_authenticator;
SET ROLE regress_service_role;
SELECT hftok.whoami();
SELECT hftok.create_secret('value', 'by the service') AS id \gset
SELECT hftok.put_secret('by the service', 'second') = :'id' AS same;
SELECT hftok.get_secret('by the service'), hftok.get_secret('by the service', 1);
SELECT name, decrypted_secret FROM hftok.decrypted_secrets;
SELECT name, version FROM hftok.secrets;
SELECT sealed FROM hftok.status();
SELECT hftok.find_secret('value');
SELECT hftok.seal();
SELECT FROM hftok_private.secrets;
SET ROLE regress_authenticated;
SELECT hftok.whoami();
SELECT hftok.create_secret('x');
SELECT hftok.get_secret('by the service');
SELECT count(*) FROM hftok.decrypted_secrets;
-- As an end user: their own credentials, through functions and views. (Under a login that is no gateway, and without claims.)
SELECT version, preview FROM hftok.save_credential('openai', 'sk-proj-own00000000000000000', p_label => 'mine');
UPDATE hftok.credentials SET label = 'renamed', expires_at = '2100-01-01 UTC' WHERE provider = 'openai';
SELECT scope_id, label, status, writable FROM hftok.credentials;
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('groq', 'key-of-the-user');
UPDATE hftok.user_api_keys SET api_key = 'another-key-of-the-user' WHERE service = 'groq' RETURNING user_id, service, api_key;
SELECT service FROM hftok.user_api_keys ORDER BY service;
SELECT provider, is_configured FROM hftok.provider_secrets ORDER BY provider;
SELECT count(*) AS members FROM hftok.members;
SELECT count(*) AS administrators FROM hftok.administrators;
SELECT count(*) AS integrations FROM hftok.integrations;
SELECT count(*) AS usage FROM hftok.usage_daily;
SELECT count(*) AS expiring FROM hftok.expiring_credentials;
SELECT hftok.token_provided('openai'), hftok.token_provided('together');
SELECT hftok.resolve_token('openai', 'role:regress_authenticated');
SELECT hftok.runner_env('{openai}');
SELECT FROM hftok_private.secrets;
-- As the backend.
SET ROLE regress_service_role;
SELECT token, source FROM hftok.resolve_token('openai', 'role:regress_authenticated');
SELECT scope_id, provider, label FROM hftok.credentials ORDER BY provider;
SELECT count(*) FROM hftok.user_api_keys;
SELECT hftok.forget_user('role:regress_authenticated');
SET ROLE regress_anon;
SELECT hftok.whoami();
SELECT count(*) FROM hftok.credentials;
SELECT count(*) FROM hftok.user_api_keys;
SELECT count(*) FROM hftok.providers;
RESET ROLE;
SELECT hftok.whoami();
SELECT hftok.get_secret('by the service');
-- Claims under a login that is no gateway are an error, not another identity.
SET ROLE regress_authenticated;
BEGIN;
SELECT set_config('request.jwt.claims', '{"sub": "alice"}', true);
SELECT hftok.whoami();
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
RESET SESSION AUTHORIZATION;
SELECT hftok.delete_secret(:'id');

-- Taken back twice, and nothing is left of it; given again, it is there again.
SELECT hftok.disable_rpc('regress_authenticated', 'regress_service_role', 'regress_authenticator');
SELECT * FROM granted EXCEPT SELECT * FROM before;
SELECT * FROM before EXCEPT SELECT * FROM granted;
SET client_min_messages = error;
SELECT hftok.disable_rpc('regress_authenticated', 'regress_service_role', 'regress_authenticator');
SET client_min_messages = warning;
SELECT * FROM granted EXCEPT SELECT * FROM before;
SELECT * FROM before EXCEPT SELECT * FROM granted;
SELECT hftok.enable_rpc('regress_authenticated', 'regress_service_role', 'regress_authenticator');
SELECT * FROM differences;
-- Roles that inherit and names that need quoting.
CREATE ROLE "regress_Odd"" Role";
SELECT hftok.enable_rpc(p_user_role => 'regress_authenticated', p_service_role => 'regress_Odd" Role', p_login_role => 'regress_authenticator');
SELECT has_function_privilege('regress_Odd" Role', 'hftok.get_secret(text, int, text)', 'EXECUTE') AS given;
SELECT hftok.disable_rpc(p_user_role => 'regress_authenticated', p_service_role => 'regress_Odd" Role', p_login_role => 'regress_authenticator');
SELECT has_function_privilege('regress_Odd" Role', 'hftok.get_secret(text, int, text)', 'EXECUTE') AS given;
SET client_min_messages = error;
SELECT hftok.disable_rpc('regress_authenticated', 'regress_service_role', 'regress_authenticator');
SET client_min_messages = warning;
SELECT * FROM granted EXCEPT SELECT * FROM before;
SELECT * FROM before EXCEPT SELECT * FROM granted;

DROP ROLE regress_anon, regress_authenticated, regress_service_role, "regress_Odd"" Role", regress_authenticator;
