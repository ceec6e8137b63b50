-- user_api_keys: a table to those who insert, upsert, update and delete, masks to those who read, secrets underneath. A key
-- that a statement brings is stored by that statement or not at all.

\set VERBOSITY terse
\encoding UTF8
SET timezone = 'UTC';
\i tests/sql/include/gateway.sql
RESET client_min_messages;
-- The values under the masks, for the superuser of this test.
CREATE FUNCTION pg_temp.keys(text DEFAULT NULL) RETURNS TABLE (user_id text, service text, api_key text, version int, token text, same_id boolean) LANGUAGE sql AS $$
    SELECT k.user_id, k.service, k.api_key, r.version, r.token, r.secret_id = k.id
    FROM hftok_private.user_api_keys k, LATERAL hftok.resolve_token(k.service, k.user_id, p_levels => '{user}') r
    WHERE k.user_id = coalesce($1, k.user_id) ORDER BY k.user_id COLLATE "C", k.service COLLATE "C"
$$;
-- Faults, of which there must be none after every statement: one row a secret, masked as it, and nothing in the table that is
-- no mask.
CREATE FUNCTION pg_temp.faults() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM (
        SELECT FROM hftok_private.user_api_keys k FULL JOIN (SELECT * FROM hftok_private.secrets WHERE scope = 'user' AND model = '') s
            ON (s.scope_id, s.provider) = (k.user_id, k.service)
        WHERE k.user_id IS NULL OR s.id IS NULL OR k.id <> s.id OR k.api_key <> s.preview OR k.created_at <> s.created_at OR k.api_key !~ '•'
        UNION ALL
        SELECT FROM hftok.verify() WHERE failed <> 0
    ) f
$$;

SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
-- Inserting. The user is the caller; id and times that a client sends are ignored; what comes back is the mask.
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('openai', 'sk-proj-alice000000000000001') RETURNING user_id, service, api_key, created_at = updated_at AS fresh;
INSERT INTO hftok.user_api_keys (id, user_id, service, api_key, created_at, updated_at)
VALUES ('00000000-0000-4000-8000-000000000000', 'alice', 'groq', '  groq-key-of-alice-0000000001  ', '1999-01-01', '1999-01-01')
RETURNING id <> '00000000-0000-4000-8000-000000000000' AS other_id, service, api_key, created_at > '2020-01-01' AND updated_at > '2020-01-01' AS other_times;
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('together', 'together-key-of-alice-000001'), ('anthropic', 'sk-ant-api03-alice0000000001');
SELECT user_id, service, api_key FROM hftok.user_api_keys ORDER BY service;
SELECT id = (SELECT secret_id FROM hftok.credentials c WHERE c.provider = k.service) AS same_id FROM hftok.user_api_keys k;
-- The same again is an error, as in a table; nothing changes.
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('openai', 'sk-proj-alice000000000000002');
-- Refused: what cannot be a key, nulls, other users, providers that are none; all of a statement or nothing.
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('mistral', '');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('mistral', 'Bearer x');
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('mistral', NULL);
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('mistral', '••••••••••••••••••••');
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('unheard of', 'some-key-of-alice-0000000001');
INSERT INTO hftok.user_api_keys (service, api_key) VALUES (NULL, 'some-key-of-alice-0000000001');
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('bob', 'mistral', 'some-key-of-alice-0000000001');
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES (NULL, 'mistral', 'some-key-of-alice-0000000001');
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('mistral', 'some-key-of-alice-0000000001'), ('cohere', 'Bearer x');
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('mistral', 'some-key-of-alice-0000000001'), ('openai', 'sk-proj-alice000000000000002');
RESET SESSION AUTHORIZATION;
SELECT * FROM pg_temp.keys();
SELECT pg_temp.faults();

