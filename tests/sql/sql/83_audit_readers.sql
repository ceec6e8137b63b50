-- Readers of the audit: users see what they did and what was done with what is theirs, administrators of the application and
-- auditors everything, the backend nothing. A DBA reads recent uses, refusals, secrets that nobody uses, and new readers. And
-- the writer counts besides.

\set VERBOSITY terse
\encoding UTF8
SET timezone = 'UTC';
\i tests/sql/include/await.sql
SELECT current_user AS superuser \gset
-- Nothing of before, nor of the members that its groups have.
CALL pg_temp.await_audit();
SET client_min_messages = error;
DROP EXTENSION hftok;
CREATE EXTENSION hftok;
\i tests/sql/include/gateway.sql
DROP ROLE IF EXISTS regress_direct;
CREATE ROLE regress_direct IN ROLE hftok_user;

SELECT hftok.add_member('acme', 'alice', 'owner'), hftok.add_member('acme', 'bob'), hftok.grant_administrator('olga');
SELECT hftok.put_secret('named', 'value') AS named \gset
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000001');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-acme0000000000000001', p_org_id => 'acme');
SELECT hftok.create_integration_with_vault('made', 'openai', 'sk-proj-integrated0000000000') AS integration \gset
SELECT hftok.share_integration(:'integration', 'acme');
SET request.jwt.claims = '{"sub": "bob"}';
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-bob');
SELECT hftok.update_integration(:'integration', 'by bob');
\echo :LAST_ERROR_SQLSTATE
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT source FROM hftok.resolve_token('openai', 'alice');
SELECT source FROM hftok.resolve_token('openai', 'bob', 'acme');
SELECT hftok.get_integration_credentials(:'integration', 'bob');
SELECT hftok.get_secret('named');
RESET SESSION AUTHORIZATION;
SET ROLE regress_direct;
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-a-direct-role');
RESET ROLE;
CALL pg_temp.await_audit();

-- A user: what they did, what was done with their own, and their memberships. Not what their organisation's are used for.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT kind, action, outcome, owner_scope, owner_id, CASE WHEN kind = 'reveal' AND subject IS NOT NULL THEN 'its secret' ELSE subject END AS subject, CASE actor_user WHEN 'role:' || :'superuser' THEN 'role:(superuser)' ELSE actor_user END AS actor FROM hftok.audit_events ORDER BY at, id;
SET request.jwt.claims = '{"sub": "bob"}';
SELECT kind, action, outcome, owner_scope, owner_id, CASE WHEN kind = 'reveal' AND subject IS NOT NULL THEN 'its secret' ELSE subject END AS subject, CASE actor_user WHEN 'role:' || :'superuser' THEN 'role:(superuser)' ELSE actor_user END AS actor FROM hftok.audit_events ORDER BY at, id;
SET request.jwt.claims = '{"sub": "carol"}';
SELECT count(*) AS events FROM hftok.audit_events;
-- Everything is filtered before a condition of the reader's is asked.
SET request.jwt.claims = '{"sub": "carol"}';
SELECT count(*) AS events FROM hftok.audit_events WHERE 1 / (id - id) = 1;
-- Nobody: nothing.
SET request.jwt.claims = '{"role": "authenticated"}';
SELECT count(*) AS events FROM hftok.audit_events;
RESET request.jwt.claims;
SELECT count(*) AS events FROM hftok.audit_events;
-- An administrator of the application sees all of it, through their JWT; not the views for DBAs.
SET request.jwt.claims = '{"sub": "olga"}';
SELECT count(*) FILTER (WHERE actor_user = 'alice') > 0 AS of_alice, count(*) FILTER (WHERE actor_user = 'bob') > 0 AS of_bob, count(*) FILTER (WHERE owner_scope = 'vault') > 0 AS of_the_vault FROM hftok.audit_events;
SELECT * FROM hftok.recent_reveals;
SELECT v.ok, v.checked > 0 AS checked FROM hftok.verify_audit() v;
SELECT hftok.audit_head() <> '' AS head;
-- Another user has nothing of it.
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.verify_audit();
SELECT hftok.audit_head();
SELECT * FROM hftok.audit_activity(now() - interval '1 day');
RESET request.jwt.claims;
-- The backend: nothing.
SET ROLE regress_service_role;
SELECT count(*) FROM hftok.audit_events;
SELECT * FROM hftok.refusals_by_role;
RESET SESSION AUTHORIZATION;
-- A direct role: its own. Another's: not.
SET ROLE regress_direct;
SELECT kind, action, owner_id, actor_user FROM hftok.audit_events;
SET ROLE hftok_user;
SELECT count(*) AS events FROM hftok.audit_events WHERE actor_user <> 'role:hftok_user';
-- Auditors and operators: everything. A written row stays what it is.
SET ROLE hftok_auditor;
SELECT count(*) = (SELECT max(id) FROM hftok.audit_events) AS everything FROM hftok.audit_events;
UPDATE hftok.audit_events SET actor_user = 'bob' WHERE id = 1;
DELETE FROM hftok.audit_events;
SET ROLE hftok_admin;
SELECT count(*) = (SELECT max(id) FROM hftok.audit_events) AS everything FROM hftok.audit_events;
RESET ROLE;

