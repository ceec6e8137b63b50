//! Who may do what should be nobody's, or not everybody's.

use super::finding::Finding;
use super::finding::Severity::{Critical, Warning};
use super::sight::Sight;

/// The roles of hftok log in nowhere and have no attributes.
const ATTRIBUTES: &str = "SELECT r.rolname::text, 'a role of hftok has a login, or attributes that go beyond its grants',
        pg_catalog.format('ALTER ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION', r.rolname)
    FROM pg_catalog.pg_roles r
    WHERE r.rolname IN ('hftok_owner', 'hftok_user', 'hftok_service', 'hftok_admin', 'hftok_auditor')
    AND (r.rolcanlogin OR r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication)";

/// Whoever is the owner reads every table.
const OWNERS: &str = "SELECT m.rolname::text, pg_catalog.format('it is a member of %s', g.rolname),
        pg_catalog.format('REVOKE %I FROM %I', g.rolname, m.rolname)
    FROM pg_catalog.pg_auth_members a
    JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
    WHERE 'hftok_owner' IN (g.rolname, m.rolname)";

/// Whoever grants a role of hftok decides who reads secrets.
const GRANTERS: &str = "SELECT m.rolname::text, pg_catalog.format('it may grant %s to others, and is no superuser', g.rolname),
        pg_catalog.format('REVOKE ADMIN OPTION FOR %I FROM %I', g.rolname, m.rolname)
    FROM pg_catalog.pg_auth_members a
    JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
    WHERE g.rolname IN ('hftok_user', 'hftok_service', 'hftok_admin', 'hftok_auditor') AND a.admin_option AND NOT m.rolsuper";

/// Nothing of schema hftok is everybody's.
const PUBLIC: &str = "SELECT f.oid::pg_catalog.regprocedure::text, 'everybody may call it',
        pg_catalog.format('REVOKE EXECUTE ON %s %s FROM PUBLIC', CASE f.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
            f.oid::pg_catalog.regprocedure)
    FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
    WHERE n.nspname = 'hftok' AND EXISTS (
        SELECT FROM pg_catalog.aclexplode(coalesce(f.proacl, pg_catalog.acldefault('f', f.proowner))) a WHERE a.grantee = 0
    )
    UNION ALL
    SELECT c.oid::pg_catalog.regclass::text, pg_catalog.format('everybody has %s on it', a.privilege_type),
        pg_catalog.format('REVOKE %s ON %s FROM PUBLIC', a.privilege_type, c.oid::pg_catalog.regclass)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
        pg_catalog.aclexplode(c.relacl) a
    WHERE n.nspname IN ('hftok', 'hftok_private') AND a.grantee = 0";

/// What is put into a schema of hftok looks like a part of it.
const CREATORS: &str = "SELECT n.nspname::text, pg_catalog.format('%s may create in it', coalesce(r.rolname, 'everybody')),
        pg_catalog.format('REVOKE CREATE ON SCHEMA %I FROM %s', n.nspname, coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'))
    FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
    WHERE n.nspname IN ('hftok', 'hftok_private', 'hftok_import') AND a.privilege_type = 'CREATE'
    AND a.grantee <> n.nspowner AND NOT coalesce(r.rolsuper, false) AND r.rolname IS DISTINCT FROM 'hftok_owner'";

/// Tables of hftok that somebody was granted beside its own roles.
const TABLES: &str = "SELECT r.rolname::text, pg_catalog.format('it was granted %s on %s', pg_catalog.string_agg(a.privilege_type, ', '), c.oid::pg_catalog.regclass),
        pg_catalog.format('REVOKE %s ON %s FROM %I', pg_catalog.string_agg(a.privilege_type, ', '), c.oid::pg_catalog.regclass, r.rolname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
        pg_catalog.aclexplode(c.relacl) a JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
    WHERE n.nspname = 'hftok_private' AND r.rolname NOT LIKE 'hftok\\_%' AND NOT r.rolsuper
    AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')
    GROUP BY r.rolname, c.oid";

/// Looks at them.
pub fn look(sight: &mut Sight, findings: &mut Vec<Finding>) {
    sight.find("roles.attributes", Critical, ATTRIBUTES, findings);
    sight.find("roles.owner", Critical, OWNERS, findings);
    sight.find("roles.granters", Warning, GRANTERS, findings);
    sight.find("privileges.public", Critical, PUBLIC, findings);
    sight.find("privileges.create", Critical, CREATORS, findings);
    sight.find("privileges.tables", Critical, TABLES, findings);
}
