-- Additions of a DBA: readers and views of their own, functions and policies on top of ours, and the roles that read and write
-- all.

\set VERBOSITY terse
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_nobody, regress_reader, regress_intern;
RESET client_min_messages;
CREATE ROLE regress_nobody;
\i tests/sql/include/attempt.sql
SELECT hftok.put_secret('secret', 'first') IS NOT NULL AS stored;
SELECT hftok.put_secret('secret', 'second') IS NOT NULL AS stored;

-- The opener lies in a schema that nobody can name, but views can be made to call it: it asks for the right to read the column,
-- and of whom it asks is the one who runs the query, not who made the view.
CREATE ROLE regress_reader;
GRANT USAGE ON SCHEMA hftok TO regress_reader;
GRANT SELECT ON hftok.decrypted_secrets TO regress_reader;
CREATE VIEW stolen AS SELECT hftok_private.open_vault_row('hftok', s.id, s.version, s.scope_id, s.provider, s.model, s.name,
    s.slot, s.kind, s.allowed_hosts, s.expires_at, s.sealed) FROM hftok_private.secrets s;
GRANT SELECT ON stolen TO regress_nobody, regress_reader;
SELECT role, pg_temp.attempt(role, 'SELECT * FROM stolen') FROM unnest('{regress_nobody,regress_reader}'::name[]) role;
DROP VIEW stolen;
-- A role that monitors needs nothing but this one function; a user needs to be an administrator.
GRANT EXECUTE ON FUNCTION hftok.status TO regress_reader;
SELECT pg_temp.attempt('regress_reader', 'SELECT hftok.status()');
GRANT hftok_user TO regress_reader;
SELECT pg_temp.attempt('regress_reader', 'SELECT hftok.status()');
REVOKE hftok_user FROM regress_reader;
-- So a view on ours passes nothing on, but a definer of somebody who may read does: that is the way to share one secret.
GRANT EXECUTE ON FUNCTION hftok.get_secret TO regress_reader;
CREATE SCHEMA regress_reader AUTHORIZATION regress_reader;
SET ROLE regress_reader;
CREATE VIEW regress_reader.passed_on AS SELECT name, decrypted_secret FROM hftok.decrypted_secrets;
CREATE FUNCTION regress_reader.shared() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT hftok.get_secret('secret') $$;
CREATE FUNCTION regress_reader.shared_by_view() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT decrypted_secret FROM hftok.decrypted_secrets WHERE name = 'secret' $$;
GRANT USAGE ON SCHEMA regress_reader TO regress_nobody;
GRANT SELECT ON regress_reader.passed_on TO regress_nobody;
SET ROLE regress_nobody;
SELECT name FROM regress_reader.passed_on;
SELECT * FROM regress_reader.passed_on;
SELECT regress_reader.shared(), regress_reader.shared_by_view();
SELECT hftok.get_secret('secret');
RESET ROLE;

-- A reader's own function sees what the view shows and nothing beyond: rows of another owner, which do not exist yet, are
-- made by hand. Row security would protect them too and is taken away; then the barrier, to see that it is what protects.
SET ROLE regress_reader;
CREATE FUNCTION regress_reader.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    RAISE INFO 'seen: %', $1;
    RETURN true;
END
$$;
RESET ROLE;
BEGIN;
ALTER TABLE hftok_private.secrets DISABLE ROW LEVEL SECURITY;
ALTER TABLE hftok_private.secrets DROP CONSTRAINT secrets_words;
INSERT INTO hftok_private.secrets (id, binding_key, scope, scope_id, name, description, version, preview, fingerprint, sealed)
SELECT gen_random_uuid(), gen_random_uuid(), 'user', 'alice', 'of alice', 'of alice', version, preview, fingerprint, sealed FROM hftok_private.secrets;
SET LOCAL ROLE regress_reader;
SELECT name FROM hftok.decrypted_secrets WHERE regress_reader.peek(description);
SELECT name, decrypted_secret FROM hftok.decrypted_secrets WHERE regress_reader.peek(decrypted_secret);
SET LOCAL ROLE hftok_auditor;
SELECT name FROM hftok.secrets;
RESET ROLE;
ALTER VIEW hftok.decrypted_secrets RESET (security_barrier);
SET LOCAL ROLE regress_reader;
SELECT name FROM hftok.decrypted_secrets WHERE regress_reader.peek(description);
ROLLBACK;

