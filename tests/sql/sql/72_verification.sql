-- Verification: integrations that want their provider to be asked are given to one who asks at a time, and what was found is their
-- status, unless it is about former credentials or somebody switched them off meanwhile.

\i tests/sql/include/credentials.sql
\pset null ~
CREATE FUNCTION pg_temp.stands(OUT name text, OUT status text, OUT error_message text, OUT tested boolean, OUT verified boolean) RETURNS SETOF record LANGUAGE sql
AS 'SELECT i.name, i.status, i.error_message, i.last_tested_at = i.updated_at, i.last_verified_at = i.updated_at FROM hftok.integrations i ORDER BY i.name';
SELECT hftok.add_member('acme', 'zoe', 'owner'), hftok.add_member('acme', 'adam', 'admin'), hftok.add_member('acme', 'mia');
SELECT hftok.create_integration_with_vault('a', 'openai', 'sk-proj-vera0000000000000001', p_user_id => 'vera') AS a \gset
SELECT hftok.create_integration_with_vault('b', 'openai', 'sk-proj-vera0000000000000002', p_org_id => 'acme') AS b \gset
SELECT hftok.create_integration_with_vault('c', 'groq', 'gsk_verify000000000000000000000000000000000000000000001', p_user_id => 'vera') AS c \gset
-- There is no request that could test this one.
SELECT hftok.create_integration_with_vault('d', 'custom', 'anything-at-all-000000000001', p_user_id => 'vera') AS d \gset
SELECT secret_id AS a_secret FROM hftok.integrations WHERE id = :'a' \gset
SELECT secret_id AS b_secret FROM hftok.integrations WHERE id = :'b' \gset
SELECT secret_id AS c_secret FROM hftok.integrations WHERE id = :'c' \gset

-- Only the backend is told, and only what a call asks for.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "vera"}';
SELECT hftok.begin_verification();
RESET request.jwt.claims;
SET ROLE regress_service_role;
SELECT * FROM hftok.begin_verification(p_user_id => 'vera');
SELECT * FROM hftok.begin_verification(:'a');
SELECT * FROM hftok.begin_verification(:'a', 'mia');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM hftok.begin_verification(gen_random_uuid(), 'vera');
SELECT * FROM hftok.begin_verification(p_limit => 0);
SELECT * FROM hftok.begin_verification(p_limit => 1001);
SELECT * FROM hftok.begin_verification(p_limit => NULL);
SELECT * FROM hftok.begin_verification(p_older_than_seconds => -1);
SELECT * FROM hftok.begin_verification(p_older_than_seconds => NULL);
SELECT * FROM pg_temp.stands();

-- Those that nobody tried: one is left for the next, and nobody is given the same twice. On behalf of its owner, or of one of the
-- organisation's owners.
SELECT count(*) FROM hftok.begin_verification(p_limit => 2);
SELECT count(*) FROM hftok.begin_verification();
SELECT count(*) FROM hftok.begin_verification();
SELECT * FROM pg_temp.stands();
RESET SESSION AUTHORIZATION;
UPDATE hftok_private.integrations SET last_tested_at = now() - interval '9 minutes';
SELECT count(*) FROM hftok.begin_verification();
UPDATE hftok_private.integrations SET last_tested_at = now() - interval '11 minutes';
SELECT i.name, b.secret_id = i.secret_id AS secret, b.type, b.user_id, b.org_id, b.version, b.verdict
FROM hftok.begin_verification() b JOIN hftok.integrations i ON i.id = b.integration_id ORDER BY 1;

-- What was found. An answer that is not clear is told where nothing was known, and of what is known it says nothing.
SELECT hftok.report_credential(:'a_secret', 'verified', p_version => 1), hftok.report_credential(:'b_secret', 'invalid', 'refused: sk-proj-vera0000000000000002', 1),
    hftok.report_credential(:'c_secret', 'indeterminate', 'broken: gsk_verify000000000000000000000000000000000000000000001', 1);
SELECT * FROM pg_temp.stands();
SELECT hftok.report_credential(:'a_secret', 'indeterminate', 'broken', 1), hftok.report_credential(:'b_secret', 'rate_limited', 'limited', 1, 3600),
    hftok.report_credential(:'c_secret', 'indeterminate', 'broken again', 1);
SELECT * FROM pg_temp.stands();
-- Of two refusals of what worked the second counts; whoever verifies is told what was known.
SELECT verdict, version FROM hftok.begin_verification(:'a', 'vera');
SELECT hftok.report_credential(:'a_secret', 'invalid', 'once', 1);
SELECT status FROM hftok.integrations WHERE id = :'a';
SELECT hftok.report_credential(:'a_secret', 'invalid', 'twice', 1);
SELECT status, error_message, last_verified_at < last_tested_at AS before FROM hftok.integrations WHERE id = :'a';
SELECT hftok.report_credential(:'a_secret', 'verified', p_version => 1);

