-- install_api(): hftok's calls and views in the schema that clients use by default. They have no rights of their own: who was
-- refused is refused, and default privileges, as Supabase sets them for everybody, reach nothing.

\set VERBOSITY terse
\encoding UTF8
SET timezone = 'UTC';
SET client_min_messages = warning;
SELECT to_regrole('anon') IS NULL AS no_anon \gset
\if :no_anon
CREATE ROLE anon NOLOGIN NOINHERIT;
\endif
DROP ROLE IF EXISTS regress_operator, regress_migrations;
CREATE ROLE regress_operator IN ROLE hftok_admin;
CREATE ROLE regress_migrations;
\i tests/sql/include/gateway.sql
GRANT anon TO authenticator;
CREATE SCHEMA regress_api;
RESET client_min_messages;

-- Only the operator may, and only where they may create.
SET ROLE regress_migrations;
SELECT hftok.install_api('regress_api');
SET ROLE hftok_service;
SELECT hftok.install_api('regress_api');
SET ROLE regress_operator;
SELECT hftok.install_api('regress_api');
SELECT hftok.install_api('none');
SELECT hftok.install_api('hftok');
SELECT hftok.install_api('hftok_private');
SELECT hftok.install_api('pg_catalog');
SELECT hftok.install_api(NULL);
SELECT hftok.install_api('regress_api', '{whoami,seal,none}');
SELECT hftok.install_api('regress_api', '{}');
RESET ROLE;
GRANT USAGE, CREATE ON SCHEMA regress_api TO regress_operator WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_operator IN SCHEMA regress_api GRANT ALL ON FUNCTIONS TO PUBLIC, anon, regress_authenticated;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_operator IN SCHEMA regress_api GRANT ALL ON TABLES TO PUBLIC, anon, regress_authenticated;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_operator GRANT ALL ON FUNCTIONS TO regress_migrations;
-- Names that are taken: a table, a function with other arguments, a type. Nothing is made then.
CREATE TABLE regress_api.members ();
CREATE FUNCTION regress_api.whoami(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE DOMAIN regress_api.providers AS text;
SET ROLE regress_operator;
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT hftok.install_api('regress_api');
\set VERBOSITY terse
SELECT count(*) AS made FROM pg_proc WHERE pronamespace = 'regress_api'::regnamespace AND proname <> 'whoami';
-- Only what is asked for.
SELECT hftok.install_api('regress_api', '{resolve_hf_token,user_api_keys}');
SELECT proname AS made FROM pg_proc WHERE pronamespace = 'regress_api'::regnamespace
UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'regress_api'::regnamespace ORDER BY 1;
DROP FUNCTION regress_api.resolve_hf_token;
DROP VIEW regress_api.user_api_keys;
RESET ROLE;
DROP TABLE regress_api.members;
DROP FUNCTION regress_api.whoami;
DROP DOMAIN regress_api.providers;
-- Objects that come first in the caller's search path are not used.
CREATE SCHEMA regress_trap AUTHORIZATION regress_migrations;
GRANT USAGE ON SCHEMA regress_trap TO PUBLIC;
SET ROLE regress_migrations;
CREATE FUNCTION regress_trap.trap(name, name) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped as %', current_user; END $$;
CREATE OPERATOR regress_trap.= (LEFTARG = name, RIGHTARG = name, FUNCTION = regress_trap.trap);
CREATE FUNCTION regress_trap.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped as %', current_user; END $$;
CREATE DOMAIN regress_trap.text AS pg_catalog.text CHECK (regress_trap.trap('a', 'b'));
CREATE DOMAIN regress_trap.uuid AS pg_catalog.uuid CHECK (regress_trap.trap('a', 'b'));
SET ROLE regress_operator;
SET search_path = regress_trap, pg_catalog;
SELECT hftok.install_api('regress_api');
RESET search_path;
SELECT hftok.install_api('regress_api', '{whoami}');
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA regress_trap CASCADE;
RESET client_min_messages;

-- The schema has what hftok has, as far as users and the backend have it.
SELECT format('%s(%s) %s', p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)) AS differs FROM pg_proc p
WHERE p.pronamespace = 'regress_api'::regnamespace AND NOT EXISTS (
    SELECT FROM pg_proc o WHERE o.pronamespace = 'hftok'::regnamespace AND o.proname = p.proname
    AND (pg_get_function_arguments(o.oid), pg_get_function_result(o.oid), o.provolatile) = (pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.provolatile));
SELECT coalesce(o.name, a.name) AS name, o.name IS NULL AS too_much
FROM (SELECT p.proname AS name FROM pg_proc p WHERE p.pronamespace = 'hftok'::regnamespace AND (has_function_privilege('hftok_user', p.oid, 'EXECUTE') OR has_function_privilege('hftok_service', p.oid, 'EXECUTE'))
    UNION ALL SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'hftok'::regnamespace AND c.relkind = 'v' AND (has_table_privilege('hftok_user', c.oid, 'SELECT') OR has_table_privilege('hftok_service', c.oid, 'SELECT'))) o