-- Upserting, as clients do: by (user_id, service).
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
INSERT INTO hftok.user_api_keys AS k (service, api_key) VALUES ('openai', 'sk-proj-alice000000000000002')
ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key RETURNING service, api_key;
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('alice', 'openai', 'sk-proj-alice000000000000003'), ('alice', 'mistral', 'some-key-of-alice-0000000001')
ON CONFLICT (user_id, service) DO UPDATE SET user_id = excluded.user_id, service = excluded.service, api_key = excluded.api_key
RETURNING service, api_key;
-- A masked row that was read comes back unchanged: nothing changes. One that is new, or another's mask, is no key.
WITH written AS (
    INSERT INTO hftok.user_api_keys (user_id, service, api_key) SELECT user_id, service, api_key FROM hftok.user_api_keys
    ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key RETURNING service
) SELECT count(*) FROM written;
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('openai', 'sk-proj-••••••••9999') ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key;
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('cohere', 'sk-proj-••••••••0003') ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key;
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('openai', '•') ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key;
-- Twice in one statement: as for a table, an error with DO UPDATE.
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('openai', 'sk-proj-alice000000000000004'), ('openai', 'sk-proj-alice000000000000005')
ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key;
RESET SESSION AUTHORIZATION;
SELECT * FROM pg_temp.keys();
SELECT pg_temp.faults();

-- DO NOTHING: what is there stays, and what was brought is forgotten. A later statement that writes the same mask does not find it.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('openai', 'sk-proj-ignored0000000000003') ON CONFLICT (user_id, service) DO NOTHING RETURNING service;
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('openai', 'sk-proj-ignored0000000000009') ON CONFLICT DO NOTHING RETURNING service;
UPDATE hftok.user_api_keys SET api_key = 'sk-proj-••••••••0003' WHERE service = 'openai' RETURNING service, api_key;
UPDATE hftok.user_api_keys SET api_key = 'sk-proj-••••••••0009' WHERE service = 'openai';
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('cohere', 'first-key-of-alice-000000001'), ('cohere', 'second-key-of-alice-00000002'), ('openai', 'sk-proj-ignored0000000000004')
ON CONFLICT (user_id, service) DO NOTHING RETURNING service, api_key;
-- DO UPDATE that does not take the key that was brought.
INSERT INTO hftok.user_api_keys AS k (service, api_key) VALUES ('openai', 'sk-proj-ignored0000000000005')
ON CONFLICT (user_id, service) DO UPDATE SET api_key = k.api_key RETURNING api_key;
INSERT INTO hftok.user_api_keys AS k (service, api_key) VALUES ('openai', 'sk-proj-ignored0000000000006')
ON CONFLICT (user_id, service) DO UPDATE SET updated_at = now() RETURNING api_key;
INSERT INTO hftok.user_api_keys AS k (service, api_key) VALUES ('openai', 'sk-proj-ignored0000000000007')
ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key WHERE false RETURNING api_key;
-- The new key has the mask of the stored one, but is another key: then it is a replacement.
INSERT INTO hftok.user_api_keys AS k (service, api_key) VALUES ('openai', 'sk-proj-another0000000000003')
ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key RETURNING api_key;
RESET SESSION AUTHORIZATION;
SELECT * FROM pg_temp.keys();
SELECT pg_temp.faults();

-- A statement that was aborted leaves nothing behind for the next one.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
BEGIN;
SAVEPOINT before;
INSERT INTO hftok.user_api_keys AS k (service, api_key) VALUES ('openai', 'sk-proj-aborted0000000000003'), ('mistral', 'Bearer x')
ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key;
ROLLBACK TO before;
UPDATE hftok.user_api_keys SET api_key = 'sk-proj-••••••••0003' WHERE service = 'openai' RETURNING api_key;
COMMIT;
BEGIN;
SAVEPOINT before;
INSERT INTO hftok.user_api_keys AS k (service, api_key) VALUES ('openai', 'sk-proj-aborted0000000000008')
ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key WHERE 1 / (length(k.service) - 6) > 0;
ROLLBACK TO before;
UPDATE hftok.user_api_keys SET api_key = 'sk-proj-••••••••0008' WHERE service = 'openai' RETURNING api_key;
ROLLBACK;
BEGIN;
INSERT INTO hftok.user_api_keys AS k (service, api_key) VALUES ('openai', 'sk-proj-aborted0000000000001')
ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key RETURNING api_key;
ROLLBACK;
UPDATE hftok.user_api_keys SET api_key = 'sk-proj-••••••••0001' WHERE service = 'openai';
RESET SESSION AUTHORIZATION;
SELECT * FROM pg_temp.keys() WHERE service = 'openai';
SELECT pg_temp.faults();

