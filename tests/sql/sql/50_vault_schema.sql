-- install_vault_schema(): code that was written for Supabase Vault finds schema `vault` with its calls and views, and
-- behind them are hftok's secrets. A role with privileges on these and nothing else of hftok can use them.

\set VERBOSITY terse
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_operator, regress_app;
RESET client_min_messages;

-- By a superuser alone: an operator who installed it would keep what can be put in its place.
CREATE ROLE regress_operator IN ROLE hftok_admin;
CREATE ROLE regress_app;
SET ROLE hftok_service;
SELECT hftok.install_vault_schema();
RESET ROLE;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_operator', current_database()); END $$;
SET ROLE regress_operator;
SELECT hftok.install_vault_schema();
RESET ROLE;
GRANT EXECUTE ON FUNCTION hftok.install_vault_schema TO regress_operator;
SET ROLE regress_operator;
-- Postgres 16 says it in other words than 15.
\set VERBOSITY sqlstate
SELECT hftok.install_vault_schema();
\set VERBOSITY terse
RESET ROLE;
REVOKE EXECUTE ON FUNCTION hftok.install_vault_schema FROM regress_operator;
-- A schema of that name may be a real Vault, or anybody's.
CREATE SCHEMA vault;
SELECT hftok.install_vault_schema();
SELECT count(*) AS made FROM pg_class WHERE relnamespace = 'vault'::regnamespace;
DROP SCHEMA vault;
-- A search path with traps in it, and objects of somebody's with the names that the script uses.
CREATE SCHEMA regress_trap AUTHORIZATION regress_operator;
SET ROLE regress_operator;
CREATE FUNCTION regress_trap.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped as %', current_user; END $$;
CREATE OPERATOR regress_trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_trap.eq);
CREATE FUNCTION regress_trap.encode(bytea, text) RETURNS text LANGUAGE sql AS $$ SELECT 'trapped' $$;
RESET ROLE;
SET search_path = regress_trap, pg_catalog;
SELECT hftok.install_vault_schema();
SELECT current_setting('search_path');
RESET search_path;
SELECT hftok.install_vault_schema();
-- Nobody but hftok_owner owns any of it, and an operator replaces nothing.
SET ROLE regress_operator;
DROP VIEW vault.decrypted_secrets;
DROP FUNCTION vault.create_secret;
CREATE VIEW vault.mine AS SELECT 1;
DROP SCHEMA vault CASCADE;
RESET ROLE;

-- The schema and its objects.
SELECT n.nspowner::regrole AS owner, (SELECT array_agg(format('%s=%s', a.grantee::regrole, a.privilege_type)
    ORDER BY a.grantee::regrole::text COLLATE "C", a.privilege_type) FROM aclexplode(n.nspacl) a) AS privileges
FROM pg_namespace n WHERE n.nspname = 'vault';
SELECT c.oid::regclass AS relation, c.relkind, c.relowner::regrole AS owner, c.reloptions, obj_description(c.oid, 'pg_class') AS comment,
    (SELECT array_agg(format('%s %s', a.attname, format_type(a.atttypid, NULL)) ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0) AS columns
FROM pg_class c WHERE c.relnamespace = 'vault'::regnamespace ORDER BY c.relname;
SELECT p.oid::regproc AS function, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result,
    p.proowner::regrole AS owner, p.prosecdef AS definer, p.proconfig, p.provolatile, p.proparallel, p.proleakproof,
    obj_description(p.oid, 'pg_proc') AS comment
FROM pg_proc p WHERE p.pronamespace = 'vault'::regnamespace ORDER BY p.proname;
SELECT object, coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC') AS grantee, string_agg(privilege, ' ' ORDER BY privilege) AS privileges
FROM (
    SELECT c.relname AS object, a.grantee, a.privilege_type AS privilege FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.relnamespace = 'vault'::regnamespace AND a.grantee <> c.relowner
    UNION ALL
    SELECT p.proname, a.grantee, a.privilege_type FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    WHERE p.pronamespace = 'vault'::regnamespace AND a.grantee <> p.proowner
) granted GROUP BY object, granted.grantee ORDER BY object, 2;
-- These objects hold no data, and pg_dump takes them for what they are: objects of the database, not of the extension.
SELECT count(*) AS members FROM pg_depend d
WHERE d.deptype = 'e' AND (d.objid IN (SELECT oid FROM pg_class WHERE relnamespace = 'vault'::regnamespace)
    OR d.objid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'vault'::regnamespace));

