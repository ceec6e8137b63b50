-- Moving in: an application's own columns, of every kind of owner, with everything in them that people leave in such columns.
-- What becomes of a row is reported by its key, a second run changes nothing, and only what is safe in hftok is emptied.

\set VERBOSITY terse
\encoding UTF8
\i tests/sql/include/await.sql
\pset null ~
SET timezone = 'UTC';
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_operator, regress_owner;
CREATE ROLE regress_operator IN ROLE hftok_admin;
CREATE ROLE regress_owner;
CREATE SCHEMA regress_app;
\i tests/sql/include/import_sources.sql
GRANT USAGE ON SCHEMA regress_app TO PUBLIC;
GRANT USAGE ON SCHEMA hftok TO regress_owner;
GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA regress_app TO regress_operator, regress_owner;
RESET client_min_messages;
CREATE FUNCTION pg_temp.report(source text, dry_run boolean DEFAULT false) RETURNS TABLE (key text, outcome text, reason text, provider text, scope_id text, model text)
LANGUAGE sql AS $$
    SELECT r.key, r.outcome, r.reason, r.provider, r.scope_id, r.model FROM hftok.import_report r
    WHERE r.source = 'regress_app.' || $1 AND r.dry_run = $2 AND r.key IS NOT NULL ORDER BY length(r.key), r.key COLLATE "C"
$$;

-- Only an operator who can also read the source may import, and not where the import could be undone.
SET ROLE regress_owner;
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface');
CALL hftok.blank_column('regress_app.users', 'huggingface_token', 'id');
SELECT hftok_import.import_value('x', '1', 'hf_x', 'huggingface', p_user_id => 'a');
SELECT hftok_import.import_note('x', '1', 'rejected');
SELECT hftok_import.import_holds('x', '1', 'hf_x');
SELECT hftok_import.import_saw('x', '1', 'hf_x', '{rejected}');
SELECT hftok_import.import_vault_holds(NULL, 'hf_x');
SELECT hftok_import.import_vault_secret(NULL, 'x', 'x', 'x');
SELECT count(*) FROM hftok.import_report;
SET ROLE hftok_service;
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface');
SELECT hftok.import_vault();
RESET ROLE;
REVOKE SELECT ON regress_app.users FROM regress_operator;
SET ROLE regress_operator;
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface');
CALL hftok.blank_column('regress_app.users', 'huggingface_token', 'id');
SELECT * FROM hftok_private.import_rows;
SELECT hftok_private.import_step('x', '1', 'x', 'x', 'x', 'x', 'x', true, 'x', NULL, false);
RESET ROLE;
GRANT SELECT ON regress_app.users TO regress_operator;
SET ROLE regress_operator;
BEGIN;
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface');
ROLLBACK;
BEGIN;
CALL hftok.blank_column('regress_app.users', 'huggingface_token', 'id');
ROLLBACK;

-- Refused arguments.
CALL hftok.import_column(NULL, 'huggingface_token', 'id', 'huggingface');
CALL hftok.import_column('regress_app.users', 'none', 'id', 'huggingface');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'name', 'huggingface');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', 'name');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'unheard of');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', p_owner => 'nobody');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', p_owner => NULL);
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', p_owner => 'global', p_owner_column => 'id');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', p_owner_column => 'none');
CALL hftok.import_column('regress_app."user ""api"" keys%s"', 'api_key%I', 'the id', 'openai');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', p_model => 'a', p_model_column => 'name');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', p_batch => 0);
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', p_dry_run => NULL);
CALL hftok.import_column('regress_app.llm_models', 'api_key_encrypted', 'id', 'openai');
-- Nothing of p_open is told, for a key may be in it, but for what it is called by.
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', p_open => 'leak-canary');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', p_open => '''leak-canary');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', p_open => '''leak-canary''::int::text');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', p_open => 'huggingface_token::bytea');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', p_open => 'unheard_of(huggingface_token, ''leak-canary'')');
SELECT count(*) FROM hftok.import_report;

-- A dry run tells all and changes nothing.
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface', p_dry_run => true);
SELECT count(*) FROM hftok.credentials;
SELECT outcome, count(*) FROM hftok.import_report WHERE dry_run GROUP BY outcome ORDER BY outcome;
-- Users, owners by their key.
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface');
SELECT key, name, outcome, reason, provider, scope_id FROM pg_temp.report('users.huggingface_token') JOIN regress_app.users u ON u.id = key::int;
SELECT count(*) AS of_dry_run FROM hftok.import_report WHERE dry_run;
RESET ROLE;
SELECT id, hftok.resolve_hf_token(id::text) AS token FROM regress_app.users WHERE hftok.token_provided('huggingface', id::text) ORDER BY id;
SET ROLE regress_operator;
-- The other sources.
CALL hftok.import_column('regress_app.organizations', 'huggingface_token', 'slug', 'huggingface', p_owner => 'org');
SELECT * FROM pg_temp.report('organizations.huggingface_token');
CALL hftok.import_column('regress_app.models', 'huggingface_token', 'id', 'huggingface', p_owner => 'global', p_model_column => 'name');
SELECT * FROM pg_temp.report('models.huggingface_token');
CALL hftok.import_column('regress_app.system_settings', 'huggingface_token', 'id', 'huggingface', p_owner => 'global');
CALL hftok.import_column('regress_app.system_settings', 'huggingface_token', 'id', 'huggingface', p_owner => 'global', p_model => 'org/constant');
SELECT * FROM pg_temp.report('system_settings.huggingface_token');
CALL hftok.import_column('regress_app.llm_models', 'api_key_encrypted', 'id', p_provider_column => 'provider', p_owner => 'global', p_model_column => 'model_id',
    p_open => 'regress_app.decrypt(api_key_encrypted, ''pass'') -- comment');
