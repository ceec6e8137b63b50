-- A provider that the application does not use: nothing of it is saved or handed out, nothing is deleted, and the rest of what was said of
-- it stays.

\set VERBOSITY terse
\encoding UTF8
SET client_min_messages = warning;
\i tests/sql/include/gateway.sql
RESET client_min_messages;
SELECT hftok.grant_administrator('boss');
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-0000000001', p_user_id => 'alice');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000001', p_user_id => 'alice');
SELECT hftok.create_integration_with_vault('mine', 'groq', 'groq-key-of-alice-0000000002', p_user_id => 'alice') AS integration \gset
SELECT hftok.register_provider('{"name": "groq", "label": "Groq for us"}');

-- By operators and the application's administrators.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.switch_provider('groq', false);
SET ROLE regress_service_role;
SELECT hftok.switch_provider('groq', false);
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "boss"}';
SELECT hftok.switch_provider('groq', NULL);
SELECT hftok.switch_provider(NULL, false);
SELECT hftok.switch_provider('grok', false);
SELECT hftok.switch_provider('groq', false);
SELECT hftok.switch_provider('groq', false);
SELECT hftok.switch_provider('openai', true);
SELECT name, label, enabled, builtin FROM hftok.providers WHERE name IN ('groq', 'openai') ORDER BY name;

-- Neither saved
SET request.jwt.claims = '{"sub": "alice"}';
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT hftok.save_credential('groq', 'groq-key-of-alice-0000000003');
\set VERBOSITY terse
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('groq', 'groq-key-of-alice-0000000003') ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key;
UPDATE hftok.provider_secrets SET api_key = 'groq-key-of-alice-0000000003' WHERE provider = 'groq';
SELECT hftok.create_integration_with_vault('another', 'groq', 'groq-key-of-alice-0000000003');
SELECT hftok.update_integration_credentials(:'integration', 'groq-key-of-alice-0000000003');
SELECT provider, version, status FROM hftok.credentials WHERE scope = 'user' ORDER BY provider;
-- nor handed out.
RESET request.jwt.claims;
SET ROLE regress_service_role;
SELECT hftok.resolve_token('groq', 'alice');
SELECT hftok.token_provided('groq', 'alice');
SELECT hftok.get_integration_credentials(:'integration', 'alice');
SELECT hftok.runner_env('{groq}', 'alice');
SELECT hftok.runner_env('{openai}', 'alice') AS runner_env;
SELECT e -> 'GROQ_API_KEY' AS groq, e ->> 'OPENAI_API_KEY' AS openai FROM hftok.runner_env(NULL, 'alice') e;
SELECT (hftok.resolve_token('openai', 'alice')).token;
-- A key of its is still known as one of its, and what is there can be deleted.
SELECT hftok.check_credential('openai', 'gsk_' || repeat('a', 52));
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000002', p_user_id => 'alice');
RESET SESSION AUTHORIZATION;

-- A description that somebody changed is not signed anew.
BEGIN;
UPDATE hftok_private.providers SET definition = replace(definition, 'Groq for us', 'Groq for me') WHERE id = 'groq';
SELECT hftok.switch_provider('groq', true);
ROLLBACK;

-- On again, as it was described; one that is as built in leaves nothing behind.
SELECT hftok.switch_provider('groq', true);
SELECT name, label, enabled, builtin FROM hftok.providers WHERE name = 'groq';
SELECT (hftok.resolve_token('groq', 'alice')).token;
SELECT hftok.get_integration_credentials(:'integration', 'alice');
SELECT hftok.unregister_provider('groq');
SELECT hftok.switch_provider('groq', false), hftok.switch_provider('groq', true);
SELECT count(*) AS left FROM hftok_private.providers WHERE id = 'groq';
-- An administrator lifts what administrators switched off, and nothing that an operator did, who also takes an administrator's switch over.
SELECT hftok.switch_provider('groq', false), hftok.register_provider('{"name": "own", "label": "Own", "fields": [{"name": "key", "secret": true}], "hosts": ["a.example"]}'),
    hftok.switch_provider('own', false);
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "boss"}';
\set VERBOSITY default
SELECT hftok.switch_provider('groq', true);
\set VERBOSITY terse
SELECT hftok.switch_provider('groq', false);
SELECT hftok.switch_provider('own', true);
SELECT hftok.unregister_provider('own');
SELECT hftok.register_provider('{"name": "own", "label": "Own", "fields": [{"name": "key", "secret": true}], "hosts": ["a.example"]}');
SELECT hftok.register_provider('{"name": "own", "label": "Own", "enabled": false, "fields": [{"name": "key", "secret": true}], "hosts": ["a.example"]}');
SELECT hftok.switch_provider('openai', false), hftok.switch_provider('openai', true), hftok.switch_provider('openai', false);
SELECT hftok.register_provider('{"name": "theirs", "label": "Theirs", "enabled": false, "fields": [{"name": "key", "secret": true}], "hosts": ["a.example"]}');
SELECT hftok.switch_provider('theirs', true), hftok.switch_provider('theirs', false);
RESET ROLE;
RESET SESSION AUTHORIZATION;
SELECT id, definition FROM hftok_private.providers ORDER BY id;
SELECT hftok.switch_provider('openai', false) AS taken_over, hftok.switch_provider('openai', false) AS again;
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SELECT hftok.switch_provider('openai', true);
RESET ROLE;
RESET SESSION AUTHORIZATION;
SELECT hftok.switch_provider(p, true) FROM unnest('{groq,openai,own,theirs}'::text[]) p;
SELECT id, definition FROM hftok_private.providers ORDER BY id;
SELECT hftok.unregister_provider('own'), hftok.unregister_provider('theirs');
SELECT hftok.register_provider('{"name": "groq", "enabled": false, "switched_off_by": "somebody"}');
-- A row of the view, given back.
SELECT hftok.register_provider(to_jsonb(p) || '{"enabled": false}') FROM hftok.providers p WHERE name = 'groq';
SELECT definition FROM hftok_private.providers WHERE id = 'groq';
SELECT hftok.register_provider('{"name": "groq", "enabled": "no"}');
SELECT hftok.delete_credential('groq', p_user_id => 'alice');
SELECT hftok.unregister_provider('groq');
SELECT kind, failed FROM hftok.verify() WHERE kind <> 'total';

SELECT hftok.forget_user('alice');
SELECT hftok.revoke_administrator('boss');
SET client_min_messages = warning;
\i tests/sql/include/gateway_end.sql
