-- Keys and the state of hftok.

CREATE OR REPLACE FUNCTION hftok.seal() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_seal';
COMMENT ON FUNCTION hftok.seal IS 'Drops all keys from memory, for every database of the server, now and over a restart.';

CREATE OR REPLACE FUNCTION hftok_private.unseal_as_owner(p_replace boolean) RETURNS hftok.keyring
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    state jsonb;
    found hftok.keyring;
BEGIN
    PERFORM hftok_private.read_keyring(p_replace);
    state := hftok_private.keyring_state()::jsonb;
    found.primary_key_id := (state ->> 'primary')::int;
    found.key_ids := ARRAY(SELECT (k ->> 'id')::int FROM jsonb_array_elements(state -> 'keys') k);
    RETURN found;
END
$$;
COMMENT ON FUNCTION hftok_private.unseal_as_owner IS 'The work of unseal(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.unseal(p_replace boolean DEFAULT false) RETURNS hftok.keyring
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_unseal';
COMMENT ON FUNCTION hftok.unseal IS
    'Reads the keyring again, also when not sealed. One that lacks what is in use replaces nothing, unless p_replace insists.';

-- Granted to nobody, and of no use to anybody but a superuser.
CREATE OR REPLACE FUNCTION hftok.adopt_database() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_adopt_database';
COMMENT ON FUNCTION hftok.adopt_database IS
    'Makes a copy (of a template, from a dump, from a base backup under another installation) a database of its own, with an event that says whose audit it continues. For superusers.';

CREATE OR REPLACE FUNCTION hftok_private.keyring_mismatch(p_keyring jsonb) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    reason text;
BEGIN
    SELECT format('root key %s with fingerprint %s, which this database needs, is not in the keyring',
        k.root_key_id, encode(k.root_fingerprint, 'hex'))
    INTO reason
    FROM hftok_private.data_keys k
    WHERE k.state <> 'destroyed'
    AND NOT EXISTS (
        SELECT FROM jsonb_array_elements(p_keyring -> 'keys') AS loaded (key)
        WHERE (loaded.key ->> 'id')::int = k.root_key_id
        AND loaded.key ->> 'fingerprint' = encode(k.root_fingerprint, 'hex')
    )
    ORDER BY k.state, k.id LIMIT 1;
    IF reason IS NULL THEN
        SELECT format('this is a copy of database "%s" (%s) of installation "%s": see hftok.adopt_database()',
            i.database_name, i.database_oid, i.installation)
        INTO reason
        FROM hftok_private.database_identity i
        WHERE i.generation = (SELECT max(n.generation) FROM hftok_private.database_identity n)
        AND (i.installation <> p_keyring ->> 'installation'
            OR i.database_oid <> (SELECT d.oid::bigint FROM pg_database d WHERE d.datname = current_database()));
    END IF;
    RETURN reason;
END
$$;
COMMENT ON FUNCTION hftok_private.keyring_mismatch IS 'Why a keyring that was read is not the one of this database; NULL when it is.';

CREATE OR REPLACE FUNCTION hftok_private.audit_hindrance(p_audit jsonb, p_has_keys boolean) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    trouble text;
BEGIN
    IF (p_audit ->> 'held_up')::boolean THEN
        trouble := coalesce(
            hftok_private.audit_trouble((p_audit ->> 'process')::int),
            CASE WHEN p_audit ->> 'writer' IN ('failing', 'blocked') THEN 'the server''s log says what keeps the writer' END);
    END IF;
    -- Without keys events stay in their table anyway.
    IF trouble IS NULL AND p_has_keys THEN
        trouble := hftok_private.pending_trouble((p_audit ->> 'process')::int, '5 seconds');
    END IF;
    RETURN trouble;
END
$$;
COMMENT ON FUNCTION hftok_private.audit_hindrance IS 'Who or what holds the audit''s writer up, with the remedy; NULL when nothing does.';

CREATE OR REPLACE FUNCTION hftok_private.look_at_server() RETURNS hftok.server_status
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    keyring jsonb := hftok_private.keyring_state()::jsonb;
    audit jsonb := hftok_private.audit_state()::jsonb;
    status hftok.server_status;
