-- Who may do what: each group role and a role with nothing, against every function and view; first as the catalog
-- says it, then as it is when it is tried. And what a DBA adds: a policy of their own reaches every view.

\set VERBOSITY terse
\i tests/sql/include/await.sql
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_nobody, regress_reader, regress_intern;
RESET client_min_messages;
CREATE ROLE regress_nobody;

-- What the catalog says.
SELECT p.oid::regproc AS function,
    string_agg(CASE WHEN has_function_privilege(r.role, p.oid, 'EXECUTE') THEN r.short END, ' ' ORDER BY r.short) AS may_execute
FROM pg_proc p, (VALUES ('hftok_user', 'user'), ('hftok_service', 'service'), ('hftok_admin', 'admin'), ('hftok_auditor', 'auditor'),
    ('regress_nobody', 'nobody')) r (role, short)
WHERE p.pronamespace IN ('hftok'::regnamespace, 'hftok_private'::regnamespace)
GROUP BY p.oid ORDER BY p.oid::regproc::text COLLATE "C";
SELECT c.oid::regclass AS relation, r.role,
    array_remove(ARRAY(SELECT CASE WHEN has_table_privilege(r.role, c.oid, p) THEN p END
        FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) p), NULL) AS privileges,
    array_remove(ARRAY(SELECT CASE WHEN has_any_column_privilege(r.role, c.oid, p) THEN p END
        FROM unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) p), NULL) AS on_columns
FROM pg_class c, unnest('{hftok_user,hftok_service,hftok_admin,hftok_auditor,regress_nobody}'::name[]) r (role)
WHERE c.relnamespace IN ('hftok'::regnamespace, 'hftok_private'::regnamespace) AND c.relkind IN ('r', 'v')
ORDER BY c.oid::regclass::text COLLATE "C", r.role;
SELECT n.nspname, r.role, has_schema_privilege(r.role, n.oid, 'USAGE') AS usage, has_schema_privilege(r.role, n.oid, 'CREATE') AS "create"
FROM pg_namespace n, unnest('{hftok_owner,hftok_user,hftok_service,hftok_admin,hftok_auditor,regress_nobody}'::name[]) r (role)
WHERE n.nspname IN ('hftok', 'hftok_private') ORDER BY n.nspname, r.role;

