//! Whether PostgREST's roles may call hftok, and whose claims are believed.

use super::finding::{Finding, Severity, Step, literal};
use super::sight::Sight;

/// Logins on record here as gateways, and those that hftok.gateways lists, where it may be seen.
const LOGINS: &str = "SELECT 'recorded', r.rolname::text, r.rolsuper::text
    FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace,
        pg_catalog.aclexplode(f.proacl) a JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
    WHERE n.nspname = 'hftok_private' AND f.proname = 'gateways' AND r.rolcanlogin
    UNION ALL
    SELECT 'listed', pg_catalog.btrim(l.name, ' \"'), r.rolsuper::text
    FROM pg_catalog.pg_settings s, pg_catalog.unnest(pg_catalog.string_to_array(s.setting, ',')) AS l (name)
    LEFT JOIN pg_catalog.pg_roles r ON r.rolname = pg_catalog.btrim(l.name, ' \"')
    WHERE s.name = 'hftok.gateways' AND pg_catalog.btrim(l.name, ' \"') <> ''
    UNION ALL
    SELECT 'stands by', a.rolname::text, NULL
    FROM pg_catalog.pg_roles a
    WHERE a.rolname = 'authenticator' AND 2 = (SELECT pg_catalog.count(*) FROM pg_catalog.pg_roles r WHERE r.rolname IN ('authenticated', 'service_role'))";

/// Roles of PostgREST that lack what their group has: before Postgres 16 grants are copied, and an update brings new ones.
const LACKING: &str = "SELECT m.rolname::text, pg_catalog.format('it may not call %s functions of %s, as after an update', pg_catalog.count(*), g.rolname),
        'SELECT hftok.enable_rpc()'
    FROM (VALUES ('authenticated', 'hftok_user'), ('service_role', 'hftok_service')) AS p (member, of)
    JOIN pg_catalog.pg_roles m ON m.rolname = p.member JOIN pg_catalog.pg_roles g ON g.rolname = p.of
    JOIN pg_catalog.pg_auth_members a ON a.roleid = g.oid AND a.member = m.oid,
        pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
    WHERE n.nspname = 'hftok' AND pg_catalog.has_function_privilege(g.oid, f.oid, 'EXECUTE')
    AND NOT pg_catalog.has_function_privilege(m.oid, f.oid, 'EXECUTE')
    GROUP BY m.rolname, g.rolname";

/// Looks at them.
pub fn look(sight: &mut Sight, gateways: &[String], findings: &mut Vec<Finding>) {
    let rows = sight.rows("hftok.gateways", LOGINS);
    let of = |kind: &str| -> Vec<(String, Option<String>)> {
        let cells = rows.iter().filter(|row| row.first().cloned().flatten().as_deref() == Some(kind));
        cells.filter_map(|row| Some((row.get(1)?.clone()?, row.get(2).cloned().flatten()))).collect()
    };
    let (recorded, listed) = (of("recorded"), of("listed"));
    for (login, is_super) in &recorded {
        if !gateways.contains(login) {
            let names: Vec<&str> =
                listed.iter().map(|(name, _)| name.as_str()).chain([login.as_str()]).collect();
            findings.push(Finding::warning(
                "rpc.not_listed",
                login,
                "enable_rpc() recorded this login, and hftok.gateways does not list it: no claim of a JWT is believed under it",
                vec![set(&names), Step::reload()],
            ));
        }
        if is_super.as_deref() == Some("true") {
            findings.push(Finding {
                name: "rpc.gateway_is_superuser",
                severity: Severity::Critical,
                object: login.clone(),
                what: "a gateway is a superuser, who may claim to be anybody".to_owned(),
                remedy: vec![Step::sql(format!("ALTER ROLE {} NOSUPERUSER", identifier(login)))],
            });
        }
    }
    for (login, _) in listed.iter().filter(|(_, is_super)| is_super.is_none()) {
        let names: Vec<&str> =
            listed.iter().map(|(name, _)| name.as_str()).filter(|name| name != login).collect();
        findings.push(Finding::warning(
            "rpc.unknown_gateway",
            login,
            "hftok.gateways lists a login that does not exist",
            vec![set(&names), Step::reload()],
        ));
    }
    for (login, _) in of("stands by") {
        if recorded.iter().all(|(name, _)| *name != login) {
            findings.push(Finding::warning(
                "rpc.not_enabled",
                &sight.database,
                format!("PostgREST's login {login} is on this server, and its users may not call hftok in this database"),
                vec![Step::sql("SELECT hftok.enable_rpc()")],
            ));
        }
    }
    sight.find("rpc.incomplete", Severity::Warning, LACKING, findings);
}

/// The setting with these names.
fn set(names: &[&str]) -> Step {
    Step::sql(format!("ALTER SYSTEM SET hftok.gateways = {}", literal(&names.join(","))))
}

/// A name as SQL has it.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
