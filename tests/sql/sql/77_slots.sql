-- Several keys of one owner for one use: their order, their rests, and what is used when one of them cannot be.

\i tests/sql/include/credentials.sql
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_service_role;
CREATE FUNCTION pg_temp.used(p_user text, p_org text DEFAULT NULL, p_slot text DEFAULT '') RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', r.source, quote_literal(r.slot), right(r.token, 2)) FROM hftok.resolve_token('openai', p_user, p_org, p_slot => p_slot) r $$;
CREATE FUNCTION pg_temp.refused(p_user text, p_org text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    RETURN pg_temp.used(p_user, p_org);
EXCEPTION WHEN SQLSTATE 'PT422' THEN
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    RETURN (said::jsonb - 'secret_id' - 'retry_after')::text || CASE WHEN said::jsonb ? 'retry_after'
        THEN ' retry_after ' || (said::jsonb -> 'retry_after')::int / 10 * 10 ELSE '' END;
END
$$;

-- A further key without a usual one; then a usual one, which goes before it; and one that goes before both.
SELECT version FROM hftok.save_credential('openai', 'sk-proj-slots0000000000000s1', p_user_id => 'sam', p_slot => 'second');
SELECT pg_temp.used('sam');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-slots0000000000000u1', p_user_id => 'sam');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-slots0000000000000t1', p_user_id => 'sam', p_slot => 'third');
SELECT slot, position FROM hftok.credentials WHERE scope_id = 'sam' ORDER BY position, slot;
SELECT pg_temp.used('sam'), pg_temp.used('sam', p_slot => 'third') AS third, pg_temp.used('sam', p_slot => 'fourth') AS fourth;
SELECT version FROM hftok.save_credential('openai', 'sk-proj-slots0000000000000f1', p_user_id => 'sam', p_slot => 'first', p_position => 0);
SELECT pg_temp.used('sam');
-- The same is explained, and said beforehand.
SELECT slot, hftok.token_provided('openai', 'sam', p_slot => slot) FROM unnest('{"",third,fourth}'::text[]) slot;
SELECT outcome, slot FROM hftok.explain_token('openai', 'sam', p_slot => 'third') WHERE level = 'user';
SELECT outcome, slot FROM hftok.explain_token('openai', 'sam', p_slot => 'fourth') WHERE level IN ('user', 'environment');
SELECT hftok.explain_token('openai', 'sam', p_slot => E'a\nb');
-- Replacing keeps the place; the view changes it.
SELECT version FROM hftok.save_credential('openai', 'sk-proj-slots0000000000000s2', p_user_id => 'sam', p_slot => 'second');
UPDATE hftok.credentials SET position = 5 WHERE scope_id = 'sam' AND slot = '' RETURNING slot, position;
SELECT slot, position, version FROM hftok.credentials WHERE scope_id = 'sam' ORDER BY position, slot;
SELECT pg_temp.used('sam');
UPDATE hftok.credentials SET position = -1 WHERE scope_id = 'sam';
-- Bad names and places.
SELECT hftok.save_credential('openai', 'sk-proj-slots0000000000000x1', p_user_id => 'sam', p_slot => repeat('s', 65));
SELECT hftok.save_credential('openai', 'sk-proj-slots0000000000000x1', p_user_id => 'sam', p_slot => ' a');
SELECT hftok.save_credential('openai', 'sk-proj-slots0000000000000x1', p_user_id => 'sam', p_slot => E'a\nb');
SELECT hftok.save_credential('openai', 'sk-proj-slots0000000000000x1', p_user_id => 'sam', p_slot => 'a', p_position => -1);
SELECT hftok.resolve_token('openai', 'sam', p_slot => repeat('s', 65));
SELECT n, version FROM hftok.save_credentials('[{"provider": "openai", "secret": "sk-proj-slots0000000000000m1", "user_id": "mila", "slot": "b", "position": 2},
    {"provider": "openai", "secret": "sk-proj-slots0000000000000m2", "user_id": "mila", "slot": "a"}]');
SELECT pg_temp.used('mila');

-- One that rests is passed over, and comes back by itself, by a success, or with another value.
SELECT secret_id AS first FROM hftok.credentials WHERE scope_id = 'sam' AND slot = 'first' \gset
SELECT secret_id AS second FROM hftok.credentials WHERE scope_id = 'sam' AND slot = 'second' \gset
SELECT hftok.report_credential(:'first', 'rate_limited', p_retry_after => 1);
SELECT pg_temp.used('sam'), (SELECT status FROM hftok.credentials WHERE secret_id = :'first');
SELECT pg_sleep(1.1);
SELECT pg_temp.used('sam'), (SELECT status FROM hftok.credentials WHERE secret_id = :'first');
SELECT hftok.report_credential(:'first', 'rate_limited');
SELECT pg_temp.used('sam');
SELECT hftok.report_credential(:'first', 'verified');
SELECT pg_temp.used('sam');
SELECT hftok.report_credential(:'first', 'rate_limited', p_retry_after => 2000000000);
SELECT hftok.report_credential(:'first', 'rate_limited', p_retry_after => 1);
SELECT pg_temp.used('sam');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-slots0000000000000f2', p_user_id => 'sam', p_slot => 'first');
SELECT pg_temp.used('sam');
SELECT hftok.report_credential(:'first', 'rate_limited', p_version => 1);
SELECT pg_temp.used('sam');
SELECT hftok.report_credential(:'first', 'rate_limited', p_retry_after => 0);
SELECT hftok.report_credential(:'first', 'verified', p_retry_after => 5);
SELECT hftok.report_credential(:'first', 'tired');

