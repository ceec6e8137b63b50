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
