-- Changes that somebody made in the audit behind hftok's back are found and named, and so are changes in the tables that the
-- audit tells of. The superuser here plays the intruder who can write every table, but has no key.

\set VERBOSITY terse
\encoding UTF8
SET timezone = 'UTC';
\i tests/sql/include/await.sql
SET client_min_messages = warning;
-- A chain that begins with its first event.
CALL pg_temp.await_audit();
DROP EXTENSION hftok;
CREATE EXTENSION hftok;
SELECT hftok.audit_head() ~ '^hftok-audit-1:[01]:[0-9a-f]{72}$' AS begins;
SELECT ok, first_bad, reason FROM hftok.verify_audit();

-- Events of every kind.
SELECT hftok.put_secret('kept', 'value') AS kept \gset
CALL pg_temp.await_audit();
SELECT hftok.get_secret('kept'), hftok.get_secret('kept');
SELECT hftok.get_secret('absent');
\echo :LAST_ERROR_SQLSTATE
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000001', p_user_id => 'alice');
SELECT source FROM hftok.resolve_token('openai', 'alice');
SELECT hftok.add_member('acme', 'alice', 'owner'), hftok.add_member('acme', 'bob');
SELECT hftok.grant_administrator('alice');
SELECT hftok.create_integration_with_vault('made', 'openai', 'sk-proj-integrated0000000000', p_user_id => 'alice') AS integration \gset
BEGIN;
SELECT hftok.put_secret('kept', 'not kept') IS NOT NULL AS put;
ROLLBACK;
CALL pg_temp.await_audit();
SELECT checked > 10 AS checked, ok, first_bad, reason FROM hftok.verify_audit();
CALL pg_temp.await_audit();
SELECT hftok.audit_head() AS head \gset
SELECT max(id) AS last FROM hftok.audit_events \gset

-- Each deed is done, verified, and taken back; that it was found stays in the audit. Rows are named by their place: the
-- victim is $1, the last row of now is $2.
CREATE TEMP TABLE deeds (n serial PRIMARY KEY, victim bigint NOT NULL, what text NOT NULL, deed text NOT NULL, head text, error text, ok boolean, first_bad bigint, reason text);
CREATE PROCEDURE pg_temp.commit_deeds(last bigint) LANGUAGE plpgsql AS $$
DECLARE
    one deeds;
BEGIN
    -- Some deeds lock the table, so that the writer cannot write what was done before.
    SET LOCAL hftok.audit_timeout = '50ms';
    FOR one IN SELECT * FROM deeds WHERE ok IS NULL AND error IS NULL ORDER BY n LOOP
        BEGIN
            EXECUTE replace(replace(one.deed, '$1', one.victim::text), '$2', last::text);
            SELECT v.ok, v.first_bad, v.reason INTO one.ok, one.first_bad, one.reason FROM hftok.verify_audit(p_head => one.head) v;
            RAISE EXCEPTION USING ERRCODE = 'RB000';
        EXCEPTION WHEN SQLSTATE 'RB000' THEN NULL;
            WHEN OTHERS THEN one.error := SQLSTATE || ' ' || SQLERRM;
        END;
        UPDATE deeds d SET ok = one.ok, first_bad = one.first_bad, reason = one.reason, error = one.error WHERE d.n = one.n;
    END LOOP;
END
$$;

