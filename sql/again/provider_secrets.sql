-- provider_secrets: the same rows as user_api_keys, with the provider's name and whether there is a key, for applications that have
-- such a table. provider_overview has every provider, also those without a key.
--
-- Must stay true: it is a view of the table alone, or Postgres has no index that ON CONFLICT (user_id, provider) could name. So the
-- table's triggers seal what is inserted, and its policy decides on the rows. Only columns of the table can be inserted into.

CREATE OR REPLACE VIEW hftok.provider_secrets WITH (security_invoker) AS
    SELECT k.user_id, k.service AS provider,
        (SELECT p.label FROM hftok.providers p WHERE p.name = k.service) AS label,
        true AS is_configured, k.api_key || '' AS api_key_preview, k.created_at, k.updated_at, k.id, k.api_key
    FROM hftok_private.user_api_keys k;
COMMENT ON VIEW hftok.provider_secrets IS
    'The keys of users, one a provider, as user_api_keys has them: api_key is written as a key and read as its mask. Providers without a key: provider_overview.';

CREATE OR REPLACE FUNCTION hftok_private.provider_secrets_change_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    changed hftok_private.user_api_keys;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RETURN CASE WHEN hftok_private.delete_api_key(OLD.user_id, OLD.provider) THEN OLD END;
    ELSIF (NEW.label, NEW.is_configured, NEW.api_key_preview) IS DISTINCT FROM (OLD.label, OLD.is_configured, OLD.api_key_preview) THEN
        RAISE EXCEPTION 'label, is_configured and api_key_preview follow from the key: write api_key' USING ERRCODE = '22023';
    END IF;
    changed := hftok_private.change_api_key(
        ROW (OLD.id, OLD.user_id, OLD.provider, OLD.api_key, OLD.created_at, OLD.updated_at)::hftok_private.user_api_keys,
        NEW.user_id, NEW.provider, NEW.api_key);
    IF changed.id IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT OLD.user_id, OLD.provider, OLD.label, true, changed.api_key, changed.created_at, changed.updated_at, changed.id, changed.api_key
    INTO NEW;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hftok_private.provider_secrets_change_as_owner IS 'The work of provider_secrets_change(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.provider_secrets_change() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_provider_secrets_change';
COMMENT ON FUNCTION hftok_private.provider_secrets_change IS 'Stores a key that is written anew, or deletes it; a mask that was read means unchanged.';
CREATE OR REPLACE TRIGGER change INSTEAD OF UPDATE OR DELETE ON hftok.provider_secrets
    FOR EACH ROW EXECUTE FUNCTION hftok_private.provider_secrets_change();

CREATE OR REPLACE VIEW hftok.provider_overview WITH (security_barrier) AS
    SELECT me.id AS user_id, p.name AS provider, p.label, s.secret_id IS NOT NULL AS is_configured, s.preview AS api_key_preview,
        s.created_at, s.updated_at
    FROM (SELECT hftok_private.caller_id() AS id) me
    CROSS JOIN hftok.providers p
    LEFT JOIN hftok_private.visible_credentials() s ON s.scope = 'user' AND s.provider = p.name AND s.model = '' AND s.slot = '';
COMMENT ON VIEW hftok.provider_overview IS 'Every provider of the catalogue, and whether the reader has a key for it.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.provider_overview
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
