-- Moving in from tables of somebody who is not trusted: whatever runs when their rows are touched runs as them, cannot become
-- anybody else and reaches nothing of hftok; and what the operator wrote runs as the operator.

\set VERBOSITY terse
\pset null ~
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_mallory, regress_mover;
CREATE ROLE regress_mallory;
CREATE ROLE regress_mover IN ROLE hftok_admin;
CREATE SCHEMA regress_m AUTHORIZATION regress_mallory;
GRANT USAGE ON SCHEMA regress_m TO regress_mover;
GRANT USAGE ON SCHEMA hftok, hftok_import TO regress_mallory;
GRANT EXECUTE ON FUNCTION hftok.get_secret, hftok_import.import_note TO regress_mallory;
SELECT hftok.put_secret('operators', 'operators-own') IS NOT NULL AS put;
RESET client_min_messages;

-- A stranger with everything that runs when a row is touched. While it is made it does nothing.
SET SESSION AUTHORIZATION regress_mallory;
CREATE TABLE regress_m.trace (place text, as_whom name, got text);
CREATE FUNCTION regress_m.try(place text, VARIADIC commands text[]) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION regress_m.evil(place text) RETURNS boolean LANGUAGE sql AS $$
    SELECT regress_m.try(place, 'ALTER ROLE regress_mallory SUPERUSER', 'RESET ROLE', 'SET SESSION AUTHORIZATION DEFAULT',
        'SELECT hftok.get_secret(''operators'')') = place
