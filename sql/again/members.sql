-- Organisations, administrators, and forgetting.

CREATE OR REPLACE VIEW hftok_private.member_rows WITH (security_barrier) AS
    SELECT m.org_id, m.user_id, m.role, m.created_at FROM hftok_private.members m
    WHERE hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok_private.member_rows IS 'Members of organisations, for who sees all of them.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.member_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE FUNCTION hftok_private.members_of(p_user text) RETURNS SETOF hftok_private.member_rows
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT r.* FROM hftok_private.member_rows r
        WHERE r.org_id = ANY (ARRAY(SELECT o.org_id FROM hftok_private.members o WHERE o.user_id = p_user));
    END;
COMMENT ON FUNCTION hftok_private.members_of IS 'The members of the organisations that a user belongs to.';
CREATE OR REPLACE FUNCTION hftok_private.visible_members() RETURNS SETOF hftok_private.member_rows
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 100 AS 'MODULE_PATHNAME', 'hftok_visible_members';
COMMENT ON FUNCTION hftok_private.visible_members IS 'The members that the caller sees as a user.';
CREATE OR REPLACE VIEW hftok.members WITH (security_barrier) AS
    SELECT r.* FROM hftok_private.member_rows r
    UNION ALL
    SELECT r.* FROM hftok_private.visible_members() r
    WHERE NOT hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok.members IS 'Members of the organisations that the reader belongs to.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.members
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

CREATE OR REPLACE VIEW hftok_private.administrator_rows WITH (security_barrier) AS
    SELECT a.user_id, a.created_at FROM hftok_private.administrators a
    WHERE hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok_private.administrator_rows IS 'Administrators of the application, for who sees all of them.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.administrator_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE FUNCTION hftok_private.administrators_of(p_user text) RETURNS SETOF hftok_private.administrator_rows
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT r.* FROM hftok_private.administrator_rows r
        WHERE EXISTS (SELECT FROM hftok_private.administrators a WHERE a.user_id = p_user);
    END;
COMMENT ON FUNCTION hftok_private.administrators_of IS 'The administrators of the application, if the user is one.';
CREATE OR REPLACE FUNCTION hftok_private.visible_administrators() RETURNS SETOF hftok_private.administrator_rows
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 10 AS 'MODULE_PATHNAME', 'hftok_visible_administrators';
COMMENT ON FUNCTION hftok_private.visible_administrators IS 'The administrators that the caller sees as a user.';
CREATE OR REPLACE VIEW hftok.administrators WITH (security_barrier) AS
    SELECT r.* FROM hftok_private.administrator_rows r
    UNION ALL
    SELECT r.* FROM hftok_private.visible_administrators() r
    WHERE NOT hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok.administrators IS 'Users of the application who may set global credentials.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.administrators
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

CREATE OR REPLACE FUNCTION hftok.add_member(p_org_id text, p_user_id text, p_role text DEFAULT 'member') RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_add_member';
COMMENT ON FUNCTION hftok.add_member IS
    'Makes a user a member of an organisation, or gives a member another role. Only owners make or change owners, and the last one stays.';

