-- Rotation of keys: the root keys that a database has needed, and since when.

CREATE TABLE hftok_private.root_keys (
    id int NOT NULL CHECK (id > 0),
    fingerprint bytea NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz,
    PRIMARY KEY (id, fingerprint)
);
COMMENT ON TABLE hftok_private.root_keys IS 'The root keys that wrap data keys of this database, or did. Says which backups need which.';
COMMENT ON COLUMN hftok_private.root_keys.id IS 'The number of the root key in the keyring.';
COMMENT ON COLUMN hftok_private.root_keys.fingerprint IS 'Recognises the root key without revealing it: a keyring may give another key the same number.';
COMMENT ON COLUMN hftok_private.root_keys.first_at IS 'When it first wrapped a data key.';
COMMENT ON COLUMN hftok_private.root_keys.last_at IS 'Since when it wraps none; NULL while it wraps one. A backup that is older needs it.';
SELECT pg_catalog.pg_extension_config_dump('hftok_private.root_keys', '');
