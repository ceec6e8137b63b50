-- A row that somebody changed behind hftok's back does not open: rows, names, owners, ciphertexts, versions, data keys. One bad
-- row leaves the others readable, and verify() names it. The intruder may read and write every table, row security or not.

\set VERBOSITY terse

-- Each secret is called after what is done to it; its value says so too.
CREATE TEMP TABLE deeds (name text PRIMARY KEY, deed text);
INSERT INTO deeds VALUES
    ('sound', $$SELECT$$),
    ('described', $$UPDATE hftok_private.secrets SET description = 'not bound' WHERE id = $1$$),
    ('renamed', $$UPDATE hftok_private.secrets SET name = 'another' WHERE id = $1$$),
    ('other scope_id', $$UPDATE hftok_private.secrets SET scope_id = 'alice' WHERE id = $1$$),
    ('other provider', $$UPDATE hftok_private.secrets SET provider = 'openai' WHERE id = $1$$),
    ('other model', $$UPDATE hftok_private.secrets SET model = 'gpt' WHERE id = $1$$),
    ('no hosts', $$UPDATE hftok_private.secrets SET allowed_hosts = '{}' WHERE id = $1$$),
    ('null among hosts', $$UPDATE hftok_private.secrets SET allowed_hosts = '{NULL}' WHERE id = $1$$),
    ('other hosts', $$UPDATE hftok_private.secrets SET allowed_hosts = '{evil.example}' WHERE id = $1$$),
    ('expires', $$UPDATE hftok_private.secrets SET expires_at = 'infinity' WHERE id = $1$$),
    ('other version', $$UPDATE hftok_private.secrets SET version = 7 WHERE id = $1$$),
    ('other id', $$UPDATE hftok_private.secrets SET id = '00000000-0000-4000-8000-000000000001' WHERE id = $1$$),
    ('first byte', $$UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 0, get_byte(sealed, 0) # 1) WHERE id = $1$$),
    ('key id', $$UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 4, get_byte(sealed, 4) # 1) WHERE id = $1$$),
    ('no key id', $$UPDATE hftok_private.secrets SET sealed = overlay(sealed PLACING '\x00000000' FROM 2 FOR 4) WHERE id = $1$$),
    ('nonce', $$UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 9, get_byte(sealed, 9) # 1) WHERE id = $1$$),
    ('last byte', $$UPDATE hftok_private.secrets SET sealed = set_byte(sealed, length(sealed) - 1,
        get_byte(sealed, length(sealed) - 1) # 128) WHERE id = $1$$),
    ('cut', $$UPDATE hftok_private.secrets SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE id = $1$$),
    ('cut to four', $$UPDATE hftok_private.secrets SET sealed = substr(sealed, 1, 4) WHERE id = $1$$),
    ('extended', $$UPDATE hftok_private.secrets SET sealed = sealed || '\x00' WHERE id = $1$$),
    ('empty', $$UPDATE hftok_private.secrets SET sealed = '' WHERE id = $1$$),
    ('preview', $$UPDATE hftok_private.secrets SET preview = 'sound' WHERE id = $1$$),
    ('fingerprint', $$UPDATE hftok_private.secrets SET fingerprint = set_byte(fingerprint, 10, get_byte(fingerprint, 10) # 1) WHERE id = $1$$),
    ('no fingerprint', $$UPDATE hftok_private.secrets SET fingerprint = '' WHERE id = $1$$),
    ('other binding', $$UPDATE hftok_private.secrets SET binding_key = id WHERE id = $1$$),
    ('ciphertext of sound', $$UPDATE hftok_private.secrets SET sealed = (SELECT sealed FROM hftok_private.secrets WHERE name = 'sound')
        WHERE id = $1$$),
    ('swapped 1', $$UPDATE hftok_private.secrets s SET name = o.name, binding_key = gen_random_uuid() FROM made o
        WHERE s.id = $1 AND o.name = 'swapped 2'$$),
    ('swapped 2', $$UPDATE hftok_private.secrets s SET name = o.name FROM made o WHERE s.id = $1 AND o.name = 'swapped 1'$$);
CREATE ROLE regress_intruder BYPASSRLS IN ROLE pg_read_all_data, pg_write_all_data;
-- The role may not execute the table's check, but that is no wall to count on.
GRANT EXECUTE ON FUNCTION hftok_private.is_secret TO regress_intruder;
CREATE TEMP TABLE made AS SELECT name, hftok.create_secret('value of ' || name, name) AS id, NULL::uuid AS former_id FROM deeds;
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT * FROM deeds JOIN made USING (name) LOOP
        SET LOCAL ROLE regress_intruder;
        EXECUTE one.deed USING one.id;
        RESET ROLE;
    END LOOP;
    UPDATE made SET id = '00000000-0000-4000-8000-000000000001', former_id = id WHERE name = 'other id';
END
$$;
-- The value is NULL where it does not open. verify() must notice the fields beside the value (preview, fingerprint, binding),
-- and the fields that are not bound to it but told by the audit.
CREATE TEMP TABLE verified AS SELECT kind, id, version, regexp_replace(reason, '[0-9]+', 'N') AS reason, checked, failed FROM hftok.verify();
SELECT m.name, d.decrypted_secret, v.reason
FROM made m JOIN hftok.decrypted_secrets d USING (id) LEFT JOIN verified v ON v.kind = 'secret' AND v.id = m.id::text
ORDER BY m.name COLLATE "C", v.reason COLLATE "C";
-- The audit misses the former id of the row whose id was changed.
SELECT v.version, v.reason FROM verified v WHERE v.kind = 'secret' AND v.id NOT IN (SELECT id::text FROM made);
SELECT count(reason) AS named, max(failed) AS failed, max(checked) - (SELECT count(*) FROM hftok_private.data_keys WHERE state <> 'destroyed') AS secrets FROM verified;
-- By name, the error says which one, and what to do.
SELECT hftok.get_secret('sound');
SELECT hftok.get_secret('other scope_id');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.get_secret('other version');
SELECT hftok.get_secret('key id');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.get_secret('no key id');
SELECT hftok.get_secret('renamed');
SELECT hftok.get_secret('another');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.get_secret('swapped 2');
-- A value that does not open is not sealed again under another name, but may be replaced, and deleted.
SELECT hftok.update_secret(id, new_name => 'saved') FROM made WHERE name = 'last byte';
SELECT hftok.update_secret(id, 'new') FROM made WHERE name = 'last byte';
SELECT hftok.get_secret('last byte');
SELECT hftok.delete_secret(id) FROM made WHERE name = 'nonce';
-- Put right before it is deleted, because a secret that is not there any more is missed for good.
UPDATE hftok_private.secrets s SET id = m.former_id FROM made m WHERE s.id = m.id AND m.former_id IS NOT NULL;
DELETE FROM hftok.decrypted_secrets;
SELECT kind, reason, failed FROM hftok.verify();

-- Previous versions are bound as well, each to its own fields.
SELECT hftok.put_secret('versions', 'one') AS id \gset
SELECT count(hftok.put_secret('versions', 'more')) FROM generate_series(1, 5);
SELECT kind, version, reason, failed FROM hftok.verify();
SET ROLE regress_intruder;
UPDATE hftok_private.secret_versions SET name = 'other' WHERE secret_id = :'id' AND version = 1;
UPDATE hftok_private.secret_versions SET sealed = (SELECT sealed FROM hftok_private.secrets WHERE id = :'id') WHERE secret_id = :'id' AND version = 2;
UPDATE hftok_private.secret_versions SET fingerprint = '\x0000000000' WHERE secret_id = :'id' AND version = 3;
UPDATE hftok_private.secret_versions SET preview = '' WHERE secret_id = :'id' AND version = 4;
RESET ROLE;
SELECT kind, version, reason, failed FROM hftok.verify();
SELECT hftok.get_secret('versions', 1);
SELECT hftok.get_secret('versions', 2);
SELECT hftok.restore_secret(:'id', 1);
SELECT hftok.get_secret('versions', 5), hftok.get_secret('versions');
DELETE FROM hftok.decrypted_secrets;

-- Data keys: each is bound to its id and purpose, and names the root key that wrapped it.
SELECT hftok.put_secret('keyed', 'value') IS NOT NULL AS stored;
SELECT kind, failed FROM hftok.verify();
BEGIN;
UPDATE hftok_private.data_keys SET wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1);
SELECT kind, regexp_replace(reason, '[0-9]+', 'N') AS reason FROM hftok.verify() WHERE kind = 'data key';
ROLLBACK;
BEGIN;
UPDATE hftok_private.data_keys k SET wrapped = o.wrapped FROM hftok_private.data_keys o WHERE o.id <> k.id;
SELECT kind, regexp_replace(reason, '[0-9]+', 'N') AS reason FROM hftok.verify() WHERE kind = 'data key';
ROLLBACK;
BEGIN;
UPDATE hftok_private.data_keys SET root_fingerprint = '\x00';
SELECT kind, regexp_replace(reason, '[0-9]+', 'N') AS reason FROM hftok.verify() WHERE kind = 'data key';
ROLLBACK;
-- A key whose row is gone is noticed although it is still unwrapped in memory.
BEGIN;
DELETE FROM hftok_private.data_keys WHERE purpose = 'values';
SELECT kind, regexp_replace(reason, '[0-9]+', 'N') AS reason, checked, failed FROM hftok.verify();
ROLLBACK;
BEGIN;
DELETE FROM hftok_private.data_keys WHERE purpose = 'fingerprints';
SELECT kind, regexp_replace(reason, '[0-9]+', 'N') AS reason, checked, failed FROM hftok.verify();
ROLLBACK;
-- A row that is hardly one breaks neither status() nor verify().
BEGIN;
UPDATE hftok_private.secrets SET sealed = '\x01';
SELECT secrets, secrets_on_old_keys FROM hftok.status();
SELECT kind, reason, failed FROM hftok.verify();
ROLLBACK;
-- A keyring that is not this database's.
BEGIN;
UPDATE hftok_private.data_keys SET root_key_id = 77, root_fingerprint = '\x0123456789abcdef';
SELECT sealed, reason, removable_root_key_ids FROM hftok.status();
ROLLBACK;
-- A NULL that hftok never writes is an error, whose detail names the statement.
\set VERBOSITY default
BEGIN;
ALTER TABLE hftok_private.database_identity ALTER COLUMN database_name DROP NOT NULL;
UPDATE hftok_private.database_identity SET database_name = NULL;
SELECT hftok.create_secret('value', 'name');
ROLLBACK;
-- A column of another type is none that can be read.
BEGIN;
ALTER TABLE hftok_private.database_identity ALTER COLUMN database_name TYPE int USING 7;
SELECT hftok.create_secret('value', 'name');
ROLLBACK;
\set VERBOSITY terse
-- An id that was used stays taken, and one key of a purpose is active.
INSERT INTO hftok_private.data_keys SELECT * FROM hftok_private.data_keys WHERE purpose = 'values';
INSERT INTO hftok_private.data_keys (id, purpose, state, root_key_id, first_root_key_id, root_fingerprint, wrapped)
SELECT id % 2147483647 + 1, purpose, state, root_key_id, first_root_key_id, root_fingerprint, wrapped
FROM hftok_private.data_keys WHERE purpose = 'values';
UPDATE hftok_private.data_keys SET state = 'destroyed';
-- A row of secrets says only what hftok writes.
UPDATE hftok_private.secrets SET scope = 'everybody';
UPDATE hftok_private.secrets SET on_unusable = 'ask';
UPDATE hftok_private.secrets SET verdict = 'expired';
UPDATE hftok_private.secrets SET version = 0;
BEGIN;
UPDATE hftok_private.secrets SET on_unusable = 'continue', verdict = 'verified', version = 9;
ROLLBACK;
DELETE FROM hftok.decrypted_secrets;
REVOKE ALL ON FUNCTION hftok_private.is_secret FROM regress_intruder;
DROP ROLE regress_intruder;
