-- Moving in, row by row: what becomes of one value. The procedures of the next file go through a table with import_value(). A
-- program that opens values SQL cannot open calls it for itself.
--
-- Must stay true: what leaves these functions, into a report or an error, is keys and constant words, never a value.

-- What a program's default, a form's hint or a hurried hand leaves in a column; what providers' own checks find comes after.
CREATE FUNCTION hftok_private.import_fault(p_value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL UNSAFE SECURITY INVOKER
    RETURN CASE
        -- Fields of an object are looked at by the check of their provider.
        WHEN p_value OPERATOR(pg_catalog.~) '^\s*[{]' THEN NULL
        WHEN p_value OPERATOR(pg_catalog.~) '[•●…]|[*]{3}|[.]{3}' THEN 'it is masked or cut off'
        WHEN p_value OPERATOR(pg_catalog.~*) ('^\s*(-+|[(<\[]?(change[-_ ]?(me|this|it)|replace[-_ ]?(me|this|it)|insert[-_ ]?(me|here|key|token)|'
            'enter[-_ ]?(key|token)|todo|tbd|none|null|nil|undefined|nan|n/?a|test(ing)?|dummy|examples?|sample|placeholder|'
            'secret|password|token|(api|access|secret)?[-_ ]?key|(api|access|hf|auth)[-_ ]?token|hf_|sk-|bearer|basic|unknown|invalid|empty|'
            'default|foo|bar|foobar|asdf|qwerty|abc|abc123|0|123|1234|12345|123456|12345678|true|false|redacted|removed|deleted)[)>\]]?)\s*$')
            THEN 'it is a placeholder'
    END;
COMMENT ON FUNCTION hftok_private.import_fault IS 'Why a text is certainly no credential of any provider, or NULL.';

-- What a value is by itself: is_judged says that it was looked at, and found to be no credential. Asked only whether it is blank,
-- it says nothing else.
CREATE FUNCTION hftok_private.import_check(
    p_value text, p_stored text, p_provider text, p_fully boolean,
    OUT provider text, OUT skipped int, OUT is_blank boolean, OUT reason text, OUT is_judged boolean, OUT warnings text[]
)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    value text;
    is_ok boolean;
BEGIN
    skipped := coalesce(length(substring(p_value, '(?i)^\s*(?:bearer\s+)+')), 0);
    value := substr(p_value, skipped + 1);
    is_blank := coalesce(value, '') ~ '^\s*$';
    is_judged := false;
    IF is_blank OR NOT p_fully THEN
        RETURN;
    ELSIF octet_length(value) > pg_size_bytes(current_setting('hftok.max_secret_size', true)) THEN
        reason := 'it is larger than hftok.max_secret_size';
        RETURN;
    END IF;
    reason := hftok_private.import_fault(value);
    IF reason IS NOT NULL THEN
        is_judged := true;
        RETURN;
    END IF;
    -- The catalogue writes names in lower case, tables do as they like.
    FOREACH provider IN ARRAY ARRAY[p_provider, lower(btrim(p_provider))] LOOP
        BEGIN
            SELECT c.ok, c.warnings INTO is_ok, warnings FROM hftok.check_credential(provider, value) c;
            EXIT;
        EXCEPTION WHEN SQLSTATE '22023' THEN
            is_ok := NULL;
        END;
    END LOOP;
    reason := CASE WHEN is_ok IS NULL THEN 'there is no provider of this name' WHEN NOT is_ok THEN warnings[1] END;
    is_blank := coalesce(reason = 'the credential is blank', false);
    -- What came out of something else under a wrong key looks like no credential either.
    is_judged := is_ok IS FALSE AND value = p_stored;
END
$$;
COMMENT ON FUNCTION hftok_private.import_check IS 'Why a value is no credential of its provider, or what is to be said of it.';

-- What to do with a value: the line for the report, and whether the value is to be saved first, in place of which version.
CREATE FUNCTION hftok_private.import_step_as_owner(
    p_source text, p_key text, p_value text, p_provider text, p_model text, p_user_id text, p_org_id text, p_global boolean,
    p_column text, p_run uuid, p_dry_run boolean,
    OUT line hftok_private.import_rows, OUT is_to_be_saved boolean, OUT skipped int, OUT expected int
)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    looked_at record;
    value text;
    before text;
    kept hftok_private.import_rows;
    held hftok_private.secrets;
    is_same_address boolean;
    is_as_imported boolean;
    is_new boolean;
    same_version int;
    was_same boolean;
    is_again boolean;
    -- What the column of the row holds.
    stored text := coalesce(p_column, p_value);
BEGIN
    IF p_source IS NULL OR p_key IS NULL OR num_nonnulls(p_user_id, p_org_id, nullif(p_global, false)) > 1 THEN
        RAISE EXCEPTION 'p_source and p_key must not be null, and p_user_id, p_org_id and p_global exclude each other'
            USING ERRCODE = '22023';
    END IF;
    line.source := p_source;
    line.key := p_key;
    line.run := p_run;
    line.at := now();
    line.dry_run := coalesce(p_dry_run, false);
    is_to_be_saved := false;

    -- Whose it is.
    IF num_nonnulls(p_user_id, p_org_id, nullif(p_global, false)) = 0 THEN
        line.reason := 'it names no owner';
    ELSIF octet_length(p_model) > 1024 THEN
        line.reason := 'its model is too long';
    ELSE
        BEGIN
            line.scope_id := CASE WHEN p_global THEN '' ELSE hftok_private.identifier(coalesce(p_user_id, p_org_id)) END;
            -- So a database role is called, which no user of an application may become by choosing a name.
            IF line.scope_id LIKE 'role:%' THEN
                line.reason := 'its owner is no identifier';
            END IF;
            line.scope := CASE WHEN p_global THEN 'global' WHEN p_org_id IS NULL THEN 'user' ELSE 'org' END;
            line.model := coalesce(p_model, '');
        EXCEPTION WHEN SQLSTATE '22023' THEN
            line.reason := 'its owner is no identifier';
        END;
    END IF;

    -- What it is.
    looked_at := hftok_private.import_check(p_value, stored, p_provider, line.reason IS NULL);
    line.provider := looked_at.provider;
    line.reason := coalesce(line.reason, looked_at.reason);
    skipped := looked_at.skipped;
    value := substr(p_value, skipped + 1);
    IF looked_at.is_blank AND skipped = 0 AND (coalesce(stored, '') ~ '^\s*$' OR stored = value) THEN
        line := NULL;
        line.outcome := hftok_import.import_note(p_source, p_key, 'blank', NULL, p_run, p_dry_run);
        RETURN;
    ELSIF looked_at.is_blank OR line.reason IS NOT NULL THEN
        line.outcome := 'rejected';
        line.provider := NULL;
        line.model := NULL;
        -- The column holds something: what opens it failed without saying so.
        line.reason := coalesce(line.reason, CASE WHEN looked_at.is_blank THEN 'it opens to nothing' END);
        IF looked_at.is_judged AND NOT looked_at.is_blank AND NOT line.dry_run THEN
            line.seen := hftok_private.import_fingerprints(stored);
        END IF;
        IF value IS DISTINCT FROM stored AND NOT line.dry_run THEN
            PERFORM hftok_private.import_forget(line.source, line.key, stored);
        END IF;
        PERFORM hftok_private.import_line(line);
        RETURN;
    END IF;
    line.reason := nullif(concat_ws('; ', CASE WHEN skipped > 0 THEN '"Bearer" in front was taken away' END,
        nullif(array_to_string(looked_at.warnings, '; '), '')), '');

    -- What hftok has, what it remembers of this row, and whether another row goes before it.
    SELECT r.* INTO kept FROM hftok_private.import_rows r WHERE r.source = line.source AND r.key = line.key AND NOT r.dry_run;
    SELECT s.* INTO held FROM hftok_private.secrets s
    WHERE s.scope = line.scope AND s.scope_id = line.scope_id AND s.provider = line.provider AND s.model = line.model;
    IF kept.fingerprints IS NOT NULL OR held.id IS NOT NULL THEN
        line.fingerprints := hftok_private.import_fingerprints(stored);
    END IF;
    IF held.id IS NOT NULL THEN
        WITH wanted AS MATERIALIZED (
            SELECT CASE WHEN value = stored THEN line.fingerprints
                ELSE hftok_private.import_fingerprints(value) END AS fingerprints
        )
        SELECT max(h.version) FILTER (WHERE h.fingerprint = ANY (w.fingerprints)),
            bool_and(h.fingerprint = ANY (w.fingerprints)) FILTER (WHERE h.version = kept.version)
        INTO same_version, was_same
        FROM wanted w, (
            SELECT held.version, held.fingerprint
            UNION ALL
            SELECT v.version, v.fingerprint FROM hftok_private.secret_versions v WHERE v.secret_id = held.id
        ) h;
    END IF;
    IF held.id IS NOT NULL OR kept.fingerprints IS NOT NULL THEN
        -- That it is what was brought before tells nothing of what hftok has now, and is so of a whole table.
        is_again := coalesce(kept.fingerprints && line.fingerprints
            AND (held.id IS NULL OR (held.id = kept.secret_id AND (value = stored OR was_same))), false);
        PERFORM hftok_private.record_comparison('import_value', CASE WHEN is_again OR same_version > 0 THEN 'found' ELSE 'not_found' END,
            coalesce(held.id, kept.secret_id), coalesce(same_version, CASE WHEN is_again THEN kept.version ELSE held.version END),
            coalesce(held.scope, kept.scope), coalesce(held.scope_id, kept.scope_id), coalesce(held.provider, kept.provider), is_again);
    END IF;
    -- Both what the column holds and what it opens to: p_open may have been another one.
    is_same_address := coalesce((kept.scope, kept.scope_id, kept.provider, kept.model)
        = (line.scope, line.scope_id, line.provider, line.model), false);
    is_as_imported := coalesce(kept.fingerprints && line.fingerprints AND is_same_address
        AND (held.id IS NULL OR (held.id = kept.secret_id AND was_same IS NOT FALSE)), false);
    -- A value that was not there when the row was last looked at. One that was not usable was there all the same, and that of a
    -- duplicate has lost.
    is_new := kept.key IS NULL OR kept.outcome IN ('blank', 'blanked', 'discarded')
        OR (kept.outcome = 'changed' AND kept.fingerprints IS NULL) OR (kept.provider IS NOT NULL AND NOT is_same_address)
        OR NOT coalesce(kept.fingerprints && line.fingerprints,
            CASE kept.outcome WHEN 'rejected' THEN kept.seen && line.fingerprints END, true);
    SELECT r.key INTO before FROM hftok_private.import_rows r
    WHERE (r.scope, r.scope_id, r.provider, r.model) = (line.scope, line.scope_id, line.provider, line.model)
    AND r.source = line.source AND r.key <> line.key AND r.dry_run = line.dry_run AND r.outcome IN ('imported', 'unchanged', 'skipped')
    AND (p_run IS NULL OR r.run = p_run)
    ORDER BY r.key COLLATE "C" LIMIT 1;

    IF before IS NOT NULL THEN
        line.outcome := 'duplicate';
        line.reason := format('row %s has one for the same owner, provider and model%s', before,
            CASE WHEN same_version > 0 THEN ', and the value is in hftok as well' END);
    ELSIF is_as_imported AND held.id IS NULL THEN
        line.outcome := 'skipped';
        line.reason := 'it was imported, and deleted in hftok since';
    ELSIF is_as_imported OR same_version = held.version THEN
        line.outcome := 'unchanged';
        IF is_as_imported AND kept.version < held.version THEN
            line.reason := 'hftok has a newer one';
        END IF;
    ELSIF held.id IS NULL OR EXISTS (
        -- The current version came from this row, or from one that this row's value is newer than.
        SELECT FROM hftok_private.import_rows r
        WHERE (r.scope, r.scope_id, r.provider, r.model) = (line.scope, line.scope_id, line.provider, line.model)
        AND r.source = line.source AND r.secret_id = held.id AND r.version = held.version AND NOT r.dry_run
        -- Of rows that were never looked at those that come before in this run have the greater keys.
        AND (r.key = line.key OR (is_new AND (kept.key IS NOT NULL OR p_run IS NULL OR r.run <> p_run)))
    ) THEN
        line.outcome := 'imported';
        is_to_be_saved := NOT line.dry_run;
        expected := coalesce(held.version, 0);
    ELSIF same_version > 0 THEN
        line.outcome := 'unchanged';
        line.reason := 'hftok has a newer one';
    ELSE
        line.outcome := 'skipped';
        line.reason := 'hftok has another one for the same owner, provider and model, which is not from this row';
    END IF;
    IF line.outcome IN ('duplicate', 'skipped') AND NOT line.dry_run THEN
        line.seen := coalesce(line.fingerprints, hftok_private.import_fingerprints(stored));
        IF was_same IS FALSE THEN
            PERFORM hftok_private.import_forget(line.source, line.key, stored);
        END IF;
    END IF;
    IF same_version > 0 AND NOT line.dry_run THEN
        line.secret_id := held.id;
        line.version := same_version;
    ELSE
        line.fingerprints := NULL;
    END IF;
    IF NOT is_to_be_saved THEN
        PERFORM hftok_private.import_line(line);
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.import_step_as_owner IS 'The work of import_step(), which calls it as hftok_owner.';
CREATE FUNCTION hftok_private.import_step(
    p_source text, p_key text, p_value text, p_provider text, p_model text, p_user_id text, p_org_id text, p_global boolean,
    p_column text, p_run uuid, p_dry_run boolean,
    OUT line hftok_private.import_rows, OUT is_to_be_saved boolean, OUT skipped int, OUT expected int
)
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_step';
COMMENT ON FUNCTION hftok_private.import_step IS 'Decides what becomes of a value; writes its line unless the value is to be saved.';

CREATE FUNCTION hftok_private.import_saved_as_owner(
    p_line hftok_private.import_rows, p_value text, p_column text, p_saved hftok.saved_credential
) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    p_line.secret_id := p_saved.secret_id;
    p_line.version := p_saved.version;
    -- Saving has taken the fingerprint already when the value is all that the column holds.
    IF coalesce(p_column, p_value) = p_value AND p_value !~* '^\s*bearer' THEN
        p_line.fingerprints := ARRAY(SELECT s.fingerprint FROM hftok_private.secrets s WHERE s.id = p_saved.secret_id);
    ELSE
        p_line.fingerprints := hftok_private.import_fingerprints(coalesce(p_column, p_value));
    END IF;
    RETURN hftok_private.import_line(p_line);
END
$$;
COMMENT ON FUNCTION hftok_private.import_saved_as_owner IS 'The work of import_saved(), which calls it as hftok_owner.';
CREATE FUNCTION hftok_private.import_saved(
    p_line hftok_private.import_rows, p_value text, p_column text, p_saved hftok.saved_credential
) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_saved';
COMMENT ON FUNCTION hftok_private.import_saved IS 'Writes the line of a value that was saved.';

-- As the caller, because saving is recorded under the name of whoever saves.
CREATE FUNCTION hftok_import.import_value(
    p_source text, p_key text, p_value text, p_provider text, p_model text DEFAULT NULL, p_user_id text DEFAULT NULL,
    p_org_id text DEFAULT NULL, p_global boolean DEFAULT false, p_column text DEFAULT NULL, p_run uuid DEFAULT NULL,
    p_dry_run boolean DEFAULT false
) RETURNS text
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT CASE WHEN s.is_to_be_saved THEN hftok_private.import_saved(s.line, p_value, p_column,
                hftok.save_credential((s.line).provider, pg_catalog.substr(p_value, s.skipped OPERATOR(pg_catalog.+) 1),
                    (s.line).model, p_user_id, p_org_id, p_global, p_expected_version => s.expected))
            ELSE (s.line).outcome END
        FROM hftok_private.import_step(p_source, p_key, p_value, p_provider, p_model, p_user_id, p_org_id, p_global, p_column,
            p_run, p_dry_run) s;
    END;
COMMENT ON FUNCTION hftok_import.import_value IS
    'Imports the value of one row, as import_column() does, and says what became of it: imported, unchanged, skipped, duplicate, rejected or blank. p_column is what the column holds when that is not the value: blank_column() compares it.';
