//! Settings that let plaintext into logs, and what else `logging_risks()` names, each with the line that mends it.

use super::finding::{Finding, Step, literal, quoted};
use super::sight::Sight;

/// Each risk, and what it is about. A setting that holds for this session because of its role or database is told there.
const RISKS: &str = "WITH given AS (
        SELECT s.name, s.source, pg_catalog.format('%s = %s', s.name, s.setting) AS subject,
            NULL::text AS lines
        FROM pg_catalog.pg_settings s
        UNION ALL
        SELECT pg_catalog.split_part(c.entry, '=', 1), NULL,
            pg_catalog.concat_ws(', ', c.entry, 'role ' || r.rolname, 'database ' || d.datname),
            CASE WHEN r.rolname IS NULL AND d.datname IS NULL
                THEN pg_catalog.format('ALTER ROLE ALL RESET %s', pg_catalog.split_part(c.entry, '=', 1))
            WHEN r.rolname IS NULL
                THEN pg_catalog.format('ALTER DATABASE %I RESET %s', d.datname, pg_catalog.split_part(c.entry, '=', 1))
            ELSE pg_catalog.format('ALTER ROLE %I%s RESET %s', r.rolname, ' IN DATABASE ' || pg_catalog.quote_ident(d.datname),
                pg_catalog.split_part(c.entry, '=', 1)) END
        FROM (SELECT o.setrole, o.setdatabase, pg_catalog.unnest(o.setconfig) AS entry FROM pg_catalog.pg_db_role_setting o) c
        LEFT JOIN pg_catalog.pg_roles r ON r.oid = c.setrole
        LEFT JOIN pg_catalog.pg_database d ON d.oid = c.setdatabase
    )
    SELECT k.risk, k.subject, k.remedy, g.name, g.lines
    FROM hftok.logging_risks() k LEFT JOIN given g ON g.subject = k.subject
    WHERE g.source IS NULL OR g.source NOT IN ('database', 'user', 'database user', 'client', 'session')";

/// Who has a role that reads the server's files, and the grant that it has it by.
const READERS: &str = "SELECT r.rolname::text, 'this login may read the files of the server, and so the keyring',
        pg_catalog.format('REVOKE %I FROM %I', g.rolname, m.rolname)
    FROM pg_catalog.pg_roles r, pg_catalog.pg_auth_members a
    JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
    WHERE r.rolcanlogin AND NOT r.rolsuper AND g.rolname IN ('pg_read_server_files', 'pg_execute_server_program')
    AND pg_catalog.pg_has_role(r.oid, m.oid, 'MEMBER')";

/// Who fails to dump.
const DUMPERS: &str = "SELECT r.rolname::text,
        'this login may read the tables but is subject to row security, so pg_dump under it fails as a whole',
        pg_catalog.format('ALTER ROLE %I BYPASSRLS', r.rolname)
    FROM pg_catalog.pg_roles r, pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'hftok_private' AND c.relname = 'secrets' AND r.rolcanlogin AND NOT r.rolsuper AND NOT r.rolbypassrls
    AND pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT')";

/// Looks for them.
pub fn look(sight: &mut Sight, is_sealed: bool, findings: &mut Vec<Finding>) {
    use super::finding::Severity::Warning;
    sight.find("roles.server_files", Warning, READERS, findings);
    sight.find("roles.cannot_dump", Warning, DUMPERS, findings);
    for row in sight.rows("logging_risks", RISKS) {
        let mut cells = row.into_iter();
        let mut next = || cells.next().flatten();
        let (Some(risk), Some(subject), remedy) = (next(), next(), next()) else { continue };
        let (name, lines) = (next(), next());
        let finding = match (subject.as_str(), name) {
            // While hftok is sealed nobody knows the keyring's name.
            ("installation", _) if is_sealed => continue,
            ("installation", _) => Finding::warning("keyring.unnamed", sight.keyring(), risk, named(sight)),
            ("hftok.key_file", _) => {
                Finding::warning("keyring.in_backups", sight.keyring(), risk, moved(sight))
            }
            (_, Some(setting)) => {
                let mut steps = match lines {
                    Some(line) => vec![Step::Sql(line)],
                    None => vec![
                        Step::sql(format!("ALTER SYSTEM SET {setting} = {}", off(&setting))),
                        Step::reload(),
                    ],
                };
                if remedy.is_some_and(|remedy| remedy.contains("as parameters only")) {
                    steps.insert(0, Step::hand("Either pass secrets as parameters only, or:"));
                }
                Finding::warning("logging.values", subject, risk, steps)
            }
            // The two kinds of role, which have findings of their own.
            _ if risk.starts_with("this login role") => continue,
            _ => Finding::warning(
                "logging.values",
                subject,
                risk,
                remedy.map(Step::Hand).into_iter().collect(),
            ),
        };
        findings.push(finding);
    }
}

/// The value by which a setting lets nothing out.
fn off(setting: &str) -> &'static str {
    match setting {
        "log_statement" => "'none'",
        "log_min_error_statement" => "'panic'",
        "log_min_duration_statement" | "log_min_duration_sample" | "auto_explain.log_min_duration" => "-1",
        _ if setting.contains("length") || setting == "log_transaction_sample_rate" => "0",
        _ => "off",
    }
}

/// The keyring gets a name, and every database that has keys knows it.
fn named(sight: &Sight) -> Vec<Step> {
    vec![
        Step::shell(format!("hftok keyring name {}", quoted(&sight.keyring()))),
        Step::sql("SELECT hftok.unseal(p_replace => true)"),
        Step::sql("SELECT hftok.adopt_database()"),
        Step::hand("The last one in every other database with hftok too."),
    ]
}

/// The keyring goes where base backups do not take it along.
fn moved(sight: &Sight) -> Vec<Step> {
    let to = sight.new_keyring.display().to_string();
    let folder = sight.new_keyring.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    vec![
        Step::shell(format!("mkdir -p {}", quoted(&folder))),
        Step::shell(format!("mv -n {} {}", quoted(&sight.keyring()), quoted(&to))),
        Step::sql(format!("ALTER SYSTEM SET hftok.key_file = {}", literal(&to))),
        Step::reload(),
        Step::hand(
            "Base backups from before have the keyring in them: delete them, or rotate (docs/keys.md).",
        ),
    ]
}
