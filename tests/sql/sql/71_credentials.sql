-- Credentials: saving, replacing, refusing, verdicts, the overlap after a rotation, variables for a process, organisations,
-- administrators, providers, usage, forgetting. As end users come: one login, a role, and a JWT.

\set VERBOSITY terse
\encoding UTF8
\i tests/sql/include/await.sql
SET timezone = 'UTC';
SET client_min_messages = warning;
SELECT to_regrole('authenticator') IS NULL AS no_gateway \gset
\if :no_gateway
CREATE ROLE authenticator LOGIN NOINHERIT;
\endif
DROP ROLE IF EXISTS regress_authenticated, regress_service_role;
CREATE ROLE regress_authenticated NOLOGIN NOINHERIT;
CREATE ROLE regress_service_role NOLOGIN NOINHERIT;
GRANT regress_authenticated, regress_service_role TO authenticator;
SELECT hftok.enable_rpc('regress_authenticated', 'regress_service_role', 'authenticator');
RESET client_min_messages;
SELECT count(*) AS credentials FROM hftok.credentials;

-- Every address. UUIDs are compared in lower case.
SELECT version, preview, warnings FROM hftok.save_credential('openai', 'sk-proj-alice000000000000001', p_user_id => 'alice');
SELECT version, preview, warnings FROM hftok.save_credential('openai', 'sk-proj-alice000000000000002', p_user_id => 'alice', p_model => 'gpt');
SELECT version, preview, warnings FROM hftok.save_credential('openai', 'sk-proj-acme0000000000000003', p_org_id => 'acme');
SELECT version, preview, warnings FROM hftok.save_credential('openai', 'sk-proj-acme0000000000000004', p_org_id => 'acme', p_model => 'gpt');
SELECT version, preview, warnings FROM hftok.save_credential('openai', 'sk-proj-global00000000000005', p_global => true);
SELECT version, preview, warnings FROM hftok.save_credential('openai', 'sk-proj-global00000000000006', p_global => true, p_model => 'gpt');
SELECT version, preview, warnings FROM hftok.save_hf_token('hf_00000000000000000000000000000000a7', p_user_id => '6F9619FF-8B86-D011-B42D-00C04FC964FF');
SELECT version, preview, warnings FROM hftok.save_hf_token(p_token => 'hf_00000000000000000000000000000000a8', p_model => 'org/model', p_org_id => 'acme');
SELECT version, preview, warnings FROM hftok.save_hf_token(p_token => 'hf_00000000000000000000000000000000a9', p_global => true);
SELECT provider, scope, scope_id, model, status, enabled, on_unusable, version, writable FROM hftok.credentials
ORDER BY provider, scope, scope_id COLLATE "C", model COLLATE "C";
-- An empty model is none; the same key may lie at two addresses.
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000001', '', 'alice');
-- None, two, three, and what is no address.
SELECT hftok.save_credential('openai', 'sk-proj-x', p_user_id => 'alice', p_org_id => 'acme');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.save_credential('openai', 'sk-proj-x', p_user_id => 'alice', p_global => true);
SELECT hftok.save_credential('openai', 'sk-proj-x', p_org_id => 'acme', p_global => true);
SELECT hftok.save_credential('openai', 'sk-proj-x', p_user_id => 'alice', p_org_id => 'acme', p_global => true);
SELECT hftok.delete_credential('openai', p_user_id => 'alice', p_org_id => 'acme');
SELECT hftok.save_hf_token('hf_x', p_user_id => 'alice', p_org_id => 'acme');
SELECT hftok.save_credential('openai', 'sk-proj-x', p_user_id => '');
SELECT hftok.save_credential('openai', 'sk-proj-x', p_user_id => E' \t');
SELECT hftok.save_credential('openai', 'sk-proj-x', p_org_id => E'a\nb');
SELECT hftok.save_credential('openai', 'sk-proj-x', p_user_id => repeat('u', 1025));
SELECT hftok.save_credential('unheard of', 'sk-proj-x', p_user_id => 'alice');
SELECT hftok.save_credential(NULL, 'sk-proj-x', p_user_id => 'alice');
SELECT hftok.save_credential('openai', NULL, p_user_id => 'alice');
SELECT hftok.save_credential('openai', 'sk-proj-x', p_user_id => 'alice', p_on_unusable => 'go on');
SELECT hftok.save_credential('openai', 'sk-proj-x', p_user_id => 'alice', p_allowed_hosts => '{NULL}');
SELECT hftok.save_credential('openai', 'sk-proj-x', p_user_id => 'alice', p_label => repeat('l', 1025));
SELECT hftok.save_credential('openai', 'sk-proj-x', p_user_id => 'alice', p_model => repeat('m', 1025));
-- No caller: a gateway's login without claims.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_service_role;
SELECT hftok.save_credential('openai', 'sk-proj-x');
SELECT hftok.delete_credential('openai');
SET ROLE regress_authenticated;
SELECT hftok.save_credential('openai', 'sk-proj-x');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.save_credential('openai', 'sk-proj-x', p_user_id => 'alice');
SELECT hftok.explain_token('openai');
SELECT count(*) AS seen FROM hftok.credentials;
RESET SESSION AUTHORIZATION;

