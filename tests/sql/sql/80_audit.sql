-- Everything that the audit tells: every use, change and refusal, through every function and view, with who did it to what;
-- also when the transaction that did it is no more. Never a value.

\set VERBOSITY terse
\encoding UTF8
SET timezone = 'UTC';
\i tests/sql/include/await.sql
\i tests/sql/include/audit_news.sql
\i tests/sql/include/gateway.sql
DROP ROLE IF EXISTS regress_nobody;
CREATE ROLE regress_nobody;
SELECT 'authenticator' = ANY (gateways) AS is_gateway, sealed FROM hftok.status();

-- Changes of named secrets, and their values.
CALL pg_temp.begin();
SELECT hftok.create_secret('s3kr3t-of-made', 'made s3kr3t', 'text s3kr3t') AS id \gset
INSERT INTO known VALUES (:'id', 'made');
SELECT hftok.update_secret(:'id', 's3kr3t-of-made-2');
SELECT hftok.update_secret(:'id', new_description => 'other text s3kr3t');
SELECT hftok.put_secret('made s3kr3t', 's3kr3t-of-made-3') = :'id' AS same;
SELECT hftok.restore_secret(:'id', 1);
SELECT hftok.put_secret('put', 's3kr3t-of-put') AS put \gset
INSERT INTO known VALUES (:'put', 'put');
SELECT hftok.get_secret('made s3kr3t'), hftok.get_secret('made s3kr3t', 2);
SELECT decrypted_secret FROM hftok.decrypted_secrets ORDER BY name;
-- A statement that opens no value is no use.
SELECT count(*) FROM hftok.decrypted_secrets;
SELECT name, preview FROM hftok.secrets ORDER BY name;
SELECT version FROM hftok.secret_history(:'id');
SELECT hftok.find_secret('s3kr3t-of-put') IS NOT NULL AS found;
SELECT hftok.delete_secret(:'put');
-- Nor is deleting.
DELETE FROM hftok.decrypted_secrets WHERE id = :'id';
CALL pg_temp.await_audit();
SELECT kind, action, outcome, n, object, v, scope, digest, role, login, actor FROM news WHERE kind <> 'key';
SELECT count(*) AS without_owner FROM news WHERE owner IS NULL AND provider IS NULL AND level IS NULL AND subject IS NULL;

-- The same through the names of Supabase Vault.
CALL pg_temp.begin();
SELECT hftok.install_vault_schema();
SELECT vault.create_secret('s3kr3t-of-vault', 'vault') AS vault \gset
INSERT INTO known VALUES (:'vault', 'vault');
SELECT vault.update_secret(:'vault', 's3kr3t-of-vault-2');
SELECT decrypted_secret FROM vault.decrypted_secrets;
DELETE FROM vault.secrets;
SELECT vault.create_secret('s3kr3t-of-vault', 'again') AS again \gset
INSERT INTO known VALUES (:'again', 'again');
DELETE FROM vault.decrypted_secrets;
DROP SCHEMA vault CASCADE;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, object, v, scope, digest, role, actor FROM news;

