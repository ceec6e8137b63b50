-- Named secrets: what Supabase Vault documents of its calls, and what hftok adds (versions, compare-and-set, restore,
-- finding by value). The last part seals the server and unseals it again; no other file may.

\set VERBOSITY terse
\encoding UTF8
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_app;
RESET client_min_messages;
SELECT count(*) AS secrets FROM hftok.secrets;

-- Supabase Vault's documentation: one, two, three and named arguments, read through the view.
SELECT hftok.create_secret('s3kre3t') AS one \gset
SELECT hftok.create_secret('another_s3kre3t', 'unique_name') AS two \gset
SELECT hftok.create_secret('third_s3kre3t', 'third_name', 'This is the description') AS three \gset
SELECT hftok.create_secret(new_description => 'named', new_secret => 'fourth_s3kre3t', new_name => 'fourth_name') AS four \gset
SELECT name, description, decrypted_secret, key_id, octet_length(nonce) AS nonce,
    secret !~ 's3kre3t' AND secret <> decrypted_secret AS sealed, updated_at = created_at AS fresh
FROM hftok.decrypted_secrets WHERE id IN (:'one', :'two', :'three', :'four') ORDER BY decrypted_secret COLLATE "C";
SELECT name, description, preview, version FROM hftok.secrets ORDER BY name COLLATE "C" NULLS FIRST;

-- A preview is always as wide, and of a short value it shows nothing.
CREATE TEMP TABLE shown (value text);
INSERT INTO shown VALUES ('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH'), ('hf_abc'), ('sk-proj-' || repeat('x', 150)), (repeat('y', 1000)), (''),
    (repeat(U&'\00E9', 40));
SELECT count(hftok.create_secret(value, 'shown ' || md5(value))) FROM shown;
SELECT left(v.value, 12) AS value, length(v.value), s.preview, length(s.preview) AS width
FROM shown v JOIN hftok.secrets s ON s.name = 'shown ' || md5(v.value) ORDER BY v.value COLLATE "C";
DELETE FROM hftok.decrypted_secrets WHERE name LIKE 'shown %';

-- Update by id, all or some; what is not given stays.
SELECT hftok.update_secret(:'one', 'n3w_s3kre3t', 'updated_unique_name', 'new description');
SELECT name, description, decrypted_secret FROM hftok.decrypted_secrets WHERE id = :'one';
SELECT hftok.update_secret(:'one', new_secret => 'n3wer');
SELECT hftok.update_secret(:'one', new_description => 'newer description');
SELECT hftok.update_secret(:'one', new_name => 'newer_name');
SELECT hftok.update_secret(:'one', new_key_id => gen_random_uuid());
SELECT name, description, decrypted_secret FROM hftok.decrypted_secrets WHERE id = :'one';
SELECT version, updated_at > created_at AS changed FROM hftok.secrets WHERE id = :'one';

-- A name goes back to none, and is free then. Several secrets may have none.
SELECT hftok.update_secret(:'one', new_name => '');
SELECT name IS NULL AS nameless, decrypted_secret FROM hftok.decrypted_secrets WHERE id = :'one';
SELECT hftok.get_secret('newer_name');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.create_secret('nameless') IS NOT NULL AS stored;
SELECT hftok.create_secret('nameless', '') IS NOT NULL AS stored;
SELECT hftok.create_secret('taken over', 'newer_name') IS NOT NULL AS stored;

