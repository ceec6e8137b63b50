-- Functions that views and SQL functions call. Nobody else can name them.

CREATE OR REPLACE FUNCTION hftok_private.open_vault_row(
    p_schema text, p_id uuid, p_version int, p_scope_id text, p_provider text, p_model text, p_name text,
    p_slot text, p_kind text, p_allowed_hosts text[], p_expires_at timestamptz, p_sealed bytea
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_open_vault_row';
COMMENT ON FUNCTION hftok_private.open_vault_row IS
    'Opens a row of the view decrypted_secrets in that schema, for whoever may read its column. Not a definer: it must know who reads.';

CREATE OR REPLACE FUNCTION hftok_private.fingerprints(p_value text) RETURNS bytea[]
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_fingerprints';
COMMENT ON FUNCTION hftok_private.fingerprints IS
    'The fingerprints of a value under every key for fingerprints; so many a minute for each login (hftok.max_guesses_per_minute).';

CREATE OR REPLACE FUNCTION hftok_private.record_comparison(
    p_action text, p_outcome text, p_secret_id uuid, p_version int DEFAULT NULL, p_scope text DEFAULT NULL,
    p_scope_id text DEFAULT NULL, p_provider text DEFAULT NULL, p_is_again boolean DEFAULT false
) RETURNS void
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_record_comparison';
COMMENT ON FUNCTION hftok_private.record_comparison IS
    'Records that somebody learns whether a secret has the value that they bring: found or not_found. p_is_again: an import found what it had brought, and may share an event with many such.';

CREATE OR REPLACE FUNCTION hftok_private.value_fault(
    p_id uuid, p_version int, p_scope text, p_scope_id text, p_provider text, p_model text, p_name text,
    p_slot text, p_kind text, p_allowed_hosts text[], p_expires_at timestamptz, p_sealed bytea, p_preview text, p_fingerprint bytea,
    p_binding_key uuid
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_value_fault';
COMMENT ON FUNCTION hftok_private.value_fault IS 'What is wrong with a sealed value, or NULL.';

CREATE OR REPLACE FUNCTION hftok_private.superseded_fault(
    p_secret_id uuid, p_version int, p_superseded_at timestamptz, p_mark bytea
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_superseded_fault';
COMMENT ON FUNCTION hftok_private.superseded_fault IS 'What is wrong with when a version was replaced, or NULL.';

-- One condition, and without lists of words in it: Postgres reads the text of each anew for every statement that writes.
CREATE OR REPLACE FUNCTION hftok_private.is_secret(
    p_scope text, p_slot text, p_kind text, p_on_unusable text, p_verdict text, p_version int
) RETURNS boolean
    LANGUAGE c IMMUTABLE PARALLEL SAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_is_secret';
COMMENT ON FUNCTION hftok_private.is_secret IS 'Whether a row of secrets says only what hftok writes: kinds of owners and of values, verdicts, versions.';

CREATE OR REPLACE FUNCTION hftok_private.data_key_fault(
    p_id int, p_purpose text, p_org_id text, p_root_key_id int, p_root_fingerprint bytea, p_wrapped bytea
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_data_key_fault';
COMMENT ON FUNCTION hftok_private.data_key_fault IS 'What is wrong with a wrapped data key, or NULL.';

CREATE OR REPLACE FUNCTION hftok_private.keyring_state() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_keyring_state';
COMMENT ON FUNCTION hftok_private.keyring_state IS 'The state of the keyring as JSON, without a key.';

CREATE OR REPLACE FUNCTION hftok_private.read_keyring(p_replace boolean) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_read_keyring';
COMMENT ON FUNCTION hftok_private.read_keyring IS 'Has the keyring read again, and waits for it.';

-- The id of the key is the second to fifth byte of a sealed value; total, because a damaged row may be shorter. Not STRICT:
-- that would keep it from being inlined.
CREATE OR REPLACE FUNCTION hftok_private.data_key_id(p_sealed bytea) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SECURITY INVOKER
    RETURN CASE WHEN pg_catalog.octet_length(p_sealed) >= 5 THEN
        (pg_catalog.get_byte(p_sealed, 1)::bigint << 24) + (pg_catalog.get_byte(p_sealed, 2) << 16)
        + (pg_catalog.get_byte(p_sealed, 3) << 8) + pg_catalog.get_byte(p_sealed, 4)
    END;
COMMENT ON FUNCTION hftok_private.data_key_id IS 'The data key that sealed a value.';

-- Key pages may still hold what its table no longer has, so those are given that the table has. Written so that it is inlined.
CREATE OR REPLACE FUNCTION hftok_private.missing_key(p_sealing bigint, p_marking bigint, p_present bigint[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SECURITY INVOKER
    RETURN CASE
        WHEN p_sealing > 0 AND p_sealing <> ALL (p_present) THEN 'its data key ' || p_sealing::text || ' is missing'
        WHEN p_marking > 0 AND p_marking <> ALL (p_present) THEN 'its data key ' || p_marking::text || ' is missing'
    END;
COMMENT ON FUNCTION hftok_private.missing_key IS 'Says that a key is missing that a sealed value or its fingerprint was made with, or NULL.';

-- Writers for one owner come one after the other, whichever rows they lock first. A bulk does not hold all of its owners, so rows
-- have an order of their own: the secret, if there is one, then its mask or integration.
CREATE OR REPLACE FUNCTION hftok_private.lock_owner(p_scope text, p_id text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_lock_owner';
COMMENT ON FUNCTION hftok_private.lock_owner IS 'Waits until nobody else writes for this user or organisation, until the transaction ends.';

CREATE OR REPLACE FUNCTION hftok_private.record_change(
    p_action text, p_object uuid DEFAULT NULL, p_version int DEFAULT NULL, p_digest bytea DEFAULT NULL, p_scope text DEFAULT NULL,
    p_owner text DEFAULT NULL, p_provider text DEFAULT NULL, p_level text DEFAULT NULL, p_subject text DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_record_change';
COMMENT ON FUNCTION hftok_private.record_change IS 'Has the audit tell of a change that is made in SQL, if it is committed.';

CREATE OR REPLACE FUNCTION hftok_private.record_refusal(p_action text, p_outcome text, p_object uuid) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_record_refusal';
COMMENT ON FUNCTION hftok_private.record_refusal IS 'Has the audit tell that a function in SQL refuses.';

-- A hash over everything that decides what becomes of a secret, but for its value, which is bound to the version. The chain,
-- which has the hash, keys it.
CREATE OR REPLACE FUNCTION hftok_private.state_of(p_secret hftok_private.secrets) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER
    RETURN pg_catalog.sha256(
        pg_catalog.uuid_send(p_secret.binding_key) || pg_catalog.int4send(p_secret.version)
        || pg_catalog.int4send(p_secret.oldest_version)
        || pg_catalog.int4send(p_secret.position)
        || pg_catalog.boolsend(p_secret.enabled)
        || coalesce(pg_catalog.timestamptz_send(p_secret.expires_at), '\x')
        || pg_catalog.convert_to(pg_catalog.jsonb_build_array(p_secret.on_unusable, p_secret.allowed_hosts,
            p_secret.verdict, p_secret.label, p_secret.description)::text, 'UTF8')
    );
COMMENT ON FUNCTION hftok_private.state_of IS 'A hash over everything of a secret that the audit vouches for.';

CREATE OR REPLACE FUNCTION hftok_private.state_of_integration(p_integration hftok_private.integrations) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER
    RETURN pg_catalog.sha256(
        pg_catalog.uuid_send(p_integration.id) || pg_catalog.uuid_send(p_integration.secret_id)
        || pg_catalog.boolsend(p_integration.enabled)
        || pg_catalog.convert_to(pg_catalog.jsonb_build_array(p_integration.user_id, p_integration.name,
            p_integration.type, p_integration.status, p_integration.config)::text, 'UTF8')
        -- Nothing of those of users, whose events were written before there were others.
        || coalesce(pg_catalog.convert_to(p_integration.org_id, 'UTF8'), '\x')
    );
COMMENT ON FUNCTION hftok_private.state_of_integration IS 'A hash over everything of an integration that the audit vouches for.';
