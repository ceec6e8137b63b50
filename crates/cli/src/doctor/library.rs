//! Whether hftok is on the server, loaded, in the database, and of one version everywhere.

use super::finding::{Finding, Step, literal};
use super::sight::Sight;

/// The version of this command.
const COMMAND: &str = env!("CARGO_PKG_VERSION");

/// Looks at it.
pub fn look(sight: &Sight) -> Vec<Finding> {
    let mut findings = Vec::new();
    if sight.available.is_none() {
        let install =
            Step::hand("Install hftok for this server's version of Postgres: make install PG_CONFIG=…");
        findings.push(Finding::critical(
            "library.not_installed",
            "hftok",
            "the server does not have it",
            vec![install],
        ));
    }
    if !sight.is_preloaded {
        findings.push(not_preloaded(sight));
    }
    match (&sight.version, &sight.available) {
        (None, Some(_)) => findings.push(Finding::critical(
            "extension.absent",
            &sight.database,
            "hftok is not in this database",
            vec![Step::sql("CREATE EXTENSION hftok")],
        )),
        (Some(here), Some(available)) if here != available => findings.push(Finding::warning(
            "extension.version",
            &sight.database,
            format!("hftok {here} is in this database, and the server has {available}"),
            vec![Step::sql("ALTER EXTENSION hftok UPDATE")],
        )),
        _ => {}
    }
    if let Some(available) = sight.available.as_ref().filter(|available| *available != COMMAND) {
        findings.push(Finding::warning(
            "command.version",
            "hftok",
            format!("this command is {COMMAND}, and the server has {available}"),
            vec![Step::hand("Install the command and the extension of one version.")],
        ));
    }
    findings
}

/// The server knows nothing of hftok before somebody calls it, and then has no memory for keys.
fn not_preloaded(sight: &Sight) -> Finding {
    let libraries = sight.libraries.as_deref().unwrap_or_default();
    let names: Vec<&str> = libraries.split(',').map(|name| name.trim().trim_matches('"')).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    let mut remedy = Vec::new();
    if !names.contains(&"hftok") {
        let all: Vec<String> = names.into_iter().chain(["hftok"]).map(literal).collect();
        remedy.push(Step::sql(format!("ALTER SYSTEM SET shared_preload_libraries = {}", all.join(", "))));
    }
    remedy.push(Step::Restart(format!("pg_ctl restart -D {}, or the unit of your system", sight.data())));
    Finding::critical(
        "library.not_preloaded",
        "shared_preload_libraries",
        "the server did not load hftok when it was started, so no value opens",
        remedy,
    )
}
