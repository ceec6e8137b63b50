-- Data keys of organisations: docs/keys.md.

CREATE OR REPLACE FUNCTION hftok.give_org_key(p_org_id text, p_own boolean DEFAULT false) RETURNS int
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_give_org_key';
COMMENT ON FUNCTION hftok.give_org_key IS
    'Gives an organisation a data key of its own, and seals all its credentials with it. forget_org() destroys it. p_own: a key that the organisation holds, and that hftok.key_command prints, wraps it too. Returns the id of the key.';

CREATE OR REPLACE FUNCTION hftok.seal_org(p_org_id text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_seal_org';
COMMENT ON FUNCTION hftok.seal_org IS
    'Keeps the credentials of an organisation that has a data key of its own from being opened and saved, until unseal_org(). For its owners, and for operators.';
CREATE OR REPLACE FUNCTION hftok.unseal_org(p_org_id text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_unseal_org';
COMMENT ON FUNCTION hftok.unseal_org IS 'Lets the credentials of an organisation be opened again. For its owners, and for operators.';

CREATE OR REPLACE FUNCTION hftok_private.destroy_org_key(p_org_id text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_destroy_org_key';
COMMENT ON FUNCTION hftok_private.destroy_org_key IS 'Destroys the data keys of an organisation that is forgotten.';
