-- Somebody who owns tables makes others run their code: by ANALYZE, REINDEX, a materialized view, a foreign key that cascades,
-- a function of their own. In all of these hftok sees the owner of the code, or refuses; never the superuser who set it off.

\set VERBOSITY terse
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_mallory;
CREATE ROLE regress_mallory IN ROLE hftok_user;
CREATE SCHEMA regress_mallory AUTHORIZATION regress_mallory;
SELECT hftok.create_secret('value', 'guarded') IS NOT NULL AS stored;
SELECT (hftok.save_credential('openai', 'sk-proj-alice', p_user_id => 'alice')).version;
CREATE TABLE orders (id int PRIMARY KEY);
INSERT INTO orders VALUES (1), (2);
GRANT REFERENCES ON orders TO regress_mallory;

SET ROLE regress_mallory;
CREATE FUNCTION regress_mallory.attempt(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE CASE WHEN what LIKE 'WITH %' THEN what ELSE 'SELECT ' || what END INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
CREATE FUNCTION regress_mallory.attack(occasion text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE INFO '%', occasion;
    RAISE INFO '    whoami: %', regress_mallory.attempt('hftok.whoami()');
    RAISE INFO '    get_secret: %', regress_mallory.attempt('hftok.get_secret(''guarded'')');
    RAISE INFO '    create_secret: %', regress_mallory.attempt('hftok.create_secret(''x'') IS NOT NULL');
    RAISE INFO '    find_secret: %', regress_mallory.attempt('count(*) FROM hftok.find_secret(''x'')');
    RAISE INFO '    verify: %', regress_mallory.attempt('max(failed) FROM hftok.verify()');
    RAISE INFO '    view: %', regress_mallory.attempt('decrypted_secret FROM hftok.decrypted_secrets WHERE name = ''guarded''');
    RAISE INFO '    save_credential: %', regress_mallory.attempt('(hftok.save_credential(''openai'', ''sk-proj-mallory'')).version > 0');
    RAISE INFO '    save for all: %', regress_mallory.attempt('(hftok.save_credential(''openai'', ''sk-proj-mallory'', p_global => true)).version > 0');
    RAISE INFO '    explain_token: %', regress_mallory.attempt('string_agg(outcome, '' '') FROM hftok.explain_token(''openai'', p_levels => ''{user,global}'')');
    RAISE INFO '    resolve_token: %', regress_mallory.attempt('token FROM hftok.resolve_token(''openai'', ''alice'')');
    RAISE INFO '    credentials: %', regress_mallory.attempt('string_agg(scope_id, '' '' ORDER BY scope_id COLLATE "C") FROM hftok.credentials WHERE provider <> ''groq''');
    RAISE INFO '    user_api_keys: %', regress_mallory.attempt(
        'WITH i AS (INSERT INTO hftok.user_api_keys (service, api_key) VALUES (''groq'', ''key-of-mallory'')
            ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key RETURNING user_id) SELECT user_id FROM i');
END
$$;
CREATE FUNCTION regress_mallory.indexed(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM regress_mallory.attack('index expression');
    RETURN $1;
END
$$;
CREATE FUNCTION regress_mallory.cascade() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM regress_mallory.attack('trigger ' || TG_NAME);
    RETURN OLD;
END
$$;
CREATE FUNCTION regress_mallory.definer() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM regress_mallory.attack('definer');
END
$$;
CREATE TABLE regress_mallory.bait (order_id int REFERENCES orders ON DELETE CASCADE);
INSERT INTO regress_mallory.bait VALUES (1);
CREATE TRIGGER before_delete BEFORE DELETE ON regress_mallory.bait FOR EACH ROW EXECUTE FUNCTION regress_mallory.cascade();

-- By mallory's own hand: an identity, and nothing else. In building an index not even that.
SELECT regress_mallory.attack('by hand');
CREATE INDEX bait_indexed ON regress_mallory.bait (regress_mallory.indexed(order_id));
RESET ROLE;

-- And by a superuser.
SELECT regress_mallory.definer();
ANALYZE regress_mallory.bait;
REINDEX TABLE regress_mallory.bait;
DELETE FROM orders WHERE id = 1;
TRUNCATE regress_mallory.bait;

-- Now with the backend's and the operator's privileges: who has them doesn't have them where others set them off, and no value is
-- written into a materialized view or an index.
GRANT hftok_service, hftok_admin TO regress_mallory;
SET ROLE regress_mallory;
INSERT INTO regress_mallory.bait VALUES (2);
DROP INDEX regress_mallory.bait_indexed;
CREATE INDEX bait_indexed ON regress_mallory.bait (regress_mallory.indexed(order_id));
SELECT regress_mallory.attempt('hftok.get_secret(''guarded'')');
CREATE MATERIALIZED VIEW regress_mallory.copies AS SELECT decrypted_secret FROM hftok.decrypted_secrets;
CREATE MATERIALIZED VIEW regress_mallory.copies AS SELECT hftok.get_secret('guarded');
CREATE MATERIALIZED VIEW regress_mallory.copies AS SELECT decrypted_secret FROM hftok.decrypted_secrets WITH NO DATA;
REFRESH MATERIALIZED VIEW regress_mallory.copies;
RESET ROLE;
REFRESH MATERIALIZED VIEW regress_mallory.copies;
ANALYZE regress_mallory.bait;
-- A row that does not need the plaintext may be kept.
CREATE MATERIALIZED VIEW names AS SELECT name FROM hftok.decrypted_secrets;
SELECT * FROM names ORDER BY name;
DROP MATERIALIZED VIEW names;
-- The owner of the table is who deletes: this is mallory with mallory's rights, not the superuser.
DELETE FROM orders WHERE id = 2;

-- All credentials that were saved here are mallory's own. One more is for all: mallory's own statement saved it with the
-- service's rights.
SELECT scope, scope_id, provider FROM hftok.credentials ORDER BY scope_id COLLATE "C", provider;
DELETE FROM hftok.credentials;
SELECT count(*) AS secrets FROM hftok.secrets;
DELETE FROM hftok.decrypted_secrets;
DROP TABLE orders CASCADE;
DROP OWNED BY regress_mallory CASCADE;
DROP ROLE regress_mallory;