BEGIN
    status.version := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'hftok');
    status.sealed := NOT (keyring ->> 'open')::boolean;
    status.reason := keyring ->> 'reason';
    status.primary_root_key_id := (keyring ->> 'primary')::int;
    status.root_key_ids := ARRAY(SELECT (k ->> 'id')::int FROM jsonb_array_elements(keyring -> 'keys') k);
    status.removable_root_key_ids := ARRAY(
        SELECT root.id FROM unnest(status.root_key_ids) AS root (id)
        WHERE root.id <> status.primary_root_key_id
        AND NOT EXISTS (
            SELECT FROM hftok_private.data_keys k WHERE k.root_key_id = root.id AND k.state <> 'destroyed'
        )
    );
    -- A key that was destroyed may be in older backups, wrapped by the root keys that it had there: from its first to its last one.
    status.destroyed_keys_open_with := (
        SELECT r.id FROM hftok_private.root_keys r
        JOIN jsonb_to_recordset(keyring -> 'keys') AS loaded (id int, fingerprint text)
            ON loaded.id = r.id AND loaded.fingerprint = encode(r.fingerprint, 'hex')
        WHERE EXISTS (
            SELECT FROM hftok_private.data_keys k
            WHERE k.state = 'destroyed'
            AND r.first_at >= (SELECT min(f.first_at) FROM hftok_private.root_keys f WHERE f.id = k.first_root_key_id)
            AND r.first_at <= (SELECT max(l.first_at) FROM hftok_private.root_keys l
                WHERE l.id = k.root_key_id AND l.fingerprint = k.root_fingerprint)
        )
        ORDER BY r.first_at, r.id LIMIT 1
    );
    IF NOT status.sealed AND status.reason IS NULL THEN
        status.reason := hftok_private.keyring_mismatch(keyring);
    END IF;
    status.active_data_key_id := (
        SELECT k.id FROM hftok_private.data_keys k WHERE k.purpose = 'values' AND k.state = 'active' AND k.org_id = ''
    );
    SELECT count(*), count(*) FILTER (WHERE EXISTS (
        SELECT FROM hftok_private.data_keys k WHERE k.id = hftok_private.data_key_id(s.sealed) AND k.state <> 'active'
    ))
    INTO status.secrets, status.secrets_on_old_keys
    FROM hftok_private.secrets s;
    status.gateways := hftok_private.gateways();
    status.installation := nullif(keyring ->> 'installation', '');
    -- Events that wait in memory, and events that wait in their table.
    status.audit_mode := audit ->> 'mode';
    status.audit_writer := audit ->> 'writer';
    SELECT (audit ->> 'waiting')::bigint + count(*),
        greatest(make_interval(secs => (audit ->> 'oldest_age')::float8 / 1e6), clock_timestamp() - min(p.at) FILTER (WHERE isfinite(p.at)), '0')
    INTO status.audit_waiting, status.audit_lag
    FROM hftok_private.audit_pending p;
    status.audit_trouble := hftok_private.audit_hindrance(audit, NOT status.sealed AND status.reason IS NULL);
    RETURN status;
END
$$;
COMMENT ON FUNCTION hftok_private.look_at_server IS 'The state of the server, for status().';

-- An administrator of the application is known by their JWT alone.
CREATE OR REPLACE FUNCTION hftok.status() RETURNS hftok.server_status
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_status';
COMMENT ON FUNCTION hftok.status IS
    'Version, state of the keyring, counts, and how the audit is doing. removable_root_key_ids: no row of this database needs them; older backups may, see root_keys. destroyed_keys_open_with: the oldest root key of the keyring that opens a destroyed data key in an older backup.';

