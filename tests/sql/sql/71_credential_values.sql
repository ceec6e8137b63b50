-- Values that are credentials, and the ways in which they are given and taken. No field of an error holds a value.

\i tests/sql/include/credentials.sql
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000001', p_user_id => 'alice');

-- A value that cannot be a credential is refused, and no field of the error holds it.
CREATE TEMP TABLE rejected (number serial, provider text, value text);
INSERT INTO rejected (provider, value) VALUES
    ('openai', ''), ('openai', E' \t\r\n'), ('openai', E's3kr3t\ns3kr3t'), ('openai', 's3kr3t s3kr3t'), ('openai', E's3kr3t\u0007s3kr3t'),
    ('openai', 'sk-proj-••••••••s3kr3t'), ('openai', 'Bearer s3kr3ts3kr3t'), ('openai', 'bearer s3kr3ts3kr3t'), ('openai', '"s3kr3ts3kr3t"'),
    ('openai', '''s3kr3ts3kr3t'''), ('openai', '`s3kr3ts3kr3t`'), ('openai', '<s3kr3t>'), ('openai', 'your-s3kr3t'), ('openai', 'sk-xxxxxxxxxxxxxxxx'),
    ('openai', 'changeme-s3kr3t'), ('openai', 'hf_s3kr3ts3kr3t'), ('openai', 'sk-ant-s3kr3ts3kr3t'), ('openai', 'hvs.s3kr3ts3kr3t'), ('openai', '{"api_key": "s3kr3ts3kr3t"}'),
    ('huggingface', 'sk-proj-s3kr3ts3kr3ts3kr3ts3kr3t'), ('huggingface', 'r8_s3kr3ts3kr3t'), ('anthropic', 'sk-proj-s3kr3ts3kr3ts3kr3ts3kr3t'),
    ('aws', 's3kr3ts3kr3t'), ('aws', '["s3kr3t"]'), ('aws', '{"access_key_id": "AKIAS3KR3TS3KR3T"}'), ('aws', '{"access_key_id": "", "secret_access_key": "s3kr3t"}'),
    ('aws', '{"access_key_id": "AKIAS3KR3TS3KR3T", "secret_access_key": 7}'), ('aws', '{"access_key_id": "AKIAS3KR3TS3KR3T", "secret_access_key": "s3kr3t'),
    ('aws', '{"access_key_id": "AKIAIOSFODNN7S3KR3T", "secret_access_key": "wJalrXUtnFEMI/s3kr3t/bPxRfiCYEXAMPLEKEY"}'),
    ('google_cloud', '{"type": "authorized_user", "client_email": "s3kr3t@example.com", "token_uri": "https://oauth2.googleapis.com/token", "private_key": "s3kr3t"}'),
    ('google_cloud', '{"type": "service_account", "client_email": "s3kr3t@example.com", "token_uri": "https://s3kr3t.example/token", "private_key": "s3kr3t"}'),
    ('google_cloud', '{"type": "service_account", "client_email": "s3kr3t@example.com", "token_uri": "https://oauth2.googleapis.com/token"}'),
    ('azure', '{"client_id": "s3kr3t", "client_secret": "s3kr3t", "tenant_id": "s3kr3t"}'),
    ('azure', '{"client_id": "6f9619ff-8b86-d011-b42d-00c04fc964ff", "client_secret": "6f9619ff-8b86-d011-b42d-00c04fc964ff", "tenant_id": "s3kr3t"}');
SELECT provider, left(value, 40) AS value, pg_temp.refusal('hftok.save_credential($1, $2, NULL, $3)', provider, value, 'mallory') AS refusal
FROM rejected ORDER BY number;
SELECT count(*) AS stored FROM hftok.credentials WHERE scope_id = 'mallory';
-- check_credential says the same, and stores nothing.
SELECT count(*) FILTER (WHERE NOT c.ok AND split_part(r.refusal, ' | {"field"', 1) = '22023 | ' || c.warnings[1]) AS the_same, count(*) AS of
FROM (SELECT provider, value, pg_temp.refusal('hftok.save_credential($1, $2, NULL, $3)', provider, value, 'mallory') AS refusal FROM rejected) r,
    LATERAL hftok.check_credential(r.provider, r.value) c;
-- An unknown shape is stored, with a warning; white space around it is not.
CREATE TEMP TABLE accepted (provider text, value text);
INSERT INTO accepted VALUES
    ('openai', '  sk-proj-s3kr3ts3kr3ts3kr3t  '), ('openai', 'a-shape-of-tomorrow'), ('openai', E'sk-s3kr3ts3kr3ts3kr3ts3kr3ts3kr3t\n'), ('huggingface', 'api_org_00000000000000000000000000000000a1'),
    ('huggingface', 'hf_short'), ('replicate', 'r8_0123456789012345678901234567890123456'), ('together', 'anything-at-all'),
    ('aws', '{"access_key_id": "AKIA2222222222222222", "secret_access_key": "0123456789abcdefghijABCDEFGHIJ0123456789"}'),
    ('aws', '{"access_key_id": "ASIA2222222222222222", "secret_access_key": "0123456789abcdefghijABCDEFGHIJ0123456789"}'),
    ('aws', '{"access_key_id": "odd", "secret_access_key": "short", "more": {"x": 1}}');
SELECT a.provider, c.ok, c.warnings, s.warnings = c.warnings AS saved_so
FROM accepted a, LATERAL hftok.check_credential(a.provider, a.value) c, LATERAL hftok.save_credential(a.provider, a.value, md5(a.value), 'carol') s;
SELECT a.provider, a.value, c.preview, r.token = trim(E' \n' FROM a.value) AS trimmed
FROM accepted a JOIN hftok.credentials c ON c.model = md5(a.value), LATERAL hftok.resolve_token(a.provider, 'carol', p_model => c.model) r
ORDER BY a.provider, a.value COLLATE "C";
SELECT hftok.check_credential('unheard of', 'x');
SELECT hftok.check_credential(NULL, 'x');
SELECT hftok.check_credential('openai', NULL);
SELECT * FROM hftok.forget_user('carol');

-- Neither given nor taken by GET.
BEGIN;
SELECT set_config('request.method', 'GET', true);
SELECT call, pg_temp.refusal('hftok.' || call, 's3kr3t') FROM (VALUES ('save_credential(''openai'', $1, p_user_id => ''x'')'),
    ('save_hf_token($1, p_user_id => ''x'')'), ('save_credentials(jsonb_build_array(jsonb_build_object(''provider'', ''openai'', ''secret'', $1, ''user_id'', ''x'')))'),
    ('check_credential(''openai'', $1)'), ('resolve_token(''openai'', ''alice'')'), ('resolve_hf_token(''alice'')'), ('previous_token(gen_random_uuid())'),
    ('runner_env(NULL, ''alice'')'), ('create_integration_with_vault(''x'', ''openai'', $1, p_user_id => ''x'')'), ('get_integration_credentials(gen_random_uuid())'),
    ('update_integration_credentials(gen_random_uuid(), $1)'), ('token_provided(''openai'', ''alice'')'), ('explain_token(''openai'', ''alice'') LIMIT 0')) c (call);
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('x', 'openai', 's3kr3t');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
-- Read-only: revealing works.
BEGIN TRANSACTION READ ONLY;
SELECT token FROM hftok.resolve_token('openai', 'alice');
SELECT count(*) FROM hftok.explain_token('openai', 'alice');
SELECT hftok.runner_env('{openai}', 'alice');
ROLLBACK;

DELETE FROM hftok.credentials;
\i tests/sql/include/gateway_end.sql