-- What is known is asked again when it is old enough, and its status stays meanwhile. One that is at rest waits.
UPDATE hftok_private.integrations SET last_tested_at = now() - interval '25 hours';
SELECT i.name, i.status FROM hftok.begin_verification() b JOIN hftok.integrations i ON i.id = b.integration_id ORDER BY 1;
SELECT * FROM pg_temp.stands();
SELECT count(*) FROM hftok.begin_verification(p_older_than_seconds => 0);
UPDATE hftok_private.secrets SET rested_until = now() - interval '1 second' WHERE rested_until IS NOT NULL;
SELECT i.name FROM hftok.begin_verification() b JOIN hftok.integrations i ON i.id = b.integration_id;
-- As a switched-off provider's do.
UPDATE hftok_private.integrations SET last_tested_at = now() - interval '25 hours';
SELECT hftok.switch_provider('openai', false);
SELECT i.name FROM hftok.begin_verification() b JOIN hftok.integrations i ON i.id = b.integration_id;
SELECT hftok.switch_provider('openai', true);

-- New credentials while they are verified: what comes late is about the former ones, and the new ones want to be tried.
SELECT version FROM hftok.begin_verification(:'c', 'vera');
SELECT hftok.update_integration_credentials(:'c', 'gsk_verify000000000000000000000000000000000000000000002', 'vera');
SELECT hftok.report_credential(:'c_secret', 'verified', p_version => 1);
SELECT status, last_tested_at, last_verified_at FROM hftok.integrations WHERE id = :'c';
SELECT version, verdict FROM hftok.begin_verification() WHERE integration_id = :'c';

-- Switched off: nobody is asked about it, and an answer that comes then lifts no switch. The backend's is kept too.
SELECT hftok.update_integration(:'c', p_enabled => false, p_user_id => 'vera');
SELECT hftok.report_credential(:'c_secret', 'verified', p_version => 2);
SELECT status, enabled FROM hftok.integrations WHERE id = :'c';
SELECT * FROM hftok.begin_verification(:'c', 'vera');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.update_integration(:'c', p_enabled => true, p_user_id => 'vera');
SELECT status, enabled FROM hftok.integrations WHERE id = :'c';
SELECT hftok.update_integration_status(:'c', 'disabled', 'unpaid', 'vera');
UPDATE hftok_private.integrations SET last_tested_at = '-infinity';
SELECT i.name FROM hftok.begin_verification() b JOIN hftok.integrations i ON i.id = b.integration_id ORDER BY 1;
SELECT hftok.report_credential(:'c_secret', 'verified', p_version => 2);
SELECT * FROM hftok.begin_verification(:'c', 'vera');
-- New credentials of one that the backend switched off are untried, and it stays switched off.
SELECT hftok.update_integration_credentials(:'c', 'gsk_verify000000000000000000000000000000000000000000003', 'vera');
SELECT status, error_message, last_tested_at, last_verified_at FROM hftok.integrations WHERE id = :'c';
-- Deleted meanwhile: there is nothing to report on.
SELECT version FROM hftok.begin_verification(:'a', 'vera');
SELECT hftok.delete_integration_with_vault(:'a', 'vera');
SELECT hftok.report_credential(:'a_secret', 'verified', p_version => 1);
SELECT name FROM hftok.integrations ORDER BY name;

-- Sealed: what could not be opened is not taken.
UPDATE hftok_private.integrations SET last_tested_at = '-infinity';
SELECT hftok.seal();
SELECT * FROM hftok.begin_verification();
\echo :LAST_ERROR_SQLSTATE
SELECT key_ids FROM hftok.unseal();
SELECT count(*) FROM hftok.integrations WHERE last_tested_at IS NOT NULL;
SELECT sum(failed) FROM hftok.verify();

-- The index has the few that are due, however many there are.
BEGIN;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT i.id FROM hftok_private.integrations i
WHERE i.type = 'openai' AND i.enabled AND i.status IN ('pending', 'verifying') AND i.last_tested_at < now() - interval '10 minutes'
ORDER BY i.last_tested_at LIMIT 5 FOR UPDATE OF i SKIP LOCKED;
ROLLBACK;

SELECT hftok.forget_user('vera'), hftok.forget_org('acme');
\i tests/sql/include/gateway_end.sql
