-- A part of sql/71_credentials.sql, run by it after what is on credentials alone.

-- Organisations: set up by the backend; then by its owners and admins. What each may change of whom.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_service_role;
SELECT hftok.add_member('club', 'olga', 'owner');
SELECT hftok.add_member('club', 'adam', 'admin'), hftok.add_member('club', 'mia');
SELECT hftok.add_member('club', 'olga', 'member');
SELECT hftok.remove_member('club', 'olga');
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "olga", "role": "regress_authenticated"}';
SELECT hftok.whoami();
SELECT user_id, role FROM hftok.members ORDER BY user_id;
SELECT hftok.add_member('club', 'olga', 'admin');
SELECT hftok.remove_member('club', 'olga');
SELECT hftok.add_member('club', 'otto', 'owner');
SELECT hftok.add_member('club', 'otto', 'boss');
SELECT hftok.add_member('club', 'otto', NULL);
SELECT hftok.add_member(NULL, 'otto');
SELECT hftok.add_member('club', '');
SELECT hftok.add_member('other club', 'olga', 'owner');
SELECT hftok.remove_member('club', 'nobody');
SET request.jwt.claims = '{"sub": "adam"}';
SELECT hftok.add_member('club', 'mike'), hftok.add_member('club', 'anna', 'admin');
SELECT hftok.add_member('club', 'adam', 'owner');
SELECT hftok.add_member('club', 'mike', 'owner');
SELECT hftok.add_member('club', 'olga', 'member');
SELECT hftok.remove_member('club', 'otto');
SELECT hftok.remove_member('club', 'anna');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-club0000000000000001', p_org_id => 'club');
SELECT scope, scope_id, writable FROM hftok.credentials;
UPDATE hftok.credentials SET label = 'by the admin';
SET request.jwt.claims = '{"sub": "mia"}';
SELECT user_id, role FROM hftok.members ORDER BY user_id;
SELECT hftok.add_member('club', 'mia', 'admin');
SELECT hftok.add_member('club', 'max');
SELECT hftok.remove_member('club', 'mike');
SELECT hftok.save_credential('openai', 'sk-proj-club0000000000000002', p_org_id => 'club');
SELECT hftok.delete_credential('openai', p_org_id => 'club');
SELECT scope, scope_id, label, preview, writable FROM hftok.credentials;
UPDATE hftok.credentials SET label = 'by a member';
DELETE FROM hftok.credentials;
SELECT level, outcome, preview FROM hftok.explain_token('openai', p_org_id => 'club') WHERE level = 'org';
SELECT hftok.remove_member('club', 'mia');
SELECT count(*) AS members FROM hftok.members;
SELECT count(*) AS credentials FROM hftok.credentials;
SELECT hftok.explain_token('openai', p_org_id => 'club');
SELECT hftok.add_member('club', 'mia');
SELECT hftok.remove_member('club', 'mia');
SELECT hftok.save_credential('openai', 'sk-proj-club0000000000000002', p_org_id => 'club');
SELECT hftok.delete_credential('openai', p_org_id => 'club');
-- Of two owners one may go, the last may not.
SET request.jwt.claims = '{"sub": "otto"}';
SELECT hftok.add_member('club', 'olga', 'member');
SELECT hftok.remove_member('club', 'otto');
SELECT user_id, role FROM hftok.members ORDER BY user_id;
SELECT hftok.add_member('club', 'olga', 'owner'), hftok.remove_member('club', 'otto');
SELECT count(*) AS members FROM hftok.members;
-- The backend acts for the one it names, and for nobody beyond: an organisation serves its members.
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT (hftok.resolve_token('openai', 'adam', 'club')).source, (hftok.resolve_token('openai', NULL, 'club')).source, (hftok.resolve_token('openai', 'adam')).source;
SELECT hftok.resolve_token('openai', 'mia', 'club');
SELECT token, source FROM hftok.resolve_token('openai', 'mia');
SELECT * FROM hftok.forget_org('club');
SELECT * FROM hftok.forget_org('club');
SELECT count(*) AS members FROM hftok.members;

