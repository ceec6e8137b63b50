-- Conditions that must hold before anything is created: nobody else may own, or have prepared, anything that hftok is going to
-- trust. An owner of the schema could drop it with everything in it. A role that could become hftok_owner could read the
-- tables.

\echo Use "CREATE EXTENSION hftok" to load this file. \quit

-- Names without a schema mean Postgres' own, whatever lies in the schema that the extension goes to.
SET LOCAL search_path TO pg_catalog, pg_temp;

DO $preconditions$
DECLARE
    named record;
    members text;
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'hftok needs a database whose encoding is UTF8'
            USING ERRCODE = '0A000', HINT = 'Secrets are text, and are opened as the text that was sealed.';
    END IF;

    FOR named IN
        SELECT n.nspname, r.rolname
        FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
        WHERE n.nspname = 'hftok' AND NOT r.rolsuper
    LOOP
        RAISE EXCEPTION 'schema "%" exists and belongs to "%", who is no superuser', named.nspname, named.rolname
            USING ERRCODE = '42501',
                  HINT = 'Its owner could take the extension over. Drop it, or give it to a superuser.';
    END LOOP;

    -- Objects that lie in it already would look like ours, and a role that may create in it could put them there later.
    IF EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
        AND d.refobjid = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'hftok')
        AND d.classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass
    ) THEN
        RAISE EXCEPTION 'schema "hftok" exists and is not empty'
            USING ERRCODE = '42501', HINT = 'Move what is in it elsewhere, or drop it.';
    END IF;
    FOR named IN
        SELECT coalesce(r.rolname, 'PUBLIC') AS rolname
        FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
        LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
        WHERE n.nspname = 'hftok' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
    LOOP
        RAISE EXCEPTION '"%" may create in schema "hftok"', named.rolname
            USING ERRCODE = '42501', HINT = 'Revoke CREATE on the schema: what is put there would look like a part of hftok.';
    END LOOP;

    FOR named IN
        SELECT r.oid, r.rolname, r.rolcanlogin
                OR r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication AS attributes
        FROM pg_catalog.pg_roles r
        WHERE r.rolname IN ('hftok_owner', 'hftok_user', 'hftok_service', 'hftok_admin', 'hftok_auditor')
    LOOP
        IF named.attributes THEN
            RAISE EXCEPTION 'role "%" exists and has a login or attributes', named.rolname
                USING ERRCODE = '42501', HINT = 'Rename it, or alter it to NOLOGIN without attributes.';
        END IF;
        IF EXISTS (
            SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.member
            WHERE m.roleid = named.oid AND m.admin_option AND NOT r.rolsuper
        ) THEN
            RAISE EXCEPTION 'role "%" exists and can be granted by somebody who is no superuser', named.rolname
                USING ERRCODE = '42501', HINT = 'Revoke ADMIN OPTION on it: whoever grants it decides who reads secrets.';
        END IF;
        IF named.rolname = 'hftok_owner' AND EXISTS (
            SELECT FROM pg_catalog.pg_auth_members m WHERE named.oid IN (m.roleid, m.member)
        ) THEN
            RAISE EXCEPTION 'role "hftok_owner" exists and has members, or is a member of another role'
                USING ERRCODE = '42501', HINT = 'Revoke these memberships: whoever is hftok_owner reads every table.';
        END IF;
    END LOOP;

    -- Roles belong to the whole server: from here on their members have the rights of their groups in this database too.
    SELECT pg_catalog.string_agg(pg_catalog.format('%I of %I', m.rolname, g.rolname), ', ' ORDER BY g.rolname, m.rolname) INTO members
    FROM pg_catalog.pg_auth_members a
    JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
    WHERE g.rolname IN ('hftok_user', 'hftok_service', 'hftok_admin', 'hftok_auditor') AND NOT m.rolsuper;
    IF members IS NOT NULL THEN
        RAISE WARNING 'roles of this server are members of hftok''s groups already: %', members
            USING HINT = 'They have the rights of their groups in this database from now on. Revoke what they are not to have.';
    END IF;
END
$preconditions$;
-- One owner and four group roles, none of which can log in. Roles belong to the whole cluster: another database may
-- have made them already.

DO $roles$
DECLARE
    named record;
BEGIN
    FOR named IN
        SELECT wanted.role, wanted.comment
        FROM (VALUES
            ('hftok_owner', 'owns the objects of hftok, and nothing else; nobody is a member'),
            ('hftok_user', 'an end user: saves, lists and deletes their own secrets'),
            ('hftok_service', 'the trusted backend: reads secrets'),
            ('hftok_admin', 'the operator: named secrets, keys, seal'),
            ('hftok_auditor', 'the DBA who audits: metadata and verification; reads no value, but may ask whether one is stored')
        ) AS wanted (role, comment)
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = wanted.role)
    LOOP
        EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN NOINHERIT', named.role);
        EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', named.role, named.comment);
    END LOOP;
END
$roles$;

COMMENT ON SCHEMA hftok IS 'The functions and views that users of hftok call, and nothing else.';
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
-- Integrations: an application's connections to providers, each with credentials of its own. And the keys that clients
-- see as a table.

CREATE TABLE hftok_private.integrations (
    id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    user_id text NOT NULL CHECK (user_id <> ''),
    name text NOT NULL,
    type text NOT NULL,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'verifying', 'connected', 'error', 'disabled')),
    enabled boolean NOT NULL DEFAULT true,
    config jsonb NOT NULL DEFAULT '{}',
    secret_id uuid NOT NULL UNIQUE REFERENCES hftok_private.secrets (id) ON DELETE CASCADE,
    last_used_at timestamptz,
    error_message text,
    credentials_migrated boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE INDEX integrations_user ON hftok_private.integrations (user_id);
COMMENT ON TABLE hftok_private.integrations IS 'Connections to providers that users brought, without their credentials.';
COMMENT ON COLUMN hftok_private.integrations.id IS 'Random.';
COMMENT ON COLUMN hftok_private.integrations.user_id IS 'The user who owns it.';
COMMENT ON COLUMN hftok_private.integrations.name IS 'The owner''s name for it.';
COMMENT ON COLUMN hftok_private.integrations.type IS 'The provider.';
COMMENT ON COLUMN hftok_private.integrations.status IS 'The state that the backend reported last.';
COMMENT ON COLUMN hftok_private.integrations.enabled IS 'Whether its owner wants it used.';
COMMENT ON COLUMN hftok_private.integrations.config IS 'Settings that the application keeps with it; not sealed.';
COMMENT ON COLUMN hftok_private.integrations.secret_id IS 'Its credentials.';
COMMENT ON COLUMN hftok_private.integrations.last_used_at IS 'When the backend last reported a use.';
COMMENT ON COLUMN hftok_private.integrations.error_message IS 'Why the status is error, in the backend''s words, in which credentials are masked.';
COMMENT ON COLUMN hftok_private.integrations.credentials_migrated IS 'Its credentials came from elsewhere.';
COMMENT ON COLUMN hftok_private.integrations.created_at IS 'When it was made.';
COMMENT ON COLUMN hftok_private.integrations.updated_at IS 'When it was last changed.';

CREATE TABLE hftok_private.integration_shares (
    integration_id uuid NOT NULL REFERENCES hftok_private.integrations (id) ON DELETE CASCADE,
    org_id text NOT NULL CHECK (org_id <> ''),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (integration_id, org_id)
);
CREATE INDEX integration_shares_org ON hftok_private.integration_shares (org_id);
COMMENT ON TABLE hftok_private.integration_shares IS 'Organisations that an integration is shared with.';
COMMENT ON COLUMN hftok_private.integration_shares.integration_id IS 'The integration.';
COMMENT ON COLUMN hftok_private.integration_shares.org_id IS 'The organisation whose members may use it.';
COMMENT ON COLUMN hftok_private.integration_shares.created_at IS 'Since when.';

CREATE TABLE hftok_private.usage_daily (
    day date NOT NULL,
    secret_id uuid NOT NULL,
    currency text NOT NULL,
    provider text NOT NULL,
    scope text NOT NULL,
    scope_id text NOT NULL,
    requests bigint NOT NULL DEFAULT 0,
    units bigint NOT NULL DEFAULT 0,
    cost numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (day, secret_id, currency)
);
CREATE INDEX usage_daily_owner ON hftok_private.usage_daily (scope_id, scope);
COMMENT ON TABLE hftok_private.usage_daily IS 'Uses of each credential, as the backend reports them. No foreign key: usage outlives its credential.';
COMMENT ON COLUMN hftok_private.usage_daily.day IS 'In UTC.';
COMMENT ON COLUMN hftok_private.usage_daily.secret_id IS 'The credential.';
COMMENT ON COLUMN hftok_private.usage_daily.currency IS 'The currency of the cost.';
COMMENT ON COLUMN hftok_private.usage_daily.provider IS 'As the credential had it.';
COMMENT ON COLUMN hftok_private.usage_daily.scope IS 'As the credential had it.';
COMMENT ON COLUMN hftok_private.usage_daily.scope_id IS 'As the credential had it.';
COMMENT ON COLUMN hftok_private.usage_daily.requests IS 'Requests.';
COMMENT ON COLUMN hftok_private.usage_daily.units IS 'Tokens, seconds, or whatever the provider counts.';
COMMENT ON COLUMN hftok_private.usage_daily.cost IS 'The cost of these requests.';

-- Derived from secrets by a trigger, and so not dumped: restoring the secrets fills it again. A table of its own because
-- clients upsert into it by (user_id, service), and that needs a unique index that their statement can name.
CREATE TABLE hftok_private.user_api_keys (
    id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    user_id text NOT NULL CHECK (user_id <> ''),
    service text NOT NULL CHECK (service <> ''),
    -- Only a mask ever lies here, also when triggers are off.
    api_key text NOT NULL CHECK (strpos(api_key, '•') > 0),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (user_id, service)
);
COMMENT ON TABLE hftok_private.user_api_keys IS 'The keys of users as clients see them: masked.';
COMMENT ON COLUMN hftok_private.user_api_keys.id IS 'The secret''s id.';
COMMENT ON COLUMN hftok_private.user_api_keys.user_id IS 'The user who owns the key.';
COMMENT ON COLUMN hftok_private.user_api_keys.service IS 'The provider.';
COMMENT ON COLUMN hftok_private.user_api_keys.api_key IS 'The preview. A key written here is sealed before there is a row.';
COMMENT ON COLUMN hftok_private.user_api_keys.created_at IS 'When the secret was first stored.';
COMMENT ON COLUMN hftok_private.user_api_keys.updated_at IS 'When it was last changed.';

SELECT pg_catalog.pg_extension_config_dump('hftok_private.integrations', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.integration_shares', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.usage_daily', '');
-- The audit: what was done. Changes and the audit's own events are rows, reveals and refusals lie many in a row; all are leaves of one
-- tree, whose root is signed. Plain tables, because partitions of an extension's table do not survive a dump.

