-- A part of sql/85_import.sql, run by it: emptying what was imported.

SET ROLE regress_operator;
CALL hftok.import_column('regress_app.organizations', 'huggingface_token', 'slug', 'huggingface', p_owner => 'org');
UPDATE regress_app.users SET huggingface_token = 'hf_00000000000000000000000000000004a1' WHERE id = 1;
RESET ROLE;
-- One that hftok cannot open any more, and one that the table holds on to.
UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE scope = 'org' AND scope_id = 'Zed';
ALTER TABLE regress_app.llm_models ADD CHECK (api_key_encrypted IS NOT NULL OR id <> 2);
SET ROLE regress_operator;
CALL hftok.blank_column('regress_app.users', 'huggingface_token', 'id');
CALL hftok.blank_column('regress_app.organizations', 'huggingface_token', 'slug');
CALL hftok.blank_column('regress_app.models', 'huggingface_token', 'id');
CALL hftok.blank_column('regress_app.llm_models', 'api_key_encrypted', 'id');
CALL hftok.blank_column('regress_app."user ""api"" keys%s"', 'api_key%I', 'the id');
-- Never imported: nothing is emptied.
CALL hftok.blank_column('regress_app.users', 'name', 'id');
SELECT id, name, huggingface_token, updated_at > '2020-06-01' AS touched FROM regress_app.users ORDER BY id;
SELECT key, outcome, reason FROM pg_temp.report('users.huggingface_token') WHERE outcome NOT IN ('rejected', 'blank');
SELECT * FROM regress_app.organizations ORDER BY slug COLLATE "C";
SELECT key, outcome, reason FROM pg_temp.report('organizations.huggingface_token');
SELECT * FROM regress_app.models ORDER BY id;
SELECT id, api_key_encrypted IS NULL AS is_empty FROM regress_app.llm_models ORDER BY id;
SELECT key, outcome, reason FROM pg_temp.report('llm_models.api_key_encrypted');
SELECT "the id", "api_key%I" FROM regress_app."user ""api"" keys%s" ORDER BY 1;
SELECT outcome, reason FROM hftok.import_report WHERE source = 'regress_app.users.huggingface_token' AND key IS NULL;
-- Again: nothing changes, neither there nor here.
CALL hftok.blank_column('regress_app.users', 'huggingface_token', 'id');
CALL hftok.import_column('regress_app.models', 'huggingface_token', 'id', 'huggingface', p_owner => 'global', p_model_column => 'name');
CALL hftok.import_column('regress_app."user ""api"" keys%s"', 'api_key%I', 'the id', p_provider_column => 'service', p_owner_column => 'user_id');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface');
-- A value that comes anew after that, and the one that was left because it had changed.
UPDATE regress_app.users SET huggingface_token = 'hf_00000000000000000000000000000005a6' WHERE id = 20;
CALL hftok.blank_column('regress_app.users', 'huggingface_token', 'id');
SELECT key, outcome, reason FROM pg_temp.report('users.huggingface_token') WHERE key IN ('1', '20');
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface');
RESET ROLE;
SELECT hftok.resolve_hf_token('1') AS one, hftok.resolve_hf_token('20') AS twenty;
UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE scope = 'org' AND scope_id = 'Zed';

-- Rows that the caller does not see.
CREATE TABLE regress_app.hidden (id int PRIMARY KEY, token text);
INSERT INTO regress_app.hidden SELECT n, 'hf_000000000000000000000000000000001' || n FROM generate_series(10, 19) n;
ALTER TABLE regress_app.hidden ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON regress_app.hidden USING (id < 13);
GRANT SELECT, UPDATE ON regress_app.hidden TO regress_operator;
SET ROLE regress_operator;
CALL hftok.import_column('regress_app.hidden', 'token', 'id', 'huggingface', p_dry_run => true);
RESET ROLE;
ANALYZE regress_app.hidden;
SET ROLE regress_operator;
CALL hftok.import_column('regress_app.hidden', 'token', 'id', 'huggingface');
CALL hftok.blank_column('regress_app.hidden', 'token', 'id');
RESET ROLE;
CALL hftok.import_column('regress_app.hidden', 'token', 'id', 'huggingface');
SELECT outcome, count(*) FROM pg_temp.report('hidden.token') GROUP BY outcome ORDER BY outcome;
