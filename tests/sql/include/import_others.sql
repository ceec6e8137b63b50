-- A part of sql/85_import.sql, run by it: traps, programs that open values themselves, Supabase Vault, and who reads the report.

-- Nothing of a search path that somebody prepared is run, whatever comes first in it.
CREATE SCHEMA regress_trap AUTHORIZATION regress_owner;
GRANT USAGE ON SCHEMA regress_trap TO PUBLIC;
SET ROLE regress_owner;
CREATE FUNCTION regress_trap.spring() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped as %', current_user; END $$;
DO $$
DECLARE
    type text;
    operator text;
BEGIN
    FOREACH type IN ARRAY '{text,name,int4,int8,bool,oid,uuid,"char",timestamptz,interval}'::text[] LOOP
        EXECUTE format('CREATE FUNCTION regress_trap.trap(pg_catalog.%1$s, pg_catalog.%1$s) RETURNS boolean LANGUAGE sql AS ''SELECT regress_trap.spring()''', type);
        FOREACH operator IN ARRAY '{=,<>,<,>,<=,>=,~,~*,||,+,-}'::text[] LOOP
            EXECUTE format('CREATE OPERATOR regress_trap.%s (LEFTARG = pg_catalog.%s, RIGHTARG = pg_catalog.%2$s, FUNCTION = regress_trap.trap)', operator, type);
        END LOOP;
    END LOOP;
END
$$;
CREATE FUNCTION regress_trap.btrim(pg_catalog.text) RETURNS text LANGUAGE sql AS 'SELECT regress_trap.spring()::text';
CREATE FUNCTION regress_trap.num_nonnulls(pg_catalog.text, pg_catalog.text) RETURNS int LANGUAGE sql AS 'SELECT regress_trap.spring()::int';
CREATE FUNCTION regress_trap.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT regress_trap.spring()::text::timestamptz';
CREATE DOMAIN regress_trap.text AS pg_catalog.text CHECK (regress_trap.spring());
CREATE DOMAIN regress_trap.uuid AS pg_catalog.uuid CHECK (regress_trap.spring());
CREATE DOMAIN regress_trap.timestamptz AS pg_catalog.timestamptz CHECK (regress_trap.spring());
CREATE TABLE regress_trap.pg_class ();
RESET ROLE;
CREATE TABLE regress_app.trapped (id text PRIMARY KEY, token text NOT NULL, provider text, model text);
INSERT INTO regress_app.trapped VALUES ('a', 'hf_00000000000000000000000000000000f1', 'huggingface', 'm'), ('b', 'sk-proj-00000000000000000000f2', 'openai', 'm');
GRANT SELECT, UPDATE ON regress_app.trapped TO regress_operator;
SET ROLE regress_operator;
SET search_path = regress_trap, pg_catalog;
SELECT 'a'::pg_catalog.text = 'b';
CALL hftok.import_column('regress_app.trapped', 'token', 'id', p_provider_column => 'provider', p_model_column => 'model', p_batch => 1);
CALL hftok.blank_column('regress_app.trapped', 'token', 'id');
RESET search_path;
RESET ROLE;
SELECT * FROM regress_app.trapped ORDER BY id;

