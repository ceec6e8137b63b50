-- A part of sql/85_import.sql, run by it: what would lose a value, or let one out.

CREATE SCHEMA regress_attack;
GRANT USAGE ON SCHEMA regress_attack TO PUBLIC;
CREATE FUNCTION pg_temp.of(source text) RETURNS TABLE (key text, outcome text, reason text) LANGUAGE sql AS $$
    SELECT r.key, r.outcome, r.reason FROM hftok.import_report r WHERE r.source = 'regress_attack.' || $1 AND r.key IS NOT NULL ORDER BY r.key COLLATE "C", r.outcome, r.reason COLLATE "C"
$$;

-- A column of secrets is no key, owner, provider or model: all of these are told.
CREATE TABLE regress_attack.tokens (token text PRIMARY KEY, user_id text);
SELECT hftok_import.import_source('regress_attack.tokens', 'token', 'token');
CREATE TABLE regress_attack.keys (id int PRIMARY KEY, token text);
CALL hftok.import_column('regress_attack.keys', 'token', 'id', 'huggingface', p_owner_column => 'token');
CALL hftok.import_column('regress_attack.keys', 'token', 'id', p_provider_column => 'token');
CALL hftok.import_column('regress_attack.keys', 'token', 'id', 'huggingface', p_model_column => 'token');
-- Keys that are the same in two tables, and bytes under another name.
CREATE TABLE regress_attack.keys_of_old () INHERITS (regress_attack.keys);
CALL hftok.import_column('regress_attack.keys', 'token', 'id', 'huggingface');
DROP TABLE regress_attack.keys_of_old;
CREATE DOMAIN regress_attack.cipher AS bytea;
CREATE DOMAIN regress_attack.sealed AS regress_attack.cipher NOT NULL;
CREATE TABLE regress_attack.sealed_keys (id int PRIMARY KEY, token regress_attack.sealed);
CALL hftok.import_column('regress_attack.sealed_keys', 'token', 'id', 'huggingface');

-- A value that opens to nothing is not blank: it is all there is.
INSERT INTO regress_attack.sealed_keys VALUES (41, 'hf_00000000000000000000000000000000g1'), (42, '');
CALL hftok.import_column('regress_attack.sealed_keys', 'token', 'id', 'huggingface', p_open => 'substr(convert_from(token, ''UTF8''), 1, current_setting(''regress.length'', true)::int)');
CALL hftok.blank_column('regress_attack.sealed_keys', 'token', 'id');
SELECT * FROM pg_temp.of('sealed_keys.token');
CALL hftok.import_column('regress_attack.sealed_keys', 'token', 'id', 'huggingface', p_open => 'convert_from(token, ''UTF8'')');
CALL hftok.blank_column('regress_attack.sealed_keys', 'token', 'id');
SELECT * FROM pg_temp.of('sealed_keys.token');
SELECT * FROM regress_attack.sealed_keys ORDER BY id;

-- A value that came into a blank row, one that came into a rejected one, one that nobody looked at. A dry run gives no leave.
INSERT INTO regress_attack.keys VALUES (31, NULL), (32, 'changeme'), (33, 'todo'), (34, 'hf_00000000000000000000000000000000g4'), (35, ' '),
    (36, 'hf_00000000000000000000000000000000g6'), (37, 'hf_00000000000000000000000000000000g7');
