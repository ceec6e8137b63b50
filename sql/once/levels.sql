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
