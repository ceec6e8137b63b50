-- Tokens of workers: each gives what runner_env() gives for the request that it stands for, until it is revoked or over.

\i tests/sql/include/credentials.sql
SET client_min_messages = warning;
SELECT count(hftok.save_hf_token('hf_00000000000000000000000000000000a9', p_global => true)) AS globals;
SELECT version FROM hftok.save_hf_token('hf_00000000000000000000000000000000a1', p_user_id => 'alice');
SELECT hftok.add_member('acme', 'alice', 'owner');
CALL pg_temp.await_audit();
SELECT max(id) AS since FROM hftok.audit_events \gset

-- A token is shown once. Its form is recognised by whoever looks for leaked secrets; the table has its hash.
SELECT id AS one, token AS token_one FROM hftok.create_runner_token('alice''s worker', '{huggingface}', 'alice') \gset
SELECT id AS two, token AS token_two FROM hftok.create_runner_token(p_label => 'everybody''s', p_providers => '{huggingface,openai}', p_levels => '{global}') \gset
SELECT :'token_one' ~ '^hftok_runner_[A-Za-z0-9_-]{43}$' AS has_its_form, :'token_one' <> :'token_two' AS differ,
    t.token_hash = sha256(convert_to(:'token_one', 'UTF8')) AS is_hashed, t::text ~ 'hftok_runner_' AS is_kept
FROM hftok_private.runner_tokens t WHERE t.id = :'one';
SELECT label, providers, user_id, org_id, model, levels, created_at IS NOT NULL AS made, expires_at, revoked_at FROM hftok.runner_tokens ORDER BY label;

-- What each gives.
SELECT hftok.runner_environment(:'token_one');
SELECT hftok.runner_environment(:'token_two');
SELECT hftok.check_runner_token(:'token_one') = :'one' AS is_one;

-- What is shown and is none has one answer, whatever is wrong with it.
DO $$
DECLARE
    shown text;
    detail text;
BEGIN
    FOREACH shown IN ARRAY ARRAY['', 'hftok_runner_', 'hftok_runner_' || repeat('A', 43), 'hf_00000000000000000000000000000000a1'] LOOP
        BEGIN
            PERFORM hftok.runner_environment(shown);
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
            RAISE WARNING '% % %', SQLSTATE, SQLERRM, detail;
        END;
    END LOOP;
END
$$;
SELECT hftok.runner_environment(NULL);

-- Its state is another one once it would give something else, and only then.
CREATE TEMP TABLE states (n int, id uuid, state text);
INSERT INTO states SELECT 1, s.* FROM hftok.runner_states(ARRAY[:'one', :'two', gen_random_uuid(), NULL]::uuid[]) s;
UPDATE hftok.credentials SET label = 'told apart by nothing' WHERE scope_id = 'alice' AND provider = 'huggingface';
INSERT INTO states SELECT 2, s.* FROM hftok.runner_states(ARRAY[:'one', :'two']::uuid[]) s;
SELECT version FROM hftok.save_hf_token('hf_00000000000000000000000000000000b1', p_user_id => 'alice');
INSERT INTO states SELECT 3, s.* FROM hftok.runner_states(ARRAY[:'one', :'two']::uuid[]) s;
UPDATE hftok.credentials SET enabled = false WHERE scope = 'global' AND provider = 'huggingface';
INSERT INTO states SELECT 4, s.* FROM hftok.runner_states(ARRAY[:'one', :'two']::uuid[]) s;
SELECT n, CASE id WHEN :'one' THEN 'one' ELSE 'two' END AS token, state = lag(state) OVER (PARTITION BY id ORDER BY n) AS as_before,
    length(state) AS length
FROM states ORDER BY 2, 1;
SELECT hftok.runner_environment(:'token_one');
-- A provider that is named must be usable.
SELECT hftok.runner_environment(:'token_two');
UPDATE hftok.credentials SET enabled = true WHERE scope = 'global' AND provider = 'huggingface';
SELECT hftok.runner_states(NULL);
SELECT hftok.runner_states(array_fill(gen_random_uuid(), ARRAY[10001]));