CREATE OR REPLACE FUNCTION hftok_private.verify_as_owner()
    RETURNS TABLE (kind text, id text, version int, reason text, checked bigint, failed bigint)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH present AS MATERIALIZED (
        SELECT ARRAY(SELECT k.id::bigint FROM hftok_private.data_keys k WHERE k.state <> 'destroyed') AS ids
    ), looked_at AS MATERIALIZED (
        SELECT 'data key' AS kind, k.id::text AS id, NULL::int AS version,
            hftok_private.data_key_fault(k.id, k.purpose, k.org_id, k.root_key_id, k.root_fingerprint, k.wrapped) AS reason
        FROM hftok_private.data_keys k WHERE k.state <> 'destroyed'
        UNION ALL
        SELECT 'secret', s.id::text, s.version,
            coalesce(
                hftok_private.missing_key(s.sealing, s.marking, (SELECT p.ids FROM present p)::bigint[]),
                hftok_private.value_fault(s.id, s.version, s.scope, s.scope_id, s.provider, s.model, s.name,
                    s.slot, s.kind, s.allowed_hosts, s.expires_at, s.sealed, s.preview, s.fingerprint, s.binding_key))
        FROM (
            SELECT c.*, hftok_private.data_key_id(c.sealed) AS sealing,
                hftok_private.data_key_id('\x00'::bytea || c.fingerprint) AS marking
            FROM hftok_private.secrets c
        ) s
        UNION ALL
        SELECT 'version', v.secret_id::text, v.version,
            coalesce(
                hftok_private.missing_key(v.sealing, v.marking, (SELECT p.ids FROM present p)::bigint[]),
                hftok_private.value_fault(v.secret_id, v.version, v.scope, v.scope_id, v.provider, v.model, v.name,
                    v.slot, v.kind, v.allowed_hosts, v.expires_at, v.sealed, v.preview, v.fingerprint, NULL),
                hftok_private.superseded_fault(v.secret_id, v.version, v.superseded_at, v.superseded_mark))
        FROM (
            SELECT c.*, hftok_private.data_key_id(c.sealed) AS sealing,
                hftok_private.data_key_id('\x00'::bytea || c.fingerprint) AS marking
            FROM hftok_private.secret_versions c
        ) v
        UNION ALL
        SELECT 'integration', i.id::text, NULL,
            CASE WHEN NOT EXISTS (
                SELECT FROM hftok_private.secrets s
                WHERE s.id = i.secret_id AND s.scope = CASE WHEN i.org_id IS NULL THEN 'integration' ELSE 'org_integration' END
                AND s.scope_id = coalesce(i.org_id, i.user_id) AND s.provider = i.type
            ) THEN 'its credentials are those of something else' END
        FROM hftok_private.integrations i
        UNION ALL
        SELECT 'provider', p.id, NULL, hftok_private.provider_fault(p.id, p.definition, p.signature)
        FROM hftok_private.providers p
        UNION ALL
        SELECT 'runner token', t.id::text, NULL, hftok_private.runner_token_fault(t.id)
        FROM hftok_private.runner_tokens t WHERE t.revoked_at IS NULL
    ), told AS MATERIALIZED (
        SELECT f.kind, f.id, f.version, f.reason FROM hftok_private.audit_faults() f
        WHERE (SELECT hftok_private.record_verify())
        UNION ALL
        SELECT m.kind, m.id, m.version, m.reason FROM hftok_private.mask_faults() m
    ), answer AS (
        SELECT 1 AS part, l.kind, l.id, l.version, l.reason, NULL::bigint AS checked, NULL::bigint AS failed
        FROM looked_at l WHERE l.reason IS NOT NULL
        UNION ALL
        SELECT 1, t.kind, t.id, t.version, t.reason, NULL, NULL FROM told t
        UNION ALL
        SELECT 2, 'total', NULL, NULL, NULL, count(*), count(l.reason) + (SELECT count(*) FROM told) FROM looked_at l
    )
    SELECT a.kind, a.id, a.version, a.reason, a.checked, a.failed FROM answer a ORDER BY a.part, a.kind, a.id, a.version
$$;
COMMENT ON FUNCTION hftok_private.verify_as_owner IS 'The work of verify(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.verify()
    RETURNS TABLE (kind text, id text, version int, reason text, checked bigint, failed bigint)
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_verify';
COMMENT ON FUNCTION hftok.verify IS
    'Opens everything without showing it, and holds what is stored against what the audit tells: a row for each data key, secret, version, integration, provider, runner token, mask, share and membership that fails, with the reason, and a last row with the counts.';

