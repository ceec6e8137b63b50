-- The tables. Nobody but hftok_owner can name them. No row is created here: rows that a script inserts collide with
-- those of a dump. Ids are random for the same reason: a sequence starts anew after a restore.

CREATE SCHEMA hftok_private;
COMMENT ON SCHEMA hftok_private IS 'Tables and helpers of hftok. Nobody but hftok_owner has USAGE.';

CREATE TABLE hftok_private.data_keys (
    id int PRIMARY KEY CHECK (id > 0),
    purpose text NOT NULL CHECK (purpose IN ('values', 'audit', 'fingerprints', 'checkpoints')),
    org_id text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN ('active', 'retiring', 'destroyed')),
    root_key_id int NOT NULL CHECK (root_key_id > 0),
    first_root_key_id int NOT NULL CHECK (first_root_key_id > 0),
    root_fingerprint bytea NOT NULL,
    by_org boolean NOT NULL DEFAULT false,
    wrapped bytea,
    shut_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT data_keys_destroyed CHECK ((state = 'destroyed') = (wrapped IS NULL)),
    CONSTRAINT data_keys_of_orgs CHECK (purpose = 'values' OR org_id = ''),
    CONSTRAINT data_keys_by_orgs CHECK (org_id <> '' OR (NOT by_org AND shut_at IS NULL))
);
CREATE UNIQUE INDEX data_keys_one_active ON hftok_private.data_keys (purpose, org_id) WHERE state = 'active';
CREATE INDEX data_keys_roots ON hftok_private.data_keys (root_key_id, root_fingerprint) WHERE state <> 'destroyed';
CREATE INDEX data_keys_of_orgs ON hftok_private.data_keys (org_id) WHERE org_id <> '';
COMMENT ON TABLE hftok_private.data_keys IS 'The keys that seal values, each wrapped by a root key that is not in the database.';
COMMENT ON COLUMN hftok_private.data_keys.id IS 'Random, never used again; each sealed value names its key.';
COMMENT ON COLUMN hftok_private.data_keys.purpose IS 'The purpose of the key. A key never serves two.';
COMMENT ON COLUMN hftok_private.data_keys.org_id IS 'The organisation whose values it seals; empty for the key of the installation.';
COMMENT ON COLUMN hftok_private.data_keys.state IS 'active: seals and opens; retiring: only opens; destroyed: gone, the row keeps the id from being used again.';
COMMENT ON COLUMN hftok_private.data_keys.root_key_id IS 'The root key that wraps it.';
COMMENT ON COLUMN hftok_private.data_keys.first_root_key_id IS 'The root key that wrapped it first: an older backup may hold it so.';
COMMENT ON COLUMN hftok_private.data_keys.root_fingerprint IS 'Recognises the root key that wraps it without revealing it.';
COMMENT ON COLUMN hftok_private.data_keys.by_org IS 'Whether a key that the organisation holds wraps it too, within the wrap of the root key.';
COMMENT ON COLUMN hftok_private.data_keys.wrapped IS 'The key, sealed by the root key and bound to id, purpose, organisation and database.';
COMMENT ON COLUMN hftok_private.data_keys.shut_at IS 'Since when its organisation keeps it from being used.';
COMMENT ON COLUMN hftok_private.data_keys.created_at IS 'When it was made.';

