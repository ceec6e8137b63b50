-- What a database of a released version has in it: something of each kind, so that the next versions are tried on it. tools/freeze.sh
-- runs it. All values are nobody's, and the root key is written in that tool.

CREATE ROLE reader LOGIN;
GRANT USAGE ON SCHEMA hftok TO reader;
GRANT EXECUTE ON FUNCTION hftok.get_secret TO reader;

SELECT count(hftok.put_secret('versions', 'value ' || n)) FROM generate_series(1, 3) n;
SELECT count(hftok.create_secret('the same', name, 'a description')) FROM unnest(ARRAY['before', 'it''s \ "quoted"', 'nameless']) name;
SELECT hftok.update_secret(id, new_name => 'after', new_secret => 'value 2') FROM hftok.secrets WHERE name = 'before';
SELECT hftok.update_secret(id, new_name => '') FROM hftok.secrets WHERE name = 'nameless';

SELECT count(hftok.save_credential('openai', 'sk-proj-released000000000000' || n, p_user_id => 'alice')) FROM generate_series(1, 3) n;
SELECT count(hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_user_id => 'alice', p_model => 'org/model'));
SELECT hftok.add_member('acme', 'alice', 'owner'), hftok.grant_administrator('alice');
SELECT count(hftok.save_credential('groq', 'gsk_abcdefghijklmnopqrst', p_org_id => 'acme', p_allowed_hosts => '{api.groq.com}',
    p_expires_at => '2099-01-01', p_label => 'of acme', p_on_unusable => 'continue'));
SELECT count(hftok.save_hf_token('hf_ABCDEFGHabcdefghijklmnopqrstuvwxyz', p_global => true));
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('bob', 'openai', 'sk-proj-released0000000000000b');
SELECT hftok.report_credential(secret_id, 'verified') FROM hftok.credentials;
SELECT hftok.report_credential(secret_id, 'invalid', 'refused') FROM hftok.credentials, generate_series(1, 2) WHERE scope_id = 'bob';
SELECT hftok.record_usage(secret_id, 2, 3, 0.5) FROM hftok.credentials;
SELECT hftok.register_provider('{"id": "ours", "label": "Ours", "fields": [{"name": "api_key", "secret": true}]}');
SELECT hftok.share_integration(hftok.create_integration_with_vault('models', 'openai', 'sk-proj-released0000000000000i',
    p_user_id => 'alice'), 'acme', 'alice');
SELECT count(hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_user_id => 'carol')), hftok.add_member('acme', 'carol');
SELECT * FROM hftok.forget_user('carol');

CREATE TABLE public.accounts (id text PRIMARY KEY, openai_key text);
INSERT INTO public.accounts VALUES ('dora', 'sk-proj-released0000000000000d'), ('emil', 'no key');
CALL hftok.import_column('public.accounts', 'openai_key', 'id', p_provider => 'openai', p_owner_column => 'id');
DROP TABLE public.accounts;

-- Since 0.2.0: a key of an organisation, and a second key for one use.
SELECT count(hftok.save_credential('openai', 'sk-proj-released000000000000k', p_org_id => 'keyed'));
SELECT count(hftok.give_org_key('keyed'));
SELECT count(hftok.save_credential('openai', 'sk-proj-released000000000000s', p_user_id => 'alice', p_slot => 'second'));

-- Reveals and refusals, in bundles and by themselves.
SELECT count(hftok.resolve_token('openai', 'alice')) FROM generate_series(1, 300) n;
SELECT count(hftok.get_secret('versions', version)) FROM generate_series(1, 3) version;
\set ON_ERROR_STOP 0
SELECT hftok.resolve_token('openai', 'bob');
\set ON_ERROR_STOP 1
DO $$ BEGIN
    WHILE (SELECT audit_waiting > 0 FROM hftok.status()) LOOP PERFORM pg_sleep(0.1); END LOOP;
END $$;