-- Updating: a key, or a mask that was read; not whose or for what it is.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
UPDATE hftok.user_api_keys SET api_key = 'sk-proj-alice000000000000005', updated_at = '1999-01-01', created_at = '1999-01-01', id = gen_random_uuid()
WHERE service = 'openai' RETURNING api_key, updated_at > '2020-01-01' AND created_at > '2020-01-01' AS other_times;
WITH written AS (
    UPDATE hftok.user_api_keys SET api_key = api_key, service = service, user_id = user_id RETURNING service, api_key
) SELECT * FROM written ORDER BY service;
UPDATE hftok.user_api_keys SET service = 'mistral' WHERE service = 'openai';
UPDATE hftok.user_api_keys SET user_id = 'bob' WHERE service = 'openai';
UPDATE hftok.user_api_keys SET api_key = NULL WHERE service = 'openai';
UPDATE hftok.user_api_keys SET api_key = '' WHERE service = 'openai';
UPDATE hftok.user_api_keys SET api_key = 'hf_00000000000000000000000000000000a1' WHERE service = 'openai';
UPDATE hftok.user_api_keys SET api_key = 'sk-proj-••••••••0005' WHERE service = 'groq';
WITH written AS (
    UPDATE hftok.user_api_keys SET api_key = 'the-same-for-all-of-alice-01' WHERE service IN ('groq', 'together', 'mistral') RETURNING service, api_key
) SELECT * FROM written ORDER BY service;
-- Swapped: masks are no keys.
UPDATE hftok.user_api_keys k SET api_key = (SELECT o.api_key FROM hftok.user_api_keys o WHERE o.service = 'openai') WHERE k.service = 'anthropic';
-- Deleting, and not another's.
WITH deleted AS (
    DELETE FROM hftok.user_api_keys WHERE service IN ('cohere', 'mistral') RETURNING service, api_key
) SELECT * FROM deleted ORDER BY service;
SET request.jwt.claims = '{"sub": "bob"}';
SELECT count(*) AS seen FROM hftok.user_api_keys;
UPDATE hftok.user_api_keys SET api_key = 'sk-proj-bob00000000000000001' RETURNING service;
DELETE FROM hftok.user_api_keys RETURNING service;
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('alice', 'openai', 'sk-proj-bob00000000000000001') ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key;
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('alice', 'openai', 'sk-proj-bob00000000000000001') ON CONFLICT (user_id, service) DO NOTHING;
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('openai', 'sk-proj-bob00000000000000001') RETURNING user_id, api_key;
RESET request.jwt.claims;
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('openai', 'sk-proj-nobody00000000000001');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('alice', 'openai', 'sk-proj-nobody00000000000001');
SELECT count(*) AS seen FROM hftok.user_api_keys;
RESET SESSION AUTHORIZATION;
SELECT * FROM pg_temp.keys();
SELECT pg_temp.faults();

-- The backend writes for whom it names; an id that is a UUID is one in any case.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_service_role;
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('openai', 'sk-proj-nobody00000000000001');
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('6F9619FF-8B86-D011-B42D-00C04FC964FF', 'openai', 'sk-proj-uuid0000000000000001') RETURNING user_id;
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('6f9619ff-8b86-d011-b42d-00C04fc964ff', 'openai', 'sk-proj-uuid0000000000000002')
ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key RETURNING user_id;
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES (' ', 'openai', 'sk-proj-blank000000000000001');
-- Many at once.
INSERT INTO hftok.user_api_keys (user_id, service, api_key) SELECT 'user ' || n, 'openai', format('sk-proj-bulk%s', lpad(n::text, 16, '0')) FROM generate_series(1, 1000) n;
INSERT INTO hftok.user_api_keys (user_id, service, api_key) SELECT 'user ' || n, 'openai', format('sk-proj-more%s', lpad(n::text, 16, '0')) FROM generate_series(501, 1500) n
ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key;
SELECT count(*) AS keys FROM hftok.user_api_keys WHERE user_id LIKE 'user %';
RESET SESSION AUTHORIZATION;
SELECT version, count(*), count(*) FILTER (WHERE token ~ 'bulk') AS bulk, count(*) FILTER (WHERE token ~ 'more') AS more,
    count(*) FILTER (WHERE right(token, 16)::int = split_part(user_id, ' ', 2)::int AND same_id) AS own
