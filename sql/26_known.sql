-- What sessions remember of the tables (src/pg/rows/remembered.rs), and how they are told that it is no longer so. These triggers
-- fire for replication and for COPY as well, and say so through Postgres' own invalidation of relations, which keeps to
-- transactions and reaches standbys.

-- Most rows have no model: whether any has must not take a look at all of them.
CREATE INDEX secrets_models ON hftok_private.secrets (scope) WHERE model <> '';

-- Says for ever that there was a secret of a kind. Not asked of the secrets alone: one session could see the last one go and
-- remember that there is none, while another remembers that there are some, and adds one without telling.
CREATE TABLE hftok_private.kinds (
    scope text NOT NULL,
    has_model boolean NOT NULL
);
COMMENT ON TABLE hftok_private.kinds IS 'The kinds of secrets that there are or were. Without a key: nobody must wait for another''s first.';
COMMENT ON COLUMN hftok_private.kinds.scope IS 'The kind of owner.';
COMMENT ON COLUMN hftok_private.kinds.has_model IS 'Whether they were reserved for a model.';
SELECT pg_catalog.pg_extension_config_dump('hftok_private.kinds', '');

CREATE FUNCTION hftok_private.note_kind() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_note_kind';
COMMENT ON FUNCTION hftok_private.note_kind IS 'Notes the first secret of its kind, and has sessions told.';
CREATE TRIGGER note_kind BEFORE INSERT OR UPDATE OF scope, model ON hftok_private.secrets
    FOR EACH ROW EXECUTE FUNCTION hftok_private.note_kind();
ALTER TABLE hftok_private.secrets ENABLE ALWAYS TRIGGER note_kind;

CREATE FUNCTION hftok_private.note_change() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_note_change';
COMMENT ON FUNCTION hftok_private.note_change IS 'Has sessions told that a table that they remember has changed.';
-- For each row, because logical replication fires no other triggers; and for TRUNCATE, which has no rows.
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON hftok_private.providers
    FOR EACH ROW EXECUTE FUNCTION hftok_private.note_change();
CREATE TRIGGER note_truncate AFTER TRUNCATE ON hftok_private.providers
    FOR EACH STATEMENT EXECUTE FUNCTION hftok_private.note_change();
ALTER TABLE hftok_private.providers ENABLE ALWAYS TRIGGER note_change;
ALTER TABLE hftok_private.providers ENABLE ALWAYS TRIGGER note_truncate;
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON hftok_private.data_keys
    FOR EACH ROW EXECUTE FUNCTION hftok_private.note_change();
CREATE TRIGGER note_truncate AFTER TRUNCATE ON hftok_private.data_keys
    FOR EACH STATEMENT EXECUTE FUNCTION hftok_private.note_change();
ALTER TABLE hftok_private.data_keys ENABLE ALWAYS TRIGGER note_change;
ALTER TABLE hftok_private.data_keys ENABLE ALWAYS TRIGGER note_truncate;
CREATE TRIGGER note_change AFTER UPDATE OR DELETE ON hftok_private.kinds
    FOR EACH ROW EXECUTE FUNCTION hftok_private.note_change();
CREATE TRIGGER note_truncate AFTER TRUNCATE ON hftok_private.kinds
    FOR EACH STATEMENT EXECUTE FUNCTION hftok_private.note_change();
ALTER TABLE hftok_private.kinds ENABLE ALWAYS TRIGGER note_change;
ALTER TABLE hftok_private.kinds ENABLE ALWAYS TRIGGER note_truncate;
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON hftok_private.database_identity
    FOR EACH ROW EXECUTE FUNCTION hftok_private.note_change();
CREATE TRIGGER note_truncate AFTER TRUNCATE ON hftok_private.database_identity
    FOR EACH STATEMENT EXECUTE FUNCTION hftok_private.note_change();
ALTER TABLE hftok_private.database_identity ENABLE ALWAYS TRIGGER note_change;
ALTER TABLE hftok_private.database_identity ENABLE ALWAYS TRIGGER note_truncate;
