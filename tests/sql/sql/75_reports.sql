-- Reports of a backend on credentials and integrations: kept without the key that an upstream quotes, shown, told in the audit
-- under the id that people have; and switches that only those can lift who set them.

\set VERBOSITY terse
\encoding UTF8
\i tests/sql/include/await.sql
\pset null ~
SET timezone = 'UTC';
SELECT hftok.create_integration_with_vault('reported', 'openai', 'sk-proj-canary0000000000000001', p_user_id => 'rita') AS id \gset
SELECT secret_id FROM hftok.integrations WHERE id = :'id' \gset
SELECT secret_id AS odd FROM hftok.save_credential('openai', 'odd:canary!key#17', p_user_id => 'rita') \gset
SELECT secret_id AS token FROM hftok.save_hf_token('hf_canaryCanaryCanaryCanaryCanary0001', p_user_id => 'rita') \gset

-- The key that the words quote is masked: its own by its value, others by their shape; sealed, by their shape.
SELECT hftok.update_integration_status(:'id', 'error', '401: key sk-proj-canary0000000000000001 is wrong (req_0123456789abcdef)', 'rita');
SELECT status, error_message FROM hftok.integrations WHERE id = :'id';
SELECT hftok.report_credential(:'token', 'invalid', '401 for ''hf_canaryCanaryCanaryCanaryCanary0001'', not for sk-proj-canary0000000000000002');
SELECT status, verdict_message FROM hftok.credentials WHERE secret_id = :'token';
SELECT hftok.report_credential(:'token', 'invalid', 'cut: hf_canaryCanaryCan');
SELECT verdict_message FROM hftok.credentials WHERE secret_id = :'token';
SELECT hftok.report_credential(:'odd', 'invalid', 'not <odd:canary!key#17>, nor odd:canary!k');
SELECT verdict_message FROM hftok.credentials WHERE secret_id = :'odd';
-- An upstream quotes what it was sent in the notation that it was sent in: of an address, of JSON, in Base64, in wrapped lines.
SELECT hftok.report_credential(:'odd', 'invalid', format(E'?k=odd%%3Acanary%%21key%%2317 "odd\\u003acanary\\u0021key\\u002317" %s odd:cana\nry!key#17', encode('user:odd:canary!key#17', 'base64')));
SELECT verdict_message FROM hftok.credentials WHERE secret_id = :'odd';
-- Words come late: the value before is looked for as well. Values of others that have no known shape cannot be found.
SELECT version FROM hftok.save_credential('openai', 'new:canary!key#18', p_user_id => 'rita');
SELECT hftok.report_credential(:'odd', 'invalid', 'neither <odd:canary!key#17> nor <new:canary!key#18>, but <old:value!key#16>');
SELECT verdict_message FROM hftok.credentials WHERE secret_id = :'odd';
SELECT hftok.seal();
SELECT hftok.update_integration_status(:'id', 'error', 'sealed: sk-proj-canary0000000000000001', 'rita');
SELECT hftok.report_credential(:'token', 'invalid', 'sealed: hf_canaryCanaryCanaryCanaryCanary0001');
SELECT key_ids FROM hftok.unseal();
SELECT error_message FROM hftok.integrations WHERE id = :'id';
SELECT verdict_message FROM hftok.credentials WHERE secret_id = :'token';
-- One that does not open does not stop the report.
UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE id = :'token';
SELECT hftok.report_credential(:'token', 'invalid', 'damaged: hf_canaryCanaryCanaryCanaryCanary0001');
SELECT verdict_message FROM hftok.credentials WHERE secret_id = :'token';
UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE id = :'token';
SELECT hftok.report_credential(:'token', 'invalid', ''), hftok.report_credential(:'token', 'invalid', NULL);
SELECT verdict_message FROM hftok.credentials WHERE secret_id = :'token';

-- A report of an integration's credentials is its status.
SELECT hftok.report_credential(:'secret_id', 'verified');
SELECT status, error_message, last_used_at IS NOT NULL AS used FROM hftok.integrations WHERE id = :'id';
SELECT hftok.report_credential(:'secret_id', 'indeterminate', 'timeout');
SELECT hftok.report_credential(:'secret_id', 'invalid', 'once', 7);
SELECT hftok.report_credential(:'secret_id', 'invalid', 'once');
SELECT status, error_message FROM hftok.integrations WHERE id = :'id';
SELECT hftok.report_credential(:'secret_id', 'invalid', 'twice, for sk-proj-canary0000000000000001');
SELECT status, error_message FROM hftok.integrations WHERE id = :'id';

