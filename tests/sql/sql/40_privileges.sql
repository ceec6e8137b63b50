-- Every group role and a role with nothing, against every function and view; first by the catalog, then by trying.

\set VERBOSITY terse
\i tests/sql/include/await.sql
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_nobody;
RESET client_min_messages;
CREATE ROLE regress_nobody;

-- The catalog's answer.
SELECT p.oid::regproc AS function,
    string_agg(CASE WHEN has_function_privilege(r.role, p.oid, 'EXECUTE') THEN r.short END, ' ' ORDER BY r.short) AS may_execute
FROM pg_proc p, (VALUES ('hftok_user', 'user'), ('hftok_service', 'service'), ('hftok_admin', 'admin'), ('hftok_auditor', 'auditor'),
    ('regress_nobody', 'nobody')) r (role, short)
WHERE p.pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^hftok')
GROUP BY p.oid ORDER BY p.oid::regproc::text COLLATE "C";
SELECT c.oid::regclass AS relation, r.role,
    array_remove(ARRAY(SELECT CASE WHEN has_table_privilege(r.role, c.oid, p) THEN p END
        FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) p), NULL) AS privileges,
    array_remove(ARRAY(SELECT CASE WHEN has_any_column_privilege(r.role, c.oid, p) THEN p END
        FROM unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) p), NULL) AS on_columns
FROM pg_class c, unnest('{hftok_user,hftok_service,hftok_admin,hftok_auditor,regress_nobody}'::name[]) r (role)
WHERE c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^hftok') AND c.relkind IN ('r', 'v')
ORDER BY c.oid::regclass::text COLLATE "C", r.role;
SELECT n.nspname, r.role, has_schema_privilege(r.role, n.oid, 'USAGE') AS usage, has_schema_privilege(r.role, n.oid, 'CREATE') AS "create"
FROM pg_namespace n, unnest('{hftok_owner,hftok_user,hftok_service,hftok_admin,hftok_auditor,regress_nobody}'::name[]) r (role)
WHERE n.nspname IN ('hftok', 'hftok_import', 'hftok_private') ORDER BY n.nspname, r.role;

-- The outcome of trying. Everything is tried under SET ROLE and taken back. Seal and unseal cannot be taken back, so only roles
-- that may not call them try them.
SELECT hftok.create_secret('value', 'secret', 'of the vault') AS id \gset
SELECT hftok.update_secret(:'id', 'second');
\i tests/sql/include/attempt.sql
-- Everything that there is, with NULL for each argument, by everybody: refused is whom the catalog refuses, and nobody else. But for
-- triggers, which nobody can call, and what could not be taken back.
CREATE TEMP TABLE groups (number serial, role name, short text);
INSERT INTO groups (role, short) VALUES ('hftok_user', 'user'), ('hftok_service', 'service'), ('hftok_admin', 'admin'), ('hftok_auditor', 'auditor'), ('regress_nobody', 'nobody');
CREATE TEMP TABLE plain AS
SELECT g.role, format('%s %s(%s)', CASE p.prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT' END, p.oid::regproc,
    (SELECT string_agg('NULL::' || format_type(t.type, NULL), ', ' ORDER BY t.n) FROM unnest(p.proargtypes) WITH ORDINALITY t (type, n))) AS statement,
    has_schema_privilege(g.role, p.pronamespace, 'USAGE') AND has_function_privilege(g.role, p.oid, 'EXECUTE') AS may
FROM pg_proc p, groups g
WHERE p.pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^hftok') AND p.prorettype <> 'trigger'::regtype;
INSERT INTO plain
SELECT g.role, format(s.statement, c.oid::regclass), has_schema_privilege(g.role, c.relnamespace, 'USAGE')
    AND (has_table_privilege(g.role, c.oid, s.privilege) OR s.privilege IN ('SELECT', 'INSERT') AND has_any_column_privilege(g.role, c.oid, s.privilege))
FROM pg_class c, groups g, (VALUES ('SELECT', 'SELECT FROM %s LIMIT 0'), ('INSERT', 'INSERT INTO %s DEFAULT VALUES'), ('DELETE', 'DELETE FROM %s WHERE false'),
    ('TRUNCATE', 'TRUNCATE %s')) s (privilege, statement)
WHERE c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^hftok') AND (c.relkind = 'r' OR c.relkind = 'v' AND s.privilege <> 'TRUNCATE');
SELECT count(DISTINCT statement) > 250 AS many, count(*) FILTER (WHERE may) > 150 AS allowed, count(*) FILTER (WHERE NOT may) > 800 AS refused FROM plain;
SELECT role, may, statement, outcome FROM plain, LATERAL pg_temp.attempt(role, statement) AS outcome
WHERE NOT (may AND statement ~ 'seal[(]') AND (outcome ~ '^42501 permission denied for ') = may ORDER BY statement, role;

