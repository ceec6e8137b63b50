-- Integrations as pages show them and as backends report on them: masks and versions, verdicts that come late, a verification that was
-- left behind, everything changed in one call, and with whom they are shared.

\i tests/sql/include/credentials.sql
\pset null ~
SELECT hftok.add_member('acme', 'paula', 'owner'), hftok.add_member('acme', 'pit');
SELECT hftok.create_integration_with_vault('parts', 'openai', 'sk-proj-paula00000000000001', p_user_id => 'paula') AS id \gset
SELECT secret_id FROM hftok.integrations WHERE id = :'id' \gset

-- A mask, a version, and doubts about the credentials.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "paula"}';
SELECT name, preview, version, warnings FROM hftok.integrations;
SELECT hftok.update_integration_credentials(:'id', 'of-an-unheard-form-0002');
SELECT name, preview, version, warnings FROM hftok.integrations;
RESET SESSION AUTHORIZATION;
BEGIN;
-- A row that was made to point at another's secret tells nothing of it.
UPDATE hftok_private.integrations SET secret_id = s.secret_id FROM hftok.save_hf_token('hf_pit000000000000000000000000000001', p_user_id => 'pit') s WHERE id = :'id';
SELECT name, preview, version, warnings FROM hftok.integrations;
ROLLBACK;

-- A verdict on former credentials comes late, and changes nothing.
SELECT hftok.update_integration_status(:'id', 'verifying', p_user_id => 'paula', p_version => 2);
SELECT hftok.update_integration_credentials(:'id', 'sk-proj-paula00000000000003', 'paula');
SELECT hftok.update_integration_status(:'id', 'connected', p_user_id => 'paula', p_version => 2), hftok.update_integration_status(:'id', 'disabled', 'late', 'paula', 1);
SELECT status, error_message, version, last_used_at FROM hftok.integrations;
SELECT hftok.update_integration_status(:'id', 'error', '401: sk-proj-paula00000000000003', 'paula', 3);
SELECT status, error_message, version FROM hftok.integrations;
SELECT hftok.update_integration_status(:'id', 'connected', p_user_id => 'pit', p_version => 3);

-- Whoever was verifying it has died: after an hour it is pending again, and can be verified again.
SELECT hftok.update_integration_status(:'id', 'verifying', p_user_id => 'paula');
SELECT status FROM hftok.integrations;
UPDATE hftok_private.integrations SET updated_at = now() - interval '59 minutes';
SELECT status FROM hftok.integrations;
UPDATE hftok_private.integrations SET updated_at = now() - interval '61 minutes';
SELECT status FROM hftok.integrations;
SELECT hftok.update_integration(:'id', p_enabled => false, p_user_id => 'paula');
SELECT status FROM hftok.integrations;
SELECT hftok.update_integration(:'id', p_enabled => true, p_user_id => 'paula'), hftok.update_integration_status(:'id', 'connected', p_user_id => 'paula');
SELECT status FROM hftok.integrations;

-- Name, config and credentials in one call: all of it or nothing.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SELECT hftok.update_integration(:'id', 'at once', '{"model": "gpt"}', p_credentials => 'sk-proj-paula00000000000004');
SELECT name, config, status, version, preview FROM hftok.integrations;
SELECT hftok.update_integration(:'id', 'refused', '{"model": "none"}', p_credentials => 'Bearer sk-proj-paula');
SELECT hftok.update_integration(:'id', '', p_credentials => 'sk-proj-paula00000000000005');
SELECT hftok.update_integration(:'id', 'masked', p_credentials => (SELECT preview FROM hftok.integrations));
SELECT hftok.update_integration(:'id', p_credentials => 'sk-proj-paula00000000000005');
SELECT hftok.update_integration(:'id', p_enabled => false, p_credentials => 'sk-proj-paula00000000000006');
SELECT name, config, status, enabled, version, preview FROM hftok.integrations;
SET request.jwt.claims = '{"sub": "pit"}';
SELECT hftok.update_integration(:'id', p_credentials => 'sk-proj-pit0000000000000001');
SET request.jwt.claims = '{"sub": "paula"}';
SELECT hftok.update_integration(:'id', p_enabled => true);
SET request.method = 'GET';
SELECT hftok.update_integration(:'id', p_credentials => 'sk-proj-paula00000000000007');
RESET request.method;
-- A name can be changed while hftok is sealed, credentials cannot.
RESET SESSION AUTHORIZATION;
SELECT hftok.seal();
SELECT hftok.update_integration(:'id', 'renamed while sealed', p_user_id => 'paula');
SELECT hftok.update_integration(:'id', p_credentials => 'sk-proj-paula00000000000007', p_user_id => 'paula');
SELECT key_ids FROM hftok.unseal();
SELECT name, version FROM hftok.integrations;
-- Its events: a call that changed only credentials tells of no other change.
CALL pg_temp.await_audit();
SELECT kind, action, level, count(*) FROM hftok.audit_events WHERE object_id = :'id' AND action = 'update_integration' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

-- With whom it is shared: its owner sees all, a member what is shared with their organisation, a stranger nothing.
SELECT hftok.add_member('globex', 'paula'), hftok.add_member('globex', 'gina', 'owner');
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SELECT hftok.share_integration(:'id', 'acme'), hftok.share_integration(:'id', 'globex');
SELECT org_id, user_id, integration_id = :'id' AS this, created_at IS NOT NULL AS since FROM hftok.integration_shares ORDER BY org_id;
SET request.jwt.claims = '{"sub": "pit"}';
SELECT org_id, user_id FROM hftok.integration_shares;
SET request.jwt.claims = '{"sub": "gina"}';
SELECT org_id, user_id FROM hftok.integration_shares;
SELECT name, preview FROM hftok.integrations;
SET request.jwt.claims = '{"sub": "nobody"}';
SELECT org_id, user_id FROM hftok.integration_shares;
RESET request.jwt.claims;
SELECT count(*) AS seen FROM hftok.integration_shares;
DELETE FROM hftok.integration_shares;
SET ROLE regress_service_role;
SELECT org_id, user_id FROM hftok.integration_shares ORDER BY org_id;
INSERT INTO hftok.integration_shares (integration_id, org_id) VALUES (:'id', 'acme');
-- With an organisation that its owner does not belong to it cannot be shared, whether there is such an organisation or not.
SELECT hftok.share_integration(:'id', 'initech', 'paula');
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
SELECT hftok.add_member('initech', 'ida', 'owner');
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "paula"}';
SELECT hftok.share_integration(:'id', 'initech');
SELECT hftok.unshare_integration(:'id', 'globex');
SELECT org_id FROM hftok.integration_shares;
RESET SESSION AUTHORIZATION;

SELECT credentials, integrations FROM hftok.forget_user('paula');
SELECT memberships FROM unnest('{acme,globex,initech}'::text[]) org, hftok.forget_org(org);
SELECT count(*) AS shares FROM hftok.integration_shares;
\i tests/sql/include/gateway_end.sql
