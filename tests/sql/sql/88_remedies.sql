-- The remedy for a credential that cannot be used is shown to those who can apply it.

CREATE FUNCTION pg_temp.hint(host text, org text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
    outcome text;
BEGIN
    PERFORM hftok.resolve_token('huggingface', 'alice', p_org_id => org, p_host => host);
    RETURN 'resolved';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, outcome = PG_EXCEPTION_DETAIL;
    RETURN format('%s: %s', outcome::jsonb ->> 'outcome', hint);
END
$$;
\pset format unaligned
SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_org_id => 'acme') IS NOT NULL AS of_an_organisation;
SELECT pg_temp.hint(NULL, 'acme') AS not_a_member;
SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_user_id => 'alice') IS NOT NULL AS own;
SELECT pg_temp.hint('evil.example') AS not_in_the_catalogue;
UPDATE hftok.credentials SET allowed_hosts = '{hub.example}' WHERE scope_id = 'alice';
SELECT pg_temp.hint('huggingface.co') AS not_among_its_own;
UPDATE hftok.credentials SET enabled = false WHERE scope_id = 'alice';
SELECT pg_temp.hint('hub.example') AS switched_off;
DELETE FROM hftok.credentials;
SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_global => true) IS NOT NULL AS of_the_installation;
UPDATE hftok.credentials SET enabled = false WHERE scope = 'global';
SELECT pg_temp.hint('huggingface.co') AS of_the_installation;
UPDATE hftok.credentials SET enabled = true WHERE scope = 'global';
BEGIN;
UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE scope = 'global';
SELECT pg_temp.hint(NULL) AS damaged;
ROLLBACK;
DELETE FROM hftok.credentials;

-- The provider that is probably meant is named, and the name that was given is not: it may be a key.
SELECT hftok.save_credential('Hugging-Face', 'x', p_global => true);
SELECT hftok.runner_env('{openai,gemini}');
SELECT hftok.token_provided('ollama');
SELECT hftok.token_provided('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH');

-- The field that is at fault, for a form; and custom for what is in no catalogue, also in an integration.
SELECT hftok.save_credential('azure_openai', '{"endpoint": "https://a.openai.azure.com"}', p_global => true);
SELECT hftok.save_credential('azure', '{"client_id": "none", "client_secret": "x", "tenant_id": "y"}', p_global => true);
SELECT hftok.save_credential('aws', '{"access_key_id": "AKIA2222222222222222", "secret_access_key": "''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''"}', p_global => true);
SELECT hftok.save_hf_token('HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_global => true);
SELECT warnings FROM hftok.save_credential('custom', 'hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_user_id => 'alice');
SELECT source FROM hftok.resolve_token('custom', 'alice');
SELECT hftok.token_provided('custom', 'alice', p_host => 'api.example');
SELECT hftok.create_integration_with_vault('crm', 'custom', '{"user": "a", "password": "b c"}', p_user_id => 'alice') IS NOT NULL AS made;
SELECT hftok.get_integration_credentials(id, 'alice') FROM hftok.integrations;
SELECT hftok.delete_integration_with_vault(id, 'alice') FROM hftok.integrations;
DELETE FROM hftok.credentials;

-- A table that spells providers otherwise: case does not count, and of another spelling the report has the right one.
CREATE TABLE regress_keys (id int PRIMARY KEY, user_id text, service text, api_key text);
INSERT INTO regress_keys VALUES (1, 'alice', 'HuggingFace', 'hf_abcdefghijklmnopqrstuvwxyzABCDEFGH'), (2, 'alice', 'open-ai', 'sk-proj-abcdefghijklmnopqrstuvwxyz'), (3, 'alice', 'ollama', 'abcdefghijklmnop');
SET client_min_messages = warning;
CALL hftok.import_column('regress_keys', 'api_key', 'id', p_provider_column => 'service', p_owner_column => 'user_id');
SELECT key, outcome, reason FROM hftok.import_report ORDER BY key;
\set SHOW_CONTEXT never
CALL hftok.import_column('regress_keys', 'api_key', 'id', 'Hugging-Face', p_owner_column => 'user_id');
RESET client_min_messages;
DROP TABLE regress_keys;
DELETE FROM hftok.credentials;
DELETE FROM hftok_private.import_rows;
DELETE FROM hftok_private.import_sources;