FROM pg_temp.keys() WHERE user_id LIKE 'user %' GROUP BY version ORDER BY version;
DELETE FROM hftok.user_api_keys WHERE user_id LIKE 'user %';
SELECT count(*) AS left FROM hftok.credentials WHERE scope_id LIKE 'user %';
SELECT * FROM pg_temp.keys('6f9619ff-8b86-d011-b42d-00c04fc964ff');
SELECT pg_temp.faults();

-- The row follows the secret, whoever changes that; a credential for a model is none of them.
SELECT version FROM hftok.save_credential('openai', 'sk-proj-saved000000000000007', p_user_id => 'alice');
SELECT version FROM hftok.save_credential('replicate', 'r8_alice00000000000000000000000000000001', p_user_id => 'alice');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-saved000000000000008', p_user_id => 'alice', p_model => 'gpt');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-saved000000000000009', p_org_id => 'alice');
SELECT hftok.delete_credential('groq', p_user_id => 'alice'), hftok.delete_credential('openai', 'gpt', 'alice');
SELECT * FROM pg_temp.keys('alice');
SELECT pg_temp.faults();
DELETE FROM hftok.credentials WHERE scope_id = 'alice' AND provider = 'replicate';
UPDATE hftok.credentials SET label = 'x', allowed_hosts = '{api.together.xyz}', expires_at = '2100-01-01 UTC' WHERE scope_id = 'alice' AND provider = 'together';
SELECT hftok.report_credential(secret_id, 'verified') FROM hftok.credentials WHERE scope_id = 'alice' AND provider = 'openai' AND scope = 'user';
-- A mask that was written back changed nothing: neither has the row of anthropic changed.
SELECT user_id, service, api_key, updated_at > created_at AS changed FROM hftok_private.user_api_keys WHERE user_id = 'alice' ORDER BY service;
SELECT pg_temp.faults();
-- Written through the view, a credential keeps what its owner said of it, and loses what was said of the value.
SET ROLE hftok_service;
UPDATE hftok.user_api_keys SET api_key = 'together-key-of-alice-000002' WHERE user_id = 'alice' AND service = 'together';
UPDATE hftok.user_api_keys SET api_key = 'sk-proj-alice000000000000011' WHERE user_id = 'alice' AND service = 'openai';
RESET ROLE;
SELECT provider, label, allowed_hosts, expires_at, status, version FROM hftok.credentials WHERE scope_id = 'alice' AND scope = 'user' ORDER BY provider;
SELECT hftok.forget_user('bob');
SELECT user_id, count(*) FROM hftok_private.user_api_keys GROUP BY user_id ORDER BY user_id COLLATE "C";
SELECT pg_temp.faults();

