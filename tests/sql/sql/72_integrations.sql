-- Integrations: made by their owner or by the backend for them, read by the backend only, shared, changed, deleted. Whoever
-- is not meant is answered as if there were none.

\i tests/sql/include/credentials.sql
SELECT hftok.add_member('acme', 'alice', 'owner'), hftok.add_member('acme', 'bob');

-- Made by a user; p_user_id is not theirs to choose.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.create_integration_with_vault('by a key', 'openai', 'sk-proj-alice000000000000001') AS key \gset
SELECT hftok.create_integration_with_vault('of an object', 'openai', '{"api_key": "sk-proj-alice000000000000002", "organization": "org-1"}', '{"model": "gpt", "deep": [1, {"a": null}]}', 'bob') AS object \gset
SELECT hftok.create_integration_with_vault(p_name => 'of several fields', p_type => 'aws', p_config => NULL, p_user_id => NULL,
    p_credentials => '{"access_key_id": "AKIA2222222222222222", "secret_access_key": "0123456789abcdefghijABCDEFGHIJ0123456789", "region": "eu-west-1"}') AS several \gset
SELECT name, user_id, type, status, enabled, config, error_message, last_used_at, credentials_migrated FROM hftok.integrations ORDER BY name;
SELECT count(*) AS integrations, count(DISTINCT id) AS ids, count(DISTINCT secret_id) AS secrets FROM hftok.integrations;
-- Nothing of the value is in it but its mask, and no credential is made of it: integrations take no part in the walk.
SELECT count(*) AS holding FROM hftok.integrations i WHERE i::text ~ 'sk-proj-a|AKIA2|0123456789';
SELECT count(*) AS credentials FROM hftok.credentials;
SELECT count(*) AS api_keys FROM hftok.user_api_keys;
SELECT hftok.token_provided('openai', p_levels => '{user_model,org_model,global_model,user,org,global}');
-- Two of the same kind and name are two.
SELECT hftok.create_integration_with_vault('by a key', 'openai', 'sk-proj-alice000000000000001') <> :'key' AS another;
SELECT hftok.delete_integration_with_vault(id) FROM hftok.integrations WHERE name = 'by a key' AND id <> :'key';
-- Refused arguments.
SELECT hftok.create_integration_with_vault('', 'openai', 'sk-proj-alice000000000000001');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.create_integration_with_vault(NULL, 'openai', 'sk-proj-alice000000000000001');
SELECT hftok.create_integration_with_vault('x', 'unheard of', 'sk-proj-alice000000000000001');
SELECT hftok.create_integration_with_vault('x', NULL, 'sk-proj-alice000000000000001');
SELECT hftok.create_integration_with_vault('x', 'openai', NULL);
SELECT hftok.create_integration_with_vault('x', 'openai', ' ');
SELECT hftok.create_integration_with_vault('x', 'openai', 'hf_alice000000000000000000000000000001');
SELECT hftok.create_integration_with_vault('x', 'openai', '{"organization": "org-1"}');
SELECT hftok.create_integration_with_vault('x', 'openai', '{"api_key": "Bearer sk-proj-alice"}');
SELECT hftok.create_integration_with_vault('x', 'openai', '{"api_key": "••••••••"}');
SELECT hftok.create_integration_with_vault('x', 'aws', 'sk-proj-alice000000000000001');
SELECT hftok.create_integration_with_vault('x', 'aws', '{"access_key_id": "AKIA2222222222222222"}');
SELECT hftok.create_integration_with_vault('x', 'google_cloud', '{"type": "service_account", "client_email": "a@b.example", "token_uri": "https://evil.example/token", "private_key": "x"}');
SELECT hftok.create_integration_with_vault('x', 'azure', '{"client_id": "x", "client_secret": "y", "tenant_id": "z"}');
SELECT count(*) AS integrations FROM hftok.integrations;
-- Read by the backend only.
SELECT hftok.get_integration_credentials(:'key');
SELECT hftok.update_integration_status(:'key', 'connected');

