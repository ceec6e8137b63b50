-- A part of sql/80_audit.sql, run by it.

-- Refused, because it is not there or not theirs. A call that is answered by false is refused all the same. Two that are alike are one event or two.
CALL pg_temp.begin();
SELECT hftok.put_secret('named', 's3kr3t-of-named') AS named \gset
INSERT INTO known VALUES (:'named', 'named'), ('00000000-0000-4000-8000-000000000000', 'unknown');
SELECT hftok.get_secret('hf_s3kr3t-given-as-a-name');
SELECT hftok.get_secret('named', 7);
SELECT hftok.update_secret('00000000-0000-4000-8000-000000000000', 's3kr3t');
SELECT hftok.restore_secret('00000000-0000-4000-8000-000000000000', 1);
SELECT hftok.secret_history('00000000-0000-4000-8000-000000000000');
SELECT hftok.delete_secret('00000000-0000-4000-8000-000000000000');
SELECT hftok.previous_token('00000000-0000-4000-8000-000000000000');
SELECT hftok.get_integration_credentials(:'integration', 'mallory');
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "mallory"}';
SELECT hftok.save_credential('openai', 'sk-proj-s3kr3t00000000000001', p_user_id => 'alice');
SELECT hftok.save_credential('openai', 'sk-proj-s3kr3t00000000000001', p_org_id => 'acme');
SELECT hftok.save_credential('openai', 'sk-proj-s3kr3t00000000000001', p_global => true);
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.delete_credential('openai', p_user_id => 'alice');
SELECT hftok.explain_token('openai', 'alice');
SELECT hftok.token_provided('openai', p_org_id => 'acme');
SELECT hftok.update_integration(:'integration', 's3kr3t');
SELECT hftok.update_integration_credentials(:'integration', 'sk-proj-s3kr3t00000000000001');
SELECT hftok.share_integration(:'integration', 'acme');
SELECT hftok.delete_integration_with_vault(:'integration');
SELECT hftok.add_member('acme', 'mallory', 'owner');
SELECT hftok.remove_member('acme', 'alice');
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('alice', 'openai', 'sk-proj-s3kr3t00000000000001');
-- Nobody: a JWT without sub; and one that comes by a way that is none.
SET request.jwt.claims = '{"role": "authenticated"}';
SELECT hftok.whoami();
SELECT hftok.save_credential('openai', 'sk-proj-s3kr3t00000000000001');
RESET SESSION AUTHORIZATION;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.whoami();
RESET request.jwt.claims;
-- By GET.
SET request.method = 'GET';
SELECT hftok.get_secret('named');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.resolve_token('openai', 'alice');
RESET request.method;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, sum(n) AS n, object, v, scope, owner, provider, level, role, login, actor FROM news WHERE kind = 'refusal' GROUP BY kind, action, outcome, object, v, scope, owner, provider, level, role, login, actor ORDER BY min(at);
SELECT DISTINCT kind, action FROM news WHERE kind <> 'refusal';

-- Postgres refuses these: it asks first whether the function may be called at all.
CALL pg_temp.begin();
SET ROLE hftok_user;
SELECT hftok.get_secret('hf_s3kr3t');
SELECT hftok.resolve_token('openai', 'alice');
SELECT decrypted_secret FROM hftok.decrypted_secrets;
SELECT name FROM hftok.secrets;
SELECT hftok.purge_audit(now());
SELECT hftok.logging_risks();
SET ROLE hftok_service;
SELECT hftok.seal();
SELECT id FROM hftok.audit_events;
SELECT sealed FROM hftok_private.secrets;
SET ROLE hftok_auditor;
SELECT hftok.get_secret('named');
SELECT hftok.delete_credential('openai', p_user_id => 'alice');
SET ROLE regress_nobody;
SELECT hftok.get_secret('named');
RESET ROLE;
-- A table of somebody else may be called like a view of ours.
CREATE TABLE public.members (org_id text);
SET ROLE hftok_user;
SELECT * FROM public.members;
RESET ROLE;
DROP TABLE public.members;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, n, role, login, actor FROM news;

