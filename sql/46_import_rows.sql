-- Moving in, row by row: what becomes of one value, and what is remembered of it. The procedures of the next file go through
-- a table with these. A program that opens values SQL cannot open calls them for itself; that, and because a procedure that
-- commits can name nothing in hftok_private, is why they lie here.
--
-- Must stay true: what leaves these functions, into a report or an error, is keys and constant words, never a value.

CREATE FUNCTION hftok_private.import_fingerprints(p_text text) RETURNS bytea[]
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS 'MODULE_PATHNAME', 'hftok_import_fingerprints';
COMMENT ON FUNCTION hftok_private.import_fingerprints IS
    'The keyed fingerprints of what a source holds, white space around it left out as when it is saved.';

CREATE FUNCTION hftok_private.record_comparison(p_secret_id uuid) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS 'MODULE_PATHNAME', 'hftok_record_comparison';
COMMENT ON FUNCTION hftok_private.record_comparison IS 'Records that somebody learns whether a secret has the value that they bring.';

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

CREATE FUNCTION hftok_private.import_line(p_line hftok_private.import_rows) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    INSERT INTO hftok_private.import_rows AS r SELECT p_line.*
    ON CONFLICT (source, key, dry_run) DO UPDATE SET
        outcome = excluded.outcome, reason = excluded.reason, seen = excluded.seen, run = excluded.run, at = excluded.at,
        -- What is remembered of the import stays, unless there is anew, or the row is now for somebody else.
        (secret_id, version, fingerprints) = (
            SELECT m.secret_id, m.version, m.fingerprints
            FROM (VALUES
                (excluded.secret_id, excluded.version, excluded.fingerprints, excluded.secret_id IS NOT NULL),
                (r.secret_id, r.version, r.fingerprints, excluded.provider IS NULL OR (r.scope, r.scope_id, r.provider, r.model)
                    = (excluded.scope, excluded.scope_id, excluded.provider, excluded.model)),
                (NULL, NULL, NULL, true)
            ) AS m (secret_id, version, fingerprints, holds) WHERE m.holds LIMIT 1
        ),
        -- Of what was not imported only the owner may be known.
        (scope, scope_id, provider, model) = (
            SELECT a.scope, a.scope_id, a.provider, a.model
            FROM (VALUES
                (r.scope, r.scope_id, r.provider, r.model, excluded.scope IS NULL OR (excluded.provider IS NULL AND r.provider IS NOT NULL)),
                (excluded.scope, excluded.scope_id, excluded.provider, excluded.model, true)
            ) AS a (scope, scope_id, provider, model, holds) WHERE a.holds LIMIT 1
        );
    IF NOT p_line.dry_run THEN
        DELETE FROM hftok_private.import_rows r WHERE r.source = p_line.source AND r.key = p_line.key AND r.dry_run;
    END IF;
    RETURN p_line.outcome;
END
$$;
COMMENT ON FUNCTION hftok_private.import_line IS 'Writes what became of a row.';

