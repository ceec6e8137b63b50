-- Objects that are opened in another order than the usual one, and the rest when they are closed: wrappers and the vault schema
-- that were made before enable_rpc(), grants that a group does not have (any more), members from before hftok was installed.

\set VERBOSITY terse
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_authenticated, regress_service_role;
CREATE ROLE regress_authenticated NOLOGIN NOINHERIT;
CREATE ROLE regress_service_role NOLOGIN NOINHERIT;
CREATE SCHEMA regress_api;

-- Before enable_rpc() there is nobody to grant to, which is said; afterwards PostgREST's roles have it all the same.
\set VERBOSITY default
SELECT hftok.install_api('regress_api', '{whoami,save_hf_token,resolve_hf_token,credentials,user_api_keys}');
\set VERBOSITY terse
SELECT hftok.install_vault_schema();
SELECT hftok.enable_rpc('regress_authenticated', 'regress_service_role', 'regress_absent');
SET ROLE regress_authenticated;
SELECT regress_api.whoami();
SELECT version FROM regress_api.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH');
SELECT scope_id, provider FROM regress_api.credentials;
INSERT INTO regress_api.user_api_keys (service, api_key) VALUES ('groq', 'key-of-the-user');
SELECT service FROM regress_api.user_api_keys ORDER BY service;
SELECT regress_api.resolve_hf_token('role:regress_authenticated');
SELECT vault.create_secret('x');
SET ROLE regress_service_role;
SELECT regress_api.resolve_hf_token('role:regress_authenticated');
SELECT vault.create_secret('value', 'of the vault') AS id \gset
SELECT decrypted_secret FROM vault.decrypted_secrets;
RESET ROLE;
SELECT hftok.delete_secret(:'id');
SELECT * FROM hftok.forget_user('role:regress_authenticated');
-- Once it was called, nothing is said.
SELECT hftok.install_api('regress_api', '{token_provided}');

-- Closed, nothing is left to them: of hftok, of what was made of it, of what was granted to them beside their group. (On 15 that is
-- granted singly, and pg_upgrade brings it along.)
GRANT EXECUTE ON FUNCTION hftok.verify TO regress_service_role;
GRANT SELECT (id), DELETE ON hftok.audit_events TO regress_authenticated;
GRANT SELECT ON hftok_private.members TO regress_authenticated;
SELECT hftok.disable_rpc('regress_authenticated', 'regress_service_role', 'regress_absent');
SELECT a.grantee::regrole, a.privilege_type, o.object FROM (
    SELECT p.oid::regprocedure::text, p.proacl FROM pg_proc p UNION ALL SELECT c.oid::regclass::text, c.relacl FROM pg_class c
    UNION ALL SELECT t.attname, t.attacl FROM pg_attribute t
    UNION ALL SELECT n.nspname, n.nspacl FROM pg_namespace n WHERE n.nspname <> 'regress_api'
) o (object, acl), aclexplode(o.acl) a
WHERE a.grantee IN ('regress_authenticated'::regrole, 'regress_service_role'::regrole);
SELECT m.member::regrole, m.roleid::regrole FROM pg_auth_members m
WHERE m.member IN ('regress_authenticated'::regrole, 'regress_service_role'::regrole);
DROP SCHEMA regress_api CASCADE;
DROP SCHEMA vault CASCADE;
DROP OWNED BY regress_authenticated, regress_service_role;

-- CREATE EXTENSION names who has rights from the first moment on.
GRANT hftok_service TO regress_service_role;
BEGIN;
DROP EXTENSION hftok;
\set VERBOSITY default
CREATE EXTENSION hftok;
\set VERBOSITY terse
ROLLBACK;
DROP ROLE regress_authenticated, regress_service_role;