-- Changes by users: the actor is who the JWT says.
CALL pg_temp.begin();
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SET request.headers = '{"x-request-id": "request-1", "user-agent": "s3kr3t"}';
SELECT version FROM hftok.save_credential('openai', 'sk-proj-s3kr3t00000000000001', p_label => 'label s3kr3t');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-s3kr3t00000000000002', p_model => 'model s3kr3t');
-- The sender decides about the id of a request: a text that does not look like an id is none.
SET request.headers = '{"x-request-id": "s3kr3t, with more"}';
SELECT version FROM hftok.save_credential('openai', 'sk-proj-s3kr3t00000000000003');
RESET request.headers;
SELECT version FROM hftok.save_hf_token('hf_s3kr3t000000000000000000000000000a');
UPDATE hftok.credentials SET label = 'changed s3kr3t', allowed_hosts = '{s3kr3t.example}' WHERE provider = 'openai' AND model = 'model s3kr3t';
DELETE FROM hftok.credentials WHERE provider = 'openai' AND model = 'model s3kr3t';
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('groq', 'gsk_s3kr3t0000000000000000000000000000000000000000000001');
UPDATE hftok.user_api_keys SET api_key = 'gsk_s3kr3t0000000000000000000000000000000000000000000002' WHERE service = 'groq';
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('groq', 'gsk_s3kr3t0000000000000000000000000000000000000000000003') ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key;
-- Nothing changes, so nothing is told.
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('groq', 'gsk_s3kr3t0000000000000000000000000000000000000000000004') ON CONFLICT (user_id, service) DO NOTHING;
INSERT INTO hftok.user_api_keys SELECT * FROM hftok.user_api_keys ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key;
DELETE FROM hftok.user_api_keys WHERE service = 'groq';
SELECT hftok.delete_credential('openai');
SELECT hftok.create_integration_with_vault('name s3kr3t', 'openai', 'sk-proj-s3kr3t00000000000004', '{"config": "s3kr3t"}') AS integration \gset
SELECT hftok.update_integration(:'integration', 'other name s3kr3t', '{"other": "s3kr3t"}');
SELECT hftok.update_integration_credentials(:'integration', 'sk-proj-s3kr3t00000000000005');
RESET SESSION AUTHORIZATION;
INSERT INTO known SELECT secret_id, provider FROM hftok.credentials;
INSERT INTO known SELECT id, 'integration' FROM hftok.integrations UNION ALL SELECT secret_id, 'its secret' FROM hftok.integrations;
SELECT hftok.add_member('acme', 'alice', 'owner');
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SELECT hftok.add_member('acme', 'bob'), hftok.add_member('acme', 'carol'), hftok.add_member('acme', 'carol', 'admin');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-s3kr3t00000000000006', p_org_id => 'acme');
SELECT hftok.share_integration(:'integration', 'acme');
SET request.jwt.claims = '{"sub": "carol"}';
SELECT hftok.remove_member('acme', 'carol');
SELECT hftok.remove_member('acme', 'carol');
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
INSERT INTO known SELECT secret_id, 'of acme' FROM hftok.credentials WHERE scope = 'org';
CALL pg_temp.await_audit();
SELECT kind, action, outcome, object, v, scope, owner, provider, level, subject, digest, role, login, actor FROM news;
SELECT DISTINCT action, request_id FROM hftok.audit_events e, seen s WHERE e.id > s.id AND request_id IS NOT NULL;
-- The origin is the same for all of it.
SELECT count(*) FILTER (WHERE application_name IS DISTINCT FROM current_setting('application_name')) AS by_other_applications,
    count(*) FILTER (WHERE client_addr IS DISTINCT FROM host(inet_client_addr())) AS from_elsewhere FROM hftok.audit_events e, seen s WHERE e.id > s.id;

-- Changes by the backend, and by the operator.
CALL pg_temp.begin();
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT version FROM hftok.save_credential('openai', 'sk-proj-s3kr3t00000000000007', p_global => true);
SELECT n, version FROM hftok.save_credentials('[{"provider": "openai", "secret": "sk-proj-s3kr3t00000000000008", "user_id": "bob"}, {"provider": "groq", "secret": "groq-s3kr3t", "user_id": "bob"}]');
-- A verdict that is another is a change, one that is the same is not.
SELECT hftok.report_credential(secret_id, 'verified'), hftok.report_credential(secret_id, 'verified', 's3kr3t') FROM hftok.credentials WHERE scope_id = 'bob' AND provider = 'groq';
SELECT hftok.update_integration_status(:'integration', 'connected', 's3kr3t', 'bob');
SELECT hftok.record_usage(secret_id) FROM hftok.credentials WHERE scope = 'global';
SELECT hftok.grant_administrator('olga'), hftok.grant_administrator('olga'), hftok.grant_administrator('bob');
SELECT hftok.revoke_administrator('olga'), hftok.revoke_administrator('olga');
RESET SESSION AUTHORIZATION;
INSERT INTO known SELECT secret_id, provider || ' of ' || coalesce(nullif(scope_id, ''), 'all') FROM hftok.credentials WHERE scope = 'global' OR scope_id = 'bob';
SET ROLE hftok_admin;
SELECT hftok.register_provider('{"id": "own", "label": "s3kr3t", "fields": [{"name": "key", "secret": true}]}');
SELECT * FROM hftok.forget_user('bob');
RESET ROLE;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, object, v, scope, owner, provider, level, subject, digest, role, login, actor FROM news;

