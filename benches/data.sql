-- What the benchmark works on: as many users with a Hugging Face token each as :users says, sealed by hftok, and the same
-- tokens in plain tables.

CREATE EXTENSION IF NOT EXISTS hftok;
SELECT count((hftok.save_credential('huggingface', 'hf_' || md5(n::text) || '00', p_user_id => 'user-' || n)).secret_id)
FROM generate_series(1, :users) n;

CREATE TABLE plain (user_id text COLLATE "C" PRIMARY KEY, secret text NOT NULL);
INSERT INTO plain SELECT 'user-' || n, 'hf_' || md5(n::text) || '00' FROM generate_series(1, :users) n;

-- The walk as one writes it without hftok: over a plain table, without encryption, checks or audit.
CREATE TABLE plain_walk (scope text, scope_id text COLLATE "C", model text COLLATE "C", secret text NOT NULL,
    PRIMARY KEY (scope_id, scope, model));
INSERT INTO plain_walk SELECT 'user', 'user-' || n, '', 'hf_' || md5(n::text) || '00' FROM generate_series(1, :users) n;
CREATE FUNCTION plain_resolve(p_user_id text, p_org_id text DEFAULT NULL, p_model text DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    token text;
BEGIN
    IF p_model IS NOT NULL THEN
        SELECT secret INTO token FROM plain_walk WHERE scope_id = p_user_id AND scope = 'user' AND model = p_model;
        IF FOUND THEN RETURN token; END IF;
        SELECT secret INTO token FROM plain_walk WHERE scope_id = p_org_id AND scope = 'org' AND model = p_model;
        IF FOUND THEN RETURN token; END IF;
        SELECT secret INTO token FROM plain_walk WHERE scope_id = '' AND scope = 'global' AND model = p_model;
        IF FOUND THEN RETURN token; END IF;
    END IF;
    SELECT secret INTO token FROM plain_walk WHERE scope_id = p_user_id AND scope = 'user' AND model = '';
    IF FOUND THEN RETURN token; END IF;
    SELECT secret INTO token FROM plain_walk WHERE scope_id = p_org_id AND scope = 'org' AND model = '';
    IF FOUND THEN RETURN token; END IF;
    SELECT secret INTO token FROM plain_walk WHERE scope_id = '' AND scope = 'global' AND model = '';
    RETURN token;
END
$$;
VACUUM ANALYZE;
