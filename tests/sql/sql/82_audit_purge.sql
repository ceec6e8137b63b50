-- Purging the audit: what is left verifies, the stub in the place of what is gone can neither be forged nor removed unnoticed, and
-- what verify() holds the tables against is still known.

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
\c - regress_reader
SELECT hftok.get_secret('kept');
\c - :me
SET timezone = 'UTC';
SET client_min_messages = warning;
\i tests/sql/include/await.sql
CALL pg_temp.await_audit();
SELECT hftok.audit_head() AS early \gset
SELECT max(id) AS cut FROM hftok.audit_events \gset
SELECT pg_sleep(0.01);
\c - regress_reader
SELECT hftok.get_secret('kept'), hftok.put_secret('young', 'value') AS young \gset
\c - :me
SET timezone = 'UTC';
SET client_min_messages = warning;
\i tests/sql/include/await.sql
CALL pg_temp.await_audit();
SELECT hftok.audit_head() AS late \gset
SELECT at AS young_at FROM hftok.audit_events WHERE id = :cut + 1 \gset

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
UPDATE hftok_private.audit SET actor_user = 'bob' WHERE id = 4;
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
SELECT min(id) = :cut + 1 AS gone FROM hftok_private.audit;
ROLLBACK;
SELECT min(id) AS first, (SELECT count(*) FROM hftok_private.audit_stub) AS stubs FROM hftok_private.audit;
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
SELECT id = :cut AS in_its_place, chain_hash = decode(split_part(:'early', ':', 3), 'hex') AS its_hash, count(*) OVER () AS stubs FROM hftok_private.audit_stub;
SELECT ok, first_bad, reason FROM hftok.verify_audit();
SELECT ok, first_bad, reason FROM hftok.verify_audit(p_head => :'late');
SELECT ok, first_bad, reason FROM hftok.verify_audit(p_head => :'early');
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

