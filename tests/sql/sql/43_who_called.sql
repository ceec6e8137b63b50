-- The audit names whose privilege was used, whoever set it off. mallory, who has the backend's and the operator's privileges, makes
-- others run what calls hftok: by a function that runs as its owner, a foreign key that cascades, an index that is analyzed.

\set VERBOSITY terse
\encoding UTF8
\i tests/sql/include/await.sql
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_mallory, regress_boss, regress_renamed;
CREATE ROLE regress_mallory IN ROLE hftok_service, hftok_admin;
CREATE ROLE regress_boss;
CREATE SCHEMA regress_mallory AUTHORIZATION regress_mallory;
GRANT USAGE ON SCHEMA regress_mallory TO PUBLIC;
SELECT hftok.put_secret('target', 'value-of-target') AS target \gset
\i tests/sql/include/who_news.sql
CALL pg_temp.await_audit();
SELECT count(*) > 0 AS read FROM pg_temp.news();

SET ROLE regress_mallory;
CREATE TABLE regress_mallory.loot (value text);
CREATE TABLE regress_mallory.parent (id int PRIMARY KEY);
CREATE TABLE regress_mallory.child (id int REFERENCES regress_mallory.parent ON DELETE CASCADE);
INSERT INTO regress_mallory.parent VALUES (1);
INSERT INTO regress_mallory.child VALUES (1);
CREATE FUNCTION regress_mallory.harmless() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO regress_mallory.loot SELECT hftok.get_secret('target');
    RETURN 1;
END
$$;
CREATE FUNCTION regress_mallory.cascade() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO regress_mallory.loot SELECT hftok.get_secret('target');
    RETURN OLD;
