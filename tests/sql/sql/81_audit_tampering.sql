-- Changes that somebody made in the audit behind hftok's back are found and named, and so are changes in the tables that the
-- audit tells of. The superuser here plays the intruder who can write every table, but has no key.

\i tests/sql/include/new_log.sql
SELECT ok, checked, first_bad, reason FROM hftok.verify_audit();

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
SELECT hftok.get_secret('absent');
CALL pg_temp.await_audit();
SELECT hftok.audit_head() AS head \gset
SELECT max(id) AS last FROM hftok.audit_events \gset

SELECT min(id) AS change FROM hftok.audit_events WHERE kind = 'change' \gset
SELECT min(last_id) AS bundle FROM hftok_private.audit_bundles \gset

-- Each deed is done, verified, and taken back; that it was found stays in the audit. Rows are named by their place: the
-- victim is $1, the last row of now is $2.
CREATE TEMP TABLE deeds (n serial PRIMARY KEY, victim bigint NOT NULL, what text NOT NULL, deed text NOT NULL, head text, error text, ok boolean, first_bad bigint, reason text);
CREATE PROCEDURE pg_temp.commit_deeds(last bigint) LANGUAGE plpgsql AS $$
DECLARE
    one deeds;
BEGIN
    -- Some deeds lock the table, so that the writer cannot write what was done before. Where that waits for too long, it is let through.
    SET LOCAL hftok.audit_timeout = '50ms';
    FOR one IN SELECT * FROM deeds WHERE ok IS NULL AND error IS NULL ORDER BY n LOOP
        FOR again IN 1..50 LOOP
            one.error := NULL;
            BEGIN
                EXECUTE replace(replace(one.deed, '$1', one.victim::text), '$2', last::text);
                SELECT v.ok, v.first_bad, v.reason INTO one.ok, one.first_bad, one.reason FROM hftok.verify_audit(p_head => one.head) v;
                RAISE EXCEPTION USING ERRCODE = 'RB000';
            EXCEPTION WHEN SQLSTATE 'RB000' THEN NULL;
                WHEN OTHERS THEN one.error := SQLSTATE || ' ' || SQLERRM;
            END;
            EXIT WHEN one.error IS NULL OR one.error NOT LIKE '53HF2 %';
            PERFORM pg_sleep(0.2);
        END LOOP;
        UPDATE deeds d SET ok = one.ok, first_bad = one.first_bad, reason = one.reason, error = one.error WHERE d.n = one.n;
    END LOOP;
END
$$;

