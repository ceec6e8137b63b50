//! `hftok history` and `hftok restore`: the versions of a credential or a named secret.

use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::address::{Address, Found};
use crate::connection::{Argument, ConnectionOptions};
use crate::failure::Failure;
use crate::screen::{Screen, Table};

/// List the versions of a credential, without values
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hftok history\n  hftok history -p openai --org acme\n  hftok history --name smtp_password"
)]
pub struct History {
    /// Of which one.
    #[command(flatten)]
    address: Address,
}

/// Make a previous version the next one
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hftok restore --to 2\n  hftok restore -p openai --org acme --to 1\n  hftok restore --name smtp_password --to 4"
)]
pub struct Restore {
    /// Of which one.
    #[command(flatten)]
    address: Address,
    /// The version whose value is to be the current one
    #[arg(long, value_name = "VERSION")]
    to: i32,
}

/// A row of `credential_history` or `secret_history`.
#[derive(Debug, Deserialize, Serialize)]
struct Version {
    /// Its number.
    version: i32,
    /// Whether it is the one that is used.
    is_current: bool,
    /// Its mask.
    preview: String,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// When it was saved.
    created_at: String,
    /// When the next one was.
    superseded_at: Option<String>,
}

impl History {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let mut server = connection.open()?;
        let found = self.address.find(&mut server)?;
        let function = match &found {
            Found::Credential(_) => "credential_history",
            Found::Secret(_) => "secret_history",
        };
        let versions: Vec<Version> =
            server.call(function, &[Argument::text("p_secret_id", Some(found.id()))])?;
        screen.rows(&versions, "no versions", || table(&versions))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Restore {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let mut server = connection.open()?;
        let found = self.address.find(&mut server)?;
        let function = match &found {
            Found::Credential(_) => "restore_credential",
            Found::Secret(_) => "restore_secret",
        };
        let arguments = [
            Argument::text("p_secret_id", Some(found.id())),
            Argument::number("p_version", Some(i64::from(self.to))),
        ];
        let version: i32 = server.call(function, &arguments)?;
        let answer = serde_json::json!({ "secret_id": found.id(), "version": version });
        screen.answer(&answer, || {
            format!("restored {}: version {} is version {version} now", self.address, self.to)
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// As people read it.
fn table(versions: &[Version]) -> Table {
    let mut table = Table::new(&["VERSION", "PREVIEW", "SAVED", "REPLACED", "EXPIRES"]);
    for one in versions {
        table.row(vec![
            if one.is_current { format!("{} (current)", one.version) } else { one.version.to_string() },
            one.preview.clone(),
            one.created_at.clone(),
            one.superseded_at.clone().unwrap_or_default(),
            one.expires_at.clone().unwrap_or_default(),
        ]);
    }
    table
}