-- provider_secrets: the same rows. provider_overview: every provider of the catalogue, and whether the reader has a key.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT count(*) = (SELECT count(*) FROM hftok.providers) AS all_providers, count(*) FILTER (WHERE is_configured) AS configured, count(DISTINCT user_id) AS users FROM hftok.provider_overview;
SELECT user_id, provider, label, is_configured, api_key_preview, created_at IS NOT NULL AS created FROM hftok.provider_overview
WHERE is_configured OR provider = 'groq' ORDER BY provider;
SELECT user_id, provider, label, is_configured, api_key_preview, api_key FROM hftok.provider_secrets ORDER BY provider;
SELECT count(*) AS differ FROM hftok.provider_secrets s FULL JOIN hftok.user_api_keys k USING (id, user_id, api_key, created_at, updated_at) WHERE s.provider IS DISTINCT FROM k.service;
-- Written as a table is: the row, and no other's; what follows from the key cannot be written.
INSERT INTO hftok.provider_secrets (provider, api_key) VALUES ('groq', 'groq-key-of-alice-0000000001') RETURNING user_id, provider, label, is_configured, api_key_preview, api_key;
INSERT INTO hftok.provider_secrets (provider, api_key) VALUES ('groq', 'groq-key-of-alice-0000000002');
INSERT INTO hftok.provider_secrets (provider, api_key) VALUES ('groq', 'groq-key-of-alice-0000000003') ON CONFLICT (user_id, provider) DO NOTHING;
INSERT INTO hftok.provider_secrets (provider, api_key) VALUES ('groq', 'groq-key-of-alice-0000000004') ON CONFLICT (user_id, provider) DO UPDATE SET api_key = excluded.api_key RETURNING api_key;
INSERT INTO hftok.provider_secrets (provider, api_key, label) VALUES ('mistral', 'some-key-of-alice-0000000001', 'x');
INSERT INTO hftok.provider_secrets (user_id, provider, api_key) VALUES ('bob', 'mistral', 'some-key-of-alice-0000000001');
INSERT INTO hftok.provider_secrets (provider) VALUES ('mistral');
UPDATE hftok.provider_secrets SET api_key = 'groq-key-of-alice-0000000005' WHERE provider = 'groq' RETURNING provider, is_configured, api_key_preview, api_key;
UPDATE hftok.provider_secrets SET api_key = api_key, label = label, is_configured = true WHERE provider = 'groq' RETURNING provider;
UPDATE hftok.provider_secrets SET label = 'x' WHERE provider = 'groq';
UPDATE hftok.provider_secrets SET is_configured = false WHERE provider = 'groq';
UPDATE hftok.provider_secrets SET api_key_preview = 'groq-key-of-alice-0000000006' WHERE provider = 'groq';
UPDATE hftok.provider_secrets SET provider = 'mistral' WHERE provider = 'groq';
UPDATE hftok.provider_secrets SET user_id = 'bob' WHERE provider = 'groq';
UPDATE hftok.provider_secrets SET api_key = '••••••••••••0001' WHERE provider = 'groq';
UPDATE hftok.provider_secrets SET api_key = NULL WHERE provider = 'groq';
SELECT provider, version FROM hftok.credentials WHERE provider = 'groq' AND scope = 'user';
DELETE FROM hftok.provider_secrets WHERE user_id = 'carol' RETURNING provider;
DELETE FROM hftok.provider_secrets WHERE provider = 'groq' RETURNING user_id, provider, api_key;
SELECT count(*) AS left FROM hftok.credentials WHERE provider = 'groq' AND scope = 'user';
SET request.jwt.claims = '{"sub": "carol"}';
SELECT count(*) FILTER (WHERE is_configured) AS configured, count(api_key_preview) AS previews FROM hftok.provider_overview;
SELECT count(*) AS rows FROM hftok.provider_secrets;
RESET request.jwt.claims;
SET ROLE regress_service_role;
-- The backend: a row per user and provider.
SELECT user_id, count(*), bool_and(is_configured) FROM hftok.provider_secrets GROUP BY user_id ORDER BY user_id COLLATE "C";
INSERT INTO hftok.provider_secrets (user_id, provider, api_key) VALUES ('carol', 'mistral', 'some-key-of-carol-0000000001') RETURNING user_id, provider;
INSERT INTO hftok.provider_secrets (provider, api_key) VALUES ('mistral', 'some-key-of-nobody-000000001');
DELETE FROM hftok.provider_secrets WHERE user_id = 'carol' AND provider = 'mistral' RETURNING user_id, provider;
RESET SESSION AUTHORIZATION;
SELECT pg_temp.faults();

-- A superuser's keys are sealed too when they are written into the table, by INSERT and by COPY.
COPY hftok_private.user_api_keys (user_id, service, api_key) FROM stdin;
dora	openai	sk-proj-dora0000000000000001
dora	groq	groq-key-of-dora-00000000001
\.
SELECT * FROM pg_temp.keys('dora');
INSERT INTO hftok_private.user_api_keys (user_id, service, api_key) VALUES ('dora', 'mistral', 'some-key-of-dora-00000000001');
SELECT service, api_key FROM hftok_private.user_api_keys WHERE user_id = 'dora' ORDER BY service;
SELECT pg_temp.faults();
-- Restoring: the secrets are copied back, and the rows are there again.
CREATE TEMP TABLE dumped AS SELECT * FROM hftok_private.secrets;
CREATE TEMP TABLE dumped_versions AS SELECT * FROM hftok_private.secret_versions;
CREATE TEMP TABLE rows_before AS SELECT * FROM hftok_private.user_api_keys;
BEGIN;
DELETE FROM hftok_private.secrets;
SELECT count(*) AS left FROM hftok_private.user_api_keys;
SET LOCAL row_security = off;
INSERT INTO hftok_private.secrets SELECT * FROM dumped;
INSERT INTO hftok_private.secret_versions SELECT * FROM dumped_versions;
SELECT count(*) AS missing FROM (SELECT id, user_id, service, api_key, created_at, updated_at FROM rows_before EXCEPT SELECT id, user_id, service, api_key, created_at, updated_at FROM hftok_private.user_api_keys) m;
SELECT count(*) AS more FROM (SELECT id, user_id, service, api_key FROM hftok_private.user_api_keys EXCEPT SELECT id, user_id, service, api_key FROM rows_before) m;
COMMIT;
SELECT * FROM pg_temp.keys('dora');
SELECT pg_temp.faults();
-- With triggers off nothing but a mask goes in.
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO hftok_private.user_api_keys (user_id, service, api_key) VALUES ('dora', 'cohere', 'plain-key-of-dora-0000000001');
ROLLBACK;
SELECT count(*) AS plain FROM hftok_private.user_api_keys WHERE api_key !~ '•';

