-- Moving in, row by row: the facts about one value are gathered here, crates/core/src/moving_in.rs decides what becomes of it. The
-- procedures of the next file go through a table with import_value(). A program that opens values SQL cannot open calls it for
-- itself.
--
-- Must stay true: what leaves these functions, into a report or an error, is keys and constant words, never a value.

CREATE OR REPLACE FUNCTION hftok_private.import_check(
    p_value text, p_stored text, p_provider text, p_address_fault text, p_is_document boolean
)
    RETURNS hftok_private.import_finding
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_check';
COMMENT ON FUNCTION hftok_private.import_check IS
    'Whether a row is blank, rejected or usable, and why or what is to be said of it: crates/core/src/moving_in/given.rs decides. A document is what an integration has: an object, also of one field.';

-- A name that begins with role: is a database role's, which no user of an application may become by choosing it.
CREATE OR REPLACE FUNCTION hftok_private.import_address(p_model text, p_user_id text, p_org_id text, p_global boolean) RETURNS hftok_private.import_rows
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    line hftok_private.import_rows;
BEGIN
    IF num_nonnulls(p_user_id, p_org_id, nullif(p_global, false)) = 0 THEN
        line.reason := 'it names no owner';
    ELSIF octet_length(p_model) > 1024 THEN
        line.reason := 'its model is too long';
    ELSE
        BEGIN
            line.scope_id := CASE WHEN p_global THEN '' ELSE hftok_private.identifier(coalesce(p_user_id, p_org_id)) END;
            IF line.scope_id LIKE 'role:%' THEN
                line.reason := 'its owner is no identifier';
            END IF;
            line.scope := CASE WHEN p_global THEN 'global' WHEN p_org_id IS NULL THEN 'user' ELSE 'org' END;
            line.model := coalesce(p_model, '');
        EXCEPTION WHEN SQLSTATE '22023' THEN
            line.reason := 'its owner is no identifier';
        END;
    END IF;
    RETURN line;
END
$$;
COMMENT ON FUNCTION hftok_private.import_address IS 'The owner and model that a row is for, or the reason why it is nobody''s.';

CREATE OR REPLACE FUNCTION hftok_private.import_versions(
    p_held hftok_private.secrets, p_version int, p_fingerprints bytea[], OUT same_version int, OUT was_same boolean
)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    SELECT max(h.version) FILTER (WHERE h.fingerprint = ANY (p_fingerprints)),
        bool_and(h.fingerprint = ANY (p_fingerprints)) FILTER (WHERE h.version = p_version)
    FROM (
        SELECT p_held.version, p_held.fingerprint
        UNION ALL
        SELECT v.version, v.fingerprint FROM hftok_private.secret_versions v WHERE v.secret_id = p_held.id
    ) h
$$;
COMMENT ON FUNCTION hftok_private.import_versions IS
    'The newest version of a secret that has one of these fingerprints, and whether a certain version has; NULL when there is none.';

CREATE OR REPLACE FUNCTION hftok_private.import_judge(
    p_before text, p_outcome text, p_is_as_imported boolean, p_is_as_seen boolean, p_is_same_address boolean,
    p_is_secret_held boolean, p_version int, p_held_version int, p_same_version int, p_was_same boolean, p_origin text,
    p_is_plain boolean
) RETURNS hftok_private.import_verdict
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_judge';
COMMENT ON FUNCTION hftok_private.import_judge IS
    'Decides what becomes of a row with a usable value, from facts alone: crates/core/src/moving_in.rs says what each means.';

-- Gathers the facts about a row, and does what the verdict says but for saving: replaces is what the value is saved in place of.
CREATE OR REPLACE FUNCTION hftok_private.import_decide(INOUT line hftok_private.import_rows, p_value text, p_stored text, OUT replaces int)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    kept hftok_private.import_rows;
    held hftok_private.secrets;
    same_version int;
    was_same boolean;
    before text;
    origin text;
    verdict hftok_private.import_verdict;