-- A policy that a DBA adds to the table reaches the views, by who reads them.
CREATE ROLE regress_intern IN ROLE hftok_service;
SELECT hftok.create_secret('production value', 'prod/database') AS prod \gset
CREATE POLICY regress_interns ON hftok_private.secrets AS RESTRICTIVE
    USING (current_user <> 'regress_intern' OR name NOT LIKE 'prod/%');
SET ROLE regress_intern;
SELECT name FROM hftok.secrets ORDER BY name;
SELECT name, decrypted_secret FROM hftok.decrypted_secrets ORDER BY name;
DELETE FROM hftok.decrypted_secrets WHERE name = 'prod/database';
SET ROLE hftok_service;
SELECT name FROM hftok.secrets ORDER BY name;
SELECT name, decrypted_secret FROM hftok.decrypted_secrets ORDER BY name;
RESET ROLE;
DROP POLICY regress_interns ON hftok_private.secrets;
-- The same for credentials: what the reader is not shown they do not change or delete either.
SELECT count(hftok.save_credential(p, 'key-for-the-policy-test', p_user_id => 'alice', p_label => CASE p WHEN 'groq' THEN 'prod' ELSE 'dev' END))
FROM unnest('{groq,together}'::text[]) p;
CREATE POLICY regress_interns_credentials ON hftok_private.secrets AS RESTRICTIVE
    USING (current_user <> 'regress_intern' OR label <> 'prod');
SET ROLE regress_intern;
SELECT provider, label FROM hftok.credentials ORDER BY provider;
UPDATE hftok.credentials SET enabled = false;
DELETE FROM hftok.credentials WHERE provider = 'groq';
SET ROLE hftok_service;
SELECT provider, label, enabled FROM hftok.credentials ORDER BY provider;
RESET ROLE;
DROP POLICY regress_interns_credentials ON hftok_private.secrets;
DELETE FROM hftok.credentials;
-- In functions the current user is hftok_owner: a policy that asks for something else reaches them too.
CREATE POLICY regress_interns ON hftok_private.secrets AS RESTRICTIVE
    USING (current_setting('regress.intern', true) IS DISTINCT FROM 'yes' OR name NOT LIKE 'prod/%');
SET regress.intern = 'yes';
SET ROLE hftok_admin;
SELECT hftok.get_secret('prod/database');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.get_secret('secret');
SELECT hftok.update_secret(:'prod', 'overwritten');
SELECT hftok.put_secret('prod/database', 'overwritten');
SELECT hftok.restore_secret(:'prod', 1);
SELECT hftok.secret_history(:'prod');
SELECT hftok.delete_secret(:'prod');
SELECT count(*) FROM hftok.find_secret('production value');
SELECT (hftok.status()).secrets;
RESET ROLE;
RESET regress.intern;
DROP POLICY regress_interns ON hftok_private.secrets;
SELECT hftok.get_secret('prod/database');

DELETE FROM hftok.decrypted_secrets;
DROP OWNED BY regress_nobody, regress_reader, regress_intern;
-- Predefined roles that may read and write everything: they read no value, and write nothing that would no longer open.
CREATE ROLE regress_backup IN ROLE pg_read_all_data, pg_write_all_data;
SELECT hftok.put_secret('kept', 'value') IS NOT NULL AS stored;
CREATE SCHEMA regress_own AUTHORIZATION regress_backup;
SET ROLE regress_backup;
SELECT count(*) > 0 AS metadata FROM hftok.secrets;
SELECT decrypted_secret FROM hftok.decrypted_secrets;
UPDATE hftok.secrets SET version = 7;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM hftok.secrets;
UPDATE hftok.decrypted_secrets SET name = 'x';
INSERT INTO hftok.decrypted_secrets (id) VALUES (gen_random_uuid());
UPDATE hftok_private.secrets SET version = 7;
DELETE FROM hftok_private.secrets;
-- A view of their own under the name of ours opens nothing, whatever it hands over.
CREATE VIEW regress_own.decrypted_secrets AS SELECT ''::text AS decrypted_secret;
SELECT hftok_private.open_vault_row('regress_own', s.id, s.version, '', '', '', s.name, '', 'static', NULL, NULL, decode(d.secret, 'base64'))
FROM hftok.secrets s JOIN hftok.decrypted_secrets d USING (id) WHERE s.name = 'kept';
SELECT hftok_private.open_vault_row('hftok', s.id, s.version, '', '', '', s.name, '', 'static', NULL, NULL, decode(d.secret, 'base64'))
FROM hftok.secrets s JOIN hftok.decrypted_secrets d USING (id) WHERE s.name = 'kept';
-- Roles that read and write all see and write of credentials, organisations and the rest as anybody does who is nobody:
-- nothing.
RESET ROLE;
SELECT count(hftok.save_credential('openai', 'sk-proj-first000000000000000', p_user_id => 'alice')), count(hftok.add_member('acme', 'alice', 'owner')),
    count(hftok.create_integration_with_vault('x', 'openai', 'sk-proj-first000000000000000', p_user_id => 'alice'));