-- A row more for each time that a copy was made a database of its own.
CREATE TABLE hftok_private.database_identity (
    generation int PRIMARY KEY CHECK (generation > 0),
    id uuid NOT NULL,
    database_oid bigint NOT NULL,
    installation text NOT NULL,
    database_name text NOT NULL,
    continues bigint NOT NULL,
    root bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE hftok_private.database_identity IS 'The database that the keys and the audit are for: made with the first key. The keys unwrap only while all of it is unchanged.';
COMMENT ON COLUMN hftok_private.database_identity.generation IS 'Counts from 1; only the newest counts, the others are those of the databases that it was copied from.';
COMMENT ON COLUMN hftok_private.database_identity.id IS 'Random.';
COMMENT ON COLUMN hftok_private.database_identity.database_oid IS 'The database, by its number on the server.';
COMMENT ON COLUMN hftok_private.database_identity.installation IS 'The name of the installation, from the keyring; empty for none.';
COMMENT ON COLUMN hftok_private.database_identity.database_name IS 'The database''s name at that time: shown, and never compared.';
COMMENT ON COLUMN hftok_private.database_identity.continues IS 'The number of events in the audit of the generation before; 0 for none.';
COMMENT ON COLUMN hftok_private.database_identity.root IS 'The root of their tree.';
COMMENT ON COLUMN hftok_private.database_identity.created_at IS 'When the row was made.';

-- First the columns of fixed width, then the others that the walk reads.
CREATE TABLE hftok_private.secrets (
    id uuid PRIMARY KEY,
    binding_key uuid NOT NULL UNIQUE,
    version int NOT NULL,
    oldest_version int NOT NULL DEFAULT 1,
    position int NOT NULL DEFAULT 0,
    refusals int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    sealed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    enabled boolean NOT NULL DEFAULT true,
    scope text NOT NULL,
    scope_id text NOT NULL DEFAULT '',
    provider text NOT NULL DEFAULT '',
    model text NOT NULL DEFAULT '',
    name text NOT NULL DEFAULT '',
    slot text NOT NULL DEFAULT '',
    kind text NOT NULL DEFAULT 'static',
    on_unusable text NOT NULL DEFAULT 'stop',
    sealed bytea NOT NULL,
    preview text NOT NULL,
    allowed_hosts text[],
    expires_at timestamptz,
    verdict text,
    rested_until timestamptz,
    fingerprint bytea NOT NULL,
    label text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    warnings text[] NOT NULL DEFAULT '{}',
    verdict_message text,
    last_verified_at timestamptz
);
-- Ciphertext does not compress.
ALTER TABLE hftok_private.secrets ALTER COLUMN sealed SET STORAGE EXTERNAL;
CREATE INDEX secrets_fingerprint ON hftok_private.secrets (fingerprint);
-- Most have no end.
CREATE INDEX secrets_ends ON hftok_private.secrets (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX secrets_owner ON hftok_private.secrets (scope, scope_id);
-- Most owners have one key for a use.
CREATE INDEX secrets_slots ON hftok_private.secrets (scope, scope_id, provider, model) WHERE slot <> '';
COMMENT ON TABLE hftok_private.secrets IS 'Every secret with its current version. The value is sealed before a row is made.';
COMMENT ON COLUMN hftok_private.secrets.id IS 'The same for all versions; bound.';
COMMENT ON COLUMN hftok_private.secrets.binding_key IS 'Hash of owner and use (not an identifier): one secret for each.';
COMMENT ON COLUMN hftok_private.secrets.scope IS 'The kind of owner; bound.';
COMMENT ON COLUMN hftok_private.secrets.scope_id IS 'The owner; bound. Empty when the scope has only one.';
COMMENT ON COLUMN hftok_private.secrets.provider IS 'The provider whose service the secret opens; bound. Empty for none.';
COMMENT ON COLUMN hftok_private.secrets.model IS 'The model it is reserved for; bound. Empty for none.';
COMMENT ON COLUMN hftok_private.secrets.name IS 'The name it is called by; bound. Empty for none.';
COMMENT ON COLUMN hftok_private.secrets.slot IS 'Which of several keys of one owner for one use it is; bound. Empty for the usual one.';
COMMENT ON COLUMN hftok_private.secrets.kind IS 'The way in which it comes to its value; bound. static: somebody stores it.';
COMMENT ON COLUMN hftok_private.secrets.position IS 'Its place among the keys of one owner for one use: the lowest that can be used is used; not bound.';
COMMENT ON COLUMN hftok_private.secrets.rested_until IS 'The end of the rest that a provider asked for; not bound.';
COMMENT ON COLUMN hftok_private.secrets.description IS 'Free text; not bound, not sealed.';
COMMENT ON COLUMN hftok_private.secrets.label IS 'The owner''s name for it; not bound.';
COMMENT ON COLUMN hftok_private.secrets.enabled IS 'Whether it may be used; not bound.';
COMMENT ON COLUMN hftok_private.secrets.on_unusable IS 'Whether the walk goes on when it is there and cannot be used; not bound.';
COMMENT ON COLUMN hftok_private.secrets.allowed_hosts IS 'The hosts the value may be sent to; bound. NULL for no restriction.';
COMMENT ON COLUMN hftok_private.secrets.expires_at IS 'When the value ends; bound.';
COMMENT ON COLUMN hftok_private.secrets.version IS 'Counts the values it has had, from 1; bound.';
COMMENT ON COLUMN hftok_private.secrets.oldest_version IS 'The first version that is kept; all from there on are.';
COMMENT ON COLUMN hftok_private.secrets.preview IS 'The mask of the value: always as wide, a prefix and four characters at most.';
COMMENT ON COLUMN hftok_private.secrets.warnings IS 'Doubts about the value, told when it was stored.';
COMMENT ON COLUMN hftok_private.secrets.verdict IS 'The provider''s verdict on the current version, when it has been asked.';
COMMENT ON COLUMN hftok_private.secrets.verdict_message IS 'Why, in the words of whoever reported it, in which credentials are masked.';
COMMENT ON COLUMN hftok_private.secrets.refusals IS 'Definite refusals in a row: a credential that was verified becomes invalid by the second.';
COMMENT ON COLUMN hftok_private.secrets.last_verified_at IS 'When the provider last accepted the current version.';
COMMENT ON COLUMN hftok_private.secrets.fingerprint IS 'Keyed: finds the secret by its value without opening any.';
COMMENT ON COLUMN hftok_private.secrets.sealed IS 'The value, as docs/sealed-format.md says. Opens only with everything that is marked as bound.';
COMMENT ON COLUMN hftok_private.secrets.created_at IS 'When the secret was first stored.';
COMMENT ON COLUMN hftok_private.secrets.updated_at IS 'When anything of it last changed.';
COMMENT ON COLUMN hftok_private.secrets.sealed_at IS 'When this version was stored.';

CREATE TABLE hftok_private.secret_versions (
    secret_id uuid NOT NULL REFERENCES hftok_private.secrets (id) ON DELETE CASCADE,
    version int NOT NULL CHECK (version > 0),
    scope text NOT NULL,
    scope_id text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    name text NOT NULL,
    slot text NOT NULL,
    kind text NOT NULL,
    allowed_hosts text[],
    expires_at timestamptz,
    preview text NOT NULL,
    fingerprint bytea NOT NULL,
    sealed bytea NOT NULL,
    sealed_at timestamptz NOT NULL,
    superseded_at timestamptz NOT NULL,
    superseded_mark bytea NOT NULL,
    PRIMARY KEY (secret_id, version)
);
ALTER TABLE hftok_private.secret_versions ALTER COLUMN sealed SET STORAGE EXTERNAL;
CREATE INDEX secret_versions_fingerprint ON hftok_private.secret_versions (fingerprint);
COMMENT ON TABLE hftok_private.secret_versions IS 'Previous versions, each with its own copy of everything it was bound to, so that it opens after a rename.';
COMMENT ON COLUMN hftok_private.secret_versions.secret_id IS 'The secret.';
COMMENT ON COLUMN hftok_private.secret_versions.version IS 'The number of this version.';
COMMENT ON COLUMN hftok_private.secret_versions.scope IS 'As the secret had it then.';
COMMENT ON COLUMN hftok_private.secret_versions.scope_id IS 'As the secret had it then.';
COMMENT ON COLUMN hftok_private.secret_versions.provider IS 'As the secret had it then.';
COMMENT ON COLUMN hftok_private.secret_versions.model IS 'As the secret had it then.';
COMMENT ON COLUMN hftok_private.secret_versions.name IS 'As the secret had it then.';
COMMENT ON COLUMN hftok_private.secret_versions.slot IS 'As the secret had it then.';
COMMENT ON COLUMN hftok_private.secret_versions.kind IS 'As the secret had it then.';
COMMENT ON COLUMN hftok_private.secret_versions.allowed_hosts IS 'As the secret had them then.';
COMMENT ON COLUMN hftok_private.secret_versions.expires_at IS 'As the secret had it then.';
COMMENT ON COLUMN hftok_private.secret_versions.preview IS 'The mask of this version''s value.';
COMMENT ON COLUMN hftok_private.secret_versions.fingerprint IS 'The fingerprint of this version''s value.';
COMMENT ON COLUMN hftok_private.secret_versions.sealed IS 'The value of this version, sealed.';
COMMENT ON COLUMN hftok_private.secret_versions.sealed_at IS 'When this version was stored.';
COMMENT ON COLUMN hftok_private.secret_versions.superseded_at IS 'When the next version was stored.';
COMMENT ON COLUMN hftok_private.secret_versions.superseded_mark IS 'Keyed, over secret, version and superseded_at: without it the version counts as one that was changed.';

SELECT pg_catalog.pg_extension_config_dump('hftok_private.data_keys', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.database_identity', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.secrets', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.secret_versions', '');
