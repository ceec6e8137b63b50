-- Credentials of users, organisations, models and the installation.

CREATE OR REPLACE FUNCTION hftok.save_credential(
    p_provider text, p_secret text, p_model text DEFAULT NULL, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL,
    p_global boolean DEFAULT false, p_label text DEFAULT NULL, p_expires_at timestamptz DEFAULT NULL,
    p_allowed_hosts text[] DEFAULT NULL, p_on_unusable text DEFAULT NULL, p_expected_version int DEFAULT NULL,
    p_slot text DEFAULT '', p_position int DEFAULT NULL
) RETURNS hftok.saved_credential
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_save_credential';
COMMENT ON FUNCTION hftok.save_credential IS
    'Saves a credential of the caller, of p_user_id, of p_org_id or (p_global) of the installation, for a provider and perhaps a model. Replacing keeps label, hosts, on_unusable and position unless given. Several for one use have a slot each, and are used in the order of p_position. p_expected_version: only if that is the current version (PT409); 0 means that there must be none, -1 that there must be one.';

CREATE OR REPLACE FUNCTION hftok.save_hf_token(
    p_token text, p_model text DEFAULT NULL, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL,
    p_global boolean DEFAULT false
) RETURNS hftok.saved_credential
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT hftok.save_credential('huggingface', p_token, p_model, p_user_id, p_org_id, p_global);
    END;
COMMENT ON FUNCTION hftok.save_hf_token IS 'Saves a Hugging Face token, as save_credential() does.';

CREATE OR REPLACE FUNCTION hftok.save_credentials(p_rows jsonb)
    RETURNS TABLE (n int, secret_id uuid, version int, preview text, warnings text[])
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    given jsonb;
    expiry timestamptz;
    hosts text[];
    expected int;
    place int;
    state text;
    said text;
    about text;
    advice text;
BEGIN
    IF current_setting('request.method', true) IN ('GET', 'HEAD') THEN
        RAISE EXCEPTION 'Method Not Allowed' USING ERRCODE = 'PT405', DETAIL = 'Secrets are given and taken by POST only.';
    END IF;
    -- Every fault is named by its row, and never by what the row holds: what a cast says would quote it.
    IF jsonb_typeof(p_rows) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'p_rows must be an array' USING ERRCODE = '22023';
    ELSIF jsonb_array_length(p_rows) > 10000 THEN
        RAISE EXCEPTION 'Content Too Large' USING ERRCODE = 'PT413', DETAIL = 'p_rows may have 10000 rows at most.';
    END IF;
    -- One by one: rows of a function or a sort that go beyond work_mem lie on disk, values in the clear.
    BEGIN
        FOR at IN 1 .. jsonb_array_length(p_rows) LOOP
            n := at;
            given := p_rows -> (at - 1);
            IF jsonb_typeof(given) <> 'object' OR EXISTS (
                SELECT FROM jsonb_object_keys(given) AS m (name)
                WHERE NOT coalesce(jsonb_typeof(given -> m.name) = CASE
                    WHEN m.name IN ('provider', 'secret', 'model', 'user_id', 'org_id', 'label', 'expires_at', 'on_unusable', 'slot') THEN 'string'
                    WHEN m.name = 'global' THEN 'boolean'
                    WHEN m.name = 'allowed_hosts' THEN 'array'
                    WHEN m.name IN ('expected_version', 'position') THEN 'number'
                END OR (jsonb_typeof(given -> m.name) = 'null' AND m.name IN ('model', 'user_id', 'org_id', 'label', 'expires_at',
                    'on_unusable', 'global', 'allowed_hosts', 'expected_version', 'slot', 'position')), false)
            ) OR EXISTS (
                SELECT FROM jsonb_array_elements(CASE WHEN jsonb_typeof(given -> 'allowed_hosts') = 'array'
                    THEN given -> 'allowed_hosts' ELSE '[]' END) AS h (host) WHERE jsonb_typeof(h.host) <> 'string'
            ) THEN
                RAISE EXCEPTION 'row % has a member that is unknown or of the wrong type', n USING ERRCODE = '22023',
                    HINT = 'Members are the parameters of save_credential() without p_.';
            END IF;
            BEGIN
                expiry := (given ->> 'expires_at')::timestamptz;
                expected := (given ->> 'expected_version')::int;
                place := (given ->> 'position')::int;
            EXCEPTION WHEN data_exception THEN
                RAISE EXCEPTION 'row % has an expires_at, expected_version or position that is none', n USING ERRCODE = '22023';
            END;
            hosts := CASE WHEN jsonb_typeof(given -> 'allowed_hosts') = 'array'
                THEN ARRAY(SELECT jsonb_array_elements_text(given -> 'allowed_hosts')) END;
            SELECT s.secret_id, s.version, s.preview, s.warnings INTO secret_id, version, preview, warnings
            FROM hftok.save_credential(given ->> 'provider', given ->> 'secret', given ->> 'model', given ->> 'user_id',
                given ->> 'org_id', coalesce((given ->> 'global')::boolean, false), given ->> 'label', expiry, hosts,
                given ->> 'on_unusable', expected, given ->> 'slot', place) s;
            RETURN NEXT;
        END LOOP;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT, about = PG_EXCEPTION_DETAIL, advice = PG_EXCEPTION_HINT;
        -- All of them fail, and the detail tells which one it was, if it was one.
        IF said LIKE 'row %' OR state !~ '^(22023|42501|PT4..)$' THEN
            RAISE;
        END IF;
        about := CASE WHEN about LIKE '{%' THEN (about::jsonb || jsonb_build_object('row', n))::text
            ELSE concat_ws(' ', format('Row %s.', n), nullif(about, '')) END;
        IF advice = '' THEN
            RAISE EXCEPTION USING ERRCODE = state, MESSAGE = said, DETAIL = about;
        END IF;
        RAISE EXCEPTION USING ERRCODE = state, MESSAGE = said, DETAIL = about, HINT = advice;
    END;
