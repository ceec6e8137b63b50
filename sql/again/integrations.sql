-- Integrations: connections of users and organisations to providers. Their credentials are read by the backend only.

CREATE OR REPLACE FUNCTION hftok.create_integration_with_vault(
    p_name text, p_type text, p_credentials text, p_config jsonb DEFAULT '{}', p_user_id text DEFAULT NULL,
    p_org_id text DEFAULT NULL
) RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_create_integration';
COMMENT ON FUNCTION hftok.create_integration_with_vault IS
    'Makes an integration; its credentials, a key or a JSON object as text, are sealed. Returns its id. With p_org_id it is the organisation''s: its members use it, its owners and admins change it.';

CREATE OR REPLACE FUNCTION hftok.get_integration_credentials(
    p_integration_id uuid, p_user_id text DEFAULT NULL, p_recipient text DEFAULT NULL
) RETURNS jsonb
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_integration_credentials';
COMMENT ON FUNCTION hftok.get_integration_credentials IS
    'The credentials of an integration of p_user_id, or shared with them: an object as it was given, or a key as a string.';

CREATE OR REPLACE FUNCTION hftok.update_integration(
    p_integration_id uuid, p_name text DEFAULT NULL, p_config jsonb DEFAULT NULL, p_enabled boolean DEFAULT NULL,
    p_user_id text DEFAULT NULL, p_credentials text DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_update_integration';
COMMENT ON FUNCTION hftok.update_integration IS 
    'Changes what is given, all of it or nothing. p_enabled is the owner''s switch, apart from the status disabled, which is the backend''s. p_credentials as in update_integration_credentials().';

CREATE OR REPLACE FUNCTION hftok.update_integration_credentials(
    p_integration_id uuid, p_credentials text, p_user_id text DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_update_integration_credentials';
COMMENT ON FUNCTION hftok.update_integration_credentials IS
    'Replaces the credentials. A field that holds the mask keeps what is stored. The status is pending again, unless the backend disabled it.';

CREATE OR REPLACE FUNCTION hftok.update_integration_status(
    p_integration_id uuid, p_status text, p_error_message text DEFAULT NULL, p_user_id text DEFAULT NULL,
    p_version int DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_update_integration_status';
COMMENT ON FUNCTION hftok.update_integration_status IS
    'Keeps what the backend found: pending, verifying, connected, error or disabled. Credentials that the message quotes are masked. Ignored when p_version, the version that was tried, is not the current one of the credentials.';

CREATE OR REPLACE FUNCTION hftok.begin_verification(
    p_integration_id uuid DEFAULT NULL, p_user_id text DEFAULT NULL, p_limit int DEFAULT 50,
    p_older_than_seconds int DEFAULT 86400
) RETURNS TABLE (integration_id uuid, secret_id uuid, type text, user_id text, org_id text, version int, verdict text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER ROWS 50 AS 'MODULE_PATHNAME', 'hftok_begin_verification';
COMMENT ON FUNCTION hftok.begin_verification IS
    'Says that the caller is about to ask the provider about one integration, or about those of all that want it: pending ones that nobody has tried for 10 minutes, and others that were last tried p_older_than_seconds ago, if the catalogue has a test for their provider. Nobody else is given them meanwhile. One that is pending is verifying from then on. user_id: on whose behalf its credentials are read; of an organisation''s, one of its owners. report_credential() ends it.';

CREATE OR REPLACE FUNCTION hftok.delete_integration_with_vault(p_integration_id uuid, p_user_id text DEFAULT NULL) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_delete_integration';
COMMENT ON FUNCTION hftok.delete_integration_with_vault IS
    'Deletes an integration with its credentials; false when there is none that the caller may delete.';

CREATE OR REPLACE FUNCTION hftok.share_integration(p_integration_id uuid, p_org_id text, p_user_id text DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_share_integration';
COMMENT ON FUNCTION hftok.share_integration IS 'Lets the members of an organisation that the owner belongs to use an integration.';

CREATE OR REPLACE FUNCTION hftok.unshare_integration(p_integration_id uuid, p_org_id text, p_user_id text DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_unshare_integration';
COMMENT ON FUNCTION hftok.unshare_integration IS 'No longer lets them.';

CREATE OR REPLACE VIEW hftok_private.integration_rows AS
    SELECT i.id, i.user_id, i.name, i.type,
        CASE
            WHEN NOT i.enabled THEN 'disabled'
            -- Whoever was verifying it has died.
            WHEN i.status = 'verifying' AND i.updated_at < pg_catalog.now() - interval '1 hour' THEN 'pending'
            ELSE i.status
        END AS status,
        i.enabled, i.config, i.secret_id,
        greatest(i.last_used_at, (SELECT c.last_used[pg_catalog.array_position(c.secret_ids, s.id)] FROM hftok_private.use_counts c
            WHERE c.first_id <= s.id ORDER BY c.first_id DESC LIMIT 1)) AS last_used_at,
        i.error_message,
        i.credentials_migrated, i.created_at, i.updated_at, s.preview, s.version, s.warnings, i.org_id,
        i.last_verified_at, nullif(i.last_tested_at, '-infinity') AS last_tested_at
    FROM hftok_private.integrations i
    -- Nothing is told of a secret that somebody made the row point to.
    LEFT JOIN hftok_private.secrets s
        ON s.id = i.secret_id AND s.scope = CASE WHEN i.org_id IS NULL THEN 'integration' ELSE 'org_integration' END
        AND s.scope_id = coalesce(i.org_id, i.user_id) AND s.provider = i.type
    WHERE hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok_private.integration_rows IS 'Integrations, for who sees all of them.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.integration_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE FUNCTION hftok_private.integrations_of(p_user text) RETURNS SETOF hftok_private.integration_rows
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT r.* FROM (
            SELECT i.id FROM hftok_private.integrations i WHERE i.user_id = p_user
            UNION
            SELECT s.integration_id
            FROM hftok_private.members m JOIN hftok_private.integration_shares s ON s.org_id = m.org_id WHERE m.user_id = p_user
            UNION
            SELECT i.id
            FROM hftok_private.members m,
                LATERAL (SELECT n.id FROM hftok_private.integrations n WHERE n.org_id = m.org_id OFFSET 0) i
            WHERE m.user_id = p_user
        ) o,
        LATERAL (SELECT i.* FROM hftok_private.integration_rows i WHERE i.id = o.id OFFSET 0) r;
    END;
COMMENT ON FUNCTION hftok_private.integrations_of IS 'The integrations of a user and of their organisations, and those that are shared with these.';
CREATE OR REPLACE FUNCTION hftok_private.visible_integrations() RETURNS SETOF hftok_private.integration_rows
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 10 AS 'MODULE_PATHNAME', 'hftok_visible_integrations';
COMMENT ON FUNCTION hftok_private.visible_integrations IS 'The integrations that the caller sees as a user.';
CREATE OR REPLACE VIEW hftok.integrations WITH (security_barrier) AS
    SELECT r.* FROM hftok_private.integration_rows r
    UNION ALL
    SELECT r.* FROM hftok_private.visible_integrations() r
    WHERE NOT hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok.integrations IS 'Integrations of the reader and of their organisations, and those that are shared with them, without credentials: preview, version and warnings are those of the credentials. One that is disabled was switched off by its owner where enabled is false, else by the backend. One that has been verifying for an hour is pending again. last_verified_at and last_tested_at: when the provider accepted the current credentials, and when it was asked.';

CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.integrations
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

CREATE OR REPLACE VIEW hftok_private.share_rows AS
    SELECT s.integration_id, s.org_id, i.user_id, s.created_at
    FROM hftok_private.integration_shares s JOIN hftok_private.integrations i ON i.id = s.integration_id
    WHERE hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok_private.share_rows IS 'Shares of integrations, for who sees all of them.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.share_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE FUNCTION hftok_private.shares_of(p_user text) RETURNS SETOF hftok_private.share_rows
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT r.* FROM (
            SELECT s.integration_id, s.org_id
            FROM hftok_private.integrations i JOIN hftok_private.integration_shares s ON s.integration_id = i.id WHERE i.user_id = p_user
            UNION
            SELECT s.integration_id, s.org_id
            FROM hftok_private.members m JOIN hftok_private.integration_shares s ON s.org_id = m.org_id WHERE m.user_id = p_user
        ) o,
        LATERAL (
            SELECT w.* FROM hftok_private.share_rows w
            WHERE w.integration_id = o.integration_id AND w.org_id = o.org_id OFFSET 0
        ) r;
    END;
COMMENT ON FUNCTION hftok_private.shares_of IS 'With whom a user shares integrations, and what is shared with their organisations.';
CREATE OR REPLACE FUNCTION hftok_private.visible_shares() RETURNS SETOF hftok_private.share_rows
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 10 AS 'MODULE_PATHNAME', 'hftok_visible_shares';
COMMENT ON FUNCTION hftok_private.visible_shares IS 'The shares of integrations that the caller sees as a user.';
CREATE OR REPLACE VIEW hftok.integration_shares WITH (security_barrier) AS
    SELECT r.* FROM hftok_private.share_rows r
    UNION ALL
    SELECT r.* FROM hftok_private.visible_shares() r
    WHERE NOT hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok.integration_shares IS 'Which organisation an integration is shared with, and since when: of the reader''s own, and what is shared with their organisations.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.integration_shares
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

CREATE OR REPLACE FUNCTION hftok_private.report_usage(
    p_secret_id uuid, p_scope text, p_owner text, p_provider text, p_requests bigint, p_units bigint, p_cost text,
    p_currency text
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_report_usage';
COMMENT ON FUNCTION hftok_private.report_usage IS 'Has the audit''s writer count usage.';

CREATE OR REPLACE FUNCTION hftok_private.record_usage_as_owner(
    p_secret_id uuid, p_requests bigint, p_units bigint, p_cost numeric,
    p_currency text
) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    IF p_requests < 0 OR p_units < 0 OR p_cost < 0 OR p_cost IN ('NaN', 'Infinity') OR p_currency !~ '^[A-Z]{3}$' THEN
        RAISE EXCEPTION 'usage is not negative, and its currency has three capital letters' USING ERRCODE = '22023';
    END IF;
    IF p_requests > 1000000000000 OR p_units > 1000000000000000 OR p_cost > 1000000000000 OR scale(p_cost) > 30 THEN
        RAISE EXCEPTION 'usage is more than can be counted at once' USING ERRCODE = '22023';
    END IF;
    -- Looked up now: it may be deleted before it is counted.
    PERFORM hftok_private.report_usage(s.id, s.scope, s.scope_id, s.provider, p_requests, p_units, p_cost::text, p_currency)
    FROM hftok_private.secrets s WHERE s.id = p_secret_id AND s.scope <> 'vault';
END
$$;
COMMENT ON FUNCTION hftok_private.record_usage_as_owner IS 'The work of record_usage(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.record_usage(
    p_secret_id uuid, p_requests bigint DEFAULT 1, p_units bigint DEFAULT 0, p_cost numeric DEFAULT 0,
    p_currency text DEFAULT 'USD'
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_record_usage';
COMMENT ON FUNCTION hftok.record_usage IS 'Counts what was done with a credential today (UTC), soon: nothing is written in the caller''s transaction. NULL or an unknown id does nothing.';

CREATE OR REPLACE VIEW hftok_private.usage_rows WITH (security_barrier) AS
    SELECT u.day, u.provider, u.scope, u.scope_id, u.secret_id, u.requests, u.units, u.cost, u.currency
    FROM hftok_private.usage_daily u
    WHERE hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', true);
COMMENT ON VIEW hftok_private.usage_rows IS 'Usage, for who sees all of it.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.usage_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE FUNCTION hftok_private.usage_of(p_user text) RETURNS SETOF hftok_private.usage_rows
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT r.* FROM hftok_private.usage_rows r WHERE r.scope IN ('user', 'integration') AND r.scope_id = p_user
        UNION ALL
        SELECT r.*
        FROM hftok_private.members m,
            -- OFFSET 0: looked up one organisation after the other, by the index.
            LATERAL (SELECT u.* FROM hftok_private.usage_rows u WHERE u.scope IN ('org', 'org_integration') AND u.scope_id = m.org_id OFFSET 0) r
        WHERE m.user_id = p_user AND m.role IN ('owner', 'admin');
    END;
COMMENT ON FUNCTION hftok_private.usage_of IS 'The usage of a user''s credentials, and of those of organisations whose owner or admin they are.';
CREATE OR REPLACE FUNCTION hftok_private.visible_usage() RETURNS SETOF hftok_private.usage_rows
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 100 AS 'MODULE_PATHNAME', 'hftok_visible_usage';
COMMENT ON FUNCTION hftok_private.visible_usage IS 'The usage that the caller sees as a user or an administrator of the application.';
CREATE OR REPLACE VIEW hftok.usage_daily WITH (security_barrier) AS
    SELECT r.* FROM hftok_private.usage_rows r
    UNION ALL
    SELECT r.* FROM hftok_private.visible_usage() r
    WHERE NOT hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', true);
COMMENT ON VIEW hftok.usage_daily IS 'The use of each credential, by day: of one''s own, and of those of organisations whose owner or admin one is.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.usage_daily
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
