-- Deeds of a role that may read and write every table, row security or not, and has no key: hftok does not believe the fields
-- that decide who gets a value when it is asked for it, and verify() names the rest.

\set VERBOSITY terse
\i tests/sql/include/await.sql
CREATE ROLE regress_intruder BYPASSRLS IN ROLE pg_read_all_data, pg_write_all_data;
-- The role may not execute the table's check, but that is no wall to count on.
GRANT EXECUTE ON FUNCTION hftok_private.is_secret TO regress_intruder;
SELECT kind, reason, failed FROM hftok.verify();
SELECT (hftok.save_credential('groq', 'groq-key-of-alice-1', p_user_id => 'alice')).secret_id AS id \gset
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-2', p_user_id => 'alice');
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-3', p_user_id => 'alice');
SELECT (hftok.save_credential('together', 'together-key-of-bob', p_user_id => 'bob')).version;
SELECT hftok.create_integration_with_vault('of bob', 'openai', 'sk-proj-ofbob000000000000000', '{"base_url": "https://api.openai.com"}', 'bob') AS integration \gset
SELECT hftok.create_integration_with_vault('other', 'openai', 'sk-proj-other000000000000000', p_user_id => 'bob') AS other \gset
SELECT hftok.update_integration_status(:'integration', 'connected', p_user_id => 'bob');
SELECT hftok.update_integration_credentials(:'other', 'sk-proj-other000000000000001', 'bob');
SELECT hftok.update_integration(:'integration', p_enabled => false, p_user_id => 'bob');
CREATE TABLE regress_former AS SELECT * FROM hftok_private.integrations;
CREATE TABLE regress_versions AS SELECT * FROM hftok_private.secret_versions;
CALL pg_temp.await_audit();
-- An integration is told by its own id, from its making on.
SELECT action, level, digest IS NOT NULL AS state FROM hftok.audit_events WHERE object_id = :'integration' ORDER BY id;
SELECT kind, reason, failed FROM hftok.verify();