CREATE TEMP TABLE attempts (number serial, statement text);
INSERT INTO attempts (statement) VALUES
    ('SELECT hftok.create_secret(''x'', ''new'')'),
    ('SELECT hftok.update_secret($ID, ''x'')'),
    ('SELECT hftok.put_secret(''secret'', ''x'')'),
    ('SELECT hftok.get_secret(''secret'')'),
    ('SELECT hftok.get_secret(''secret'', 1)'),
    ('SELECT hftok.restore_secret($ID, 1)'),
    ('SELECT hftok.delete_secret($ID)'),
    ('SELECT hftok.secret_history($ID)'),
    ('SELECT hftok.find_secret(''value'')'),
    ('SELECT hftok.status()'),
    ('SELECT hftok.whoami()'),
    ('SELECT * FROM hftok.secrets'),
    ('SELECT count(*) FROM hftok.secrets'),
    ('SELECT * FROM hftok.decrypted_secrets'),
    ('SELECT name FROM hftok.decrypted_secrets'),
    ('SELECT count(*) FROM hftok.decrypted_secrets'),
    ('DELETE FROM hftok.decrypted_secrets'),
    ('UPDATE hftok.decrypted_secrets SET description = ''x'''),
    ('DELETE FROM hftok.secrets'),
    ('UPDATE hftok.secrets SET description = ''x'''),
    ('INSERT INTO hftok.secrets (id) VALUES (gen_random_uuid())'),
    ('CREATE TABLE hftok.strange ()'),
    ('CREATE TABLE hftok_private.strange ()'),
    ('DROP VIEW hftok.secrets'),
    ('ALTER FUNCTION hftok.seal OWNER TO regress_nobody'),
    ('DROP EXTENSION hftok CASCADE'),
    ('SHOW hftok.key_file'),
    ('SHOW hftok.key_command'),
    ('SHOW hftok.gateways'),
    ('SET hftok.gateways = ''x'''),
    ('SET hftok.max_secret_size = ''2 MB'''),
    ('SET hftok.unheard_of = 1');
