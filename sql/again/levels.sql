-- Triggers that tell sessions when something that they remember of the tables has changed (src/pg/rows/remembered.rs). They
-- fire for replication and for COPY as well, and tell it by Postgres' own invalidation of relations, which keeps to
-- transactions and reaches standbys.

CREATE OR REPLACE FUNCTION hftok_private.note_kind() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_note_kind';
COMMENT ON FUNCTION hftok_private.note_kind IS 'Notes the first secret of its kind, and has sessions told.';
CREATE OR REPLACE TRIGGER note_kind BEFORE INSERT OR UPDATE OF scope, model, slot ON hftok_private.secrets
    FOR EACH ROW EXECUTE FUNCTION hftok_private.note_kind();
ALTER TABLE hftok_private.secrets ENABLE ALWAYS TRIGGER note_kind;

CREATE OR REPLACE FUNCTION hftok_private.note_change() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_note_change';
COMMENT ON FUNCTION hftok_private.note_change IS 'Has sessions told that a table that they remember has changed.';
-- For each row, because logical replication fires no other triggers; and for TRUNCATE, which has no rows.
DO $note_change$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT t.name, t.changes FROM (VALUES
        ('providers', 'INSERT OR UPDATE OR DELETE'),
        ('data_keys', 'INSERT OR UPDATE OR DELETE'),
        ('kinds', 'UPDATE OR DELETE'), -- note_kind() tells of an INSERT.
        ('database_identity', 'INSERT OR UPDATE OR DELETE')
    ) t (name, changes) LOOP
        EXECUTE pg_catalog.format('CREATE OR REPLACE TRIGGER note_change AFTER %s ON hftok_private.%I
            FOR EACH ROW EXECUTE FUNCTION hftok_private.note_change()', one.changes, one.name);
        EXECUTE pg_catalog.format('CREATE OR REPLACE TRIGGER note_truncate AFTER TRUNCATE ON hftok_private.%I
            FOR EACH STATEMENT EXECUTE FUNCTION hftok_private.note_change()', one.name);
        EXECUTE pg_catalog.format('ALTER TABLE hftok_private.%I ENABLE ALWAYS TRIGGER note_change, ENABLE ALWAYS TRIGGER note_truncate',
            one.name);
    END LOOP;
END
$note_change$;