-- Revoked and over. It is not brought back by taking the mark away.
SELECT hftok.revoke_runner_token(:'two') AS revoked, hftok.revoke_runner_token(:'two') AS again, hftok.revoke_runner_token(gen_random_uuid()) AS another;
SELECT hftok.runner_environment(:'token_two');
SELECT count(*) AS states FROM hftok.runner_states(ARRAY[:'two']::uuid[]);
UPDATE hftok_private.runner_tokens SET revoked_at = NULL WHERE id = :'two';
SELECT hftok.runner_environment(:'token_two');
SELECT kind, id = :'two' AS is_two, reason FROM hftok.verify() WHERE reason IS NOT NULL;
DELETE FROM hftok_private.runner_tokens WHERE id = :'two';
-- Put back whole, as it was before: it is signed, and the audit knows better.
SELECT id AS back, token AS token_back FROM hftok.create_runner_token('put back', '{huggingface}', 'alice') \gset
CREATE TEMP TABLE kept AS SELECT * FROM hftok_private.runner_tokens WHERE id = :'back';
SELECT hftok.revoke_runner_token(:'back') AS revoked;
DELETE FROM hftok_private.runner_tokens WHERE id = :'back';
INSERT INTO hftok_private.runner_tokens SELECT * FROM kept;
SELECT kind, id = :'back' AS is_back, reason FROM hftok.verify() WHERE reason IS NOT NULL;
DELETE FROM hftok_private.runner_tokens WHERE id = :'back';
SELECT token AS token_three, id AS three FROM hftok.create_runner_token('short', '{huggingface}', 'alice', p_expires_at => clock_timestamp() + interval '1 s') \gset
SELECT pg_sleep(1.1);
SELECT hftok.runner_environment(:'token_three');
SELECT hftok.check_runner_token(:'token_three');
SELECT count(*) AS states FROM hftok.runner_states(ARRAY[:'three']::uuid[]);

-- Edited: whoever can write to the table lengthens no time and widens no request.
UPDATE hftok_private.runner_tokens SET expires_at = NULL WHERE id = :'three';
SELECT hftok.runner_environment(:'token_three');
UPDATE hftok_private.runner_tokens SET user_id = 'bob' WHERE id = :'one';
SELECT hftok.runner_environment(:'token_one');
UPDATE hftok_private.runner_tokens SET user_id = 'alice', label = 'another label is nothing' WHERE id = :'one';
SELECT hftok.runner_environment(:'token_one') ->> 'HF_TOKEN' AS value;
DELETE FROM hftok_private.runner_tokens WHERE id = :'three';

-- What cannot be.
SELECT hftok.create_runner_token(NULL);
SELECT hftok.create_runner_token('  ');
SELECT hftok.create_runner_token('x', '{}');
SELECT hftok.create_runner_token('x', '{unheard of}');
SELECT hftok.create_runner_token('x', '{openai,NULL}');
SELECT hftok.create_runner_token('x', p_user_id => '');
SELECT hftok.create_runner_token('x', p_levels => '{mine}');
SELECT hftok.create_runner_token('x', p_expires_at => now() - interval '1 second');
INSERT INTO hftok.runner_tokens (id) VALUES (gen_random_uuid());
UPDATE hftok.runner_tokens SET user_id = 'bob';

-- The audit has whose token was made and revoked, and who was given a value: the token, by its id.
CALL pg_temp.await_audit();
SELECT kind, action, outcome, owner_scope, owner_id, object_id IN (:'one', :'two', :'three') AS is_token
FROM hftok.audit_events WHERE id > :since AND kind = 'change' AND action ~ 'runner' ORDER BY id;
SELECT kind, outcome, provider, level, owner_id, CASE subject WHEN 'runner:' || :'one' THEN 'one' WHEN 'runner:' || :'two' THEN 'two' END AS recipient, actor_user
FROM hftok.audit_events WHERE id > :since AND kind = 'reveal' AND action = 'runner_environment' ORDER BY id;
SELECT action, outcome, sum(count) AS refusals FROM hftok.audit_events WHERE id > :since AND kind = 'refusal' AND action ~ 'runner' GROUP BY 1, 2 ORDER BY 1, 2;

-- Whoever is forgotten leaves no token behind.
SELECT token AS token_four FROM hftok.create_runner_token('of the organisation', '{huggingface}', 'alice', 'acme') \gset
SELECT * FROM hftok.forget_org('acme');
SELECT hftok.runner_environment(:'token_four');
SELECT label FROM hftok.runner_tokens;
SELECT * FROM hftok.forget_user('alice');
SELECT hftok.runner_environment(:'token_one');
SELECT count(*) AS tokens FROM hftok.runner_tokens;
SELECT kind, reason, failed FROM hftok.verify() WHERE reason IS NOT NULL OR kind = 'total';

DELETE FROM hftok.credentials;
\i tests/sql/include/gateway_end.sql
