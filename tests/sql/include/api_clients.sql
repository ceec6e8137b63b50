-- A part of sql/86_install_api.sql, run by it: what clients do by names of the default schema, and what is refused to them.

SET search_path = regress_api;
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SELECT set_config('request.jwt.claims', '{"sub": "alice"}', false) IS NOT NULL AS alice;
INSERT INTO user_api_keys (service, api_key) VALUES ('openai', 'sk-proj-alice000000000000001') RETURNING user_id, service, api_key;
INSERT INTO user_api_keys (service, api_key) VALUES ('openai', 'sk-proj-alice000000000000002'), ('groq', 'groq-key-of-alice-0000000001')
ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key RETURNING service, api_key;
INSERT INTO user_api_keys (user_id, service, api_key) VALUES ('alice', 'openai', 'sk-proj-alice000000000000003') ON CONFLICT (user_id, service) DO NOTHING;
INSERT INTO user_api_keys (user_id, service, api_key) VALUES ('bob', 'openai', 'sk-proj-alice000000000000003');
UPDATE user_api_keys SET api_key = 'groq-key-of-alice-0000000002' WHERE service = 'groq' RETURNING service, api_key;
DELETE FROM user_api_keys WHERE service = 'groq' RETURNING service;
INSERT INTO provider_secrets (provider, api_key) VALUES ('mistral', 'some-key-of-alice-0000000001') RETURNING user_id, provider, label, api_key;
INSERT INTO provider_secrets (provider, api_key) VALUES ('mistral', 'some-key-of-alice-0000000002') ON CONFLICT (user_id, provider) DO UPDATE SET api_key = excluded.api_key RETURNING api_key_preview;
UPDATE provider_secrets SET api_key = 'some-key-of-alice-0000000003' WHERE provider = 'mistral' RETURNING provider, is_configured, api_key;
UPDATE provider_secrets SET label = 'x' WHERE provider = 'mistral';
INSERT INTO provider_secrets (user_id, provider, api_key) VALUES ('bob', 'mistral', 'some-key-of-alice-0000000004');
DELETE FROM provider_secrets WHERE provider = 'mistral' RETURNING provider;
SELECT count(*) FILTER (WHERE is_configured) AS configured FROM provider_overview;
SELECT (save_hf_token('hf_00000000000000000000000000000000a1')).preview;
SELECT whoami(), token_provided('huggingface');
SELECT level, outcome FROM explain_token('openai') WHERE outcome = 'used';
UPDATE credentials SET label = 'mine' WHERE provider = 'openai' RETURNING label;
SELECT create_integration_with_vault('models', 'openai', 'sk-proj-alice000000000000004') IS NOT NULL AS created;
-- Refused, as there.
SELECT resolve_hf_token('alice');
SELECT get_secret('x');
SELECT * FROM decrypted_secrets;
SELECT save_hf_token('hf_00000000000000000000000000000000a2', p_user_id => 'bob');
UPDATE credentials SET version = 7;
SET ROLE anon;
SELECT whoami();
SELECT * FROM credentials;
SET ROLE regress_service_role;
SELECT token, source FROM resolve_token('openai', 'alice');
SELECT resolve_hf_token('alice');
SELECT n, version FROM save_credentials('[{"provider": "openai", "secret": "sk-proj-bob00000000000000001", "user_id": "bob"}]');
SELECT create_secret('s3kre3t', 'named', 'as Vault has it') IS NOT NULL AS created;
SELECT name, decrypted_secret FROM decrypted_secrets;
SELECT seal();
SELECT set_config('request.method', 'GET', false) AS method;
SELECT resolve_hf_token('alice');
SELECT set_config('request.method', '', false) IS NOT NULL AS reset;
DELETE FROM decrypted_secrets;
RESET SESSION AUTHORIZATION;
RESET search_path;
SELECT user_id, service, api_key FROM hftok.user_api_keys ORDER BY user_id, service;
SELECT (hftok.forget_user('alice')).credentials AS of_alice, (hftok.forget_user('bob')).credentials AS of_bob;
