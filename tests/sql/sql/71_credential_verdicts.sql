-- Verdicts of a provider on a credential, reported by the backend.

\i tests/sql/include/credentials.sql

-- Verdicts. Refused once, an unverified one is invalid; verified heals it.
SELECT secret_id AS id FROM hftok.save_credential('groq', 'groq-key-of-alice-1', p_user_id => 'alice') \gset
CREATE TEMP VIEW verdict AS SELECT status, last_verified_at IS NOT NULL AS verified_once FROM hftok.credentials WHERE provider = 'groq' AND scope_id = 'alice';
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'invalid', 'revoked');
SELECT * FROM verdict;
SELECT hftok.token_provided('groq', 'alice');
SELECT hftok.report_credential(:'id', 'indeterminate', 'rate limited');
SELECT * FROM verdict;
SELECT verdict, verdict_message, refusals FROM hftok_private.secrets WHERE id = :'id';
SELECT hftok.report_credential(p_secret_id => :'id', p_verdict => 'verified', p_message => NULL, p_version => NULL);
SELECT * FROM verdict;
SELECT hftok.token_provided('groq', 'alice');
-- Verified, it stays so by one refusal and falls by the second, whatever is indeterminate in between; verified in between begins anew.
SELECT hftok.report_credential(:'id', 'invalid');
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'indeterminate') FROM generate_series(1, 5);
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'verified'), hftok.report_credential(:'id', 'invalid');
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'invalid');
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'verified');
SELECT * FROM verdict;
-- Indeterminate of one that was never asked.
SELECT hftok.report_credential(secret_id, 'indeterminate') FROM hftok.save_credential('together', 'together-key-of-alice', p_user_id => 'alice');
SELECT status, last_verified_at FROM hftok.credentials WHERE provider = 'together';
-- About another version than the current one: ignored. Replaced, it is unverified.
SELECT version FROM hftok.save_credential('groq', 'groq-key-of-alice-2', p_user_id => 'alice');
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'invalid', p_version => 1), hftok.report_credential(:'id', 'verified', p_version => 3);
SELECT * FROM verdict;
SELECT hftok.report_credential(:'id', 'invalid', p_version => 2);
SELECT * FROM verdict;
-- NULL and an unknown id do nothing; a named secret is not reached.
SELECT hftok.report_credential(NULL, 'invalid');
SELECT hftok.report_credential(gen_random_uuid(), 'invalid');
SELECT hftok.report_credential(hftok.create_secret('value', 'not a credential'), 'invalid');
SELECT count(*) AS touched FROM hftok_private.secrets WHERE scope = 'vault' AND verdict IS NOT NULL;
DELETE FROM hftok.decrypted_secrets;
SELECT hftok.report_credential(:'id', 'refused');
SELECT hftok.report_credential(:'id', NULL);
SELECT hftok.report_credential(:'id', 'verified');

SELECT * FROM hftok.forget_user('alice');
\i tests/sql/include/gateway_end.sql
