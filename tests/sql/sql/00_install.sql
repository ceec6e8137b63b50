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
SELECT (SELECT count(*) FROM hftok_private.data_keys) AS data_keys, (SELECT count(*) FROM hftok_private.secrets) AS secrets,
    (SELECT count(*) FROM hftok_private.secret_versions) AS versions;

-- What the files that follow need of this server: preloaded, and a keyring.
SELECT sealed, reason, active_data_key_id, secrets FROM hftok.status();

DROP ROLE regress_intruder;
