-- What an owner has is counted without a statement as long as the table of secrets and its index by owner are as the install script
-- made them. Whatever somebody does to the index, the quota is the same.

\set VERBOSITY terse
\encoding UTF8
SELECT current_setting('hftok.max_credentials_per_user')::int AS most \gset
CREATE FUNCTION pg_temp.save(model text, options text DEFAULT $$p_user_id => 'counted'$$) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT hftok.save_credential(''openai'', ''sk-proj-counted0000000000000'', %L, %s)', model, options);
    RETURN 'saved';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
-- Others', whose names and kinds begin as these do.
SELECT pg_temp.save('one', options) FROM unnest(ARRAY[$$p_user_id => 'counte'$$, $$p_user_id => 'counted '$$, $$p_user_id => 'Counted'$$, $$p_org_id => 'counted'$$, 'p_global => true']) options;
SELECT pg_temp.save('model ' || n), count(*) FROM generate_series(1, :most) n GROUP BY 1;

-- One of them is deleted, another one comes, and then no more: with what was done to the index, of which nothing is left.
CREATE COLLATION pg_temp.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE FUNCTION pg_temp.with(ddl text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    EXECUTE ddl;
    PERFORM hftok.delete_credential('openai', 'model 1', 'counted');
    said := concat_ws(' ', pg_temp.save('another'), pg_temp.save('one too many'), pg_temp.save('another'), pg_temp.save('one too many'));
    RAISE EXCEPTION USING ERRCODE = 'RB000';
EXCEPTION WHEN SQLSTATE 'RB000' THEN
    RETURN said;
END
$$;
SELECT ddl, pg_temp.with(ddl) FROM unnest(ARRAY[
    'SELECT 1',
    'REINDEX INDEX hftok_private.secrets_owner',
    'UPDATE hftok_private.secrets SET description = model, position = position + 1',
    'DROP INDEX hftok_private.secrets_owner',
    'DROP INDEX hftok_private.secrets_owner; CREATE INDEX secrets_owner ON hftok_private.secrets USING brin (scope, scope_id)',
    'DROP INDEX hftok_private.secrets_owner; CREATE INDEX secrets_owner ON hftok_private.secrets (scope) INCLUDE (scope_id)',
    'DROP INDEX hftok_private.secrets_owner; CREATE INDEX secrets_owner ON hftok_private.secrets (scope_id, scope)',
    'DROP INDEX hftok_private.secrets_owner; CREATE INDEX secrets_owner ON hftok_private.secrets (scope, scope_id) WHERE model = ''''',
    'DROP INDEX hftok_private.secrets_owner; CREATE INDEX secrets_owner ON hftok_private.secrets (scope DESC, scope_id text_pattern_ops) WITH (fillfactor = 50)',
    'DROP INDEX hftok_private.secrets_owner; CREATE INDEX secrets_owner ON hftok_private.secrets (scope, scope_id COLLATE pg_temp.any_case)',
    'ALTER INDEX hftok_private.secrets_owner RENAME TO secrets_other; ALTER INDEX hftok_private.secrets_slots RENAME TO secrets_owner',
    'CREATE TRIGGER one_more BEFORE INSERT ON hftok_private.secrets FOR EACH ROW WHEN (false) EXECUTE FUNCTION hftok_private.note_kind()',
    'SET LOCAL session_replication_role = replica']) ddl;

-- Within a transaction, and at another level of isolation.
BEGIN;
SELECT hftok.delete_credential('openai', 'model 2', 'counted');
SAVEPOINT part;
SELECT pg_temp.save('another');
ROLLBACK TO part;
SELECT pg_temp.save('another'), pg_temp.save('one too many');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_temp.save('one too many'), pg_temp.save('model 1');
ROLLBACK;
BEGIN READ ONLY;
SELECT pg_temp.save('model 1'), pg_temp.save('new', $$p_user_id => 'counting'$$), pg_temp.save('new', $$p_org_id => 'counted'$$), pg_temp.save('new', 'p_global => true');
ROLLBACK;

SELECT credentials = :most AS all FROM hftok.forget_user('counted');
DELETE FROM hftok.credentials WHERE scope_id IN ('counte', 'counted ', 'Counted', 'counted') OR scope = 'global' AND model = 'one';
