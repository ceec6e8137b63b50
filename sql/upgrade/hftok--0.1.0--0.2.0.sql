-- What 0.2.0 has in sql/once that 0.1.0 had not. The Makefile puts all of sql/again behind it.

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
INSERT INTO hftok_private.root_keys (id, fingerprint, first_at)
SELECT k.root_key_id, k.root_fingerprint, min(k.created_at) FROM hftok_private.data_keys k WHERE k.state <> 'destroyed'
GROUP BY k.root_key_id, k.root_fingerprint;

CREATE TABLE hftok_private.rotations (
    key_id int PRIMARY KEY,
    purpose text NOT NULL,
    org_id text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    total bigint,
    done bigint NOT NULL DEFAULT 0,
    first_at timestamptz,
    last_at timestamptz,
    finished_at timestamptz,
    holders text[],
    horizon bigint,
    waits_for text
);
COMMENT ON TABLE hftok_private.rotations IS 'Data keys that were retired: what they sealed is sealed anew in the background.';
COMMENT ON COLUMN hftok_private.rotations.key_id IS 'The key that was retired.';
COMMENT ON COLUMN hftok_private.rotations.purpose IS 'Its purpose: values or fingerprints.';
COMMENT ON COLUMN hftok_private.rotations.org_id IS 'The organisation whose key it is; empty for that of the installation.';
COMMENT ON COLUMN hftok_private.rotations.started_at IS 'When it was retired.';
COMMENT ON COLUMN hftok_private.rotations.total IS 'Rows that had it when the work began, and, once it is over, that were sealed anew or could not be.';
COMMENT ON COLUMN hftok_private.rotations.done IS 'Rows that were sealed anew in the background. Those that clients write meanwhile are not counted.';
COMMENT ON COLUMN hftok_private.rotations.first_at IS 'When the work began.';
COMMENT ON COLUMN hftok_private.rotations.last_at IS 'When the last rows were sealed anew.';
COMMENT ON COLUMN hftok_private.rotations.finished_at IS 'When the key was destroyed, or nothing was left but rows that cannot be sealed anew.';
COMMENT ON COLUMN hftok_private.rotations.holders IS 'Transactions that may still seal with the key, since no row has it any more; NULL as long as some have.';
COMMENT ON COLUMN hftok_private.rotations.horizon IS 'Snapshots from before this transaction show rows that have the key.';
COMMENT ON COLUMN hftok_private.rotations.waits_for IS 'What keeps the work from going on, or the key from being destroyed.';