CREATE PROCEDURE pg_temp.refused() LANGUAGE plpgsql AS $$ BEGIN PERFORM hftok.get_integration_credentials(i.id, 'rita') FROM hftok.integrations i WHERE i.user_id = 'rita';
EXCEPTION WHEN OTHERS THEN
    DECLARE hint text; detail text; BEGIN
        GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
        RAISE NOTICE '% % %', SQLERRM, detail::jsonb ->> 'by', hint;
    END;
END $$;
-- Two switches. The owner's shows, the backend's is not lifted by them, and who is refused hears whose it was.
SELECT hftok.update_integration_status(:'id', 'connected', p_user_id => 'rita');
SELECT hftok.update_integration(:'id', p_enabled => false, p_user_id => 'rita');
SELECT status, enabled FROM hftok.integrations WHERE id = :'id';
CALL pg_temp.refused();
SELECT hftok.update_integration_status(:'id', 'disabled', 'unpaid', 'rita');
SELECT hftok.update_integration(:'id', p_enabled => true, p_user_id => 'rita');
SELECT status, enabled FROM hftok.integrations WHERE id = :'id';
SELECT hftok.update_integration_credentials(:'id', 'sk-proj-canary0000000000000003', 'rita');
SELECT hftok.report_credential(:'secret_id', 'verified');
SELECT status, enabled, error_message FROM hftok.integrations WHERE id = :'id';
CALL pg_temp.refused();
SELECT hftok.update_integration_status(:'id', 'pending', p_user_id => 'rita');
SELECT hftok.update_integration_credentials(:'id', 'sk-proj-canary0000000000000004', 'rita');
SELECT status, enabled FROM hftok.integrations WHERE id = :'id';

-- By its id everything that happened to an integration is found, and what was used is its secret.
SELECT count(hftok.get_integration_credentials(:'id', 'rita')) FROM generate_series(1, 102);
CALL pg_temp.await($$(SELECT sum(u.use_count) = 102 FROM hftok_private.counted_uses u JOIN hftok.integrations i ON i.secret_id = u.secret_id WHERE i.user_id = 'rita')$$);
SELECT hftok.delete_integration_with_vault(:'id', 'rita');
SELECT hftok.create_integration_with_vault('forgotten', 'openai', 'sk-proj-canary0000000000000005', p_user_id => 'rita') AS forgotten \gset
SELECT integrations FROM hftok.forget_user('rita');
CALL pg_temp.await_audit();
SELECT kind, action, outcome, owner_scope, owner_id, provider, level, subject = :'secret_id' AS of_secret, sum(count) AS times
FROM hftok.audit_events WHERE object_id = :'id' GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY 1, 2, 3, 7;
SELECT action FROM hftok.audit_events WHERE object_id = :'forgotten' ORDER BY id;
SELECT action, version FROM hftok.audit_events WHERE object_id = :'secret_id' AND kind = 'change' ORDER BY id;
SELECT kind, id, reason FROM hftok.verify() WHERE kind <> 'total' AND id IN (:'id', :'secret_id', :'forgotten');

-- An end that is past is said; so is a line of a file of variables, and not what it holds.
SELECT warnings FROM hftok.save_credential('huggingface', 'hf_canaryCanaryCanaryCanaryCanary0002', p_user_id => 'rita', p_expires_at => '2020-01-01');
SELECT warnings FROM hftok.save_credential('huggingface', 'hf_canaryCanaryCanaryCanaryCanary0002', p_user_id => 'rita', p_expires_at => '2100-01-01');
SELECT warnings FROM hftok.save_credentials('[{"provider": "huggingface", "secret": "odd-canary", "user_id": "rita", "expires_at": "2020-01-01"}]');
SELECT status, warnings FROM hftok.credentials WHERE scope_id = 'rita' AND provider = 'huggingface';
SELECT hftok.save_hf_token('HF_TOKEN=hf_canaryCanaryCanaryCanaryCanary0003', p_user_id => 'rita');
SELECT hftok.save_hf_token('export HF_TOKEN=hf_canaryCanaryCanaryCanaryCanary0003', p_user_id => 'rita');
SELECT hftok.save_credential('openai', ' OPENAI_API_KEY="sk-proj-canary0000000000000001" ', p_user_id => 'rita');
SELECT hftok.create_integration_with_vault('x', 'openai', '{"api_key": "api_key=sk-proj-canary0000000000000001"}', p_user_id => 'rita');
SELECT (hftok.check_credential('huggingface', 'HF_TOKEN=hf_canaryCanaryCanaryCanaryCanary0003')).*;
SELECT (hftok.check_credential('huggingface', 'QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=')).ok;

SELECT count(*) AS quoted FROM hftok_private.secrets s WHERE s::text ~* 'canary';
SELECT count(*) AS quoted FROM hftok_private.integrations i WHERE i::text ~* 'canary';
SELECT credentials FROM hftok.forget_user('rita');
