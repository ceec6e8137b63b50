-- Providers that administrators of the application register: their own, and nothing that others' credentials depend on.

\i tests/sql/include/credentials.sql
SELECT hftok.grant_administrator('alice');
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;

SET request.jwt.claims = '{"sub": "bob"}';
SELECT hftok.register_provider('{"name": "acme", "label": "Acme", "fields": [{"name": "key", "secret": true}]}');
SELECT hftok.unregister_provider('acme');
SET ROLE regress_service_role;
SELECT hftok.register_provider('{"name": "acme", "label": "Acme", "fields": [{"name": "key", "secret": true}]}');

SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.register_provider('{"name": "acme", "label": "Acme", "docs_url": "https://acme.example", "fields": [{"name": "key", "secret": true}],
    "hosts": ["api.acme.example", "eu.acme.example"], "formats": [{"kind": "key", "prefix": "acme_", "alphabet": "word", "least": 8}]}');
SELECT warnings FROM hftok.save_credential('acme', 'acme_abcdefgh');
-- No further hosts, once it is there; not even by the way round.
SELECT hftok.register_provider('{"name": "acme", "label": "Acme", "fields": [{"name": "key", "secret": true}], "hosts": ["api.acme.example", "evil.example"]}');
SELECT hftok.register_provider('{"name": "acme", "label": "Acme", "fields": [{"name": "key", "secret": true}], "hosts": ["*.acme.example"]}');
SELECT hftok.unregister_provider('acme');
SELECT hftok.register_provider('{"name": "acme", "label": "Acme, Inc.", "fields": [{"name": "key", "secret": true}], "hosts": ["api.acme.example"]}');
SELECT label, hosts, builtin FROM hftok.providers WHERE name = 'acme';
-- Whatever others' credentials depend on is an operator's.
SELECT more, pg_temp.refusal('hftok.register_provider($1::jsonb)', (plain || more)::text) AS refusal
FROM (SELECT '{"name": "other", "label": "Other", "fields": [{"name": "key", "secret": true}], "hosts": ["a.example"]}'::jsonb AS plain) tried, jsonb_array_elements('[{"name": "huggingface"}, {"name": "custom"}, {"test": {"method": "GET", "url": "https://a.example/me"}}, {"openai": "https://a.example/v1"},
    {"fields": [{"name": "key", "secret": true, "env": ["HF_ENDPOINT"]}]}, {"environment": {"unset": ["HF_TOKEN"]}}, {"environment": {"document": "OTHER_KEY"}},
    {"environment": {"without": {"HF_TOKEN": null}}}, {"formats": [{"kind": "key", "prefix": "hf_", "alphabet": "word", "least": 8, "own": true}]},
    {"fields": [{"name": "key", "secret": true, "formats": [{"kind": "key", "prefix": "hf_", "alphabet": "word", "least": 8, "own": true}]}, {"name": "b"}]}]') more;
SELECT hftok.register_provider('{"name": "huggingface", "label": "Ours"}');
-- Each session reads all of them: an administrator registers no more than so many, and no long ones.
SELECT hftok.register_provider(jsonb_build_object('name', 'long', 'label', repeat('x', 200), 'docs_url', 'https://a.example/' || repeat('x', 9000), 'fields', '[{"name": "key", "secret": true}]'::jsonb));
SELECT count(pg_temp.refusal('hftok.register_provider($1::jsonb)', format('{"name": "many%s", "label": "M", "fields": [{"name": "key", "secret": true}]}', n))) AS refused, count(*) > 195 AS many FROM generate_series(1, 205) n;
SELECT pg_temp.refusal('hftok.register_provider($1::jsonb)', '{"name": "onemore", "label": "M", "fields": [{"name": "key", "secret": true}]}') AS refusal;
SELECT hftok.register_provider('{"name": "acme", "label": "Acme, Inc.", "fields": [{"name": "key", "secret": true}], "hosts": ["api.acme.example"]}') AS described_again;
SELECT count(*) FILTER (WHERE hftok.unregister_provider(name)) > 195 AS taken_back FROM hftok.providers WHERE name LIKE 'many%';
SELECT hftok.unregister_provider('huggingface'), hftok.unregister_provider('no provider');
RESET ROLE;
RESET SESSION AUTHORIZATION;
RESET request.jwt.claims;

-- What an operator made of one is the operator's.
SELECT hftok.register_provider('{"name": "huggingface", "hosts": ["huggingface.co"]}'),
    hftok.register_provider('{"name": "acme", "label": "Acme", "fields": [{"name": "key", "secret": true, "env": ["ACME_KEY"]}], "hosts": ["api.acme.example", "us.acme.example"]}');
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.register_provider('{"name": "acme", "label": "Acme", "fields": [{"name": "key", "secret": true}], "hosts": ["api.acme.example"]}');
SELECT hftok.unregister_provider('acme');
SELECT hftok.unregister_provider('huggingface');
RESET ROLE;
RESET SESSION AUTHORIZATION;
RESET request.jwt.claims;
CALL pg_temp.await_audit();
SELECT role_name, actor_user, action, outcome FROM hftok.audit_events WHERE owner_scope = 'catalogue' AND provider = 'acme'
ORDER BY id DESC LIMIT 6;
SELECT hftok.delete_credential('acme', p_user_id => 'alice'), hftok.unregister_provider('acme'), hftok.unregister_provider('huggingface'), hftok.revoke_administrator('alice');
SELECT count(*) AS users FROM hftok.forget_user('alice');
\i tests/sql/include/gateway_end.sql
