//! `hftok list`: credentials, named secrets and providers that the caller may see, without values.

use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::credential::{Credential, NamedSecret};
use super::owner::Owner;
use crate::connection::{ConnectionOptions, Server};
use crate::failure::Failure;
use crate::screen::{Screen, Table};

/// List credentials, masked
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hftok list                        all that you may see
  hftok list -p huggingface --json
  hftok list --org acme --expiring  that end within 30 days, or have ended
  hftok list --secrets              named secrets of the operator
  hftok list --providers            whose credentials hftok knows")]
pub struct List {
    /// Only those of this provider
    #[arg(long, short)]
    provider: Option<String>,
    /// Only those for this model
    #[arg(long, short, value_name = "ID")]
    model: Option<String>,
    /// Only those of this owner.
    #[command(flatten)]
    owner: Owner,
    /// Only those that end within 30 days, or have ended
    #[arg(long)]
    expiring: bool,
    /// Named secrets of the operator instead
    #[arg(long, conflicts_with_all = ["provider", "model", "user", "org", "global", "expiring", "providers"])]
    secrets: bool,
    /// The catalogue of providers instead
    #[arg(long, conflicts_with_all = ["provider", "model", "user", "org", "global", "expiring"])]
    providers: bool,
}

/// A row of view `providers`.
#[derive(Debug, Deserialize, Serialize)]
struct Provider {
    /// As commands call it.
    name: String,
    /// As people call it.
    label: Option<String>,
    /// The variables that programs read.
    env: Option<Vec<String>>,
    /// Where its credentials are had.
    docs_url: Option<String>,
    /// Whether it may be used.
    enabled: Option<bool>,
}

impl List {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let mut server = connection.open()?;
        if self.secrets {
            let found: Vec<NamedSecret> = server.rows("secrets", NamedSecret::COLUMNS, &[], &["name"])?;
            screen.rows(&found, "no secrets", || secrets(&found))?;
        } else if self.providers {
            let columns = ["name", "label", "env", "docs_url", "enabled"];
            let found: Vec<Provider> = server.rows("providers", &columns, &[], &["name"])?;
            screen.rows(&found, "no providers", || providers(&found))?;
        } else {
            let found = self.credentials(&mut server)?;
            screen.rows(&found, "no credentials", || credentials(&found))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The credentials that were asked for.
    fn credentials(&self, server: &mut Server) -> Result<Vec<Credential>, Failure> {
        let owner = self.owner.named();
        let mut equal: Vec<(&'static str, &str)> = Vec::new();
        equal.extend(self.provider.iter().map(|given| ("provider", given.as_str())));
        equal.extend(self.model.iter().map(|given| ("model", given.as_str())));
        if let Some((scope, id)) = &owner {
            equal.extend([("scope", *scope), ("scope_id", id.as_str())]);
        }
        let view = if self.expiring { "expiring_credentials" } else { "credentials" };
        server.rows(view, Credential::COLUMNS, &equal, &["provider", "scope", "scope_id", "model", "slot"])
    }
}

/// Credentials as people read them.
fn credentials(found: &[Credential]) -> Table {
    let mut table =
        Table::new(&["PROVIDER", "OWNER", "MODEL", "SLOT", "PREVIEW", "STATUS", "EXPIRES", "LABEL"]);
    for one in found {
        table.row(vec![
            one.provider.clone(),
            one.owner(),
            one.model.clone().unwrap_or_default(),
            one.slot.clone(),
            one.preview.clone(),
            one.status.clone(),
            one.expires_at.clone().unwrap_or_default(),
            one.label.clone().unwrap_or_default(),
        ]);
    }
    table
}

/// Named secrets as people read them.
fn secrets(found: &[NamedSecret]) -> Table {
    let mut table = Table::new(&["NAME", "PREVIEW", "VERSION", "CHANGED", "DESCRIPTION"]);
    for one in found {
        table.row(vec![
            one.name.clone().unwrap_or_else(|| one.id.clone()),
            one.preview.clone(),
            one.version.to_string(),
            one.updated_at.clone(),
            one.description.clone().unwrap_or_default(),
        ]);
    }
    table
}

/// Providers as people read them.
fn providers(found: &[Provider]) -> Table {
    let mut table = Table::new(&["PROVIDER", "NAME", "VARIABLES", "GET ONE AT"]);
    for one in found {
        let off = if one.enabled == Some(false) { " (switched off)" } else { "" };
        table.row(vec![
            format!("{}{off}", one.name),
            one.label.clone().unwrap_or_default(),
            one.env.clone().unwrap_or_default().join(" "),
            one.docs_url.clone().unwrap_or_default(),
        ]);
    }
    table
}