-- A program that opens values itself. The first that it imports stays, when it names no run.
SET ROLE regress_operator;
SELECT source FROM hftok_import.import_source('regress_app.llm_models', 'api_key_encrypted', 'id');
SELECT hftok_import.import_value('sealed', '1', 'sk-proj-0000000000000000000111', 'openai', p_user_id => 'nina', p_column => 'sealed 1', p_dry_run => true);
SELECT hftok_import.import_value('sealed', '1', 'sk-proj-0000000000000000000111', 'openai', p_user_id => 'nina', p_column => 'sealed 1');
SELECT hftok_import.import_value('sealed', '1', 'sk-proj-0000000000000000000111', 'openai', p_user_id => 'nina', p_column => 'sealed 1');
SELECT hftok_import.import_value('sealed', '2', 'sk-proj-0000000000000000000222', 'openai', p_user_id => 'nina', p_column => 'sealed 2');
SELECT hftok_import.import_value('sealed', '3', 'Bearer sk-proj-0000000000000000000333', 'openai', p_org_id => 'acme');
SELECT hftok_import.import_value('sealed', '4', NULL, 'openai', p_global => true);
SELECT hftok_import.import_value('sealed', '5', 'sk-proj-0000000000000000000555', 'openai');
SELECT hftok_import.import_value('sealed', '6', 'sk-proj-0000000000000000000666', 'openai', p_user_id => E'a\nb');
SELECT hftok_import.import_value('sealed', '7', 'sk-proj-0000000000000000000777', 'openai', repeat('m', 1025), 'nina');
SELECT hftok_import.import_value('sealed', '8', repeat('x', 2000000), 'openai', p_user_id => 'nina');
SELECT hftok_import.import_note('sealed', '9', 'rejected', 'it does not open');
SELECT key, outcome, reason, scope, scope_id FROM hftok.import_report WHERE source = 'sealed' ORDER BY key;
SELECT hftok_import.import_holds('sealed', '1', 'sealed 1') AS same, hftok_import.import_holds('sealed', '1', 'sealed 2') AS other,
    hftok_import.import_holds('sealed', '9', 'sealed 9') AS rejected, hftok_import.import_holds('sealed', '1', NULL) AS nothing;
SELECT hftok_import.import_value('sealed', '1', 'x', 'openai', p_user_id => 'nina', p_org_id => 'acme');
SELECT hftok_import.import_value(NULL, '1', 'x', 'openai', p_user_id => 'nina');
SELECT hftok_import.import_value('sealed', NULL, 'x', 'openai', p_user_id => 'nina');
SELECT hftok_import.import_note('sealed', NULL, 'rejected');
SELECT hftok_import.import_note('sealed', '1', 'summary');
SELECT hftok_import.import_note('sealed', '1', 'strange');
SELECT hftok_import.import_note('', '1', 'rejected');
SELECT hftok_import.import_note('sealed', '1', 'rejected', repeat('x', 4001));
SET request.method = 'GET';
SELECT hftok_import.import_value('sealed', '1', 'sk-proj-0000000000000000000111', 'openai', p_user_id => 'nina', p_column => 'sealed 1');
RESET request.method;
RESET ROLE;
SELECT hftok.seal();
CALL hftok.import_column('regress_app.users', 'huggingface_token', 'id', 'huggingface');
SELECT key_ids FROM hftok.unseal();

