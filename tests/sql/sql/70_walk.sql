-- The walk, cell by cell: docs/the-walk.md written down once more as a small model in SQL, and compared with what
-- resolve_token, explain_token and token_provided answer. First every state of every level by itself, then everything at
-- once, chosen by a hash and so the same on every run. At the end the model is broken, rule by rule: each must be noticed.

\set VERBOSITY terse
\i tests/sql/include/gateway_login.sql
DROP ROLE IF EXISTS regress_walker;
CREATE ROLE regress_walker IN ROLE hftok_user;
GRANT regress_walker TO authenticator;
GRANT EXECUTE ON FUNCTION hftok_private.gateways() TO authenticator;
SELECT 'authenticator' = ANY (gateways) AS is_gateway, sealed FROM hftok.status();

-- A provider of our own, so that no variable of the server's environment serves it.
SELECT hftok.register_provider('{"id": "walk", "label": "Walk", "fields": [{"name": "key", "secret": true}],
    "hosts": ["api.walk.example", "*.cloud.walk.example", "sts.*.walk.example"]}');
SELECT current_setting('hftok.environment') ~ '(^|;) *walk *=' AS walk_has_a_variable;

CREATE TYPE pg_temp.cell AS (
    stored boolean, disabled boolean, expires text, verdict text, hosts text[], damaged boolean, on_unusable text, resting boolean
);
CREATE TEMP TABLE scenarios (
    n int PRIMARY KEY,
    -- Whether the user that is named belongs to the organisation; nobody: none is named.
    person text NOT NULL CHECK (person IN ('member', 'stranger', 'nobody')),
    org boolean NOT NULL,
    model boolean NOT NULL,
    host text,
    levels text[],
    -- user_model, org_model, global_model, user, org, global
    cells cell[] NOT NULL CHECK (cardinality(cells) = 6)
);

CREATE FUNCTION pg_temp.cell(state text, on_unusable text) RETURNS cell LANGUAGE sql AS $$
    SELECT (state <> 'absent', state = 'disabled', CASE state WHEN 'expired' THEN 'past' ELSE 'never' END,
        CASE state WHEN 'invalid' THEN 'invalid' ELSE 'none' END, CASE state WHEN 'restricted' THEN '{own.example}'::text[] END,
        state = 'damaged', on_unusable, state = 'resting')::cell
$$;

-- Every state of every level, by on_unusable, by who is named, by host: the levels before it have nothing, those behind it would do.
CREATE TEMP TABLE single AS
SELECT row_number() OVER (ORDER BY level, state, on_unusable, person, host)::int AS n, level, state, on_unusable, person, host
FROM generate_series(1, 6) level,
    unnest('{absent,usable,expired,disabled,invalid,resting,restricted,damaged}'::text[]) state,
    unnest('{stop,continue}'::text[]) on_unusable,
    unnest('{member,stranger,nobody}'::text[]) person,
    unnest('{NULL,api.walk.example,evil.example,own.example}'::text[]) host;
INSERT INTO scenarios
SELECT s.n, s.person, true, true, s.host, NULL, ARRAY(
    SELECT CASE WHEN l < s.level THEN pg_temp.cell('absent', 'stop') WHEN l > s.level THEN pg_temp.cell('usable', 'stop')
        ELSE pg_temp.cell(s.state, s.on_unusable) END
    FROM generate_series(1, 6) l ORDER BY l)
FROM single s;

