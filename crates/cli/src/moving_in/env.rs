//! `hftok import env`: credentials in variables of this command's own environment.

use std::process::ExitCode;

use clap::Args;
use zeroize::Zeroizing;

use super::saving::SavingOptions;
use super::variables::Variable;
use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::screen::Screen;

/// Move credentials of the environment in: HF_TOKEN, OPENAI_API_KEY and what else the catalogue names
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hftok import env --dry-run
  hftok import env --global --yes
  hftok import env --map HUGGINGFACE_KEY=huggingface --user 42 --yes

What hftok has already stays, unless --replace is given. Exit code 1: done, and something was no credential.")]
pub struct Env {
    /// As for every set of variables.
    #[command(flatten)]
    options: SavingOptions,
}

impl Env {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        self.options.admit()?;
        // A variable that is no text holds no credential.
        let texts = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let variables: Vec<Variable> =
            texts.map(|(name, value)| Variable { name, value: Zeroizing::new(value) }).collect();
        let remains = |names: &[&str]| {
            format!(
                "Still in the environment: {}. Take it out of what sets it (a shell's profile, a unit file, a CI's settings), and \
                 start what needs it by `hftok run -- COMMAND`.",
                names.join(", ")
            )
        };
        self.options.import("the environment", &variables, false, remains, connection, screen)
    }
}