-- None can be used: the first one's outcome, and the walk goes on only where all of them allow it; to nobody else's by itself.
SELECT version FROM hftok.save_credential('openai', 'sk-proj-slots0000000000000o1', p_org_id => 'slotted', p_slot => 'ours');
SELECT hftok.add_member('slotted', 'sam');
UPDATE hftok.credentials SET enabled = false WHERE scope_id = 'sam';
SELECT pg_temp.refused('sam', 'slotted');
UPDATE hftok.credentials SET on_unusable = 'continue' WHERE scope_id = 'sam' AND slot <> 'third';
SELECT pg_temp.refused('sam', 'slotted');
SELECT level, outcome, detail, slot FROM hftok.explain_token('openai', 'sam', 'slotted') WHERE outcome NOT IN ('absent', 'not_reached');
UPDATE hftok.credentials SET on_unusable = 'continue' WHERE scope_id = 'sam';
SELECT pg_temp.refused('sam', 'slotted');
SELECT level, outcome, detail, slot FROM hftok.explain_token('openai', 'sam', 'slotted') WHERE outcome NOT IN ('absent', 'not_reached');
UPDATE hftok.credentials SET enabled = true, on_unusable = 'stop' WHERE scope_id = 'sam';
-- All rest: so long as the one that rests least.
SELECT count(hftok.report_credential(secret_id, 'rate_limited', p_retry_after => 35 + 100 * position)) FROM hftok.credentials WHERE scope_id = 'sam';
SELECT pg_temp.refused('sam', 'slotted');
SELECT hftok.resolve_hf_token('sam') IS NULL AS other_provider;
SELECT count(hftok.report_credential(secret_id, 'verified')) FROM hftok.credentials WHERE scope_id = 'sam';

-- Users see and change their own; a slot of somebody else's is not there.
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "sam"}';
SELECT slot, position, writable FROM hftok.credentials WHERE scope = 'user' ORDER BY position, slot;
SELECT version FROM hftok.save_credential('openai', 'sk-proj-slots0000000000000y1', p_slot => 'mine');
SELECT hftok.save_credential('openai', 'sk-proj-slots0000000000000y1', p_user_id => 'mila', p_slot => 'mine');
SELECT hftok.delete_credential('openai', p_user_id => 'mila', p_slot => 'a'), hftok.delete_credential('openai', p_slot => 'mine'), hftok.delete_credential('openai', p_slot => 'mine');
SELECT service, api_key FROM hftok.user_api_keys;
SELECT hftok.delete_credential('openai');
SELECT service, api_key FROM hftok.user_api_keys;
SELECT is_configured FROM hftok.provider_overview WHERE provider = 'openai';
SELECT count(*) FROM hftok.provider_secrets WHERE provider = 'openai';
-- Which slots the installation has is for administrators.
SELECT outcome FROM hftok.explain_token('openai', p_levels => '{global}', p_slot => 'any') WHERE level = 'global';
SELECT hftok.token_provided('openai', p_levels => '{global}', p_slot => 'any');
RESET SESSION AUTHORIZATION;
-- Bound: under another slot's name a key does not open, and that stops the walk though others could be used.
SELECT failed FROM hftok.verify() WHERE kind = 'total';
BEGIN;
UPDATE hftok_private.secrets SET slot = 'other' WHERE id = :'first';
SELECT kind, id = :'first' AS is_it, reason FROM hftok.verify() WHERE reason IS NOT NULL AND kind = 'secret';
SELECT pg_temp.refused('sam');
ROLLBACK;
BEGIN;
UPDATE hftok_private.secrets SET position = 9 WHERE id = :'first';
SELECT kind, id = :'first' AS is_it, reason FROM hftok.verify() WHERE reason IS NOT NULL;
ROLLBACK;
-- One use has so many slots and no more, wherever they are; and the last place has none behind it.
DO $$
BEGIN
    FOR n IN 1 .. 101 LOOP
        PERFORM hftok.save_credential('openai', 'sk-proj-slots0000000000000d1', p_user_id => 'mila', p_model => 'many', p_slot => n::text, p_position => 1000000);
    END LOOP;
EXCEPTION WHEN SQLSTATE 'PT413' THEN
    RAISE WARNING '%', SQLERRM;
END
$$;
SELECT hftok.save_credential('openai', 'sk-proj-slots0000000000000l1', p_org_id => 'slotted', p_slot => 'last', p_position => 1000000) IS NOT NULL AS saved;
SELECT hftok.save_credential('openai', 'sk-proj-slots0000000000000l2', p_org_id => 'slotted', p_slot => 'behind') IS NOT NULL AS saved;
UPDATE hftok.credentials SET label = 'changed' WHERE scope_id = 'slotted' AND slot = 'behind' RETURNING position, label;
DROP FUNCTION pg_temp.refused, pg_temp.used;
SELECT f.* FROM unnest('{sam,mila}'::text[]) id, hftok.forget_user(id) f;
SELECT * FROM hftok.forget_org('slotted');
\i tests/sql/include/gateway_end.sql