-- Replacing: a version more; label, hosts and on_unusable stay, expiry, verdict and last_verified_at go, unless given.
SELECT (hftok.save_credential('groq', 'groq-key-of-alice-1', NULL, 'alice', NULL, false, 'label', '2100-01-01 UTC',
    '{a.example,*.b.example}', 'continue', 0)).secret_id AS groq \gset
SELECT hftok.report_credential(:'groq', 'verified');
CREATE TEMP VIEW shown AS SELECT label, preview, status, warnings, allowed_hosts AS hosts, on_unusable, expires_at, last_verified_at IS NOT NULL AS verified, version
FROM hftok.credentials WHERE provider = 'groq' AND scope_id = 'alice';
SELECT * FROM shown;
SELECT secret_id = :'groq' AS same, version FROM hftok.save_credential('groq', 'gsk_0123456789abcdefghijABCDEFGHIJ01234567890000000000b2', p_user_id => 'alice');
SELECT * FROM shown;
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-3', p_user_id => 'alice', p_label => '', p_expires_at => '2101-01-01 UTC',
    p_allowed_hosts => '{}', p_on_unusable => 'stop');
SELECT * FROM shown;
-- Switched off, it stays so when its value is replaced; the view switches it on.
UPDATE hftok.credentials SET enabled = false WHERE secret_id = :'groq';
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-4', p_user_id => 'alice', p_allowed_hosts => '{api.groq.com}');
SELECT status FROM shown;
UPDATE hftok.credentials SET enabled = true WHERE secret_id = :'groq';
-- Only if the version is the one expected; 0 is for none.
SELECT hftok.save_credential('groq', 'groq-key-lost', p_user_id => 'alice', p_expected_version => 3);
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.save_credential('groq', 'groq-key-lost', p_user_id => 'alice', p_expected_version => 5);
SELECT hftok.save_credential('groq', 'groq-key-lost', p_user_id => 'alice', p_expected_version => 0);
SELECT hftok.save_credential('groq', 'groq-key-lost', p_user_id => 'alice', p_expected_version => -1);
SELECT hftok.save_credential('groq', 'groq-key-lost', p_user_id => 'bob', p_expected_version => 1);
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-5', p_user_id => 'alice', p_expected_version => 4);
SELECT token, version FROM hftok.resolve_token('groq', 'alice', p_host => 'api.groq.com');

-- The view: what may be updated is, and opens afterwards; what its owner wrote is bound to the value.
UPDATE hftok.credentials SET label = 'of the view', expires_at = '2102-01-01 UTC', allowed_hosts = NULL, on_unusable = 'continue'
WHERE secret_id = :'groq';
SELECT * FROM shown;
SELECT token, version, expires_at FROM hftok.resolve_token('groq', 'alice');
UPDATE hftok.credentials SET expires_at = now() - interval '1 second' WHERE secret_id = :'groq';
SELECT status FROM shown;
SELECT scope_id, provider FROM hftok.expiring_credentials;
UPDATE hftok.credentials SET expires_at = now() + interval '29 days' WHERE secret_id = :'groq';
SELECT scope_id, provider, status FROM hftok.expiring_credentials;
UPDATE hftok.credentials SET expires_at = now() + interval '31 days' WHERE secret_id = :'groq';
SELECT count(*) AS expiring FROM hftok.expiring_credentials;
UPDATE hftok.credentials SET expires_at = NULL WHERE secret_id = :'groq';
UPDATE hftok.credentials SET label = NULL WHERE secret_id = :'groq';
UPDATE hftok.credentials SET label = repeat('l', 1025) WHERE secret_id = :'groq';
UPDATE hftok.credentials SET label = repeat('ö', 600) WHERE secret_id = :'groq';
UPDATE hftok.credentials SET enabled = NULL WHERE secret_id = :'groq';
UPDATE hftok.credentials SET on_unusable = 'sometimes' WHERE secret_id = :'groq';
UPDATE hftok.credentials SET on_unusable = NULL WHERE secret_id = :'groq';
UPDATE hftok.credentials SET allowed_hosts = '{NULL}' WHERE secret_id = :'groq';
-- What a client gets back of its own update is how the row is now.
UPDATE hftok.credentials SET enabled = false WHERE secret_id = :'groq' RETURNING enabled, status;
UPDATE hftok.credentials SET enabled = true WHERE secret_id = :'groq' RETURNING enabled, status;
-- Edited in the table, it no longer opens.
BEGIN;
UPDATE hftok_private.secrets SET allowed_hosts = '{evil.example}' WHERE id = :'groq';
SELECT hftok.resolve_token('groq', 'alice', p_host => 'evil.example');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN;
UPDATE hftok_private.secrets SET expires_at = '2103-01-01 UTC' WHERE id = :'groq';
UPDATE hftok.credentials SET expires_at = NULL WHERE secret_id = :'groq';
ROLLBACK;
SELECT kind, failed FROM hftok.verify();