-- Rows of somebody else: a caller that is refused, or finds nothing, is refused rows that it would not know of.
SELECT (hftok.save_credential('openai', 'sk-proj-first000000000000000', p_user_id => 'alice')).secret_id AS credential \gset
SELECT (hftok.save_credential('openai', 'sk-proj-second00000000000000', p_user_id => 'alice', p_expires_at => now() + interval '1 day')).version;
SELECT hftok.create_integration_with_vault('made', 'openai', 'sk-proj-integrated0000000000', p_user_id => 'alice') AS integration \gset
SELECT hftok.add_member('acme', 'alice', 'owner'), hftok.grant_administrator('alice'), hftok.record_usage(:'credential');
SELECT token AS runner, id AS runner_id FROM hftok.create_runner_token('worker', '{openai}', 'alice') \gset
SELECT hftok.get_secret('secret');
CALL pg_temp.await('EXISTS (SELECT FROM hftok.usage_daily)');
CALL pg_temp.await_audit();
INSERT INTO attempts (statement) VALUES
    ('SELECT hftok.save_credential(''openai'', ''$KEY'')'),
    ('SELECT hftok.save_credential(''openai'', ''$KEY'', p_user_id => ''alice'')'),
    ('SELECT hftok.save_credential(''openai'', ''$KEY'', p_org_id => ''acme'')'),
    ('SELECT hftok.save_credential(''openai'', ''$KEY'', p_global => true)'),
    ('SELECT hftok.save_hf_token(''$KEY'', p_user_id => ''alice'')'),
    ('SELECT hftok.save_credentials(''[]'')'),
    ('SELECT hftok.check_credential(''openai'', ''$KEY'')'),
    ('SELECT hftok.delete_credential(''openai'')'),
    ('SELECT hftok.delete_credential(''openai'', p_user_id => ''alice'')'),
    ('SELECT hftok.delete_credential(''openai'', p_global => true)'),
    ('SELECT hftok.report_credential($CREDENTIAL, ''verified'')'),
    ('SELECT hftok.resolve_token(''openai'', ''alice'')'),
    ('SELECT hftok.resolve_hf_token(''alice'')'),
    ('SELECT hftok.previous_token($CREDENTIAL)'),
    ('SELECT hftok.runner_env(''{openai}'', ''alice'')'),
    ('SELECT hftok.create_runner_token(''worker'', p_user_id => ''alice'')'),
    ('SELECT hftok.revoke_runner_token(''$RUNNER_ID'')'),
    ('SELECT hftok.check_runner_token(''$RUNNER'')'),
    ('SELECT hftok.runner_environment(''$RUNNER'')'),
    ('SELECT hftok.runner_states(''{$RUNNER_ID}'')'),
    ('SELECT 1 / count(*) FROM hftok.runner_tokens'),
    ('DELETE FROM hftok.runner_tokens'),
    ('SELECT hftok.explain_token(''openai'')'),
    ('SELECT hftok.explain_token(''openai'', ''alice'')'),
    ('SELECT hftok.explain_token(''openai'', p_org_id => ''acme'')'),
    ('SELECT hftok.token_provided(''openai'')'),
    ('SELECT hftok.token_provided(''openai'', ''alice'')'),
    ('SELECT hftok.tokens_provided(''openai'', ''alice'')'),
    ('SELECT hftok.add_member(''acme'', ''bob'')'),
    ('SELECT hftok.add_member(''new'', ''bob'', ''owner'')'),
    ('SELECT hftok.remove_member(''acme'', ''bob'')'),
    ('SELECT hftok.grant_administrator(''bob'')'),
    ('SELECT hftok.revoke_administrator(''alice'')'),
    ('SELECT hftok.forget_user(''alice'')'),
    ('SELECT hftok.forget_org(''acme'')'),
    ('SELECT hftok.register_provider(''{"id": "own", "label": "Own", "fields": [{"name": "key", "secret": true}]}'')'),
    ('SELECT hftok.unregister_provider(''nobody knows'')'),
    ('SELECT hftok.create_integration_with_vault(''x'', ''openai'', ''$KEY'')'),
    ('SELECT hftok.create_integration_with_vault(''x'', ''openai'', ''$KEY'', p_user_id => ''bob'')'),
    ('SELECT hftok.get_integration_credentials($INTEGRATION, ''alice'')'),
    ('SELECT hftok.update_integration($INTEGRATION, ''x'')'),
    ('SELECT hftok.update_integration($INTEGRATION, ''x'', p_user_id => ''alice'')'),
    ('SELECT hftok.update_integration($INTEGRATION, ''x'', p_user_id => ''bob'')'),
    ('SELECT hftok.update_integration_credentials($INTEGRATION, ''$KEY'', ''alice'')'),
    ('SELECT hftok.update_integration_status($INTEGRATION, ''error'', p_user_id => ''alice'')'),
    ('SELECT hftok.begin_verification($INTEGRATION, ''alice'')'),
    ('SELECT hftok.share_integration($INTEGRATION, ''acme'', ''alice'')'),
    ('SELECT hftok.unshare_integration($INTEGRATION, ''acme'', ''alice'')'),
    ('SELECT 1 / hftok.delete_integration_with_vault($INTEGRATION, ''alice'')::int'),
    ('SELECT hftok.record_usage($CREDENTIAL)'),
    ('SELECT 1 / count(*) FROM hftok.credentials'),
    ('SELECT 1 / count(*) FROM hftok.expiring_credentials'),
    ('SELECT 1 / count(*) FROM hftok.members'),
    ('SELECT 1 / count(*) FROM hftok.administrators'),
    ('SELECT 1 / count(*) FROM hftok.integrations'),
    ('SELECT 1 / count(*) FROM hftok.usage_daily'),
    ('SELECT 1 / count(*) FROM hftok.user_api_keys'),
    ('SELECT 1 / count(*) FROM hftok.provider_secrets'),
    ('SELECT 1 / count(*) FROM hftok.provider_overview'),
    ('SELECT 1 / count(*) FROM hftok.providers'),
    ('WITH c AS (UPDATE hftok.credentials SET label = ''x'' RETURNING 1) SELECT 1 / count(*) FROM c'),
    ('UPDATE hftok.credentials SET version = 7'),
    ('UPDATE hftok.credentials SET scope_id = ''bob'''),
    ('UPDATE hftok.credentials SET writable = true'),
    ('WITH c AS (DELETE FROM hftok.credentials RETURNING 1) SELECT 1 / count(*) FROM c'),
    ('INSERT INTO hftok.credentials (secret_id) VALUES (gen_random_uuid())'),
    ('INSERT INTO hftok.members (org_id, user_id, role) VALUES (''acme'', ''bob'', ''owner'')'),
    ('DELETE FROM hftok.members'),
    ('INSERT INTO hftok.user_api_keys (service, api_key) VALUES (''openai'', ''$KEY'')'),
    ('INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES (''bob'', ''openai'', ''$KEY'')'),
    ('WITH c AS (UPDATE hftok.user_api_keys SET api_key = ''$KEY'' RETURNING 1) SELECT 1 / count(*) FROM c'),
    ('WITH c AS (DELETE FROM hftok.user_api_keys RETURNING 1) SELECT 1 / count(*) FROM c'),
    ('INSERT INTO hftok.provider_secrets (provider, api_key) VALUES (''openai'', ''$KEY'')'),
    ('INSERT INTO hftok.provider_secrets (user_id, provider, api_key) VALUES (''bob'', ''groq'', ''$KEY'')'),
    ('WITH c AS (UPDATE hftok.provider_secrets SET api_key = ''$KEY'' RETURNING 1) SELECT 1 / count(*) FROM c'),
    ('WITH c AS (DELETE FROM hftok.provider_secrets RETURNING 1) SELECT 1 / count(*) FROM c'),
    ('SHOW hftok.environment'),
    ('SHOW hftok.overlap');