CREATE OR REPLACE FUNCTION hftok.remove_member(p_org_id text, p_user_id text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_remove_member';
COMMENT ON FUNCTION hftok.remove_member IS 'Ends a membership; false when there was none. Anybody may leave.';

CREATE OR REPLACE FUNCTION hftok_private.identifier(p_id text) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_identifier';
COMMENT ON FUNCTION hftok_private.identifier IS 'An identifier as it is stored; an error for one that cannot be.';

CREATE OR REPLACE FUNCTION hftok_private.grant_administrator_as_owner(p_user_id text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    INSERT INTO hftok_private.administrators (user_id) VALUES (hftok_private.identifier(p_user_id)) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM hftok_private.record_change('grant_administrator', p_scope => 'global', p_level => 'administrator',
            p_subject => hftok_private.identifier(p_user_id));
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.grant_administrator_as_owner IS 'The work of grant_administrator(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.grant_administrator(p_user_id text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_grant_administrator';
COMMENT ON FUNCTION hftok.grant_administrator IS 'Makes a user of the application an administrator.';

CREATE OR REPLACE FUNCTION hftok_private.revoke_administrator_as_owner(p_user_id text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    DELETE FROM hftok_private.administrators a WHERE a.user_id = hftok_private.identifier(p_user_id);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM hftok_private.record_change('revoke_administrator', p_scope => 'global',
        p_subject => hftok_private.identifier(p_user_id));
    RETURN true;
END
$$;
COMMENT ON FUNCTION hftok_private.revoke_administrator_as_owner IS 'The work of revoke_administrator(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.revoke_administrator(p_user_id text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_revoke_administrator';
COMMENT ON FUNCTION hftok.revoke_administrator IS 'No longer makes a user an administrator; false when they were none.';

CREATE OR REPLACE FUNCTION hftok_private.adopt_role_as_owner(p_role name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    adopted oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = p_role);
BEGIN
    IF adopted IS NULL THEN
        RAISE EXCEPTION 'there is no role "%"', p_role USING ERRCODE = '22023';
    END IF;
    UPDATE hftok_private.direct_roles r SET role = adopted WHERE r.name = p_role::text AND r.role <> adopted;
    IF FOUND THEN
        PERFORM hftok_private.record_change('adopt_role', p_subject => 'role:' || p_role);
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.adopt_role_as_owner IS 'The work of adopt_role(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.adopt_role(p_role name) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_adopt_role';
COMMENT ON FUNCTION hftok.adopt_role IS
    'Gives what is kept for role:<name> to the role that has this name now, where the former was dropped.';

CREATE OR REPLACE FUNCTION hftok_private.forget_credentials(p_scope text, p_owner text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    action text := 'forget_' || p_scope;
    connected text := CASE p_scope WHEN 'user' THEN 'integration' ELSE 'org_integration' END;
    gone hftok_private.secrets;
    integration hftok_private.integrations;
BEGIN
    -- Before their credentials take them along, so that each is told by its own id.
    FOR integration IN
        DELETE FROM hftok_private.integrations i USING hftok_private.secrets s
        WHERE s.scope = connected AND s.scope_id = p_owner AND i.secret_id = s.id RETURNING i.*
    LOOP
        PERFORM hftok_private.record_change(action, integration.id, p_scope => connected, p_owner => p_owner,
            p_provider => integration.type);
    END LOOP;
    FOR gone IN
        WITH deleted AS (
            DELETE FROM hftok_private.secrets s
            WHERE s.scope_id = p_owner AND s.scope IN (p_scope, connected)
            RETURNING s.*
        )
        -- Told in an order that does not depend on where the rows lay.
        SELECT d.* FROM deleted d ORDER BY d.scope DESC, d.provider COLLATE "C", d.model COLLATE "C", d.id
    LOOP
        PERFORM hftok_private.record_change(action, gone.id, gone.version, NULL, gone.scope, gone.scope_id, gone.provider);
    END LOOP;
END
$$;
COMMENT ON FUNCTION hftok_private.forget_credentials IS 'Deletes the secrets of a user or an organisation, whom the caller has locked, and their integrations.';

CREATE OR REPLACE FUNCTION hftok_private.forget(p_scope text, p_id text)
    RETURNS TABLE (credentials int, versions int, integrations int, memberships int)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    owner text := hftok_private.identifier(p_id);
    action text := 'forget_' || p_scope;
    connected text := CASE p_scope WHEN 'user' THEN 'integration' ELSE 'org_integration' END;
    member hftok_private.members;
    share hftok_private.integrations;
    token uuid;
BEGIN
    PERFORM hftok_private.lock_owner(p_scope, owner);
    PERFORM FROM hftok_private.secrets s
    WHERE s.scope_id = owner AND s.scope IN (p_scope, connected) ORDER BY s.id FOR UPDATE;
    SELECT count(*) FILTER (WHERE s.scope = p_scope), count(*) FILTER (WHERE s.scope = connected)
    INTO credentials, integrations
    FROM hftok_private.secrets s
    WHERE s.scope_id = owner AND s.scope IN (p_scope, connected);
    SELECT count(*) INTO versions
    FROM hftok_private.secret_versions v JOIN hftok_private.secrets s ON s.id = v.secret_id
    WHERE s.scope_id = owner AND s.scope IN (p_scope, connected);
    PERFORM hftok_private.forget_credentials(p_scope, owner);
    DELETE FROM hftok_private.import_rows r
    WHERE (r.scope_id = owner AND r.scope IN (p_scope, connected)) OR (p_scope = 'user' AND r.scope IS NULL AND r.key = owner);
    FOR token IN
        DELETE FROM hftok_private.runner_tokens t WHERE CASE p_scope WHEN 'user' THEN t.user_id ELSE t.org_id END = owner
        RETURNING t.id
    LOOP
        PERFORM hftok_private.record_change(action, token, p_scope => p_scope, p_owner => owner);
    END LOOP;
    memberships := 0;
    FOR member IN
        DELETE FROM hftok_private.members m WHERE CASE p_scope WHEN 'user' THEN m.user_id ELSE m.org_id END = owner
        RETURNING m.*
    LOOP
        PERFORM hftok_private.record_change(action, p_scope => 'org', p_owner => member.org_id, p_subject => member.user_id);
        memberships := memberships + 1;
    END LOOP;
    IF p_scope = 'user' THEN
        DELETE FROM hftok_private.administrators a WHERE a.user_id = owner;
        IF FOUND THEN
            PERFORM hftok_private.record_change(action, p_scope => 'global', p_subject => owner);
        END IF;
        DELETE FROM hftok_private.usage_daily u WHERE u.scope IN ('user', 'integration') AND u.scope_id = owner;
        DELETE FROM hftok_private.direct_roles r WHERE 'role:' || r.name = owner;
        -- Masks follow their secrets; one that was left without is looked for here.
        DELETE FROM hftok_private.user_api_keys k WHERE k.user_id = owner;
    ELSE
        FOR share IN
            DELETE FROM hftok_private.integration_shares s USING hftok_private.integrations i
            WHERE s.org_id = owner AND i.id = s.integration_id RETURNING i.*
        LOOP
            PERFORM hftok_private.record_change(action, share.id, p_scope => 'org', p_owner => owner,
                p_provider => share.type, p_subject => share.user_id);
        END LOOP;
        DELETE FROM hftok_private.usage_daily u WHERE u.scope IN ('org', 'org_integration') AND u.scope_id = owner;
        -- Standbys and subscribers lose what they still have of its values.
        PERFORM hftok_private.destroy_org_key(owner);
    END IF;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION hftok_private.forget IS 'Deletes everything of a user or an organisation, and counts it.';

CREATE OR REPLACE FUNCTION hftok_private.forget_user_as_owner(p_user_id text)
    RETURNS TABLE (credentials int, versions int, integrations int, memberships int)
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$ SELECT * FROM hftok_private.forget('user', p_user_id) $$;
COMMENT ON FUNCTION hftok_private.forget_user_as_owner IS 'The work of forget_user(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.forget_user(p_user_id text)
    RETURNS TABLE (credentials int, versions int, integrations int, memberships int)
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_forget_user';
COMMENT ON FUNCTION hftok.forget_user IS 'Deletes everything of a user, and counts it.';

CREATE OR REPLACE FUNCTION hftok_private.forget_org_as_owner(p_org_id text)
    RETURNS TABLE (credentials int, versions int, integrations int, memberships int)
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$ SELECT * FROM hftok_private.forget('org', p_org_id) $$;
COMMENT ON FUNCTION hftok_private.forget_org_as_owner IS 'The work of forget_org(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.forget_org(p_org_id text)
    RETURNS TABLE (credentials int, versions int, integrations int, memberships int)
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_forget_org';
COMMENT ON FUNCTION hftok.forget_org IS 'Deletes everything of an organisation, and counts it.';
