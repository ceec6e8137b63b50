-- Purging the audit: what is left verifies, and so does every older head; the hashes of what is gone can neither be forged nor removed
-- unnoticed, and what verify() holds the tables against is still known.

\set VERBOSITY terse
\encoding UTF8
SET timezone = 'UTC';
SELECT current_user AS me \gset
CREATE ROLE regress_reader LOGIN;
ALTER SYSTEM SET hftok.audit_retention = 0;
SELECT pg_reload_conf();
\i tests/sql/include/await.sql
SET client_min_messages = warning;
CALL pg_temp.await_audit();
DROP EXTENSION hftok;
CREATE EXTENSION hftok;
GRANT hftok_service TO regress_reader;
SELECT hftok.put_secret('kept', 'value') AS kept \gset
CALL pg_temp.await_audit();
SELECT hftok.put_secret('deleted', 'value') AS deleted \gset
SELECT hftok.delete_secret(:'deleted');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000001', p_user_id => 'alice');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000002', p_user_id => 'alice');
SELECT hftok.add_member('acme', 'alice', 'owner'), hftok.add_member('acme', 'bob'), hftok.add_member('club', 'bob', 'owner'), hftok.add_member('acme', 'carol');
SELECT hftok.remove_member('acme', 'carol');
SELECT hftok.grant_administrator('alice'), hftok.grant_administrator('olga'), hftok.revoke_administrator('olga');
SELECT hftok.create_integration_with_vault('made', 'openai', 'sk-proj-integrated0000000000', p_user_id => 'alice') AS integration \gset
SELECT hftok.update_integration_status(:'integration', 'connected', p_user_id => 'alice');
SELECT hftok.share_integration(:'integration', 'acme', 'alice'), hftok.share_integration(:'integration', 'acme', 'alice');
-- Events go 256 at a time, so there have to be more.
\c - regress_reader
SELECT count(hftok.get_secret('kept')) FROM generate_series(1, 300);
\i tests/sql/include/back.sql
CALL pg_temp.await_audit();
SELECT hftok.audit_head() AS inside \gset
\c - regress_reader
SELECT count(hftok.get_secret('kept')) FROM generate_series(1, 700);
\i tests/sql/include/back.sql
CALL pg_temp.await_audit();
SELECT hftok.audit_head() AS early \gset
SELECT max(id) AS before, max(id) / 256 * 256 AS cut FROM hftok.audit_events \gset
SELECT pg_sleep(0.01);
\c - regress_reader
SELECT count(hftok.get_secret('kept')) FROM generate_series(1, 300);
SELECT hftok.get_secret('kept'), hftok.put_secret('young', 'value') AS young \gset
\i tests/sql/include/back.sql
CALL pg_temp.await_audit();
SELECT hftok.audit_head() AS late \gset
SELECT min(at) AS young_at FROM hftok.audit_events WHERE id > :before \gset

