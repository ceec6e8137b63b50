-- The pin: every object of hftok with its owner, its privileges and every property that decides who gets what.
-- A new object, column, argument or privilege changes the output, so that somebody has to look at it and agree.
-- The rules at the end hold for what is added later too; each is broken once, to see that it notices.

\set VERBOSITY terse
SET jit = off;

-- Privileges as sorted text. The installing superuser has another name on every server; MAINTAIN came with Postgres 17.
CREATE FUNCTION pg_temp.role_name(oid) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN $1 = 0 THEN 'PUBLIC'
        ELSE (SELECT CASE WHEN rolsuper THEN '(superuser)' ELSE rolname::text END FROM pg_roles WHERE oid = $1) END
$$;
CREATE FUNCTION pg_temp.privileges(aclitem[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s=%s', grantee, privileges), ', ' ORDER BY grantee COLLATE "C")
    FROM (
        SELECT pg_temp.role_name(a.grantee) AS grantee,
            string_agg(a.privilege_type || CASE WHEN a.is_grantable AND a.grantee <> a.grantor THEN '*' ELSE '' END, ','
                ORDER BY a.privilege_type COLLATE "C") AS privileges
        FROM aclexplode($1) a WHERE a.privilege_type <> 'MAINTAIN' GROUP BY 1
    ) grants
$$;
CREATE TEMP VIEW ours AS SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('hftok', 'hftok_import', 'hftok_private');

-- Unaligned, so that a longer name changes its own line and no other.
\pset format unaligned
\pset footer off

-- Members of the extension. Row and array types belong to it in some versions of Postgres and not in others.
SELECT o.type, o.identity
FROM pg_depend d, pg_identify_object(d.classid, d.objid, d.objsubid) o
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'hftok')
AND NOT EXISTS (
    SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid AND (t.typelem <> 0 OR c.relkind <> 'c')
)
ORDER BY o.type COLLATE "C", o.identity COLLATE "C";

-- The tables that pg_dump dumps with their rows.
SELECT config::regclass AS dumped, condition
FROM pg_extension e, unnest(e.extconfig, e.extcondition) AS c (config, condition)
WHERE e.extname = 'hftok' ORDER BY config::regclass::text COLLATE "C";

-- Roles.
SELECT rolname, rolcanlogin, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
    rolconfig, shobj_description(oid, 'pg_authid') AS comment
FROM pg_roles WHERE rolname ~ '^hftok_' ORDER BY rolname COLLATE "C";

-- Schemas.
SELECT nspname, pg_temp.role_name(nspowner) AS owner, pg_temp.privileges(nspacl)
FROM pg_namespace WHERE oid IN (SELECT oid FROM ours) ORDER BY nspname;
SELECT count(*) AS default_privileges FROM pg_default_acl WHERE defaclnamespace IN (SELECT oid FROM ours);

-- Tables and views.
SELECT c.oid::regclass AS relation, c.relkind AS kind, c.relpersistence AS persistence, pg_temp.role_name(c.relowner) AS owner,
    c.relrowsecurity AS rls, c.relforcerowsecurity AS forced, c.reloptions AS options, pg_temp.privileges(c.relacl)
FROM pg_class c JOIN ours n ON n.oid = c.relnamespace
WHERE c.relkind NOT IN ('i', 'c') ORDER BY c.oid::regclass::text COLLATE "C";

-- Their columns, and those of composite types.
SELECT format('%s.%s', c.oid::regclass, a.attname) AS column_of_relation, format_type(a.atttypid, a.atttypmod) AS type,
    a.attnotnull AS not_null, pg_get_expr(d.adbin, d.adrelid) AS "default", a.attstorage AS storage,
    concat(a.attidentity, a.attgenerated) AS generated, pg_temp.privileges(a.attacl)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN ours n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relkind <> 'i' AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.oid::regclass::text COLLATE "C", a.attnum;

-- Indexes, constraints (NOT NULL is one since Postgres 18), triggers, rules and policies.
SELECT i.indexrelid::regclass AS index, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN ours n ON n.oid = c.relnamespace
ORDER BY i.indexrelid::regclass::text COLLATE "C";
SELECT k.conrelid::regclass AS relation, k.conname, pg_get_constraintdef(k.oid) AS definition, k.convalidated AS valid
FROM pg_constraint k JOIN ours n ON n.oid = k.connamespace
WHERE k.contype <> 'n' ORDER BY k.conrelid::regclass::text COLLATE "C", k.conname COLLATE "C";
SELECT t.tgrelid::regclass AS relation, pg_get_triggerdef(t.oid) AS trigger
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN ours n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal ORDER BY t.tgrelid::regclass::text COLLATE "C", t.tgname COLLATE "C";
SELECT r.ev_class::regclass AS relation, r.rulename AS rule
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN ours n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' ORDER BY 1, 2;
\x on
SELECT p.polrelid::regclass AS relation, p.polname, p.polpermissive AS permissive, p.polcmd AS command,
    (SELECT array_agg(pg_temp.role_name(r) ORDER BY pg_temp.role_name(r)) FROM unnest(p.polroles) r) AS roles,
    pg_get_expr(p.polqual, p.polrelid) AS "using", pg_get_expr(p.polwithcheck, p.polrelid) AS "check"
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN ours n ON n.oid = c.relnamespace
ORDER BY p.polrelid::regclass::text COLLATE "C", p.polname COLLATE "C";
\x off
-- Types.
SELECT t.oid::regtype AS type, t.typtype, pg_temp.role_name(t.typowner) AS owner, pg_temp.privileges(t.typacl)
FROM pg_type t JOIN ours n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typelem = 0 AND (c.relkind IS NULL OR c.relkind = 'c') ORDER BY t.oid::regtype::text COLLATE "C";

-- Functions.
\x on
SELECT p.oid::regproc AS function, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result,
    concat_ws(' ', l.lanname, CASE WHEN l.lanname = 'c' THEN p.prosrc END) AS language,
    concat_ws(', ', CASE p.prokind WHEN 'f' THEN 'function' ELSE p.prokind::text END,
        CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
        CASE p.proparallel WHEN 's' THEN 'parallel safe' WHEN 'r' THEN 'parallel restricted' ELSE 'parallel unsafe' END,
        CASE WHEN p.prosecdef THEN 'definer' ELSE 'invoker' END,
        CASE WHEN p.procost > 100 THEN format('cost %s', p.procost) END, CASE WHEN p.proisstrict THEN 'strict' END, CASE WHEN p.proleakproof THEN 'leakproof' END) AS properties,
    p.proconfig AS settings, pg_temp.role_name(p.proowner) AS owner, pg_temp.privileges(p.proacl) AS privileges
FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
ORDER BY p.oid::regprocedure::text COLLATE "C";
\x off
-- The rules. A privilege that was never touched is the default one, and that of a function and of a type is for PUBLIC.
CREATE TEMP VIEW granted AS
    SELECT 'schema' AS kind, n.nspname::text AS object, n.nspowner AS owner, a.*
    FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a WHERE n.oid IN (SELECT oid FROM ours)
    UNION ALL
    SELECT 'relation', c.oid::regclass::text, c.relowner, a.*
    FROM pg_class c JOIN ours n ON n.oid = c.relnamespace,
        aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a WHERE c.relkind NOT IN ('i', 'c')
    UNION ALL
    SELECT 'column', format('%s.%s', c.oid::regclass, t.attname), c.relowner, a.*
    FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN ours n ON n.oid = c.relnamespace, aclexplode(t.attacl) a
    UNION ALL
    SELECT 'function', p.oid::regprocedure::text, p.proowner, a.*
    FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    UNION ALL
    -- The row type of a view says no more than the view's name.
    SELECT 'type', t.oid::regtype::text, t.typowner, a.*
    FROM pg_type t JOIN ours n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid,
        aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) a
    WHERE t.typelem = 0 AND (c.relkind IS NULL OR c.relkind = 'c');

