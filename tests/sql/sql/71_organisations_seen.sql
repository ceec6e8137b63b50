-- What owners and admins of an organisation see of its credentials beyond the masks: who used them, how much, and what was done with
-- them. Members see what they did themselves.

\i tests/sql/include/credentials.sql
\pset null ~
SELECT hftok.add_member('seen one', 'sam', 'owner'), hftok.add_member('seen one', 'sid', 'admin'), hftok.add_member('seen one', 'sue'), hftok.add_member('seen two', 'sara', 'owner');
SELECT secret_id AS one FROM hftok.save_credential('openai', 'sk-proj-acme000000000000001', p_org_id => 'seen one') \gset
SELECT secret_id AS two FROM hftok.save_credential('openai', 'sk-proj-globex0000000000001', p_org_id => 'seen two') \gset
-- A user whose id is that of an organisation.
SELECT secret_id AS alike FROM hftok.save_credential('openai', 'sk-proj-alike000000000000001', p_user_id => 'seen one') \gset
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_service_role;
SELECT source FROM hftok.resolve_token('openai', 'sue', 'seen one');
SELECT source FROM hftok.resolve_token('openai', 'sam', 'seen one');
SELECT source FROM hftok.resolve_token('openai', 'sara', 'seen two');
SELECT source FROM hftok.resolve_token('openai', 'seen one');
SELECT hftok.record_usage(:'one', 2, 100, 0.5), hftok.record_usage(:'two', 3), hftok.record_usage(:'alike', 4);
RESET SESSION AUTHORIZATION;
CALL pg_temp.await('(SELECT count(*) = 3 FROM hftok.usage_daily WHERE scope_id LIKE ''seen %'')');
CALL pg_temp.await_audit();

SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "sid"}';
SELECT scope, scope_id, requests, units, cost FROM hftok.usage_daily;
SELECT actor_user, kind, action, object_id = :'one' AS this, owner_scope, owner_id, subject, outcome, login_role, client_addr, application_name, request_id, chain_hash
FROM hftok.audit_events ORDER BY action, actor_user, subject;
SET request.jwt.claims = '{"sub": "sam"}';
SELECT scope, scope_id, requests FROM hftok.usage_daily;
-- An event that names the reader is there once, with where they came from.
SELECT actor_user, action, owner_id, subject, count(*), count(login_role) AS own FROM hftok.audit_events GROUP BY 1, 2, 3, 4 ORDER BY 2, 1, 4;
SET request.jwt.claims = '{"sub": "sue"}';
SELECT count(*) AS usage FROM hftok.usage_daily;
SELECT actor_user, action, owner_id, subject FROM hftok.audit_events ORDER BY action, actor_user, subject;
SET request.jwt.claims = '{"sub": "sara"}';
SELECT scope, scope_id, requests FROM hftok.usage_daily;
SELECT DISTINCT owner_scope, owner_id FROM hftok.audit_events ORDER BY 1, 2;
SET request.jwt.claims = '{"sub": "seen one"}';
SELECT scope, scope_id, requests FROM hftok.usage_daily;
SELECT DISTINCT owner_scope, owner_id FROM hftok.audit_events ORDER BY 1, 2;
-- It ends with the role.
RESET SESSION AUTHORIZATION;
SELECT hftok.add_member('seen one', 'sid', 'member');
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "sid"}';
SELECT count(*) AS usage FROM hftok.usage_daily;
SELECT count(*) AS foreign FROM hftok.audit_events WHERE actor_user IS DISTINCT FROM 'sid' AND subject IS DISTINCT FROM 'sid';
RESET SESSION AUTHORIZATION;

SELECT credentials, memberships FROM unnest('{"seen one","seen two"}'::text[]) org, hftok.forget_org(org);
SELECT credentials FROM hftok.forget_user('seen one');
DELETE FROM hftok_private.usage_daily;
\i tests/sql/include/gateway_end.sql