-- Supabase Vault: its view, with a row that it cannot open and one that it shows as NULL.
CREATE SCHEMA regress_vault;
CREATE TABLE regress_vault.secrets (id uuid PRIMARY KEY, name text UNIQUE, description text, secret text);
CREATE FUNCTION regress_vault.open(text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF $1 = 'broken' THEN
        RAISE EXCEPTION 'invalid ciphertext %', $1 USING ERRCODE = '22000';
    END IF;
    RETURN nullif($1, 'null');
END
$$;
CREATE VIEW regress_vault.decrypted_secrets AS SELECT id, name, description, secret, regress_vault.open(secret) AS decrypted_secret FROM regress_vault.secrets;
INSERT INTO regress_vault.secrets VALUES ('00000000-0000-4000-8000-000000000001', 'stripe', 'for payments', 'sk_live_1'), ('00000000-0000-4000-8000-000000000002', NULL, '', 'nameless'),
    ('00000000-0000-4000-8000-000000000003', 'broken', '', 'broken'), ('00000000-0000-4000-8000-000000000004', 'hidden', '', 'null'),
    ('00000000-0000-4000-8000-000000000005', 'same', '', 'same value'), ('00000000-0000-4000-8000-000000000006', 'other', '', 'another value'),
    ('00000000-0000-4000-8000-000000000007', repeat('n', 1025), '', 'x'), ('00000000-0000-4000-8000-000000000008', 'it''s "odd"', NULL, E'two\nlines');
-- One that a credential has as its id already: ids of a stranger's choice take nothing over.
INSERT INTO regress_vault.secrets SELECT c.secret_id, 'taken', '', 'taken' FROM hftok.credentials c WHERE c.scope = 'user' AND c.scope_id = 'nina';
SELECT hftok.put_secret('same', 'same value') IS NOT NULL, hftok.put_secret('other', 'other value') IS NOT NULL;
SET ROLE regress_operator;
SELECT hftok.import_vault('none');
SELECT hftok.import_vault('hftok');
SELECT hftok.import_vault('regress_vault');
SELECT hftok.import_vault('regress_vault', NULL);
RESET ROLE;
GRANT USAGE ON SCHEMA regress_vault TO regress_operator;
GRANT SELECT ON regress_vault.decrypted_secrets, regress_vault.secrets TO regress_operator;
SET ROLE regress_operator;
SET search_path = regress_trap, pg_catalog;
SELECT * FROM hftok.import_vault('regress_vault');
RESET search_path;
SELECT left(key, 20) AS key, outcome, regexp_replace(reason, '[0-9a-f-]{36}', '<id>') AS reason FROM hftok.import_report WHERE source LIKE 'regress_vault%' ORDER BY key COLLATE "C";
SELECT d.name, d.description, d.decrypted_secret, EXISTS (SELECT FROM regress_vault.secrets v WHERE v.id = d.id) AS same_id
FROM hftok.decrypted_secrets d ORDER BY d.name COLLATE "C";
SELECT * FROM hftok.import_vault('regress_vault');
-- A value that was changed on one side is told and not replaced, also where there is no name.
SELECT hftok.update_secret('00000000-0000-4000-8000-000000000002', 'nameless, changed');
SELECT * FROM hftok.import_vault('regress_vault');
SELECT left(key, 20) AS key, outcome, reason FROM hftok.import_report WHERE source LIKE 'regress_vault%' AND key ~ '0002$';
-- Without ids: only what has a name can be told from what was imported before.
SELECT count(*) AS deleted FROM hftok.secrets s WHERE hftok.delete_secret(s.id) AND s.id::text LIKE '00000000-%';
SELECT * FROM hftok.import_vault('regress_vault', p_keep_ids => false);
SELECT d.name, EXISTS (SELECT FROM regress_vault.secrets v WHERE v.id = d.id) AS same_id
FROM hftok.decrypted_secrets d ORDER BY d.name COLLATE "C";
SELECT * FROM hftok.import_vault('regress_vault', p_keep_ids => false);
-- What was imported so has other ids, and what refers to it does not find it: the report says what to do.
SELECT * FROM hftok.import_vault('regress_vault');
SELECT key, outcome, regexp_replace(reason, '[0-9a-f-]{36}', '<id>') AS reason FROM hftok.import_report WHERE source LIKE 'regress_vault%' AND key = 'stripe';
SELECT hftok.delete_secret(s.id) FROM hftok.secrets s WHERE s.name = 'stripe';
SELECT * FROM hftok.import_vault('regress_vault');
SELECT id FROM hftok.secrets WHERE name = 'stripe';
-- A view that opens everything to show anything.
RESET ROLE;
ALTER FUNCTION regress_vault.open VOLATILE;
GRANT SELECT ON regress_vault.secrets TO regress_operator;
DELETE FROM hftok.decrypted_secrets WHERE name = 'stripe';
SET ROLE regress_operator;
SELECT * FROM hftok.import_vault('regress_vault');
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA regress_vault, regress_trap CASCADE;
RESET client_min_messages;

-- The report: read by those who operate and audit, written by nobody, and without a value, as all that is remembered.
SET ROLE hftok_auditor;
SELECT count(*) > 50 AS read FROM hftok.import_report;
CALL hftok.blank_column('regress_app.users', 'huggingface_token', 'id');
SET ROLE hftok_user;
SELECT count(*) FROM hftok.import_report;
RESET ROLE;
DELETE FROM hftok.import_report;
INSERT INTO hftok.import_report (source, key, outcome) VALUES ('x', 'y', 'imported');
SELECT count(*) AS with_values FROM hftok_private.import_rows r WHERE r::text ~ '(hf_0|sk-(proj|ant)|canary|same value|sk_live)';