-- Every column of every kind of event: another value, none, an empty one, one where there was none.
INSERT INTO deeds (victim, what, deed)
SELECT v.id, c.name, format('UPDATE hftok_private.audit SET %1$I = %2$s WHERE id = $1', c.name, new)
FROM (SELECT min(id) AS id FROM hftok.audit_events WHERE kind IN ('change', 'audit', 'key') GROUP BY kind) v,
    (VALUES ('action'), ('outcome'), ('owner_scope'), ('owner_id'), ('provider'), ('level'), ('subject'), ('role_name'), ('outer_role'), ('login_role'),
        ('actor_user'), ('client_addr'), ('application_name'), ('request_id')) c (name),
    LATERAL unnest(ARRAY[format('%I || '' ''', c.name), format('coalesce(''x'' || %I, '''')', c.name), format('CASE WHEN %I IS NULL THEN ''x'' END', c.name),
        format('repeat(coalesce(%I, ''x''), 5000)', c.name)]) new
UNION ALL
SELECT v.id, c.name, format('UPDATE hftok_private.audit SET %1$I = %2$s WHERE id = $1', c.name, c.new)
FROM (SELECT min(id) AS id FROM hftok.audit_events WHERE kind IN ('change', 'audit', 'key') GROUP BY kind) v,
    (VALUES ('at', 'at + interval ''1 microsecond'''), ('at', '''infinity'''), ('at', '''-infinity'''), ('at', '''2000-01-01 UTC'''),
        ('kind', 'CASE kind WHEN ''change'' THEN ''key'' ELSE ''change'' END'), ('kind', '''reveal'''), ('kind', '''nonsense'''), ('kind', ''''''),
        ('protected', 'NOT protected'), ('count', 'count + 1'), ('count', '0'), ('count', '-count'), ('object_id', 'CASE WHEN object_id IS NULL THEN gen_random_uuid() END'),
        ('object_id', 'gen_random_uuid()'), ('version', 'CASE WHEN version IS NULL THEN 1 END'), ('version', 'coalesce(version, 0) + 1'),
        ('digest', 'CASE WHEN digest IS NULL THEN ''''::bytea END'), ('digest', 'sha256(''x'')'), ('digest', 'coalesce(digest || ''\x00'', ''\x00'')'),
        ('digest', 'decode(repeat(''00'', 70000), ''hex'')'), ('digest', 'decode(repeat(''00'', 65535), ''hex'')'),
        ('chain_hash', ''''''), ('chain_hash', 'set_byte(chain_hash, 0, get_byte(chain_hash, 0) # 1)'),
        ('chain_hash', 'set_byte(chain_hash, 31, get_byte(chain_hash, 31) # 128)'), ('chain_hash', 'chain_hash || ''\x00'''),
        ('chain_hash', 'substr(chain_hash, 1, 31)'),
        ('chain_hash', '(SELECT b.chain_hash FROM hftok_private.audit b WHERE b.id <> $1 ORDER BY b.id LIMIT 1)')) c (name, new);
-- A deed that sets a column to the value it had is none.
DELETE FROM deeds d USING hftok.audit_events e WHERE e.id = d.victim AND d.deed ~ 'SET [a-z_]+ = [a-z_]+ \|\| '' ''' AND to_jsonb(e) ->> d.what IS NULL;
-- NOT NULL is a constraint that its owner can drop.
INSERT INTO deeds (victim, what, deed)
SELECT :change, name, format('ALTER TABLE hftok_private.audit ALTER %1$I DROP NOT NULL; UPDATE hftok_private.audit SET %1$I = NULL WHERE id = $1', name)
FROM unnest('{at,kind,action,outcome,count,chain_hash}'::text[]) name;
UPDATE deeds SET deed = replace(deed, '= CASE WHEN ' || what || ' IS NULL THEN ''x'' END', '= ''''') WHERE what IN ('action', 'outcome');
CALL pg_temp.commit_deeds(:last);
SELECT what AS column, count(*) AS deeds, count(*) FILTER (WHERE NOT ok AND first_bad = victim) AS found, string_agg(DISTINCT reason, '; ') AS reasons, min(error) AS error
FROM deeds GROUP BY what ORDER BY what COLLATE "C";
SELECT what, victim, deed, ok, first_bad, reason, error FROM deeds WHERE ok IS NOT FALSE OR first_bad IS DISTINCT FROM victim;

-- Every byte of every column of a bundle, and of the newest checkpoint: found and named.
TRUNCATE deeds;
INSERT INTO deeds (victim, what, deed)
SELECT b.last_id - b.count + 1, c.name, format('UPDATE hftok_private.audit_bundles SET %1$I = set_byte(%1$I, %2$s, get_byte(%1$I, %2$s) # %3$s) WHERE last_id = %4$s', c.name, at, 1 << at % 8, b.last_id)
FROM hftok_private.audit_bundles b, unnest('{filter_key,filter,body,body_hash,mac}'::text[]) c (name),
    LATERAL generate_series(0, length(CASE c.name WHEN 'filter_key' THEN b.filter_key WHEN 'filter' THEN b.filter WHEN 'body' THEN b.body WHEN 'body_hash' THEN b.body_hash ELSE b.mac END) - 1) at
WHERE b.last_id = :bundle
UNION ALL
SELECT b.last_id - b.count + 1, c.name, format('UPDATE hftok_private.audit_bundles SET %I = %s WHERE last_id = %s', c.name, c.new, b.last_id)
FROM hftok_private.audit_bundles b, (VALUES ('first_at', 'first_at + interval ''1 microsecond'''), ('first_at', '''-infinity'''), ('last_at', 'last_at + interval ''1 microsecond'''),
    ('last_at', '''infinity'''), ('filter', ''''''), ('filter', 'filter || ''\xff'''), ('filter', 'decode(repeat(''ff'', length(filter)), ''hex'')'), ('filter_key', ''''''), ('filter_key', 'filter_key || ''\x00'''),
    ('body', ''''''), ('body', 'body || body'), ('body', 'substr(body, 1, length(body) - 1)'), ('body', 'substr(body, 1, 2)'), ('body', 'decode(repeat(''ff'', 100), ''hex'')'),
    ('body', '(SELECT o.body FROM hftok_private.audit_bundles o WHERE o.last_id <> audit_bundles.last_id ORDER BY o.last_id LIMIT 1)'), ('body_hash', ''''''), ('mac', ''''''),
    ('mac', '(SELECT o.mac FROM hftok_private.audit_bundles o WHERE o.last_id <> audit_bundles.last_id ORDER BY o.last_id LIMIT 1)'),
    -- With a hash that fits, as whoever has no key would do it.
    ('body', 'set_byte(body, length(body) - 20, get_byte(body, length(body) - 20) # 1), body_hash = sha256(set_byte(body, length(body) - 20, get_byte(body, length(body) - 20) # 1))')) c (name, new)
