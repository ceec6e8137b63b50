//! `hftok explain`: which credential a request would use, and why.

use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::connection::{Argument, ConnectionOptions};
use crate::failure::Failure;
use crate::screen::{Screen, Table};

/// Say which credential a request would use, and why, level by level
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hftok explain --user alice --org acme --model meta-llama/Llama-3.1-8B
  hftok explain -p openai --levels user_model,user\n\nExit code 1: no level has a credential that would be used.")]
pub struct Explain {
    /// Whose API is called
    #[arg(long, short, default_value = "huggingface")]
    provider: String,
    /// For this user
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// And this organisation
    #[arg(long, value_name = "ID")]
    org: Option<String>,
    /// Of this model
    #[arg(long, short, value_name = "ID")]
    model: Option<String>,
    /// The host that the credential is sent to
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Only these levels, with commas between
    #[arg(long, value_name = "LEVELS", value_delimiter = ',')]
    levels: Option<Vec<String>>,
    /// Only this one of several credentials for the same use
    #[arg(long, value_name = "NAME")]
    slot: Option<String>,
}

/// A row of `explain_token`.
#[derive(Debug, Deserialize, Serialize)]
struct Level {
    /// Its name.
    level: String,
    /// What it comes to.
    outcome: String,
    /// The credential, where the caller may see it.
    secret_id: Option<String>,
    /// Its mask.
    preview: Option<String>,
    /// Why.
    detail: Option<String>,
    /// Which of several.
    slot: Option<String>,
}

impl Explain {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let mut arguments = vec![
            Argument::text("p_provider", Some(&self.provider)),
            Argument::text("p_user_id", self.user.as_deref()),
            Argument::text("p_org_id", self.org.as_deref()),
            Argument::text("p_model", self.model.as_deref()),
            Argument::text("p_host", self.host.as_deref()),
            Argument::texts("p_levels", self.levels.as_deref()),
        ];
        if self.slot.is_some() {
            arguments.push(Argument::text("p_slot", self.slot.as_deref()));
        }
        let levels: Vec<Level> = connection.open()?.call("explain_token", &arguments)?;
        screen.rows(&levels, "no level was asked", || table(&levels))?;
        let is_used = levels.iter().any(|level| level.outcome == "used");
        Ok(if is_used { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// As people read it.
fn table(levels: &[Level]) -> Table {
    let mut table = Table::new(&["LEVEL", "OUTCOME", "PREVIEW", "SLOT", "DETAIL"]);
    for level in levels {
        table.row(vec![
            level.level.clone(),
            level.outcome.clone(),
            level.preview.clone().unwrap_or_default(),
            level.slot.clone().unwrap_or_default(),
            level.detail.clone().unwrap_or_default(),
        ]);
    }
    table
}