-- A level that is there and cannot be used, with its credential.
CALL pg_temp.begin();
SELECT secret_id AS unusable FROM hftok.save_credential('together', 'together-s3kr3t', p_user_id => 'alice') \gset
INSERT INTO known VALUES (:'unusable', 'unusable');
UPDATE hftok.credentials SET enabled = false WHERE secret_id = :'unusable';
SELECT hftok.resolve_token('together', 'alice');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.runner_env('{together}', 'alice');
UPDATE hftok.credentials SET enabled = true, expires_at = '2000-01-01' WHERE secret_id = :'unusable';
SELECT hftok.resolve_token('together', 'alice');
UPDATE hftok.credentials SET expires_at = NULL, allowed_hosts = '{own.example}' WHERE secret_id = :'unusable';
SELECT hftok.resolve_token('together', 'alice', p_host => 'evil.example');
UPDATE hftok.credentials SET allowed_hosts = NULL WHERE secret_id = :'unusable';
SELECT hftok.report_credential(:'unusable', 'invalid', 's3kr3t');
SELECT hftok.resolve_token('together', 'alice');
SELECT hftok.report_credential(:'unusable', 'verified');
SELECT hftok.resolve_token('openai', 'mallory', 'acme');
BEGIN;
UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) WHERE id IN (:'unusable', :'named');
SAVEPOINT before;
SELECT hftok.resolve_token('together', 'alice');
ROLLBACK TO before;
SELECT hftok.get_secret('named');
ROLLBACK TO before;
-- The view shows NULL: nothing was handed out.
SELECT decrypted_secret FROM hftok.decrypted_secrets WHERE name = 'named';
ROLLBACK;
-- An integration that is switched off.
SELECT hftok.update_integration(:'integration', p_enabled => false, p_user_id => 'alice');
SELECT hftok.get_integration_credentials(:'integration', 'alice');
SELECT hftok.update_integration(:'integration', p_enabled => true, p_user_id => 'alice');
-- No value may go into a materialized view.
CREATE MATERIALIZED VIEW public.copies AS SELECT hftok.get_secret('named');
CALL pg_temp.await_audit();
SELECT kind, action, outcome, n, object, v, scope, owner, provider, level, role, actor FROM news WHERE kind = 'refusal';
SELECT kind, action, count(*) FROM news WHERE kind <> 'refusal' GROUP BY 1, 2 ORDER BY 1, 2;

-- Sealed: what was done meanwhile is chained when the keys are back.
SELECT hftok.put_secret('sealed', 's3kr3t-to-be-deleted') AS sealed \gset
INSERT INTO known VALUES (:'sealed', 'sealed');
CALL pg_temp.begin();
SELECT hftok.seal();
SELECT hftok.get_secret('named');
\echo :LAST_ERROR_SQLSTATE
SELECT decrypted_secret FROM hftok.decrypted_secrets;
SELECT hftok.save_credential('openai', 'sk-proj-s3kr3t00000000000001', p_user_id => 'alice');
SELECT hftok.resolve_token('openai', 'alice');
SELECT hftok.update_secret(:'named', new_description => 'needs no key');
DELETE FROM hftok.decrypted_secrets WHERE name = 'sealed';
CALL pg_temp.await('(SELECT count(*) >= 6 FROM hftok_private.audit_pending)');
SELECT audit_mode, audit_waiting >= 6 AS waiting, audit_lag > '0' AS lag FROM hftok.status();
SELECT hftok.unseal() IS NOT NULL AS unsealed;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, n, object, v, scope, digest, role, actor FROM news;
SELECT hftok.delete_secret(:'sealed') AS still_there;
-- The event was protected, by the key of the server's run, and counts as if hftok had been open.
SELECT kind, reason, failed FROM hftok.verify();
-- Operations on the audit itself, and looking through everything.
CALL pg_temp.begin();
SELECT ok FROM hftok.verify_audit();
SELECT failed FROM hftok.verify();
SET ROLE hftok_auditor;
SELECT ok FROM hftok.verify_audit();
RESET ROLE;
SELECT hftok.purge_audit('2000-01-01');
CALL pg_temp.await_audit();
SELECT kind, action, outcome, n, role, actor FROM news;

-- Many that are alike, in a burst, are counted.
CALL pg_temp.begin();
DO $$
BEGIN
    FOR i IN 1 .. 500 LOOP
        BEGIN
            PERFORM hftok.get_secret('absent ' || i);
        EXCEPTION WHEN SQLSTATE 'PT404' THEN NULL;
        END;
        BEGIN
            PERFORM hftok.delete_integration_with_vault('00000000-0000-4000-8000-000000000000', 'mallory');
        EXCEPTION WHEN SQLSTATE 'PT404' THEN NULL;
        END;
    END LOOP;
END
$$;
CALL pg_temp.await_audit();
SELECT kind, action, outcome, object, sum(n) AS n, count(*) * 2 < sum(n) AS few FROM news GROUP BY kind, action, outcome, object ORDER BY action;