CREATE TEMP VIEW owned AS
    SELECT c.oid::regclass::text AS object, c.relowner AS owner, c.tableoid AS class, c.oid
    FROM pg_class c JOIN ours n ON n.oid = c.relnamespace WHERE c.relkind NOT IN ('i', 'c')
    UNION ALL
    SELECT p.oid::regprocedure::text, p.proowner, p.tableoid, p.oid FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace
    UNION ALL
    SELECT t.oid::regtype::text, t.typowner, t.tableoid, t.oid
    FROM pg_type t JOIN ours n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typelem = 0 AND (c.relkind IS NULL OR c.relkind = 'c');

-- A definer does not know its caller. These three call nothing that is recorded.
CREATE TEMP VIEW definers AS
    SELECT unnest('{hftok.logging_risks,hftok_import.import_note,hftok_private.secret_written}'::regproc[]::oid[]) AS oid;

CREATE TEMP VIEW faults AS
    SELECT 'PUBLIC has a privilege' AS fault, format('%s %s %s', g.privilege_type, g.kind, g.object) AS object
    FROM granted g
    WHERE g.grantee = 0 AND NOT (g.kind = 'function' AND split_part(g.object, '(', 1) = ANY ('{hftok_private.open_vault_row,
        hftok_private.explain,hftok_private.tokens_provided,hftok_private.caller_id,hftok_private.is_caller,hftok_private.caller_is_in,hftok_private.caller_is_administrator,
        hftok_private.planned_for,hftok_private.planned_for_administrator,hftok_private.sees_all,
        hftok_private.catalogue_rows,hftok_private.visible_credentials,hftok_private.visible_members,
        hftok_private.visible_administrators,hftok_private.visible_integrations,hftok_private.visible_shares,hftok_private.visible_usage,
        hftok_private.visible_audit_events,hftok_private.unpacked,hftok_private.may_hold,hftok_private.reveals,hftok_private.loaded_root_keys,hftok_private.resealing_state,hftok_private.vault_create_secret,
        hftok_private.vault_update_secret}'::text[]))
    UNION ALL
    SELECT 'somebody else than the five roles has a privilege',
        format('%s %s %s %s', g.privilege_type, g.kind, g.object, g.grantee::regrole)
    FROM granted g
    WHERE g.grantee NOT IN (0, g.owner) AND g.grantee::regrole::text <> ALL (
        '{hftok_owner,hftok_user,hftok_service,hftok_admin,hftok_auditor}'::text[])
    UNION ALL
    SELECT 'may be passed on', format('%s %s %s %s', g.privilege_type, g.kind, g.object, g.grantee::regrole)
    FROM granted g WHERE g.is_grantable AND g.grantee <> g.owner
    UNION ALL
    -- No table but the one that clients upsert into, and that by column: who may write a whole table may lock it.
    SELECT 'hftok_private is reached by another than the owner', format('%s %s %s', g.privilege_type, g.object, g.grantee::regrole)
    FROM granted g
    WHERE g.object LIKE 'hftok\_private%' AND g.grantee NOT IN (0, g.owner, to_regrole('hftok_owner'))
    AND NOT (g.kind = 'column' AND g.privilege_type IN ('SELECT', 'INSERT', 'UPDATE')
        AND g.object LIKE 'hftok\_private.user\_api\_keys.%' AND g.grantee::regrole::text IN ('hftok_user', 'hftok_service'))
    -- import_value(), import_integrations(), install_api() and remove_api() run as the operator, and call these.
    AND NOT (g.privilege_type = 'EXECUTE' AND g.grantee::regrole::text = 'hftok_admin' AND split_part(g.object, '(', 1) = ANY ('{
        hftok_private.import_step,hftok_private.import_saved,hftok_private.admit_api_schema,hftok_private.admit_api_names,
        hftok_private.api_objects,hftok_private.make_api_object,hftok_private.copy_privileges,hftok_private.open_api_schema,
        hftok_private.announce_api,hftok_private.drop_api_objects,hftok_private.move_integration,hftok_private.save_moved_integration}'::text[]))
    UNION ALL
    SELECT 'hftok_import is reached by another than the operator', format('%s %s %s', g.privilege_type, g.object, g.grantee::regrole)
    FROM granted g WHERE g.object LIKE 'hftok\_import%' AND g.grantee NOT IN (0, g.owner, to_regrole('hftok_owner'), to_regrole('hftok_admin'))
    UNION ALL
    SELECT 'leakproof', p.oid::regprocedure::text
    FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace WHERE p.proleakproof
    UNION ALL
    SELECT 'parallel safe', p.oid::regprocedure::text
    FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace WHERE n.nspname <> 'hftok_private' AND p.proparallel = 's'
    UNION ALL
    SELECT 'definer of another owner', p.oid::regprocedure::text
    FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace WHERE p.prosecdef AND p.proowner <> to_regrole('hftok_owner')
    UNION ALL
    SELECT 'definer without pinned search_path', p.oid::regprocedure::text
    FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace
    WHERE p.prosecdef AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}'))
    UNION ALL
    -- pg_dump turns it off, and then FORCEd row security is an error.
    SELECT 'definer without row_security', p.oid::regprocedure::text
    FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace
    WHERE p.prosecdef AND NOT 'row_security=on' = ANY (coalesce(p.proconfig, '{}'))
    UNION ALL
    SELECT 'definer that hides its caller', p.oid::regprocedure::text
    FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace WHERE p.prosecdef AND p.oid NOT IN (SELECT d.oid FROM definers d)
    UNION ALL
    -- Only Rust records: a definer comes to it by way of a function of ours. import_line() leads nowhere, and keyring_state() only looks.
    SELECT 'definer that may lead to what is recorded', p.oid::regprocedure::text
    FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace
    WHERE p.prosecdef AND regexp_replace(p.prosrc, 'hftok_private[.](import_line|keyring_state)[(]', '', 'g') ~ 'hftok(_import|_private)?[.]\w+\('
    UNION ALL
    SELECT 'work of a guarded function, by somebody else or of no function', p.oid::regprocedure::text
    FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace
    WHERE p.proname LIKE '%\_as\_owner' AND (p.prosecdef OR 'search_path=pg_catalog, pg_temp' <> ALL (coalesce(p.proconfig, '{""}')) OR NOT EXISTS (
        SELECT FROM pg_proc g JOIN ours m ON m.oid = g.pronamespace
        WHERE g.proname || '_as_owner' = p.proname AND g.proargtypes = p.proargtypes AND g.prosrc = 'hftok_' || g.proname
        AND g.provolatile = p.provolatile AND g.prorettype = p.prorettype AND g.proretset = p.proretset))
    UNION ALL
    -- PostgREST cannot choose between two functions of one name.
    SELECT 'overloaded', format('hftok.%s', p.proname)
    FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace WHERE n.nspname = 'hftok' GROUP BY p.proname HAVING count(*) > 1
    UNION ALL
    SELECT 'belongs to another than hftok_owner', o.object FROM owned o WHERE o.owner <> to_regrole('hftok_owner')
    UNION ALL
    SELECT 'no member of the extension', o.object
    FROM owned o
    WHERE NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e'
        AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'hftok'))
    UNION ALL
    SELECT 'a table outside hftok_private', c.oid::regclass::text
    FROM pg_class c JOIN ours n ON n.oid = c.relnamespace WHERE n.nspname <> 'hftok_private' AND c.relkind IN ('r', 'p', 'm', 'S')
    UNION ALL
    SELECT 'a table without forced row security', c.oid::regclass::text
    FROM pg_class c JOIN ours n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
    UNION ALL
    SELECT 'a policy for everybody that asks for nothing', format('%s on %s', p.polname, p.polrelid::regclass)
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN ours n ON n.oid = c.relnamespace
    WHERE p.polroles <> ARRAY[to_regrole('hftok_owner')::oid]
    AND (pg_get_expr(p.polqual, p.polrelid) !~ 'caller_' OR pg_get_expr(p.polwithcheck, p.polrelid) !~ 'caller_'
        OR coalesce(p.polqual, p.polwithcheck) IS NULL)
    UNION ALL
    SELECT 'a policy on a table that is the owner''s alone', format('%s on %s', p.polname, p.polrelid::regclass)
    FROM pg_policy p
    JOIN pg_class c ON c.oid = p.polrelid JOIN ours n ON n.oid = c.relnamespace
    WHERE p.polrelid <> 'hftok_private.user_api_keys'::regclass
    AND p.polroles <> ARRAY[to_regrole('hftok_owner')::oid]
    UNION ALL
    -- The catalogue hides no row; and below a view with a barrier a view may do without, if it has no row for who names it.
    SELECT 'a view without security_barrier or security_invoker', c.oid::regclass::text
    FROM pg_class c JOIN ours n ON n.oid = c.relnamespace
    WHERE c.relkind = 'v' AND NOT '{security_barrier=true,security_invoker=true}' && coalesce(c.reloptions, '{}')
    AND c.oid::regclass::text <> 'hftok.providers'
    AND NOT (n.nspname = 'hftok_private' AND pg_get_viewdef(c.oid) ~ 'sees_all')
    UNION ALL
    -- Statistics know everybody's rows, and planned counts tell.
    SELECT 'statistics of a table that users read', format('%s.%s', a.attrelid::regclass, a.attname)
    FROM pg_attribute a
    WHERE a.attrelid = 'hftok_private.user_api_keys'::regclass AND a.attnum > 0 AND a.attstattarget IS DISTINCT FROM 0
    UNION ALL
    -- A write through such a view would have the owner's rights: the bits are those of INSERT, DELETE and UPDATE.
    SELECT 'a view that can be written through', c.oid::regclass::text
    FROM pg_class c JOIN ours n ON n.oid = c.relnamespace,
        LATERAL (SELECT coalesce(bit_or(t.tgtype), 0) AS by_trigger FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgtype & 64 > 0) t,
        LATERAL (SELECT pg_relation_is_updatable(c.oid, false) AS by_rule) u
    WHERE c.relkind = 'v' AND c.oid::regclass::text NOT IN ('hftok.decrypted_secrets', 'hftok.user_api_keys', 'hftok.provider_secrets')
    AND (u.by_rule & 8 > t.by_trigger & 4 << 1 OR u.by_rule & 16 > t.by_trigger & 8 << 1 OR u.by_rule & 4 > t.by_trigger & 16 >> 2)
    UNION ALL
    -- LOCK TABLE goes on to what is below a view, if the view's owner may lock that.
    SELECT 'LOCK TABLE reaches a table', format('%s through %s', b.below::regclass, b.view::regclass)
    FROM (
        WITH RECURSIVE reached AS (
            SELECT g.view, g.view AS below
            FROM (SELECT to_regclass(g.object) AS view FROM granted g
                WHERE g.kind = 'relation' AND g.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE') AND g.grantee <> g.owner) g
            UNION
            SELECT r.view, d.refobjid::regclass
            FROM reached r
            JOIN pg_class c ON c.oid = r.below AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)
            JOIN pg_rewrite w ON w.ev_class = r.below AND w.rulename = '_RETURN'
            JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.below
            WHERE has_table_privilege(c.relowner, d.refobjid, 'UPDATE, DELETE, TRUNCATE')
        )
        SELECT r.view, r.below FROM reached r JOIN pg_class c ON c.oid = r.below AND c.relkind = 'r'
    ) b
    UNION ALL
    SELECT 'not commented', o.object FROM owned o WHERE obj_description(o.oid, o.class::regclass::name) IS NULL
    UNION ALL
    SELECT 'not commented', format('%s.%s', c.oid::regclass, a.attname)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN ours n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL
    UNION ALL
    SELECT 'hftok_owner is more than an owner', NULL
    FROM pg_roles r
    WHERE r.rolname = 'hftok_owner' AND (r.rolsuper OR r.rolcanlogin OR r.rolbypassrls OR r.rolcreaterole
        OR r.rolcreatedb OR r.rolreplication OR r.rolconfig IS NOT NULL)
    UNION ALL
    SELECT 'hftok_owner has a member, or is one', NULL
    FROM pg_auth_members m WHERE to_regrole('hftok_owner') IN (m.roleid, m.member);

