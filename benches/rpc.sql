-- What the benchmark over PostgREST asks beside hftok: nothing at all, the plaintext table, and a function that reads it. After
-- benches/data.sql, and after the roles of tests/postgrest.sh.

CREATE SCHEMA bench;
ALTER TABLE plain SET SCHEMA bench;
CREATE FUNCTION bench.trivial(p_user_id text) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1';
CREATE FUNCTION bench.plain_secret(p_user_id text) RETURNS text LANGUAGE sql STABLE AS
    'SELECT secret FROM bench.plain WHERE user_id = p_user_id';
GRANT USAGE ON SCHEMA bench TO service_role;
GRANT SELECT ON bench.plain TO service_role;
