-- The kinds of secrets that there are or were: sessions remember from them which levels have no row
-- (src/pg/rows/remembered.rs). The triggers in sql/again/levels.sql tell sessions when that changes.

-- Most rows have no model: whether any has must not take a look at all of them.
CREATE INDEX secrets_models ON hftok_private.secrets (scope) WHERE model <> '';

-- Says for ever that there was a secret of a kind. Not asked of the secrets alone: one session could see the last one go and
-- remember that there is none, while another remembers that there are some, and adds one without telling.
CREATE TABLE hftok_private.kinds (
    scope text NOT NULL,
    has_model boolean NOT NULL,
    has_slot boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE hftok_private.kinds IS 'The kinds of secrets that there are or were. Without a key: nobody must wait for another''s first.';
COMMENT ON COLUMN hftok_private.kinds.scope IS 'The kind of owner.';
COMMENT ON COLUMN hftok_private.kinds.has_model IS 'Whether they were reserved for a model.';
COMMENT ON COLUMN hftok_private.kinds.has_slot IS 'Whether they were further keys of an owner for one use.';
SELECT pg_catalog.pg_extension_config_dump('hftok_private.kinds', '');
