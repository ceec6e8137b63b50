//! `hftok delete`: deletes a credential, or a named secret, with its history.

use std::process::ExitCode;

use clap::Args;

use super::address::Address;
use crate::connection::{Argument, ConnectionOptions};
use crate::failure::Failure;
use crate::screen::Screen;

/// Delete a credential and its history
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hftok delete                                 my Hugging Face token
  hftok delete -p openai --user alice --yes
  hftok delete --name smtp_password\n\nExit code 1: there was none.")]
pub struct Delete {
    /// Which one.
    #[command(flatten)]
    address: Address,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Delete {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let mut server = connection.open()?;
        if !self.yes
            && !screen.confirmed(&format!("Delete {} and its history?", self.address), "--yes deletes")?
        {
            screen.note("nothing is deleted");
            return Ok(ExitCode::FAILURE);
        }
        let deleted: bool = if self.address.name.is_some() {
            let found = self.address.find(&mut server)?;
            server.call("delete_secret", &[Argument::text("p_secret_id", Some(found.id()))])?
        } else {
            server.call("delete_credential", &self.address.arguments())?
        };
        if !deleted {
            return Err(self.address.absent());
        }
        let answer = serde_json::json!({ "deleted": true });
        screen.answer(&answer, || format!("deleted {}", self.address))?;
        Ok(ExitCode::SUCCESS)
    }
}
