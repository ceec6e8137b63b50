-- health(): works or not, and what will be a trouble. Each reason is made, seen and taken away.

\set VERBOSITY terse
\encoding UTF8
\i tests/sql/include/await.sql
\pset null ~
CALL pg_temp.await_audit();
CREATE FUNCTION pg_temp.reasons() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT regexp_replace(regexp_replace(r, '\d+ s:', '… s:'), 'data key \d+ \(', 'data key … (') FROM hftok.health() h, unnest(h.reasons) r WHERE r !~ '^risks: '
$$;
SELECT ok, reasons[array_upper(reasons, 1)] ~ '^risks: [1-9][0-9]*, see logging_risks\(\)$' AS risks FROM hftok.health();
SELECT * FROM pg_temp.reasons();
-- Sealed.
SELECT hftok.seal();
SELECT ok FROM hftok.health();
SELECT * FROM pg_temp.reasons();
SELECT key_ids FROM hftok.unseal();
SELECT ok FROM hftok.health();
BEGIN;
-- A keyring that is another's.
UPDATE hftok_private.data_keys SET root_fingerprint = '\x00' WHERE state = 'active' AND purpose = 'audit';
SELECT ok FROM hftok.health();
SELECT * FROM pg_temp.reasons();
ROLLBACK;
BEGIN;
-- Credentials that end, and integrations that are left.
SELECT count(hftok.save_credential('openai', 'sk-proj-health0000000000001', p_user_id => 'hal', p_model => e, p_expires_at => now() + e::interval)) FROM unnest('{-1 day,6 days,8 days}'::text[]) e;
SELECT hftok.create_integration_with_vault('left', 'openai', 'sk-proj-health0000000000002', p_user_id => 'hal') AS id \gset
SELECT hftok.update_integration_status(:'id', 'verifying', p_user_id => 'hal');
SELECT * FROM pg_temp.reasons();
UPDATE hftok_private.integrations SET updated_at = now() - interval '2 hours' WHERE id = :'id';
SELECT ok FROM hftok.health();
SELECT * FROM pg_temp.reasons();
-- Found without reading the others.
SET LOCAL enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT FROM hftok_private.integrations i WHERE i.status = 'verifying' AND i.updated_at < now() - interval '1 hour' LIMIT 1000;
RESET enable_seqscan;
-- A key that is too old, and a rotation that waits. The audit's keys have no age: they stay with their events.
UPDATE hftok_private.data_keys SET created_at = now() - interval '3660 days' WHERE state = 'active' AND purpose IN ('values', 'audit');
INSERT INTO hftok_private.rotations (key_id, purpose, org_id, waits_for) VALUES (9999, 'values', '', 'somebody');
SELECT ok FROM hftok.health();
SELECT * FROM pg_temp.reasons();
ROLLBACK;
BEGIN;
-- Events that wait.
SELECT hftok.put_secret('health', 'of events') IS NOT NULL AS put;
UPDATE hftok_private.audit_pending SET at = now() - interval '61 seconds';
SELECT ok FROM hftok.health();
SELECT * FROM pg_temp.reasons();
ROLLBACK;
-- For whom.
SET ROLE hftok_service;
SELECT ok FROM hftok.health();
SET ROLE hftok_user;
SELECT ok FROM hftok.health();
RESET ROLE;
