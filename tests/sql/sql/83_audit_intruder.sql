-- Whoever can write to every table of the audit, but has no key, neither hides an event from verify_audit(), nor keeps the writer from
-- writing for good; and users cannot find out what is kept from them.

\i tests/sql/include/new_log.sql
SELECT hftok.put_secret('kept', 'value') IS NOT NULL AS put;
CALL pg_temp.await_audit();
DO $$ BEGIN FOR i IN 1..1600 LOOP PERFORM hftok.get_secret('kept'); END LOOP; END $$;
CALL pg_temp.await_audit();

-- A tile is gone, and the stored hashes are moved up so that the root is right all the same: a part of the log that should
-- have the tile does not verify either.
SELECT ok, first_bad, reason FROM hftok.verify_audit(257, 768);
SELECT max(number) AS newest_node FROM hftok_private.audit_nodes WHERE height = 8;
BEGIN;
CREATE TEMP TABLE nodes AS SELECT n.number, n.hash FROM hftok_private.audit_nodes n WHERE n.height = 8;
DELETE FROM hftok_private.audit_bundles WHERE last_id > 512 AND last_id <= 768;
DELETE FROM hftok_private.audit WHERE id > 512 AND id <= 768;
UPDATE hftok_private.audit_nodes a SET hash = n.hash FROM nodes n
WHERE a.height = 8 AND a.number IN (3, 4) AND n.number = a.number - 1;
UPDATE hftok_private.audit_nodes a SET hash = sha256('\x01'::bytea || l.hash || r.hash) FROM nodes l, nodes r
WHERE a.height = 8 AND a.number = 5 AND l.number = 4 AND r.number = 5;
SELECT checked, ok, first_bad, reason FROM hftok.verify_audit(257, 768);
ROLLBACK;

-- Rows that are in the way of the writer, each of its own sort, put in by somebody who knows where the log ends. It goes on, and tells.
CREATE PROCEDURE pg_temp.insert_row(number bigint) LANGUAGE sql AS $$
    INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash)
    VALUES (number, now(), 'audit', 'invented', 'done', 1, true, '')
$$;
CREATE FUNCTION pg_temp.log_end() RETURNS bigint LANGUAGE sql AS 'SELECT max(c.size) FROM hftok_private.audit_checkpoints c';
-- Hashes of heights that no tree has.
INSERT INTO hftok_private.audit_nodes VALUES (63, 0, ''), (100, 7, ''), (32767, 9223372036854775807, ''), (-1, 0, '');
CALL pg_temp.insert_row(pg_temp.log_end() + 2);
SELECT hftok.get_secret('kept');
CALL pg_temp.await_audit();
DELETE FROM hftok_private.audit_nodes WHERE height NOT IN (0, 8);
-- The place that a row beyond a gap is put to is taken.
SELECT pg_temp.log_end() + 1000 AS beyond \gset
CALL pg_temp.insert_row(:beyond);
CALL pg_temp.insert_row(-:beyond);
INSERT INTO hftok_private.audit_bundles
SELECT s.sign * (:beyond + 1), b.count, b.first_at, b.last_at, b.filter_key, b.filter, b.body, b.body_hash, b.mac
FROM hftok_private.audit_bundles b, (VALUES (1), (-1)) s (sign) WHERE b.last_id = 512;
CALL pg_temp.insert_row(-9223372036854775808);
CALL pg_temp.insert_row(9223372036854775807);
SELECT hftok.get_secret('kept');
CALL pg_temp.await_audit();
SELECT count(*) > 0 AS is_told FROM hftok.find_audit_events(p_kind => 'audit') WHERE action = 'audit_checkpoint' AND outcome = 'damaged';
SELECT ok FROM hftok.verify_audit();

-- The hash of a leaf has no key: it would tell a user, who tries all addresses, from where others came.
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000001', p_user_id => 'alice');
SELECT source FROM hftok.resolve_token('openai', 'alice');
CALL pg_temp.await_audit();
SELECT action, client_addr, application_name, chain_hash FROM hftok_private.audit_events_of('alice') WHERE actor_user IS DISTINCT FROM 'alice';

CALL pg_temp.await_audit();
DROP EXTENSION hftok;
CREATE EXTENSION hftok;
