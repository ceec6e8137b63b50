-- A new secret needs no statement as long as its table is as the install script made it. Whatever somebody adds to the table, or
-- takes from it, has its say in the next row, and what is told of the row stays the same.

\set VERBOSITY terse
\encoding UTF8
\i tests/sql/include/await.sql
-- Counts the calls of the table's check, and of the trigger that keeps masks: a statement calls them, and what goes without one knows
-- their answers.
SET track_functions = 'all';
CREATE TEMP TABLE told (line text);
GRANT ALL ON told TO PUBLIC;
CREATE FUNCTION pg_temp.way(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    calls bigint := coalesce(pg_stat_get_xact_function_calls('hftok_private.is_secret'::regproc), 0);
    masks bigint := coalesce(pg_stat_get_xact_function_calls('hftok_private.secret_written'::regproc), 0);
BEGIN
    EXECUTE 'SELECT ' || call;
    RETURN CASE WHEN coalesce(pg_stat_get_xact_function_calls('hftok_private.is_secret'::regproc), 0) > calls
            THEN 'stored by a statement' ELSE 'stored by none' END
        || CASE WHEN coalesce(pg_stat_get_xact_function_calls('hftok_private.secret_written'::regproc), 0) > masks
            THEN ', masked by a trigger' ELSE '' END;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

-- As it was made.
SELECT pg_temp.way(call) FROM (VALUES (1, $$hftok.create_secret('v')$$),
    (2, $$hftok.create_secret('v', 'made one')$$),
    (3, $$hftok.create_secret('v', 'made one')$$),
    (4, $$hftok.put_secret('made two', 'v')$$),
    (5, $$hftok.save_credential('groq', 'groq-key-of-made-1', p_user_id => 'made')$$),
    (6, $$hftok.save_credential('groq', 'groq-key-of-made-2', p_user_id => 'made', p_model => 'one')$$),
    (7, $$hftok.save_credential('groq', 'groq-key-of-made-3', p_global => true)$$),
    (8, $$hftok.create_integration_with_vault('made', 'openai', 'sk-proj-made0000000000000000', p_user_id => 'made')$$),
    (9, $$hftok.save_credential('groq', 'groq-key-of-made-4', p_user_id => 'role:nobody')$$)) AS c (n, call) ORDER BY n;
SELECT k.user_id, k.service, k.api_key = s.preview AS masked FROM hftok_private.user_api_keys k
    JOIN hftok_private.secrets s ON s.id = k.id WHERE k.user_id = 'made';
SELECT scope, enabled, on_unusable, version, oldest_version, warnings, verdict, refusals, created_at = updated_at AND created_at = sealed_at AS at_once
    FROM hftok_private.secrets WHERE name IN ('made one', 'made two') OR scope_id = 'made' ORDER BY scope, model, name COLLATE "C";
-- now() is when the transaction began, and a part of it that is rolled back leaves nothing.
BEGIN;
SELECT hftok.create_secret('v', 'made three') IS NOT NULL AS made;
SELECT created_at = now() AS begun FROM hftok_private.secrets WHERE name = 'made three';
SAVEPOINT part;
SELECT hftok.create_secret('v', 'made four') IS NOT NULL AS made;
SELECT hftok.create_secret('v', 'made three');
ROLLBACK TO part;
SELECT hftok.create_secret('v', 'made four') IS NOT NULL AS made;
COMMIT;
BEGIN READ ONLY;
SELECT hftok.create_secret('v', 'made five');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_temp.way($$hftok.create_secret('v', 'made six')$$);
ROLLBACK;
SET session_replication_role = replica;
SELECT pg_temp.way($$hftok.create_secret('v', 'made seven')$$);
RESET session_replication_role;
-- One value that does not fit into a page, and texts that JSON has forms of its own for.
SELECT hftok.create_secret(repeat('0123456789abcdef', 4000), E'made "\\ /', E'tab\t line\n return\r quote" back\\ bell\x07 del\x7f \x01\x1f ü 😀 </b> \u2028') IS NOT NULL AS made;
SELECT (hftok.save_credential('openai', 'sk-proj-made0000000000000001', p_user_id => 'made', p_label => E'"label"\b\f',
    p_expires_at => '2099-01-01', p_allowed_hosts => '{api.openai.com,"openai.azure.com"}', p_on_unusable => 'continue')).version;
SELECT (hftok.save_credential('openai', 'sk-proj-made0000000000000002', p_user_id => 'made', p_model => 'two', p_expires_at => 'infinity',
    p_allowed_hosts => '{}')).version;
CALL pg_temp.await_audit();
SELECT kind, reason, failed FROM hftok.verify();

-- What others add. Each has its say, and is gone after its line.
CREATE FUNCTION pg_temp.with(ddl text, call text DEFAULT $$hftok.create_secret('v', 'made another')$$) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    EXECUTE ddl;
    said := pg_temp.way(call);
    RAISE EXCEPTION USING ERRCODE = 'RB000';
EXCEPTION WHEN SQLSTATE 'RB000' THEN
    RETURN said;
END
$$;
CREATE FUNCTION public.regress_stop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a trigger says no: % %', TG_WHEN, TG_LEVEL;
END
$$;
CREATE FUNCTION public.regress_fail(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF $1 = 'made another' THEN
        RAISE EXCEPTION 'an index says no';
    END IF;
    RETURN $1;
END
$$;
\pset format unaligned
SELECT ddl, pg_temp.with(ddl) FROM (VALUES
    (1, 'SELECT'),
    (2, 'CREATE TRIGGER regress BEFORE INSERT ON hftok_private.secrets FOR EACH ROW EXECUTE FUNCTION public.regress_stop()'),
    (3, 'CREATE TRIGGER regress AFTER INSERT ON hftok_private.secrets FOR EACH ROW EXECUTE FUNCTION public.regress_stop()'),
    (4, 'CREATE TRIGGER regress BEFORE INSERT ON hftok_private.secrets EXECUTE FUNCTION public.regress_stop()'),
    (5, 'CREATE TRIGGER regress AFTER INSERT ON hftok_private.secrets EXECUTE FUNCTION public.regress_stop()'),
    (6, 'CREATE CONSTRAINT TRIGGER regress AFTER INSERT ON hftok_private.secrets DEFERRABLE FOR EACH ROW EXECUTE FUNCTION public.regress_stop()'),
    (7, 'ALTER TABLE hftok_private.secrets ADD CONSTRAINT regress CHECK (name <> ''made another'')'),
    (8, 'ALTER TABLE hftok_private.secrets ADD CONSTRAINT regress CHECK (name <> ''made another'') NOT VALID'),
    (9, 'ALTER TABLE hftok_private.secrets ADD CONSTRAINT regress CHECK (name <> ''made nothing'')'),
    (10, 'CREATE UNIQUE INDEX regress ON hftok_private.secrets (description) WHERE name IN (''made one'', ''made another'')'),
    (11, 'CREATE INDEX regress ON hftok_private.secrets (public.regress_fail(name))'),
    (12, 'DROP INDEX hftok_private.secrets_fingerprint'),
    (13, 'CREATE POLICY regress ON hftok_private.secrets AS RESTRICTIVE USING (true) WITH CHECK (name <> ''made another'')'),
    (14, 'CREATE POLICY regress ON hftok_private.secrets AS RESTRICTIVE FOR SELECT USING (name <> ''made another'')'),
    (15, 'DROP POLICY hftok ON hftok_private.secrets'),
    (16, 'ALTER POLICY hftok ON hftok_private.secrets WITH CHECK (name <> ''made another'')'),
    (17, 'ALTER TABLE hftok_private.secrets ADD COLUMN regress int'),
    (18, 'ALTER TABLE hftok_private.secrets ADD COLUMN regress int; ALTER TABLE hftok_private.secrets DROP COLUMN regress'),
    (19, 'ALTER TABLE hftok_private.secrets ADD COLUMN regress text; ALTER TABLE hftok_private.secrets ALTER COLUMN regress SET DEFAULT ''x'''),
    (20, 'ALTER TABLE hftok_private.secrets ALTER COLUMN provider DROP NOT NULL'),
    (21, 'ALTER TABLE hftok_private.secrets ALTER COLUMN verdict_message SET DEFAULT ''x'''),
    (22, 'ALTER TABLE hftok_private.secrets ALTER COLUMN refusals SET DEFAULT 3'),
    (23, 'CREATE RULE regress AS ON INSERT TO hftok_private.secrets WHERE NEW.name = ''made another'' DO ALSO INSERT INTO told VALUES (''rule'')'),
    (24, 'ALTER TABLE hftok_private.secrets DISABLE TRIGGER note_kind'),
    (25, 'ALTER TABLE hftok_private.secrets DISABLE TRIGGER inserted'),
    (26, 'REVOKE INSERT ON hftok_private.secrets FROM hftok_owner'),
    (27, 'CREATE TABLE public.regress_names (name text PRIMARY KEY); ALTER TABLE hftok_private.secrets ADD CONSTRAINT regress FOREIGN KEY (name) REFERENCES public.regress_names NOT VALID'),
    (28, 'SELECT')) AS c (n, ddl) ORDER BY n;
-- The table of masks is somebody else's to change as well.
SELECT ddl, pg_temp.with(ddl, $$hftok.save_credential('groq', 'groq-key-of-made-5', p_user_id => 'made too')$$) FROM (VALUES
    (1, 'CREATE TRIGGER regress BEFORE INSERT ON hftok_private.user_api_keys FOR EACH ROW EXECUTE FUNCTION public.regress_stop()'),
    (2, 'ALTER TABLE hftok_private.user_api_keys ADD CONSTRAINT regress CHECK (user_id <> ''made too'')'),
    (3, 'ALTER TABLE hftok_private.secrets DISABLE TRIGGER inserted'),
    (4, 'SELECT'),
    (5, 'CREATE TRIGGER regress AFTER INSERT ON hftok_private.user_api_keys EXECUTE FUNCTION public.regress_stop()'),
    (6, 'ALTER TABLE hftok_private.user_api_keys DISABLE TRIGGER c_written'),
    (7, 'CREATE POLICY regress ON hftok_private.user_api_keys AS RESTRICTIVE USING (true) WITH CHECK (user_id <> ''made too'')'),
    (8, 'DROP POLICY own ON hftok_private.user_api_keys; CREATE POLICY own ON hftok_private.user_api_keys AS RESTRICTIVE USING (true) WITH CHECK (user_id <> ''made too'')'),
    (9, 'ALTER TABLE hftok_private.user_api_keys ADD COLUMN regress int DEFAULT 7'),
    (10, 'CREATE UNIQUE INDEX regress ON hftok_private.user_api_keys (service) WHERE user_id IN (''made'', ''made too'')'),
    (11, 'ALTER TABLE hftok_private.user_api_keys ALTER COLUMN id DROP DEFAULT')) AS c (n, ddl) ORDER BY n;
\pset format aligned
-- A mask that is there already, as when a client upserts one, is the new secret's afterwards.
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO hftok_private.user_api_keys (user_id, service, api_key) VALUES ('made', 'cohere', '••••');
SET LOCAL session_replication_role = origin;
SELECT pg_temp.way($$hftok.save_credential('cohere', 'cohere-key-of-made-0000', p_user_id => 'made')$$);
SELECT k.api_key = s.preview AS masked FROM hftok_private.user_api_keys k JOIN hftok_private.secrets s ON s.id = k.id WHERE k.service = 'cohere';
ROLLBACK;
-- A column's default reaches the row, and a trigger that changes it or swallows it does.
CREATE FUNCTION public.regress_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.description := 'changed';
    RETURN CASE WHEN NEW.name <> 'made swallowed' THEN NEW END;
END
$$;
BEGIN;
ALTER TABLE hftok_private.secrets ADD COLUMN regress int;
ALTER TABLE hftok_private.secrets ALTER COLUMN regress SET DEFAULT 7;
CREATE TRIGGER regress BEFORE INSERT ON hftok_private.secrets FOR EACH ROW EXECUTE FUNCTION public.regress_change();
SELECT hftok.create_secret('v', 'made changed') IS NOT NULL AS made;
SELECT description, regress FROM hftok_private.secrets WHERE name = 'made changed';
SELECT hftok.create_secret('v', 'made swallowed');
ROLLBACK;
SELECT pg_temp.way($$hftok.create_secret('v', 'made after')$$);

RESET track_functions;
DO $$
BEGIN
    PERFORM hftok.delete_secret(s.id) FROM hftok_private.secrets s WHERE s.scope = 'vault' AND s.name LIKE 'made%' OR s.scope = 'vault' AND s.name = '';
    PERFORM hftok.forget_user(u) FROM unnest('{made,role:nobody}'::text[]) u;
    PERFORM hftok.delete_credential('groq', p_global => true);
END
$$;
SELECT count(*) FROM hftok_private.secrets;
DROP FUNCTION public.regress_stop, public.regress_fail, public.regress_change;
