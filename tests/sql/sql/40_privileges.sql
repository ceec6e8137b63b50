-- Who may do what: each group role and a role with nothing, against every function and view; first as the catalog
-- says it, then as it is when it is tried. And what a DBA adds: a policy of their own reaches every view.

\set VERBOSITY sqlstate
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_nobody, regress_reader, regress_intern;
RESET client_min_messages;
CREATE ROLE regress_nobody;

-- What the catalog says.
SELECT p.oid::regproc AS function,
    string_agg(CASE WHEN has_function_privilege(r.role, p.oid, 'EXECUTE') THEN r.short END, ' ' ORDER BY r.short) AS may_execute
FROM pg_proc p, (VALUES ('hftok_user', 'user'), ('hftok_service', 'service'), ('hftok_admin', 'admin'), ('hftok_auditor', 'auditor'),
    ('regress_nobody', 'nobody')) r (role, short)
WHERE p.pronamespace IN ('hftok'::regnamespace, 'hftok_private'::regnamespace)
GROUP BY p.oid ORDER BY p.oid::regproc::text COLLATE "C";
SELECT c.oid::regclass AS relation, r.role,
    array_remove(ARRAY(SELECT CASE WHEN has_table_privilege(r.role, c.oid, p) THEN p END
        FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) p), NULL) AS privileges,
    array_remove(ARRAY(SELECT CASE WHEN has_any_column_privilege(r.role, c.oid, p) THEN p END
        FROM unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) p), NULL) AS on_columns
FROM pg_class c, unnest('{hftok_user,hftok_service,hftok_admin,hftok_auditor,regress_nobody}'::name[]) r (role)
WHERE c.relnamespace IN ('hftok'::regnamespace, 'hftok_private'::regnamespace) AND c.relkind IN ('r', 'v')
ORDER BY c.oid::regclass::text COLLATE "C", r.role;
SELECT n.nspname, r.role, has_schema_privilege(r.role, n.oid, 'USAGE') AS usage, has_schema_privilege(r.role, n.oid, 'CREATE') AS "create"
FROM pg_namespace n, unnest('{hftok_owner,hftok_user,hftok_service,hftok_admin,hftok_auditor,regress_nobody}'::name[]) r (role)
WHERE n.nspname IN ('hftok', 'hftok_private') ORDER BY n.nspname, r.role;

