//! `hftok import integrations`: an application's table of integrations, with ids, names and configurations.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::table::{Procedure, TableOptions};
use crate::connection::{Argument, ConnectionOptions};
use crate::failure::Failure;
use crate::screen::Screen;

/// Move an application's table of integrations in
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hftok import integrations integrations --key id --owner-column user_id --name-column name --type-column type \\
      --column api_key --config-column config --dry-run

Each keeps its id, name, configuration, status and time. It goes on where it was stopped when it is called again.
Exit code 1: done, and rows were turned down that hold no credentials.")]
pub struct Integrations {
    /// The table
    table: String,
    /// The column with the id, a UUID
    #[arg(long, value_name = "COLUMN")]
    key: String,
    /// The column that holds the credentials: a key, or a JSON object
    #[arg(long)]
    column: String,
    /// The column with the owner's id
    #[arg(long, value_name = "COLUMN")]
    owner_column: String,
    /// The column with the name
    #[arg(long, value_name = "COLUMN")]
    name_column: String,
    /// The column with the type: the provider
    #[arg(long, value_name = "COLUMN")]
    type_column: String,
    /// The column with the configuration
    #[arg(long, value_name = "COLUMN")]
    config_column: Option<String>,
    /// The column with the status
    #[arg(long, value_name = "COLUMN", default_value = "status")]
    status_column: String,
    /// The column with the time at which it was made
    #[arg(long, value_name = "COLUMN", default_value = "created_at")]
    created_column: String,
    /// Whose they are
    #[arg(long, value_enum, default_value_t = OwnerKind::User)]
    owner: OwnerKind,
    /// As for every table.
    #[command(flatten)]
    options: TableOptions,
}

/// Whose integrations a table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OwnerKind {
    /// Users'
    User,
    /// Organisations'
    Org,
}

impl Integrations {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let is_for_orgs = self.owner == OwnerKind::Org;
        let procedure = Procedure {
            name: "import_integrations",
            table: [&self.table, &self.column, &self.key],
            is_for_orgs,
            arguments: vec![
                Argument::text("p_table", Some(&self.table)),
                Argument::text("p_key", Some(&self.key)),
                Argument::text("p_owner_column", Some(&self.owner_column)),
                Argument::text("p_name_column", Some(&self.name_column)),
                Argument::text("p_type_column", Some(&self.type_column)),
                Argument::text("p_column", Some(&self.column)),
                Argument::text("p_config_column", self.config_column.as_deref()),
                Argument::text("p_open", self.options.open.as_deref()),
                Argument::text("p_status_column", Some(&self.status_column)),
                Argument::text("p_created_column", Some(&self.created_column)),
                Argument::text("p_owner", Some(if is_for_orgs { "org" } else { "user" })),
            ],
        };
        self.options.import(&procedure, connection, screen)
    }
}
