-- Credentials as their owners see them: never a value.

-- A barrier, because it is a view of one table (row_security.sql).
CREATE OR REPLACE VIEW hftok_private.credential_rows WITH (security_barrier) AS
    SELECT s.id AS secret_id, s.provider, s.scope, s.scope_id, s.model, s.slot, s.position, s.label, s.preview,
        CASE
            WHEN NOT s.enabled THEN 'disabled'
            WHEN s.expires_at <= pg_catalog.now() THEN 'expired'
            WHEN s.verdict IS DISTINCT FROM 'invalid' AND s.rested_until > pg_catalog.now() THEN 'rate_limited'
            ELSE coalesce(s.verdict, 'unverified')
        END AS status,
        s.enabled, s.warnings, s.allowed_hosts, s.on_unusable, s.expires_at, s.last_verified_at,
        -- Not in a join, which would look for uses also where nobody asks for them.
        (SELECT c.last_used[pg_catalog.array_position(c.secret_ids, s.id)] FROM hftok_private.use_counts c
            WHERE c.first_id <= s.id ORDER BY c.first_id DESC LIMIT 1) AS last_used_at,
        coalesce((SELECT c.counts[pg_catalog.array_position(c.secret_ids, s.id)] FROM hftok_private.use_counts c
            WHERE c.first_id <= s.id ORDER BY c.first_id DESC LIMIT 1), 0) AS use_count,
        s.version, s.created_at, s.updated_at,
        (SELECT hftok_private.caller_is_in('{hftok_service,hftok_admin}')) AS writable, s.verdict_message
    FROM hftok_private.secrets s
    WHERE s.scope IN ('user', 'org', 'global')
    AND hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok_private.credential_rows IS 'Credentials, for who sees all of them.';

CREATE OR REPLACE FUNCTION hftok_private.credentials_of(p_user text) RETURNS SETOF hftok_private.credential_rows
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT r.secret_id, r.provider, r.scope, r.scope_id, r.model, r.slot, r.position, r.label, r.preview, r.status, r.enabled,
            r.warnings, r.allowed_hosts, r.on_unusable, r.expires_at, r.last_verified_at, r.last_used_at, r.use_count, r.version,
            r.created_at, r.updated_at, o.writable, r.verdict_message
        FROM (
            SELECT 'user' AS scope, p_user AS scope_id, true AS writable
            UNION ALL
            SELECT 'org', m.org_id, m.role <> 'member' FROM hftok_private.members m WHERE m.user_id = p_user
            UNION ALL
            SELECT 'global', '', true FROM hftok_private.administrators a WHERE a.user_id = p_user
        ) o,
        -- OFFSET 0: looked up owner by owner, by the index, whatever statistics say or don't.
        LATERAL (
            SELECT c.* FROM hftok_private.credential_rows c WHERE c.scope = o.scope AND c.scope_id = o.scope_id OFFSET 0
        ) r;
    END;
COMMENT ON FUNCTION hftok_private.credentials_of IS 'The credentials that a user sees.';
CREATE OR REPLACE FUNCTION hftok_private.visible_credentials() RETURNS SETOF hftok_private.credential_rows
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 10 AS 'MODULE_PATHNAME', 'hftok_visible_credentials';
COMMENT ON FUNCTION hftok_private.visible_credentials IS 'The credentials that the caller sees as a user.';

CREATE OR REPLACE VIEW hftok.credentials WITH (security_barrier) AS
    SELECT r.* FROM hftok_private.credential_rows r
    UNION ALL
    SELECT r.* FROM hftok_private.visible_credentials() r
    WHERE NOT hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok.credentials IS
    'Credentials that the reader may see, without values. Of those that are writable, label, position, enabled, expires_at, allowed_hosts and on_unusable can be updated, and rows deleted.';

-- Hosts and expiry are authenticated with the value, so changing them seals it anew: here, and nowhere else, because a row
-- that is edited in the table must not open.
CREATE OR REPLACE FUNCTION hftok_private.reseal(
    p_id uuid, p_version int, p_scope text, p_scope_id text, p_provider text, p_model text, p_name text,
    p_slot text, p_kind text, p_allowed_hosts text[], p_expires_at timestamptz, p_sealed bytea, p_new_hosts text[], p_new_expiry timestamptz
) RETURNS bytea
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_reseal';
COMMENT ON FUNCTION hftok_private.reseal IS 'A value sealed anew, bound to other hosts and another end.';

