-- Values of 37 bytes that are opened in one statement: as named secrets of ours, and as Supabase Vault keeps them.

CREATE EXTENSION hftok;
SELECT count(hftok.create_secret('hf_' || md5(n::text) || '00', 'secret-' || n)) FROM generate_series(1, :values) n;
VACUUM ANALYZE;

\if :has_vault
-- A table, two functions and a view like those of supabase_vault 0.3, which keeps no record of who reads.
CREATE SCHEMA vault_method;
CREATE FUNCTION vault_method.seal(value bytea, bound bytea, key_id bigint, context bytea, nonce bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE AS :'library', 'vault_method_seal';
CREATE FUNCTION vault_method.open(sealed bytea, bound bytea, key_id bigint, context bytea, nonce bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE AS :'library', 'vault_method_open';
CREATE TABLE vault_method.secrets (
    id uuid PRIMARY KEY,
    name text,
    description text NOT NULL DEFAULT '',
    secret text NOT NULL,
    key_id uuid,
    nonce bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO vault_method.secrets (id, name, secret, nonce)
    SELECT d.id, 'secret-' || d.n,
        encode(vault_method.seal(convert_to(d.value, 'utf8'), convert_to(d.id::text, 'utf8'), 0, 'pgsodium', d.nonce), 'base64'), d.nonce
    FROM (SELECT n, 'hf_' || md5(n::text) || '00' AS value, gen_random_uuid() AS id, uuid_send(gen_random_uuid()) AS nonce
        FROM generate_series(1, :values) n) d;
CREATE UNIQUE INDEX ON vault_method.secrets (name) WHERE name IS NOT NULL;
CREATE VIEW vault_method.decrypted_secrets AS
    SELECT s.id, s.name, s.description, s.secret,
        convert_from(vault_method.open(decode(s.secret, 'base64'), convert_to(s.id::text, 'utf8'), 0, 'pgsodium', s.nonce), 'utf8')
            AS decrypted_secret,
        s.key_id, s.nonce, s.created_at, s.updated_at
    FROM vault_method.secrets s;
VACUUM ANALYZE vault_method.secrets;
\endif