-- Administrators of the application: global credentials, seen and written.
SELECT hftok.grant_administrator('alice');
SELECT hftok.grant_administrator('alice');
SELECT hftok.grant_administrator('');
SELECT hftok.grant_administrator(NULL);
SELECT user_id FROM hftok.administrators;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT user_id FROM hftok.administrators;
SELECT version FROM hftok.save_credential('openai', 'sk-proj-global00000000000007', p_global => true);
SELECT provider, scope, scope_id, model, version, writable FROM hftok.credentials ORDER BY provider, model;
UPDATE hftok.credentials SET label = 'by the administrator' WHERE provider = 'openai' AND model = '';
SELECT level, outcome, secret_id IS NOT NULL AS id, preview FROM hftok.explain_token('openai');
SELECT hftok.grant_administrator('bob');
SET request.jwt.claims = '{"sub": "bob"}';
SELECT count(*) AS administrators FROM hftok.administrators;
SELECT count(*) AS credentials FROM hftok.credentials;
SELECT hftok.save_credential('openai', 'sk-proj-global00000000000008', p_global => true);
SELECT hftok.delete_credential('openai', p_global => true);
SELECT level, outcome, secret_id IS NOT NULL AS id, preview, detail FROM hftok.explain_token('openai');
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT hftok.revoke_administrator('alice'), hftok.revoke_administrator('alice');
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.save_credential('openai', 'sk-proj-global00000000000009', p_global => true);
SELECT count(*) AS credentials FROM hftok.credentials;

-- One's own, and nobody else's: what is another's is answered like what is not there.
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000001');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000002', p_user_id => 'alice', p_expires_at => now() + interval '1 day');
SET request.jwt.claims = '{"sub": "bob"}';
SELECT count(*) AS credentials FROM hftok.credentials;
SELECT count(*) AS expiring FROM hftok.expiring_credentials;
SELECT hftok.save_credential('openai', 'sk-proj-bob00000000000000001', p_user_id => 'alice');
SELECT hftok.save_credential('openai', 'sk-proj-bob00000000000000001', p_user_id => 'nobody');
SELECT hftok.delete_credential('openai', p_user_id => 'alice'), hftok.delete_credential('openai', p_user_id => 'nobody');
UPDATE hftok.credentials SET label = 'by bob' RETURNING scope_id;
DELETE FROM hftok.credentials RETURNING scope_id;
SELECT hftok.explain_token('openai', 'alice');
SELECT hftok.token_provided('openai', 'alice');
-- Claims that are no identity: nothing is seen, nothing is done.
SET request.jwt.claims = '{"sub": "role:postgres"}';
SELECT hftok.whoami();
SELECT count(*) AS credentials FROM hftok.credentials;
SELECT hftok.save_credential('openai', 'sk-proj-bob00000000000000001');
SET request.jwt.claims = '{"sub": ""}';
SELECT hftok.whoami();
SET request.jwt.claims = '{"role": "regress_authenticated"}';
SELECT hftok.whoami();
SET request.jwt.claims = '{"sub": ["alice"]}';
SELECT hftok.whoami();
SET request.jwt.claims = 'not json';
SELECT hftok.whoami();
SELECT count(*) AS credentials FROM hftok.credentials;
SET request.jwt.claims = '{"sub": "6F9619FF-8B86-D011-B42D-00C04FC964FF"}';
SELECT hftok.whoami();
SELECT provider, scope_id, preview FROM hftok.credentials;
RESET request.jwt.claims;
RESET SESSION AUTHORIZATION;
-- Claims under another login: an error, not another identity; and no view shows anything by them.
SET request.jwt.claims = '{"sub": "alice"}';
SET ROLE regress_authenticated;
SELECT hftok.whoami();
SELECT count(*) FROM hftok.credentials;
RESET ROLE;
RESET request.jwt.claims;
SELECT scope_id, version, label FROM hftok.credentials WHERE scope_id = 'alice';
SELECT * FROM hftok.forget_user('alice');