-- What happens. Everything is tried under SET ROLE and taken back; seal and unseal, which cannot be, only by those who may not.
SELECT hftok.create_secret('value', 'secret', 'of the vault') AS id \gset
SELECT hftok.update_secret(:'id', 'second');
CREATE FUNCTION pg_temp.attempt(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE statement;
    RAISE EXCEPTION USING ERRCODE = 'RB000';
EXCEPTION
    WHEN SQLSTATE 'RB000' THEN RETURN 'done';
    WHEN OTHERS THEN RETURN SQLSTATE;
END
$$;
CREATE TEMP TABLE attempts (number serial, statement text);
INSERT INTO attempts (statement) VALUES
    ('SELECT hftok.create_secret(''x'', ''new'')'), ('SELECT hftok.update_secret($ID, ''x'')'), ('SELECT hftok.put_secret(''secret'', ''x'')'),
    ('SELECT hftok.get_secret(''secret'')'), ('SELECT hftok.get_secret(''secret'', 1)'), ('SELECT hftok.restore_secret($ID, 1)'),
    ('SELECT hftok.delete_secret($ID)'), ('SELECT hftok.secret_history($ID)'), ('SELECT hftok.find_secret(''value'')'),
    ('SELECT hftok.status()'), ('SELECT hftok.verify()'), ('SELECT hftok.logging_risks()'), ('SELECT hftok.whoami()'),
    ('SELECT hftok.enable_rpc()'), ('SELECT hftok.disable_rpc()'), ('SELECT * FROM hftok.secrets'), ('SELECT count(*) FROM hftok.secrets'),
    ('SELECT * FROM hftok.decrypted_secrets'), ('SELECT name FROM hftok.decrypted_secrets'), ('SELECT count(*) FROM hftok.decrypted_secrets'),
    ('DELETE FROM hftok.decrypted_secrets'), ('UPDATE hftok.decrypted_secrets SET description = ''x'''), ('DELETE FROM hftok.secrets'),
    ('UPDATE hftok.secrets SET description = ''x'''), ('INSERT INTO hftok.secrets (id) VALUES (gen_random_uuid())'),
    ('TRUNCATE hftok_private.secrets'), ('SELECT FROM hftok_private.secrets'), ('SELECT FROM hftok_private.secret_versions'),
    ('SELECT FROM hftok_private.data_keys'), ('INSERT INTO hftok_private.data_keys DEFAULT VALUES'),
    ('SELECT hftok_private.keyring_state()'), ('SELECT hftok_private.read_keyring(false)'), ('SELECT hftok_private.fingerprints(''value'')'),
    ('SELECT hftok_private.open_vault_row(''hftok'', $ID, 1, '''', '''', '''', ''secret'', NULL, NULL, '''')'),
    ('SELECT hftok_private.set_rpc(true, ''regress_nobody'', ''hftok_service'')'), ('CREATE TABLE hftok.strange ()'),
    ('CREATE TABLE hftok_private.strange ()'), ('DROP VIEW hftok.secrets'), ('ALTER FUNCTION hftok.seal OWNER TO regress_nobody'),
    ('DROP EXTENSION hftok CASCADE'), ('SHOW hftok.key_file'), ('SHOW hftok.key_command'), ('SHOW hftok.gateways'),
    ('SET hftok.gateways = ''x'''), ('SET hftok.max_secret_size = ''2 MB'''), ('SET hftok.unheard_of = 1');
-- Of somebody else: whoever is refused, or finds nothing, is refused what they would not know of.
SELECT (hftok.save_credential('openai', 'sk-proj-first000000000000000', p_user_id => 'alice')).secret_id AS credential \gset
SELECT (hftok.save_credential('openai', 'sk-proj-second00000000000000', p_user_id => 'alice', p_expires_at => now() + interval '1 day')).version;
SELECT hftok.create_integration_with_vault('made', 'openai', 'sk-proj-integrated0000000000', p_user_id => 'alice') AS integration \gset
SELECT hftok.add_member('acme', 'alice', 'owner'), hftok.grant_administrator('alice'), hftok.record_usage(:'credential');
SELECT hftok.get_secret('secret');
CALL pg_temp.await('EXISTS (SELECT FROM hftok.usage_daily)');
CALL pg_temp.await_audit();
INSERT INTO attempts (statement) VALUES
    ('SELECT hftok.save_credential(''openai'', ''$KEY'')'), ('SELECT hftok.save_credential(''openai'', ''$KEY'', p_user_id => ''alice'')'),
    ('SELECT hftok.save_credential(''openai'', ''$KEY'', p_org_id => ''acme'')'), ('SELECT hftok.save_credential(''openai'', ''$KEY'', p_global => true)'),
    ('SELECT hftok.save_hf_token(''$KEY'', p_user_id => ''alice'')'), ('SELECT hftok.save_credentials(''[]'')'),
    ('SELECT hftok.check_credential(''openai'', ''$KEY'')'), ('SELECT hftok.delete_credential(''openai'')'),
    ('SELECT hftok.delete_credential(''openai'', p_user_id => ''alice'')'), ('SELECT hftok.delete_credential(''openai'', p_global => true)'),
    ('SELECT hftok.report_credential($CREDENTIAL, ''verified'')'), ('SELECT hftok.resolve_token(''openai'', ''alice'')'),
    ('SELECT hftok.resolve_hf_token(''alice'')'), ('SELECT hftok.previous_token($CREDENTIAL)'), ('SELECT hftok.runner_env(''{openai}'', ''alice'')'),
    ('SELECT hftok.explain_token(''openai'')'), ('SELECT hftok.explain_token(''openai'', ''alice'')'), ('SELECT hftok.explain_token(''openai'', p_org_id => ''acme'')'),
    ('SELECT hftok.token_provided(''openai'')'), ('SELECT hftok.token_provided(''openai'', ''alice'')'),
    ('SELECT hftok.add_member(''acme'', ''bob'')'), ('SELECT hftok.add_member(''new'', ''bob'', ''owner'')'), ('SELECT hftok.remove_member(''acme'', ''bob'')'),
    ('SELECT hftok.grant_administrator(''bob'')'), ('SELECT hftok.revoke_administrator(''alice'')'), ('SELECT hftok.forget_user(''alice'')'),
    ('SELECT hftok.forget_org(''acme'')'), ('SELECT hftok.register_provider(''{"id": "own", "label": "Own", "fields": [{"name": "key", "secret": true}]}'')'),
    ('SELECT hftok.unregister_provider(''nobody knows'')'),
    ('SELECT hftok.create_integration_with_vault(''x'', ''openai'', ''$KEY'')'), ('SELECT hftok.create_integration_with_vault(''x'', ''openai'', ''$KEY'', p_user_id => ''bob'')'),
    ('SELECT hftok.get_integration_credentials($INTEGRATION, ''alice'')'), ('SELECT hftok.update_integration($INTEGRATION, ''x'')'),
    ('SELECT hftok.update_integration($INTEGRATION, ''x'', p_user_id => ''alice'')'), ('SELECT hftok.update_integration($INTEGRATION, ''x'', p_user_id => ''bob'')'),
    ('SELECT hftok.update_integration_credentials($INTEGRATION, ''$KEY'', ''alice'')'), ('SELECT hftok.update_integration_status($INTEGRATION, ''error'', p_user_id => ''alice'')'),
    ('SELECT hftok.share_integration($INTEGRATION, ''acme'', ''alice'')'), ('SELECT hftok.unshare_integration($INTEGRATION, ''acme'', ''alice'')'),
    ('SELECT 1 / hftok.delete_integration_with_vault($INTEGRATION, ''alice'')::int'), ('SELECT hftok.record_usage($CREDENTIAL)'),
    ('SELECT 1 / count(*) FROM hftok.credentials'), ('SELECT 1 / count(*) FROM hftok.expiring_credentials'), ('SELECT 1 / count(*) FROM hftok.members'), ('SELECT 1 / count(*) FROM hftok.administrators'),
    ('SELECT 1 / count(*) FROM hftok.integrations'), ('SELECT 1 / count(*) FROM hftok.usage_daily'), ('SELECT 1 / count(*) FROM hftok.user_api_keys'),
    ('SELECT 1 / count(*) FROM hftok.provider_secrets'), ('SELECT 1 / count(*) FROM hftok.providers'),
    ('WITH c AS (UPDATE hftok.credentials SET label = ''x'' RETURNING 1) SELECT 1 / count(*) FROM c'), ('UPDATE hftok.credentials SET version = 7'),
    ('UPDATE hftok.credentials SET scope_id = ''bob'''), ('UPDATE hftok.credentials SET writable = true'),
    ('WITH c AS (DELETE FROM hftok.credentials RETURNING 1) SELECT 1 / count(*) FROM c'), ('INSERT INTO hftok.credentials (secret_id) VALUES (gen_random_uuid())'),
    ('DELETE FROM hftok.expiring_credentials'), ('INSERT INTO hftok.members (org_id, user_id, role) VALUES (''acme'', ''bob'', ''owner'')'), ('DELETE FROM hftok.members'),
    ('INSERT INTO hftok.administrators (user_id) VALUES (''bob'')'), ('DELETE FROM hftok.administrators'), ('UPDATE hftok.integrations SET name = ''x'''),
    ('DELETE FROM hftok.integrations'), ('UPDATE hftok.usage_daily SET cost = 0'), ('DELETE FROM hftok.providers'), ('INSERT INTO hftok.providers (name) VALUES (''x'')'), ('DELETE FROM hftok.provider_secrets'),
    ('INSERT INTO hftok.user_api_keys (service, api_key) VALUES (''openai'', ''$KEY'')'), ('INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES (''bob'', ''openai'', ''$KEY'')'),
    ('WITH c AS (UPDATE hftok.user_api_keys SET api_key = ''$KEY'' RETURNING 1) SELECT 1 / count(*) FROM c'),
    ('WITH c AS (DELETE FROM hftok.user_api_keys RETURNING 1) SELECT 1 / count(*) FROM c'),
    ('SELECT FROM hftok_private.integrations'), ('SELECT FROM hftok_private.user_api_keys'), ('SELECT hftok_private.caller_id()'),
    ('SELECT hftok_private.explain(''openai'', NULL, NULL, NULL, NULL, NULL)'), ('SELECT hftok_private.forget(''user'', ''alice'')'),
    ('SELECT hftok_private.forget_user_as_owner(''alice'')'), ('SELECT hftok_private.vault_create_secret(''x'', ''x'', '''', NULL)'),
    ('SELECT hftok_private.lock_api_key(''alice'', ''openai'')'), ('SELECT hftok_private.save_staged(''alice'', ''openai'')'), ('SHOW hftok.environment'), ('SHOW hftok.overlap'),
    ('INSERT INTO hftok.expiring_credentials (secret_id) VALUES (gen_random_uuid())'), ('UPDATE hftok.expiring_credentials SET label = ''x'''),
    ('INSERT INTO hftok.integrations (name) VALUES (''x'')'), ('INSERT INTO hftok.usage_daily (cost) VALUES (1)'), ('DELETE FROM hftok.usage_daily');
-- The audit: read by those who audit and those who run it, and by users as far as they are concerned; written by nobody.
INSERT INTO attempts (statement) VALUES
    ('SELECT hftok.audit_head()'), ('SELECT hftok.verify_audit()'), ('SELECT hftok.verify_audit(1, 1)'), ('SELECT hftok.purge_audit(''2000-01-01'')'),
    ('SELECT 1 / count(*) FROM hftok.audit_events WHERE actor_user <> ''role:'' || current_user'), ('SELECT 1 / count(*) FROM hftok.recent_reveals'), ('SELECT count(*) FROM hftok.refusals_by_role'),
    ('SELECT count(*) FROM hftok.unused_secrets'), ('SELECT count(*) FROM hftok.new_applications'),
    ('INSERT INTO hftok.audit_events (id) VALUES (0)'), ('UPDATE hftok.audit_events SET actor_user = ''bob'''), ('DELETE FROM hftok.audit_events'),
    ('INSERT INTO hftok.recent_reveals (action) VALUES (''x'')'), ('UPDATE hftok.recent_reveals SET action = ''x'''), ('DELETE FROM hftok.recent_reveals'),
    ('INSERT INTO hftok.refusals_by_role (action) VALUES (''x'')'), ('UPDATE hftok.refusals_by_role SET action = ''x'''), ('DELETE FROM hftok.refusals_by_role'),
    ('INSERT INTO hftok.unused_secrets (label) VALUES (''x'')'), ('UPDATE hftok.unused_secrets SET label = ''x'''), ('DELETE FROM hftok.unused_secrets'),
    ('INSERT INTO hftok.new_applications (reveals) VALUES (1)'), ('UPDATE hftok.new_applications SET reveals = 1'), ('DELETE FROM hftok.new_applications'),
    ('SELECT FROM hftok_private.audit'), ('SELECT FROM hftok_private.audit_pending'), ('SELECT FROM hftok_private.audit_stub'), ('SELECT FROM hftok_private.secret_usage'), ('SELECT FROM hftok_private.changes'),
    ('INSERT INTO hftok_private.audit_pending (event) VALUES ('''')'), ('SELECT hftok_private.record_change(''x'')'), ('SELECT hftok_private.record_verify()'),
    ('SELECT hftok_private.record_refusal(''x'', ''x'', NULL)'), ('SELECT hftok_private.report_usage($CREDENTIAL, ''user'', ''alice'', ''openai'', 1, 1, ''1'', ''USD'')'), ('SELECT hftok_private.audit_state()'), ('SELECT hftok_private.audit_faults()'), ('SELECT hftok_private.pending_event('''', NULL, 1)'),
    ('SHOW hftok.audit'), ('SET hftok.audit = ''sync'''), ('SET hftok.audit_timeout = 1'), ('SET hftok.audit_flush_interval = 60000'), ('SET hftok.audit_retention = 0');
UPDATE attempts SET statement = replace(replace(replace(replace(statement, '$ID', quote_literal(:'id')), '$CREDENTIAL', quote_literal(:'credential')),
    '$INTEGRATION', quote_literal(:'integration')), '$KEY', 'sk-proj-anew0000000000000000');
SELECT regexp_replace(statement, '[0-9a-f-]{36}', 'ID') AS statement, pg_temp.attempt('hftok_user', statement) AS "user",
    pg_temp.attempt('hftok_service', statement) AS service, pg_temp.attempt('hftok_admin', statement) AS admin,
    pg_temp.attempt('hftok_auditor', statement) AS auditor, pg_temp.attempt('regress_nobody', statement) AS nobody
FROM attempts ORDER BY number;
-- By whoever has every privilege, too: these views show what lies elsewhere.
DELETE FROM hftok.providers;
UPDATE hftok.provider_secrets SET label = 'x';
-- Refused by a function of ours is not the same as refused the function: what each says.
SET ROLE hftok_user;
SELECT hftok.save_credential('openai', 'sk-proj-anew0000000000000000', p_user_id => 'alice');
SELECT hftok.save_credential('openai', 'sk-proj-anew0000000000000000', p_global => true);
SELECT hftok.resolve_token('openai', 'alice');
RESET ROLE;
SELECT hftok.forget_user('alice'), hftok.forget_org('acme');
DELETE FROM hftok_private.usage_daily;
SELECT role, pg_temp.attempt(role, 'SELECT hftok.seal()') AS seal, pg_temp.attempt(role, 'SELECT hftok.unseal()') AS unseal
FROM unnest('{hftok_user,hftok_service,hftok_auditor,regress_nobody}'::name[]) role;
SELECT role, pg_has_role(role, 'hftok_owner', 'MEMBER') AS may_become_owner
FROM unnest('{hftok_user,hftok_service,hftok_admin,hftok_auditor,regress_nobody}'::name[]) role;
-- One who has no grant option cannot pass on what they have: Postgres warns, and nothing is given.
SET ROLE hftok_admin;
GRANT EXECUTE ON FUNCTION hftok.get_secret TO regress_nobody;
RESET ROLE;
SELECT has_function_privilege('regress_nobody', 'hftok.get_secret(text, int, text)', 'EXECUTE') AS given;

-- The opener lies in a schema that nobody can name, but views can be made to call it: it asks for the right to read the column,
-- and of whom it asks is the one who runs the query, not who made the view.
CREATE ROLE regress_reader;
GRANT USAGE ON SCHEMA hftok TO regress_reader;
GRANT SELECT ON hftok.decrypted_secrets TO regress_reader;
CREATE VIEW stolen AS SELECT hftok_private.open_vault_row('hftok', s.id, s.version, s.scope_id, s.provider, s.model, s.name,
    s.allowed_hosts, s.expires_at, s.sealed) FROM hftok_private.secrets s;
GRANT SELECT ON stolen TO regress_nobody, regress_reader;
SELECT role, pg_temp.attempt(role, 'SELECT * FROM stolen') FROM unnest('{regress_nobody,regress_reader}'::name[]) role;
DROP VIEW stolen;
-- Who monitors needs nothing but this one function; a user needs to be an administrator.
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
SELECT hftok_private.open_vault_row('regress_own', s.id, s.version, '', '', '', s.name, NULL, NULL, decode(d.secret, 'base64'))
FROM hftok.secrets s JOIN hftok.decrypted_secrets d USING (id) WHERE s.name = 'kept';
SELECT hftok_private.open_vault_row('hftok', s.id, s.version, '', '', '', s.name, NULL, NULL, decode(d.secret, 'base64'))
FROM hftok.secrets s JOIN hftok.decrypted_secrets d USING (id) WHERE s.name = 'kept';
-- Of credentials, organisations and the rest they see and write what anybody does who is nobody: nothing.
RESET ROLE;
SELECT count(hftok.save_credential('openai', 'sk-proj-first000000000000000', p_user_id => 'alice')), count(hftok.add_member('acme', 'alice', 'owner')),
    count(hftok.create_integration_with_vault('x', 'openai', 'sk-proj-first000000000000000', p_user_id => 'alice'));
SELECT hftok.grant_administrator('alice'), hftok.record_usage(secret_id) FROM hftok.credentials;
SET ROLE regress_backup;
SELECT (SELECT count(*) FROM hftok_private.secrets) AS secrets, (SELECT count(*) FROM hftok_private.secret_versions) AS versions,
    (SELECT count(*) FROM hftok_private.data_keys) AS keys, (SELECT count(*) FROM hftok_private.members) AS members,
    (SELECT count(*) FROM hftok_private.administrators) AS administrators, (SELECT count(*) FROM hftok_private.integrations) AS integrations,
    (SELECT count(*) FROM hftok_private.user_api_keys) AS api_keys, (SELECT count(*) FROM hftok_private.usage_daily) AS usage;
SELECT (SELECT count(*) FROM hftok_private.audit WHERE actor_user IS DISTINCT FROM 'role:regress_backup') AS audit, (SELECT count(*) FROM hftok_private.audit_pending) AS pending,
    (SELECT count(*) FROM hftok_private.audit_stub) AS stubs, (SELECT count(*) FROM hftok_private.secret_usage) AS uses;
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
INSERT INTO hftok_private.audit_stub (id, chain_hash, signature) VALUES (1, '', '');
INSERT INTO hftok_private.user_api_keys (user_id, service, api_key) VALUES ('alice', 'groq', 'x');
UPDATE hftok.credentials SET label = 'x' WHERE scope_id = 'alice';
SELECT hftok.save_credential('openai', 'sk-proj-anew0000000000000000');
SELECT hftok_private.explain('openai', 'alice', NULL, NULL, NULL, NULL);
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
