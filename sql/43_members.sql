-- Organisations, administrators, and forgetting.

CREATE FUNCTION hftok.add_member(p_org_id text, p_user_id text, p_role text DEFAULT 'member') RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_add_member';
COMMENT ON FUNCTION hftok.add_member IS
    'Makes a user a member of an organisation, or gives a member another role. Only owners make or change owners, and the last one stays.';

CREATE FUNCTION hftok.remove_member(p_org_id text, p_user_id text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_remove_member';
COMMENT ON FUNCTION hftok.remove_member IS 'Ends a membership; false when there was none. Anybody may leave.';

CREATE FUNCTION hftok_private.identifier(p_id text) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_identifier';
COMMENT ON FUNCTION hftok_private.identifier IS 'An identifier as it is stored; an error for one that cannot be.';

CREATE FUNCTION hftok.grant_administrator(p_user_id text) RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    INSERT INTO hftok_private.administrators (user_id) VALUES (hftok_private.identifier(p_user_id)) ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION hftok.grant_administrator IS 'Makes a user of the application an administrator.';

CREATE FUNCTION hftok.revoke_administrator(p_user_id text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    DELETE FROM hftok_private.administrators a WHERE a.user_id = hftok_private.identifier(p_user_id);
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION hftok.revoke_administrator IS 'No longer makes a user an administrator; false when they were none.';

CREATE FUNCTION hftok_private.forget(p_scope text, p_id text)
    RETURNS TABLE (credentials int, versions int, integrations int, memberships int)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    owner text := hftok_private.identifier(p_id);
BEGIN
    IF p_scope = 'user' THEN
        PERFORM hftok_private.lock_user(owner);
    END IF;
    SELECT count(*) FILTER (WHERE s.scope = p_scope), count(*) FILTER (WHERE s.scope = 'integration')
    INTO credentials, integrations
    FROM hftok_private.secrets s
    WHERE s.scope_id = owner AND (s.scope = p_scope OR (s.scope = 'integration' AND p_scope = 'user'));
    SELECT count(*) INTO versions
    FROM hftok_private.secret_versions v JOIN hftok_private.secrets s ON s.id = v.secret_id
    WHERE s.scope_id = owner AND (s.scope = p_scope OR (s.scope = 'integration' AND p_scope = 'user'));
    DELETE FROM hftok_private.secrets s
    WHERE s.scope_id = owner AND (s.scope = p_scope OR (s.scope = 'integration' AND p_scope = 'user'));
    IF p_scope = 'user' THEN
        DELETE FROM hftok_private.members m WHERE m.user_id = owner;
        GET DIAGNOSTICS memberships = ROW_COUNT;
        DELETE FROM hftok_private.administrators a WHERE a.user_id = owner;
        DELETE FROM hftok_private.usage_daily u WHERE u.scope IN ('user', 'integration') AND u.scope_id = owner;
    ELSE
        DELETE FROM hftok_private.members m WHERE m.org_id = owner;
        GET DIAGNOSTICS memberships = ROW_COUNT;
        DELETE FROM hftok_private.integration_shares s WHERE s.org_id = owner;
        DELETE FROM hftok_private.usage_daily u WHERE u.scope = 'org' AND u.scope_id = owner;
    END IF;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION hftok_private.forget IS 'Deletes everything of a user or an organisation, and counts it.';

CREATE FUNCTION hftok.forget_user(p_user_id text)
    RETURNS TABLE (credentials int, versions int, integrations int, memberships int)
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$ SELECT * FROM hftok_private.forget('user', p_user_id) $$;
COMMENT ON FUNCTION hftok.forget_user IS 'Deletes everything of a user, and counts it.';

CREATE FUNCTION hftok.forget_org(p_org_id text)
    RETURNS TABLE (credentials int, versions int, integrations int, memberships int)
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$ SELECT * FROM hftok_private.forget('org', p_org_id) $$;
COMMENT ON FUNCTION hftok.forget_org IS 'Deletes everything of an organisation, and counts it.';
