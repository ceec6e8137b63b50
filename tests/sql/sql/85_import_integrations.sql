-- Moving in: an application's table of integrations. Each keeps its id, and all that it says of itself.

\set VERBOSITY terse
\encoding UTF8
\pset null ~
SET timezone = 'UTC';
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_operator, regress_app;
CREATE ROLE regress_operator IN ROLE hftok_admin;
CREATE ROLE regress_app;
CREATE SCHEMA regress_app AUTHORIZATION regress_app;
SET ROLE regress_app;
CREATE TYPE regress_app.status AS ENUM ('pending', 'connected', 'error', 'disabled', 'verifying', 'paused');
CREATE TABLE regress_app.keys (id uuid PRIMARY KEY, secret text);
CREATE TABLE regress_app.integrations (
    id uuid PRIMARY KEY, user_id uuid, name text, type text, status regress_app.status, config jsonb DEFAULT '{}', secret_id uuid, created_at timestamptz
);
CREATE FUNCTION regress_app.i(int) RETURNS uuid LANGUAGE sql AS $$ SELECT ('11111111-0000-4000-8000-' || lpad($1::text, 12, '0'))::uuid $$;
CREATE FUNCTION regress_app.u(int) RETURNS uuid LANGUAGE sql AS $$ SELECT ('22222222-0000-4000-8000-' || lpad($1::text, 12, '0'))::uuid $$;
INSERT INTO regress_app.keys SELECT regress_app.i(n), CASE n
    WHEN 3 THEN '{"access_key_id": "AKIA000000000000IMPO", "secret_access_key": "0000000000000000000000000000000000000imp", "region": "us-east-1"}'
    WHEN 4 THEN '{"api_key": "sk-proj-import00000000000000004"}' WHEN 6 THEN 'changeme' WHEN 8 THEN '' ELSE 'sk-proj-import0000000000000000' || n END
FROM generate_series(1, 12) n;
INSERT INTO regress_app.integrations VALUES
    (regress_app.i(1), regress_app.u(1), 'first', 'openai', 'connected', '{"model": "gpt"}', regress_app.i(1), '2024-02-03 04:05:06+00'),
    (regress_app.i(2), regress_app.u(1), 'second', 'OpenAI', 'error', NULL, regress_app.i(2), '2024-02-03'),
    (regress_app.i(3), regress_app.u(2), 'several fields', 'aws', 'disabled', DEFAULT, regress_app.i(3), NULL),
    (regress_app.i(4), regress_app.u(2), ' ', 'openai', 'verifying', DEFAULT, regress_app.i(4), 'infinity'),
    (regress_app.i(5), regress_app.u(2), 'unknown', 'no such provider', 'paused', DEFAULT, regress_app.i(5), now()),
    (regress_app.i(6), regress_app.u(2), 'no value', 'openai', 'paused', DEFAULT, regress_app.i(6), now()),
    (regress_app.i(7), NULL, 'nobody''s', 'openai', 'paused', DEFAULT, regress_app.i(7), now()),
    (regress_app.i(8), regress_app.u(2), 'opens to nothing', 'openai', 'paused', DEFAULT, regress_app.i(8), now()),
    (regress_app.i(9), regress_app.u(2), 'none yet', 'openai', 'pending', DEFAULT, NULL, now()),
    (regress_app.i(10), regress_app.u(2), repeat('n', 1025), 'openai', 'pending', DEFAULT, regress_app.i(10), now()),
    (regress_app.i(11), regress_app.u(2), 'dangles', 'openai', 'pending', DEFAULT, regress_app.i(99), now());
GRANT USAGE ON SCHEMA regress_app TO PUBLIC;
GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA regress_app TO regress_operator;
RESET ROLE;
CREATE VIEW regress_app.opened AS SELECT k.id, k.secret AS decrypted_secret FROM regress_app.keys k;
GRANT SELECT ON regress_app.opened TO regress_operator;
CREATE TABLE pg_temp.calls AS SELECT $$CALL hftok.import_integrations('regress_app.integrations', 'id', 'user_id', 'name', 'type', 'secret_id', 'config',
    '(SELECT o.decrypted_secret FROM regress_app.opened o WHERE o.id = secret_id)')$$ AS call;
SELECT call FROM pg_temp.calls \gset
RESET client_min_messages;
CREATE FUNCTION pg_temp.moved() RETURNS TABLE (id text, usr text, name text, type text, status text, enabled boolean, config jsonb, migrated boolean, created_at timestamptz) LANGUAGE sql AS $$
    SELECT right(i.id::text, 2), right(i.user_id, 2), i.name, i.type, i.status, i.enabled, i.config, i.credentials_migrated,
        CASE WHEN i.created_at < '2025-01-01' THEN i.created_at END
    FROM hftok_private.integrations i WHERE i.id::text LIKE '11111111%' ORDER BY i.id