-- Deleting, by call and through the view, with everything that was before.
SELECT hftok.delete_credential('groq', p_user_id => 'bob'), hftok.delete_credential('groq', 'gpt', 'alice'), hftok.delete_credential('groq', p_org_id => 'alice');
SELECT hftok.delete_credential(p_provider => 'groq', p_model => NULL, p_user_id => 'alice', p_org_id => NULL, p_global => false);
SELECT hftok.delete_credential('groq', p_user_id => 'alice');
SELECT count(*) AS left FROM hftok_private.secret_versions WHERE secret_id = :'groq';
DELETE FROM hftok.credentials WHERE provider = 'openai' AND scope = 'user' AND model = 'gpt';
SELECT (hftok.resolve_token('openai', 'alice', p_model => 'gpt', p_levels => '{user_model,user}')).source;
SELECT hftok.delete_credential('unheard of', p_user_id => 'alice');
SELECT hftok.delete_credential(NULL, p_user_id => 'alice');

-- What cannot be a credential is refused, and no field of the error holds it.
CREATE FUNCTION pg_temp.refusal(call text, VARIADIC texts text[] DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text; context text; other text; more text;
BEGIN
    EXECUTE 'SELECT ' || call USING texts[1], texts[2], texts[3];
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    GET STACKED DIAGNOSTICS other = COLUMN_NAME, more = CONSTRAINT_NAME;
    RETURN concat_ws(' | ', state, message, nullif(detail, ''),
        CASE WHEN concat(message, detail, hint, context, other, more) ~* 's3kr[3e]t|AKIA' THEN 'HOLDS THE VALUE' END);
END
$$;
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
SELECT count(*) FILTER (WHERE NOT c.ok AND r.refusal = '22023 | ' || c.warnings[1]) AS the_same, count(*) AS of
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

-- Verdicts. Refused once, an unverified one is invalid; verified heals it.
SELECT secret_id AS id FROM hftok.save_credential('groq', 'groq-key-of-alice-1', p_user_id => 'alice') \gset
CREATE TEMP VIEW verdict AS SELECT status, last_verified_at IS NOT NULL AS verified_once FROM hftok.credentials WHERE provider = 'groq' AND scope_id = 'alice';
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'invalid', 'revoked');
SELECT * FROM verdict;
SELECT hftok.token_provided('groq', 'alice');
SELECT hftok.report_credential(:'id', 'indeterminate', 'rate limited');
SELECT * FROM verdict;
SELECT verdict, verdict_message, refusals FROM hftok_private.secrets WHERE id = :'id';
SELECT hftok.report_credential(p_secret_id => :'id', p_verdict => 'verified', p_message => NULL, p_version => NULL);
SELECT * FROM verdict;
SELECT hftok.token_provided('groq', 'alice');
-- Verified, it stays so by one refusal and falls by the second, whatever is indeterminate in between; verified in between begins anew.
SELECT hftok.report_credential(:'id', 'invalid');
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'indeterminate') FROM generate_series(1, 5);
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'verified'), hftok.report_credential(:'id', 'invalid');
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'invalid');
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'verified');
SELECT * FROM verdict;
-- Indeterminate of one that was never asked.
SELECT hftok.report_credential(secret_id, 'indeterminate') FROM hftok.save_credential('together', 'together-key-of-alice', p_user_id => 'alice');
SELECT status, last_verified_at FROM hftok.credentials WHERE provider = 'together';
-- About another version than the current one: ignored. Replaced, it is unverified.
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-2', p_user_id => 'alice');
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'invalid', p_version => 1), hftok.report_credential(:'id', 'verified', p_version => 3);
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'invalid', p_version => 2);
SELECT * FROM verdict;
-- NULL and an unknown id do nothing; a named secret is not reached.
SELECT hftok.report_credential(NULL, 'invalid');
SELECT hftok.report_credential(gen_random_uuid(), 'invalid');
SELECT hftok.report_credential(hftok.create_secret('value', 'not a credential'), 'invalid');
SELECT count(*) AS touched FROM hftok_private.secrets WHERE scope = 'vault' AND verdict IS NOT NULL;
DELETE FROM hftok.decrypted_secrets;
SELECT hftok.report_credential(:'id', 'refused');
SELECT hftok.report_credential(:'id', NULL);
SELECT hftok.report_credential(:'id', 'verified');