SELECT hftok.save_hf_token('hf_00000000000000000000000000000001g7', p_user_id => '37') IS NOT NULL AS has_another;
CALL hftok.import_column('regress_attack.keys', 'token', 'id', 'huggingface');
UPDATE regress_attack.keys SET token = 'hf_00000000000000000000000000000000g1' WHERE id = 31;
UPDATE regress_attack.keys SET token = 'hf_00000000000000000000000000000000g2' WHERE id = 32;
UPDATE regress_attack.keys SET token = 'none' WHERE id = 34;
INSERT INTO regress_attack.keys VALUES (38, 'hf_00000000000000000000000000000000g8');
CALL hftok.import_column('regress_attack.keys', 'token', 'id', 'openai', p_dry_run => true);
CALL hftok.blank_column('regress_attack.keys', 'token', 'id', p_discard => '{imported}');
CALL hftok.blank_column('regress_attack.keys', 'token', 'id', p_discard => NULL);
CALL hftok.blank_column('regress_attack.keys', 'token', 'id', p_discard => '{rejected}');
SELECT * FROM regress_attack.keys ORDER BY id;
SELECT * FROM pg_temp.of('keys.token');
CALL hftok.import_column('regress_attack.keys', 'token', 'id', 'huggingface');
CALL hftok.blank_column('regress_attack.keys', 'token', 'id', p_discard => '{rejected,skipped}');
SELECT * FROM regress_attack.keys ORDER BY id;
SELECT * FROM pg_temp.of('keys.token');
SELECT n, hftok.resolve_hf_token(n::text) AS token FROM generate_series(31, 38) n;

-- Triggers that keep the value, and that delete hftok's: then nothing is emptied.
CREATE TABLE regress_attack.mirrored (id int PRIMARY KEY, token text);
INSERT INTO regress_attack.mirrored VALUES (21, 'hf_00000000000000000000000000000000h1'), (22, 'hf_00000000000000000000000000000000h2'), (23, 'hf_00000000000000000000000000000000h3');
CALL hftok.import_column('regress_attack.mirrored', 'token', 'id', 'huggingface');
CREATE FUNCTION regress_attack.mirror() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.id = 21 THEN
        NEW.token := coalesce(NEW.token, OLD.token);
    ELSIF OLD.id = 22 THEN
        PERFORM hftok.delete_credential('huggingface', p_user_id => OLD.id::text);
    ELSE
        EXECUTE format('INSERT INTO history_%s VALUES (%L)', OLD.id, OLD.token);
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER mirror BEFORE UPDATE ON regress_attack.mirrored FOR EACH ROW EXECUTE FUNCTION regress_attack.mirror();
CALL hftok.blank_column('regress_attack.mirrored', 'token', 'id');
SELECT * FROM pg_temp.of('mirrored.token');
SELECT m.id, m.token = hftok.resolve_hf_token(m.id::text) AS both FROM regress_attack.mirrored m ORDER BY m.id;

-- A duplicate that could not be discarded, or was edited, stays one: what it holds has lost.
CREATE TABLE regress_attack.twice (id int PRIMARY KEY, owner text, token text, CHECK (id <> 1 OR token IS NOT NULL));
INSERT INTO regress_attack.twice VALUES (1, 'twin', 'hf_00000000000000000000000000000000k1'), (2, 'twin', 'hf_00000000000000000000000000000000k2'), (3, 'twin', 'hf_00000000000000000000000000000000k3');
CALL hftok.import_column('regress_attack.twice', 'token', 'id', 'huggingface', p_owner_column => 'owner');
UPDATE regress_attack.twice SET token = 'hf_00000000000000000000000000000001k2' WHERE id = 2;
CALL hftok.blank_column('regress_attack.twice', 'token', 'id', p_discard => '{duplicate}');
SELECT * FROM pg_temp.of('twice.token');
CALL hftok.import_column('regress_attack.twice', 'token', 'id', 'huggingface', p_owner_column => 'owner');
SELECT * FROM pg_temp.of('twice.token');
SELECT * FROM regress_attack.twice ORDER BY id;
SELECT token, version FROM hftok.resolve_token('huggingface', 'twin');
-- A value that nobody could open is not discarded; a forgotten user's fingerprints are.
INSERT INTO regress_attack.sealed_keys VALUES (43, 'hf_00000000000000000000000000000000g3'), (44, 'changeme');
CALL hftok.import_column('regress_attack.sealed_keys', 'token', 'id', 'huggingface', p_open => 'current_setting(''regress.key'')');
CALL hftok.blank_column('regress_attack.sealed_keys', 'token', 'id', p_discard => '{rejected}');
CALL hftok.import_column('regress_attack.sealed_keys', 'token', 'id', 'huggingface', p_open => 'nullif(convert_from(token, ''UTF8''), ''hf_00000000000000000000000000000000g3'')');
CALL hftok.blank_column('regress_attack.sealed_keys', 'token', 'id', p_discard => '{rejected}');
SELECT * FROM pg_temp.of('sealed_keys.token');
SELECT hftok_import.import_value('attack', '3', 'changeme', 'huggingface', p_user_id => 'k3');
SELECT credentials FROM hftok.forget_user('k3');
SELECT count(*) AS left FROM hftok_private.import_rows WHERE source = 'attack' AND key = '3';