$$;
CREATE FUNCTION pg_temp.report(dry_run boolean DEFAULT false) RETURNS TABLE (key text, outcome text, reason text, provider text, scope text, owner text) LANGUAGE sql AS $$
    SELECT right(r.key, 2), r.outcome, r.reason, r.provider, r.scope, right(r.scope_id, 2) FROM hftok.import_report r
    WHERE r.source = 'regress_app.integrations.secret_id' AND r.key IS NOT NULL AND r.dry_run = $1 ORDER BY r.key
$$;

-- Who may, and what is refused.
SET ROLE hftok_service;
:call;
SET ROLE regress_operator;
BEGIN;
:call;
ROLLBACK;
CALL hftok.import_integrations('regress_app.integrations', 'id', NULL, 'name', 'type', 'secret_id');
CALL hftok.import_integrations('regress_app.integrations', 'id', 'user_id', 'none', 'type', 'secret_id');
CALL hftok.import_integrations('regress_app.integrations', 'id', 'user_id', 'name', 'type', 'secret_id', p_status_column => 'none');
CALL hftok.import_integrations('regress_app.integrations', 'id', 'user_id', 'name', 'type', 'name');
CALL hftok.import_integrations('regress_app.integrations', 'name', 'user_id', 'name', 'type', 'secret_id');
CALL hftok.import_integrations('regress_app.integrations', 'id', 'user_id', 'name', 'type', 'secret_id', p_batch => 0);
CALL hftok.import_integrations('regress_app.integrations', 'id', 'user_id', 'name', 'type', 'secret_id', p_open => '''leak-canary''::int::text');

-- A dry run, then the run, then again: nothing changes. DateStyle is the session's.
CALL hftok.import_integrations('regress_app.integrations', 'id', 'user_id', 'name', 'type', 'secret_id', 'config',
    '(SELECT o.decrypted_secret FROM regress_app.opened o WHERE o.id = secret_id)', p_dry_run => true);
SELECT count(*) FROM hftok.integrations i WHERE i.id::text LIKE '11111111%';
SELECT outcome, count(*) FROM pg_temp.report(true) GROUP BY 1 ORDER BY 1;
SET DateStyle = 'SQL, DMY';
:call;
SET DateStyle = 'ISO, MDY';
SELECT * FROM pg_temp.report();
RESET ROLE;
SELECT * FROM pg_temp.moved();
SELECT i.id, hftok.get_integration_credentials(i.id, i.user_id) FROM hftok.integrations i WHERE i.id IN (regress_app.i(1), regress_app.i(2), regress_app.i(4)) ORDER BY 1;
SELECT hftok.get_integration_credentials(regress_app.i(3), regress_app.u(2)::text);
SELECT hftok.update_integration(regress_app.i(3), p_enabled => true, p_user_id => regress_app.u(2)::text);
SELECT hftok.get_integration_credentials(regress_app.i(3), regress_app.u(2)::text) ->> 'region' AS region;
SELECT failed FROM hftok.verify() WHERE kind = 'total';
CREATE TABLE pg_temp.before AS SELECT i.id, i.updated_at, s.version FROM hftok.integrations i JOIN hftok_private.secrets s ON s.id = i.secret_id;
SET ROLE regress_operator;
:call;
RESET ROLE;
SELECT count(*) AS differ FROM pg_temp.before b JOIN hftok_private.integrations i USING (id) JOIN hftok_private.secrets s ON s.id = i.secret_id
WHERE (b.updated_at, b.version) IS DISTINCT FROM (i.updated_at, s.version);

-- What the application changes meanwhile is taken in; what was changed in hftok stays, and what was deleted there is not made again.
UPDATE regress_app.integrations SET secret_id = regress_app.i(12) WHERE id = regress_app.i(1);
SELECT hftok.update_integration_credentials(regress_app.i(2), 'sk-proj-import0000000000000000new', regress_app.u(1)::text);
SELECT hftok.delete_integration_with_vault(regress_app.i(4), regress_app.u(2)::text);
-- Another user, another provider under an id that hftok has.
UPDATE regress_app.integrations SET user_id = regress_app.u(3) WHERE id = regress_app.i(3);
SET ROLE regress_operator;
:call;
SELECT * FROM pg_temp.report() WHERE key IN ('01', '02', '03', '04');
RESET ROLE;
SELECT hftok.get_integration_credentials(regress_app.i(1), regress_app.u(1)::text) AS changed, hftok.get_integration_credentials(regress_app.i(2), regress_app.u(1)::text) AS kept;
SELECT * FROM pg_temp.moved();
UPDATE regress_app.integrations SET user_id = regress_app.u(2) WHERE id = regress_app.i(3);

-- Emptied as any other column.
SET ROLE regress_operator;
:call;
CALL hftok.blank_column('regress_app.integrations', 'secret_id', 'id');
RESET ROLE;
SELECT right(id::text, 2) AS id, secret_id IS NOT NULL AS has_secret FROM regress_app.integrations ORDER BY id;

-- Keys that are no UUID, values that are the column's own, configurations that are none, no status and no time.
CREATE TABLE regress_app.plain (id text PRIMARY KEY, owner text, label text, kind text, credentials text, settings text);
INSERT INTO regress_app.plain VALUES ('1', 'ann', 'x', 'openai', 'sk-proj-plain000000000000000001', NULL),
    ('11111111-0000-4000-8000-000000000021', 'ann', 'x', 'openai', 'sk-proj-plain000000000000000002', 'no JSON'),
    ('11111111-0000-4000-8000-000000000022', 'ann', 'x', 'openai', 'Bearer sk-proj-plain000000000000000003', '[1]'),
    ('11111111-0000-4000-8000-000000000023', 'role:postgres', 'x', 'openai', 'sk-proj-plain000000000000000004', NULL),
    ('11111111-0000-4000-8000-000000000024', 'ann', 'x', 'openai', '{"api_key": ', NULL),
    ('11111111-0000-4000-8000-000000000025', 'ann', 'x', 'openai', 'sk-proj-plain000000000000000005', '{"a": "' || repeat('x', 70000) || '"}');
CALL hftok.import_integrations('regress_app.plain', 'id', 'owner', 'label', 'kind', 'credentials', 'settings');
SELECT right(key, 2) AS key, outcome, reason FROM hftok.import_report WHERE source = 'regress_app.plain.credentials' AND key IS NOT NULL ORDER BY key;
SELECT * FROM pg_temp.moved() WHERE usr = 'nn';
CALL hftok.blank_column('regress_app.plain', 'credentials', 'id');

-- Of organisations: bound to them, reached by their members, and gone with them. Another owner under the same id takes nothing over.
UPDATE regress_app.plain SET owner = 'crew', credentials = 'sk-proj-crew0000000000000000' || right(id, 2) WHERE id LIKE '11111111%';
UPDATE regress_app.plain SET settings = NULL;
CALL hftok.import_integrations('regress_app.plain', 'id', 'owner', 'label', 'kind', 'credentials', 'settings', p_owner => 'team');
CALL hftok.import_integrations('regress_app.plain', 'id', 'owner', 'label', 'kind', 'credentials', 'settings', p_owner => 'org');
SELECT right(key, 2) AS key, outcome, reason, scope, scope_id FROM hftok.import_report WHERE source = 'regress_app.plain.credentials' AND key IS NOT NULL ORDER BY key;
SELECT hftok.add_member('crew', 'cat');
CALL hftok.import_integrations('regress_app.plain', 'id', 'owner', 'label', 'kind', 'credentials', 'settings', p_owner => 'org');
UPDATE regress_app.plain SET credentials = 'sk-proj-crew0000000000000000changed' WHERE id LIKE '%24';
CALL hftok.import_integrations('regress_app.plain', 'id', 'owner', 'label', 'kind', 'credentials', 'settings', p_owner => 'org');
SELECT hftok.get_integration_credentials('11111111-0000-4000-8000-000000000024', 'cat') AS crews;
SELECT hftok.get_integration_credentials('11111111-0000-4000-8000-000000000024', 'ann') AS crews;
-- The same table once more as users': what an organisation has stays the organisation's.
CALL hftok.import_integrations('regress_app.plain', 'id', 'owner', 'label', 'kind', 'credentials', 'settings');
SELECT failed FROM hftok.verify() WHERE kind = 'total';
SELECT integrations, memberships FROM hftok.forget_org('crew');
SELECT count(*) AS lines_left FROM hftok.import_report r WHERE r.scope_id = 'crew' AND r.scope = 'org_integration';
SELECT integrations FROM hftok.forget_user('crew');

-- A user's integrations go with them, and what is remembered of their rows too.
SELECT integrations FROM hftok.forget_user(regress_app.u(1)::text);
SELECT integrations FROM hftok.forget_user(regress_app.u(2)::text);
SELECT integrations FROM hftok.forget_user('ann');
SELECT count(*) AS lines_left FROM hftok.import_report r WHERE r.scope = 'integration' AND r.scope_id IN (regress_app.u(1)::text, regress_app.u(2)::text, 'ann');
SELECT failed FROM hftok.verify() WHERE kind = 'total';
SELECT count(*) AS with_values FROM hftok_private.import_rows r WHERE r::text ~ '(sk-proj-|AKIA|canary)';

SET client_min_messages = warning;
DROP SCHEMA regress_app CASCADE;
DELETE FROM hftok_private.import_rows WHERE source LIKE 'regress_app.%';
DELETE FROM hftok_private.import_sources WHERE source LIKE 'regress_app.%';
DROP ROLE regress_operator, regress_app;