-- The stub.
CREATE TEMP TABLE deeds (n serial, what text, deed text, ok boolean, first_bad bigint, reason text, error text);
INSERT INTO deeds (what, deed) VALUES
    ('nothing', 'SELECT'),
    ('removed', 'DELETE FROM hftok_private.audit_stub'),
    ('another number', 'UPDATE hftok_private.audit_stub SET id = id - 1'),
    ('a later number', 'UPDATE hftok_private.audit_stub SET id = id + 1'),
    ('another hash', 'UPDATE hftok_private.audit_stub SET chain_hash = set_byte(chain_hash, 20, get_byte(chain_hash, 20) # 1)'),
    ('another signature', 'UPDATE hftok_private.audit_stub SET signature = set_byte(signature, 20, get_byte(signature, 20) # 1)'),
    ('another key', 'UPDATE hftok_private.audit_stub SET signature = set_byte(signature, 0, get_byte(signature, 0) # 1)'),
    ('no signature', 'UPDATE hftok_private.audit_stub SET signature = '''''),
    ('no hash', 'UPDATE hftok_private.audit_stub SET chain_hash = '''''),
    ('its hash as signature', 'UPDATE hftok_private.audit_stub SET signature = chain_hash'),
    ('moved on, with the rows that it stands for', 'DELETE FROM hftok_private.audit a USING hftok_private.audit_stub s WHERE a.id <= s.id + 1;
        UPDATE hftok_private.audit_stub s SET id = id + 1, chain_hash = (SELECT decode(split_part($LATE, '':'', 3), ''hex''))'),
    ('the first after it removed', 'DELETE FROM hftok_private.audit a USING hftok_private.audit_stub s WHERE a.id = s.id + 1'),
    ('an older one beside it', 'INSERT INTO hftok_private.audit_stub SELECT id - 2, chain_hash, signature FROM hftok_private.audit_stub'),
    ('a later one beside it', 'INSERT INTO hftok_private.audit_stub SELECT id + 2, chain_hash, signature FROM hftok_private.audit_stub'),
    ('row before it', 'INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash) SELECT id, now(), ''reveal'', ''get_secret'', ''used'', 1, true, chain_hash FROM hftok_private.audit_stub'),
    ('rows far before it', 'INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash) SELECT 2, now(), ''reveal'', ''get_secret'', ''used'', 1, true, chain_hash FROM hftok_private.audit_stub'),
    ('all after it removed', 'DELETE FROM hftok_private.audit');
UPDATE deeds SET deed = replace(deed, '$LATE', quote_literal(:'late'));
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
SELECT what, ok, CASE WHEN what !~ '^rows? ' THEN first_bad - :cut END AS from_cut, CASE WHEN what !~ '^rows? ' THEN regexp_replace(reason, '[0-9]+', 'N') END AS reason, error FROM deeds ORDER BY n;
-- A role that lets a purge be made and undone has seen a stub, and may put it where it was: no purge is told that left it.
BEGIN;
SELECT hftok.purge_audit(clock_timestamp()) > 0 AS purged;
SELECT id AS seen_id, chain_hash AS seen_hash, signature AS seen_signature FROM hftok_private.audit_stub \gset
SELECT event AS seen_event, protection AS seen_protection FROM hftok_private.audit_pending
    WHERE hftok_private.pending_event(event, protection, xmin::text::bigint) LIKE '%purge_audit%' \gset
ROLLBACK;
CALL pg_temp.await_audit();
BEGIN;
DELETE FROM hftok_private.audit WHERE id <= :seen_id;
DELETE FROM hftok_private.audit_stub;
INSERT INTO hftok_private.audit_stub (id, chain_hash, signature) VALUES (:seen_id, :'seen_hash', :'seen_signature');
SELECT ok, first_bad = :seen_id AS named, reason FROM hftok.verify_audit();
-- The event is not believed either when somebody else puts it there.
INSERT INTO hftok_private.audit_pending (event, protection) VALUES (:'seen_event', :'seen_protection');
SELECT ok, first_bad = :seen_id AS named, reason FROM hftok.verify_audit();
SELECT count(*) AS told FROM hftok.audit_events WHERE action = 'purge_audit' AND outcome = 'rolled_back';
ROLLBACK;
-- In one transaction, twice.
BEGIN;
SELECT hftok.purge_audit(:'young_at') > 0 AS purged, hftok.purge_audit(clock_timestamp()) > 0 AS purged_again;
SELECT ok, reason FROM hftok.verify_audit();
ROLLBACK;
CALL pg_temp.await_audit();

-- Again, and all of it; the chain goes on.
SELECT hftok.purge_audit(:'young_at');
SELECT hftok.purge_audit('infinity') > 0 AS purged;
CALL pg_temp.await_audit();
SELECT action, count(*) FROM hftok.audit_events WHERE action IN ('purge_audit', 'carried_over') GROUP BY 1 ORDER BY 1;
SELECT count(*) AS stubs FROM hftok_private.audit_stub;
\c - regress_reader
SELECT hftok.get_secret('kept');
\c - :me
SET timezone = 'UTC';
SET client_min_messages = warning;
\i tests/sql/include/await.sql
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
SELECT kind, checked - (SELECT count(*) FROM hftok_private.data_keys) AS left, failed FROM hftok.verify();
-- An object that no longer exists is not told for ever.
SELECT hftok.purge_audit('infinity') > 0 AS purged;
CALL pg_temp.await_audit();
SELECT action, provider, level FROM hftok.audit_events WHERE action = 'carried_over' AND id > (SELECT id FROM hftok_private.audit_stub);

-- Nobody wipes their own slate, whatever the setting says.
SELECT hftok.put_secret('kept', 'value') IS NOT NULL AS put;
SET ROLE hftok_admin;
SELECT hftok.get_secret('kept');
RESET ROLE;
SELECT hftok.purge_audit('infinity');
DELETE FROM hftok.decrypted_secrets;
ALTER SYSTEM RESET hftok.audit_retention;
SELECT pg_reload_conf();
DROP OWNED BY regress_reader;
DROP ROLE regress_reader;
