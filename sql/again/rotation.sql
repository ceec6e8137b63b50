-- Rotation of keys: docs/keys.md.

CREATE OR REPLACE FUNCTION hftok.rotate_root_key() RETURNS int
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_rotate_root_key';
COMMENT ON FUNCTION hftok.rotate_root_key IS
    'Wraps every data key of this database by the primary root key of the keyring, in one transaction. Returns how many another one wrapped.';

CREATE OR REPLACE FUNCTION hftok.rotate_data_key(p_org_id text DEFAULT NULL) RETURNS int
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_rotate_data_key';
COMMENT ON FUNCTION hftok.rotate_data_key IS
    'Draws new data keys for what is sealed from now on: of the installation, or of an organisation that has one of its own. What the former ones sealed is sealed anew in the background, then they are destroyed: see rotation_progress. Returns the id of the new key.';

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

CREATE OR REPLACE FUNCTION hftok_private.resealing_state() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_resealing_state';
COMMENT ON FUNCTION hftok_private.resealing_state IS
    'Whether rows are being sealed anew in this database (running, waiting, sealed, standby), for those who were granted the view rotation_progress.';

CREATE OR REPLACE VIEW hftok.rotation_progress WITH (security_barrier) AS
    SELECT r.key_id, nullif(r.org_id, '') AS org_id, r.total, r.done, f.failed, r.started_at, r.finished_at,
        pg_catalog.round(p.rate::numeric, 1)::float8 AS rate,
        CASE WHEN r.finished_at IS NULL AND p.rate > 0
            THEN r.last_at + pg_catalog.make_interval(secs => greatest(r.total - r.done - f.failed, 0) / p.rate)
        END AS eta,
        CASE WHEN k.state = 'destroyed' THEN 'finished'
            WHEN r.finished_at IS NOT NULL THEN 'kept'
            ELSE hftok_private.resealing_state()
        END AS state,
        r.waits_for
    FROM hftok_private.rotations r
    JOIN hftok_private.data_keys k ON k.id = r.key_id
    CROSS JOIN LATERAL (SELECT count(*) AS failed FROM hftok_private.reseal_failures f WHERE f.key_id = r.key_id) f
    CROSS JOIN LATERAL (
        SELECT r.done / nullif(pg_catalog.date_part('epoch', r.last_at - r.first_at), 0) AS rate
    ) p
    WHERE r.purpose = 'values'
    ORDER BY r.started_at DESC, r.key_id;
COMMENT ON VIEW hftok.rotation_progress IS
    'Data keys that were retired, the newest first: the rows that were to be sealed anew (total), are (done) and cannot be because they do not open (failed); rows a second, and when all will be. state: running, waiting (waits_for says what for), sealed, standby; finished: the key is destroyed; kept: it stays, for what waits_for says.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.rotation_progress
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