SELECT * FROM faults;

-- Now each of them is broken, and must be noticed: the faults that a change brings about.
CREATE PROCEDURE pg_temp.break(what text) LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    BEGIN
        EXECUTE what;
        SELECT string_agg(format('%s: %s', fault, object), '; ' ORDER BY fault COLLATE "C", object COLLATE "C")
        INTO found FROM faults;
        RAISE EXCEPTION USING ERRCODE = 'RB000';
    EXCEPTION WHEN SQLSTATE 'RB000' THEN
        RAISE INFO '% -> %', what, coalesce(found, 'NOT NOTICED');
    END;
END
$$;
CALL pg_temp.break('GRANT EXECUTE ON FUNCTION hftok.seal TO PUBLIC');
CALL pg_temp.break('GRANT EXECUTE ON FUNCTION hftok_private.fingerprints TO PUBLIC');
CALL pg_temp.break('GRANT SELECT ON hftok.secrets TO PUBLIC');
CALL pg_temp.break('GRANT SELECT (name) ON hftok.decrypted_secrets TO PUBLIC');
CALL pg_temp.break('GRANT SELECT ON hftok_private.secrets TO hftok_auditor');
CALL pg_temp.break('GRANT SELECT (sealed) ON hftok_private.secrets TO hftok_service');
CALL pg_temp.break('GRANT SELECT (label) ON hftok_private.secrets TO hftok_user');
CALL pg_temp.break('GRANT UPDATE (label) ON hftok_private.secrets TO hftok_user');
CALL pg_temp.break('GRANT SELECT ON hftok_private.members TO hftok_user');
CALL pg_temp.break('GRANT SELECT ON hftok_private.audit TO hftok_user');
CALL pg_temp.break('GRANT SELECT ON hftok_private.credential_rows TO hftok_user');
CALL pg_temp.break('GRANT UPDATE ON hftok_private.user_api_keys TO hftok_user');
CALL pg_temp.break('GRANT DELETE ON hftok_private.credential_rows TO hftok_owner');
CALL pg_temp.break('GRANT UPDATE ON hftok_private.stored_vault_rows TO hftok_owner');
CALL pg_temp.break('DROP TRIGGER refuse_write ON hftok_private.member_rows');
CALL pg_temp.break('ALTER TABLE hftok_private.user_api_keys ALTER user_id SET STATISTICS -1');
CALL pg_temp.break('GRANT SELECT ON hftok_private.providers TO hftok_admin');
CALL pg_temp.break('GRANT INSERT ON hftok_private.user_api_keys TO hftok_admin');
CALL pg_temp.break('GRANT SELECT ON hftok_private.audit TO hftok_service');
CALL pg_temp.break('GRANT UPDATE ON hftok_private.audit TO hftok_admin');
CALL pg_temp.break('GRANT INSERT ON hftok_private.audit_pending TO hftok_service');
CALL pg_temp.break('GRANT DELETE ON hftok_private.audit_bundles TO hftok_admin');
CALL pg_temp.break('GRANT SELECT ON hftok_private.changes TO hftok_auditor');
CALL pg_temp.break('GRANT UPDATE ON hftok_private.use_counts TO hftok_service');
CALL pg_temp.break('GRANT EXECUTE ON FUNCTION hftok_private.record_change TO hftok_service');
CALL pg_temp.break('GRANT EXECUTE ON FUNCTION hftok_private.verify_as_owner TO hftok_service');
CALL pg_temp.break('GRANT EXECUTE ON FUNCTION hftok_private.reseal TO PUBLIC');
CALL pg_temp.break('CREATE POLICY strange ON hftok_private.secrets FOR SELECT USING (true)');
CALL pg_temp.break('CREATE POLICY strange ON hftok_private.secrets FOR INSERT WITH CHECK (true)');
CALL pg_temp.break('ALTER POLICY hftok ON hftok_private.secrets TO PUBLIC');
CALL pg_temp.break('CREATE POLICY strange ON hftok_private.secret_versions USING (hftok_private.caller_id() IS NOT NULL)');
CALL pg_temp.break('CREATE POLICY strange ON hftok_private.audit_pending FOR SELECT USING (hftok_private.caller_id() IS NOT NULL)');
CALL pg_temp.break('CREATE POLICY strange ON hftok_private.members USING (user_id = hftok_private.caller_id())');
CALL pg_temp.break('GRANT USAGE ON SCHEMA hftok TO PUBLIC');
CALL pg_temp.break('GRANT USAGE ON SCHEMA hftok_private TO hftok_service');
CALL pg_temp.break('GRANT USAGE ON SCHEMA hftok_import TO hftok_service');
CALL pg_temp.break('GRANT EXECUTE ON FUNCTION hftok_import.import_row TO hftok_auditor');
CALL pg_temp.break('GRANT USAGE ON TYPE hftok.keyring TO PUBLIC');
CALL pg_temp.break('GRANT EXECUTE ON FUNCTION hftok.verify TO pg_monitor');
CALL pg_temp.break('GRANT EXECUTE ON FUNCTION hftok.verify TO hftok_auditor WITH GRANT OPTION');
CALL pg_temp.break('ALTER FUNCTION hftok.get_secret LEAKPROOF');
CALL pg_temp.break('ALTER FUNCTION hftok.get_secret PARALLEL SAFE');
CALL pg_temp.break('ALTER FUNCTION hftok_import.import_note RESET search_path');
CALL pg_temp.break('ALTER FUNCTION hftok_import.import_note SET search_path = pg_catalog, public');
CALL pg_temp.break('ALTER FUNCTION hftok_import.import_note RESET row_security');
CALL pg_temp.break('ALTER FUNCTION hftok_import.import_note RESET ALL');
CALL pg_temp.break('ALTER FUNCTION hftok_import.import_note OWNER TO pg_monitor');
CALL pg_temp.break('ALTER FUNCTION hftok.previous_token SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on');
CALL pg_temp.break('CREATE OR REPLACE FUNCTION hftok.logging_risks() RETURNS TABLE (risk text, subject text, remedy text) LANGUAGE sql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on AS ''SELECT hftok.get_secret(NULL), NULL, NULL''');
CALL pg_temp.break('ALTER FUNCTION hftok_private.verify_as_owner RESET search_path');
CALL pg_temp.break('ALTER FUNCTION hftok_private.verify_as_owner VOLATILE');
CALL pg_temp.break('ALTER FUNCTION hftok.get_secret OWNER TO pg_monitor');
CALL pg_temp.break('ALTER VIEW hftok.secrets RESET (security_barrier)');
CALL pg_temp.break('ALTER VIEW hftok.credentials RESET (security_barrier)');
CALL pg_temp.break('ALTER VIEW hftok.user_api_keys RESET (security_invoker)');
CALL pg_temp.break('ALTER TABLE hftok_private.secrets NO FORCE ROW LEVEL SECURITY');
CALL pg_temp.break('ALTER TABLE hftok_private.secrets DISABLE ROW LEVEL SECURITY');
CALL pg_temp.break('COMMENT ON COLUMN hftok_private.secrets.name IS NULL');
CALL pg_temp.break('COMMENT ON VIEW hftok.secrets IS NULL');
CALL pg_temp.break('COMMENT ON TYPE hftok.keyring IS NULL');
CALL pg_temp.break('COMMENT ON FUNCTION hftok.seal IS NULL');
CALL pg_temp.break('ALTER EXTENSION hftok DROP FUNCTION hftok.seal()');
CALL pg_temp.break('CREATE TABLE hftok.strange ()');
CALL pg_temp.break('CREATE FUNCTION hftok.seal(int) RETURNS int LANGUAGE sql AS ''SELECT $1''');
CALL pg_temp.break('ALTER ROLE hftok_owner LOGIN');
CALL pg_temp.break('ALTER ROLE hftok_owner SET work_mem = ''1MB''');
CALL pg_temp.break('GRANT hftok_owner TO pg_monitor');
