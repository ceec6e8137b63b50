//! `hftok import column`: a column of an application's table.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::table::{Procedure, TableOptions};
use crate::connection::{Argument, ConnectionOptions};
use crate::failure::Failure;
use crate::screen::Screen;

/// Move a column of an application's table in
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hftok import column users huggingface_token --key id --provider huggingface --dry-run
  hftok import column user_api_keys api_key --key id --provider-column service --owner-column user_id
  hftok import column models huggingface_token --key id --provider huggingface --owner global --model-column name
  hftok import column llm_models api_key_encrypted --key id --provider-column provider --owner global \\
      --model-column model_id --open \"pgp_sym_decrypt(api_key_encrypted, current_setting('app.password'))\" \\
      --setting app.password

It goes on where it was stopped when it is called again, and takes in what changed since. It is tried first, and asks.
Exit code 1: done, and rows were turned down that hold no credential.")]
pub struct Column {
    /// The table
    table: String,
    /// The column that holds the values
    column: String,
    /// The column that tells rows from each other
    #[arg(long, value_name = "COLUMN")]
    key: String,
    /// The provider of all of them
    #[arg(long, required_unless_present = "provider_column", conflicts_with = "provider_column")]
    provider: Option<String>,
    /// The column that names the provider
    #[arg(long, value_name = "COLUMN")]
    provider_column: Option<String>,
    /// Whose they are
    #[arg(long, value_enum, default_value_t = OwnerKind::User)]
    owner: OwnerKind,
    /// The column with the owner's id [default: the key]
    #[arg(long, value_name = "COLUMN")]
    owner_column: Option<String>,
    /// The model that all of them are for
    #[arg(long, conflicts_with = "model_column")]
    model: Option<String>,
    /// The column that names the model
    #[arg(long, value_name = "COLUMN")]
    model_column: Option<String>,
    /// As for every table.
    #[command(flatten)]
    options: TableOptions,
}

/// Whose credentials a table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OwnerKind {
    /// Users'
    User,
    /// Organisations'
    Org,
    /// The installation's
    Global,
}

impl OwnerKind {
    /// As hftok names it.
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Org => "org",
            Self::Global => "global",
        }
    }
}

impl Column {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let procedure = Procedure {
            name: "import_column",
            table: [&self.table, &self.column, &self.key],
            is_for_orgs: self.owner == OwnerKind::Org,
            arguments: vec![
                Argument::text("p_table", Some(&self.table)),
                Argument::text("p_column", Some(&self.column)),
                Argument::text("p_key", Some(&self.key)),
                Argument::text("p_provider", self.provider.as_deref()),
                Argument::text("p_provider_column", self.provider_column.as_deref()),
                Argument::text("p_owner", Some(self.owner.name())),
                Argument::text("p_owner_column", self.owner_column.as_deref()),
                Argument::text("p_model", self.model.as_deref()),
                Argument::text("p_model_column", self.model_column.as_deref()),
                Argument::text("p_open", self.options.open.as_deref()),
            ],
        };
        self.options.import(&procedure, connection, screen)
    }
}