CREATE TABLE hftok_private.audit (
    id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    count bigint NOT NULL,
    protected boolean NOT NULL,
    object_id uuid,
    version int,
    digest bytea,
    owner_scope text,
    owner_id text,
    provider text,
    level text,
    subject text,
    role_name text,
    outer_role text,
    login_role text,
    actor_user text,
    client_addr text,
    application_name text,
    request_id text,
    chain_hash bytea NOT NULL
);
-- Times follow the numbers nearly, so this costs next to nothing; and verify() looks for the newest change of each object.
CREATE INDEX audit_at ON hftok_private.audit USING brin (at);
CREATE INDEX audit_changes ON hftok_private.audit (object_id, id) WHERE kind = 'change';
-- Users look for events that they caused or that are about what is theirs.
CREATE INDEX audit_actor ON hftok_private.audit (actor_user) WHERE actor_user IS NOT NULL;
CREATE INDEX audit_owner ON hftok_private.audit (owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX audit_subject ON hftok_private.audit (subject) WHERE subject IS NOT NULL;
COMMENT ON TABLE hftok_private.audit IS 'Events that have a row each. Written by hftok''s writer only; a row that anybody else changes no longer fits.';
COMMENT ON COLUMN hftok_private.audit.id IS 'Counts from 1 without a gap, together with those in audit_bundles.';
COMMENT ON COLUMN hftok_private.audit.at IS 'When it was done.';
COMMENT ON COLUMN hftok_private.audit.kind IS 'reveal, change, refusal, key or audit.';
COMMENT ON COLUMN hftok_private.audit.action IS 'The function, view or operation.';
COMMENT ON COLUMN hftok_private.audit.outcome IS 'used; committed, rolled_back, prepared or unprotected; why it was refused; found or not_found of a comparison; done.';
COMMENT ON COLUMN hftok_private.audit.count IS 'The number of events that this one stands for.';
COMMENT ON COLUMN hftok_private.audit.protected IS 'False: it lay in audit_pending without a protection that fits, so whoever can write there may have made it up.';
COMMENT ON COLUMN hftok_private.audit.object_id IS 'The secret, or another object with an id. NULL where the event stands for several.';
COMMENT ON COLUMN hftok_private.audit.version IS 'Its version.';
COMMENT ON COLUMN hftok_private.audit.digest IS 'For a change, the state it left a secret in: NULL when the secret was deleted. For several secrets, SHA-256 over their ids in order.';
COMMENT ON COLUMN hftok_private.audit.owner_scope IS 'The kind of owner.';
COMMENT ON COLUMN hftok_private.audit.owner_id IS 'The owner.';
COMMENT ON COLUMN hftok_private.audit.provider IS 'The provider whose service the secret opens.';
COMMENT ON COLUMN hftok_private.audit.level IS 'The level of the walk; the role that a member got; the purpose of a key.';
COMMENT ON COLUMN hftok_private.audit.subject IS 'The user that a membership is about.';
COMMENT ON COLUMN hftok_private.audit.role_name IS 'The role whose privilege to make the call was used; oid <n> where PostgreSQL refused one whose name was not known.';
COMMENT ON COLUMN hftok_private.audit.outer_role IS 'The role that began the statement.';
COMMENT ON COLUMN hftok_private.audit.login_role IS 'The role that logged in.';
COMMENT ON COLUMN hftok_private.audit.actor_user IS 'The user of the application: the JWT''s, or the one that the backend named.';
COMMENT ON COLUMN hftok_private.audit.client_addr IS 'The address of the client; NULL on a Unix socket.';
COMMENT ON COLUMN hftok_private.audit.application_name IS 'The name that the client gives itself.';
COMMENT ON COLUMN hftok_private.audit.request_id IS 'The X-Request-Id of the HTTP request.';
COMMENT ON COLUMN hftok_private.audit.chain_hash IS 'Its leaf in the tree: a hash over this row (docs/audit-format.md).';

-- No key and no sequence: a row lives until the writer has chained it, and both would collide on restore.
CREATE TABLE hftok_private.audit_pending (
    at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    event bytea NOT NULL,
    protection bytea
);
-- A publication of all tables must not stop the writer from deleting.
ALTER TABLE hftok_private.audit_pending REPLICA IDENTITY FULL;
CREATE INDEX audit_pending_at ON hftok_private.audit_pending (at);
COMMENT ON TABLE hftok_private.audit_pending IS 'Events that are to be chained: changes, in the transaction that made them, and whatever happened while hftok was sealed.';
COMMENT ON COLUMN hftok_private.audit_pending.at IS 'Their order.';
COMMENT ON COLUMN hftok_private.audit_pending.event IS 'The event, encoded.';
COMMENT ON COLUMN hftok_private.audit_pending.protection IS 'Keyed, over the event and the transaction that put it here; NULL where there was no key.';

-- A search reads the filters in the main table; bodies lie outside, as they are.
CREATE TABLE hftok_private.audit_bundles (
    last_id bigint PRIMARY KEY,
    count int NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    filter_key bytea NOT NULL,
    filter bytea NOT NULL,
    body bytea NOT NULL,
    body_hash bytea NOT NULL,
    mac bytea NOT NULL
);
ALTER TABLE hftok_private.audit_bundles ALTER COLUMN body SET STORAGE EXTERNAL, ALTER COLUMN filter SET STORAGE PLAIN;
CREATE INDEX audit_bundles_at ON hftok_private.audit_bundles USING brin (last_at);
COMMENT ON TABLE hftok_private.audit_bundles IS 'Events that lie many in a row: reveals and refusals. Written by hftok''s writer only.';
COMMENT ON COLUMN hftok_private.audit_bundles.last_id IS 'The number of its last event.';
COMMENT ON COLUMN hftok_private.audit_bundles.count IS 'The number of events; their numbers follow one another.';
COMMENT ON COLUMN hftok_private.audit_bundles.first_at IS 'The earliest time of an event.';
COMMENT ON COLUMN hftok_private.audit_bundles.last_at IS 'The latest time of an event.';
COMMENT ON COLUMN hftok_private.audit_bundles.filter_key IS 'The key of the filter, drawn for this bundle.';
COMMENT ON COLUMN hftok_private.audit_bundles.filter IS 'The people, objects, roles and kinds that may be in it (docs/audit-format.md).';
COMMENT ON COLUMN hftok_private.audit_bundles.body IS 'The events, as they are hashed.';
COMMENT ON COLUMN hftok_private.audit_bundles.body_hash IS 'SHA-256 of the body.';
COMMENT ON COLUMN hftok_private.audit_bundles.mac IS 'The id of the key that made it, then a keyed hash over the other columns.';

CREATE TABLE hftok_private.audit_nodes (
    height smallint,
    number bigint,
    hash bytea NOT NULL,
    PRIMARY KEY (height, number)
);
COMMENT ON TABLE hftok_private.audit_nodes IS 'Hashes of the tree over all events that outlive a purge: every eighth level.';
COMMENT ON COLUMN hftok_private.audit_nodes.height IS 'Levels below it: 8, 16 and so on. 0: the leaves of a tile that was purged.';
COMMENT ON COLUMN hftok_private.audit_nodes.number IS 'The number of its height that come before it; of leaves, of tiles.';
COMMENT ON COLUMN hftok_private.audit_nodes.hash IS 'The hash; of leaves, all 256 of a tile.';

-- The writer adds a row and changes none, so nobody who locks a row stops it.
CREATE TABLE hftok_private.audit_checkpoints (
    size bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    root bytea NOT NULL,
    key_id int NOT NULL,
    signature bytea NOT NULL
);
COMMENT ON TABLE hftok_private.audit_checkpoints IS 'Signed: the number of events, and the root of their tree. The newest counts.';
COMMENT ON COLUMN hftok_private.audit_checkpoints.size IS 'The number of events at that time.';
COMMENT ON COLUMN hftok_private.audit_checkpoints.at IS 'When it was signed.';
COMMENT ON COLUMN hftok_private.audit_checkpoints.root IS 'The root of their tree.';
COMMENT ON COLUMN hftok_private.audit_checkpoints.key_id IS 'The data key that signed it.';
COMMENT ON COLUMN hftok_private.audit_checkpoints.signature IS 'Ed25519, over the text that audit_head() gives.';

-- Without foreign key: a transaction that holds a secret's row must not stop the writer.
CREATE TABLE hftok_private.secret_usage (
    secret_id uuid PRIMARY KEY,
    use_count bigint NOT NULL DEFAULT 0,
    last_used_at timestamptz,
    expiry_told timestamptz
)
-- A row that is counted up finds room beside itself, and stays where the index says.
WITH (fillfactor = 70);
COMMENT ON TABLE hftok_private.secret_usage IS 'The number of times that each secret was handed out, counted by the audit''s writer.';
COMMENT ON COLUMN hftok_private.secret_usage.secret_id IS 'The secret.';
COMMENT ON COLUMN hftok_private.secret_usage.use_count IS 'The number of times.';
COMMENT ON COLUMN hftok_private.secret_usage.last_used_at IS 'When it was last handed out.';
COMMENT ON COLUMN hftok_private.secret_usage.expiry_told IS 'The end that a notification has told.';

SELECT pg_catalog.pg_extension_config_dump('hftok_private.audit', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.audit_pending', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.audit_bundles', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.audit_nodes', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.audit_checkpoints', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.secret_usage', '');
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
-- The rows and values that functions answer.

CREATE TYPE hftok.saved_credential AS (secret_id uuid, version int, preview text, warnings text[]);
COMMENT ON TYPE hftok.saved_credential IS 'The result of saving a credential.';
CREATE TYPE hftok.checked_credential AS (ok boolean, warnings text[]);
COMMENT ON TYPE hftok.checked_credential IS 'The result of checking a credential.';
CREATE TYPE hftok.resolved_token AS (token text, source text, secret_id uuid, version int, expires_at timestamptz);
COMMENT ON TYPE hftok.resolved_token IS 'The credential to use and where it comes from.';

CREATE TYPE hftok.verified_audit AS (checked bigint, unprotected bigint, ok boolean, first_bad bigint, reason text);
COMMENT ON TYPE hftok.verified_audit IS 'The result of verifying the audit: how many events fit, how many of them lay in a table unprotected before they were chained, and the first that does not fit.';

CREATE TYPE hftok_import.imported_source AS (
    source text, relation text, is_key text, held text, empty text, is_bytea boolean, is_filtered boolean, estimate bigint
);
COMMENT ON TYPE hftok_import.imported_source IS 'A column that is moved in: its name in the report, and how SQL addresses it.';

CREATE TYPE hftok_import.imported_row AS (is_there boolean, held text, value text, provider text, owner text, model text);
COMMENT ON TYPE hftok_import.imported_row IS 'A row that is moved in: what its column holds, what that opens to, and what it is for.';

CREATE TYPE hftok_private.import_finding AS (
    provider text, skipped int, outcome text, reason text, is_remembered boolean, is_forgotten boolean
);
COMMENT ON TYPE hftok_private.import_finding IS
    'A row by itself. skipped: so many characters in front are no part of its value. outcome: blank, rejected, or NULL when its value is usable, and then the reason is what is to be said of it all the same.';

CREATE TYPE hftok_private.import_verdict AS (
    outcome text, reason text, replaces int, is_forgotten boolean, is_found boolean, is_again boolean, compared int
);
COMMENT ON TYPE hftok_private.import_verdict IS
    'What is to be done with a row. replaces: the version that its value is saved in place of, 0 for none. compared: the version that the audit names, if is_found is not NULL.';

CREATE TYPE hftok.imported_vault AS (imported int, unchanged int, skipped int, rejected int);
COMMENT ON TYPE hftok.imported_vault IS 'The result of moving a Supabase Vault in: how many of its secrets were imported, unchanged, skipped and rejected.';

CREATE TYPE hftok.keyring AS (primary_key_id int, key_ids int[]);
COMMENT ON TYPE hftok.keyring IS 'The keyring that unseal() found: ids, never keys.';

CREATE TYPE hftok.server_status AS (
    version text,
    sealed boolean,
    reason text,
    primary_root_key_id int,
    root_key_ids int[],
    removable_root_key_ids int[],
    active_data_key_id int,
    secrets bigint,
    secrets_on_old_keys bigint,
    gateways text[],
    audit_mode text,
    audit_writer text,
    audit_waiting bigint,
    audit_lag interval,
    audit_trouble text,
    installation text
);
COMMENT ON TYPE hftok.server_status IS 'The state of the server, as status() shows it.';

-- The columns of audit_events, before anybody's view of them.
CREATE TYPE hftok_private.audit_event AS (
    id bigint, at timestamptz, role_name text, outer_role text, login_role text, actor_user text, kind text, action text,
    object_id uuid, version int, owner_scope text, owner_id text, provider text, level text, subject text, outcome text,
    count bigint, protected boolean, client_addr text, application_name text, request_id text, digest text, chain_hash text
);
COMMENT ON TYPE hftok_private.audit_event IS 'An event of the audit, out of a row or out of a bundle.';
-- Schemas begin with what default privileges of the installing superuser grant: nothing of that stays.

DO $schemas$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT DISTINCT n.nspname, r.rolname
        FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
        JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
        WHERE n.nspname IN ('hftok', 'hftok_import', 'hftok_private') AND a.grantee <> n.nspowner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA %I FROM %I', granted.nspname, granted.rolname);
    END LOOP;
END
$schemas$;
REVOKE ALL ON SCHEMA hftok, hftok_import, hftok_private FROM PUBLIC;
-- Notes which role it was that something is kept for by the name of a role, also when rows are restored or replicated.

CREATE OR REPLACE FUNCTION hftok_private.note_role() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO hftok_private.direct_roles (name, role)
    SELECT r.rolname, r.oid FROM pg_roles r
    WHERE r.rolname = substr(CASE WHEN TG_TABLE_NAME = 'secrets' THEN to_jsonb(NEW) ->> 'scope_id' ELSE to_jsonb(NEW) ->> 'user_id' END, 6)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION hftok_private.note_role IS 'Notes which role it is that something is kept for.';
CREATE OR REPLACE TRIGGER note_role AFTER INSERT OR UPDATE OF scope_id ON hftok_private.secrets
    FOR EACH ROW WHEN (pg_catalog.starts_with(NEW.scope_id, 'role:')) EXECUTE FUNCTION hftok_private.note_role();
CREATE OR REPLACE TRIGGER note_role AFTER INSERT OR UPDATE OF user_id ON hftok_private.members
    FOR EACH ROW WHEN (pg_catalog.starts_with(NEW.user_id, 'role:')) EXECUTE FUNCTION hftok_private.note_role();
CREATE OR REPLACE TRIGGER note_role AFTER INSERT OR UPDATE OF user_id ON hftok_private.administrators
    FOR EACH ROW WHEN (pg_catalog.starts_with(NEW.user_id, 'role:')) EXECUTE FUNCTION hftok_private.note_role();
ALTER TABLE hftok_private.secrets ENABLE ALWAYS TRIGGER note_role;
ALTER TABLE hftok_private.members ENABLE ALWAYS TRIGGER note_role;
ALTER TABLE hftok_private.administrators ENABLE ALWAYS TRIGGER note_role;
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
-- The second wall. It holds for hftok_owner too (FORCE), so that a policy that a DBA adds reaches every view and function.
-- A role that comes past the views to a table sees none of its rows: but for user_api_keys, nobody else has a policy.
--
-- The first wall is in the views. Each has two branches:
-- - Roles that see everything read the table, through a view of hftok_private that has no rows for others.
-- - End users read a function (src/api/visible.rs), which finds their rows by an index. A policy, or any condition, would let
--   Postgres try the reader's own conditions on everybody's rows first, and plan with what it knows of these.
-- sees_all() chooses the branch twice. planned_for() is IMMUTABLE, so that Postgres asks it while it plans and drops the other
-- branch, with its estimates; it makes such a plan anew for another role, because there are tables with row security in it.
-- caller_is_in() is asked when the plan runs, because memberships end. A view of one table needs a barrier for that: 15 only sees that
-- nothing can come of a table when no condition of the reader's stands beside that one.

-- COST: dear, so that Postgres never evaluates it for each row of everybody's, but takes the index that it can be looked up in.
CREATE OR REPLACE FUNCTION hftok_private.caller_id() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER COST 100000 AS 'MODULE_PATHNAME', 'hftok_caller_id';
COMMENT ON FUNCTION hftok_private.caller_id IS 'The caller''s identity; NULL for none. Never fails.';
-- COST: next to nothing, so that Postgres asks it before any condition of the reader's that stands beside it.
CREATE OR REPLACE FUNCTION hftok_private.is_caller(p_user_id text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER COST 0.0001 AS 'MODULE_PATHNAME', 'hftok_is_caller';
COMMENT ON FUNCTION hftok_private.is_caller IS 'Whether this identity is the caller''s. Never fails.';
CREATE OR REPLACE FUNCTION hftok_private.caller_is_in(p_groups text[]) RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_caller_is_in';
COMMENT ON FUNCTION hftok_private.caller_is_in IS 'Whether the caller is a member of one of these roles. Never fails.';
CREATE OR REPLACE FUNCTION hftok_private.caller_is_administrator() RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_caller_is_administrator';
COMMENT ON FUNCTION hftok_private.caller_is_administrator IS 'Whether the caller is an administrator of the application. Never fails.';
CREATE OR REPLACE FUNCTION hftok_private.planned_for(p_groups text[]) RETURNS boolean
    LANGUAGE c IMMUTABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_caller_is_in';
COMMENT ON FUNCTION hftok_private.planned_for IS
    'Whether a statement is planned for a member of one of these roles. Decides which branch of a view is planned, never what is seen.';
CREATE OR REPLACE FUNCTION hftok_private.planned_for_administrator() RETURNS boolean
    LANGUAGE c IMMUTABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_caller_is_administrator';
COMMENT ON FUNCTION hftok_private.planned_for_administrator IS
    'Whether a statement is planned for an administrator of the application. Decides which branch of a view is planned, never what is seen.';

-- Written so that it is inlined: only then is it asked while Postgres plans.
CREATE OR REPLACE FUNCTION hftok_private.sees_all(p_groups text[], p_administrators boolean) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    RETURN (hftok_private.planned_for(p_groups) OR p_administrators AND hftok_private.planned_for_administrator())
        AND (hftok_private.caller_is_in(p_groups) OR p_administrators AND hftok_private.caller_is_administrator());
COMMENT ON FUNCTION hftok_private.sees_all IS
    'Whether the caller sees every row: as a member of one of these roles or, if they may, as an administrator of the application.';

DO $row_security$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT c.relname FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'hftok_private'::pg_catalog.regnamespace AND c.relkind = 'r'
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE hftok_private.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format('ALTER TABLE hftok_private.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format('DROP POLICY IF EXISTS hftok ON hftok_private.%I', name);
        EXECUTE pg_catalog.format('CREATE POLICY hftok ON hftok_private.%I TO hftok_owner USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$row_security$;

-- Clients upsert into it, which Postgres allows for a view of this table itself only. So its own policy must give nothing away:
-- one plain comparison that the primary key answers, and before it one that no condition of the reader's goes before, for a reader
-- who keeps Postgres from using the index. No statistics, or estimates would tell who has which key.
DROP POLICY IF EXISTS own ON hftok_private.user_api_keys;
CREATE POLICY own ON hftok_private.user_api_keys USING (
    hftok_private.planned_for('{hftok_service}') AND (SELECT hftok_private.caller_is_in('{hftok_service}'))
    OR hftok_private.is_caller(user_id) AND user_id = hftok_private.caller_id()
);
DO $statistics$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT a.attname FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = 'hftok_private.user_api_keys'::pg_catalog.regclass AND a.attnum > 0
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE hftok_private.user_api_keys ALTER COLUMN %I SET STATISTICS 0', name);
    END LOOP;
END
$statistics$;
-- Functions that views and SQL functions call. Nobody else can name them.

CREATE OR REPLACE FUNCTION hftok_private.open_vault_row(
    p_schema text, p_id uuid, p_version int, p_scope_id text, p_provider text, p_model text, p_name text,
    p_slot text, p_kind text, p_allowed_hosts text[], p_expires_at timestamptz, p_sealed bytea
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_open_vault_row';
COMMENT ON FUNCTION hftok_private.open_vault_row IS
    'Opens a row of the view decrypted_secrets in that schema, for whoever may read its column. Not a definer: it must know who reads.';

CREATE OR REPLACE FUNCTION hftok_private.fingerprints(p_value text) RETURNS bytea[]
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_fingerprints';
COMMENT ON FUNCTION hftok_private.fingerprints IS
    'The fingerprints of a value under every key for fingerprints; so many a minute for each login (hftok.max_guesses_per_minute).';

CREATE OR REPLACE FUNCTION hftok_private.record_comparison(
    p_action text, p_outcome text, p_secret_id uuid, p_version int DEFAULT NULL, p_scope text DEFAULT NULL,
    p_scope_id text DEFAULT NULL, p_provider text DEFAULT NULL, p_is_again boolean DEFAULT false
) RETURNS void
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_record_comparison';
COMMENT ON FUNCTION hftok_private.record_comparison IS
    'Records that somebody learns whether a secret has the value that they bring: found or not_found. p_is_again: an import found what it had brought, and may share an event with many such.';

CREATE OR REPLACE FUNCTION hftok_private.value_fault(
    p_id uuid, p_version int, p_scope text, p_scope_id text, p_provider text, p_model text, p_name text,
    p_slot text, p_kind text, p_allowed_hosts text[], p_expires_at timestamptz, p_sealed bytea, p_preview text, p_fingerprint bytea,
    p_binding_key uuid
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_value_fault';
COMMENT ON FUNCTION hftok_private.value_fault IS 'What is wrong with a sealed value, or NULL.';

CREATE OR REPLACE FUNCTION hftok_private.superseded_fault(
    p_secret_id uuid, p_version int, p_superseded_at timestamptz, p_mark bytea
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_superseded_fault';
COMMENT ON FUNCTION hftok_private.superseded_fault IS 'What is wrong with when a version was replaced, or NULL.';

-- One condition, and without lists of words in it: Postgres reads the text of each anew for every statement that writes.
CREATE OR REPLACE FUNCTION hftok_private.is_secret(
    p_scope text, p_slot text, p_kind text, p_on_unusable text, p_verdict text, p_version int
) RETURNS boolean
    LANGUAGE c IMMUTABLE PARALLEL SAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_is_secret';
COMMENT ON FUNCTION hftok_private.is_secret IS 'Whether a row of secrets says only what hftok writes: kinds of owners and of values, verdicts, versions.';

CREATE OR REPLACE FUNCTION hftok_private.data_key_fault(
    p_id int, p_purpose text, p_org_id text, p_root_key_id int, p_root_fingerprint bytea, p_wrapped bytea
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_data_key_fault';
COMMENT ON FUNCTION hftok_private.data_key_fault IS 'What is wrong with a wrapped data key, or NULL.';

CREATE OR REPLACE FUNCTION hftok_private.keyring_state() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_keyring_state';
COMMENT ON FUNCTION hftok_private.keyring_state IS 'The state of the keyring as JSON, without a key.';

CREATE OR REPLACE FUNCTION hftok_private.read_keyring(p_replace boolean) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_read_keyring';
COMMENT ON FUNCTION hftok_private.read_keyring IS 'Has the keyring read again, and waits for it.';

-- The id of the key is the second to fifth byte of a sealed value; total, because a damaged row may be shorter. Not STRICT:
-- that would keep it from being inlined.
CREATE OR REPLACE FUNCTION hftok_private.data_key_id(p_sealed bytea) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SECURITY INVOKER
    RETURN CASE WHEN pg_catalog.octet_length(p_sealed) >= 5 THEN
        (pg_catalog.get_byte(p_sealed, 1)::bigint << 24) + (pg_catalog.get_byte(p_sealed, 2) << 16)
        + (pg_catalog.get_byte(p_sealed, 3) << 8) + pg_catalog.get_byte(p_sealed, 4)
    END;
COMMENT ON FUNCTION hftok_private.data_key_id IS 'The data key that sealed a value.';

-- Key pages may still hold what its table no longer has, so those are given that the table has. Written so that it is inlined.
CREATE OR REPLACE FUNCTION hftok_private.missing_key(p_sealing bigint, p_marking bigint, p_present bigint[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SECURITY INVOKER
    RETURN CASE
        WHEN p_sealing > 0 AND p_sealing <> ALL (p_present) THEN 'its data key ' || p_sealing::text || ' is missing'
        WHEN p_marking > 0 AND p_marking <> ALL (p_present) THEN 'its data key ' || p_marking::text || ' is missing'
    END;
COMMENT ON FUNCTION hftok_private.missing_key IS 'Says that a key is missing that a sealed value or its fingerprint was made with, or NULL.';

-- Writers for one owner come one after the other, whichever rows they lock first. A bulk does not hold all of its owners, so rows
-- have an order of their own: the secret, if there is one, then its mask or integration.
CREATE OR REPLACE FUNCTION hftok_private.lock_owner(p_scope text, p_id text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_lock_owner';
COMMENT ON FUNCTION hftok_private.lock_owner IS 'Waits until nobody else writes for this user or organisation, until the transaction ends.';

CREATE OR REPLACE FUNCTION hftok_private.record_change(
    p_action text, p_object uuid DEFAULT NULL, p_version int DEFAULT NULL, p_digest bytea DEFAULT NULL, p_scope text DEFAULT NULL,
    p_owner text DEFAULT NULL, p_provider text DEFAULT NULL, p_level text DEFAULT NULL, p_subject text DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_record_change';
COMMENT ON FUNCTION hftok_private.record_change IS 'Has the audit tell of a change that is made in SQL, if it is committed.';

CREATE OR REPLACE FUNCTION hftok_private.record_refusal(p_action text, p_outcome text, p_object uuid) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_record_refusal';
COMMENT ON FUNCTION hftok_private.record_refusal IS 'Has the audit tell that a function in SQL refuses.';

-- A hash over everything that decides what becomes of a secret, but for its value, which is bound to the version. The chain,
-- which has the hash, keys it.
CREATE OR REPLACE FUNCTION hftok_private.state_of(p_secret hftok_private.secrets) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER
    RETURN pg_catalog.sha256(
        pg_catalog.uuid_send(p_secret.binding_key) || pg_catalog.int4send(p_secret.version)
        || pg_catalog.int4send(p_secret.oldest_version)
        || pg_catalog.int4send(p_secret.position)
        || pg_catalog.boolsend(p_secret.enabled)
        || coalesce(pg_catalog.timestamptz_send(p_secret.expires_at), '\x')
        || pg_catalog.convert_to(pg_catalog.jsonb_build_array(p_secret.on_unusable, p_secret.allowed_hosts,
            p_secret.verdict, p_secret.label, p_secret.description)::text, 'UTF8')
    );
COMMENT ON FUNCTION hftok_private.state_of IS 'A hash over everything of a secret that the audit vouches for.';

CREATE OR REPLACE FUNCTION hftok_private.state_of_integration(p_integration hftok_private.integrations) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER
    RETURN pg_catalog.sha256(
        pg_catalog.uuid_send(p_integration.id) || pg_catalog.uuid_send(p_integration.secret_id)
        || pg_catalog.boolsend(p_integration.enabled)
        || pg_catalog.convert_to(pg_catalog.jsonb_build_array(p_integration.user_id, p_integration.name,
            p_integration.type, p_integration.status, p_integration.config)::text, 'UTF8')
    );
COMMENT ON FUNCTION hftok_private.state_of_integration IS 'A hash over everything of an integration that the audit vouches for.';
-- Needs a function of again/private.sql.

ALTER TABLE hftok_private.secrets
    ADD CONSTRAINT secrets_words CHECK (hftok_private.is_secret(scope, slot, kind, on_unusable, verdict, version));
-- Named secrets of the operator. EXECUTE, and SELECT on the view, is the permission: grant it to any role.

CREATE OR REPLACE FUNCTION hftok.create_secret(
    new_secret text, new_name text DEFAULT NULL, new_description text DEFAULT '', new_key_id uuid DEFAULT NULL
) RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_create_secret';
COMMENT ON FUNCTION hftok.create_secret IS
    'Stores a secret and returns its id. The name must be free (23505). new_key_id is there for Supabase Vault''s callers and ignored, as there.';

CREATE OR REPLACE FUNCTION hftok.update_secret(
    secret_id uuid, new_secret text DEFAULT NULL, new_name text DEFAULT NULL, new_description text DEFAULT NULL,
    new_key_id uuid DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_update_secret';
COMMENT ON FUNCTION hftok.update_secret IS
    'Changes what is given and keeps what is NULL; an empty name takes the name away. An unknown id is an error (PT404).';

-- For install_vault_schema(), whose functions run as their callers.
CREATE OR REPLACE FUNCTION hftok_private.vault_create_secret(new_secret text, new_name text, new_description text, new_key_id uuid)
    RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_vault_create_secret';
COMMENT ON FUNCTION hftok_private.vault_create_secret IS 'create_secret() for whoever was granted vault.create_secret().';
CREATE OR REPLACE FUNCTION hftok_private.vault_update_secret(
    secret_id uuid, new_secret text, new_name text, new_description text, new_key_id uuid
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_vault_update_secret';
COMMENT ON FUNCTION hftok_private.vault_update_secret IS 'update_secret() for whoever was granted vault.update_secret().';

CREATE OR REPLACE FUNCTION hftok.put_secret(
    p_name text, p_secret text, p_description text DEFAULT NULL, p_expected_version int DEFAULT NULL
) RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_put_secret';
COMMENT ON FUNCTION hftok.put_secret IS
    'Stores a secret under a name, or replaces the one of that name. With p_expected_version only if that is the current one (PT409); 0 means it must not exist.';

CREATE OR REPLACE FUNCTION hftok.get_secret(
    p_name text, p_version int DEFAULT NULL, p_recipient text DEFAULT NULL
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_get_secret';
COMMENT ON FUNCTION hftok.get_secret IS 'The value of a named secret, now or in a previous version. p_recipient is reserved.';

CREATE OR REPLACE FUNCTION hftok.delete_secret(p_secret_id uuid) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_delete_secret';
COMMENT ON FUNCTION hftok.delete_secret IS 'Deletes a named secret and its history; false when there is none of this id.';

CREATE OR REPLACE FUNCTION hftok.restore_secret(p_secret_id uuid, p_version int) RETURNS int
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_restore_secret';
COMMENT ON FUNCTION hftok.restore_secret IS 'Makes a previous version the next one, and returns its new number.';

CREATE OR REPLACE FUNCTION hftok_private.secret_history_as_owner(p_secret_id uuid)
    RETURNS TABLE (version int, is_current boolean, name text, preview text, created_at timestamptz, superseded_at timestamptz)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    IF p_secret_id IS NULL THEN
        RAISE EXCEPTION 'p_secret_id must not be null' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
        SELECT s.version, true, nullif(s.name, ''), s.preview, s.sealed_at, NULL::timestamptz
        FROM hftok_private.secrets s WHERE s.id = p_secret_id AND s.scope = 'vault';
    IF NOT FOUND THEN
        PERFORM hftok_private.record_refusal('secret_history', 'not_found', p_secret_id);
        RAISE EXCEPTION 'Not Found' USING ERRCODE = 'PT404', DETAIL = format('There is no secret %s.', p_secret_id);
    END IF;
    RETURN QUERY
        SELECT v.version, false, nullif(v.name, ''), v.preview, v.sealed_at, v.superseded_at
        FROM hftok_private.secret_versions v WHERE v.secret_id = p_secret_id
        ORDER BY v.version DESC;
END
$$;
COMMENT ON FUNCTION hftok_private.secret_history_as_owner IS 'The work of secret_history(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.secret_history(p_secret_id uuid)
    RETURNS TABLE (version int, is_current boolean, name text, preview text, created_at timestamptz, superseded_at timestamptz)
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_secret_history';
COMMENT ON FUNCTION hftok.secret_history IS 'The versions of a named secret, newest first, without values.';

-- Rows are given when all of them were recorded, and so is that there was none.
CREATE OR REPLACE FUNCTION hftok_private.find_secret_as_owner(p_value text) RETURNS TABLE (secret_id uuid, version int, is_current boolean)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    wanted bytea[] := hftok_private.fingerprints(p_value);
    hit record;
BEGIN
    FOR hit IN
        SELECT s.id, s.version, true AS is_current, s.scope, s.scope_id, s.provider
        FROM hftok_private.secrets s WHERE s.fingerprint = ANY (wanted)
        UNION ALL
        SELECT v.secret_id, v.version, false, v.scope, v.scope_id, v.provider
        FROM hftok_private.secret_versions v WHERE v.fingerprint = ANY (wanted)
    LOOP
        PERFORM hftok_private.record_comparison('find_secret', 'found', hit.id, hit.version, hit.scope, hit.scope_id, hit.provider);
        secret_id := hit.id;
        version := hit.version;
        is_current := hit.is_current;
        RETURN NEXT;
    END LOOP;
    IF NOT FOUND THEN
        PERFORM hftok_private.record_comparison('find_secret', 'not_found', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.find_secret_as_owner IS 'The work of find_secret(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.find_secret(p_value text) RETURNS TABLE (secret_id uuid, version int, is_current boolean)
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_find_secret';
COMMENT ON FUNCTION hftok.find_secret IS
    'The secrets that hold this value, now or in a previous version: found by keyed fingerprint, nothing is opened. A login may ask as often as hftok.max_guesses_per_minute says, and each hit is recorded.';

-- A view of one table can be written to. A role that could (pg_write_all_data can) would do it with the rights
-- of hftok_owner, and a row that is edited no longer opens.
CREATE OR REPLACE FUNCTION hftok_private.refuse_write() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    RAISE EXCEPTION 'named secrets are not written through their views'
        USING ERRCODE = '42501', HINT = 'Call hftok.create_secret(), put_secret(), update_secret() or delete_secret().';
END
$$;
COMMENT ON FUNCTION hftok_private.refuse_write IS 'Refuses to write through a view.';

-- Whether it may be done was decided by the privilege on the view that was named.
CREATE OR REPLACE FUNCTION hftok_private.delete_vault_row_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    gone hftok_private.secrets;
BEGIN
    DELETE FROM hftok_private.secrets s WHERE s.id = OLD.id AND s.scope = 'vault' RETURNING s.* INTO gone;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM hftok_private.record_change('delete_secret', gone.id, gone.version, NULL, gone.scope);
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION hftok_private.delete_vault_row_as_owner IS 'The work of delete_vault_row(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.delete_vault_row() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_delete_vault_row';
COMMENT ON FUNCTION hftok_private.delete_vault_row IS 'Deletes a named secret through a view.';

CREATE OR REPLACE VIEW hftok_private.stored_vault_rows WITH (security_barrier) AS
    SELECT s.id, s.version, s.scope_id, s.provider, s.model, s.name, s.slot, s.kind, s.description, s.preview, s.allowed_hosts, s.expires_at,
        s.sealed, s.created_at, s.updated_at
    FROM hftok_private.secrets s
    WHERE s.scope = 'vault';
COMMENT ON VIEW hftok_private.stored_vault_rows IS 'Named secrets as they are stored.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.stored_vault_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_write();

-- Below the views with values, so that a row is deleted without being opened.
CREATE OR REPLACE VIEW hftok_private.vault_rows WITH (security_barrier) AS
    SELECT r.* FROM hftok_private.stored_vault_rows r;
COMMENT ON VIEW hftok_private.vault_rows IS 'Named secrets, to be read or deleted.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE ON hftok_private.vault_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_write();
CREATE OR REPLACE TRIGGER delete INSTEAD OF DELETE ON hftok_private.vault_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.delete_vault_row();

CREATE OR REPLACE VIEW hftok.secrets WITH (security_barrier) AS
    SELECT r.id, nullif(r.name, '') AS name, r.description, r.preview, r.version, r.created_at, r.updated_at
    FROM hftok_private.vault_rows r;
COMMENT ON VIEW hftok.secrets IS 'Named secrets without their values.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.secrets
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_write();

CREATE OR REPLACE VIEW hftok.decrypted_secrets WITH (security_barrier) AS
    SELECT r.id,
        nullif(r.name, '') AS name,
        r.description,
        pg_catalog.encode(r.sealed, 'base64') AS secret,
        hftok_private.open_vault_row('hftok', r.id, r.version, r.scope_id, r.provider, r.model, r.name,
            r.slot, r.kind, r.allowed_hosts, r.expires_at, r.sealed) AS decrypted_secret,
        NULL::uuid AS key_id,
        pg_catalog.substr(r.sealed, 6, 24) AS nonce,
        r.created_at,
        r.updated_at
    FROM hftok_private.vault_rows r;
COMMENT ON VIEW hftok.decrypted_secrets IS
    'Named secrets with their values, as Supabase Vault shows them. A value is opened when its column is read; one that does not open is NULL.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE ON hftok.decrypted_secrets
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_write();
-- Credentials of users, organisations, models and the installation.

CREATE OR REPLACE FUNCTION hftok.save_credential(
    p_provider text, p_secret text, p_model text DEFAULT NULL, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL,
    p_global boolean DEFAULT false, p_label text DEFAULT NULL, p_expires_at timestamptz DEFAULT NULL,
    p_allowed_hosts text[] DEFAULT NULL, p_on_unusable text DEFAULT NULL, p_expected_version int DEFAULT NULL
) RETURNS hftok.saved_credential
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_save_credential';
COMMENT ON FUNCTION hftok.save_credential IS
    'Saves a credential of the caller, of p_user_id, of p_org_id or (p_global) of the installation, for a provider and perhaps a model. Replacing keeps label, hosts and on_unusable unless given.';

CREATE OR REPLACE FUNCTION hftok.save_hf_token(
    p_token text, p_model text DEFAULT NULL, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL,
    p_global boolean DEFAULT false
) RETURNS hftok.saved_credential
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT hftok.save_credential('huggingface', p_token, p_model, p_user_id, p_org_id, p_global);
    END;
COMMENT ON FUNCTION hftok.save_hf_token IS 'Saves a Hugging Face token, as save_credential() does.';

CREATE OR REPLACE FUNCTION hftok.save_credentials(p_rows jsonb)
    RETURNS TABLE (n int, secret_id uuid, version int, preview text, warnings text[])
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    given jsonb;
    expiry timestamptz;
    hosts text[];
    expected int;
BEGIN
    IF current_setting('request.method', true) IN ('GET', 'HEAD') THEN
        RAISE EXCEPTION 'Method Not Allowed' USING ERRCODE = 'PT405', DETAIL = 'Secrets are given and taken by POST only.';
    END IF;
    -- Every fault is named by its row, and never by what the row holds: what a cast says would quote it.
    IF jsonb_typeof(p_rows) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'p_rows must be an array' USING ERRCODE = '22023';
    ELSIF jsonb_array_length(p_rows) > 10000 THEN
        RAISE EXCEPTION 'Content Too Large' USING ERRCODE = 'PT413', DETAIL = 'p_rows may have 10000 rows at most.';
    END IF;
    -- One by one: rows of a function or a sort that go beyond work_mem lie on disk, values in the clear.
    FOR at IN 1 .. jsonb_array_length(p_rows) LOOP
        n := at;
        given := p_rows -> (at - 1);
        IF jsonb_typeof(given) <> 'object' OR EXISTS (
            SELECT FROM jsonb_object_keys(given) AS m (name)
            WHERE NOT coalesce(jsonb_typeof(given -> m.name) = CASE
                WHEN m.name IN ('provider', 'secret', 'model', 'user_id', 'org_id', 'label', 'expires_at', 'on_unusable') THEN 'string'
                WHEN m.name = 'global' THEN 'boolean'
                WHEN m.name = 'allowed_hosts' THEN 'array'
                WHEN m.name = 'expected_version' THEN 'number'
            END OR (jsonb_typeof(given -> m.name) = 'null' AND m.name IN ('model', 'user_id', 'org_id', 'label', 'expires_at',
                'on_unusable', 'global', 'allowed_hosts', 'expected_version')), false)
        ) OR EXISTS (
            SELECT FROM jsonb_array_elements(CASE WHEN jsonb_typeof(given -> 'allowed_hosts') = 'array'
                THEN given -> 'allowed_hosts' ELSE '[]' END) AS h (host) WHERE jsonb_typeof(h.host) <> 'string'
        ) THEN
            RAISE EXCEPTION 'row % has a member that is unknown or of the wrong type', n USING ERRCODE = '22023',
                HINT = 'Members are the parameters of save_credential() without p_.';
        END IF;
        BEGIN
            expiry := (given ->> 'expires_at')::timestamptz;
            expected := (given ->> 'expected_version')::int;
        EXCEPTION WHEN data_exception THEN
            RAISE EXCEPTION 'row % has an expires_at or expected_version that is none', n USING ERRCODE = '22023';
        END;
        hosts := CASE WHEN jsonb_typeof(given -> 'allowed_hosts') = 'array'
            THEN ARRAY(SELECT jsonb_array_elements_text(given -> 'allowed_hosts')) END;
        SELECT s.secret_id, s.version, s.preview, s.warnings INTO secret_id, version, preview, warnings
        FROM hftok.save_credential(given ->> 'provider', given ->> 'secret', given ->> 'model', given ->> 'user_id',
            given ->> 'org_id', coalesce((given ->> 'global')::boolean, false), given ->> 'label', expiry, hosts,
            given ->> 'on_unusable', expected) s;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION hftok.save_credentials IS
    'Saves many at once, all or nothing; members of each row are the parameters of save_credential() without p_. A row of result each, numbered.';

CREATE OR REPLACE FUNCTION hftok.check_credential(p_provider text, p_secret text) RETURNS hftok.checked_credential
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_check_credential';
COMMENT ON FUNCTION hftok.check_credential IS 'Looks at a value as a provider''s, and stores nothing.';

CREATE OR REPLACE FUNCTION hftok.delete_credential(
    p_provider text, p_model text DEFAULT NULL, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL,
    p_global boolean DEFAULT false
) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_delete_credential';
COMMENT ON FUNCTION hftok.delete_credential IS 'Deletes a credential and its history; false when there is none that the caller may delete.';

CREATE OR REPLACE FUNCTION hftok.report_credential(
    p_secret_id uuid, p_verdict text, p_message text DEFAULT NULL, p_version int DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_report_credential';
COMMENT ON FUNCTION hftok.report_credential IS
    'Keeps what a provider says of a credential: verified, invalid or indeterminate. Ignored for another version than the current one, and for NULL. A verified one becomes invalid by the second refusal. Credentials that the message quotes are masked. Of an integration''s credentials its status is kept too.';

CREATE OR REPLACE FUNCTION hftok.resolve_token(
    p_provider text, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL, p_model text DEFAULT NULL,
    p_host text DEFAULT NULL, p_levels text[] DEFAULT NULL, p_version int DEFAULT NULL, p_recipient text DEFAULT NULL
) RETURNS hftok.resolved_token
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_resolve_token';
COMMENT ON FUNCTION hftok.resolve_token IS
    'The credential to use and where it comes from; source none when no level has one. A level whose credential cannot be used stops the walk (PT422).';

CREATE OR REPLACE FUNCTION hftok.resolve_hf_token(
    p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL, p_model text DEFAULT NULL, p_host text DEFAULT NULL,
    p_levels text[] DEFAULT NULL
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_resolve_hf_token';
COMMENT ON FUNCTION hftok.resolve_hf_token IS 'The Hugging Face token to use; NULL when no level has one.';

CREATE OR REPLACE FUNCTION hftok.previous_token(p_secret_id uuid) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_previous_token';
COMMENT ON FUNCTION hftok.previous_token IS 'The version before the current one, while hftok.overlap lasts.';

CREATE OR REPLACE FUNCTION hftok.runner_env(
    p_providers text[] DEFAULT NULL, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL, p_model text DEFAULT NULL,
    p_levels text[] DEFAULT NULL
) RETURNS jsonb
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_runner_env';
COMMENT ON FUNCTION hftok.runner_env IS
    'Environment variables for a process that calls providers; null for one to unset. Providers that are named must be usable; without names those that are not are left out.';

CREATE OR REPLACE FUNCTION hftok_private.explain(
    p_provider text, p_user_id text, p_org_id text, p_model text, p_host text, p_levels text[]
) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_explain';
COMMENT ON FUNCTION hftok_private.explain IS 'explain_token() as JSON text, for whoever asks.';

CREATE OR REPLACE FUNCTION hftok.explain_token(
    p_provider text, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL, p_model text DEFAULT NULL,
    p_host text DEFAULT NULL, p_levels text[] DEFAULT NULL
) RETURNS TABLE (level text, outcome text, secret_id uuid, preview text, detail text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT w.level, w.outcome, w.secret_id, w.preview, w.detail
        FROM jsonb_to_recordset(
            hftok_private.explain(p_provider, p_user_id, p_org_id, p_model, p_host, p_levels)::jsonb
        ) AS w (level text, outcome text, secret_id uuid, preview text, detail text);
    END;
COMMENT ON FUNCTION hftok.explain_token IS 'The whole walk, a row a level, without a value.';

CREATE OR REPLACE FUNCTION hftok.token_provided(
    p_provider text, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL, p_model text DEFAULT NULL,
    p_host text DEFAULT NULL, p_levels text[] DEFAULT NULL
) RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_token_provided';
COMMENT ON FUNCTION hftok.token_provided IS 'Whether resolving would give a token.';
-- Credentials as their owners see them: never a value.

CREATE OR REPLACE VIEW hftok_private.credential_rows AS
    SELECT s.id AS secret_id, s.provider, s.scope, s.scope_id, s.model, s.slot, s.position, s.label, s.preview,
        CASE
            WHEN NOT s.enabled THEN 'disabled'
            WHEN s.expires_at <= pg_catalog.now() THEN 'expired'
            ELSE coalesce(s.verdict, 'unverified')
        END AS status,
        s.enabled, s.warnings, s.allowed_hosts, s.on_unusable, s.expires_at, s.last_verified_at,
        u.last_used_at, coalesce(u.use_count, 0) AS use_count, s.version, s.created_at, s.updated_at,
        (SELECT hftok_private.caller_is_in('{hftok_service,hftok_admin}')) AS writable, s.verdict_message
    FROM hftok_private.secrets s LEFT JOIN hftok_private.secret_usage u ON u.secret_id = s.id
    WHERE s.scope IN ('user', 'org', 'global')
    AND hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok_private.credential_rows IS 'Credentials, for who sees all of them.';

CREATE OR REPLACE FUNCTION hftok_private.credentials_of(p_user text) RETURNS SETOF hftok_private.credential_rows
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT r.secret_id, r.provider, r.scope, r.scope_id, r.model, r.slot, r.position, r.label, r.preview, r.status, r.enabled,
            r.warnings, r.allowed_hosts, r.on_unusable, r.expires_at, r.last_verified_at, r.last_used_at, r.use_count, r.version,
            r.created_at, r.updated_at, o.writable, r.verdict_message
        FROM (
            SELECT 'user' AS scope, p_user AS scope_id, true AS writable
            UNION ALL
            SELECT 'org', m.org_id, m.role <> 'member' FROM hftok_private.members m WHERE m.user_id = p_user
            UNION ALL
            SELECT 'global', '', true FROM hftok_private.administrators a WHERE a.user_id = p_user
        ) o,
        -- OFFSET 0: looked up owner by owner, by the index, whatever statistics say or don't.
        LATERAL (
            SELECT c.* FROM hftok_private.credential_rows c WHERE c.scope = o.scope AND c.scope_id = o.scope_id OFFSET 0
        ) r;
    END;
COMMENT ON FUNCTION hftok_private.credentials_of IS 'The credentials that a user sees.';
CREATE OR REPLACE FUNCTION hftok_private.visible_credentials() RETURNS SETOF hftok_private.credential_rows
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 10 AS 'MODULE_PATHNAME', 'hftok_visible_credentials';
COMMENT ON FUNCTION hftok_private.visible_credentials IS 'The credentials that the caller sees as a user.';

CREATE OR REPLACE VIEW hftok.credentials WITH (security_barrier) AS
    SELECT r.* FROM hftok_private.credential_rows r
    UNION ALL
    SELECT r.* FROM hftok_private.visible_credentials() r
    WHERE NOT hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok.credentials IS
    'Credentials that the reader may see, without values. Of those that are writable, label, enabled, expires_at, allowed_hosts and on_unusable can be updated, and rows deleted.';

-- Hosts and expiry are authenticated with the value, so changing them seals it anew: here, and nowhere else, because a row
-- that is edited in the table must not open.
CREATE OR REPLACE FUNCTION hftok_private.reseal(
    p_id uuid, p_version int, p_scope text, p_scope_id text, p_provider text, p_model text, p_name text,
    p_slot text, p_kind text, p_allowed_hosts text[], p_expires_at timestamptz, p_sealed bytea, p_new_hosts text[], p_new_expiry timestamptz
) RETURNS bytea
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_reseal';
COMMENT ON FUNCTION hftok_private.reseal IS 'A value sealed anew, bound to other hosts and another end.';

-- Whether the caller may write was decided by the view, which ran as them.
CREATE OR REPLACE FUNCTION hftok_private.write_credential_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    stored hftok_private.secrets;
BEGIN
    -- Passed over, as row security passes over rows.
    IF NOT OLD.writable THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        PERFORM hftok_private.lock_owner(OLD.scope, OLD.scope_id);
        DELETE FROM hftok_private.secrets s WHERE s.id = OLD.secret_id RETURNING s.* INTO stored;
        IF FOUND THEN
            PERFORM hftok_private.record_change('credentials', stored.id, stored.version, NULL, stored.scope,
                stored.scope_id, stored.provider);
        END IF;
        RETURN OLD;
    END IF;
    -- Checked here: what a constraint of the table says would quote the row.
    IF NEW.label IS NULL OR octet_length(NEW.label) > 1024 OR NEW.enabled IS NULL OR NEW.on_unusable IS NULL OR NEW.on_unusable NOT IN ('stop', 'continue')
        OR array_position(NEW.allowed_hosts, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'label (1024 bytes at most) and enabled must not be null, on_unusable must be stop or continue, hosts must not be null' USING ERRCODE = '22023';
    END IF;
    SELECT s.* INTO stored FROM hftok_private.secrets s WHERE s.id = OLD.secret_id;
    IF FOUND THEN
        PERFORM hftok_private.lock_owner(stored.scope, stored.scope_id);
        SELECT s.* INTO stored FROM hftok_private.secrets s WHERE s.id = OLD.secret_id FOR UPDATE;
    END IF;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- A column that the caller did not change stays as it is now, not as they saw it: somebody may have changed it since.
    NEW.label := CASE WHEN NEW.label IS DISTINCT FROM OLD.label THEN NEW.label ELSE stored.label END;
    NEW.enabled := CASE WHEN NEW.enabled IS DISTINCT FROM OLD.enabled THEN NEW.enabled ELSE stored.enabled END;
    NEW.on_unusable := CASE WHEN NEW.on_unusable IS DISTINCT FROM OLD.on_unusable THEN NEW.on_unusable ELSE stored.on_unusable END;
    NEW.allowed_hosts := CASE WHEN NEW.allowed_hosts IS DISTINCT FROM OLD.allowed_hosts THEN NEW.allowed_hosts ELSE stored.allowed_hosts END;
    NEW.expires_at := CASE WHEN NEW.expires_at IS DISTINCT FROM OLD.expires_at THEN NEW.expires_at ELSE stored.expires_at END;
    IF NEW.allowed_hosts IS DISTINCT FROM stored.allowed_hosts OR NEW.expires_at IS DISTINCT FROM stored.expires_at THEN
        stored.sealed := hftok_private.reseal(stored.id, stored.version, stored.scope, stored.scope_id, stored.provider,
            stored.model, stored.name, stored.slot, stored.kind, stored.allowed_hosts, stored.expires_at, stored.sealed, NEW.allowed_hosts,
            NEW.expires_at);
    END IF;
    UPDATE hftok_private.secrets s
    SET label = NEW.label, enabled = NEW.enabled, on_unusable = NEW.on_unusable, allowed_hosts = NEW.allowed_hosts,
        expires_at = NEW.expires_at, sealed = stored.sealed, updated_at = now()
    WHERE s.id = stored.id RETURNING s.* INTO stored;
    PERFORM hftok_private.record_change('credentials', stored.id, stored.version, hftok_private.state_of(stored), stored.scope,
        stored.scope_id, stored.provider);
    NEW.updated_at := now();
    NEW.status := CASE
        WHEN NOT NEW.enabled THEN 'disabled' WHEN NEW.expires_at <= now() THEN 'expired'
        ELSE coalesce(stored.verdict, 'unverified')
    END;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hftok_private.write_credential_as_owner IS 'The work of write_credential(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.write_credential() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_write_credential';
COMMENT ON FUNCTION hftok_private.write_credential IS 'Updates and deletes through the view credentials.';
CREATE OR REPLACE TRIGGER write_credential INSTEAD OF UPDATE OR DELETE ON hftok.credentials
    FOR EACH ROW EXECUTE FUNCTION hftok_private.write_credential();

CREATE OR REPLACE VIEW hftok.expiring_credentials WITH (security_barrier) AS
    SELECT c.* FROM hftok.credentials c WHERE c.expires_at < pg_catalog.now() + interval '30 days';
COMMENT ON VIEW hftok.expiring_credentials IS 'Credentials that end within 30 days, or have ended.';

CREATE OR REPLACE FUNCTION hftok_private.catalogue_rows() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_catalogue_rows';
COMMENT ON FUNCTION hftok_private.catalogue_rows IS 'The catalogue as JSON: of a provider that cannot be vouched for, the name alone.';

CREATE OR REPLACE VIEW hftok.providers AS
    SELECT c.name,
        c.definition ->> 'label' AS label,
        c.definition -> 'fields' AS fields,
        c.definition ->> 'docs_url' AS docs_url,
        ARRAY(SELECT e.name FROM pg_catalog.jsonb_array_elements(c.definition -> 'fields') AS f (field),
            pg_catalog.jsonb_array_elements_text(f.field -> 'env') AS e (name)) AS env,
        ARRAY(SELECT h.host FROM pg_catalog.jsonb_array_elements_text(c.definition -> 'hosts') AS h (host)) AS hosts,
        nullif(c.definition -> 'test', 'null') AS test,
        c.definition -> 'formats' AS formats,
        c.definition -> 'environment' AS environment,
        c.builtin
    FROM pg_catalog.jsonb_to_recordset(hftok_private.catalogue_rows()::jsonb)
        AS c (name text, definition jsonb, builtin boolean);
COMMENT ON VIEW hftok.providers IS
    'The catalogue: what each provider''s credentials consist of, where to get them, what they look like, where they may be sent, how to test them. Of one that hftok cannot vouch for only the name is shown.';

CREATE OR REPLACE FUNCTION hftok.register_provider(p_provider jsonb) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_register_provider';
COMMENT ON FUNCTION hftok.register_provider IS
    'Adds a provider to the catalogue, in the form of the view providers; of a built-in one, says what is to be otherwise: its hosts, variables and test may only become narrower, and what is not given is as built in. Returns its name.';

CREATE OR REPLACE FUNCTION hftok.unregister_provider(p_provider text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_unregister_provider';
COMMENT ON FUNCTION hftok.unregister_provider IS
    'Takes back what register_provider() said: a built-in provider is as it was, another one is gone. False when there was nothing.';

CREATE OR REPLACE FUNCTION hftok_private.provider_fault(p_id text, p_definition text, p_signature bytea) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_provider_fault';
COMMENT ON FUNCTION hftok_private.provider_fault IS 'Why a registered provider cannot be used, or NULL.';

CREATE OR REPLACE VIEW hftok.provider_secrets WITH (security_barrier) AS
    SELECT me.id AS user_id, p.name AS provider, p.label, s.secret_id IS NOT NULL AS is_configured, s.preview AS api_key_preview,
        s.created_at, s.updated_at
    FROM (SELECT hftok_private.caller_id() AS id) me
    CROSS JOIN hftok.providers p
    LEFT JOIN hftok_private.visible_credentials() s ON s.scope = 'user' AND s.provider = p.name AND s.model = '' AND s.slot = '';
COMMENT ON VIEW hftok.provider_secrets IS 'Every provider of the catalogue, and whether the reader has a key for it.';

-- Not to be written, and that is the answer: what Postgres itself says of such a view PostgREST takes for its own fault.
CREATE OR REPLACE FUNCTION hftok_private.refuse_view_write() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    RAISE EXCEPTION 'view % is only for reading', TG_TABLE_NAME USING ERRCODE = '42501';
END
$$;
COMMENT ON FUNCTION hftok_private.refuse_view_write IS 'Refuses to write to a view that shows what lies elsewhere.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT ON hftok.credentials
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT ON hftok.expiring_credentials
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.providers
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.provider_secrets
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.credential_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
-- Organisations, administrators, and forgetting.

CREATE OR REPLACE VIEW hftok_private.member_rows WITH (security_barrier) AS
    SELECT m.org_id, m.user_id, m.role, m.created_at FROM hftok_private.members m
    WHERE hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok_private.member_rows IS 'Members of organisations, for who sees all of them.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.member_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE FUNCTION hftok_private.members_of(p_user text) RETURNS SETOF hftok_private.member_rows
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT r.* FROM hftok_private.member_rows r
        WHERE r.org_id = ANY (ARRAY(SELECT o.org_id FROM hftok_private.members o WHERE o.user_id = p_user));
    END;
COMMENT ON FUNCTION hftok_private.members_of IS 'The members of the organisations that a user belongs to.';
CREATE OR REPLACE FUNCTION hftok_private.visible_members() RETURNS SETOF hftok_private.member_rows
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 100 AS 'MODULE_PATHNAME', 'hftok_visible_members';
COMMENT ON FUNCTION hftok_private.visible_members IS 'The members that the caller sees as a user.';
CREATE OR REPLACE VIEW hftok.members WITH (security_barrier) AS
    SELECT r.* FROM hftok_private.member_rows r
    UNION ALL
    SELECT r.* FROM hftok_private.visible_members() r
    WHERE NOT hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok.members IS 'Members of the organisations that the reader belongs to.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.members
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

CREATE OR REPLACE VIEW hftok_private.administrator_rows WITH (security_barrier) AS
    SELECT a.user_id, a.created_at FROM hftok_private.administrators a
    WHERE hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok_private.administrator_rows IS 'Administrators of the application, for who sees all of them.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.administrator_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE FUNCTION hftok_private.administrators_of(p_user text) RETURNS SETOF hftok_private.administrator_rows
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT r.* FROM hftok_private.administrator_rows r
        WHERE EXISTS (SELECT FROM hftok_private.administrators a WHERE a.user_id = p_user);
    END;
COMMENT ON FUNCTION hftok_private.administrators_of IS 'The administrators of the application, if the user is one.';
CREATE OR REPLACE FUNCTION hftok_private.visible_administrators() RETURNS SETOF hftok_private.administrator_rows
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 10 AS 'MODULE_PATHNAME', 'hftok_visible_administrators';
COMMENT ON FUNCTION hftok_private.visible_administrators IS 'The administrators that the caller sees as a user.';
CREATE OR REPLACE VIEW hftok.administrators WITH (security_barrier) AS
    SELECT r.* FROM hftok_private.administrator_rows r
    UNION ALL
    SELECT r.* FROM hftok_private.visible_administrators() r
    WHERE NOT hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok.administrators IS 'Users of the application who may set global credentials.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.administrators
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

CREATE OR REPLACE FUNCTION hftok.add_member(p_org_id text, p_user_id text, p_role text DEFAULT 'member') RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_add_member';
COMMENT ON FUNCTION hftok.add_member IS
    'Makes a user a member of an organisation, or gives a member another role. Only owners make or change owners, and the last one stays.';

CREATE OR REPLACE FUNCTION hftok.remove_member(p_org_id text, p_user_id text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_remove_member';
COMMENT ON FUNCTION hftok.remove_member IS 'Ends a membership; false when there was none. Anybody may leave.';

CREATE OR REPLACE FUNCTION hftok_private.identifier(p_id text) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_identifier';
COMMENT ON FUNCTION hftok_private.identifier IS 'An identifier as it is stored; an error for one that cannot be.';

CREATE OR REPLACE FUNCTION hftok_private.grant_administrator_as_owner(p_user_id text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    INSERT INTO hftok_private.administrators (user_id) VALUES (hftok_private.identifier(p_user_id)) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM hftok_private.record_change('grant_administrator', p_scope => 'global', p_level => 'administrator',
            p_subject => hftok_private.identifier(p_user_id));
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.grant_administrator_as_owner IS 'The work of grant_administrator(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.grant_administrator(p_user_id text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_grant_administrator';
COMMENT ON FUNCTION hftok.grant_administrator IS 'Makes a user of the application an administrator.';

CREATE OR REPLACE FUNCTION hftok_private.revoke_administrator_as_owner(p_user_id text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    DELETE FROM hftok_private.administrators a WHERE a.user_id = hftok_private.identifier(p_user_id);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM hftok_private.record_change('revoke_administrator', p_scope => 'global',
        p_subject => hftok_private.identifier(p_user_id));
    RETURN true;
END
$$;
COMMENT ON FUNCTION hftok_private.revoke_administrator_as_owner IS 'The work of revoke_administrator(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.revoke_administrator(p_user_id text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_revoke_administrator';
COMMENT ON FUNCTION hftok.revoke_administrator IS 'No longer makes a user an administrator; false when they were none.';

CREATE OR REPLACE FUNCTION hftok_private.adopt_role_as_owner(p_role name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    adopted oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = p_role);
BEGIN
    IF adopted IS NULL THEN
        RAISE EXCEPTION 'there is no role "%"', p_role USING ERRCODE = '22023';
    END IF;
    UPDATE hftok_private.direct_roles r SET role = adopted WHERE r.name = p_role::text AND r.role <> adopted;
    IF FOUND THEN
        PERFORM hftok_private.record_change('adopt_role', p_subject => 'role:' || p_role);
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.adopt_role_as_owner IS 'The work of adopt_role(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.adopt_role(p_role name) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_adopt_role';
COMMENT ON FUNCTION hftok.adopt_role IS
    'Gives what is kept for role:<name> to the role that has this name now, where the former was dropped.';

CREATE OR REPLACE FUNCTION hftok_private.forget_credentials(p_scope text, p_owner text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    action text := 'forget_' || p_scope;
    gone hftok_private.secrets;
    integration hftok_private.integrations;
BEGIN
    -- Before their credentials take them along, so that each is told by its own id.
    FOR integration IN
        DELETE FROM hftok_private.integrations i USING hftok_private.secrets s
        WHERE p_scope = 'user' AND s.scope = 'integration' AND s.scope_id = p_owner AND i.secret_id = s.id RETURNING i.*
    LOOP
        PERFORM hftok_private.record_change(action, integration.id, p_scope => 'integration', p_owner => integration.user_id,
            p_provider => integration.type);
    END LOOP;
    FOR gone IN
        WITH deleted AS (
            DELETE FROM hftok_private.secrets s
            WHERE s.scope_id = p_owner AND (s.scope = p_scope OR (s.scope = 'integration' AND p_scope = 'user'))
            RETURNING s.*
        )
        -- Told in an order that does not depend on where the rows lay.
        SELECT d.* FROM deleted d ORDER BY d.scope DESC, d.provider COLLATE "C", d.model COLLATE "C", d.id
    LOOP
        PERFORM hftok_private.record_change(action, gone.id, gone.version, NULL, gone.scope, gone.scope_id, gone.provider);
    END LOOP;
END
$$;
COMMENT ON FUNCTION hftok_private.forget_credentials IS 'Deletes the secrets of a user or an organisation, whom the caller has locked, and a user''s integrations.';

CREATE OR REPLACE FUNCTION hftok_private.forget(p_scope text, p_id text)
    RETURNS TABLE (credentials int, versions int, integrations int, memberships int)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    owner text := hftok_private.identifier(p_id);
    action text := 'forget_' || p_scope;
    member hftok_private.members;
    share hftok_private.integrations;
BEGIN
    PERFORM hftok_private.lock_owner(p_scope, owner);
    PERFORM FROM hftok_private.secrets s
    WHERE s.scope_id = owner AND (s.scope = p_scope OR (s.scope = 'integration' AND p_scope = 'user')) ORDER BY s.id FOR UPDATE;
    SELECT count(*) FILTER (WHERE s.scope = p_scope), count(*) FILTER (WHERE s.scope = 'integration')
    INTO credentials, integrations
    FROM hftok_private.secrets s
    WHERE s.scope_id = owner AND (s.scope = p_scope OR (s.scope = 'integration' AND p_scope = 'user'));
    SELECT count(*) INTO versions
    FROM hftok_private.secret_versions v JOIN hftok_private.secrets s ON s.id = v.secret_id
    WHERE s.scope_id = owner AND (s.scope = p_scope OR (s.scope = 'integration' AND p_scope = 'user'));
    PERFORM hftok_private.forget_credentials(p_scope, owner);
    DELETE FROM hftok_private.import_rows r
    WHERE (r.scope = p_scope AND r.scope_id = owner) OR (p_scope = 'user' AND r.scope IS NULL AND r.key = owner);
    memberships := 0;
    FOR member IN
        DELETE FROM hftok_private.members m WHERE CASE p_scope WHEN 'user' THEN m.user_id ELSE m.org_id END = owner
        RETURNING m.*
    LOOP
        PERFORM hftok_private.record_change(action, p_scope => 'org', p_owner => member.org_id, p_subject => member.user_id);
        memberships := memberships + 1;
    END LOOP;
    IF p_scope = 'user' THEN
        DELETE FROM hftok_private.administrators a WHERE a.user_id = owner;
        IF FOUND THEN
            PERFORM hftok_private.record_change(action, p_scope => 'global', p_subject => owner);
        END IF;
        DELETE FROM hftok_private.usage_daily u WHERE u.scope IN ('user', 'integration') AND u.scope_id = owner;
        DELETE FROM hftok_private.direct_roles r WHERE 'role:' || r.name = owner;
        -- Masks follow their secrets; one that was left without is looked for here.
        DELETE FROM hftok_private.user_api_keys k WHERE k.user_id = owner;
    ELSE
        FOR share IN
            DELETE FROM hftok_private.integration_shares s USING hftok_private.integrations i
            WHERE s.org_id = owner AND i.id = s.integration_id RETURNING i.*
        LOOP
            PERFORM hftok_private.record_change(action, share.id, p_scope => 'org', p_owner => owner,
                p_provider => share.type, p_subject => share.user_id);
        END LOOP;
        DELETE FROM hftok_private.usage_daily u WHERE u.scope = 'org' AND u.scope_id = owner;
    END IF;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION hftok_private.forget IS 'Deletes everything of a user or an organisation, and counts it.';

CREATE OR REPLACE FUNCTION hftok_private.forget_user_as_owner(p_user_id text)
    RETURNS TABLE (credentials int, versions int, integrations int, memberships int)
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$ SELECT * FROM hftok_private.forget('user', p_user_id) $$;
COMMENT ON FUNCTION hftok_private.forget_user_as_owner IS 'The work of forget_user(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.forget_user(p_user_id text)
    RETURNS TABLE (credentials int, versions int, integrations int, memberships int)
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_forget_user';
COMMENT ON FUNCTION hftok.forget_user IS 'Deletes everything of a user, and counts it.';

CREATE OR REPLACE FUNCTION hftok_private.forget_org_as_owner(p_org_id text)
    RETURNS TABLE (credentials int, versions int, integrations int, memberships int)
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$ SELECT * FROM hftok_private.forget('org', p_org_id) $$;
COMMENT ON FUNCTION hftok_private.forget_org_as_owner IS 'The work of forget_org(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.forget_org(p_org_id text)
    RETURNS TABLE (credentials int, versions int, integrations int, memberships int)
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_forget_org';
COMMENT ON FUNCTION hftok.forget_org IS 'Deletes everything of an organisation, and counts it.';
-- Integrations: a user's connections to providers. Their credentials are read by the backend only.

CREATE OR REPLACE FUNCTION hftok.create_integration_with_vault(
    p_name text, p_type text, p_credentials text, p_config jsonb DEFAULT '{}', p_user_id text DEFAULT NULL
) RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_create_integration';
COMMENT ON FUNCTION hftok.create_integration_with_vault IS
    'Makes an integration; its credentials, a key or a JSON object as text, are sealed. Returns its id.';

CREATE OR REPLACE FUNCTION hftok.get_integration_credentials(
    p_integration_id uuid, p_user_id text DEFAULT NULL, p_recipient text DEFAULT NULL
) RETURNS jsonb
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_integration_credentials';
COMMENT ON FUNCTION hftok.get_integration_credentials IS
    'The credentials of an integration of p_user_id, or shared with them: an object as it was given, or a key as a string.';

CREATE OR REPLACE FUNCTION hftok.update_integration(
    p_integration_id uuid, p_name text DEFAULT NULL, p_config jsonb DEFAULT NULL, p_enabled boolean DEFAULT NULL,
    p_user_id text DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_update_integration';
COMMENT ON FUNCTION hftok.update_integration IS 'Changes what is given. p_enabled is the owner''s switch, apart from the status disabled, which is the backend''s.';

CREATE OR REPLACE FUNCTION hftok.update_integration_credentials(
    p_integration_id uuid, p_credentials text, p_user_id text DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_update_integration_credentials';
COMMENT ON FUNCTION hftok.update_integration_credentials IS
    'Replaces the credentials. A field that holds the mask keeps what is stored. The status is pending again, unless the backend disabled it.';

CREATE OR REPLACE FUNCTION hftok.update_integration_status(
    p_integration_id uuid, p_status text, p_error_message text DEFAULT NULL, p_user_id text DEFAULT NULL
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_update_integration_status';
COMMENT ON FUNCTION hftok.update_integration_status IS 'Keeps what the backend found: pending, verifying, connected, error or disabled. Credentials that the message quotes are masked.';

CREATE OR REPLACE FUNCTION hftok.delete_integration_with_vault(p_integration_id uuid, p_user_id text DEFAULT NULL) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_delete_integration';
COMMENT ON FUNCTION hftok.delete_integration_with_vault IS
    'Deletes an integration with its credentials; false when there is none that the caller may delete.';

CREATE OR REPLACE FUNCTION hftok.share_integration(p_integration_id uuid, p_org_id text, p_user_id text DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_share_integration';
COMMENT ON FUNCTION hftok.share_integration IS 'Lets the members of an organisation that the owner belongs to use an integration.';

CREATE OR REPLACE FUNCTION hftok.unshare_integration(p_integration_id uuid, p_org_id text, p_user_id text DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_unshare_integration';
COMMENT ON FUNCTION hftok.unshare_integration IS 'No longer lets them.';

CREATE OR REPLACE VIEW hftok_private.integration_rows AS
    SELECT i.id, i.user_id, i.name, i.type,
        CASE WHEN i.enabled THEN i.status ELSE 'disabled' END AS status, i.enabled, i.config, i.secret_id,
        greatest(i.last_used_at, u.last_used_at) AS last_used_at, i.error_message, i.credentials_migrated, i.created_at,
        i.updated_at
    FROM hftok_private.integrations i LEFT JOIN hftok_private.secret_usage u ON u.secret_id = i.secret_id
    WHERE hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok_private.integration_rows IS 'Integrations, for who sees all of them.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.integration_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE FUNCTION hftok_private.integrations_of(p_user text) RETURNS SETOF hftok_private.integration_rows
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT r.* FROM (
            SELECT i.id FROM hftok_private.integrations i WHERE i.user_id = p_user
            UNION
            SELECT s.integration_id
            FROM hftok_private.members m JOIN hftok_private.integration_shares s ON s.org_id = m.org_id WHERE m.user_id = p_user
        ) o,
        LATERAL (SELECT i.* FROM hftok_private.integration_rows i WHERE i.id = o.id OFFSET 0) r;
    END;
COMMENT ON FUNCTION hftok_private.integrations_of IS 'The integrations of a user, and those that are shared with their organisations.';
CREATE OR REPLACE FUNCTION hftok_private.visible_integrations() RETURNS SETOF hftok_private.integration_rows
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 10 AS 'MODULE_PATHNAME', 'hftok_visible_integrations';
COMMENT ON FUNCTION hftok_private.visible_integrations IS 'The integrations that the caller sees as a user.';
CREATE OR REPLACE VIEW hftok.integrations WITH (security_barrier) AS
    SELECT r.* FROM hftok_private.integration_rows r
    UNION ALL
    SELECT r.* FROM hftok_private.visible_integrations() r
    WHERE NOT hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', false);
COMMENT ON VIEW hftok.integrations IS 'Integrations that the reader owns or that are shared with them, without credentials. One that is disabled was switched off by its owner where enabled is false, else by the backend.';

CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.integrations
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

CREATE OR REPLACE FUNCTION hftok_private.report_usage(
    p_secret_id uuid, p_scope text, p_owner text, p_provider text, p_requests bigint, p_units bigint, p_cost text,
    p_currency text
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_report_usage';
COMMENT ON FUNCTION hftok_private.report_usage IS 'Has the audit''s writer count usage.';

CREATE OR REPLACE FUNCTION hftok_private.record_usage_as_owner(
    p_secret_id uuid, p_requests bigint, p_units bigint, p_cost numeric,
    p_currency text
) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    IF p_requests < 0 OR p_units < 0 OR p_cost < 0 OR p_cost IN ('NaN', 'Infinity') OR p_currency !~ '^[A-Z]{3}$' THEN
        RAISE EXCEPTION 'usage is not negative, and its currency has three capital letters' USING ERRCODE = '22023';
    END IF;
    IF p_requests > 1000000000000 OR p_units > 1000000000000000 OR p_cost > 1000000000000 OR scale(p_cost) > 30 THEN
        RAISE EXCEPTION 'usage is more than can be counted at once' USING ERRCODE = '22023';
    END IF;
    -- Looked up now: it may be deleted before it is counted.
    PERFORM hftok_private.report_usage(s.id, s.scope, s.scope_id, s.provider, p_requests, p_units, p_cost::text, p_currency)
    FROM hftok_private.secrets s WHERE s.id = p_secret_id AND s.scope <> 'vault';
END
$$;
COMMENT ON FUNCTION hftok_private.record_usage_as_owner IS 'The work of record_usage(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.record_usage(
    p_secret_id uuid, p_requests bigint DEFAULT 1, p_units bigint DEFAULT 0, p_cost numeric DEFAULT 0,
    p_currency text DEFAULT 'USD'
) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_record_usage';
COMMENT ON FUNCTION hftok.record_usage IS 'Counts what was done with a credential today (UTC), soon: nothing is written in the caller''s transaction. NULL or an unknown id does nothing.';

CREATE OR REPLACE VIEW hftok_private.usage_rows WITH (security_barrier) AS
    SELECT u.day, u.provider, u.scope, u.scope_id, u.secret_id, u.requests, u.units, u.cost, u.currency
    FROM hftok_private.usage_daily u
    WHERE hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', true);
COMMENT ON VIEW hftok_private.usage_rows IS 'Usage, for who sees all of it.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.usage_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE FUNCTION hftok_private.usage_of(p_user text) RETURNS SETOF hftok_private.usage_rows
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT r.* FROM hftok_private.usage_rows r WHERE r.scope IN ('user', 'integration') AND r.scope_id = p_user;
    END;
COMMENT ON FUNCTION hftok_private.usage_of IS 'The usage of a user''s credentials.';
CREATE OR REPLACE FUNCTION hftok_private.visible_usage() RETURNS SETOF hftok_private.usage_rows
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 100 AS 'MODULE_PATHNAME', 'hftok_visible_usage';
COMMENT ON FUNCTION hftok_private.visible_usage IS 'The usage that the caller sees as a user or an administrator of the application.';
CREATE OR REPLACE VIEW hftok.usage_daily WITH (security_barrier) AS
    SELECT r.* FROM hftok_private.usage_rows r
    UNION ALL
    SELECT r.* FROM hftok_private.visible_usage() r
    WHERE NOT hftok_private.sees_all('{hftok_owner,hftok_service,hftok_admin,hftok_auditor}', true);
COMMENT ON VIEW hftok.usage_daily IS 'The use of each credential, by day.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.usage_daily
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
-- user_api_keys: the keys of users as a table that clients insert and upsert into. It holds masks; the keys are
-- secrets like all others.
--
-- An upsert shows its new row to BEFORE INSERT, and hands what that leaves on to DO UPDATE. So the key must be sealed and
-- replaced by its mask there, but must not be stored yet: with DO NOTHING it never is. In between, the sealed value waits in
-- the session's memory for the end of the statement.

CREATE OR REPLACE FUNCTION hftok_private.stage_api_key(p_user_id text, p_service text, p_api_key text) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_stage_api_key';
COMMENT ON FUNCTION hftok_private.stage_api_key IS 'Seals a key, keeps it for the end of the statement, and gives its mask.';
CREATE OR REPLACE FUNCTION hftok_private.staged_id(p_user_id text, p_service text) RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_staged_id';
COMMENT ON FUNCTION hftok_private.staged_id IS 'The id that the secret of a key that is kept will have, if there is none yet.';
CREATE OR REPLACE FUNCTION hftok_private.save_staged(p_user_id text, p_service text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_save_staged';
COMMENT ON FUNCTION hftok_private.save_staged IS 'Stores the key that is kept for this user and provider; false when there is none.';
CREATE OR REPLACE FUNCTION hftok_private.clear_staged() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_clear_staged';
COMMENT ON FUNCTION hftok_private.clear_staged IS 'Forgets keys that a statement before this one kept and did not store.';

CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_statement_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    PERFORM hftok_private.clear_staged();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION hftok_private.user_api_keys_statement_as_owner IS 'The work of user_api_keys_statement(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_statement() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_user_api_keys_statement';
COMMENT ON FUNCTION hftok_private.user_api_keys_statement IS 'Begins a statement with nothing kept.';

CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_insert_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    NEW.user_id := hftok_private.identifier(NEW.user_id);
    -- A mask is what a client read before: ON CONFLICT compares it, and a row that is new is refused in the end.
    IF NEW.api_key IS NULL OR strpos(NEW.api_key, '•') = 0 THEN
        NEW.api_key := hftok_private.stage_api_key(NEW.user_id, NEW.service, NEW.api_key);
        NEW.id := hftok_private.staged_id(NEW.user_id, NEW.service);
    ELSE
        NEW.id := gen_random_uuid();
    END IF;
    -- After the seal, which makes the first keys of a database, and before there is a row.
    PERFORM hftok_private.lock_owner('user', NEW.user_id);
    PERFORM FROM hftok_private.secrets s
    WHERE s.scope = 'user' AND s.scope_id = NEW.user_id AND s.provider = NEW.service AND s.model = '' AND s.slot = '' FOR UPDATE;
    NEW.created_at := now();
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hftok_private.user_api_keys_insert_as_owner IS 'The work of user_api_keys_insert(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_insert() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_user_api_keys_insert';
COMMENT ON FUNCTION hftok_private.user_api_keys_insert IS 'Seals a key before there is a row. Ids and times of the client are ignored.';

CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_update_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    IF hftok_private.identifier(NEW.user_id) <> OLD.user_id OR NEW.service <> OLD.service THEN
        RAISE EXCEPTION 'a key cannot be given to another user or service' USING ERRCODE = '22023';
    END IF;
    -- The mask of a key that was inserted just now stands for it; any other is what a client read before, and unchanged.
    IF NEW.api_key IS NULL OR strpos(NEW.api_key, '•') = 0 THEN
        NEW.api_key := hftok_private.stage_api_key(OLD.user_id, OLD.service, NEW.api_key);
    ELSIF NEW.api_key <> OLD.api_key AND NOT hftok_private.is_staged(OLD.user_id, OLD.service, NEW.api_key) THEN
        RAISE EXCEPTION 'the credential is a masked one: it was copied from where only its mask is shown'
            USING ERRCODE = '22023';
    END IF;
    NEW.user_id := OLD.user_id;
    NEW.id := OLD.id;
    NEW.created_at := OLD.created_at;
    -- The secret's trigger sets it when there is another key.
    NEW.updated_at := OLD.updated_at;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hftok_private.user_api_keys_update_as_owner IS 'The work of user_api_keys_update(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_update() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_user_api_keys_update';
COMMENT ON FUNCTION hftok_private.user_api_keys_update IS 'ON CONFLICT DO UPDATE: takes the key that was inserted; a mask that was read means unchanged.';

CREATE OR REPLACE FUNCTION hftok_private.is_staged(p_user_id text, p_service text, p_mask text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_is_staged';
COMMENT ON FUNCTION hftok_private.is_staged IS 'Whether a key with this mask is kept for this user and provider.';

CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_written_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    IF hftok_private.is_staged(NEW.user_id, NEW.service, NEW.api_key) THEN
        PERFORM hftok_private.save_staged(NEW.user_id, NEW.service);
    ELSIF NOT EXISTS (
        SELECT FROM hftok_private.secrets s
        WHERE s.scope = 'user' AND s.scope_id = NEW.user_id AND s.provider = NEW.service AND s.model = '' AND s.slot = ''
        AND s.preview = NEW.api_key
    ) THEN
        -- Either a mask was inserted, or another statement on this view ran within this one.
        RAISE EXCEPTION 'there is no key for this mask' USING ERRCODE = '22023', HINT = 'Send the key itself.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION hftok_private.user_api_keys_written_as_owner IS 'The work of user_api_keys_written(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_written() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_user_api_keys_written';
COMMENT ON FUNCTION hftok_private.user_api_keys_written IS 'Stores a key once its row was written.';

-- Updates and deletes of clients, through the view. The key is locked before any row: ON CONFLICT comes to the row in that
-- order too, and one that locked the row first would wait for it crosswise.
CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_change_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    stored hftok_private.secrets;
BEGIN
    PERFORM hftok_private.lock_owner('user', OLD.user_id);
    IF TG_OP = 'DELETE' THEN
        DELETE FROM hftok_private.secrets s
        WHERE s.scope = 'user' AND s.scope_id = OLD.user_id AND s.provider = OLD.service AND s.model = '' AND s.slot = ''
        RETURNING s.* INTO stored;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        PERFORM hftok_private.record_change('user_api_keys', stored.id, stored.version, NULL, stored.scope, stored.scope_id,
            stored.provider);
        RETURN OLD;
    END IF;
    IF hftok_private.identifier(NEW.user_id) <> OLD.user_id OR NEW.service IS DISTINCT FROM OLD.service THEN
        RAISE EXCEPTION 'a key cannot be given to another user or service' USING ERRCODE = '22023';
    ELSIF strpos(NEW.api_key, '•') > 0 AND NEW.api_key <> OLD.api_key THEN
        RAISE EXCEPTION 'the credential is a masked one: it was copied from where only its mask is shown'
            USING ERRCODE = '22023';
    ELSIF NEW.api_key IS DISTINCT FROM OLD.api_key THEN
        PERFORM hftok_private.clear_staged();
        PERFORM hftok_private.stage_api_key(OLD.user_id, OLD.service, NEW.api_key);
        PERFORM hftok_private.save_staged(OLD.user_id, OLD.service);
    END IF;
    SELECT k.id, k.user_id, k.service, k.api_key, k.created_at, k.updated_at INTO NEW
    FROM hftok_private.user_api_keys k WHERE k.user_id = OLD.user_id AND k.service = OLD.service;
    RETURN CASE WHEN FOUND THEN NEW END;
END
$$;
COMMENT ON FUNCTION hftok_private.user_api_keys_change_as_owner IS 'The work of user_api_keys_change(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_change() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_user_api_keys_change';
COMMENT ON FUNCTION hftok_private.user_api_keys_change IS 'Stores a key that is written anew, or deletes it; a mask that was read means unchanged.';

-- The row follows the secret, whoever changes the secret. The trigger's own writes are no client's, hence the conditions below.
CREATE OR REPLACE FUNCTION hftok_private.secret_written() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    -- This waits for anybody who has the row locked. Writers lock the secret before the row, so none of them waits for this
    -- one. A row that is passed over would show a key that is gone.
    IF TG_OP = 'DELETE' THEN
        DELETE FROM hftok_private.user_api_keys k WHERE k.user_id = OLD.scope_id AND k.service = OLD.provider;
        RETURN NULL;
    END IF;
    UPDATE hftok_private.user_api_keys k
    SET id = NEW.id, api_key = NEW.preview, created_at = NEW.created_at, updated_at = NEW.updated_at
    WHERE k.user_id = NEW.scope_id AND k.service = NEW.provider;
    IF NOT FOUND THEN
        INSERT INTO hftok_private.user_api_keys (id, user_id, service, api_key, created_at, updated_at)
        VALUES (NEW.id, NEW.scope_id, NEW.provider, NEW.preview, NEW.created_at, NEW.updated_at)
        ON CONFLICT (user_id, service) DO NOTHING;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hftok_private.secret_written IS 'Keeps user_api_keys as the secrets are.';

-- BEFORE, because an upsert of clients has the row before there is a secret. The row that the trigger waits for is written anew, and
-- so is a secret that turns out to be there by then.
CREATE OR REPLACE TRIGGER inserted BEFORE INSERT ON hftok_private.secrets FOR EACH ROW
    WHEN (NEW.scope = 'user' AND NEW.model = '' AND NEW.slot = '') EXECUTE FUNCTION hftok_private.secret_written();
-- Only when the row would change: verdicts of the backend lock nothing else.
CREATE OR REPLACE TRIGGER updated AFTER UPDATE ON hftok_private.secrets FOR EACH ROW
    WHEN (NEW.scope = 'user' AND NEW.model = '' AND NEW.slot = ''
        AND (NEW.id, NEW.preview, NEW.updated_at) IS DISTINCT FROM (OLD.id, OLD.preview, OLD.updated_at))
    EXECUTE FUNCTION hftok_private.secret_written();
CREATE OR REPLACE TRIGGER deleted AFTER DELETE ON hftok_private.secrets FOR EACH ROW
    WHEN (OLD.scope = 'user' AND OLD.model = '' AND OLD.slot = '') EXECUTE FUNCTION hftok_private.secret_written();

CREATE OR REPLACE TRIGGER a_statement BEFORE INSERT OR UPDATE ON hftok_private.user_api_keys FOR EACH STATEMENT
    WHEN (current_user <> 'hftok_owner') EXECUTE FUNCTION hftok_private.user_api_keys_statement();
CREATE OR REPLACE TRIGGER b_insert BEFORE INSERT ON hftok_private.user_api_keys FOR EACH ROW
    WHEN (current_user <> 'hftok_owner') EXECUTE FUNCTION hftok_private.user_api_keys_insert();
CREATE OR REPLACE TRIGGER b_update BEFORE UPDATE ON hftok_private.user_api_keys FOR EACH ROW
    WHEN (current_user <> 'hftok_owner') EXECUTE FUNCTION hftok_private.user_api_keys_update();
CREATE OR REPLACE TRIGGER c_written AFTER INSERT OR UPDATE ON hftok_private.user_api_keys FOR EACH ROW
    WHEN (current_user <> 'hftok_owner') EXECUTE FUNCTION hftok_private.user_api_keys_written();

CREATE OR REPLACE VIEW hftok.user_api_keys WITH (security_invoker) AS
    SELECT k.id, k.user_id, k.service, k.api_key, k.created_at, k.updated_at FROM hftok_private.user_api_keys k;
COMMENT ON VIEW hftok.user_api_keys IS
    'The keys of users, one a service, masked. A key that is written here is sealed before there is a row; the mask written back means unchanged.';
CREATE OR REPLACE TRIGGER change INSTEAD OF UPDATE OR DELETE ON hftok.user_api_keys
    FOR EACH ROW EXECUTE FUNCTION hftok_private.user_api_keys_change();
-- The audit as it is read, verified and purged.

-- What is asked for is looked for before a row is made of it, so a search costs little where little is found.
CREATE OR REPLACE FUNCTION hftok_private.unpacked(
    p_last_id bigint, p_count int, p_body bytea,
    p_kind text DEFAULT NULL, p_who text DEFAULT NULL, p_object_id uuid DEFAULT NULL, p_role text DEFAULT NULL
) RETURNS SETOF hftok_private.audit_event
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 256 AS 'MODULE_PATHNAME', 'hftok_unpacked';
COMMENT ON FUNCTION hftok_private.unpacked IS 'The events of a bundle, or those of a kind, of somebody, about an object or by a role.';
CREATE OR REPLACE FUNCTION hftok_private.may_hold(p_filter_key bytea, p_filter bytea, p_sort text, p_value text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_may_hold';
COMMENT ON FUNCTION hftok_private.may_hold IS 'Whether a bundle may hold somebody (who), an object, a role or a kind. A hint: false is certain.';

CREATE OR REPLACE VIEW hftok_private.audit_of_rows WITH (security_barrier) AS
    SELECT a.id, a.at, a.role_name, a.outer_role, a.login_role, a.actor_user, a.kind, a.action, a.object_id, a.version,
        a.owner_scope, a.owner_id, a.provider, a.level, a.subject, a.outcome, a.count, a.protected, a.client_addr,
        a.application_name, a.request_id,
        pg_catalog.encode(a.digest, 'hex') AS digest, pg_catalog.encode(a.chain_hash, 'hex') AS chain_hash
    FROM hftok_private.audit a;
COMMENT ON VIEW hftok_private.audit_of_rows IS 'The events that have a row each.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.audit_of_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

CREATE OR REPLACE VIEW hftok_private.audit_rows WITH (security_barrier) AS
    SELECT a.* FROM hftok_private.audit_of_rows a
    WHERE hftok_private.sees_all('{hftok_owner,hftok_admin,hftok_auditor}', true)
    UNION ALL
    SELECT e.* FROM hftok_private.audit_bundles b, LATERAL hftok_private.unpacked(b.last_id, b.count, CASE WHEN pg_catalog.octet_length(b.body) <= 4194304 THEN b.body END) e
    WHERE hftok_private.sees_all('{hftok_owner,hftok_admin,hftok_auditor}', true);
COMMENT ON VIEW hftok_private.audit_rows IS 'The audit, for who sees all of it.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.audit_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

-- Conditions that the view cannot push into a bundle. Without settings of its own and with its names bound here, the function becomes part of
-- the statement that calls it, whose plan is for the values at hand: what is NULL costs nothing, and indexes serve the rest.
CREATE OR REPLACE FUNCTION hftok_private.events_found(
    p_from timestamptz, p_to timestamptz, p_who text, p_object_id uuid, p_role text, p_kind text
) RETURNS SETOF hftok_private.audit_event
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT a.* FROM hftok_private.audit_of_rows a
        WHERE (p_from IS NULL OR a.at >= p_from) AND (p_to IS NULL OR a.at < p_to) AND (p_kind IS NULL OR a.kind = p_kind)
        AND (p_object_id IS NULL OR a.object_id = p_object_id OR a.subject = p_object_id::text)
        AND (p_who IS NULL OR a.actor_user = p_who OR a.owner_id = p_who OR a.subject = p_who)
        AND (p_role IS NULL OR p_role IN (a.role_name, a.outer_role, a.login_role))
        UNION ALL
        SELECT e.* FROM hftok_private.audit_bundles b,
            LATERAL hftok_private.unpacked(b.last_id, b.count, CASE WHEN pg_catalog.octet_length(b.body) <= 4194304 THEN b.body END, p_kind, p_who, p_object_id, p_role) e
        WHERE (p_from IS NULL OR b.last_at >= p_from) AND (p_to IS NULL OR b.first_at < p_to)
        AND (p_kind IS NULL OR hftok_private.may_hold(CASE WHEN pg_catalog.octet_length(b.filter_key) <= 16 THEN b.filter_key ELSE '' END, b.filter, 'kind', p_kind))
        AND (p_who IS NULL OR hftok_private.may_hold(CASE WHEN pg_catalog.octet_length(b.filter_key) <= 16 THEN b.filter_key ELSE '' END, b.filter, 'who', p_who))
        AND (p_object_id IS NULL OR hftok_private.may_hold(CASE WHEN pg_catalog.octet_length(b.filter_key) <= 16 THEN b.filter_key ELSE '' END, b.filter, 'object', p_object_id::text))
        AND (p_role IS NULL OR hftok_private.may_hold(CASE WHEN pg_catalog.octet_length(b.filter_key) <= 16 THEN b.filter_key ELSE '' END, b.filter, 'role', p_role))
        AND (p_from IS NULL OR e.at >= p_from) AND (p_to IS NULL OR e.at < p_to);
    END;
COMMENT ON FUNCTION hftok_private.events_found IS 'The events between two times, of somebody, about an object, by a role, of a kind.';
-- The same from the newest on. Each part comes in the order of its index and stops early, so it reads the table: the planner looks for no
-- order behind a security_barrier.
CREATE OR REPLACE FUNCTION hftok_private.newest_events_found(
    p_from timestamptz, p_to timestamptz, p_who text, p_object_id uuid, p_role text, p_kind text, p_newest int
) RETURNS SETOF hftok_private.audit_event
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT f.* FROM (
            (SELECT a.id, a.at, a.role_name, a.outer_role, a.login_role, a.actor_user, a.kind, a.action, a.object_id, a.version,
                a.owner_scope, a.owner_id, a.provider, a.level, a.subject, a.outcome, a.count, a.protected, a.client_addr,
                a.application_name, a.request_id, pg_catalog.encode(a.digest, 'hex'), pg_catalog.encode(a.chain_hash, 'hex')
            FROM hftok_private.audit a
            WHERE (p_from IS NULL OR a.at >= p_from) AND (p_to IS NULL OR a.at < p_to) AND (p_kind IS NULL OR a.kind = p_kind)
            AND (p_object_id IS NULL OR a.object_id = p_object_id OR a.subject = p_object_id::text)
            AND (p_who IS NULL OR a.actor_user = p_who OR a.owner_id = p_who OR a.subject = p_who)
            AND (p_role IS NULL OR p_role IN (a.role_name, a.outer_role, a.login_role))
            ORDER BY a.id DESC LIMIT p_newest)
            UNION ALL
            (SELECT e.* FROM hftok_private.audit_bundles b,
                LATERAL hftok_private.unpacked(b.last_id, b.count, CASE WHEN pg_catalog.octet_length(b.body) <= 4194304 THEN b.body END, p_kind, p_who, p_object_id, p_role) e
            WHERE (p_from IS NULL OR b.last_at >= p_from) AND (p_to IS NULL OR b.first_at < p_to)
            AND (p_kind IS NULL OR hftok_private.may_hold(CASE WHEN pg_catalog.octet_length(b.filter_key) <= 16 THEN b.filter_key ELSE '' END, b.filter, 'kind', p_kind))
            AND (p_who IS NULL OR hftok_private.may_hold(CASE WHEN pg_catalog.octet_length(b.filter_key) <= 16 THEN b.filter_key ELSE '' END, b.filter, 'who', p_who))
            AND (p_object_id IS NULL OR hftok_private.may_hold(CASE WHEN pg_catalog.octet_length(b.filter_key) <= 16 THEN b.filter_key ELSE '' END, b.filter, 'object', p_object_id::text))
            AND (p_role IS NULL OR hftok_private.may_hold(CASE WHEN pg_catalog.octet_length(b.filter_key) <= 16 THEN b.filter_key ELSE '' END, b.filter, 'role', p_role))
            AND (p_from IS NULL OR e.at >= p_from) AND (p_to IS NULL OR e.at < p_to)
            ORDER BY b.last_id DESC, e.id DESC LIMIT p_newest)
        ) f ORDER BY f.id DESC LIMIT p_newest;
    END;
COMMENT ON FUNCTION hftok_private.newest_events_found IS 'The newest events between two times, of somebody, about an object, by a role, of a kind.';

-- A user's events are found by indexes, and in bundles by their filters; whose they are is looked at again in each event.
CREATE OR REPLACE FUNCTION hftok_private.audit_events_of(p_user text) RETURNS SETOF hftok_private.audit_rows
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        -- From where others came is not for a user whose secret they used, nor which global credential it was.
        SELECT a.id, a.at, a.role_name, CASE WHEN o.is_own THEN a.outer_role END, CASE WHEN o.is_own THEN a.login_role END,
            a.actor_user, a.kind, a.action, CASE WHEN o.is_shown THEN a.object_id END, CASE WHEN o.is_shown THEN a.version END,
            a.owner_scope, a.owner_id, a.provider, a.level, a.subject, a.outcome, a.count, a.protected,
            CASE WHEN o.is_own THEN a.client_addr END, CASE WHEN o.is_own THEN a.application_name END,
            CASE WHEN o.is_own THEN a.request_id END, a.digest,
            -- A hash over all of it, without a key: whoever has it finds what is kept back by trying.
            CASE WHEN o.is_own AND o.is_shown THEN a.chain_hash END
        FROM (
                SELECT r.* FROM hftok_private.audit_of_rows r
                WHERE r.actor_user = p_user OR r.subject = p_user OR r.owner_id = p_user
                UNION ALL
                SELECT e.* FROM hftok_private.audit_bundles b, LATERAL hftok_private.unpacked(b.last_id, b.count, CASE WHEN pg_catalog.octet_length(b.body) <= 4194304 THEN b.body END, NULL, p_user) e
                WHERE hftok_private.may_hold(CASE WHEN pg_catalog.octet_length(b.filter_key) <= 16 THEN b.filter_key ELSE '' END, b.filter, 'who', p_user)
            ) a,
            LATERAL (SELECT coalesce(a.actor_user = p_user, false) AS is_own, a.owner_scope IS DISTINCT FROM 'global' AS is_shown) o
        WHERE a.actor_user = p_user OR a.subject = p_user OR a.owner_scope IN ('user', 'integration') AND a.owner_id = p_user;
    END;
COMMENT ON FUNCTION hftok_private.audit_events_of IS
    'What a user did and what was done with what is theirs.';
CREATE OR REPLACE FUNCTION hftok_private.visible_audit_events() RETURNS SETOF hftok_private.audit_rows
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 1000 AS 'MODULE_PATHNAME', 'hftok_visible_audit_events';
COMMENT ON FUNCTION hftok_private.visible_audit_events IS 'The events that the caller sees as a user or an administrator of the application.';

CREATE OR REPLACE VIEW hftok.audit_events WITH (security_barrier) AS
    SELECT a.* FROM hftok_private.audit_rows a
    UNION ALL
    SELECT a.* FROM hftok_private.visible_audit_events() a WHERE NOT hftok_private.sees_all('{hftok_owner,hftok_admin,hftok_auditor}', true);
COMMENT ON VIEW hftok.audit_events IS
    'Events of the audit: what was done, by whom, from where. A user sees what they did and what was done with what is theirs. In a long audit find_audit_events() is faster than a condition. Newest events may be missing for as long as hftok.audit_flush_interval.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.audit_events
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

CREATE OR REPLACE FUNCTION hftok.find_audit_events(
    p_from timestamptz DEFAULT NULL, p_to timestamptz DEFAULT NULL, p_user text DEFAULT NULL, p_object_id uuid DEFAULT NULL,
    p_role text DEFAULT NULL, p_kind text DEFAULT NULL, p_newest int DEFAULT NULL
) RETURNS SETOF hftok.audit_events
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 1000 AS 'MODULE_PATHNAME', 'hftok_find_audit_events';
COMMENT ON FUNCTION hftok.find_audit_events IS
    'The events that view audit_events shows to an auditor, between two times, of one user, about one object, by one role, of one kind: fast in an audit of any length, because what cannot hold such an event is not read. p_newest: no more than so many, the newest first.';

CREATE OR REPLACE FUNCTION hftok.verify_audit(p_from bigint DEFAULT NULL, p_to bigint DEFAULT NULL, p_head text DEFAULT NULL)
    RETURNS hftok.verified_audit
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_verify_audit';
COMMENT ON FUNCTION hftok.verify_audit IS
    'Holds the events from p_from to p_to against the tree, and the tree against the newest checkpoint that hftok has signed and against p_head, which audit_head() gave earlier. ok is NULL when there was nothing to check. That the newest events were cut off is noticed by the server that wrote them, and after its next start only with p_head.';

CREATE OR REPLACE FUNCTION hftok.audit_head() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_audit_head';
COMMENT ON FUNCTION hftok.audit_head IS 'The newest checkpoint: how many events there are and the root of their tree, signed. To be kept outside the database, and given to verify_audit() or audit_consistency(). NULL before the first event.';

CREATE OR REPLACE FUNCTION hftok.audit_public_key() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_audit_public_key';
COMMENT ON FUNCTION hftok.audit_public_key IS 'The key that checkpoints and proofs are checked with, without hftok (docs/audit-format.md). NULL before the first event.';

CREATE OR REPLACE FUNCTION hftok.audit_proof(p_id bigint) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_audit_proof';
COMMENT ON FUNCTION hftok.audit_proof IS 'One event with the proof that it is in the log: whoever has audit_public_key() sees it without the others.';

CREATE OR REPLACE FUNCTION hftok.audit_consistency(p_head text) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_audit_consistency';
COMMENT ON FUNCTION hftok.audit_consistency IS 'The proof that the log has only grown since p_head, which audit_head() gave earlier.';

CREATE OR REPLACE FUNCTION hftok.audit_tiles(p_from bigint DEFAULT 0) RETURNS TABLE (path text, content bytea)
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 1000 AS 'MODULE_PATHNAME', 'hftok_audit_tiles';
COMMENT ON FUNCTION hftok.audit_tiles IS 'The log as files that others verify without hftok (docs/audit-format.md), from those that cover event p_from on. Events that were purged have no entries.';

CREATE OR REPLACE FUNCTION hftok.purge_audit(p_before timestamptz) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_purge_audit';
COMMENT ON FUNCTION hftok.purge_audit IS
    'Removes events that are older than p_before, 256 at a time, if they verify; the hashes above them stay, so the rest and every older checkpoint still verify. Says how many they were.';

CREATE OR REPLACE FUNCTION hftok_private.record_verify() RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_record_verify';
COMMENT ON FUNCTION hftok_private.record_verify IS 'Has everything written that is to be, and the audit tell that verify() was called.';

CREATE OR REPLACE FUNCTION hftok_private.pending_event(p_event bytea, p_protection bytea, p_transaction bigint) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_pending_event';
COMMENT ON FUNCTION hftok_private.pending_event IS 'An event that is not written yet, as JSON; NULL unless it is protected for the transaction that put it there.';

CREATE OR REPLACE FUNCTION hftok_private.audit_state() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_audit_state';
COMMENT ON FUNCTION hftok_private.audit_state IS 'How the audit of this database is doing, as JSON.';

-- A transaction that took only a RowShareLock has locked rows. A prepared transaction has the virtual id of the session that made it, until
-- the server is started again; the lock on its own number says which it is.
CREATE OR REPLACE FUNCTION hftok_private.audit_holders(p_writer int) RETURNS TABLE (name text, mode text, holder text, remedy text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH locks AS (SELECT l.* FROM pg_locks l WHERE l.granted)
    SELECT DISTINCT c.relname::text, l.mode,
        CASE WHEN l.pid IS NULL THEN format('prepared transaction %L', p.gid)
            ELSE concat('process ', l.pid, ' of role ' || quote_ident(a.usename)) END,
        CASE WHEN l.pid IS NULL THEN format('ROLLBACK PREPARED %L', p.gid)
            ELSE format('pg_terminate_backend(%s)', l.pid) END
    FROM locks l JOIN pg_class c ON c.oid = l.relation
    LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    LEFT JOIN (
        SELECT x.virtualtransaction, t.gid FROM locks x JOIN pg_prepared_xacts t ON t.transaction = x.transactionid
        WHERE x.locktype = 'transactionid' AND x.pid IS NULL
    ) p ON l.pid IS NULL AND p.virtualtransaction = l.virtualtransaction
    WHERE l.locktype = 'relation' AND l.pid IS DISTINCT FROM p_writer
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND c.relnamespace = 'hftok_private'::regnamespace
    AND c.relname IN ('audit', 'audit_bundles', 'audit_nodes', 'audit_checkpoints', 'audit_pending')
    -- One that has ended since the locks were read.
    AND (l.pid IS NOT NULL OR p.gid IS NOT NULL)
$$;
COMMENT ON FUNCTION hftok_private.audit_holders IS 'Sessions and prepared transactions with locks on the tables of the audit, but not its writer, each with how to end it.';

-- Asked only when the writer is held up, so it may name a session that only might be the one.
CREATE OR REPLACE FUNCTION hftok_private.audit_trouble(p_writer int) RETURNS text
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH held AS (
        SELECT h.*, h.mode NOT IN ('RowExclusiveLock', 'RowShareLock') AS is_shut FROM hftok_private.audit_holders(p_writer) h
        -- The writer itself wants a RowExclusiveLock. Whoever has one may have written the number that comes next, and whoever has a
        -- RowShareLock may have locked a row that the writer is to move.
        WHERE h.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        OR h.mode IN ('RowExclusiveLock', 'RowShareLock') AND h.name <> 'audit_pending'
    )
    SELECT string_agg(t.told, '; ') FROM (
        SELECT format('%s holds %s on hftok_private.%s until its transaction ends (%s)', h.holder, h.mode, h.name, h.remedy) AS told
        FROM held h WHERE h.is_shut
        UNION ALL
        SELECT format('%s has %s hftok_private.%s in a transaction that is open (%s)', h.holder,
            CASE h.mode WHEN 'RowShareLock' THEN 'locked rows of' ELSE 'written to' END, h.name, h.remedy)
        FROM held h WHERE NOT EXISTS (SELECT FROM held s WHERE s.is_shut)
        UNION ALL
        SELECT format('index %1$s on hftok_private.%2$s, which hftok did not make, refuses events (DROP INDEX %1$s)', x.indexrelid::regclass, o.relname)
        FROM pg_index x JOIN pg_class o ON o.oid = x.indrelid JOIN pg_class c ON c.oid = x.indexrelid
        WHERE o.relnamespace = 'hftok_private'::regnamespace
        AND o.relname IN ('audit', 'audit_bundles', 'audit_nodes', 'audit_checkpoints', 'audit_pending')
        AND NOT x.indisprimary AND (x.indisunique OR x.indisexclusion
            OR (x.indexprs IS NOT NULL OR x.indpred IS NOT NULL)
            AND c.relname NOT IN ('audit_changes', 'audit_actor', 'audit_owner', 'audit_subject'))
    ) t
$$;
COMMENT ON FUNCTION hftok_private.audit_trouble IS 'Sessions and indexes that keep the writer from its tables, each with the remedy; NULL when there are none.';

-- A writer passes over rows that are locked, and is not held up by them. A row that was never locked has no xmax: it is not late because of
-- anybody, and neither are those of the caller's own transaction.
CREATE OR REPLACE FUNCTION hftok_private.pending_trouble(p_writer int, p_age interval) RETURNS text
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    SELECT string_agg(t.told, '; ') FROM (
        SELECT format('%s has %s hftok_private.audit_pending in a transaction that is open, and keeps events there (%s)', h.holder,
            CASE h.mode WHEN 'RowShareLock' THEN 'locked rows of' ELSE 'written to' END, h.remedy) AS told
        FROM hftok_private.audit_holders(p_writer) h
        WHERE h.name = 'audit_pending' AND h.mode IN ('RowShareLock', 'RowExclusiveLock')
        UNION ALL
        -- A trigger can leave a row where it is. The writer, which asks for any age, does not stay until somebody drops it.
        SELECT format('trigger %1$I on hftok_private.audit_pending, which hftok did not make, keeps events there '
            '(DROP TRIGGER %1$I ON hftok_private.audit_pending)', g.tgname)
        FROM pg_trigger g
        WHERE g.tgrelid = 'hftok_private.audit_pending'::regclass AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND p_age IS NOT NULL
    ) t
    WHERE EXISTS (
        SELECT FROM hftok_private.audit_pending p
        WHERE p.xmax <> '0' AND (p_age IS NULL OR p.at < clock_timestamp() - p_age)
    )
$$;
COMMENT ON FUNCTION hftok_private.pending_trouble IS 'Sessions, prepared transactions and triggers that may keep events of some age, or any, from the writer, each with the remedy; NULL when no event is kept.';

-- The last event of each object: in the log, and after it among the events that are still to be written.
CREATE OR REPLACE VIEW hftok_private.changes WITH (security_barrier) AS
    SELECT a.id, NULL::timestamptz AS at, a.action = 'carried_over' AS is_carried, a.object_id, a.version, a.digest,
        a.owner_scope, a.owner_id, a.provider, a.level, a.subject, a.protected AS is_protected
    FROM hftok_private.audit a
    -- An unprotected event counts only where it tells of a deletion: that is believed, and told. Every other change is to be
    -- recorded again.
    WHERE a.kind = 'change' AND a.outcome = 'committed' AND (a.protected OR a.digest IS NULL AND a.level IS NULL)
    AND a.id > 0
    UNION ALL
    SELECT 9223372036854775807, p.at, e.event ->> 'action' = 'carried_over', (e.event ->> 'object_id')::uuid, (e.event ->> 'version')::int,
        pg_catalog.decode(e.event ->> 'digest', 'hex'), e.event ->> 'owner_scope', e.event ->> 'owner_id',
        e.event ->> 'provider', e.event ->> 'level', e.event ->> 'subject', true
    FROM hftok_private.audit_pending p,
        -- OFFSET 0: decoded once a row, not once a field.
        LATERAL (SELECT hftok_private.pending_event(
            CASE WHEN pg_catalog.octet_length(p.event) <= 16384 THEN p.event END,
            CASE WHEN pg_catalog.octet_length(p.protection) <= 36 THEN p.protection END, p.xmin::text::bigint)::jsonb -> 'hftok_audit' AS event OFFSET 0) e
    WHERE e.event ->> 'kind' = 'change' AND e.event ->> 'outcome' = 'committed';
COMMENT ON VIEW hftok_private.changes IS 'Every committed change that the audit tells of. Of what is still to be written only what is protected.';

-- For people who look after a server. The bundles are read and added up inside, because a row for each event costs twenty times as much.
CREATE OR REPLACE FUNCTION hftok_private.reveals(p_by_reader boolean)
    RETURNS TABLE (
        role_name text, actor_user text, application_name text, action text, object_id uuid, owner_scope text, owner_id text,
        provider text, reveals bigint, first_at timestamptz, last_at timestamptz, protected boolean
    )
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 1000 AS 'MODULE_PATHNAME', 'hftok_reveals';
COMMENT ON FUNCTION hftok_private.reveals IS
    'Reveals added up: those of the last day by reader, or all by application, for those who were granted recent_reveals or new_applications. Sums that work_mem does not hold at once are made one part after the other.';

CREATE OR REPLACE VIEW hftok.recent_reveals WITH (security_barrier) AS
    SELECT r.role_name, r.actor_user, r.application_name, r.action, r.object_id, r.owner_scope, r.owner_id, r.provider,
        r.reveals, r.first_at, r.last_at, r.protected
    FROM hftok_private.reveals(true) r;
COMMENT ON VIEW hftok.recent_reveals IS 'Values that were read in the last day, and their readers. An unprotected event may have been made up by somebody who can write to the tables.';

CREATE OR REPLACE VIEW hftok.refusals_by_role WITH (security_barrier) AS
    SELECT a.role_name, a.login_role, a.action, a.outcome, least(sum(a.count), 9223372036854775807)::bigint AS refusals,
        count(DISTINCT a.actor_user) AS users, min(a.at) AS first_at, max(a.at) AS last_at, a.protected
    FROM hftok_private.audit_bundles b, LATERAL hftok_private.unpacked(b.last_id, b.count, CASE WHEN pg_catalog.octet_length(b.body) <= 4194304 THEN b.body END, 'refusal') a
    WHERE hftok_private.may_hold(CASE WHEN pg_catalog.octet_length(b.filter_key) <= 16 THEN b.filter_key ELSE '' END, b.filter, 'kind', 'refusal')
    GROUP BY a.role_name, a.login_role, a.action, a.outcome, a.protected;
COMMENT ON VIEW hftok.refusals_by_role IS 'Refusals by role, with the reason of each. An unprotected event may have been made up by somebody who can write to the tables.';

CREATE OR REPLACE VIEW hftok.unused_secrets WITH (security_barrier) AS
    SELECT s.id AS secret_id, s.scope, s.scope_id, s.provider, s.model, nullif(s.name, '') AS name, s.label, s.created_at
    FROM hftok_private.secrets s
    WHERE NOT EXISTS (SELECT FROM hftok_private.secret_usage u WHERE u.secret_id = s.id AND u.use_count > 0);
COMMENT ON VIEW hftok.unused_secrets IS 'Secrets that nobody ever read.';

CREATE OR REPLACE VIEW hftok.new_applications WITH (security_barrier) AS
    WITH used AS (
        SELECT r.object_id, r.application_name, r.protected, r.first_at, r.reveals
        FROM hftok_private.reveals(false) r WHERE r.object_id IS NOT NULL
    )
    SELECT coalesce(i.secret_id, n.object_id) AS secret_id, s.scope, s.scope_id, s.provider, nullif(s.name, '') AS name, n.application_name,
        n.first_at, n.reveals, n.protected
    FROM used n LEFT JOIN hftok_private.integrations i ON i.id = n.object_id
    LEFT JOIN hftok_private.secrets s ON s.id = coalesce(i.secret_id, n.object_id)
    WHERE n.first_at > pg_catalog.now() - interval '7 days'
    AND EXISTS (
        SELECT FROM used f
        WHERE f.object_id = n.object_id AND f.first_at < n.first_at AND f.protected
        AND f.application_name IS DISTINCT FROM n.application_name
    );
COMMENT ON VIEW hftok.new_applications IS
    'Secrets that were read in the last week by an application that had not read them before, while another had.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.recent_reveals
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.refusals_by_role
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.unused_secrets
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.new_applications
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
-- Moving in, what is remembered of each row: what became of it, and by keyed fingerprints whether it is still the same.
--
-- Must stay true: what leaves these functions, into a report or an error, is keys and constant words, never a value.

CREATE OR REPLACE FUNCTION hftok_private.import_fingerprints(p_text text, p_is_named boolean DEFAULT false) RETURNS bytea[]
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_fingerprints';
COMMENT ON FUNCTION hftok_private.import_fingerprints IS
    'The keyed fingerprints of what a source holds, white space around it left out as when it is saved, unless it is a named secret.';

CREATE OR REPLACE FUNCTION hftok_private.import_line(p_line hftok_private.import_rows) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    INSERT INTO hftok_private.import_rows AS r SELECT p_line.*
    ON CONFLICT (source, key, dry_run) DO UPDATE SET
        outcome = excluded.outcome, reason = excluded.reason, seen = excluded.seen, run = excluded.run, at = excluded.at,
        -- The memory of the import stays, unless there is a new one, or the row is now for somebody else.
        (secret_id, version, fingerprints) = (
            SELECT m.secret_id, m.version, m.fingerprints
            FROM (VALUES
                (excluded.secret_id, excluded.version, excluded.fingerprints, excluded.secret_id IS NOT NULL),
                (r.secret_id, r.version, r.fingerprints, excluded.scope IS NULL OR ((r.scope, r.scope_id) = (excluded.scope, excluded.scope_id)
                    AND (excluded.provider IS NULL OR (r.provider, r.model) = (excluded.provider, excluded.model)))),
                (NULL, NULL, NULL, true)
            ) AS m (secret_id, version, fingerprints, holds) WHERE m.holds LIMIT 1
        ),
        -- A row that was not imported may have no more than an owner.
        (scope, scope_id, provider, model) = (
            SELECT a.scope, a.scope_id, a.provider, a.model
            FROM (VALUES
                (r.scope, r.scope_id, r.provider, r.model, excluded.scope IS NULL
                    OR (excluded.provider IS NULL AND (r.scope, r.scope_id) = (excluded.scope, excluded.scope_id))),
                (excluded.scope, excluded.scope_id, excluded.provider, excluded.model, true)
            ) AS a (scope, scope_id, provider, model, holds) WHERE a.holds LIMIT 1
        );
    IF NOT p_line.dry_run THEN
        DELETE FROM hftok_private.import_rows r WHERE r.source = p_line.source AND r.key = p_line.key AND r.dry_run;
    END IF;
    RETURN p_line.outcome;
END
$$;
COMMENT ON FUNCTION hftok_private.import_line IS 'Writes what became of a row.';

-- Forgets what was imported from a row whose bytes are still the same, but now open to another value.
CREATE OR REPLACE FUNCTION hftok_private.import_forget(p_source text, p_key text, p_stored text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    kept hftok_private.import_rows;
    is_same boolean;
BEGIN
    SELECT r.* INTO kept FROM hftok_private.import_rows r
    WHERE r.source = p_source COLLATE "default" AND r.key = p_key COLLATE "default" AND NOT r.dry_run AND r.fingerprints IS NOT NULL;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    is_same := kept.fingerprints && hftok_private.import_fingerprints(p_stored);
    PERFORM hftok_private.record_comparison('import_value', CASE WHEN is_same THEN 'found' ELSE 'not_found' END,
        kept.secret_id, kept.version, kept.scope, kept.scope_id, kept.provider, is_same);
    IF is_same THEN
        UPDATE hftok_private.import_rows r SET secret_id = NULL, version = NULL, fingerprints = NULL
        WHERE r.source = kept.source AND r.key = kept.key AND NOT r.dry_run;
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.import_forget IS 'Forgets what was imported from a row, if it still holds the same.';

CREATE OR REPLACE FUNCTION hftok_import.import_note(
    p_source text, p_key text, p_outcome text, p_reason text DEFAULT NULL, p_run uuid DEFAULT NULL, p_dry_run boolean DEFAULT false
) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    line hftok_private.import_rows;
    kept hftok_private.import_rows;
BEGIN
    IF p_source IS NULL OR p_source = '' OR p_outcome IS NULL OR length(p_reason) > 4000
        OR p_outcome <> ALL ('{imported,unchanged,skipped,rejected,blank,blanked,discarded,changed,summary,remains}')
        OR (p_key IS NULL) <> (p_outcome IN ('summary', 'remains')) THEN
        RAISE EXCEPTION 'a line needs a source, an outcome, and a key unless it is a summary; a reason has 4000 characters at most'
            USING ERRCODE = '22023';
    END IF;
    IF p_key IS NULL THEN
        INSERT INTO hftok_private.import_sources AS s (source, summary, remains)
        VALUES (p_source, CASE WHEN p_outcome = 'summary' THEN p_reason END, CASE WHEN p_outcome = 'remains' THEN p_reason END)
        ON CONFLICT (source) DO UPDATE
        SET summary = coalesce(excluded.summary, s.summary), remains = coalesce(excluded.remains, s.remains), at = excluded.at;
        RETURN p_outcome;
    END IF;
    -- Compared as fields of a row, which have its collation: that of a parameter is the caller's, and then no index serves.
    line.source := p_source;
    line.key := p_key;
    SELECT r.* INTO kept FROM hftok_private.import_rows r WHERE r.source = line.source AND r.key = line.key AND NOT r.dry_run;
    -- Why a value was not imported says more than that it is still there; and a duplicate that was edited is no new value.
    IF p_outcome = 'changed' AND (kept.key IS NULL
        OR (kept.fingerprints IS NULL AND kept.outcome IN ('rejected', 'duplicate', 'skipped'))) THEN
        RETURN coalesce(kept.outcome, p_outcome);
    ELSIF p_outcome = 'blanked' AND NOT EXISTS (SELECT FROM hftok_private.secrets s WHERE s.id = kept.secret_id) THEN
        RAISE EXCEPTION 'hftok does not hold what was imported' USING ERRCODE = '22023';
    END IF;
    line.dry_run := coalesce(p_dry_run, false);
    -- The outcome "it was emptied" says more than "it is blank".
    line.outcome := CASE WHEN p_outcome = 'blank' AND kept.outcome IN ('blanked', 'discarded') THEN kept.outcome ELSE p_outcome END;
    line.reason := p_reason;
    line.run := p_run;
    line.at := now();
    PERFORM hftok_private.import_line(line);
    IF p_outcome = 'blanked' THEN
        UPDATE hftok_private.import_rows r SET fingerprints = NULL
        WHERE r.source = line.source AND r.key = line.key AND NOT r.dry_run;
    END IF;
    RETURN line.outcome;
END
$$;
COMMENT ON FUNCTION hftok_import.import_note IS
    'Writes into import_report what became of a row that has no value to import (it does not open, say), and of a source as a whole (summary, remains). Never put a value into the reason.';

-- Emptying the column destroys what may be the only other copy: so hftok's own is opened first.
CREATE OR REPLACE FUNCTION hftok_private.import_holds_as_owner(p_source text, p_key text, p_column text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    -- Asked first, also when there is no such row: it refuses GET.
    given bytea[] := hftok_private.import_fingerprints(coalesce(p_column, ''));
    kept hftok_private.import_rows;
    held hftok_private.secrets;
    is_same boolean;
BEGIN
    SELECT r.* INTO kept FROM hftok_private.import_rows r
    WHERE r.source = p_source COLLATE "default" AND r.key = p_key COLLATE "default" AND NOT r.dry_run AND r.fingerprints IS NOT NULL;
    SELECT s.* INTO held FROM hftok_private.secrets s WHERE s.id = kept.secret_id;
    IF p_column IS NULL OR held.id IS NULL THEN
        RETURN false;
    END IF;
    is_same := kept.fingerprints && given;
    PERFORM hftok_private.record_comparison('import_holds', CASE WHEN is_same THEN 'found' ELSE 'not_found' END,
        held.id, kept.version, kept.scope, kept.scope_id, kept.provider, is_same);
    RETURN is_same AND hftok_private.value_fault(held.id, held.version, held.scope, held.scope_id, held.provider, held.model, held.name, held.slot, held.kind,
        held.allowed_hosts, held.expires_at, held.sealed, held.preview, held.fingerprint, held.binding_key) IS NULL;
END
$$;
COMMENT ON FUNCTION hftok_private.import_holds_as_owner IS 'The work of import_holds(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_import.import_holds(p_source text, p_key text, p_column text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_holds';
COMMENT ON FUNCTION hftok_import.import_holds IS
    'Whether a column still holds what was imported from it, and hftok has a secret for it that opens.';

CREATE OR REPLACE FUNCTION hftok_private.import_saw_as_owner(p_source text, p_key text, p_column text, p_outcomes text[]) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    given bytea[] := hftok_private.import_fingerprints(coalesce(p_column, ''));
    kept hftok_private.import_rows;
    is_same boolean;
BEGIN
    SELECT r.* INTO kept FROM hftok_private.import_rows r
    WHERE r.source = p_source COLLATE "default" AND r.key = p_key COLLATE "default" AND NOT r.dry_run
    AND r.outcome = ANY (p_outcomes) AND r.seen IS NOT NULL;
    IF p_column IS NULL OR kept.key IS NULL THEN
        RETURN false;
    END IF;
    is_same := kept.seen && given;
    PERFORM hftok_private.record_comparison('import_saw', CASE WHEN is_same THEN 'found' ELSE 'not_found' END,
        kept.secret_id, kept.version, kept.scope, kept.scope_id, kept.provider, is_same);
    RETURN is_same;
END
$$;
COMMENT ON FUNCTION hftok_private.import_saw_as_owner IS 'The work of import_saw(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_import.import_saw(p_source text, p_key text, p_column text, p_outcomes text[]) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_saw';
COMMENT ON FUNCTION hftok_import.import_saw IS
    'Whether a column still holds what was looked at when it was not imported, with one of these outcomes: rejected, duplicate, skipped.';

CREATE OR REPLACE VIEW hftok.import_report WITH (security_barrier) AS
    SELECT r.source, r.key, r.outcome, r.reason, r.provider, r.scope, r.scope_id, r.model, r.secret_id, r.dry_run, r.at
    FROM hftok_private.import_rows r
    UNION ALL
    SELECT s.source, NULL, said.outcome, said.reason, NULL, NULL, NULL, NULL, NULL, false, s.at
    FROM hftok_private.import_sources s,
        LATERAL (
            SELECT 'summary' AS outcome, s.summary AS reason WHERE s.summary IS NOT NULL
            UNION ALL
            SELECT 'remains', line.text FROM pg_catalog.regexp_split_to_table(s.remains, E'\n') AS line (text)
        ) said;
COMMENT ON VIEW hftok.import_report IS
    'The result for each row that was moved in, by its key; without key, for a source as a whole. Never a value.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.import_report
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
-- Moving in: how an application's table is read and emptied, whoever owns it.
--
-- A table's owner decides what runs when its rows are touched. A stranger's table (the owner is no superuser, and not the caller)
-- is read and emptied as its owner, in a restricted operation, by src/pg/who/table_owner.rs. The statements are made here, of names
-- that the catalog has; no text of the caller's is in one that runs as somebody else.

CREATE OR REPLACE FUNCTION hftok_import.import_source(p_table regclass, p_column name, p_key name) RETURNS hftok_import.imported_source
    -- A source is remembered by the name that this gives it.
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
    AS $$
DECLARE
    addressed hftok_import.imported_source;
BEGIN
    IF p_table IS NULL OR p_column IS NULL OR p_key IS NULL THEN
        RAISE EXCEPTION 'p_table, p_column and p_key must not be null' USING ERRCODE = '22023';
    ELSIF p_key = p_column THEN
        RAISE EXCEPTION 'p_key must not be p_column: rows are remembered and reported by their keys' USING ERRCODE = '22023';
    ELSIF EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent WHERE c.oid = p_table AND c.relkind = 'r') THEN
        RAISE EXCEPTION 'other tables inherit from "%", and keys need not differ between them', p_table USING ERRCODE = '22023';
    END IF;
    WITH RECURSIVE types AS (
        SELECT t.* FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = p_table AND a.attname = p_column AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT t.* FROM types d JOIN pg_type t ON t.oid = d.typbasetype WHERE d.typtype = 'd'
    ), type AS (
        SELECT bool_or(t.oid = 'bytea'::regtype) AS is_bytea, bool_or(t.typnotnull) AS is_not_null FROM types t
    )
    SELECT format('%I.%I.%I', n.nspname, c.relname, a.attname), format('%I.%I', n.nspname, c.relname),
        CASE WHEN t.is_bytea THEN format('pg_catalog.encode(%I, ''hex'')', a.attname)
            ELSE format('%I::pg_catalog.text', a.attname) END,
        CASE WHEN a.attnotnull OR t.is_not_null THEN '''''' ELSE 'NULL' END,
        t.is_bytea, row_security_active(c.oid), nullif(c.reltuples, -1)
    INTO addressed.source, addressed.relation, addressed.held, addressed.empty, addressed.is_bytea, addressed.is_filtered,
        addressed.estimate
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid, type t
    WHERE c.oid = p_table AND a.attname = p_column AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no column "%" in "%"', p_column, p_table USING ERRCODE = '22023';
    END IF;
    -- The operator of the index itself: it is the one that says when two keys are the same.
    SELECT format('%I OPERATOR(%I.%s) $1::%I.%I', a.attname, s.nspname, o.oprname, n.nspname, t.typname) INTO addressed.is_key
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
    JOIN pg_opclass c ON c.oid = i.indclass[0]
    JOIN pg_amop m ON m.amopfamily = c.opcfamily AND (m.amoplefttype, m.amoprighttype, m.amopstrategy) = (c.opcintype, c.opcintype, 3)
    JOIN pg_operator o ON o.oid = m.amopopr JOIN pg_namespace s ON s.oid = o.oprnamespace
    WHERE i.indrelid = p_table AND a.attname = p_key AND a.attnotnull
    AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL AND i.indexprs IS NULL
    ORDER BY i.indexrelid LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'p_key must be a column of "%" that is NOT NULL and alone has a unique index', p_table
            USING ERRCODE = '22023', HINT = 'Usually the primary key. Rows are remembered and reported by it.';
    END IF;
    RETURN addressed;
END
$$;
COMMENT ON FUNCTION hftok_import.import_source IS
    'How import_column() and blank_column() call and address a column; for programs that import its values themselves.';

-- The caller's expression sees values of Postgres' own types only: operators and casts of other types are the owner's.
CREATE OR REPLACE FUNCTION hftok_private.import_opening(
    p_table regclass, p_open text, p_role oid, OUT opening text, OUT types oid[], OUT others text, OUT reads int2[]
)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH RECURSIVE columns AS (
        SELECT a.attnum, a.attname, a.atttypid AS type FROM pg_attribute a
        WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped
        AND has_column_privilege(p_role, p_table, a.attnum, 'SELECT')
    ), bases AS (
        SELECT c.attnum, c.type FROM columns c
        UNION ALL
        SELECT b.attnum, t.typbasetype FROM bases b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd'
    ), plain AS (
        SELECT c.attnum, c.attname, p.oid AS type, p.typname, row_number() OVER (ORDER BY c.attnum) AS at
        FROM columns c JOIN bases b ON b.attnum = c.attnum JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
        JOIN pg_type p ON p.oid = CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.oid ELSE 'text'::regtype END
    )
    SELECT format(E'SELECT pg_catalog.btrim((%s\n)) FROM (SELECT %s) AS %s', p_open,
            coalesce(string_agg(format('$%s AS %I', p.at, p.attname), ', ' ORDER BY p.at), '1'),
            (SELECT quote_ident(c.relname) FROM pg_class c WHERE c.oid = p_table)),
        array_agg(p.type ORDER BY p.at),
        string_agg(format(', %I::pg_catalog.%I', p.attname, p.typname), '' ORDER BY p.at),
        array_agg(p.attnum ORDER BY p.at)
    FROM plain p
$$;
COMMENT ON FUNCTION hftok_private.import_opening IS
    'The statement that opens a row by an expression of the caller''s apart from the table: over parameters of which types, which columns they are read from, and as what they are read.';

-- Called by src/api/imports.rs as hftok_owner; p_role is who called.
CREATE OR REPLACE FUNCTION hftok_private.import_statements(
    p_table regclass, p_column name, p_key name, p_provider_column name, p_owner_column name, p_model_column name, p_open text,
    p_role oid, p_is_strangers boolean,
    OUT keys text, OUT held_keys text, OUT reading text, OUT opening text, OUT types oid[], OUT emptying text,
    OUT reads int2[], OUT writes int2[]
)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    s hftok_import.imported_source := hftok_import.import_source(p_table, p_column, p_key);
    is_opened_apart boolean := p_is_strangers AND p_open IS NOT NULL;
    foreign_part regclass;
    missing name;
    others text := '';
BEGIN
    -- A name that is no column may be that of the row as a whole, or of a column that is in no list of privileges.
    SELECT n.name INTO missing FROM unnest(ARRAY[p_provider_column, p_owner_column, p_model_column]) AS n (name)
    WHERE n.name IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = p_table AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped
    ) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'there is no column "%" in "%"', missing, p_table USING ERRCODE = '42703';
    END IF;
    -- The parts of a superuser's table, or of the caller's, would be read as the caller.
    IF NOT p_is_strangers THEN
        SELECT t.relid INTO foreign_part FROM pg_partition_tree(p_table) t JOIN pg_class c ON c.oid = t.relid
        JOIN pg_roles r ON r.oid = c.relowner WHERE NOT r.rolsuper AND r.oid <> p_role ORDER BY 1 LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'partition "%" belongs to somebody else than its table', foreign_part USING ERRCODE = '42501',
                HINT = 'Its triggers and checks would run with your privileges.';
        END IF;
    END IF;
    keys := format('SELECT t.%1$I::pg_catalog.text, t.%2$I IS NULL FROM %3$s t ORDER BY t.%1$I DESC', p_key, p_column, s.relation);
    held_keys := format('SELECT t.%1$I::pg_catalog.text, false FROM %2$s t
        WHERE (%3$s) COLLATE pg_catalog."C" OPERATOR(pg_catalog.~) ''[^[:space:]]'' ORDER BY t.%1$I DESC', p_key, s.relation, s.held);
    types := '{}';
    IF is_opened_apart THEN
        SELECT o.opening, o.types, o.others, o.reads INTO opening, types, others, reads
        FROM hftok_private.import_opening(p_table, p_open, p_role) o;
    END IF;
    -- btrim() takes nothing but text, so an expression that gives bytes is refused and not imported as their digits.
    reading := format(E'SELECT %s, %s, %s, %s, %s%s FROM %s WHERE %s', s.held,
        CASE WHEN is_opened_apart THEN 'NULL::pg_catalog.text'
            ELSE format(E'pg_catalog.btrim((%s\n))', coalesce(p_open, s.held)) END,
        coalesce(quote_ident(p_provider_column) || '::pg_catalog.text', 'NULL::pg_catalog.text'),
        coalesce(quote_ident(p_owner_column) || '::pg_catalog.text', 'NULL::pg_catalog.text'),
        coalesce(quote_ident(p_model_column) || '::pg_catalog.text', 'NULL::pg_catalog.text'), coalesce(others, ''), s.relation, s.is_key);
    -- A value that somebody else has changed since it was compared is left.
    emptying := format('UPDATE %s SET %I = %s WHERE %s AND (%s) COLLATE pg_catalog."C" OPERATOR(pg_catalog.=) $2',
        s.relation, p_column, s.empty, s.is_key, s.held);
    SELECT array_agg(a.attnum), array_agg(a.attnum) FILTER (WHERE a.attname = p_column) INTO reads, writes
    FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped
    AND (a.attname IN (p_column, p_key, p_provider_column, p_owner_column, p_model_column) OR a.attnum = ANY (reads));
END
$$;
COMMENT ON FUNCTION hftok_private.import_statements IS
    'The statements that read and empty a column, and which columns they touch. opening is what the caller wrote, over the columns that reading gives after its first five.';

CREATE OR REPLACE FUNCTION hftok_import.import_keys(p_table regclass, p_column text, p_key text, p_held boolean DEFAULT false)
    RETURNS TABLE (key text, is_null boolean)
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_import_keys';
COMMENT ON FUNCTION hftok_import.import_keys IS
    'The keys of a table''s rows, the greatest first; with p_held of those only whose column holds something. Read as the table''s owner, unless that is a superuser or the caller.';

CREATE OR REPLACE FUNCTION hftok_import.import_row(
    p_table regclass, p_column text, p_key text, p_row text, p_open text DEFAULT NULL, p_provider_column text DEFAULT NULL,
    p_owner_column text DEFAULT NULL, p_model_column text DEFAULT NULL
) RETURNS hftok_import.imported_row
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_import_row';
COMMENT ON FUNCTION hftok_import.import_row IS
    'The row with a key, as import_column() sees it; NULL when there is none. The row is read as import_keys() reads it; p_open runs as the caller.';

CREATE OR REPLACE FUNCTION hftok_import.import_empty(p_table regclass, p_column text, p_key text, p_row text, p_held text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_import_empty';
COMMENT ON FUNCTION hftok_import.import_empty IS
    'Empties the column of the row with a key, if it still holds p_held. Done as the table''s owner, unless that is a superuser or the caller.';
-- Moving in, row by row: the facts about one value are gathered here, crates/core/src/moving_in.rs decides what becomes of it. The
-- procedures of the next file go through a table with import_value(). A program that opens values SQL cannot open calls it for
-- itself.
--
-- Must stay true: what leaves these functions, into a report or an error, is keys and constant words, never a value.

CREATE OR REPLACE FUNCTION hftok_private.import_check(p_value text, p_stored text, p_provider text, p_address_fault text)
    RETURNS hftok_private.import_finding
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_check';
COMMENT ON FUNCTION hftok_private.import_check IS
    'Whether a row is blank, rejected or usable, and why or what is to be said of it: crates/core/src/moving_in/given.rs decides.';

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
    SELECT s.* INTO held FROM hftok_private.secrets s
    WHERE s.scope = line.scope AND s.scope_id = line.scope_id AND s.provider = line.provider AND s.model = line.model
    AND s.slot = '';
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
    AND r.source = line.source AND r.key <> line.key AND r.dry_run = line.dry_run AND r.outcome IN ('imported', 'unchanged', 'skipped')
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
    looked_at := hftok_private.import_check(p_value, stored, p_provider, line.reason);
    line.provider := looked_at.provider;
    line.reason := looked_at.reason;
    skipped := looked_at.skipped;
    value := substr(p_value, skipped + 1);
    IF looked_at.outcome = 'blank' THEN
        line := NULL;
        line.outcome := hftok_import.import_note(p_source, p_key, 'blank', NULL, p_run, p_dry_run);
        RETURN;
    ELSIF looked_at.outcome = 'rejected' THEN
        line.outcome := 'rejected';
        line.model := NULL;
        IF looked_at.is_remembered AND NOT line.dry_run THEN
            line.seen := hftok_private.import_fingerprints(stored);
        END IF;
        IF looked_at.is_forgotten AND NOT line.dry_run THEN
            PERFORM hftok_private.import_forget(line.source, line.key, stored);
        END IF;
        PERFORM hftok_private.import_line(line);
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
-- Faults that verify() finds by the audit: rows that were deleted, added, edited or put back whole.

-- A function for each kind of object. Each reads the newest event of every object, and compares it with the row; one that tells of a
-- deletion and was not protected is a row of kind "unprotected", whose reason audit_faults() gives.

CREATE OR REPLACE FUNCTION hftok_private.secret_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH newest AS (
        SELECT DISTINCT ON (c.object_id) c.object_id, c.version, c.digest, c.is_protected
        FROM hftok_private.changes c WHERE c.object_id IS NOT NULL AND c.subject IS NULL AND c.version IS NOT NULL
        -- An event that a purge told again is older than every event of a change that is still there itself.
        ORDER BY c.object_id, c.is_carried, c.id DESC, c.at DESC
    ), kept AS (
        -- The fields of a previous version are sealed or marked. Here it is seen whether all versions are there, and no others.
        SELECT v.secret_id, count(*) AS count, min(v.version) AS first, max(v.version) AS last
        FROM hftok_private.secret_versions v GROUP BY v.secret_id
    )
    SELECT 'secret', coalesce(s.id, n.object_id)::text, coalesce(s.version, n.version),
        CASE
            WHEN n.object_id IS NULL THEN 'the audit tells of no such secret'
            WHEN s.id IS NULL THEN 'it was deleted outside hftok'
            WHEN n.digest IS NULL THEN 'it was deleted, and put back outside hftok'
            WHEN s.version <> n.version THEN format('the audit tells of version %s', n.version)
            WHEN n.digest <> hftok_private.state_of(s)
                THEN 'what is said of it (switched on, hosts, end, verdict, label, history) was changed outside hftok'
            ELSE 'previous versions were deleted or put back outside hftok'
        END
    FROM hftok_private.secrets s FULL JOIN newest n ON n.object_id = s.id LEFT JOIN kept k ON k.secret_id = s.id
    WHERE CASE WHEN s.id IS NULL THEN n.digest IS NOT NULL
        ELSE n.digest IS NULL OR n.version <> s.version OR n.digest <> hftok_private.state_of(s)
            OR coalesce(k.count, 0) <> s.version - s.oldest_version OR k.first < s.oldest_version OR k.last >= s.version END
    UNION ALL
    SELECT 'unprotected', n.object_id::text, NULL, NULL FROM newest n WHERE NOT n.is_protected
$$;
COMMENT ON FUNCTION hftok_private.secret_faults IS 'Secrets that differ from what the audit tells of them.';

CREATE OR REPLACE FUNCTION hftok_private.integration_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH integration AS (
        -- Their credentials, which have versions, are among the secrets.
        SELECT DISTINCT ON (c.object_id) c.object_id, c.digest
        FROM hftok_private.changes c WHERE c.owner_scope = 'integration' AND c.subject IS NULL AND c.version IS NULL
        ORDER BY c.object_id, c.is_carried, c.id DESC, c.at DESC
    )
    SELECT 'integration', coalesce(i.id::text, s.id::text), NULL::int,
        CASE
            WHEN i.id IS NULL THEN 'it was deleted outside hftok: its credentials are left'
            WHEN n.object_id IS NULL THEN 'the audit tells of no such integration'
            WHEN n.digest IS NULL THEN 'it was deleted, and put back outside hftok'
            ELSE 'what is said of it (owner, name, switched on, status, config) was changed outside hftok'
        END
    FROM hftok_private.integrations i
    FULL JOIN (SELECT t.id FROM hftok_private.secrets t WHERE t.scope = 'integration') s ON s.id = i.secret_id
    LEFT JOIN integration n ON n.object_id = i.id
    WHERE i.id IS NULL OR n.digest IS DISTINCT FROM hftok_private.state_of_integration(i)
$$;
COMMENT ON FUNCTION hftok_private.integration_faults IS 'Integrations that differ from what the audit tells of them; their credentials are among the secrets.';

CREATE OR REPLACE FUNCTION hftok_private.role_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH role AS (
        SELECT DISTINCT ON (c.owner_scope, c.owner_id, c.subject) c.owner_scope, c.owner_id, c.subject, c.level, c.is_protected
        FROM hftok_private.changes c WHERE c.subject IS NOT NULL AND c.object_id IS NULL
        ORDER BY c.owner_scope, c.owner_id, c.subject, c.is_carried, c.id DESC, c.at DESC
    )
    SELECT 'member', format('%s in %s', coalesce(m.user_id, r.subject), coalesce(m.org_id, r.owner_id)), NULL::int,
        format('the audit tells of the role %s, and not of %s', coalesce(r.level, 'none'), coalesce(m.role, 'none'))
    FROM hftok_private.members m
    FULL JOIN (SELECT * FROM role WHERE owner_scope = 'org') r ON r.owner_id = m.org_id AND r.subject = m.user_id
    WHERE m.role IS DISTINCT FROM r.level
    UNION ALL
    SELECT 'administrator', coalesce(a.user_id, r.subject), NULL,
        CASE WHEN a.user_id IS NULL THEN 'deleted outside hftok' ELSE 'added outside hftok' END
    FROM hftok_private.administrators a
    FULL JOIN (SELECT * FROM role WHERE owner_scope = 'global') r ON r.subject = a.user_id
    WHERE (a.user_id IS NULL) <> (r.level IS NULL)
    UNION ALL
    SELECT 'unprotected', concat_ws(' in ', r.subject, r.owner_id), NULL, NULL FROM role r WHERE NOT r.is_protected
$$;
COMMENT ON FUNCTION hftok_private.role_faults IS 'Members and administrators that differ from what the audit tells of them.';

CREATE OR REPLACE FUNCTION hftok_private.share_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH share AS (
        SELECT DISTINCT ON (c.object_id, c.owner_id) c.object_id, c.owner_id, c.level, c.is_protected
        FROM hftok_private.changes c
        -- An integration that was deleted is shared with nobody.
        WHERE c.subject IS NOT NULL AND c.object_id IN (SELECT i.id FROM hftok_private.integrations i)
        ORDER BY c.object_id, c.owner_id, c.is_carried, c.id DESC, c.at DESC
    )
    SELECT 'share', format('%s with %s', coalesce(s.integration_id, h.object_id), coalesce(s.org_id, h.owner_id)), NULL::int,
        CASE WHEN s.org_id IS NULL THEN 'deleted outside hftok' ELSE 'added outside hftok' END
    FROM hftok_private.integration_shares s
    FULL JOIN share h ON h.object_id = s.integration_id AND h.owner_id = s.org_id
    WHERE (s.org_id IS NULL) <> (h.level IS NULL)
    UNION ALL
    SELECT 'unprotected', format('%s with %s', h.object_id, h.owner_id), NULL, NULL FROM share h WHERE NOT h.is_protected
$$;
COMMENT ON FUNCTION hftok_private.share_faults IS 'Shares of integrations that differ from what the audit tells of them.';

CREATE OR REPLACE FUNCTION hftok_private.catalogue_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH provider AS (
        SELECT DISTINCT ON (c.provider) c.provider, c.digest, c.is_protected
        FROM hftok_private.changes c WHERE c.owner_scope = 'catalogue'
        ORDER BY c.provider, c.is_carried, c.id DESC, c.at DESC
    )
    SELECT 'provider', coalesce(p.id, r.provider), NULL::int,
        CASE
            WHEN r.provider IS NULL THEN 'the audit tells of no such provider'
            WHEN p.id IS NULL THEN 'it was deleted outside hftok'
            WHEN r.digest IS NULL THEN 'it was taken back, and put back outside hftok'
            ELSE 'it is not described as the audit tells'
        END
    FROM hftok_private.providers p FULL JOIN provider r ON r.provider = p.id
    WHERE CASE WHEN p.id IS NULL THEN r.digest IS NOT NULL
        ELSE r.digest IS DISTINCT FROM sha256(convert_to(p.definition, 'UTF8')) END
    UNION ALL
    SELECT 'unprotected', r.provider, NULL, NULL FROM provider r WHERE NOT r.is_protected
$$;
COMMENT ON FUNCTION hftok_private.catalogue_faults IS 'Registered providers that differ from what the audit tells of them.';

CREATE OR REPLACE FUNCTION hftok_private.audit_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    -- VOLATILE: sees what the writer chained since the statement began. The parts are STABLE, so that they see the same.
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    SELECT f.kind, f.id, f.version,
        -- Believed, because a server that was restarted while hftok was sealed has no better word for it.
        CASE f.kind WHEN 'unprotected'
            THEN 'its deletion is told by an event that was not protected: somebody who can write to the tables may have made it up'
            ELSE f.reason END
    FROM (
        SELECT * FROM hftok_private.secret_faults()
        UNION ALL
        SELECT * FROM hftok_private.integration_faults()
        UNION ALL
        SELECT * FROM hftok_private.role_faults()
        UNION ALL
        SELECT * FROM hftok_private.share_faults()
        UNION ALL
        SELECT * FROM hftok_private.catalogue_faults()
    ) f
$$;
COMMENT ON FUNCTION hftok_private.audit_faults IS 'Rows that differ from what the audit tells of them.';

-- Masks are made from the secrets, so these are what they are held against.
CREATE OR REPLACE FUNCTION hftok_private.mask_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    SELECT 'mask', format('%s of %s', coalesce(k.service, s.provider), coalesce(k.user_id, s.scope_id)), NULL::int,
        CASE
            WHEN s.id IS NULL THEN 'there is no key that it stands for'
            WHEN k.user_id IS NULL THEN 'it is missing'
            ELSE 'it stands for another key than is stored'
        END
    FROM hftok_private.user_api_keys k
    FULL JOIN (SELECT * FROM hftok_private.secrets t WHERE t.scope = 'user' AND t.model = '' AND t.slot = '') s
        ON s.scope_id = k.user_id AND s.provider = k.service
    WHERE s.id IS NULL OR k.user_id IS NULL OR (k.id, k.api_key) IS DISTINCT FROM (s.id, s.preview)
$$;
COMMENT ON FUNCTION hftok_private.mask_faults IS 'Masks that are not those of the keys that are stored.';
-- Moving in: an application's own columns.
--
-- The procedures know who calls, so they run with the caller's rights; and they commit, so they cannot pin a search_path. Their
-- own names are qualified down to the operators. The table is read and emptied by the functions of import_source.sql.
--
-- Must stay true: a value is never in a cursor (COMMIT writes what is left of one to disk), an error, a notice or a line of
-- the report. Keys are listed first, then each row is opened alone. A value is taken by assignment: in FROM it would pass through
-- a tuple store, which spills to disk.

-- import_admit() and import_attempt() pin no search_path either: p_open is the caller's.
CREATE OR REPLACE FUNCTION hftok_import.import_admit(
    p_table regclass, p_column name, p_key name, p_provider text, p_provider_column name, p_owner text, p_owner_column name,
    p_model_column name, p_open text, p_batch int, p_dry_run boolean, p_model text
) RETURNS hftok_import.imported_source
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS $$
DECLARE
    is_for_user boolean := p_owner OPERATOR(pg_catalog.=) 'user';
    is_for_org boolean := p_owner OPERATOR(pg_catalog.=) 'org';
    is_global boolean := p_owner OPERATOR(pg_catalog.=) 'global';
    addressed hftok_import.imported_source;
    state pg_catalog.text;
    said pg_catalog.text;
    advice pg_catalog.text;
BEGIN
    IF p_dry_run IS NULL OR p_batch IS NULL OR p_batch OPERATOR(pg_catalog.<) 1 THEN
        RAISE EXCEPTION 'p_batch is 1 at least, and p_dry_run is not null' USING ERRCODE = '22023';
    ELSIF pg_catalog.num_nonnulls(p_provider, p_provider_column) OPERATOR(pg_catalog.<>) 1 THEN
        RAISE EXCEPTION 'give either p_provider or p_provider_column' USING ERRCODE = '22023';
    ELSIF pg_catalog.num_nonnulls(p_model, p_model_column) OPERATOR(pg_catalog.>) 1 THEN
        RAISE EXCEPTION 'p_model and p_model_column exclude each other' USING ERRCODE = '22023';
    ELSIF (is_for_user OR is_for_org OR is_global) IS NOT TRUE OR (is_global AND p_owner_column IS NOT NULL) THEN
        RAISE EXCEPTION 'p_owner is user, org or global, and global has no p_owner_column' USING ERRCODE = '22023';
    ELSIF p_column OPERATOR(pg_catalog.=) ANY (ARRAY[p_owner_column, p_provider_column, p_model_column]) THEN
        RAISE EXCEPTION 'p_column holds secrets: it is no owner, provider or model' USING ERRCODE = '22023';
    ELSIF p_owner_column IS NULL AND EXISTS (
        -- Keys of a table of keys are nobody's ids.
        SELECT FROM pg_catalog.pg_attribute a
        WHERE a.attrelid OPERATOR(pg_catalog.=) p_table AND a.attname OPERATOR(pg_catalog.<>) p_key AND a.attname OPERATOR(pg_catalog.=) ANY (
            CASE WHEN is_for_user THEN '{user_id,userid,owner_id}'
                WHEN is_for_org THEN '{org_id,organization_id,organisation_id,team_id,workspace_id}' ELSE '{}' END::pg_catalog.name[])
    ) THEN
        RAISE EXCEPTION 'p_owner_column must be given: the table has a column for it' USING ERRCODE = '22023',
            HINT = 'p_owner_column => p_key says that the key is the owner''s id.';
    ELSIF p_provider IS NOT NULL
        AND NOT EXISTS (SELECT FROM hftok.providers p WHERE p.name OPERATOR(pg_catalog.=) p_provider) THEN
        RAISE EXCEPTION 'there is no provider of this name' USING ERRCODE = '22023';
    END IF;
    addressed := hftok_import.import_source(p_table, p_column, p_key);
    IF addressed.is_bytea AND p_open IS NULL THEN
        RAISE EXCEPTION 'column "%" holds bytes: p_open must say how they are opened', p_column USING ERRCODE = '22023';
    END IF;
    BEGIN
        PERFORM hftok_import.import_row(p_table, p_column, p_key, NULL, p_open, p_provider_column,
            CASE WHEN NOT is_global THEN coalesce(p_owner_column, p_key) END, p_model_column);
    EXCEPTION WHEN OTHERS THEN
        -- Told without its context, which is the whole expression, and without what quotes a part of it: a key may be in it.
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT, advice = PG_EXCEPTION_HINT;
        IF state OPERATOR(pg_catalog.~) '^42' AND state OPERATOR(pg_catalog.<>) '42601' THEN
            RAISE EXCEPTION '%', said USING ERRCODE = state, HINT = CASE WHEN state OPERATOR(pg_catalog.=) '42501' THEN advice
                ELSE 'p_open is an expression over the columns of the table, and gives text.' END;
        END IF;
        RAISE EXCEPTION 'p_open is no expression over a row of %', addressed.relation USING ERRCODE = '22023';
    END;
    RETURN addressed;
END
$$;
COMMENT ON FUNCTION hftok_import.import_admit IS
    'The source that the parameters of import_column() name, or an error: whether they fit each other, the table and the expression.';

CREATE OR REPLACE FUNCTION hftok_import.import_attempt(
    p_source hftok_import.imported_source, p_table regclass, p_column name, p_key name, p_row text, p_is_null boolean, p_provider text,
    p_provider_column name, p_owner text, p_owner_column name, p_model_column name, p_open text, p_run uuid, p_dry_run boolean,
    p_model text, OUT outcome text, OUT is_again boolean
)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS $$
DECLARE
    owned_by pg_catalog.text := CASE WHEN p_owner OPERATOR(pg_catalog.<>) 'global' THEN coalesce(p_owner_column, p_key) END;
    found hftok_import.imported_row;
    is_read boolean := p_is_null;
    state pg_catalog.text;
    said pg_catalog.text;
    detail pg_catalog.text;
BEGIN
    is_again := false;
    BEGIN
        IF p_is_null THEN
            outcome := hftok_import.import_note(p_source.source, p_row, 'blank', NULL, p_run, p_dry_run);
        ELSE
            found := hftok_import.import_row(p_table, p_column, p_key, p_row, p_open, p_provider_column, owned_by, p_model_column);
            is_read := true;
            IF found.is_there AND p_model_column IS NOT NULL
                AND pg_catalog.btrim(coalesce(found.model, '')) OPERATOR(pg_catalog.=) '' THEN
                outcome := hftok_import.import_note(p_source.source, p_row, 'rejected', 'it names no model', p_run, p_dry_run);
            ELSIF found.is_there THEN
                outcome := hftok_import.import_value(p_source.source, p_row, found.value, coalesce(p_provider, found.provider),
                    coalesce(p_model, found.model), CASE WHEN p_owner OPERATOR(pg_catalog.=) 'user' THEN found.owner END,
                    CASE WHEN p_owner OPERATOR(pg_catalog.=) 'org' THEN found.owner END, p_owner OPERATOR(pg_catalog.=) 'global', found.held, p_run, p_dry_run);
            END IF;
        END IF;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
        IF state OPERATOR(pg_catalog.~) '^(PT409|40)' THEN
            is_again := true;
        ELSIF is_read AND state OPERATOR(pg_catalog.=) '22023' THEN
            -- hftok's own words.
            outcome := hftok_import.import_note(p_source.source, p_row, 'rejected', said, p_run, p_dry_run);
        ELSIF is_read AND state OPERATOR(pg_catalog.=) 'PT413' THEN
            outcome := hftok_import.import_note(p_source.source, p_row, 'rejected', detail, p_run, p_dry_run);
        ELSIF is_read THEN
            RAISE;
        ELSIF p_open IS NOT NULL AND state OPERATOR(pg_catalog.~) '^(0A|2|3|42|P0)' THEN
            outcome := hftok_import.import_note(p_source.source, p_row, 'rejected',
                pg_catalog.format('p_open fails for it (SQLSTATE %s)', state), p_run, p_dry_run);
        ELSE
            RAISE EXCEPTION 'row % of % cannot be read', p_row, p_source.relation USING ERRCODE = state;
        END IF;
    END;
END
$$;
COMMENT ON FUNCTION hftok_import.import_attempt IS
    'Imports one row and says what became of it. is_again: somebody else was changing it. No outcome: it is gone.';

CREATE OR REPLACE FUNCTION hftok_import.import_summary(
    p_source hftok_import.imported_source, p_outcomes text[], p_counts int[], p_dry_run boolean
) RETURNS text
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT concat(CASE WHEN p_dry_run THEN 'dry run: ' END, CASE
            WHEN NOT (p_source).is_filtered THEN format('read %s rows', sum(o.count))
            WHEN (p_source).estimate IS NULL THEN
                format('read %s of an unknown number of rows, because row security may hide others', sum(o.count))
            ELSE format('read %s of about %s rows, because row security may hide others', sum(o.count), (p_source).estimate)
        END, string_agg(format(', %s %s', o.count, o.outcome), '' ORDER BY o.at) FILTER (WHERE o.count > 0))
    FROM unnest(p_outcomes, p_counts) WITH ORDINALITY AS o (outcome, count, at)
$$;
COMMENT ON FUNCTION hftok_import.import_summary IS 'How many rows of a source were read, and how many became what.';

CREATE OR REPLACE PROCEDURE hftok.import_column(
    p_table regclass, p_column name, p_key name, p_provider text DEFAULT NULL, p_provider_column name DEFAULT NULL,
    p_owner text DEFAULT 'user', p_owner_column name DEFAULT NULL, p_model_column name DEFAULT NULL, p_open text DEFAULT NULL,
    p_batch int DEFAULT 1000, p_dry_run boolean DEFAULT false, p_model text DEFAULT NULL
)
    LANGUAGE plpgsql SECURITY INVOKER
    AS $$
DECLARE
    run pg_catalog.uuid := pg_catalog.gen_random_uuid();
    source hftok_import.imported_source;
    -- The row that is looked at, and what became of it.
    key pg_catalog.text;
    is_null boolean;
    attempt record;
    outcome pg_catalog.text;
    attempts int;
    -- The state of the whole run.
    pending int := 0;
    since pg_catalog.timestamptz := pg_catalog.clock_timestamp();
    outcomes pg_catalog.text[] := '{imported,unchanged,skipped,duplicate,rejected,blank,blanked,discarded}';
    counts int[] := '{0,0,0,0,0,0,0,0}';
    at int;
    summary pg_catalog.text;
BEGIN
    -- An error (2D000) where what is committed below could not be: in a transaction block, in a function.
    COMMIT;
    source := hftok_import.import_admit(p_table, p_column, p_key, p_provider, p_provider_column, p_owner, p_owner_column, p_model_column,
        p_open, p_batch, p_dry_run, p_model);
    -- The last key first: of rows for the same owner, provider and model the one that was added last is imported.
    FOR key, is_null IN
        SELECT k.key, k.is_null FROM hftok_import.import_keys(p_table, p_column, p_key) k
    LOOP
        attempts := 0;
        LOOP
            attempt := hftok_import.import_attempt(source, p_table, p_column, p_key, key, is_null, p_provider, p_provider_column, p_owner,
                p_owner_column, p_model_column, p_open, run, p_dry_run, p_model);
            outcome := attempt.outcome;
            EXIT WHEN NOT attempt.is_again;
            -- Another session that was in the way may be waiting for rows that were imported just now.
            COMMIT;
            attempts := attempts OPERATOR(pg_catalog.+) 1;
            IF attempts OPERATOR(pg_catalog.>=) 10 THEN
                outcome := hftok_import.import_note(source.source, key, 'skipped', 'somebody else was changing it: import again', run, p_dry_run);
                EXIT;
            END IF;
        END LOOP;
        IF outcome IS NOT NULL THEN
            at := pg_catalog.array_position(outcomes, outcome);
            counts[at] := counts[at] OPERATOR(pg_catalog.+) 1;
        END IF;
        -- Also by the clock: until it commits, users whose credentials it saved cannot save any themselves. And plans that were
        -- made when hftok's tables were empty must not serve a million rows.
        pending := pending OPERATOR(pg_catalog.+) 1;
        IF pending OPERATOR(pg_catalog.>=) p_batch
            OR pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) (since OPERATOR(pg_catalog.+) '1 second'::interval) THEN
            COMMIT;
            DISCARD PLANS;
            pending := 0;
            since := pg_catalog.clock_timestamp();
        END IF;
    END LOOP;

    summary := hftok_import.import_summary(source, outcomes, counts, p_dry_run);
    PERFORM hftok_import.import_note(source.source, NULL, 'summary', summary);
    COMMIT;
    RAISE NOTICE '%: %', source.source, summary USING HINT = 'SELECT * FROM hftok.import_report';
END
$$;
COMMENT ON PROCEDURE hftok.import_column IS
    'Moves an application''s column in. The owner''s id is in p_owner_column, or in p_key; owners are user, org or global. p_open is an SQL expression over the row that yields the plaintext; it runs as the caller''s own SQL (over the columns that the caller may read), so give it no key as a literal, and nothing that comes from somebody else. Of several rows for one owner, provider and model the one with the greatest key is imported. Commits every p_batch rows; run it again to go on, or to take in what changed.';
-- Moving in: emptying an application's column. The rules of import_column.sql hold here as well.

-- It pins no search_path: triggers of the caller's own table are the caller's.
CREATE OR REPLACE FUNCTION hftok_import.blank_attempt(
    p_source hftok_import.imported_source, p_table regclass, p_column name, p_key name, p_row text, p_discard text[],
    OUT outcome text, OUT is_again boolean
)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS $$
DECLARE
    named pg_catalog.text := p_source.source;
    held pg_catalog.text;
    still pg_catalog.text;
    -- NULL where nothing is left.
    left_as_seen boolean;
    state pg_catalog.text;
    emptied pg_catalog.text;
BEGIN
    is_again := false;
    BEGIN
        held := (hftok_import.import_row(p_table, p_column, p_key, p_row)).held;
        emptied := CASE WHEN hftok_import.import_holds(named, p_row, held) THEN 'blanked'
            WHEN pg_catalog.cardinality(p_discard) OPERATOR(pg_catalog.>) 0
                AND hftok_import.import_saw(named, p_row, held, p_discard) THEN 'discarded' END;
        IF emptied IS NOT NULL AND hftok_import.import_empty(p_table, p_column, p_key, p_row, held) IS NOT TRUE THEN
            emptied := NULL;
        END IF;
        still := (hftok_import.import_row(p_table, p_column, p_key, p_row)).held;
        left_as_seen := CASE WHEN still COLLATE pg_catalog."C" OPERATOR(pg_catalog.~) '[^[:space:]]'
            THEN hftok_import.import_saw(named, p_row, still, '{rejected,duplicate,skipped}') END;
        IF emptied IS NOT NULL AND left_as_seen IS NOT NULL THEN
            RAISE EXCEPTION 'a trigger keeps it';
        ELSIF emptied IS NOT NULL THEN
            outcome := hftok_import.import_note(named, p_row, emptied);
        ELSIF left_as_seen IS NULL THEN
            -- Gone, or emptied by somebody else, there is nothing to say of it.
            outcome := 'blank';
        ELSIF left_as_seen THEN
            -- Why it was not imported has been said.
            outcome := 'left';
        ELSE
            outcome := hftok_import.import_note(named, p_row, 'changed',
                'it is not what was looked at, or hftok no longer holds that: import again');
        END IF;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE;
        IF state OPERATOR(pg_catalog.~) '^(PT409|40)' THEN
            is_again := true;
        ELSIF emptied IS NOT NULL AND state OPERATOR(pg_catalog.~) '^(22023|P0001)' THEN
            outcome := hftok_import.import_note(named, p_row, 'changed',
                'a trigger of the table keeps what is emptied, or deletes what hftok has: so it was not emptied');
        ELSIF state OPERATOR(pg_catalog.~) '^(0A|2|3|42|44|P0)' THEN
            -- A constraint, a policy or a trigger of the table, whose words would quote the row.
            outcome := hftok_import.import_note(named, p_row, 'changed',
                pg_catalog.format('the table does not let it be emptied (SQLSTATE %s)', state));
        ELSIF state OPERATOR(pg_catalog.~) '^(53HF|PT)' THEN
            RAISE;
        ELSE
            RAISE EXCEPTION 'row % of % cannot be emptied', p_row, p_source.relation USING ERRCODE = state;
        END IF;
    END;
END
$$;
COMMENT ON FUNCTION hftok_import.blank_attempt IS
    'Empties one row and says what became of it: blanked, discarded, changed, blank (nothing was in it) or left. is_again: somebody else was changing it.';

CREATE OR REPLACE FUNCTION hftok_import.blank_remains(p_source hftok_import.imported_source) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT format(E'dead rows and index entries: VACUUM (FULL, ANALYZE) %s\n'
        'what ANALYZE took from the column: VACUUM FULL pg_catalog.pg_statistic, after that\n'
        'WAL: CHECKPOINT; with wal_recycle off its files are then removed, else overwritten in time; and its archive\n'
        'replicas: until they have replayed all this\n'
        'base backups, snapshots and dumps: until they are deleted\n'
        'server logs, pg_stat_statements, poolers: if they were shown statements with the values in them\n'
        'whatever triggers, views and subscribers copied elsewhere\n'
        'who must be sure has the keys revoked by their providers, and saves new ones', (p_source).relation)
$$;
COMMENT ON FUNCTION hftok_import.blank_remains IS
    'The places that still hold old values after a column was emptied: a line for each, with the remedy.';

CREATE OR REPLACE PROCEDURE hftok.blank_column(p_table regclass, p_column name, p_key name, p_discard text[] DEFAULT '{}')
    LANGUAGE plpgsql SECURITY INVOKER
    AS $$
DECLARE
    source hftok_import.imported_source;
    -- The row that is looked at, and what became of it.
    key pg_catalog.text;
    attempt record;
    outcome pg_catalog.text;
    attempts int;
    -- Of all of them.
    blanked int := 0;
    discarded int := 0;
    left_over int := 0;
    pending int := 0;
    since pg_catalog.timestamptz := pg_catalog.clock_timestamp();
    remains pg_catalog.text;
BEGIN
    COMMIT;
    IF (p_discard OPERATOR(pg_catalog.<@) '{rejected,duplicate,skipped}') IS NOT TRUE THEN
        RAISE EXCEPTION 'p_discard is of rejected, duplicate and skipped' USING ERRCODE = '22023';
    END IF;
    source := hftok_import.import_source(p_table, p_column, p_key);
    PERFORM hftok_import.import_empty(p_table, p_column, p_key, NULL, '');
    FOR key IN SELECT k.key FROM hftok_import.import_keys(p_table, p_column, p_key, p_held => true) k LOOP
        attempts := 0;
        LOOP
            attempt := hftok_import.blank_attempt(source, p_table, p_column, p_key, key, p_discard);
            outcome := attempt.outcome;
            EXIT WHEN NOT attempt.is_again;
            COMMIT;
            attempts := attempts OPERATOR(pg_catalog.+) 1;
            IF attempts OPERATOR(pg_catalog.>=) 10 THEN
                outcome := hftok_import.import_note(source.source, key, 'changed', 'somebody else was changing it: try again');
                EXIT;
            END IF;
        END LOOP;
        IF outcome OPERATOR(pg_catalog.=) 'blanked' THEN
            blanked := blanked OPERATOR(pg_catalog.+) 1;
        ELSIF outcome OPERATOR(pg_catalog.=) 'discarded' THEN
            discarded := discarded OPERATOR(pg_catalog.+) 1;
        ELSIF outcome OPERATOR(pg_catalog.<>) 'blank' THEN
            left_over := left_over OPERATOR(pg_catalog.+) 1;
        END IF;
        pending := pending OPERATOR(pg_catalog.+) 1;
        IF pending OPERATOR(pg_catalog.>=) 1000
            OR pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) (since OPERATOR(pg_catalog.+) '1 second'::interval) THEN
            COMMIT;
            DISCARD PLANS;
            pending := 0;
            since := pg_catalog.clock_timestamp();
        END IF;
    END LOOP;
    remains := hftok_import.blank_remains(source);
    PERFORM hftok_import.import_note(source.source, NULL, 'remains', remains);
    COMMIT;
    RAISE NOTICE '%: emptied % rows%, left % that hold something%', source.source, blanked,
        CASE WHEN discarded OPERATOR(pg_catalog.>) 0 THEN pg_catalog.format(', discarded %s', discarded) ELSE '' END, left_over,
        CASE WHEN source.is_filtered THEN pg_catalog.format(', of about %s rows, because row security may hide others',
            coalesce(source.estimate::pg_catalog.text, 'an unknown number of')) ELSE '' END USING DETAIL = remains;
END
$$;
COMMENT ON PROCEDURE hftok.blank_column IS
    'Empties an application''s column (NULL, or '''' where that cannot be) in every row that still holds what was imported and whose secret opens. Others are left and reported, but for those that p_discard names by their outcome (rejected, duplicate, skipped) and that hold what was looked at then: they are emptied, and hftok does not have them. Says what still holds the old values.';
-- Moving in from Supabase Vault.
--
-- Where there is no Supabase Vault, anybody may have made a view of its name, and its functions run as the role that reads it:
-- so it is read as an application's table is (import_source.sql).
--
-- Must stay true: a secret that cannot be opened is reported by its name, and without the error, which may quote it. A value is taken by
-- assignment, for in FROM it would pass through a tuple store, which spills to disk.

-- Called by src/api/imports.rs as hftok_owner.
CREATE OR REPLACE FUNCTION hftok_private.import_vault_statements(p_view regclass, OUT names text, OUT reading text, OUT reads int2[])
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    source text := (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = p_view);
BEGIN
    names := format('SELECT v.id::pg_catalog.uuid, v.name::pg_catalog.text, v.description::pg_catalog.text FROM %s v', source);
    reading := format('SELECT v.decrypted_secret::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text,
        NULL::pg_catalog.text, NULL::pg_catalog.text FROM %s v WHERE v.id::pg_catalog.uuid OPERATOR(pg_catalog.=) $1::pg_catalog.uuid',
        source);
    -- The value comes last: a reader of names needs only the other columns.
    reads := ARRAY(SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = p_view
        AND a.attname = ANY ('{id,name,description,decrypted_secret}') ORDER BY a.attname = 'decrypted_secret');
END
$$;
COMMENT ON FUNCTION hftok_private.import_vault_statements IS 'The statements that read a Vault''s view, and which columns they touch.';

CREATE OR REPLACE FUNCTION hftok_import.import_vault_names(p_view regclass) RETURNS TABLE (id uuid, name text, description text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_import_vault_names';
COMMENT ON FUNCTION hftok_import.import_vault_names IS
    'What secrets a Supabase Vault has. Its view is read as its owner, unless that is a superuser or the caller.';

CREATE OR REPLACE FUNCTION hftok_import.import_vault_value(p_view regclass, p_id uuid) RETURNS hftok_import.imported_row
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    AS 'MODULE_PATHNAME', 'hftok_import_vault_value';
COMMENT ON FUNCTION hftok_import.import_vault_value IS 'One secret as the view shows it, in held; NULL when there is none.';

CREATE OR REPLACE FUNCTION hftok_private.import_vault_holds_as_owner(p_name text, p_value text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    given bytea[] := hftok_private.import_fingerprints(p_value, true);
    held hftok_private.secrets;
    is_same boolean;
BEGIN
    SELECT s.* INTO held FROM hftok_private.secrets s WHERE s.scope = 'vault' AND s.name = p_name AND p_name <> '';
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    is_same := held.fingerprint = ANY (given);
    PERFORM hftok_private.record_comparison('import_vault', CASE WHEN is_same THEN 'found' ELSE 'not_found' END,
        held.id, held.version, held.scope, held.scope_id, held.provider, is_same);
    RETURN is_same;
END
$$;
COMMENT ON FUNCTION hftok_private.import_vault_holds_as_owner IS 'The work of import_vault_holds(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_import.import_vault_holds(p_name text, p_value text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_import_vault_holds';
COMMENT ON FUNCTION hftok_import.import_vault_holds IS
    'Whether the named secret has this value now; NULL when there is none of this name. Each comparison is recorded.';

CREATE OR REPLACE FUNCTION hftok.import_vault(p_schema name DEFAULT 'vault') RETURNS hftok.imported_vault
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
    AS $$
DECLARE
    source text := format('%I.decrypted_secrets', p_schema);
    counts hftok.imported_vault := ROW(0, 0, 0, 0);
    listed jsonb;
    given record;
    value text;
    is_read boolean;
    outcome text;
    reason text;
    said text;
    detail text;
BEGIN
    IF to_regclass(source) IS NULL THEN
        RAISE EXCEPTION 'there is no view %', source USING ERRCODE = '22023', HINT = 'p_schema names the schema of a Supabase Vault.';
    ELSIF EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass(source) AND c.relowner = 'hftok_owner'::regrole) THEN
        RAISE EXCEPTION 'schema "%" is hftok''s own', p_schema USING ERRCODE = '22023';
    END IF;
    -- Names first, then each value alone. A view that opens them all for that may fail by one, and then its table says the names.
    BEGIN
        SELECT jsonb_agg(to_jsonb(n)) INTO listed FROM hftok_import.import_vault_names(source::regclass) n;
    EXCEPTION WHEN OTHERS THEN
        SELECT jsonb_agg(to_jsonb(n)) INTO listed FROM hftok_import.import_vault_names(format('%I.secrets', p_schema)::regclass) n;
    END;
    FOR given IN
        SELECT l.id, l.name, l.description FROM jsonb_to_recordset(listed) AS l (id uuid, name text, description text)
        ORDER BY l.name COLLATE "C", l.id
    LOOP
        is_read := false;
        reason := NULL;
        BEGIN
            value := (hftok_import.import_vault_value(source::regclass, given.id)).held;
            is_read := true;
            IF coalesce(given.name, '') = '' THEN
                outcome := 'skipped';
                reason := 'it has no name';
            ELSIF value IS NULL THEN
                outcome := 'rejected';
                reason := 'the view does not show its value';
            ELSIF EXISTS (SELECT FROM hftok.secrets s WHERE s.name = given.name) THEN
                outcome := CASE WHEN hftok_import.import_vault_holds(given.name, value) THEN 'unchanged' ELSE 'skipped' END;
                reason := CASE outcome WHEN 'skipped' THEN 'hftok has another secret of this name' END;
            ELSE
                PERFORM hftok.create_secret(value, given.name, given.description);
                outcome := 'imported';
            END IF;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
            outcome := 'rejected';
            IF NOT is_read AND SQLSTATE ~ '^(0A|2|3|P0|XX)' THEN
                reason := format('the view does not open it (SQLSTATE %s)', SQLSTATE);
            ELSIF is_read AND SQLSTATE IN ('22023', '23505') THEN
                reason := said;
            ELSIF is_read AND SQLSTATE = 'PT413' THEN
                reason := detail;
            ELSE
                RAISE;
            END IF;
        END;
        PERFORM hftok_import.import_note(source, coalesce(nullif(given.name, ''), given.id::text), outcome, reason);
        counts.imported := counts.imported + (outcome = 'imported')::int;
        counts.unchanged := counts.unchanged + (outcome = 'unchanged')::int;
        counts.skipped := counts.skipped + (outcome = 'skipped')::int;
        counts.rejected := counts.rejected + (outcome = 'rejected')::int;
    END LOOP;
    RETURN counts;
END
$$;
COMMENT ON FUNCTION hftok.import_vault IS
    'Copies the named secrets of a Supabase Vault in this database, read through its view. One whose name hftok has already is reported, not replaced.';
-- hftok's names in the schema that clients use when they name none.
--
-- Must stay true: objects that are made here have no rights of their own. Wrappers and views run as their caller, so that everything
-- hftok refuses is refused here; and they are granted to the roles that have the originals, whatever default privileges say.
--
-- install_api() runs as its caller, who cannot name hftok_private. Its body was parsed when it was made, so it finds its parts there,
-- and the parts call none of each other.

CREATE OR REPLACE FUNCTION hftok_private.admit_api_schema(p_schema name) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF to_regnamespace(quote_ident(p_schema)) IS NULL OR p_schema ~ '^(hftok|hftok_import|hftok_private|information_schema|pg_.*)$' THEN
        RAISE EXCEPTION 'there is no schema "%" that can take these names', p_schema USING ERRCODE = '22023';
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.admit_api_schema IS 'Refuses a schema that is not there, and those of hftok and Postgres.';

CREATE OR REPLACE FUNCTION hftok_private.api_objects(p_schema name, p_names text[])
    RETURNS TABLE (kind text, name name, original oid, statement text, comment text, is_taken boolean)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    -- Parameters go by their place, views are views of views: they can be written to as far as those can. PostgREST, asked to upsert
    -- without naming the key, finds it only in a view of the table itself; a role that can name the table can make such a view.
    WITH target AS (
        SELECT to_regnamespace(quote_ident(p_schema)) AS oid, has_schema_privilege('hftok_private', 'USAGE') AS is_at_home
    ), original AS (
        SELECT 'FUNCTION' AS kind, p.proname AS name, p.oid, p.proacl AS acl, obj_description(p.oid, 'pg_proc') AS comment,
            format('CREATE FUNCTION %1$I.%2$I(%3$s) RETURNS %4$s LANGUAGE sql %5$s PARALLEL UNSAFE SECURITY INVOKER '
                'BEGIN ATOMIC SELECT %6$s hftok.%2$I(%7$s); END', p_schema, p.proname, pg_get_function_arguments(p.oid),
                pg_get_function_result(p.oid),
                CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
                CASE WHEN p.proretset THEN '* FROM' END,
                (SELECT string_agg(format('$%s', n), ', ' ORDER BY n) FROM generate_series(1, p.pronargs) n)) AS statement,
            EXISTS (SELECT FROM pg_proc t WHERE t.pronamespace = target.oid AND t.proname = p.proname) AS is_taken
        FROM pg_proc p, target WHERE p.pronamespace = 'hftok'::regnamespace AND p.prokind = 'f'
        UNION ALL
        SELECT 'VIEW', c.relname, c.oid, c.relacl, obj_description(c.oid, 'pg_class'),
            format('CREATE VIEW %I.%I WITH (security_invoker) AS %s', p_schema, c.relname,
                CASE WHEN target.is_at_home AND EXISTS (SELECT FROM aclexplode(c.relacl) a
                    WHERE a.privilege_type = 'INSERT' AND a.grantee = 'hftok_user'::regrole) THEN pg_get_viewdef(c.oid)
                ELSE (SELECT format('SELECT %s FROM hftok.%I', string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum), c.relname)
                    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) END),
            EXISTS (SELECT FROM pg_class t WHERE t.relnamespace = target.oid AND t.relname = c.relname)
                OR EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = target.oid AND t.typname = c.relname)
        FROM pg_class c, target WHERE c.relnamespace = 'hftok'::regnamespace AND c.relkind = 'v'
    )
    SELECT o.kind, o.name, o.oid, o.statement, format('hftok.%s, by install_api(). %s', o.name, o.comment), o.is_taken FROM original o
    WHERE EXISTS (SELECT FROM aclexplode(o.acl) a WHERE a.grantee IN ('hftok_user'::regrole, 'hftok_service'::regrole))
    AND (p_names IS NULL OR o.name::text = ANY (p_names))
$$;
COMMENT ON FUNCTION hftok_private.api_objects IS
    'The functions and views that users or the backend may call or read, or those of p_names, and the statement that makes each in a schema.';

CREATE OR REPLACE FUNCTION hftok_private.admit_api_names(p_schema name, p_names text[], p_found name[], p_taken name[]) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    names text;
BEGIN
    SELECT string_agg(format('"%s"', n.name), ', ' ORDER BY n.name) INTO names
    FROM unnest(p_names) AS n (name) WHERE n.name IS NULL OR n.name <> ALL (coalesce(p_found, '{}')::text[]);
    IF p_found IS NULL OR names IS NOT NULL THEN
        RAISE EXCEPTION 'users and the backend have nothing of hftok under these names' USING ERRCODE = '22023',
            DETAIL = format('They are %s.', coalesce(names, 'none'));
    END IF;
    SELECT string_agg(format('"%s"', n.name), ', ' ORDER BY n.name::text) INTO names FROM unnest(p_taken) AS n (name);
    IF names IS NOT NULL THEN
        RAISE EXCEPTION 'schema "%" has objects of these names already', p_schema
            USING ERRCODE = '23505', DETAIL = format('They are %s.', names),
                  HINT = 'Rename or drop them, name another schema, or list in p_names what you need.';
    END IF;
END
$$;
COMMENT ON FUNCTION hftok_private.admit_api_names IS 'Refuses names that hftok does not have, and names that the schema has already.';

CREATE OR REPLACE FUNCTION hftok_private.make_api_object(p_kind text, p_original oid, p_object text, p_statement text, p_comment text)
    RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    part record;
BEGIN
    EXECUTE p_statement;
    EXECUTE format('COMMENT ON %s %s IS %L', p_kind, p_object, p_comment);
    IF p_kind <> 'VIEW' THEN
        RETURN;
    END IF;
    -- A view of the table itself is written to as the original is.
    FOR part IN
        SELECT replace(pg_get_triggerdef(t.oid), format(' ON %s ', c.oid::regclass), format(' ON %s ', p_object)) AS statement
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE t.tgrelid = p_original AND position(' FROM hftok_private.' IN p_statement) > 0
    LOOP
        EXECUTE part.statement;
    END LOOP;
    -- PostgREST names the defaults of a view in its own statements.
    FOR part IN
        SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) AS expression
        FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE d.adrelid = p_original
    LOOP
        EXECUTE format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', p_object, part.attname, part.expression);
    END LOOP;
END
$$;
COMMENT ON FUNCTION hftok_private.make_api_object IS 'Makes one wrapper or view, with the comment, the defaults and the triggers that it needs.';

CREATE OR REPLACE FUNCTION hftok_private.copy_privileges(p_kind text, p_original oid, p_schema name, p_name name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    object text := format('%s %I.%I', CASE p_kind WHEN 'VIEW' THEN 'TABLE' ELSE p_kind END, p_schema, p_name);
    target regnamespace := to_regnamespace(quote_ident(p_schema));
    given record;
BEGIN
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', object);
    FOR given IN
        SELECT DISTINCT a.grantee::regrole::text AS role
        FROM (
            SELECT p.proacl AS acl, p.proowner AS owner FROM pg_proc p
            WHERE p_kind = 'FUNCTION' AND p.pronamespace = target AND p.proname = p_name
            UNION ALL
            SELECT c.relacl, c.relowner FROM pg_class c
            WHERE p_kind = 'VIEW' AND c.relnamespace = target AND c.relname = p_name
        ) o, aclexplode(o.acl) a WHERE a.grantee NOT IN (0, o.owner)
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', object, given.role);
    END LOOP;
    FOR given IN
        SELECT a.privilege_type AS privilege, a.grantee::regrole::text AS role
        FROM (
            SELECT p.proacl AS acl, p.proowner AS owner FROM pg_proc p WHERE p_kind = 'FUNCTION' AND p.oid = p_original
            UNION ALL
            SELECT c.relacl, c.relowner FROM pg_class c WHERE p_kind = 'VIEW' AND c.oid = p_original
        ) o, aclexplode(o.acl) a WHERE a.grantee NOT IN (0, o.owner)
        UNION ALL
        SELECT format('%s (%I)', a.privilege_type, t.attname), a.grantee::regrole::text
        FROM pg_attribute t, aclexplode(t.attacl) a WHERE p_kind = 'VIEW' AND t.attrelid = p_original
    LOOP
        CONTINUE WHEN given.role = 'anon';
        EXECUTE format('GRANT %s ON %s TO %s', given.privilege, object, given.role);
    END LOOP;
END
$$;
COMMENT ON FUNCTION hftok_private.copy_privileges IS
    'Gives a wrapper or view the privileges of its original and no others, whatever default privileges said; anon has none.';

CREATE OR REPLACE FUNCTION hftok_private.open_api_schema(p_schema name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT a.grantee::regrole::text AS role FROM pg_namespace n, aclexplode(n.nspacl) a
        WHERE n.nspname = 'hftok' AND a.privilege_type = 'USAGE' AND a.grantee NOT IN (0, n.nspowner, 'hftok_owner'::regrole)
        AND NOT has_schema_privilege(a.grantee, p_schema::text, 'USAGE')
    LOOP
        CONTINUE WHEN granted.role = 'anon';
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', p_schema, granted.role);
    END LOOP;
END
$$;
COMMENT ON FUNCTION hftok_private.open_api_schema IS 'Gives USAGE on the schema to the roles that have it on schema hftok.';

CREATE OR REPLACE FUNCTION hftok_private.announce_api(p_schema name, p_names text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- On 15 enable_rpc() grants singly; since 16 members of the groups have what these have.
    IF NOT EXISTS (
        SELECT FROM pg_namespace n, aclexplode(n.nspacl) a
        WHERE n.nspname = 'hftok' AND a.grantee <> 0 AND a.grantee::regrole::text !~ '^hftok_' AND a.grantee <> n.nspowner
    ) AND NOT (current_setting('server_version_num')::int >= 160000
        AND EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = 'hftok_user'::regrole)
    ) THEN
        RAISE WARNING 'enable_rpc() was not called yet: PostgREST''s roles cannot call what was made'
            USING HINT = 'A superuser calls hftok.enable_rpc(), which also grants them what install_api() made.';
    END IF;
    IF NOT has_schema_privilege('hftok_private', 'USAGE') AND coalesce('user_api_keys' = ANY (p_names), true) THEN
        RAISE NOTICE 'upserts through %.user_api_keys must name their key: (user_id, service)', p_schema
            USING HINT = 'They need not when a superuser calls install_api().';
    END IF;
    NOTIFY pgrst, 'reload schema';
END
$$;
COMMENT ON FUNCTION hftok_private.announce_api IS 'Tells PostgREST of the new names, and the caller of a step that is missing.';

CREATE OR REPLACE FUNCTION hftok.install_api(p_schema name DEFAULT 'public', p_names text[] DEFAULT NULL) RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT hftok_private.admit_api_schema(p_schema);
        SELECT hftok_private.admit_api_names(p_schema, p_names, pg_catalog.array_agg(o.name),
            pg_catalog.array_agg(o.name) FILTER (WHERE o.is_taken))
        FROM hftok_private.api_objects(p_schema, p_names) o;
        SELECT hftok_private.make_api_object(o.kind, o.original, pg_catalog.format('%I.%I', p_schema, o.name), o.statement, o.comment)
        FROM hftok_private.api_objects(p_schema, p_names) o;
        SELECT hftok_private.copy_privileges(o.kind, o.original, p_schema, o.name)
        FROM hftok_private.api_objects(p_schema, p_names) o;
        SELECT hftok_private.open_api_schema(p_schema);
        SELECT hftok_private.announce_api(p_schema, p_names);
    END;
COMMENT ON FUNCTION hftok.install_api IS
    'Makes wrappers and views of what users and the backend call in another schema, or of p_names only, with the privileges of the originals as they are now; enable_rpc() adds those of the roles that it is given. The caller needs CREATE on the schema; a name that is taken is an error. To be dropped before hftok is updated or dropped, and made anew after.';
-- Keys and the state of hftok.

CREATE OR REPLACE FUNCTION hftok.seal() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_seal';
COMMENT ON FUNCTION hftok.seal IS 'Drops all keys from memory, for every database of the server, now and over a restart.';

CREATE OR REPLACE FUNCTION hftok_private.unseal_as_owner(p_replace boolean) RETURNS hftok.keyring
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    state jsonb;
    found hftok.keyring;
BEGIN
    PERFORM hftok_private.read_keyring(p_replace);
    state := hftok_private.keyring_state()::jsonb;
    found.primary_key_id := (state ->> 'primary')::int;
    found.key_ids := ARRAY(SELECT (k ->> 'id')::int FROM jsonb_array_elements(state -> 'keys') k);
    RETURN found;
END
$$;
COMMENT ON FUNCTION hftok_private.unseal_as_owner IS 'The work of unseal(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.unseal(p_replace boolean DEFAULT false) RETURNS hftok.keyring
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_unseal';
COMMENT ON FUNCTION hftok.unseal IS
    'Reads the keyring again, also when not sealed. One that lacks what is in use replaces nothing, unless p_replace insists.';

-- Granted to nobody, and of no use to anybody but a superuser.
CREATE OR REPLACE FUNCTION hftok.adopt_database() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_adopt_database';
COMMENT ON FUNCTION hftok.adopt_database IS
    'Makes a copy (of a template, from a dump, from a base backup under another installation) a database of its own, with an event that says whose audit it continues. For superusers.';

CREATE OR REPLACE FUNCTION hftok_private.look_at_server() RETURNS hftok.server_status
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    keyring jsonb := hftok_private.keyring_state()::jsonb;
    audit jsonb := hftok_private.audit_state()::jsonb;
    status hftok.server_status;
BEGIN
    status.version := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'hftok');
    status.sealed := NOT (keyring ->> 'open')::boolean;
    status.reason := keyring ->> 'reason';
    status.primary_root_key_id := (keyring ->> 'primary')::int;
    status.root_key_ids := ARRAY(SELECT (k ->> 'id')::int FROM jsonb_array_elements(keyring -> 'keys') k);
    status.removable_root_key_ids := ARRAY(
        SELECT root.id FROM unnest(status.root_key_ids) AS root (id)
        WHERE root.id <> status.primary_root_key_id
        AND NOT EXISTS (
            SELECT FROM hftok_private.data_keys k WHERE k.root_key_id = root.id AND k.state <> 'destroyed'
        )
    );
    -- The keyring may be there and not be the one of this database.
    IF NOT status.sealed AND status.reason IS NULL THEN
        SELECT format('root key %s with fingerprint %s, which this database needs, is not in the keyring',
            k.root_key_id, encode(k.root_fingerprint, 'hex'))
        INTO status.reason
        FROM hftok_private.data_keys k
        WHERE k.state <> 'destroyed'
        AND NOT EXISTS (
            SELECT FROM jsonb_array_elements(keyring -> 'keys') AS loaded (key)
            WHERE (loaded.key ->> 'id')::int = k.root_key_id
            AND loaded.key ->> 'fingerprint' = encode(k.root_fingerprint, 'hex')
        )
        ORDER BY k.state, k.id LIMIT 1;
    END IF;
    IF NOT status.sealed AND status.reason IS NULL THEN
        SELECT format('this is a copy of database "%s" (%s) of installation "%s": see hftok.adopt_database()',
            i.database_name, i.database_oid, i.installation)
        INTO status.reason
        FROM hftok_private.database_identity i
        WHERE i.generation = (SELECT max(n.generation) FROM hftok_private.database_identity n)
        AND (i.installation <> keyring ->> 'installation'
            OR i.database_oid <> (SELECT d.oid::bigint FROM pg_database d WHERE d.datname = current_database()));
    END IF;
    status.active_data_key_id := (
        SELECT k.id FROM hftok_private.data_keys k WHERE k.purpose = 'values' AND k.state = 'active' AND k.org_id = ''
    );
    SELECT count(*), count(*) FILTER (WHERE EXISTS (
        SELECT FROM hftok_private.data_keys k WHERE k.id = hftok_private.data_key_id(s.sealed) AND k.state <> 'active'
    ))
    INTO status.secrets, status.secrets_on_old_keys
    FROM hftok_private.secrets s;
    status.gateways := hftok_private.gateways();
    status.installation := nullif(keyring ->> 'installation', '');
    -- Events that wait in memory, and events that wait in their table.
    status.audit_mode := audit ->> 'mode';
    status.audit_writer := audit ->> 'writer';
    SELECT (audit ->> 'waiting')::bigint + count(*),
        greatest(make_interval(secs => (audit ->> 'oldest_age')::float8 / 1e6), clock_timestamp() - min(p.at) FILTER (WHERE isfinite(p.at)), '0')
    INTO status.audit_waiting, status.audit_lag
    FROM hftok_private.audit_pending p;
    IF (audit ->> 'held_up')::boolean THEN
        status.audit_trouble := coalesce(
            hftok_private.audit_trouble((audit ->> 'process')::int),
            CASE WHEN status.audit_writer IN ('failing', 'blocked') THEN 'the server''s log says what keeps the writer' END);
    END IF;
    -- Without keys events stay in their table anyway.
    IF status.audit_trouble IS NULL AND NOT status.sealed AND status.reason IS NULL THEN
        status.audit_trouble := hftok_private.pending_trouble((audit ->> 'process')::int, '5 seconds');
    END IF;
    RETURN status;
END
$$;
COMMENT ON FUNCTION hftok_private.look_at_server IS 'The state of the server, for status().';

-- An administrator of the application is known by their JWT alone.
CREATE OR REPLACE FUNCTION hftok.status() RETURNS hftok.server_status
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_status';
COMMENT ON FUNCTION hftok.status IS
    'Version, state of the keyring, counts, and how the audit is doing. removable_root_key_ids: no row of this database needs them; older backups may.';

CREATE OR REPLACE FUNCTION hftok_private.verify_as_owner()
    RETURNS TABLE (kind text, id text, version int, reason text, checked bigint, failed bigint)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH present AS MATERIALIZED (
        SELECT ARRAY(SELECT k.id::bigint FROM hftok_private.data_keys k WHERE k.state <> 'destroyed') AS ids
    ), looked_at AS MATERIALIZED (
        SELECT 'data key' AS kind, k.id::text AS id, NULL::int AS version,
            hftok_private.data_key_fault(k.id, k.purpose, k.org_id, k.root_key_id, k.root_fingerprint, k.wrapped) AS reason
        FROM hftok_private.data_keys k WHERE k.state <> 'destroyed'
        UNION ALL
        SELECT 'secret', s.id::text, s.version,
            coalesce(
                hftok_private.missing_key(s.sealing, s.marking, (SELECT p.ids FROM present p)::bigint[]),
                hftok_private.value_fault(s.id, s.version, s.scope, s.scope_id, s.provider, s.model, s.name,
                    s.slot, s.kind, s.allowed_hosts, s.expires_at, s.sealed, s.preview, s.fingerprint, s.binding_key))
        FROM (
            SELECT c.*, hftok_private.data_key_id(c.sealed) AS sealing,
                hftok_private.data_key_id('\x00'::bytea || c.fingerprint) AS marking
            FROM hftok_private.secrets c
        ) s
        UNION ALL
        SELECT 'version', v.secret_id::text, v.version,
            coalesce(
                hftok_private.missing_key(v.sealing, v.marking, (SELECT p.ids FROM present p)::bigint[]),
                hftok_private.value_fault(v.secret_id, v.version, v.scope, v.scope_id, v.provider, v.model, v.name,
                    v.slot, v.kind, v.allowed_hosts, v.expires_at, v.sealed, v.preview, v.fingerprint, NULL),
                hftok_private.superseded_fault(v.secret_id, v.version, v.superseded_at, v.superseded_mark))
        FROM (
            SELECT c.*, hftok_private.data_key_id(c.sealed) AS sealing,
                hftok_private.data_key_id('\x00'::bytea || c.fingerprint) AS marking
            FROM hftok_private.secret_versions c
        ) v
        UNION ALL
        SELECT 'integration', i.id::text, NULL,
            CASE WHEN NOT EXISTS (
                SELECT FROM hftok_private.secrets s
                WHERE s.id = i.secret_id AND s.scope = 'integration' AND s.scope_id = i.user_id AND s.provider = i.type
            ) THEN 'its credentials are those of something else' END
        FROM hftok_private.integrations i
        UNION ALL
        SELECT 'provider', p.id, NULL, hftok_private.provider_fault(p.id, p.definition, p.signature)
        FROM hftok_private.providers p
    ), told AS MATERIALIZED (
        SELECT f.kind, f.id, f.version, f.reason FROM hftok_private.audit_faults() f
        WHERE (SELECT hftok_private.record_verify())
        UNION ALL
        SELECT m.kind, m.id, m.version, m.reason FROM hftok_private.mask_faults() m
    ), answer AS (
        SELECT 1 AS part, l.kind, l.id, l.version, l.reason, NULL::bigint AS checked, NULL::bigint AS failed
        FROM looked_at l WHERE l.reason IS NOT NULL
        UNION ALL
        SELECT 1, t.kind, t.id, t.version, t.reason, NULL, NULL FROM told t
        UNION ALL
        SELECT 2, 'total', NULL, NULL, NULL, count(*), count(l.reason) + (SELECT count(*) FROM told) FROM looked_at l
    )
    SELECT a.kind, a.id, a.version, a.reason, a.checked, a.failed FROM answer a ORDER BY a.part, a.kind, a.id, a.version
$$;
COMMENT ON FUNCTION hftok_private.verify_as_owner IS 'The work of verify(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok.verify()
    RETURNS TABLE (kind text, id text, version int, reason text, checked bigint, failed bigint)
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_verify';
COMMENT ON FUNCTION hftok.verify IS
    'Opens everything without showing it, and holds what is stored against what the audit tells: a row for each data key, secret, version, integration, provider, mask, share and membership that fails, with the reason, and a last row with the counts.';

CREATE OR REPLACE FUNCTION hftok.logging_risks() RETURNS TABLE (risk text, subject text, remedy text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH given AS (
        -- Settings that hold now, and settings that hold elsewhere by ALTER ROLE or ALTER DATABASE.
        SELECT s.name, s.setting, format('%s = %s', s.name, s.setting) AS subject FROM pg_settings s
        UNION ALL
        SELECT split_part(c.entry, '=', 1), substr(c.entry, strpos(c.entry, '=') + 1),
            concat_ws(', ', c.entry, 'role ' || r.rolname, 'database ' || d.datname)
        FROM (SELECT o.setrole, o.setdatabase, unnest(o.setconfig) AS entry FROM pg_db_role_setting o) c
        LEFT JOIN pg_roles r ON r.oid = c.setrole LEFT JOIN pg_database d ON d.oid = c.setdatabase
    ), statements AS (
        SELECT g.name, g.subject FROM given g
        WHERE (g.name = 'log_statement' AND g.setting <> 'none')
        OR (g.name IN ('log_min_duration_statement', 'log_min_duration_sample', 'auto_explain.log_min_duration')
            AND g.setting <> '-1')
        OR (g.name IN ('debug_print_parse', 'debug_print_rewritten', 'debug_print_plan', 'pgaudit.log_statement')
            AND g.setting IN ('on', 'true', 'yes', '1'))
        OR (g.name = 'log_transaction_sample_rate' AND g.setting NOT IN ('0', '0.0'))
    )
    SELECT 'this login role may read the tables but is subject to row security, so pg_dump under it fails as a whole',
        r.rolname::text, format('ALTER ROLE %I BYPASSRLS, or dump as a superuser.', r.rolname)
    FROM pg_roles r
    WHERE r.rolcanlogin AND NOT r.rolsuper AND NOT r.rolbypassrls
    AND has_table_privilege(r.oid, 'hftok_private.secrets', 'SELECT')
    UNION ALL
    SELECT 'statements are written to the server log with the literals in them', s.subject,
        'Pass secrets as parameters only, or turn it off.'
    FROM statements s
    UNION ALL
    SELECT 'statements that fail are written to the server log with the literals in them', g.subject,
        'Pass secrets as parameters only, or set it to panic.'
    FROM given g WHERE g.name = 'log_min_error_statement' AND g.setting NOT IN ('fatal', 'panic')
    UNION ALL
    SELECT 'parameters are written to the server log', g.subject, format('Set %s to %s.', g.name, CASE WHEN g.name LIKE 'pgaudit.%' THEN 'off' ELSE '0' END)
    FROM given g
    WHERE (g.name = 'log_parameter_max_length_on_error' AND g.setting <> '0')
    OR (g.name = 'pgaudit.log_parameter' AND g.setting IN ('on', 'true', 'yes', '1'))
    OR (g.name = 'log_parameter_max_length' AND g.setting <> '0' AND EXISTS (
        SELECT FROM statements s WHERE s.name NOT LIKE 'auto\_explain.%'
    ))
    OR (g.name = 'auto_explain.log_parameter_max_length' AND g.setting <> '0' AND EXISTS (
        SELECT FROM statements s WHERE s.name LIKE 'auto\_explain.%'
    ))
    UNION ALL
    SELECT 'the keyring names no installation, so a database of another server with the same root keys may not be told from this one',
        'installation', 'Give the keyring a line installation: <name>, another on each server, before there is a key; later call adopt_database() in every database.'
    WHERE hftok_private.keyring_state()::jsonb ->> 'installation' = ''
    UNION ALL
    -- Superusers can do it anyway.
    SELECT 'this login role may read the files of the server, and so the keyring', r.rolname::text,
        format('REVOKE %I FROM %I, or from the role through which it has it.', g.name, r.rolname)
    FROM pg_roles r, (VALUES ('pg_read_server_files'), ('pg_execute_server_program')) g (name)
    WHERE r.rolcanlogin AND NOT r.rolsuper AND pg_has_role(r.oid, g.name, 'MEMBER')
    UNION ALL
    SELECT 'the key file is in the data directory, and so in every base backup', 'hftok.key_file',
        'Move it elsewhere, and give hftok.key_file its whole path.'
    WHERE (hftok_private.keyring_state()::jsonb ->> 'is_in_data_directory')::boolean
    UNION ALL
    SELECT 'utility statements are kept with the literals in them', g.subject,
        'Pass secrets as parameters only, or turn it off.'
    FROM given g WHERE g.name = 'pg_stat_statements.track_utility' AND g.setting IN ('on', 'true', 'yes', '1')
$$;
COMMENT ON FUNCTION hftok.logging_risks IS 'Settings and roles of this server that let plaintext escape or backups fail, with the remedy.';
-- The caller, and opening hftok to PostgREST and to code written for Supabase Vault.

CREATE OR REPLACE FUNCTION hftok.whoami() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_whoami';
COMMENT ON FUNCTION hftok.whoami IS
    'The identity that hftok takes the caller for: the sub of the JWT under a gateway, role:<name> elsewhere.';

-- A default that clients may name: PostgREST copies it into its own statements.
ALTER VIEW hftok.user_api_keys ALTER COLUMN user_id SET DEFAULT hftok.whoami();

-- EXECUTE on it is the record that a login is a gateway of this database (src/pg/who/gateway.rs), and enable_rpc() makes it.
CREATE OR REPLACE FUNCTION hftok_private.gateways() RETURNS text[]
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_gateways';
COMMENT ON FUNCTION hftok_private.gateways IS
    'The logins under which claims of a JWT are believed: listed in hftok.gateways, and recorded here by EXECUTE on this function.';

CREATE OR REPLACE FUNCTION hftok.install_vault_schema() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_install_vault_schema';
COMMENT ON FUNCTION hftok.install_vault_schema IS
    'Creates schema vault with Supabase Vault''s functions and views on top of hftok; all of it belongs to hftok_owner. A schema of that name must not exist.';

-- Objects that roles may be granted: hftok itself, the objects that install_api() made of it elsewhere, and the schema that
-- install_vault_schema() made.
CREATE OR REPLACE FUNCTION hftok_private.granted_to(p_role name)
    RETURNS TABLE (kind text, object text, privilege text, schema name)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH home AS (
        SELECT n.oid FROM pg_namespace n
        WHERE n.nspname IN ('hftok', 'hftok_import', 'hftok_private') OR (n.nspname = 'vault' AND n.nspowner = 'hftok_owner'::regrole)
    ), made AS (
        SELECT d.classoid, d.objoid FROM pg_description d
        WHERE d.objsubid = 0 AND d.description LIKE 'hftok.%, by install\_api(). %'
    ), access AS (
        SELECT 'SCHEMA' AS kind, format('%I', n.nspname) AS object, NULL::name AS attribute, n.oid AS namespace, n.nspacl AS acl
        FROM pg_namespace n WHERE n.oid IN (SELECT h.oid FROM home h)
        UNION ALL
        SELECT 'TABLE', c.oid::regclass::text, a.attname, c.relnamespace, CASE WHEN a.attname IS NULL THEN c.relacl ELSE a.attacl END
        FROM pg_class c CROSS JOIN LATERAL (
            SELECT NULL::name AS attname, NULL::aclitem[] AS attacl
            UNION ALL
            SELECT t.attname, t.attacl FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attacl IS NOT NULL
        ) a
        WHERE c.relnamespace IN (SELECT h.oid FROM home h)
        OR c.oid IN (SELECT m.objoid FROM made m WHERE m.classoid = 'pg_class'::regclass)
        UNION ALL
        SELECT 'FUNCTION', p.oid::regprocedure::text, NULL, p.pronamespace, p.proacl
        FROM pg_proc p
        WHERE p.pronamespace IN (SELECT h.oid FROM home h)
        OR p.oid IN (SELECT m.objoid FROM made m WHERE m.classoid = 'pg_proc'::regclass)
    )
    SELECT s.kind, s.object, x.privilege_type || CASE WHEN s.attribute IS NULL THEN '' ELSE format(' (%I)', s.attribute) END, n.nspname
    FROM access s JOIN pg_namespace n ON n.oid = s.namespace, aclexplode(s.acl) x
    WHERE x.grantee = (SELECT r.oid FROM pg_roles r WHERE r.rolname = p_role)
$$;
COMMENT ON FUNCTION hftok_private.granted_to IS 'What was granted to a role itself of hftok and of what was made on top of it.';

CREATE OR REPLACE FUNCTION hftok_private.set_rpc(p_enable boolean, p_member name, p_group name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    inherits boolean := current_setting('server_version_num')::int >= 160000;
    granted record;
BEGIN
    IF p_member IS NULL THEN
        RAISE EXCEPTION 'a role must not be null' USING ERRCODE = '22023';
    ELSIF p_member LIKE 'hftok\_%' THEN
        RAISE EXCEPTION 'name a role of PostgREST, not one of hftok' USING ERRCODE = '22023';
    END IF;
    IF NOT p_enable THEN
        EXECUTE format('REVOKE %I FROM %I', p_group, p_member);
        -- On every version: a server that was upgraded to 16 has kept what was granted singly on 15.
        FOR granted IN SELECT * FROM hftok_private.granted_to(p_member) LOOP
            EXECUTE format('REVOKE %s ON %s %s FROM %I', granted.privilege, granted.kind, granted.object, p_member);
        END LOOP;
        RETURN;
    END IF;
    EXECUTE format('GRANT %I TO %I%s', p_group, p_member, CASE WHEN inherits THEN ' WITH INHERIT TRUE' ELSE '' END);
    IF inherits THEN
        RETURN;
    END IF;
    -- Before 16 a role that is NOINHERIT has nothing of its groups unless it switches to them, which PostgREST
    -- does not do: so it also gets directly what the group has.
    FOR granted IN SELECT * FROM hftok_private.granted_to(p_group) LOOP
        EXECUTE format('GRANT %s ON %s %s TO %I', granted.privilege, granted.kind, granted.object, p_member);
        -- By itself it opens nothing, and is not taken back.
        IF NOT has_schema_privilege(p_member, granted.schema, 'USAGE') AND granted.schema NOT IN ('hftok_private', 'vault') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', granted.schema, p_member);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION hftok_private.set_rpc IS 'Gives a role what a group of hftok has, or takes it away.';

CREATE OR REPLACE FUNCTION hftok.enable_rpc(
    p_user_role name DEFAULT 'authenticated', p_service_role name DEFAULT 'service_role',
    p_login_role name DEFAULT 'authenticator'
) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    PERFORM hftok_private.set_rpc(true, p_user_role, 'hftok_user');
    PERFORM hftok_private.set_rpc(true, p_service_role, 'hftok_service');
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_login_role) THEN
        RAISE WARNING 'there is no role "%"', p_login_role
            USING HINT = 'PostgREST logs in as this role.';
    ELSE
        EXECUTE format('GRANT EXECUTE ON FUNCTION hftok_private.gateways() TO %I', p_login_role);
        PERFORM hftok_private.record_change('enable_rpc', p_level => 'gateway', p_subject => 'role:' || p_login_role);
        IF NOT p_login_role::text = ANY (hftok_private.gateways()) THEN
            RAISE WARNING 'the login role "%" is missing from hftok.gateways', p_login_role
                USING HINT = 'Add it in postgresql.conf and reload: claims of a JWT are believed only under a gateway.';
        END IF;
    END IF;
    NOTIFY pgrst, 'reload schema';
END
$$;
COMMENT ON FUNCTION hftok.enable_rpc IS
    'Lets PostgREST''s roles call hftok: users as hftok_user, the backend as hftok_service; and records the login under which claims are believed. May be repeated, and is after an update.';

CREATE OR REPLACE FUNCTION hftok.disable_rpc(
    p_user_role name DEFAULT 'authenticated', p_service_role name DEFAULT 'service_role',
    p_login_role name DEFAULT 'authenticator'
) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    PERFORM hftok_private.set_rpc(false, p_user_role, 'hftok_user');
    PERFORM hftok_private.set_rpc(false, p_service_role, 'hftok_service');
    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_login_role) THEN
        IF p_login_role::text = ANY (hftok_private.gateways()) THEN
            RAISE NOTICE 'the login role "%" is still listed in hftok.gateways', p_login_role
                USING HINT = 'It stays a gateway for every other database of this server where hftok was opened to it.';
        END IF;
        EXECUTE format('REVOKE EXECUTE ON FUNCTION hftok_private.gateways() FROM %I', p_login_role);
        PERFORM hftok_private.record_change('disable_rpc', p_subject => 'role:' || p_login_role);
    END IF;
    NOTIFY pgrst, 'reload schema';
END
$$;
COMMENT ON FUNCTION hftok.disable_rpc IS
    'Takes back what enable_rpc() gave: afterwards the two roles have nothing of their groups, also not what was granted to them singly, and the login is no gateway here.';
-- Every privilege, and the owner of everything. PUBLIC gets nothing that it can name.

-- Only what belongs to the extension is touched, and of that only what is new: the owner tells. Default privileges of the
-- installing superuser are taken back, so that nothing holds but what stands below; grants that a DBA made since stay.
DO $members$
DECLARE
    member record;
    grantee text;
BEGIN
    FOR member IN
        SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, 'TABLE' AS acl_kind,
            pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.relacl AS acl
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.objid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.relkind IN ('r', 'v')
        AND c.relowner <> 'hftok_owner'::pg_catalog.regrole
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
        AND d.refobjid = (SELECT e.oid FROM pg_catalog.pg_extension e WHERE e.extname = 'hftok')
        UNION ALL
        SELECT 'ROUTINE', 'ROUTINE', p.oid::pg_catalog.regprocedure::text, p.proacl
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.objid
        WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.proowner <> 'hftok_owner'::pg_catalog.regrole
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
        AND d.refobjid = (SELECT e.oid FROM pg_catalog.pg_extension e WHERE e.extname = 'hftok')
        UNION ALL
        SELECT 'TYPE', 'TYPE', t.oid::pg_catalog.regtype::text, t.typacl
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_type t ON t.oid = d.objid
        JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
        WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.typowner <> 'hftok_owner'::pg_catalog.regrole
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
        AND d.refobjid = (SELECT e.oid FROM pg_catalog.pg_extension e WHERE e.extname = 'hftok')
    LOOP
        EXECUTE pg_catalog.format('ALTER %s %s OWNER TO hftok_owner', member.kind, member.name);
        EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM PUBLIC', member.acl_kind, member.name);
        FOR grantee IN
            SELECT DISTINCT r.rolname FROM pg_catalog.aclexplode(member.acl) a
            JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
            WHERE r.rolname NOT IN (CURRENT_USER, 'hftok_owner')
        LOOP
            EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %I', member.acl_kind, member.name, grantee);
        END LOOP;
    END LOOP;
END
$members$;

GRANT USAGE ON SCHEMA hftok TO hftok_owner, hftok_user, hftok_service, hftok_admin, hftok_auditor;
GRANT USAGE ON SCHEMA hftok_private TO hftok_owner;
GRANT USAGE ON SCHEMA hftok_import TO hftok_owner, hftok_admin;

-- Views, policies and functions call these with the privileges of their reader or caller. Each is executable, checks for itself, and
-- lies in a schema that nobody has USAGE on.
GRANT EXECUTE ON FUNCTION
    hftok_private.open_vault_row, hftok_private.explain, hftok_private.caller_id, hftok_private.is_caller, hftok_private.caller_is_in,
    hftok_private.caller_is_administrator, hftok_private.planned_for, hftok_private.planned_for_administrator,
    hftok_private.sees_all, hftok_private.catalogue_rows, hftok_private.visible_credentials,
    hftok_private.visible_members, hftok_private.visible_administrators, hftok_private.visible_integrations,
    hftok_private.visible_usage, hftok_private.visible_audit_events, hftok_private.unpacked, hftok_private.may_hold, hftok_private.reveals,
    hftok_private.vault_create_secret, hftok_private.vault_update_secret
    TO PUBLIC;

-- LOCK TABLE locks what is below a view as well, with the rights of the view's owner, if these allow more than to read. So the
-- owner may only read the views that lie between those that others may write to and the tables.
DO $between$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['credential_rows', 'member_rows', 'administrator_rows', 'integration_rows', 'usage_rows',
        'audit_rows', 'audit_of_rows', 'stored_vault_rows']
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON hftok_private.%I FROM hftok_owner', name);
        EXECUTE pg_catalog.format('GRANT SELECT ON hftok_private.%I TO hftok_owner', name);
    END LOOP;
END
$between$;

GRANT EXECUTE ON FUNCTION
    hftok.create_secret, hftok.update_secret, hftok.put_secret, hftok.get_secret, hftok.delete_secret, hftok.restore_secret
    TO hftok_admin, hftok_service;
GRANT EXECUTE ON FUNCTION hftok.secret_history TO hftok_admin, hftok_service, hftok_auditor;
GRANT EXECUTE ON FUNCTION
    hftok.find_secret, hftok.verify, hftok.logging_risks, hftok.verify_audit, hftok.audit_head
    TO hftok_admin, hftok_auditor;
-- To users because some of them are administrators of the application.
GRANT EXECUTE ON FUNCTION hftok.audit_public_key, hftok.audit_proof, hftok.audit_consistency, hftok.audit_tiles, hftok.find_audit_events
    TO hftok_user, hftok_admin, hftok_auditor;
GRANT EXECUTE ON FUNCTION hftok.purge_audit, hftok.adopt_role TO hftok_admin;
GRANT SELECT ON hftok.secrets TO hftok_admin, hftok_service, hftok_auditor;
GRANT SELECT, DELETE ON hftok.decrypted_secrets TO hftok_admin, hftok_service;

GRANT EXECUTE ON FUNCTION
    hftok.save_credential, hftok.save_hf_token, hftok.delete_credential, hftok.explain_token, hftok.token_provided,
    hftok.add_member, hftok.remove_member
    TO hftok_user, hftok_service, hftok_admin;
GRANT EXECUTE ON FUNCTION
    hftok.create_integration_with_vault, hftok.update_integration, hftok.update_integration_credentials,
    hftok.delete_integration_with_vault, hftok.share_integration, hftok.unshare_integration
    TO hftok_user, hftok_service;
GRANT EXECUTE ON FUNCTION hftok.explain_token, hftok.token_provided TO hftok_auditor;
GRANT EXECUTE ON FUNCTION hftok.check_credential TO hftok_user, hftok_service;
GRANT EXECUTE ON FUNCTION
    hftok.save_credentials, hftok.forget_user, hftok.forget_org, hftok.grant_administrator, hftok.revoke_administrator
    TO hftok_service, hftok_admin;
GRANT EXECUTE ON FUNCTION
    hftok.resolve_token, hftok.resolve_hf_token, hftok.previous_token, hftok.runner_env, hftok.report_credential,
    hftok.get_integration_credentials, hftok.update_integration_status, hftok.record_usage
    TO hftok_service;
GRANT EXECUTE ON FUNCTION hftok.register_provider, hftok.unregister_provider TO hftok_admin;

GRANT SELECT ON hftok.credentials, hftok.expiring_credentials, hftok.members, hftok.administrators, hftok.providers,
    hftok.integrations, hftok.usage_daily
    TO hftok_user, hftok_service, hftok_admin, hftok_auditor;
GRANT SELECT ON hftok.audit_events TO hftok_user, hftok_admin, hftok_auditor;
GRANT SELECT ON hftok.recent_reveals, hftok.refusals_by_role, hftok.unused_secrets, hftok.new_applications
    TO hftok_admin, hftok_auditor;
GRANT UPDATE (label, enabled, allowed_hosts, on_unusable, expires_at), DELETE ON hftok.credentials
    TO hftok_user, hftok_service, hftok_admin;
-- The one view that runs with its reader's privileges: row security decides on the rows. By column, because a role that may write a
-- whole table may lock it. The view's triggers do the changes and deletes that come through it.
GRANT SELECT (id, user_id, service, api_key, created_at, updated_at), INSERT (id, user_id, service, api_key, created_at, updated_at), UPDATE (id, user_id, service, api_key, created_at, updated_at)
    ON hftok_private.user_api_keys TO hftok_user, hftok_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON hftok.user_api_keys TO hftok_user, hftok_service;
GRANT SELECT ON hftok.provider_secrets TO hftok_user, hftok_service;

GRANT EXECUTE ON FUNCTION hftok.seal, hftok.unseal TO hftok_admin;
GRANT EXECUTE ON FUNCTION hftok.status, hftok.whoami TO hftok_user, hftok_service, hftok_admin, hftok_auditor;
-- enable_rpc, disable_rpc and install_vault_schema are the superuser's alone.

-- Moving in. The two in hftok_private are called by import_value(), which runs as its caller.
GRANT EXECUTE ON PROCEDURE hftok.import_column, hftok.blank_column TO hftok_admin;
GRANT EXECUTE ON FUNCTION
    hftok_import.import_source, hftok_import.import_value, hftok_import.import_note, hftok_import.import_holds, hftok_import.import_saw,
    hftok_import.import_keys, hftok_import.import_row, hftok_import.import_empty, hftok_import.import_admit,
    hftok_import.import_attempt, hftok_import.import_summary, hftok_import.blank_attempt, hftok_import.blank_remains,
    hftok.import_vault, hftok_import.import_vault_names, hftok_import.import_vault_value, hftok_import.import_vault_holds, hftok.install_api,
    hftok_private.import_step, hftok_private.import_saved
    TO hftok_admin;
-- The parts of install_api(), which runs as its caller.
GRANT EXECUTE ON FUNCTION
    hftok_private.admit_api_schema, hftok_private.api_objects, hftok_private.admit_api_names, hftok_private.make_api_object,
    hftok_private.copy_privileges, hftok_private.open_api_schema, hftok_private.announce_api
    TO hftok_admin;
GRANT SELECT ON hftok.import_report TO hftok_admin, hftok_auditor;
-- Wrappers that install_api() makes name these as what they return.
GRANT USAGE ON TYPE hftok.saved_credential, hftok.checked_credential, hftok.resolved_token, hftok.server_status TO hftok_admin;