SELECT hftok.grant_administrator('alice'), hftok.record_usage(secret_id) FROM hftok.credentials;
INSERT INTO hftok_private.use_counts (first_id, secret_ids, counts, last_used)
SELECT id, ARRAY[id], '{1}', ARRAY[now()] FROM (SELECT uuid 'ffffffff-ffff-ffff-ffff-ffffffffffff' AS id) i;
SET ROLE regress_backup;
SELECT (SELECT count(*) FROM hftok_private.secrets) AS secrets, (SELECT count(*) FROM hftok_private.secret_versions) AS versions,
    (SELECT count(*) FROM hftok_private.data_keys WHERE state <> 'destroyed') AS keys, (SELECT count(*) FROM hftok_private.members) AS members,
    (SELECT count(*) FROM hftok_private.administrators) AS administrators, (SELECT count(*) FROM hftok_private.integrations) AS integrations,
    (SELECT count(*) FROM hftok_private.user_api_keys) AS api_keys, (SELECT count(*) FROM hftok_private.usage_daily) AS usage;
SELECT (SELECT count(*) FROM hftok_private.audit WHERE actor_user IS DISTINCT FROM 'role:regress_backup') AS audit, (SELECT count(*) FROM hftok_private.audit_pending) AS pending,
    (SELECT count(*) FROM hftok_private.audit_bundles) AS bundles, (SELECT count(*) FROM hftok_private.use_counts) AS uses, (SELECT count(*) FROM hftok_private.counted_uses) AS counted;
SELECT (SELECT count(*) FROM hftok.credentials) AS credentials, (SELECT count(*) FROM hftok.members) AS members, (SELECT count(*) FROM hftok.administrators) AS administrators,
    (SELECT count(*) FROM hftok.integrations) AS integrations, (SELECT count(*) FROM hftok.user_api_keys) AS api_keys, (SELECT count(*) FROM hftok.usage_daily) AS usage;
INSERT INTO hftok_private.members (org_id, user_id, role) VALUES ('acme', 'role:regress_backup', 'owner');
INSERT INTO hftok.members (org_id, user_id, role) VALUES ('acme', 'role:regress_backup', 'owner');
INSERT INTO hftok_private.administrators (user_id) VALUES ('role:regress_backup');
INSERT INTO hftok_private.providers (id, definition, signature) VALUES ('openai', '{}', '');
INSERT INTO hftok_private.audit_pending (event) VALUES ('');
INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash) VALUES (0, now(), 'reveal', 'x', 'used', 1, true, '');
WITH a AS (UPDATE hftok_private.audit SET actor_user = 'somebody else' RETURNING 1) SELECT count(*) FROM a;
WITH a AS (DELETE FROM hftok_private.audit RETURNING 1) SELECT count(*) FROM a;
INSERT INTO hftok_private.audit_checkpoints (size, at, root, key_id, signature) VALUES (1, now(), '', 1, '');
INSERT INTO hftok_private.user_api_keys (user_id, service, api_key) VALUES ('alice', 'groq', 'x');
UPDATE hftok.credentials SET label = 'x' WHERE scope_id = 'alice';
SELECT hftok.save_credential('openai', 'sk-proj-anew0000000000000000');
SELECT hftok_private.explain('openai', 'alice', NULL, NULL, NULL, NULL, NULL, NULL);
SELECT hftok_private.caller_is_administrator(), hftok_private.caller_is_in('{hftok_service,hftok_owner}'),
    hftok_private.sees_all('{hftok_service,hftok_owner}', true), (SELECT count(*) FROM hftok_private.visible_credentials()) AS credentials;
SELECT hftok_private.vault_create_secret('x', 'x', '', NULL);
SELECT hftok_private.verify_as_owner();
RESET ROLE;
SELECT label, version FROM hftok.credentials;
SELECT hftok.forget_user('alice');
DELETE FROM hftok_private.usage_daily;
SELECT hftok.get_secret('kept');
DELETE FROM hftok.decrypted_secrets WHERE name = 'kept';
DROP SCHEMA regress_own CASCADE;
DROP ROLE regress_backup;
DROP ROLE regress_nobody, regress_reader, regress_intern;