BEGIN
    SELECT r.* INTO kept FROM hftok_private.import_rows r WHERE r.source = line.source AND r.key = line.key AND NOT r.dry_run;
    -- An owner may have several integrations with a provider: each has the key of its row as its id.
    IF line.scope IN ('integration', 'org_integration') THEN
        SELECT s.* INTO held FROM hftok_private.integrations i JOIN hftok_private.secrets s ON s.id = i.secret_id WHERE i.id = line.key::uuid;
    ELSE
        SELECT s.* INTO held FROM hftok_private.secrets s
        WHERE s.scope = line.scope AND s.scope_id = line.scope_id AND s.provider = line.provider AND s.model = line.model
        AND s.slot = '';
    END IF;
    IF kept.fingerprints IS NOT NULL OR held.id IS NOT NULL THEN
        line.fingerprints := hftok_private.import_fingerprints(p_stored);
    END IF;
    IF held.id IS NOT NULL THEN
        SELECT v.same_version, v.was_same INTO same_version, was_same
        FROM hftok_private.import_versions(held, kept.version,
            CASE WHEN p_value = p_stored THEN line.fingerprints ELSE hftok_private.import_fingerprints(p_value) END) v;
    END IF;
    SELECT r.key INTO before FROM hftok_private.import_rows r
    WHERE (r.scope, r.scope_id, r.provider, r.model) = (line.scope, line.scope_id, line.provider, line.model)
    AND r.scope NOT IN ('integration', 'org_integration') AND r.source = line.source AND r.key <> line.key AND r.dry_run = line.dry_run AND r.outcome IN ('imported', 'unchanged', 'skipped')
    AND (line.run IS NULL OR r.run = line.run)
    ORDER BY r.key COLLATE "C" LIMIT 1;
    IF before IS NULL AND held.id IS NOT NULL THEN
        SELECT CASE WHEN bool_or(r.key = line.key) THEN 'this_row'
            WHEN bool_or(line.run IS NULL OR r.run <> line.run) THEN 'earlier_run'
            WHEN count(*) > 0 THEN 'this_run' END INTO origin
        FROM hftok_private.import_rows r
        WHERE (r.scope, r.scope_id, r.provider, r.model) = (line.scope, line.scope_id, line.provider, line.model)
        AND r.source = line.source AND r.secret_id = held.id AND r.version = held.version AND NOT r.dry_run;
    END IF;
    verdict := hftok_private.import_judge(before, kept.outcome, kept.fingerprints && line.fingerprints, kept.seen && line.fingerprints,
        CASE WHEN kept.provider IS NOT NULL THEN coalesce((kept.scope, kept.scope_id, kept.provider, kept.model)
            = (line.scope, line.scope_id, line.provider, line.model), false) END,
        held.id = kept.secret_id, kept.version, held.version, same_version, was_same, origin, p_value = p_stored);
    IF verdict.is_found IS NOT NULL THEN
        PERFORM hftok_private.record_comparison('import_value', CASE WHEN verdict.is_found THEN 'found' ELSE 'not_found' END,
            coalesce(held.id, kept.secret_id), verdict.compared, coalesce(held.scope, kept.scope),
            coalesce(held.scope_id, kept.scope_id), coalesce(held.provider, kept.provider), verdict.is_again);
    END IF;
    line.outcome := verdict.outcome;
    line.reason := coalesce(verdict.reason, line.reason);
    IF line.dry_run THEN
        line.fingerprints := NULL;
        RETURN;
    END IF;
    replaces := verdict.replaces;
    IF line.outcome IN ('duplicate', 'skipped') THEN
        line.seen := coalesce(line.fingerprints, hftok_private.import_fingerprints(p_stored));
    END IF;
    IF verdict.is_forgotten THEN
        PERFORM hftok_private.import_forget(line.source, line.key, p_stored);
    END IF;
    IF same_version IS NULL THEN
        line.fingerprints := NULL;
    ELSE
        line.secret_id := held.id;
        line.version := same_version;
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.import_decide IS
    'What becomes of a row with a usable value: its line, and the version that its value is to be saved in place of, or NULL.';

