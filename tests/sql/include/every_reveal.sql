-- A reveal of each kind.
SELECT hftok.get_secret('named');
SELECT decrypted_secret FROM hftok.decrypted_secrets;
SELECT source FROM hftok.resolve_token('openai', 'alice', 'acme');
SELECT hftok.resolve_hf_token('alice');
SELECT hftok.runner_env('{huggingface}', 'alice') IS NOT NULL AS environment;
SELECT hftok.previous_token(secret_id) FROM hftok.credentials WHERE scope = 'org';
SELECT hftok.get_integration_credentials(:'integration', 'alice');