-- The backend: an object as it was given, a key as a string; for the one it names, only if it is theirs or shared with them.
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT hftok.get_integration_credentials(:'key', 'alice');
SELECT hftok.get_integration_credentials(:'object', 'alice'), hftok.get_integration_credentials(p_integration_id => :'object', p_user_id => 'alice', p_recipient => NULL) ->> 'api_key' AS key;
SELECT hftok.get_integration_credentials(:'several', 'alice');
-- A call must name somebody: a client that leaves out what is undefined would otherwise reach everybody's.
SELECT hftok.get_integration_credentials(:'key');
SELECT hftok.get_integration_credentials(:'key', 'bob');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.get_integration_credentials(:'key', 'ALICE');
SELECT hftok.get_integration_credentials(:'key', '');
SELECT hftok.get_integration_credentials(gen_random_uuid(), 'alice');
SELECT hftok.get_integration_credentials(NULL, 'alice');
SELECT hftok.get_integration_credentials(:'key', 'alice', 'age1');
SELECT hftok.get_integration_credentials(secret_id, 'alice') FROM hftok.integrations WHERE id = :'key';
SELECT hftok.create_integration_with_vault('of nobody', 'openai', 'sk-proj-nobody00000000000001');
SELECT hftok.create_integration_with_vault('of bob', 'huggingface', 'hf_bob00000000000000000000000000000001', p_user_id => 'bob') AS bobs \gset
SELECT name, user_id, type, status FROM hftok.integrations ORDER BY name;
-- Its state. A message is cut, not refused.
SELECT hftok.update_integration_status(:'key', 'verifying', p_user_id => 'alice');
SELECT status, error_message FROM hftok.integrations WHERE id = :'key';
SELECT hftok.update_integration_status(:'key', 'error', 'the provider said: 401', 'alice');
SELECT status, error_message FROM hftok.integrations WHERE id = :'key';
SELECT hftok.update_integration_status(:'key', 'connected', p_user_id => 'alice');
SELECT status, error_message, last_used_at IS NOT NULL AS used FROM hftok.integrations WHERE id = :'key';
SELECT hftok.update_integration_status(:'key', 'disabled', repeat('m', 2000), 'alice');
SELECT status, length(error_message) AS message, last_used_at IS NOT NULL AS used FROM hftok.integrations WHERE id = :'key';
SELECT hftok.update_integration_status(:'key', 'broken', p_user_id => 'alice');
SELECT hftok.update_integration_status(:'key', NULL, p_user_id => 'alice');
SELECT hftok.update_integration_status(:'key', 'error', p_user_id => 'bob');
SELECT hftok.update_integration_status(gen_random_uuid(), 'error', p_user_id => 'alice');
SELECT hftok.update_integration_status(NULL, 'error', p_user_id => 'alice');
SELECT hftok.update_integration_status(:'key', 'error');
SELECT hftok.update_integration_status(:'key', 'pending', p_user_id => 'alice');
-- Usage is counted for its secret.
SELECT hftok.record_usage(secret_id, 3) FROM hftok.integrations WHERE id = :'key';
RESET SESSION AUTHORIZATION;
CALL pg_temp.await('EXISTS (SELECT FROM hftok.usage_daily WHERE scope = ''integration'')');
-- Used is what was read, and what connected; one that was not is not.
CALL pg_temp.await($$(SELECT count(last_used_at) = 3 FROM hftok.integrations)$$);
SELECT name, last_used_at > created_at AS used FROM hftok.integrations ORDER BY name;
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_service_role;
SELECT provider, scope, scope_id, requests FROM hftok.usage_daily WHERE scope = 'integration';
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT provider, scope, scope_id, requests FROM hftok.usage_daily WHERE scope = 'integration';
SET request.jwt.claims = '{"sub": "bob"}';
SELECT count(*) AS usage FROM hftok.usage_daily;

