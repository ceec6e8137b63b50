-- Owners of secrets besides the operator: organisations and their members, administrators of the application; and the providers
-- that an operator added.

CREATE TABLE hftok_private.members (
    org_id text NOT NULL CHECK (org_id <> ''),
    user_id text NOT NULL CHECK (user_id <> ''),
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (org_id, user_id)
);
CREATE INDEX members_user ON hftok_private.members (user_id);
COMMENT ON TABLE hftok_private.members IS 'Organisations and their members.';
COMMENT ON COLUMN hftok_private.members.org_id IS 'The organisation, as the application names it.';
COMMENT ON COLUMN hftok_private.members.user_id IS 'The user, as the JWT names them.';
COMMENT ON COLUMN hftok_private.members.role IS 'owner: also makes owners; admin: writes credentials and members; member: uses credentials and sees them masked.';
COMMENT ON COLUMN hftok_private.members.created_at IS 'Since when.';

CREATE TABLE hftok_private.administrators (
    user_id text PRIMARY KEY CHECK (user_id <> ''),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE hftok_private.administrators IS 'Users of the application who may set global credentials.';
COMMENT ON COLUMN hftok_private.administrators.user_id IS 'The user, as the JWT names them.';
COMMENT ON COLUMN hftok_private.administrators.created_at IS 'Since when.';

CREATE TABLE hftok_private.providers (
    id text PRIMARY KEY CHECK (id <> ''),
    definition text NOT NULL,
    signature bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE hftok_private.providers IS 'Providers that an operator added, or described otherwise than the built-in catalogue does.';
COMMENT ON COLUMN hftok_private.providers.id IS 'The name it is called by.';
COMMENT ON COLUMN hftok_private.providers.definition IS 'The operator''s description of it, beyond the built-in catalogue, as JSON.';
COMMENT ON COLUMN hftok_private.providers.signature IS 'Keyed, over id and definition: a row without it is not used.';
COMMENT ON COLUMN hftok_private.providers.created_at IS 'When it was added.';
COMMENT ON COLUMN hftok_private.providers.updated_at IS 'When it was last changed.';

SELECT pg_catalog.pg_extension_config_dump('hftok_private.members', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.administrators', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.providers', '');

-- The role that a thing was kept for, where it is kept by the name of a role (src/pg/who/direct.rs). Not dumped: the rows of a
-- dump are noted anew when they are restored, for the roles of these names in the new server.
CREATE TABLE hftok_private.direct_roles (
    name text PRIMARY KEY,
    role oid NOT NULL
);
COMMENT ON TABLE hftok_private.direct_roles IS 'Database roles that own something here as role:<name>, or belong to an organisation.';
COMMENT ON COLUMN hftok_private.direct_roles.name IS 'The name that the role had.';
COMMENT ON COLUMN hftok_private.direct_roles.role IS 'The role: one that is made of the name later is another.';