CREATE OR REPLACE FUNCTION hftok.logging_risks() RETURNS TABLE (risk text, subject text, remedy text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH given AS (
        -- Settings that hold now, and settings that hold elsewhere by ALTER ROLE or ALTER DATABASE.
        SELECT s.name, s.setting, format('%s = %s', s.name, s.setting) AS subject FROM pg_settings s
        UNION ALL
        SELECT split_part(c.entry, '=', 1), substr(c.entry, strpos(c.entry, '=') + 1),
            concat_ws(', ', c.entry, 'role ' || r.rolname, 'database ' || d.datname)
        FROM (SELECT o.setrole, o.setdatabase, unnest(o.setconfig) AS entry FROM pg_db_role_setting o) c
        LEFT JOIN pg_roles r ON r.oid = c.setrole LEFT JOIN pg_database d ON d.oid = c.setdatabase
    ), statements AS (
        SELECT g.name, g.subject FROM given g
        WHERE (g.name = 'log_statement' AND g.setting <> 'none')
        OR (g.name IN ('log_min_duration_statement', 'log_min_duration_sample', 'auto_explain.log_min_duration')
            AND g.setting <> '-1')
        OR (g.name IN ('debug_print_parse', 'debug_print_rewritten', 'debug_print_plan', 'pgaudit.log_statement')
            AND g.setting IN ('on', 'true', 'yes', '1'))
        OR (g.name = 'log_transaction_sample_rate' AND g.setting NOT IN ('0', '0.0'))
    )
    SELECT 'this login role may read the tables but is subject to row security, so pg_dump under it fails as a whole',
        r.rolname::text, format('ALTER ROLE %I BYPASSRLS, or dump as a superuser.', r.rolname)
    FROM pg_roles r
    WHERE r.rolcanlogin AND NOT r.rolsuper AND NOT r.rolbypassrls
    AND has_table_privilege(r.oid, 'hftok_private.secrets', 'SELECT')
    UNION ALL
    SELECT 'statements are written to the server log with the literals in them', s.subject,
        'Pass secrets as parameters only, or turn it off.'
    FROM statements s
    UNION ALL
    SELECT 'statements that fail are written to the server log with the literals in them', g.subject,
        'Pass secrets as parameters only, or set it to panic.'
    FROM given g WHERE g.name = 'log_min_error_statement' AND g.setting NOT IN ('fatal', 'panic')
    UNION ALL
    SELECT 'parameters are written to the server log', g.subject, format('Set %s to %s.', g.name, CASE WHEN g.name LIKE 'pgaudit.%' THEN 'off' ELSE '0' END)
    FROM given g
    WHERE (g.name = 'log_parameter_max_length_on_error' AND g.setting <> '0')
    OR (g.name = 'pgaudit.log_parameter' AND g.setting IN ('on', 'true', 'yes', '1'))
    OR (g.name = 'log_parameter_max_length' AND g.setting <> '0' AND EXISTS (
        SELECT FROM statements s WHERE s.name NOT LIKE 'auto\_explain.%'
    ))
    OR (g.name = 'auto_explain.log_parameter_max_length' AND g.setting <> '0' AND EXISTS (
        SELECT FROM statements s WHERE s.name LIKE 'auto\_explain.%'
    ))
    UNION ALL
    SELECT 'the keyring names no installation, so a database of another server with the same root keys may not be told from this one',
        'installation', 'Give the keyring a line installation: <name>, another on each server, before there is a key; later call adopt_database() in every database.'
    WHERE hftok_private.keyring_state()::jsonb ->> 'installation' = ''
    UNION ALL
    -- Superusers can do it anyway.
    SELECT 'this login role may read the files of the server, and so the keyring', r.rolname::text,
        format('REVOKE %I FROM %I, or from the role through which it has it.', g.name, r.rolname)
    FROM pg_roles r, (VALUES ('pg_read_server_files'), ('pg_execute_server_program')) g (name)
    WHERE r.rolcanlogin AND NOT r.rolsuper AND pg_has_role(r.oid, g.name, 'MEMBER')
    UNION ALL
    SELECT 'the key file is in the data directory, and so in every base backup', 'hftok.key_file',
        'Move it elsewhere, and give hftok.key_file its whole path.'
    WHERE (hftok_private.keyring_state()::jsonb ->> 'is_in_data_directory')::boolean
    UNION ALL
    SELECT 'utility statements are kept with the literals in them', g.subject,
        'Pass secrets as parameters only, or turn it off.'
    FROM given g WHERE g.name = 'pg_stat_statements.track_utility' AND g.setting IN ('on', 'true', 'yes', '1')
$$;
COMMENT ON FUNCTION hftok.logging_risks IS 'Settings and roles of this server that let plaintext escape or backups fail, with the remedy.';