-- Quota: per user. Exactly as many, and one more; replacing one, and others' credentials, do not count.
SELECT current_setting('hftok.max_credentials_per_user')::int AS most \gset
SELECT count(hftok.save_credential('openai', 'sk-proj-many0000000000000000', p_model => 'model ' || n, p_user_id => 'collector')) = :most AS stored FROM generate_series(1, :most) n;
SELECT hftok.save_credential('openai', 'sk-proj-many0000000000000000', p_user_id => 'collector');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('collector', 'openai', 'sk-proj-many0000000000000000');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-many0000000000000000', p_model => 'model 1', p_user_id => 'collector');
SELECT hftok.delete_credential('openai', 'model 2', 'collector');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-many0000000000000000', p_user_id => 'collector');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-many0000000000000000', p_user_id => 'another');
SELECT credentials = :most AS all, versions FROM hftok.forget_user('collector');
SELECT pg_temp.refusal('hftok.save_credential($1, repeat($2, 1 + pg_size_bytes(current_setting(''hftok.max_secret_size''))::int / 6), NULL, $3)', 'openai', 's3kr3t', 'another') ~ '^PT413' AS too_large;
SELECT * FROM hftok.forget_user('another');

-- Providers: added, described otherwise, refused.
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

-- Many at once: a row of result each, or nothing.
SELECT n, version, preview, warnings FROM hftok.save_credentials('[
    {"provider": "openai", "secret": "sk-proj-bulk0000000000000001", "user_id": "alice", "label": "one", "expires_at": "2100-01-01T00:00:00Z", "allowed_hosts": ["a.example"], "on_unusable": "continue"},
    {"provider": "openai", "secret": "sk-proj-bulk0000000000000002", "user_id": "alice", "model": "gpt"},
    {"provider": "aws", "secret": "{\"access_key_id\": \"AKIA2222222222222222\", \"secret_access_key\": \"0123456789abcdefghijABCDEFGHIJ0123456789\"}", "org_id": "acme"},
    {"provider": "openai", "secret": "sk-proj-bulk0000000000000003", "global": true, "expected_version": 2},
    {"provider": "openai", "secret": "sk-proj-bulk0000000000000004", "user_id": "alice", "expected_version": 1}]') ORDER BY n;
SELECT scope, scope_id, provider, model, label, allowed_hosts, on_unusable, expires_at, version FROM hftok.credentials WHERE scope_id = 'alice' OR provider = 'aws' ORDER BY provider, model;
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '[{"provider": "openai", "secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe"}, {"provider": "openai", "secret": "Bearer s3kr3t", "user_id": "zoe", "model": "m"}]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '[{"provider": "openai", "secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe"}, {"provider": "openai", "secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe", "expected_version": 7}]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '[{"provider": "openai", "secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe", "org_id": "acme"}]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '[{"provider": "openai", "secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe", "on_unusable": "go on"}]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '[{"provider": "openai", "secret": null, "user_id": "zoe"}]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '[{"secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe"}]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '["s3kr3t"]');
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', '{"provider": "openai", "secret": "s3kr3t", "user_id": "zoe"}');
-- What is not understood is not passed over: a restriction that is lost is worse than an error.
SELECT given, pg_temp.refusal('hftok.save_credentials($1::jsonb)', format('[{"provider": "openai", "secret": "sk-proj-s3kr3ts3kr3ts3kr3t", "user_id": "zoe", %s}]', given)) ~ '^22' AS refused
FROM unnest(ARRAY['"allowed_hosts": "a.example"', '"allowed_hosts": {"0": "a.example"}', '"allowed_hosts": [null]', '"allowed_host": ["a.example"]', '"global": "maybe"', '"expected_version": "x"', '"expires_at": "soon"']) given;
SELECT pg_temp.refusal('hftok.save_credentials($1::jsonb)', NULL) ~ '^22023' AS refused;
SELECT count(*) AS stored FROM hftok.credentials WHERE scope_id = 'zoe';
SELECT count(*) FROM hftok.save_credentials('[]');

