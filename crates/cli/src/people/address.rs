//! Which credential is meant: its owner, provider, model and slot; or which named secret of the operator.
//!
//! What must stay true: an address means one object or none. Without an owner it is the caller's, whatever else they may see.

use clap::Args;

use super::credential::{Credential, NamedSecret};
use super::owner::Owner;
use crate::connection::{Argument, Server};
use crate::failure::Failure;

/// Which credential is meant.
#[derive(Debug, Clone, Args)]
pub struct Address {
    /// Whose API it opens
    #[arg(long, short, default_value = "huggingface")]
    pub provider: String,
    /// The one model that it is for
    #[arg(long, short, value_name = "ID")]
    pub model: Option<String>,
    /// Which of several credentials for the same use
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    pub slot: String,
    /// Whose it is.
    #[command(flatten)]
    pub owner: Owner,
    /// A named secret of the operator instead
    #[arg(long, short, conflicts_with_all = ["provider", "model", "slot", "user", "org", "global"])]
    pub name: Option<String>,
}

/// What an address leads to.
#[derive(Debug)]
pub enum Found {
    /// A credential.
    Credential(Credential),
    /// A named secret.
    Secret(NamedSecret),
}

impl Found {
    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Credential(credential) => &credential.secret_id,
            Self::Secret(secret) => &secret.id,
        }
    }
}

impl Address {
    /// As functions of hftok take a credential.
    pub fn arguments(&self) -> Vec<Argument<'_>> {
        let mut arguments = vec![
            Argument::text("p_provider", Some(&self.provider)),
            Argument::text("p_model", self.model.as_deref()),
        ];
        arguments.extend(self.owner.arguments());
        if !self.slot.is_empty() {
            arguments.push(Argument::text("p_slot", Some(&self.slot)));
        }
        arguments
    }

    /// The object itself, without its value.
    pub fn find(&self, server: &mut Server) -> Result<Found, Failure> {
        if let Some(name) = &self.name {
            let equal = [("name", name.as_str())];
            let mut found: Vec<NamedSecret> = server.rows("secrets", NamedSecret::COLUMNS, &equal, &[])?;
            return found.pop().map(Found::Secret).ok_or_else(|| self.absent());
        }
        let (scope, id) = self.owner.or_caller(server)?;
        let equal = [("provider", self.provider.as_str()), ("scope", scope), ("slot", self.slot.as_str())];
        let found: Vec<Credential> = server.rows("credentials", Credential::COLUMNS, &equal, &[])?;
        let is_meant = |one: &Credential| {
            one.scope_id.as_deref().unwrap_or_default() == id
                && one.model.as_deref().unwrap_or_default() == self.model.as_deref().unwrap_or_default()
        };
        found.into_iter().find(is_meant).map(Found::Credential).ok_or_else(|| self.absent())
    }

    /// That there is no such object.
    pub fn absent(&self) -> Failure {
        Failure::Absent(self.to_string())
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(name) = &self.name {
            return write!(f, "secret {name}");
        }
        write!(f, "{} credential of ", self.provider)?;
        match self.owner.named() {
            Some(("global", _)) => f.write_str("the installation")?,
            Some((scope, id)) => write!(f, "{scope} {id}")?,
            None => f.write_str("your own")?,
        }
        if let Some(model) = &self.model {
            write!(f, " for model {model}")?;
        }
        if self.slot.is_empty() { Ok(()) } else { write!(f, ", slot {}", self.slot) }
    }
}
