-- The number of credentials that anybody may have, and many that are saved by one call.

\i tests/sql/include/credentials.sql

-- Quota: per user. Exactly as many, and one more; replacing one, and others' credentials, do not count.
SELECT current_setting('hftok.max_credentials_per_user')::int AS most \gset
SELECT count(hftok.save_credential('openai', 'sk-proj-many0000000000000000', p_model => 'model ' || n, p_user_id => 'collector')) = :most AS stored FROM generate_series(1, :most) n;
SELECT hftok.save_credential('openai', 'sk-proj-many0000000000000000', p_user_id => 'collector');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('collector', 'openai', 'sk-proj-many0000000000000000');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-many0000000000000000', p_model => 'model 1', p_user_id => 'collector');
SELECT hftok.delete_credential('openai', 'model 2', 'collector');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-many0000000000000000', p_user_id => 'collector');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-many0000000000000000', p_user_id => 'another');
SELECT credentials = :most AS all, versions FROM hftok.forget_user('collector');
SELECT pg_temp.refusal('hftok.save_credential($1, repeat($2, 1 + pg_size_bytes(current_setting(''hftok.max_secret_size''))::int / 6), NULL, $3)', 'openai', 's3kr3t', 'another') ~ '^PT413' AS too_large;
SELECT * FROM hftok.forget_user('another');

-- Many at once: a row of result each, or nothing.
SELECT hftok.save_credential('openai', key, p_global => true) IS NOT NULL AS saved FROM unnest('{sk-proj-global00000000000006,sk-proj-global00000000000007}'::text[]) key;
SELECT n, version, preview, warnings FROM hftok.save_credentials('[
    {"provider": "openai", "secret": "sk-proj-bulk0000000000000001", "user_id": "alice", "label": "one", "expires_at": "2100-01-01T00:00:00Z", "allowed_hosts": ["a.example"], "on_unusable": "continue"},
    {"provider": "openai", "secret": "sk-proj-bulk0000000000000002", "user_id": "alice", "model": "gpt"},
    {"provider": "aws", "secret": "{\"access_key_id\": \"AKIA2222222222222222\", \"secret_access_key\": \"0123456789abcdefghijABCDEFGHIJ0123456789\"}", "org_id": "acme"},
    {"provider": "openai", "secret": "sk-proj-bulk0000000000000003", "global": true, "expected_version": 2},
    {"provider": "openai", "secret": "sk-proj-bulk0000000000000004", "user_id": "alice", "expected_version": 1}]') ORDER BY n;
SELECT scope, scope_id, provider, model, label, allowed_hosts, on_unusable, expires_at, version FROM hftok.credentials WHERE scope_id = 'alice' OR provider = 'aws' ORDER BY provider, model;
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '[{"provider": "openai", "secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe"}, {"provider": "openai", "secret": "Bearer s3kr3t", "user_id": "zoe", "model": "m"}]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '[{"provider": "openai", "secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe"}, {"provider": "openai", "secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe", "expected_version": 7}]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '[{"provider": "openai", "secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe", "org_id": "acme"}]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '[{"provider": "openai", "secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe", "on_unusable": "go on"}]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '[{"provider": "openai", "secret": null, "user_id": "zoe"}]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '[{"secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe"}]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '["s3kr3t"]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '{"provider": "openai", "secret": "s3kr3t", "user_id": "zoe"}');
-- A member that is not understood is not passed over: a restriction that is lost is worse than an error.
SELECT given, pg_temp.refusal('hftok.save_credentials($1::jsonb)', format('[{"provider": "openai", "secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe", %s}]', given)) ~ '^22' AS refused
FROM unnest(ARRAY['"allowed_hosts": "a.example"', '"allowed_hosts": {"0": "a.example"}', '"allowed_hosts": [null]', '"allowed_host": ["a.example"]', '"global": "maybe"', '"expected_version": "x"', '"expires_at": "soon"']) given;
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', NULL) ~ '^22023' AS refused;
SELECT count(*) AS stored FROM hftok.credentials WHERE scope_id = 'zoe';
SELECT count(*) FROM hftok.save_credentials('[]');
-- A refusal says which row it was; what is wrong with the call as a whole has none.
SELECT wrong, pg_temp.refusal('hftok.save_credentials(jsonb_build_array(jsonb_build_object(''provider'', ''openai'', ''secret'', ''sk-proj-bulk0000000000000001'', ''user_id'', ''zoe''), $1::jsonb))', wrong) AS refusal
FROM unnest(ARRAY['{"provider": "Open-AI", "secret": "x", "user_id": "zoe"}', '{"provider": "openai", "secret": "Bearer s3kr3t", "user_id": "zoe"}',
    '{"provider": "azure", "secret": "{\"client_id\": \"s3kr3t\"}", "user_id": "zoe"}', '{"provider": "openai", "secret": "sk-proj-bulk0000000000000002", "user_id": "zoe", "expected_version": 7}',
    '{"provider": "openai", "secret": "x", "user_id": "zoe", "global": true}']) wrong;
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '{}') AS refusal;
SELECT count(*) AS stored FROM hftok.credentials WHERE scope_id = 'zoe';

DELETE FROM hftok.credentials;
\i tests/sql/include/gateway_end.sql
