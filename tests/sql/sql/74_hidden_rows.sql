-- A hidden row and an absent one are answered alike: the same rows or error, the same plan, estimate and execution, for each column
-- of each view that a user can read. The users' own conditions meet no row that they may not see, and no statistics of such rows.

\set VERBOSITY terse
\encoding UTF8
SET timezone = 'UTC';
\i tests/sql/include/gateway.sql
CREATE ROLE regress_direct LOGIN IN ROLE hftok_user;
\i tests/sql/include/await.sql

-- Hidden from the beholder: all that users and an organisation called aloof and hidden have, and the global ones, often enough to be in the statistics. who has one of each.
SELECT count(hftok.save_credential('openai', 'sk-proj-hidden00000000000001', CASE WHEN n % 2 = 0 THEN 'project-nightingale' ELSE 'm' || n END,
    p_user_id => 'aloof ' || n % 10, p_label => 'merger-2027', p_expires_at => '2999-01-01', p_allowed_hosts => '{hidden.example}', p_on_unusable => 'continue'))
FROM generate_series(1, 60) n;
SELECT count(hftok.save_credential('groq', 'groq-hidden-000000000000002', p_user_id => 'aloof ' || n)) FROM generate_series(0, 9) n;
SELECT count(hftok.add_member('hidden', 'aloof ' || n, 'owner')) FROM generate_series(0, 9) n;
SELECT hftok.grant_administrator('aloof 0'), hftok.add_member('beheld', 'beholder', 'admin');
SELECT count(hftok.save_credential('mistral', 'mistral-hidden-00000000003', p_org_id => o, p_global => o IS NULL)) FROM unnest(ARRAY['hidden', 'beheld', NULL]) o;
SELECT count(hftok.save_credential('cohere', 'cohere-own-0000000000000001', m, p_user_id => 'beholder', p_expires_at => '2027-01-01')) FROM unnest('{NULL,m0}'::text[]) m;
SELECT count(hftok.create_integration_with_vault('hidden ' || n, 'openai', 'sk-proj-hidden00000000000001', '{"hidden": true}', 'aloof ' || n)) FROM generate_series(0, 9) n;
SELECT count(hftok.create_integration_with_vault('own', 'cohere', 'cohere-own-0000000000000001', p_user_id => 'beholder'));
SELECT count(hftok.share_integration(i.id, CASE i.user_id WHEN 'beholder' THEN 'beheld' ELSE 'hidden' END, i.user_id)) FROM hftok.integrations i;
SELECT count(hftok.resolve_token(p, u)) FROM (VALUES ('groq', 'aloof 0'), ('groq', 'aloof 1'), ('cohere', 'beholder'), ('mistral', 'beholder')) AS u (p, u);
SELECT count(hftok.record_usage(c.secret_id, 7, 70, 0.7, CASE WHEN c.scope_id IN ('beholder', 'beheld') THEN 'EUR' ELSE 'JPY' END)) FROM hftok.credentials c;
SELECT count(hftok.record_usage(c.secret_id, 1, 1, 1, 'EUR')) FROM hftok.credentials c WHERE c.scope_id IN ('beholder', 'beheld');
SET application_name = 'hidden application';
SET ROLE hftok_service;
SELECT count(hftok.report_credential(c.secret_id, 'verified')) FROM hftok.credentials c WHERE c.scope_id = 'aloof 2';
SELECT count(hftok.update_integration_status(i.id, 'error', 'hidden error', i.user_id)) FROM hftok.integrations i WHERE i.user_id = 'aloof 2';
SELECT count(hftok.resolve_token('openai', 'aloof ' || n, p_model => 'project-nightingale', p_host => 'hidden.example')) FROM generate_series(0, 8, 2) n, generate_series(1, 3) again;
SELECT hftok.delete_secret(hftok.create_secret('hidden', 'hidden'));
SELECT hftok.get_secret('there is none');
RESET ROLE;
RESET application_name;
CALL pg_temp.await('(SELECT count(*) > 10 FROM hftok.usage_daily) AND EXISTS (SELECT FROM hftok_private.counted_uses u WHERE u.use_count > 1)');
CALL pg_temp.await_audit();
ANALYZE;

