-- Moving in, what is remembered of each row: what became of it, and by keyed fingerprints whether it is still the same.
--
-- Must stay true: what leaves these functions, into a report or an error, is keys and constant words, never a value.

CREATE OR REPLACE FUNCTION hftok_private.import_fingerprints(p_text text, p_is_named boolean DEFAULT false) RETURNS bytea[]
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_fingerprints';
COMMENT ON FUNCTION hftok_private.import_fingerprints IS
    'The keyed fingerprints of what a source holds, white space around it left out as when it is saved, unless it is a named secret.';

CREATE OR REPLACE FUNCTION hftok_private.import_line(p_line hftok_private.import_rows) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    INSERT INTO hftok_private.import_rows AS r SELECT p_line.*
    ON CONFLICT (source, key, dry_run) DO UPDATE SET
        outcome = excluded.outcome, reason = excluded.reason, seen = excluded.seen, run = excluded.run, at = excluded.at,
        -- The memory of the import stays, unless there is a new one, or the row is now for somebody else.
        (secret_id, version, fingerprints) = (
            SELECT m.secret_id, m.version, m.fingerprints
            FROM (VALUES
                (excluded.secret_id, excluded.version, excluded.fingerprints, excluded.secret_id IS NOT NULL),
                (r.secret_id, r.version, r.fingerprints, excluded.scope IS NULL OR ((r.scope, r.scope_id) = (excluded.scope, excluded.scope_id)
                    AND (excluded.provider IS NULL OR (r.provider, r.model) = (excluded.provider, excluded.model)))),
                (NULL, NULL, NULL, true)
            ) AS m (secret_id, version, fingerprints, holds) WHERE m.holds LIMIT 1
        ),
        -- A row that was not imported may have no more than an owner.
        (scope, scope_id, provider, model) = (
            SELECT a.scope, a.scope_id, a.provider, a.model
            FROM (VALUES
                (r.scope, r.scope_id, r.provider, r.model, excluded.scope IS NULL
                    OR (excluded.provider IS NULL AND (r.scope, r.scope_id) = (excluded.scope, excluded.scope_id))),
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

-- Forgets what was imported from a row whose bytes are still the same, but now open to another value.
CREATE OR REPLACE FUNCTION hftok_private.import_forget(p_source text, p_key text, p_stored text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    kept hftok_private.import_rows;
    is_same boolean;
BEGIN
    SELECT r.* INTO kept FROM hftok_private.import_rows r
    WHERE r.source = p_source COLLATE "default" AND r.key = p_key COLLATE "default" AND NOT r.dry_run AND r.fingerprints IS NOT NULL;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    is_same := kept.fingerprints && hftok_private.import_fingerprints(p_stored);
    PERFORM hftok_private.record_comparison('import_value', CASE WHEN is_same THEN 'found' ELSE 'not_found' END,
        kept.secret_id, kept.version, kept.scope, kept.scope_id, kept.provider, is_same);
    IF is_same THEN
        UPDATE hftok_private.import_rows r SET secret_id = NULL, version = NULL, fingerprints = NULL
        WHERE r.source = kept.source AND r.key = kept.key AND NOT r.dry_run;
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.import_forget IS 'Forgets what was imported from a row, if it still holds the same.';

CREATE OR REPLACE FUNCTION hftok_import.import_note(
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
    -- The outcome "it was emptied" says more than "it is blank".
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
COMMENT ON FUNCTION hftok_import.import_note IS
    'Writes into import_report what became of a row that has no value to import (it does not open, say), and of a source as a whole (summary, remains). Never put a value into the reason.';

-- Emptying the column destroys what may be the only other copy: so hftok's own is opened first.
CREATE OR REPLACE FUNCTION hftok_private.import_holds_as_owner(p_source text, p_key text, p_column text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    -- Asked first, also when there is no such row: it refuses GET.
    given bytea[] := hftok_private.import_fingerprints(coalesce(p_column, ''));
    kept hftok_private.import_rows;
    held hftok_private.secrets;
    is_same boolean;
BEGIN
    SELECT r.* INTO kept FROM hftok_private.import_rows r
    WHERE r.source = p_source COLLATE "default" AND r.key = p_key COLLATE "default" AND NOT r.dry_run AND r.fingerprints IS NOT NULL;
    SELECT s.* INTO held FROM hftok_private.secrets s WHERE s.id = kept.secret_id;
    IF p_column IS NULL OR held.id IS NULL THEN
        RETURN false;
    END IF;
    is_same := kept.fingerprints && given;
    PERFORM hftok_private.record_comparison('import_holds', CASE WHEN is_same THEN 'found' ELSE 'not_found' END,
        held.id, kept.version, kept.scope, kept.scope_id, kept.provider, is_same);
    RETURN is_same AND hftok_private.value_fault(held.id, held.version, held.scope, held.scope_id, held.provider, held.model, held.name, held.slot, held.kind,
        held.allowed_hosts, held.expires_at, held.sealed, held.preview, held.fingerprint, held.binding_key) IS NULL;
END
$$;
COMMENT ON FUNCTION hftok_private.import_holds_as_owner IS 'The work of import_holds(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_import.import_holds(p_source text, p_key text, p_column text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_holds';
COMMENT ON FUNCTION hftok_import.import_holds IS
    'Whether a column still holds what was imported from it, and hftok has a secret for it that opens.';

CREATE OR REPLACE FUNCTION hftok_private.import_saw_as_owner(p_source text, p_key text, p_column text, p_outcomes text[]) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    given bytea[] := hftok_private.import_fingerprints(coalesce(p_column, ''));
    kept hftok_private.import_rows;
    is_same boolean;
BEGIN
    SELECT r.* INTO kept FROM hftok_private.import_rows r
    WHERE r.source = p_source COLLATE "default" AND r.key = p_key COLLATE "default" AND NOT r.dry_run
    AND r.outcome = ANY (p_outcomes) AND r.seen IS NOT NULL;
    IF p_column IS NULL OR kept.key IS NULL THEN
        RETURN false;
    END IF;
    is_same := kept.seen && given;
    PERFORM hftok_private.record_comparison('import_saw', CASE WHEN is_same THEN 'found' ELSE 'not_found' END,
        kept.secret_id, kept.version, kept.scope, kept.scope_id, kept.provider, is_same);
    RETURN is_same;
END
$$;
COMMENT ON FUNCTION hftok_private.import_saw_as_owner IS 'The work of import_saw(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_import.import_saw(p_source text, p_key text, p_column text, p_outcomes text[]) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_saw';
COMMENT ON FUNCTION hftok_import.import_saw IS
    'Whether a column still holds what was looked at when it was not imported, with one of these outcomes: rejected, duplicate, skipped.';

CREATE OR REPLACE VIEW hftok.import_report WITH (security_barrier) AS
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
    'The result for each row that was moved in, by its key; without key, for a source as a whole. Never a value.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.import_report
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
