-- Integrations: an application's connections to providers, each with credentials of its own. And the keys that clients
-- see as a table.

CREATE TABLE hftok_private.integrations (
    id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    user_id text CHECK (user_id <> ''),
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
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    org_id text CHECK (org_id <> ''),
    last_verified_at timestamptz,
    last_tested_at timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT integrations_owner CHECK (pg_catalog.num_nonnulls(user_id, org_id) = 1)
);
CREATE INDEX integrations_user ON hftok_private.integrations (user_id);
CREATE INDEX integrations_org ON hftok_private.integrations (org_id) WHERE org_id IS NOT NULL;
-- Few are at a time, and health() looks for those that were left so.
CREATE INDEX integrations_verifying ON hftok_private.integrations (updated_at) WHERE status = 'verifying';
-- By the provider, because some cannot be tested: a schedule does not pass over their integrations again and again.
CREATE INDEX integrations_unknown ON hftok_private.integrations (type, last_tested_at)
    WHERE enabled AND status IN ('pending', 'verifying');
CREATE INDEX integrations_known ON hftok_private.integrations (type, last_tested_at)
    WHERE enabled AND status IN ('connected', 'error');
COMMENT ON TABLE hftok_private.integrations IS 'Connections to providers that users and organisations brought, without their credentials.';
COMMENT ON COLUMN hftok_private.integrations.id IS 'Random.';
COMMENT ON COLUMN hftok_private.integrations.user_id IS 'The user who owns it; NULL where an organisation does.';
COMMENT ON COLUMN hftok_private.integrations.name IS 'The owner''s name for it.';
COMMENT ON COLUMN hftok_private.integrations.type IS 'The provider.';
COMMENT ON COLUMN hftok_private.integrations.status IS 'The state that the backend reported last.';
COMMENT ON COLUMN hftok_private.integrations.enabled IS 'Whether its owner wants it used.';
COMMENT ON COLUMN hftok_private.integrations.config IS 'Settings that the application keeps with it; not sealed.';
COMMENT ON COLUMN hftok_private.integrations.secret_id IS 'Its credentials.';
COMMENT ON COLUMN hftok_private.integrations.last_used_at IS 'When the backend last reported a use.';
COMMENT ON COLUMN hftok_private.integrations.error_message IS 'Why the status is error, or pending although the provider was asked, in the backend''s words, in which credentials are masked.';
COMMENT ON COLUMN hftok_private.integrations.credentials_migrated IS 'Its credentials came from elsewhere.';
COMMENT ON COLUMN hftok_private.integrations.created_at IS 'When it was made.';
COMMENT ON COLUMN hftok_private.integrations.updated_at IS 'When it was last changed.';
COMMENT ON COLUMN hftok_private.integrations.org_id IS 'The organisation that owns it; NULL where a user does.';
COMMENT ON COLUMN hftok_private.integrations.last_verified_at IS 'When the provider last accepted the current credentials.';
COMMENT ON COLUMN hftok_private.integrations.last_tested_at IS 'When the provider was last asked about the current credentials, or somebody began to; -infinity for never.';

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