-- Uses, by the backend: the actor is whom it names, the level is where it was found.
CALL pg_temp.begin();
SELECT hftok.add_member('acme', 'bob');
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_service_role;
SELECT hftok.resolve_hf_token('alice');
SELECT source FROM hftok.resolve_token('openai', 'alice', 'acme');
SELECT source FROM hftok.resolve_token('openai', 'zoe');
SELECT source FROM hftok.resolve_token('openai');
SELECT source FROM hftok.resolve_token('anthropic', 'zoe', p_levels => '{user,global}');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-s3kr3t00000000000009', p_org_id => 'acme');
SELECT version FROM hftok.resolve_token('openai', 'bob', 'acme', p_version => 1);
SELECT hftok.previous_token(secret_id) FROM hftok.credentials WHERE scope = 'org';
SELECT hftok.runner_env('{huggingface,openai}', 'alice', 'acme') ->> 'OPENAI_API_KEY' AS key;
SELECT hftok.get_integration_credentials(:'integration', 'alice'), hftok.get_integration_credentials(:'integration', 'bob');
-- A statement that shows no value is no use.
SELECT count(*) FROM hftok.explain_token('openai', 'alice');
SELECT hftok.token_provided('openai', 'alice');
SELECT count(*) FROM hftok.user_api_keys;
SELECT ok FROM hftok.check_credential('openai', 'sk-proj-s3kr3t00000000000001');
RESET SESSION AUTHORIZATION;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, n, object, v, scope, owner, provider, level, digest, role, login, actor FROM news WHERE kind = 'reveal';
SELECT DISTINCT kind, action FROM news WHERE kind <> 'reveal' ORDER BY action;

\i tests/sql/include/audit_refusals.sql
\i tests/sql/include/audit_transactions.sql

-- No value, preview or argument is in it, in whatever column, in whatever form.
CALL pg_temp.await_audit();
SELECT count(*) > 100 AS events, count(*) FILTER (WHERE a::text ~* 's3kr[3e]t|sk-proj|gsk_|•') AS with_a_value,
    count(*) FILTER (WHERE a::text ~ encode('s3kr3t', 'hex')) AS in_hex FROM hftok_private.audit_rows a;
SELECT count(*) AS pending FROM hftok_private.audit_pending;
-- Each data key has the event of its making.
SELECT k.purpose, count(e.id) AS events FROM hftok_private.data_keys k
LEFT JOIN hftok.audit_events e ON e.kind = 'key' AND e.action = 'create_data_key' AND e.outcome = 'committed' AND e.level = k.purpose AND e.version = k.id
WHERE k.org_id = '' GROUP BY k.purpose ORDER BY k.purpose;
SELECT checked > 100 AS checked, ok, first_bad, reason FROM hftok.verify_audit();
SELECT kind, reason, failed FROM hftok.verify();

SELECT credentials, memberships FROM hftok.forget_user('alice');
SELECT * FROM hftok.forget_org('acme');
DELETE FROM hftok.credentials;
SELECT hftok.revoke_administrator('bob'), hftok.forget_user('bob') IS NOT NULL AS forgotten;
DELETE FROM hftok.decrypted_secrets;
SELECT hftok.unregister_provider('own');
DELETE FROM hftok_private.usage_daily;
SELECT kind, checked - (SELECT count(*) FROM hftok_private.data_keys WHERE state <> 'destroyed') AS left, failed FROM hftok.verify();
DROP ROLE regress_nobody;
\i tests/sql/include/gateway_end.sql
