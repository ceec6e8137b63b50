-- runner_env(): the variables of a process, its credentials and what keeps it from finding others.

\i tests/sql/include/credentials.sql
SELECT count(hftok.save_hf_token(p_token => 'hf_00000000000000000000000000000000a9', p_global => true)) AS globals;

-- Variables for a process: of one field and several, null for those to unset.
SELECT version FROM hftok.save_hf_token('hf_00000000000000000000000000000000a1', p_user_id => 'alice');
SELECT warnings FROM hftok.save_credential('aws', '{"access_key_id": "ASIA2222222222222222", "secret_access_key": "0123456789abcdefghijABCDEFGHIJ0123456789", "session_token": "session", "region": "eu-west-1"}', p_user_id => 'alice');
SELECT warnings FROM hftok.save_credential('google_cloud', '{"type": "service_account", "client_email": "a@b.example", "token_uri": "https://oauth2.googleapis.com/token", "private_key": "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", "project_id": "project"}', p_user_id => 'alice');
SELECT hftok.runner_env('{huggingface}', 'alice');
SELECT hftok.runner_env('{aws}', 'alice');
SELECT key, value FROM jsonb_each_text(hftok.runner_env(p_providers => '{google_cloud,aws,huggingface}', p_user_id => 'alice', p_org_id => NULL, p_model => NULL, p_levels => '{user}'))
ORDER BY key COLLATE "C";
SELECT hftok.runner_env('{}', 'alice');
-- The field that is not there is unset, so that none is picked up elsewhere.
SELECT count(*) FROM hftok.save_credential('aws', '{"access_key_id": "AKIA2222222222222222", "secret_access_key": "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"}', p_user_id => 'alice');
SELECT hftok.runner_env('{aws}', 'alice');
-- Without credentials the settings are there that keep a process from finding others.
SELECT hftok.runner_env('{huggingface,openai}', 'nobody known', p_levels => '{user}');
SELECT hftok.runner_env('{huggingface,openai}', 'nobody known', p_levels => '{global}') - 'OPENAI_API_KEY' ->> 'HF_TOKEN' AS global;
SELECT hftok.runner_env('{unheard of}', 'alice');
SELECT hftok.runner_env('{openai,NULL}', 'alice');
SELECT hftok.runner_env('{openai,unheard of}', 'nobody known', p_levels => '{user}');
-- All: those that cannot be used are left out, with a notice. Restricted to hosts is one of them, because nobody knows where a process sends it.
UPDATE hftok.credentials SET allowed_hosts = '{huggingface.co}' WHERE provider = 'huggingface' AND scope_id = 'alice';
UPDATE hftok.credentials SET enabled = false WHERE provider = 'aws' AND scope_id = 'alice';
SELECT key, value FROM jsonb_each(hftok.runner_env(NULL, 'alice', p_levels => '{user}')) WHERE key ~ '^(HF_|AWS_|OPENAI|GOOGLE_CLOUD)' ORDER BY key COLLATE "C";
-- Every variable of every other provider of the catalogue is there, to be unset.
SELECT count(*) FILTER (WHERE NOT e.env ? v.name) AS missing, count(*) FILTER (WHERE e.env -> v.name <> 'null') AS given, count(*) > 25 AS many
FROM hftok.runner_env(NULL, 'nobody known', p_levels => '{user}') AS e (env), hftok.providers p, unnest(p.env) v (name);
SELECT hftok.runner_env('{huggingface}', 'alice', p_levels => '{user}');
SELECT hftok.runner_env('{google_cloud,aws}', 'alice', p_levels => '{user}');
SELECT hftok.runner_env('{google_cloud}', 'alice', p_levels => '{user}') - 'GOOGLE_CREDENTIALS' AS env;
SELECT * FROM hftok.forget_user('alice');

DELETE FROM hftok.credentials;
\i tests/sql/include/gateway_end.sql