-- A name that is taken; an id that is unknown; values that are missing. NULL as description is none, as ''.
SELECT hftok.create_secret('x', 'unique_name');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.update_secret(:'one', new_name => 'unique_name');
SELECT hftok.update_secret(:'one', 'x', 'unique_name');
SELECT decrypted_secret FROM hftok.decrypted_secrets WHERE id IN (:'one', :'two') ORDER BY 1;
SELECT hftok.update_secret('00000000-0000-4000-8000-000000000000', 'x');
SELECT hftok.update_secret(NULL, 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.create_secret(NULL);
SELECT hftok.create_secret(NULL, 'null');
SELECT hftok.create_secret('x', 'null description', NULL) IS NOT NULL AS stored;
SELECT description FROM hftok.secrets WHERE name = 'null description';

-- Not by INSERT or UPDATE, which would store the plaintext: not even for those who may read.
SET ROLE hftok_service;
INSERT INTO hftok.decrypted_secrets (name, secret) VALUES ('direct', 's3kre3t');
UPDATE hftok.decrypted_secrets SET description = 'direct';
UPDATE hftok.decrypted_secrets SET secret = 's3kre3t';
INSERT INTO hftok.decrypted_secrets (description) VALUES ('direct');
INSERT INTO hftok.secrets (description) VALUES ('direct');
DELETE FROM hftok.secrets;
RESET ROLE;

-- A second role with nothing but EXECUTE and SELECT, as the documentation grants them.
CREATE ROLE regress_app;
GRANT USAGE ON SCHEMA hftok TO regress_app;
GRANT EXECUTE ON FUNCTION hftok.create_secret, hftok.update_secret TO regress_app;
GRANT SELECT ON hftok.decrypted_secrets TO regress_app;
SET ROLE regress_app;
SELECT hftok.create_secret('foo', 'bar', 'baz') AS app \gset
SELECT hftok.update_secret(:'app', 'f00');
SELECT name, description, decrypted_secret FROM hftok.decrypted_secrets WHERE name = 'bar';
SELECT hftok.get_secret('bar');
SELECT count(*) FROM hftok.secrets;
SELECT hftok.delete_secret(:'app');
DELETE FROM hftok.decrypted_secrets;
INSERT INTO hftok.decrypted_secrets (name, secret) VALUES ('direct', 's3kre3t');
RESET ROLE;
-- Reading the column is the privilege, and it may be had for some columns only.
REVOKE SELECT ON hftok.decrypted_secrets FROM regress_app;
GRANT SELECT (id, name) ON hftok.decrypted_secrets TO regress_app;
SET ROLE regress_app;
SELECT name FROM hftok.decrypted_secrets WHERE name = 'bar';
SELECT decrypted_secret FROM hftok.decrypted_secrets WHERE name = 'bar';
RESET ROLE;
GRANT SELECT (decrypted_secret) ON hftok.decrypted_secrets TO regress_app;
SET ROLE regress_app;
SELECT decrypted_secret FROM hftok.decrypted_secrets WHERE name = 'bar';
SELECT description FROM hftok.decrypted_secrets WHERE name = 'bar';
RESET ROLE;
REVOKE ALL ON hftok.decrypted_secrets FROM regress_app;
REVOKE SELECT (id, name, decrypted_secret) ON hftok.decrypted_secrets FROM regress_app;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA hftok FROM regress_app;
REVOKE ALL ON SCHEMA hftok FROM regress_app;
DROP ROLE regress_app;

-- put_secret: insert or replace by name, and compare-and-set. 0 stands for "must not exist".
SELECT hftok.put_secret('put', 'one') AS put \gset
SELECT hftok.put_secret('put', 'two', 'text') = :'put' AS same;
SELECT hftok.put_secret('put', 'three') = :'put' AS same;
SELECT version, description FROM hftok.secrets WHERE id = :'put';
SELECT hftok.put_secret('put', 'four', p_expected_version => 3) = :'put' AS same;
SELECT hftok.put_secret('put', 'lost', p_expected_version => 3);
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.put_secret('put', 'lost', p_expected_version => 5);
SELECT hftok.put_secret('put', 'lost', p_expected_version => 0);
SELECT hftok.put_secret('put', 'lost', p_expected_version => -2);
SELECT hftok.put_secret('fresh', 'lost', p_expected_version => 1);
SELECT hftok.put_secret('fresh', 'lost', p_expected_version => -1);
SELECT hftok.put_secret('fresh', 'one', p_expected_version => 0) IS NOT NULL AS stored;
-- -1 stands for "must exist".
SELECT hftok.put_secret('any', 'one') AS any \gset
SELECT hftok.put_secret('any', 'two', p_expected_version => -1) = :'any' AS same;
SELECT version FROM hftok.secrets WHERE id = :'any';
SELECT hftok.delete_secret(:'any') AS deleted;
SELECT hftok.put_secret('', 'x');
SELECT hftok.put_secret(NULL, 'x');
SELECT hftok.put_secret('put', NULL);
-- A value that is the same again is a version again.
SELECT hftok.put_secret('put', 'four') = :'put' AS same;
SELECT hftok.get_secret('put'), version, description FROM hftok.secrets WHERE id = :'put';

-- get_secret, by name and version; a version opens after the name has changed, and under the new name only.
SELECT v AS version, hftok.get_secret('put', v) FROM generate_series(1, 5) v;
SELECT hftok.update_secret(:'put', new_name => 'renamed');
SELECT hftok.get_secret('renamed', 1), hftok.get_secret('renamed', 5), hftok.get_secret('renamed', NULL);
SELECT hftok.get_secret('put', 1);
SELECT hftok.get_secret('renamed', 6);
SELECT hftok.get_secret('renamed', 0);
SELECT hftok.get_secret('nowhere');
SELECT hftok.get_secret('');
SELECT hftok.get_secret(NULL);

-- restore_secret: a previous version becomes the next one. History, newest first, without values.
SELECT hftok.restore_secret(:'put', 2) AS version;
SELECT hftok.get_secret('renamed');
SELECT version, is_current, name, preview, superseded_at IS NULL AS current, created_at IS NOT NULL AS created
FROM hftok.secret_history(:'put');
SELECT hftok.restore_secret(:'put', 7);
SELECT hftok.restore_secret(:'put', NULL);
SELECT hftok.restore_secret('00000000-0000-4000-8000-000000000000', 1);
SELECT hftok.secret_history('00000000-0000-4000-8000-000000000000');
-- hftok.version_history previous versions are kept, and not one more.
SELECT count(hftok.put_secret('renamed', 'again')) FROM generate_series(1, current_setting('hftok.version_history')::int + 1);
SELECT count(*) = current_setting('hftok.version_history')::int + 1 AS kept, max(version) - min(version) = count(*) - 1 AS without_gaps
FROM hftok.secret_history(:'put');
SELECT hftok.get_secret('renamed', 6);

-- find_secret: by keyed fingerprint, current and previous values.
SELECT hftok.create_secret('leaked?', 'find') AS find \gset
SELECT hftok.create_secret('leaked?', 'find too') AS too \gset
SELECT secret_id = :'find' AS first, version, is_current FROM hftok.find_secret('leaked?') ORDER BY 1 DESC;
SELECT hftok.update_secret(:'find', 'rotated');
SELECT secret_id = :'find' AS first, version, is_current FROM hftok.find_secret('leaked?') ORDER BY 1 DESC;
SELECT secret_id = :'find' AS first, version, is_current FROM hftok.find_secret('rotated');
SELECT count(*) AS unknown FROM hftok.find_secret('leaked');
SELECT hftok.find_secret(NULL);
SELECT hftok.delete_secret(:'find');
SELECT count(*) AS left FROM hftok.find_secret('leaked?') WHERE secret_id = :'find';
SELECT count(*) AS left FROM hftok.find_secret('rotated');

-- Deleting: by id, and through the view; the versions go too.
SELECT hftok.delete_secret(:'find');
SELECT hftok.delete_secret(NULL);
DELETE FROM hftok.decrypted_secrets WHERE id = :'put';
SELECT hftok.get_secret('renamed');
SELECT count(*) AS left FROM hftok_private.secret_versions WHERE secret_id IN (:'put', :'find');
BEGIN;
DELETE FROM hftok.decrypted_secrets WHERE name = 'unique_name';
ROLLBACK;
SELECT hftok.get_secret('unique_name');

-- Every text comes back as it was: compared by bytes.
CREATE TEMP TABLE texts (what text, value text);
INSERT INTO texts VALUES
    ('empty', ''), ('space', ' '), ('spaces', E'  \t '), ('newlines', E'\n\r\n'), ('quotes', $$'"`''$$), ('backslashes', $$\\n\0\x00\$$),
    ('semicolon', $$x'); DROP SCHEMA hftok_private CASCADE; --$$), ('percent', '%s %I %L %1$s'), ('dollars', '$1 $$ $body$ ${x}'),
    ('braces', '{"a": [null, 1]}'), ('emoji', U&'\+01F511\+01F468\200D\+01F469\200D\+01F467\FE0F'),
    ('right to left', U&'\05D0\05D1\200F \202E\0627\0644\0633\0631'), ('combining', U&'e\0301'), ('composed', U&'\00E9'),
    ('zalgo', repeat(U&'a\0301\0323\0336', 100)), ('last code point', U&'\+10FFFF'), ('noncharacter', U&'\FFFE'),
    ('byte order mark', U&'\FEFFx'), ('controls', (SELECT string_agg(chr(n), '') FROM generate_series(1, 31) n)), ('mask', U&'\2022\2022'),
    ('NULL', 'NULL'), ('long', repeat(U&'0123456789 \+01F511 ', 10000)), ('1 MB', repeat('x', 1000000));
CREATE TEMP TABLE stored AS SELECT what, value, hftok.create_secret(value, 'text: ' || what, what) AS id FROM texts;
SELECT s.what, length(s.value), octet_length(s.value) AS bytes, d.decrypted_secret = s.value COLLATE "C" AS by_view,
    hftok.get_secret('text: ' || s.what) = s.value COLLATE "C" AS by_name,
    (SELECT count(*) FROM hftok.find_secret(s.value)) AS found
FROM stored s JOIN hftok.decrypted_secrets d USING (id) ORDER BY s.what COLLATE "C";
-- The texts as names, up to the longest. The empty one is no name; composed and combining are two.
CREATE TEMP TABLE named AS SELECT * FROM texts WHERE value <> '' AND octet_length(value) <= 1024;
SELECT count(*) AS stored, count(DISTINCT id) AS distinct FROM (SELECT hftok.put_secret(value, md5(value)) AS id FROM named) s;
SELECT count(*) FILTER (WHERE hftok.get_secret(t.value) = md5(t.value)) AS by_name, count(d.id) AS in_view, count(*) AS names
FROM named t LEFT JOIN hftok.decrypted_secrets d ON d.name = t.value COLLATE "C" AND d.decrypted_secret = md5(t.value);
SELECT count(*) AS same_name FROM named t WHERE hftok.put_secret(value, 'x', p_expected_version => 1) IS NOT NULL;
SELECT hftok.put_secret(repeat('n', 1024), 'x') IS NOT NULL AS stored;
SELECT hftok.put_secret(repeat('n', 1025), 'x');
SELECT hftok.create_secret('x', repeat('n', 1025));
SELECT hftok.update_secret(gen_random_uuid(), 'x', repeat('n', 1025));
SELECT hftok.create_secret('x', 'too much', repeat('d', 65537));
-- Descriptions too.
SELECT hftok.create_secret('x', 'described', string_agg(value, '' ORDER BY what COLLATE "C")) IS NOT NULL AS stored FROM texts WHERE octet_length(value) <= 1024;
SELECT description = (SELECT string_agg(value, '' ORDER BY what COLLATE "C") FROM texts WHERE octet_length(value) <= 1024) AS same
FROM hftok.secrets WHERE name = 'described';
DELETE FROM hftok.decrypted_secrets;

-- The quota counts bytes: exactly as many, and one more.
SELECT pg_size_bytes(current_setting('hftok.max_secret_size')) AS most \gset
SELECT hftok.put_secret('large', repeat('x', :most)) AS large \gset
SELECT length(hftok.get_secret('large')) = :most AS whole;
SELECT hftok.put_secret('large', repeat('x', :most + 1));
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.create_secret(repeat('x', :most + 1));
SELECT hftok.update_secret(:'large', repeat(U&'\00E9', :most / 2) || 'x');
SELECT hftok.update_secret(:'large', repeat(U&'\00E9', :most / 2));
SELECT octet_length(hftok.get_secret('large')) = :most AS whole, version FROM hftok.secrets WHERE id = :'large';
DELETE FROM hftok.decrypted_secrets;

-- No field of an error holds a value; the object is named in DETAIL only.
\i tests/sql/include/refusal.sql
SELECT hftok.create_secret('hf_s3kre3t', 'taken') AS taken \gset
SELECT hftok.create_secret('hf_s3kre3t', 'other') AS other \gset
SELECT pg_temp.refusal('hftok.create_secret($1, $2)', 'hf_s3kre3t', 'taken');
SELECT pg_temp.refusal('hftok.create_secret($1, $2)', NULL, 'other');
SELECT pg_temp.refusal('hftok.update_secret($1::uuid, $2)', '00000000-0000-4000-8000-000000000000', 'hf_s3kre3t');
SELECT pg_temp.refusal('hftok.update_secret($1::uuid, $2, $3)', :'other', 'hf_s3kre3t', 'taken');
SELECT pg_temp.refusal('hftok.put_secret($1, $2)', '', 'hf_s3kre3t');
SELECT pg_temp.refusal('hftok.put_secret($1, $2, NULL, 7)', 'taken', 'hf_s3kre3t');
SELECT pg_temp.refusal('hftok.put_secret($1, $2, NULL, 7)', 'absent', 'hf_s3kre3t');
SELECT replace(pg_temp.refusal('hftok.create_secret(repeat($1, ' || :most || '))', 'hf_s3kre3t'), :'most', 'N');
SELECT pg_temp.refusal('hftok.get_secret($1)', 'absent');
SELECT pg_temp.refusal('hftok.get_secret($1)', E'header\r\nInjected: 1');
SELECT pg_temp.refusal('hftok.get_secret($1, NULL, $2)', 'taken', 'hf_s3kre3t');
SELECT pg_temp.refusal('hftok.secret_history($1::uuid)', '00000000-0000-4000-8000-000000000000');
SELECT pg_temp.refusal('hftok.restore_secret($1::uuid, 9)', '00000000-0000-4000-8000-000000000000');

-- By GET and HEAD nothing is given or taken, by POST it is, and may not be cached.
BEGIN;
SELECT set_config('request.method', 'GET', true);
SELECT pg_temp.refusal('hftok.' || call) FROM (VALUES ('create_secret(''x'')'), ('put_secret(''x'', ''x'')'), ('get_secret(''taken'')'),
    ('find_secret(''x'')'), ('update_secret(gen_random_uuid(), ''x'')'), ('restore_secret(gen_random_uuid(), 1)')) c (call);
SELECT pg_temp.refusal('decrypted_secret FROM hftok.decrypted_secrets');
SELECT count(*) FROM hftok.decrypted_secrets;
SELECT set_config('request.method', 'HEAD', true);
SELECT pg_temp.refusal('hftok.get_secret(''taken'')');
SELECT set_config('request.method', 'POST', true), set_config('response.headers', '[{"X-Other": "1"}, {"cache-control": "public"}]', true);
SELECT hftok.get_secret('taken');
SELECT current_setting('response.headers');
COMMIT;

-- Nonces are distinct over 10,000 creations by a statement whose plan is kept.
DO $$ BEGIN FOR n IN 1..10000 LOOP PERFORM hftok.create_secret('the same', 'nonce ' || n); END LOOP; END $$;
SELECT count(*), count(DISTINCT nonce) AS nonces, count(DISTINCT secret) AS sealed, count(DISTINCT id) AS ids
FROM hftok.decrypted_secrets WHERE name LIKE 'nonce %';
DELETE FROM hftok.decrypted_secrets WHERE name LIKE 'nonce %';

-- Revealing is reading: it works in a read-only transaction, as PostgREST runs what is STABLE.
BEGIN TRANSACTION READ ONLY;
SELECT hftok.get_secret('taken');
SELECT decrypted_secret FROM hftok.decrypted_secrets WHERE name = 'taken';
SELECT hftok.put_secret('taken', 'x');
ROLLBACK;

-- Sealed: what opens nothing goes on, what opens something says why it cannot.
SELECT hftok.seal();
SELECT sealed, reason, primary_root_key_id, root_key_ids, secrets FROM hftok.status();
SELECT count(*) FROM hftok.decrypted_secrets;
SELECT name, description, octet_length(secret) > 0 AS secret FROM hftok.decrypted_secrets ORDER BY name;
SELECT name, preview, version FROM hftok.secrets ORDER BY name;
SELECT version FROM hftok.secret_history(:'taken');
SELECT hftok.update_secret(:'taken', new_description => 'needs no key');
SELECT pg_temp.refusal('hftok.' || call) FROM (VALUES ('get_secret(''taken'')'), ('create_secret(''x'')'),
    ('put_secret(''taken'', ''x'')'), ('find_secret(''x'')'), ('verify()')) c (call);
SELECT pg_temp.refusal('decrypted_secret FROM hftok.decrypted_secrets');
SELECT pg_temp.refusal('hftok.update_secret($1::uuid, $2)', :'taken', 'hf_s3kre3t');
SELECT pg_temp.refusal('hftok.update_secret($1::uuid, NULL, $2)', :'taken', 'renamed');
-- A missing secret is still missing, and a wrong argument is still wrong.
SELECT pg_temp.refusal('hftok.update_secret($1::uuid, $2)', '00000000-0000-4000-8000-000000000000', 'hf_s3kre3t');
SELECT pg_temp.refusal('hftok.get_secret($1)', '');
SELECT hftok.delete_secret(:'other');
SELECT hftok.seal();
SELECT key_ids IS NOT NULL AS unsealed FROM hftok.unseal();
SELECT sealed, reason FROM hftok.status();
SELECT name, description, decrypted_secret FROM hftok.decrypted_secrets ORDER BY name;
SELECT kind, failed FROM hftok.verify();

DELETE FROM hftok.decrypted_secrets;
SELECT count(*) AS left FROM hftok_private.secret_versions;