END
$$;
COMMENT ON FUNCTION hftok.save_credentials IS
    'Saves many at once, all or nothing; members of each row are the parameters of save_credential() without p_. A row of result each, numbered; a refusal says which row.';

CREATE OR REPLACE FUNCTION hftok.check_credential(p_provider text, p_secret text) RETURNS hftok.checked_credential
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_check_credential';
COMMENT ON FUNCTION hftok.check_credential IS 'Looks at a value as a provider''s, and stores nothing.';

CREATE OR REPLACE FUNCTION hftok.delete_credential(
    p_provider text, p_model text DEFAULT NULL, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL,
    p_global boolean DEFAULT false, p_slot text DEFAULT ''
) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_delete_credential';
COMMENT ON FUNCTION hftok.delete_credential IS 'Deletes a credential and its history; false when there is none that the caller may delete.';

CREATE OR REPLACE FUNCTION hftok.report_credential(
    p_secret_id uuid, p_verdict text, p_message text DEFAULT NULL, p_version int DEFAULT NULL,
    p_retry_after int DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_report_credential';
COMMENT ON FUNCTION hftok.report_credential IS
    'Keeps what a provider says of a credential: verified, invalid, indeterminate, or rate_limited: then it is not used for p_retry_after seconds (60; a day at most). Ignored for another version than the current one, and for NULL. A verified one becomes invalid by the second refusal. Credentials that the message quotes are masked. Of an integration''s credentials its status is kept too; one that was verifying and got no clear answer is pending again, with the message.';

CREATE OR REPLACE FUNCTION hftok.resolve_token(
    p_provider text, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL, p_model text DEFAULT NULL,
    p_host text DEFAULT NULL, p_levels text[] DEFAULT NULL, p_version int DEFAULT NULL, p_recipient text DEFAULT NULL,
    p_slot text DEFAULT '', p_unknown text DEFAULT 'error'
) RETURNS hftok.resolved_token
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_resolve_token';
COMMENT ON FUNCTION hftok.resolve_token IS
    'The credential to use and where it comes from; source none when no level has one. A level whose credential cannot be used stops the walk (PT422). Of several that an owner has for the use the first that can be used; p_slot asks for one of them. With p_unknown none a provider that does not exist is one that nobody has a key for.';

CREATE OR REPLACE FUNCTION hftok.resolve_hf_token(
    p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL, p_model text DEFAULT NULL, p_host text DEFAULT NULL,
    p_levels text[] DEFAULT NULL
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_resolve_hf_token';
COMMENT ON FUNCTION hftok.resolve_hf_token IS 'The Hugging Face token to use; NULL when no level has one.';

CREATE OR REPLACE FUNCTION hftok.previous_token(p_secret_id uuid) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_previous_token';
COMMENT ON FUNCTION hftok.previous_token IS 'The version before the current one, while hftok.overlap lasts.';

CREATE OR REPLACE FUNCTION hftok.credential_history(p_secret_id uuid)
    RETURNS TABLE (version int, is_current boolean, preview text, expires_at timestamptz, created_at timestamptz, superseded_at timestamptz)
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_credential_history';
COMMENT ON FUNCTION hftok.credential_history IS
    'The versions of a credential, newest first, without values: for who may save it, operators and auditors.';
CREATE OR REPLACE FUNCTION hftok.restore_credential(p_secret_id uuid, p_version int) RETURNS int
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_restore_credential';
COMMENT ON FUNCTION hftok.restore_credential IS
    'Makes a previous version of a credential the next one, with the end that it had, and returns its new number.';

CREATE OR REPLACE FUNCTION hftok.runner_env(
    p_providers text[] DEFAULT NULL, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL, p_model text DEFAULT NULL,
    p_levels text[] DEFAULT NULL
) RETURNS jsonb
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_runner_env';
COMMENT ON FUNCTION hftok.runner_env IS
    'Environment variables for a process that calls providers; null for one to unset. Providers that are named must be usable; without names those that are not are left out.';

CREATE OR REPLACE FUNCTION hftok_private.explain(
    p_provider text, p_user_id text, p_org_id text, p_model text, p_host text, p_levels text[],
    p_slot text, p_unknown text
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_explain';
COMMENT ON FUNCTION hftok_private.explain IS 'explain_token() as JSON text, for whoever asks.';

CREATE OR REPLACE FUNCTION hftok.explain_token(
    p_provider text, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL, p_model text DEFAULT NULL,
    p_host text DEFAULT NULL, p_levels text[] DEFAULT NULL, p_slot text DEFAULT '', p_unknown text DEFAULT 'error'
) RETURNS TABLE (level text, outcome text, secret_id uuid, preview text, detail text, slot text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT w.level, w.outcome, w.secret_id, w.preview, w.detail, w.slot
        FROM jsonb_to_recordset(
            hftok_private.explain(p_provider, p_user_id, p_org_id, p_model, p_host, p_levels, p_slot, p_unknown)::jsonb
        ) AS w (level text, outcome text, secret_id uuid, preview text, detail text, slot text);
    END;
COMMENT ON FUNCTION hftok.explain_token IS 'The whole walk, a row a level, without a value.';

CREATE OR REPLACE FUNCTION hftok.token_provided(
    p_provider text, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL, p_model text DEFAULT NULL,
    p_host text DEFAULT NULL, p_levels text[] DEFAULT NULL, p_slot text DEFAULT '', p_unknown text DEFAULT 'error'
) RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_token_provided';
COMMENT ON FUNCTION hftok.token_provided IS 'Whether resolving would give a token.';

CREATE OR REPLACE FUNCTION hftok_private.tokens_provided(
    p_provider text, p_user_id text, p_org_id text, p_model text, p_host text, p_levels text[],
    p_slot text, p_unknown text
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_tokens_provided';
COMMENT ON FUNCTION hftok_private.tokens_provided IS 'tokens_provided() as JSON text, for whoever asks.';

CREATE OR REPLACE FUNCTION hftok.tokens_provided(
    p_provider text, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL, p_model text DEFAULT NULL,
    p_host text DEFAULT NULL, p_levels text[] DEFAULT NULL, p_slot text DEFAULT '', p_unknown text DEFAULT 'error'
) RETURNS TABLE (level text, provided boolean)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT w.level, w.provided
        FROM jsonb_to_recordset(
            hftok_private.tokens_provided(p_provider, p_user_id, p_org_id, p_model, p_host, p_levels, p_slot, p_unknown)::jsonb
        ) AS w (level text, provided boolean);
    END;
COMMENT ON FUNCTION hftok.tokens_provided IS
    'Whether each level by itself would give a token, a row a level, wherever the walk would end.';
