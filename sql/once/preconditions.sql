-- Conditions that must hold before anything is created: nobody else may own, or have prepared, anything that hftok is going to
-- trust. An owner of the schema could drop it with everything in it. A role that could become hftok_owner could read the
-- tables.

\echo Use "CREATE EXTENSION hftok" to load this file. \quit

-- Names without a schema mean Postgres' own, whatever lies in the schema that the extension goes to.
SET LOCAL search_path TO pg_catalog, pg_temp;

DO $preconditions$
DECLARE
    named record;
    members text;
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'hftok needs a database whose encoding is UTF8'
            USING ERRCODE = '0A000', HINT = 'Secrets are text, and are opened as the text that was sealed.';
    END IF;

    FOR named IN
        SELECT n.nspname, r.rolname
        FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
        WHERE n.nspname = 'hftok' AND NOT r.rolsuper
    LOOP
        RAISE EXCEPTION 'schema "%" exists and belongs to "%", who is no superuser', named.nspname, named.rolname
            USING ERRCODE = '42501',
                  HINT = 'Its owner could take the extension over. Drop it, or give it to a superuser.';
    END LOOP;

    -- Objects that lie in it already would look like ours, and a role that may create in it could put them there later.
    IF EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
        AND d.refobjid = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'hftok')
        AND d.classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass
    ) THEN
        RAISE EXCEPTION 'schema "hftok" exists and is not empty'
            USING ERRCODE = '42501', HINT = 'Move what is in it elsewhere, or drop it.';
    END IF;
    FOR named IN
        SELECT coalesce(r.rolname, 'PUBLIC') AS rolname
        FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
        LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
        WHERE n.nspname = 'hftok' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
    LOOP
        RAISE EXCEPTION '"%" may create in schema "hftok"', named.rolname
            USING ERRCODE = '42501', HINT = 'Revoke CREATE on the schema: what is put there would look like a part of hftok.';
    END LOOP;

    FOR named IN
        SELECT r.oid, r.rolname, r.rolcanlogin
                OR r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication AS attributes
        FROM pg_catalog.pg_roles r
        WHERE r.rolname IN ('hftok_owner', 'hftok_user', 'hftok_service', 'hftok_admin', 'hftok_auditor')
    LOOP
        IF named.attributes THEN
            RAISE EXCEPTION 'role "%" exists and has a login or attributes', named.rolname
                USING ERRCODE = '42501', HINT = 'Rename it, or alter it to NOLOGIN without attributes.';
        END IF;
        IF EXISTS (
            SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.member
            WHERE m.roleid = named.oid AND m.admin_option AND NOT r.rolsuper
        ) THEN
            RAISE EXCEPTION 'role "%" exists and can be granted by somebody who is no superuser', named.rolname
                USING ERRCODE = '42501', HINT = 'Revoke ADMIN OPTION on it: whoever grants it decides who reads secrets.';
        END IF;
        IF named.rolname = 'hftok_owner' AND EXISTS (
            SELECT FROM pg_catalog.pg_auth_members m WHERE named.oid IN (m.roleid, m.member)
        ) THEN
            RAISE EXCEPTION 'role "hftok_owner" exists and has members, or is a member of another role'
                USING ERRCODE = '42501', HINT = 'Revoke these memberships: whoever is hftok_owner reads every table.';
        END IF;
    END LOOP;

    -- Roles belong to the whole server: from here on their members have the rights of their groups in this database too.
    SELECT pg_catalog.string_agg(pg_catalog.format('%I of %I', m.rolname, g.rolname), ', ' ORDER BY g.rolname, m.rolname) INTO members
    FROM pg_catalog.pg_auth_members a
    JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
    WHERE g.rolname IN ('hftok_user', 'hftok_service', 'hftok_admin', 'hftok_auditor') AND NOT m.rolsuper;
    IF members IS NOT NULL THEN
        RAISE WARNING 'roles of this server are members of hftok''s groups already: %', members
            USING HINT = 'They have the rights of their groups in this database from now on. Revoke what they are not to have.';
    END IF;
END
$preconditions$;