CREATE TABLE hftok_private.reseal_failures (
    secret_id uuid NOT NULL,
    version int NOT NULL,
    key_id int NOT NULL,
    found_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (secret_id, version)
);
COMMENT ON TABLE hftok_private.reseal_failures IS 'Rows that could not be sealed anew because they do not open. Their keys stay.';
COMMENT ON COLUMN hftok_private.reseal_failures.secret_id IS 'The secret.';
COMMENT ON COLUMN hftok_private.reseal_failures.version IS 'Its version.';
COMMENT ON COLUMN hftok_private.reseal_failures.key_id IS 'The key that it is sealed with.';
COMMENT ON COLUMN hftok_private.reseal_failures.found_at IS 'When it was found.';
SELECT pg_catalog.pg_extension_config_dump('hftok_private.rotations', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.reseal_failures', '');

ALTER TYPE hftok.server_status ADD ATTRIBUTE destroyed_keys_open_with int;
CREATE TYPE hftok.server_health AS (ok boolean, reasons text[]);
COMMENT ON TYPE hftok.server_health IS 'Whether hftok works, and what is or will be a trouble, as health() tells it.';

ALTER TYPE hftok.resolved_token ADD ATTRIBUTE slot text;
-- They have further parameters, or answer another column, or call one that has: sql/again makes them again, and grants them to the group roles.
DROP FUNCTION hftok.save_hf_token, hftok_import.import_value;
DROP FUNCTION hftok.save_credential;
DROP FUNCTION hftok.delete_credential;
DROP FUNCTION hftok.report_credential;
DROP FUNCTION hftok.resolve_token;
DROP FUNCTION hftok.explain_token;
DROP FUNCTION hftok_private.explain;
DROP FUNCTION hftok.token_provided;
DROP FUNCTION hftok.create_integration_with_vault, hftok.update_integration, hftok.update_integration_status;
DROP FUNCTION hftok.import_vault, hftok_import.import_vault_holds, hftok_private.import_vault_holds_as_owner,
    hftok_import.import_row, hftok_private.import_statements, hftok_private.import_check, hftok_import.import_attempt;

-- It can be written now.
DROP TRIGGER refuse_write ON hftok.provider_secrets;

ALTER TABLE hftok_private.integrations ALTER COLUMN user_id DROP NOT NULL;
ALTER TABLE hftok_private.integrations ADD COLUMN org_id text CHECK (org_id <> '');
ALTER TABLE hftok_private.integrations
    ADD CONSTRAINT integrations_owner CHECK (pg_catalog.num_nonnulls(user_id, org_id) = 1);
ALTER TABLE hftok_private.integrations ADD COLUMN last_verified_at timestamptz;
-- In three steps: with a default, a column cannot be added to a row type that a function takes.
ALTER TABLE hftok_private.integrations ADD COLUMN last_tested_at timestamptz;
UPDATE hftok_private.integrations SET last_tested_at = '-infinity';
ALTER TABLE hftok_private.integrations ALTER COLUMN last_tested_at SET DEFAULT '-infinity', ALTER COLUMN last_tested_at SET NOT NULL;
CREATE INDEX integrations_org ON hftok_private.integrations (org_id) WHERE org_id IS NOT NULL;
CREATE INDEX integrations_verifying ON hftok_private.integrations (updated_at) WHERE status = 'verifying';
CREATE INDEX integrations_unknown ON hftok_private.integrations (type, last_tested_at)
    WHERE enabled AND status IN ('pending', 'verifying');
CREATE INDEX integrations_known ON hftok_private.integrations (type, last_tested_at)
    WHERE enabled AND status IN ('connected', 'error');
COMMENT ON TABLE hftok_private.integrations IS 'Connections to providers that users and organisations brought, without their credentials.';
COMMENT ON COLUMN hftok_private.integrations.user_id IS 'The user who owns it; NULL where an organisation does.';
COMMENT ON COLUMN hftok_private.integrations.error_message IS 'Why the status is error, or pending although the provider was asked, in the backend''s words, in which credentials are masked.';
COMMENT ON COLUMN hftok_private.integrations.org_id IS 'The organisation that owns it; NULL where a user does.';
COMMENT ON COLUMN hftok_private.integrations.last_verified_at IS 'When the provider last accepted the current credentials.';
COMMENT ON COLUMN hftok_private.integrations.last_tested_at IS 'When the provider was last asked about the current credentials, or somebody began to; -infinity for never.';

CREATE INDEX data_keys_roots ON hftok_private.data_keys (root_key_id, root_fingerprint) WHERE state <> 'destroyed';
CREATE INDEX data_keys_of_orgs ON hftok_private.data_keys (org_id) WHERE org_id <> '';

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

CREATE TYPE hftok.runner_token AS (id uuid, token text);
COMMENT ON TYPE hftok.runner_token IS 'A worker''s token, and the id by which it is revoked.';

-- A row has the counts of up to 64 secrets, in the order of their ids: those from its first id up to that of the next row. A million
-- secrets that are counted at a time are then twenty thousand rows. Without foreign key: a transaction that holds a secret's row must
-- not stop the writer.
CREATE TABLE hftok_private.use_counts (
    first_id uuid PRIMARY KEY,
    secret_ids uuid[] NOT NULL,
    counts bigint[] NOT NULL,
    last_used timestamptz[] NOT NULL
)
-- A row that is counted up finds room beside itself, and lies in its page as a whole.
WITH (fillfactor = 50, toast_tuple_target = 4096);
COMMENT ON TABLE hftok_private.use_counts IS 'How often each secret was handed out, counted by the audit''s writer: many secrets a row.';
COMMENT ON COLUMN hftok_private.use_counts.first_id IS 'Secrets from this id on are in this row, or in none, up to that of the next row.';
COMMENT ON COLUMN hftok_private.use_counts.secret_ids IS 'The secrets, in order.';
COMMENT ON COLUMN hftok_private.use_counts.counts IS 'The number of times that each was handed out.';
COMMENT ON COLUMN hftok_private.use_counts.last_used IS 'When each was last handed out.';

SELECT pg_catalog.pg_extension_config_dump('hftok_private.use_counts', '');
-- The writer takes over what 0.1.0 has counted.
COMMENT ON TABLE hftok_private.secret_usage IS 'Ends of secrets that a notification has told; and counts of a dump of version 0.1.0, until the audit''s writer takes them over.';
COMMENT ON COLUMN hftok_private.secret_usage.use_count IS 'The number of times that it was handed out, to be added to those in use_counts.';
CREATE INDEX secret_usage_counted ON hftok_private.secret_usage (secret_id) WHERE use_count > 0;
