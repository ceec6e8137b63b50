-- Tokens that workers show in order to be given the environment that each stands for.

CREATE TABLE hftok_private.runner_tokens (
    id uuid PRIMARY KEY,
    label text NOT NULL CHECK (label <> ''),
    token_hash bytea NOT NULL UNIQUE CHECK (pg_catalog.octet_length(token_hash) = 32),
    providers text[],
    user_id text CHECK (user_id <> ''),
    org_id text CHECK (org_id <> ''),
    model text,
    levels text[],
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    signature bytea NOT NULL
);
CREATE INDEX runner_tokens_user ON hftok_private.runner_tokens (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX runner_tokens_org ON hftok_private.runner_tokens (org_id) WHERE org_id IS NOT NULL;
COMMENT ON TABLE hftok_private.runner_tokens IS 'What workers show in order to be given an environment, and the request that it stands for. Never the token.';
COMMENT ON COLUMN hftok_private.runner_tokens.id IS 'The name by which it is revoked, and by which the audit knows who was given a value.';
COMMENT ON COLUMN hftok_private.runner_tokens.label IS 'Whose or what for, in the operator''s words.';
COMMENT ON COLUMN hftok_private.runner_tokens.token_hash IS 'SHA-256 of the token, which has 256 random bits.';
COMMENT ON COLUMN hftok_private.runner_tokens.providers IS 'The providers whose variables it gives; NULL for all.';
COMMENT ON COLUMN hftok_private.runner_tokens.user_id IS 'The user whose credentials it gives.';
COMMENT ON COLUMN hftok_private.runner_tokens.org_id IS 'The organisation whose credentials it gives.';
COMMENT ON COLUMN hftok_private.runner_tokens.model IS 'The model whose credentials go before general ones.';
COMMENT ON COLUMN hftok_private.runner_tokens.levels IS 'The levels that are asked; NULL for all.';
COMMENT ON COLUMN hftok_private.runner_tokens.created_at IS 'When it was made.';
COMMENT ON COLUMN hftok_private.runner_tokens.expires_at IS 'When it ends; NULL for never.';
COMMENT ON COLUMN hftok_private.runner_tokens.revoked_at IS 'When it was revoked.';
COMMENT ON COLUMN hftok_private.runner_tokens.signature IS 'Keyed, over everything that decides what it gives: a row without it is not used, and one that is revoked has none.';
SELECT pg_catalog.pg_extension_config_dump('hftok_private.runner_tokens', '');