-- New credentials: pending again, a version more. A field that holds the mask keeps what is stored; what is left out goes.
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.update_integration_credentials(:'key', 'sk-proj-alice000000000000003');
SELECT hftok.update_integration_credentials(:'several', '{"access_key_id": "AKIA3333333333333333", "secret_access_key": "••••••••••••", "region": "••"}');
SELECT hftok.update_integration_credentials(:'object', '{"api_key": "sk-proj-••••••••0002", "organization": "org-2", "project": "p"}');
RESET SESSION AUTHORIZATION;
SELECT hftok.get_integration_credentials(:'key', 'alice') AS key, hftok.get_integration_credentials(:'object', 'alice') AS object;
SELECT hftok.get_integration_credentials(:'several', 'alice');
SELECT s.version, i.status FROM hftok.integrations i JOIN hftok_private.secrets s ON s.id = i.secret_id WHERE i.user_id = 'alice' ORDER BY i.name;
SELECT hftok.update_integration_credentials(:'several', '{"access_key_id": "••", "secret_access_key": "abcdefghijABCDEFGHIJabcdefghij0123456789", "session_token": "••"}', 'alice');
SELECT hftok.get_integration_credentials(:'several', 'alice');
-- Nothing but masks: nothing to do, and no version. A masked key too.
SELECT hftok.update_integration_status(:'several', 'connected', p_user_id => 'alice'), hftok.update_integration_status(:'key', 'connected', p_user_id => 'alice');
SELECT hftok.update_integration_credentials(:'several', '{"access_key_id": "••••", "secret_access_key": "••••••••"}', 'alice'), hftok.update_integration_credentials(:'key', 'sk-proj-••••••••0003', 'alice');
SELECT i.name, s.version, i.status FROM hftok.integrations i JOIN hftok_private.secrets s ON s.id = i.secret_id WHERE i.id IN (:'several', :'key') ORDER BY i.name;
SELECT hftok.get_integration_credentials(:'several', 'alice') ->> 'secret_access_key' AS secret, hftok.get_integration_credentials(:'key', 'alice') AS key;
-- A replacement that cannot be leaves what is stored.
SELECT hftok.update_integration_credentials(:'key', 'Bearer sk-proj-alice', 'alice');
SELECT hftok.update_integration_credentials(:'key', '', 'alice');
SELECT hftok.update_integration_credentials(:'key', NULL, 'alice');
SELECT hftok.update_integration_credentials(:'several', '{"access_key_id": "AKIA4444444444444444"}', 'alice');
SELECT hftok.update_integration_credentials(:'several', '{"access_key_id": "AKIA4444444444444444", "secret_access_key": ""}', 'alice');
-- A mask where nothing is stored is no value: the field that is needed is missing. Nor is the mask of another key.
SELECT hftok.update_integration_credentials(:'key', '{"api_key": "••••", "organization": "org-3"}', 'alice');
SELECT hftok.update_integration_credentials(:'key', 'sk-proj-••••••••9999', 'alice');
SELECT hftok.get_integration_credentials(:'key', 'alice') AS key, hftok.get_integration_credentials(:'several', 'alice') ->> 'access_key_id' AS several;

-- Name, config, on and off. Switched off, by its owner or by the backend, it is not read.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.update_integration(:'key', p_name => 'renamed');
SELECT hftok.update_integration(:'key', p_config => '{"temperature": 0.5}', p_enabled => false);
SELECT hftok.update_integration(:'key');
SELECT name, config, enabled, status FROM hftok.integrations WHERE id = :'key';
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT hftok.get_integration_credentials(:'key', 'alice');
\echo :LAST_ERROR_SQLSTATE
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.update_integration(:'key', p_enabled => true, p_user_id => 'bob');
SELECT enabled FROM hftok.integrations WHERE id = :'key';
RESET SESSION AUTHORIZATION;
SELECT hftok.update_integration_status(:'key', 'disabled', p_user_id => 'alice');
SELECT hftok.get_integration_credentials(:'key', 'alice');
SELECT hftok.update_integration_status(:'key', 'error', p_user_id => 'alice');
SELECT hftok.get_integration_credentials(:'key', 'alice');
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.update_integration(:'key', repeat('n', 1025));
SELECT hftok.update_integration(:'key', '');
SELECT hftok.update_integration(NULL, 'x');

-- Foreign ids: not there. As a user, naming the owner does not help; as the backend, naming another one does not either.
SET request.jwt.claims = '{"sub": "bob"}';
SELECT name FROM hftok.integrations;
SELECT hftok.update_integration(:'key', 'by bob');
SELECT hftok.update_integration(:'key', 'by bob', p_user_id => 'alice');
SELECT hftok.update_integration_credentials(:'key', 'sk-proj-bob00000000000000001', 'alice');
SELECT hftok.share_integration(:'key', 'acme', 'alice');
SELECT hftok.unshare_integration(:'key', 'acme', 'alice');
SELECT hftok.delete_integration_with_vault(:'key'), hftok.delete_integration_with_vault(:'key', 'alice'), hftok.delete_integration_with_vault(gen_random_uuid());
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT hftok.update_integration(:'key', 'for nobody');
SELECT hftok.update_integration(:'key', 'for bob', p_user_id => 'bob');
SELECT hftok.update_integration_credentials(:'key', 'sk-proj-bob00000000000000001', 'bob');
SELECT hftok.share_integration(:'key', 'acme', 'bob');
SELECT hftok.delete_integration_with_vault(:'key', 'bob');

