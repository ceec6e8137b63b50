-- LOCK TABLE on a view goes on to what is below it. Nobody who may delete through a view of hftok reaches a table that way; what
-- remains are the view itself, and members of pg_write_all_data, who may lock every table of the database.

\set VERBOSITY terse
SET client_min_messages = warning;
CREATE ROLE regress_locker LOGIN;
CREATE ROLE regress_writer IN ROLE pg_write_all_data;
-- The relations that a role gets hold of by locking a view, or the refusal.
CREATE FUNCTION pg_temp.locked(who name, view regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    BEGIN
        EXECUTE format('SET LOCAL ROLE %I', who);
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', view);
        RAISE EXCEPTION USING ERRCODE = 'RB000', MESSAGE = (SELECT string_agg(l.relation::regclass::text, ' ' ORDER BY l.relation::regclass::text COLLATE "C")
            FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.mode = 'AccessExclusiveLock' AND l.relation IS NOT NULL);
    EXCEPTION WHEN SQLSTATE 'RB000' OR insufficient_privilege THEN
        answer := SQLERRM;
    END;
    RETURN answer;
END
$$;
SELECT c.oid::regclass AS view, pg_temp.locked('hftok_user', c.oid) AS "user", pg_temp.locked('hftok_service', c.oid) AS service,
    pg_temp.locked('hftok_admin', c.oid) AS admin
FROM pg_class c WHERE c.relnamespace = 'hftok'::regnamespace AND c.relkind = 'v' ORDER BY c.relname;
-- Nor through a view of one's own.
GRANT hftok_user, hftok_service TO regress_locker;
CREATE SCHEMA regress_locker AUTHORIZATION regress_locker;
SET ROLE regress_locker;
CREATE VIEW regress_locker.credentials AS SELECT * FROM hftok.credentials;
CREATE VIEW regress_locker.keys AS SELECT * FROM hftok.user_api_keys;
CREATE VIEW regress_locker.decrypted AS SELECT * FROM hftok.decrypted_secrets;
RESET ROLE;
SELECT c.oid::regclass AS view, pg_temp.locked('regress_locker', c.oid) FROM pg_class c
WHERE c.relnamespace = 'regress_locker'::regnamespace ORDER BY c.relname;
-- Deleting through the views goes on as before, and opens nothing.
SELECT hftok.put_secret(n, 'value') IS NOT NULL AS stored FROM unnest('{locked 1,locked 2,locked 3}'::text[]) n;
SET ROLE hftok_service;
DELETE FROM hftok.decrypted_secrets WHERE name = 'locked 1' RETURNING name;
WITH d AS (DELETE FROM hftok.decrypted_secrets WHERE name LIKE 'locked %' RETURNING name) SELECT count(*) FROM d;
RESET ROLE;
SELECT count(*) AS kept FROM hftok.secrets WHERE name LIKE 'locked %';

-- Postgres' own limit.
SELECT pg_temp.locked('regress_writer', 'hftok.decrypted_secrets') AS through_a_view, pg_temp.locked('regress_writer', 'hftok_private.secrets') AS by_its_name;

DROP SCHEMA regress_locker CASCADE;
DROP OWNED BY regress_locker;
DROP ROLE regress_locker, regress_writer;