-- Supabase Vault's documentation, by hftok's own service role.
SET ROLE hftok_service;
SELECT vault.create_secret('s3kre3t') AS one \gset
SELECT vault.create_secret('another_s3kre3t', 'unique_name') AS two \gset
SELECT vault.create_secret('another_s3kre3t', 'unique_name_too', 'This is the description') AS three \gset
SELECT vault.create_secret(new_secret => 'named', new_name => 'named', new_description => 'by name', new_key_id => NULL) AS four \gset
SELECT name, description, decrypted_secret, key_id, secret ~ 's3kre3t' AS plain FROM vault.decrypted_secrets ORDER BY name;
SELECT name, description, secret ~ 's3kre3t' AS plain, octet_length(nonce) AS nonce, key_id FROM vault.secrets ORDER BY name;
SELECT vault.update_secret(:'one', 'n3w_s3kre3t', 'updated_unique_name', 'updated description');
SELECT name, description, decrypted_secret FROM vault.decrypted_secrets WHERE id = :'one';
SELECT vault.create_secret('x', 'unique_name');
\echo :LAST_ERROR_SQLSTATE
SELECT vault.update_secret('00000000-0000-4000-8000-000000000000', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT vault.create_secret('empty description', 'nil', NULL) IS NOT NULL AS stored;
SELECT vault.create_secret('') IS NOT NULL AS stored;
INSERT INTO vault.secrets (name, secret) VALUES ('direct', 's3kre3t');
INSERT INTO vault.secrets (description) VALUES ('direct');
INSERT INTO vault.decrypted_secrets (name, secret) VALUES ('direct', 's3kre3t');
UPDATE vault.secrets SET secret = 's3kre3t';
DELETE FROM vault.secrets WHERE name = 'unique_name_too';
DELETE FROM vault.decrypted_secrets WHERE id = :'four';
-- They are the same secrets.
SELECT name, decrypted_secret FROM hftok.decrypted_secrets ORDER BY name, decrypted_secret;
RESET ROLE;

-- A role with nothing but this.
SET ROLE regress_app;
SELECT vault.create_secret('x');
SELECT count(*) FROM vault.decrypted_secrets;
RESET ROLE;
GRANT USAGE ON SCHEMA vault TO regress_app;
GRANT EXECUTE ON FUNCTION vault.create_secret, vault.update_secret TO regress_app;
GRANT SELECT ON vault.decrypted_secrets TO regress_app;
SET ROLE regress_app;
SELECT vault.create_secret('foo', 'bar', 'baz') AS app \gset
SELECT vault.update_secret(:'app', 'f00');
SELECT name, description, decrypted_secret FROM vault.decrypted_secrets WHERE id = :'app';
SELECT count(*) FROM vault.secrets;
DELETE FROM vault.decrypted_secrets;
SELECT hftok.create_secret('x');
SELECT count(*) FROM hftok.decrypted_secrets;
RESET ROLE;
-- The right to read is that of the view that is read.
GRANT USAGE ON SCHEMA hftok TO regress_app;
GRANT SELECT (id, name) ON hftok.decrypted_secrets TO regress_app;
SET ROLE regress_app;
SELECT name FROM hftok.decrypted_secrets WHERE id = :'app';
SELECT decrypted_secret FROM hftok.decrypted_secrets WHERE id = :'app';
RESET ROLE;

-- The views depend on hftok.
DROP EXTENSION hftok;
SET client_min_messages = warning;
DROP SCHEMA vault CASCADE;
DELETE FROM hftok.decrypted_secrets;
DROP OWNED BY regress_operator, regress_app CASCADE;
DROP ROLE regress_operator, regress_app;
