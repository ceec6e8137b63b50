-- Usage of credentials, and the rest of a user or an organisation that is forgotten.

\i tests/sql/include/credentials.sql
SELECT version FROM hftok.save_credential('openai', 'sk-proj-bulk0000000000000001', p_user_id => 'alice');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-bulk0000000000000002', p_user_id => 'alice', p_model => 'gpt');
SELECT count(hftok.save_credential('openai', 'sk-proj-global00000000000005', p_global => true, p_model => model)) AS globals FROM unnest('{"",gpt}'::text[]) model;
SELECT count(hftok.save_credential('openai', 'sk-proj-acme0000000000000003', p_org_id => 'acme', p_model => model)) AS of_acme FROM unnest('{"",gpt}'::text[]) model;
SELECT count(hftok.save_hf_token('hf_00000000000000000000000000000000a7', p_user_id => '6F9619FF-8B86-D011-B42D-00C04FC964FF')) AS of_uuid;

-- Usage of each credential, counted by day and currency.
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
\i tests/sql/include/gateway_end.sql