-- What happens. Everything is tried under SET ROLE and taken back; seal and unseal, which cannot be, only by those who may not.
SELECT hftok.create_secret('value', 'secret', 'of the vault') AS id \gset
SELECT hftok.update_secret(:'id', 'second');
CREATE FUNCTION pg_temp.attempt(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE statement;
    RAISE EXCEPTION USING ERRCODE = 'RB000';
EXCEPTION
    WHEN SQLSTATE 'RB000' THEN RETURN 'done';
    WHEN OTHERS THEN RETURN SQLSTATE;
END
$$;
CREATE TEMP TABLE attempts (number serial, statement text);
INSERT INTO attempts (statement) VALUES
    ('SELECT hftok.create_secret(''x'', ''new'')'), ('SELECT hftok.update_secret($ID, ''x'')'), ('SELECT hftok.put_secret(''secret'', ''x'')'),
    ('SELECT hftok.get_secret(''secret'')'), ('SELECT hftok.get_secret(''secret'', 1)'), ('SELECT hftok.restore_secret($ID, 1)'),
    ('SELECT hftok.delete_secret($ID)'), ('SELECT hftok.secret_history($ID)'), ('SELECT hftok.find_secret(''value'')'),
    ('SELECT hftok.status()'), ('SELECT hftok.verify()'), ('SELECT hftok.logging_risks()'), ('SELECT hftok.whoami()'),
    ('SELECT hftok.enable_rpc()'), ('SELECT hftok.disable_rpc()'), ('SELECT * FROM hftok.secrets'), ('SELECT count(*) FROM hftok.secrets'),
    ('SELECT * FROM hftok.decrypted_secrets'), ('SELECT name FROM hftok.decrypted_secrets'), ('SELECT count(*) FROM hftok.decrypted_secrets'),
    ('DELETE FROM hftok.decrypted_secrets'), ('UPDATE hftok.decrypted_secrets SET description = ''x'''), ('DELETE FROM hftok.secrets'),
    ('UPDATE hftok.secrets SET description = ''x'''), ('INSERT INTO hftok.secrets (id) VALUES (gen_random_uuid())'),
    ('TRUNCATE hftok_private.secrets'), ('SELECT FROM hftok_private.secrets'), ('SELECT FROM hftok_private.secret_versions'),
    ('SELECT FROM hftok_private.data_keys'), ('INSERT INTO hftok_private.data_keys DEFAULT VALUES'),
    ('SELECT hftok_private.keyring_state()'), ('SELECT hftok_private.read_keyring()'), ('SELECT hftok_private.fingerprints(''value'')'),
    ('SELECT hftok_private.open_vault_row(''hftok'', $ID, 1, '''', '''', '''', ''secret'', NULL, NULL, '''')'),
    ('SELECT hftok_private.set_rpc(true, ''regress_nobody'', ''hftok_service'')'), ('CREATE TABLE hftok.strange ()'),
    ('CREATE TABLE hftok_private.strange ()'), ('DROP VIEW hftok.secrets'), ('ALTER FUNCTION hftok.seal OWNER TO regress_nobody'),
    ('DROP EXTENSION hftok CASCADE'), ('SHOW hftok.key_file'), ('SHOW hftok.key_command'), ('SHOW hftok.gateways'),
    ('SET hftok.gateways = ''x'''), ('SET hftok.max_secret_size = ''2 MB'''), ('SET hftok.unheard_of = 1');
UPDATE attempts SET statement = replace(statement, '$ID', quote_literal(:'id'));
SELECT regexp_replace(statement, '[0-9a-f-]{36}', 'ID') AS statement, pg_temp.attempt('hftok_user', statement) AS "user",
    pg_temp.attempt('hftok_service', statement) AS service, pg_temp.attempt('hftok_admin', statement) AS admin,
    pg_temp.attempt('hftok_auditor', statement) AS auditor, pg_temp.attempt('regress_nobody', statement) AS nobody
FROM attempts ORDER BY number;
SELECT role, pg_temp.attempt(role, 'SELECT hftok.seal()') AS seal, pg_temp.attempt(role, 'SELECT hftok.unseal()') AS unseal
FROM unnest('{hftok_user,hftok_service,hftok_auditor,regress_nobody}'::name[]) role;
SELECT role, pg_has_role(role, 'hftok_owner', 'MEMBER') AS may_become_owner
FROM unnest('{hftok_user,hftok_service,hftok_admin,hftok_auditor,regress_nobody}'::name[]) role;
-- One who has no grant option cannot pass on what they have: Postgres warns, and nothing is given.
SET ROLE hftok_admin;
GRANT EXECUTE ON FUNCTION hftok.get_secret TO regress_nobody;
RESET ROLE;
SELECT has_function_privilege('regress_nobody', 'hftok.get_secret(text, int, text)', 'EXECUTE') AS given;

-- The opener lies in a schema that nobody can name, but views can be made to call it: it asks for the right to read the column,
-- and of whom it asks is the one who runs the query, not who made the view.
CREATE ROLE regress_reader;
GRANT USAGE ON SCHEMA hftok TO regress_reader;
GRANT SELECT ON hftok.decrypted_secrets TO regress_reader;
CREATE VIEW stolen AS SELECT hftok_private.open_vault_row('hftok', s.id, s.version, s.scope_id, s.provider, s.model, s.name,
    s.allowed_hosts, s.expires_at, s.sealed) FROM hftok_private.secrets s;
GRANT SELECT ON stolen TO regress_nobody, regress_reader;
SELECT role, pg_temp.attempt(role, 'SELECT * FROM stolen') FROM unnest('{regress_nobody,regress_reader}'::name[]) role;
DROP VIEW stolen;
-- So a view on ours passes nothing on, but a definer of somebody who may read does: that is the way to share one secret.
GRANT EXECUTE ON FUNCTION hftok.get_secret TO regress_reader;
CREATE SCHEMA regress_reader AUTHORIZATION regress_reader;
SET ROLE regress_reader;
CREATE VIEW regress_reader.passed_on AS SELECT name, decrypted_secret FROM hftok.decrypted_secrets;
CREATE FUNCTION regress_reader.shared() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT hftok.get_secret('secret') $$;
CREATE FUNCTION regress_reader.shared_by_view() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT decrypted_secret FROM hftok.decrypted_secrets WHERE name = 'secret' $$;
GRANT USAGE ON SCHEMA regress_reader TO regress_nobody;
GRANT SELECT ON regress_reader.passed_on TO regress_nobody;
SET ROLE regress_nobody;
SELECT name FROM regress_reader.passed_on;
SELECT * FROM regress_reader.passed_on;
SELECT regress_reader.shared(), regress_reader.shared_by_view();
SELECT hftok.get_secret('secret');
RESET ROLE;

-- A reader's own function sees what the view shows and nothing beyond: rows of another owner, which do not exist yet, are
-- made by hand. Row security would protect them too and is taken away; then the barrier, to see that it is what protects.
SET ROLE regress_reader;
CREATE FUNCTION regress_reader.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    RAISE INFO 'seen: %', $1;
    RETURN true;
END
$$;
RESET ROLE;
\set VERBOSITY terse
BEGIN;
ALTER TABLE hftok_private.secrets DISABLE ROW LEVEL SECURITY;
ALTER TABLE hftok_private.secrets DROP CONSTRAINT secrets_scope_check;
INSERT INTO hftok_private.secrets (id, binding_key, scope, scope_id, name, description, version, preview, fingerprint, sealed)
SELECT gen_random_uuid(), gen_random_uuid(), 'user', 'alice', 'of alice', 'of alice', version, preview, fingerprint, sealed FROM hftok_private.secrets;
SET LOCAL ROLE regress_reader;
SELECT name FROM hftok.decrypted_secrets WHERE regress_reader.peek(description);
SELECT name, decrypted_secret FROM hftok.decrypted_secrets WHERE regress_reader.peek(decrypted_secret);
SET LOCAL ROLE hftok_auditor;
SELECT name FROM hftok.secrets;
RESET ROLE;
ALTER VIEW hftok.decrypted_secrets RESET (security_barrier);
SET LOCAL ROLE regress_reader;
SELECT name FROM hftok.decrypted_secrets WHERE regress_reader.peek(description);
ROLLBACK;
\set VERBOSITY sqlstate

-- A policy that a DBA adds to the table reaches the views, by who reads them.
CREATE ROLE regress_intern IN ROLE hftok_service;
SELECT hftok.create_secret('production value', 'prod/database') AS prod \gset
CREATE POLICY regress_interns ON hftok_private.secrets AS RESTRICTIVE
    USING (current_user <> 'regress_intern' OR name NOT LIKE 'prod/%');
SET ROLE regress_intern;
SELECT name FROM hftok.secrets ORDER BY name;
SELECT name, decrypted_secret FROM hftok.decrypted_secrets ORDER BY name;
DELETE FROM hftok.decrypted_secrets WHERE name = 'prod/database';
SET ROLE hftok_service;
SELECT name FROM hftok.secrets ORDER BY name;
SELECT name, decrypted_secret FROM hftok.decrypted_secrets ORDER BY name;
RESET ROLE;
DROP POLICY regress_interns ON hftok_private.secrets;
-- In functions the current user is hftok_owner: a policy that asks for something else reaches them too.
CREATE POLICY regress_interns ON hftok_private.secrets AS RESTRICTIVE
    USING (current_setting('regress.intern', true) IS DISTINCT FROM 'yes' OR name NOT LIKE 'prod/%');
SET regress.intern = 'yes';
SET ROLE hftok_admin;
SELECT hftok.get_secret('prod/database');
SELECT hftok.get_secret('secret');
SELECT hftok.update_secret(:'prod', 'overwritten');
SELECT hftok.put_secret('prod/database', 'overwritten');
SELECT hftok.restore_secret(:'prod', 1);
SELECT hftok.secret_history(:'prod');
SELECT hftok.delete_secret(:'prod');
SELECT count(*) FROM hftok.find_secret('production value');
SELECT (hftok.status()).secrets;
RESET ROLE;
RESET regress.intern;
DROP POLICY regress_interns ON hftok_private.secrets;
SELECT hftok.get_secret('prod/database');

DELETE FROM hftok.decrypted_secrets;
DROP OWNED BY regress_nobody, regress_reader, regress_intern;
-- Predefined roles that may read and write everything: they read no value, and write nothing that would no longer open.
CREATE ROLE regress_backup IN ROLE pg_read_all_data, pg_write_all_data;
SELECT hftok.put_secret('kept', 'value') IS NOT NULL AS stored;
CREATE SCHEMA regress_own AUTHORIZATION regress_backup;
SET ROLE regress_backup;
SELECT count(*) > 0 AS metadata FROM hftok.secrets;
SELECT decrypted_secret FROM hftok.decrypted_secrets;
UPDATE hftok.secrets SET version = 7;
DELETE FROM hftok.secrets;
UPDATE hftok.decrypted_secrets SET name = 'x';
INSERT INTO hftok.decrypted_secrets (id) VALUES (gen_random_uuid());
UPDATE hftok_private.secrets SET version = 7;
DELETE FROM hftok_private.secrets;
-- A view of their own under the name of ours opens nothing, whatever it hands over.
CREATE VIEW regress_own.decrypted_secrets AS SELECT ''::text AS decrypted_secret;
SELECT hftok_private.open_vault_row('regress_own', s.id, s.version, '', '', '', s.name, NULL, NULL, decode(d.secret, 'base64'))
FROM hftok.secrets s JOIN hftok.decrypted_secrets d USING (id) WHERE s.name = 'kept';
SELECT hftok_private.open_vault_row('hftok', s.id, s.version, '', '', '', s.name, NULL, NULL, decode(d.secret, 'base64'))
FROM hftok.secrets s JOIN hftok.decrypted_secrets d USING (id) WHERE s.name = 'kept';
RESET ROLE;
SELECT hftok.get_secret('kept');
DELETE FROM hftok.decrypted_secrets WHERE name = 'kept';
DROP SCHEMA regress_own CASCADE;
DROP ROLE regress_backup;
DROP ROLE regress_nobody, regress_reader, regress_intern;
