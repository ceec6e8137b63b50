-- Integrations of organisations: their members use them, their owners and admins change them, and they stay when whoever made them
-- leaves. They are shut with the organisation, and go with it.

\i tests/sql/include/credentials.sql
\pset null ~
SELECT hftok.add_member('orgs', 'olga', 'owner'), hftok.add_member('orgs', 'adam', 'admin'), hftok.add_member('orgs', 'mia'), hftok.add_member('others', 'gina', 'owner');
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "adam"}';
SELECT hftok.create_integration_with_vault('of all', 'openai', 'sk-proj-orgs0000000000000001', p_org_id => 'orgs') AS id \gset
SELECT name, user_id, org_id, status, version FROM hftok.integrations;
-- Not by a member, nor by a stranger, nor for an organisation that is not there.
SET request.jwt.claims = '{"sub": "mia"}';
SELECT hftok.create_integration_with_vault('by mia', 'openai', 'sk-proj-orgs0000000000000002', p_org_id => 'orgs');
\echo :LAST_ERROR_SQLSTATE
SET request.jwt.claims = '{"sub": "gina"}';
SELECT hftok.create_integration_with_vault('by gina', 'openai', 'sk-proj-orgs0000000000000002', p_org_id => 'orgs');
SELECT hftok.create_integration_with_vault('by gina', 'openai', 'sk-proj-orgs0000000000000002', p_user_id => 'adam', p_org_id => 'orgs');
SELECT hftok.create_integration_with_vault('by gina', 'openai', 'sk-proj-orgs0000000000000002', p_org_id => 'none');
SELECT hftok.create_integration_with_vault('by gina', 'openai', 'sk-proj-orgs0000000000000002', p_org_id => '');
RESET request.jwt.claims;
SELECT hftok.create_integration_with_vault('by nobody', 'openai', 'sk-proj-orgs0000000000000002', p_org_id => 'orgs');
-- By the backend, in its own name or on behalf of somebody, with their rights.
SET ROLE regress_service_role;
SELECT hftok.create_integration_with_vault('by the backend', 'anthropic', 'of-the-backend-000001', p_org_id => 'orgs') AS backends \gset
SELECT hftok.create_integration_with_vault('for mia', 'openai', 'sk-proj-orgs0000000000000002', p_user_id => 'mia', p_org_id => 'orgs');
SELECT hftok.create_integration_with_vault('for olga', 'openai', 'sk-proj-orgs0000000000000002', p_user_id => 'olga', p_org_id => 'orgs') AS olgas \gset
SELECT name, user_id, org_id FROM hftok.integrations ORDER BY name;

-- Used on behalf of its members, and of nobody else; a user who is called as the organisation is none.
SELECT hftok.get_integration_credentials(:'id', 'mia');
SELECT hftok.get_integration_credentials(:'id', 'adam');
SELECT hftok.get_integration_credentials(:'id', 'gina');
SELECT hftok.get_integration_credentials(:'id', 'orgs');
SELECT hftok.get_integration_credentials(:'id');
SELECT hftok.update_integration_status(:'id', 'connected', p_user_id => 'mia');
SELECT hftok.update_integration_status(:'id', 'error', p_user_id => 'gina');
SELECT hftok.record_usage(secret_id, 5) FROM hftok.integrations WHERE id = :'id';
SELECT hftok.report_credential(secret_id, 'invalid', 'no') FROM hftok.integrations WHERE id = :'backends';
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "mia"}';
SELECT name, status, error_message, org_id, preview FROM hftok.integrations ORDER BY name;
SELECT hftok.update_integration(:'id', 'by mia');
SELECT hftok.update_integration(:'id', p_credentials => 'sk-proj-orgs0000000000000003');
SELECT hftok.update_integration_credentials(:'id', 'sk-proj-orgs0000000000000003');
SELECT hftok.delete_integration_with_vault(:'id');
SELECT hftok.share_integration(:'id', 'orgs');
SET request.jwt.claims = '{"sub": "gina"}';
SELECT count(*) AS seen FROM hftok.integrations;
SELECT hftok.update_integration(:'id', 'by gina');
SELECT hftok.delete_integration_with_vault(:'id');
SET request.jwt.claims = '{"sub": "orgs"}';
SELECT count(*) AS seen FROM hftok.integrations;
SELECT hftok.update_integration(:'id', 'by a namesake');
SELECT hftok.delete_integration_with_vault(:'id');
SET request.jwt.claims = '{"sub": "olga"}';
SELECT hftok.update_integration(:'id', 'by olga', p_credentials => 'sk-proj-orgs0000000000000003');
SELECT hftok.share_integration(:'id', 'orgs');
SELECT hftok.share_integration(:'id', 'others');
SELECT hftok.unshare_integration(:'id', 'others');
SELECT name, version, status FROM hftok.integrations WHERE id = :'id';
RESET SESSION AUTHORIZATION;

