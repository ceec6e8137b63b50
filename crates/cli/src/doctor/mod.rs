//! `hftok doctor`: what is wrong with a server, with a database, or with who may do what there, each with lines that mend it.
//!
//! What must stay true: it changes nothing and reads no value; a remedy is lines that can be run as they stand; what it could
//! not see it says.

mod audit;
mod credentials;
mod finding;
mod keys;
mod library;
mod logging;
mod privileges;
mod prometheus;
mod rotation;
mod rpc;
mod sight;
mod transport;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::screen::Screen;
use finding::{Finding, Severity};
use sight::{Sight, Status};

/// Look for what is wrong, and say what mends it
///
/// Everything is seen by a superuser. A monitor may be a member of hftok_auditor and of pg_read_all_settings.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hftok doctor\n  hftok doctor --json\n  hftok doctor --prometheus >hftok.prom.new && mv hftok.prom.new hftok.prom\n\nExit codes: 0 nothing is wrong, 1 warnings, 2 something critical, 3 it could not look."
)]
pub struct Doctor {
    /// Print metrics in the text format of Prometheus
    #[arg(long)]
    prometheus: bool,
    /// Where remedies put a keyring that has to be made or moved
    #[arg(long, value_name = "FILE", default_value = "/etc/hftok/keyring")]
    keyring: PathBuf,
}

/// All that was found.
#[derive(Serialize)]
struct Report {
    /// The database that was looked at.
    database: String,
    /// The version of hftok in it.
    version: Option<String>,
    /// What `status()` said, where it could be asked.
    status: Option<Status>,
    /// What is wrong, the worst first.
    findings: Vec<Finding>,
    /// What could not be seen, and why.
    unseen: Vec<String>,
}

impl Doctor {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let report = match self.look(connection) {
            Ok(report) => report,
            Err(failure @ Failure::Usage(_)) => return Err(failure),
            Err(failure) => {
                if self.prometheus {
                    screen.plain(&prometheus::of_nobody())?;
                }
                screen.failure(&failure);
                return Ok(ExitCode::from(3));
            }
        };
        if self.prometheus {
            screen.plain(&prometheus::of(&report))?;
        } else {
            screen.answer(&report, || report.text())?;
        }
        report.unseen.iter().for_each(|what| screen.note(&format!("not seen: {what}")));
        let worst = report.findings.iter().map(|finding| finding.severity).max();
        Ok(ExitCode::from(match worst {
            None => 0,
            Some(Severity::Warning) => 1,
            Some(Severity::Critical) => 2,
        }))
    }

    /// Looks at everything that can be seen. What is behind something that is missing altogether is not looked at.
    fn look(&self, connection: &ConnectionOptions) -> Result<Report, Failure> {
        let mut sight = Sight::of(connection.postgres()?, &self.keyring)?;
        let mut findings = library::look(&sight);
        transport::look(&mut sight, &mut findings);
        let mut status = None;
        if sight.version.is_some() {
            status = sight.status(&mut findings)?;
        }
        if let Some(status) = &status {
            keys::look(&mut sight, status, &mut findings);
            audit::look(status, &mut findings);
            logging::look(&mut sight, status.sealed, &mut findings);
            privileges::look(&mut sight, &mut findings);
            rpc::look(&mut sight, &status.gateways, &mut findings);
            rotation::look(&mut sight, &mut findings);
            credentials::look(&mut sight, &mut findings);
        }
        findings.sort_by(|one, other| {
            other
                .severity
                .cmp(&one.severity)
                .then_with(|| (one.name, &one.object).cmp(&(other.name, &other.object)))
        });
        Ok(Report {
            database: sight.database,
            version: sight.version,
            status,
            findings,
            unseen: sight.unseen,
        })
    }
}

impl Report {
    /// For people.
    fn text(&self) -> String {
        if self.findings.is_empty() {
            return format!("database {}: nothing is wrong", self.database);
        }
        self.findings.iter().map(Finding::text).collect::<Vec<_>>().join("\n")
    }
}