-- Its line says what became of it, and is written.
CREATE OR REPLACE FUNCTION hftok_private.import_turn_down(
    p_line hftok_private.import_rows, p_looked_at hftok_private.import_finding, p_stored text
) RETURNS hftok_private.import_rows
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    noted hftok_private.import_rows;
BEGIN
    IF p_looked_at.outcome = 'blank' THEN
        noted.outcome := hftok_import.import_note(p_line.source, p_line.key, 'blank', NULL, p_line.run, p_line.dry_run);
        RETURN noted;
    END IF;
    p_line.outcome := p_looked_at.outcome;
    p_line.model := NULL;
    IF p_looked_at.is_remembered AND NOT p_line.dry_run THEN
        p_line.seen := hftok_private.import_fingerprints(p_stored);
    END IF;
    IF p_looked_at.is_forgotten AND NOT p_line.dry_run THEN
        PERFORM hftok_private.import_forget(p_line.source, p_line.key, p_stored);
    END IF;
    PERFORM hftok_private.import_line(p_line);
    RETURN p_line;
END
$$;
COMMENT ON FUNCTION hftok_private.import_turn_down IS 'Writes the line of a row that is blank or rejected, and gives it.';

-- The line for the report, and whether the value is to be saved first, in place of which version.
CREATE OR REPLACE FUNCTION hftok_private.import_step_as_owner(
    p_source text, p_key text, p_value text, p_provider text, p_model text, p_user_id text, p_org_id text, p_global boolean,
    p_column text, p_run uuid, p_dry_run boolean,
    OUT line hftok_private.import_rows, OUT is_to_be_saved boolean, OUT skipped int, OUT expected int
)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    looked_at hftok_private.import_finding;
    decided record;
    value text;
    -- The content of the row's column.
    stored text := coalesce(p_column, p_value);
BEGIN
    IF p_source IS NULL OR p_key IS NULL OR num_nonnulls(p_user_id, p_org_id, nullif(p_global, false)) > 1 THEN
        RAISE EXCEPTION 'p_source and p_key must not be null, and p_user_id, p_org_id and p_global exclude each other'
            USING ERRCODE = '22023';
    END IF;
    line := hftok_private.import_address(p_model, p_user_id, p_org_id, p_global);
    line.source := p_source;
    line.key := p_key;
    line.run := p_run;
    line.at := now();
    line.dry_run := coalesce(p_dry_run, false);
    is_to_be_saved := false;
    looked_at := hftok_private.import_check(p_value, stored, p_provider, line.reason, false);
    line.provider := looked_at.provider;
    line.reason := looked_at.reason;
    skipped := looked_at.skipped;
    value := substr(p_value, skipped + 1);
    IF looked_at.outcome IN ('blank', 'rejected') THEN
        line := hftok_private.import_turn_down(line, looked_at, stored);
        RETURN;
    END IF;
    decided := hftok_private.import_decide(line, value, stored);
    line := decided.line;
    expected := decided.replaces;
    is_to_be_saved := expected IS NOT NULL;
    IF NOT is_to_be_saved THEN
        PERFORM hftok_private.import_line(line);
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.import_step_as_owner IS 'The work of import_step(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.import_step(
    p_source text, p_key text, p_value text, p_provider text, p_model text, p_user_id text, p_org_id text, p_global boolean,
    p_column text, p_run uuid, p_dry_run boolean,
    OUT line hftok_private.import_rows, OUT is_to_be_saved boolean, OUT skipped int, OUT expected int
)
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_step';
COMMENT ON FUNCTION hftok_private.import_step IS 'Decides what becomes of a value; writes its line unless the value is to be saved.';

CREATE OR REPLACE FUNCTION hftok_private.import_saved_as_owner(
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
CREATE OR REPLACE FUNCTION hftok_private.import_saved(
    p_line hftok_private.import_rows, p_value text, p_column text, p_saved hftok.saved_credential
) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_saved';
COMMENT ON FUNCTION hftok_private.import_saved IS 'Writes the line of a value that was saved.';

-- Runs as the caller, because saving is recorded under the caller's name.
CREATE OR REPLACE FUNCTION hftok_import.import_value(
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
