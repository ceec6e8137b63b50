-- One owner and four group roles, none of which can log in. Roles belong to the whole cluster: another database may
-- have made them already.

DO $roles$
DECLARE
    named record;
BEGIN
    FOR named IN
        SELECT wanted.role, wanted.comment
        FROM (VALUES
            ('hftok_owner', 'owns the objects of hftok, and nothing else; nobody is a member'),
            ('hftok_user', 'an end user: saves, lists and deletes their own secrets'),
            ('hftok_service', 'the trusted backend: reads secrets'),
            ('hftok_admin', 'the operator: named secrets, keys, seal'),
            ('hftok_auditor', 'the DBA who audits: metadata and verification; reads no value, but may ask whether one is stored')
        ) AS wanted (role, comment)
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = wanted.role)
    LOOP
        EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN NOINHERIT', named.role);
        EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', named.role, named.comment);
    END LOOP;
END
$roles$;

COMMENT ON SCHEMA hftok IS 'The functions and views that users of hftok call, and nothing else.';

-- Told now: a role without USAGE on the schema is refused by Postgres itself, which knows no remedy. CREATE EXTENSION passes no NOTICE on.
DO $gateway$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = 'authenticator') THEN
        RAISE WARNING 'PostgREST''s login is on this server, and nobody may call hftok in this database through it yet'
            USING HINT = 'SELECT hftok.enable_rpc() lets its users and its service in.';
    END IF;
END
$gateway$;