-- The audit: read by those who audit and those who run it, and by users as far as they are concerned; written by nobody.
INSERT INTO attempts (statement) VALUES
    ('SELECT hftok.purge_audit(''2000-01-01'')'),
    ('SELECT 1 / count(*) FROM hftok.audit_events WHERE actor_user <> ''role:'' || current_user'),
    ('SELECT 1 / count(*) FROM hftok.recent_reveals'),
    ('SELECT count(*) FROM hftok.refusals_by_role'),
    ('SELECT count(*) FROM hftok.unused_secrets'),
    ('SELECT count(*) FROM hftok.new_applications'),
    ('SHOW hftok.audit'),
    ('SET hftok.audit = ''sync'''),
    ('SET hftok.audit_timeout = 1'),
    ('SET hftok.audit_flush_interval = 60000'),
    ('SET hftok.audit_retention = 0');
UPDATE attempts SET statement = replace(replace(statement, '$RUNNER_ID', :'runner_id'), '$RUNNER', :'runner');
UPDATE attempts SET statement = replace(replace(replace(replace(statement, '$ID', quote_literal(:'id')), '$CREDENTIAL', quote_literal(:'credential')),
    '$INTEGRATION', quote_literal(:'integration')), '$KEY', 'sk-proj-anew0000000000000000');
\pset format unaligned
SELECT regexp_replace(regexp_replace(statement, 'hftok_runner_[A-Za-z0-9_-]{43}', 'TOKEN'), '[0-9a-f-]{36}', 'ID') AS statement, string_agg(short, ' ' ORDER BY g.number) AS who, outcome
FROM attempts a, groups g, LATERAL pg_temp.attempt(role, statement) AS outcome
GROUP BY a.number, statement, outcome ORDER BY a.number, min(g.number);
\pset format aligned
-- By whoever has every privilege, too: these views show what lies elsewhere.
DELETE FROM hftok.providers;
UPDATE hftok.provider_overview SET label = 'x';
-- A refusal by a function of ours differs from a refusal of the function: the messages of both.
SET ROLE hftok_user;
SELECT hftok.save_credential('openai', 'sk-proj-anew0000000000000000', p_user_id => 'alice');
SELECT hftok.save_credential('openai', 'sk-proj-anew0000000000000000', p_global => true);
SELECT hftok.resolve_token('openai', 'alice');
RESET ROLE;
SELECT hftok.forget_user('alice'), hftok.forget_org('acme');
DELETE FROM hftok_private.usage_daily;
SELECT role, pg_temp.attempt(role, 'SELECT hftok.seal()') AS seal, pg_temp.attempt(role, 'SELECT hftok.unseal()') AS unseal
FROM unnest('{hftok_user,hftok_service,hftok_auditor,regress_nobody}'::name[]) role;
SELECT role, pg_has_role(role, 'hftok_owner', 'MEMBER') AS may_become_owner
FROM unnest('{hftok_user,hftok_service,hftok_admin,hftok_auditor,regress_nobody}'::name[]) role;
-- One who has no grant option cannot pass on what they have: Postgres warns, and nothing is given.
SET ROLE hftok_admin;
GRANT EXECUTE ON FUNCTION hftok.get_secret TO regress_nobody;
RESET ROLE;
SELECT has_function_privilege('regress_nobody', 'hftok.get_secret(text, int, text)', 'EXECUTE') AS given;
DELETE FROM hftok.decrypted_secrets;
DROP OWNED BY regress_nobody;
DROP ROLE regress_nobody;
