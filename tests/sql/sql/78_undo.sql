-- The versions of a credential: who sees them, and how one comes back.

\i tests/sql/include/credentials.sql
SELECT hftok.save_credential('openai', 'sk-proj-undo00000000000000u1', p_user_id => 'una', p_expires_at => '2100-01-01 UTC', p_allowed_hosts => '{api.openai.com}') IS NOT NULL AS saved;
SELECT hftok.save_credential('openai', 'sk-proj-undo00000000000000u2', p_user_id => 'una', p_label => 'label') IS NOT NULL AS saved;
SELECT secret_id AS id FROM hftok.credentials WHERE scope_id = 'una' \gset
SELECT hftok.save_credential('openai', 'sk-proj-undo00000000000000g1', p_global => true, p_model => 'undo') IS NOT NULL AS saved;
SELECT secret_id AS global FROM hftok.credentials WHERE scope = 'global' AND provider = 'openai' AND model = 'undo' \gset
SELECT hftok.save_credential('openai', 'sk-proj-undo00000000000000o1', p_org_id => 'undo') IS NOT NULL AS saved;
SELECT secret_id AS org FROM hftok.credentials WHERE scope_id = 'undo' \gset
SELECT count(hftok.add_member('undo', member, role)) FROM (VALUES ('una', 'member'), ('olga', 'owner')) m (member, role);
SELECT version, is_current, preview, expires_at AT TIME ZONE 'UTC' AS expires, superseded_at IS NOT NULL AS was FROM hftok.credential_history(:'id');
SELECT hftok.put_secret('named', 'value') AS named \gset
SELECT * FROM hftok.credential_history(:'named');
SELECT * FROM hftok.credential_history(NULL);
SELECT hftok.restore_credential(:'named', 1);
SELECT hftok.restore_credential(:'id', NULL);
SELECT hftok.restore_credential(:'id', 7);

-- Their owner.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "una"}';
SELECT hftok.report_credential(:'id', 'invalid');
SELECT count(*) FROM hftok.credential_history(:'id');
SELECT hftok.restore_credential(:'id', 1), hftok.restore_credential(:'id', 3);
SELECT version, preview, label, status, expires_at AT TIME ZONE 'UTC' AS expires, allowed_hosts FROM hftok.credentials WHERE secret_id = :'id';
SELECT version, is_current, preview FROM hftok.credential_history(:'id');
SELECT api_key FROM hftok.user_api_keys WHERE service = 'openai';
-- Of an organisation its members see that it is there, and no more; of others nothing.
SELECT * FROM hftok.credential_history(:'org');
SELECT hftok.restore_credential(:'org', 1);
SELECT * FROM hftok.credential_history(:'global');
SELECT hftok.restore_credential(:'global', 1);
SET request.jwt.claims = '{"sub": "mallory"}';
SELECT * FROM hftok.credential_history(:'id');
SELECT * FROM hftok.credential_history('00000000-0000-4000-8000-000000000009');
SELECT hftok.restore_credential(:'org', 1);
SET request.jwt.claims = '{"sub": "olga"}';
SELECT count(*) FROM hftok.credential_history(:'org');
SET request.method = 'GET';
SELECT hftok.restore_credential(:'org', 1);
RESET request.method;
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT right(token, 2), version, slot FROM hftok.resolve_token('openai', 'una', p_host => 'api.openai.com');
SELECT hftok.restore_credential(:'id', 2);
SELECT right(token, 2), version, expires_at FROM hftok.resolve_token('openai', 'una', p_host => 'api.openai.com');
SELECT right(hftok.previous_token(:'org'), 2);
RESET SESSION AUTHORIZATION;
SELECT failed FROM hftok.verify() WHERE kind = 'total';
SELECT hftok.delete_secret(:'named'), hftok.delete_credential('openai', 'undo', p_global => true);
SELECT * FROM hftok.forget_user('una'), hftok.forget_org('undo') o;
\i tests/sql/include/gateway_end.sql
