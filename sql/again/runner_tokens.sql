-- Tokens of workers: docs/cli/runners.md.

CREATE OR REPLACE VIEW hftok.runner_tokens WITH (security_barrier) AS
    SELECT t.id, t.label, t.providers, t.user_id, t.org_id, t.model, t.levels, t.created_at, t.expires_at, t.revoked_at
    FROM hftok_private.runner_tokens t;
COMMENT ON VIEW hftok.runner_tokens IS 'What workers may ask for, by the tokens that they were given; never a token or its hash.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.runner_tokens
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

CREATE OR REPLACE FUNCTION hftok.create_runner_token(
    p_label text, p_providers text[] DEFAULT NULL, p_user_id text DEFAULT NULL, p_org_id text DEFAULT NULL,
    p_model text DEFAULT NULL, p_levels text[] DEFAULT NULL, p_expires_at timestamptz DEFAULT NULL
) RETURNS hftok.runner_token
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_create_runner_token';
COMMENT ON FUNCTION hftok.create_runner_token IS
    'Makes a token that a worker shows to runner_environment(). It stands for the request that the parameters make, which are those of runner_env(). The token is shown this once: hftok keeps a hash.';

CREATE OR REPLACE FUNCTION hftok.revoke_runner_token(p_id uuid) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_revoke_runner_token';
COMMENT ON FUNCTION hftok.revoke_runner_token IS 'Ends a worker''s token at once and for ever; false when there is none, or it was revoked before.';

CREATE OR REPLACE FUNCTION hftok.check_runner_token(p_runner_token text) RETURNS uuid
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_check_runner_token';
COMMENT ON FUNCTION hftok.check_runner_token IS 'The id of a worker''s token; PT404 for one that is wrong, revoked or over. Nothing is handed out.';

CREATE OR REPLACE FUNCTION hftok.runner_environment(p_runner_token text) RETURNS jsonb
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_runner_environment';
COMMENT ON FUNCTION hftok.runner_environment IS
    'What runner_env() answers for the request that a worker''s token stands for; PT404 for one that is wrong, revoked or over. The audit names runner:<id> as the recipient.';

CREATE OR REPLACE FUNCTION hftok.runner_states(p_ids uuid[]) RETURNS TABLE (id uuid, state text)
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_runner_states';
COMMENT ON FUNCTION hftok.runner_states IS
    'For each of these tokens that may be used, a text that is another one once its worker would be given something else. No value is handed out.';

CREATE OR REPLACE FUNCTION hftok_private.runner_token_fault(p_id uuid) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_runner_token_fault';
COMMENT ON FUNCTION hftok_private.runner_token_fault IS 'What is wrong with a token that was not revoked, or NULL.';