END
$$;
CREATE TRIGGER t BEFORE DELETE ON regress_mallory.child FOR EACH ROW EXECUTE FUNCTION regress_mallory.cascade();
CREATE FUNCTION regress_mallory.indexed(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM hftok.get_secret('target');
    RETURN $1;
EXCEPTION WHEN OTHERS THEN
    RETURN $1;
END
$$;
CREATE INDEX indexed ON regress_mallory.child (regress_mallory.indexed(id));
RESET ROLE;
CALL pg_temp.await_audit();
SELECT action, outcome, role, outer_role, actor FROM pg_temp.news();

-- boss has no right to hftok at all; the superuser only deletes, and analyzes.
SET ROLE regress_boss;
SELECT hftok.get_secret('target');
SELECT regress_mallory.harmless();
RESET ROLE;
ANALYZE regress_mallory.child;
DELETE FROM regress_mallory.parent;
SELECT count(*) AS stolen FROM regress_mallory.loot WHERE value = 'value-of-target';
CALL pg_temp.await_audit();
SELECT action, outcome, role, outer_role, actor FROM pg_temp.news();
SELECT role_name, actor_user, reveals FROM hftok.recent_reveals WHERE object_id = :'target';

-- Everything that is recorded, by a function of mallory's that the superuser calls.
SET ROLE regress_mallory;
CREATE FUNCTION regress_mallory.run(VARIADIC statements text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        BEGIN
            EXECUTE statement;
        EXCEPTION WHEN OTHERS THEN
            RAISE INFO '%: %', statement, SQLERRM;
        END;
    END LOOP;
END
$$;
RESET ROLE;
SELECT regress_mallory.run(
    $$SELECT hftok.save_credential('openai', 'sk-proj-alice000000000000001', p_user_id => 'alice')$$,
    $$SELECT hftok.save_credential('openai', 'sk-proj-alice000000000000002', p_user_id => 'alice')$$,
    $$SELECT hftok.resolve_token('openai', 'alice')$$, $$SELECT hftok.resolve_hf_token('nobody')$$,
    $$SELECT hftok.runner_env('{openai}', 'alice')$$,
    $$SELECT hftok.previous_token(secret_id) FROM hftok.credentials WHERE scope_id = 'alice'$$,
    $$SELECT hftok.report_credential(secret_id, 'verified') FROM hftok.credentials WHERE scope_id = 'alice'$$,
    $$UPDATE hftok.credentials SET label = 'x' WHERE scope_id = 'alice'$$,
    $$SELECT hftok.explain_token('openai', 'alice')$$, $$SELECT hftok.token_provided('openai', 'alice')$$,
    $$SELECT hftok.create_integration_with_vault('made', 'openai', 'sk-proj-integrated0000000000', p_user_id => 'alice')$$,
    $$SELECT hftok.update_integration_status(id, 'connected', p_user_id => 'alice') FROM hftok.integrations$$,
    $$SELECT hftok.get_integration_credentials(id, 'alice') FROM hftok.integrations$$,
    $$SELECT hftok.get_integration_credentials(gen_random_uuid(), 'bob')$$,
    $$INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('carol', 'groq', 'key-of-carol')$$,
    $$UPDATE hftok.user_api_keys SET api_key = 'other-key-of-carol' WHERE user_id = 'carol'$$,
    $$DELETE FROM hftok.user_api_keys WHERE user_id = 'carol'$$,
    $$DELETE FROM hftok.credentials WHERE scope_id = 'alice'$$,
    $$SELECT hftok.add_member('acme', 'alice', 'owner')$$, $$SELECT hftok.forget_org('acme')$$, $$SELECT hftok.forget_user('alice')$$);
CALL pg_temp.await_audit();
SELECT action, outcome, role, outer_role, actor FROM pg_temp.news();
SELECT regress_mallory.run(
    $$SELECT hftok.create_secret('x', 'made')$$, $$SELECT hftok.update_secret(id, 'y') FROM hftok.secrets WHERE name = 'made'$$,
    $$SELECT hftok.put_secret('made', 'z')$$, $$SELECT hftok.restore_secret(id, 1) FROM hftok.secrets WHERE name = 'made'$$,
    $$SELECT hftok.find_secret('x')$$, $$SELECT decrypted_secret FROM hftok.decrypted_secrets WHERE name = 'made'$$,
    $$SELECT hftok.secret_history(gen_random_uuid())$$, $$DELETE FROM hftok.decrypted_secrets WHERE name = 'made'$$,
    $$SELECT hftok.delete_secret(gen_random_uuid())$$,
    $$SELECT hftok.grant_administrator('olga')$$, $$SELECT hftok.revoke_administrator('olga')$$,
    $$SELECT hftok_import.import_value('source', 'key', 'sk-proj-imported000000000001', 'openai', p_user_id => 'dora')$$,
    $$SELECT hftok_import.import_value('source', 'other', 'sk-proj-imported000000000001', 'openai', p_user_id => 'dora')$$,
    $$SELECT hftok.forget_user('dora')$$,
    $$SELECT hftok.verify()$$, $$SELECT hftok.verify_audit(1, 1)$$, $$SELECT hftok.unseal()$$, $$SELECT hftok.purge_audit('2000-01-01')$$);
SELECT hftok.install_vault_schema();
SELECT regress_mallory.run(
    $$SELECT vault.create_secret('x', 'made')$$, $$SELECT vault.update_secret(id, 'y') FROM vault.secrets WHERE name = 'made'$$,
    $$SELECT decrypted_secret FROM vault.decrypted_secrets WHERE name = 'made'$$, $$DELETE FROM vault.secrets WHERE name = 'made'$$);
DROP SCHEMA vault CASCADE;
CALL pg_temp.await_audit();
SELECT action, outcome, role, outer_role, actor FROM pg_temp.news();
-- In no test of this database does anybody hide behind hftok's own role. Only the writer has it, making a key for itself.
SELECT kind, action, outcome FROM hftok_private.audit_rows
WHERE (role_name = 'hftok_owner' OR actor_user = 'role:hftok_owner') AND kind <> 'key';

-- A reason that PostgreSQL itself finds: the name of a role that this session has not met is not asked for while it fails.
GRANT USAGE ON SCHEMA hftok TO regress_boss;
\c -
SET client_min_messages = warning;
\i tests/sql/include/await.sql
\i tests/sql/include/who_news.sql
SELECT count(*) > 0 AS read FROM pg_temp.news();
SET ROLE regress_boss;
CREATE FUNCTION pg_temp.attempt() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN PERFORM hftok.seal(); END';
RESET ROLE;
SELECT pg_temp.attempt();
SELECT hftok.whoami() IS NOT NULL AS known;
REVOKE USAGE ON SCHEMA hftok FROM regress_boss;
CALL pg_temp.await_audit();
SELECT action, outcome, replace(role, 'regress_boss'::regrole::oid::text, '#') AS role, outer_role,
    replace(actor, 'regress_boss'::regrole::oid::text, '#') AS actor FROM pg_temp.news();

-- A role that is renamed while its session goes on, and another that takes its name.
SET ROLE regress_mallory;
SELECT hftok.get_secret('target');
RESET ROLE;
ALTER ROLE regress_mallory RENAME TO regress_renamed;
CREATE ROLE regress_mallory;
SET ROLE regress_renamed;
SELECT hftok.get_secret('target');
RESET ROLE;
CALL pg_temp.await_audit();
SELECT action, outcome, role, outer_role, actor FROM pg_temp.news();
DROP ROLE regress_mallory;

-- An error of hftok's own keeps its SQLSTATE, also out of SQL that runs in a guarded function.
SELECT hftok.secret_history('00000000-0000-4000-8000-000000000000');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default

-- One who calls as a role, without a user of the application, is told whose credential that makes; and what was never replaced
-- has no previous value.
RESET client_min_messages;
SELECT hftok.save_credential('openai', 'sk-proj-roles000000000000001', p_user_id => 'alice') IS NOT NULL AS quiet;
SET ROLE regress_renamed;
SELECT (hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzabcdefgh')).secret_id AS own \gset
\set VERBOSITY terse
DO $$ BEGIN
    PERFORM hftok.previous_token(secret_id) FROM hftok.credentials WHERE scope_id = 'role:regress_renamed';
EXCEPTION WHEN OTHERS THEN
    DECLARE detail text; BEGIN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
        RAISE INFO '%', regexp_replace(detail, '[0-9a-f-]{36}', '#');
    END;
END $$;
RESET ROLE;
SELECT scope_id, version FROM hftok.credentials WHERE secret_id = :'own';

SET client_min_messages = warning;
DELETE FROM hftok.credentials;
DELETE FROM hftok.decrypted_secrets;
DROP OWNED BY regress_renamed, regress_boss CASCADE;
DROP ROLE regress_renamed, regress_boss;
