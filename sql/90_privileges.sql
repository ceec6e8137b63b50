-- Every privilege, and the owner of everything. PUBLIC gets nothing that it can name.

DO $owner$
DECLARE
    member record;
BEGIN
    FOR member IN
        SELECT c.relkind = 'v' AS is_view, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('hftok', 'hftok_private') AND c.relkind IN ('r', 'v')
    LOOP
        EXECUTE pg_catalog.format('ALTER %s %s OWNER TO hftok_owner',
            CASE WHEN member.is_view THEN 'VIEW' ELSE 'TABLE' END, member.name);
    END LOOP;
    FOR member IN
        SELECT p.oid::pg_catalog.regprocedure AS name
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('hftok', 'hftok_private')
    LOOP
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO hftok_owner', member.name);
    END LOOP;
    FOR member IN
        SELECT t.oid::pg_catalog.regtype AS name
        FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
        JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
        WHERE n.nspname = 'hftok' AND c.relkind = 'c'
    LOOP
        EXECUTE pg_catalog.format('ALTER TYPE %s OWNER TO hftok_owner', member.name);
        EXECUTE pg_catalog.format('REVOKE ALL ON TYPE %s FROM PUBLIC', member.name);
    END LOOP;
END
$owner$;

REVOKE ALL ON SCHEMA hftok, hftok_private FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA hftok, hftok_private FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA hftok, hftok_private FROM PUBLIC;

GRANT USAGE ON SCHEMA hftok TO hftok_owner, hftok_user, hftok_service, hftok_admin, hftok_auditor;
GRANT USAGE ON SCHEMA hftok_private TO hftok_owner;

-- Called by a view with the privileges of whoever reads it: executable, checks for itself, and lies in a schema that
-- nobody has USAGE on.
GRANT EXECUTE ON FUNCTION hftok_private.open_vault_row TO PUBLIC;

GRANT EXECUTE ON FUNCTION
    hftok.create_secret, hftok.update_secret, hftok.put_secret, hftok.get_secret, hftok.delete_secret, hftok.restore_secret
    TO hftok_admin, hftok_service;
GRANT EXECUTE ON FUNCTION hftok.secret_history TO hftok_admin, hftok_service, hftok_auditor;
GRANT EXECUTE ON FUNCTION hftok.find_secret, hftok.verify, hftok.logging_risks TO hftok_admin, hftok_auditor;
GRANT SELECT ON hftok.secrets TO hftok_admin, hftok_service, hftok_auditor;
GRANT SELECT, DELETE ON hftok.decrypted_secrets TO hftok_admin, hftok_service;

GRANT EXECUTE ON FUNCTION hftok.seal, hftok.unseal, hftok.install_vault_schema TO hftok_admin;
GRANT EXECUTE ON FUNCTION hftok.status TO hftok_admin, hftok_auditor, hftok_service;
GRANT EXECUTE ON FUNCTION hftok.whoami TO hftok_user, hftok_service, hftok_admin, hftok_auditor;
-- enable_rpc and disable_rpc are the superuser's alone.
