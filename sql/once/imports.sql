-- The memory of moving in: the outcome of each row of a source, and marks by which it is known again while it is still the
-- same. Sources and keys are text, not object ids, so that the memory survives a dump.
--
-- The functions that import_column(), blank_column() and import_vault() are made of have a schema of their own: procedures that
-- commit run with the names and rights of their caller, and nobody may name what is in hftok_private.

CREATE SCHEMA hftok_import;
COMMENT ON SCHEMA hftok_import IS
    'The steps of import_column(), blank_column() and import_vault(), also for programs that import values themselves. Only hftok_admin has USAGE.';

CREATE TABLE hftok_private.import_rows (
    source text NOT NULL CHECK (source <> ''),
    key text NOT NULL,
    dry_run boolean NOT NULL,
    outcome text NOT NULL
        CHECK (outcome IN ('imported', 'unchanged', 'skipped', 'duplicate', 'rejected', 'blank', 'blanked', 'discarded', 'changed')),
    reason text,
    provider text,
    scope text,
    scope_id text,
    model text,
    secret_id uuid,
    version int,
    fingerprints bytea[],
    seen bytea[],
    run uuid,
    at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (source, key, dry_run)
);
-- Finds the duplicates of a row, and what belongs to somebody who is to be forgotten.
CREATE INDEX import_rows_address ON hftok_private.import_rows (scope, scope_id, provider, model);
COMMENT ON TABLE hftok_private.import_rows IS 'The outcome of each row of a source that was moved in. Never a value.';
COMMENT ON COLUMN hftok_private.import_rows.source IS 'Table and column, or view.';
COMMENT ON COLUMN hftok_private.import_rows.key IS 'The key of the row, as text.';
COMMENT ON COLUMN hftok_private.import_rows.dry_run IS 'Whether it only would have become so. A dry run leaves what is remembered of real ones alone.';
COMMENT ON COLUMN hftok_private.import_rows.outcome IS
    'imported; unchanged: hftok has it already; skipped: hftok has another; duplicate: another row goes before; rejected; blank; blanked: imported, and emptied; discarded: not in hftok, and emptied as the caller wished; changed: imported, and not emptied.';
COMMENT ON COLUMN hftok_private.import_rows.reason IS 'Why, in constant words; never what a row holds.';
COMMENT ON COLUMN hftok_private.import_rows.provider IS 'The provider it was for. NULL when that was not found out.';
COMMENT ON COLUMN hftok_private.import_rows.scope IS 'The kind of owner it was for.';
COMMENT ON COLUMN hftok_private.import_rows.scope_id IS 'The owner it was for.';
COMMENT ON COLUMN hftok_private.import_rows.model IS 'The model it was for.';
COMMENT ON COLUMN hftok_private.import_rows.secret_id IS 'The secret that holds its value. No foreign key: that a secret was deleted is remembered.';
COMMENT ON COLUMN hftok_private.import_rows.version IS 'The version of the secret that its value was.';
COMMENT ON COLUMN hftok_private.import_rows.fingerprints IS
    'Keyed, of what the column held: tells whether it still does. NULL when hftok does not hold its value, and once it was emptied.';
COMMENT ON COLUMN hftok_private.import_rows.seen IS
    'The same of what was looked at and is not in hftok: it may be discarded as long as the column holds nothing else.';
COMMENT ON COLUMN hftok_private.import_rows.run IS 'The run that looked at it last.';
COMMENT ON COLUMN hftok_private.import_rows.at IS 'When that was.';

CREATE TABLE hftok_private.import_sources (
    source text PRIMARY KEY CHECK (source <> ''),
    summary text,
    remains text,
    at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE hftok_private.import_sources IS 'Facts about a source as a whole.';
COMMENT ON COLUMN hftok_private.import_sources.source IS 'Table and column, or view.';
COMMENT ON COLUMN hftok_private.import_sources.summary IS 'The rows that the last run read, of how many, and their outcomes.';
COMMENT ON COLUMN hftok_private.import_sources.remains IS 'Places that still hold old plaintext after the column was emptied.';
COMMENT ON COLUMN hftok_private.import_sources.at IS 'Since when.';

SELECT pg_catalog.pg_extension_config_dump('hftok_private.import_rows', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.import_sources', '');