-- What to do with a value: the line for the report, and whether the value is to be saved first, in place of which version.
CREATE FUNCTION hftok_private.import_step(
    p_source text, p_key text, p_value text, p_provider text, p_model text, p_user_id text, p_org_id text, p_global boolean,
    p_column text, p_run uuid, p_dry_run boolean,
    OUT line hftok_private.import_rows, OUT is_to_be_saved boolean, OUT skipped int, OUT expected int
)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    value text;
    said text[];
    is_ok boolean;
    before text;
    kept hftok_private.import_rows;
    held hftok_private.secrets;
    is_same_address boolean;
    is_as_imported boolean;
    is_new boolean;
    is_blank boolean := true;
    same_version int;
    was_same boolean;
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
    skipped := coalesce(length(substring(p_value, '(?i)^\s*(?:bearer\s+)+')), 0);
    value := substr(p_value, skipped + 1);
    IF coalesce(value, '') !~ '^\s*$' THEN
        is_blank := false;
        IF line.reason IS NULL THEN
            line.reason := hftok_private.import_fault(value);
            IF octet_length(value) > pg_size_bytes(current_setting('hftok.max_secret_size', true)) THEN
                line.reason := 'it is larger than hftok.max_secret_size';
            END IF;
        END IF;
        IF line.reason IS NULL THEN
            -- The catalogue writes names in lower case, tables do as they like.
            FOREACH line.provider IN ARRAY ARRAY[p_provider, lower(btrim(p_provider))] LOOP
                BEGIN
                    SELECT c.ok, c.warnings INTO is_ok, said FROM hftok.check_credential(line.provider, value) c;
                    EXIT;
                EXCEPTION WHEN SQLSTATE '22023' THEN
                    is_ok := NULL;
                END;
            END LOOP;
            line.reason := CASE WHEN is_ok IS NULL THEN 'there is no provider of this name' WHEN NOT is_ok THEN said[1] END;
            is_blank := coalesce(line.reason = 'the credential is blank', false);
        END IF;
    END IF;
    -- Nothing where the column holds something: what opens it failed without saying so.
    IF is_blank AND skipped = 0 AND (coalesce(stored, '') ~ '^\s*$' OR stored = value) THEN
        line := NULL;
        line.outcome := hftok.import_note(p_source, p_key, 'blank', NULL, p_run, p_dry_run);
        RETURN;
    ELSIF is_blank OR line.reason IS NOT NULL THEN
        line.outcome := 'rejected';
        line.provider := NULL;
        line.model := NULL;
        IF is_blank THEN
            -- Nobody has looked at it: it is not to be discarded.
            line.reason := 'it opens to nothing';
        ELSIF NOT line.dry_run THEN
            line.seen := hftok_private.import_fingerprints(stored);
        END IF;
        PERFORM hftok_private.import_line(line);
        RETURN;
    END IF;
    line.reason := nullif(concat_ws('; ', CASE WHEN skipped > 0 THEN '"Bearer" in front was taken away' END,
        nullif(array_to_string(said, '; '), '')), '');

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
        -- That it is what was brought before tells nothing of what hftok has now.
        IF (held.id = kept.secret_id AND kept.fingerprints && line.fingerprints AND (value = stored OR was_same)) IS NOT TRUE THEN
            PERFORM hftok_private.record_comparison(held.id);
        END IF;
    END IF;
    -- Both what the column holds and what it opens to: p_open may have been another one.
    is_same_address := coalesce((kept.scope, kept.scope_id, kept.provider, kept.model)
        = (line.scope, line.scope_id, line.provider, line.model), false);
    is_as_imported := coalesce(kept.fingerprints && line.fingerprints AND is_same_address
        AND (held.id IS NULL OR (held.id = kept.secret_id AND was_same IS NOT FALSE)), false);
    -- A value that was not there, or not usable, when the row was last looked at. That of a duplicate was, and lost.
    is_new := kept.key IS NULL OR kept.outcome IN ('blank', 'rejected', 'blanked', 'discarded')
        OR (kept.outcome = 'changed' AND kept.fingerprints IS NULL) OR NOT is_same_address
        OR NOT coalesce(kept.fingerprints && line.fingerprints, true);
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
        AND (r.key = line.key OR is_new)
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
COMMENT ON FUNCTION hftok_private.import_step IS 'Decides what becomes of a value; writes its line unless the value is to be saved.';

CREATE FUNCTION hftok_private.import_saved(
    p_line hftok_private.import_rows, p_value text, p_column text, p_saved hftok.saved_credential
) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
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
COMMENT ON FUNCTION hftok_private.import_saved IS 'Writes the line of a value that was saved.';