-- A version stays readable for hftok.overlap after it was replaced, and not longer.
SELECT current_setting('hftok.overlap')::interval > '1 minute' AS overlaps;
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-3', p_user_id => 'alice');
SELECT hftok.previous_token(:'id');
SELECT token, source, secret_id = :'id' AS same, version FROM hftok.resolve_token('groq', 'alice', p_version => 2);
SELECT token, source, version FROM hftok.resolve_token('groq', 'alice', p_version => 3);
SELECT token, source, version FROM hftok.resolve_token('groq', 'alice', p_version => 1);
SELECT hftok.resolve_token('groq', 'alice', p_version => 4);
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.resolve_token('groq', 'alice', p_version => 0);
SELECT source FROM hftok.resolve_token('groq', 'nobody known', p_version => 2);
CREATE TEMP TABLE ends AS SELECT version, superseded_at FROM hftok_private.secret_versions WHERE secret_id = :'id';
UPDATE hftok_private.secret_versions SET superseded_at = superseded_at - current_setting('hftok.overlap')::interval - interval '1 second'
WHERE secret_id = :'id' AND version = 2;
SELECT hftok.previous_token(:'id');
SELECT hftok.resolve_token('groq', 'alice', p_version => 2);
SELECT token, version FROM hftok.resolve_token('groq', 'alice', p_version => 1);
SELECT token, version FROM hftok.resolve_token('groq', 'alice');
-- When it was replaced is not believed of who has no key.
UPDATE hftok_private.secret_versions v SET superseded_at = e.superseded_at + interval '1 minute' FROM ends e WHERE v.secret_id = :'id' AND v.version = e.version;
SELECT hftok.previous_token(:'id');
UPDATE hftok_private.secret_versions v SET superseded_at = e.superseded_at FROM ends e WHERE v.secret_id = :'id' AND v.version = e.version;
SELECT hftok.previous_token(:'id');
SELECT hftok.previous_token(NULL);
SELECT hftok.previous_token(gen_random_uuid());
SELECT hftok.previous_token(secret_id) FROM hftok.credentials WHERE provider = 'together';
SELECT hftok.put_secret('not a credential', 'one') AS vault \gset
SELECT hftok.put_secret('not a credential', 'two') = :'vault' AS same;
SELECT hftok.previous_token(:'vault');
DELETE FROM hftok.decrypted_secrets;
-- Switched off, or restricted to hosts: the version before is no way around it.
UPDATE hftok.credentials SET enabled = false WHERE secret_id = :'id';
SELECT hftok.resolve_token('groq', 'alice', p_version => 2);
SELECT pg_temp.refusal('hftok.previous_token($1::uuid)', :'id') ~ '^PT4' AS refused;
UPDATE hftok.credentials SET enabled = true, allowed_hosts = '{own.example}' WHERE secret_id = :'id';
SELECT hftok.resolve_token('groq', 'alice', p_version => 2);
SELECT pg_temp.refusal('hftok.previous_token($1::uuid)', :'id') ~ '^PT4' AS refused;
-- Nor to other hosts than those that the version itself was bound to.
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-4', p_user_id => 'alice', p_allowed_hosts => '{other.example}');
SELECT token FROM hftok.resolve_token('groq', 'alice', p_host => 'other.example');
SELECT pg_temp.refusal('hftok.resolve_token(''groq'', ''alice'', p_host => ''other.example'', p_version => 3)') ~ '^PT4' AS refused;
SELECT * FROM hftok.forget_user('alice');

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
-- Without credentials: what keeps a process from finding others.
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

\i tests/sql/include/organisations.sql

DROP ROLE regress_authenticated, regress_service_role;
\if :no_gateway
DROP ROLE authenticator;
\endif
