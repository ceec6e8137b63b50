-- The second wall. It holds for hftok_owner too (FORCE), so that a policy that a DBA adds reaches every view and function.
-- A role that comes past the views to a table sees none of its rows: but for user_api_keys, nobody else has a policy.
--
-- The first wall is in the views. Each has two branches:
-- - Roles that see everything read the table, through a view of hftok_private that has no rows for others.
-- - End users read a function (src/api/visible.rs), which finds their rows by an index. A policy, or any condition, would let
--   Postgres try the reader's own conditions on everybody's rows first, and plan with what it knows of these.
-- sees_all() chooses the branch twice. planned_for() is IMMUTABLE, so that Postgres asks it while it plans and drops the other
-- branch, with its estimates; it makes such a plan anew for another role, because there are tables with row security in it.
-- caller_is_in() is asked when the plan runs, because memberships end. A view of one table needs a barrier for that: 15 only sees that
-- nothing can come of a table when no condition of the reader's stands beside that one.

-- COST: dear, so that Postgres never evaluates it for each row of everybody's, but takes the index that it can be looked up in.
CREATE OR REPLACE FUNCTION hftok_private.caller_id() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER COST 100000 AS 'MODULE_PATHNAME', 'hftok_caller_id';
COMMENT ON FUNCTION hftok_private.caller_id IS 'The caller''s identity; NULL for none. Never fails.';
-- COST: next to nothing, so that Postgres asks it before any condition of the reader's that stands beside it.
CREATE OR REPLACE FUNCTION hftok_private.is_caller(p_user_id text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER COST 0.0001 AS 'MODULE_PATHNAME', 'hftok_is_caller';
COMMENT ON FUNCTION hftok_private.is_caller IS 'Whether this identity is the caller''s. Never fails.';
CREATE OR REPLACE FUNCTION hftok_private.caller_is_in(p_groups text[]) RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_caller_is_in';
COMMENT ON FUNCTION hftok_private.caller_is_in IS 'Whether the caller is a member of one of these roles. Never fails.';
CREATE OR REPLACE FUNCTION hftok_private.caller_is_administrator() RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_caller_is_administrator';
COMMENT ON FUNCTION hftok_private.caller_is_administrator IS 'Whether the caller is an administrator of the application. Never fails.';
CREATE OR REPLACE FUNCTION hftok_private.planned_for(p_groups text[]) RETURNS boolean
    LANGUAGE c IMMUTABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_caller_is_in';
COMMENT ON FUNCTION hftok_private.planned_for IS
    'Whether a statement is planned for a member of one of these roles. Decides which branch of a view is planned, never what is seen.';
CREATE OR REPLACE FUNCTION hftok_private.planned_for_administrator() RETURNS boolean
    LANGUAGE c IMMUTABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_caller_is_administrator';
COMMENT ON FUNCTION hftok_private.planned_for_administrator IS
    'Whether a statement is planned for an administrator of the application. Decides which branch of a view is planned, never what is seen.';

-- Written so that it is inlined: only then is it asked while Postgres plans.
CREATE OR REPLACE FUNCTION hftok_private.sees_all(p_groups text[], p_administrators boolean) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    RETURN (hftok_private.planned_for(p_groups) OR p_administrators AND hftok_private.planned_for_administrator())
        AND (hftok_private.caller_is_in(p_groups) OR p_administrators AND hftok_private.caller_is_administrator());
COMMENT ON FUNCTION hftok_private.sees_all IS
    'Whether the caller sees every row: as a member of one of these roles or, if they may, as an administrator of the application.';

DO $row_security$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT c.relname FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'hftok_private'::pg_catalog.regnamespace AND c.relkind = 'r'
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE hftok_private.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format('ALTER TABLE hftok_private.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format('DROP POLICY IF EXISTS hftok ON hftok_private.%I', name);
        EXECUTE pg_catalog.format('CREATE POLICY hftok ON hftok_private.%I TO hftok_owner USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$row_security$;

-- Clients upsert into it, which Postgres allows for a view of this table itself only. So its own policy must give nothing away:
-- one plain comparison that the primary key answers, and before it one that no condition of the reader's goes before, for a reader
-- who keeps Postgres from using the index. No statistics, or estimates would tell who has which key.
DROP POLICY IF EXISTS own ON hftok_private.user_api_keys;
CREATE POLICY own ON hftok_private.user_api_keys USING (
    hftok_private.planned_for('{hftok_service}') AND (SELECT hftok_private.caller_is_in('{hftok_service}'))
    OR hftok_private.is_caller(user_id) AND user_id = hftok_private.caller_id()
);
DO $statistics$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT a.attname FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = 'hftok_private.user_api_keys'::pg_catalog.regclass AND a.attnum > 0
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE hftok_private.user_api_keys ALTER COLUMN %I SET STATISTICS 0', name);
    END LOOP;
END
$statistics$;
