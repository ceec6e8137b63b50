-- The benchmark's data: as many users with a Hugging Face token each as :users says, sealed by hftok, and the same
-- tokens in plain tables; two named secrets' worth of names, and tables to write into.

CREATE EXTENSION IF NOT EXISTS hftok;
CREATE EXTENSION IF NOT EXISTS pgcrypto;
SELECT count((hftok.save_credential('huggingface', 'hf_' || md5(n::text) || '00', p_user_id => 'user-' || n)).secret_id)
FROM generate_series(1, :users) n;
SELECT (hftok.save_credential('huggingface', 'hf_' || md5('global') || '00', p_global => true)).version;
SELECT count(hftok.create_secret(md5(n::text), 'secret-' || n)) FROM generate_series(1, 10000) n;

CREATE TABLE plain (user_id text COLLATE "C" PRIMARY KEY, secret text NOT NULL);
INSERT INTO plain SELECT 'user-' || n, 'hf_' || md5(n::text) || '00' FROM generate_series(1, :users) n;
CREATE TABLE plain_by_number (user_id int PRIMARY KEY, secret text NOT NULL);
INSERT INTO plain_by_number SELECT n, 'hf_' || md5(n::text) || '00' FROM generate_series(1, :users) n;
CREATE TABLE plain_named (name text COLLATE "C" PRIMARY KEY, secret text NOT NULL);
INSERT INTO plain_named SELECT 'secret-' || n, md5(n::text) FROM generate_series(1, 10000) n;
CREATE TABLE pgcrypto_sealed (user_id int PRIMARY KEY, secret bytea NOT NULL);
INSERT INTO pgcrypto_sealed SELECT n, pgp_sym_encrypt('hf_' || md5(n::text) || '00', 'a key') FROM generate_series(1, 1000) n;

-- As the table of secrets is, with the same indexes and as many rows.
CREATE TABLE plain_written (LIKE hftok_private.secrets INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING INDEXES);
INSERT INTO plain_written SELECT * FROM hftok_private.secrets;
CREATE TABLE plain_log (at timestamptz NOT NULL DEFAULT now(), what text NOT NULL);

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

-- The same walk with an audit, as one writes it: a row of ten columns for each token that is handed out, a key and a BRIN index.
CREATE TABLE plain_audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    action text NOT NULL, outcome text NOT NULL, user_id text, org_id text, role_name text NOT NULL DEFAULT current_user,
    login_role text NOT NULL DEFAULT session_user, client_addr inet DEFAULT inet_client_addr(),
    application_name text DEFAULT current_setting('application_name'));
CREATE INDEX ON plain_audit USING brin (at);
CREATE FUNCTION plain_resolve_audited(p_user_id text, p_org_id text DEFAULT NULL, p_model text DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    token text := plain_resolve(p_user_id, p_org_id, p_model);
BEGIN
    INSERT INTO plain_audit (action, outcome, user_id, org_id) VALUES ('resolve', 'used', p_user_id, p_org_id);
    RETURN token;
END
$$;
VACUUM ANALYZE;
