-- Row security. It holds for hftok_owner too (FORCE), so that a policy that a DBA adds reaches every view and function.
-- Policies are for everybody and ask who it is, by membership: roles that are NOINHERIT, as Supabase's are, would not
-- count as members in a policy's TO.

CREATE FUNCTION hftok_private.caller_id() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_caller_id';
COMMENT ON FUNCTION hftok_private.caller_id IS 'The caller''s identity; NULL for none.';
CREATE FUNCTION hftok_private.caller_is_in(p_groups text[]) RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_caller_is_in';
COMMENT ON FUNCTION hftok_private.caller_is_in IS 'Whether the caller is a member of one of these roles.';
CREATE FUNCTION hftok_private.caller_orgs(p_writable boolean) RETURNS text[]
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_caller_orgs';
COMMENT ON FUNCTION hftok_private.caller_orgs IS 'The organisations that the caller belongs to, or whose credentials they may write.';
CREATE FUNCTION hftok_private.caller_is_administrator() RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_caller_is_administrator';
COMMENT ON FUNCTION hftok_private.caller_is_administrator IS 'Whether the caller is an administrator of the application.';

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
        EXECUTE pg_catalog.format('CREATE POLICY hftok ON hftok_private.%I TO hftok_owner USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$row_security$;

-- Credentials: one's own, those of one's organisations, global ones for administrators; all for those who run hftok.
-- Named secrets are never reached this way.
CREATE POLICY seen ON hftok_private.secrets FOR SELECT USING (
    scope IN ('user', 'org', 'global') AND (
        (SELECT hftok_private.caller_is_in('{hftok_service,hftok_admin,hftok_auditor}'))
        OR (scope = 'user' AND scope_id = (SELECT hftok_private.caller_id()))
        OR (scope = 'org' AND scope_id = ANY ((SELECT hftok_private.caller_orgs(false))::text[]))
        OR (scope = 'global' AND (SELECT hftok_private.caller_is_administrator()))
    )
);
CREATE POLICY seen ON hftok_private.members FOR SELECT USING (
    (SELECT hftok_private.caller_is_in('{hftok_service,hftok_admin,hftok_auditor}'))
    OR org_id = ANY ((SELECT hftok_private.caller_orgs(false))::text[])
);
CREATE POLICY seen ON hftok_private.administrators FOR SELECT USING (
    (SELECT hftok_private.caller_is_in('{hftok_service,hftok_admin,hftok_auditor}'))
    OR (SELECT hftok_private.caller_is_administrator())
);
CREATE POLICY seen ON hftok_private.integrations FOR SELECT USING (
    (SELECT hftok_private.caller_is_in('{hftok_service,hftok_admin,hftok_auditor}'))
    OR user_id = (SELECT hftok_private.caller_id())
    OR id IN (SELECT s.integration_id FROM hftok_private.integration_shares s)
);
CREATE POLICY seen ON hftok_private.integration_shares FOR SELECT USING (
    org_id = ANY ((SELECT hftok_private.caller_orgs(false))::text[])
);
CREATE POLICY seen ON hftok_private.usage_daily FOR SELECT USING (
    (SELECT hftok_private.caller_is_in('{hftok_service,hftok_admin,hftok_auditor}'))
    OR (scope IN ('user', 'integration') AND scope_id = (SELECT hftok_private.caller_id()))
    OR (SELECT hftok_private.caller_is_administrator())
);
CREATE POLICY own ON hftok_private.user_api_keys USING (
    (SELECT hftok_private.caller_is_in('{hftok_service}')) OR user_id = (SELECT hftok_private.caller_id())
);
-- Auditors, operators and the application's administrators see all of the audit, a user what they did and what was done with
-- what is theirs.
CREATE POLICY seen ON hftok_private.audit FOR SELECT USING (
    (SELECT hftok_private.caller_is_in('{hftok_admin,hftok_auditor}'))
    OR (SELECT hftok_private.caller_is_administrator())
    OR actor_user = (SELECT hftok_private.caller_id())
    OR subject = (SELECT hftok_private.caller_id())
    OR (owner_scope IN ('user', 'integration') AND owner_id = (SELECT hftok_private.caller_id()))
);
-- Counts are seen with what they are about.
CREATE POLICY seen ON hftok_private.secret_usage FOR SELECT USING (
    (SELECT hftok_private.caller_is_in('{hftok_service,hftok_admin,hftok_auditor}'))
    OR secret_id IN (SELECT s.id FROM hftok_private.secrets s)
    OR secret_id IN (SELECT i.secret_id FROM hftok_private.integrations i)
);
