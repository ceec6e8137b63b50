-- Credentials: saving, replacing, finding, changing through the view, deleting. As end users come: one login, a role, and a JWT.

\i tests/sql/include/credentials.sql

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
SELECT hftok.save_credential('groq', 'groq-key-lost', p_user_id => 'alice', p_expected_version => -2);
SELECT hftok.save_credential('groq', 'groq-key-lost', p_user_id => 'bob', p_expected_version => 1);
-- -1 is for any.
\set VERBOSITY default
SELECT hftok.save_credential('groq', 'groq-key-lost', p_user_id => 'bob', p_expected_version => -1);
\set VERBOSITY terse
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-5', p_user_id => 'alice', p_expected_version => 4);
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-5', p_user_id => 'alice', p_expected_version => -1);
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
-- A client gets back from its own update how the row is now.
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

DELETE FROM hftok.credentials;
\i tests/sql/include/gateway_end.sql
