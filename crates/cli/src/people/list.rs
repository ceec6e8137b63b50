//! `hftok list`: the credentials that the caller may see, without their values.

use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::screen::{Screen, Table};

/// List credentials, masked
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hftok list\n  hftok list --provider huggingface --json")]
pub struct List {
    /// Only those of this provider
    #[arg(long)]
    provider: Option<String>,
}

/// A row of view `credentials`.
#[derive(Deserialize, Serialize)]
struct Credential {
    secret_id: String,
    provider: String,
    scope: String,
    scope_id: Option<String>,
    model: Option<String>,
    slot: String,
    label: Option<String>,
    preview: String,
    status: String,
    enabled: bool,
    version: i32,
}

const COLUMNS: &[&str] = &[
    "secret_id",
    "provider",
    "scope",
    "scope_id",
    "model",
    "slot",
    "label",
    "preview",
    "status",
    "enabled",
    "version",
];

impl List {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let equal: Vec<(&'static str, &str)> =
            self.provider.iter().map(|given| ("provider", given.as_str())).collect();
        let found: Vec<Credential> = connection.open()?.rows(
            "credentials",
            COLUMNS,
            &equal,
            &["provider", "scope", "scope_id", "model", "slot"],
        )?;
        screen.rows(&found, "no credentials", || table(&found))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn table(found: &[Credential]) -> Table {
    let mut table = Table::new(&["PROVIDER", "OWNER", "MODEL", "PREVIEW", "STATUS", "LABEL"]);
    for one in found {
        let owner =
            one.scope_id.as_ref().map_or_else(|| one.scope.clone(), |id| format!("{} {id}", one.scope));
        table.row(vec![
            one.provider.clone(),
            owner,
            one.model.clone().unwrap_or_default(),
            one.preview.clone(),
            one.status.clone(),
            one.label.clone().unwrap_or_default(),
        ]);
    }
    table
}
