-- A login is a gateway of a database when hftok.gateways lists its name and enable_rpc() recorded it there; its claims count for
-- roles that it may become. (This server lists "authenticator".)

\set VERBOSITY terse
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_authenticated, regress_service_role, regress_helpdesk, regress_other;
CREATE ROLE regress_authenticated NOLOGIN NOINHERIT;
CREATE ROLE regress_service_role NOLOGIN NOINHERIT;
CREATE ROLE regress_helpdesk LOGIN CREATEROLE IN ROLE hftok_user;
SELECT coalesce((hftok.status()).gateways, '{}') AS gateways;

-- A role that may create roles takes the name that is listed, and reaches hftok by a function of its own.
SET SESSION AUTHORIZATION regress_helpdesk;
CREATE ROLE authenticator LOGIN;
RESET SESSION AUTHORIZATION;
CREATE SCHEMA regress_helpdesk AUTHORIZATION regress_helpdesk;
SET SESSION AUTHORIZATION regress_helpdesk;
CREATE FUNCTION regress_helpdesk.w(q text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
    $$ DECLARE r text; BEGIN EXECUTE q INTO r; RETURN r; END $$;
GRANT USAGE ON SCHEMA regress_helpdesk TO PUBLIC;
SET SESSION AUTHORIZATION authenticator;
SET request.jwt.claims = '{"sub": "bob"}';
\set VERBOSITY default
SELECT regress_helpdesk.w('SELECT hftok.whoami()');
\set VERBOSITY terse
SELECT regress_helpdesk.w($$SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH')$$);
SELECT regress_helpdesk.w($$SELECT hftok.delete_credential('openai', 'gpt-secret')$$);
RESET request.jwt.claims;
RESET SESSION AUTHORIZATION;

-- Recorded: believed for the roles that PostgREST switches to, and not in a definer of somebody else.
GRANT regress_authenticated, regress_service_role TO authenticator;
SELECT hftok.enable_rpc('regress_authenticated', 'regress_service_role', 'authenticator');
SELECT (hftok.status()).gateways;
CREATE FUNCTION public.regress_by_superuser() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT hftok.whoami() $$;
SET SESSION AUTHORIZATION authenticator;
SET request.jwt.claims = '{"sub": "bob"}';
SET ROLE regress_authenticated;
SELECT hftok.whoami();
START TRANSACTION READ ONLY;
SELECT hftok.whoami();
COMMIT;
\set VERBOSITY default
SELECT regress_helpdesk.w('SELECT hftok.whoami()');
\set VERBOSITY terse
SELECT public.regress_by_superuser();
SELECT hftok.whoami();
RESET ROLE;
RESET request.jwt.claims;
RESET SESSION AUTHORIZATION;

-- An SQL test that sets role and claims alone is told how it is done.
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "bob"}';
\set VERBOSITY default
SELECT hftok.whoami();
\set VERBOSITY terse
RESET request.jwt.claims;
RESET ROLE;

-- A login that is no gateway any more is told at once; a role that is one cannot be dropped; one of the same name is another.
SET SESSION AUTHORIZATION authenticator;
SET request.jwt.claims = '{"sub": "bob"}';
SET ROLE regress_authenticated;
SELECT hftok.whoami();
RESET ROLE;
RESET SESSION AUTHORIZATION;
DROP ROLE authenticator;
ALTER ROLE authenticator RENAME TO regress_other;
CREATE ROLE authenticator LOGIN NOINHERIT;
GRANT regress_authenticated TO authenticator;
SELECT (hftok.status()).gateways;
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SELECT hftok.whoami();
RESET ROLE;
SET SESSION AUTHORIZATION regress_other;
SET ROLE regress_authenticated;
SELECT hftok.whoami();
RESET ROLE;
RESET SESSION AUTHORIZATION;
-- Granted to the whole world, or to a group of a login's, it is the record of nobody.
BEGIN;
CREATE ROLE regress_group;
GRANT regress_group TO authenticator;
GRANT EXECUTE ON FUNCTION hftok_private.gateways() TO PUBLIC, regress_group;
SELECT (hftok.status()).gateways;
ROLLBACK;
-- Rolled back, it was never recorded.
BEGIN;
SELECT hftok.enable_rpc('regress_authenticated', 'regress_service_role');
SELECT (hftok.status()).gateways;
ROLLBACK;
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SELECT hftok.whoami();
RESET ROLE;
RESET SESSION AUTHORIZATION;
SELECT hftok.enable_rpc('regress_authenticated', 'regress_service_role');
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SELECT hftok.whoami();
RESET ROLE;
RESET SESSION AUTHORIZATION;
SELECT hftok.disable_rpc('regress_authenticated', 'regress_service_role');
SELECT (hftok.status()).gateways;
GRANT hftok_user TO regress_authenticated;
GRANT USAGE ON SCHEMA hftok TO regress_authenticated;
GRANT EXECUTE ON FUNCTION hftok.whoami TO regress_authenticated;
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SELECT hftok.whoami();
RESET ROLE;
RESET SESSION AUTHORIZATION;
RESET request.jwt.claims;

-- Both are changes that the audit tells.
\i tests/sql/include/await.sql
CALL pg_temp.await_audit();
SELECT action, outcome, level, count(*) FROM hftok.audit_events
WHERE action IN ('enable_rpc', 'disable_rpc') AND subject = 'role:authenticator'
GROUP BY 1, 2, 3 ORDER BY 1, 2;

SET client_min_messages = error;
SELECT hftok.disable_rpc('regress_authenticated', 'regress_service_role', 'regress_other');
DROP FUNCTION public.regress_by_superuser();
DROP SCHEMA regress_helpdesk CASCADE;
DROP ROLE regress_authenticated, regress_service_role, regress_helpdesk, regress_other, authenticator;