-- Reveals of the last day, by reader.
SET ROLE hftok_auditor;
SELECT role_name, actor_user, action, owner_scope, owner_id, provider, reveals, object_id IS NOT NULL AS object, last_at >= first_at AS times,
    application_name = current_setting('application_name') AS application FROM hftok.recent_reveals ORDER BY action, actor_user COLLATE "C";
RESET ROLE;
CALL pg_temp.await_audit();
SELECT count(hftok.get_secret('named')) FROM generate_series(1, 150);
SET hftok.audit = 'sync';
SELECT count(hftok.get_secret('named')) FROM generate_series(1, 150);
RESET hftok.audit;
CALL pg_temp.await_audit();
SELECT sum(reveals) AS reveals FROM hftok.recent_reveals WHERE action = 'get_secret';
-- Sums are those of the events, also where memory holds only a part of them at a time.
SELECT secret_id IS NOT NULL AS saved FROM hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyz01234567', p_global => true);
SELECT count(hftok.resolve_hf_token('many ' || n % 4000)) FROM generate_series(1, 5000) n;
SELECT hftok.delete_credential('huggingface', p_global => true);
CALL pg_temp.await_audit();
CREATE FUNCTION pg_temp.differing_sums() RETURNS bigint LANGUAGE sql AS $$
    WITH sums AS (
        SELECT role_name, actor_user, application_name, action, object_id, owner_scope, owner_id, provider,
            sum(count)::bigint AS reveals, min(at) AS first_at, max(at) AS last_at, protected
        FROM hftok.audit_events WHERE kind = 'reveal' AND outcome = 'used' AND at > now() - interval '1 day'
        GROUP BY role_name, actor_user, application_name, action, object_id, owner_scope, owner_id, provider, protected
    )
    SELECT count(*) FROM ((TABLE sums EXCEPT ALL TABLE hftok.recent_reveals) UNION ALL (TABLE hftok.recent_reveals EXCEPT ALL TABLE sums)) d $$;
SELECT pg_temp.differing_sums(), (SELECT count(*) >= 4000 FROM hftok.recent_reveals) AS many;
SET work_mem = '64kB';
SELECT pg_temp.differing_sums();
RESET work_mem;
CREATE FUNCTION pg_temp.differing_counts(p_seconds int, p_user text, p_kind text) RETURNS bigint LANGUAGE sql AS $$
    WITH since AS (SELECT now() - interval '2 days' AS at), counts AS (
        SELECT date_bin(make_interval(secs => p_seconds), e.at, s.at) AS at, e.kind, sum(e.count)::bigint AS events
        FROM since s, hftok.audit_events e
        WHERE e.at >= s.at AND (p_kind IS NULL OR e.kind = p_kind)
        AND (p_user IS NULL OR p_user IN (e.actor_user, e.owner_id, e.subject)) GROUP BY 1, 2
    ), told AS (
        SELECT t.* FROM since s, hftok.audit_activity(s.at, p_seconds => p_seconds, p_user => p_user, p_kind => p_kind) t
    )
    SELECT count(*) FROM ((TABLE counts EXCEPT ALL TABLE told) UNION ALL (TABLE told EXCEPT ALL TABLE counts)) d $$;
-- The newest events, whatever table they are in.
SELECT p_kind, p_newest, (
        SELECT array_agg(f.id) FROM hftok.find_audit_events(p_kind => p_kind, p_newest => p_newest) f
    ) = (
        SELECT array_agg(e.id) FROM (SELECT a.id FROM hftok.audit_events a WHERE p_kind IN (a.kind) OR p_kind IS NULL ORDER BY a.id DESC LIMIT p_newest) e
    ) AS newest