-- No field of an error holds a key.
CREATE FUNCTION pg_temp.refusal(statement text, key text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text; context text;
BEGIN
    EXECUTE statement USING key;
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    RETURN concat_ws(' | ', state, message, CASE WHEN concat(message, detail, hint, context) ~ 's3kr3t' THEN 'HOLDS THE VALUE: ' || concat_ws(' / ', detail, context) END);
END
$$;
SET ROLE hftok_service;
SELECT statement, key, pg_temp.refusal('INSERT INTO hftok.user_api_keys (user_id, service, api_key) ' || statement, key) AS refusal
FROM (VALUES ('VALUES (''dora'', ''openai'', $1)', 'sk-proj-s3kr3t00000000000001'), ('VALUES (''eve'', ''openai'', $1)', 'Bearer s3kr3t'), ('VALUES (''eve'', ''unheard of'', $1)', 's3kr3t'),
    ('VALUES (''eve'', NULL, $1)', 's3kr3t'), ('VALUES (NULL, ''openai'', $1)', 's3kr3t'), ('VALUES ('''', ''openai'', $1)', 's3kr3t'), ('VALUES (''eve'', ''openai'', $1)', 's3kr3t••••'),
    ('VALUES (''eve'', ''openai'', $1), (''eve'', ''openai'', $1)', 'sk-proj-s3kr3t00000000000001'),
    ('VALUES (''eve'', ''openai'', $1), (''eve'', ''openai'', $1) ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key', 'sk-proj-s3kr3t00000000000001')) s (statement, key);
SELECT statement, key, pg_temp.refusal('UPDATE hftok.user_api_keys SET ' || statement, key) AS refusal
FROM (VALUES ('api_key = $1 WHERE user_id = ''dora''', 'Bearer s3kr3t'), ('api_key = $1, service = NULL WHERE user_id = ''dora''', 's3kr3t'), ('api_key = $1, user_id = ''eve'' WHERE user_id = ''dora''', 's3kr3t'),
    ('api_key = $1, user_id = NULL WHERE user_id = ''dora''', 's3kr3t')) s (statement, key);
RESET ROLE;
SET ROLE hftok_user;
SELECT pg_temp.refusal('INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES (''dora'', ''cohere'', $1)', 'key-s3kr3t');
RESET ROLE;
SELECT count(*) AS stored FROM hftok_private.user_api_keys WHERE user_id = 'eve';
SELECT pg_temp.faults();

-- Triggers of somebody else on the table, and a statement within the statement: the outer one is not told that its key was stored when it was not.
CREATE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.user_id = 'outer' THEN
        INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('inner', NEW.service, 'key-of-the-inner-one-0000001');
    END IF;
    RETURN NEW;
END
$$;
BEGIN;
CREATE TRIGGER z_meddle BEFORE INSERT ON hftok_private.user_api_keys FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle();
SAVEPOINT before;
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('outer', 'groq', 'key-of-the-outer-one-0000001');
ROLLBACK TO before;
SELECT pg_temp.faults();
ROLLBACK;

-- A mask does not tell how long the key is.
SELECT DISTINCT length(api_key) FROM hftok_private.user_api_keys;

DELETE FROM hftok.user_api_keys;
SELECT count(*) AS left FROM hftok.credentials WHERE scope = 'user';
DELETE FROM hftok.credentials;
SELECT kind, checked - (SELECT count(*) FROM hftok_private.data_keys WHERE state <> 'destroyed') AS left, failed FROM hftok.verify();
\i tests/sql/include/gateway_end.sql