-- What was done with each: counted by day and currency.
SELECT secret_id AS id FROM hftok.credentials WHERE scope_id = 'alice' AND model = '' \gset
SELECT hftok.record_usage(:'id');
SELECT hftok.record_usage(p_secret_id => :'id', p_requests => 2, p_units => 1000, p_cost => 0.25, p_currency => 'USD');
SELECT hftok.record_usage(:'id', 1, 10, 0.5, 'EUR');
SELECT hftok.record_usage(:'id', NULL, NULL, NULL, NULL);
SELECT call, pg_temp.refusal(format('hftok.record_usage(%L, %s)', :'id', call)) ~ '^22' AS refused FROM unnest(ARRAY['1, 1, ''NaN''']) call;
SELECT hftok.record_usage(NULL), hftok.record_usage(gen_random_uuid());
SELECT hftok.record_usage(hftok.put_secret('not a credential', 'x'));
DELETE FROM hftok.decrypted_secrets;
CALL pg_temp.await('(SELECT sum(requests) FROM hftok.usage_daily) >= 5');
SELECT day = (now() AT TIME ZONE 'UTC')::date AS today, provider, scope, scope_id, secret_id = :'id' AS same, requests, units, cost, currency FROM hftok.usage_daily ORDER BY currency;
-- Usage outlives its credential. Each sees their own.
SELECT hftok.delete_credential('openai', p_user_id => 'alice');
SELECT hftok.record_usage(:'id');
SELECT sum(requests) AS requests FROM hftok.usage_daily WHERE scope_id = 'alice';
SELECT hftok.record_usage(secret_id) FROM hftok.credentials WHERE scope = 'global' AND provider = 'openai' AND model = '';
CALL pg_temp.await('EXISTS (SELECT FROM hftok.usage_daily WHERE scope = ''global'')');
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT scope, scope_id, requests, currency FROM hftok.usage_daily ORDER BY currency;
SET request.jwt.claims = '{"sub": "bob"}';
SELECT count(*) AS usage FROM hftok.usage_daily;
RESET request.jwt.claims;
RESET SESSION AUTHORIZATION;

-- Forgetting counts what it deletes: current versions, previous ones, integrations, memberships; and leaves the rest.
SELECT count(hftok.save_credential('groq', 'groq-key-of-alice', p_user_id => 'alice')) FROM generate_series(1, 3);
SELECT hftok.add_member('acme', 'alice'), hftok.add_member('club', 'alice', 'owner'), hftok.add_member('acme', 'bob', 'owner'), hftok.grant_administrator('alice');
SELECT hftok.create_integration_with_vault('one', 'openai', 'sk-proj-integration000000001', p_user_id => 'alice') AS one \gset
SELECT hftok.create_integration_with_vault('two', 'openai', 'sk-proj-integration000000002', p_user_id => 'bob') AS two \gset
SELECT hftok.update_integration_credentials(:'one', 'sk-proj-integration000000003', 'alice'), hftok.share_integration(:'two', 'acme', 'bob');
SELECT count(*) FROM hftok.save_credential('groq', 'groq-key-of-acme', p_org_id => 'alice');
SELECT * FROM hftok.forget_user('alice');
SELECT * FROM hftok.forget_user('alice');
SELECT scope, scope_id, provider FROM hftok.credentials WHERE scope <> 'global' ORDER BY scope, scope_id COLLATE "C", provider, model;
SELECT org_id, user_id FROM hftok.members;
SELECT count(*) AS administrators FROM hftok.administrators;
SELECT name FROM hftok.integrations;
SELECT count(*) AS api_keys FROM hftok.user_api_keys WHERE user_id = 'alice';
SELECT count(*) AS versions FROM hftok_private.secret_versions v WHERE NOT EXISTS (SELECT FROM hftok_private.secrets s WHERE s.id = v.secret_id);
SELECT * FROM hftok.forget_org('acme');
SELECT count(*) AS shares FROM hftok_private.integration_shares;
SELECT * FROM hftok.forget_org('alice');
SELECT * FROM hftok.forget_user('bob');
SELECT * FROM hftok.forget_user('6f9619ff-8b86-d011-b42d-00C04FC964FF');
SELECT hftok.forget_user('');
SELECT hftok.forget_user(NULL);
SELECT hftok.forget_org(NULL);

DELETE FROM hftok.credentials;
DELETE FROM hftok_private.usage_daily;
SELECT (SELECT count(*) FROM hftok_private.secrets) AS secrets, (SELECT count(*) FROM hftok_private.secret_versions) AS versions,
    (SELECT count(*) FROM hftok_private.members) AS members, (SELECT count(*) FROM hftok_private.administrators) AS administrators,
    (SELECT count(*) FROM hftok_private.integrations) AS integrations, (SELECT count(*) FROM hftok_private.user_api_keys) AS api_keys;
SET client_min_messages = error;
SELECT hftok.disable_rpc('regress_authenticated', 'regress_service_role', 'authenticator');