-- Whether the caller may write was decided by the view, which ran as them.
CREATE OR REPLACE FUNCTION hftok_private.write_credential_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    stored hftok_private.secrets;
BEGIN
    -- Passed over, as row security passes over rows.
    IF NOT OLD.writable THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        PERFORM hftok_private.lock_owner(OLD.scope, OLD.scope_id);
        DELETE FROM hftok_private.secrets s WHERE s.id = OLD.secret_id RETURNING s.* INTO stored;
        IF FOUND THEN
            PERFORM hftok_private.record_change('credentials', stored.id, stored.version, NULL, stored.scope,
                stored.scope_id, stored.provider);
        END IF;
        RETURN OLD;
    END IF;
    -- Checked here: what a constraint of the table says would quote the row.
    IF NEW.label IS NULL OR octet_length(NEW.label) > 1024 OR NEW.enabled IS NULL OR NEW.on_unusable IS NULL OR NEW.on_unusable NOT IN ('stop', 'continue')
        OR array_position(NEW.allowed_hosts, NULL) IS NOT NULL OR NEW.position IS NULL OR NEW.position NOT BETWEEN 0 AND 1000000 THEN
        RAISE EXCEPTION 'label (1024 bytes at most) and enabled must not be null, on_unusable must be stop or continue, hosts must not be null, position must be between 0 and 1000000' USING ERRCODE = '22023';
    END IF;
    SELECT s.* INTO stored FROM hftok_private.secrets s WHERE s.id = OLD.secret_id;
    IF FOUND THEN
        PERFORM hftok_private.lock_owner(stored.scope, stored.scope_id);
        SELECT s.* INTO stored FROM hftok_private.secrets s WHERE s.id = OLD.secret_id FOR UPDATE;
    END IF;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- A column that the caller did not change stays as it is now, not as they saw it: somebody may have changed it since.
    NEW.label := CASE WHEN NEW.label IS DISTINCT FROM OLD.label THEN NEW.label ELSE stored.label END;
    NEW.position := CASE WHEN NEW.position IS DISTINCT FROM OLD.position THEN NEW.position ELSE stored.position END;
    NEW.enabled := CASE WHEN NEW.enabled IS DISTINCT FROM OLD.enabled THEN NEW.enabled ELSE stored.enabled END;
    NEW.on_unusable := CASE WHEN NEW.on_unusable IS DISTINCT FROM OLD.on_unusable THEN NEW.on_unusable ELSE stored.on_unusable END;
    NEW.allowed_hosts := CASE WHEN NEW.allowed_hosts IS DISTINCT FROM OLD.allowed_hosts THEN NEW.allowed_hosts ELSE stored.allowed_hosts END;
    NEW.expires_at := CASE WHEN NEW.expires_at IS DISTINCT FROM OLD.expires_at THEN NEW.expires_at ELSE stored.expires_at END;
    IF NEW.allowed_hosts IS DISTINCT FROM stored.allowed_hosts OR NEW.expires_at IS DISTINCT FROM stored.expires_at THEN
        stored.sealed := hftok_private.reseal(stored.id, stored.version, stored.scope, stored.scope_id, stored.provider,
            stored.model, stored.name, stored.slot, stored.kind, stored.allowed_hosts, stored.expires_at, stored.sealed, NEW.allowed_hosts,
            NEW.expires_at);
    END IF;
    UPDATE hftok_private.secrets s
    SET label = NEW.label, position = NEW.position, enabled = NEW.enabled, on_unusable = NEW.on_unusable, allowed_hosts = NEW.allowed_hosts,
        expires_at = NEW.expires_at, sealed = stored.sealed, updated_at = now()
    WHERE s.id = stored.id RETURNING s.* INTO stored;
    PERFORM hftok_private.record_change('credentials', stored.id, stored.version, hftok_private.state_of(stored), stored.scope,
        stored.scope_id, stored.provider);
    NEW.updated_at := now();
    NEW.status := CASE
        WHEN NOT NEW.enabled THEN 'disabled' WHEN NEW.expires_at <= now() THEN 'expired'
        WHEN stored.verdict IS DISTINCT FROM 'invalid' AND stored.rested_until > now() THEN 'rate_limited'
        ELSE coalesce(stored.verdict, 'unverified')
    END;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hftok_private.write_credential_as_owner IS 'The work of write_credential(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.write_credential() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_write_credential';