WHERE b.last_id = :bundle
UNION ALL
SELECT b.last_id - b.count + 1, 'NULL', format('ALTER TABLE hftok_private.audit_bundles ALTER %1$I DROP NOT NULL; UPDATE hftok_private.audit_bundles SET %1$I = NULL WHERE last_id = %2$s', c.name, b.last_id)
FROM hftok_private.audit_bundles b, unnest('{first_at,last_at,filter_key,filter,body,body_hash,mac}'::text[]) c (name) WHERE b.last_id = :bundle
UNION ALL
-- The writer is kept from adding a checkpoint: only the newest counts.
SELECT 0, 'checkpoint ' || c.name, format('LOCK hftok_private.audit IN SHARE MODE; UPDATE hftok_private.audit_checkpoints SET %1$I = set_byte(%1$I, %2$s, get_byte(%1$I, %2$s) # 16)', c.name, at)
FROM (VALUES ('root', 31), ('signature', 63)) c (name, last), LATERAL generate_series(0, c.last) at
UNION ALL
SELECT 0, 'checkpoint', 'LOCK hftok_private.audit IN SHARE MODE; ' || deed FROM unnest(ARRAY['DELETE FROM hftok_private.audit_checkpoints', 'UPDATE hftok_private.audit_checkpoints SET key_id = key_id # 1', 'UPDATE hftok_private.audit_checkpoints SET root = '''', signature = ''''',
    'UPDATE hftok_private.audit_checkpoints SET size = size + 1 WHERE size = (SELECT max(size) FROM hftok_private.audit_checkpoints)',
    'DELETE FROM hftok_private.audit_checkpoints WHERE size = (SELECT max(size) FROM hftok_private.audit_checkpoints)']) deed;
CALL pg_temp.commit_deeds(:last);
SELECT what, CASE WHEN what <> 'body' AND what <> 'filter' THEN count(*) END AS deeds, count(*) FILTER (WHERE ok IS DISTINCT FROM false) AS not_found, count(*) FILTER (WHERE victim > 0 AND first_bad <> victim) AS misnamed,
    string_agg(DISTINCT regexp_replace(reason, '[0-9]+', 'N', 'g'), '; ') AS reasons, min(error) AS error FROM deeds GROUP BY what ORDER BY what COLLATE "C";

