-- Notes which role it was that something is kept for by the name of a role, also when rows are restored or replicated.

CREATE OR REPLACE FUNCTION hftok_private.note_role() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO hftok_private.direct_roles (name, role)
    SELECT r.rolname, r.oid FROM pg_roles r
    WHERE r.rolname = substr(CASE WHEN TG_TABLE_NAME = 'secrets' THEN to_jsonb(NEW) ->> 'scope_id' ELSE to_jsonb(NEW) ->> 'user_id' END, 6)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION hftok_private.note_role IS 'Notes which role it is that something is kept for.';
CREATE OR REPLACE TRIGGER note_role AFTER INSERT OR UPDATE OF scope_id ON hftok_private.secrets
    FOR EACH ROW WHEN (pg_catalog.starts_with(NEW.scope_id, 'role:')) EXECUTE FUNCTION hftok_private.note_role();
CREATE OR REPLACE TRIGGER note_role AFTER INSERT OR UPDATE OF user_id ON hftok_private.members
    FOR EACH ROW WHEN (pg_catalog.starts_with(NEW.user_id, 'role:')) EXECUTE FUNCTION hftok_private.note_role();
CREATE OR REPLACE TRIGGER note_role AFTER INSERT OR UPDATE OF user_id ON hftok_private.administrators
    FOR EACH ROW WHEN (pg_catalog.starts_with(NEW.user_id, 'role:')) EXECUTE FUNCTION hftok_private.note_role();
ALTER TABLE hftok_private.secrets ENABLE ALWAYS TRIGGER note_role;
ALTER TABLE hftok_private.members ENABLE ALWAYS TRIGGER note_role;
ALTER TABLE hftok_private.administrators ENABLE ALWAYS TRIGGER note_role;