$$;
-- As in the finding: no trigger, no policy, no default.
CREATE FUNCTION regress_m.own(x int) RETURNS boolean LANGUAGE sql AS $$ SELECT regress_m.evil('domain') $$;
CREATE DOMAIN regress_m.kid AS int CHECK (regress_m.own(VALUE));
CREATE TABLE regress_m.users (id regress_m.kid PRIMARY KEY, huggingface_token text);
INSERT INTO regress_m.users VALUES (1, 'hf_00000000000000000000000000000000a1');
-- Casts of a type and of a column.
CREATE TYPE regress_m.token AS (value text);
CREATE FUNCTION regress_m.shown(regress_m.token) RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN regress_m.evil('cast') THEN $1.value END $$;
CREATE CAST (regress_m.token AS text) WITH FUNCTION regress_m.shown(regress_m.token) AS IMPLICIT;
CREATE TABLE regress_m.cast (id int PRIMARY KEY, token regress_m.token);
INSERT INTO regress_m.cast VALUES (2, ROW('hf_00000000000000000000000000000000a2'));
-- A policy that is forced, triggers, a rule, a generated column, a check.
CREATE TABLE regress_m.policy (id int PRIMARY KEY, token text);
INSERT INTO regress_m.policy VALUES (3, 'hf_00000000000000000000000000000000a3');
ALTER TABLE regress_m.policy ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY evil ON regress_m.policy USING (regress_m.evil('policy') AND false);
CREATE FUNCTION regress_m.fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM regress_m.evil(TG_WHEN || ' trigger'); RETURN NEW; END $$;
CREATE FUNCTION regress_m.made(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT regress_m.evil('generated')::text $$;
CREATE TABLE regress_m.trigger (id int PRIMARY KEY, token text, made text GENERATED ALWAYS AS (regress_m.made(token)) STORED,
    CHECK (token IS NOT NULL OR regress_m.evil('check')));
INSERT INTO regress_m.trigger (id, token) VALUES (4, 'hf_00000000000000000000000000000000a4');
CREATE TRIGGER before BEFORE UPDATE ON regress_m.trigger FOR EACH ROW EXECUTE FUNCTION regress_m.fired();
CREATE TRIGGER after AFTER UPDATE ON regress_m.trigger FOR EACH ROW EXECUTE FUNCTION regress_m.fired();
CREATE TABLE regress_m.rule (id int PRIMARY KEY, token text);
INSERT INTO regress_m.rule VALUES (5, 'hf_00000000000000000000000000000000a5');
CREATE RULE evil AS ON UPDATE TO regress_m.rule DO ALSO SELECT regress_m.evil('rule');
-- Later, as the operator: at COMMIT, by a setting that stays.
CREATE TABLE regress_m.later (id int PRIMARY KEY, token text);
INSERT INTO regress_m.later VALUES (6, 'hf_00000000000000000000000000000000a6');
CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON regress_m.later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION regress_m.fired();
CREATE FUNCTION regress_m.leave() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept refcursor := 'kept';
BEGIN
    PERFORM set_config('search_path', 'regress_m', false), set_config('regress.left', 'yes', false);
    IF OLD.id = 8 THEN
        OPEN kept FOR SELECT regress_m.evil('cursor');
    END IF;
    RETURN NEW;
END
$$;
CREATE TABLE regress_m.left (id int PRIMARY KEY, token text);
INSERT INTO regress_m.left VALUES (7, 'hf_00000000000000000000000000000000a7'), (8, 'hf_00000000000000000000000000000000a8');
CREATE TRIGGER leave BEFORE UPDATE ON regress_m.left FOR EACH ROW EXECUTE FUNCTION regress_m.leave();
-- A view in place of a Vault's.
CREATE VIEW regress_m.decrypted_secrets AS
    SELECT '00000000-0000-4000-8000-000000000001'::uuid AS id, 'stripe'::text AS name, ''::text AS description, CASE WHEN regress_m.evil('view') THEN 'sk_live_1' END AS decrypted_secret;
-- The stranger's code does this wherever it gets to run, and writes down the outcome.
CREATE OR REPLACE FUNCTION regress_m.try(place text, VARIADIC commands text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    command text;
    got text := '';
BEGIN
    FOREACH command IN ARRAY commands LOOP
        BEGIN
            EXECUTE command;
            got := got || ' done:' || command;
        EXCEPTION WHEN OTHERS THEN
            got := got || ' ' || SQLSTATE;
        END;
    END LOOP;
    INSERT INTO regress_m.trace VALUES (place, current_user, trim(got));
    RETURN place;
END
$$;
RESET SESSION AUTHORIZATION;

-- By a superuser, who is the one to be had.
CALL hftok.import_column('regress_m.users', 'huggingface_token', 'id', 'huggingface', p_dry_run => true);
CALL hftok.import_column('regress_m.users', 'huggingface_token', 'id', 'huggingface');
CALL hftok.blank_column('regress_m.users', 'huggingface_token', 'id');
CALL hftok.import_column('regress_m.cast', 'token', 'id', 'huggingface');
CALL hftok.import_column('regress_m.cast', 'token', 'id', 'huggingface', p_open => 'token || ''''');
CALL hftok.import_column('regress_m.policy', 'token', 'id', 'huggingface');
CALL hftok.blank_column('regress_m.policy', 'token', 'id');
CALL hftok.import_column('regress_m.trigger', 'token', 'id', 'huggingface');
CALL hftok.blank_column('regress_m.trigger', 'token', 'id');
CALL hftok.import_column('regress_m.rule', 'token', 'id', 'huggingface');
CALL hftok.blank_column('regress_m.rule', 'token', 'id');
SELECT * FROM hftok.import_vault('regress_m');
SELECT DISTINCT place, as_whom, got FROM regress_m.trace ORDER BY place;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_mallory';
-- Nothing of it is left to run later.
CALL hftok.import_column('regress_m.later', 'token', 'id', 'huggingface');
CALL hftok.blank_column('regress_m.later', 'token', 'id');
CALL hftok.import_column('regress_m.left', 'token', 'id', 'huggingface');
CALL hftok.blank_column('regress_m.left', 'token', 'id');
SELECT source, key, outcome, reason FROM hftok.import_report WHERE source ~ 'regress_m[.]"?(later|left)' AND key IS NOT NULL ORDER BY 1, 2;
SELECT current_setting('search_path') AS search_path, current_setting('regress.left', true) AS "left";
SELECT count(*) AS as_somebody_else FROM regress_m.trace WHERE as_whom <> 'regress_mallory' OR got ~ 'done';

-- By an operator, who may use these columns and no others, and whose rights are not the owner's.
GRANT SELECT (id, token), UPDATE (token) ON regress_m.rule, regress_m.cast TO regress_mover;
GRANT SELECT (id, huggingface_token) ON regress_m.users TO regress_mover;
GRANT SELECT, UPDATE ON regress_m.policy TO regress_mover;
CREATE TABLE regress_m.opened (id int PRIMARY KEY, token bytea, other text, kind regress_m.kid);
ALTER TABLE regress_m.opened OWNER TO regress_mallory;
GRANT SELECT (id, token, kind) ON regress_m.opened TO regress_mover;
CREATE SCHEMA regress_crypto;
CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA regress_crypto;
GRANT USAGE ON SCHEMA regress_crypto TO regress_mover;
GRANT USAGE ON SCHEMA regress_crypto TO regress_mallory;
SET SESSION AUTHORIZATION regress_mallory;
INSERT INTO regress_m.opened VALUES (9, regress_crypto.pgp_sym_encrypt('hf_00000000000000000000000000000000b1', 'the password'), 'other', 3);
UPDATE regress_m.users SET huggingface_token = 'hf_00000000000000000000000000000000b2';
TRUNCATE regress_m.trace;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_mover;
SELECT set_config('app.password', 'the password', false) IS NOT NULL AS set;
CALL hftok.import_column('regress_m.opened', 'token', 'id', 'huggingface', p_open => 'regress_crypto.pgp_sym_decrypt(opened.token, current_setting(''app.password'')) -- comment');
SELECT key, outcome, scope_id FROM hftok.import_report WHERE source = 'regress_m.opened.token' AND key IS NOT NULL;
-- The operator's text runs as the operator, over plain values of columns that they may read.
SELECT value FROM hftok_import.import_row('regress_m.opened', 'token', 'id', '9', 'current_user || '' '' || pg_typeof(kind) || '' '' || id');
SELECT value FROM hftok_import.import_row('regress_m.opened', 'token', 'id', '9', 'other');
SELECT value FROM hftok_import.import_row('regress_m.opened', 'token', 'id', '9', '(SELECT other FROM regress_m.opened)');
SELECT hftok_import.import_row('regress_m.opened', 'token', 'id', '9', p_owner_column => 'other');
SELECT hftok_import.import_row('regress_m.opened', 'token', 'id', '99');
SELECT hftok_import.import_row('regress_m.opened', 'token', 'id', '9', '1) FROM regress_m.opened; SELECT (2::text');
SELECT hftok_import.import_row('regress_m.opened', 'token', 'id', '9', p_owner_column => 'other" FROM regress_m.opened --');
SELECT hftok_import.import_row('regress_m.opened', 'none', 'id', '1');
SELECT hftok_import.import_row('regress_m.trace', 'got', 'place', '1');
SELECT hftok_import.import_row(0, 'got', 'place', '1');
SELECT hftok_import.import_row(NULL, 'got', 'place', '1');
SELECT hftok_import.import_empty('regress_m.opened', 'token', 'id', '9', 'x');
SELECT hftok_import.import_empty('regress_m.rule', 'token', 'id', '5', 'not what it holds');
SELECT * FROM hftok_import.import_keys('regress_m.rule', 'token', 'id');
CALL hftok.import_column('regress_m.users', 'huggingface_token', 'id', 'huggingface');
CALL hftok.blank_column('regress_m.users', 'huggingface_token', 'id');
CALL hftok.import_column('regress_m.trigger', 'token', 'id', 'huggingface');
-- Rows that are hidden from them stay so, and no policy is run to find out which.
CALL hftok.import_column('regress_m.policy', 'token', 'id', 'huggingface');
SELECT * FROM hftok_import.import_keys('regress_m.policy', 'token', 'id');
SET request.method = 'GET';
SELECT hftok_import.import_row('regress_m.opened', 'token', 'id', '9');
RESET request.method;
RESET SESSION AUTHORIZATION;
SELECT DISTINCT place, as_whom, got FROM regress_m.trace ORDER BY place;

-- A name that is no column is that of the row as a whole, or of a column that no privilege is asked for.
SET SESSION AUTHORIZATION regress_mover;
SELECT hftok_import.import_row('regress_m.rule', 'token', 'id', '5', p_provider_column => 'rule');
SELECT hftok_import.import_row('regress_m.rule', 'token', 'id', '5', p_model_column => 'tableoid');
CALL hftok.import_column('regress_m.rule', 'token', 'id', 'huggingface', p_owner_column => 'rule');
RESET SESSION AUTHORIZATION;

-- Cursors of whoever looks: the owner's code could read them, or put others in their place.
CREATE TABLE regress_m.salaries (pay text);
INSERT INTO regress_m.salaries VALUES ('boss 1000000');
SET SESSION AUTHORIZATION regress_mallory;
TRUNCATE regress_m.trace;
CREATE FUNCTION regress_m.swap() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    taken refcursor;
    name text;
    got text;
BEGIN
    FOR name IN SELECT c.name FROM pg_cursors c WHERE c.name !~ 'unnamed' LOOP
        taken := name;
        IF name = 'salaries' THEN
            FETCH taken INTO got;
            INSERT INTO regress_m.trace VALUES (name, current_user, got);
        ELSE
            CLOSE taken;
            OPEN taken FOR EXECUTE 'SELECT regress_m.evil(''swapped'')::text FROM generate_series(1, 3)';
        END IF;
    END LOOP;
    RETURN true;
END
$$;
CREATE FUNCTION regress_m.swap_cast(regress_m.token) RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN regress_m.swap() THEN $1.value END $$;
DROP CAST (regress_m.token AS text);
CREATE CAST (regress_m.token AS text) WITH FUNCTION regress_m.swap_cast(regress_m.token) AS IMPLICIT;
RESET SESSION AUTHORIZATION;
BEGIN;
DECLARE keys CURSOR FOR SELECT k.key FROM hftok_import.import_keys('regress_m.cast', 'token', 'id') k;
FETCH 1 FROM keys;
DECLARE salaries CURSOR FOR SELECT pay FROM regress_m.salaries;
SELECT hftok_import.import_row('regress_m.cast', 'token', 'id', '2');
ROLLBACK;
DO $$
DECLARE
    keys CURSOR FOR SELECT k.key FROM hftok_import.import_keys('regress_m.cast', 'token', 'id') k;
    found text;
BEGIN
    OPEN keys;
    FETCH keys INTO found;
    PERFORM hftok_import.import_row('regress_m.cast', 'token', 'id', found);
END
$$;
-- One of a FOR loop is out of their reach.
DO $$
DECLARE
    found text;
BEGIN
    FOR found IN SELECT k.key FROM hftok_import.import_keys('regress_m.cast', 'token', 'id') k LOOP
        RAISE NOTICE 'read %', found;
        PERFORM hftok_import.import_row('regress_m.cast', 'token', 'id', found);
    END LOOP;
END
$$;
SELECT place, as_whom, got FROM regress_m.trace ORDER BY place;

-- A part of a superuser's table that is a stranger's.
CREATE TABLE regress_m.parts (id int PRIMARY KEY, token text) PARTITION BY RANGE (id);
CREATE TABLE regress_m.part PARTITION OF regress_m.parts FOR VALUES FROM (1) TO (9);
CALL hftok.import_column('regress_m.parts', 'token', 'id', 'huggingface');
ALTER TABLE regress_m.part OWNER TO regress_mallory;
CALL hftok.import_column('regress_m.parts', 'token', 'id', 'huggingface');
CALL hftok.blank_column('regress_m.parts', 'token', 'id');
-- All of it mallory's: as mallory.
ALTER TABLE regress_m.parts OWNER TO regress_mallory;
CALL hftok.import_column('regress_m.parts', 'token', 'id', 'huggingface');

SET client_min_messages = warning;
DROP SCHEMA regress_m, regress_crypto CASCADE;
DELETE FROM hftok.credentials;
DELETE FROM hftok.decrypted_secrets;
DELETE FROM hftok_private.import_rows;
DELETE FROM hftok_private.import_sources;
DROP OWNED BY regress_mallory, regress_mover CASCADE;
DROP ROLE regress_mallory, regress_mover;
