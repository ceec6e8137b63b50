-- A part of sql/80_audit.sql, run by it.

-- A value that was shown was shown, whatever becomes of the transaction; a change is told with its outcome.
CALL pg_temp.begin();
BEGIN;
SELECT hftok.get_secret('named');
SELECT hftok.put_secret('named', 's3kr3t-that-was-not-kept') IS NOT NULL AS put;
SELECT hftok.delete_secret(:'named');
SELECT hftok.get_secret('named');
ROLLBACK;
BEGIN;
SELECT hftok.update_secret(:'named', new_description => 'kept');
SAVEPOINT part;
SELECT hftok.update_secret(:'named', new_description => 'not kept');
SELECT hftok.get_secret('named');
SAVEPOINT part_of_it;
SELECT hftok.update_secret(:'named', new_description => 'released, and not kept');
RELEASE part_of_it;
ROLLBACK TO part;
SELECT hftok.add_member('acme', 'dora');
SAVEPOINT kept;
SELECT hftok.add_member('acme', 'dora', 'admin');
RELEASE kept;
COMMIT;
DO $$
BEGIN
    PERFORM hftok.add_member('acme', 'eve');
    RAISE EXCEPTION 'none of it';
EXCEPTION WHEN OTHERS THEN
    PERFORM hftok.add_member('acme', 'fred');
END
$$;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, n, object, v, scope, owner, level, subject, digest FROM news;
SELECT description, version FROM hftok.secrets WHERE name = 'named';
SELECT user_id, role FROM hftok.members WHERE org_id = 'acme' AND user_id IN ('dora', 'eve', 'fred') ORDER BY user_id;
SELECT hftok.remove_member('acme', 'dora'), hftok.remove_member('acme', 'fred');

-- The head covers whatever was committed before it was asked for.
DO $$
DECLARE
    missing int := 0;
BEGIN
    FOR i IN 1 .. 100 LOOP
        PERFORM hftok.add_member('acme', 'member ' || i);
        COMMIT;
        PERFORM hftok.audit_head();
        COMMIT;
        missing := missing + (SELECT count(*) FROM hftok_private.audit_pending);
    END LOOP;
    IF missing > 0 THEN
        RAISE WARNING 'the head was without what was committed before';
    END IF;
END
$$;
SELECT hftok.remove_member('acme', 'member ' || i) AS removed FROM generate_series(1, 100) i GROUP BY 1;

-- More than a hundred changes that are undone: the first by themselves, the others counted.
CALL pg_temp.begin();
BEGIN;
SELECT count(hftok.add_member('acme', 'many ' || n)) FROM generate_series(1, 250) n;
ROLLBACK;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, count(*) AS events, sum(n) AS changes FROM news GROUP BY 1, 2, 3;
CALL pg_temp.begin();
BEGIN;
SAVEPOINT part;
SELECT count(hftok.add_member('acme', 'many ' || n)) FROM generate_series(1, 250) n;
ROLLBACK TO part;
COMMIT;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, sum(n) AS changes FROM news GROUP BY 1, 2, 3;

-- Each secret is an event, however many a statement reads.
CREATE TEMP TABLE many AS SELECT hftok.put_secret('many ' || n, 's3kr3t ' || n) AS id, n FROM generate_series(1, 1000) n;
CALL pg_temp.begin();
SELECT count(hftok.get_secret('many ' || n)) FROM generate_series(1, 100) n;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, count, version, owner_scope, digest IS NOT NULL AS digest, count(*) AS events, count(DISTINCT object_id) AS secrets
FROM hftok.audit_events e, seen s WHERE e.id > s.id GROUP BY 1, 2, 3, 4, 5, 6, 7;
CALL pg_temp.begin();
SELECT count(d.decrypted_secret) - (SELECT count(*) FROM hftok.secrets) AS not_opened FROM hftok.decrypted_secrets d;
CALL pg_temp.await_audit();
SELECT action, sum(count) - (SELECT count(*) FROM hftok.secrets) AS not_told, count(DISTINCT object_id) >= 100 AS by_themselves FROM hftok.audit_events e, seen s WHERE e.id > s.id GROUP BY 1;
CALL pg_temp.begin();
SELECT count(hftok.get_secret('many ' || n)) FROM generate_series(1, 1000) n;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, count = 1 AS alone, sum(count) AS uses, count(DISTINCT object_id) AS secrets, bool_or(digest IS NOT NULL) AS digest
FROM hftok.audit_events e, seen s WHERE e.id > s.id GROUP BY 1, 2, 3, 4 ORDER BY 4;
-- Reveals are counted per place in a statement; a statement with two places loses none.
CALL pg_temp.begin();
SELECT count(hftok.get_secret('many ' || n)) + count(hftok.get_secret('many ' || n, 1)) FROM generate_series(1, 150) n;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, sum(count) AS uses FROM hftok.audit_events e, seen s WHERE e.id > s.id GROUP BY 1, 2, 3;
-- A statement that fails in the middle has shown what it has shown.
CALL pg_temp.begin();
SELECT count(1 / (300 - n) + length(hftok.get_secret('many ' || n))) FROM generate_series(1, 1000) n;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, sum(count) BETWEEN 299 AND 300 AS uses FROM hftok.audit_events e, seen s WHERE e.id > s.id GROUP BY 1, 2, 3;
-- A cursor that is left open tells of what it gave without waiting for its end.
CALL pg_temp.begin();
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT hftok.get_secret('many ' || n) FROM generate_series(1, 1000) n;
MOVE 150 IN c;
SELECT pg_sleep(1);
COMMIT;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, sum(count) AS uses, max(at) - min(at) < '0.9 s' AS in_time FROM hftok.audit_events e, seen s WHERE e.id > s.id GROUP BY 1, 2, 3;
-- Used is used, among many too.
CALL pg_temp.await($$(SELECT count(*) = 0 FROM hftok.unused_secrets u JOIN many m ON m.id = u.secret_id)$$);
DELETE FROM hftok.decrypted_secrets WHERE name LIKE 'many %';

-- Nothing is written in the reader's transaction, so all of it works where nothing may be.
BEGIN;
\i tests/sql/include/every_reveal.sql
SELECT hftok.find_secret('s3kr3t-of-put');
SELECT hftok.record_usage(secret_id) FROM hftok.credentials WHERE scope = 'org';
SELECT ok FROM hftok.verify_audit();
SELECT failed FROM hftok.verify();
SELECT hftok.audit_head() IS NOT NULL AS head;
SELECT pg_current_xact_id_if_assigned() AS transaction_id;
COMMIT;
CALL pg_temp.begin();
BEGIN TRANSACTION READ ONLY;
\i tests/sql/include/every_reveal.sql
SELECT ok FROM hftok.verify_audit();
SELECT hftok.get_secret('absent');
ROLLBACK;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, object FROM news;
-- A snapshot of long ago does not hide what is written since.
BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) > 0 AS snapshot FROM hftok.secrets;
SELECT hftok.get_secret('named');
SELECT split_part(hftok.audit_head(), E'\n', 2)::bigint > (SELECT max(id) FROM hftok.audit_events) AS later;
COMMIT;

-- Waiting until it is on disk: the same events, and one more that many follow.
CALL pg_temp.begin();
SET hftok.audit = 'sync';
SELECT hftok.get_secret('named');
SELECT action, outcome FROM hftok.audit_events e, seen s WHERE e.id > s.id;
SELECT count(hftok.get_secret('named')) FROM generate_series(1, 150);
RESET hftok.audit;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, sum(n) AS n FROM news GROUP BY 1, 2, 3 ORDER BY 3;
