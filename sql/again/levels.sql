-- Triggers that tell sessions when something that they remember of the tables has changed (src/pg/rows/remembered.rs). They
-- fire for replication and for COPY as well, and tell it by Postgres' own invalidation of relations, which keeps to
-- transactions and reaches standbys.

CREATE OR REPLACE FUNCTION hftok_private.note_kind() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_note_kind';
COMMENT ON FUNCTION hftok_private.note_kind IS 'Notes the first secret of its kind, and has sessions told.';
CREATE OR REPLACE TRIGGER note_kind BEFORE INSERT OR UPDATE OF scope, model ON hftok_private.secrets
    FOR EACH ROW EXECUTE FUNCTION hftok_private.note_kind();
ALTER TABLE hftok_private.secrets ENABLE ALWAYS TRIGGER note_kind;

CREATE OR REPLACE FUNCTION hftok_private.note_change() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_note_change';
COMMENT ON FUNCTION hftok_private.note_change IS 'Has sessions told that a table that they remember has changed.';
-- For each row, because logical replication fires no other triggers; and for TRUNCATE, which has no rows.
CREATE OR REPLACE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON hftok_private.providers
    FOR EACH ROW EXECUTE FUNCTION hftok_private.note_change();
CREATE OR REPLACE TRIGGER note_truncate AFTER TRUNCATE ON hftok_private.providers
    FOR EACH STATEMENT EXECUTE FUNCTION hftok_private.note_change();
ALTER TABLE hftok_private.providers ENABLE ALWAYS TRIGGER note_change;
ALTER TABLE hftok_private.providers ENABLE ALWAYS TRIGGER note_truncate;
CREATE OR REPLACE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON hftok_private.data_keys
    FOR EACH ROW EXECUTE FUNCTION hftok_private.note_change();
CREATE OR REPLACE TRIGGER note_truncate AFTER TRUNCATE ON hftok_private.data_keys
    FOR EACH STATEMENT EXECUTE FUNCTION hftok_private.note_change();
ALTER TABLE hftok_private.data_keys ENABLE ALWAYS TRIGGER note_change;
ALTER TABLE hftok_private.data_keys ENABLE ALWAYS TRIGGER note_truncate;
CREATE OR REPLACE TRIGGER note_change AFTER UPDATE OR DELETE ON hftok_private.kinds
    FOR EACH ROW EXECUTE FUNCTION hftok_private.note_change();
CREATE OR REPLACE TRIGGER note_truncate AFTER TRUNCATE ON hftok_private.kinds
    FOR EACH STATEMENT EXECUTE FUNCTION hftok_private.note_change();
ALTER TABLE hftok_private.kinds ENABLE ALWAYS TRIGGER note_change;
ALTER TABLE hftok_private.kinds ENABLE ALWAYS TRIGGER note_truncate;
CREATE OR REPLACE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON hftok_private.database_identity
    FOR EACH ROW EXECUTE FUNCTION hftok_private.note_change();
CREATE OR REPLACE TRIGGER note_truncate AFTER TRUNCATE ON hftok_private.database_identity
    FOR EACH STATEMENT EXECUTE FUNCTION hftok_private.note_change();
ALTER TABLE hftok_private.database_identity ENABLE ALWAYS TRIGGER note_change;
ALTER TABLE hftok_private.database_identity ENABLE ALWAYS TRIGGER note_truncate;