SELECT * FROM pg_temp.report('llm_models.api_key_encrypted');
CALL hftok.import_column('regress_app."user ""api"" keys%s"', 'api_key%I', 'the id', p_provider_column => 'service', p_owner_column => 'user_id', p_batch => 2);
SELECT * FROM pg_temp.report('"user ""api"" keys%s"."api_key%I"');
SELECT provider, scope, scope_id, model, version, preview, warnings FROM hftok.credentials
ORDER BY scope, scope_id COLLATE "C", provider, model COLLATE "C";

-- Again: nothing changes.
CREATE TEMP TABLE before AS SELECT secret_id, version, updated_at FROM hftok.credentials;
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface');
CALL hftok.import_column('regress_app.models', 'huggingface_token', 'id', 'huggingface', p_owner => 'global', p_model_column => 'name');
CALL hftok.import_column('regress_app.llm_models', 'api_key_encrypted', 'id', p_provider_column => 'provider', p_owner => 'global', p_model_column => 'model_id',
    p_open => 'regress_app.decrypt(api_key_encrypted, ''pass'')');
CALL hftok.import_column('regress_app."user ""api"" keys%s"', 'api_key%I', 'the id', p_provider_column => 'service', p_owner_column => 'user_id');
SELECT count(*) AS differ FROM before b FULL JOIN hftok.credentials c USING (secret_id) WHERE (b.version, b.updated_at) IS DISTINCT FROM (c.version, c.updated_at);

-- A change in the source is taken in, also back to the former value; a change in hftok is not undone.
UPDATE regress_app.users SET huggingface_token = 'hf_00000000000000000000000000000001a1' WHERE id = 1;
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface');
UPDATE regress_app.users SET huggingface_token = 'hf_00000000000000000000000000000000a1' WHERE id = 1;
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface');
SELECT (hftok.save_hf_token('hf_00000000000000000000000000000002a5', p_user_id => '5')).version;
SELECT hftok.delete_credential('huggingface', p_user_id => '6');
SELECT (hftok.save_hf_token('hf_00000000000000000000000000000002a2', p_user_id => '2')).version;
SELECT (hftok.save_hf_token('hf_00000000000000000000000000000002a3', p_user_id => '3')).version;
UPDATE regress_app.users SET huggingface_token = 'hf_00000000000000000000000000000003a2' WHERE id = 2;
UPDATE regress_app.users SET huggingface_token = 'hf_00000000000000000000000000000002a3' WHERE id = 3;
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface');
SELECT key, outcome, reason FROM pg_temp.report('users.huggingface_token') WHERE key IN ('1', '2', '3', '5', '6');
RESET ROLE;
SELECT id, version, token FROM regress_app.users u, LATERAL hftok.resolve_token('huggingface', u.id::text) WHERE id IN (1, 2, 3, 5, 6) ORDER BY id;
-- A run with an expression that gave something else is mended by one with the right one.
CALL hftok.import_column('regress_app.llm_models', 'api_key_encrypted', 'id', p_provider_column => 'provider', p_owner => 'global', p_model_column => 'model_id',
    p_open => 'regress_app.decrypt(api_key_encrypted, ''pass'') || ''0''');
CALL hftok.import_column('regress_app.llm_models', 'api_key_encrypted', 'id', p_provider_column => 'provider', p_owner => 'global', p_model_column => 'model_id',
    p_open => 'regress_app.decrypt(api_key_encrypted, ''pass'')');
SELECT version, token FROM hftok.resolve_token('openai', p_model => 'gpt');
-- A row that was added later goes before. One that is gone takes nothing away.
INSERT INTO regress_app.models VALUES (5, 'org/one', 'hf_00000000000000000000000000000000d5'), (6, 'org/one', '');
CALL hftok.import_column('regress_app.models', 'huggingface_token', 'id', 'huggingface', p_owner => 'global', p_model_column => 'name');
SELECT version, token FROM hftok.resolve_token('huggingface', p_model => 'org/one');
DELETE FROM regress_app.models WHERE id = 5;
CALL hftok.import_column('regress_app.models', 'huggingface_token', 'id', 'huggingface', p_owner => 'global', p_model_column => 'name');
SELECT version, token FROM hftok.resolve_token('huggingface', p_model => 'org/one');
SELECT key, outcome, reason FROM pg_temp.report('models.huggingface_token');

\i tests/sql/include/import_blank.sql
\i tests/sql/include/import_attacks.sql
\i tests/sql/include/import_others.sql

SET client_min_messages = warning;
DROP SCHEMA regress_app CASCADE;
DELETE FROM hftok.credentials;
DELETE FROM hftok.decrypted_secrets;
DELETE FROM hftok_private.import_rows;
DELETE FROM hftok_private.import_sources;
DROP OWNED BY regress_operator, regress_owner CASCADE;
DROP ROLE regress_operator, regress_owner;
SELECT count(*) FROM hftok.import_report;
