-- The version before the current one, where a credential is switched off: refused by the level of the walk that it is for.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT count(*) FROM (VALUES
    ('{"provider": "groq", "secret": "groq-key-of-dave-%s", "user_id": "dave"}'),
    ('{"provider": "groq", "secret": "groq-key-of-dave-%s", "user_id": "dave", "model": "m"}'),
    ('{"provider": "groq", "secret": "groq-key-of-acme-%s", "org_id": "acme"}'),
    ('{"provider": "groq", "secret": "groq-key-of-acme-%s", "org_id": "acme", "model": "m"}'),
    ('{"provider": "groq", "secret": "groq-key-of-all-%s", "global": true}'),
    ('{"provider": "groq", "secret": "groq-key-of-all-%s", "global": true, "model": "m"}')) AS g (given),
    generate_series(1, 2) v, hftok.save_credentials(jsonb_build_array(format(given, v)::jsonb));
UPDATE hftok.credentials SET enabled = false WHERE provider = 'groq';
CREATE FUNCTION pg_temp.refused(secret uuid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    PERFORM hftok.previous_token(secret);
    RETURN 'given out';
EXCEPTION WHEN SQLSTATE 'PT422' THEN
    GET STACKED DIAGNOSTICS told = PG_EXCEPTION_DETAIL;
    RETURN replace(told, secret::text, '<id>');
END
$$;
SELECT scope, model, pg_temp.refused(secret_id) FROM hftok.credentials WHERE provider = 'groq' ORDER BY scope, model;
DELETE FROM hftok.credentials WHERE provider = 'groq';

-- Previous versions of an integration are no way around its being switched off, by its owner or by the backend.
SELECT hftok.create_integration_with_vault('n', 'groq', 'groq-key-of-dave-1', p_user_id => 'dave') AS integration \gset
SELECT hftok.update_integration_credentials(:'integration', 'groq-key-of-dave-2', 'dave');
SELECT secret_id AS secret FROM hftok.integrations WHERE id = :'integration' \gset
SELECT hftok.previous_token(:'secret');
SELECT hftok.update_integration(:'integration', p_enabled => false, p_user_id => 'dave');
SELECT pg_temp.refused(:'secret');
SELECT hftok.update_integration(:'integration', p_enabled => true, p_user_id => 'dave');
SELECT hftok.update_integration_status(:'integration', 'disabled', p_user_id => 'dave');
SELECT pg_temp.refused(:'secret');
SELECT hftok.update_integration_status(:'integration', 'connected', p_user_id => 'dave');
SELECT hftok.previous_token(:'secret');
SELECT credentials, integrations FROM hftok.forget_user('dave');