FROM (VALUES ('reveal'), ('change'), ('refusal'), (NULL)) k (p_kind), (VALUES (1), (300), (1000000)) n (p_newest);
SELECT count(*) AS none FROM hftok.find_audit_events(p_newest => 0);
SELECT count(*) FROM hftok.find_audit_events(p_newest => -1);
-- How many there were, by time and kind: as many as are found, each in its stretch.
SELECT pg_temp.differing_counts(3600, NULL, NULL), pg_temp.differing_counts(1, 'bob', NULL), pg_temp.differing_counts(86400, NULL, 'refusal');
SELECT hftok.audit_activity(now(), p_seconds => 0);
SELECT hftok.audit_activity(NULL);
-- It is the view that is granted, and whoever may read it needs no group.
CREATE ROLE regress_looker;
GRANT USAGE ON SCHEMA hftok TO regress_looker;
GRANT SELECT ON hftok.recent_reveals TO regress_looker;
SET ROLE regress_looker;
SELECT count(*) > 0 AS some FROM hftok.recent_reveals;
SELECT count(*) FROM hftok.new_applications;
RESET ROLE;
REVOKE ALL ON hftok.recent_reveals FROM regress_looker;
GRANT SELECT (role_name, reveals) ON hftok.recent_reveals TO regress_looker;
SET ROLE regress_looker;
SELECT bool_and(reveals > 0) AS some FROM hftok.recent_reveals;
RESET ROLE;
REVOKE ALL ON SCHEMA hftok FROM regress_looker;
REVOKE ALL (role_name, reveals) ON hftok.recent_reveals FROM regress_looker;
-- Without any right to the view, the function that it is made of says no by itself.
GRANT USAGE ON SCHEMA hftok_private TO regress_looker;
SET ROLE regress_looker;
SELECT count(*) FROM hftok_private.reveals(true);
SELECT count(*) FROM hftok_private.reveals(false);
RESET ROLE;
REVOKE ALL ON SCHEMA hftok_private FROM regress_looker;
-- A right to read everything is none to learn who read what.
GRANT pg_read_all_data TO regress_looker;
SET ROLE regress_looker;
SELECT count(*) FROM hftok_private.reveals(true);
RESET ROLE;
DROP ROLE regress_looker;
-- Bundles that were put aside are added to nothing.
BEGIN;
CREATE TEMP TABLE before AS TABLE hftok.recent_reveals;
INSERT INTO hftok_private.audit_bundles
SELECT (json_populate_record(b, json_build_object('last_id', -b.last_id))).* FROM hftok_private.audit_bundles b WHERE b.last_id > 0;
SELECT count(*) AS differing FROM (TABLE hftok.recent_reveals EXCEPT ALL TABLE before) d;
ROLLBACK;
-- A search is planned for what is asked: it goes to the index of that, and to no row beside.
BEGIN;
SET LOCAL enable_seqscan = off;
CREATE TEMP TABLE former AS SELECT idx_scan, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'hftok_private.audit'::regclass;
SELECT count(*) FROM hftok.find_audit_events(p_user => 'nobody of this name');
SELECT s.idx_scan > f.idx_scan AS by_index, s.idx_tup_fetch - f.idx_tup_fetch AS fetched
FROM pg_stat_xact_user_tables s, former f WHERE s.relid = 'hftok_private.audit'::regclass;
ROLLBACK;

-- Refusals, by caller.
SELECT hftok.get_secret('absent 1');
SELECT hftok.get_secret('absent 2');
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "mallory"}';
SELECT hftok.delete_integration_with_vault(:'integration');
SET request.jwt.claims = '{"sub": "molly"}';
SELECT hftok.delete_integration_with_vault(:'integration');
SELECT hftok.get_secret('named');
RESET request.jwt.claims;
RESET SESSION AUTHORIZATION;
CALL pg_temp.await_audit();
SET ROLE hftok_admin;
SELECT CASE role_name WHEN :'superuser' THEN '(superuser)' ELSE role_name END AS role, action, outcome, refusals, users, last_at >= first_at AS times
FROM hftok.refusals_by_role ORDER BY nullif(role_name, :'superuser') COLLATE "C", action, outcome;
RESET ROLE;

-- Secrets that nobody ever read.
CALL pg_temp.await($$(SELECT count(*) = 4 FROM hftok_private.counted_uses WHERE use_count > 0)$$);
SELECT scope, scope_id, provider, name, label FROM hftok.unused_secrets ORDER BY scope, scope_id COLLATE "C";
-- Read by an application that had not read it, while another had.
SELECT count(*) AS new FROM hftok.new_applications;
SET application_name = 'another';
SELECT source FROM hftok.resolve_token('openai', 'alice');
SELECT source FROM hftok.resolve_token('groq', 'bob');
SELECT hftok.get_secret('named');
RESET application_name;
CALL pg_temp.await_audit();
SET ROLE hftok_auditor;
SELECT scope, scope_id, provider, name, application_name, reveals FROM hftok.new_applications ORDER BY scope COLLATE "C";
RESET ROLE;