FULL JOIN (SELECT p.proname AS name FROM pg_proc p WHERE p.pronamespace = 'regress_api'::regnamespace UNION ALL SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'regress_api'::regnamespace) a USING (name)
WHERE o.name IS NULL OR a.name IS NULL;
SELECT count(*) FILTER (WHERE p.prosecdef) AS definers, count(*) FILTER (WHERE l.lanname <> 'sql' OR p.prosqlbody IS NULL) AS unbound, count(*) > 30 AS enough
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace = 'regress_api'::regnamespace;
SELECT c.relname, c.reloptions, (SELECT array_agg(a.attname || ' ' || pg_get_expr(d.adbin, d.adrelid)) FROM pg_attrdef d JOIN pg_attribute a ON (a.attrelid, a.attnum) = (d.adrelid, d.adnum) WHERE d.adrelid = c.oid) AS defaults
FROM pg_class c WHERE c.relnamespace = 'regress_api'::regnamespace ORDER BY c.relname COLLATE "C";
SELECT obj_description('regress_api.whoami'::regproc, 'pg_proc') AS comment;
-- Privileges: those of the originals, and no others.
CREATE TEMP VIEW privileges AS
    SELECT n.nspname AS schema, o.object, a.grantee::regrole::text AS grantee, o.part, a.privilege_type
    FROM (SELECT p.pronamespace AS space, p.proname AS object, '' AS part, p.proowner AS owner, coalesce(p.proacl, acldefault('f', p.proowner)) AS acl FROM pg_proc p
        UNION ALL SELECT c.relnamespace, c.relname, '', c.relowner, c.relacl FROM pg_class c
        UNION ALL SELECT c.relnamespace, c.relname, t.attname, c.relowner, t.attacl FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid) o
    JOIN pg_namespace n ON n.oid = o.space, aclexplode(o.acl) a WHERE a.grantee <> o.owner;
SELECT schema, object, grantee, part, privilege_type FROM privileges p WHERE schema = 'regress_api'
AND NOT EXISTS (SELECT FROM privileges o WHERE o.schema = 'hftok' AND (o.object, o.grantee, o.part, o.privilege_type) = (p.object, p.grantee, p.part, p.privilege_type));
SELECT object, grantee, part, privilege_type FROM privileges p WHERE schema = 'hftok' AND grantee <> 'hftok_owner' AND object IN (SELECT object FROM privileges WHERE schema = 'regress_api')
AND NOT EXISTS (SELECT FROM privileges o WHERE o.schema = 'regress_api' AND (o.object, o.grantee, o.part, o.privilege_type) = (p.object, p.grantee, p.part, p.privilege_type));
SELECT grantee, count(*) > 0 AS has FROM privileges WHERE schema = 'regress_api' AND grantee IN ('-', 'anon', 'regress_migrations') GROUP BY grantee;
SELECT role, has_schema_privilege(role, 'regress_api', 'USAGE') AS usage FROM unnest('{hftok_user,hftok_service,hftok_admin,hftok_auditor,anon,regress_migrations}'::name[]) role;

-- Calls of clients, by names of the default schema.
SET SESSION AUTHORIZATION authenticator;
SET ROLE anon;
SELECT regress_api.whoami();
RESET SESSION AUTHORIZATION;
GRANT USAGE ON SCHEMA regress_api TO anon;
\i tests/sql/include/api_clients.sql

-- Taken back, here only, and again: by whoever made it, and nothing that merely has such a name or comment.
DROP EXTENSION hftok;
CREATE FUNCTION regress_api.mine() RETURNS int LANGUAGE sql AS 'SELECT 1';
COMMENT ON FUNCTION regress_api.mine IS 'hftok.whoami, by install_api(). Of somebody else.';
CREATE SCHEMA regress_other;
CREATE VIEW regress_other.members AS SELECT 1 AS one;
COMMENT ON VIEW regress_other.members IS 'Of the application.';
SET ROLE regress_migrations;
SELECT hftok.remove_api('regress_api');
SET ROLE hftok_service;
SELECT hftok.remove_api('regress_api');
RESET ROLE;
SET ROLE regress_operator;
SELECT hftok.remove_api('hftok');
SELECT hftok.remove_api(NULL);
SELECT hftok.remove_api('regress_other');
SELECT hftok.remove_api('regress_api') > 40 AS removed;
SELECT hftok.remove_api('regress_api');
RESET ROLE;
SELECT proname AS left FROM pg_proc WHERE pronamespace = 'regress_api'::regnamespace;
SELECT count(*) AS left FROM pg_class WHERE relnamespace = 'regress_api'::regnamespace;
DROP FUNCTION regress_api.mine;
DROP SCHEMA regress_other CASCADE;

-- By a superuser, who can name the table under user_api_keys: a view of it, with its triggers.
SELECT hftok.install_api('regress_api');
CREATE VIEW regress_needs AS SELECT service FROM regress_api.user_api_keys;
SELECT hftok.remove_api('regress_api');
DROP VIEW regress_needs;
SET ROLE regress_operator;
SELECT hftok.remove_api('regress_api');
RESET ROLE;
SELECT pg_get_viewdef('regress_api.user_api_keys'::regclass) ~ 'FROM hftok_private.user_api_keys' AS of_the_table,
    c.reloptions, (SELECT array_agg(pg_get_triggerdef(t.oid)) FROM pg_trigger t WHERE t.tgrelid = c.oid) AS triggers
FROM pg_class c WHERE c.oid = 'regress_api.user_api_keys'::regclass;
\i tests/sql/include/api_clients.sql
SELECT hftok.remove_api('regress_api') > 40 AS removed;

SET client_min_messages = warning;
DROP SCHEMA regress_api CASCADE;
DROP OWNED BY regress_operator CASCADE;
DROP OWNED BY regress_migrations, regress_authenticated, regress_service_role CASCADE;
DROP ROLE regress_operator, regress_migrations;
\if :no_anon
DROP ROLE anon;
\endif
\i tests/sql/include/gateway_end.sql