-- Every column of every kind of event: another value, none, an empty one, one where there was none.
INSERT INTO deeds (victim, what, deed)
SELECT v.id, c.name, format('UPDATE hftok_private.audit SET %1$I = %2$s WHERE id = $1', c.name, new)
FROM (SELECT min(id) AS id FROM hftok.audit_events WHERE kind IN ('change', 'reveal') AND id > 3 GROUP BY kind) v,
    (VALUES ('action'), ('outcome'), ('owner_scope'), ('owner_id'), ('provider'), ('level'), ('subject'), ('role_name'), ('outer_role'), ('login_role'),
        ('actor_user'), ('client_addr'), ('application_name'), ('request_id')) c (name),
    LATERAL unnest(ARRAY[format('%I || '' ''', c.name), format('coalesce(''x'' || %I, '''')', c.name), format('CASE WHEN %I IS NULL THEN ''x'' END', c.name),
        format('repeat(coalesce(%I, ''x''), 5000)', c.name)]) new
UNION ALL
SELECT v.id, c.name, format('UPDATE hftok_private.audit SET %1$I = %2$s WHERE id = $1', c.name, c.new)
FROM (SELECT min(id) AS id FROM hftok.audit_events WHERE kind IN ('change', 'reveal') AND id > 3 GROUP BY kind) v,
    (VALUES ('at', 'at + interval ''1 microsecond'''), ('at', '''infinity'''), ('at', '''-infinity'''), ('at', '''2000-01-01 UTC'''),
        ('kind', 'CASE kind WHEN ''change'' THEN ''reveal'' ELSE ''change'' END'), ('kind', '''nonsense'''), ('kind', ''''''),
        ('protected', 'NOT protected'), ('count', 'count + 1'), ('count', '0'), ('count', '-count'), ('object_id', 'CASE WHEN object_id IS NULL THEN gen_random_uuid() END'),
        ('object_id', 'gen_random_uuid()'), ('version', 'CASE WHEN version IS NULL THEN 1 END'), ('version', 'coalesce(version, 0) + 1'),
        ('digest', 'CASE WHEN digest IS NULL THEN ''''::bytea END'), ('digest', 'sha256(''x'')'), ('digest', 'coalesce(digest || ''\x00'', ''\x00'')'),
        ('chain_hash', ''''''), ('chain_hash', 'set_byte(chain_hash, 0, get_byte(chain_hash, 0) # 1)'),
        ('chain_hash', 'set_byte(chain_hash, 35, get_byte(chain_hash, 35) # 128)'), ('chain_hash', 'chain_hash || ''\x00'''),
        ('chain_hash', 'substr(chain_hash, 1, 35)'), ('chain_hash', '(SELECT b.chain_hash FROM hftok_private.audit b WHERE b.id = $1 - 1)'),
        ('chain_hash', '(SELECT b.chain_hash FROM hftok_private.audit b WHERE b.id = $1 + 1)')) c (name, new);
-- A deed that sets a column to the value it had is none.
DELETE FROM deeds d USING hftok.audit_events e WHERE e.id = d.victim AND d.deed ~ 'SET [a-z_]+ = [a-z_]+ \|\| '' ''' AND to_jsonb(e) ->> d.what IS NULL;
-- NOT NULL is a constraint that its owner can drop.
INSERT INTO deeds (victim, what, deed)
SELECT 5, name, format('ALTER TABLE hftok_private.audit ALTER %1$I DROP NOT NULL; UPDATE hftok_private.audit SET %1$I = NULL WHERE id = $1', name)
FROM unnest('{at,kind,action,outcome,count,chain_hash}'::text[]) name;
UPDATE deeds SET deed = replace(deed, '= CASE WHEN ' || what || ' IS NULL THEN ''x'' END', '= ''''') WHERE what IN ('action', 'outcome');
CALL pg_temp.commit_deeds(:last);
SELECT what AS column, count(*) AS deeds, count(*) FILTER (WHERE NOT ok AND first_bad = victim) AS found, string_agg(DISTINCT reason, '; ') AS reasons, min(error) AS error
FROM deeds GROUP BY what ORDER BY what COLLATE "C";
SELECT what, victim, deed, ok, first_bad, reason, error FROM deeds WHERE ok IS NOT FALSE OR first_bad IS DISTINCT FROM victim;

-- Rows: removed, inserted, moved, written twice.
TRUNCATE deeds;
INSERT INTO deeds (victim, what, deed, head)
SELECT d.victim, d.what, d.deed, d.head FROM (VALUES
    (:last, 'nothing', 'SELECT', NULL),
    (:last, 'nothing, and a head', 'SELECT', :'head'),
    (5, 'one in the middle removed', 'DELETE FROM hftok_private.audit WHERE id = $1', NULL),
    (5, 'three in the middle removed', 'DELETE FROM hftok_private.audit WHERE id BETWEEN $1 AND $1 + 2', NULL),
    (1, 'the first removed', 'DELETE FROM hftok_private.audit WHERE id = $1', NULL),
    (1, 'the first ones removed', 'DELETE FROM hftok_private.audit WHERE id <= 5', NULL),
    (1, 'everything removed', 'TRUNCATE hftok_private.audit', NULL),
    (1, 'everything removed, and a head', 'TRUNCATE hftok_private.audit', :'head'),
    (5, 'removed, and the rest moved up', 'DELETE FROM hftok_private.audit WHERE id = $1; UPDATE hftok_private.audit SET id = -id WHERE id > $1; UPDATE hftok_private.audit SET id = -id - 1 WHERE id < 0', NULL),
    (5, 'the rest moved down', 'UPDATE hftok_private.audit SET id = -id WHERE id >= $1; UPDATE hftok_private.audit SET id = -id + 1 WHERE id < 0', NULL),
    (1, 'all moved far', 'UPDATE hftok_private.audit SET id = id + 1000000', NULL),
    (5, 'two swapped', 'UPDATE hftok_private.audit SET id = -id WHERE id IN ($1, $1 + 1); UPDATE hftok_private.audit SET id = 2 * $1 + 1 + id WHERE id < 0', NULL),
    (5, 'two far apart swapped', 'UPDATE hftok_private.audit SET id = -id WHERE id IN ($1, $1 + 5); UPDATE hftok_private.audit SET id = 2 * $1 + 5 + id WHERE id < 0', NULL),
    (5, 'two swapped but for their hashes', 'UPDATE hftok_private.audit a SET at = b.at, kind = b.kind, action = b.action, outcome = b.outcome, count = b.count, protected = b.protected, object_id = b.object_id,
        version = b.version, digest = b.digest, owner_scope = b.owner_scope, owner_id = b.owner_id, provider = b.provider, level = b.level, actor_user = b.actor_user, role_name = b.role_name,
        outer_role = b.outer_role, login_role = b.login_role, application_name = b.application_name, subject = b.subject FROM hftok_private.audit b WHERE a.id IN ($1, $1 + 1) AND b.id = 2 * $1 + 1 - a.id', NULL),
    (5, 'one written over the next', 'DELETE FROM hftok_private.audit WHERE id = $1 + 1; INSERT INTO hftok_private.audit SELECT $1 + 1, at, kind, action, outcome, count, protected, object_id, version, digest, owner_scope, owner_id,
        provider, level, subject, role_name, outer_role, login_role, actor_user, client_addr, application_name, request_id, chain_hash FROM hftok_private.audit WHERE id = $1', NULL),
    (5, 'inserted in the middle', 'UPDATE hftok_private.audit SET id = -id WHERE id >= $1; UPDATE hftok_private.audit SET id = -id + 1 WHERE id < 0;
        INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash) SELECT $1, now(), ''reveal'', ''get_secret'', ''used'', 1, true, chain_hash FROM hftok_private.audit WHERE id = $1 - 1', NULL),
    (:last + 1, 'added', 'DELETE FROM hftok_private.audit WHERE id > $2; INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash)
        SELECT $2 + 1, now(), ''reveal'', ''get_secret'', ''used'', 1, true, chain_hash FROM hftok_private.audit WHERE id = $2', NULL),
    (:last + 7, 'added beyond the end', 'DELETE FROM hftok_private.audit WHERE id > $2; INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash)
        SELECT $2 + 7, now(), ''reveal'', ''get_secret'', ''used'', 1, true, chain_hash FROM hftok_private.audit WHERE id = $2', NULL),
    (-1, 'added before the first', 'INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash) VALUES (0, now(), ''reveal'', ''get_secret'', ''used'', 1, true, decode(repeat(''00'', 36), ''hex''))', NULL),
    (-5, 'added with a number below zero', 'INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash) VALUES (-5, now(), ''reveal'', ''get_secret'', ''used'', 1, true, '''')', NULL),
    (5, 'there twice', 'ALTER TABLE hftok_private.audit DROP CONSTRAINT audit_pkey; INSERT INTO hftok_private.audit SELECT * FROM hftok_private.audit WHERE id = $1', NULL),
    (5, 'there twice, once changed', 'ALTER TABLE hftok_private.audit DROP CONSTRAINT audit_pkey; INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash)
        SELECT id, at, kind, action, outcome, 7, protected, chain_hash FROM hftok_private.audit WHERE id = $1', NULL),
    (5, 'triggers off', 'SET LOCAL session_replication_role = replica; UPDATE hftok_private.audit SET actor_user = ''bob'' WHERE id = $1', NULL),
    (0, 'a stub that nobody signed', 'INSERT INTO hftok_private.audit_stub (id, chain_hash, signature) SELECT 3, chain_hash, chain_hash FROM hftok_private.audit WHERE id = 3; DELETE FROM hftok_private.audit WHERE id <= 3', NULL),
    (0, 'the same, one event old', 'INSERT INTO hftok_private.audit_stub (id, chain_hash, signature) SELECT 5, chain_hash, '''' FROM hftok_private.audit WHERE id = 5', NULL),
    (:last, 'the head of another chain', 'SELECT', overlay(:'head' placing translate(right(:'head', 2), '0123456789abcdef', '123456789abcdef0') from length(:'head') - 1)),
    (:last, 'a head of the future', 'SELECT', regexp_replace(:'head', ':[0-9]+:', ':1000000:'))
) d (victim, what, deed, head);
CALL pg_temp.commit_deeds(:last);
-- An event without a place in the chain has no number there either: that it is found is what counts.
SELECT what, ok, CASE WHEN victim < 0 THEN NULL WHEN first_bad > :last + 1 THEN 'beyond' WHEN first_bad >= :last THEN 'last + ' || first_bad - :last ELSE first_bad::text END AS first_bad,
    regexp_replace(regexp_replace(CASE WHEN victim >= 0 THEN reason END, 'event [0-9]+', 'event N'), 'and the [0-9]{2,} after', 'and the N after') AS reason, error FROM deeds ORDER BY n;
-- Cut off at its newest end, a chain fits: that is noticed only against a head that was kept elsewhere.
CALL pg_temp.await_audit();
SELECT hftok.audit_head() AS head \gset
BEGIN;
DELETE FROM hftok_private.audit WHERE id > split_part(:'head', ':', 2)::bigint - 3;
SELECT ok, first_bad, reason FROM hftok.verify_audit();
ROLLBACK;
CALL pg_temp.await_audit();
BEGIN;
DELETE FROM hftok_private.audit WHERE id > split_part(:'head', ':', 2)::bigint - 3;
SELECT ok, split_part(:'head', ':', 2)::bigint - first_bad AS before_head, regexp_replace(reason, '[0-9]+', 'N') AS reason FROM hftok.verify_audit(p_head => :'head');
ROLLBACK;
-- Texts that are no head.
SELECT hftok.verify_audit(p_head => given) FROM unnest('{x,hftok-audit-1:1:00,hftok-audit-1:-1:00,hftok-audit-2:0:00}'::text[]) given;
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.verify_audit(p_head => '');
-- An older head is still one, and what came before it too: the part of the chain that is asked for.
SELECT ok FROM hftok.verify_audit(p_head => :'head');
SELECT checked, ok FROM hftok.verify_audit(3, 7);
SELECT checked, ok FROM hftok.verify_audit(p_to => 4);
SELECT checked, ok FROM hftok.verify_audit(7, 3);
SELECT checked, ok FROM hftok.verify_audit(-5, 0);
SELECT checked, ok, first_bad - 1000000 AS first_bad, reason FROM hftok.verify_audit(1000000);
BEGIN;
UPDATE hftok_private.audit SET actor_user = 'bob' WHERE id = 5;
SELECT f, t, v.* FROM (VALUES (5, 5), (1, 4), (6, 9), (5, 9), (1, 5), (NULL, 9)) r (f, t), LATERAL hftok.verify_audit(f, t) v;
ROLLBACK;
-- Found or not, it was looked for, and by whom.
CALL pg_temp.await_audit();
SELECT action, outcome, count(*) > 10 AS many FROM hftok.audit_events WHERE kind = 'audit' AND action = 'verify_audit' GROUP BY 1, 2 ORDER BY 2;

-- Put among the events that are to be chained: made up, and one of hftok's own once more, with what protects it. They are told,
-- as what they are, and secrets and memberships are not held against them.
BEGIN;
SELECT hftok.add_member('acme', 'dora', 'admin');
CREATE TABLE regress_pending AS SELECT * FROM hftok_private.audit_pending;
COMMIT;
SELECT hftok.remove_member('acme', 'dora');
CALL pg_temp.await_audit();
SELECT max(id) AS last FROM hftok.audit_events \gset
INSERT INTO hftok_private.audit_pending SELECT * FROM regress_pending;
INSERT INTO hftok_private.audit_pending (event) VALUES (''), ('\x00'), (decode(repeat('ff', 100), 'hex'));
INSERT INTO hftok_private.members (org_id, user_id, role) VALUES ('acme', 'dora', 'admin');
CALL pg_temp.await_audit();
SELECT kind, action, outcome, count, subject, protected FROM hftok.audit_events WHERE id > :last ORDER BY kind, action, outcome;
SELECT ok FROM hftok.verify_audit();
SELECT kind, id, reason, failed FROM hftok.verify();
DELETE FROM hftok_private.members WHERE user_id = 'dora';
SELECT kind, id, reason, failed FROM hftok.verify();
DROP TABLE regress_pending;

\i tests/sql/include/audit_against_tables.sql

SELECT credentials, integrations, memberships FROM hftok.forget_user('alice');
SELECT o.memberships, b.integrations FROM hftok.forget_org('acme') o, hftok.forget_user('bob') b;
DELETE FROM hftok.decrypted_secrets;
SELECT kind, checked - (SELECT count(*) FROM hftok_private.data_keys) AS left, failed FROM hftok.verify();