-- Refused arguments, and purges that have nothing to do.
SELECT hftok.purge_audit(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.purge_audit('-infinity'), hftok.purge_audit('2000-01-01');
BEGIN TRANSACTION READ ONLY;
SELECT hftok.purge_audit(now());
ROLLBACK;
SELECT hftok.seal();
SELECT hftok.purge_audit(:'young_at');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.unseal() IS NOT NULL AS unsealed;
-- An event that does not verify is evidence: it is not purged.
BEGIN;
UPDATE hftok_private.audit SET actor_user = 'bob' WHERE id = (SELECT min(id) FROM hftok_private.audit WHERE kind = 'change');
SELECT hftok.purge_audit(:'young_at');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN;
DELETE FROM hftok_private.audit WHERE id = 1;
SELECT hftok.purge_audit(:'young_at');
ROLLBACK;
-- A setting may keep younger events, whoever asks. Only a superuser changes it, for the whole server.
ALTER SYSTEM SET hftok.audit_retention = '1h';
SELECT pg_reload_conf();
-- A session reads its settings again between two commands.
SELECT pg_sleep(1);
SHOW hftok.audit_retention;
SELECT hftok.purge_audit(now());
SELECT hftok.purge_audit(now() - interval '59 min');
SELECT hftok.purge_audit('infinity');
SELECT hftok.purge_audit(now() - interval '61 min');
ALTER SYSTEM SET hftok.audit_retention = 0;
SELECT pg_reload_conf();
SELECT pg_sleep(1);
SHOW hftok.audit_retention;
-- Rolled back, nothing is gone, and it was tried.
BEGIN;
SELECT hftok.purge_audit(:'young_at') = :cut AS purged;
SELECT min(id) = :cut + 1 AS gone FROM hftok.audit_events;
ROLLBACK;
SELECT min(id) AS first, (SELECT count(*) FROM hftok_private.audit_nodes WHERE height = 0) AS kept FROM hftok.audit_events;
SELECT ok FROM hftok.verify_audit();
SELECT kind, reason, failed FROM hftok.verify();
CALL pg_temp.await_audit();
SELECT kind, action, outcome, count(*) FROM hftok.audit_events WHERE action = 'purge_audit' GROUP BY 1, 2, 3 ORDER BY 3;
SELECT action, outcome, count(*) FROM hftok.audit_events WHERE action = 'carried_over' GROUP BY 1, 2;

-- Everything before the first event that is as young as this: by an operator.
SET ROLE hftok_admin;
SELECT hftok.purge_audit(:'young_at') = :cut AS purged;
RESET ROLE;
SELECT min(id) - :cut AS first FROM hftok.audit_events;
-- Where a checkpoint may end within a tile, the hashes of its events are left.
SELECT count(*) BETWEEN 1 AND 4 AS kept, min(length(hash)) AS bytes FROM hftok_private.audit_nodes WHERE height = 0;
SELECT height, count(*) >= :cut / 256 AS enough FROM hftok_private.audit_nodes WHERE height > 0 GROUP BY 1;
SELECT ok, first_bad, reason FROM hftok.verify_audit();
SELECT ok, first_bad, reason FROM hftok.verify_audit(p_head => :'late');
SELECT ok, first_bad, reason FROM hftok.verify_audit(p_head => :'early');
-- Also of a head whose last event is gone.
SELECT ok, first_bad, reason FROM hftok.verify_audit(p_head => :'inside');
SELECT hftok.audit_consistency(:'inside') ~ '^old [0-9]+\n' AS consistent;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, role_name, count = :cut AS all_of_them FROM hftok.audit_events WHERE action = 'purge_audit' AND outcome = 'committed';
-- Events that the tables are held against are told anew, for objects that are there, not for those that are no more.
SELECT e.action, e.outcome, CASE e.object_id WHEN :'kept' THEN 'kept' WHEN :'young' THEN 'young' WHEN :'integration' THEN 'integration' ELSE CASE WHEN e.object_id IS NOT NULL THEN 'another' END END AS object,
    e.version, e.owner_scope, e.owner_id, e.provider, e.level, e.subject, e.digest IS NOT NULL AS digest
FROM hftok.audit_events e WHERE e.action = 'carried_over' AND e.outcome = 'committed' ORDER BY owner_scope COLLATE "C", owner_id COLLATE "C", subject COLLATE "C", level;
SELECT kind, reason, failed FROM hftok.verify();
BEGIN;
DELETE FROM hftok_private.secrets WHERE name = 'kept';
UPDATE hftok_private.secrets SET enabled = false WHERE provider = 'openai' AND scope = 'user';
UPDATE hftok_private.members SET role = 'owner' WHERE user_id = 'bob';
INSERT INTO hftok_private.members (org_id, user_id, role) VALUES ('acme', 'carol', 'member');
DELETE FROM hftok_private.integration_shares;
DELETE FROM hftok_private.administrators WHERE user_id = 'alice';
INSERT INTO hftok_private.administrators (user_id) VALUES ('olga');
SELECT kind, CASE WHEN kind NOT IN ('secret', 'share') THEN id END AS id, reason, failed FROM hftok.verify() ORDER BY kind = 'total', kind, 2, reason;
ROLLBACK;

-- The hashes.
CREATE TEMP TABLE deeds (n serial, what text, deed text, ok boolean, first_bad bigint, reason text, error text);
INSERT INTO deeds (what, deed) VALUES
    ('nothing', 'SELECT'),
    ('a hash removed that its leaves give', 'DELETE FROM hftok_private.audit_nodes WHERE height = 8 AND number = 1'),
    ('all hashes removed', 'DELETE FROM hftok_private.audit_nodes'),
    ('a hash changed', 'UPDATE hftok_private.audit_nodes SET hash = set_byte(hash, 20, get_byte(hash, 20) # 1) WHERE height = 8 AND number = 0'),
    ('two hashes swapped', 'UPDATE hftok_private.audit_nodes SET number = -number - 1 WHERE height = 8 AND number IN (0, 1); UPDATE hftok_private.audit_nodes SET number = 2 + number WHERE number < 0'),
    ('a tile more removed', 'DELETE FROM hftok_private.audit WHERE id <= $CUT + 256; DELETE FROM hftok_private.audit_bundles WHERE last_id <= $CUT + 256'),
    ('the first after it removed', 'DELETE FROM hftok_private.audit_bundles WHERE last_id = (SELECT min(last_id) FROM hftok_private.audit_bundles)'),
    ('row before it', 'INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash) VALUES ($CUT, now(), ''reveal'', ''get_secret'', ''used'', 1, true, '''')'),
    ('rows far before it', 'INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash) VALUES (2, now(), ''reveal'', ''get_secret'', ''used'', 1, true, '''')'),
    ('all after it removed', 'DELETE FROM hftok_private.audit; DELETE FROM hftok_private.audit_bundles'),
    ('the purge untold', 'DELETE FROM hftok_private.audit WHERE action = ''purge_audit''');
UPDATE deeds SET deed = replace(deed, '$CUT', :'cut');
DO $$
DECLARE
    one record;
    verdict hftok.verified_audit;
BEGIN
    FOR one IN SELECT * FROM deeds ORDER BY n LOOP
        BEGIN
            verdict := NULL;
            one.error := NULL;
            EXECUTE one.deed;
            verdict := hftok.verify_audit();
            RAISE EXCEPTION USING ERRCODE = 'RB000';
        EXCEPTION WHEN SQLSTATE 'RB000' THEN NULL;
            WHEN OTHERS THEN one.error := SQLSTATE || ' ' || SQLERRM;
        END;
        UPDATE deeds SET ok = verdict.ok, first_bad = verdict.first_bad, reason = verdict.reason, error = one.error WHERE n = one.n;
    END LOOP;
END
$$;
SELECT what, ok, regexp_replace(reason, '[0-9]+', 'N', 'g') AS reason, error FROM deeds ORDER BY n;
-- A role that lets a purge be made and undone has seen its event, and may put it where it was: it is not believed.
BEGIN;
SELECT hftok.purge_audit(clock_timestamp()) > 0 AS purged;
SELECT event AS seen_event, protection AS seen_protection FROM hftok_private.audit_pending
    WHERE hftok_private.pending_event(event, protection, xmin::text::bigint) LIKE '%purge_audit%' \gset
ROLLBACK;
CALL pg_temp.await_audit();
BEGIN;
DELETE FROM hftok_private.audit WHERE id <= :cut + 256;
DELETE FROM hftok_private.audit_bundles WHERE last_id <= :cut + 256;
INSERT INTO hftok_private.audit_pending (event, protection) VALUES (:'seen_event', :'seen_protection');
SELECT ok, reason IS NOT NULL AS told FROM hftok.verify_audit();
ROLLBACK;
-- In one transaction, twice.
BEGIN;
SELECT hftok.purge_audit(:'young_at') > 0 AS purged, hftok.purge_audit(clock_timestamp()) > 0 AS purged_again;
SELECT ok, reason FROM hftok.verify_audit();
ROLLBACK;
CALL pg_temp.await_audit();

-- Again, and all of it; the log goes on.
SELECT hftok.purge_audit(:'young_at');
SELECT hftok.purge_audit('infinity') > 0 AS purged;
CALL pg_temp.await_audit();
SELECT action, count(*) FROM hftok.audit_events WHERE action IN ('purge_audit', 'carried_over') GROUP BY 1 ORDER BY 1;
\c - regress_reader
SELECT count(hftok.get_secret('kept')) FROM generate_series(1, 800);
\i tests/sql/include/back.sql
SELECT ok, first_bad, reason FROM hftok.verify_audit();
SELECT kind, reason, failed FROM hftok.verify();
SELECT hftok.purge_audit('infinity') > 0 AS purged;
SELECT ok, first_bad, reason FROM hftok.verify_audit();
SELECT kind, reason, failed FROM hftok.verify();
-- A purge in the transaction that changes something: an event that is told anew does not hide the change.
BEGIN;
SELECT hftok.put_secret('kept', 'other') = :'kept' AS changed;
SELECT hftok.remove_member('acme', 'bob');
SELECT hftok.delete_secret(:'young');
SELECT hftok.purge_audit('infinity') > 0 AS purged;
SELECT kind, reason, failed FROM hftok.verify();
COMMIT;
CALL pg_temp.await_audit();
SELECT kind, reason, failed FROM hftok.verify();
SELECT ok, first_bad, reason FROM hftok.verify_audit();

SELECT credentials, integrations, memberships FROM hftok.forget_user('alice');
SELECT a.memberships, c.memberships AS of_club FROM hftok.forget_org('acme') a, hftok.forget_org('club') c;
DELETE FROM hftok.decrypted_secrets;
SELECT kind, checked - (SELECT count(*) FROM hftok_private.data_keys WHERE state <> 'destroyed') AS left, failed FROM hftok.verify();
-- An object that no longer exists is not told for ever.
SELECT hftok.purge_audit('infinity') > 0 AS purged;
CALL pg_temp.await_audit();
SELECT action, provider, level FROM hftok.audit_events WHERE action = 'carried_over' AND object_id IS NULL AND id > (SELECT max(id) FROM hftok.audit_events WHERE action = 'forget_org');

-- Nobody wipes their own slate, whatever the setting says.
SELECT hftok.put_secret('kept', 'value') IS NOT NULL AS put;
SET ROLE hftok_admin;
SELECT count(hftok.get_secret('kept')) FROM generate_series(1, 300);
RESET ROLE;
CALL pg_temp.await_audit();
SELECT hftok.purge_audit('infinity');
DELETE FROM hftok.decrypted_secrets;
ALTER SYSTEM RESET hftok.audit_retention;
SELECT pg_reload_conf();
DROP OWNED BY regress_reader;
DROP ROLE regress_reader;
