-- One look for whoever watches a server: whether values open and the audit is written, and what will be a trouble later.
-- Must stay true: it reads no table of secrets as a whole, and names no user and no value.

CREATE OR REPLACE FUNCTION hftok_private.health_as_owner() RETURNS hftok.server_health
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    keyring jsonb := hftok_private.keyring_state()::jsonb;
    audit jsonb := hftok_private.audit_state()::jsonb;
    health hftok.server_health;
    keys_trouble text;
    lag interval;
    age interval := nullif(current_setting('hftok.data_key_max_age', true)::interval, '0');
BEGIN
    -- A keyring that could not be read again leaves the former keys in use, and says why.
    keys_trouble := coalesce(keyring ->> 'reason', hftok_private.keyring_mismatch(keyring));
    health.ok := (keyring ->> 'open')::boolean AND hftok_private.keyring_mismatch(keyring) IS NULL;
    IF NOT (keyring ->> 'open')::boolean THEN
        health.reasons := ARRAY[concat_ws(': ', 'sealed', keyring ->> 'reason')];
    ELSIF keys_trouble IS NOT NULL THEN
        health.reasons := ARRAY['keyring: ' || keys_trouble];
    END IF;

    SELECT greatest(make_interval(secs => (audit ->> 'oldest_age')::float8 / 1e6), clock_timestamp() - min(p.at) FILTER (WHERE isfinite(p.at)), '0')
    INTO lag FROM hftok_private.audit_pending p;
    IF lag > interval '1 minute' THEN
        -- While hftok is sealed events wait, as they should.
        health.ok := health.ok AND NOT (keyring ->> 'open')::boolean;
        health.reasons := health.reasons || format('audit: events have waited for %s s: %s', floor(extract(epoch FROM lag)),
            coalesce(hftok_private.audit_hindrance(audit, keys_trouble IS NULL), 'nothing seems to hold their writer up'));
    END IF;

    health.reasons := health.reasons || ARRAY(
        SELECT format('keys: data key %s (%s) is %s days old', k.id, k.purpose, floor(extract(epoch FROM now() - k.created_at) / 86400))
        FROM hftok_private.data_keys k
        -- Those of the audit stay as long as their events.
        WHERE k.purpose IN ('values', 'fingerprints') AND k.state = 'active' AND k.created_at < now() - age - interval '1 day' ORDER BY k.id
    ) || ARRAY(
        SELECT format('rotation: of data key %s waits: %s', r.key_id, r.waits_for)
        FROM hftok_private.rotations r WHERE r.finished_at IS NULL AND r.waits_for IS NOT NULL ORDER BY r.key_id
    ) || ARRAY(
        -- Counted as far as it matters to anybody: by the index of ends, and no further than a thousand.
        SELECT format('expiring: ended or ending within 7 days: %s', least(count(*), 1000))
        FROM (
            SELECT FROM hftok_private.secrets s
            WHERE s.expires_at < now() + interval '7 days' AND s.enabled AND s.scope IN ('user', 'org', 'global') LIMIT 1000
        ) e HAVING count(*) > 0
    ) || ARRAY(
        SELECT format('verifying: left behind for an hour, and pending again: %s', least(count(*), 1000))
        FROM (
            SELECT FROM hftok_private.integrations i WHERE i.status = 'verifying' AND i.updated_at < now() - interval '1 hour' LIMIT 1000
        ) i HAVING count(*) > 0
    ) || ARRAY(
        SELECT format('risks: %s, see logging_risks()', count(*)) FROM hftok.logging_risks() HAVING count(*) > 0
    );
    RETURN health;
END
$$;
COMMENT ON FUNCTION hftok_private.health_as_owner IS 'The work of health(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.health() RETURNS hftok.server_health
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_health';
COMMENT ON FUNCTION hftok.health IS
    'For monitoring. ok: values open, and the audit is written. reasons: why not, and what will be a trouble: keys that are too old, rotations that wait, credentials that end, verifications left behind, logging_risks(). Each begins with a word and a colon.';
