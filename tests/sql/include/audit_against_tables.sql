-- A part of sql/81_audit_tampering.sql, run by it.

-- The tables, held against the events of the audit. The intruder may read and write every table, row security or not, while
-- triggers run as ever.
CREATE ROLE regress_intruder BYPASSRLS IN ROLE pg_read_all_data, pg_write_all_data;
-- The role may not execute the table's check, but that is no wall to count on.
GRANT EXECUTE ON FUNCTION hftok_private.is_secret TO regress_intruder;
CREATE TEMP TABLE acts (n serial PRIMARY KEY, what text NOT NULL, act text NOT NULL, found text);
CREATE FUNCTION pg_temp.act(act text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    BEGIN
        SET LOCAL ROLE regress_intruder;
        EXECUTE act;
        RESET ROLE;
        SELECT string_agg(format('%s: %s', v.kind, v.reason), '; ' ORDER BY v.kind, v.reason COLLATE "C") INTO found
        FROM hftok.verify() v WHERE v.kind <> 'total';
        RAISE EXCEPTION USING ERRCODE = 'RB000';
    EXCEPTION WHEN SQLSTATE 'RB000' THEN RETURN found;
        WHEN OTHERS THEN RETURN SQLERRM;
    END;
END
$$;
-- Rows as they were, and what became of them since by hftok's own functions.
SELECT secret_id AS id FROM hftok.credentials WHERE scope_id = 'alice' AND provider = 'openai' \gset
CREATE TABLE regress_former AS SELECT * FROM hftok_private.secrets;
CREATE TABLE regress_former_versions AS SELECT * FROM hftok_private.secret_versions;
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000002', p_user_id => 'alice', p_expires_at => '2100-01-01 UTC');
SELECT hftok.put_secret('gone', 'value') AS gone \gset
INSERT INTO regress_former SELECT * FROM hftok_private.secrets WHERE id = :'gone';
SELECT hftok.delete_secret(:'gone');
SELECT hftok.save_credential('groq', 'groq-key-of-alice', p_user_id => 'alice') IS NOT NULL AS saved;
UPDATE hftok.credentials SET enabled = false WHERE provider = 'groq';
SELECT hftok.create_integration_with_vault('of bob', 'openai', 'sk-proj-ofbob000000000000000', p_user_id => 'bob') AS of_bob \gset
SELECT hftok.share_integration(:'of_bob', 'acme', 'bob'), hftok.share_integration(:'integration', 'acme', 'alice');
SELECT hftok.remove_member('acme', 'bob');
SELECT kind, reason, failed FROM hftok.verify();
CALL pg_temp.await_audit();
SELECT kind, reason, failed FROM hftok.verify();

INSERT INTO acts (what, act) VALUES
    ('nothing', 'SELECT'),
    ('a secret deleted', $$DELETE FROM hftok_private.secrets WHERE name = 'kept'$$),
    ('a credential deleted', $$DELETE FROM hftok_private.secrets WHERE provider = 'openai' AND scope = 'user'$$),
    ('an integration deleted', $$DELETE FROM hftok_private.secrets WHERE scope = 'integration'$$),
    ('everything deleted', $$DELETE FROM hftok_private.secrets$$),
    ('switched off', $$UPDATE hftok_private.secrets SET enabled = false WHERE provider = 'openai' AND scope = 'user'$$),
    ('switched on', $$UPDATE hftok_private.secrets SET enabled = true WHERE provider = 'groq'$$),
    ('goes on when unusable', $$UPDATE hftok_private.secrets SET on_unusable = 'continue' WHERE provider = 'groq'$$),
    ('verdict', $$UPDATE hftok_private.secrets SET verdict = 'verified' WHERE provider = 'groq'$$),
    ('label', $$UPDATE hftok_private.secrets SET label = 'x' WHERE provider = 'groq'$$),
    ('description', $$UPDATE hftok_private.secrets SET description = 'x' WHERE name = 'kept'$$),
    ('end', $$UPDATE hftok_private.secrets SET expires_at = NULL WHERE provider = 'openai' AND scope = 'user'$$),
    ('preview', $$UPDATE hftok_private.secrets SET preview = '•••' WHERE provider = 'groq'$$),
    ('fingerprint', $$UPDATE hftok_private.secrets SET fingerprint = '\x00' WHERE provider = 'groq'$$),
    ('put back whole: the former version', format($$UPDATE hftok_private.secrets s SET version = f.version, sealed = f.sealed, preview = f.preview, fingerprint = f.fingerprint,
        expires_at = f.expires_at, updated_at = f.updated_at FROM regress_former f WHERE f.id = s.id AND s.id = %L$$, :'id')),
    ('put back whole: the former row', format($$DELETE FROM hftok_private.secrets WHERE id = %1$L; INSERT INTO hftok_private.secrets SELECT * FROM regress_former WHERE id = %1$L$$, :'id')),
    ('put back whole: a deleted one', format($$INSERT INTO hftok_private.secrets SELECT * FROM regress_former WHERE id = %L$$, :'gone')),
    ('inserted under another id', format($$INSERT INTO hftok_private.secrets SELECT (jsonb_populate_record(f, jsonb_build_object('id', gen_random_uuid(), 'binding_key', gen_random_uuid()))).*
        FROM regress_former f WHERE id = %L$$, :'gone')),
    ('a member added', $$INSERT INTO hftok_private.members (org_id, user_id, role) VALUES ('acme', 'mallory', 'member')$$),
    ('a member put back', $$INSERT INTO hftok_private.members (org_id, user_id, role) VALUES ('acme', 'bob', 'member')$$),
    ('a member made an owner', $$UPDATE hftok_private.members SET role = 'admin' WHERE user_id = 'alice'$$),
    ('a membership given to another', $$UPDATE hftok_private.members SET user_id = 'mallory' WHERE user_id = 'alice'$$),
    ('a membership of another organisation', $$UPDATE hftok_private.members SET org_id = 'globex' WHERE user_id = 'alice'$$),
    ('a member removed', $$DELETE FROM hftok_private.members$$),
    ('an administrator added', $$INSERT INTO hftok_private.administrators (user_id) VALUES ('mallory')$$),
    ('an administrator removed', $$DELETE FROM hftok_private.administrators$$),
    ('an integration given to another', $$UPDATE hftok_private.integrations SET user_id = 'mallory'$$),
    ('an integration shared', $$INSERT INTO hftok_private.integration_shares (integration_id, org_id) SELECT id, 'globex' FROM hftok_private.integrations WHERE user_id = 'alice'$$),
    ('a share put back', $$INSERT INTO hftok_private.integration_shares (integration_id, org_id) SELECT id, 'acme' FROM hftok_private.integrations WHERE user_id = 'bob'$$),
    ('a share with another organisation', $$UPDATE hftok_private.integration_shares SET org_id = 'globex'$$),
    ('a share ended', $$DELETE FROM hftok_private.integration_shares$$);
UPDATE acts SET found = pg_temp.act(act);
SELECT what, found FROM acts ORDER BY n;
-- By a change of hftok's own it is told anew, and all is well again.
BEGIN;
UPDATE hftok_private.secrets SET label = 'x' WHERE provider = 'groq';
UPDATE hftok.credentials SET label = 'y' WHERE provider = 'groq';
SELECT kind, reason, failed FROM hftok.verify();
ROLLBACK;
-- A change that is not committed, or not chained yet, is known all the same.
BEGIN;
SELECT hftok.add_member('acme', 'carol');
UPDATE hftok.credentials SET label = 'z' WHERE provider = 'groq';
SELECT hftok.delete_secret(:'kept');
SELECT kind, reason, failed FROM hftok.verify();
ROLLBACK;
SELECT kind, reason, failed FROM hftok.verify();
SELECT hftok.add_member('acme', 'olga', 'owner');
SELECT hftok.seal();
SELECT hftok.add_member('acme', 'carol');
SELECT hftok.put_secret('x', 'y');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.remove_member('acme', 'alice');
SELECT hftok.unseal() IS NOT NULL AS unsealed;
-- A change that was made while hftok was sealed is protected by the key of the server's run, and known as well.
SELECT kind, id, reason, failed FROM hftok.verify();
CALL pg_temp.await_audit();
SELECT kind, id, reason, failed FROM hftok.verify();
DROP TABLE regress_former, regress_former_versions;
REVOKE ALL ON FUNCTION hftok_private.is_secret FROM regress_intruder;
DROP ROLE regress_intruder;