COMMENT ON FUNCTION hftok_private.write_credential IS 'Updates and deletes through the view credentials.';
CREATE OR REPLACE TRIGGER write_credential INSTEAD OF UPDATE OR DELETE ON hftok.credentials
    FOR EACH ROW EXECUTE FUNCTION hftok_private.write_credential();

CREATE OR REPLACE VIEW hftok.expiring_credentials WITH (security_barrier) AS
    SELECT c.* FROM hftok.credentials c WHERE c.expires_at < pg_catalog.now() + interval '30 days';
COMMENT ON VIEW hftok.expiring_credentials IS 'Credentials that end within 30 days, or have ended.';

CREATE OR REPLACE FUNCTION hftok_private.catalogue_rows() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_catalogue_rows';
COMMENT ON FUNCTION hftok_private.catalogue_rows IS 'The catalogue as JSON: of a provider that cannot be vouched for, the name alone.';

CREATE OR REPLACE VIEW hftok.providers AS
    SELECT c.name,
        c.definition ->> 'label' AS label,
        c.definition -> 'fields' AS fields,
        c.definition ->> 'docs_url' AS docs_url,
        ARRAY(SELECT e.name FROM pg_catalog.jsonb_array_elements(c.definition -> 'fields') AS f (field),
            pg_catalog.jsonb_array_elements_text(f.field -> 'env') AS e (name)) AS env,
        ARRAY(SELECT h.host FROM pg_catalog.jsonb_array_elements_text(c.definition -> 'hosts') AS h (host)) AS hosts,
        nullif(c.definition -> 'test', 'null') AS test,
        c.definition -> 'formats' AS formats,
        c.definition -> 'environment' AS environment,
        c.builtin,
        CASE WHEN c.definition IS NOT NULL THEN c.definition ->> 'enabled' IS DISTINCT FROM 'false' END AS enabled,
        c.definition ->> 'openai' AS openai
    FROM pg_catalog.jsonb_to_recordset(hftok_private.catalogue_rows()::jsonb)
        AS c (name text, definition jsonb, builtin boolean);
COMMENT ON VIEW hftok.providers IS
    'The catalogue: what each provider''s credentials consist of, where to get them, what they look like, where they may be sent, how to test them, and the base address of those that speak the OpenAI protocol. Of one that hftok cannot vouch for only the name is shown.';

CREATE OR REPLACE FUNCTION hftok.register_provider(p_provider jsonb) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_register_provider';
COMMENT ON FUNCTION hftok.register_provider IS
    'Adds a provider to the catalogue, in the form of the view providers; of a built-in one, says what is to be otherwise: its hosts, variables and test may only become narrower, and what is not given is as built in. Returns its name. Administrators of the application register providers of its own, without test, OpenAI address, variables and prefixes of their own.';

CREATE OR REPLACE FUNCTION hftok.unregister_provider(p_provider text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_unregister_provider';
COMMENT ON FUNCTION hftok.unregister_provider IS
    'Takes back what register_provider() said: a built-in provider is as it was, another one is gone. False when there was nothing.';

CREATE OR REPLACE FUNCTION hftok.switch_provider(p_provider text, p_enabled boolean) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_switch_provider';
COMMENT ON FUNCTION hftok.switch_provider IS
    'Switches a provider off for the application, or on again: while it is off its credentials are neither saved nor handed out (PT422, outcome disabled), and stay. False when it was so already. For operators and the application''s administrators, who do not lift what an operator switched off.';

CREATE OR REPLACE FUNCTION hftok_private.provider_fault(p_id text, p_definition text, p_signature bytea) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_provider_fault';
COMMENT ON FUNCTION hftok_private.provider_fault IS 'Why a registered provider cannot be used, or NULL.';

-- Not to be written, and that is the answer: what Postgres itself says of such a view PostgREST takes for its own fault.
CREATE OR REPLACE FUNCTION hftok_private.refuse_view_write() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    RAISE EXCEPTION 'view % is only for reading', TG_TABLE_NAME USING ERRCODE = '42501';
END
$$;
COMMENT ON FUNCTION hftok_private.refuse_view_write IS 'Refuses to write to a view that shows what lies elsewhere.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT ON hftok.credentials
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT ON hftok.expiring_credentials
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.providers
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.credential_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
