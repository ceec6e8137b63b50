-- Rows that somebody who can write to every table, and has no key, puts into audit_pending: they are chained as what they are,
-- unprotected, and nothing is held against them.

\set VERBOSITY terse
\encoding UTF8
SET timezone = 'UTC';
\i tests/sql/include/await.sql
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_dba;
CREATE ROLE regress_dba BYPASSRLS IN ROLE pg_write_all_data, pg_read_all_data;
CALL pg_temp.await_audit();
DROP EXTENSION hftok;
CREATE EXTENSION hftok;
SELECT hftok.add_member('acme', 'alice', 'owner');
SELECT hftok.put_secret('named', 'value') AS named \gset
SELECT hftok.put_secret('doomed', 'value') AS doomed \gset
SELECT hftok.put_secret('lawful', 'value') AS lawful \gset
CALL pg_temp.await_audit();
SELECT ok, unprotected FROM hftok.verify_audit();

-- An event as docs/audit-format.md says that it is encoded, by one who claims that it was protected.
CREATE FUNCTION pg_temp.field(text) RETURNS bytea LANGUAGE sql AS $$
    SELECT coalesce(substr(int4send(octet_length($1)), 3) || convert_to($1, 'UTF8'), '\xffff') $$;
CREATE FUNCTION pg_temp.short(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT substr(int4send(4 + length($1)), 4) || $1 $$;
CREATE FUNCTION pg_temp.event(kind int, action text, outcome text, object uuid = NULL, version int = NULL, digest bytea = NULL,
    scope text = NULL, owner text = NULL, level text = NULL, subject text = NULL) RETURNS bytea LANGUAGE sql AS $$
    SELECT substr(int4send(length(s.shape)), 3) || s.shape || int8send((extract(epoch FROM clock_timestamp() - '2000-01-01') * 1000000)::bigint)
        || substr(int4send(32 + CASE WHEN object IS NULL THEN 0 ELSE 2 END + CASE WHEN version IS NULL THEN 0 ELSE 4 END
            + CASE WHEN digest IS NULL THEN 0 ELSE 8 END + CASE WHEN subject IS NULL THEN 0 ELSE 64 END), 4)
        || coalesce(uuid_send(object), '') || coalesce(substr(int4send(version), 4), '') || coalesce(pg_temp.short(digest), '')
        || coalesce(pg_temp.short(convert_to(owner, 'UTF8')), '\x00') || coalesce(pg_temp.short(convert_to(subject, 'UTF8')), '')
    FROM (SELECT '\x01' || substr(int4send(kind), 4) || '\x01' || pg_temp.field(action) || pg_temp.field(outcome) || pg_temp.field(scope)
        || pg_temp.field(NULL::text) || pg_temp.field(level) || pg_temp.field('bob') || pg_temp.field('bob') || pg_temp.field('bob')
        || pg_temp.field('10.0.0.7') || pg_temp.field(NULL::text) AS shape) s
$$;
CALL pg_temp.await_audit();
SELECT count(*) AS before FROM hftok.audit_events \gset
SET ROLE regress_dba;
-- Every kind; without a protection, with that of no key, of a key that there is not, and of this run.
INSERT INTO hftok_private.audit_pending (event, protection) VALUES
    (pg_temp.event(1, 'get_secret', 'used', :'named', 1), NULL),
    (pg_temp.event(2, 'put_secret', 'committed', :'named', 7, sha256('x')), decode(repeat('00', 36), 'hex')),
    (pg_temp.event(2, 'purge_audit', 'rolled_back'), '\x'),
    (pg_temp.event(3, 'get_secret', 'not_found'), decode(repeat('01', 36), 'hex')),
    (pg_temp.event(4, 'unseal', 'done'), decode('00000000' || repeat('ab', 32), 'hex')),
    (pg_temp.event(5, 'verify_audit', 'ok'), decode('7fffffff' || repeat('ab', 32), 'hex')),
    ('no event', NULL);
RESET ROLE;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, actor_user, protected FROM hftok.audit_events WHERE id > :before AND NOT (action = 'status') ORDER BY kind, action;
SELECT ok, first_bad, unprotected FROM hftok.verify_audit();
SELECT actor_user, action, reveals, protected FROM hftok.recent_reveals;
SELECT actor_user, count(*) FROM hftok.audit_events WHERE protected AND actor_user = 'role:bob' GROUP BY 1;
-- Nothing follows from it.
SELECT count(*) FROM hftok_private.counted_uses WHERE secret_id = :'named';
SELECT kind, reason FROM hftok.verify();

-- A member who was added by hand, and somebody who tells of it, before each call and in the transaction of the call.
SET ROLE regress_dba;
INSERT INTO hftok_private.members (org_id, user_id, role) VALUES ('acme', 'mallory', 'owner');
RESET ROLE;
CREATE PROCEDURE pg_temp.ask(times int, INOUT flagged int = 0) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. times LOOP
        SET LOCAL ROLE regress_dba;
        INSERT INTO hftok_private.audit_pending (event)
            VALUES (pg_temp.event(2, 'add_member', 'committed', scope => 'org', owner => 'acme', level => 'owner', subject => 'mallory'));
        RESET ROLE;
        IF i % 2 = 0 THEN
            COMMIT;
        END IF;
        flagged := flagged + (SELECT count(*) FROM hftok.verify() WHERE kind = 'member' AND id = 'mallory in acme');
        COMMIT;
    END LOOP;
END
$$;
CALL pg_temp.ask(20);
DELETE FROM hftok_private.members WHERE user_id = 'mallory';
-- Deleting is believed, and told: a server that is restarted while hftok is sealed cannot say more of what was done before.
SET ROLE regress_dba;
INSERT INTO hftok_private.audit_pending (event) VALUES (pg_temp.event(2, 'delete_secret', 'committed', :'doomed', 1));
DELETE FROM hftok_private.secrets WHERE id = :'doomed';
INSERT INTO hftok_private.audit_pending (event) VALUES (pg_temp.event(2, 'remove_member', 'committed', scope => 'org', owner => 'acme', subject => 'alice'));
DELETE FROM hftok_private.members WHERE user_id = 'alice';
RESET ROLE;
SELECT kind, CASE id WHEN :'doomed' THEN '(doomed)' ELSE id END AS id, reason FROM hftok.verify() WHERE kind <> 'total' ORDER BY 1, 2;
SELECT count(*) AS last FROM hftok.audit_events \gset

-- Rows that hftok puts there itself while it is sealed are protected: by a key that opens nothing.
SELECT hftok.seal();
SELECT hftok.get_secret('named');
SELECT hftok.delete_secret(:'lawful');
SELECT hftok.add_member('acme', 'carol', 'owner');
CALL pg_temp.await('(SELECT count(*) >= 3 FROM hftok_private.audit_pending)');
-- Again, by somebody else.
SET ROLE regress_dba;
INSERT INTO hftok_private.audit_pending (event, protection) SELECT event, protection FROM hftok_private.audit_pending WHERE position('\x64656c6574655f736563726574'::bytea IN event) > 0;
RESET ROLE;
SELECT hftok.unseal() IS NOT NULL AS unsealed;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, protected, count(*) FROM hftok.audit_events WHERE id > :last AND kind <> 'audit' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 4;
SELECT kind, CASE id WHEN :'doomed' THEN '(doomed)' WHEN :'lawful' THEN '(lawful)' ELSE id END AS id FROM hftok.verify() WHERE kind <> 'total' ORDER BY 1, 2;
SELECT ok FROM hftok.verify_audit();
-- Nothing of this for who comes after.
CALL pg_temp.await_audit();
DROP EXTENSION hftok;
CREATE EXTENSION hftok;
DROP ROLE regress_dba;