-- Uses are counted with each secret, and shown to whoever sees it.
CALL pg_temp.await($$(SELECT sum(use_count) = 307 FROM hftok_private.counted_uses)$$);
SELECT scope, scope_id, provider, use_count, last_used_at > created_at AS used FROM hftok.credentials ORDER BY scope, scope_id COLLATE "C", provider;
SELECT u.use_count FROM hftok_private.counted_uses u WHERE u.secret_id = :'named';
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT scope, scope_id, use_count, last_used_at IS NOT NULL AS used FROM hftok.credentials ORDER BY scope;
SELECT name, last_used_at IS NOT NULL AS used FROM hftok.integrations;
SET request.jwt.claims = '{"sub": "carol"}';
SELECT count(*) AS seen FROM hftok.credentials;
RESET request.jwt.claims;
RESET SESSION AUTHORIZATION;
-- Replaced, it is the same credential; deleted, its count goes with it.
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000002', p_user_id => 'alice');
SELECT use_count FROM hftok.credentials WHERE scope_id = 'alice';
SELECT hftok.delete_credential('groq', p_user_id => 'bob');
CALL pg_temp.await($$(SELECT count(*) = 4 FROM hftok_private.counted_uses)$$);
SELECT use_count FROM (SELECT secret_id FROM hftok.save_credential('groq', 'groq-key-of-bob', p_user_id => 'bob')) s JOIN hftok.credentials USING (secret_id);
SELECT use_count FROM hftok.credentials WHERE scope_id = 'bob';
-- The counts tell nobody of secrets that they may not see.
SET ROLE regress_direct;
SELECT count(*) AS seen FROM hftok.credentials;
RESET ROLE;

-- Reports of backends, by day and currency; not numbers that no column can hold.
SELECT secret_id AS id FROM hftok.credentials WHERE scope_id = 'alice' \gset
SELECT hftok.record_usage(:'id', 2, 1000, 0.25), hftok.record_usage(:'id', 1, 500, 0.5, 'USD'), hftok.record_usage(:'id', 1, 10, 0.125, 'EUR'), hftok.record_usage(:'id', 1, 10, 3, 'JPY');
BEGIN;
SELECT hftok.record_usage(:'id', 1, 1, 0.01, 'EUR');
ROLLBACK;
CALL pg_temp.await($$(SELECT sum(requests) = 6 FROM hftok.usage_daily)$$);
SELECT provider, scope, scope_id, requests, units, cost, currency FROM hftok.usage_daily ORDER BY currency;
SELECT count(*) AS events FROM hftok.audit_events WHERE action = 'record_usage';
-- One that cannot be added to the others does not stop the others.
SELECT hftok.record_usage(:'id', 9223372036854775807), hftok.record_usage(:'id', 9223372036854775807);
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.record_usage(:'id', 1, 1, 1, 'CHF');
CALL pg_temp.await($$EXISTS (SELECT FROM hftok.usage_daily WHERE currency = 'CHF')$$);
SELECT requests, currency FROM hftok.usage_daily WHERE currency = 'CHF';
-- Reported, and then deleted: what was used was used.
SELECT hftok.record_usage(:'id', 1, 1, 1, 'SEK');
SELECT hftok.delete_credential('openai', p_user_id => 'alice');
SELECT hftok.record_usage(secret_id, 1, 1, 1, 'NOK') FROM hftok.credentials WHERE scope_id = 'bob';
CALL pg_temp.await($$EXISTS (SELECT FROM hftok.usage_daily WHERE currency = 'NOK')$$);
SELECT requests, currency FROM hftok.usage_daily WHERE currency IN ('SEK', 'NOK') ORDER BY currency;

-- The state of the audit.
CALL pg_temp.await_audit();
SELECT audit_mode, audit_writer IN ('running', 'idle', 'starting') AS writer, audit_waiting, audit_lag FROM hftok.status();
SET hftok.audit = 'sync';
SELECT audit_mode FROM hftok.status();
RESET hftok.audit;
BEGIN;
SELECT hftok.add_member('acme', 'dora');
SELECT audit_waiting, audit_lag > '0' AS lag FROM hftok.status();
ROLLBACK;

SELECT kind, reason, failed FROM hftok.verify();
SELECT count(*) FROM hftok.forget_user('alice'), hftok.forget_user('bob') b, hftok.forget_user('role:regress_direct') d, hftok.forget_org('acme') a;
DELETE FROM hftok.decrypted_secrets;
SELECT hftok.revoke_administrator('olga');
SELECT kind, checked - (SELECT count(*) FROM hftok_private.data_keys WHERE state <> 'destroyed') AS left, failed FROM hftok.verify();
DELETE FROM hftok_private.usage_daily;
DROP ROLE regress_direct;
\i tests/sql/include/gateway_end.sql