-- Shared with an organisation: its members see it, and the backend reads it for them; changing it stays the owner's.
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.share_integration(:'key', 'other club');
SELECT hftok.share_integration(:'key', NULL);
SELECT hftok.share_integration(:'key', '');
SELECT hftok.share_integration(:'key', 'acme');
SELECT hftok.share_integration(:'key', 'acme');
SET request.jwt.claims = '{"sub": "bob"}';
SELECT name, user_id FROM hftok.integrations ORDER BY name;
SELECT hftok.get_integration_credentials(:'key');
SELECT hftok.update_integration(:'key', 'by bob');
SELECT hftok.update_integration_credentials(:'key', 'sk-proj-bob00000000000000001');
SELECT hftok.share_integration(:'key', 'acme'), hftok.unshare_integration(:'key', 'acme');
SELECT hftok.unshare_integration(:'key', 'acme');
SELECT hftok.delete_integration_with_vault(:'key');
SET request.jwt.claims = '{"sub": "carol"}';
SELECT count(*) AS seen FROM hftok.integrations;
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT hftok.get_integration_credentials(:'key', 'bob');
SELECT hftok.get_integration_credentials(:'key', 'carol');
SELECT hftok.update_integration_status(:'key', 'connected', p_user_id => 'bob');
SELECT hftok.update_integration_status(:'key', 'connected', p_user_id => 'carol');
SELECT hftok.update_integration(:'key', 'for bob', p_user_id => 'bob');
SELECT hftok.delete_integration_with_vault(:'key', 'bob');
-- Access ends with the membership, and with the share.
SELECT hftok.remove_member('acme', 'bob');
SELECT hftok.get_integration_credentials(:'key', 'bob');
SELECT hftok.add_member('acme', 'bob');
SELECT hftok.get_integration_credentials(:'key', 'bob');
-- And with its owner's membership, for good.
SELECT hftok.add_member('acme', 'olga', 'owner'), hftok.remove_member('acme', 'alice');
SELECT hftok.get_integration_credentials(:'key', 'bob');
SELECT hftok.add_member('acme', 'alice', 'owner');
SELECT hftok.get_integration_credentials(:'key', 'bob');
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.share_integration(:'key', 'acme');
SET request.jwt.claims = '{"sub": "bob"}';
SELECT count(*) AS shared FROM hftok.integrations WHERE user_id = 'alice';
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.unshare_integration(:'key', 'acme');
SELECT hftok.unshare_integration(:'key', 'acme');
SET request.jwt.claims = '{"sub": "bob"}';
SELECT name FROM hftok.integrations;
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT hftok.get_integration_credentials(:'key', 'bob');

-- No identity: nothing.
SET ROLE regress_authenticated;
SELECT hftok.create_integration_with_vault('x', 'openai', 'sk-proj-alice000000000000001', p_user_id => 'alice');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.update_integration(:'key', 'x', p_user_id => 'alice');
SELECT count(*) AS seen FROM hftok.integrations;
RESET SESSION AUTHORIZATION;

-- No way around: whoever else may read has the metadata only.
SET ROLE hftok_auditor;
SELECT count(*) AS integrations FROM hftok.integrations;
SELECT hftok.get_integration_credentials(:'key', 'alice');
SET ROLE hftok_admin;
SELECT count(*) AS integrations FROM hftok.integrations;
SELECT hftok.get_integration_credentials(:'key', 'alice');
SELECT hftok.delete_integration_with_vault(:'key', 'alice');
RESET ROLE;
SELECT count(*) AS by_view FROM hftok.credentials;
SELECT hftok.restore_secret(secret_id, 1) FROM hftok.integrations WHERE id = :'key';
SELECT hftok.delete_secret(secret_id) FROM hftok.integrations WHERE id = :'key';
-- No field of an error holds a value.
SELECT value, pg_temp.refusal('hftok.create_integration_with_vault(''x'', $1, $2, p_user_id => ''alice'')', type, value) AS refusal
FROM (VALUES ('openai', '{"api_key": "Bearer s3kr3t"}'), ('openai', '{"api_key": "s3kr3t'), ('openai', '{s3kr3t}'), ('openai', '{"s3kr3t": 1}'), ('openai', '{"api_key": {"x": "s3kr3t"}}'),
    ('aws', 's3kr3t'), ('aws', '{"access_key_id": "s3kr3t"}'), ('azure', '{"client_id": "s3kr3t", "client_secret": "s3kr3t", "tenant_id": "s3kr3t"}')) v (type, value);