-- Everything at once. chance(n, what) is between 0 and 99.
CREATE FUNCTION pg_temp.chance(n int, what text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT mod(('x' || left(md5(format('%s of %s', what, n)), 7))::bit(28)::int, 100)
$$;
INSERT INTO scenarios
SELECT n,
    CASE WHEN chance.person < 60 THEN 'member' WHEN chance.person < 80 THEN 'stranger' ELSE 'nobody' END,
    pg_temp.chance(n, 'org') < 80,
    pg_temp.chance(n, 'model') < 75,
    CASE WHEN pg_temp.chance(n, 'host?') < 80 THEN hosts.list[1 + mod(pg_temp.chance(n, 'host'), cardinality(hosts.list))] END,
    CASE WHEN pg_temp.chance(n, 'levels') < 40 THEN ARRAY(
        SELECT l FROM unnest('{global,user,environment,org_model,user_model,org,global_model,user}'::text[]) l
        WHERE pg_temp.chance(n, 'level ' || l) < 65) END,
    ARRAY(
        SELECT (pg_temp.chance(n, 'stored ' || l) < 75, pg_temp.chance(n, 'disabled ' || l) < 12,
            CASE WHEN pg_temp.chance(n, 'expires ' || l) < 12 THEN 'past' WHEN pg_temp.chance(n, 'expires ' || l) < 30 THEN 'future' ELSE 'never' END,
            CASE WHEN pg_temp.chance(n, 'verdict ' || l) < 12 THEN 'invalid' WHEN pg_temp.chance(n, 'verdict ' || l) < 40 THEN 'verified' ELSE 'none' END,
            CASE WHEN pg_temp.chance(n, 'hosts ' || l) < 12 THEN '{other.example,own.example}'::text[]
                WHEN pg_temp.chance(n, 'hosts ' || l) < 18 THEN '{api.walk.example}'
                WHEN pg_temp.chance(n, 'hosts ' || l) < 22 THEN '{*.own.example}'
                WHEN pg_temp.chance(n, 'hosts ' || l) < 25 THEN '{}' END,
            pg_temp.chance(n, 'damaged ' || l) < 8,
            CASE WHEN pg_temp.chance(n, 'on_unusable ' || l) < 70 THEN 'continue' ELSE 'stop' END, pg_temp.chance(n, 'resting ' || l) < 12)::cell
        FROM generate_series(1, 6) l ORDER BY l)
FROM generate_series(10001, 12000) n, LATERAL (SELECT pg_temp.chance(n, 'person') AS person) chance,
    (SELECT '{api.walk.example,api.walk.example,API.Walk.Example,api.walk.example.,api.walk.example:443,api.walk.example.:443,api.walk.example:8443,
        api.walk.example/,https://api.walk.example,x@api.walk.example,eu.cloud.walk.example,a.b.CLOUD.walk.example,cloud.walk.example,
        xcloud.walk.example,a..cloud.walk.example,.cloud.walk.example,evil.example/.cloud.walk.example,sts.eu.walk.example,sts.walk.example,
        sts.a.b.walk.example,own.example,OWN.example,x.own.example,walk.example,evil.example,""," "}'::text[] AS list) hosts;

\i tests/sql/include/walk_model.sql

-- Answers of the walk.
CREATE TEMP TABLE answers (
    n int PRIMARY KEY,
    ids uuid[],
    outcomes text[], named text[], shown_ids uuid[], previews boolean[], details text[],
    source text, token text, secret_id uuid, version int, expires boolean, stopped text, stopped_id uuid,
    provided boolean,
    own_error text, own_outcomes text[], own_ids uuid[], own_previews boolean[], own_provided boolean
);
CREATE PROCEDURE pg_temp.play(s scenarios) LANGUAGE plpgsql AS $$
DECLARE
    names text[] := '{user_model,org_model,global_model,user,org,global}';
    person text := CASE WHEN s.person <> 'nobody' THEN 'user ' || s.n END;
    org text := CASE WHEN s.org THEN 'org ' || s.n END;
    model text := CASE WHEN s.model THEN 'model ' || s.n END;
    a answers;
    c cell;
    r hftok.resolved_token;
    id uuid;
    detail jsonb;
BEGIN
    a.n := s.n;
    FOR i IN 1 .. 6 LOOP
        c := s.cells[i];
        CONTINUE WHEN NOT c.stored;
        SELECT secret_id INTO id FROM hftok.save_credential('walk', format('key-%s-%s', s.n, names[i]),
            p_model => CASE WHEN i < 4 THEN 'model ' || s.n END, p_user_id => CASE WHEN i IN (1, 4) THEN 'user ' || s.n END,
            p_org_id => CASE WHEN i IN (2, 5) THEN 'org ' || s.n END, p_global => i IN (3, 6),
            p_expires_at => CASE c.expires WHEN 'past' THEN now() - interval '1 hour' WHEN 'future' THEN now() + interval '1 hour' END,
            p_allowed_hosts => c.hosts, p_on_unusable => c.on_unusable);
        a.ids[i] := id;
        IF c.disabled THEN
            UPDATE hftok.credentials SET enabled = false WHERE secret_id = id;
        END IF;
        IF c.verdict <> 'none' THEN
            PERFORM hftok.report_credential(id, c.verdict);
        END IF;
        IF c.resting THEN
            PERFORM hftok.report_credential(id, 'rate_limited', p_retry_after => 3600);
        END IF;
        -- In one of three ways.
        IF c.damaged THEN
            UPDATE hftok_private.secrets t SET
                sealed = CASE mod(s.n, 3) WHEN 0 THEN set_byte(sealed, length(sealed) - 1, get_byte(sealed, length(sealed) - 1) # 1)
                    WHEN 1 THEN overlay(sealed PLACING '\x00000001' FROM 2 FOR 4) ELSE sealed END,
                version = CASE mod(s.n, 3) WHEN 2 THEN 2 ELSE 1 END
            WHERE t.id = a.ids[i];
        END IF;
    END LOOP;
    PERFORM hftok.add_member('org ' || s.n, 'user ' || s.n) WHERE s.person = 'member';
    PERFORM hftok.add_member('org ' || s.n, 'another');

    BEGIN
        r := hftok.resolve_token('walk', person, org, model, s.host, s.levels);
        a.source := r.source;
        a.token := r.token;
        a.secret_id := r.secret_id;
        a.version := r.version;
        a.expires := r.expires_at IS NOT NULL;
    EXCEPTION WHEN SQLSTATE 'PT422' THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
        a.source := 'none';
        a.stopped := format('%s at %s', detail ->> 'outcome', detail ->> 'level');
        a.stopped_id := detail ->> 'secret_id';
    END;
    SELECT array_agg(e.level), array_agg(e.outcome), array_agg(e.secret_id), array_agg(e.preview IS NOT NULL), array_agg(e.detail)
    INTO a.named, a.outcomes, a.shown_ids, a.previews, a.details
    FROM hftok.explain_token('walk', person, org, model, s.host, s.levels) e;
    a.provided := hftok.token_provided('walk', person, org, model, s.host, s.levels);

    -- The same, asked by the user: under the gateway, with a JWT, every other time without naming themselves.
    IF s.person <> 'nobody' THEN
        SET LOCAL SESSION AUTHORIZATION authenticator;
        SET LOCAL ROLE regress_walker;
        PERFORM set_config('request.jwt.claims', json_build_object('sub', person)::text, true);
        BEGIN
            SELECT array_agg(e.outcome), array_agg(e.secret_id), array_agg(e.preview IS NOT NULL)
            INTO a.own_outcomes, a.own_ids, a.own_previews
            FROM hftok.explain_token('walk', CASE mod(s.n, 2) WHEN 0 THEN person END, org, model, s.host, s.levels) e;
            a.own_provided := hftok.token_provided('walk', CASE mod(s.n, 2) WHEN 0 THEN person END, org, model, s.host, s.levels);
        EXCEPTION WHEN SQLSTATE 'PT404' THEN
            a.own_error := SQLSTATE;
        END;
        PERFORM set_config('request.jwt.claims', '', true);
        RESET ROLE;
        RESET SESSION AUTHORIZATION;
    END IF;
    -- The one level that scenarios would share.
    PERFORM hftok.delete_credential('walk', p_global => true);
    INSERT INTO answers VALUES (a.*);
END
$$;
DO $$
DECLARE
    s scenarios;
BEGIN
    FOR s IN SELECT * FROM scenarios ORDER BY n LOOP
        CALL pg_temp.play(s);
        COMMIT;
    END LOOP;
END
$$;

-- The rules, and what of an answer differs from them.
CREATE FUNCTION pg_temp.differences(broken text) RETURNS TABLE (n int, what text, expected text, answered text) LANGUAGE sql AS $$
    SELECT s.n, d.what, d.expected, d.answered
    FROM scenarios s JOIN answers a USING (n), LATERAL pg_temp.model(s, broken) m,
    LATERAL (SELECT array_position('{user_model,org_model,global_model,user,org,global}', m.source) AS used,
        array_position('{user_model,org_model,global_model,user,org,global}', split_part(m.stopped, ' at ', 2)) AS stop,
        -- A level shows its credential when it was looked at and had one.
        ARRAY(SELECT CASE WHEN m.outcomes[l] NOT IN ('absent', 'not_reached') THEN a.ids[l] END FROM generate_series(1, 7) l ORDER BY l) AS ids,
        ARRAY(SELECT CASE WHEN m.outcomes[l] NOT IN ('absent', 'not_reached') AND l NOT IN (3, 6) THEN a.ids[l] END
            FROM generate_series(1, 7) l ORDER BY l) AS own_ids,
        s.org AND s.person = 'stranger' AS foreign_org) x,
    LATERAL (VALUES
        ('levels', '{user_model,org_model,global_model,user,org,global,environment}', a.named::text),
        ('outcomes', m.outcomes::text, a.outcomes::text),
        ('source', m.source, a.source),
        ('token', CASE WHEN x.used > 0 THEN format('key-%s-%s', s.n, m.source) END, a.token),
        ('secret_id', a.ids[x.used]::text, a.secret_id::text),
        ('version', CASE WHEN x.used > 0 THEN '1' END, a.version::text),
        ('expires_at', coalesce((s.cells[x.used]).expires = 'future', false)::text, coalesce(a.expires, false)::text),
        ('stopped', m.stopped, a.stopped),
        ('stopped by', a.ids[x.stop]::text, a.stopped_id::text),
        ('token_provided', (m.source <> 'none')::text, a.provided::text),
        ('ids shown', x.ids::text, a.shown_ids::text),
        ('previews shown', ARRAY(SELECT i IS NOT NULL FROM unnest(x.ids) WITH ORDINALITY u (i, l) ORDER BY l)::text, a.previews::text),
        ('details', ARRAY(
            SELECT CASE WHEN o IN ('used', 'absent', 'not_reached') THEN 'none'
                WHEN m.stopped = o || ' at ' || (a.named)[l] THEN 'stops' ELSE 'goes on' END
            FROM unnest(m.outcomes) WITH ORDINALITY u (o, l) ORDER BY l)::text,
            ARRAY(SELECT CASE WHEN d IS NULL THEN 'none' WHEN d ~ 'stops here$|changed outside' THEN 'stops' WHEN d = 'its owner allows going on' THEN 'goes on' END
                FROM unnest(a.details) WITH ORDINALITY u (d, l) ORDER BY l)::text),
        ('the user''s: error', CASE WHEN x.foreign_org THEN 'PT404' END, a.own_error),
        ('the user''s: outcomes', CASE WHEN s.person <> 'nobody' AND NOT x.foreign_org THEN m.outcomes END::text, a.own_outcomes::text),
        ('the user''s: ids', CASE WHEN s.person <> 'nobody' AND NOT x.foreign_org THEN x.own_ids END::text, a.own_ids::text),
        ('the user''s: previews', CASE WHEN s.person <> 'nobody' AND NOT x.foreign_org
            THEN ARRAY(SELECT i IS NOT NULL FROM unnest(x.own_ids) WITH ORDINALITY u (i, l) ORDER BY l) END::text, a.own_previews::text),
        ('the user''s: token_provided', CASE WHEN s.person <> 'nobody' AND NOT x.foreign_org THEN m.source <> 'none' END::text, a.own_provided::text)
    ) d (what, expected, answered)
    WHERE d.expected IS DISTINCT FROM d.answered
$$;
SELECT count(*) AS scenarios, count(*) FILTER (WHERE n <= 1152) AS one_cell, count(DISTINCT (s.person, s.org, s.model, s.host, s.levels, s.cells)) AS distinct
FROM scenarios s JOIN answers a USING (n);
SELECT * FROM pg_temp.differences('') ORDER BY n, what LIMIT 50;

-- Every cell was looked at, not merely set up: the walk came to it.
SELECT state, on_unusable, count(*) AS scenarios, count(DISTINCT level) AS levels, count(DISTINCT (level, person)) AS levels_by_person,
    count(DISTINCT (level, person, host)) AS and_by_host
FROM single JOIN answers USING (n) WHERE outcomes[level] <> 'not_reached' GROUP BY state, on_unusable ORDER BY state, on_unusable;
-- Outcomes of each state of a level, when the level was asked for somebody it serves, and the further way of the walk.
SELECT state, on_unusable, coalesce(host, '(none)') AS host, string_agg(DISTINCT outcomes[level], ' ') AS outcome,
    string_agg(DISTINCT CASE WHEN stopped IS NOT NULL THEN 'stops' WHEN outcomes[level] = 'used' THEN 'ends' ELSE 'goes on' END, ' ') AS then
FROM single JOIN answers USING (n)
WHERE CASE WHEN level IN (1, 4) THEN person <> 'nobody' WHEN level IN (2, 5) THEN person <> 'stranger' ELSE true END
-- Other levels than this one may refuse the host, and organisations behind it strangers.
AND (stopped IS NULL OR split_part(stopped, ' at ', 2) = named[level])
GROUP BY state, on_unusable, single.host ORDER BY state, on_unusable, single.host NULLS FIRST;
-- Outcomes by level over all scenarios: none is missing that a level can have.
SELECT named[l] AS level, count(*) FILTER (WHERE outcomes[l] = 'used') AS used, count(*) FILTER (WHERE outcomes[l] = 'absent') AS absent,
    count(*) FILTER (WHERE outcomes[l] = 'not_member') AS not_member, count(*) FILTER (WHERE outcomes[l] = 'disabled') AS disabled,
    count(*) FILTER (WHERE outcomes[l] = 'expired') AS expired, count(*) FILTER (WHERE outcomes[l] = 'invalid') AS invalid,
    count(*) FILTER (WHERE outcomes[l] = 'rate_limited') AS rate_limited,
    count(*) FILTER (WHERE outcomes[l] = 'host_refused') AS host_refused, count(*) FILTER (WHERE outcomes[l] = 'decrypt_failed') AS decrypt_failed,
    count(*) FILTER (WHERE outcomes[l] = 'not_reached') AS not_reached
FROM answers, generate_series(1, 7) l GROUP BY l, named[l] ORDER BY l;
SELECT count(*) FILTER (WHERE source <> 'none') AS resolved, count(*) FILTER (WHERE stopped IS NOT NULL) AS stopped,
    count(*) FILTER (WHERE source = 'none' AND stopped IS NULL) AS nobody_has_one, count(own_outcomes) AS asked_by_the_user, count(own_error) AS refused_the_user
FROM answers;

-- A model with one rule wrong is another model.
SELECT broken, count(*) > 0 AS noticed, count(*) FILTER (WHERE what = 'outcomes') AS outcomes
FROM unnest('{user before user_model,p_levels is ignored,strangers are served,without a user the organisation serves nobody,
    disabled is used,expired before disabled,expired is used,invalid is used,resting is used,resting before invalid,damage before hosts,without a host everything is released,
    its own hosts are ignored,upper case is another,any port will do,a list with entries allows all,the catalogue is ignored,damage goes on,nothing goes on,everything goes on}'::text[]) broken
LEFT JOIN LATERAL pg_temp.differences(broken) ON true GROUP BY broken ORDER BY broken COLLATE "C";

-- A model-level credential of one user serves no other, nor another model; identifiers are compared as they are stored.
SELECT secret_id IS NOT NULL AS saved FROM hftok.save_credential('walk', 'key-of-alice', p_model => 'm', p_user_id => 'alice');
SELECT u, m, (hftok.resolve_token('walk', u, NULL, m)).source
FROM unnest('{alice,bob,ALICE,"alice ",role:alice}'::text[]) u, unnest('{m,M,"m ",mm,"",NULL}'::text[]) m
WHERE u <> 'alice' OR m <> 'm' OR m IS NULL
ORDER BY u COLLATE "C", m COLLATE "C";
SELECT token, source FROM hftok.resolve_token('walk', 'alice', NULL, 'm');
SELECT token, source FROM hftok.resolve_token('openai', 'alice', NULL, 'm');
SELECT secret_id IS NOT NULL AS saved FROM hftok.save_credential('walk', 'key-of-uuid', p_user_id => '6F9619FF-8B86-D011-B42D-00C04FC964FF');
SELECT token FROM hftok.resolve_token('walk', '6f9619ff-8b86-D011-b42d-00c04fc964ff');

-- A row that was given to another by hand is nobody's: it does not open for the one it was taken from, and is not found for the other.
BEGIN;
UPDATE hftok_private.secrets SET scope_id = 'bob' WHERE scope_id = 'alice' AND provider = 'walk';
SELECT outcome, secret_id, preview FROM hftok.explain_token('walk', 'alice', p_model => 'm') WHERE level = 'user_model';
SELECT outcome, secret_id, preview FROM hftok.explain_token('walk', 'bob', p_model => 'm') WHERE level = 'user_model';
SELECT source FROM hftok.resolve_token('walk', 'bob', p_model => 'm');
DO $$ BEGIN PERFORM hftok.resolve_token('walk', 'alice', p_model => 'm'); EXCEPTION WHEN SQLSTATE 'PT422' THEN RAISE WARNING 'it is damaged'; END $$;
ROLLBACK;

-- A provider without hosts of its own: none can be named for it.
SELECT hftok.register_provider('{"id": "hostless", "label": "Hostless", "fields": [{"name": "key", "secret": true}]}');
SELECT secret_id IS NOT NULL AS saved FROM hftok.save_credential('hostless', 'key-without-hosts', p_user_id => 'alice');
SELECT hftok.token_provided('hostless', 'alice'), hftok.token_provided('hostless', 'alice', p_host => 'api.walk.example');

-- Questions that are refused.
\set VERBOSITY default
SELECT hftok.resolve_token('nobody''s');
SELECT hftok.resolve_token(NULL);
SELECT hftok.resolve_token('walk', '');
SELECT hftok.resolve_token('walk', NULL, ' ');
SELECT hftok.resolve_token('walk', p_levels => '{user,none}');
SELECT hftok.resolve_token('walk', p_levels => '{USER}');
\set VERBOSITY terse
SELECT hftok.resolve_token('walk', p_levels => '{user,NULL}');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT hftok.resolve_token('walk', 'alice', p_recipient => 'age1');
SELECT hftok.explain_token('walk', 'alice', p_levels => '{none}');
SELECT hftok.token_provided('walk', 'alice', p_levels => '{none}');
\set VERBOSITY terse
SELECT source FROM hftok.resolve_token('walk', 'alice', p_model => 'm', p_levels => '{}');
SELECT string_agg(DISTINCT outcome, ' ') FROM hftok.explain_token('walk', 'alice', p_model => 'm', p_levels => '{}');

-- The error names what stopped the walk, and not more.
UPDATE hftok.credentials SET enabled = false WHERE provider = 'walk' AND scope_id = 'alice';
\set VERBOSITY default
DO $$
DECLARE
    message text; detail text; hint text;
BEGIN
    PERFORM hftok.resolve_token('walk', 'alice', NULL, 'm');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RAISE WARNING '% % % %', SQLSTATE, message, regexp_replace(detail, '[0-9a-f]{8}-[0-9a-f-]{27}', '(id)'), hint;
END
$$;
\set VERBOSITY terse

-- The server's environment comes last. Whether it has a variable for Hugging Face is not known here; both are answered alike.
SELECT count(*) AS rows, bool_and(outcome = 'absent' OR level = 'environment' AND outcome = 'used') AS right,
    bool_or(secret_id IS NOT NULL OR preview IS NOT NULL OR detail IS NOT NULL) AS shows
FROM hftok.explain_token('huggingface', 'nobody known');
SELECT (source = 'environment') = (token IS NOT NULL) AND source IN ('environment', 'none') AS right, secret_id, version, expires_at,
    token IS NOT DISTINCT FROM hftok.resolve_hf_token('nobody known') AS by_short_name,
    (token IS NOT NULL) = hftok.token_provided('huggingface', 'nobody known') AS provided
FROM hftok.resolve_token('huggingface', 'nobody known');
SELECT hftok.resolve_hf_token('nobody known', p_levels => '{user_model,org_model,global_model,user,org,global}') AS without;
SELECT secret_id IS NOT NULL AS saved FROM hftok.save_hf_token('hf_' || repeat('a1', 17), p_user_id => 'somebody');
SELECT hftok.resolve_hf_token('somebody', p_host => 'huggingface.co') = 'hf_' || repeat('a1', 17) AS before_the_environment;
SELECT outcome FROM hftok.explain_token('huggingface', 'somebody') WHERE level = 'environment';

DELETE FROM hftok.credentials WHERE provider IN ('walk', 'hostless', 'huggingface');
SELECT count(*) > 3000 AS organisations FROM (SELECT hftok.forget_org(m.org_id) FROM (SELECT DISTINCT org_id FROM hftok.members) m) f;
SELECT hftok.unregister_provider('walk'), hftok.unregister_provider('hostless');
SELECT kind, checked - (SELECT count(*) FROM hftok_private.data_keys WHERE state <> 'destroyed') AS left, failed FROM hftok.verify();
REVOKE EXECUTE ON FUNCTION hftok_private.gateways() FROM authenticator;
DROP ROLE regress_walker;
\if :no_gateway
DROP ROLE authenticator;
\endif
