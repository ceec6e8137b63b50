-- Rotation of keys: docs/keys.md.

CREATE OR REPLACE FUNCTION hftok.rotate_root_key() RETURNS int
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_rotate_root_key';
COMMENT ON FUNCTION hftok.rotate_root_key IS
    'Wraps every data key of this database by the primary root key of the keyring, in one transaction. Returns how many another one wrapped.';

CREATE OR REPLACE FUNCTION hftok_private.loaded_root_keys() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_loaded_root_keys';
COMMENT ON FUNCTION hftok_private.loaded_root_keys IS
    'The root keys of the keyring as JSON, by number and fingerprint, for those who were granted the view root_keys.';

CREATE OR REPLACE VIEW hftok.root_keys WITH (security_barrier) AS
    SELECT coalesce(r.id, l.id) AS id,
        coalesce(pg_catalog.encode(r.fingerprint, 'hex'), l.fingerprint) AS fingerprint,
        l.id IS NOT NULL AS in_keyring,
        coalesce(l.is_primary, false) AS is_primary,
        (SELECT count(*) FROM hftok_private.data_keys k
            WHERE k.root_key_id = r.id AND k.root_fingerprint = r.fingerprint AND k.state <> 'destroyed') AS data_keys,
        r.first_at AS needed_by_backups_from,
        CASE WHEN r.id IS NOT NULL THEN coalesce(r.last_at, 'infinity') END AS needed_by_backups_before
    FROM hftok_private.root_keys r
    FULL JOIN pg_catalog.jsonb_to_recordset(hftok_private.loaded_root_keys()::jsonb) AS l (id int, fingerprint text, is_primary boolean)
        ON l.id = r.id AND l.fingerprint = pg_catalog.encode(r.fingerprint, 'hex');
COMMENT ON VIEW hftok.root_keys IS
    'The root keys of the keyring, and those that this database needed earlier: how many of its data keys each wraps, and from when to when its backups need it.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.root_keys
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
