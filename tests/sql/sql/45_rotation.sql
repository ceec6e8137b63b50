-- Rotation of keys, as those see it who run the server. What needs another keyring is in tests/tests/rotation_root.rs.

\set VERBOSITY terse
\encoding UTF8
SELECT hftok.put_secret('rotated', 'value') IS NOT NULL AS saved;
-- All data keys are wrapped by the primary root key.
SET ROLE hftok_admin;
SELECT hftok.rotate_root_key();
SELECT id, fingerprint ~ '^[0-9a-f]{16}$' AS fingerprint, in_keyring, is_primary, data_keys > 0 AS wraps,
    needed_by_backups_from <= now() AS from_now_on, needed_by_backups_before AS before
FROM hftok.root_keys;
DELETE FROM hftok.root_keys;
-- The view's own function asks whether its caller was granted the view.
RESET ROLE;
CREATE ROLE regress_stranger;
GRANT USAGE ON SCHEMA hftok_private TO regress_stranger;
SET ROLE regress_stranger;
SELECT hftok_private.loaded_root_keys();
RESET ROLE;
DROP OWNED BY regress_stranger;
DROP ROLE regress_stranger;
SELECT removable_root_key_ids, destroyed_keys_open_with FROM hftok.status();
-- A root key opens a destroyed data key in backups of the time when it wrapped it.
BEGIN;
INSERT INTO hftok_private.data_keys (id, purpose, state, root_key_id, first_root_key_id, root_fingerprint)
SELECT 1, 'values', 'destroyed', r.id, r.id, r.fingerprint FROM hftok_private.root_keys r;
SELECT destroyed_keys_open_with FROM hftok.status();
-- One that came later does not.
UPDATE hftok_private.root_keys SET first_at = first_at - interval '1 day';
INSERT INTO hftok_private.root_keys (id, fingerprint, first_at) SELECT 7, '\x00', now() - interval '2 days';
UPDATE hftok_private.data_keys SET root_key_id = 7, first_root_key_id = 7, root_fingerprint = '\x00' WHERE id = 1;
SELECT destroyed_keys_open_with FROM hftok.status();
ROLLBACK;
SELECT hftok.delete_secret(id) FROM hftok.secrets WHERE name = 'rotated';
-- Data keys: users, services and auditors rotate none.
SELECT r.role, has_function_privilege(r.role, 'hftok.rotate_data_key(text)', 'EXECUTE') AS rotates,
    has_table_privilege(r.role, 'hftok.rotation_progress', 'SELECT') AS looks
FROM unnest('{hftok_user,hftok_service,hftok_admin,hftok_auditor}'::text[]) r (role);
SET ROLE hftok_admin;
SELECT hftok.rotate_data_key('no organisation');
SELECT hftok.rotate_data_key(' ');
-- Rolled back: what it makes is not for the tests after this one.
BEGIN;
SELECT hftok.rotate_data_key() > 0 AS rotated;
SELECT org_id, total, done, failed, finished_at, rate, eta, state, waits_for FROM hftok.rotation_progress;
ROLLBACK;
SELECT count(*) FROM hftok.rotation_progress;
DELETE FROM hftok.rotation_progress;
RESET ROLE;
SHOW hftok.reseal_rate;
SHOW hftok.data_key_max_age;
SET hftok.reseal_rate = 1;
SET hftok.data_key_max_age = 0;