-- Its events and its usage are the organisation's, for owners and admins.
CALL pg_temp.await('EXISTS (SELECT FROM hftok.usage_daily WHERE scope = ''org_integration'')');
CALL pg_temp.await_audit();
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "olga"}';
SELECT scope, scope_id, requests FROM hftok.usage_daily;
SELECT actor_user, kind, action, owner_scope, owner_id, level FROM hftok.audit_events WHERE object_id = :'id' AND kind <> 'refusal' ORDER BY action, actor_user, level;
SET request.jwt.claims = '{"sub": "mia"}';
SELECT count(*) AS usage FROM hftok.usage_daily;
RESET SESSION AUTHORIZATION;

-- It stays when whoever made it leaves, and when they are forgotten.
SELECT hftok.remove_member('orgs', 'adam');
SELECT integrations FROM hftok.forget_user('adam');
SELECT hftok.get_integration_credentials(:'id', 'adam');
SELECT hftok.get_integration_credentials(:'id', 'mia');
SELECT kind, id, reason FROM hftok.verify() WHERE kind <> 'total' AND id IN (:'id', :'backends', :'olgas');

-- Sealed by a key of the organisation's own, it is shut with the rest.
SELECT hftok.give_org_key('orgs') IS NOT NULL AS given;
SELECT hftok.seal_org('orgs');
SELECT hftok.get_integration_credentials(:'id', 'mia');
SELECT hftok.create_integration_with_vault('while shut', 'openai', 'sk-proj-orgs0000000000000009', p_org_id => 'orgs');
SELECT hftok.unseal_org('orgs');
SELECT hftok.get_integration_credentials(:'id', 'mia');
SELECT hftok.create_integration_with_vault('with the key', 'openai', 'sk-proj-orgs0000000000000009', p_org_id => 'orgs') AS keyed \gset
SELECT count(DISTINCT hftok_private.data_key_id(s.sealed)) AS keys, count(*) AS secrets FROM hftok_private.secrets s WHERE s.scope = 'org_integration';

-- Edited behind its back it does not open, and verify() says so.
BEGIN;
UPDATE hftok_private.integrations SET org_id = NULL, user_id = 'gina' WHERE id = :'id';
SELECT pg_temp.refusal('hftok.get_integration_credentials($1::uuid, ''gina'')', :'id') ~ '^PT4' AS refused;
ROLLBACK;
BEGIN;
UPDATE hftok_private.integrations SET org_id = 'others' WHERE id = :'id';
SELECT pg_temp.refusal('hftok.get_integration_credentials($1::uuid, ''gina'')', :'id') ~ '^PT4' AS refused;
SELECT kind, id = :'id' AS this, reason FROM hftok.verify() WHERE kind = 'integration' ORDER BY reason;
ROLLBACK;
BEGIN;
-- Moved to a user by whoever can write both tables.
UPDATE hftok_private.integrations SET org_id = NULL, user_id = 'gina' WHERE id = :'id';
UPDATE hftok_private.secrets SET scope = 'integration', scope_id = 'gina' WHERE id = (SELECT secret_id FROM hftok_private.integrations WHERE id = :'id');
SELECT pg_temp.refusal('hftok.get_integration_credentials($1::uuid, ''gina'')', :'id') ~ '^PT422' AS refused;
ROLLBACK;
INSERT INTO hftok_private.integrations (user_id, org_id, name, type, secret_id) SELECT 'gina', 'orgs', 'both', type, secret_id FROM hftok_private.integrations LIMIT 1;

-- Deleted by an admin; and with the organisation.
SELECT hftok.delete_integration_with_vault(:'olgas', 'olga'), hftok.delete_integration_with_vault(:'olgas', 'olga');
SELECT credentials, integrations, memberships FROM hftok.forget_org('orgs');
SELECT (SELECT count(*) FROM hftok_private.integrations) AS integrations, (SELECT count(*) FROM hftok_private.secrets WHERE scope = 'org_integration') AS secrets,
    (SELECT count(*) FROM hftok.usage_daily WHERE scope = 'org_integration') AS usage;
SELECT kind, id, reason FROM hftok.verify() WHERE kind <> 'total' AND id IN (:'id', :'backends', :'olgas', :'keyed');
SELECT memberships FROM hftok.forget_org('others');
\i tests/sql/include/gateway_end.sql