-- For each column a value that only others have, and one that nobody has and that nothing lies between. Booleans have none.
CREATE TEMP TABLE probes (relation text, attribute text, operator text, hidden text, absent text, PRIMARY KEY (relation, attribute, operator));
CREATE FUNCTION pg_temp.gather(relation text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    a record;
BEGIN
    FOR a IN
        SELECT attname, atttypid::regtype::text AS type FROM pg_attribute
        WHERE attrelid = format('hftok.%I', relation)::regclass AND attnum > 0 AND atttypid <> 'boolean'::regtype
    LOOP
        EXECUTE format($probe$
            INSERT INTO probes SELECT %1$L, %2$L, o, v.hidden, CASE %3$L
                WHEN 'text' THEN v.hidden || '~' WHEN 'text[]' THEN '{absent}' WHEN 'jsonb' THEN '{"absent": 1}'
                WHEN 'uuid' THEN gen_random_uuid()::text
                WHEN 'timestamp with time zone' THEN (v.hidden::timestamptz + interval '1 microsecond')::text
                WHEN 'date' THEN (v.hidden::date + 1000)::text ELSE (v.hidden::numeric + 1000000)::text END
            FROM (SELECT h.%2$I::text AS hidden FROM hftok.%1$I h WHERE h.%2$I IS NOT NULL AND NOT EXISTS (SELECT FROM own o WHERE o.relation = %1$L AND o.row ->> %2$L = to_jsonb(h) ->> %2$L)
                GROUP BY h.%2$I ORDER BY count(*) DESC LIMIT 1) v,
                unnest(CASE WHEN %3$L IN ('text', 'timestamp with time zone') THEN '{=,>=,<,~~}' ELSE '{=}' END::text[]) o
            -- Each look at the audit is a long one.
            WHERE (o <> '~~' OR %3$L = 'text') AND (%1$L <> 'audit_events' OR o IN ('=', '>='))
        $probe$, relation, a.attname, a.type);
    END LOOP;
END
$$;
CREATE TEMP TABLE own (relation text, row jsonb);
GRANT ALL ON own, probes TO PUBLIC;
CREATE TEMP VIEW views AS SELECT unnest('{credentials,expiring_credentials,members,administrators,integrations,integration_shares,usage_daily,audit_events,user_api_keys,provider_secrets,provider_overview}'::text[]) AS relation;
GRANT SELECT ON views TO PUBLIC;
CREATE PROCEDURE pg_temp.note_own() LANGUAGE plpgsql AS $$
DECLARE
    v text;
BEGIN
    FOR v IN SELECT relation FROM views LOOP
        EXECUTE format('INSERT INTO own SELECT %L, to_jsonb(r) FROM hftok.%I r', v, v);
    END LOOP;
END
$$;
CREATE FUNCTION pg_temp.without(line text, value text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN line ~ '(Filter|Cond): ' THEN replace(replace(line, quote_literal(value), '?'), ' ' || value || ')', ' ?)') ELSE line END
$$;
CREATE FUNCTION pg_temp.answer(relation text, attribute text, operator text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    statement text := format('SELECT * FROM hftok.%I WHERE %I %s %L', relation, attribute, operator, value);
    line text;
    said text := '';
BEGIN
    FOR line IN EXECUTE format('SELECT r::text FROM (%s) r WHERE %L <> ''audit_events'' ORDER BY 1', statement, relation) LOOP
        said := said || line || E'\n';
    END LOOP;
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, TIMING OFF, SUMMARY OFF) ' || statement LOOP
        said := said || pg_temp.without(line, value) || E'\n';
    END LOOP;
    RETURN said;
EXCEPTION WHEN OTHERS THEN
    RETURN format('%s %s', SQLSTATE, SQLERRM);
END
$$;
CREATE VIEW pg_temp.answers AS
    SELECT p.relation, p.attribute, p.operator, pg_temp.answer(p.relation, p.attribute, p.operator, p.hidden) AS hidden,
        pg_temp.answer(p.relation, p.attribute, p.operator, p.absent) AS absent
    FROM probes p;
GRANT SELECT ON answers TO PUBLIC;

SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "beholder"}';
CALL pg_temp.note_own();
RESET SESSION AUTHORIZATION;
RESET request.jwt.claims;
SELECT relation, count(*) AS rows FROM own GROUP BY relation ORDER BY relation;
SELECT count(pg_temp.gather(relation)) AS views FROM views;
-- Columns that are not probed: everybody has the same rows of provider_overview.
SELECT c.relation, a.attribute
FROM (VALUES
    ('administrators', 'user_id created_at'), ('members', 'org_id user_id role created_at'),
    ('credentials', 'secret_id provider scope scope_id model label preview status warnings allowed_hosts on_unusable expires_at
        last_verified_at last_used_at use_count version created_at updated_at'),
    ('integrations', 'id user_id name type status config secret_id error_message created_at updated_at'),
    ('integration_shares', 'integration_id org_id user_id'),
    ('usage_daily', 'provider scope scope_id secret_id requests units cost currency'),
    ('user_api_keys', 'id user_id service api_key created_at updated_at'),
    ('provider_secrets', 'id user_id provider label api_key api_key_preview created_at updated_at'),
    ('audit_events', 'id at role_name actor_user kind action object_id version owner_scope owner_id provider level subject outcome
        application_name digest chain_hash')
) AS c (relation, attributes), regexp_split_to_table(c.attributes, '\s+') AS a (attribute)
WHERE NOT EXISTS (SELECT FROM probes p WHERE (p.relation, p.attribute) = (c.relation, a.attribute));

-- Over a gateway, and by a direct login: with its own identity, and with claims that nobody vouches for.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "beholder"}';
SELECT * FROM answers WHERE hidden <> absent;
SELECT DISTINCT relation, absent FROM answers WHERE operator = '=' AND absent ~ '^[0-9A-Z]{5} ';
RESET SESSION AUTHORIZATION;
RESET request.jwt.claims;
SET SESSION AUTHORIZATION regress_direct;
SELECT * FROM answers WHERE hidden <> absent AND (relation <> 'audit_events' OR operator = '=');
SET request.jwt.claims = '{}';
SELECT * FROM answers WHERE hidden <> absent AND (relation <> 'audit_events' OR operator = '=');
SET request.jwt.claims = 'no json';
SELECT * FROM answers WHERE hidden <> absent AND (relation <> 'audit_events' OR operator = '=');
SELECT count(*) AS seen FROM hftok.credentials WHERE scope_id = 'aloof 0';
SELECT count(*) AS seen FROM hftok.user_api_keys WHERE user_id = 'aloof 0';
RESET request.jwt.claims;
-- Inside a security-restricted operation as well: an index expression of theirs.
RESET SESSION AUTHORIZATION;
CREATE SCHEMA regress_direct AUTHORIZATION regress_direct;
SET SESSION AUTHORIZATION regress_direct;
CREATE TABLE regress_direct.trap AS SELECT unnest('{aloof 0,nobody}'::text[]) AS name;
CREATE FUNCTION regress_direct.spring(p_name text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    $$BEGIN RETURN (SELECT count(*) FROM hftok.user_api_keys WHERE user_id = p_name); END$$;
CREATE INDEX ON regress_direct.trap (regress_direct.spring(name));
SELECT name, regress_direct.spring(name) FROM regress_direct.trap;
DROP TABLE regress_direct.trap;
RESET SESSION AUTHORIZATION;

-- A plan that was made for somebody who sees everything is made anew for a user; and for one who saw everything and no longer may,
-- it shows nothing.
SET plan_cache_mode = force_generic_plan;
PREPARE everything AS SELECT count(*) > 0 AS of_others FROM hftok.credentials WHERE scope_id <> current_user;
PREPARE keys AS SELECT count(*) > 0 AS of_others FROM hftok.user_api_keys;
CREATE ROLE regress_former IN ROLE hftok_service;
SET ROLE regress_former;
EXECUTE everything;
EXECUTE keys;
RESET ROLE;
REVOKE hftok_service FROM regress_former;
GRANT hftok_user TO regress_former;
SET ROLE regress_former;
EXECUTE everything;
EXECUTE keys;
SET ROLE regress_direct;
EXECUTE everything;
EXECUTE keys;
EXPLAIN (COSTS OFF) EXECUTE everything;
EXPLAIN (COSTS OFF) EXECUTE keys;
RESET ROLE;
-- An administrator of the application sees the whole audit, whoever the plan was made for.
PREPARE events AS SELECT count(*) > 0 AS of_others FROM hftok.audit_events WHERE owner_id = 'aloof 1';
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "beholder"}';
EXECUTE events;
SET request.jwt.claims = '{"sub": "aloof 0"}';
EXECUTE events;
DEALLOCATE events;
PREPARE events AS SELECT count(*) > 0 AS of_others FROM hftok.audit_events WHERE owner_id = 'aloof 1';
EXECUTE events;
SET request.jwt.claims = '{"sub": "beholder"}';
EXECUTE events;
-- explain_token() hides which global credential it was, and so does the audit.
SELECT count(*) > 0 AS used, count(object_id) AS named, count(version) AS versions FROM hftok.audit_events WHERE owner_scope = 'global';
RESET SESSION AUTHORIZATION;
RESET request.jwt.claims;
RESET plan_cache_mode;
DEALLOCATE ALL;

-- A user that keeps Postgres from using the index has their own condition tried on no row of others either: ours is the first.
SET SESSION AUTHORIZATION regress_direct;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SET enable_indexonlyscan = off;
EXPLAIN (COSTS OFF) SELECT k.id FROM hftok.user_api_keys k WHERE k.api_key = 'hf_•••••••••••••09ZZ';
RESET enable_indexscan;
RESET enable_bitmapscan;
RESET enable_indexonlyscan;
RESET SESSION AUTHORIZATION;

SELECT sum(f.credentials) FROM (SELECT 'beholder' UNION SELECT 'aloof ' || n FROM generate_series(0, 9) n) AS u (u), hftok.forget_user(u) f;
SELECT sum(f.credentials) FROM unnest('{hidden,beheld}'::text[]) o, hftok.forget_org(o) f;
SELECT hftok.delete_credential('mistral', p_global => true);
DROP SCHEMA regress_direct CASCADE;
DROP OWNED BY regress_direct, regress_former;
DROP OWNED BY regress_authenticated, regress_service_role;
DROP ROLE regress_direct, regress_former;
\i tests/sql/include/gateway_end.sql
