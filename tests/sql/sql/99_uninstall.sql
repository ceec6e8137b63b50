-- DROP EXTENSION takes everything with it, and what is installed afterwards starts anew: also for a session that kept
-- plans of the tables that are gone, and for a server that keeps their keys.

\set VERBOSITY terse
SELECT hftok.create_secret('first life', 'phoenix') AS id \gset
SELECT hftok.get_secret('phoenix'), (hftok.status()).active_data_key_id AS key \gset
SELECT version FROM hftok.save_credential('openai', 'sk-proj-first000000000000000', p_user_id => 'alice', p_model => 'm');
SELECT token, source FROM hftok.resolve_token('openai', 'alice', p_model => 'm');
SELECT hftok.create_integration_with_vault('made', 'openai', 'sk-proj-first000000000000000', p_user_id => 'alice') AS integration \gset
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('alice', 'groq', 'key-of-alice');
SELECT hftok.add_member('acme', 'alice', 'owner'), hftok.grant_administrator('alice'), hftok.record_usage(secret_id) FROM hftok.credentials LIMIT 1;
SELECT hftok.register_provider('{"id": "own", "label": "Own", "fields": [{"name": "key", "secret": true}]}');

DROP EXTENSION hftok;
SELECT count(*) AS left FROM pg_namespace WHERE nspname IN ('hftok_import', 'hftok_private');
SELECT count(*) AS left FROM pg_class WHERE relowner = 'hftok_owner'::regrole;
SELECT count(*) AS left FROM pg_proc WHERE proowner = 'hftok_owner'::regrole;
SELECT count(*) AS left FROM pg_type WHERE typowner = 'hftok_owner'::regrole;
SELECT count(*) AS left FROM pg_proc WHERE probin ~ 'hftok';
SELECT count(*) AS left FROM pg_class WHERE relname ~ '^(secrets|secret_versions|secret_usage|audit|kinds|data_keys|decrypted_secrets|credentials|integration|members|administrators|provider|user_api_keys|usage_daily)';
-- The schema that CREATE EXTENSION made stays, as it does for every extension that is given one; it is empty.
SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid) + (SELECT count(*) FROM pg_proc WHERE pronamespace = n.oid)
    + (SELECT count(*) FROM pg_type WHERE typnamespace = n.oid) AS left
FROM pg_namespace n WHERE nspname = 'hftok';
-- Roles belong to the server and stay, for other databases.
SELECT rolname FROM pg_roles WHERE rolname ~ '^hftok_' ORDER BY rolname COLLATE "C";
SELECT hftok.get_secret('phoenix');

CREATE EXTENSION hftok;
SELECT secrets, active_data_key_id FROM hftok.status();
SELECT hftok.get_secret('phoenix');
\echo :LAST_ERROR_SQLSTATE
SELECT (SELECT count(*) FROM hftok.credentials) AS credentials, (SELECT count(*) FROM hftok.integrations) AS integrations,
    (SELECT count(*) FROM hftok.user_api_keys) AS api_keys, (SELECT count(*) FROM hftok.members) AS members,
    (SELECT count(*) FROM hftok.administrators) AS administrators, (SELECT count(*) FROM hftok.usage_daily) AS usage,
    (SELECT count(*) FROM hftok.providers WHERE NOT builtin) AS registered;
SELECT source FROM hftok.resolve_token('openai', 'alice', p_model => 'm');
SELECT hftok.get_integration_credentials(:'integration', 'alice');
-- This session remembers the former tables, and its memory leads nowhere.
SELECT version FROM hftok.save_credential('openai', 'sk-proj-second00000000000000', p_user_id => 'alice', p_model => 'm');
SELECT token, source FROM hftok.resolve_token('openai', 'alice', p_model => 'm');
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('alice', 'groq', 'second-key-of-alice');
SELECT token FROM hftok.resolve_token('groq', 'alice');
SELECT scope_id, provider, version FROM hftok.credentials ORDER BY provider;
SELECT hftok.create_secret('second life', 'phoenix') <> :'id' AS another;
SELECT hftok.get_secret('phoenix'), (hftok.status()).active_data_key_id <> :key AS another_key;
SELECT name, decrypted_secret FROM hftok.decrypted_secrets;
SELECT kind, failed FROM hftok.verify();

DROP EXTENSION hftok;
DROP SCHEMA hftok;
SELECT count(*) AS left FROM pg_shdepend d JOIN pg_database b ON b.oid = d.dbid
WHERE b.datname = current_database() AND d.refclassid = 'pg_authid'::regclass
AND d.refobjid IN (SELECT oid FROM pg_roles WHERE rolname ~ '^(hftok|regress)_' AND NOT rolsuper);