SELECT pg_temp.refusal('hftok.update_integration_credentials($1::uuid, $2, ''bob'')', :'key', 'hf_s3kr3t');
-- A JSON text that is an object twice over, or has a key twice: what is read is what was checked.
SELECT hftok.create_integration_with_vault('twice', 'openai', '{"api_key": "sk-proj-first000000000000000", "api_key": "sk-proj-second00000000000000"}', p_user_id => 'alice') AS twice \gset
SELECT hftok.get_integration_credentials(:'twice', 'alice');
SELECT hftok.create_integration_with_vault('big numbers', 'openai', '{"api_key": "sk-proj-first000000000000000", "n": 123456789012345678901234567890.5, "u": "\u00e9\ud83d\ude00"}', p_user_id => 'alice') AS big \gset
SELECT hftok.get_integration_credentials(:'big', 'alice');
-- Damaged: an error that says so.
BEGIN;
UPDATE hftok_private.secrets s SET scope_id = 'bob' FROM hftok.integrations i WHERE i.id = :'key' AND s.id = i.secret_id;
SELECT hftok.get_integration_credentials(:'key', 'alice');
ROLLBACK;
BEGIN;
-- Made to point at another's credentials, or at a credential that is none of an integration: they are bound otherwise.
UPDATE hftok_private.integrations SET secret_id = gen.id FROM (SELECT secret_id AS id FROM hftok.save_credential('openai', 'sk-proj-carol000000000000001', p_user_id => 'carol')) gen
WHERE integrations.id = :'key';
SELECT hftok.get_integration_credentials(:'key', 'alice');
ROLLBACK;
BEGIN;
UPDATE hftok_private.integrations SET secret_id = o.secret_id FROM hftok_private.integrations o WHERE integrations.id = :'bobs' AND o.id = :'key';
ROLLBACK;
-- An integration that was given to another by hand: its credentials are still bound to who brought them.
BEGIN;
UPDATE hftok_private.integrations SET user_id = 'bob' WHERE id = :'key';
SELECT pg_temp.refusal('hftok.get_integration_credentials($1::uuid, ''bob'')', :'key') ~ '^PT4' AS refused;
ROLLBACK;

-- Deleting: with its secret and every version of it, by its owner or by the backend.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.share_integration(:'key', 'acme');
SELECT hftok.delete_integration_with_vault(p_integration_id => :'key', p_user_id => NULL), hftok.delete_integration_with_vault(:'key');
SELECT hftok.update_integration(:'key', 'x');
SELECT name FROM hftok.integrations ORDER BY name;
SELECT hftok.delete_integration_with_vault(NULL);
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT hftok.delete_integration_with_vault(:'object');
SELECT hftok.delete_integration_with_vault(:'object', 'alice'), hftok.delete_integration_with_vault(:'several', 'alice'), hftok.delete_integration_with_vault(:'twice', 'alice'),
    hftok.delete_integration_with_vault(:'big', 'alice');
SELECT hftok.get_integration_credentials(:'object', 'alice');
RESET SESSION AUTHORIZATION;
SELECT (SELECT count(*) FROM hftok_private.secrets) AS secrets, (SELECT count(*) FROM hftok_private.secret_versions) AS versions, (SELECT count(*) FROM hftok_private.integrations) AS integrations,
    (SELECT count(*) FROM hftok_private.integration_shares) AS shares;
-- Rows that came from elsewhere say so.
UPDATE hftok_private.integrations SET credentials_migrated = true WHERE id = :'bobs';
SELECT name, user_id, type, status, credentials_migrated FROM hftok.integrations;
SELECT kind, failed FROM hftok.verify();
SELECT * FROM hftok.forget_user('bob');
SELECT * FROM hftok.forget_org('acme');
SELECT (SELECT count(*) FROM hftok_private.secrets) AS secrets, (SELECT count(*) FROM hftok_private.integrations) AS integrations;

DELETE FROM hftok_private.usage_daily;
\i tests/sql/include/gateway_end.sql
