-- tokens_provided(): a boolean a level; and p_unknown, for code that asks for whatever a model's provider is called.

\i tests/sql/include/credentials.sql
SELECT count(hftok.save_hf_token(p_token => 'hf_00000000000000000000000000000000a9', p_global => true)) AS globals;
SELECT count(hftok.save_hf_token('hf_00000000000000000000000000000000a1', p_user_id => 'alice')) AS of_alice,
    count(hftok.save_hf_token('hf_00000000000000000000000000000000a2', p_org_id => 'acme')) AS of_acme,
    count(hftok.save_credential('huggingface', 'hf_00000000000000000000000000000000a3', p_user_id => 'alice', p_slot => 'spare')) AS spare,
    count(hftok.add_member('acme', 'bob')) AS members;

-- Each level by itself: neither the first that serves ends it, nor one that cannot be used.
SELECT * FROM hftok.tokens_provided('huggingface', 'alice');
UPDATE hftok.credentials SET enabled = false WHERE scope_id = 'alice' AND slot = '';
SELECT string_agg(level, ' ') AS provided FROM hftok.tokens_provided('huggingface', 'alice') WHERE provided;
UPDATE hftok.credentials SET enabled = false WHERE scope_id = 'alice';
SELECT string_agg(level, ' ') AS provided FROM hftok.tokens_provided('huggingface', 'alice') WHERE provided;
-- A member is served by the organisation, and another is not.
SELECT string_agg(level, ' ') AS provided FROM hftok.tokens_provided('huggingface', 'bob', 'acme') WHERE provided;
SELECT string_agg(level, ' ') AS provided FROM hftok.tokens_provided('huggingface', 'alice', 'acme') WHERE provided;
-- Levels that are not asked are there, and provide nothing. A host and a slot count as in a walk.
SELECT string_agg(level, ' ') FILTER (WHERE provided) AS provided, count(*) AS levels FROM hftok.tokens_provided('huggingface', p_levels => '{environment,user}');
SELECT string_agg(level, ' ') FILTER (WHERE provided) AS provided FROM hftok.tokens_provided('huggingface', p_host => 'evil.example');
SELECT string_agg(level, ' ') FILTER (WHERE provided) AS provided FROM hftok.tokens_provided('huggingface', p_slot => 'spare');
SELECT * FROM hftok.tokens_provided('huggingface', p_levels => '{nowhere}');
-- It is answered level by level what token_provided() answers of one.
SELECT count(*) AS levels, count(*) FILTER (WHERE t.provided IS DISTINCT FROM hftok.token_provided('huggingface', u.name, 'acme', p_levels => ARRAY[t.level])) AS otherwise
FROM unnest('{alice,bob,nobody}'::text[]) AS u (name), hftok.tokens_provided('huggingface', u.name, 'acme') t;

-- A user sees that the installation pays, and of others nothing. Further keys of the installation are for administrators.
SELECT count(hftok.save_credential('huggingface', 'hf_00000000000000000000000000000000a4', p_global => true, p_slot => 'spare')) AS another;
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "bob"}';
SELECT string_agg(level, ' ') AS provided FROM hftok.tokens_provided('huggingface') WHERE provided;
SELECT string_agg(level, ' ') FILTER (WHERE provided) AS provided, count(*) AS levels FROM hftok.tokens_provided('huggingface', p_slot => 'spare');
SELECT * FROM hftok.tokens_provided('huggingface', 'alice');
SELECT * FROM hftok.tokens_provided('no provider', 'alice', p_unknown => 'none');
SELECT * FROM hftok.tokens_provided('no provider', p_unknown => 'none') WHERE provided;

-- A provider that does not exist, as the caller wants it.
SELECT hftok.token_provided('ollama');
SELECT hftok.token_provided('ollama', p_unknown => 'none');
SELECT hftok.token_provided('ollama', p_unknown => 'nothing');
SELECT hftok.token_provided('ollama', p_unknown => NULL);
SELECT hftok.token_provided(NULL, p_unknown => 'none');
SELECT level, outcome, secret_id, preview, detail, slot FROM hftok.explain_token('ollama', p_levels => '{user,global,environment}', p_unknown => 'none');
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT * FROM hftok.resolve_token('ollama', 'alice', p_unknown => 'none');
SELECT * FROM hftok.resolve_token('ollama', 'alice', p_host => 'evil.example', p_version => 7, p_unknown => 'none');
SELECT source FROM hftok.resolve_token('huggingface', 'bob', p_unknown => 'none');
-- All else is still refused.
SELECT hftok.resolve_token('ollama', ' ', p_unknown => 'none');
SELECT hftok.resolve_token('ollama', p_levels => '{nowhere}', p_unknown => 'none');
SELECT hftok.resolve_token('huggingface', 'alice', p_unknown => 'none');

RESET SESSION AUTHORIZATION;
RESET ROLE;
DELETE FROM hftok.credentials;
SELECT count(*) AS users FROM unnest('{alice,bob}'::text[]) name, hftok.forget_user(name);
SELECT count(*) AS orgs FROM hftok.forget_org('acme');
\i tests/sql/include/gateway_end.sql
