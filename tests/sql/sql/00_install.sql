-- Installs hftok into the regression database, for the files that follow in the order of their numbers.
-- What must be seen first: the script stops where somebody else has prepared what hftok is going to trust. Every
-- attempt is rolled back, because roles belong to the whole server.

\set VERBOSITY terse
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_intruder;
CREATE ROLE regress_intruder;

-- A schema of somebody who is no superuser: its owner could drop it with everything in it.
BEGIN;
CREATE SCHEMA hftok AUTHORIZATION regress_intruder;
CREATE EXTENSION hftok;
ROLLBACK;

-- A schema that somebody put something into, or could: it would look like a part of hftok.
BEGIN;
CREATE SCHEMA hftok;
CREATE FUNCTION hftok.steal(text) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT $1';
CREATE EXTENSION hftok;
ROLLBACK;
BEGIN;
CREATE SCHEMA hftok;
GRANT CREATE ON SCHEMA hftok TO regress_intruder;
CREATE EXTENSION hftok;
ROLLBACK;
BEGIN;
CREATE SCHEMA hftok;
GRANT USAGE, CREATE ON SCHEMA hftok TO PUBLIC;
CREATE EXTENSION hftok;
ROLLBACK;

-- Default privileges of whoever installs: what they grant on new objects does not reach those of hftok.
BEGIN;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO regress_intruder;
CREATE EXTENSION hftok;
ROLLBACK;
BEGIN;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO regress_intruder;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO regress_intruder, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO regress_intruder;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO regress_intruder;
CREATE EXTENSION hftok;
SELECT 'relation' AS kind, c.oid::regclass::text AS object FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace::regnamespace::text LIKE 'hftok%' AND a.grantee IN (0, 'regress_intruder'::regrole)
UNION ALL
SELECT 'function', p.oid::regprocedure::text FROM pg_proc p, aclexplode(p.proacl) a
WHERE p.pronamespace::regnamespace::text LIKE 'hftok%' AND a.grantee = 'regress_intruder'::regrole
UNION ALL
SELECT 'type', t.oid::regtype::text FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c', aclexplode(t.typacl) a
WHERE t.typnamespace::regnamespace::text LIKE 'hftok%' AND a.grantee = 'regress_intruder'::regrole
UNION ALL
SELECT 'schema', n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a
WHERE n.nspname LIKE 'hftok%' AND a.grantee = 'regress_intruder'::regrole;
ROLLBACK;

-- The schema of the tables, prepared by anybody.
BEGIN;
CREATE SCHEMA hftok_private AUTHORIZATION regress_intruder;
CREATE EXTENSION hftok;
ROLLBACK;

-- An owner role that is more than an owner, or that somebody can become. It may exist already, from another database.
CREATE PROCEDURE pg_temp.prepare_role(name) LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) THEN
        EXECUTE format('CREATE ROLE %I', $1);
    END IF;
END
$$;

BEGIN;
CALL pg_temp.prepare_role('hftok_owner');
ALTER ROLE hftok_owner LOGIN;
CREATE EXTENSION hftok;
ROLLBACK;

BEGIN;
CALL pg_temp.prepare_role('hftok_owner');
ALTER ROLE hftok_owner BYPASSRLS;
CREATE EXTENSION hftok;
ROLLBACK;

BEGIN;
CALL pg_temp.prepare_role('hftok_owner');
GRANT hftok_owner TO regress_intruder;
CREATE EXTENSION hftok;
ROLLBACK;

BEGIN;
CALL pg_temp.prepare_role('hftok_owner');
GRANT regress_intruder TO hftok_owner;
CREATE EXTENSION hftok;
ROLLBACK;

BEGIN;
CALL pg_temp.prepare_role('hftok_service');
ALTER ROLE hftok_service CREATEROLE;
CREATE EXTENSION hftok;
ROLLBACK;

-- A group role that somebody prepared, and can give to whom they like.
BEGIN;
CALL pg_temp.prepare_role('hftok_service');
GRANT hftok_service TO regress_intruder WITH ADMIN OPTION;
CREATE EXTENSION hftok;
ROLLBACK;

-- Not trusted: an owner of the database who is no superuser cannot install it.
BEGIN;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_intruder', current_database()); END $$;
SET LOCAL ROLE regress_intruder;
CREATE EXTENSION hftok;
ROLLBACK;

-- Nor into a schema of the caller's choice.
CREATE EXTENSION hftok SCHEMA public;

CREATE EXTENSION hftok;

SELECT e.extversion = a.default_version AS default_version, e.extversion = (hftok.status()).version AS status_agrees,
    v.superuser, v.trusted, v.relocatable, v.schema, v.requires
FROM pg_extension e
JOIN pg_available_extensions a ON a.name = e.extname
JOIN pg_available_extension_versions v ON v.name = e.extname AND v.version = e.extversion
WHERE e.extname = 'hftok';

-- The script makes no row: those of a dump would collide with them.
SELECT (SELECT count(*) FROM hftok_private.data_keys WHERE state <> 'destroyed') AS data_keys, (SELECT count(*) FROM hftok_private.secrets) AS secrets,
    (SELECT count(*) FROM hftok_private.secret_versions) AS versions;

-- The files that follow need a server with hftok preloaded, and a keyring.
SELECT sealed, reason, active_data_key_id, secrets FROM hftok.status();

DROP ROLE regress_intruder;