-- The same bytes now open to another value than hftok has of them: the column is not emptied.
CREATE FUNCTION regress_attack.open(bytea) RETURNS text LANGUAGE sql AS $$ SELECT 'hf_0000000000000000000000000000000' || coalesce(nullif(current_setting('regress.key', true), ''), 'w') || convert_from($1, 'UTF8') $$;
CREATE TABLE regress_attack.opened (id int PRIMARY KEY, token bytea);
INSERT INTO regress_attack.opened VALUES (51, 'm1'), (52, 'm2'), (53, 'm3');
CALL hftok.import_column('regress_attack.opened', 'token', 'id', 'huggingface', p_open => 'regress_attack.open(token)');
SELECT version FROM hftok.save_hf_token('hf_00000000000000000000000000000001m1', p_user_id => '51');
SELECT version FROM hftok.save_hf_token('hf_00000000000000000000000000000001m2', p_user_id => '52');
SET regress.key = 'r';
CALL hftok.import_column('regress_attack.opened', 'token', 'id', 'huggingface', p_open => 'CASE WHEN id = 52 THEN ''changeme'' ELSE regress_attack.open(token) END');
CALL hftok.blank_column('regress_attack.opened', 'token', 'id');
SELECT * FROM pg_temp.of('opened.token');
SELECT id, token IS NULL AS is_empty FROM regress_attack.opened ORDER BY id;
SELECT n, hftok.resolve_hf_token(n::text) AS token FROM generate_series(51, 53) n;
RESET regress.key;
-- A value that becomes usable is no newer one, and one that was never looked at goes after those before it in the run.
CREATE TABLE regress_attack.late (id int PRIMARY KEY, owner text, token text);
INSERT INTO regress_attack.late VALUES (1, 'late', 'A'), (2, 'late', 'hf_00000000000000000000000000000000n2'), (11, 'later', 'hf_00000000000000000000000000000000n3'), (12, 'later', 'hf_00000000000000000000000000000000n4');
ALTER TABLE regress_attack.late ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_but_one ON regress_attack.late TO regress_operator USING (id <> 11);
GRANT USAGE ON SCHEMA regress_attack TO regress_operator;
GRANT SELECT, UPDATE ON regress_attack.late TO regress_operator;
SET ROLE regress_operator;
CALL hftok.import_column('regress_attack.late', 'token', 'id', 'huggingface', p_owner_column => 'owner', p_open => 'CASE WHEN id = 1 THEN (1 / (id - 1))::text ELSE token END');
CALL hftok.blank_column('regress_attack.late', 'token', 'id', p_discard => '{rejected}');
RESET ROLE;
CALL hftok.import_column('regress_attack.late', 'token', 'id', 'huggingface', p_owner_column => 'owner', p_open => 'CASE WHEN id = 1 THEN ''hf_00000000000000000000000000000000n1'' ELSE token END');
SELECT * FROM pg_temp.of('late.token');
SELECT hftok.resolve_hf_token('late') AS late, hftok.resolve_hf_token('later') AS later;
-- Good tokens that a wrong call has rejected are not discarded.
CREATE TABLE regress_attack.called (id int PRIMARY KEY, nobody text, token text);
INSERT INTO regress_attack.called VALUES (61, NULL, 'hf_00000000000000000000000000000000o1'), (62, 'role:x', 'hf_00000000000000000000000000000000o2'), (63, 'ok', 'changeme'), (64, NULL, 'changeme');
CALL hftok.import_column('regress_attack.called', 'token', 'id', 'huggingface', p_owner_column => 'nobody');
CALL hftok.blank_column('regress_attack.called', 'token', 'id', p_discard => '{rejected}');
SELECT id, token FROM regress_attack.called ORDER BY id;