-- As the caller, because saving is recorded under the name of whoever saves.
CREATE FUNCTION hftok.import_value(
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
COMMENT ON FUNCTION hftok.import_value IS
    'Imports the value of one row, as import_column() does, and says what became of it: imported, unchanged, skipped, duplicate, rejected or blank. p_column is what the column holds when that is not the value: blank_column() compares it.';

CREATE FUNCTION hftok.import_note(
    p_source text, p_key text, p_outcome text, p_reason text DEFAULT NULL, p_run uuid DEFAULT NULL, p_dry_run boolean DEFAULT false
) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    line hftok_private.import_rows;
    kept hftok_private.import_rows;
BEGIN
    IF p_source IS NULL OR p_source = '' OR p_outcome IS NULL OR length(p_reason) > 4000
        OR p_outcome <> ALL ('{imported,unchanged,skipped,rejected,blank,blanked,discarded,changed,summary,remains}')
        OR (p_key IS NULL) <> (p_outcome IN ('summary', 'remains')) THEN
        RAISE EXCEPTION 'a line needs a source, an outcome, and a key unless it is a summary; a reason has 4000 characters at most'
            USING ERRCODE = '22023';
    END IF;
    IF p_key IS NULL THEN
        INSERT INTO hftok_private.import_sources AS s (source, summary, remains)
        VALUES (p_source, CASE WHEN p_outcome = 'summary' THEN p_reason END, CASE WHEN p_outcome = 'remains' THEN p_reason END)
        ON CONFLICT (source) DO UPDATE
        SET summary = coalesce(excluded.summary, s.summary), remains = coalesce(excluded.remains, s.remains), at = excluded.at;
        RETURN p_outcome;
    END IF;
    -- Compared as fields of a row, which have its collation: that of a parameter is the caller's, and then no index serves.
    line.source := p_source;
    line.key := p_key;
    SELECT r.* INTO kept FROM hftok_private.import_rows r WHERE r.source = line.source AND r.key = line.key AND NOT r.dry_run;
    -- Why a value was not imported says more than that it is still there; and a duplicate that was edited is no new value.
    IF p_outcome = 'changed' AND (kept.key IS NULL
        OR (kept.fingerprints IS NULL AND kept.outcome IN ('rejected', 'duplicate', 'skipped'))) THEN
        RETURN coalesce(kept.outcome, p_outcome);
    ELSIF p_outcome = 'blanked' AND NOT EXISTS (SELECT FROM hftok_private.secrets s WHERE s.id = kept.secret_id) THEN
        RAISE EXCEPTION 'hftok does not hold what was imported' USING ERRCODE = '22023';
    END IF;
    line.dry_run := coalesce(p_dry_run, false);
    -- That it was emptied says more than that it is blank.
    line.outcome := CASE WHEN p_outcome = 'blank' AND kept.outcome IN ('blanked', 'discarded') THEN kept.outcome ELSE p_outcome END;
    line.reason := p_reason;
    line.run := p_run;
    line.at := now();
    PERFORM hftok_private.import_line(line);
    IF p_outcome = 'blanked' THEN
        UPDATE hftok_private.import_rows r SET fingerprints = NULL
        WHERE r.source = line.source AND r.key = line.key AND NOT r.dry_run;
    END IF;
    RETURN line.outcome;
END
$$;
COMMENT ON FUNCTION hftok.import_note IS
    'Writes into import_report what became of a row that has no value to import (it does not open, say), and of a source as a whole (summary, remains). Never put a value into the reason.';

-- Emptying the column destroys what may be the only other copy: so hftok's own is opened first. Not recorded in the audit: what
-- it compares with is what the column held, and is forgotten once that is emptied.
CREATE FUNCTION hftok.import_holds(p_source text, p_key text, p_column text) RETURNS boolean
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    -- Asked first, also when there is no such row: it refuses GET.
    WITH given AS MATERIALIZED (SELECT hftok_private.import_fingerprints(coalesce(p_column, '')) AS fingerprints)
    SELECT coalesce((
        SELECT CASE WHEN p_column IS NOT NULL AND r.fingerprints && g.fingerprints THEN
            hftok_private.value_fault(s.id, s.version, s.scope, s.scope_id, s.provider, s.model, s.name, s.allowed_hosts,
                s.expires_at, s.sealed, s.preview, s.fingerprint, s.binding_key) IS NULL END
        FROM hftok_private.import_rows r JOIN hftok_private.secrets s ON s.id = r.secret_id
        WHERE r.source = p_source COLLATE "default" AND r.key = p_key COLLATE "default" AND NOT r.dry_run
        AND r.fingerprints IS NOT NULL
    ), false) FROM given g
$$;
COMMENT ON FUNCTION hftok.import_holds IS
    'Whether a column still holds what was imported from it, and hftok has a secret for it that opens.';

CREATE FUNCTION hftok.import_saw(p_source text, p_key text, p_column text, p_outcomes text[]) RETURNS boolean
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH given AS MATERIALIZED (SELECT hftok_private.import_fingerprints(coalesce(p_column, '')) AS fingerprints)
    SELECT p_column IS NOT NULL AND EXISTS (
        SELECT FROM hftok_private.import_rows r
        WHERE r.source = p_source COLLATE "default" AND r.key = p_key COLLATE "default" AND NOT r.dry_run
        AND r.outcome = ANY (p_outcomes) AND r.seen && g.fingerprints
    ) FROM given g
$$;
COMMENT ON FUNCTION hftok.import_saw IS
    'Whether a column still holds what was looked at when it was not imported, with one of these outcomes: rejected, duplicate, skipped.';

CREATE VIEW hftok.import_report WITH (security_barrier) AS
    SELECT r.source, r.key, r.outcome, r.reason, r.provider, r.scope, r.scope_id, r.model, r.secret_id, r.dry_run, r.at
    FROM hftok_private.import_rows r
    UNION ALL
    SELECT s.source, NULL, said.outcome, said.reason, NULL, NULL, NULL, NULL, NULL, false, s.at
    FROM hftok_private.import_sources s,
        LATERAL (
            SELECT 'summary' AS outcome, s.summary AS reason WHERE s.summary IS NOT NULL
            UNION ALL
            SELECT 'remains', line.text FROM pg_catalog.regexp_split_to_table(s.remains, E'\n') AS line (text)
        ) said;
COMMENT ON VIEW hftok.import_report IS
    'What became of each row that was moved in, by its key; without key, of a source as a whole. Never a value.';
CREATE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.import_report
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
