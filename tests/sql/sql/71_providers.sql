-- Providers: added, described otherwise, refused.

\i tests/sql/include/credentials.sql
SELECT count(hftok.save_credential('openai', 'sk-proj-global00000000000005', p_global => true, p_model => model)) AS globals FROM unnest('{"",gpt}'::text[]) model;

SELECT name, label, docs_url, env, hosts, builtin FROM hftok.providers WHERE name = 'openai';
SELECT count(*) >= 20 AS providers, count(*) FILTER (WHERE NOT builtin) AS registered, count(DISTINCT name) = count(*) AS distinct FROM hftok.providers;
SELECT hftok.register_provider('{"id": "own", "label": "Own", "docs_url": "https://own.example/keys", "fields": [{"name": "key", "secret": true, "env": ["OWN_KEY"]}], "hosts": ["api.own.example"],
    "formats": [{"kind": "key", "prefix": "own_", "alphabet": "hex", "least": 8, "own": true}]}');
SELECT name, label, docs_url, env, hosts, builtin FROM hftok.providers WHERE name = 'own';
SELECT warnings FROM hftok.save_credential('own', 'own_0123abcd', p_user_id => 'alice');
SELECT warnings FROM hftok.save_credential('own', 'own_0123', p_user_id => 'alice');
SELECT hftok.save_credential('openai', 'own_0123abcd', p_user_id => 'alice');
SELECT hftok.runner_env('{own}', 'alice');
SELECT source FROM hftok.resolve_token('own', 'alice', p_host => 'api.own.example');
SELECT hftok.resolve_token('own', 'alice', p_host => 'api.openai.com');
-- An operator's description goes before the built-in one.
SELECT hftok.register_provider('{"id": "openai", "label": "OpenAI through our proxy", "hosts": ["api.openai.com", "localhost"]}');
SELECT label, hosts, builtin FROM hftok.providers WHERE name = 'openai';
SELECT count(*) AS of_that_name FROM hftok.providers WHERE name = 'openai';
SELECT hftok.token_provided('openai', p_host => 'localhost'), hftok.token_provided('openai', p_host => 'api.openai.com');
SELECT hftok.register_provider('{"id": "openai", "label": "Again"}');
SELECT label, hosts FROM hftok.providers WHERE name = 'openai';
-- Variables that decide what a process runs are never a provider's; names are names.
SELECT name, pg_temp.refusal(format('hftok.register_provider(%L)', format('{"id": "x", "label": "X", "fields": [{"name": "key", "secret": true, "env": [%s]}]}', to_json(name)))) AS refusal
FROM unnest('{PATH,Path,LD_PRELOAD,ld_library_path,DYLD_INSERT_LIBRARIES,NODE_OPTIONS,PYTHONPATH,BASH_ENV,HTTPS_PROXY,PGPASSWORD,A=B,"",1A,"A B"}'::text[]) name;
SELECT place, pg_temp.refusal(format('hftok.register_provider(%L)', format('{"id": "x", "label": "X", "fields": [{"name": "key", "secret": true}], "environment": %s}', place))) AS refusal
FROM unnest(ARRAY['{"document": "LD_PRELOAD"}', '{"unset": ["PATH"]}', '{"without": {"HOME": "/tmp"}}', '{"without": {"X_TOKEN": null}}']) place;
SELECT given, pg_temp.refusal(format('hftok.register_provider(%L)', given)) AS refusal
FROM unnest(ARRAY['{}', '[]', '"openai"', 'null', '{"id": "", "label": "X", "fields": [{"name": "key", "secret": true}]}', '{"id": "Upper", "label": "X", "fields": [{"name": "key", "secret": true}]}',
    '{"id": "x", "label": "X", "fields": []}', '{"id": "x", "label": "X", "fields": [{"name": "key"}]}', '{"id": "x", "label": "X", "fields": [{"name": "a b", "secret": true}]}']) given;
SELECT hftok.register_provider(NULL);
SELECT hftok.delete_credential('own', p_user_id => 'alice'), hftok.unregister_provider('own'), hftok.unregister_provider('openai'), hftok.unregister_provider('x');
SELECT label FROM hftok.providers WHERE name = 'openai';
SELECT * FROM hftok.forget_user('alice');

DELETE FROM hftok.credentials;
\i tests/sql/include/gateway_end.sql
