//! `hftok import`: what an application has in tables, a Supabase Vault, its environment or a file goes over to hftok.
//!
//! Tables and Vaults are read by hftok inside Postgres (docs/moving-in.md): their values never come here. Variables and files are
//! read here, and each value is saved as `hftok set` saves it.
//!
//! What must stay true: everything can be tried first, stopped, and done again; a report has names, keys and reasons, and no value.

mod asking;
mod batch;
mod column;
mod dotenv;
mod dotenv_file;
mod elements;
mod env;
mod integrations;
mod json;
mod report;
mod saving;
mod table;
mod variables;
mod vault;
mod watched;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::screen::Screen;

/// Move credentials in, from tables, a Supabase Vault, the environment or a file
#[derive(Debug, Args)]
pub struct Import {
    /// What they are in now.
    #[command(subcommand)]
    source: Source,
}

/// Where credentials are before they are hftok's.
#[derive(Debug, Subcommand)]
#[allow(
    clippy::missing_docs_in_private_items,
    reason = "clap would show them in place of the command's own words"
)]
#[allow(clippy::large_enum_variant, reason = "there is one, of the line that was given")]
enum Source {
    Column(column::Column),
    Integrations(integrations::Integrations),
    Vault(vault::Vault),
    Env(env::Env),
    Dotenv(dotenv::Dotenv),
    Json(json::Json),
}

impl Import {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        match self.source {
            Source::Column(column) => column.run(connection, screen),
            Source::Integrations(integrations) => integrations.run(connection, screen),
            Source::Vault(vault) => vault.run(connection, screen),
            Source::Env(env) => env.run(connection, screen),
            Source::Dotenv(dotenv) => dotenv.run(connection, screen),
            Source::Json(json) => json.run(connection, screen),
        }
    }
}