CREATE FUNCTION pg_temp.text_of(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE 'SELECT ' || call INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS answer = PG_EXCEPTION_DETAIL;
    RETURN SQLERRM || coalesce(': ' || substring(answer FROM '"outcome":"(\w+)"'), '');
END
$$;
CREATE TEMP TABLE acts (n serial PRIMARY KEY, what text, act text, previous text, integration text, found text);
CREATE PROCEDURE pg_temp.commit_acts(secret uuid, integration uuid) LANGUAGE plpgsql AS $$
DECLARE
    one acts;
BEGIN
    FOR one IN SELECT * FROM acts ORDER BY n LOOP
        BEGIN
            SET LOCAL ROLE regress_intruder;
            EXECUTE replace(replace(one.act, '$S', quote_literal(secret)), '$I', quote_literal(integration));
            RESET ROLE;
            one.previous := pg_temp.text_of(format('hftok.previous_token(%L)', secret));
            one.integration := pg_temp.text_of(format('hftok.get_integration_credentials(%L, ''bob'')', integration));
            SELECT string_agg(format('%s: %s', v.kind, v.reason), '; ' ORDER BY v.kind, v.reason COLLATE "C") INTO one.found
            FROM hftok.verify() v WHERE v.kind <> 'total';
            RAISE EXCEPTION USING ERRCODE = 'RB000';
        EXCEPTION WHEN SQLSTATE 'RB000' THEN NULL;
            WHEN OTHERS THEN one.found := SQLSTATE || ' ' || SQLERRM;
        END;
        UPDATE acts a SET previous = one.previous, integration = one.integration, found = one.found WHERE a.n = one.n;
    END LOOP;
END
$$;
INSERT INTO acts (what, act) VALUES
    ('nothing', 'SELECT'),
    ('a rotated token made to last', $$UPDATE hftok_private.secret_versions SET superseded_at = now() + interval '10 years' WHERE secret_id = $S$$),
    ('the same with the mark of another version', $$UPDATE hftok_private.secret_versions v SET superseded_at = o.superseded_at, superseded_mark = o.superseded_mark
        FROM hftok_private.secret_versions o WHERE v.secret_id = $S AND v.version = 2 AND o.secret_id = $S AND o.version = 1$$),
    ('a mark cut short', $$UPDATE hftok_private.secret_versions SET superseded_mark = '\x00' WHERE secret_id = $S$$),
    ('a host of it that is NULL', $$UPDATE hftok_private.secret_versions SET allowed_hosts = '{NULL}' WHERE secret_id = $S$$),
    ('hosts and warnings that are NULL', $$UPDATE hftok_private.secrets SET allowed_hosts = '{NULL}', warnings = '{NULL}'$$),
    ('history deleted', $$DELETE FROM hftok_private.secret_versions WHERE secret_id = $S AND version = 1$$),
    ('history deleted as if it were too old', $$DELETE FROM hftok_private.secret_versions WHERE secret_id = $S AND version = 1;
        UPDATE hftok_private.secrets SET oldest_version = 2 WHERE id = $S$$),
    ('a version in the place of another', $$UPDATE hftok_private.secret_versions SET version = 3 WHERE secret_id = $S AND version = 1$$),
    ('all history deleted', $$DELETE FROM hftok_private.secret_versions$$),
    ('a version twice', $$INSERT INTO hftok_private.secret_versions SELECT v.secret_id, 7, v.scope, v.scope_id, v.provider, v.model, v.name, v.slot, v.kind, v.allowed_hosts, v.expires_at, v.preview,
        v.fingerprint, v.sealed, v.sealed_at, v.superseded_at, v.superseded_mark FROM hftok_private.secret_versions v WHERE v.secret_id = $S AND v.version = 1$$),
    ('an integration switched on, with an address', $$UPDATE hftok_private.integrations SET enabled = true, config = '{"base_url": "https://evil.example"}' WHERE id = $I$$),
    ('its address alone', $$UPDATE hftok_private.integrations SET config = '{"base_url": "https://evil.example"}' WHERE id = $I$$),
    ('its status', $$UPDATE hftok_private.integrations SET status = 'error' WHERE id = $I$$),
    ('its name', $$UPDATE hftok_private.integrations SET name = 'x' WHERE id = $I$$),
    ('given to another', $$UPDATE hftok_private.integrations SET user_id = 'mallory' WHERE id = $I$$),
    ('with the credentials of another', $$DELETE FROM hftok_private.integrations WHERE name = 'other'; UPDATE hftok_private.integrations i SET secret_id = f.secret_id
        FROM public.regress_former f WHERE f.name = 'other' AND i.id = $I$$),
    ('deleted without its credentials', $$DELETE FROM hftok_private.integrations WHERE id = $I$$),
    ('deleted with them', $$DELETE FROM hftok_private.secrets s USING hftok_private.integrations i WHERE i.id = $I AND s.id = i.secret_id$$),
    ('made up', $$UPDATE hftok_private.integrations SET id = gen_random_uuid() WHERE id = $I$$),
    ('a mask of nothing', $$DELETE FROM hftok_private.user_api_keys WHERE user_id = 'bob'; INSERT INTO hftok_private.user_api_keys (user_id, service, api_key) VALUES ('mallory', 'groq', '•')$$),
    ('masks gone', $$DELETE FROM hftok_private.user_api_keys$$);
CALL pg_temp.commit_acts(:'id', :'integration');
\pset format unaligned
SELECT what, previous, integration, found FROM acts ORDER BY n;
\pset format aligned
-- Masks as whoever may switch triggers off can leave them.
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE hftok_private.user_api_keys SET api_key = '•' WHERE user_id = 'alice';
UPDATE hftok_private.user_api_keys SET id = gen_random_uuid() WHERE user_id = 'bob';
INSERT INTO hftok_private.user_api_keys (user_id, service, api_key) VALUES ('ghost', 'groq', '•');
SELECT kind, id, reason FROM hftok.verify() WHERE kind <> 'total';
SET LOCAL session_replication_role = origin;
-- Changes by hftok's own functions mend the rows, and rows of nobody are forgotten.
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-4', p_user_id => 'alice');
SELECT * FROM hftok.forget_user('ghost');
SELECT * FROM hftok.forget_user('bob');
SELECT kind, id, reason FROM hftok.verify() WHERE kind <> 'total';
ROLLBACK;
-- Purged, the audit still knows of integrations and of versions.
SET client_min_messages = error;
CALL pg_temp.await_audit();
\i tests/sql/include/purge.sql
RESET client_min_messages;
SELECT kind, reason, failed FROM hftok.verify();
SELECT hftok.delete_integration_with_vault(:'other', 'bob');
CALL pg_temp.await_audit();
SELECT action, owner_scope, digest IS NOT NULL AS state, version FROM hftok.audit_events WHERE action ~ '^delete_integration' ORDER BY id DESC LIMIT 2;
SELECT credentials, integrations FROM hftok.forget_user('bob');
SELECT credentials, versions FROM hftok.forget_user('alice');
CALL pg_temp.await_audit();
SELECT action, count(*) FROM hftok.audit_events WHERE object_id = :'integration' GROUP BY 1 ORDER BY 1;
DROP TABLE regress_former, regress_versions;
REVOKE ALL ON FUNCTION hftok_private.is_secret FROM regress_intruder;
DROP ROLE regress_intruder;
SELECT kind, reason, failed FROM hftok.verify();
