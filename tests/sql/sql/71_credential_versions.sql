-- The overlap after a rotation: how long the version before is still given out, and to whom.

\i tests/sql/include/credentials.sql
SELECT secret_id AS id FROM hftok.save_credential('groq', 'groq-key-of-alice-1', p_user_id => 'alice') \gset
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-2', p_user_id => 'alice');
SELECT version FROM hftok.save_credential('together', 'together-key-of-alice', p_user_id => 'alice');

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

\i tests/sql/include/gateway_end.sql