-- Names that are roles, and white space that only some call so.
SELECT hftok_import.import_value('attack', '1', 'hf_00000000000000000000000000000000j1', 'huggingface', p_user_id => 'role:postgres');
SELECT hftok_import.import_value('attack', '2', 'hf_00000000000000000000000000000000j2' || U&'\00a0', 'huggingface', p_user_id => 'j2');
SELECT hftok_import.import_value('attack', '2', 'hf_00000000000000000000000000000000j2' || U&'\00a0', 'huggingface', p_user_id => 'j2');
SELECT hftok_import.import_holds('attack', '2', 'hf_00000000000000000000000000000000j2' || U&'\00a0') AS held;
SELECT key, outcome, reason FROM hftok.import_report WHERE source = 'attack' ORDER BY key;

-- A caller that asks whether somebody's token is this one leaves a trace, also by a dry run, or with the value that was imported.
CREATE FUNCTION pg_temp.asked() RETURNS bigint LANGUAGE sql AS $$
    SELECT coalesce(sum(count), 0) FROM hftok.audit_events WHERE action = 'import_value' AND kind = 'audit'
$$;
CALL pg_temp.await_audit();
SELECT pg_temp.asked() AS asked \gset
SELECT hftok_import.import_value('oracle', '1', 'hf_00000000000000000000000000000001g7', 'huggingface', p_user_id => '37', p_dry_run => true);
SELECT hftok_import.import_value('oracle', '1', 'hf_0000000000000000000000000000000guess', 'huggingface', p_user_id => '37', p_dry_run => true);
CALL pg_temp.await_audit();
SELECT pg_temp.asked() - :asked AS asked;
SELECT hftok_import.import_value('attack', '2', 'hf_00000000000000000000000000000000j2', 'huggingface', p_user_id => 'j2');
CALL pg_temp.await_audit();
SELECT pg_temp.asked() - :asked AS asked;
-- Nor does a column that was seen before cover for another value.
SELECT hftok_import.import_value('attack', '4', 'hf_00000000000000000000000000000000j4', 'huggingface', p_user_id => 'j4', p_column => 'sealed');
SELECT version FROM hftok.save_credential('huggingface', 'hf_00000000000000000000000000000001j4', p_user_id => 'j4');
SELECT hftok_import.import_value('attack', '4', 'hf_00000000000000000000000000000001j4', 'huggingface', p_user_id => 'j4', p_column => 'sealed', p_dry_run => true);
SELECT hftok_import.import_value('attack', '4', 'hf_00000000000000000000000000000000j4', 'huggingface', p_user_id => 'j4', p_column => 'sealed');
CALL pg_temp.await_audit();
SELECT pg_temp.asked() - :asked AS asked;

-- Tables and views of somebody else, whose code would run as the operator.
GRANT ALL ON SCHEMA regress_attack TO regress_owner;
SET ROLE regress_owner;
CREATE TABLE regress_attack.foreign_keys (id int PRIMARY KEY, token text);
CREATE FUNCTION regress_attack.steal() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER steal BEFORE UPDATE ON regress_attack.foreign_keys FOR EACH ROW EXECUTE FUNCTION regress_attack.steal();
CREATE VIEW regress_attack.decrypted_secrets AS SELECT gen_random_uuid() AS id, 'x'::text AS name, ''::text AS description, 'y'::text AS decrypted_secret;
RESET ROLE;
CALL hftok.blank_column('regress_attack.foreign_keys', 'token', 'id');
SELECT hftok.import_vault('regress_attack');
ALTER TABLE regress_attack.decrypted_secrets OWNER TO CURRENT_USER;
SELECT hftok.import_vault('regress_attack');
SET client_min_messages = warning;
DROP SCHEMA regress_attack CASCADE;
RESET client_min_messages;