-- Rows: removed, inserted, moved, written twice. $1 is a change, and what follows it.
TRUNCATE deeds;
INSERT INTO deeds (victim, what, deed, head)
SELECT d.victim, d.what, d.deed, d.head FROM (VALUES
    (:last, 'nothing', 'SELECT', NULL),
    (:last, 'nothing, and a head', 'SELECT', :'head'),
    (:change, 'one in the middle removed', 'DELETE FROM hftok_private.audit WHERE id = $1', NULL),
    (:bundle, 'a bundle removed', 'DELETE FROM hftok_private.audit_bundles WHERE last_id = $1', NULL),
    (1, 'the first removed', 'DELETE FROM hftok_private.audit WHERE id = $1', NULL),
    (1, 'the first ones removed', 'DELETE FROM hftok_private.audit WHERE id <= 5; DELETE FROM hftok_private.audit_bundles WHERE last_id <= 5', NULL),
    (1, 'everything removed', 'TRUNCATE hftok_private.audit, hftok_private.audit_bundles', NULL),
    (1, 'everything removed, and a head', 'TRUNCATE hftok_private.audit, hftok_private.audit_bundles, hftok_private.audit_checkpoints, hftok_private.audit_nodes', :'head'),
    (:change, 'the rest moved up', 'UPDATE hftok_private.audit SET id = id + 1000 WHERE id >= $1', NULL),
    (1, 'all moved far', 'UPDATE hftok_private.audit SET id = id + 1000000', NULL),
    (:change, 'two swapped', 'CREATE TEMP TABLE two ON COMMIT DROP AS SELECT min(id) AS a, max(id) AS b FROM (SELECT id FROM hftok_private.audit WHERE kind = ''change'' ORDER BY id LIMIT 2) c;
        UPDATE hftok_private.audit SET id = -id WHERE id IN (SELECT a FROM two UNION SELECT b FROM two); UPDATE hftok_private.audit SET id = (SELECT a + b FROM two) + id WHERE id < 0', NULL),
    (:bundle, 'inserted before it', 'INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash) SELECT $1, now(), ''change'', ''put_secret'', ''committed'', 1, true, chain_hash FROM hftok_private.audit WHERE kind = ''change'' LIMIT 1', NULL),
    (:last, 'added', 'INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash)
        SELECT (SELECT max(size) + 1 FROM hftok_private.audit_checkpoints), now(), ''audit'', ''status'', ''used'', 1, true, chain_hash FROM hftok_private.audit ORDER BY id LIMIT 1', NULL),
    (:last, 'added beyond the end', 'INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash)
        SELECT (SELECT max(size) + 7 FROM hftok_private.audit_checkpoints), now(), ''audit'', ''status'', ''used'', 1, true, chain_hash FROM hftok_private.audit ORDER BY id LIMIT 1', NULL),
    (0, 'added before the first', 'INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash) VALUES (0, now(), ''reveal'', ''get_secret'', ''used'', 1, true, '''')', NULL),
    (-5, 'added with a number below zero', 'INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash) VALUES (-5, now(), ''reveal'', ''get_secret'', ''used'', 1, true, '''')', NULL),
    (:change, 'there twice', 'ALTER TABLE hftok_private.audit DROP CONSTRAINT audit_pkey; INSERT INTO hftok_private.audit SELECT * FROM hftok_private.audit WHERE id = $1', NULL),
    (:change, 'triggers off', 'SET LOCAL session_replication_role = replica; UPDATE hftok_private.audit SET actor_user = ''bob'' WHERE id = $1', NULL),
    (:change, 'replaced with a hash that fits', 'UPDATE hftok_private.audit a SET chain_hash = b.chain_hash, at = b.at, kind = b.kind, action = b.action, outcome = b.outcome, count = b.count, protected = b.protected, object_id = b.object_id,
        version = b.version, digest = b.digest, owner_scope = b.owner_scope, owner_id = b.owner_id, provider = b.provider, level = b.level, actor_user = b.actor_user, role_name = b.role_name,
        outer_role = b.outer_role, login_role = b.login_role, application_name = b.application_name, client_addr = b.client_addr, request_id = b.request_id, subject = b.subject
        FROM hftok_private.audit b WHERE a.id = $1 AND b.id = (SELECT max(id) FROM hftok_private.audit WHERE kind = ''change'')', NULL),
    (:last, 'the head of another log', 'SELECT', replace(:'head', 'hftok/', 'hftok/other/')),
    (:last, 'a head of the future', 'SELECT', regexp_replace(:'head', E'\n[0-9]+\n', E'\n1000000\n'))
) d (victim, what, deed, head);
CALL pg_temp.commit_deeds(:last);
-- An event without a place in the log has no number there either: that it is found is what counts.
SELECT what, ok, CASE WHEN first_bad IS NULL THEN '' WHEN first_bad = victim THEN 'named' WHEN victim < :last THEN 'another' END AS first_bad,
    regexp_replace(reason, '[0-9]+', 'N', 'g') AS reason, error FROM deeds ORDER BY n;
-- Cut off at its newest end, with an older checkpoint, a log fits: that is noticed by the server that wrote it, until it stops, and for ever
-- against a head that was kept elsewhere.
CALL pg_temp.await_audit();
SELECT max(size) AS older FROM hftok_private.audit_checkpoints \gset
SELECT hftok.put_secret('newer', 'value') IS NOT NULL AS put;
CALL pg_temp.await_audit();
SELECT hftok.audit_head() AS head \gset
BEGIN;
LOCK hftok_private.audit IN SHARE MODE;
SET LOCAL hftok.audit_timeout = '50ms';
DELETE FROM hftok_private.audit WHERE id > :older;
DELETE FROM hftok_private.audit_bundles WHERE last_id > :older;
DELETE FROM hftok_private.audit_checkpoints WHERE size > :older;
SELECT ok, regexp_replace(reason, '[0-9]+', 'N') AS reason FROM hftok.verify_audit();
SELECT ok, regexp_replace(reason, '[0-9]+', 'N') AS reason FROM hftok.verify_audit(p_head => :'head');
ROLLBACK;
CALL pg_temp.await_audit();
-- Texts that are no head.
SELECT hftok.verify_audit(p_head => given) FROM unnest(ARRAY['x', E'x\n1\nAA\n', E'x\n1\nAAAA\n\n']) given;
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.verify_audit(p_head => '');
-- An older head is still one, and what came before it too: the part of the log that is asked for.
SELECT ok FROM hftok.verify_audit(p_head => :'head');
SELECT checked, ok FROM hftok.verify_audit(3, 7);
SELECT checked, ok FROM hftok.verify_audit(p_to => 4);
SELECT checked, ok FROM hftok.verify_audit(7, 3);
SELECT checked, ok FROM hftok.verify_audit(-5, 0);
SELECT checked, ok, first_bad - 1000000 AS first_bad, reason FROM hftok.verify_audit(1000000);
BEGIN;
UPDATE hftok_private.audit SET actor_user = 'bob' WHERE id = :change;
SELECT v.ok, v.first_bad = :change AS named, v.reason FROM (VALUES (5, 5), (1, 4), (6, 9), (NULL, 9)) r (f, t), LATERAL hftok.verify_audit(f, t) v;
ROLLBACK;
-- Found or not, it was looked for, and by whom.
CALL pg_temp.await_audit();
SELECT action, outcome, count(*) > 3 AS many FROM hftok.audit_events WHERE kind = 'audit' AND action = 'verify_audit' GROUP BY 1, 2 ORDER BY 2;

-- Put among the events that are to be written: made up, and one of hftok's own once more, with what protects it. They are told,
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
SELECT kind, checked - (SELECT count(*) FROM hftok_private.data_keys WHERE state <> 'destroyed') AS left, failed FROM hftok.verify();
