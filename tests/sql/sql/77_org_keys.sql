-- A data key for an organisation: who gives it, what is sealed with it, who seals and unseals it, and what is left once the organisation
-- is forgotten.

\i tests/sql/include/credentials.sql
SELECT count(hftok.save_credential(provider, 'sk-proj-acme0000000000000001', p_org_id => 'keyed')) AS saved FROM unnest('{openai,openai}'::text[]) provider;
SELECT count(hftok.save_credential('openai', 'sk-proj-other000000000000001', p_org_id => 'unkeyed', p_model => model)) AS saved FROM unnest('{"",gpt}'::text[]) model;
SELECT count(hftok.add_member('keyed', member, role)) AS members FROM (VALUES ('olga', 'owner'), ('adam', 'admin'), ('mia', 'member')) m (member, role);
CREATE FUNCTION pg_temp.sealing() RETURNS TABLE (scope_id text, what text, own boolean) LANGUAGE sql AS $$
    SELECT s.scope_id, 'current ' || s.model, k.org_id = s.scope_id FROM hftok_private.secrets s
    JOIN hftok_private.data_keys k ON k.id = hftok_private.data_key_id(s.sealed) WHERE s.scope = 'org' AND s.scope_id IN ('keyed', 'unkeyed')
    UNION ALL
    SELECT v.scope_id, 'version ' || v.version, k.org_id = v.scope_id FROM hftok_private.secret_versions v
    JOIN hftok_private.data_keys k ON k.id = hftok_private.data_key_id(v.sealed) WHERE v.scope = 'org' AND v.scope_id IN ('keyed', 'unkeyed')
    ORDER BY 1, 2 $$;
SELECT * FROM pg_temp.sealing();

-- None to seal yet, and none that has been given.
SELECT hftok.seal_org('keyed');
SELECT hftok.give_org_key(NULL);
SELECT hftok.give_org_key(' ');
SELECT hftok.give_org_key('keyed') AS key \gset
SELECT count(*) FROM hftok_private.data_keys k WHERE k.id = :key AND k.org_id = 'keyed' AND k.state = 'active';
SELECT hftok.give_org_key('keyed');
SELECT * FROM pg_temp.sealing();
SELECT version FROM hftok.save_credential('openai', 'sk-proj-acme0000000000000002', p_org_id => 'keyed', p_model => 'gpt');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-acme0000000000000003', p_org_id => 'keyed');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-other000000000000002', p_org_id => 'unkeyed');
SELECT * FROM pg_temp.sealing();
SELECT token, source, version FROM hftok.resolve_token('openai', p_org_id => 'keyed');
SELECT token, source FROM hftok.resolve_token('openai', p_org_id => 'keyed', p_version => 2);
-- Bound to its organisation: with another's name it is no key.
BEGIN;
UPDATE hftok_private.data_keys SET org_id = 'unkeyed' WHERE org_id = 'keyed';
SELECT kind, id = :'key' AS is_it, reason LIKE '%does not unwrap' AS named FROM hftok.verify() WHERE reason IS NOT NULL AND kind = 'data key';
ROLLBACK;

-- Its owners shut it, and nobody else; the operator may.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "adam"}';
SELECT hftok.seal_org('keyed');
SET request.jwt.claims = '{"sub": "mia"}';
SELECT hftok.seal_org('keyed');
SET request.jwt.claims = '{"sub": "nobody"}';
SELECT hftok.seal_org('keyed');
SELECT hftok.give_org_key('keyed');
SET request.jwt.claims = '{"sub": "olga"}';
SELECT hftok.seal_org('unkeyed');
SELECT hftok.seal_org('keyed');
SELECT level, outcome, detail FROM hftok.explain_token('openai', p_org_id => 'keyed') WHERE outcome <> 'not_reached' AND outcome <> 'absent';
SELECT hftok.save_credential('openai', 'sk-proj-acme0000000000000004', p_org_id => 'keyed');
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT hftok.resolve_token('openai', p_org_id => 'keyed');
-- Going on is for what its owner allows, and they have sealed it.
SELECT hftok.resolve_token('openai', 'olga', 'keyed');
SELECT source FROM hftok.resolve_token('openai', p_org_id => 'unkeyed');
SELECT hftok.runner_env(p_org_id => 'keyed') ->> 'OPENAI_API_KEY' AS left_out;
SELECT hftok.runner_env('{openai}', p_org_id => 'keyed');
SELECT hftok.previous_token((SELECT secret_id FROM hftok.credentials WHERE scope_id = 'keyed' AND model = ''));
SELECT hftok.seal_org('keyed');
RESET SESSION AUTHORIZATION;
-- What cannot be opened is named; the key itself still unwraps, for nobody to use.
SELECT kind, reason, count(*) FROM hftok.verify() WHERE reason IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2;
SELECT hftok.rotate_root_key() AS rewrapped;
SELECT hftok.unseal_org('keyed');
SELECT source FROM hftok.resolve_token('openai', p_org_id => 'keyed');
SELECT failed FROM hftok.verify() WHERE kind = 'total';

-- Forgotten: its key is gone, and a row that somebody kept opens nowhere.
CREATE TEMP TABLE kept AS SELECT * FROM hftok_private.secrets WHERE scope_id = 'keyed' AND model = '';
SELECT * FROM hftok.forget_org('keyed');
SELECT org_id, state, wrapped IS NULL AS gone, shut_at FROM hftok_private.data_keys WHERE org_id = 'keyed';
SELECT hftok_private.value_fault(id, version, scope, scope_id, provider, model, name, slot, kind, allowed_hosts, expires_at, sealed,
    preview, fingerprint, binding_key) LIKE 'its data key % is missing' AS gone FROM kept;
INSERT INTO hftok_private.secrets SELECT * FROM kept;
SELECT hftok.resolve_token('openai', p_org_id => 'keyed') IS NOT NULL;
DELETE FROM hftok_private.secrets WHERE scope_id = 'keyed';
-- Who comes after under the same name is sealed with the installation's key, until given one.
SELECT version FROM hftok.save_credential('openai', 'sk-proj-acme0000000000000005', p_org_id => 'keyed');
SELECT * FROM pg_temp.sealing();
SELECT failed FROM hftok.verify() WHERE kind = 'total';
SELECT action, outcome, owner_id FROM hftok.audit_events WHERE kind = 'key' AND owner_id = 'keyed' ORDER BY id;
SELECT f.* FROM unnest('{keyed,unkeyed}'::text[]) id, hftok.forget_org(id) f;
\i tests/sql/include/gateway_end.sql
